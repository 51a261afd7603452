"""What only Chat has, for random requests and replies.  What all formats have stands elsewhere."""

from __future__ import annotations

from conversations import FORM, PIXEL, SCHEMA, arguments, json_text, maybe_empty, optional, texts
from hypothesis import strategies as st

EXTRAS = optional(
    verbosity=st.just("medium"),
    user=texts,
    n=st.integers(1, 3),
    frequency_penalty=st.floats(-2, 2),
    logit_bias=st.just({"50256": -100}),
    modalities=st.sampled_from((["text"], ["text", "audio"])),
    audio=st.just({"voice": "alloy", "format": "wav"}),
    prediction=st.builds(lambda text: {"type": "content", "content": text}, texts),
    store=st.booleans(),
    stream_options=st.fixed_dictionaries(
        {}, optional={"include_usage": st.booleans(), "include_obfuscation": st.just(False)}
    ),
    service_tier=st.sampled_from(("flex", "priority")),
    max_tokens=st.integers(1, 99),
    web_search_options=st.just({"search_context_size": "low"}),
    prompt_cache_retention=st.just("24h"),
    stop=texts,
    top_logprobs=st.integers(0, 5),
    temperature=st.sampled_from((0, 1, 0.3)),
    tools=st.lists(
        st.one_of(
            st.builds(lambda text: {"type": "custom", "custom": {"name": "free", "description": text}}, texts),
            st.just(
                {
                    "type": "custom",
                    "custom": {
                        "name": "rule",
                        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}},
                    },
                }
            ),
            st.just({"type": "function", "function": {"name": "bare"}}),
            st.just({"type": "function", "function": {"name": "loose", "parameters": SCHEMA}}),
        ),
        max_size=3,
    ),
    tool_choice=st.sampled_from(
        (
            *("auto", "none", "required"),
            {"type": "function", "function": {"name": "bare"}},
            {"type": "custom", "custom": {"name": "free"}},
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "bare"}}]},
            },
        )
    ),
    response_format=st.sampled_from(
        (
            {"type": "text"},
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "ответ", "description": "wie?", "schema": FORM}},
            {"type": "json_schema", "json_schema": {"name": "b", "schema": FORM, "strict": False}},
        )
    ),
    frobnicate=st.just({"very": "much"}),
)
ODD = st.one_of(
    st.just([{"role": "user", "content": ""}]),
    st.builds(lambda text: [{"role": "user", "name": "Bø", "content": text}], texts),
    st.builds(
        lambda text: [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": text},
                    {"type": "image_url", "image_url": {"url": "https://x.test/odd.png", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
                ],
            }
        ],
        texts,
    ),
    st.builds(lambda text: [{"role": "assistant", "content": None, "refusal": text}], texts),
    st.builds(
        lambda text, other: [
            {"role": "assistant", "content": [{"type": "text", "text": text}, {"type": "refusal", "refusal": other}]}
        ],
        texts,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_free", "type": "custom", "custom": {"name": "free", "input": text}}],
            },
            {"role": "tool", "tool_call_id": "call_free", "content": other},
        ],
        maybe_empty,
        texts,
    ),
    st.builds(
        lambda text, other: [
            {
                "role": "assistant",
                "content": text,
                "reasoning_content": other,
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://x.test/c", "title": "ти"}}],
            }
        ],
        texts,
        texts,
    ),
    st.builds(lambda: [{"role": "assistant", "content": None, "audio": {"id": "audio_1"}}]),
    st.builds(lambda text: [{"role": "developer", "name": "Boß", "content": text}], texts),
)

ONE_WAY = st.builds(
    lambda given, other: [
        {"role": "assistant", "content": "so", "function_call": {"name": "bare", "arguments": json_text(given)}},
        {"role": "function", "name": "bare", "content": other},
    ],
    arguments,
    texts,
)
"""A call and its result as Chat once had them.  They become a tool call for good."""

MORE_IN_MESSAGE = optional(
    annotations=st.just(
        [
            {
                "type": "url_citation",
                "url_citation": {"url": "https://x.test/c", "title": "ти", "start_index": 0, "end_index": 1},
            }
        ]
    ),
    audio=st.just({"id": "audio_1", "data": PIXEL, "transcript": "so"}),
    reasoning_details=st.builds(lambda text: [{"type": "reasoning.text", "text": text}], texts),
)
MORE = optional(
    system_fingerprint=texts,
    prompt_filter_results=st.builds(lambda text: [{"prompt_index": 0, "content_filter_results": {"x": text}}], texts),
    citations=st.builds(lambda text: [text], texts),
)
