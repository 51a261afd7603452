"""What counts as content, as the end and as an error, in each wire format; and whether a body is an answer at all."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chatsheet_llm.formats.watch import WATCHES, is_answer, reply_error
from chatsheet_llm.route import Mode

Json = Mapping[str, object]


def chunk(delta: Json | None = None, finish: str | None = None, index: int = 0) -> Json:
    choice: dict[str, object] = {"index": index, "finish_reason": finish}
    if delta is not None:
        choice["delta"] = delta
    return {"id": "x", "choices": [choice]}


START: Json = {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": []}}
STOPPED: Json = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
SEEN: list[tuple[Mode, Json, str]] = [
    ("chat", {"id": "", "choices": [], "prompt_filter_results": []}, "preamble"),
    ("chat", chunk({"role": "assistant"}), "preamble"),
    ("chat", chunk({"role": "assistant", "content": ""}), "preamble"),
    ("chat", chunk({"content": None}), "preamble"),
    ("chat", chunk(None), "preamble"),
    ("chat", {"choices": None}, "preamble"),
    ("chat", {"choices": "odd"}, "preamble"),
    ("chat", {"choices": [None, 3]}, "preamble"),
    ("chat", {}, "preamble"),
    ("chat", chunk({"content": "a"}), "content"),
    ("chat", chunk({"refusal": "no"}), "content"),
    ("chat", chunk({"tool_calls": [{"index": 0}]}), "content"),
    ("chat", chunk({"function_call": {"name": "f"}}), "content"),
    ("chat", chunk({"reasoning_content": "hm"}), "content"),
    ("chat", chunk({}, "stop"), "end"),
    ("chat", chunk({}, "content_filter"), "end"),
    ("chat", {"error": {"message": "x"}}, "error"),
    ("chat", {"error": None, **chunk({"content": "a"})}, "content"),
    ("responses", {"type": "response.created"}, "preamble"),
    ("responses", {"type": "response.in_progress"}, "preamble"),
    ("responses", {"type": "response.output_item.added"}, "preamble"),
    ("responses", {"type": "response.some_new_event"}, "preamble"),
    ("responses", {"type": "response.output_text.delta", "delta": "a"}, "content"),
    ("responses", {"type": "response.function_call_arguments.delta", "delta": "{"}, "content"),
    ("responses", {"type": "response.refusal.delta", "delta": "no"}, "content"),
    ("responses", {"type": "response.reasoning_summary_text.delta", "delta": "hm"}, "content"),
    ("responses", {"type": "response.completed"}, "end"),
    ("responses", {"type": "response.incomplete"}, "end"),
    ("responses", {"type": "response.failed"}, "error"),
    ("responses", {"type": "error", "code": "x"}, "error"),
    ("responses", {"error": {"message": "x"}}, "error"),
    ("messages", {"type": "message_start"}, "preamble"),
    ("messages", {"type": "ping"}, "preamble"),
    ("messages", {"type": "content_block_start"}, "preamble"),
    ("messages", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, "content"),
    (
        "messages",
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}},
        "content",
    ),
    ("messages", STOPPED, "preamble"),
    ("messages", {"type": "message_stop"}, "end"),
    ("messages", {"type": "error", "error": {}}, "error"),
]


@pytest.mark.parametrize(("mode", "event", "sight"), SEEN, ids=lambda value: str(value)[:50])
def test_each_event_is_what_it_is(mode: Mode, event: Json, sight: str) -> None:
    watch = WATCHES[mode]()
    if mode == "messages":
        watch.see(START)
    if event.get("type") == "message_stop":
        watch.see(STOPPED)

    assert watch.see(event) == sight
    assert watch.whole == (sight == "end")


@pytest.mark.parametrize("reason", [None, "", 1, True, ["stop"], {"a": 1}], ids=str)
def test_only_a_word_is_a_reason_to_stop(reason: object) -> None:
    chat, messages = WATCHES["chat"](), WATCHES["messages"]()
    chat.see({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": reason}]})
    for event in (START, {"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"}):
        messages.see(event)

    assert (chat.whole, messages.whole) == (bool(reason) and isinstance(reason, str), isinstance(reason, str))


@pytest.mark.parametrize("left_out", range(3))
def test_a_message_is_whole_only_with_its_beginning_its_reason_and_its_end(left_out: int) -> None:
    events = [START, STOPPED, {"type": "message_stop"}]
    del events[left_out]
    watch = WATCHES["messages"]()
    for event in events:
        watch.see(event)

    assert not watch.whole


UNKNOWN: list[tuple[Mode, Json, int]] = [
    ("chat", {"type": "news"}, 1),
    ("chat", {"choices": []}, 0),
    ("responses", {"type": "response.news"}, 1),
    ("responses", {"type": "response.news.delta"}, 0),
    ("responses", {"type": "response.created"}, 0),
    ("responses", {"type": "keepalive"}, 0),
    ("messages", {"type": "news"}, 1),
    ("messages", {"type": ["ping"]}, 1),
    ("messages", {"type": "ping"}, 0),
]


@pytest.mark.parametrize(("mode", "event", "count"), UNKNOWN, ids=str)
def test_events_of_unknown_types_are_counted(mode: Mode, event: Json, count: int) -> None:
    watch = WATCHES[mode]()

    assert watch.see(event) in ("preamble", "content")
    assert watch.unknown == count


@pytest.mark.parametrize("mode", WATCHES)
def test_nothing_seen_is_not_whole(mode: Mode) -> None:
    assert not WATCHES[mode]().whole


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_stop"},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}},
        {"type": "ping"},
    ],
    ids=str,
)
def test_nothing_of_a_message_counts_before_it_has_begun(event: Json) -> None:
    watch = WATCHES["messages"]()

    assert watch.see(event) == "preamble"
    assert (watch.whole, watch.text) == (False, [])


def test_an_error_before_a_message_has_begun_is_one() -> None:
    assert WATCHES["messages"]().see({"type": "error", "error": {}}) == "error"


def test_a_note_behind_the_stop_leaves_the_stream_whole() -> None:
    watch = WATCHES["chat"]()
    for event in (chunk({"content": "a"}), chunk({}, "stop"), {"id": "", **chunk(None)}, {"choices": [], "usage": {}}):
        watch.see(event)

    assert watch.whole


def test_every_choice_must_be_finished() -> None:
    watch = WATCHES["chat"]()
    for event in (chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk({}, "stop")):
        watch.see(event)
    half = watch.whole
    watch.see(chunk({}, "stop", index=1))

    assert not half
    assert watch.whole


def test_the_marker_of_the_end_finishes_the_other_choices_but_never_the_first_alone() -> None:
    several, one = WATCHES["chat"](), WATCHES["chat"]()
    for event in (chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk({}, "stop")):
        several.see(event)
    one.see(chunk({"content": "a"}))
    before = several.whole
    several.done()
    one.done()

    assert (before, several.whole, one.whole) == (False, True, False)


def test_done_ends_the_choices_that_a_gateway_left_open_once_one_has_stopped() -> None:
    one, none = WATCHES["chat"](), WATCHES["chat"]()
    for watch in (one, none):
        watch.see(chunk({"content": "a"}))
        watch.see(chunk({"content": "b"}, index=1))
    one.see(chunk({}, "stop"))
    one.done()
    none.done()

    assert one.whole
    assert not none.whole


@pytest.mark.parametrize("mode", ["responses", "messages"])
def test_done_says_nothing_in_the_other_formats(mode: Mode) -> None:
    watch = WATCHES[mode]()
    watch.done()

    assert not watch.whole


def test_the_text_is_that_of_the_first_choice() -> None:
    watch = WATCHES["chat"]()
    for event in (chunk({"content": "a"}), chunk({"content": "x"}, index=1), chunk({"content": "b"})):
        watch.see(event)

    assert watch.text == ["a", "b"]


MESSAGE: Json = {"role": "assistant", "content": "hi"}
ANSWERS: list[tuple[Mode, Json, bool]] = [
    ("chat", {"choices": [{"message": MESSAGE}]}, True),
    ("chat", {"choices": []}, False),
    ("chat", {"choices": None}, False),
    ("chat", {"choices": [{}]}, False),
    ("chat", {"choices": [{"message": None}]}, False),
    ("chat", {"choices": [{"message": MESSAGE}, {"message": None}]}, False),
    ("chat", {}, False),
    ("responses", {"output": []}, True),
    ("responses", {"output": None}, False),
    ("responses", {}, False),
    ("messages", {"content": []}, True),
    ("messages", {"content": "text"}, False),
]


@pytest.mark.parametrize(("mode", "body", "answer"), ANSWERS, ids=str)
def test_an_answer_has_a_place_for_its_content(mode: Mode, body: Json, answer: bool) -> None:
    assert is_answer(mode, body) is answer


def test_an_error_in_a_200_is_found() -> None:
    assert reply_error("chat", {"error": {"message": "x"}}) is not None
    assert reply_error("responses", {"status": "failed", "error": {"code": "x"}}) is not None
    assert reply_error("chat", {"error": None, "choices": [1]}) is None
    assert reply_error("responses", {"status": "completed", "error": None, "output": []}) is None
    assert reply_error("responses", {"status": "incomplete", "output": []}) is None
