"""Chat request -> Responses request: what each input becomes, what is listed as lost, what is refused."""

import copy

import pytest

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_request import CHAT_PARAMETERS, chat_to_responses
from chatsheet_llm.formats.compose import origin
from chatsheet_llm.formats.errors import FormatError

USER = {"role": "user", "content": "Hi"}


def bridge(**body):
    return chat_to_responses({"model": "m", "messages": [USER], **body})


def items(*messages, **body):
    result, losses = chat_to_responses({"model": "m", "messages": list(messages), **body})
    return result["input"], losses


def tool_call(call_id, name="f", arguments="{}"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def paths(losses):
    assert {loss.format for loss in losses} <= {"responses"}
    assert all(loss.reason for loss in losses)
    return [loss.path for loss in losses]


def test_the_smallest_request_only_gains_the_opposite_default_of_store():
    assert bridge() == ({"model": "m", "input": [{"type": "message", **USER}], "store": False}, [])


SAME = {
    "metadata": {"a": "b"},
    "moderation": {"model": "omni-moderation-latest"},
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "service_tier": "flex",
    "store": True,
    "stream": True,
    "temperature": 0.0,
    "top_p": 0.5,
    "user": "u",
}


@pytest.mark.parametrize("name", SAME)
def test_a_parameter_that_both_have_passes_unchanged(name):
    body, losses = bridge(**{name: SAME[name]})

    assert body[name] == SAME[name]
    assert losses == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"max_tokens": 16}, {"max_output_tokens": 16}),
        ({"max_completion_tokens": 50}, {"max_output_tokens": 50}),
        ({"max_completion_tokens": 50, "max_tokens": 50}, {"max_output_tokens": 50}),
        ({"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"logprobs": True}, {"include": ["message.output_text.logprobs"]}),
        ({"logprobs": True, "top_logprobs": 3}, {"include": ["message.output_text.logprobs"], "top_logprobs": 3}),
        ({"stream_options": {"include_usage": True}}, {}),
        ({"stream_options": {"include_obfuscation": False}}, {"stream_options": {"include_obfuscation": False}}),
        ({"response_format": {"type": "text"}}, {"text": {"format": {"type": "text"}}}),
        (
            {"response_format": {"type": "json_object"}, "verbosity": "low"},
            {"text": {"format": {"type": "json_object"}, "verbosity": "low"}},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": False}}},
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "description": "d", "schema": {}, "strict": True},
                }
            },
            {
                "text": {
                    "format": {"type": "json_schema", "name": "n", "description": "d", "schema": {}, "strict": True}
                }
            },
        ),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "function", "name": "f"}},
        ),
        (
            {"tool_choice": {"type": "custom", "custom": {"name": "c"}}},
            {"tool_choice": {"type": "custom", "name": "c"}},
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [
                            {"type": "function", "function": {"name": "f"}},
                            {"type": "custom", "custom": {"name": "c"}},
                        ],
                    },
                }
            },
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}],
                }
            },
        ),
    ],
    ids=str,
)
def test_a_parameter_with_another_name_or_shape_is_mapped_whole(given, sent):
    body, losses = bridge(**given)

    assert {key: value for key, value in body.items() if key not in ("model", "input", "store")} == sent
    assert losses == []


@pytest.mark.parametrize(
    ("function", "flat"),
    [
        ({"name": "f"}, {"parameters": {"type": "object", "properties": {}}, "strict": False}),
        (
            {"name": "f", "strict": True},
            {"parameters": {"type": "object", "properties": {}, "additionalProperties": False}, "strict": True},
        ),
        ({"name": "f", "strict": None, "parameters": {"a": 1}}, {"parameters": {"a": 1}, "strict": False}),
        (
            {"name": "f", "description": "d", "strict": True, "parameters": {"a": 1}},
            {"description": "d", "parameters": {"a": 1}, "strict": True},
        ),
    ],
    ids=str,
)
def test_a_function_tool_is_flat_and_says_whether_it_is_strict(function, flat):
    body, losses = bridge(tools=[{"type": "function", "function": function}])

    assert body["tools"] == [{"type": "function", "name": "f", **flat}]
    assert losses == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "text"}, {"type": "text"}),
        (
            {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}},
            {"type": "grammar", "syntax": "lark", "definition": "start: A"},
        ),
    ],
    ids=str,
)
def test_the_grammar_of_a_custom_tool_is_flattened(given, sent):
    body, losses = bridge(tools=[{"type": "custom", "custom": {"name": "c", "description": "d", "format": given}}])

    assert body["tools"] == [{"type": "custom", "name": "c", "description": "d", "format": sent}]
    assert losses == []


LOST = {
    "audio": {"voice": "alloy", "format": "wav"},
    "frequency_penalty": 0.5,
    "logit_bias": {"1": 5},
    "modalities": ["text", "audio"],
    "n": 2,
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": -1,
    "seed": 0,
    "stop": "END",
    "web_search_options": {},
    "no_such_parameter": 1,
}


@pytest.mark.parametrize("name", LOST)
def test_a_parameter_without_a_place_is_listed_and_not_sent(name):
    body, losses = bridge(**{name: LOST[name]})

    assert paths(losses) == [name]
    assert set(body) == {"model", "input", "store"}


def test_every_lossy_row_of_the_table_is_tried():
    assert {name for name, rule in CHAT_PARAMETERS.items() if rule.how == "loss"} == set(LOST) - {"no_such_parameter"}


@pytest.mark.parametrize("name", sorted(set(CHAT_PARAMETERS) - {"messages", "store"}))
def test_null_is_no_input(name):
    assert bridge(**{name: None}) == bridge() or name == "model"


@pytest.mark.parametrize(
    "given",
    [
        {"n": 1},
        {"stop": []},
        {"frequency_penalty": 0},
        {"presence_penalty": 0.0},
        {"logit_bias": {}},
        {"modalities": ["text"]},
        {"logprobs": False},
        {"top_logprobs": 0},
        {"store": None},
        {"made_up": None},
    ],
    ids=str,
)
def test_a_default_asks_for_nothing(given):
    assert bridge(**given) == bridge()


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"max_tokens": 50, "max_completion_tokens": 60}, "max_tokens"),
        ({"max_tokens": 15}, "max_tokens"),
        ({"max_completion_tokens": 1}, "max_completion_tokens"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stream_options": {"other": 1}}, "stream_options.other"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "x": 1}}},
            "response_format.json_schema.x",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "cache_control": 1}}]},
            "tools[0].function.cache_control",
        ),
        ({"function_call": "none", "tool_choice": "auto"}, "function_call"),
    ],
    ids=str,
)
def test_what_has_no_place_inside_a_parameter_is_listed_by_its_path(given, path):
    assert paths(bridge(**given)[1]) == [path]


@pytest.mark.parametrize(
    "limit", [{"max_tokens": 5}, {"max_completion_tokens": 5}, {"max_tokens": 5, "max_completion_tokens": 5}], ids=str
)
def test_a_limit_that_is_too_small_for_responses_is_not_sent_but_on_the_way_to_another_format(limit):
    body, losses = bridge(**limit)
    pivot, none = chat_to_responses({"messages": [USER], **limit}, {})

    assert "max_output_tokens" not in body
    assert paths(losses) == list(limit)
    assert not any(loss.minor for loss in losses)
    assert (pivot["max_output_tokens"], none) == (5, [])


def test_legacy_functions_become_tools_and_the_change_of_the_answer_is_listed():
    body, losses = bridge(functions=[{"name": "f", "parameters": {}}], function_call={"name": "f"})

    assert body["tools"] == [{"type": "function", "name": "f", "parameters": {}, "strict": False}]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["parallel_tool_calls"] is False
    assert paths(losses) == ["functions"]


def test_roles_and_order_of_system_and_developer_messages_are_kept():
    messages = [
        {"role": "system", "content": "S1"},
        {"role": "developer", "content": [{"type": "text", "text": "D1"}, {"type": "text", "text": "D2"}]},
        USER,
        {"role": "assistant", "content": "Hello"},
        {"role": "system", "content": "S2"},
    ]
    sent, losses = items(*messages)

    assert [(item["role"], item["content"]) for item in sent] == [
        ("system", "S1"),
        ("developer", [{"type": "input_text", "text": "D1"}, {"type": "input_text", "text": "D2"}]),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("system", "S2"),
    ]
    assert losses == []


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "text", "text": "t"}, {"type": "input_text", "text": "t"}),
        (
            {"type": "text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://i.example"}},
            {"type": "input_image", "image_url": "https://i.example", "detail": "auto"},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
            {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
        ),
        (
            {"type": "image_url", "image_url": "https://i.example"},
            {"type": "input_image", "image_url": "https://i.example", "detail": "auto"},
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, {"type": "input_file", "file_id": "file-1"}),
        (
            {"type": "file", "file": {"file_data": "data:x", "filename": "a.pdf", "file_id": None}},
            {"type": "input_file", "file_data": "data:x", "filename": "a.pdf"},
        ),
    ],
    ids=str,
)
def test_a_content_part_keeps_all_it_says(part, sent):
    assert items({"role": "user", "content": [part]}) == ([{"type": "message", "role": "user", "content": [sent]}], [])
    output, losses = items(
        {"role": "assistant", "tool_calls": [tool_call("c1")]},
        {"role": "tool", "tool_call_id": "c1", "content": [part]},
    )
    assert output[1]["output"] == [sent]
    assert losses == []


def test_audio_input_is_listed_and_a_message_of_nothing_else_is_not_sent_empty():
    audio = {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
    words = {"type": "text", "text": "t"}
    sent, losses = items({"role": "user", "content": [audio]}, {"role": "user", "content": [words, audio]})

    assert [item["content"] for item in sent] == [[{"type": "input_text", "text": "t"}]]
    assert paths(losses) == ["messages[0].content[0]", "messages[1].content[1]"]


def test_an_assistant_turn_with_text_and_calls_stays_in_order():
    sent, losses = items(
        USER,
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [tool_call("c1", "a", "{}"), tool_call("c2", "b", "[]")],
        },
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        {"role": "tool", "tool_call_id": "c1", "content": ""},
    )

    assert sent[1:] == [
        {"type": "message", "role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "b", "arguments": "[]"},
        {"type": "function_call_output", "call_id": "c2", "output": "2"},
        {"type": "function_call_output", "call_id": "c1", "output": ""},
    ]
    assert losses == []


@pytest.mark.parametrize("content", [None, ""])
def test_an_assistant_turn_of_calls_alone_sends_no_empty_text(content):
    sent, _ = items({"role": "assistant", "content": content, "tool_calls": [tool_call("c1")]})

    assert [item["type"] for item in sent] == ["function_call"]


def test_a_custom_tool_call_is_answered_as_a_custom_tool_call():
    call = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    sent, losses = items(
        {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "a.txt"}
    )

    assert sent == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "shell", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "a.txt"},
    ]
    assert losses == []


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ],
    ids=["field", "part"],
)
def test_a_refusal_stays_a_refusal(message):
    sent, losses = items(message)

    assert sent[0]["content"] == [{"type": "refusal", "refusal": "No."}]
    assert sent[0]["id"].startswith("msg_")
    assert losses == []


def test_legacy_function_messages_are_paired_by_name():
    call = {"name": "f", "arguments": "{}"}
    sent, losses = items(
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "function", "name": "f", "content": "2"},
    )

    assert sent == [
        {"type": "function_call", "call_id": "call_legacy_0", **call},
        {"type": "function_call_output", "call_id": "call_legacy_0", "output": "1"},
    ]
    assert paths(losses) == ["messages[2]"]


def test_the_id_that_a_legacy_call_gets_is_nobody_else_s():
    sent, _ = items(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "assistant", "content": None, "tool_calls": [tool_call("call_1")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
    )

    assert [item["call_id"] for item in sent[1:]] == ["call_legacy_1", "call_legacy_1", "call_1", "call_1"]


CACHED = {"cache_control": {"type": "ephemeral"}}
TEXT = {"type": "text", "text": "t"}


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ([{"role": "system", "content": [TEXT | CACHED]}], "messages[0].content[0]"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}} | CACHED]}],
            "messages[0].content[0]",
        ),
        (
            [{"role": "user", "content": [TEXT, {"type": "file", "file": {"file_id": "f"}} | CACHED]}],
            "messages[0].content[1]",
        ),
        ([{"role": "assistant", "content": [TEXT | CACHED]}], "messages[0].content[0]"),
        (
            [
                {"role": "assistant", "tool_calls": [tool_call("c1")]},
                {"role": "tool", "tool_call_id": "c1", "content": [TEXT | CACHED]},
            ],
            "messages[1].content[0]",
        ),
        ([USER | CACHED], "messages[0]"),
        ([{"role": "assistant", "tool_calls": [tool_call("c1") | CACHED]}], "messages[0].tool_calls[0]"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_mark_for_the_cache_of_messages_blocks_nothing(messages, path):
    sent, losses = items(*messages)

    assert paths(losses) == [f"{path}.cache_control"]
    assert all(loss.minor for loss in losses)
    assert "cache" not in str(sent)


def test_a_mark_for_the_cache_on_a_tool_blocks_nothing():
    tool = {"type": "function", "function": {"name": "f"} | CACHED} | CACHED
    _, losses = bridge(tools=[tool])

    assert sorted(paths(losses)) == ["tools[0].cache_control", "tools[0].function.cache_control"]
    assert all(loss.minor for loss in losses)


@pytest.mark.parametrize(
    ("marks", "lost"),
    [
        (CACHED, []),
        ({"cache_control": {"type": "ephemeral", "ttl": "5m"}}, []),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, ["messages[0].content[0].cache_control.ttl"]),
        (CACHED | {"prompt_cache_breakpoint": {"mode": "explicit"}}, ["messages[0].content[0].cache_control"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_a_mark_for_the_cache_goes_along_to_messages(role, marks, lost):
    places = {}
    body, losses = chat_to_responses({"messages": [{"role": role, "content": [TEXT | marks]}]}, places)

    assert body["input"][0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert places["input[0].content[0].prompt_cache_breakpoint"] == "messages[0].content[0].cache_control"
    assert paths(losses) == lost
    assert all(loss.minor for loss in losses)


def test_a_mark_for_the_cache_of_an_unknown_kind_is_listed_and_goes_nowhere():
    message = {"role": "user", "content": [TEXT | {"cache_control": {"type": "eternal"}}]}
    body, losses = chat_to_responses({"messages": [message]}, {})

    assert body["input"][0]["content"] == [{"type": "input_text", "text": "t"}]
    assert paths(losses) == ["messages[0].content[0].cache_control"]


IMAGE = {"type": "image_url", "image_url": {"url": "u", "detail": "low"}}


@pytest.mark.parametrize(
    ("message", "path", "told"),
    [
        ({"role": "user", "content": [IMAGE]}, "input[0].content[0].detail", "content[0].image_url.detail"),
        ({"role": "user", "content": [IMAGE]}, "input[0].content[0].image_url", "content[0].image_url.url"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "u"}]},
            "input[0].content[0].image_url",
            "content[0].image_url",
        ),
        (
            {"role": "user", "content": [TEXT, {"type": "file", "file": {"file_data": "d"}}]},
            "input[0].content[1].file_data",
            "content[1].file.file_data",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}, IMAGE]},
            "input[0].content[0].detail",
            "content[1].image_url.detail",
        ),
        (
            {"role": "tool", "tool_call_id": "c", "content": [IMAGE]},
            "input[0].output[0].detail",
            "content[0].image_url.detail",
        ),
        ({"role": "tool", "tool_call_id": "c", "content": "x"}, "input[0].output", "content"),
        ({"role": "tool", "tool_call_id": "c", "content": "x"}, "input[0].call_id", "tool_call_id"),
        (
            {"role": "assistant", "tool_calls": [tool_call("c")]},
            "input[0].arguments",
            "tool_calls[0].function.arguments",
        ),
        ({"role": "assistant", "tool_calls": [tool_call("c")]}, "input[0].call_id", "tool_calls[0].id"),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "n", "input": "i"}}]},
            "input[0].input",
            "tool_calls[0].custom.input",
        ),
        (
            {"role": "assistant", "content": "a", "function_call": {"name": "f", "arguments": "{}"}},
            "input[1].arguments",
            "function_call.arguments",
        ),
        ({"role": "assistant", "content": None, "refusal": "No."}, "input[0].content[0]", "refusal"),
        ({"role": "assistant", "content": None, "refusal": "No."}, "input[0].content[0].refusal", "refusal"),
        ({"role": "assistant", "content": "Well.", "refusal": "No."}, "input[0].content[0].text", "content"),
        ({"role": "assistant", "content": [TEXT, TEXT], "refusal": "No."}, "input[0].content[2]", "refusal"),
        ({"role": "assistant", "content": [TEXT, TEXT]}, "input[0].content[1].text", "content[1].text"),
    ],
    ids=str,
)
def test_where_each_thing_stood_is_told_in_the_caller_s_own_words(message, path, told):
    places = {}
    chat_to_responses({"messages": [message]}, places)

    assert origin(path, places) == f"messages[0].{told}"


@pytest.mark.parametrize(
    ("given", "path", "told"),
    [
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice.name",
            "tool_choice.function.name",
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
            "tool_choice.mode",
            "tool_choice.allowed_tools.mode",
        ),
        ({"function_call": "auto", "tool_choice": "none"}, "tool_choice", "tool_choice"),
        ({"function_call": "auto"}, "tool_choice", "function_call"),
        ({"max_tokens": 9, "max_completion_tokens": 8}, "max_output_tokens", "max_completion_tokens"),
        ({"max_tokens": 9}, "max_output_tokens", "max_tokens"),
        ({}, "input", "messages"),
    ],
    ids=str,
)
def test_where_a_setting_stood_is_told_in_the_caller_s_own_words(given, path, told):
    places = {}
    chat_to_responses({"messages": [USER], **given}, places)

    assert origin(path, places) == told


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({**USER, "name": "bob"}, "messages[0].name"),
        ({**USER, "cache_control": {"type": "ephemeral"}}, "messages[0].cache_control"),
        ({"role": "assistant", "content": "a", "audio": {"id": "a1"}}, "messages[0].audio"),
        ({"role": "assistant", "content": "a", "reasoning_content": "hm"}, "messages[0].reasoning_content"),
        ({"role": "tool", "tool_call_id": "c1", "content": "x", "name": "f"}, "messages[0].name"),
        (
            {"role": "user", "content": [{"type": "text", "text": "t", "cache_control": {"a": 1}}]},
            "messages[0].content[0].cache_control",
        ),
        (
            {"role": "assistant", "tool_calls": [tool_call("c1") | {"extra_content": {"a": 1}}]},
            "messages[0].tool_calls[0].extra_content",
        ),
    ],
    ids=str,
)
def test_what_a_message_cannot_carry_is_listed_by_its_path(message, path):
    assert paths(items(message)[1]) == [path]


def test_the_name_of_a_tool_result_is_no_loss_where_its_call_says_the_same():
    _, losses = items(
        {"role": "assistant", "tool_calls": [tool_call("c1", "f")]},
        {"role": "tool", "tool_call_id": "c1", "content": "x", "name": "f"},
    )

    assert losses == []


def test_a_reply_handed_back_returns_its_sealed_reasoning_and_blocks_nothing():
    reply = {
        "id": "resp_1",
        "status": "completed",
        "model": "m",
        "created_at": 1,
        "output": [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "s"}],
                "encrypted_content": "E",
            },
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {
                "type": "message",
                "role": "assistant",
                "phase": "commentary",
                "content": [{"type": "output_text", "text": "Wait."}],
            },
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "namespace": "ns"},
        ],
    }
    message = responses_to_chat(reply)[0]["choices"][0]["message"]
    sent, losses = items(USER, message, {"role": "tool", "tool_call_id": "c1", "content": "x"})

    assert sent[1:] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "E"},
        {"type": "message", "role": "assistant", "content": "Wait.", "phase": "commentary"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "namespace": "ns"},
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
    ]
    assert {loss.path for loss in losses} == {"messages[1].provider_items", "messages[1].reasoning_content"}
    assert all(loss.minor for loss in losses)


SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E"}


@pytest.mark.parametrize(
    "followed", [{"content": "a"}, {"refusal": "No."}, {"tool_calls": [tool_call("c1")], "content": ""}], ids=str
)
def test_sealed_reasoning_returns_without_its_id_before_what_followed_it(followed):
    sent, losses = items(USER, {"role": "assistant", **followed, "reasoning_items": [SEALED]})

    assert sent[1] == {"type": "reasoning", "summary": [], "encrypted_content": "E"}
    assert len(sent) == 3
    assert losses == []


def test_sealed_reasoning_keeps_its_id_on_the_way_to_another_format():
    body, _ = chat_to_responses({"messages": [{"role": "assistant", "content": "a", "reasoning_items": [SEALED]}]}, {})

    assert body["input"][0] == SEALED


@pytest.mark.parametrize("content", [None, ""])
@pytest.mark.parametrize("places", [None, {}], ids=["", "pivot"])
def test_reasoning_that_nothing_follows_does_not_return_and_its_turn_stays(content, places):
    message = {"role": "assistant", "content": content, "reasoning_items": [SEALED]}
    body, losses = chat_to_responses({"messages": [USER, message, USER]}, places)

    assert [item.get("role") for item in body["input"]] == ["user", "assistant", "user"]
    assert paths(losses) == ["messages[1].reasoning_items[0]"]
    assert all(loss.minor for loss in losses)


@pytest.mark.parametrize("store", [True, False])
def test_reasoning_without_its_seal_does_not_return(store):
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    sent, losses = items({"role": "assistant", "content": "a", "reasoning_items": [item]}, store=store)

    assert [entry["type"] for entry in sent] == ["message"]
    assert paths(losses) == ["messages[0].reasoning_items[0]"]
    assert all(loss.minor for loss in losses)


@pytest.mark.parametrize("wish", [{"stop": ["x"]}, {"messages": [{**USER, "name": "n"}]}, {"tools": [{"type": "x"}]}])
def test_what_the_caller_asked_for_is_no_minor_loss(wish):
    _, losses = bridge(**wish)

    assert losses
    assert not any(loss.minor for loss in losses)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": "m"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [USER, {"role": "critic", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "mcp"}]}]},
            "messages[0].tool_calls[0].type",
        ),
        ({"messages": [USER], "tools": {}}, "tools"),
        ({"messages": [USER], "tools": [{"type": "function"}]}, "tools[0].function"),
        ({"messages": [USER], "tool_choice": {"type": "any"}}, "tool_choice.type"),
    ],
    ids=str,
)
def test_a_malformed_request_is_refused_by_its_path(body, path):
    with pytest.raises(FormatError) as raised:
        chat_to_responses(body)

    assert raised.value.path == path
    assert path in str(raised.value)


def test_the_request_is_never_changed():
    body = {
        "model": "m",
        "messages": [
            USER,
            {"role": "assistant", "tool_calls": [tool_call("c1")]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "strict": None}}],
        "functions": [{"name": "g"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    }
    before = copy.deepcopy(body)
    chat_to_responses(body)

    assert body == before
