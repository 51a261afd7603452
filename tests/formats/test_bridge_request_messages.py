"""Chat request -> Responses request: what messages, their parts and their calls become, and which reasoning returns."""

import pytest
from bridge_requests import USER, items, paths, tool_call

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_request import chat_to_responses


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
