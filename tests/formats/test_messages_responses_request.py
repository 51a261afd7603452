"""Messages request -> Responses request: parameters and tools, what each becomes, what is lost, what is refused."""

import hashlib
import json

import pytest
from messages_turns import MARK, SCHEMA, TOOL, USER, bridge, items, paths, text, tool_use
from shared_files import schema

from chatsheet_llm.formats import messages_responses_tables
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.messages_responses_request import messages_to_responses

# --- parameters ------------------------------------------------------------------------------------------------------


def test_the_smallest_request_only_gains_the_opposite_default_of_store():
    body, losses = bridge()

    assert body == {
        "model": "m",
        "max_output_tokens": 100,
        "input": [{"type": "message", **USER}],
        "store": False,
    }
    assert losses == []


BECOMES = [
    ({"max_tokens": 16}, {"max_output_tokens": 16}),
    ({"metadata": {"user_id": "u"}}, {"safety_identifier": "u"}),
    ({"output_config": {"effort": "max"}}, {"reasoning": {"effort": "max"}}),
    ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ({"service_tier": "standard_only"}, {"service_tier": "default"}),
    ({"stream": True}, {"stream": True}),
    ({"system": "Be brief"}, {"instructions": "Be brief"}),
    ({"temperature": 0.0}, {"temperature": 0.0}),
    ({"thinking": {"type": "disabled"}}, {"reasoning": {"effort": "none"}}),
    ({"thinking": {"type": "adaptive", "display": "summarized"}}, {"reasoning": {"summary": "auto"}}),
    ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
    ({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}),
    ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
    ({"tool_choice": {"type": "tool", "name": "f"}}, {"tool_choice": {"type": "function", "name": "f"}}),
    (
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tool_choice": "auto", "parallel_tool_calls": False},
    ),
    ({"top_p": 0.5}, {"top_p": 0.5}),
]


@pytest.mark.parametrize(("given", "wanted"), BECOMES, ids=lambda value: json.dumps(value)[:60])
def test_a_parameter_becomes_what_says_the_same(given, wanted):
    body, losses = bridge(**given)

    assert {name: body[name] for name in wanted} == wanted
    assert losses == []


NEUTRAL = [
    {"container": None},
    {"mcp_servers": []},
    {"metadata": {"user_id": None}},
    {"output_config": {}},
    {"speed": "standard"},
    {"stop_sequences": []},
    {"system": []},
    {"thinking": {"type": "adaptive"}},
    {"thinking": {"type": "adaptive", "display": "omitted"}},
    {"tools": []},
    {"top_k": None},
]


@pytest.mark.parametrize("given", NEUTRAL, ids=json.dumps)
def test_a_value_that_asks_for_nothing_more_is_neither_sent_nor_lost(given):
    body, losses = bridge(**given)
    body.pop("include", None)

    assert body == bridge()[0]
    assert losses == []


LOST = [
    ({"anything": 1}, "anything"),
    ({"container": "c"}, "container"),
    ({"context_management": {"edits": [{"type": "x"}]}}, "context_management"),
    ({"diagnostics": {"previous_message_id": "m"}}, "diagnostics"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 15}, "max_tokens"),
    ({"mcp_servers": [{"name": "s"}]}, "mcp_servers"),
    ({"metadata": {"team": "t"}}, "metadata.team"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ({"output_config": {"task_budget": {"total": 1}}}, "output_config.task_budget"),
    ({"service_tier": "batch"}, "service_tier"),
    ({"speed": "fast"}, "speed"),
    ({"stop_sequences": ["."]}, "stop_sequences"),
    ({"thinking": {"type": "between_tools"}}, "thinking"),
    ({"thinking": {"type": "dreaming"}}, "thinking"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking.budget_tokens"),
    ({"thinking": {"type": "adaptive", "display": "updates"}}, "thinking.display"),
    ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, "output_config.effort"),
    ({"tool_choice": {"type": "dice"}}, "tool_choice"),
    ({"top_k": 5}, "top_k"),
]


@pytest.mark.parametrize(("given", "path"), LOST, ids=lambda value: json.dumps(value)[:60])
def test_what_responses_cannot_do_is_listed_and_not_sent(given, path):
    body, losses = bridge(**given)

    assert paths(losses) == [path]
    assert set(body) <= {"model", "max_output_tokens", "input", "store", "include", "reasoning"}


def test_the_least_limit_is_the_one_of_the_wire_schema_and_a_pivot_carries_less():
    is_valid = schema("CreateResponse")
    least = messages_responses_tables.LEAST_TOKENS

    assert is_valid({"model": "m", "input": "Hi", "max_output_tokens": least}) == []
    assert is_valid({"model": "m", "input": "Hi", "max_output_tokens": least - 1}) != []
    assert messages_to_responses({"max_tokens": 5, "messages": [USER]}, {})[0]["max_output_tokens"] == 5


@pytest.mark.parametrize("places", [None, {}], ids=["hop", "pivot"])
def test_a_user_id_that_is_too_long_goes_as_its_digest(places):
    longest = messages_responses_tables.LONGEST_USER
    given = {"messages": [USER], "metadata": {"user_id": "ü" * (longest + 1)}}
    body, losses = messages_to_responses(given, places)
    fitting, none = messages_to_responses({**given, "metadata": {"user_id": "ü" * longest}}, places)

    assert body["safety_identifier"] == hashlib.sha256(("ü" * (longest + 1)).encode()).hexdigest()
    assert paths(losses, minor=True) == ["metadata.user_id"]
    assert (fitting["safety_identifier"], none) == ("ü" * longest, [])
    for name in ("CreateResponse", "CreateChatCompletionRequest"):
        told = {"model": "m", "input": "Hi", "messages": [USER]}
        assert schema(name)(told | {"safety_identifier": body["safety_identifier"]}) == []
        assert schema(name)(told | {"safety_identifier": "x" * (longest + 1)}) != []


def test_a_cache_mark_on_the_whole_request_is_a_minor_loss_as_responses_marks_its_end_by_itself():
    body, losses = bridge(cache_control={"type": "ephemeral", "ttl": "1h"})

    assert paths(losses, minor=True) == ["cache_control"]
    assert body == bridge()[0]


@pytest.mark.parametrize("given", ["output_config", "output_format"])
def test_a_schema_for_the_answer_is_named_and_strict_as_messages_always_keeps_to_it(given):
    wanted = {"type": "json_schema", "schema": SCHEMA}
    body, losses = bridge(**{given: {"format": wanted} if given == "output_config" else wanted})

    assert body["text"] == {
        "format": {"type": "json_schema", "name": "response_format", "schema": SCHEMA, "strict": True}
    }
    assert losses == []


def test_of_two_different_formats_the_old_parameter_is_lost():
    one, other = ({"type": "json_schema", "schema": schema} for schema in (SCHEMA, {"type": "array"}))

    assert paths(bridge(output_config={"format": one}, output_format=other)[1]) == ["output_format"]
    assert bridge(output_config={"format": one}, output_format=one)[1] == []


SEALED = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "d"}, text("A")]}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, False),
        ({"thinking": {"type": "adaptive"}}, True),
        ({"thinking": {"type": "enabled"}}, True),
        ({"output_config": {"effort": "low"}}, True),
        ({"messages": [USER, SEALED, USER]}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, False),
    ],
    ids=json.dumps,
)
def test_seals_are_asked_for_where_the_caller_thinks_as_other_models_refuse_to_give_them(given, asked):
    assert bridge(**given)[0].get("include") == (["reasoning.encrypted_content"] if asked else None)


def test_a_pivot_carries_stop_sequences_and_asks_for_no_seals():
    places = {}
    given = {"stop_sequences": ["."], "thinking": {"type": "adaptive"}}
    body, losses = messages_to_responses({"model": "m", "messages": [USER], **given}, places)

    assert body["stop"] == ["."]
    assert "include" not in body
    assert places["stop"] == "stop_sequences"
    assert losses == []


# --- tools -----------------------------------------------------------------------------------------------------------


def test_a_tool_becomes_a_function_that_is_not_strict_unless_it_says_so():
    flat = {"type": "function", "name": "f", "parameters": SCHEMA}
    deferred = {**TOOL, "type": "custom", "strict": True, "description": "d", "defer_loading": True}
    body, losses = bridge(tools=[TOOL, deferred])

    assert body["tools"] == [
        {**flat, "strict": False},
        {**flat, "strict": True, "description": "d", "defer_loading": True},
    ]
    assert losses == []


def test_what_a_function_has_not_is_listed_and_a_hint_is_minor():
    neutral = {"allowed_callers": ["direct"], "eager_input_streaming": True, "defer_loading": False}
    other = {"allowed_callers": ["code_execution_20260120"], "input_examples": [{}], "surprise": 1}
    hints = {"cache_control": MARK, "eager_input_streaming": False}

    assert bridge(tools=[TOOL | neutral])[1] == []
    assert paths(bridge(tools=[TOOL | other])[1]) == [f"tools[0].{name}" for name in other]
    assert paths(bridge(tools=[TOOL | hints])[1], minor=True) == [f"tools[0].{name}" for name in hints]


def test_a_tool_of_the_provider_is_lost_and_so_is_the_choice_of_it():
    search = {"type": "web_search_20250305", "name": "web_search"}
    body, losses = bridge(tools=[search, TOOL], tool_choice={"type": "tool", "name": "web_search"})

    assert paths(losses) == ["tools[0]", "tool_choice"]
    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert "tool_choice" not in body


def test_a_field_that_no_message_has_is_listed_unless_it_is_neutral():
    assert items({**USER, "clear_at": "never"})[1] == []
    assert paths(items({**USER, "clear_at": "next_user_message", "name": "n"})[1]) == [
        "messages[0].clear_at",
        "messages[0].name",
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "assistant", "content": [tool_use(input="x")]}]}, "messages[0].content[0].input"),
        ({"system": {"type": "text"}}, "system"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": "auto"}, "tool_choice"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_is_no_messages_request_is_refused_by_its_path(body, path):
    with pytest.raises(FormatError) as refused:
        bridge(**body)

    assert refused.value.path == path


def test_a_body_without_messages_is_refused():
    with pytest.raises(FormatError, match="messages: is missing"):
        messages_to_responses({"model": "m"})
