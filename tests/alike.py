"""What one row of a table of forgiven differences is, and the shapes that many rows share.  Knows no bridge.

A row rewrites a body so that all bodies which mean the same become one.  Each tells one such difference and why it
takes nothing away; what no row tells is a difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chatsheet_llm.route import MODES, Mode

Json = dict[str, Any]
Alike = Callable[[Json], None]
LOST = "declared lost"
"""Name under which an object tells which of its fields are declared lost; an empty one is itself."""


@dataclass(frozen=True, slots=True)
class Row:
    """A difference between what was sent and what came back that takes nothing away.

    ``mode`` is the format of both, ``through`` the formats that can make the difference on the way.  ``alike``
    changes a body in place.
    """

    mode: Mode
    reason: str
    alike: Alike
    through: Sequence[Mode] = MODES


def absent(name: str, *values: object) -> Alike:
    """For a parameter that means with one of these values what its absence means."""

    def alike(body: Json) -> None:
        if any(same(body[name], value) for value in values if name in body):
            del body[name]

    return alike


def same(one: object, other: object) -> bool:
    """Whether two values are equal as JSON, where true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def no_nulls(node: Json) -> None:
    for name in [name for name, value in node.items() if value is None]:
        del node[name]


def drop(node: Json, name: str, *values: object) -> None:
    absent(name, *values)(node)


def objects(node: Json, name: str) -> list[Json]:
    """The objects in a list of a body; none where it has another shape."""
    value = node.get(name)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def inner(node: Json, name: str) -> Json:
    """An object in a body; an empty one that belongs to nobody where there is none."""
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def renamed(node: Json, old: str, new: str) -> None:
    """Move a value, and the mark that it is lost."""
    if node.get(old) is not None and node.get(new) is None:
        node[new] = node.pop(old)
        if old in node.get(LOST, ()):
            node[LOST].append(new)


def listed(content: Any, kind: str) -> list[Json]:
    """A text as the list of parts that says it; one that is empty says nothing."""
    given = [{"type": kind, "text": content}] if isinstance(content, str) else content
    return [part for part in given if part.get("text") != ""]


def spaced(text: object) -> object:
    """JSON text without regard to its white space; no arguments are none."""
    if not isinstance(text, str):
        return text
    try:
        return json.dumps(json.loads(text or "{}"), ensure_ascii=False)
    except ValueError:
        return text


def with_strict_schema(given: Json) -> None:
    """Messages always keeps to a schema, and has the description of one in it."""
    given["strict"] = True
    if given.get("description"):
        given["schema"] = {**given["schema"], "description": given.pop("description")}


def without_tools(body: Json) -> None:
    left = [tool for tool in objects(body, "tools") if not {"", tool.get("type")}.intersection(tool.get(LOST, ()))]
    choice = body.get("tool_choice")
    kind = choice["type"] if isinstance(choice, dict) else choice
    if not left or kind == "none":
        body.pop("parallel_tool_calls", None)
    if not left and isinstance(choice, dict):
        choice.pop("disable_parallel_tool_use", None)
    if not left and kind in ("auto", "none"):
        body.pop("tool_choice", None)


def without_idle_list(body: Json) -> None:
    choice = body.get("tool_choice")
    if not isinstance(choice, dict) or choice["type"] != "allowed_tools":
        return
    given = choice.get("allowed_tools", choice)
    allowed = [_tool_name(tool) for tool in given["tools"]]
    if all(_tool_name(tool) in allowed for tool in body["tools"]):
        body["tool_choice"] = given["mode"]
    elif given["mode"] == "required" and len(allowed) == 1:
        body["tool_choice"] = given["tools"][0]


def _tool_name(tool: Json) -> tuple[str, str]:
    return tool["type"], tool.get(tool["type"], tool).get("name", "")


def one_name_of_the_user(body: Json) -> None:
    if body.get("safety_identifier") in (None, body.get("user")):
        renamed(body, "user", "safety_identifier")
        body.pop("user", None)


def led(messages: list[Json], text: str) -> list[Json]:
    """All instructions in front, in one; that one was moved is a declared loss."""
    ahead = [message for message in messages if message.get("role") == "system" and "content" in message]
    others = [message for message in messages if not any(message is one for one in ahead)]
    if len(ahead) > 1:
        ahead = [{**ahead[0], "content": [part for one in ahead for part in listed(one["content"], text)]}]
    return ahead + others


def one_role_of_instructions(messages: list[Json]) -> None:
    for message in messages:
        if message.get("role") == "developer":
            message["role"] = "system"


def plain_refusals(parts: list[Json], kind: str) -> list[Json]:
    return [{"type": kind, "text": part["refusal"]} if part["type"] == "refusal" else part for part in parts]


def leaves(node: object) -> Iterator[object]:
    """Everything in a JSON document, itself included."""
    yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from leaves(value)
