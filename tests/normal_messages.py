"""Which Messages requests mean the same: one row for each difference.  Knows no bridge."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from alike import Alike, Json, Row, absent, drop, inner, listed, no_nulls, objects, without_tools
from conversations import HOME
from normal_responses import unnamed


def _blocks(body: Json) -> Iterator[Json]:
    for message in objects(body, "messages"):
        yield from objects(message, "content")


def _each_block(alike: Alike) -> Alike:
    def every(body: Json) -> None:
        for block in _blocks(body):
            alike(block)

    return every


def _no_null_within(body: Json) -> None:
    for node in (body, *objects(body, "tools"), *_blocks(body)):
        no_nulls(node)


def _tools(alike: Alike) -> Alike:
    def every(body: Json) -> None:
        for tool in objects(body, "tools"):
            alike(tool)

    return every


def _old_format(body: Json) -> None:
    if "output_format" in body:
        body.setdefault("output_config", {})["format"] = body.pop("output_format")


def _instructed_first(body: Json) -> None:
    ahead = [message["content"] for message in objects(body, "messages") if message["role"] == "system"]
    if "system" in body and ahead:
        body["system"] = [part for content in (body["system"], *ahead) for part in listed(content, "text")]
    elif ahead:
        body["system"] = ahead[0] if len(ahead) == 1 else [part for one in ahead for part in listed(one, "text")]
    body["messages"] = [message for message in body["messages"] if message["role"] != "system"]


def _said_in_parts(body: Json) -> None:
    for message in objects(body, "messages"):
        if message["role"] == "assistant":
            message["content"] = listed(message["content"], "text")


def _turn_about(body: Json) -> None:
    made: list[Json] = []
    for message in objects(body, "messages"):
        last: Json = made[-1] if made else {"role": None, "content": ""}
        answers = message["role"] == "user" and _ends_with(last, "tool_result")
        calls = message["role"] == "assistant" and _ends_with(last, "tool_use")
        if message["role"] == last["role"] and (answers or calls):
            last["content"] = last["content"] + listed(message["content"], "text")
        else:
            made.append(message)
    body["messages"] = made


def _ends_with(message: Json, kind: str) -> bool:
    content = message["content"]
    return isinstance(content, list) and bool(content) and content[-1].get("type") == kind


def unsealed(block: Json) -> None:
    """Show the item in a seal, for its id is but a name there too."""
    seal = block.get("signature")
    if isinstance(seal, str) and seal.startswith(HOME):
        packed = seal.removeprefix(HOME)
        block["signature"] = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        unnamed(block["signature"])


def _answered(block: Json) -> None:
    if block["type"] == "tool_result":
        block.setdefault("content", "")


def _adaptive(body: Json) -> None:
    drop(inner(body, "thinking"), "display", "omitted", None)


def _one_call(body: Json) -> None:
    drop(inner(body, "tool_choice"), "disable_parallel_tool_use", False, None)


MESSAGES = (
    *(
        Row("messages", f"{name}: {reason}", absent(name, value))
        for name, value, reason in (
            ("speed", "standard", "what comes unasked"),
            ("temperature", 1, "what happens unasked"),
            ("top_p", 1, "what happens unasked"),
        )
    ),
    Row("messages", "output_format is the old name of output_config.format", _old_format),
    Row("messages", "a tool without a type is the caller's own", _tools(lambda tool: drop(tool, "type", "custom"))),
    Row("messages", "a tool is not strict unasked", _tools(lambda tool: drop(tool, "strict", False))),
    Row("messages", "a choice allows calls side by side unasked", _one_call),
    Row("messages", "without tools there is nothing to choose from, or to call side by side", without_tools),
    Row("messages", "thinking is not shown unasked", _adaptive),
    Row("messages", "models that think decide how much unasked", absent("thinking", {"type": "adaptive"})),
    Row("messages", "a hop has all instructions in front", _instructed_first),
    Row("messages", "a model's text is a list of it, and an empty one is none", _said_in_parts),
    Row("messages", "two turns of one role are one, where only its parts count", _turn_about),
    Row("messages", "an id names an item and says nothing, in a seal as well", _each_block(unsealed)),
    Row("messages", "a result without content is an empty one", _each_block(_answered)),
    Row("messages", "a result is no error unasked", _each_block(lambda block: drop(block, "is_error", False))),
    Row(
        "messages",
        "a file gets a name where it has none, as Responses requires one",
        _each_block(lambda block: drop(block, "title", "document.pdf")),
    ),
)
"""How a Messages request that went through another format and came back may differ."""
