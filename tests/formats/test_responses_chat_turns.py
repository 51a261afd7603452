"""Responses request -> Chat request: the turns of a conversation, their order, calls, results and parts."""

import gc
import time

import pytest
from responses_input import THOUGHT, assistant, bridge, call, chat_call, messages, output, result, said, text

from chatsheet_llm.formats.responses_chat_request import responses_to_chat_request


def test_a_turn_becomes_one_assistant_message():
    made, lost = messages(
        {"role": "user", "content": "U"},
        THOUGHT,
        said(text("I look."), phase="commentary"),
        call("c1"),
        {"type": "custom_tool_call", "id": "ctc", "call_id": "c2", "name": "sh", "input": "ls"},
        output("c1"),
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "x"}]},
        said(text("Done.")),
    )

    custom = {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    assert made == [
        {"role": "user", "content": "U"},
        assistant(
            [{"type": "text", "text": "I look."}],
            tool_calls=[chat_call("c1"), custom],
        ),
        result("c1"),
        result("c2", [{"type": "text", "text": "x"}]),
        assistant([{"type": "text", "text": "Done."}]),
    ]
    assert lost == ["input[1]", "input[2].phase"]


def test_two_messages_in_a_row_stay_two():
    made, _ = messages({"role": "assistant", "content": "A"}, {"role": "assistant", "content": "B"})

    assert made == [assistant("A"), assistant("B")]


def test_reasoning_between_the_text_and_the_calls_of_a_turn_does_not_part_them():
    made, lost = messages(said(text("A")), THOUGHT, call("c1"), output("c1"))

    assert made == [assistant([{"type": "text", "text": "A"}], tool_calls=[chat_call("c1")]), result("c1")]
    assert lost == ["input[1]"]


@pytest.mark.parametrize(
    ("items", "content"),
    [
        ([call("c1"), {"role": "assistant", "content": "B"}], "B"),
        (
            [{"role": "assistant", "content": "A"}, call("c1"), {"role": "assistant", "content": "B"}],
            [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
        ),
    ],
)
def test_text_between_calls_and_results_moves_before_the_calls_and_is_listed(items, content):
    made, losses = bridge(input=[*items, output("c1")])

    assert made["messages"] == [assistant(content, tool_calls=[chat_call("c1")]), result("c1")]
    assert [(loss.path, loss.minor) for loss in losses] == [(f"input[{len(items) - 1}]", True)]


def test_a_result_stands_right_behind_its_calls():
    made, losses = bridge(
        input=[
            call("c1"),
            call("c2"),
            output("c1"),
            call("c3"),
            output("c2"),
            {"role": "user", "content": "U"},
            output("c3"),
        ]
    )

    assert made["messages"] == [
        assistant(tool_calls=[chat_call("c1"), chat_call("c2")]),
        result("c1"),
        result("c2"),
        assistant(tool_calls=[chat_call("c3")]),
        result("c3"),
        {"role": "user", "content": "U"},
    ]
    assert [(loss.path, loss.minor) for loss in losses] == [("input[4]", True), ("input[6]", True)]


def test_a_result_without_its_call_stays_where_it_is():
    made, lost = messages(output("c9", name="f"), {"role": "user", "content": "U"})

    assert made == [result("c9"), {"role": "user", "content": "U"}]
    assert lost == ["input[0].name"]


def test_a_result_without_its_call_parts_no_other_result_from_its_calls():
    made, lost = messages(call("c1"), output("c9"), output("c1"), {"role": "user", "content": "U"}, output("c8"))

    assert made == [
        assistant(tool_calls=[chat_call("c1")]),
        result("c9"),
        result("c1"),
        {"role": "user", "content": "U"},
        result("c8"),
    ]
    assert lost == []


def long_turn(kind, count):
    """One turn of so many items, each of which has its place among the others."""
    if kind == "results":
        return [make(f"c{at}") for make in (call, output) for at in range(count)]
    if kind == "late results":
        turns = [[call(f"c{at}"), {"role": "user", "content": "U"}] for at in range(count // 2)]
        return [item for turn in turns for item in turn] + [output(f"c{at}") for at in range(count // 2)]
    return [{"role": "assistant", "content": "A"}, call("c"), *[said(text("B"))] * count]


@pytest.mark.parametrize("kind", ["results", "late results", "texts"])
def test_the_time_for_a_long_turn_grows_with_its_length_and_not_with_the_square(kind):
    def took(count):
        items, times = long_turn(kind, count), []
        for _ in range(3):
            began = time.process_time()
            responses_to_chat_request({"input": items})
            times.append(time.process_time() - began)
        return min(times)

    # The collector would look through more at each of its turns.
    gc.disable()
    try:
        short, long = took(1000), took(16_000)
    finally:
        gc.enable()

    # About 16 times in a straight line, up to 256 times in the square.
    assert long < 40 * short


@pytest.mark.parametrize(
    ("parts", "sent"),
    [
        ([text("A"), {"type": "refusal", "refusal": "no"}], assistant([{"type": "text", "text": "A"}], refusal="no")),
        ([{"type": "refusal", "refusal": "no"}], assistant(None, refusal="no")),
        (
            [{"type": "refusal", "refusal": "no"}, text("A")],
            assistant([{"type": "refusal", "refusal": "no"}, {"type": "text", "text": "A"}]),
        ),
        ([text("A"), text("B")], assistant([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}])),
        ([], assistant("")),
    ],
)
def test_the_parts_of_an_output_message_keep_their_order(parts, sent):
    assert messages(said(*parts)) == ([sent], [])


def test_annotations_and_logprobs_of_earlier_output_are_minor_losses():
    cited = text("A", annotations=[{"type": "url_citation"}], logprobs=[{"token": "A"}])
    _, losses = bridge(input=[said(cited)])

    assert [(loss.path, loss.minor) for loss in losses] == [
        ("input[0].content[0].annotations", True),
        ("input[0].content[0].logprobs", True),
    ]


def test_images_files_and_marks_become_parts_of_chat():
    mark = {"mode": "explicit"}
    parts = [
        {"type": "input_text", "text": "T", "prompt_cache_breakpoint": mark},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
        {"type": "input_file", "file_data": "data:", "filename": "a.pdf", "detail": "auto"},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
    ]
    made, lost = messages({"role": "user", "content": parts})

    assert made[0]["content"] == [
        {"type": "text", "text": "T", "prompt_cache_breakpoint": mark},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "file", "file": {"file_data": "data:", "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
    ]
    assert lost == []
