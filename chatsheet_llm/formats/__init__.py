"""The wire formats and the bridges between them: pure functions on JSON, no I/O, no SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chatsheet_llm.formats.chat_history import without_attached as without_attached
from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_request import chat_to_responses
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.compose import StreamBridge as StreamBridge
from chatsheet_llm.formats.errors import FormatError as FormatError
from chatsheet_llm.route import Loss, Mode

BRIDGES: Mapping[tuple[Mode, Mode], Callable[[Mapping[str, object]], tuple[dict[str, object], list[Loss]]]] = {
    ("chat", "responses"): chat_to_responses,
}
"""Requests: (caller's format, hop's format) to body and losses."""

REPLIES: Mapping[tuple[Mode, Mode], Callable[[Mapping[str, object]], tuple[dict[str, object], list[Loss]]]] = {
    ("responses", "chat"): responses_to_chat,
}
"""Replies: (hop's format, caller's format) to body and losses."""

STREAMS: Mapping[tuple[Mode, Mode], Callable[[bool], StreamBridge]] = {
    ("responses", "chat"): lambda include_usage: ResponsesToChatStream(include_usage=include_usage),
}
"""Streams: (hop's format, caller's format) to a bridge; the argument says whether the caller asked for usage."""
