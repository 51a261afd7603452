"""A whole stream of each format, with thinking, a text and a call of a tool: bytes, and what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chatsheet_llm.route import Mode

Json = dict[str, Any]

THOUGHT = "Rain?"
TEXT = "Grüße 😀, I look."
ARGUMENTS = '{"city": "Köln"}'


def sse(*events: Mapping[str, object] | str, named: bool = False) -> bytes:
    """The bytes of a stream of these events; a text stands as it is."""
    made = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        name = f"event: {event['type']}\n" if named and not isinstance(event, str) else ""
        made.append(f"{name}data: {data}\n\n")
    return "".join(made).encode()


def chunk(delta: Json | None = None, finish: str | None = None, **more: object) -> Json:
    choice: Json = {"index": 0, "finish_reason": finish, **({} if delta is None else {"delta": delta})}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def _call(arguments: str, **more: object) -> Json:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}, **more}]}


_NAMED: Json = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
CHAT: tuple[Json | str, ...] = (
    chunk({"role": "assistant", "content": None}),
    chunk({"reasoning_content": THOUGHT}),
    chunk({"content": "Grüße 😀,"}),
    chunk({"content": " I look."}),
    chunk({"tool_calls": [{"index": 0, **_NAMED}]}),
    chunk(_call('{"city": ')),
    chunk(_call('"Köln"}')),
    chunk({}, "tool_calls"),
    {**chunk(), "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}},
    "[DONE]",
)

_HEAD: Json = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress"}
_USAGE: Json = {
    "input_tokens": 1, "output_tokens": 4, "total_tokens": 5,
    "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip
_SUMMARY: Json = {"type": "summary_text", "text": THOUGHT}
_PART: Json = {"type": "output_text", "text": TEXT, "annotations": []}
_ITEMS: tuple[Json, ...] = (
    {"type": "reasoning", "id": "rs_1", "summary": [_SUMMARY]},
    {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_PART]},
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "weather",
        "arguments": ARGUMENTS,
        "status": "completed",
    },
)
_WHERE: tuple[Json, ...] = tuple({"item_id": item["id"], "output_index": at} for at, item in enumerate(_ITEMS))
_EVENTS: tuple[Json, ...] = (
    {"type": "response.created", "response": {**_HEAD, "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**_ITEMS[0], "summary": []}},
    {
        "type": "response.reasoning_summary_part.added",
        **_WHERE[0],
        "summary_index": 0,
        "part": {**_SUMMARY, "text": ""},
    },
    {"type": "response.reasoning_summary_text.delta", **_WHERE[0], "summary_index": 0, "delta": THOUGHT},
    {"type": "response.reasoning_summary_text.done", **_WHERE[0], "summary_index": 0, "text": THOUGHT},
    {"type": "response.output_item.done", "output_index": 0, "item": _ITEMS[0]},
    {"type": "response.output_item.added", "output_index": 1, "item": {**_ITEMS[1], "content": []}},
    {"type": "response.content_part.added", **_WHERE[1], "content_index": 0, "part": {**_PART, "text": ""}},
    {"type": "response.output_text.delta", **_WHERE[1], "content_index": 0, "delta": "Grüße 😀,"},
    {"type": "response.output_text.delta", **_WHERE[1], "content_index": 0, "delta": " I look."},
    {"type": "response.output_text.done", **_WHERE[1], "content_index": 0, "text": TEXT},
    {"type": "response.output_item.done", "output_index": 1, "item": _ITEMS[1]},
    {"type": "response.output_item.added", "output_index": 2, "item": {**_ITEMS[2], "arguments": ""}},
    {"type": "response.function_call_arguments.delta", **_WHERE[2], "delta": '{"city": '},
    {"type": "response.function_call_arguments.delta", **_WHERE[2], "delta": '"Köln"}'},
    {"type": "response.function_call_arguments.done", **_WHERE[2], "arguments": ARGUMENTS},
    {"type": "response.output_item.done", "output_index": 2, "item": _ITEMS[2]},
    {"type": "response.completed", "response": {**_HEAD, "status": "completed", "output": [*_ITEMS], "usage": _USAGE}},
)
RESPONSES: tuple[Json, ...] = tuple({**event, "sequence_number": at} for at, event in enumerate(_EVENTS))

_MESSAGE: Json = {
    "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
    "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
_TOOL: Json = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
_BLOCKS: tuple[tuple[Json, tuple[Json, ...]], ...] = (
    (
        {"type": "thinking", "thinking": "", "signature": ""},
        ({"type": "thinking_delta", "thinking": THOUGHT}, {"type": "signature_delta", "signature": "sealed"}),
    ),
    (
        {"type": "text", "text": ""},
        ({"type": "text_delta", "text": "Grüße 😀,"}, {"type": "text_delta", "text": " I look."}),
    ),
    (
        _TOOL,
        (
            {"type": "input_json_delta", "partial_json": '{"city": '},
            {"type": "input_json_delta", "partial_json": '"Köln"}'},
        ),
    ),
)
MESSAGES: tuple[Json, ...] = (
    {"type": "message_start", "message": _MESSAGE},
    {"type": "ping"},
    *(
        event
        for index, (block, deltas) in enumerate(_BLOCKS)
        for event in (
            {"type": "content_block_start", "index": index, "content_block": block},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        )
    ),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)

EVENTS: Mapping[Mode, tuple[Json | str, ...]] = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
TERMINAL: Mapping[Mode, int] = {"chat": 7, "responses": 17, "messages": len(MESSAGES) - 1}
"""The place of the event behind which a stream is whole."""
GOLDEN: Mapping[Mode, bytes] = {mode: sse(*events, named=mode != "chat") for mode, events in EVENTS.items()}


def whole_at(mode: Mode) -> int:
    """How many bytes of the golden stream must have come before it is whole."""
    return len(sse(*EVENTS[mode][: TERMINAL[mode] + 1], named=mode != "chat"))
