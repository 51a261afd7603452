"""Messages request -> Responses request: what each turn and block of a conversation becomes, what is listed as lost."""

import json

import pytest
from messages_turns import (
    EXPLICIT,
    MARK,
    PDF,
    PNG,
    USER,
    assistant,
    bridge,
    items,
    part,
    paths,
    said,
    text,
    tool_result,
    tool_use,
    user,
)


def test_a_list_of_system_blocks_is_the_first_message_and_keeps_its_cache_marks():
    body, losses = bridge(system=[text("a", cache_control=MARK), text("b")])
    first = {"type": "input_text", "text": "a", "prompt_cache_breakpoint": EXPLICIT}

    assert body["input"][0] == {
        "type": "message",
        "role": "system",
        "content": [first, {"type": "input_text", "text": "b"}],
    }
    assert "instructions" not in body
    assert losses == []


def test_a_system_message_stays_where_it_stands_and_cannot_change_tools():
    changed = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}
    made, losses = items(USER, {"role": "system", "content": "s"}, {"role": "system", "content": [changed]}, USER)

    assert [item["role"] for item in made] == ["user", "system", "user"]
    assert paths(losses) == ["messages[2].content[0]"]


def test_strings_stay_strings_and_lists_stay_lists():
    made, _ = items(USER, {"role": "assistant", "content": "A"}, {"role": "user", "content": [text("B")]})

    assert made == [
        {"type": "message", **USER},
        {"type": "message", "role": "assistant", "content": "A"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "B"}]},
    ]


def test_a_list_of_an_assistant_is_an_output_message_with_the_id_that_it_requires():
    made, losses = assistant(text("a"), text("b"))

    assert made == [
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_0",
            "status": "completed",
            "content": [said("a"), said("b")],
        }
    ]
    assert losses == []


def test_every_block_of_a_turn_keeps_its_place():
    made, losses = items(
        {"role": "assistant", "content": [text("a"), tool_use("1"), text("b"), tool_use("2"), tool_use("3")]},
        {"role": "user", "content": [*(tool_result(str(n), content=str(n)) for n in (1, 2, 3)), text("c"), text("d")]},
    )

    assert [item["type"] for item in made] == [
        *("message", "function_call", "message", "function_call", "function_call"),
        *("function_call_output", "function_call_output", "function_call_output", "message"),
    ]
    assert [part["text"] for part in made[-1]["content"]] == ["c", "d"]
    assert made[0]["id"] != made[2]["id"]
    assert losses == []


def test_an_answer_that_messages_would_continue_is_a_loss():
    _, losses = bridge(messages=[USER, {"role": "assistant", "content": "The best answer is ("}])

    assert paths(losses) == ["messages[1]"]


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        (text("t"), {"type": "input_text", "text": "t"}),
        ({"type": "image", "source": PNG}, {"image_url": "data:image/png;base64,iVBORw0=", "detail": "auto"}),
        ({"type": "image", "source": {"type": "url", "url": "u"}}, {"image_url": "u", "detail": "auto"}),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, {"file_id": "f", "detail": "auto"}),
        (
            {"type": "document", "source": PDF, "title": "A.PDF"},
            {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "A.PDF"},
        ),
        (
            {"type": "document", "source": PDF, "citations": {"enabled": False}},
            {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "document.pdf"},
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
            {"file_data": "data:text/plain;base64,w6k=", "filename": "document.txt"},
        ),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, {"file_url": "u"}),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, {"file_id": "f"}),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_part_of_a_user_is_the_same_in_a_message_and_in_the_result_of_a_tool(block, wanted):
    kind = {"text": "input_text", "image": "input_image", "document": "input_file"}[block["type"]]
    made, losses = user(tool_result(content=[block]), block | {"cache_control": MARK})

    assert made[0]["output"] == [{"type": kind} | wanted]
    assert made[1]["content"] == [{"type": kind} | wanted | {"prompt_cache_breakpoint": EXPLICIT}]
    assert losses == []


def test_the_name_of_a_file_ends_as_responses_wants_it_and_stands_only_beside_the_file_itself():
    renamed, losses = part({"type": "document", "source": PDF, "title": "Report"})
    nameless, others = part({"type": "document", "source": {"type": "url", "url": "u"}, "title": "Report"})

    assert renamed["filename"] == "Report.pdf"
    assert nameless == {"type": "input_file", "file_url": "u"}
    assert paths(losses + others, minor=True) == ["messages[0].content[0].title"] * 2


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"type": "document", "source": PDF, "citations": {"enabled": True}}, ".citations"),
        ({"type": "document", "source": PDF, "context": "c"}, ".context"),
        ({"type": "document", "source": {"type": "content", "content": "c"}}, ""),
        ({"type": "document", "source": {"type": "tape"}}, ""),
        ({"type": "image", "source": {"type": "tape"}}, ""),
        ({"type": "image", "source": PNG, "transformations": {"oversized_image": "error"}}, ".transformations"),
        ({"type": "search_result", "source": "s", "title": "t", "content": []}, ""),
        ({"type": "container_upload", "file_id": "f"}, ""),
        ({"type": "web_search_tool_result", "content": []}, ""),
        ({"type": "thinking", "thinking": "t", "signature": "s"}, ""),
        ({"type": "hologram"}, ""),
        (text("t", citations=[{"type": "char_location"}]), ".citations"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_a_user_says_and_responses_cannot_hold_is_a_loss(block, path):
    assert paths(user(text("x"), block)[1]) == [f"messages[0].content[1]{path}"]


def test_the_time_of_a_cache_mark_is_a_minor_loss():
    made, losses = part(text("t", cache_control={"type": "ephemeral", "ttl": "1h"}))

    assert made["prompt_cache_breakpoint"] == EXPLICIT
    assert paths(losses, minor=True) == ["messages[0].content[0].cache_control.ttl"]


def test_a_cache_mark_where_responses_takes_none_is_a_minor_loss():
    called = {"role": "assistant", "content": [text("a", cache_control=MARK), tool_use(cache_control=MARK)]}
    answered = {"role": "user", "content": [tool_result(content="r", cache_control=MARK)]}

    assert paths(items(called, answered)[1], minor=True) == [
        "messages[0].content[0].cache_control",
        "messages[0].content[1].cache_control",
        "messages[1].content[0].cache_control",
    ]


@pytest.mark.parametrize("role", ["assistant", "user"])
def test_an_empty_turn_stays_a_turn(role):
    made, losses = items({"role": role, "content": []})

    assert [(item["role"], item["content"]) for item in made] == [(role, [])]
    assert losses == []
