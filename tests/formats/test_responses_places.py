"""Odd Responses streams and replies, to either format: whose item an event is, what stands twice, what is not there."""

import random

import pytest
from answers import folded, said
from mutants import mutant

from chatsheet_llm.formats import REPLIES, STREAMS
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_places import DROPPED

HEAD = {"id": "resp_1", "object": "response", "created_at": 5, "model": "m"}
USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
CREATED = {"type": "response.created", "response": {**HEAD, "status": "in_progress", "output": []}}

either = pytest.mark.parametrize("caller", ["chat", "messages"])


def run(caller, *events):
    stream = STREAMS["responses", caller](True)
    made = [event for given in events for event in stream.feed(given)] + stream.end()
    return made, stream.losses


def told(caller, *events):
    """Text and calls of the folded stream, and where it lost something."""
    made, losses = run(caller, *events)
    answer = said(caller, folded(caller, made))
    return answer.text, [call for _, *call in answer.calls], [loss.path for loss in losses]


def added(index, item):
    blank = {"content": [], "summary": [], "arguments": ""}
    item = {name: blank.get(name, value) for name, value in item.items()}
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index, item):
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def text(index, delta, name="msg_s"):
    at = {"output_index": index, "content_index": 0, "item_id": name}
    return {"type": "response.output_text.delta", **at, "delta": delta}


def thought(delta):
    at = {"output_index": 0, "summary_index": 0, "item_id": "rs_s"}
    return {"type": "response.reasoning_summary_text.delta", **at, "delta": delta}


def arguments(index, delta, name):
    return {
        "type": "response.function_call_arguments.delta",
        "output_index": index,
        "item_id": name,
        "delta": delta,
    }


def completed(*output, **fields):
    return {
        "type": "response.completed",
        "response": {**HEAD, "status": "completed", "output": list(output), "usage": USAGE, **fields},
    }


def says(name, words, *annotations):
    part = {"type": "output_text", "text": words, "annotations": list(annotations), "logprobs": []}
    return {"type": "message", "id": name, "role": "assistant", "status": "completed", "content": [part]}


def reason(name):
    return {"type": "reasoning", "id": name, "summary": [{"type": "summary_text", "text": "think"}]}


def call(name, number, tool, words):
    return {"type": "function_call", "id": name, "call_id": number, "name": tool, "arguments": words}


X, Y = call("fc_x", "call_x", "f", '{"x": 1}'), call("fc_y", "call_y", "g", '{"y": 2}')
REASONED = [added(0, reason("rs_s")), thought("thi"), thought("nk"), done(0, reason("rs_s"))]
SPOKEN = [text(0, "hel"), text(0, "lo")]
BROUGHT = [added(1, X), arguments(1, '{"x": 1}', "fc_x"), done(1, X)]


def flat(*output):
    """A stream that gives every item the same index."""
    for item in output:
        yield added(0, item)
        if item["type"] == "function_call":
            half = len(item["arguments"]) // 2
            yield arguments(0, item["arguments"][:half], item["id"])
            yield arguments(0, item["arguments"][half:], item["id"])
        else:
            yield text(0, item["content"][0]["text"], item["id"])
        yield done(0, item)


# --- whose item it is ------------------------------------------------------------------------------------------------


@either
@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("closed", [True, False])
def test_reasoning_and_text_at_one_index_come_once_though_the_last_event_names_them_anew(caller, announced, closed):
    """As a gateway sends them that makes Responses streams out of Chat streams."""
    begun = [added(0, says("msg_s", ""))] if announced else []
    ended = [done(0, says("msg_s", "hello"))] if closed else []
    last = completed(reason("rs_final"), says("msg_final", "hello"))

    words, _, lost = told(caller, CREATED, *REASONED, *begun, *SPOKEN, *ended, last)

    assert words == "hello"
    assert lost == ["output[0]"]


@either
def test_a_call_that_stands_elsewhere_in_the_last_event_and_has_another_id_is_known_by_its_call_id(caller):
    first, second = {**X, "id": "other_1"}, {**Y, "id": "other_2"}
    more = [added(2, Y), arguments(2, '{"y": 2}', "fc_y"), done(2, Y)]

    one = told(caller, CREATED, *BROUGHT, completed(first))
    two = told(caller, CREATED, *BROUGHT, *more, completed(first, second))

    assert one == ("", [["f", '{"x": 1}']], [])
    assert two == ("", [["f", '{"x": 1}'], ["g", '{"y": 2}']], [])


@either
def test_a_message_that_was_announced_and_never_filled_is_nothing(caller):
    reserved, empty = added(0, says("msg_s", "")), done(0, says("msg_s", ""))

    assert told(caller, CREATED, reserved, *BROUGHT, empty, completed({**X, "id": "z"})) == (
        "",
        [["f", '{"x": 1}']],
        [],
    )


@either
def test_an_empty_message_is_not_taken_for_the_one_that_spoke(caller):
    events = [added(0, says("a", "")), added(1, says("b", "")), text(1, "hello", "b")]

    assert told(caller, CREATED, *events, completed(says("other", "hello")))[0] == "hello"


@either
def test_the_final_messages_are_those_that_begin_as_they_came(caller):
    spoken = [*flat(says("a", "One. ")), *flat(says("b", "Two."))]

    both = told(caller, CREATED, *spoken, completed(says("y", "One. "), says("z", "Two.")))
    words, _, lost = told(caller, CREATED, *spoken, completed(says("z", "Two.")))

    assert both == ("One. Two.", [], [])
    assert words == "One. Two."
    assert lost == ["output[0]"]


@either
@pytest.mark.parametrize("left_out", [True, False])
def test_items_that_all_have_one_index_are_told_apart(caller, left_out):
    output = [says("m", "hello"), X, Y]

    found = told(caller, CREATED, *flat(*output), completed(*([] if left_out else output)))

    assert found == ("hello", [["f", '{"x": 1}'], ["g", '{"y": 2}']], [])


@either
def test_calls_with_one_id_for_all_are_told_apart_by_their_call_ids(caller):
    first, second = {**X, "id": "fc"}, {**Y, "id": "fc"}
    events = [event for index, item in enumerate((first, second)) for event in (added(index, item), done(index, item))]

    assert told(caller, CREATED, *events, completed(first, second)) == (
        "",
        [["f", '{"x": 1}'], ["g", '{"y": 2}']],
        [],
    )


@either
def test_a_message_at_another_index_under_a_name_that_was_used_is_another_message(caller):
    first, second = says("m", "One. "), says("m", "Two.")
    events = [text(0, "One. ", "m"), done(0, first), text(1, "Two.", "m"), done(1, second)]

    assert told(caller, CREATED, *events, completed(first, second)) == ("One. Two.", [], [])


@either
def test_ids_that_change_with_each_event_and_items_without_any_index_do_no_harm(caller):
    renamed = [added(0, says("a", "")), text(0, "hel", "b"), text(0, "lo", "c"), done(0, says("d", "hello"))]
    bare = [event | {"output_index": None} for event in (*renamed[:1], text(0, "hello", "a"), *flat(X, Y))]

    assert told(caller, CREATED, *renamed, completed(says("e", "hello"))) == ("hello", [], [])
    assert told(caller, CREATED, *bare, completed(says("a", "hello"), X, Y)) == (
        "hello",
        [["f", '{"x": 1}'], ["g", '{"y": 2}']],
        [],
    )


@either
def test_what_the_last_event_brings_alone_is_new_and_what_it_does_not_hold_is_listed(caller):
    made, losses = run(caller, CREATED, *BROUGHT, completed(X, Y))
    other, gone = run(caller, CREATED, *flat(says("m", "hello")), completed(X))

    assert [name for _, name, _ in said(caller, folded(caller, made)).calls] == ["f", "g"]
    assert losses == []
    assert said(caller, folded(caller, other)).text == "hello"
    assert [(loss.path, loss.reason) for loss in gone] == [("output[0]", DROPPED)]


def test_reasoning_that_comes_late_stands_behind_the_text_and_is_listed():
    made, losses = run("messages", CREATED, *SPOKEN, completed(reason("rs"), says("m", "hello")))

    assert [block["type"] for block in folded("messages", made)["content"]] == ["text", "thinking"]
    assert [loss.path for loss in losses] == ["output[0]"]


# --- what stands twice -----------------------------------------------------------------------------------------------


def numbered(*events):
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


@either
def test_an_event_that_comes_twice_by_its_number_is_heard_once(caller):
    events = numbered(CREATED, text(0, "ha"), text(0, "ha"), completed(says("m", "haha")))
    twice = [event for event in events for _ in range(2)]

    assert told(caller, *events) == told(caller, *twice) == ("haha", [], [])


@either
@pytest.mark.parametrize("number", [0, None])
def test_the_same_word_twice_under_one_number_for_all_is_two_words(caller, number):
    events = [CREATED, text(0, "ha"), text(0, "ha"), completed(says("m", "haha"))]

    assert told(caller, *(event | {"sequence_number": number} for event in events)) == ("haha", [], [])


# --- what is not there -----------------------------------------------------------------------------------------------

CITED = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 2}


@either
@pytest.mark.parametrize("last", [completed(), completed(says("msg_s", "hello"))], ids=["left out", "without them"])
def test_annotations_that_only_their_events_tell_of_stand_on_the_answer(caller, last):
    event = {"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0}
    event |= {"item_id": "msg_s", "annotation_index": 0, "annotation": CITED}
    whole, losses = REPLIES["responses", caller](completed(says("msg_s", "hello", CITED))["response"])

    made, found = run(caller, CREATED, added(0, says("msg_s", "")), *SPOKEN, event, event, last)

    if caller == "chat":
        assert (
            folded(caller, made)["choices"][0]["message"]["annotations"]
            == (whole["choices"][0]["message"]["annotations"])
        )
    else:
        last_block = next(event for event in made if event["type"] == "content_block_stop")
        assert last_block["content_block"]["annotations"] == whole["content"][0]["annotations"]
    assert found == losses


@either
@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"no": "type"},
        {"type": ["x"]},
        {"type": "response.created"},
        {"type": "response.created", "response": None},
        {**text(0, "x"), "delta": None},
        {"type": "response.output_text.delta", "output_index": 0},
        {**text(0, ""), "content_index": None, "output_index": None},
        {"type": "keepalive", "sequence_number": 3},
        {"type": "ping"},
    ],
)
def test_an_event_that_says_nothing_costs_nothing(caller, odd):
    words, _, lost = told(caller, CREATED, text(0, "hel"), odd, text(0, "lo"), completed(says("m", "hello")))

    assert words == "hello"
    assert lost == ([] if isinstance(odd.get("type"), str) else ["type"])


@either
@pytest.mark.parametrize("last", [{}, {"response": None}, {"response": {"output": None}}])
@pytest.mark.parametrize("closed", [True, False])
def test_a_last_event_without_the_reply_ends_what_came(caller, last, closed):
    events = [CREATED, *SPOKEN, *([done(0, says("msg_s", "hello"))] if closed else []), *BROUGHT]

    made, _ = run(caller, *events, {"type": "response.completed", **last})
    whole = folded(caller, made)

    assert said(caller, whole).text == "hello"
    assert [name for _, name, _ in said(caller, whole).calls] == ["f"]
    assert said(caller, whole).finish == "tool_calls"
    assert (whole["id"], whole["model"]) == ("resp_1", "m")


# --- malformed -------------------------------------------------------------------------------------------------------

SEARCH = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}}
REFUSED = {"type": "message", "id": "r", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
DETAILS = {"input_tokens_details": {"cached_tokens": 1}, "output_tokens_details": {"reasoning_tokens": 1}}
LAST = completed(
    reason("rs_s"),
    SEARCH,
    says("m", "hello", CITED, {**CITED, "cited_text": "c", "encrypted_index": "e"}),
    REFUSED,
    X,
    {"type": "custom_tool_call", "id": "c", "call_id": "c", "name": "n", "input": "i"},
    usage={**USAGE, **DETAILS},
    service_tier="default",
    metadata={"a": "b"},
    incomplete_details={"reason": "max_output_tokens"},
    moderation={"input": {"type": "moderation_result", "model": "m"}},
)
STREAM = [CREATED, *REASONED, added(1, SEARCH), done(1, SEARCH), *flat(says("m", "hello", CITED)), *BROUGHT]
STREAM += [{"type": "response.output_text.annotation.added", "output_index": 2, "annotation": CITED}]
STREAM += [{"type": "response.content_part.done", "output_index": 2, "part": says("m", "hello")["content"][0]}]
STREAM += [{"type": "response.function_call_arguments.done", "output_index": 1, "arguments": X["arguments"]}, LAST]


@either
@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_reply_of_another_shape_is_read_or_refused(caller, status):
    chance = random.Random(7)
    outcomes = set()
    for _ in range(1000):
        outcomes.add(outcome(REPLIES["responses", caller], mutant({**LAST["response"], "status": status}, chance)))

    assert outcomes == {"made", "refused"}


@either
def test_a_stream_of_another_shape_is_read_or_refused(caller):
    chance = random.Random(7)
    outcomes = set()
    for _ in range(1000):
        number = chance.randrange(len(STREAM))
        events = [*STREAM[:number], mutant(STREAM[number], chance), *STREAM[number + 1 :]]
        outcomes.add(outcome(lambda events: run(caller, *events), events))

    assert outcomes == {"made", "refused"}


def outcome(bridge, given):
    try:
        bridge(given)
    except FormatError:
        return "refused"
    return "made"
