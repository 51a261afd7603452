"""Random requests and replies with anything in them: what only one format has, among what all of them have."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from conversations import (
    PDF,
    PIXEL,
    Json,
    arguments,
    conversations,
    fitted,
    json_text,
    maybe_empty,
    names,
    optional,
    texts,
    words_url,
    written,
)
from hypothesis import strategies as st
from random_answers import answered, answers, said_by

from chatsheet_llm.route import Mode

_grammar = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
_schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
_form = {**_schema, "additionalProperties": False}
_chat_extras = optional(
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
            st.just({"type": "function", "function": {"name": "loose", "parameters": _schema}}),
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
            {"type": "json_schema", "json_schema": {"name": "ответ", "description": "wie?", "schema": _form}},
            {"type": "json_schema", "json_schema": {"name": "b", "schema": _form, "strict": False}},
        )
    ),
    frobnicate=st.just({"very": "much"}),
)
_chat_odd = st.one_of(
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

_legacy = st.builds(
    lambda given, other: [
        {"role": "assistant", "content": "so", "function_call": {"name": "bare", "arguments": json_text(given)}},
        {"role": "function", "name": "bare", "content": other},
    ],
    arguments,
    texts,
)
"""A call and its result as Chat once had them.  They become a tool call for good."""

_responses_extras = optional(
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
                    "schema": _form,
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
            st.just({"type": "custom", "name": "rule", "format": _grammar}),
            st.just({"type": "function", "name": "bare", "parameters": None, "strict": False}),
            st.just(
                {"type": "function", "name": "late", "parameters": _schema, "strict": False, "defer_loading": True}
            ),
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
_responses_odd = st.one_of(
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

_audio = st.builds(
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
_bare = st.builds(
    lambda text: [{"type": "reasoning", "id": "rs_bare", "summary": [{"type": "summary_text", "text": text}]}], texts
)
"""What only a stored answer knows, and nothing that went through another format asks for storage."""

_messages_extras = optional(
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
            {"format": {"type": "json_schema", "schema": _form}},
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
                    "input_schema": _schema,
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
_messages_odd = st.one_of(
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
_WILD = {
    "chat": (_chat_extras, _chat_odd, "messages"),
    "responses": (_responses_extras, _responses_odd, "input"),
    "messages": (_messages_extras, _messages_odd, "messages"),
}


_ONE_WAY: Mapping[Mode, tuple[str, ...]] = {
    "chat": ("functions", "function_call"),
    "responses": (),
    # The SDK has dropped them, so they are not written to Messages; other formats are told.
    "messages": ("temperature", "top_p"),
}
"""Parameters that go out and do not come back."""
_ONE_WAY_ODD: Mapping[Mode, st.SearchStrategy[list[Json]]] = {
    "chat": _legacy,
    "responses": st.one_of(_audio, _bare),
}


def _may_break(before: Json, turn: Json) -> bool:
    asked = turn.get("role") == "user" and not _has_result(turn)
    return asked and not _has_result(before)


def _has_result(turn: Json) -> bool:
    content = turn.get("content")
    found = any(part.get("type") == "tool_result" for part in content) if isinstance(content, list) else False
    return found or turn.get("role") == "tool" or turn.get("type") == "function_call_output"


@st.composite
def bodies(draw: st.DrawFn, mode: Mode, *, comes_back: bool = False) -> Json:
    """A request of a format: a conversation, with what no other format has among and beside it.

    One that comes back has nothing in it that a chat caller may say and that is written anew for a chat hop.
    """
    extras, odd, field = _WILD[mode]
    if not comes_back and mode in _ONE_WAY_ODD:
        odd = st.one_of(odd, _ONE_WAY_ODD[mode])
    body = written(mode, fitted(draw(conversations), mode, hop=comes_back))
    turns = body[field]
    for number, group in enumerate(draw(st.lists(odd, max_size=2))):
        # Before a turn of the user, so that results stay behind their calls; behind one, so that turns stay apart.
        places = [at for at in range(1, len(turns)) if _may_break(turns[at - 1], turns[at])]
        if not places:
            break
        at = draw(st.sampled_from(places))
        turns[at:at] = [{"role": "user", "content": f"ask {number}"}, *copy.deepcopy(group)]
    body |= copy.deepcopy(draw(extras))
    if not body.get("tools"):
        body.pop("tool_choice", None)
    if comes_back:
        for name in _ONE_WAY[mode]:
            body.pop(name, None)
    return body


_chat_more = optional(
    system_fingerprint=texts,
    prompt_filter_results=st.builds(lambda text: [{"prompt_index": 0, "content_filter_results": {"x": text}}], texts),
    citations=st.builds(lambda text: [text], texts),
)
_responses_more = optional(
    billing=st.builds(lambda: {"payer": "developer"}),
    tool_usage=st.builds(lambda count: {"web_search": {"num_requests": count}}, st.integers(0, 3)),
    newest_field=texts,
)
_messages_more = optional(
    container=st.builds(lambda text: {"id": text, "expires_at": "2030-01-01T00:00:00Z"}, texts),
    stop_details=st.builds(lambda text: {"type": "refusal", "explanation": text}, texts),
    newest_field=texts,
)
_more_items = st.one_of(
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
_more_blocks = st.one_of(
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
_more_fields = optional(
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


@st.composite
def replies(draw: st.DrawFn, mode: Mode) -> Json:
    """A reply of a format: an answer, with what no other format has among and beside it."""
    reply = copy.deepcopy(answered(mode, said_by(draw(answers), mode)))
    if mode == "chat":
        choice = reply["choices"][0]
        choice["message"] |= copy.deepcopy(draw(_more_fields))
        if draw(st.booleans()):
            choice["content_filter_results"] = {"hate": {"filtered": False, "severity": draw(names)}}
        if draw(st.booleans()):
            reply["choices"].append(
                {**copy.deepcopy(choice), "index": 1, "message": {"role": "assistant", "content": draw(texts)}}
            )
        return reply | draw(_chat_more)
    field, odd, more = (
        ("output", _more_items, _responses_more) if mode == "responses" else ("content", _more_blocks, _messages_more)
    )
    for made in draw(st.lists(odd, max_size=3)):
        reply[field].insert(draw(st.integers(0, len(reply[field]))), copy.deepcopy(made))
    return reply | draw(more)
