"""Chat request -> Responses request: what each parameter becomes, what is listed as lost, what is refused."""

import copy

import pytest
from bridge_requests import USER, bridge, paths, tool_call

from chatsheet_llm.formats.chat_responses_request import CHAT_PARAMETERS, chat_to_responses
from chatsheet_llm.formats.errors import FormatError


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


@pytest.mark.parametrize("name", sorted(set(CHAT_PARAMETERS) - {"messages", "model", "store"}))
def test_null_is_no_input(name):
    assert bridge(**{name: None}) == bridge()


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
