"""Random conversations, told once and then written in each wire format by code of our own.

What is written here knows no bridge: a bridge is right when it makes of one format's writing what this file writes in
the other.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from chatsheet_llm.route import MODES, Mode

Json = dict[str, Any]

PDF = base64.b64encode(b"%PDF-1.7 tiny").decode()
PIXEL = base64.b64encode(b"\x89PNG tiny").decode()
SEAL = "messages.thinking:"
REDACTED = "messages.redacted:"
HOME = "responses.reasoning:"
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
FORM = {**SCHEMA, "additionalProperties": False}

# --- words -----------------------------------------------------------------------------------------------------------

_WORDS = (
    *("", "plain", "Grüße", "\U0001f469\u200d\U0001f469\u200d\U0001f467 семья", "שלום\u200f עולם", "e\u0301 ≠ é"),
    *("a\r\nb\u2028c\u0085d", "\x00\ufeff\t", '"q" \\ \\u0041 {}', "data: [DONE]\n\n", "event: error", "</s>", "  "),
    "\U0001d518nicode",
)
numbers = st.integers(0, 99999)
texts = st.builds(lambda word, number: f"{word}{number}", st.sampled_from(_WORDS), numbers)
"""Texts that say something, nearly each of them another thing."""
maybe_empty = st.one_of(texts, texts, texts, st.just(""), st.text(st.characters(codec="utf-8"), max_size=6))
names = st.builds(lambda word, number: f"{word}_{number}", st.sampled_from(("look", "über", "a-b")), st.integers(0, 9))
arguments = st.dictionaries(
    st.sampled_from(("at", "ключ", "", "n")),
    st.one_of(maybe_empty, numbers, st.booleans(), st.none(), st.floats(-9, 9), st.lists(texts, max_size=2)),
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


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


# --- a conversation, told in words of no format ----------------------------------------------------------------------

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
    "verbosity": (_OPENAI, st.sampled_from(("low", "high"))),
    "metadata": (_OPENAI, st.dictionaries(names, texts, min_size=1, max_size=2)),
    "cache_key": (_OPENAI, texts),
    "logprobs": (_OPENAI, st.integers(0, 5)),
    "json_object": (_OPENAI, st.just(True)),
    "seed": (frozenset({"chat"}), numbers),
    "penalty": (frozenset({"chat"}), st.floats(0.1, 2)),
    "answers": (frozenset({"chat"}), st.integers(2, 4)),
    "top_k": (frozenset({"messages"}), st.integers(1, 99)),
}
"""Setting -> the formats that have it, and its values."""

PARTS: Mapping[str, tuple[frozenset[Mode], st.SearchStrategy[Any]]] = {
    "text": (_ALL, texts),
    "image_url": (_ALL, st.builds("https://x.test/{}.png".format, numbers)),
    "image_data": (_ALL, st.just(PIXEL)),
    "image_id": (_OTHERS, st.builds("file-{}".format, numbers)),
    "file_data": (_ALL, st.just(PDF)),
    "file_words": (_ALL, texts),
    "file_id": (_ALL, st.builds("file-{}".format, numbers)),
    "file_url": (_OTHERS, st.builds("https://x.test/{}.pdf".format, numbers)),
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
    for _ in range(draw(st.integers(1, 3))):
        turns.append({"kind": "user", "said": draw(_content)})
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
        "settings": optional(**{name: values for name, (_, values) in SETTINGS.items()}),
        "tools": _tools,
        "turns": _turns(),
    }
)


def fitted(told: Json, mode: Mode, *, hop: bool = False) -> Json:
    """The conversation without what a format cannot say, and a hop of it cannot be told.

    A chat caller hands back the reasoning that was attached to a reply; no chat hop can read it.  Not every model of
    Messages takes instructions in the middle, so a hop of it has them all in front.
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
    if mode == "messages" and hop:
        turns = sorted(turns, key=lambda turn: turn["kind"] != "instruct")
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


# --- the conversation, written in each format ------------------------------------------------------------------------


def written(mode: Mode, told: Json) -> Json:
    """The request body of a format that says what was told; `fitted` comes first."""
    return _WRITTEN[mode](told)


def _set(body: Json, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[name] = value


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_PLACES: Mapping[Mode, Mapping[str, str]] = {
    "chat": {
        "limit": "max_completion_tokens",
        "stream": "stream",
        "user": "safety_identifier",
        "stop": "stop",
        "effort": "reasoning_effort",
        "tier": "service_tier",
        "temperature": "temperature",
        "top_p": "top_p",
        "verbosity": "verbosity",
        "metadata": "metadata",
        "cache_key": "prompt_cache_key",
        "seed": "seed",
        "penalty": "presence_penalty",
        "answers": "n",
    },
    "responses": {
        "limit": "max_output_tokens",
        "stream": "stream",
        "user": "safety_identifier",
        "metadata": "metadata",
        "effort": "reasoning.effort",
        "tier": "service_tier",
        "temperature": "temperature",
        "top_p": "top_p",
        "verbosity": "text.verbosity",
        "cache_key": "prompt_cache_key",
        "summary": "reasoning.summary",
    },
    "messages": {
        "limit": "max_tokens",
        "stream": "stream",
        "user": "metadata.user_id",
        "stop": "stop_sequences",
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
                "function": {"name": call["name"], "arguments": json_text(call["given"])},
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
        parts = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in said]
        items.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": parts})
    return items + [
        {
            "type": "function_call",
            "call_id": call["id"],
            "name": call["name"],
            "arguments": json_text(call["given"]),
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
        if role == "user" and last and ends_with_result(last):
            # What the user says after results belongs to their turn.
            content = [{"type": "text", "text": content}] if isinstance(content, str) else content
            last["content"] += content
        else:
            body["messages"].append({"role": role, "content": content})
    return body


def ends_with_result(message: Json) -> bool:
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
        seal = HOME + base64.urlsafe_b64encode(json_text(_reasoning_item(given)).encode()).decode().rstrip("=")
    return {"type": "thinking", "thinking": given["text"], "signature": seal}


def _said(mode: Mode, said: Any) -> Any:
    if isinstance(said, str):
        return said
    mark = {"cache_control": {"type": "ephemeral"}} if mode == "messages" else {}
    mark = mark or {"prompt_cache_breakpoint": {"mode": "explicit"}}
    return [_WRITTEN_PARTS[mode][part["kind"]](part["value"]) | (mark if part.get("mark") else {}) for part in said]


def words_url(words: str) -> str:
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
        "file_words": lambda v: {"type": "file", "file": {"file_data": words_url(v), "filename": "a.txt"}},
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
        "file_words": lambda v: {"type": "input_file", "file_data": words_url(v), "filename": "a.txt"},
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
