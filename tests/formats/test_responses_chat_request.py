"""Responses request -> Chat request: what each parameter and tool becomes, and what of them is lost."""

import pytest
from responses_input import CLOSED, OPEN, bridge, messages
from shared_files import schema

from chatsheet_llm.formats import responses_chat_tables as tables


def test_the_smallest_request_gains_nothing():
    assert bridge() == ({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, [])


SAME = {
    "metadata": {"a": "b"},
    "moderation": {"model": "omni-moderation-latest"},
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "service_tier": "flex",
    "stop": ["END"],
    "store": True,
    "stream": False,
    "temperature": 0.0,
    "top_p": 0.5,
    "user": "u",
}


@pytest.mark.parametrize("name", SAME)
def test_a_parameter_that_both_have_passes_unchanged(name):
    made, losses = bridge(**{name: SAME[name]})

    assert made[name] == SAME[name]
    assert losses == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"max_output_tokens": 50}, {"max_completion_tokens": 50}),
        ({"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {"response_format": {"type": "text"}}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": OPEN, "strict": False}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": OPEN, "strict": False}}},
        ),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        (
            {"prompt_cache_options": {"mode": "explicit", "prewarm": False}},
            {"prompt_cache_options": {"mode": "explicit"}},
        ),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        (
            {"stream": True, "stream_options": {"include_obfuscation": False}},
            {"stream": True, "stream_options": {"include_obfuscation": False, "include_usage": True}},
        ),
        ({"stream_options": {"include_obfuscation": False}}, {"stream_options": {"include_obfuscation": False}}),
    ],
)
def test_a_parameter_takes_its_place(given, sent):
    made, losses = bridge(**given)

    assert {name: value for name, value in made.items() if name not in ("model", "messages")} == sent
    assert losses == []


@pytest.mark.parametrize(
    "given",
    [
        {"background": False},
        {"context_management": []},
        {"image": {"context_compression": "auto"}},
        {"include": []},
        {"instructions": ""},
        {"parallel_tool_calls": True},
        {"previous_response_id": None},
        {"reasoning": {"effort": None, "context": "auto", "mode": "standard"}},
        {"reasoning": {}},
        {"store": False},
        {"stop": []},
        {"text": {}},
        {"tool_choice": "auto"},
        {"tool_choice": "none", "tools": []},
        {"top_logprobs": 0},
        {"truncation": "disabled"},
    ],
)
def test_what_asks_for_nothing_is_neither_sent_nor_lost(given):
    made, losses = bridge(**given)

    assert (set(made), losses) == ({"model", "messages"}, [])


@pytest.mark.parametrize(
    ("given", "lost", "minor"),
    [
        ({"background": True}, "background", False),
        ({"conversation": "conv_1"}, "conversation", False),
        ({"image": {"context_compression": "enabled"}}, "image.context_compression", False),
        ({"include": ["reasoning.encrypted_content"]}, "include[0]", True),
        ({"include": ["file_search_call.results"]}, "include[0]", False),
        ({"include": ["new.thing"]}, "include[0]", False),
        ({"max_tool_calls": 3}, "max_tool_calls", False),
        ({"new_parameter": 1}, "new_parameter", False),
        ({"previous_response_id": "resp_1"}, "previous_response_id", False),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", False),
        (
            {"prompt_cache_options": {"comparison_response_id": "r"}},
            "prompt_cache_options.comparison_response_id",
            False,
        ),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context", True),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode", False),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary", False),
        ({"reasoning": {"new": 1}}, "reasoning.new", False),
        ({"stream_options": {"new": 1}}, "stream_options.new", False),
        ({"text": {"format": {"type": "grammar"}}}, "text.format", False),
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice", False),
        ({"tools": [{"type": "web_search"}]}, "tools[0]", False),
        ({"tools": [{"type": "custom", "name": "c", "defer_loading": True}]}, "tools[0].defer_loading", False),
        (
            {"tools": [{"type": "custom", "name": "c", "allowed_callers": ["programmatic"]}]},
            "tools[0].allowed_callers",
            False,
        ),
        ({"stop": list("abcde")}, "stop", False),
        ({"top_logprobs": 3}, "top_logprobs", False),
        ({"truncation": "auto"}, "truncation", False),
    ],
)
def test_what_chat_cannot_hold_is_listed(given, lost, minor):
    _, losses = bridge(**given)

    assert [(loss.path, loss.minor) for loss in losses] == [(lost, minor)]


def test_as_many_stop_sequences_as_chat_takes_pass():
    most = {"stop": ["x"] * tables.MOST_STOPS}
    is_valid = schema("CreateChatCompletionRequest")

    assert bridge(**most)[0]["stop"] == most["stop"]
    assert bridge(stop="x")[0]["stop"] == "x"
    assert is_valid(bridge(**most)[0]) == []
    assert is_valid({**bridge()[0], "stop": [*most["stop"], "x"]}) != []


def test_instructions_are_the_first_system_message():
    made, _ = messages({"role": "developer", "content": "D"}, {"role": "user", "content": "U"}, instructions="I")

    assert [(message["role"], message["content"]) for message in made] == [
        ("system", "I"),
        ("developer", "D"),
        ("user", "U"),
    ]


@pytest.mark.parametrize(
    ("schema_given", "strict", "schema_sent", "lost"),
    [
        (CLOSED, True, CLOSED, []),
        ({**OPEN, "required": ["a"]}, True, CLOSED, []),
        (OPEN, False, OPEN, ["tools[0].strict"]),
        (
            {**CLOSED, "additionalProperties": True},
            False,
            {**CLOSED, "additionalProperties": True},
            ["tools[0].strict"],
        ),
        ({"oneOf": [CLOSED]}, False, {"oneOf": [CLOSED]}, ["tools[0].strict"]),
        ({**OPEN, "required": [{"a": 1}]}, False, {**OPEN, "required": [{"a": 1}]}, ["tools[0].strict"]),
        ({**OPEN, "required": [["a"], "a"]}, True, {**CLOSED, "required": [["a"], "a"]}, []),
        (
            {
                "type": "object",
                "properties": {"a": {"anyOf": [{"type": "null"}, {**OPEN, "required": ["a"]}]}},
                "required": ["a"],
            },
            True,
            {
                "type": "object",
                "properties": {"a": {"anyOf": [{"type": "null"}, CLOSED]}},
                "required": ["a"],
                "additionalProperties": False,
            },
            [],
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": OPEN}}, "required": ["a"]},
            False,
            {"type": "object", "properties": {"a": {"type": "array", "items": OPEN}}, "required": ["a"]},
            ["tools[0].strict"],
        ),
    ],
)
def test_an_absent_strict_is_spelt_out_as_responses_means_it(schema_given, strict, schema_sent, lost):
    made, losses = bridge(tools=[{"type": "function", "name": "f", "parameters": schema_given}])

    assert made["tools"][0]["function"] == {"name": "f", "parameters": schema_sent, "strict": strict}
    assert [(loss.path, loss.minor) for loss in losses] == [(path, True) for path in lost]


@pytest.mark.parametrize("strict", [True, False])
def test_an_explicit_strict_leaves_the_schema_alone(strict):
    made, losses = bridge(tools=[{"type": "function", "name": "f", "parameters": OPEN, "strict": strict}])

    assert made["tools"] == [{"type": "function", "function": {"name": "f", "parameters": OPEN, "strict": strict}}]
    assert losses == []


def test_an_absent_strict_of_a_format_is_spelt_out_too():
    made, _ = bridge(text={"format": {"type": "json_schema", "name": "n", "schema": CLOSED, "description": "d"}})

    assert made["response_format"]["json_schema"] == {"name": "n", "schema": CLOSED, "description": "d", "strict": True}


def test_custom_tools_and_choices_are_nested():
    grammar = {"syntax": "lark", "definition": "start: A"}
    tools = [
        {"type": "custom", "name": "c", "description": "d", "format": {"type": "grammar", **grammar}},
        {"type": "custom", "name": "t", "format": {"type": "text"}},
    ]
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "c"}, {"type": "mcp"}]}
    made, losses = bridge(tools=tools, tool_choice=choice, parallel_tool_calls=False)

    assert made["tools"] == [
        {
            "type": "custom",
            "custom": {"name": "c", "description": "d", "format": {"type": "grammar", "grammar": grammar}},
        },
        {"type": "custom", "custom": {"name": "t", "format": {"type": "text"}}},
    ]
    assert made["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "c"}}]},
    }
    assert made["parallel_tool_calls"] is False
    assert [loss.path for loss in losses] == ["tool_choice.tools[1]"]
