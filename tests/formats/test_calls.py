"""Arguments of function calls: whole JSON or nothing, wherever an answer says that it is complete."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chatsheet_llm.formats.calls import broken_calls, is_whole
from chatsheet_llm.formats.watch import WATCHES, fault_in
from chatsheet_llm.route import Mode

Json = Mapping[str, object]


@pytest.mark.parametrize("arguments", ["", "  ", "{}", '{"a": 1}', "[1]", '"x"', "null", '{"a": "line\nbreak"}'])
def test_json_and_nothing_are_whole(arguments: str) -> None:
    assert is_whole(arguments)


@pytest.mark.parametrize("arguments", ['{"a": ', '{"a": "x', "{}{}", "city: Köln", "[" * 100_000])
def test_anything_else_is_not(arguments: str) -> None:
    assert not is_whole(arguments)


CUT = '{"city": "Kö'


def chat(arguments: object, finish: object = "tool_calls", kind: str = "function") -> Json:
    call = {"id": "c", "type": kind, kind: {"name": "f", "arguments": arguments, "input": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"choices": [{"index": 0, "finish_reason": finish, "message": message}]}


def responses(arguments: object, status: str = "completed", kind: str = "function_call") -> Json:
    return {"status": status, "output": [{"type": kind, "arguments": arguments, "input": arguments}]}


WHOLE: list[tuple[Mode, Json, bool]] = [
    ("chat", chat(CUT), True),
    ("chat", chat(CUT, "stop"), True),
    ("chat", chat(CUT, "length"), False),
    ("chat", chat(CUT, "content_filter"), False),
    ("chat", chat(CUT, ["tool_calls"][0], "custom"), False),
    ("chat", chat(""), False),
    ("chat", chat({"city": "Köln"}), False),
    ("chat", {"choices": [{"finish_reason": "function_call", "message": {"function_call": {"arguments": CUT}}}]}, True),
    ("chat", {"choices": [None, {"finish_reason": "stop", "message": None}]}, False),
    ("responses", responses(CUT), True),
    ("responses", responses(CUT, "incomplete"), False),
    ("responses", responses(CUT, kind="custom_tool_call"), False),
    ("responses", {"output": [{"type": "function_call", "arguments": CUT}]}, True),
    ("responses", {"output": [{"type": "function_call", "arguments": CUT, "status": "incomplete"}]}, False),
    ("messages", {"content": [{"type": "tool_use", "input": {"city": "Köln"}}], "stop_reason": "tool_use"}, False),
]


@pytest.mark.parametrize(("mode", "body", "broken"), WHOLE, ids=str)
def test_a_whole_reply_with_half_a_call_is_no_answer(mode: Mode, body: Json, broken: bool) -> None:
    assert broken_calls(mode, body) is broken


FAULTS: list[tuple[Mode, Json, str | None]] = [
    ("chat", chat(CUT), "tool_arguments"),
    ("chat", chat("{}"), None),
    ("chat", {"choices": []}, "contentless"),
    (
        "chat",
        {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": None}}]},
        "contentless",
    ),
    ("chat", {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": ""}}]}, None),
    ("chat", {"choices": [{"finish_reason": "content_filter", "message": {"role": "assistant"}}]}, None),
    ("chat", {"choices": [{"finish_reason": "length", "message": {"role": "assistant"}}]}, None),
    ("chat", {"choices": [{"finish_reason": "stop", "message": {"content": None, "refusal": "no"}}]}, None),
    ("chat", {"id": "x"}, "schema"),
    ("responses", {"output": [], "status": "completed"}, None),
    ("responses", {"output": [], "status": "queued"}, "unfinished"),
    ("responses", {"output": [], "status": "in_progress"}, "unfinished"),
    ("responses", responses(CUT), "tool_arguments"),
    ("messages", {"content": []}, None),
]


@pytest.mark.parametrize(("mode", "body", "fault"), FAULTS, ids=str)
def test_what_keeps_a_body_from_being_an_answer_has_a_name(mode: Mode, body: Json, fault: str | None) -> None:
    assert fault_in(mode, body) == fault


def test_work_in_the_background_may_be_under_way() -> None:
    assert fault_in("responses", {"output": [], "status": "queued"}, background=True) is None


# --- streams


def piece(arguments: str | None, finish: object = None, call_id: str | None = None, index: int = 0) -> Json:
    call = {"index": index, "function": {"arguments": arguments}, **({"id": call_id} if call_id else {})}
    delta = {} if arguments is None else {"tool_calls": [call]}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def item(arguments: str, status: str = "completed", kind: str = "function_call") -> Json:
    return {"type": kind, "arguments": arguments, "input": arguments, "status": status}


def told(kind: str, **more: object) -> Json:
    return {"type": f"response.{kind}", "output_index": 0, **more}


START: Json = {"type": "message_start", "message": {}}


def block(kind: str = "tool_use") -> Json:
    return {"type": "content_block_start", "index": 0, "content_block": {"type": kind}}


def partial(text: str) -> Json:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}


def stopped(reason: str) -> Json:
    return {"type": "message_delta", "delta": {"stop_reason": reason}}


ARGUMENTS_DELTA = "function_call_arguments.delta"
STREAMS: list[tuple[str, Mode, list[Json], bool]] = [
    ("whole", "chat", [piece('{"a"'), piece(": 1}"), piece(None, "tool_calls")], False),
    ("cut", "chat", [piece('{"a"'), piece(None, "tool_calls")], True),
    ("cut, and it says so", "chat", [piece('{"a"'), piece(None, "length")], False),
    ("nothing", "chat", [piece(""), piece(None, "tool_calls")], False),
    ("all in one", "chat", [piece('{"a"', "stop")], True),
    ("two calls", "chat", [piece("{}"), piece('{"a"', index=1), piece(None, "tool_calls")], True),
    ("two under one number", "chat", [piece("{}", None, "1"), piece("{}", None, "2"), piece(None, "stop")], False),
    ("half of two under one", "chat", [piece('{"', None, "1"), piece("{}", None, "2"), piece(None, "stop")], True),
    ("the same id each time", "chat", [piece('{"a"', None, "1"), piece(": 1}", None, "1"), piece(None, "stop")], False),
    (
        "the old form",
        "chat",
        [{"choices": [{"delta": {"function_call": {"arguments": "{"}}, "finish_reason": "function_call"}]}],
        True,
    ),
    ("whole", "responses", [told(ARGUMENTS_DELTA, delta="{}"), told("completed", response={})], False),
    ("cut", "responses", [told(ARGUMENTS_DELTA, delta='{"a'), told("completed", response={})], True),
    ("cut, and it says so", "responses", [told(ARGUMENTS_DELTA, delta='{"a'), told("incomplete")], False),
    (
        "the whole counts",
        "responses",
        [
            told(ARGUMENTS_DELTA, delta='{"a'),
            told("function_call_arguments.done", arguments="{}"),
            told("completed", response={}),
        ],
        False,
    ),
    (
        "a half that is called whole",
        "responses",
        [told("output_item.done", item=item('{"a')), told("completed", response={})],
        True,
    ),
    ("only at the end", "responses", [told("completed", response={"output": [item('{"a')]})], True),
    (
        "a custom tool",
        "responses",
        [told("completed", response={"output": [item("x", kind="custom_tool_call")]})],
        False,
    ),
    ("whole", "messages", [START, block(), partial("{}"), stopped("tool_use")], False),
    ("cut", "messages", [START, block(), partial('{"a'), stopped("tool_use")], True),
    ("nothing", "messages", [START, block(), partial(""), stopped("tool_use")], False),
    ("cut, and it says so", "messages", [START, block(), partial('{"a'), stopped("max_tokens")], False),
    ("a server's own tool", "messages", [START, block("server_tool_use"), partial('{"a'), stopped("end_turn")], False),
]


@pytest.mark.parametrize(
    ("mode", "events", "broken"), [row[1:] for row in STREAMS], ids=[f"{row[1]}: {row[0]}" for row in STREAMS]
)
def test_a_stream_that_ends_as_whole_with_half_a_call_is_broken(mode: Mode, events: list[Json], broken: bool) -> None:
    watch = WATCHES[mode]()
    for event in events:
        assert not watch.broken
        watch.see(event)

    assert watch.broken is broken


def test_a_call_of_an_answer_that_only_the_marker_ends_is_judged_too() -> None:
    watch = WATCHES["chat"]()
    watch.see({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]})
    call = {"index": 0, "function": {"arguments": '{"a'}}
    watch.see({"choices": [{"index": 1, "delta": {"tool_calls": [call]}}]})
    watch.done()

    assert watch.broken
