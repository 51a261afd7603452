"""Random conversations and answers, told once and then written in each wire format by code of our own.

What is told here knows no bridge: a bridge is right when it makes of one format's writing what this file writes in the
other.  `normal` says which writings of one format mean the same.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from hypothesis import strategies as st

from chatsheet_llm.route import MODES, Mode

Json = dict[str, Any]

PDF = base64.b64encode(b"%PDF-1.7 tiny").decode()
PIXEL = base64.b64encode(b"\x89PNG tiny").decode()
SEAL = "messages.thinking:"
REDACTED = "messages.redacted:"
HOME = "responses.reasoning:"

# --- words ------------------------------------------------------------------------------------------------------------

_WORDS = (
    *("", "plain", "Grüße", "👩‍👩‍👧 семья", "שלום\u200f עולם", "e\u0301 ≠ é", "a\r\nb\u2028c\u0085d", "\x00\ufeff\t"),
    *('"q" \\ \\u0041 {}', "data: [DONE]\n\n", "event: error", "</s>", "  ", "𝔘𝔫𝔦"),
)
_numbers = st.integers(0, 99999)
texts = st.builds(lambda word, number: f"{word}{number}", st.sampled_from(_WORDS), _numbers)
"""Texts that say something, nearly each of them another thing."""
maybe_empty = st.one_of(texts, texts, texts, st.just(""), st.text(st.characters(codec="utf-8"), max_size=6))
names = st.builds(lambda word, number: f"{word}_{number}", st.sampled_from(("look", "über", "a-b")), st.integers(0, 9))
arguments = st.dictionaries(
    st.sampled_from(("at", "ключ", "", "n")),
    st.one_of(maybe_empty, _numbers, st.booleans(), st.none(), st.floats(-9, 9), st.lists(texts, max_size=2)),
    max_size=3,
)
closed_schemas = st.sampled_from(
    [
        {"type": "object", "properties": {}, "additionalProperties": False},
        {
            "type": "object",
            "properties": {"ключ": {"type": "string", "description": "wo?"}},
            "required": ["ключ"],
            "additionalProperties": False,
        },
    ]
)
open_schemas = st.sampled_from(
    [
        {"type": "object", "properties": {"at": {"type": ["string", "null"]}, "n": {"type": "integer"}}},
        {"type": "object", "properties": {"at": {"$ref": "#/$defs/p"}}, "$defs": {"p": {"enum": ["x", 1]}}},
    ]
)


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


# --- a conversation, told in words of no format ------------------------------------------------------------------------

_ALL = frozenset(MODES)
_OPENAI: frozenset[Mode] = frozenset({"chat", "responses"})
_OTHERS: frozenset[Mode] = frozenset({"responses", "messages"})

SETTINGS: Mapping[str, tuple[frozenset[Mode], st.SearchStrategy[Any]]] = {
    "limit": (_ALL, st.integers(16, 9999)),
    "stream": (_ALL, st.just(True)),
    "user": (_ALL, texts),
    "effort": (_ALL, st.sampled_from(("none", "low", "medium", "high", "xhigh", "max"))),
    "tier": (_ALL, st.sampled_from(("auto", "default"))),
    "schema": (_ALL, closed_schemas),
    "choice": (_ALL, st.sampled_from(("none", "required", "tool"))),
    "one_call": (_ALL, st.just(True)),
    "stop": (frozenset({"chat", "messages"}), st.lists(texts, min_size=1, max_size=3)),
    "summary": (_OTHERS, st.just("auto")),
    "temperature": (_OPENAI, st.floats(0, 0.99)),
    "top_p": (_OPENAI, st.floats(0.01, 0.99)),
    "verbosity": (_OPENAI, st.sampled_from(("low", "medium", "high"))),
    "metadata": (_OPENAI, st.dictionaries(names, texts, min_size=1, max_size=2)),
    "cache_key": (_OPENAI, texts),
    "logprobs": (_OPENAI, st.integers(0, 5)),
    "json_object": (_OPENAI, st.just(True)),
    "seed": (frozenset({"chat"}), _numbers),
    "penalty": (frozenset({"chat"}), st.floats(0.1, 2)),
    "answers": (frozenset({"chat"}), st.integers(2, 4)),
    "top_k": (frozenset({"messages"}), st.integers(1, 99)),
}
"""Setting -> the formats that have it, and its values."""

PARTS: Mapping[str, tuple[frozenset[Mode], st.SearchStrategy[Any]]] = {
    "text": (_ALL, texts),
    "image_url": (_ALL, st.builds("https://x.test/{}.png".format, _numbers)),
    "image_data": (_ALL, st.just(PIXEL)),
    "image_id": (_OTHERS, st.builds("file-{}".format, _numbers)),
    "file_data": (_ALL, st.just(PDF)),
    "file_words": (_ALL, texts),
    "file_id": (_ALL, st.builds("file-{}".format, _numbers)),
    "file_url": (_OTHERS, st.builds("https://x.test/{}.pdf".format, _numbers)),
}
"""Part of what a user or a tool says -> the formats that have it from a user, and its values.  In a tool's result Chat
has text alone."""


def _part(kind: str) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"kind": st.just(kind), "value": PARTS[kind][1]}, optional={"mark": st.just(True)})


_text_part = _part("text")
_any_part = st.one_of(_text_part, st.sampled_from(list(PARTS)).flatmap(_part))
_words = st.one_of(texts, st.lists(_text_part, min_size=1, max_size=3))
_content = st.one_of(texts, st.builds(lambda first, more: [first, *more], _text_part, st.lists(_any_part, max_size=3)))
_reasoning = st.fixed_dictionaries(
    {"home": st.sampled_from(("responses", "messages", "redacted")), "text": texts, "seal": names}
)


@st.composite
def _turns(draw: st.DrawFn) -> list[Json]:
    turns: list[Json] = []
    for _ in range(draw(st.integers(0, 2))):
        turns.append({"kind": "instruct", "role": draw(st.sampled_from(("system", "developer"))), "said": draw(_words)})
    calls = 0
    for at in range(draw(st.integers(1, 3))):
        turns.append({"kind": "user", "said": draw(_content if at else st.one_of(_content, st.just("")))})
        step = draw(st.integers(0, 4))
        if step == 1:
            turns.append({"kind": "instruct", "role": "developer", "said": draw(_words)})
            turns.append({"kind": "user", "said": draw(_content)})
        elif step == 2:
            turns.append(_assistant(draw, [], said=draw(st.one_of(texts, st.lists(texts, min_size=2, max_size=3)))))
        elif step > 2:
            for _ in range(draw(st.integers(1, 2))):
                made = [
                    {"id": f"call_{calls + at}", "name": draw(names), "given": draw(arguments)}
                    for at in range(draw(st.integers(1, 3)))
                ]
                calls += len(made)
                turns.append(_assistant(draw, made, said=draw(st.one_of(st.none(), texts))))
                results = [{"id": call["id"], "said": draw(st.one_of(maybe_empty, _content))} for call in made]
                turns.append({"kind": "results", "results": results})
    if turns[-1]["kind"] == "assistant":
        turns.append({"kind": "user", "said": draw(_content)})
    return turns


def _assistant(draw: st.DrawFn, calls: list[Json], said: Any) -> Json:
    reasoning = draw(st.lists(_reasoning, max_size=2)) if calls else []
    return {"kind": "assistant", "reasoning": reasoning, "said": said, "calls": calls}


_tools = st.lists(
    st.one_of(
        st.fixed_dictionaries({"strict": st.just(True), "schema": closed_schemas}, optional={"description": texts}),
        st.fixed_dictionaries({"strict": st.just(False), "schema": open_schemas}, optional={"description": texts}),
    ),
    max_size=3,
).map(lambda tools: [{"name": f"tool_{index}", **tool} for index, tool in enumerate(tools)])

conversations = st.fixed_dictionaries(
    {
        "settings": _optional(**{name: values for name, (_, values) in SETTINGS.items()}),
        "tools": _tools,
        "turns": _turns(),
    }
)


def fitted(told: Json, mode: Mode, *, hop: bool = False) -> Json:
    """The conversation without what a format cannot say, and a hop of it cannot be told.

    A chat caller hands back the reasoning that was attached to a reply; no chat hop can read it.
    """
    settings = {name: value for name, value in told["settings"].items() if mode in SETTINGS[name][0]}
    if "schema" in settings:
        settings.pop("json_object", None)
    if settings.get("effort") == "none":
        settings.pop("summary", None)
    if not told["tools"]:
        settings = {name: value for name, value in settings.items() if name not in ("choice", "one_call")}
    if settings.get("choice") == "none":
        settings.pop("one_call", None)
    turns = [fit for turn in told["turns"] if (fit := _fitted_turn(turn, mode)) is not None]
    if mode == "chat" and hop:
        turns = [{**turn, "reasoning": []} if turn["kind"] == "assistant" else turn for turn in turns]
    if mode == "messages":
        turns = _one_instruction([_as_system(turn) for turn in turns])
    return {**told, "settings": settings, "turns": turns}


def _fitted_turn(turn: Json, mode: Mode) -> Json | None:
    if turn["kind"] == "results":
        known = {kind for kind, (modes, _) in PARTS.items() if mode in modes and (mode != "chat" or kind == "text")}
        results = [{**result, "said": _known(result["said"], known, "")} for result in turn["results"]]
        return {**turn, "results": results}
    if turn["kind"] == "assistant":
        return turn
    said = _known(turn["said"], {kind for kind, (modes, _) in PARTS.items() if mode in modes}, None)
    return None if said is None else {**turn, "said": said}


def _known(said: Any, kinds: set[str], nothing: Any) -> Any:
    if isinstance(said, str):
        return said
    return [part for part in said if part["kind"] in kinds] or nothing


def _as_system(turn: Json) -> Json:
    return {**turn, "role": "system"} if turn["kind"] == "instruct" else turn


def _one_instruction(turns: list[Json]) -> list[Json]:
    """Messages has one system prompt before the first turn."""
    leading = 0
    while leading < len(turns) and turns[leading]["kind"] == "instruct":
        leading += 1
    if leading < 2:
        return turns
    parts = [part for turn in turns[:leading] for part in _as_parts(turn["said"])]
    return [{"kind": "instruct", "role": "system", "said": parts}, *turns[leading:]]


def facts(told: Json) -> Json:
    """What a conversation says, whoever says it in however many turns."""
    said = [given for turn in told["turns"] for given in [turn, *turn.get("results", [])] if given.get("said")]
    parts = [part for given in said for part in _as_parts(given["said"])]
    sealed = [given for turn in told["turns"] for given in turn.get("reasoning", [])]
    return {"settings": told["settings"], "parts": parts, "sealed": sealed}


def _as_parts(said: Any) -> list[Json]:
    return [{"kind": "text", "value": said}] if isinstance(said, str) else said


# --- the conversation, written in each format --------------------------------------------------------------------------


def written(mode: Mode, told: Json) -> Json:
    """The request body of a format that says what was told; `fitted` comes first."""
    return _WRITTEN[mode](told)


def _set(body: Json, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[name] = value


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_PLACES: Mapping[Mode, Mapping[str, str]] = {
    "chat": {
        **{"limit": "max_completion_tokens", "stream": "stream", "user": "safety_identifier", "stop": "stop"},
        **{"effort": "reasoning_effort", "tier": "service_tier", "temperature": "temperature", "top_p": "top_p"},
        **{"verbosity": "verbosity", "metadata": "metadata", "cache_key": "prompt_cache_key", "seed": "seed"},
        **{"penalty": "presence_penalty", "answers": "n"},
    },
    "responses": {
        **{"limit": "max_output_tokens", "stream": "stream", "user": "safety_identifier", "metadata": "metadata"},
        **{"effort": "reasoning.effort", "tier": "service_tier", "temperature": "temperature", "top_p": "top_p"},
        **{"verbosity": "text.verbosity", "cache_key": "prompt_cache_key", "summary": "reasoning.summary"},
    },
    "messages": {
        **{"limit": "max_tokens", "stream": "stream", "user": "metadata.user_id", "stop": "stop_sequences"},
        "top_k": "top_k",
    },
}


def _settled(mode: Mode, told: Json) -> Json:
    body: Json = {"model": "m"}
    for name, value in told["settings"].items():
        if name in _PLACES[mode]:
            _set(body, _PLACES[mode][name], value)
    return body


def _chat(told: Json) -> Json:
    body, settings = _settled("chat", told), told["settings"]
    if "logprobs" in settings:
        body |= {"logprobs": True, "top_logprobs": settings["logprobs"]}
    if "json_object" in settings:
        body["response_format"] = {"type": "json_object"}
    if "schema" in settings:
        schema = {"name": "response_format", "schema": settings["schema"], "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if told["tools"]:
        body["tools"] = [{"type": "function", "function": _function(tool, "parameters")} for tool in told["tools"]]
    if "choice" in settings:
        named = {"type": "function", "function": {"name": told["tools"][0]["name"]}}
        body["tool_choice"] = named if settings["choice"] == "tool" else settings["choice"]
    if "one_call" in settings:
        body["parallel_tool_calls"] = False
    body["messages"] = [message for turn in told["turns"] for message in _chat_turn(turn)]
    return body


def _function(tool: Json, schema: str) -> Json:
    described = {"description": tool["description"]} if "description" in tool else {}
    return {"name": tool["name"], **described, schema: tool["schema"], "strict": tool["strict"]}


def _chat_turn(turn: Json) -> list[Json]:
    if turn["kind"] == "results":
        return [
            {"role": "tool", "tool_call_id": result["id"], "content": _said("chat", result["said"])}
            for result in turn["results"]
        ]
    if turn["kind"] != "assistant":
        return [{"role": turn.get("role", "user"), "content": _said("chat", turn["said"])}]
    said = turn["said"]
    message: Json = {"role": "assistant", "content": said}
    if isinstance(said, list):
        message["content"] = [{"type": "text", "text": text} for text in said]
    if turn["calls"]:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": _json_text(call["given"])},
            }
            for call in turn["calls"]
        ]
    if turn["reasoning"]:
        message["reasoning_items"] = [_reasoning_item(given) for given in turn["reasoning"]]
    return [message]


def _responses(told: Json) -> Json:
    body, settings = _settled("responses", told), told["settings"]
    if "logprobs" in settings:
        body |= {"include": ["message.output_text.logprobs"], "top_logprobs": settings["logprobs"]}
    if "json_object" in settings:
        _set(body, "text.format", {"type": "json_object"})
    if "schema" in settings:
        schema = {"type": "json_schema", "name": "response_format", "schema": settings["schema"], "strict": True}
        _set(body, "text.format", schema)
    if told["tools"]:
        body["tools"] = [{"type": "function", **_function(tool, "parameters")} for tool in told["tools"]]
    if "choice" in settings:
        named = {"type": "function", "name": told["tools"][0]["name"]}
        body["tool_choice"] = named if settings["choice"] == "tool" else settings["choice"]
    if "one_call" in settings:
        body["parallel_tool_calls"] = False
    body["store"] = False
    body["input"] = [item for turn in told["turns"] for item in _responses_turn(turn)]
    return body


def _responses_turn(turn: Json) -> list[Json]:
    if turn["kind"] == "results":
        return [
            {"type": "function_call_output", "call_id": result["id"], "output": _said("responses", result["said"])}
            for result in turn["results"]
        ]
    if turn["kind"] != "assistant":
        said = _said("responses", turn["said"])
        return [{"type": "message", "role": turn.get("role", "user"), "content": said}]
    items = [_reasoning_item(given) for given in turn["reasoning"]]
    said = turn["said"]
    if isinstance(said, str):
        items.append({"type": "message", "role": "assistant", "content": said})
    elif said is not None:
        parts = [{"type": "output_text", "text": text, "annotations": []} for text in said]
        items.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": parts})
    return items + [
        {
            "type": "function_call",
            "call_id": call["id"],
            "name": call["name"],
            "arguments": _json_text(call["given"]),
        }
        for call in turn["calls"]
    ]


def _messages(told: Json) -> Json:
    body, settings = _settled("messages", told), told["settings"]
    if settings.get("effort") == "none":
        body["thinking"] = {"type": "disabled"}
    elif "effort" in settings:
        body |= {"thinking": {"type": "adaptive"}, "output_config": {"effort": settings["effort"]}}
    if "summary" in settings:
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
    if "tier" in settings:
        body["service_tier"] = {"auto": "auto", "default": "standard_only"}[settings["tier"]]
    if "schema" in settings:
        _set(body, "output_config.format", {"type": "json_schema", "schema": settings["schema"]})
    if told["tools"]:
        body["tools"] = [_function(tool, "input_schema") for tool in told["tools"]]
    if "choice" in settings or "one_call" in settings:
        kind = {"required": "any", None: "auto"}.get(settings.get("choice"), settings.get("choice"))
        body["tool_choice"] = {"type": kind} | ({"name": told["tools"][0]["name"]} if kind == "tool" else {})
        if "one_call" in settings:
            body["tool_choice"]["disable_parallel_tool_use"] = True
    turns = told["turns"]
    if turns[0]["kind"] == "instruct":
        body["system"], turns = _said("messages", turns[0]["said"]), turns[1:]
    body["messages"] = []
    for turn in turns:
        last = body["messages"][-1] if body["messages"] else None
        role, content = _messages_turn(turn)
        if role == "user" and last and _ends_with_result(last):
            # What the user says after results belongs to their turn.
            content = [{"type": "text", "text": content}] if isinstance(content, str) else content
            last["content"] += [block for block in content if block.get("text") != ""]
        else:
            body["messages"].append({"role": role, "content": content})
    return body


def _ends_with_result(message: Json) -> bool:
    return isinstance(message["content"], list) and message["content"][-1].get("type") == "tool_result"


def _messages_turn(turn: Json) -> tuple[str, Any]:
    if turn["kind"] == "results":
        return "user", [
            {"type": "tool_result", "tool_use_id": result["id"], "content": _said("messages", result["said"])}
            for result in turn["results"]
        ]
    if turn["kind"] != "assistant":
        return turn.get("role", "user"), _said("messages", turn["said"])
    said = turn["said"]
    if isinstance(said, str) and not turn["calls"]:
        return "assistant", said
    blocks = [_thinking_block(given) for given in turn["reasoning"]]
    blocks += [{"type": "text", "text": text} for text in ([said] if isinstance(said, str) else said or [])]
    blocks += [
        {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["given"]} for call in turn["calls"]
    ]
    return "assistant", blocks


def _reasoning_item(given: Json) -> Json:
    summary = [{"type": "summary_text", "text": given["text"]}]
    if given["home"] == "redacted":
        summary = []
    seal = {"responses": "", "messages": SEAL, "redacted": REDACTED}[given["home"]] + given["seal"]
    return {"id": f"rs_{given['seal']}", "type": "reasoning", "summary": summary, "encrypted_content": seal}


def _thinking_block(given: Json) -> Json:
    if given["home"] == "redacted":
        return {"type": "redacted_thinking", "data": given["seal"]}
    seal = given["seal"]
    if given["home"] == "responses":
        seal = HOME + base64.urlsafe_b64encode(_json_text(_reasoning_item(given)).encode()).decode().rstrip("=")
    return {"type": "thinking", "thinking": given["text"], "signature": seal}


def _said(mode: Mode, said: Any) -> Any:
    if isinstance(said, str):
        return said
    mark = {"cache_control": {"type": "ephemeral"}} if mode == "messages" else {}
    mark = mark or {"prompt_cache_breakpoint": {"mode": "explicit"}}
    return [_WRITTEN_PARTS[mode][part["kind"]](part["value"]) | (mark if part.get("mark") else {}) for part in said]


def _words_url(words: str) -> str:
    return f"data:text/plain;base64,{base64.b64encode(words.encode()).decode()}"


_WRITTEN_PARTS: Mapping[Mode, Mapping[str, Callable[[str], Json]]] = {
    "chat": {
        "text": lambda v: {"type": "text", "text": v},
        "image_url": lambda v: {"type": "image_url", "image_url": {"url": v}},
        "image_data": lambda v: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{v}"}},
        "file_data": lambda v: {
            "type": "file",
            "file": {"file_data": f"data:application/pdf;base64,{v}", "filename": "a.pdf"},
        },
        "file_words": lambda v: {"type": "file", "file": {"file_data": _words_url(v), "filename": "a.txt"}},
        "file_id": lambda v: {"type": "file", "file": {"file_id": v}},
    },
    "responses": {
        "text": lambda v: {"type": "input_text", "text": v},
        "image_url": lambda v: {"type": "input_image", "image_url": v, "detail": "auto"},
        "image_data": lambda v: {"type": "input_image", "image_url": f"data:image/png;base64,{v}", "detail": "auto"},
        "image_id": lambda v: {"type": "input_image", "file_id": v, "detail": "auto"},
        "file_data": lambda v: {
            "type": "input_file",
            "file_data": f"data:application/pdf;base64,{v}",
            "filename": "a.pdf",
        },
        "file_words": lambda v: {"type": "input_file", "file_data": _words_url(v), "filename": "a.txt"},
        "file_id": lambda v: {"type": "input_file", "file_id": v},
        "file_url": lambda v: {"type": "input_file", "file_url": v},
    },
    "messages": {
        "text": lambda v: {"type": "text", "text": v},
        "image_url": lambda v: {"type": "image", "source": {"type": "url", "url": v}},
        "image_data": lambda v: {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": v}},
        "image_id": lambda v: {"type": "image", "source": {"type": "file", "file_id": v}},
        "file_data": lambda v: {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": v},
            "title": "a.pdf",
        },
        "file_words": lambda v: {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": v},
            "title": "a.txt",
        },
        "file_id": lambda v: {"type": "document", "source": {"type": "file", "file_id": v}},
        "file_url": lambda v: {"type": "document", "source": {"type": "url", "url": v}},
    },
}

_WRITTEN: Mapping[Mode, Callable[[Json], Json]] = {"chat": _chat, "responses": _responses, "messages": _messages}

# --- which writings mean the same --------------------------------------------------------------------------------------

DEFAULTS: Mapping[Mode, Mapping[str, tuple[Any, ...]]] = {
    "chat": {
        # Values that ask for what happens without them.
        **{
            "n": (1,),
            "frequency_penalty": (0,),
            "presence_penalty": (0,),
            "logit_bias": ({},),
            "modalities": (["text"],),
        },
        **{
            "logprobs": (False,),
            "top_logprobs": (0,),
            "store": (False,),
            "stream": (False,),
            "stop": ([],),
            "tools": ([],),
        },
        **{"parallel_tool_calls": (True,), "tool_choice": ("auto",), "response_format": ({"type": "text"},)},
    },
    "responses": {
        # `store` is another product in each API, so nobody is taken to have asked for it.
        **{
            "store": (False,),
            "stream": (False,),
            "background": (False,),
            "truncation": ("disabled",),
            "include": ([],),
        },
        **{"parallel_tool_calls": (True,), "tool_choice": ("auto",), "tools": ([],), "text": ({},), "reasoning": ({},)},
    },
    "messages": {
        **{"stream": (False,), "stop_sequences": ([],), "tools": ([],), "tool_choice": ({"type": "auto"},)},
        "speed": ("standard",),
        # Models that think decide by themselves how much, unless they are told.
        **{"thinking": ({"type": "adaptive"},), "metadata": ({},), "output_config": ({},)},
    },
}
"""Parameters whose value may as well be absent."""


def normal(mode: Mode, body: Json, through: Mode) -> Json:
    """The body as all bodies are written that mean the same to a format and to the other one it goes through."""
    made = copy.deepcopy(body)
    _NORMAL[mode](made, through)
    return {
        name: value for name, value in made.items() if value is not None and value not in DEFAULTS[mode].get(name, ())
    }


LOST = "declared lost"
"""Name under which an object tells which of its fields are declared lost; an empty one is itself."""


def marked(body: Json, paths: list[str]) -> Json:
    """The body with each thing at one of the paths marked as lost, so that it is known wherever `normal` puts it."""
    made: Json = {"body": copy.deepcopy(body)}
    for path in paths:
        steps = re.findall(r"[^.\[\]]+", f"body.{path}")
        node: Any = made
        for at, step in enumerate(steps):
            key: Any = int(step) if isinstance(node, list) else step
            if at == len(steps) - 1 and isinstance(node, dict):
                node.setdefault(LOST, []).append(key)
            elif at == len(steps) - 1 and isinstance(node, list):
                node[key] = {**(node[key] if isinstance(node[key], dict) else {"was": node[key]}), LOST: [""]}
            elif isinstance(node, (dict, list)) and (isinstance(node, list) or key in node):
                node = node[key]
            else:
                break
    return made["body"]


def _normal_chat(body: Json, through: Mode) -> None:
    # The old name of the limit.
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is None:
        body["max_completion_tokens"] = body.pop("max_tokens")
    # The other formats always tell the usage, so whether a chat caller sees it is settled at the caller's end.
    options = {k: v for k, v in (body.get("stream_options") or {}).items() if k != "include_usage" and v is not None}
    body["stream_options"] = options or None
    for tool in body.get("tools") or []:
        kind = tool.setdefault("type", "function")
        tool[kind] = {name: value for name, value in tool[kind].items() if value is not None}
        if kind == "function":
            # Chat's default is not strict, and no schema is no parameter.
            _loose(tool[kind])
            tool[kind].setdefault("parameters", {"type": "object", "properties": {}})
    _without_tools(body)
    schema = (body.get("response_format") or {}).get("json_schema")
    if schema is not None:
        _loose(schema)
    messages = [_normal_message(message, through) for message in body.get("messages") or []]
    body["messages"] = messages
    if through == "messages":
        # Messages takes a list, has one user, and keeps to a schema always.
        if isinstance(body.get("stop"), str):
            body["stop"] = [body["stop"]]
        if body.get("safety_identifier") is None:
            body["safety_identifier"] = body.pop("user", None)
        if schema is not None:
            schema["strict"] = True
        _through_settings(body)
        body["messages"] = _through_messages(messages, "tool", "content", "text")


def _without_tools(body: Json) -> None:
    """Where no tool is left there is nothing to choose from, and nothing to call side by side."""
    left = [tool for tool in body.get("tools") or [] if not {"", tool.get("type")}.intersection(tool.get(LOST, ()))]
    choice = body.get("tool_choice")
    kind = choice["type"] if isinstance(choice, dict) else choice
    if not left or kind == "none":
        body["parallel_tool_calls"] = None
    if not left and isinstance(choice, dict):
        choice.pop("disable_parallel_tool_use", None)
    if not left and kind in ("auto", "none"):
        body["tool_choice"] = None


def _tool_name(tool: Json) -> tuple[str, str]:
    return tool["type"], tool.get(tool["type"], tool).get("name", "")


def _loose(given: Json) -> None:
    if given.get("strict") in (None, False):
        given.pop("strict", None)


def _normal_message(message: Json, through: Mode) -> Json:
    made = {name: value for name, value in message.items() if value not in (None, [])}
    if isinstance(made.get("content"), list):
        for part in made["content"]:
            image = part.get("image_url")
            if isinstance(image, str):
                part["image_url"] = image = {"url": image}
            if isinstance(image, dict) and image.get("detail") in ("auto", None):
                image.pop("detail", None)
    if message["role"] == "assistant":
        # A text is a list of it, an empty one none, and a refusal may be the last part: Responses holds parts of the
        # model's in output items alone.
        parts = _listed(made.pop("content", []), "text")
        if "refusal" in made:
            parts.append({"type": "refusal", "refusal": made.pop("refusal")})
        made["content"] = _plain_refusals(parts, "text") if through == "messages" else parts
    elif message["role"] == "tool":
        made.setdefault("content", "")
    return made


def _through_settings(body: Json) -> None:
    """Messages neither samples otherwise nor pads its streams, so asking for that is asking for nothing.

    It lets a model have all tools or call one, so a list of allowed ones is one of these or a loss.
    """
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        given = choice.get("allowed_tools", choice)
        allowed = [_tool_name(tool) for tool in given["tools"]]
        if all(_tool_name(tool) in allowed for tool in body["tools"]):
            body["tool_choice"] = given["mode"]
        elif given["mode"] == "required" and len(allowed) == 1:
            body["tool_choice"] = given["tools"][0]
    for name, nothing in (("temperature", 1), ("top_p", 1), ("top_logprobs", 0)):
        if body.get(name) == nothing:
            body[name] = None
    if body.get("stream_options") == {"include_obfuscation": False}:
        body["stream_options"] = None


def _through_messages(messages: list[Json], result: str, field: str, text: str) -> list[Json]:
    """Messages has one role for instructions, one list of them in front, and the user's words among the results."""
    made = [{**m, "role": "system"} if m.get("role") == "developer" else m for m in messages]
    leading = 0
    while leading < len(made) and made[leading].get("role") == "system":
        leading += 1
    if leading > 1:
        parts = [part for message in made[:leading] for part in _listed(message["content"], text)]
        made = [{**made[0], "content": parts}, *made[leading:]]
    for before, message in zip(made, made[1:], strict=False):
        after_results = result in (before.get("role"), before.get("type"))
        if after_results and message.get("role") == "user" and isinstance(message[field], str):
            message[field] = _listed(message[field], text)
    return [m for m in made if not (m.get("role") in ("system", "user") and m[field] in ([], ""))]


def _listed(content: Any, kind: str) -> list[Json]:
    given = [{"type": kind, "text": content}] if isinstance(content, str) else content
    return [part for part in given if part.get("text") != ""]


def _normal_responses(body: Json, through: Mode) -> None:
    given = body.pop("input", None)
    # One user message may be a bare string, and the first instruction a parameter.
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given or []
    if body.get("instructions"):
        items = [{"type": "message", "role": "system", "content": body.pop("instructions")}, *items]
    body["input"] = [_normal_item(item, through) for item in items]
    # Messages returns its seals unasked.
    include = [wanted for wanted in body.get("include") or [] if wanted != "reasoning.encrypted_content"]
    body["include"] = include
    for tool in body.get("tools") or []:
        for name in [name for name, value in tool.items() if value is None or (name == "defer_loading" and not value)]:
            del tool[name]
        if tool["type"] == "function":
            tool.setdefault("parameters", {"type": "object", "properties": {}})
    for name in ("text", "reasoning"):
        if isinstance(body.get(name), dict):
            body[name] = {key: value for key, value in body[name].items() if value is not None}
    if (body.get("reasoning") or {}).get("context") == "auto":
        del body["reasoning"]["context"]
    form = (body.get("text") or {}).get("format")
    if form == {"type": "text"}:
        del body["text"]["format"]
    _without_tools(body)
    if through == "messages":
        if body.get("safety_identifier") is None:
            body["safety_identifier"] = body.pop("user", None)
        if form and form["type"] == "json_schema":
            form["strict"] = True
        _through_settings(body)
        body["input"] = _through_messages(body["input"], "function_call_output", "content", "input_text")


def _normal_item(item: Json, through: Mode) -> Json:
    made = {name: value for name, value in item.items() if value is not None}
    if "role" in made:
        made["type"] = "message"
    if made["type"] != "reasoning" or made.get("encrypted_content", "").startswith((SEAL, REDACTED)):
        # These name an item and say nothing.
        made.pop("id", None)
        made.pop("status", None)
    for field in ("content", "output"):
        for part in made[field] if isinstance(made.get(field), list) else []:
            for name, nothing in (("detail", "auto"), ("annotations", []), ("logprobs", [])):
                if part.get(name, nothing) in (nothing, None):
                    part.pop(name, None)
    if made.get("role") == "assistant":
        made["content"] = _listed(made.get("content", []), "output_text")
    if through == "messages":
        # Messages has a refusal in its plain words, which is a declared loss, and one kind of results.
        made["type"] = made["type"].replace("custom_tool_call_output", "function_call_output")
        if made.get("role") == "assistant":
            made["content"] = _plain_refusals(made["content"], "output_text")
    return made


def _plain_refusals(parts: list[Json], kind: str) -> list[Json]:
    return [{"type": kind, "text": part["refusal"]} if part["type"] == "refusal" else part for part in parts]


def _normal_messages(body: Json, through: Mode) -> None:
    for tool in body.get("tools") or []:
        # What the type is without one, and Messages' default for strictness.
        if tool.get("type") == "custom":
            del tool["type"]
        _loose(tool)
        for name in [name for name, value in tool.items() if value is None]:
            del tool[name]
    _without_tools(body)
    if isinstance(body.get("tool_choice"), dict) and not body["tool_choice"].get("disable_parallel_tool_use"):
        body["tool_choice"].pop("disable_parallel_tool_use", None)
    thinking = body.get("thinking")
    if isinstance(thinking, dict) and thinking.get("display") in ("omitted", None):
        thinking.pop("display", None)
    for message in body["messages"]:
        if message["role"] == "assistant":
            # A text of the model's is a list of it, as Responses has parts of its own for them.
            message["content"] = _listed(message["content"], "text")
        blocks = message["content"] if isinstance(message["content"], list) else []
        for block in blocks:
            for name in [name for name, value in block.items() if value is None]:
                del block[name]
            if block["type"] == "tool_result":
                block.setdefault("content", "")
            # Responses requires a name of a file, so one without gets this.
            if block.get("title") == "document.pdf":
                del block["title"]
    del through


_NORMAL: Mapping[Mode, Callable[[Json, Mode], None]] = {
    "chat": _normal_chat,
    "responses": _normal_responses,
    "messages": _normal_messages,
}

# --- an answer, told in words of no format, and written in each --------------------------------------------------------

_usage = st.builds(
    lambda plain, cached, new, output: {
        "input": plain + cached + new,
        "cached": cached,
        "new": new,
        "output": output,
        "thought": output // 2,
    },
    *(st.integers(0, 9999),) * 4,
)


@st.composite
def _pieces(draw: st.DrawFn) -> list[Json]:
    pieces: list[Json] = []
    for at in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(("reasoning", "text", "text", "call", "call", "refusal", "custom")))
        if kind == "reasoning":
            # One provider's seals look all alike.
            pieces.append({"kind": kind, "text": draw(texts), "seal": f"seal_{at}"})
        elif kind in ("call", "custom"):
            name = {"kind": kind, "id": f"call_{at}", "name": draw(names)}
            pieces.append(name | ({"given": draw(arguments)} if kind == "call" else {"input": draw(maybe_empty)}))
        else:
            pieces.append({"kind": kind, "text": draw(texts)})
    return pieces


answers = st.fixed_dictionaries(
    {
        "id": st.builds("msg_{}".format, _numbers),
        "created": st.integers(1, 2**31),
        "model": names,
        "end": st.sampled_from(("stop", "stop", "length", "filter")),
        "usage": _usage,
        "tier": st.sampled_from((None, "default", "priority")),
        "pieces": _pieces(),
    }
)


def said_by(told: Json, hop: Mode) -> Json:
    """The answer as a hop of a format can have given it."""
    pieces = [{**piece, "home": hop} if piece["kind"] == "reasoning" else piece for piece in told["pieces"]]
    if hop == "messages":
        pieces = [piece for piece in pieces if piece["kind"] not in ("refusal", "custom")]
        return {**told, "pieces": pieces, "created": 0}
    if hop == "chat":
        # Chat has one message, with one text of each kind before its calls.
        joined = [
            {"kind": kind, "text": text, "home": hop, "seal": ""}
            for kind, gap in (("reasoning", "\n\n"), ("text", ""), ("refusal", ""))
            if (text := gap.join(piece["text"] for piece in pieces if piece["kind"] == kind))
        ]
        calls = [piece for piece in pieces if piece["kind"] in ("call", "custom")]
        return {**told, "pieces": joined + calls}
    return {**told, "pieces": pieces}


def in_one_message(told: Json) -> Json:
    """The answer in the order in which Chat has it, which tells none: one text, and calls behind it."""
    joined = [
        {"kind": kind, "text": "".join(piece["text"] for piece in _kinds(told, kind))} for kind in ("text", "refusal")
    ]
    said = [piece for piece in joined if piece["text"]]
    return {**told, "pieces": [*_kinds(told, "reasoning"), *said, *_kinds(told, "call", "custom")]}


def answered(mode: Mode, told: Json) -> Json:
    """The whole reply of a format that says what was told."""
    return _ANSWERED[mode](told)


def _kinds(told: Json, *kinds: str) -> list[Json]:
    return [piece for piece in told["pieces"] if piece["kind"] in kinds]


def _chat_answer(told: Json) -> Json:
    texts_of = {kind: [piece["text"] for piece in _kinds(told, kind)] for kind in ("reasoning", "text", "refusal")}
    message: Json = {"role": "assistant"}
    message["content"] = "".join(texts_of["text"]) if texts_of["text"] else None
    message["refusal"] = "".join(texts_of["refusal"]) if texts_of["refusal"] else None
    if texts_of["reasoning"]:
        message["reasoning_content"] = "\n\n".join(texts_of["reasoning"])
        if _kinds(told, "reasoning")[0]["home"] != "chat":
            message["reasoning_items"] = [_answer_item(piece, 0) for piece in _kinds(told, "reasoning")]
    if calls := _kinds(told, "call", "custom"):
        message["tool_calls"] = [_chat_call(call) for call in calls]
    finish = {"stop": "tool_calls" if calls else "stop", "length": "length", "filter": "content_filter"}[told["end"]]
    used = told["usage"]
    reply = {
        **{"id": told["id"], "object": "chat.completion", "created": told["created"], "model": told["model"]},
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            **{"prompt_tokens": used["input"], "completion_tokens": used["output"]},
            "total_tokens": used["input"] + used["output"],
            "prompt_tokens_details": {"cached_tokens": used["cached"], "cache_write_tokens": used["new"]},
            "completion_tokens_details": {"reasoning_tokens": used["thought"]},
        },
    }
    return reply | ({"service_tier": told["tier"]} if told["tier"] else {})


def _chat_call(call: Json) -> Json:
    if call["kind"] == "custom":
        return {"id": call["id"], "type": "custom", "custom": {"name": call["name"], "input": call["input"]}}
    function = {"name": call["name"], "arguments": _json_text(call["given"])}
    return {"id": call["id"], "type": "function", "function": function}


def _responses_answer(told: Json) -> Json:
    output: list[Json] = []
    before = ""
    for index, piece in enumerate(told["pieces"]):
        says = piece["kind"] in ("text", "refusal")
        if not (says and before == "message"):
            output.append(_answer_item(piece, index))
        elif says:
            output[-1]["content"].append(_answer_part(piece))
        before = "message" if says else piece["kind"]
    used, why = told["usage"], {"stop": None, "length": "max_output_tokens", "filter": "content_filter"}[told["end"]]
    return {
        **{"id": told["id"], "object": "response", "created_at": told["created"], "model": told["model"]},
        **{"status": "incomplete" if why else "completed", "incomplete_details": {"reason": why} if why else None},
        **{"output": output, "service_tier": told["tier"], "error": None, "tools": [], "tool_choice": "auto"},
        **{"parallel_tool_calls": True, "metadata": {}, "instructions": None, "temperature": None, "top_p": None},
        "usage": {
            **{"input_tokens": used["input"], "output_tokens": used["output"]},
            "total_tokens": used["input"] + used["output"],
            "input_tokens_details": {"cached_tokens": used["cached"], "cache_write_tokens": used["new"]},
            "output_tokens_details": {"reasoning_tokens": used["thought"]},
        },
    }


def _answer_part(piece: Json) -> Json:
    if piece["kind"] == "refusal":
        return {"type": "refusal", "refusal": piece["text"]}
    return {"type": "output_text", "text": piece["text"], "annotations": [], "logprobs": []}


def _answer_item(piece: Json, index: int) -> Json:
    if piece["kind"] == "reasoning":
        summary = [{"type": "summary_text", "text": piece["text"]}]
        seal = {"chat": {}, "responses": piece["seal"], "messages": SEAL + piece["seal"]}[piece["home"]]
        made = {"id": f"rs_{piece['seal']}", "type": "reasoning", "summary": summary}
        return made | ({"encrypted_content": seal} if seal else {})
    if piece["kind"] == "call":
        called = {"call_id": piece["id"], "name": piece["name"], "arguments": _json_text(piece["given"])}
        return {"id": f"fc_{index}", "type": "function_call", "status": "completed", **called}
    if piece["kind"] == "custom":
        called = {"call_id": piece["id"], "name": piece["name"], "input": piece["input"]}
        return {"id": f"ctc_{index}", "type": "custom_tool_call", **called}
    head = {"id": f"msg_{index}", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": [_answer_part(piece)]}


def _messages_answer(told: Json) -> Json:
    content = [_answer_block(piece) for piece in told["pieces"]]
    calls = any(block["type"] == "tool_use" for block in content)
    stop = {"stop": "tool_use" if calls else "end_turn", "length": "max_tokens", "filter": "refusal"}[told["end"]]
    extra: Json = {}
    if _kinds(told, "refusal"):
        stop = "refusal"
        if told["end"] == "length":
            # One stop reason cannot say both.
            extra = {"response_fields": {"incomplete_details": {"reason": "max_output_tokens"}}}
    used = told["usage"]
    tier = {None: {}, "default": {"service_tier": "standard"}, "priority": {"service_tier": "priority"}}[told["tier"]]
    return {
        **{"id": told["id"], "type": "message", "role": "assistant", "model": told["model"], "content": content},
        **{"stop_reason": stop, "stop_sequence": None},
        "usage": {
            "input_tokens": used["input"] - used["cached"] - used["new"],
            "cache_creation_input_tokens": used["new"],
            "cache_read_input_tokens": used["cached"],
            "output_tokens": used["output"],
            "output_tokens_details": {"thinking_tokens": used["thought"]},
            **tier,
        },
        **extra,
    }


def _answer_block(piece: Json) -> Json:
    if piece["kind"] == "reasoning":
        seal = piece["seal"]
        if piece["home"] != "messages":
            item = _json_text(_answer_item(piece, 0))
            seal = HOME + base64.urlsafe_b64encode(item.encode()).decode().rstrip("=")
        return {"type": "thinking", "thinking": piece["text"], "signature": seal}
    if piece["kind"] in ("call", "custom"):
        given = piece["given"] if piece["kind"] == "call" else {"input": piece["input"]}
        return {"type": "tool_use", "id": piece["id"], "name": piece["name"], "input": given}
    return {"type": "text", "text": piece["text"]}


_ANSWERED: Mapping[Mode, Callable[[Json], Json]] = {
    "chat": _chat_answer,
    "responses": _responses_answer,
    "messages": _messages_answer,
}


def normal_reply(mode: Mode, reply: Json, through: Mode | None = None) -> Json:
    """The reply without names that each bridge makes up and without what only repeats the request."""
    made = copy.deepcopy(reply)
    if mode == "chat":
        message = made["choices"][0]["message"]
        # An item without a seal says what the text says.
        message["reasoning_items"] = [
            _unnamed(item) for item in message.get("reasoning_items", []) if item.get("encrypted_content")
        ]
        made["choices"][0]["message"] = _said_fields(message)
        # The id and the state that the hop's reply had; the completion says both in its own words.
        made = {name: value for name, value in made.items() if name not in ("response_id", "response_status")}
    elif mode == "responses":
        echo = ("error", "tools", "tool_choice", "parallel_tool_calls", "metadata", "instructions")
        made = {name: value for name, value in made.items() if name not in (*echo, "temperature", "top_p")}
        for item in made["output"]:
            _unnamed(item)
    else:
        for block in made["content"]:
            packed = str(block.get("signature", "")).removeprefix(HOME)
            if packed != block.get("signature", ""):
                item = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
                block["signature"] = _unnamed(item)
        # A Message has no time of its own.
        made["response_fields"] = {k: v for k, v in made.get("response_fields", {}).items() if k != "created_at"}
    if through == "messages":
        # A Message has no time of its own.
        made = {name: value for name, value in made.items() if name not in ("created", "created_at", "response_fields")}
    return _said_fields(made)


def _said_fields(given: Json) -> Json:
    return {name: value for name, value in given.items() if value not in (None, {}, [])}


def _unnamed(item: Json) -> Json:
    item.pop("id", None)
    item.pop("status", None)
    return item


# --- an answer as a stream ----------------------------------------------------------------------------------------------


def streamed(mode: Mode, reply: Json, chance: random.Random) -> list[Json]:
    """The events of a stream of a format that amounts to a whole reply, cut into deltas by chance."""
    return _STREAMED[mode](reply, chance)


def _cut(text: str, chance: random.Random) -> list[str]:
    marks = sorted(chance.sample(range(len(text) + 1), min(len(text), chance.randint(0, 4)))) if text else []
    return [text[start:end] for start, end in zip([0, *marks], [*marks, len(text)], strict=True)] if text else []


def _mixed(runs: list[list[Json]], chance: random.Random) -> list[Json]:
    """The runs in one, each in its order: one after the other, or side by side but begun in turn."""
    if chance.random() < 0.5:
        return [event for run in runs for event in run]
    waiting, begun, made = [list(run) for run in runs], [], []
    while waiting or begun:
        if waiting and (not begun or chance.random() < 0.4):
            begun.append(waiting.pop(0))
            made.append(begun[-1].pop(0))
        else:
            made.append(chance.choice(begun).pop(0))
        begun = [run for run in begun if run]
    return made


def _chat_stream(reply: Json, chance: random.Random) -> list[Json]:
    choice, usage = reply["choices"][0], reply.get("usage")
    head = {k: v for k, v in reply.items() if k not in ("choices", "usage")} | {"object": "chat.completion.chunk"}

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}

    message = choice["message"]
    events = [chunk({"role": "assistant", "content": ""})]
    if chance.random() < 0.3:
        # As Azure begins.
        events.insert(0, {"id": "", "object": "", "created": 0, "model": "", "choices": []})
    for name in ("reasoning_content", "content", "refusal"):
        events += [chunk({name: piece}) for piece in _cut(message.get(name) or "", chance)]
    runs = []
    for index, call in enumerate(message.get("tool_calls", [])):
        kind = call["type"]
        text = "arguments" if kind == "function" else "input"
        begun = {"index": index, **call, kind: {**call[kind], text: ""}}
        rest = [{"index": index, kind: {text: piece}} for piece in _cut(call[kind][text], chance)]
        runs.append([chunk({"tool_calls": [entry]}) for entry in (begun, *rest)])
    # The input of a custom call has no end of its own, so no other call is told before it is over.
    kinds = {call["type"] for call in message.get("tool_calls", [])}
    events += [event for run in runs for event in run] if "custom" in kinds else _mixed(runs, chance)
    events.append(chunk({}, choice["finish_reason"]))
    return [*events, {**head, "choices": [], "usage": usage}]


def _responses_stream(reply: Json, chance: random.Random) -> list[Json]:
    begun = {**reply, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    # Only calls may come side by side: a model speaks and thinks one thing after another.
    runs: list[Json] = []
    items = [(item["type"].endswith("call"), index, item) for index, item in enumerate(reply["output"])]
    for calls, group in groupby(items, key=lambda entry: entry[0]):
        told = [_item_events(index, item, chance) for _, index, item in group]
        runs += _mixed(told, chance) if calls else [event for run in told for event in run]
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *runs,
        {"type": f"response.{reply['status']}", "response": reply},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


_BLANK = {"message": {"content": []}, "reasoning": {"summary": []}, "function_call": {"arguments": ""}}


def _item_events(index: int, item: Json, chance: random.Random) -> list[Json]:
    at = {"item_id": item["id"], "output_index": index}
    blank = {**item, **_BLANK.get(item["type"], {"input": ""})}
    blank |= {"status": "in_progress"} if "status" in item else {}
    events: list[Json] = [{"type": "response.output_item.added", "output_index": index, "item": blank}]
    for number, part in enumerate(item.get("content") or []):
        name = "text" if part["type"] == "output_text" else "refusal"
        kind, here = f"response.{part['type']}", {**at, "content_index": number}
        empty = {**part, name: ""}
        events.append({"type": "response.content_part.added", **here, "part": empty})
        tokens = {"logprobs": []} if name == "text" else {}
        events += [{"type": f"{kind}.delta", **here, "delta": piece, **tokens} for piece in _cut(part[name], chance)]
        events.append({"type": f"{kind}.done", **here, name: part[name], **tokens})
        events.append({"type": "response.content_part.done", **here, "part": part})
    for number, part in enumerate(item.get("summary") or []):
        kind, here = "response.reasoning_summary", {**at, "summary_index": number}
        events.append({"type": f"{kind}_part.added", **here, "part": {**part, "text": ""}})
        events += [{"type": f"{kind}_text.delta", **here, "delta": piece} for piece in _cut(part["text"], chance)]
        events.append({"type": f"{kind}_text.done", **here, "text": part["text"]})
        events.append({"type": f"{kind}_part.done", **here, "part": part})
    for name, kind in (("arguments", "response.function_call_arguments"), ("input", "response.custom_tool_call_input")):
        if name in item:
            events += [{"type": f"{kind}.delta", **at, "delta": piece} for piece in _cut(item[name], chance)]
            events.append({"type": f"{kind}.done", **at, name: item[name]})
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": item}]


_DELTAS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def _messages_stream(reply: Json, chance: random.Random) -> list[Json]:
    begun = {**reply, "content": [], "stop_reason": None, "usage": {**reply["usage"], "output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(reply["content"]):
        kind = block["type"]
        blank = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
        events.append(
            {"type": "content_block_start", "index": index, "content_block": {**block, **blank.get(kind, {})}}
        )
        delta, name = _DELTAS.get(kind, ("input_json_delta", "partial_json"))
        whole = _json_text(block["input"]) if kind == "tool_use" else block.get(name, "")
        if whole == "{}" and chance.random() < 0.5:
            whole = ""
        told = [{"type": delta, name: piece} for piece in _cut(whole, chance)]
        if kind == "thinking":
            told.append({"type": "signature_delta", "signature": block["signature"]})
        events += [{"type": "content_block_delta", "index": index, "delta": given} for given in told]
        events.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": reply["stop_reason"], "stop_sequence": reply["stop_sequence"]}
    return [*events, {"type": "message_delta", "delta": ended, "usage": reply["usage"]}, {"type": "message_stop"}]


_STREAMED: Mapping[Mode, Callable[[Json, random.Random], list[Json]]] = {
    "chat": _chat_stream,
    "responses": _responses_stream,
    "messages": _messages_stream,
}

# --- bodies with anything in them ---------------------------------------------------------------------------------------

_grammar = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
_schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
_chat_extras = _optional(
    user=texts,
    n=st.integers(1, 3),
    frequency_penalty=st.floats(-2, 2),
    logit_bias=st.just({"50256": -100}),
    modalities=st.sampled_from((["text"], ["text", "audio"])),
    audio=st.just({"voice": "alloy", "format": "wav"}),
    prediction=st.builds(lambda text: {"type": "content", "content": text}, texts),
    store=st.booleans(),
    stream_options=st.fixed_dictionaries(
        {}, optional={"include_usage": st.booleans(), "include_obfuscation": st.just(False)}
    ),
    service_tier=st.sampled_from(("flex", "priority")),
    max_tokens=st.integers(1, 99),
    web_search_options=st.just({"search_context_size": "low"}),
    prompt_cache_retention=st.just("24h"),
    stop=texts,
    top_logprobs=st.integers(0, 5),
    temperature=st.sampled_from((0, 1, 0.3)),
    tools=st.lists(
        st.one_of(
            st.builds(lambda text: {"type": "custom", "custom": {"name": "free", "description": text}}, texts),
            st.just(
                {
                    "type": "custom",
                    "custom": {
                        "name": "rule",
                        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}},
                    },
                }
            ),
            st.just({"type": "function", "function": {"name": "bare"}}),
            st.just({"type": "function", "function": {"name": "loose", "parameters": _schema}}),
        ),
        max_size=3,
    ),
    tool_choice=st.sampled_from(
        (
            *("auto", "none", "required"),
            {"type": "function", "function": {"name": "bare"}},
            {"type": "custom", "custom": {"name": "free"}},
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "bare"}}]},
            },
        )
    ),
    response_format=st.sampled_from(
        (
            {"type": "text"},
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "ответ", "description": "wie?", "schema": _schema}},
            {"type": "json_schema", "json_schema": {"name": "b", "schema": _schema, "strict": False}},
        )
    ),
    frobnicate=st.just({"very": "much"}),
)
_chat_odd = st.one_of(
    st.builds(lambda text: [{"role": "user", "name": "Bø", "content": text}], texts),
    st.builds(
        lambda text: [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": text},
                    {"type": "image_url", "image_url": {"url": "https://x.test/odd.png", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
                ],
            }
        ],
        texts,
    ),
    st.builds(lambda text: [{"role": "assistant", "content": None, "refusal": text}], texts),
    st.builds(
        lambda text, other: [
            {"role": "assistant", "content": [{"type": "text", "text": text}, {"type": "refusal", "refusal": other}]}
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_free", "type": "custom", "custom": {"name": "free", "input": text}}],
            },
            {"role": "tool", "tool_call_id": "call_free", "content": other},
        ],
        maybe_empty,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                "role": "assistant",
                "content": text,
                "reasoning_content": other,
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://x.test/c", "title": "ти"}}],
            }
        ],
        texts,
        texts,
    ),
    st.builds(lambda: [{"role": "assistant", "content": None, "audio": {"id": "audio_1"}}]),
    st.builds(lambda text: [{"role": "developer", "name": "Boß", "content": text}], texts),
)

_legacy = st.builds(
    lambda given, other: [
        {"role": "assistant", "content": "so", "function_call": {"name": "bare", "arguments": _json_text(given)}},
        {"role": "function", "name": "bare", "content": other},
    ],
    arguments,
    texts,
)
"""A call and its result as Chat once had them.  They become a tool call for good."""

_responses_extras = _optional(
    instructions=maybe_empty,
    background=st.booleans(),
    truncation=st.sampled_from(("auto", "disabled")),
    previous_response_id=st.just("resp_before"),
    conversation=st.just({"id": "conv_1"}),
    max_tool_calls=st.integers(1, 9),
    include=st.lists(
        st.sampled_from(("reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results")),
        max_size=2,
        unique=True,
    ),
    reasoning=st.fixed_dictionaries(
        {},
        optional={
            "effort": st.sampled_from(("none", "minimal", "high")),
            "summary": st.sampled_from(("auto", "detailed")),
            "context": st.just("auto"),
        },
    ),
    text=st.sampled_from(
        (
            {"format": {"type": "text"}},
            {"verbosity": "low", "format": {"type": "json_object"}},
            {
                "format": {
                    "type": "json_schema",
                    "name": "ответ",
                    "description": "wie?",
                    "schema": _schema,
                    "strict": True,
                }
            },
        )
    ),
    store=st.booleans(),
    prompt=st.just({"id": "pmpt_1"}),
    stream_options=st.just({"include_obfuscation": False}),
    service_tier=st.sampled_from(("flex", "priority", "default")),
    user=texts,
    prompt_cache_retention=st.just("24h"),
    top_logprobs=st.integers(0, 5),
    top_p=st.sampled_from((1, 0.3)),
    tools=st.lists(
        st.one_of(
            st.builds(lambda text: {"type": "custom", "name": "free", "description": text}, texts),
            st.just({"type": "custom", "name": "rule", "format": _grammar}),
            st.just({"type": "function", "name": "bare", "parameters": None, "strict": False}),
            st.just(
                {"type": "function", "name": "late", "parameters": _schema, "strict": False, "defer_loading": True}
            ),
            st.just({"type": "web_search", "search_context_size": "low"}),
            st.just({"type": "mcp", "server_label": "mcp_1", "server_url": "https://x.test/mcp"}),
        ),
        max_size=3,
    ),
    tool_choice=st.sampled_from(
        (
            *("auto", "none", "required"),
            {"type": "function", "name": "bare"},
            {"type": "custom", "name": "free"},
            {"type": "web_search"},
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "bare"}]},
        )
    ),
    frobnicate=st.just({"very": "much"}),
)
_responses_odd = st.one_of(
    st.builds(lambda text: [{"role": "user", "content": text}], texts),
    st.builds(
        lambda text: [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": text},
                    {"type": "input_image", "image_url": "https://x.test/odd.png", "detail": "high"},
                    {"type": "input_file", "file_data": _words_url("ünï"), "filename": "a.csv"},
                ],
            }
        ],
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                **{
                    "id": "msg_odd",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "phase": "final_answer",
                },
                "content": [
                    {
                        "type": "output_text",
                        "text": text,
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://x.test/c",
                                "title": "ти",
                                "start_index": 0,
                                "end_index": 1,
                            }
                        ],
                        "logprobs": [{"token": "x", "logprob": -0.25, "bytes": [120], "top_logprobs": []}],
                    },
                    {"type": "refusal", "refusal": other},
                ],
            }
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {"type": "custom_tool_call", "call_id": "call_free", "name": "free", "input": text},
            {"type": "custom_tool_call_output", "call_id": "call_free", "output": other},
        ],
        maybe_empty,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {"type": "function_call", "call_id": "call_broken", "name": "bare", "arguments": "{" + text},
            {"type": "function_call_output", "call_id": "call_broken", "output": other},
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text: [
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": text},
            }
        ],
        texts,
    ),
    st.just([{"type": "item_reference", "id": "msg_elsewhere"}]),
    st.just([{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]),
    st.just([{"type": "compaction", "encrypted_content": "packed"}]),
    st.builds(lambda text: [{"type": "newest_item", "says": text}], texts),
    st.builds(lambda text: [{"type": "function_call_output", "call_id": "call_unknown", "output": text}], texts),
)

_audio = st.builds(
    lambda text: [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": text},
                {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
            ],
        }
    ],
    texts,
)
"""What Chat takes and Responses does not say that it takes, so it is placed there and lost here."""
_bare = st.builds(
    lambda text: [{"type": "reasoning", "id": "rs_bare", "summary": [{"type": "summary_text", "text": text}]}], texts
)
"""What only a stored answer knows, and nothing that went through another format asks for storage."""

_messages_extras = _optional(
    temperature=st.floats(0, 0.9),
    top_p=st.floats(0.1, 0.9),
    top_k=st.integers(1, 99),
    thinking=st.sampled_from(
        ({"type": "enabled", "budget_tokens": 2048}, {"type": "disabled"}, {"type": "adaptive", "display": "omitted"})
    ),
    cache_control=st.just({"type": "ephemeral", "ttl": "1h"}),
    container=st.just("container_1"),
    mcp_servers=st.just([{"type": "url", "url": "https://x.test/mcp", "name": "mcp_1"}]),
    context_management=st.just({"edits": [{"type": "clear_tool_uses_20250919"}]}),
    metadata=st.fixed_dictionaries({}, optional={"user_id": texts, "team": texts}),
    output_config=st.sampled_from(
        (
            {"effort": "max"},
            {"task_budget": {"type": "tokens", "total": 31}},
            {"format": {"type": "json_schema", "schema": _schema}},
        )
    ),
    inference_geo=st.just("eu"),
    speed=st.sampled_from(("standard", "fast")),
    service_tier=st.sampled_from(("auto", "standard_only")),
    tools=st.lists(
        st.one_of(
            st.builds(
                lambda text: {
                    **{"type": "custom", "name": "loose", "description": text, "input_schema": _schema},
                    **{"cache_control": {"type": "ephemeral"}, "input_examples": [{"q": "beispiel"}]},
                },
                texts,
            ),
            st.just({"name": "bare", "input_schema": {"type": "object", "properties": {}}, "defer_loading": True}),
            st.just({"type": "web_search_20250305", "name": "web_search", "max_uses": 3}),
        ),
        max_size=3,
    ),
    tool_choice=st.sampled_from(
        (
            *({"type": "auto"}, {"type": "none"}, {"type": "any", "disable_parallel_tool_use": True}),
            {"type": "tool", "name": "bare"},
            {"type": "auto", "disable_parallel_tool_use": False},
        )
    ),
    frobnicate=st.just({"very": "much"}),
)
_messages_odd = st.one_of(
    st.builds(
        lambda text: [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        **{"context": "alt", "citations": {"enabled": True}},
                    },
                    {
                        "type": "search_result",
                        "source": "here",
                        "title": "ти",
                        "content": [{"type": "text", "text": "цит"}],
                    },
                ],
            }
        ],
        texts,
    ),
    st.builds(
        lambda given, text: [
            {
                "role": "assistant",
                "content": [
                    {
                        **{"type": "tool_use", "id": "call_odd", "name": "bare", "input": given},
                        "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_0"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_odd",
                        "is_error": True,
                        "content": [{"type": "text", "text": text}],
                    },
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        arguments,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                "role": "assistant",
                "content": [
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": text}},
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "srvtoolu_1",
                        "content": [
                            {"type": "web_search_result", "url": "https://x.test/r", "encrypted_content": "enc"}
                        ],
                    },
                    {
                        "type": "text",
                        "text": other,
                        "citations": [
                            {
                                **{"type": "web_search_result_location", "url": "https://x.test/r", "title": "ти"},
                                **{"encrypted_index": "idx", "cited_text": "цит"},
                            }
                        ],
                    },
                ],
            }
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text: [{"role": "assistant", "content": [{"type": "thinking", "thinking": text, "signature": ""}]}],
        texts,
    ),
    st.builds(
        lambda text: [{"role": "system", "content": [{"type": "text", "text": text}, {"type": "tool_removal"}]}], texts
    ),
    st.builds(lambda text: [{"role": "user", "content": [{"type": "newest_block", "says": text}]}], texts),
)
_WILD = {
    "chat": (_chat_extras, _chat_odd, "messages"),
    "responses": (_responses_extras, _responses_odd, "input"),
    "messages": (_messages_extras, _messages_odd, "messages"),
}


_ONE_WAY: Mapping[Mode, tuple[str, ...]] = {
    "chat": ("functions", "function_call"),
    "responses": (),
    # The SDK has dropped them, so they are not written to Messages; other formats are told.
    "messages": ("temperature", "top_p"),
}
"""Parameters that go out and do not come back."""
_ONE_WAY_ODD: Mapping[Mode, st.SearchStrategy[list[Json]]] = {
    "chat": _legacy,
    "responses": st.one_of(_audio, _bare),
}


def _may_break(before: Json, turn: Json) -> bool:
    asked = turn.get("role") == "user" and not _has_result(turn)
    return asked and not _has_result(before)


def _has_result(turn: Json) -> bool:
    content = turn.get("content")
    found = any(part.get("type") == "tool_result" for part in content) if isinstance(content, list) else False
    return found or turn.get("role") == "tool" or turn.get("type") == "function_call_output"


@st.composite
def bodies(draw: st.DrawFn, mode: Mode, *, comes_back: bool = False) -> Json:
    """A request of a format: a conversation, with what no other format has among and beside it.

    One that comes back has nothing in it that a chat caller may say and that is written anew for a chat hop.
    """
    extras, odd, field = _WILD[mode]
    if not comes_back and mode in _ONE_WAY_ODD:
        odd = st.one_of(odd, _ONE_WAY_ODD[mode])
    body = written(mode, fitted(draw(conversations), mode, hop=comes_back))
    turns = body[field]
    for number, group in enumerate(draw(st.lists(odd, max_size=2))):
        # Before a turn of the user, so that results stay behind their calls; behind one, so that turns stay apart.
        places = [at for at in range(1, len(turns)) if _may_break(turns[at - 1], turns[at])]
        if not places:
            break
        at = draw(st.sampled_from(places))
        turns[at:at] = [{"role": "user", "content": f"ask {number}"}, *copy.deepcopy(group)]
    body |= copy.deepcopy(draw(extras))
    if not body.get("tools"):
        body.pop("tool_choice", None)
    if comes_back:
        for name in _ONE_WAY[mode]:
            body.pop(name, None)
    return body


_chat_more = _optional(
    system_fingerprint=texts,
    prompt_filter_results=st.builds(lambda text: [{"prompt_index": 0, "content_filter_results": {"x": text}}], texts),
    citations=st.builds(lambda text: [text], texts),
)
_responses_more = _optional(
    billing=st.builds(lambda: {"payer": "developer"}),
    tool_usage=st.builds(lambda count: {"web_search": {"num_requests": count}}, st.integers(0, 3)),
    newest_field=texts,
)
_messages_more = _optional(
    container=st.builds(lambda text: {"id": text, "expires_at": "2030-01-01T00:00:00Z"}, texts),
    stop_details=st.builds(lambda text: {"type": "refusal", "explanation": text}, texts),
    newest_field=texts,
)
_more_items = st.one_of(
    st.builds(
        lambda text: {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"query": text}}, texts
    ),
    st.builds(lambda text: {"id": "new_1", "type": "newest_item", "says": text}, texts),
    st.builds(
        lambda text: {
            **{"id": "msg_more", "type": "message", "role": "assistant", "status": "completed", "phase": "commentary"},
            "content": [
                {
                    **{"type": "output_text", "text": text},
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url": "https://x.test/c",
                            "title": "ти",
                            "start_index": 0,
                            "end_index": 1,
                        },
                        {"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 1},
                    ],
                    "logprobs": [{"token": "x", "logprob": -0.25, "bytes": [120], "top_logprobs": []}],
                }
            ],
        },
        texts,
    ),
    st.builds(
        lambda text: {
            **{"id": "fc_more", "type": "function_call", "status": "completed", "call_id": "call_more", "name": "a"},
            **{"arguments": "{" + text, "namespace": "crm"},
        },
        texts,
    ),
    st.builds(
        lambda text: {
            "id": "rs_more",
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": text}],
        },
        texts,
    ),
)
_more_blocks = st.one_of(
    st.builds(
        lambda text: {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": text}},
        texts,
    ),
    st.builds(lambda text: {"type": "newest_block", "says": text}, texts),
    st.builds(lambda text: {"type": "redacted_thinking", "data": text}, texts),
    st.builds(
        lambda given: {
            **{"type": "tool_use", "id": "call_more", "name": "a", "input": given},
            "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_0"},
        },
        arguments,
    ),
    st.builds(
        lambda text: {
            **{"type": "text", "text": text},
            "citations": [
                {
                    **{"type": "web_search_result_location", "url": "https://x.test/r", "title": "ти"},
                    **{"encrypted_index": "idx", "cited_text": "цит"},
                },
                {
                    **{"type": "char_location", "cited_text": "ци", "document_index": 0, "document_title": "т"},
                    **{"start_char_index": 3, "end_char_index": 5},
                },
            ],
        },
        texts,
    ),
)
_more_fields = _optional(
    annotations=st.just(
        [
            {
                "type": "url_citation",
                "url_citation": {"url": "https://x.test/c", "title": "ти", "start_index": 0, "end_index": 1},
            }
        ]
    ),
    audio=st.just({"id": "audio_1", "data": PIXEL, "transcript": "so"}),
    reasoning_details=st.builds(lambda text: [{"type": "reasoning.text", "text": text}], texts),
)


@st.composite
def replies(draw: st.DrawFn, mode: Mode) -> Json:
    """A reply of a format: an answer, with what no other format has among and beside it."""
    reply = copy.deepcopy(answered(mode, said_by(draw(answers), mode)))
    if mode == "chat":
        choice = reply["choices"][0]
        choice["message"] |= copy.deepcopy(draw(_more_fields))
        if draw(st.booleans()):
            choice["content_filter_results"] = {"hate": {"filtered": False, "severity": draw(names)}}
        if draw(st.booleans()):
            reply["choices"].append(
                {**copy.deepcopy(choice), "index": 1, "message": {"role": "assistant", "content": draw(texts)}}
            )
        return reply | draw(_chat_more)
    field, odd, more = (
        ("output", _more_items, _responses_more) if mode == "responses" else ("content", _more_blocks, _messages_more)
    )
    for made in draw(st.lists(odd, max_size=3)):
        reply[field].insert(draw(st.integers(0, len(reply[field]))), copy.deepcopy(made))
    return reply | draw(more)
