"""The wire formats and the bridges between them: pure functions on JSON, no I/O, no SDK.

Four families are written out, each with Responses on one side; Chat and Messages meet by way of it
(`chatsheet_llm.formats.compose` says why).  A family's files are named after its caller and its hop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chatsheet_llm.formats.chat_history import without_attached as without_attached
from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_request import chat_to_responses
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.compose import Bridge, ComposedStream, composed
from chatsheet_llm.formats.compose import StreamBridge as StreamBridge
from chatsheet_llm.formats.errors import FormatError as FormatError
from chatsheet_llm.formats.messages_responses_reply import responses_to_messages_reply
from chatsheet_llm.formats.messages_responses_request import messages_to_responses
from chatsheet_llm.formats.messages_responses_stream import ResponsesToMessagesStream
from chatsheet_llm.formats.responses_chat_reply import chat_to_responses_reply
from chatsheet_llm.formats.responses_chat_request import responses_to_chat_request
from chatsheet_llm.formats.responses_chat_stream import ChatToResponsesStream
from chatsheet_llm.formats.responses_messages_reply import messages_to_responses_reply
from chatsheet_llm.formats.responses_messages_request import responses_to_messages
from chatsheet_llm.formats.responses_messages_stream import MessagesToResponsesStream
from chatsheet_llm.route import Mode

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
        ("responses", "chat"): lambda usage: ResponsesToChatStream(include_usage=usage),
        ("messages", "chat"): lambda usage: ComposedStream(
            MessagesToResponsesStream(), ResponsesToChatStream(include_usage=usage), "chat"
        ),
        ("chat", "responses"): lambda _: ChatToResponsesStream(),
        ("messages", "responses"): lambda _: MessagesToResponsesStream(),
        ("chat", "messages"): lambda _: ComposedStream(
            ChatToResponsesStream(), ResponsesToMessagesStream(), "messages"
        ),
        ("responses", "messages"): lambda _: ResponsesToMessagesStream(),
    }
)
"""Streams: (hop's format, caller's format) to a bridge; the argument says whether a chat caller asked for usage."""
