"""Chat chunks -> Responses events: what a consumer makes of the events is what the whole reply says."""

from collections import Counter

import pytest
from responses_events import END, USAGE, calls, chunk, kinds, more, named, run, whole

from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_chat_stream import ChatToResponsesStream


def test_a_text_is_told_in_the_order_of_responses():
    chunks = [chunk({"role": "assistant", "content": ""}), chunk({"content": "He"}), chunk({"content": "llo"}), *END]
    events, stream = run(*chunks)

    assert kinds(events) == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("output_item.done", "completed"),
    ]
    assert (events[-1]["response"], stream.losses) == whole(*chunks)
    assert events[-1]["response"]["usage"]["total_tokens"] == 3


def test_reasoning_text_and_calls_follow_one_another():
    chunks = [
        chunk({"role": "assistant", "reasoning_content": "Hm"}),
        chunk({"reasoning_content": "."}),
        chunk({"content": "I look."}),
        calls(named(0, "c1")),
        calls(more(0, '{"a"')),
        calls(more(0, ": 1}")),
        calls(named(1, "c2", arguments="{}")),
        chunk(finish_reason="tool_calls"),
    ]
    events, stream = run(*chunks)

    assert [name for name in kinds(events) if name.startswith("output_item")] == [
        "output_item.added",
        "output_item.done",
    ] * 4
    assert [item["type"] for item in events[-1]["response"]["output"]] == [
        *("reasoning", "message", "function_call", "function_call"),
    ]
    assert (events[-1]["response"], stream.losses) == whole(*chunks)


def test_custom_calls_and_refusals_have_events_of_their_own():
    custom = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "sh", "input": "l"}}
    chunks = [
        chunk({"refusal": "n"}),
        chunk({"refusal": "o"}),
        calls(custom),
        calls({"index": 0, "custom": {"input": "s"}}),
        *END,
    ]
    events, stream = run(*chunks)

    assert Counter(kinds(events))["refusal.delta"] == Counter(kinds(events))["custom_tool_call_input.delta"] == 2
    assert (events[-1]["response"], stream.losses) == whole(*chunks)


def test_interleaved_calls_are_told_one_after_the_other():
    chunks = [
        calls(named(0, "c1"), named(1, "c2")),
        calls(more(0, '{"a":')),
        calls(more(1, '{"b":')),
        calls(more(0, "1}")),
        calls(more(1, "2}")),
        *END,
    ]
    events, _ = run(*chunks)

    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("c1", '{"a":1}'), ("c2", '{"b":2}')]
    assert [name for name in kinds(events) if name.startswith("output_item")] == [
        "output_item.added",
        "output_item.done",
    ] * 2
    assert events[-1]["response"] == whole(*chunks)[0]


TOLD_APART = {
    "no index": [named(None, "c1", arguments="{}"), named(None, "c2", arguments="{}")],
    "one index": [named(0, "c1", arguments="{}"), named(0, "c2", arguments="{}")],
    "the name repeated": [named(0, "c1"), named(0, "c1", arguments="{}"), named(1, "c2"), more(1, "{"), more(1, "}")],
    "the whole call repeated": [
        named(0, "c1", arguments="{}"),
        named(0, "c1", arguments="{}"),
        named(1, "c2"),
        more(1, "{}"),
    ],
    "a new id in every chunk": [
        *(named(0, "c1"), {**more(0, "{"), "id": "x"}, {**more(0, "}"), "id": "y"}),
        *(named(1, "c2"), {**more(1, "{"), "id": "z"}, {**more(1, "}"), "id": "w"}),
    ],
    "a new id in every chunk, and no index": [
        named(None, "c1"),
        {"id": "x", **more(None, "{}")},
        named(None, "c2", arguments="{}"),
    ],
    "one index, mixed": [
        *(named(0, "c1", arguments="{"), named(0, "c2", arguments="{")),
        *({**more(0, "}"), "id": "c1"}, {**more(0, "}"), "id": "c2"}),
    ],
    "no index, mixed": [
        *(named(None, "c1", arguments="{"), named(None, "c2", arguments="{")),
        *({**more(None, "}"), "id": "c2"}, {**more(None, "}"), "id": "c1"}),
    ],
    "the name later": [
        {"index": 0, "id": "c1"},
        named(0, ""),
        more(0, "{}"),
        {"index": 1, "id": "c2"},
        named(1, None, arguments="{}"),
    ],
    "an index that comes late": [named(None, "c1"), more(0, "{}"), named(None, "c2"), {**more(1, "{}"), "id": "c2"}],
    "an index that is none": [named([], "c1", arguments="{}"), named({}, "c2", arguments="{}")],
}


@pytest.mark.parametrize("entries", TOLD_APART.values(), ids=TOLD_APART)
def test_calls_that_are_badly_numbered_are_told_apart(entries):
    chunks = [*map(calls, entries), *END]
    events, stream = run(*chunks)

    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["name"], item["arguments"]) for item in output] == [
        ("c1", "f", "{}"),
        ("c2", "f", "{}"),
    ]
    assert (events[-1]["response"], stream.losses) == whole(*chunks)


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("call_id", ["", None])
@pytest.mark.parametrize("name", ["f", "g"])
def test_calls_without_an_id_are_told_apart_by_what_they_say(index, call_id, name):
    chunks = [
        calls(named(index, call_id, arguments='{"x":1}')),
        calls(named(index, call_id, name, '{"y":')),
        calls(more(index, "2}")),
    ]
    events, _ = run(*chunks, *END)

    output = events[-1]["response"]["output"]
    assert [(item["name"], item["arguments"]) for item in output] == [("f", '{"x":1}'), (name, '{"y":2}')]
    assert len({item["call_id"] for item in output}) == 2


@pytest.mark.parametrize(("written", "name"), [("{}", "f"), ("{}", "g"), ("", "g")])
def test_calls_with_one_id_get_an_id_each(written, name):
    entries = [named(0, "a", arguments=written), named(1, "a", name), more(1, '{"z":1}')]
    chunks = [*map(calls, entries), chunk(finish_reason="tool_calls")]
    events, stream = run(*chunks)

    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["name"], item["arguments"]) for item in output] == [
        ("a", "f", written),
        ("a_1", name, '{"z":1}'),
    ]
    assert (events[-1]["response"], stream.losses) == whole(*chunks)
    assert [loss.path for loss in stream.losses] == ["choices[0].message.tool_calls[1].id"]


@pytest.mark.parametrize("pieces", [("get_", "weather"), ("get", "_wea", "ther"), ("get_weather", "get_weather")])
def test_a_name_in_pieces_is_announced_whole(pieces):
    entries = [named(0, "c1", pieces[0]), *(named(0, None, piece) for piece in pieces[1:]), more(0, "{}")]
    chunks = [*map(calls, entries), *END]
    events, stream = run(*chunks)

    added = next(event["item"] for event in events if event["type"] == "response.output_item.added")
    assert added["name"] == "get_weather"
    assert (events[-1]["response"], stream.losses) == whole(*chunks)


def test_a_call_without_arguments_keeps_its_place():
    chunks = [chunk({"content": "A"}), calls(named(0, "c1")), chunk({"content": "B"}), calls(named(1, "c2")), *END]
    events, _ = run(*chunks)

    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "message", "function_call"]


def test_text_and_a_call_in_one_chunk_stay_in_that_order():
    chunks = [chunk({"content": "A", "tool_calls": [named(0, "c1", arguments="{}")]}), *END]
    events, _ = run(*chunks)

    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message", "function_call"]


def test_a_late_count_of_nothing_does_not_replace_the_usage():
    zeros = chunk(usage=dict.fromkeys(USAGE, 0) | {"prompt_tokens_details": {"cached_tokens": 0}}) | {"choices": []}
    events, _ = run(zeros, chunk({"content": "A"}), *END, zeros, chunk(usage={"prompt_tokens": None}) | {"choices": []})

    assert events[-1]["response"]["usage"] == whole(chunk({"content": "A"}), *END)[0]["usage"]
    assert events[-1]["response"]["usage"]["total_tokens"] == 3


def test_what_goes_on_as_another_kind_keeps_both():
    odd = [{"a": 1}, "x", ["y"], 5]
    events, _ = run(chunk({"content": "A"}), *(chunk({"odd": value}) for value in odd), *END)

    assert events[-1]["response"]["odd"] == [{"a": 1}, "x", "y", 5]


@pytest.mark.parametrize("name", ["arguments", "input"])
def test_an_input_that_is_no_text_is_refused(name):
    kind = {"arguments": "function", "input": "custom"}[name]
    entry = {"index": 0, "id": "c1", "type": kind, kind: {"name": "f", name: ["secret"]}}
    with pytest.raises(FormatError) as error:
        ChatToResponsesStream().feed(calls(entry))

    assert error.value.path == f"choices[0].delta.tool_calls[0].{kind}.{name}"
    assert "secret" not in str(error.value)


def test_what_comes_for_a_call_that_was_over_is_in_the_whole_response():
    custom = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "sh", "input": "l"}}
    stream = ChatToResponsesStream()
    for given in (calls(custom), chunk({"content": "A"}), calls({"index": 0, "custom": {"input": "s"}}), *END):
        stream.feed(given)
    final = stream.end()[-1]["response"]

    assert [item.get("input") for item in final["output"]] == ["ls", None]
    assert [loss.path for loss in stream.losses] == ["choices[0].message.tool_calls[0]"]


def test_text_behind_a_call_stays_behind_it():
    chunks = [chunk({"content": "A"}), calls(named(0, "c1", arguments="{}")), chunk({"content": "B"}), *END]
    events, _ = run(*chunks)

    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "message"]
    assert [item["content"][0]["text"] for item in output if item["type"] == "message"] == ["A", "B"]
    assert len({item["id"] for item in output}) == 3


def test_reasoning_that_goes_on_is_an_item_of_its_own():
    chunks = [chunk({"reasoning": "R"}), chunk({"content": "A"}), chunk({"reasoning": "S"}), *END]
    events, stream = run(*chunks)

    assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning", "message", "reasoning"]
    assert stream.losses == []


def test_a_legacy_call_comes_whole_at_the_end():
    chunks = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk(finish_reason="function_call"),
    ]
    events, _ = run(*chunks)

    assert kinds(events)[2:6] == [
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
    ]
    assert events[-1]["response"] == whole(*chunks)[0]
