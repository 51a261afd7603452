"""What each name of Chat Completions and Responses becomes on the other side, as rows.  Converts nothing itself.

Every parameter, message field, output item, reply field and stream event that the SDK knows has a row here; a name
without a row is a declared loss wherever it carries a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

How = Literal["place", "convert", "loss"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one parameter of a request becomes in the other format.

    ``place`` puts the value unchanged at ``target`` (dotted), ``convert`` has a function of its own that writes
    ``target``, ``loss`` has no place and says why in ``reason``; ``minor`` as in ``Loss``.  A value in ``neutral`` asks
    for what both sides do anyway, so it is neither sent nor lost; None is neutral everywhere.  ``pivot`` is where a
    value without a place in Responses itself stands while it is on its way to a format that has one.  ``empty`` says
    that even an empty value asks for something.
    """

    how: How
    target: str = ""
    neutral: tuple[object, ...] = ()
    reason: str = ""
    pivot: str = ""
    minor: bool = False
    empty: bool = False


def lost(reason: str, *neutral: object, pivot: str = "", minor: bool = False, empty: bool = False) -> Rule:
    """A row for what the other format has no place for."""
    return Rule("loss", neutral=neutral, reason=reason, pivot=pivot, minor=minor, empty=empty)


CHAT_PARAMETERS: Mapping[str, Rule] = MappingProxyType(
    {
        "audio": lost("Responses cannot return audio"),
        "frequency_penalty": lost("Responses has no frequency penalty", 0),
        "function_call": Rule("convert", "tool_choice"),
        "functions": Rule("convert", "tools"),
        "logit_bias": lost("Responses has no logit bias", {}),
        "logprobs": Rule("convert", "include", neutral=(False,)),
        "max_completion_tokens": Rule("convert", "max_output_tokens"),
        "max_tokens": Rule("convert", "max_output_tokens"),
        "messages": Rule("convert", "input"),
        "metadata": Rule("place", "metadata"),
        "modalities": lost("Responses returns text only", ["text"]),
        "model": Rule("place", "model"),
        "moderation": Rule("place", "moderation"),
        "n": lost("Responses returns one answer a call", 1),
        "parallel_tool_calls": Rule("place", "parallel_tool_calls"),
        "prediction": lost("Responses has no predicted output"),
        "presence_penalty": lost("Responses has no presence penalty", 0),
        "prompt_cache_key": Rule("place", "prompt_cache_key"),
        "prompt_cache_options": Rule("place", "prompt_cache_options"),
        "prompt_cache_retention": Rule("place", "prompt_cache_retention"),
        "reasoning_effort": Rule("place", "reasoning.effort"),
        "response_format": Rule("convert", "text.format"),
        "safety_identifier": Rule("place", "safety_identifier"),
        "seed": lost("Responses has no seed"),
        "service_tier": Rule("place", "service_tier"),
        "stop": lost("Responses has no stop sequences", [], pivot="stop"),
        # The two APIs have opposite defaults, so the value is always sent.
        "store": Rule("place", "store"),
        "stream": Rule("place", "stream"),
        "stream_options": Rule("convert", "stream_options"),
        "temperature": Rule("place", "temperature"),
        "tool_choice": Rule("convert", "tool_choice"),
        "tools": Rule("convert", "tools"),
        "top_logprobs": Rule("convert", "top_logprobs"),
        "top_p": Rule("place", "top_p"),
        "user": Rule("place", "user"),
        "verbosity": Rule("place", "text.verbosity"),
        "web_search_options": lost("Responses leaves the search to the model; Chat always searches", empty=True),
    }
)


LEAST_TOKENS = 16
"""The smallest limit that Responses takes, by its schema; Chat takes smaller ones, as recorded."""


class CallRow(NamedTuple):
    """One kind of tool call: its item, the item of its result, and the field that holds what the model wrote."""

    item: str
    output: str
    text: str


CALLS: Mapping[str, CallRow] = MappingProxyType(
    {
        "function": CallRow("function_call", "function_call_output", "arguments"),
        "custom": CallRow("custom_tool_call", "custom_tool_call_output", "input"),
    }
)
"""Type of a Chat tool call -> what it is in Responses."""

CALL_KINDS: Mapping[str, str] = MappingProxyType({row.item: kind for kind, row in CALLS.items()})
"""Type of a Responses item that is a tool call -> the type of the call in Chat."""

CALL_EXTRAS = ("namespace", "caller", "async")
"""Fields of a Responses tool call without a place in Chat, attached to the tool call when set."""

MESSAGE_FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "assistant": frozenset(
            {"role", "content", "refusal", "tool_calls", "function_call", "phase", "reasoning_items"}
        ),
        "developer": frozenset({"role", "content"}),
        "function": frozenset({"role", "content", "name"}),
        "system": frozenset({"role", "content"}),
        "tool": frozenset({"role", "content", "tool_call_id", "name"}),
        "user": frozenset({"role", "content"}),
    }
)
"""Role -> the message fields that the bridge carries.  Any other field with a value is a loss."""

FIELD_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "audio": "Responses cannot take back audio of an earlier answer",
        "name": "Responses messages have no name",
        "reasoning": "reasoning returns to Responses only as whole reasoning_items",
        "reasoning_content": "reasoning returns to Responses only as whole reasoning_items",
    }
)

HINTS: Mapping[str, str] = MappingProxyType(
    {"cache_control": "a hint about cost, which travels to Messages alone, and on parts of a message"}
)
"""Field that neither API of OpenAI reads and callers set all the same -> why it is a minor loss, wherever it stands."""

REPLY_FIELDS = frozenset(
    {
        "annotations",
        "context",
        "images",
        "parsed",
        "phases",
        "provider_annotations",
        "provider_items",
        "provider_parts",
        "provider_specific_fields",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "reasoning_items",
        "thinking_blocks",
    }
)
"""Message fields that only an earlier reply sets and that Chat Completions itself does not read back.

A loss of one of these is minor: a message handed back as it came, not something that the caller asked for.
"""

REQUEST_ECHO = frozenset(
    {
        *("access_programs", "background", "billing", "completed_at", "conversation", "frequency_penalty", "image"),
        *("instructions", "max_output_tokens", "max_tool_calls", "object", "output_text", "parallel_tool_calls"),
        *("presence_penalty", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options"),
        *("prompt_cache_retention", "reasoning", "safety_identifier", "store", "temperature", "text", "tool_choice"),
        *("tools", "top_logprobs", "top_p", "truncation", "user"),
    }
)
"""Fields of a Response that repeat the request or keep its books: the caller knows them, none is output."""

MAPPED_FIELDS = frozenset(
    {
        *("created_at", "id", "incomplete_details", "metadata", "model", "moderation", "output", "service_tier"),
        *("status", "usage"),
    }
)
"""Fields of a Response with a place in a ChatCompletion.  A field in neither set is attached and listed."""

CHAT_SERVICE_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})

EventKind = Literal["start", "text", "refusal", "reasoning", "call", "part", "item", "covered", "end", "fault", "lost"]

_EVENTS: Mapping[str, EventKind] = {
    "response.output_text.delta": "text",
    "response.output_text.done": "text",
    "response.refusal.delta": "refusal",
    "response.refusal.done": "refusal",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_summary_text.done": "reasoning",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_text.done": "reasoning",
    "response.function_call_arguments.delta": "call",
    "response.function_call_arguments.done": "call",
    "response.custom_tool_call_input.delta": "call",
    "response.custom_tool_call_input.done": "call",
    "response.content_part.done": "part",
    "response.output_text.annotation.added": "part",
    "response.output_item.added": "item",
    "response.output_item.done": "item",
    "response.created": "start",
    "response.queued": "start",
    "response.in_progress": "start",
    "response.completed": "end",
    "response.incomplete": "end",
    "response.failed": "fault",
    "response.cancelled": "fault",
    "error": "fault",
    "response.image_generation_call.partial_image": "lost",
    "response.audio.delta": "lost",
    "response.audio.done": "lost",
    "response.audio.transcript.delta": "lost",
    "response.audio.transcript.done": "lost",
}

# What these events say stands again in a whole item, part or reply that follows.
_COVERED: Mapping[str, tuple[str, ...]] = {
    "response.content_part": ("added",),
    "response.reasoning_summary_part": ("added", "done"),
    "response.compaction": ("compacting",),
    "response.code_interpreter_call_code": ("delta", "done"),
    "response.code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "response.file_search_call": ("in_progress", "searching", "completed"),
    "response.web_search_call": ("in_progress", "searching", "completed"),
    "response.image_generation_call": ("in_progress", "generating", "completed"),
    "response.mcp_call_arguments": ("delta", "done"),
    "response.mcp_call": ("in_progress", "completed", "failed"),
    "response.mcp_list_tools": ("in_progress", "completed", "failed"),
    "response.shell_call_command": ("added", "delta", "done"),
    "response.shell_call_output_content": ("delta", "done"),
}

STREAM_EVENTS: Mapping[str, EventKind] = MappingProxyType(
    {
        **_EVENTS,
        **{f"{name}.{stage}": "covered" for name, stages in _COVERED.items() for stage in stages},
        # Signs of life, which say nothing.
        "keepalive": "covered",
        "ping": "covered",
    }
)
"""Responses stream event -> what it is to a chat stream.  A type without a row is listed as a loss, once."""
