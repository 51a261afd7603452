"""What only Responses has, for random requests and replies.  What all formats have stands elsewhere."""

from __future__ import annotations

from conversations import FORM, PIXEL, SCHEMA, maybe_empty, optional, texts, words_url
from hypothesis import strategies as st

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
EXTRAS = optional(
    instructions=maybe_empty,
    background=st.booleans(),
    truncation=st.sampled_from(("auto", "disabled")),
    previous_response_id=st.just("resp_before"),
    conversation=st.just({"id": "conv_1"}),
    max_tool_calls=st.integers(1, 9),
    include=st.lists(
        st.sampled_from(("reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results")),
        max_size=2,
        unique=True,
    ),
    reasoning=st.fixed_dictionaries(
        {},
        optional={
            "effort": st.sampled_from(("none", "minimal", "high")),
            "summary": st.sampled_from(("auto", "detailed")),
            "context": st.just("auto"),
        },
    ),
    text=st.sampled_from(
        (
            {"verbosity": "medium", "format": {"type": "text"}},
            {"verbosity": "low", "format": {"type": "json_object"}},
            {
                "format": {
                    "type": "json_schema",
                    "name": "ответ",
                    "description": "wie?",
                    "schema": FORM,
                    "strict": True,
                }
            },
        )
    ),
    store=st.booleans(),
    prompt=st.just({"id": "pmpt_1"}),
    stream_options=st.just({"include_obfuscation": False}),
    service_tier=st.sampled_from(("flex", "priority", "default")),
    user=texts,
    prompt_cache_retention=st.just("24h"),
    top_logprobs=st.integers(0, 5),
    top_p=st.sampled_from((1, 0.3)),
    tools=st.lists(
        st.one_of(
            st.builds(lambda text: {"type": "custom", "name": "free", "description": text}, texts),
            st.just({"type": "custom", "name": "rule", "format": GRAMMAR}),
            st.just({"type": "function", "name": "bare", "parameters": None, "strict": False}),
            st.just({"type": "function", "name": "late", "parameters": SCHEMA, "strict": False, "defer_loading": True}),
            st.just({"type": "web_search", "search_context_size": "low"}),
            st.just({"type": "mcp", "server_label": "mcp_1", "server_url": "https://x.test/mcp"}),
        ),
        max_size=3,
    ),
    tool_choice=st.sampled_from(
        (
            *("auto", "none", "required"),
            {"type": "function", "name": "bare"},
            {"type": "custom", "name": "free"},
            {"type": "web_search"},
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "bare"}]},
        )
    ),
    frobnicate=st.just({"very": "much"}),
)
ODD = st.one_of(
    st.just([{"type": "message", "role": "user", "content": ""}]),
    st.builds(lambda text: [{"role": "user", "content": text}], texts),
    st.builds(
        lambda text: [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": text},
                    {"type": "input_image", "image_url": "https://x.test/odd.png", "detail": "high"},
                    {"type": "input_file", "file_data": words_url("ünï"), "filename": "a.csv"},
                ],
            }
        ],
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                "id": "msg_odd",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "phase": "final_answer",
                "content": [
                    {
                        "type": "output_text",
                        "text": text,
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://x.test/c",
                                "title": "ти",
                                "start_index": 0,
                                "end_index": 1,
                            }
                        ],
                        "logprobs": [{"token": "x", "logprob": -0.25, "bytes": [120], "top_logprobs": []}],
                    },
                    {"type": "refusal", "refusal": other},
                ],
            }
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {"type": "custom_tool_call", "call_id": "call_free", "name": "free", "input": text},
            {"type": "custom_tool_call_output", "call_id": "call_free", "output": other},
        ],
        maybe_empty,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {"type": "function_call", "call_id": "call_broken", "name": "bare", "arguments": "{" + text},
            {"type": "function_call_output", "call_id": "call_broken", "output": other},
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text: [
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": text},
            }
        ],
        texts,
    ),
    st.just([{"type": "item_reference", "id": "msg_elsewhere"}]),
    st.just([{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]),
    st.just([{"type": "compaction", "encrypted_content": "packed"}]),
    st.builds(lambda text: [{"type": "newest_item", "says": text}], texts),
    st.builds(lambda text: [{"type": "function_call_output", "call_id": "call_unknown", "output": text}], texts),
)

AUDIO = st.builds(
    lambda text: [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": text},
                {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
            ],
        }
    ],
    texts,
)
"""What Chat takes and Responses does not say that it takes, so it is placed there and lost here."""
BARE = st.builds(
    lambda text: [{"type": "reasoning", "id": "rs_bare", "summary": [{"type": "summary_text", "text": text}]}], texts
)
"""What only a stored answer knows, and nothing that went through another format asks for storage."""
ONE_WAY = st.one_of(AUDIO, BARE)
MORE_ITEMS = st.one_of(
    st.builds(
        lambda text: {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"query": text}}, texts
    ),
    st.builds(lambda text: {"id": "new_1", "type": "newest_item", "says": text}, texts),
    st.builds(
        lambda text: {
            "id": "msg_more",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [
                {
                    "type": "output_text",
                    "text": text,
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url": "https://x.test/c",
                            "title": "ти",
                            "start_index": 0,
                            "end_index": 1,
                        },
                        {"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 1},
                    ],
                    "logprobs": [{"token": "x", "logprob": -0.25, "bytes": [120], "top_logprobs": []}],
                }
            ],
        },
        texts,
    ),
    st.builds(
        lambda text: {
            "id": "fc_more",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_more",
            "name": "a",
            "arguments": "{" + text,
            "namespace": "crm",
        },
        texts,
    ),
    st.builds(
        lambda text: {
            "id": "rs_more",
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": text}],
        },
        texts,
    ),
)
MORE = optional(
    billing=st.builds(lambda: {"payer": "developer"}),
    tool_usage=st.builds(lambda count: {"web_search": {"num_requests": count}}, st.integers(0, 3)),
    newest_field=texts,
)
