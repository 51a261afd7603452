"""What each name of an Anthropic Messages request becomes in Responses, as rows.  Converts nothing itself.

Every parameter, block, tool and field that the SDK knows has a row here; a name without a row is a declared loss
wherever it carries a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from chatsheet_llm.formats.tables import Rule, lost

MESSAGES_PARAMETERS: Mapping[str, Rule] = MappingProxyType(
    {
        "betas": lost("Responses has no beta features of Messages"),
        "billing_policy": lost("Responses bills the organization of its key"),
        # Converted into a loss that is minor.
        "cache_control": Rule("convert"),
        "compaction": lost("Responses does not compact a conversation with this parameter"),
        "container": lost("Responses has no containers of Messages"),
        "context_management": lost("Responses does not clear parts of a conversation"),
        "diagnostics": lost("Responses cannot compare a request with an earlier message"),
        "fallback_credit_token": lost("Responses has no credit for fallbacks"),
        "fallbacks": lost("Responses has no fallbacks of its own"),
        "inference_geo": lost("Responses does not choose where it runs"),
        "max_tokens": Rule("convert", "max_output_tokens"),
        "mcp_servers": lost("Responses has no MCP servers beside its tools"),
        "messages": Rule("convert", "input"),
        "metadata": Rule("convert", "safety_identifier"),
        "model": Rule("place", "model"),
        "output_config": Rule("convert", "text.format"),
        "output_format": Rule("convert", "text.format"),
        "service_tier": Rule("convert", "service_tier"),
        "speed": lost("Responses has no speed apart from its service tiers", "standard"),
        "stop_sequences": lost("Responses has no stop sequences", [], pivot="stop"),
        "stream": Rule("place", "stream"),
        "system": Rule("convert", "instructions"),
        # The SDK has dropped these three, but the API still takes them for older models.
        "temperature": Rule("place", "temperature"),
        "thinking": Rule("convert", "reasoning"),
        "thread": lost("Responses has no threads of Messages"),
        "tool_choice": Rule("convert", "tool_choice"),
        "tools": Rule("convert", "tools", neutral=([],)),
        "top_k": lost("Responses has no top_k"),
        "top_p": Rule("place", "top_p"),
        "user_profile_id": lost("Responses has no user profiles"),
        "workspace_id": lost("Responses has no workspaces of Messages"),
    }
)

THINKING: Mapping[str, str] = MappingProxyType({"adaptive": "", "disabled": "none", "enabled": ""})
"""Type of ``thinking`` -> the effort that it is, empty where that is left to the model."""

LOST_THINKING: Mapping[str, str] = MappingProxyType(
    {"between_tools": "Responses cannot keep reasoning to the time between tools"}
)

DISPLAYS: Mapping[str, str] = MappingProxyType({"omitted": "", "summarized": "auto"})
"""How thinking is shown -> the summary of reasoning, empty for none, which is what Responses does unasked."""

SERVICE_TIERS: Mapping[str, str] = MappingProxyType({"auto": "auto", "standard_only": "default"})

LEAST_TOKENS = 16
"""The smallest limit that Responses takes, by its schema."""

LONGEST_USER = 64
"""How many characters a ``safety_identifier`` may have, by the schema of Responses and Chat alike."""

TOOL_CHOICES: Mapping[str, str] = MappingProxyType({"any": "required", "auto": "auto", "none": "none"})

HOSTED_TOOLS = frozenset(
    {
        *("advisor", "bash", "browser_toolset", "code_execution", "computer", "computer_toolset", "mcp_toolset"),
        *("memory", "text_editor", "tool_search_tool_bm25", "tool_search_tool_regex", "web_fetch", "web_search"),
    }
)
"""Tools that only the provider of Messages has, whether it runs them or has taught them to its models; undated."""


class LostBlock(NamedTuple):
    """Why a content block has no place, and whether a reply can hold it: then an assistant's is state of an earlier."""

    reason: str
    replied: bool = False


_SERVER = LostBlock("Responses does not know this work of a tool of an earlier reply", replied=True)

LOST_BLOCKS: Mapping[str, LostBlock] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("advisor_tool_result", "bash_code_execution_tool_result", "code_execution_tool_result"),
                *("mcp_tool_listing", "mcp_tool_result", "mcp_tool_use", "server_tool_use"),
                *("text_editor_code_execution_tool_result", "tool_search_tool_result", "web_fetch_tool_result"),
                "web_search_tool_result",
            ),
            _SERVER,
        ),
        "browser_state": LostBlock("Responses has no state of a browser"),
        # Without it the conversation before it is gone, so it is no mere state.
        "compaction": LostBlock("only the provider of Messages can read a compacted conversation"),
        "container_upload": LostBlock("Responses has no containers of Messages", replied=True),
        "fallback": LostBlock("Responses has no fallbacks of its own", replied=True),
        "search_result": LostBlock("Responses has no search results as input"),
        "tool_addition": LostBlock("Responses has one set of tools for all turns"),
        "tool_reference": LostBlock("Responses has no references to tools"),
        "tool_removal": LostBlock("Responses has one set of tools for all turns"),
    }
)
"""Type of a content block that no message can carry -> why."""

SUFFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"application/pdf": (".pdf",), "text/plain": (".txt", ".csv", ".html", ".json", ".md", ".xml", ".yaml")}
)
"""Media type of a document -> how the name of its file may end, first what ends a name that does not."""


class Fields(NamedTuple):
    """The fields of one kind of object: those that are carried, and what the others mean.

    A field in ``neutral`` with that value asks for what Responses does anyway; the loss of one in ``free`` is minor: a
    label, a hint about cost, state of an earlier reply, or what its neighbours say as well.
    """

    carried: frozenset[str]
    neutral: Mapping[str, object]
    free: frozenset[str]


def _fields(carried: str, neutral: Mapping[str, object] | None = None, free: str = "") -> Fields:
    return Fields(frozenset(carried.split()), neutral or {}, frozenset(free.split()))


FIELDS: Mapping[str, Fields] = MappingProxyType(
    {
        "message": _fields("role content", {"clear_at": "never"}),
        # Blocks that are parts.  `parsed_output` is the SDK's reading of the text.
        "text": _fields("type text cache_control"),
        "output_text": _fields("type text parsed_output", free="cache_control citations"),
        "image": _fields("type source cache_control", {"transformations": {"oversized_image": "downsize"}}),
        "document": _fields("type source title cache_control", {"citations": {"enabled": False}}),
        # Their sources.
        "base64": _fields("type media_type data"),
        "file": _fields("type file_id"),
        "plain": _fields("type media_type data"),
        "url": _fields("type url"),
        # Blocks that are items.
        "redacted_thinking": _fields("type data", free="cache_control"),
        "thinking": _fields("type thinking signature", free="cache_control"),
        # The words of an error say that it is one.
        "tool_result": _fields("type tool_use_id content", {"is_error": False}, "cache_control is_error toolset_name"),
        "tool_use": _fields("type id name input", {"caller": {"type": "direct"}}, "cache_control caller toolset_name"),
        # Settings.
        "cache_control": _fields("type", free="ttl"),
        "custom": _fields(
            "type name description input_schema strict defer_loading",
            {"allowed_callers": ["direct"], "eager_input_streaming": True},
            "cache_control eager_input_streaming",
        ),
        "json_schema": _fields("type schema"),
        "metadata": _fields("user_id"),
        "output_config": _fields("effort format"),
        "thinking_config": _fields("type display"),
        "tool_choice": _fields("type name disable_parallel_tool_use"),
    }
)
"""Kind of object -> what becomes of its fields."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "allowed_callers": "Responses has no such callers of tools",
        "budget_tokens": "Responses takes an effort of reasoning, not a budget",
        "cache_control": "a hint about cost, and Responses takes it only on parts of a message or of a tool's output",
        "caller": "Responses does not know this caller of an earlier reply",
        "citations": "Responses has no citations in what it is given",
        "clear_at": "Responses keeps a message in sight",
        "context": "Responses takes a file without words about it",
        "eager_input_streaming": "Responses always streams arguments as they are written",
        "input_examples": "Responses has no examples of a tool's input",
        "is_error": "Responses has no results of a tool that failed",
        "task_budget": "Responses has no budget for a task",
        "toolset_name": "Responses has no toolsets",
        "transformations": "Responses makes an image fit by itself",
        "ttl": "Responses keeps a cache breakpoint for other times",
    }
)
"""Field -> why Responses has no place for it, where more can be said than that."""

PLACES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "document": {"file_data": "source", "file_id": "source.file_id", "file_url": "source.url", "filename": "title"},
        "image": {"image_url": "source", "file_id": "source.file_id"},
        "redacted_thinking": {"encrypted_content": "data"},
        "thinking": {"encrypted_content": "signature", "summary": "thinking"},
        "tool_result": {"call_id": "tool_use_id", "output": "content"},
        "tool_use": {"arguments": "input", "call_id": "id"},
    }
)
"""Type of a block -> field of the item or part that it becomes -> where that stood in the block."""
