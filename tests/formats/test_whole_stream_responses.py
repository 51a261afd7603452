"""A whole response as a stream: whoever builds on its events, the SDK or we, has it again, with nothing left out."""

import copy
import json
from itertools import groupby

import pytest
from folding import fold
from hypothesis import assume, given
from hypothesis import strategies as st
from openai import omit
from openai._models import construct_type_unchecked as openai_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError
from random_answers import answered, answers, said_by
from sdk_types import examples, members, names
from shared_files import recordings, sse_events
from whole_replies import (
    CALL,
    CITED,
    CODE,
    FILES,
    IMAGE,
    LAW,
    LIST,
    MCP,
    SEARCH,
    TOKEN,
    message,
    missing,
    response,
    said,
    told,
)
from wild_bodies import replies

from chatsheet_llm.formats import REPLIES, STREAMS, FormatError
from chatsheet_llm.formats.watch import ResponsesWatch
from chatsheet_llm.formats.whole_stream import responses_events

# The SDK reads what it does not know as something it knows, and says so when it writes it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
EVENTS = {kind: TypeAdapter(member) for member in members(ResponseStreamEvent) for kind in names(member)}
RESPONSE = TypeAdapter(Response)


# --- Responses: what readers make of the events ----------------------------------------------------------------------

TEXTS = ("arguments", "code", "input", "refusal", "text")


def check_responses(whole):
    """Every reading of the events of a Response gives it again; returns the events.

    Where the SDK takes the Response for one of its type, every event is one of its type, too.
    """
    before = copy.deepcopy(whole)
    events = responses_events(whole)

    assert whole == before
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    for event in events[:2]:
        assert (event["response"]["status"], event["response"]["output"]) == ("in_progress", [])
        assert event["response"]["id"] == whole["id"]
    assert events[-1]["response"] is whole
    assert [event["item"] for event in events if event["type"].endswith("output_item.done")] == whole["output"]
    assert missing(built(events), whole["output"]) == []
    assert missing(whole, sdk_built(events)) == []
    if fits(RESPONSE, whole):
        assert [event for event in events if not fits(EVENTS[event["type"]], event)] == []
    return events


def fits(adapter, value):
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def built(events):
    """The output as the deltas make it, checked against each `done`; what only closed items have is left out."""
    items = []
    for event in copy.deepcopy(events):
        kind, place = event["type"].removeprefix("response."), event.get("output_index")
        if kind == "output_item.added":
            assert place == len(items)
            items.append({name: value for name, value in event["item"].items() if name not in LATE})
        elif kind in ("content_part.added", "reasoning_summary_part.added"):
            index, parts = listed(items[place], event)
            assert index == len(parts)
            parts.append(event["part"])
        elif kind.endswith(".delta"):
            holder = holder_of(items[place], event)
            name = next(name for name in TEXTS if name in holder)
            holder[name] += event["delta"]
            holder.get("logprobs", []).extend(event.get("logprobs", []))
        elif kind == "output_text.annotation.added":
            notes = holder_of(items[place], event)["annotations"]
            assert event["annotation_index"] == len(notes)
            notes.append(event["annotation"])
        elif kind in ("content_part.done", "reasoning_summary_part.done"):
            assert holder_of(items[place], event) == event["part"]
        elif name := next((name for name in TEXTS if kind.endswith(".done") and name in event), None):
            assert holder_of(items[place], event)[name] == event[name]
            assert event.get("logprobs", []) == holder_of(items[place], event).get("logprobs", [])
        if place is not None and "item_id" in event:
            assert event["item_id"] == (items[place].get("id") or "")
    return items


LATE = frozenset({"status", "outputs", "results", "result", "queries", "error", "output", "tools"})
"""Fields of an item that it has only when it is closed."""


def listed(item, event):
    name = "summary" if "summary_index" in event else "content"
    return event.get("summary_index", event.get("content_index")), item[name]


def holder_of(item, event):
    if event.keys().isdisjoint({"summary_index", "content_index"}):
        return item
    index, parts = listed(item, event)
    return parts[index]


def sdk_built(events):
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in events:
        made = state.handle_event(openai_type(type_=ResponseStreamEvent, value=copy.deepcopy(event)))
    return made[-1].response.to_dict(mode="json", warnings=False)


def stages(events, place=0):
    """The kinds of the events of one item, without "response.", repeated ones once."""
    told_of = [event["type"].removeprefix("response.") for event in events if event.get("output_index") == place]
    return [kind for kind, _ in groupby(told_of)]


@LAW
@given(data=st.data())
def test_every_reader_of_the_events_has_the_response_again(data):
    whole = data.draw(replies("responses"))
    # The SDK's accumulator raises for two items of one name, whoever streams them.
    assume(len({(item["type"], item.get("id")) for item in whole["output"]}) == len(whole["output"]))

    check_responses(whole)


@pytest.mark.parametrize("kind", sorted(names(ResponseOutputItem)))
def test_every_item_that_the_sdk_knows_is_announced_told_and_closed(kind):
    made = [item for member in members(ResponseOutputItem) for item in examples(member) if item["type"] == kind]
    for item in made:
        events = check_responses(response(item))

        assert stages(events)[0] == "output_item.added"
        assert stages(events)[-1] == "output_item.done"
    assert made


@LAW
@given(reply=answers.map(lambda told: answered("responses", said_by(told, "responses"))))
def test_the_events_mean_to_a_bridge_what_the_response_means(reply):
    whole, losses = REPLIES["responses", "chat"](reply)
    bridge = STREAMS["responses", "chat"](True)
    chunks = [chunk for event in responses_events(reply) for chunk in bridge.feed(event)] + bridge.end()

    made, choice = fold(chunks), whole["choices"][0]
    assert told(made["message"]) == told(choice["message"])
    assert (made["finish_reason"], made["usage"]) == (choice["finish_reason"], whole["usage"])
    assert bridge.losses == losses


def recorded_responses(*, sse):
    kept = ("openai-responses", "azure-responses", "litellm")
    rows = [row for row in recordings() if row["kind"] in kept and row["sse"] is sse]
    return [row["response"]["body"] for row in rows if row["response"]["status"] == 200]


def test_every_recorded_response_is_there_again():
    bodies = [json.loads(body) for body in recorded_responses(sse=False)]
    over = [b for b in bodies if b.get("object") == "response" and b["status"] in ("completed", "incomplete")]
    for whole in over:
        check_responses(whole)

    assert len(over) > 200


def test_the_events_come_in_the_order_of_every_recorded_stream():
    """But for citations, which real streams tell while the text goes on, and the last event tells again."""
    compared = 0
    for body in recorded_responses(sse=True):
        recorded = list(sse_events(body))
        if not recorded or recorded[-1].get("type") not in ("response.completed", "response.incomplete"):
            continue
        whole = recorded[-1]["response"]
        made = check_responses(whole)
        for place in range(len(whole["output"])):
            assert noteless(made, place) == noteless(recorded, place)
            announced = [announcement(events, place) for events in (made, recorded)]
            assert announced[0] == announced[1]
            compared += 1
        assert made[-1]["type"] == recorded[-1]["type"]

    assert compared > 100


def noteless(events, place):
    kept = [kind for kind in stages(events, place) if kind != "output_text.annotation.added"]
    return [kind for kind, _ in groupby(kept)]


def announcement(events, place):
    """The announced item, without what servers do not agree on: how a search begins, the seal of what is unsaid."""
    item = next(e["item"] for e in events if e["type"].endswith("item.added") and e["output_index"] == place)
    return {name: value for name, value in item.items() if name not in ("action", "encrypted_content", "arguments")}


def test_a_text_with_a_citation_is_told_in_the_order_of_responses():
    part = said("Hi", annotations=[CITED], logprobs=[TOKEN], newest=1)
    events = check_responses(response(message(part, phase="final_answer")))

    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.annotation.added", "output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert events[2]["item"] == message(status="in_progress", phase="final_answer")
    assert events[3]["part"] == {**part, "text": "", "annotations": [], "logprobs": []}
    assert (events[4]["delta"], events[4]["logprobs"]) == ("Hi", [TOKEN])


def test_reasoning_tells_its_summary_and_its_text():
    summary = [{"type": "summary_text", "text": text} for text in ("a", "b")]
    content = [{"type": "reasoning_text", "text": "c"}]
    item = {"id": "rs_1", "type": "reasoning", "summary": summary, "content": content, "encrypted_content": "seal"}
    events = check_responses(response(item))

    assert stages(events) == [
        "output_item.added",
        *2
        * (
            *("reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done"),
            "reasoning_summary_part.done",
        ),
        *("content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done"),
        "output_item.done",
    ]
    assert events[2]["item"] == {**item, "summary": [], "content": []}


@pytest.mark.parametrize(
    ("item", "between"),
    [
        (CALL | {"status": "completed"}, "function_call_arguments.delta function_call_arguments.done"),
        (CALL | {"arguments": ""}, "function_call_arguments.done"),
        (
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "c", "input": "do"},
            "custom_tool_call_input.delta custom_tool_call_input.done",
        ),
        (
            CODE | {"code": "1", "status": "completed"},
            """code_interpreter_call.in_progress code_interpreter_call_code.delta code_interpreter_call_code.done
            code_interpreter_call.interpreting code_interpreter_call.completed""",
        ),
        (
            CODE | {"code": None, "status": "failed"},
            "code_interpreter_call.in_progress code_interpreter_call.interpreting",
        ),
        (MCP, "mcp_call.in_progress mcp_call_arguments.delta mcp_call_arguments.done mcp_call.completed"),
        (
            MCP | {"error": "no", "output": None, "status": "failed"},
            "mcp_call.in_progress mcp_call_arguments.delta mcp_call_arguments.done mcp_call.failed",
        ),
        (
            MCP | {"status": "incomplete"},
            "mcp_call.in_progress mcp_call_arguments.delta mcp_call_arguments.done",
        ),
        (
            MCP | {"arguments": None, "status": "failed"},
            "mcp_call.in_progress mcp_call.failed",
        ),
        (LIST, "mcp_list_tools.in_progress mcp_list_tools.completed"),
        (LIST | {"error": "no"}, "mcp_list_tools.in_progress mcp_list_tools.failed"),
        (
            FILES | {"status": "completed"},
            "file_search_call.in_progress file_search_call.searching file_search_call.completed",
        ),
        (FILES | {"status": "incomplete"}, "file_search_call.in_progress file_search_call.searching"),
        (
            SEARCH | {"status": "completed"},
            "web_search_call.in_progress web_search_call.searching web_search_call.completed",
        ),
        (
            # It says so of finished ones, too.
            IMAGE | {"status": "generating"},
            "image_generation_call.in_progress image_generation_call.generating image_generation_call.completed",
        ),
        ({"type": "newest_call", "id": "new_1", "arguments": "{}"}, ""),
    ],
)
def test_a_tool_tells_of_its_work_in_the_order_of_the_wire(item, between):
    events = check_responses(response(item))

    assert stages(events) == ["output_item.added", *between.split(), "output_item.done"]


@pytest.mark.parametrize(
    ("item", "blank"),
    [
        (CALL | {"status": "completed"}, {"arguments": "", "status": "in_progress"}),
        (CODE | {"code": "1"}, {"code": "", "outputs": None}),
        (MCP | {"error": "no"}, {"arguments": "", "error": None, "output": None}),
        (FILES, {"queries": [], "results": None}),
        (IMAGE | {"status": "completed"}, {"result": None, "status": "in_progress"}),
        (LIST | {"error": "no"}, {"tools": [], "error": None}),
        (SEARCH, {}),
    ],
)
def test_an_item_is_announced_without_what_it_has_not_done_yet(item, blank):
    events = responses_events(response(item))

    assert events[2]["item"] == item | blank


@pytest.mark.parametrize("item", [CALL, SEARCH, MCP], ids=lambda item: item["type"])
@pytest.mark.parametrize("name", [{}, {"id": ""}, {"id": None}], ids=["none", "empty", "null"])
def test_a_call_without_an_id_has_no_events_that_would_name_it(item, name):
    item = {field: value for field, value in item.items() if field != "id"} | name
    events = responses_events(response(item))

    assert stages(events) == ["output_item.added", "output_item.done"]
    assert events[2]["item"].get("arguments") == item.get("arguments")


def test_a_text_without_an_id_is_told_under_none():
    item = message(said("Hi"))
    del item["id"]
    told_of = [event for event in check_responses(response(item)) if "item_id" in event]

    assert [event["delta"] for event in told_of if "delta" in event] == ["Hi"]
    assert {event["item_id"] for event in told_of} == {""}


def test_the_end_of_a_function_s_arguments_names_it():
    """Some versions of the SDK have its name there."""
    ends = [event for event in responses_events(response(CALL)) if event["type"].endswith("arguments.done")]

    assert [event["name"] for event in ends] == ["f"]


def test_a_part_that_nobody_knows_is_told_whole():
    part = {"type": "newest_part", "says": "so"}
    events = check_responses(response(message(part, {"type": "refusal", "refusal": "No"})))

    assert [event["part"] for event in events if event["type"] == "response.content_part.added"] == [
        part,
        {"type": "refusal", "refusal": ""},
    ]


def test_what_an_answer_knows_at_its_end_is_not_told_at_its_beginning():
    late = {
        "completed_at": 3,
        "incomplete_details": {"reason": "max_output_tokens"},
        "moderation": {"x": 1},
        "output_text": "Hi",
    }
    whole = response(message(said("Hi")), status="incomplete", metadata={"a": "b"}, **late)
    events = check_responses(whole)

    begun = events[0]["response"]
    assert {name: begun[name] for name in (*late, "usage")} == dict.fromkeys((*late, "usage"))
    assert (begun["metadata"], begun["model"], set(begun)) == ({"a": "b"}, "m", set(whole))
    assert events[-1]["type"] == "response.incomplete"


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        *(({"status": status}, "status") for status in ("failed", "cancelled", "queued", "in_progress", 3, ["x"])),
        ({"output": None}, "output"),
        ({"output": ["x"]}, "output[0]"),
        ({"output": [message("x")]}, "output[0].content[0]"),
    ],
)
def test_what_is_no_finished_response_is_refused_by_its_place(broken, path):
    with pytest.raises(FormatError) as caught:
        responses_events(response() | broken)

    assert caught.value.path == path


def test_an_answer_that_does_not_say_how_it_ended_is_complete():
    assert responses_events(response(status=None))[-1]["type"] == "response.completed"


@LAW
@given(data=st.data())
def test_the_watch_takes_the_events_for_whole_at_the_last_and_not_before(data):
    watch, events = ResponsesWatch(), responses_events(data.draw(replies("responses")))
    seen = [watch.see(event) and watch.whole for event in events]

    assert seen == [False] * (len(events) - 1) + [True]
