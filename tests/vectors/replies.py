"""What an endpoint answers when all is well, and what a vector says that it answers instead.  Sends nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from fault_server import Reply
from vectors.schema import Attempt

TEXT = "Well met"
_USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
_PART = {"type": "output_text", "text": TEXT, "annotations": []}
_ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_PART]}
_RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "output": [], "error": None}
_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_DONE = {**_RESPONSE, "status": "completed", "output": [_ITEM], "usage": _USAGE}
_CHAT_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
_MESSAGE_USAGE = {"input_tokens": 3, "output_tokens": 2}
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "gpt-5", "stop_sequence": None}

WHOLE: Mapping[str, Mapping[str, object]] = {
    "chat": {
        "id": "c_1", "object": "chat.completion", "created": 1, "model": "gpt-5", "usage": _CHAT_USAGE,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
    },
    "responses": _DONE,
    "messages": {**_MESSAGE, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn",
                 "usage": _MESSAGE_USAGE},
    "embeddings": {"object": "list", "model": "gpt-5", "usage": {"prompt_tokens": 1, "total_tokens": 1},
                   "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]},
}  # fmt: skip


def _chunk(delta: Mapping[str, object], reason: str | None = None) -> dict[str, object]:
    return {"id": "c_1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}  # fmt: skip


_RESPONSES_EVENTS: tuple[Mapping[str, object], ...] = (
    {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress"}},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**_ITEM, "status": "in_progress", "content": []},
    },
    {"type": "response.content_part.added", **_PLACE, "part": {**_PART, "text": ""}},
    {"type": "response.output_text.delta", **_PLACE, "delta": "Well"},
    {"type": "response.output_text.delta", **_PLACE, "delta": " met"},
    {"type": "response.output_text.done", **_PLACE, "text": TEXT},
    {"type": "response.content_part.done", **_PLACE, "part": _PART},
    {"type": "response.output_item.done", "output_index": 0, "item": _ITEM},
    {"type": "response.completed", "response": _DONE},
)
STREAM: Mapping[str, Sequence[Mapping[str, object] | str]] = {
    "chat": (
        _chunk({"role": "assistant", "content": ""}), _chunk({"content": "Well"}), _chunk({"content": " met"}),
        _chunk({}, "stop"), "[DONE]",
    ),
    "responses": tuple({**event, "sequence_number": at} for at, event in enumerate(_RESPONSES_EVENTS)),
    "messages": (
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "usage": _MESSAGE_USAGE}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Well"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " met"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ),
}  # fmt: skip


def encoded(event: Mapping[str, object] | str | None) -> bytes:
    """One event as it is sent.  Text is sent as it is: ``\\xff`` in it is that byte."""
    if isinstance(event, str):
        return b"data: " + event.encode("latin-1") + b"\n\n" if not event.startswith("raw:") else _raw(event)
    name = str(event["type"]) if event is not None and "type" in event else None
    data = f"data: {json.dumps(event)}\n\n"
    return (f"event: {name}\n{data}" if name else data).encode()


def _raw(event: str) -> bytes:
    return event.removeprefix("raw:").encode("latin-1")


def api_of(path: str) -> str:
    """The API that a path belongs to."""
    return "chat" if path.endswith("/chat/completions") else path.rpartition("/")[2]


JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}


def well(path: str, asked: Mapping[str, object]) -> Reply:
    """The answer to a request when all is well."""
    api = api_of(path)
    if asked.get("stream"):
        return Reply(200, EVENTS, b"".join(encoded(event) for event in STREAM[api]), "end")
    return Reply(200, JSON, json.dumps(WHOLE[api]).encode())


def told(attempt: Attempt) -> Reply:
    """The reply that a vector describes."""
    headers = {name.lower(): _dated(value) for name, value in attempt.headers.items()}
    if attempt.events is not None:
        body = b"".join(encoded(event) for event in attempt.events)
        return Reply(200, {**EVENTS, **headers}, body, attempt.ending)
    if isinstance(attempt.body, str):
        return Reply(attempt.status or 0, {"content-type": "text/plain", **headers}, attempt.body.encode())
    body = b"" if attempt.body is None else json.dumps(attempt.body).encode()
    return Reply(attempt.status or 0, {**JSON, **headers}, body)


def _dated(value: str) -> str:
    """The value with ``<now+SECONDS>`` as an HTTP date."""
    match = re.fullmatch(r"<now([+-]\d+)>", value)
    if match is None:
        return value
    # A date has whole seconds: what is asked for is not less than what is said.
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=int(match[1]) + 0.5), usegmt=True)
