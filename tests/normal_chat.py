"""Which Chat requests mean the same: one row for each difference.  Knows no bridge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from alike import (
    LOST,
    Alike,
    Json,
    Row,
    absent,
    drop,
    inner,
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


def _each(name: str, alike: Alike) -> Alike:
    """For every object of a list."""

    def every(body: Json) -> None:
        for entry in objects(body, name):
            alike(entry)

    return every


def _of(role: str, alike: Alike) -> Alike:
    """For every message of a role."""
    return _each("messages", lambda message: alike(message) if message.get("role") == role else None)


def _functions(body: Json) -> Iterator[Json]:
    for tool in objects(body, "tools"):
        yield tool.get(tool.get("type", "function"), {})


def _calls(body: Json) -> Iterator[Json]:
    for message in objects(body, "messages"):
        yield from objects(message, "tool_calls")


def _no_null_within(body: Json) -> None:
    for node in (body, *objects(body, "messages"), *objects(body, "tools"), *_functions(body)):
        no_nulls(node)


def _one_limit(body: Json) -> None:
    renamed(body, "max_tokens", "max_completion_tokens")
    drop(body, "max_tokens", body.get("max_completion_tokens"))


def _usage_unasked(body: Json) -> None:
    inner(body, "stream_options").pop("include_usage", None)
    drop(body, "stream_options", {})


def _loose(body: Json) -> None:
    for given in (*_functions(body), inner(inner(body, "response_format"), "json_schema")):
        drop(given, "strict", None, False)


def _no_parameters(tool: Json) -> None:
    if tool.get("type", "function") == "function":
        closed = {"additionalProperties": False} if tool["function"].get("strict") else {}
        tool["function"].setdefault("parameters", {"type": "object", "properties": {}, **closed})


def _functions_as_tools(body: Json) -> None:
    if "functions" in body:
        body["tools"] = [{"type": "function", "function": given} for given in body.pop("functions")]
        body["parallel_tool_calls"] = False
    choice = body.pop("function_call", None)
    if choice is not None:
        body["tool_choice"] = {"type": "function", "function": choice} if isinstance(choice, dict) else choice
    called: dict[str, str] = {}
    for at, message in enumerate(objects(body, "messages")):
        call = message.pop("function_call", None)
        if call is not None:
            called[call["name"]] = f"call_legacy_{at}"
            message["tool_calls"] = [{"id": f"call_legacy_{at}", "type": "function", "function": call}]
        if message.get("role") == "function":
            message |= {"role": "tool", "tool_call_id": called.get(message["name"], "")}


def _images(message: Json) -> None:
    for part in objects(message, "content"):
        if isinstance(part.get("image_url"), str):
            part["image_url"] = {"url": part["image_url"]}


def _detail(message: Json) -> None:
    for part in objects(message, "content"):
        drop(inner(part, "image_url"), "detail", "auto", None)


def _said_in_parts(message: Json) -> None:
    message["content"] = listed(message.get("content", []), "text")


def _refusal_as_part(message: Json) -> None:
    if "refusal" in message:
        message["content"].append({"type": "refusal", "refusal": message.pop("refusal")})


def _named_by_its_call(body: Json) -> None:
    names = {call["id"]: inner(call, call.get("type") or "function").get("name") for call in _calls(body)}
    for message in objects(body, "messages"):
        if message.get("role") == "tool":
            drop(message, "name", names.get(message.get("tool_call_id")))


def _plain_result(message: Json) -> None:
    if isinstance(message.get("content"), list):
        message["content"] = [part for part in message["content"] if part.get("type") == "text"]


def _stops(body: Json) -> None:
    if isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]


def _strict_schema(body: Json) -> None:
    if given := inner(inner(body, "response_format"), "json_schema"):
        with_strict_schema(given)


def _worded(message: Json) -> None:
    message["content"] = plain_refusals(message["content"], "text")


def _messages(alike: Callable[[list[Json]], list[Json] | None]) -> Alike:
    def every(body: Json) -> None:
        made = alike(objects(body, "messages"))
        if made is not None:
            body["messages"] = made

    return every


def _after_results(messages: list[Json]) -> None:
    for before, message in pairwise(messages):
        if before.get("role") == "tool" and message.get("role") == "user":
            message["content"] = listed(message["content"], "text")


def _one_turn(messages: list[Json]) -> list[Json]:
    made: list[Json] = []
    for message in messages:
        last = made[-1] if made else {}
        if message.get("role") == last.get("role") == "assistant" and not last.get("tool_calls"):
            lost = {LOST: [""]} if "" in message.get(LOST, ()) else {}
            last["content"] = last["content"] + [{**part, **lost} for part in message["content"]]
            last |= {name: value for name, value in message.items() if name not in ("role", "content", LOST)}
        else:
            made.append(message)
    return made


def _arguments(body: Json) -> None:
    for call in _calls(body):
        if "function" in call:
            call["function"]["arguments"] = spaced(call["function"].get("arguments"))


def _ids(body: Json) -> None:
    known: dict[str, str] = {}
    for node, name in ((call, "id") for call in _calls(body)):
        node[name] = known.setdefault(node[name], _numbered(node[name], known))
    for message in objects(body, "messages"):
        if "tool_call_id" in message:
            message["tool_call_id"] = known.get(message["tool_call_id"], message["tool_call_id"])


def _numbered(given: str, known: dict[str, str]) -> str:
    plain = re.sub("[^a-zA-Z0-9_-]", "_", given)
    return given if plain == given and not re.search("_[0-9a-f]{8}$", given) else f"call {len(known)}"


_HERE: Sequence[Mode] = ("messages",)
CHAT = (
    Row("chat", "null is no value", _no_null_within),
    Row("chat", "functions are called one at a time; that they became tools is a listed loss", _functions_as_tools),
    *(
        Row("chat", f"{name}: {reason}", absent(name, value))
        for name, value, reason in (
            ("n", 1, "one answer is what every call gives"),
            ("frequency_penalty", 0, "no penalty"),
            ("presence_penalty", 0, "no penalty"),
            ("modalities", ["text"], "what comes unasked"),
            ("top_logprobs", 0, "none come unasked"),
            ("store", False, "Chat stores nothing unasked"),
            ("parallel_tool_calls", True, "what happens unasked"),
            ("tool_choice", "auto", "what happens unasked"),
        )
    ),
    Row("chat", "max_tokens is the old name of the limit", _one_limit),
    Row("chat", "usage in a stream is settled at the caller's end: hops are always asked for it", _usage_unasked),
    Row("chat", "a function without parameters takes none", _each("tools", _no_parameters)),
    Row("chat", "a schema is not strict unasked", _loose),
    Row("chat", "without tools there is nothing to choose from, or to call side by side", without_tools),
    Row("chat", "an image may stand as its address alone", _each("messages", _images)),
    Row("chat", "an image has the detail 'auto' unasked", _each("messages", _detail)),
    Row("chat", "a model's text is a list of it, and an empty one is none", _of("assistant", _said_in_parts)),
    Row("chat", "a model's refusal is its last part", _of("assistant", _refusal_as_part)),
    Row("chat", "a result's name only repeats its call's", _named_by_its_call),
    Row(
        "chat", "Chat's results have text alone; a hop sees more, and the way back lists it", _of("tool", _plain_result)
    ),
    Row("chat", "one stop is a list of it", _stops, _HERE),
    Row("chat", "Messages has one name for the user", one_name_of_the_user, _HERE),
    Row("chat", "Messages keeps to every schema, and has its description within", _strict_schema, _HERE),
    Row("chat", "a list of all tools allows all, a list of one requires it", without_idle_list, _HERE),
    *(
        Row("chat", f"{name}: {reason}", absent(name, value), _HERE)
        for name, value, reason in (
            ("verbosity", "medium", "what comes unasked"),
            ("temperature", 1, "the one that Messages has"),
            ("top_p", 1, "the one that Messages has"),
            ("stream_options", {"include_obfuscation": False}, "Messages pads no streams"),
        )
    ),
    Row("chat", "a refusal returns as plain text, which is a listed loss", _of("assistant", _worded), _HERE),
    Row("chat", "Messages has one role for instructions", _messages(one_role_of_instructions), _HERE),
    Row(
        "chat",
        "Messages has its instructions in front; a move is a listed loss",
        _messages(lambda m: led(m, "text")),
        _HERE,
    ),
    Row("chat", "what a user says after results is one of the parts of their turn", _messages(_after_results), _HERE),
    Row("chat", "Messages has turn and turn about; that two became one is a listed loss", _messages(_one_turn), _HERE),
    Row("chat", "Messages has arguments as a value, so the white space of their text is not kept", _arguments, _HERE),
    Row("chat", "Messages takes letters, digits, _ and - in a call's id, so others are named anew", _ids, _HERE),
)
"""How a Chat request that went through another format and came back may differ."""
