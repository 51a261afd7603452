"""Which Responses requests mean the same: one row for each difference.  Knows no bridge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from alike import (
    LOST,
    Alike,
    Json,
    Row,
    absent,
    drop,
    inner,
    leaves,
    led,
    listed,
    no_nulls,
    objects,
    one_name_of_the_user,
    one_role_of_instructions,
    plain_refusals,
    renamed,
    spaced,
    with_strict_schema,
    without_idle_list,
    without_tools,
)

from chatsheet_llm.route import Mode


def _no_null_within(body: Json) -> None:
    for node in (body, *objects(body, "tools"), *objects(body, "input"), inner(body, "text"), inner(body, "reasoning")):
        no_nulls(node)


def _items(alike: Callable[[Json], None]) -> Alike:
    def every(body: Json) -> None:
        for item in objects(body, "input"):
            alike(item)

    return every


def _input(alike: Callable[[list[Json]], list[Json] | None]) -> Alike:
    def every(body: Json) -> None:
        made = alike(objects(body, "input"))
        if made is not None:
            body["input"] = made

    return every


def _said_by_user(body: Json) -> None:
    if isinstance(body.get("input"), str):
        body["input"] = [{"type": "message", "role": "user", "content": body["input"]}]
    body.setdefault("input", [])


def _first_instruction(body: Json) -> None:
    said = body.pop("instructions", None)
    if said:
        body["input"].insert(0, {"type": "message", "role": "system", "content": said})


def _typed(item: Json) -> None:
    if "role" in item:
        item.setdefault("type", "message")


def unnamed(item: Json) -> None:
    """Take out what names an item and says nothing."""
    item.pop("id", None)
    item.pop("status", None)


def _parts(item: Json) -> None:
    for field in ("content", "output"):
        for part in objects(item, field):
            for name, nothing in (("detail", "auto"), ("annotations", []), ("logprobs", [])):
                drop(part, name, nothing, None)


def _said_in_parts(item: Json) -> None:
    if item.get("role") == "assistant":
        item["content"] = listed(item.get("content", []), "output_text")


def _tools(alike: Callable[[Json], None]) -> Alike:
    def every(body: Json) -> None:
        for tool in objects(body, "tools"):
            alike(tool)

    return every


def _no_parameters(tool: Json) -> None:
    if tool["type"] == "function":
        closed = {"additionalProperties": False} if tool.get("strict") else {}
        tool.setdefault("parameters", {"type": "object", "properties": {}, **closed})


def _strict_tool(tool: Json) -> None:
    """The schema of a function is closed unasked, where all its properties are required."""
    if tool["type"] != "function" or "strict" in tool:
        return
    within = [node for node in leaves(tool.get("parameters")) if isinstance(node, dict) and "properties" in node]
    tool["strict"] = all(set(node["properties"]) <= set(node.get("required", ())) for node in within)
    for node in within if tool["strict"] else ():
        node.setdefault("additionalProperties", False)


def _strict_form(body: Json) -> None:
    form = inner(inner(body, "text"), "format")
    if form.get("type") == "json_schema":
        form.setdefault("strict", True)


def _schema_within(body: Json) -> None:
    form = inner(inner(body, "text"), "format")
    if form.get("type") == "json_schema":
        with_strict_schema(form)


def _seals_unasked(body: Json) -> None:
    if isinstance(body.get("include"), list):
        body["include"] = [wanted for wanted in body["include"] if wanted != "reasoning.encrypted_content"]
        drop(body, "include", [])


def _verbosity(body: Json) -> None:
    drop(inner(body, "text"), "verbosity", "medium")
    drop(body, "text", {})


def _context(body: Json) -> None:
    drop(inner(body, "reasoning"), "context", "auto")
    drop(body, "reasoning", {})


def _one_kind_of_result(item: Json) -> None:
    item["type"] = item["type"].replace("custom_tool_call_output", "function_call_output")


def _worded(item: Json) -> None:
    if item.get("role") == "assistant":
        item["content"] = plain_refusals(item["content"], "output_text")


def _speaking(items: list[Json]) -> list[Json]:
    return [item for item in items if item.get("role") not in ("system", "user") or item.get("content") not in ([], "")]


def _after_results(items: list[Json]) -> None:
    for before, item in pairwise(item for item in items if "" not in item.get(LOST, ())):
        if before.get("type") == "function_call_output" and item.get("role") == "user":
            item["content"] = listed(item["content"], "input_text")


_HERE: Sequence[Mode] = ("messages",)
RESPONSES = (
    Row("responses", "null is no value", _no_null_within),
    *(
        Row("responses", f"{name}: {reason}", absent(name, value))
        for name, value, reason in (
            ("top_logprobs", 0, "none come unasked"),
            ("background", False, "the call waits unasked"),
            ("truncation", "disabled", "nothing is cut unasked"),
            ("tool_choice", "auto", "what happens unasked"),
            ("store", False, "another product in each API, so nobody is taken to have asked for it"),
        )
    ),
    Row("responses", "a text alone is one message of the user", _said_by_user),
    Row("responses", "instructions are the first message of the system", _first_instruction),
    Row("responses", "what has a role is a message", _items(_typed)),
    Row("responses", "an id and a state name an item and say nothing", _items(unnamed)),
    Row("responses", "a part has the detail 'auto' and no notes unasked", _items(_parts)),
    Row("responses", "a model's text is a list of it, and an empty one is none", _items(_said_in_parts)),
    Row("responses", "a function is strict unasked: recorded replies repeat it so", _tools(_strict_tool), ("chat",)),
    Row("responses", "a function without parameters takes none", _tools(_no_parameters)),
    Row("responses", "a format is strict unasked: recorded replies repeat it so", _strict_form),
    Row(
        "responses",
        "generate_summary is the old name of summary",
        lambda b: renamed(inner(b, "reasoning"), "generate_summary", "summary"),
    ),
    Row("responses", "reasoning of earlier turns is read as the model decides unasked", _context),
    Row("responses", "without tools there is nothing to choose from, or to call side by side", without_tools),
    Row("responses", "Messages returns its seals unasked", _seals_unasked, _HERE),
    Row("responses", "Messages has one name for the user", one_name_of_the_user, _HERE),
    Row("responses", "Messages keeps to every schema, and has its description within", _schema_within, _HERE),
    Row("responses", "a list of all tools allows all, a list of one requires it", without_idle_list, _HERE),
    Row("responses", "text.verbosity: what comes unasked", _verbosity, _HERE),
    *(
        Row("responses", f"{name}: {reason}", absent(name, value), _HERE)
        for name, value, reason in (
            ("temperature", 1, "the one that Messages has"),
            ("top_p", 1, "the one that Messages has"),
            ("stream_options", {"include_obfuscation": False}, "Messages pads no streams"),
        )
    ),
    Row("responses", "Messages has one kind of results", _items(_one_kind_of_result), _HERE),
    Row("responses", "Messages has one role for instructions", _input(one_role_of_instructions), _HERE),
    Row(
        "responses",
        "Messages has its instructions in front; a move is a listed loss",
        _input(lambda i: led(i, "input_text")),
        _HERE,
    ),
    Row("responses", "what a user says after results is one of the parts of their turn", _input(_after_results), _HERE),
    Row(
        "responses",
        "Messages has arguments as a value, so the white space of their text is not kept",
        _items(lambda item: item.update(arguments=spaced(item["arguments"])) if "arguments" in item else None),
        _HERE,
    ),
)
"""How a Responses request that went through another format and came back may differ."""
