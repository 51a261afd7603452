"""What the loopback provider answers, made into bytes once: whole and streamed, in three formats.  Knows no socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count, cycle, islice

_WORDS = ("Margins ", "in ", "the ", "north ", "rose ", "by ", "two ", "points ", "while ", "costs ", "fell. ")
MODEL = "gpt-4o"
"""A name that every library knows: one it does not know makes LiteLLM answer streams whole."""
SERIAL = "000000000000"
"""Stands in every id where a port that numbers its answers writes the number."""

Json = dict[str, object]

_HEADERS = (
    "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "x-request-id: 7f0c7a52-2a52-4d3c-8d0b-52f4a1f0c9ae\r\n"
    "apim-request-id: 0b1de2a9-0e53-4cf1-9c77-5a31b8c2f6d4\r\n"
    "x-ms-region: Sweden Central\r\n"
    "x-ms-deployment-name: gpt-4o\r\n"
    "x-ratelimit-limit-requests: 5000\r\n"
    "x-ratelimit-limit-tokens: 800000\r\n"
    "x-ratelimit-remaining-requests: 4999\r\n"
    "x-ratelimit-remaining-tokens: 799500\r\n"
    "openai-processing-ms: 41\r\n"
    "openai-version: 2020-10-01\r\n"
    "strict-transport-security: max-age=31536000; includeSubDomains\r\n"
    "x-content-type-options: nosniff\r\n"
)
"""As many as a provider behind a gateway sends: reading them is a part of what a call costs."""


def text_of(size: int) -> str:
    """Return ``size`` characters of prose."""
    return "".join(islice((letter for word in cycle(_WORDS) for letter in word), size))


def deltas_of(chunks: int) -> list[str]:
    """Return the pieces of text that a stream of so many chunks brings."""
    return list(islice(cycle(_WORDS), chunks))


def head(kind: str, length: int | None, status: str = "200 OK") -> bytes:
    """Return the head of an answer; chunked where its length is not told."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{framing}\r\n{_HEADERS}\r\n".encode()


def framed(event: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(event), event)


def dumped(body: Json) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def whole(body: Json) -> bytes:
    """Return a complete answer."""
    raw = dumped(body)
    return head("application/json", len(raw)) + raw


def chat_whole(text: str) -> Json:
    message: Json = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    details: Json = {"cached_tokens": 0, "audio_tokens": 0}
    spent: Json = {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0}
    return {
        "id": f"chatcmpl-{SERIAL}",
        "object": "chat.completion",
        "created": 1767225600,
        "model": f"{MODEL}-2024-11-20",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 240,
            "completion_tokens": 130,
            "total_tokens": 370,
            "prompt_tokens_details": details,
            "completion_tokens_details": spent,
        },
    }


def chat_events(deltas: list[str]) -> Iterator[bytes]:
    shared: Json = {
        "id": f"chatcmpl-{SERIAL}",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": f"{MODEL}-2024-11-20",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }

    def event(delta: Json, end: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        return b"data: %b\n\n" % dumped({**shared, "choices": [choice], "obfuscation": "k3Xw9"})

    yield event({"role": "assistant", "content": "", "refusal": None})
    for piece in deltas:
        yield event({"content": piece})
    yield event({}, "stop")
    yield b"data: [DONE]\n\n"


def responses_whole(text: str | None, status: str = "completed") -> Json:
    part: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    item = {
        "id": f"msg_{SERIAL}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    usage = {
        "input_tokens": 240,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 130,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 370,
    }
    return {
        "id": f"resp_{SERIAL}",
        "object": "response",
        "created_at": 1767225600,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": f"{MODEL}-2024-11-20",
        "output": [] if text is None else [item],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if text is None else usage,
        "user": None,
        "metadata": {},
    }


def responses_events(deltas: list[str]) -> Iterator[bytes]:
    number = count()
    text = "".join(deltas)
    place: Json = {"item_id": f"msg_{SERIAL}", "output_index": 0, "content_index": 0}
    part: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    item: Json = {"id": f"msg_{SERIAL}", "type": "message", "status": "in_progress", "role": "assistant", "content": []}

    def event(kind: str, body: Json) -> bytes:
        data = dumped({"type": f"response.{kind}", "sequence_number": next(number), **body})
        return b"event: response.%b\ndata: %b\n\n" % (kind.encode(), data)

    begun = responses_whole(None, "in_progress")
    yield event("created", {"response": begun})
    yield event("in_progress", {"response": begun})
    yield event("output_item.added", {"output_index": 0, "item": item})
    yield event("content_part.added", {**place, "part": part})
    for piece in deltas:
        yield event("output_text.delta", {**place, "delta": piece, "logprobs": [], "obfuscation": "k3Xw9"})
    full = {**part, "text": text}
    yield event("output_text.done", {**place, "text": text, "logprobs": []})
    yield event("content_part.done", {**place, "part": full})
    done = {**item, "status": "completed", "content": [full]}
    yield event("output_item.done", {"output_index": 0, "item": done})
    yield event("completed", {"response": responses_whole(text)})


def messages_whole(text: str) -> Json:
    return {
        "id": f"msg_{SERIAL}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 240, "output_tokens": 130},
    }


def messages_events(deltas: list[str]) -> Iterator[bytes]:
    def event(kind: str, body: Json) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumped({"type": kind, **body}))

    empty = {
        **messages_whole(""),
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 240, "output_tokens": 1},
    }
    yield event("message_start", {"message": empty})
    yield event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    yield event("ping", {})
    for piece in deltas:
        yield event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}})
    yield event("content_block_stop", {"index": 0})
    end = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 130}}
    yield event("message_delta", dict(end))
    yield event("message_stop", {})


FORMATS: Mapping[str, tuple[Callable[[str], Json], Callable[[list[str]], Iterator[bytes]]]] = {
    "/chat/completions": (chat_whole, chat_events),
    "/responses": (responses_whole, responses_events),
    "/messages": (messages_whole, messages_events),
}
"""How a path ends, to what is answered there whole and streamed."""
