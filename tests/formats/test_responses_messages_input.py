"""Responses input as Messages turns: which block each item and part becomes, and in which turn it stands."""

import base64
import copy
import json
import re
import time

import pytest

from chatsheet_llm.formats import responses_messages_tables as tables
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_messages_reply import messages_to_responses_reply
from chatsheet_llm.formats.responses_messages_request import responses_to_messages
from chatsheet_llm.formats.seals import open_reasoning, seal_thinking

PIXEL = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"
WORDS = base64.b64encode("Grüße".encode()).decode()


def translated(body):
    before = copy.deepcopy(body)
    result, losses = responses_to_messages(body)
    assert body == before
    return result, [(loss.path, loss.minor) for loss in losses]


def turns(*items):
    """The messages for these input items, between a question and a last word of the user."""
    first, last = {"role": "user", "content": "ask"}, {"role": "user", "content": "on"}
    result, losses = translated({"input": [first, *items, last]})
    messages = result["messages"]
    assert (messages[0], set(result)) == (first, {"messages"})
    return messages[1:], losses


def blocks_of(part, **fields):
    (message,), losses = turns_of_user([part | fields])
    return message["content"], losses


def turns_of_user(content):
    result, losses = translated({"input": [{"role": "user", "content": content}]})
    return result["messages"], losses


def call(call_id, arguments="{}", **fields):
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": arguments} | fields


def output(call_id, said="r", **fields):
    return {"type": "function_call_output", "call_id": call_id, "output": said} | fields


def use(call_id, **given):
    return {"type": "tool_use", "id": call_id, "name": "f", "input": given}


def result_of(call_id, said="r"):
    return {"type": "tool_result", "tool_use_id": call_id, "content": said}


def text(words, **fields):
    return {"type": "text", "text": words} | fields


def assistant(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


def reasoning(*texts, **fields):
    return {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": t} for t in texts]} | fields


# --- the system prompt -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instructions", "leading", "system"),
    [
        (None, [], None),
        ("", [], None),
        ("a", [], "a"),
        (None, [("system", "a")], "a"),
        (None, [("developer", "a")], "a"),
        ("a", [("developer", "b"), ("system", [{"type": "input_text", "text": "c"}])], [text(t) for t in "abc"]),
        (None, [("system", [{"type": "input_text", "text": t} for t in "ab"])], [text("a"), text("b")]),
        (None, [("system", [{"type": "input_text", "text": "a"}])], [text("a")]),
    ],
)
def test_instructions_before_all_turns_are_the_system_prompt(instructions, leading, system):
    items = [{"role": role, "content": content} for role, content in leading]
    question = {"role": "user", "content": "q"}
    result, losses = translated({"instructions": instructions, "input": [*items, question]})

    assert (result.get("system"), result["messages"], losses) == (system, [question], [])


def test_an_instruction_later_on_is_moved_to_the_others_and_listed():
    later = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "now"}]}
    question = {"role": "user", "content": "q"}
    result, losses = translated(
        {"instructions": "a", "input": [question, later, {"role": "system", "content": "b"}, question]}
    )

    assert result == {"system": [text("a"), text("now"), text("b")], "messages": [question, question]}
    assert losses == [("input[1]", True), ("input[2]", True)]


def test_an_instruction_holds_text_alone():
    image = {"type": "input_image", "file_id": "f"}
    result, losses = translated(
        {"input": [{"role": "system", "content": [{"type": "input_text", "text": "a"}, image]}]}
    )

    assert (result["system"], losses) == ([text("a")], [("input[0].content[1]", False)])


# --- turns -----------------------------------------------------------------------------------------------------------


def test_a_string_is_one_message_of_the_user():
    assert translated({"input": "hi"}) == ({"messages": [{"role": "user", "content": "hi"}]}, [])


def test_messages_of_the_user_stay_apart_and_strings_stay_strings():
    messages, losses = turns({"type": "message", "role": "user", "content": "more"})

    assert messages == [{"role": "user", "content": "more"}, {"role": "user", "content": "on"}]
    assert losses == []


SAID = {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed"}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ([{"role": "assistant", "content": "a"}], [{"role": "assistant", "content": "a"}]),
        (
            [SAID | {"content": [{"type": "output_text", "text": t, "annotations": [], "logprobs": []} for t in "ab"]}],
            [assistant(text("a"), text("b"))],
        ),
        ([call("1"), output("1")], [assistant(use("1")), user(result_of("1"), text("on"))]),
        (
            [call("1"), call("2"), output("1"), output("2")],
            [assistant(use("1"), use("2")), user(result_of("1"), result_of("2"), text("on"))],
        ),
        (
            [call("1"), output("1"), call("2"), output("2")],
            [assistant(use("1")), user(result_of("1")), assistant(use("2")), user(result_of("2"), text("on"))],
        ),
        (
            [call("1"), {"role": "assistant", "content": "a"}, call("2"), output("2"), output("1")],
            [assistant(use("1"), text("a"), use("2")), user(result_of("2"), result_of("1"), text("on"))],
        ),
        # Results come first, and right after their calls: Messages refuses them anywhere else.
        (
            [call("1"), {"role": "user", "content": "wait"}, output("1")],
            [assistant(use("1")), user(result_of("1"), text("wait"))],
        ),
        (
            [call("1"), call("2"), output("1"), {"role": "assistant", "content": "a"}, output("2")],
            [
                assistant(use("1"), use("2")),
                user(result_of("1"), result_of("2")),
                {"role": "assistant", "content": "a"},
            ],
        ),
        # A name that is used again is that of the latest call.
        (
            [call("1"), output("1", "x"), call("1"), output("1", "y")],
            [
                *(assistant(use("1")), user(result_of("1", "x"))),
                *(assistant(use("1")), user(result_of("1", "y"), text("on"))),
            ],
        ),
        ([output("1"), output("2")], [user(result_of("1"), result_of("2"), text("on"))]),
    ],
)  # fmt: skip
def test_items_become_turns(items, messages):
    last = [] if messages[-1]["content"][-1] == text("on") else [{"role": "user", "content": "on"}]

    assert turns(*items) == (messages + last, [])


def test_an_answer_without_words_is_listed_and_leaves_no_empty_turn():
    messages, losses = turns({"role": "assistant", "content": ""}, call("1"), output("1"))

    assert messages[0] == assistant(use("1"))
    assert losses == [("input[1]", True)]


NOTHING = ["", [], [{"type": "input_text", "text": ""}]]


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("role", ["user", "assistant", "system", "developer"])
def test_a_message_without_words_is_listed_and_leaves_no_empty_turn(role, nothing):
    messages, losses = turns({"role": role, "content": nothing})

    assert messages == [{"role": "user", "content": "on"}]
    assert losses == [("input[1]", True)]


@pytest.mark.parametrize("given", ["", [{"role": "user", "content": ""}]])
def test_an_input_that_says_nothing_is_refused(given):
    with pytest.raises(FormatError) as caught:
        responses_to_messages({"input": given})

    assert caught.value.path == "input"


def test_instructions_alone_are_a_loss():
    body, losses = translated({"input": [{"role": "developer", "content": "a"}]})

    assert (body, losses) == ({"system": "a", "messages": []}, [("input", False)])


def test_an_input_whose_turns_are_losses_is_told_by_them():
    assert translated({"input": [{"type": "item_reference", "id": "x"}]}) == (
        {"messages": []},
        [("input[0]", False)],
    )


def test_a_result_of_empty_texts_is_empty_and_a_mark_on_them_is_listed():
    marked = {"type": "input_text", "text": "", "prompt_cache_breakpoint": {"mode": "explicit"}}
    messages, losses = turns(call("1"), output("1", [marked]))

    assert messages[1]["content"][0] == result_of("1", [])
    assert losses == [("input[2].output[0].prompt_cache_breakpoint", True)]


def test_an_empty_text_beside_others_is_left_out():
    given = [{"type": "input_text", "text": ""}, {"type": "input_text", "text": "a"}]

    assert turns_of_user(given) == ([user(text("a"))], [])


@pytest.mark.parametrize(
    ("last", "lost"),
    [
        ([{"role": "assistant", "content": "The answer is"}], [("input[1]", False)]),
        ([call("1")], []),
        ([{"type": "server_tool_use", "id": "s", "name": "n", "input": {}}, {"role": "assistant", "content": "a"}], []),
    ],
)
def test_words_of_the_assistant_at_the_end_would_be_continued(last, lost):
    _, losses = translated({"input": [{"role": "user", "content": "q"}, *last]})

    assert losses == lost


@pytest.mark.parametrize(
    ("arguments", "given", "lost"),
    [
        ('{"a": {"b": 1}}', {"a": {"b": 1}}, []),
        ("", {}, []),
        (" ", {}, []),
        ("[1]", {"arguments": "[1]"}, [("input[1].arguments", True)]),
        ('{"a": NaN}', {"arguments": '{"a": NaN}'}, [("input[1].arguments", True)]),
        ('{"a"', {"arguments": '{"a"'}, [("input[1].arguments", True)]),
        (json.dumps('{"a": 1}'), {"a": 1}, [("input[1].arguments", True)]),
    ],
)
def test_arguments_are_an_object(arguments, given, lost):
    messages, losses = turns(call("1", arguments), output("1"))

    assert messages[0] == assistant(use("1", **given))
    assert losses == lost


def test_a_call_and_its_result_have_the_same_legal_name():
    ids = ["functions.f:0", "functions_f_0", "functions:f.0", "call-1_A", "", "٣\n"]
    messages, losses = turns(*map(call, ids), *map(output, ids))
    used = [block["id"] for block in messages[0]["content"]]

    assert [block["tool_use_id"] for block in messages[1]["content"][:-1]] == used
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", name) for name in used)
    assert len(set(used)) == len(ids)
    assert (used[1], used[3]) == ("functions_f_0", "call-1_A")
    assert used[0].startswith("functions_f_0_")
    assert losses == []


def test_a_long_conversation_takes_time_in_proportion_to_its_length():
    names = [str(number) for number in range(20000)]
    side_by_side = [*map(call, names), *map(output, names)]
    said = [{"role": "assistant", "content": "a"} for _ in names]
    late = [item for name in names for item in (call(name), {"role": "user", "content": "on"})]
    started = time.process_time()
    for items in (side_by_side, said, [*late, *map(output, names)]):
        turns(*items)

    assert time.process_time() - started < 10


def test_what_an_earlier_reply_left_on_a_call_is_a_minor_loss_or_goes_home():
    named = call("1", id="fc", status="completed", namespace="n", caller={"type": "direct"}, parsed_arguments={"a": 1})
    ran = call("2", caller={"type": "code_execution_20260120", "tool_id": "t"}, toolset_name="browser")
    program = call("3", caller={"type": "program", "caller_id": "p"}, **{"async": True})
    messages, losses = turns(named, ran, program, output("1", name="f", id="o"), output("2", name="g"), output("3"))

    assert messages[0] == assistant(
        use("1"),
        use("2") | {"caller": {"type": "code_execution_20260120", "tool_id": "t"}, "toolset_name": "browser"},
        use("3"),
    )
    assert losses == [
        ("input[1].namespace", True),
        ("input[3].caller", True),
        ("input[3].async", True),
        ("input[5].name", False),
    ]


def test_a_call_with_free_text_travels_as_one_with_an_object():
    custom = {"type": "custom_tool_call", "call_id": "1", "name": "f", "input": "SELECT"}
    messages, losses = turns(custom, output("1") | {"type": "custom_tool_call_output"})

    assert messages == [assistant(use("1", input="SELECT")), user(result_of("1"), text("on"))]
    assert losses == [("input[1]", True)]


def test_a_result_without_the_name_of_its_call_is_lost():
    assert turns({"type": "function_call_output", "output": "x"})[1] == [("input[1]", False)]


@pytest.mark.parametrize("kind", sorted(set(tables.LOST_ITEMS) | {"brand_new"}))
def test_an_item_without_a_place_is_listed_whole(kind):
    messages, losses = turns({"type": kind, "id": "x", "encrypted_content": "e"})

    assert messages == [{"role": "user", "content": "on"}]
    assert losses == [("input[1]", kind in STATE)]


STATE = frozenset(
    {
        *("apply_patch_call", "code_interpreter_call", "computer_call", "file_search_call", "image_generation_call"),
        *("local_shell_call", "mcp_approval_request", "mcp_call", "mcp_list_tools", "program", "program_output"),
        *("shell_call", "tool_search_call", "web_search_call"),
    }
)


@pytest.mark.parametrize("kind", sorted(tables.MESSAGES_BLOCKS))
def test_a_block_of_an_earlier_messages_reply_is_that_block_again(kind):
    block = {"type": kind, "id": "srv_1", "content": "c"}
    messages, losses = turns({"role": "assistant", "content": "a"}, block)

    assert messages[0] == assistant(text("a"), block)
    assert losses == []


def test_an_item_that_only_names_another_is_lost():
    assert turns({"id": "msg_1"})[1] == [("input[1]", False)]


# --- reasoning -------------------------------------------------------------------------------------------------------


def test_thinking_of_messages_is_that_block_again():
    sealed = reasoning("Hm.", encrypted_content=seal_thinking("thinking", "sig"))
    hidden = reasoning(encrypted_content=seal_thinking("redacted_thinking", "data"))
    messages, losses = turns(sealed, hidden, call("1"), output("1"))

    assert messages[0] == assistant(
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "data"},
        use("1"),
    )
    assert losses == []


def test_reasoning_of_responses_is_thinking_that_holds_the_item():
    item = reasoning("a", "b", encrypted_content="e", content=[{"type": "reasoning_text", "text": "c"}])
    messages, losses = turns(item, {"role": "assistant", "content": "d"})
    thinking = messages[0]["content"][0]

    assert messages[0] == assistant(thinking, text("d"))
    assert (thinking["type"], thinking["thinking"]) == ("thinking", "a\n\nb\n\nc")
    assert open_reasoning(thinking["signature"]) == item
    assert losses == []


# --- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ({"image_url": "https://x.test/a.png"}, {"type": "url", "url": "https://x.test/a.png"}),
        ({"image_url": f"data:image/png;base64,{PIXEL}"}, {"type": "base64", "media_type": "image/png", "data": PIXEL}),
        ({"image_url": "DATA:IMAGE/JPG;base64,x"}, {"type": "base64", "media_type": "image/jpeg", "data": "x"}),
        ({"image_url": "data:image/gif,GIF%38"}, {"type": "base64", "media_type": "image/gif", "data": "R0lGOA=="}),
        ({"file_id": "file_1", "detail": "auto"}, {"type": "file", "file_id": "file_1"}),
    ],
)
def test_an_image_has_its_source(part, source):
    assert blocks_of({"type": "input_image"}, **part) == ([{"type": "image", "source": source}], [])


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
            {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "a.pdf"},
        ),
        ({"file_data": PDF}, {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}),
        (
            {"file_data": "AAAA", "filename": "A.PDF", "detail": "auto"},
            {"source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}, "title": "A.PDF"},
        ),
        (
            {"file_data": f"data:text/plain;charset=utf-8;base64,{WORDS}"},
            {"source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
        ),
        (
            {"file_data": WORDS, "filename": "a.txt"},
            {"source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}, "title": "a.txt"},
        ),
        (
            {"file_data": "data:,a%20b"},
            {"source": {"type": "text", "media_type": "text/plain", "data": "a b"}},
        ),
        ({"file_url": "https://x.test/a"}, {"source": {"type": "url", "url": "https://x.test/a"}}),
        ({"file_id": "file_1"}, {"source": {"type": "file", "file_id": "file_1"}}),
    ],
)
def test_a_file_is_a_document(part, block):
    assert blocks_of({"type": "input_file"}, **part) == ([{"type": "document"} | block], [])


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ({"type": "input_image", "file_id": "f", "detail": "low"}, [(".detail", True)]),
        ({"type": "input_image", "file_id": "f", "image_url": "u"}, [(".file_id", False)]),
        ({"type": "input_file", "file_id": "f", "file_url": "u"}, [(".file_url", False)]),
        ({"type": "input_file", "file_id": "f", "detail": "high"}, [(".detail", True)]),
        ({"type": "input_file", "file_data": f"data:text/csv;base64,{WORDS}"}, [(".file_data", True)]),
        ({"type": "input_file", "file_data": "data:audio/mpeg;base64,x"}, [("", False)]),
        ({"type": "input_file", "file_data": "data:text/plain;base64,/w=="}, [("", False)]),
        ({"type": "input_file", "file_data": "AAAA"}, [("", False)]),
        ({"type": "input_audio", "input_audio": {"data": "x", "format": "mp3"}}, [("", False)]),
        ({"type": "input_video"}, [("", False)]),
        ({"type": "input_text", "text": "a", "new": 1}, [(".new", False)]),
        ({"type": "output_text", "text": "a", "logprobs": [{}], "new": 1}, [(".logprobs", True), (".new", True)]),
        ({"type": "refusal", "refusal": "no"}, [("", True)]),
    ],
)  # fmt: skip
def test_what_a_part_loses_is_listed(part, lost):
    _, losses = turns_of_user([{"type": "input_text", "text": "x"}, part])

    assert losses == [(f"input[0].content[1]{path}", minor) for path, minor in lost]


@pytest.mark.parametrize("kind", ["input_text", "input_image", "input_file"])
def test_a_breakpoint_of_the_prompt_cache_stays_and_its_time_is_a_minor_loss(kind):
    part = {"type": kind, "text": "a", "file_id": "f", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    part.pop("file_id" if kind == "input_text" else "text")
    (block,), losses = blocks_of(part)

    assert block["cache_control"] == {"type": "ephemeral"}
    assert losses == [("input[0].content[0].prompt_cache_breakpoint.ttl", True)]


def test_a_result_may_be_a_list_of_text_images_and_files():
    parts = [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "file_id": "i", "detail": None},
        {"type": "input_file", "file_id": "f"},
    ]
    messages, losses = turns(call("1"), output("1", parts))

    assert messages[1]["content"][0]["content"] == [
        text("a"),
        {"type": "image", "source": {"type": "file", "file_id": "i"}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
    ]
    assert losses == []


def test_a_refusal_returns_as_plain_text_and_a_phase_is_a_minor_loss():
    said = SAID | {"content": [{"type": "refusal", "refusal": "No."}], "phase": "final_answer"}
    messages, losses = turns(said)

    assert messages[0] == assistant(text("No."))
    assert losses == [("input[1].phase", True), ("input[1].content[0]", True)]


WEB = {"url": "u", "cited_text": "c", "encrypted_index": "e"}


def test_citations_of_messages_go_home_and_others_are_minor_losses():
    page = {"type": "page_location", "cited_text": "c", "document_index": 0, "start_page_number": 1}
    notes = [
        page,
        {"type": "url_citation", "start_index": 0, "end_index": 1, "title": "", **WEB},
        {"type": "url_citation", "start_index": 0, "end_index": 1, "title": "t", "url": "u"},
        {"type": {}},
    ]
    messages, losses = turns(SAID | {"content": [{"type": "output_text", "text": "a", "annotations": notes}]})

    assert messages[0] == assistant(
        text("a", citations=[page, {"type": "web_search_result_location", "title": None, **WEB}])
    )
    assert losses == [("input[1].content[0].annotations[2]", True), ("input[1].content[0].annotations[3]", True)]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"input": 3}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{}]}, "input[0].type"),
        ({"input": [{"type": {"a": 1}, "role": "user"}]}, "input[0].type"),
        ({"input": [{"type": ["message"], "role": "user", "content": "x"}]}, "input[0].type"),
        ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools[0].parameters"),
        ({"input": [{"role": "judge", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": None}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        ({"input": [output("1", [{"type": "input_image", "image_url": "data:x"}])]}, "input[0].output[0].image_url"),
        ({"input": [call("1") | {"arguments": {}}]}, "input[0].arguments"),
        ({"input": [call(None)]}, "input[0].call_id"),
        ({"instructions": []}, "instructions"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"reasoning": "high"}, "reasoning"),
        ({"text": {"format": {"type": "json_schema", "schema": "x"}}}, "text.format.schema"),
    ],
)  # fmt: skip
def test_what_is_not_of_responses_is_refused_by_its_path(body, path):
    with pytest.raises(FormatError) as caught:
        responses_to_messages(body)

    assert caught.value.path == path


def test_a_messages_reply_that_travelled_as_responses_output_comes_home_unchanged():
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        text("Look:", citations=None),
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "container_upload", "file_id": "f"},
        text("It", citations=[{"type": "web_search_result_location", "title": "t"} | WEB]),
        text(" is."),
        {"type": "redacted_thinking", "data": "d"},
        use("1", a=[1, "ü"]),
        use("2") | {"caller": {"type": "code_execution_20260120", "tool_id": "t"}},
    ]  # fmt: skip
    reply = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    response, _ = messages_to_responses_reply(reply)
    messages, losses = turns(*response["output"], output("1"), output("2"))
    content[1].pop("citations")

    assert messages == [assistant(*content), user(result_of("1"), result_of("2"), text("on"))]
    assert losses == []
