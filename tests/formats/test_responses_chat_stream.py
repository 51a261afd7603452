"""Chat chunks -> Responses events: what a consumer makes of the events is what the whole reply says."""

import copy
import json
import random
from collections import Counter

import pytest
from folding import fold as chat_fold
from mutants import mutant
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from shared_files import recordings, schema, sse_events

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_chat_fold import ChatFold
from chatsheet_llm.formats.responses_chat_reply import chat_to_responses_reply
from chatsheet_llm.formats.responses_chat_stream import ChatToResponsesStream

EVENT = TypeAdapter(ResponseStreamEvent)


def chunk(delta=None, finish_reason=None, **fields):
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish_reason, **fields.pop("choice", {})}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    return {**head, "choices": [choice], **fields}


def named(index, call_id, name="f", arguments=""):
    return {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def more(index, arguments):
    return {"index": index, "function": {"arguments": arguments}}


def calls(*entries):
    return chunk({"tool_calls": list(entries)})


USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
END = (chunk(finish_reason="stop"), chunk(usage=USAGE) | {"choices": []})


def run(*chunks):
    """The events of a stream, checked for what holds of every one."""
    stream, events = ChatToResponsesStream(), []
    for given in chunks:
        before = copy.deepcopy(given)
        events += stream.feed(given)
        assert given == before
    events += stream.end()
    assert stream.end() == []
    check(events)
    return events, stream


def check(events):
    """The order of the events and what they amount to; returns the last one's response."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in events:
        # As the SDK reads events: what it does not know is kept, not refused.
        state.handle_event(construct_type(type_=ResponseStreamEvent, value=copy.deepcopy(event)))
    final = events[-1]["response"]
    assert {event["response"]["id"] for event in events if "response" in event} == {final["id"]}
    assert folded(events) == final["output"]
    if final["status"] == "completed":
        spoken = [part for item in final["output"] if item["type"] == "message" for part in item["content"]]
        assert state._completed_response.output_text == "".join(part.get("text", "") for part in spoken)
    return final


def folded(events):
    """What a plain consumer makes of the events: the output, made of deltas, checked against each `done`."""
    items, closed = {}, {}
    for event in events:
        kind, place = event["type"].removeprefix("response."), event.get("output_index")
        if kind == "output_item.added":
            assert place == len(items)
            items[place] = copy.deepcopy(event["item"])
        elif kind in ("content_part.added", "reasoning_summary_part.added"):
            parts(items[place]).append(copy.deepcopy(event["part"]))
        elif kind.endswith(".delta"):
            holder = part_of(items[place], event)
            name = next(name for name in ("arguments", "input", "refusal", "text") if name in holder)
            holder[name] += event["delta"]
            holder.get("logprobs", []).extend(event.get("logprobs", []))
        elif kind == "output_text.annotation.added":
            assert event["annotation_index"] == len(part_of(items[place], event)["annotations"])
            part_of(items[place], event)["annotations"].append(event["annotation"])
        elif kind in ("content_part.done", "reasoning_summary_part.done"):
            assert bare(part_of(items[place], event)) == bare(event["part"])
        elif kind == "output_item.done":
            assert place not in closed
            closed[place] = event["item"]
            for name in ("arguments", "input"):
                assert items[place].get(name) == event["item"].get(name)
            assert [bare(part) for part in parts(items[place])] == [bare(part) for part in parts(event["item"])]
            assert items[place].get("id") == event["item"].get("id")
        elif place is not None:
            assert kind.endswith(".done"), kind
            text = next(event[name] for name in ("arguments", "input", "refusal", "text") if name in event)
            assert text in part_of(items[place], event).values()
    assert set(closed) == set(items)
    return [closed[place] for place in sorted(closed)]


def parts(item):
    return item.get("summary" if item["type"] == "reasoning" else "content", [])


def part_of(item, event):
    index = event.get("content_index", event.get("summary_index"))
    return item if index is None else item["summary" if "summary_index" in event else "content"][index]


def bare(part):
    """Events leave the bytes of a token out."""
    part = copy.deepcopy(part)
    for entry in part.get("logprobs", []):
        for token in (entry, *entry.get("top_logprobs", [])):
            token.pop("bytes", None)
    return part


def whole(*chunks):
    fold = ChatFold()
    for given in chunks:
        fold.add(given)
    return chat_to_responses_reply(fold.whole())


def kinds(events):
    return [event["type"].removeprefix("response.") for event in events]


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


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_cut_off_answer_is_incomplete(reason):
    chunks = [chunk({"content": "A"}), calls(named(0, "c1", arguments='{"a')), chunk(finish_reason=reason)]
    events, _ = run(*chunks)

    assert events[-1]["type"] == "response.incomplete"
    assert [item["status"] for item in events[-1]["response"]["output"]] == ["completed", "incomplete"]
    assert events[-1]["response"] == whole(*chunks)[0]


def test_citations_and_log_probabilities_come_with_the_text():
    cited = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    token = {"token": "A", "logprob": -0.5, "bytes": [65], "top_logprobs": []}
    chunks = [
        chunk({"content": ""}, choice={"logprobs": {"content": [], "refusal": None}}),
        chunk({"content": "A"}, choice={"logprobs": {"content": [token], "refusal": None}}),
        chunk({"annotations": [cited]}),
        *END,
    ]
    events, stream = run(*chunks)

    part = events[-1]["response"]["output"][0]["content"][0]
    assert (part["annotations"][0]["url"], part["logprobs"]) == ("u", [token])
    assert (events[-1]["response"], stream.losses) == whole(*chunks)


def test_odd_azure_chunks_are_survived():
    empty = {
        "id": "",
        "object": "",
        "created": 0,
        "model": "",
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0}],
    }
    bare_choice = chunk() | {
        "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {"hate": {"filtered": False}}}]
    }
    late = chunk() | {
        "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {"violence": {"filtered": False}}}]
    }
    chunks = [empty, bare_choice, chunk({"content": "A"}), END[0], late, END[1]]
    events, stream = run(*chunks)

    final = events[-1]["response"]
    assert (final["id"], final["model"], final["output"][0]["content"][0]["text"]) == ("chatcmpl-1", "m", "A")
    assert set(final["content_filter_results"]) == {"hate", "violence"}
    assert [loss.path for loss in stream.losses] == ["choices[0].content_filter_results", "prompt_filter_results"]
    assert (final, stream.losses) == whole(*chunks)


def test_other_choices_are_told_at_the_end():
    other = {"index": 1, "delta": {"content": "B"}, "finish_reason": "stop"}
    chunks = [chunk({"content": "A"}), chunk() | {"choices": [other]}, *END]
    events, stream = run(*chunks)

    assert [part["text"] for part in events[-1]["response"]["output"][0]["content"]] == ["A"]
    assert events[-1]["response"]["choices"][0]["message"]["content"] == "B"
    assert [loss.path for loss in stream.losses] == ["choices[1]"]


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_pieces_of_what_has_no_event_are_joined():
    audio = [{"audio": {"id": "a", "data": "xx"}}, {"audio": {"id": "a", "data": "yy", "expires_at": 1}}]
    chunks = [chunk({"content": [{"type": "text", "text": "A"}, {"type": "thinking"}]}), *map(chunk, audio), *END]
    events, stream = run(*chunks)

    final = events[-1]["response"]
    assert final["audio"] == {"id": "a", "data": "xxyy", "expires_at": 1}
    assert [part["type"] for part in final["output"][0]["content"]] == ["output_text", "thinking"]
    assert (final, stream.losses) == whole(*chunks)


def test_a_whole_message_in_one_chunk_is_told():
    message = {"role": "assistant", "content": "A"}
    chunks = [chunk() | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}]
    events, _ = run(*chunks)

    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "A"


def test_a_chunk_after_the_end_is_noted_once():
    _, stream = run(chunk({"content": "A"}), *END)

    assert stream.feed(chunk({"content": "B"})) + stream.feed(chunk()) == []
    assert [loss.path for loss in stream.losses] == ["choices"]


def test_an_error_and_an_answer_that_never_came_are_refused():
    with pytest.raises(FormatError):
        ChatToResponsesStream().feed({"error": {"message": "x"}})
    with pytest.raises(FormatError):
        ChatToResponsesStream().end()


def test_places_lead_from_where_an_item_came_to_where_it_stood():
    _, stream = run(calls(named(0, "c1", arguments="{}")), chunk({"content": "B"}), *END)

    assert stream.places["output[0]"] == "choices[0].message.tool_calls[0]"
    assert stream.places["output[1].content[0].text"] == "choices[0].message.content"


TOKEN = {"token": "A", "logprob": -1, "bytes": [65], "top_logprobs": [{"token": "B", "logprob": -2, "bytes": None}]}
CITED = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
FULL = [
    chunk({"role": "assistant", "reasoning_content": "R", "reasoning": "R"}),
    chunk({"content": "A"}, choice={"logprobs": {"content": [TOKEN], "refusal": None}}),
    chunk({"content": [{"type": "text", "text": "x"}, {"type": "thinking", "thinking": []}], "annotations": [CITED]}),
    chunk({"refusal": "n", "phase": "commentary"}),
    chunk({"provider_parts": [{"type": "odd"}], "provider_annotations": [{"annotation": {"type": "file_citation"}}]}),
    *(calls(named(0, "c1")), calls(more(0, "{")), calls(more(0, "}"))),
    calls({"index": 1, "id": "c2", "type": "custom", "custom": {"name": "g", "input": "i"}}),
    chunk({"content": "B"}),
    calls({"index": 2, "id": "c3", "type": "mcp", "mcp": {"x": 1}}),
    chunk({"function_call": {"name": "f", "arguments": "{}"}, "audio": {"id": "a", "data": "x"}}),
    chunk({"provider_items": [{"type": "web_search_call", "id": "ws"}], "audio": {"data": "y"}}),
    chunk() | {"choices": [{"index": 1, "delta": {"content": "z"}, "finish_reason": "stop"}]},
    *END,
]


def test_nothing_but_a_format_error_escapes_from_an_odd_stream():
    chance, made, refused = random.Random(1), 0, set()
    for _ in range(1000):
        chunks = list(FULL)
        for at in chance.sample(range(len(chunks)), chance.choice((1, 1, 2))):
            chunks[at] = mutant(chunks[at], chance)
        stream, events = ChatToResponsesStream(), []
        try:
            for given in chunks:
                events += stream.feed(given)
            events += stream.end()
        except FormatError as error:
            refused.add(error.path)
            continue
        made += 1
        # Its place is told by the stream alone, and so is an id that came too late.
        level = {"id": "", "output": []}
        assert events[-1]["response"] | level == whole(*chunks)[0] | level

    assert made > 300
    assert "" not in refused


def recorded_streams():
    for row in recordings():
        if row["kind"] in ("openai-chat", "azure-chat", "litellm") and row["response"]["status"] == 200 and row["sse"]:
            yield row["id"], list(sse_events(row["response"]["body"]))


def test_every_recorded_stream_amounts_to_its_own_whole_reply():
    counts, moved = Counter(), []
    for name, chunks in recorded_streams():
        events, stream = run(*chunks)
        response, losses = whole(*chunks)
        final = events[-1]["response"]
        counts.update(kinds(events))
        counts["streams"] += 1
        if final != response:
            # A text behind a call: only the stream tells that it came there.
            moved.append([item["type"] for item in final["output"]])
            final, response = (
                {**given, "output": sorted(map(json.dumps, given["output"]))} for given in (final, response)
            )
        assert final == response, name
        assert stream.losses == losses, name
    print(dict(counts))

    assert counts["streams"] > 100
    assert moved == [["reasoning", "function_call", "message"]] * len(moved)
    assert len(moved) <= 2


def test_every_event_of_a_recorded_stream_is_of_its_schema():
    names = {
        "response.output_text.delta": "ResponseTextDeltaEvent",
        "response.output_text.done": "ResponseTextDoneEvent",
    }
    checked = Counter()
    for _, chunks in recorded_streams():
        for event in run(*chunks)[0]:
            words = event["type"].replace(".", "_").split("_")
            name = names.get(event["type"]) or "".join(map(str.capitalize, words)) + "Event"
            if event.get("response", {}).get("usage", 0) is None:
                # The provider itself sends null until the usage is known.
                event = {
                    **event,
                    "response": {key: value for key, value in event["response"].items() if key != "usage"},
                }
            checked[name] += 1
            EVENT.validate_python(event)
            assert schema(name)(event) == [], event["type"]

    assert len(checked) > 12


def test_every_recorded_stream_comes_back_to_chat_with_the_same_text_and_calls():
    for name, chunks in recorded_streams():
        back, events = ResponsesToChatStream(include_usage=True), run(*chunks)[0]
        again = [made for event in events for made in back.feed(event)] + back.end()
        there, _ = responses_to_chat(events[-1]["response"])
        fold, told = chat_fold(again), there["choices"][0]

        assert fold["finish_reason"] == told["finish_reason"], name
        for field in ("content", "refusal", "reasoning_content", "tool_calls"):
            assert (fold["message"].get(field) or None) == (told["message"].get(field) or None), name
