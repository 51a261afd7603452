"""Chat request -> Responses request: what a mark for the cache does, and in whose words a place is told."""

import pytest
from bridge_requests import USER, bridge, items, paths, tool_call

from chatsheet_llm.formats.chat_responses_request import chat_to_responses
from chatsheet_llm.formats.compose import origin

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
