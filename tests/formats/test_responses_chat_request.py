"""Responses request -> Chat request: the parameters and tools, what each becomes, and what comes back from there."""

import copy
import json
from collections import Counter

import pytest
from responses_input import CLOSED, OPEN, bridge, messages
from shared_files import recordings, schema

from chatsheet_llm.formats import responses_chat_tables as tables
from chatsheet_llm.formats.chat_responses_request import chat_to_responses
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_chat_request import responses_to_chat_request


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


def test_every_recorded_request_becomes_a_valid_one_or_lists_its_losses():
    is_chat = schema("CreateChatCompletionRequest")
    counts, wrong = Counter(), {}
    for row in recordings():
        if row["kind"] in ("openai-responses", "azure-responses") and row["op"] == "create":
            given = row["request"]["json"]
            before = json.dumps(given)
            made, losses = responses_to_chat_request(given)
            real = [loss.path for loss in losses if not loss.minor]
            counts["without real loss" if not real else "with"] += 1
            assert json.dumps(given) == before
            if row["response"]["status"] == 200 and (errors := is_chat(made)) and not real:
                wrong[row["id"]] = errors

    assert wrong == {}
    assert counts["without real loss"] > 150


def test_every_recorded_chat_request_comes_back_from_responses_as_it_was():
    same, moved = 0, Counter()
    for row in recordings():
        if row["kind"] not in ("openai-chat", "azure-chat"):
            continue
        try:
            there, lost = chat_to_responses(row["request"]["json"], {})
        except FormatError:
            continue
        back, losses = responses_to_chat_request(there)
        again, _ = chat_to_responses(back, {})
        moved.update(loss.path for loss in losses)
        if not losses:
            same += 1
            assert again == there, row["id"]
        gone = {loss.path.partition("[")[0].partition(".")[0] for loss in lost}
        if any("function_call" in message for message in row["request"]["json"]["messages"]):
            # A legacy call comes back as a tool call.
            gone.add("messages")
        assert plain(back, gone) == plain(row["request"]["json"], gone) or losses, row["id"]

    # Images in a tool's result, which OpenAI takes in a user's message only.
    assert sum(moved.values()) <= 2
    assert same > 400


def plain(body, gone):
    """A chat request with what chat itself takes for the same written in one way."""
    body = {name: value for name, value in copy.deepcopy(body).items() if value is not None and name not in gone}
    neutral = {"n": 1, "store": False, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0, "tools": []}
    body = {name: value for name, value in body.items() if not (name in neutral and value == neutral[name])}
    if "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    for name in ("stream_options", "functions", "function_call", "modalities", "logit_bias", "stop"):
        body.pop(name, None)
    if "tools" not in body or gone & {"functions"}:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    if gone & {"logprobs", "top_logprobs"} or not body.get("logprobs"):
        body.pop("top_logprobs", None)
    for tool in body.get("tools", []):
        function = tool.get("function") or {}
        function["strict"] = bool(function.get("strict"))
        if not (function.get("parameters") or {}).get("properties"):
            function.pop("parameters", None)
        tool["function"] = {name: value for name, value in function.items() if value is not None}
    if "json_schema" in body.get("response_format", {}):
        body["response_format"]["json_schema"].setdefault("strict", False)
    body["messages"] = [] if "messages" in gone else [spoken(message) for message in body["messages"]]
    return body


def spoken(message):
    message = {name: value for name, value in message.items() if value not in (None, "", [], {})}
    content = message.get("content")
    if message["role"] == "assistant" and isinstance(content, list) and len(content) == 1 and "text" in content[0]:
        message["content"] = content[0]["text"]
    for part in content if isinstance(content, list) else []:
        if part["type"] == "image_url":
            image = part["image_url"] if isinstance(part["image_url"], dict) else {"url": part["image_url"]}
            part["image_url"] = {name: value for name, value in image.items() if (name, value) != ("detail", "auto")}
    if message["role"] == "tool":
        # The call has the name, and the result repeats it.
        message.pop("name", None)
    for entry in message.get("tool_calls", []):
        entry.pop("index", None)
        entry["type"] = entry.get("type") or "function"
    return message
