"""Messages request -> Responses request: calls, results and thinking, there and back."""

import json

import pytest
from messages_turns import (
    MARK,
    PDF,
    PNG,
    SCHEMA,
    TOOL,
    USER,
    assistant,
    items,
    paths,
    text,
    tool_result,
    tool_use,
    user,
)

from chatsheet_llm.formats.messages_responses_request import messages_to_responses
from chatsheet_llm.formats.responses_messages_request import responses_to_messages
from chatsheet_llm.formats.seals import open_thinking, seal_reasoning


def test_a_tool_use_is_a_function_call_with_compact_arguments_in_its_own_letters():
    made, losses = assistant(tool_use(input={"city": "Zürich", "n": [1, 2]}, caller={"type": "direct"}))

    assert made == [{"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"city":"Zürich","n":[1,2]}'}]
    assert losses == []


@pytest.mark.parametrize(
    ("content", "output"),
    [({}, ""), ({"content": "r"}, "r"), ({"content": []}, []), ({"content": "", "is_error": False}, "")],
)
def test_the_result_of_a_tool_has_the_shape_that_it_had(content, output):
    made, losses = user(tool_result(**content))

    assert made == [{"type": "function_call_output", "call_id": "c", "output": output}]
    assert losses == []


def test_a_result_keeps_its_place_when_responses_can_hold_nothing_of_it():
    found = {"type": "tool_reference", "tool_name": "f"}
    made, losses = user(tool_result(content=[found]))

    assert made == [{"type": "function_call_output", "call_id": "c", "output": []}]
    assert paths(losses) == ["messages[0].content[0].content[0]"]


def test_that_a_tool_failed_is_a_minor_loss_as_its_words_travel():
    made, losses = user(tool_result(content="no such city", is_error=True))

    assert made[0]["output"] == "no such city"
    assert paths(losses, minor=True) == ["messages[0].content[0].is_error"]


@pytest.mark.parametrize(
    ("block", "field"),
    [
        (text("t", citations=[{"type": "char_location"}]), ".citations"),
        (tool_use(caller={"type": "code_execution_20260120", "tool_id": "t"}), ".caller"),
        (tool_use(toolset_name="browser"), ".toolset_name"),
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, ""),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, ""),
        ({"type": "mcp_tool_use", "id": "s"}, ""),
        ({"type": "container_upload", "file_id": "f"}, ""),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_an_earlier_reply_left_and_responses_cannot_hold_is_a_minor_loss(block, field):
    assert paths(assistant(text("x"), block)[1], minor=True) == [f"messages[0].content[1]{field}"]


@pytest.mark.parametrize("block", [{"type": "compaction", "content": "c"}, {"type": "hologram"}, tool_result()])
def test_an_assistants_block_that_is_more_than_state_is_a_loss(block):
    assert paths(assistant(text("x"), block)[1]) == ["messages[0].content[1]"]


def test_thinking_travels_as_reasoning_items_that_hold_its_seals():
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "sig"}
    silent = {"type": "thinking", "thinking": "", "signature": "sig2"}
    made, losses = assistant(thinking, silent, {"type": "redacted_thinking", "data": "d"}, text("A"))

    assert [item["type"] for item in made] == ["reasoning", "reasoning", "reasoning", "message"]
    assert [item["summary"] for item in made[:3]] == [[{"type": "summary_text", "text": "Hm"}], [], []]
    assert [open_thinking(item["encrypted_content"]) for item in made[:3]] == [
        ("thinking", "sig"),
        ("thinking", "sig2"),
        ("redacted_thinking", "d"),
    ]
    # An answer in parts that names its place is nobody's.
    assert [item.get("id") for item in made] == [None, None, None, "msg_3"]
    assert losses == []


HOME = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e", "status": "completed"}
SENT = {"type": "reasoning", "summary": [], "encrypted_content": "e", "status": "completed"}
THOUGHT = {"type": "thinking", "thinking": "", "signature": seal_reasoning(HOME)}


@pytest.mark.parametrize("behind", ["A", [text("A")], [tool_use()], []], ids=json.dumps)
def test_reasoning_that_came_from_responses_returns_without_its_id_as_what_followed_it_has_another(behind):
    first = {"role": "assistant", "content": [THOUGHT, *behind] if isinstance(behind, list) else [THOUGHT]}
    second = {"role": "assistant", "content": behind or "A"}
    made, losses = items(USER, first, *([] if first["content"][1:] else [second]), USER)

    assert made[1] == SENT
    assert [item.get("role", item["type"]) for item in made][2] in ("assistant", "function_call")
    assert losses == []


@pytest.mark.parametrize("lost", [[], [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]])
def test_reasoning_that_nothing_follows_in_its_turn_is_a_minor_loss(lost):
    places = {}
    turns = [USER, {"role": "assistant", "content": [text("A"), tool_use(), THOUGHT, *lost]}]
    answered = {"role": "user", "content": [tool_result(content="r")]}
    made, losses = items(*turns, answered, {"role": "assistant", "content": "B"}, USER)
    pivot, others = messages_to_responses({"messages": [*turns, answered]}, places)

    assert [item["type"] for item in made[:4]] == ["message", "message", "function_call", "function_call_output"]
    assert set(paths(losses, minor=True)) == {f"messages[1].content[{2 + at}]" for at in range(1 + len(lost))}
    # What a third format has no place for is its to say.
    assert pivot["input"][3] == SENT
    assert places["input[3]"] == "messages[1].content[2]"
    assert len(others) == len(lost)


def test_reasoning_that_only_the_store_of_responses_knows_cannot_return_as_nothing_is_stored():
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    made, losses = assistant({"type": "thinking", "thinking": "", "signature": seal_reasoning(item)}, text("A"))

    assert [item["type"] for item in made] == ["message"]
    assert paths(losses, minor=True) == ["messages[0].content[0]"]


def test_a_conversation_comes_back_from_responses_as_it_went_there():
    seen = {"role": "user", "content": [text("a", cache_control=MARK), {"type": "image", "source": PNG}]}
    read = {"type": "document", "source": PDF, "title": "a.pdf"}
    words = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}, "title": "b.txt"}
    thought = [{"type": "thinking", "thinking": "Hm", "signature": "s"}, {"type": "redacted_thinking", "data": "d"}]
    called = [*thought, text("b"), tool_use("1", input={"x": [1, "ü"]}), text("c"), tool_use("2")]
    answered = [tool_result("1", content=[text("d"), read, words]), tool_result("2", content="e"), text("f"), read]
    body = {
        "model": "m",
        "max_tokens": 100,
        "system": [text("s", cache_control=MARK), text("t")],
        "messages": [
            seen,
            {"role": "assistant", "content": called},
            {"role": "user", "content": answered},
            {"role": "assistant", "content": "g"},
            USER,
        ],
        "tools": [{**TOOL, "description": "d", "strict": True, "defer_loading": True}, TOOL],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": SCHEMA}},
        "metadata": {"user_id": "u"},
        "service_tier": "standard_only",
        "stop_sequences": ["."],
        "stream": True,
    }
    there, losses = messages_to_responses(body, {})
    back, others = responses_to_messages(there)

    assert back == body
    assert losses == []
    assert [(loss.path, loss.minor) for loss in others] == [("text.format.name", True)]
