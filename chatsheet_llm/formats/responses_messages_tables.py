"""What each name of Responses becomes in an Anthropic Messages request, as rows.  Converts nothing itself.

Every parameter, item, part, tool and field that the SDK knows has a row here; a name without a row is a declared loss
wherever it carries a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from chatsheet_llm.formats.tables import Rule, lost

RESPONSES_PARAMETERS: Mapping[str, Rule] = MappingProxyType(
    {
        "access_programs": lost("Messages has no access programs"),
        "background": lost("Messages answers while the caller waits", False),
        "context_management": lost("Messages does not compact a conversation by itself"),
        "conversation": lost("Messages stores no conversations"),
        "image": lost("Messages has no options for all images", {"context_compression": "auto"}),
        "include": Rule("convert"),
        "input": Rule("convert", "messages"),
        "instructions": Rule("convert", "system"),
        "max_output_tokens": Rule("place", "max_tokens"),
        "max_tool_calls": lost("Messages does not limit the calls of hosted tools"),
        # Labels for the books of whoever stores the answer.
        "metadata": lost("Messages stores no metadata", minor=True),
        "model": Rule("place", "model"),
        "moderation": lost("Messages does not moderate on request"),
        "parallel_tool_calls": Rule("convert", "tool_choice.disable_parallel_tool_use", neutral=(True,)),
        "previous_response_id": lost("Messages stores no answers to go on from"),
        "prompt": lost("Messages has no stored prompts"),
        # Hints about cost; the answer is the same without them.
        "prompt_cache_key": lost("Messages routes to its cache by the prompt alone", minor=True),
        "prompt_cache_options": lost("Messages caches only what a breakpoint marks", minor=True),
        "prompt_cache_retention": lost("Messages keeps its cache for an hour at most", minor=True),
        "reasoning": Rule("convert", "thinking"),
        "safety_identifier": Rule("convert", "metadata.user_id"),
        "service_tier": Rule("convert", "service_tier"),
        # Not a parameter of Responses itself: what Chat and Messages share travels under this name.
        "stop": Rule("convert", "stop_sequences", neutral=([],)),
        "store": lost("Messages stores no answers", False),
        "stream": Rule("place", "stream"),
        "stream_options": Rule("convert"),
        # Current models refuse them and the SDK has dropped them; older models still take them.
        "temperature": Rule("convert", neutral=(1,)),
        "text": Rule("convert", "output_config.format"),
        "tool_choice": Rule("convert", "tool_choice"),
        "tools": Rule("convert", "tools"),
        "top_logprobs": lost("Messages returns no log probabilities", 0),
        "top_p": Rule("convert", neutral=(1,)),
        "truncation": lost("Messages refuses a conversation that is too long", "disabled"),
        "user": Rule("convert", "metadata.user_id"),
    }
)

USER_LENGTH = 256
"""How long ``metadata.user_id`` may be."""

STRICT_TOOLS = 20
"""How many tools of a request may be strict; one more is a 400 (camel-ai/camel#4171, elizaOS/eliza#16499)."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""Efforts of reasoning that both sides have.  ``none`` turns thinking off."""

SUMMARIES = ("auto", "concise", "detailed")

SERVICE_TIERS: Mapping[str, str] = MappingProxyType({"auto": "auto", "default": "standard_only"})

TOOL_CHOICES: Mapping[str, str] = MappingProxyType({"auto": "auto", "none": "none", "required": "any"})

TOOLS: Mapping[str, str] = MappingProxyType(
    {
        "custom": "Messages has no tools that take free text",
        "namespace": "Messages has no namespaces of tools",
        "programmatic_tool_calling": "Messages has no programs that call tools",
        **dict.fromkeys(
            (
                *("apply_patch", "code_interpreter", "computer", "computer_use_preview", "file_search"),
                *("image_generation", "local_shell", "mcp", "shell", "tool_search", "web_search"),
                *("web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"),
            ),
            "it is a tool of the Responses API's provider",
        ),
    }
)
"""Every tool but a function -> why Messages cannot have it."""

FREE_INCLUDES = ("reasoning.encrypted_content",)
"""What ``include`` may ask for and Messages returns anyway."""


class ItemLoss(NamedTuple):
    """Why an input item has no place, and whether it is only state that an earlier reply left."""

    reason: str
    minor: bool


_HOSTED = ItemLoss("Messages does not know this call of an earlier reply", minor=True)
_RESULT = ItemLoss("Messages does not know the tool whose result this is", minor=False)

LOST_ITEMS: Mapping[str, ItemLoss] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("apply_patch_call", "code_interpreter_call", "computer_call", "file_search_call"),
                *("image_generation_call", "local_shell_call", "mcp_approval_request", "mcp_call", "mcp_list_tools"),
                *("program", "program_output", "shell_call", "tool_search_call", "web_search_call"),
            ),
            _HOSTED,
        ),
        **dict.fromkeys(
            ("apply_patch_call_output", "computer_call_output", "local_shell_call_output", "shell_call_output"), _RESULT
        ),
        "additional_tools": ItemLoss("Messages has no tools that arrive in the conversation", minor=False),
        "compaction": ItemLoss("only the provider of Responses can read a compacted conversation", minor=False),
        "compaction_trigger": ItemLoss("Messages does not compact a conversation on request", minor=False),
        "configuration_update": ItemLoss("Messages has one configuration for all turns", minor=False),
        "item_reference": ItemLoss("Messages stores no items to refer to", minor=False),
        "mcp_approval_response": ItemLoss("Messages asks for no approvals", minor=False),
        "tool_search_output": ItemLoss("Messages has no tools that arrive in the conversation", minor=False),
    }
)
"""Type of an input item without a place -> why."""

MESSAGES_BLOCKS = frozenset(
    {
        *("advisor_tool_result", "bash_code_execution_tool_result", "code_execution_tool_result", "compaction"),
        *("container_upload", "fallback", "mcp_tool_listing", "mcp_tool_result", "mcp_tool_use", "server_tool_use"),
        *("text_editor_code_execution_tool_result", "tool_search_tool_result", "web_fetch_tool_result"),
        "web_search_tool_result",
    }
)
"""Blocks of a Messages reply that travel as items of their own type, as Responses has no item for them."""

CITATIONS = frozenset(
    {
        *("char_location", "content_block_location", "page_location", "search_result_location"),
        "web_search_result_location",
    }
)
"""Citations of a Messages reply that travel as annotations of their own type."""

DIRECT: Mapping[str, object] = {"type": "direct"}
"""The caller of a tool call that the model made itself, in both formats."""


class Fields(NamedTuple):
    """The fields of one kind of object: those that are carried or only name it, and what the others mean.

    A field in ``neutral`` with that value asks for what Messages does anyway.  The loss of one in ``state`` is minor,
    as an earlier reply left it or it only labels; in an object that an earlier reply ``left``, that is any field.
    """

    carried: frozenset[str]
    neutral: Mapping[str, object]
    state: frozenset[str]
    left: bool


def _fields(
    carried: str, neutral: Mapping[str, object] | None = None, state: str = "", *, left: bool = False
) -> Fields:
    return Fields(frozenset(carried.split()), neutral or {}, frozenset(state.split()), left)


_RESULT_FIELDS = _fields("type id status call_id output name", {"caller": DIRECT}, "caller created_by namespace")

FIELDS: Mapping[str, Fields] = MappingProxyType(
    {
        # Items.  `id` and `status` name an item; `parsed_arguments` and `parsed` are the SDK's reading of the text.
        "message": _fields("type role content id status", state="phase"),
        "function_call": _fields(
            "type id status call_id name arguments parsed_arguments caller toolset_name", {"async": False}, left=True
        ),
        "custom_tool_call": _fields("type id status call_id name input caller", {"async": False}, left=True),
        "function_call_output": _RESULT_FIELDS,
        "custom_tool_call_output": _RESULT_FIELDS,
        "reasoning": _fields("type id status summary content encrypted_content", left=True),
        # Parts of a message or of a tool's output.
        "input_text": _fields("type text prompt_cache_breakpoint"),
        "output_text": _fields("type text annotations parsed prompt_cache_breakpoint", left=True),
        "refusal": _fields("type refusal prompt_cache_breakpoint", left=True),
        "input_image": _fields("type image_url file_id prompt_cache_breakpoint", {"detail": "auto"}, "detail"),
        "input_file": _fields(
            "type file_data file_id file_url filename prompt_cache_breakpoint", {"detail": "auto"}, "detail"
        ),
        "prompt_cache_breakpoint": _fields("mode", state="ttl"),
        # Settings.
        "function": _fields(
            "type name description parameters strict defer_loading", {"async": False, "allowed_callers": ["direct"]}
        ),
        "json_schema": _fields("type schema strict description", state="name"),
        "text": _fields("type"),
        "text_config": _fields("format", {"verbosity": "medium"}),
        "reasoning_config": _fields("effort summary generate_summary", {"context": "auto", "mode": "standard"}),
        "stream_options": _fields("", {"include_obfuscation": False}),
        "tool_choice": _fields("type name"),
        "allowed_tools": _fields("type mode tools"),
    }
)
"""Kind of object -> what becomes of its fields."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "context": "Messages decides by itself which reasoning of earlier turns the model sees",
        "detail": "Messages always looks at the whole image",
        "include_obfuscation": "Messages does not obfuscate its streams",
        "phase": "Messages has no phases of an answer",
        "ttl": "Messages keeps a cache breakpoint for other times",
        "verbosity": "Messages has no verbosity",
    }
)
"""Field -> why Messages has no place for it, where more can be said than that."""

MEDIA_TYPES: Mapping[str, str] = MappingProxyType({"image/jpg": "image/jpeg"})
"""Names of media types that OpenAI takes -> the registered ones, which alone Messages takes."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {".csv": "text/csv", ".md": "text/markdown", ".pdf": "application/pdf", ".txt": "text/plain"}
)
"""What a file without a media type is by its name."""
