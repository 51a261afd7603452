"""Messages request -> Responses request: what each input becomes, what is listed as lost, what is refused."""

import hashlib
import json

import pytest
from shared_files import schema

from chatsheet_llm.formats import messages_responses_tables
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.messages_responses_request import messages_to_responses
from chatsheet_llm.formats.responses_messages_request import responses_to_messages
from chatsheet_llm.formats.seals import open_thinking, seal_reasoning

USER = {"role": "user", "content": "Hi"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
MARK = {"type": "ephemeral"}
EXPLICIT = {"mode": "explicit"}
TOOL = {"name": "f", "input_schema": SCHEMA}


def bridge(**body):
    return messages_to_responses({"model": "m", "max_tokens": 100, "messages": [USER], **body})


def items(*messages, **body):
    result, losses = bridge(
        messages=[*messages, USER] if messages[-1]["role"] == "assistant" else list(messages), **body
    )
    return (result["input"][:-1] if messages[-1]["role"] == "assistant" else result["input"]), losses


def user(*blocks):
    return items({"role": "user", "content": list(blocks)})


def assistant(*blocks):
    return items({"role": "assistant", "content": list(blocks)})


def part(block):
    made, losses = user(block)
    return made[0]["content"][0], losses


def text(words, **more):
    return {"type": "text", "text": words, **more}


def said(words):
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": []}


def tool_use(call_id="c", **more):
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {}, **more}


def tool_result(call_id="c", **more):
    return {"type": "tool_result", "tool_use_id": call_id, **more}


def paths(losses, *, minor=False):
    assert {loss.format for loss in losses} <= {"responses"}
    assert all(loss.reason for loss in losses)
    assert [loss.path for loss in losses if loss.minor is not minor] == []
    return [loss.path for loss in losses]


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


# --- the conversation ------------------------------------------------------------------------------------------------


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


# --- calls, results and thinking -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("role", ["assistant", "user"])
def test_an_empty_turn_stays_a_turn(role):
    made, losses = items({"role": role, "content": []})

    assert [(item["role"], item["content"]) for item in made] == [(role, [])]
    assert losses == []


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
