"""What only Messages has, for random requests and replies.  What all formats have stands elsewhere."""

from __future__ import annotations

from conversations import FORM, PDF, SCHEMA, arguments, optional, texts
from hypothesis import strategies as st

EXTRAS = optional(
    temperature=st.floats(0, 0.9),
    top_p=st.floats(0.1, 0.9),
    top_k=st.integers(1, 99),
    thinking=st.sampled_from(
        ({"type": "enabled", "budget_tokens": 2048}, {"type": "disabled"}, {"type": "adaptive", "display": "omitted"})
    ),
    cache_control=st.just({"type": "ephemeral", "ttl": "1h"}),
    container=st.just("container_1"),
    mcp_servers=st.just([{"type": "url", "url": "https://x.test/mcp", "name": "mcp_1"}]),
    context_management=st.just({"edits": [{"type": "clear_tool_uses_20250919"}]}),
    metadata=st.fixed_dictionaries({}, optional={"user_id": texts, "team": texts}),
    output_config=st.sampled_from(
        (
            {"effort": "max"},
            {"task_budget": {"type": "tokens", "total": 31}},
            {"format": {"type": "json_schema", "schema": FORM}},
        )
    ),
    inference_geo=st.just("eu"),
    speed=st.sampled_from(("standard", "fast")),
    service_tier=st.sampled_from(("auto", "standard_only")),
    tools=st.lists(
        st.one_of(
            st.builds(
                lambda text: {
                    "type": "custom",
                    "name": "loose",
                    "description": text,
                    "input_schema": SCHEMA,
                    "cache_control": {"type": "ephemeral"},
                    "input_examples": [{"q": "beispiel"}],
                },
                texts,
            ),
            st.just({"name": "bare", "input_schema": {"type": "object", "properties": {}}, "defer_loading": True}),
            st.just({"type": "web_search_20250305", "name": "web_search", "max_uses": 3}),
        ),
        max_size=3,
    ),
    tool_choice=st.sampled_from(
        (
            *({"type": "auto"}, {"type": "none"}, {"type": "any", "disable_parallel_tool_use": True}),
            {"type": "tool", "name": "bare"},
            {"type": "auto", "disable_parallel_tool_use": False},
        )
    ),
    frobnicate=st.just({"very": "much"}),
)
ODD = st.one_of(
    st.builds(
        lambda text: [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        "context": "alt",
                        "citations": {"enabled": True},
                    },
                    {
                        "type": "search_result",
                        "source": "here",
                        "title": "ти",
                        "content": [{"type": "text", "text": "цит"}],
                    },
                ],
            }
        ],
        texts,
    ),
    st.builds(
        lambda given, text: [
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_odd",
                        "name": "bare",
                        "input": given,
                        "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_0"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_odd",
                        "is_error": True,
                        "content": [{"type": "text", "text": text}],
                    },
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        arguments,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                "role": "assistant",
                "content": [
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": text}},
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "srvtoolu_1",
                        "content": [
                            {"type": "web_search_result", "url": "https://x.test/r", "encrypted_content": "enc"}
                        ],
                    },
                    {
                        "type": "text",
                        "text": other,
                        "citations": [
                            {
                                "type": "web_search_result_location",
                                "url": "https://x.test/r",
                                "title": "ти",
                                "encrypted_index": "idx",
                                "cited_text": "цит",
                            }
                        ],
                    },
                ],
            }
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text: [{"role": "assistant", "content": [{"type": "thinking", "thinking": text, "signature": ""}]}],
        texts,
    ),
    st.builds(
        lambda text: [{"role": "system", "content": [{"type": "text", "text": text}, {"type": "tool_removal"}]}], texts
    ),
    st.builds(lambda text: [{"role": "user", "content": [{"type": "newest_block", "says": text}]}], texts),
)
MORE_BLOCKS = st.one_of(
    st.builds(
        lambda text: {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": text}},
        texts,
    ),
    st.builds(lambda text: {"type": "newest_block", "says": text}, texts),
    st.builds(lambda text: {"type": "redacted_thinking", "data": text}, texts),
    st.builds(
        lambda given: {
            "type": "tool_use",
            "id": "call_more",
            "name": "a",
            "input": given,
            "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_0"},
        },
        arguments,
    ),
    st.builds(
        lambda text: {
            "type": "text",
            "text": text,
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": "https://x.test/r",
                    "title": "ти",
                    "encrypted_index": "idx",
                    "cited_text": "цит",
                },
                {
                    "type": "char_location",
                    "cited_text": "ци",
                    "document_index": 0,
                    "document_title": "т",
                    "start_char_index": 3,
                    "end_char_index": 5,
                },
            ],
        },
        texts,
    ),
)
MORE = optional(
    container=st.builds(lambda text: {"id": text, "expires_at": "2030-01-01T00:00:00Z"}, texts),
    stop_details=st.builds(lambda text: {"type": "refusal", "explanation": text}, texts),
    newest_field=texts,
)
