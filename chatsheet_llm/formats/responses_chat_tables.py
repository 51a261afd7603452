"""What each name of a Responses request becomes in Chat Completions, as rows.  Converts nothing itself.

Every parameter, input item and option that the SDK knows has a row here; a name without a row is a declared loss
wherever it carries a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from chatsheet_llm.formats.tables import CALLS, MAPPED_FIELDS, REQUEST_ECHO, Rule, lost

RESPONSES_PARAMETERS: Mapping[str, Rule] = MappingProxyType(
    {
        "access_programs": lost("Chat has no access programs"),
        "background": lost("Chat answers in the call itself", False),
        "context_management": lost("Chat does not compact a conversation", []),
        "conversation": lost("Chat keeps no conversation"),
        "image": Rule("convert"),
        "include": Rule("convert", "logprobs"),
        "input": Rule("convert", "messages"),
        "instructions": Rule("convert", "messages", neutral=("",)),
        "max_output_tokens": Rule("place", "max_completion_tokens"),
        "max_tool_calls": lost("Chat has no limit on calls of hosted tools"),
        "metadata": Rule("place", "metadata"),
        "model": Rule("place", "model"),
        "moderation": Rule("place", "moderation"),
        "parallel_tool_calls": Rule("place", "parallel_tool_calls"),
        "previous_response_id": lost("Chat keeps no earlier response"),
        "prompt": lost("Chat has no prompt templates"),
        "prompt_cache_key": Rule("place", "prompt_cache_key"),
        "prompt_cache_options": Rule("convert", "prompt_cache_options"),
        "prompt_cache_retention": Rule("place", "prompt_cache_retention"),
        "reasoning": Rule("convert", "reasoning_effort"),
        "safety_identifier": Rule("place", "safety_identifier"),
        "service_tier": Rule("place", "service_tier"),
        # Of Responses itself there is no such parameter: it stands in a body that comes from another format.
        "stop": Rule("convert", "stop", neutral=([],)),
        # Stored completions are another product than stored responses: only who asks for storage gets it.
        "store": Rule("place", "store", neutral=(False,)),
        "stream": Rule("place", "stream"),
        "stream_options": Rule("convert", "stream_options"),
        "temperature": Rule("place", "temperature"),
        "text": Rule("convert", "response_format"),
        "tool_choice": Rule("convert", "tool_choice"),
        "tools": Rule("convert", "tools", neutral=([],)),
        "top_logprobs": Rule("convert", "top_logprobs"),
        "top_p": Rule("place", "top_p"),
        "truncation": lost("Chat does not shorten a conversation that is too long", "disabled"),
        "user": Rule("place", "user"),
    }
)

OPTIONS: Mapping[str, Mapping[str, Rule]] = MappingProxyType(
    {
        "image": {"context_compression": lost("Chat has no such option", "auto")},
        "prompt_cache_options": {
            "comparison_response_id": lost("Chat compares no caches"),
            "mode": Rule("place", "prompt_cache_options.mode"),
            "prewarm": lost("Chat has no call without an answer", False),
            "ttl": Rule("place", "prompt_cache_options.ttl"),
        },
        "reasoning": {
            "context": lost("Chat reads no reasoning of earlier turns", "auto", minor=True),
            "effort": Rule("place", "reasoning_effort"),
            "generate_summary": lost("Chat gives no summary of the reasoning"),
            "mode": lost("Chat has no reasoning modes", "standard"),
            "summary": lost("Chat gives no summary of the reasoning"),
        },
        "stream_options": {"include_obfuscation": Rule("place", "stream_options.include_obfuscation")},
        "text": {"format": Rule("convert", "response_format"), "verbosity": Rule("place", "verbosity")},
    }
)
"""Parameters that are objects: the same kind of rows for their fields."""

INCLUDES: Mapping[str, Rule] = MappingProxyType(
    {
        "code_interpreter_call.outputs": lost("Chat has no code interpreter"),
        "computer_call_output.output.image_url": lost("Chat has no computer tool"),
        "file_search_call.results": lost("Chat has no file search"),
        "message.input_image.image_url": lost("Chat does not repeat the input"),
        "message.output_text.logprobs": Rule("place", "logprobs"),
        "reasoning.encrypted_content": lost("Chat has no sealed reasoning to give", minor=True),
        "web_search_call.action.sources": lost("Chat does not list the sources of a search"),
        "web_search_call.results": lost("Chat does not list the results of a search"),
    }
)
"""Values of ``include``."""

ItemKind = Literal["message", "call", "result", "left", "found", "lost"]

_LEFT = (
    "reasoning",
    *("apply_patch_call", "code_interpreter_call", "computer_call", "file_search_call", "image_generation_call"),
    *("local_shell_call", "mcp_approval_request", "mcp_call", "mcp_list_tools", "program", "program_output"),
    *("shell_call", "tool_search_call", "web_search_call"),
)
_LOST = (
    *("additional_tools", "apply_patch_call_output", "compaction", "compaction_trigger", "computer_call_output"),
    *("configuration_update", "item_reference", "local_shell_call_output", "mcp_approval_response"),
    *("shell_call_output",),
)

ITEMS: Mapping[str, ItemKind] = MappingProxyType(
    {
        "message": "message",
        "tool_search_output": "found",
        **{row.item: "call" for row in CALLS.values()},
        **{row.output: "result" for row in CALLS.values()},
        **dict.fromkeys(_LEFT, "left"),
        **dict.fromkeys(_LOST, "lost"),
    }
)
"""Type of an input item -> what it is to Chat.

``left`` items are what an earlier reply left; ``found`` ones too, if the server found them; ``lost`` ones hold what the
caller says, and Chat has no place for it.
"""

MOST_STOPS = 4
"""How many stop sequences Chat takes, by its schema."""

RESPONSE_FIELDS = (
    MAPPED_FIELDS
    | REQUEST_ECHO
    | {"error", "input_transformations", "prompt_cache_diagnostics", "tool_usage", "choices"}
)
"""Fields of a Response, and our own ``choices``: what is attached to one takes none of these names."""
