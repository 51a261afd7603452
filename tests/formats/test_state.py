"""State of earlier replies in a request: found, named, and taken out without a trace of it."""

import copy
import json

import pytest

from chatsheet_llm.formats.seals import seal_reasoning, seal_thinking
from chatsheet_llm.formats.state import seals, tells, tokens, without

REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}
THOUGHT = {"type": "thinking", "thinking": "t", "signature": "signed"}
USER = {"role": "user", "content": "Hi"}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "1"}]}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}


def assistant(*content, **more):
    return {"role": "assistant", "content": list(content), **more}


FOUND = {
    "chat": (
        ({"reasoning_items": [REASONING]}, ("messages[1].reasoning_items[0]", "sealed", "responses", False)),
        (
            {"reasoning_items": [{**REASONING, "encrypted_content": seal_thinking("thinking", "signed")}]},
            ("messages[1].reasoning_items[0]", "signed", "messages", False),
        ),
        ({"thinking_blocks": [THOUGHT]}, ("messages[1].thinking_blocks[0]", "signed", "chat", False)),
        (
            {"provider_specific_fields": {"thinking_blocks": [THOUGHT]}},
            ("messages[1].provider_specific_fields.thinking_blocks[0]", "signed", "chat", False),
        ),
        ({"audio": {"id": "audio_1"}}, ("messages[1].audio", "audio_1", "chat", True)),
        (
            {"content": [{"type": "file", "file": {"file_id": "file-1"}}]},
            ("messages[1].content[0].file.file_id", "file-1", None, True),
        ),
    ),
    "responses": (
        ({"previous_response_id": "resp_1"}, ("previous_response_id", "resp_1", "responses", True)),
        ({"conversation": "conv_1"}, ("conversation", "conv_1", "responses", True)),
        ({"conversation": {"id": "conv_1"}}, ("conversation", "conv_1", "responses", True)),
        ({"prompt": {"id": "pmpt_1"}}, ("prompt", "pmpt_1", "responses", True)),
        ({"input": [REASONING]}, ("input[0]", "sealed", "responses", False)),
        ({"input": [{"type": "reasoning", "id": "rs_2", "summary": []}]}, ("input[0]", "rs_2", "responses", False)),
        (
            {"input": [{**REASONING, "encrypted_content": seal_thinking("redacted_thinking", "data")}]},
            ("input[0]", "data", "messages", False),
        ),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, ("input[0]", "msg_1", "responses", True)),
        ({"input": [{"id": "msg_1"}]}, ("input[0]", "msg_1", "responses", True)),
        (
            {"input": [{"type": "compaction", "encrypted_content": "compacted"}]},
            ("input[0]", "compacted", "responses", True),
        ),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, ("input[0]", "ws_1", "responses", False)),
        (
            {"input": [{"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""}]},
            ("input[0].id", "fc_1", "responses", False),
        ),
        ({"input": [{"type": None, "id": "msg_1"}]}, ("input[0]", "msg_1", "responses", True)),
        ({"input": [{"type": "mcp_approval_request", "id": "mcpr_1"}]}, ("input[0]", "mcpr_1", "responses", False)),
        ({"input": [{"type": "server_tool_use", "id": "srv_1"}]}, ("input[0]", "srv_1", "messages", False)),
        (
            {"input": [{"type": "computer_call_output", "output": {"file_id": "file-1"}}]},
            ("input[0].output.file_id", "file-1", None, True),
        ),
        (
            {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]},
            ("tools[0].container", "cntr_1", "responses", True),
        ),
        (
            {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}}]},
            ("tools[0].container.file_ids[0]", "file-1", None, True),
        ),
        (
            {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
            ("tools[0].vector_store_ids[0]", "vs_1", None, True),
        ),
        (
            {"input": [{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]},
            ("input[0]", "mcpr_1", "responses", True),
        ),
        (
            {"input": [{**USER, "content": [{"type": "input_file", "file_id": "file-1"}]}]},
            ("input[0].content[0].file_id", "file-1", None, True),
        ),
        (
            {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "file_id": "file-1"}]}]},
            ("input[0].output[0].file_id", "file-1", None, True),
        ),
    ),
    "messages": (
        ({"messages": [assistant(THOUGHT)]}, ("messages[0].content[0]", "signed", "messages", False)),
        (
            {"messages": [assistant({"type": "redacted_thinking", "data": "data"})]},
            ("messages[0].content[0]", "data", "messages", False),
        ),
        (
            {"messages": [assistant({**THOUGHT, "signature": seal_reasoning(REASONING)})]},
            ("messages[0].content[0]", "sealed", "responses", False),
        ),
        ({"container": "container_1"}, ("container", "container_1", "messages", True)),
        ({"container": {"id": "container_1"}}, ("container", "container_1", "messages", True)),
        (
            {"messages": [{**USER, "content": [{"type": "image", "source": {"type": "file", "file_id": "file-1"}}]}]},
            ("messages[0].content[0].source.file_id", "file-1", None, True),
        ),
        (
            {"thinking": {"type": "enabled"}, "messages": [assistant(THOUGHT, USE), RESULT]},
            ("messages[0].content[0]", "signed", "messages", True),
        ),
        (
            {"thinking": {"type": "adaptive"}, "messages": [assistant(THOUGHT, USE), RESULT]},
            ("messages[0].content[0]", "signed", "messages", False),
        ),
    ),
}


@pytest.mark.parametrize(("caller", "given", "found"), [(c, *row) for c, rows in FOUND.items() for row in rows])
def test_state_is_found_with_its_place_its_token_and_its_home(caller, given, found):
    body = {"messages": [USER, {"role": "assistant", **given}]} if caller == "chat" else given
    (seal,) = seals(caller, body)

    assert (seal.path, seal.token, seal.home, seal.holds) == found


@pytest.mark.parametrize(("caller", "given", "found"), [(c, *row) for c, rows in FOUND.items() for row in rows])
def test_what_was_taken_out_is_not_there_any_more_and_is_listed_as_minor(caller, given, found):
    body = {"messages": [USER, {"role": "assistant", **given}]} if caller == "chat" else {"model": "m", **given}
    before = copy.deepcopy(body)
    made, losses = without(body, seals(caller, body), "messages")

    assert body == before
    assert found[1] not in json.dumps(made)
    assert seals(caller, made) == []
    assert [(loss.path, loss.minor, loss.format) for loss in losses] == [(found[0], True, "messages")]


@pytest.mark.parametrize("caller", ["chat", "responses", "messages"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": "x", "input": "x"},
        {"messages": [1, None, {}], "input": [1, None, {}]},
        {"messages": [USER, assistant({"type": "text", "text": "a"})], "input": [USER]},
    ],
)
def test_a_request_without_state_stays_the_very_same_object(caller, body):
    found = seals(caller, body)

    assert found == []
    assert without(body, found, "chat")[0] is body


def test_several_pieces_leave_the_rest_in_its_order():
    answer = {"type": "message", "id": "msg_9", **assistant({"type": "output_text"})}
    body = {"input": [USER, REASONING, answer, REASONING]}
    made, losses = without(body, seals("responses", body), "responses")

    assert made["input"] == [USER, {**answer, "id": "msg_2"}]
    assert [loss.path for loss in losses] == ["input[1]", "input[2].id", "input[3]"]


def test_a_turn_that_held_nothing_else_goes_with_its_thinking():
    body = {"messages": [USER, assistant(THOUGHT, THOUGHT), USER, assistant(THOUGHT, USE), RESULT]}
    made, _ = without(body, seals("messages", body), "messages")

    assert made["messages"] == [USER, USER, assistant(USE), RESULT]


def test_a_list_that_held_nothing_else_goes_as_a_field():
    body = {"messages": [{"role": "assistant", "content": "a", "thinking_blocks": [THOUGHT]}]}
    made, _ = without(body, seals("chat", body), "chat")

    assert made["messages"] == [{"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    ("mode", "reply", "found"),
    [
        ("responses", {"id": "resp_1", "output": [REASONING]}, ["resp_1", "rs_1", "sealed"]),
        ("responses", {"id": "resp_1", "conversation": {"id": "conv_1"}}, ["resp_1", "conv_1"]),
        ("responses", {"type": "response.output_item.done", "item": REASONING}, ["rs_1", "sealed"]),
        ("responses", {"type": "response.completed", "response": {"output": [REASONING]}}, ["rs_1", "sealed"]),
        ("messages", {"id": "msg_1", "content": [THOUGHT]}, ["msg_1", "signed"]),
        ("messages", {"type": "message_start", "message": {"id": "msg_1", "content": []}}, ["msg_1"]),
        ("messages", {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "s"}}, ["s"]),
        (
            "messages",
            {"type": "content_block_start", "content_block": {"type": "redacted_thinking", "data": "d"}},
            ["d"],
        ),
        ("chat", {"id": "c1", "choices": [{"message": {"thinking_blocks": [THOUGHT]}}]}, ["c1", "signed"]),
        ("chat", {"id": "c1", "choices": [{"delta": {"audio": {"id": "a"}}}]}, ["c1", "a"]),
        ("responses", {"id": "file-1", "object": "file"}, ["file-1"]),
    ],
)  # fmt: skip
def test_a_reply_is_remembered_by_its_ids_and_seals(mode, reply, found):
    assert list(tokens(mode, reply)) == found
    assert "type" not in reply or tells(mode, reply)


@pytest.mark.parametrize(
    ("mode", "event"),
    [
        ("chat", {"choices": [{"delta": {"content": "a"}}]}),
        ("chat", {"choices": [{}]}),
        ("chat", {}),
        ("responses", {"type": "response.output_text.delta", "delta": "a"}),
        ("messages", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}),
        ("messages", {"type": "ping"}),
    ],
)
def test_an_event_of_text_alone_is_not_looked_at(mode, event):
    assert not tells(mode, event)


@pytest.mark.parametrize("kind", [{"a": 1}, ["x"], 7])
def test_an_item_of_an_impossible_type_holds_no_state(kind):
    assert seals("responses", {"input": [{"type": kind, "role": "user", "id": "x"}]}) == []


@pytest.mark.parametrize(
    ("item", "minor"),
    [
        ({"type": "web_search_call", "id": "ws_1", "status": "completed"}, True),
        ({"type": "code_interpreter_call", "id": "ci_1", "outputs": [{"type": "logs", "logs": "42"}]}, False),
        ({"type": "mcp_call", "id": "mcp_1", "output": "THE ANSWER"}, False),
        ({"type": "image_generation_call", "id": "ig_1", "result": "aGk="}, False),
        ({"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}, False),
    ],
)
def test_to_take_out_what_others_could_have_read_is_no_minor_loss(item, minor):
    body = {"input": [item]}
    _, losses = without(body, seals("responses", body), "responses")

    assert [(loss.path, loss.minor) for loss in losses] == [("input[0]", minor)]


def test_containers_and_files_of_a_reply_are_remembered():
    note = {"type": "container_file_citation", "container_id": "cntr_2", "file_id": "cfile_1"}
    message = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "annotations": [note]}]}
    call = {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"}

    assert set(tokens("responses", {"id": "resp_1", "output": [call, message]})) >= {"cntr_1", "cntr_2", "cfile_1"}
