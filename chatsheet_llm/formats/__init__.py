"""The wire formats and the bridges between them: pure functions on JSON, no I/O, no SDK.

Four families are written out, each with Responses on one side; Chat and Messages meet by way of it
(`chatsheet_llm.formats.compose` says why).  A family's files are named after its caller and its hop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any

from chatsheet_llm.formats.chat_history import without_attached as without_attached
from chatsheet_llm.formats.compose import Bridge, ComposedStream, Tracing, composed
from chatsheet_llm.formats.compose import StreamBridge as StreamBridge
from chatsheet_llm.formats.errors import FormatError as FormatError
from chatsheet_llm.route import Loss, Mode


@cache
def _in(module: str, name: str) -> Any:
    """Return what a module of this package holds; it is imported now, for most calls cross no bridge."""
    return getattr(import_module(f"{__name__}.{module}"), name)


def _bridge(module: str, name: str) -> Tracing:
    def bridge(
        body: Mapping[str, object], places: dict[str, str] | None = None, /
    ) -> tuple[dict[str, object], list[Loss]]:
        found: Tracing = _in(module, name)
        return found(body) if places is None else found(body, places)

    return bridge


def _stream(module: str, name: str, **options: bool) -> StreamBridge:
    made: StreamBridge = _in(module, name)(**options)
    return made


responses_to_chat = _bridge("chat_responses_reply", "responses_to_chat")
chat_to_responses = _bridge("chat_responses_request", "chat_to_responses")
responses_to_messages_reply = _bridge("messages_responses_reply", "responses_to_messages_reply")
messages_to_responses = _bridge("messages_responses_request", "messages_to_responses")
chat_to_responses_reply = _bridge("responses_chat_reply", "chat_to_responses_reply")
responses_to_chat_request = _bridge("responses_chat_request", "responses_to_chat_request")
messages_to_responses_reply = _bridge("responses_messages_reply", "messages_to_responses_reply")
responses_to_messages = _bridge("responses_messages_request", "responses_to_messages")


def _to_chat(usage: bool) -> StreamBridge:
    return _stream("chat_responses_stream", "ResponsesToChatStream", include_usage=usage)


def _to_messages() -> StreamBridge:
    return _stream("messages_responses_stream", "ResponsesToMessagesStream")


def _from_chat() -> StreamBridge:
    return _stream("responses_chat_stream", "ChatToResponsesStream")


def _from_messages() -> StreamBridge:
    return _stream("responses_messages_stream", "MessagesToResponsesStream")


BRIDGES: Mapping[tuple[Mode, Mode], Bridge] = MappingProxyType(
    {
        ("chat", "responses"): chat_to_responses,
        ("chat", "messages"): composed(chat_to_responses, responses_to_messages, "messages"),
        ("responses", "chat"): responses_to_chat_request,
        ("responses", "messages"): responses_to_messages,
        ("messages", "chat"): composed(messages_to_responses, responses_to_chat_request, "chat"),
        ("messages", "responses"): messages_to_responses,
    }
)
"""Requests: (caller's format, hop's format) to body and losses."""

REPLIES: Mapping[tuple[Mode, Mode], Bridge] = MappingProxyType(
    {
        ("responses", "chat"): responses_to_chat,
        ("messages", "chat"): composed(messages_to_responses_reply, responses_to_chat, "chat"),
        ("chat", "responses"): chat_to_responses_reply,
        ("messages", "responses"): messages_to_responses_reply,
        ("chat", "messages"): composed(chat_to_responses_reply, responses_to_messages_reply, "messages"),
        ("responses", "messages"): responses_to_messages_reply,
    }
)
"""Replies: (hop's format, caller's format) to body and losses."""

STREAMS: Mapping[tuple[Mode, Mode], Callable[[bool], StreamBridge]] = MappingProxyType(
    {
        ("responses", "chat"): _to_chat,
        ("messages", "chat"): lambda usage: ComposedStream(_from_messages(), _to_chat(usage), "chat"),
        ("chat", "responses"): lambda _: _from_chat(),
        ("messages", "responses"): lambda _: _from_messages(),
        ("chat", "messages"): lambda _: ComposedStream(_from_chat(), _to_messages(), "messages"),
        ("responses", "messages"): lambda _: _to_messages(),
    }
)
"""Streams: (hop's format, caller's format) to a bridge; the argument says whether a chat caller asked for usage."""
