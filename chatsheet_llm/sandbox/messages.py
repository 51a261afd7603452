"""Anthropic Messages: reads a request body, and writes an answer as JSON or as events.  Chooses no words."""

from __future__ import annotations

import json

from chatsheet_llm.sandbox.answers import Answer, Ask, Tool, Usage
from chatsheet_llm.sandbox.chat import Style
from chatsheet_llm.sandbox.claude import SIGNED
from chatsheet_llm.sandbox.shapes import (
    Event,
    Json,
    Malformed,
    dumps,
    flat_text,
    new_id,
    obj,
    objs,
    pieces,
    text,
    whole,
)

REDACT = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING"
"""A user message with these words gets thinking that nobody can read, as Anthropic's own test string does."""
_STOP = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "refusal": "refusal",
    "content_filter": "refusal",
}


def read(body: Json) -> Ask:
    """Return what a Messages body asks for.  Raises Malformed without messages or max_tokens."""
    messages = objs(body.get("messages"))
    for name, found in (("messages", messages), ("max_tokens", whole(body.get("max_tokens")))):
        if not found:
            raise Malformed(f"{name}: Field required", param=name)
    turns = [message for message in messages if message.get("role") == "user"]
    spoken = [words for words in (_spoken(message) for message in turns) if words]
    tools, forced = _tools(body)
    shape = obj(obj(body.get("output_config")).get("format") or body.get("output_format"))
    effort = text(obj(body.get("output_config")).get("effort")) or None
    stop = body.get("stop_sequences")
    last = messages[-1] if messages[-1].get("role") == "user" else {}
    return Ask(
        model=text(body.get("model")),
        user=spoken[-1] if spoken else "",
        prompt_words=sum(len(pieces(words)) for words in (flat_text(body.get("system")), *map(_spoken, messages))),
        tools=tools,
        forced=forced,
        parallel=obj(body.get("tool_choice")).get("disable_parallel_tool_use") is not True,
        results=tuple(
            flat_text(part.get("content")) for part in objs(last.get("content")) if part.get("type") == "tool_result"
        ),
        schema=obj(shape.get("schema")) if shape.get("type") == "json_schema" else None,
        effort=(effort or "medium") if _thinks(body) else None,
        max_tokens=whole(body.get("max_tokens")),
        stop=tuple(map(text, stop)) if isinstance(stop, list) else (),
    )


def _spoken(message: Json) -> str:
    return flat_text(message.get("content"))


def _tools(body: Json) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """Return the client's own tools (no server tool is called here), and the names the model must choose from."""
    tools = tuple(
        Tool(text(item.get("name")), obj(item["input_schema"]))
        for item in objs(body.get("tools"))
        if "input_schema" in item
    )
    choice = obj(body.get("tool_choice"))
    if choice.get("type") == "none":
        return (), ()
    if choice.get("type") == "any":
        return tools, tuple(tool.name for tool in tools)
    return tools, (text(choice.get("name")),) if choice.get("type") == "tool" else ()


def _usage(usage: Usage, *, output: int) -> Json:
    made: Json = {
        "input_tokens": usage.prompt,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
        "service_tier": "standard",
    }
    if usage.reasoning and output == usage.completion:
        made["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return made


def _opening(given: Answer, style: Style) -> Json:
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": style.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(given.usage, output=1),
    }


def _ending(given: Answer) -> Json:
    refused = given.finish in ("refusal", "content_filter")
    details: Json = {"type": "refusal", "category": "general_harms", "explanation": given.refusal}
    return {
        "stop_reason": "stop_sequence" if given.stopped_by else _STOP[given.finish],
        "stop_sequence": given.stopped_by,
        "stop_details": details if refused else None,
    }


def _blocks(given: Answer, ask: Ask, body: Json) -> list[Json]:
    """The content blocks, whole.  A refusal has none: its words are in the stop details."""
    blocks: list[Json] = []
    if _thinks(body) and given.reasoning is not None:
        seal = f"{SIGNED}{new_id('')}"
        shown = "" if obj(body.get("thinking")).get("display") == "omitted" else given.reasoning
        redacted: Json = {"type": "redacted_thinking", "data": seal}
        thought: Json = {"type": "thinking", "thinking": shown, "signature": seal}
        blocks.append(redacted if REDACT in ask.user else thought)
    if given.text:
        blocks.append({"type": "text", "text": given.text})
    for call in given.tool_calls:
        call_id = call.id.replace("call_", "toolu_", 1)
        block: Json = {"type": "tool_use", "id": call_id, "name": call.name, "input": json.loads(call.arguments)}
        blocks.append({**block, "caller": {"type": "direct"}})
    return blocks


def _thinks(body: Json) -> bool:
    return obj(body.get("thinking")).get("type") in ("enabled", "adaptive")


def whole_reply(given: Answer, ask: Ask, body: Json, style: Style) -> Json:
    """Return the answer as a ``message`` object."""
    usage = _usage(given.usage, output=given.usage.completion)
    return {
        **_opening(given, style),
        "content": _blocks(given, ask, body),
        **_ending(given),
        "usage": usage,
    }


def events(given: Answer, ask: Ask, body: Json, style: Style) -> list[Event]:
    """Return the answer as the events of a stream, with the ping that Anthropic sends early."""
    made = [_event("message_start", {"message": _opening(given, style)})]
    for index, block in enumerate(_blocks(given, ask, body)):
        made.extend(_block_events(index, block, first=len(made) == 1))
    spent = _usage(given.usage, output=given.usage.completion)
    del spent["service_tier"]
    made.append(_event("message_delta", {"delta": _ending(given), "usage": spent}))
    return [*made, _event("message_stop", {})]


def _event(kind: str, fields: Json, *, content: bool = False) -> Event:
    return Event({"type": kind, **fields}, name=kind, content=content)


def _block_events(index: int, block: Json, *, first: bool) -> list[Event]:
    kind = block["type"]
    if kind == "thinking":
        empty: Json = {**block, "thinking": "", "signature": ""}
        deltas: list[Json] = [
            {"type": "thinking_delta", "thinking": piece} for piece in pieces(text(block["thinking"]))
        ]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "text":
        empty = {**block, "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(text(block["text"]))]
    elif kind == "redacted_thinking":
        empty, deltas = block, []
    else:
        empty = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(dumps(block["input"])))]
    return [
        _event("content_block_start", {"index": index, "content_block": empty}),
        *([_event("ping", {})] if first else []),
        *(
            _event("content_block_delta", {"index": index, "delta": delta}, content=kind != "thinking")
            for delta in deltas
        ),
        _event("content_block_stop", {"index": index}),
    ]
