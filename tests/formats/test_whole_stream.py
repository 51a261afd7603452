"""A whole reply as a stream: whoever folds the stream, the SDK or we, has the reply again, with nothing left out."""

import copy
import json
import os
import random
from itertools import groupby

import httpx2
import openai
import pytest
from folding import fold
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mutants import mutant
from openai import omit
from openai._models import construct_type_unchecked as openai_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError
from random_answers import answered, answers, said_by
from sdk_types import examples, members, names
from shared_files import recordings, sse_events
from wild_bodies import replies

from chatsheet_llm.formats import REPLIES, STREAMS, FormatError
from chatsheet_llm.formats.calls import broken_calls
from chatsheet_llm.formats.responses_chat_fold import ChatFold
from chatsheet_llm.formats.sse import Decoder
from chatsheet_llm.formats.watch import ChatWatch, ResponsesWatch
from chatsheet_llm.formats.whole_stream import chat_chunks, responses_events, sse
from chatsheet_llm.relay import Relay

DEEPER = os.environ.get("CHATSHEET_EXAMPLES")
LAW = settings(max_examples=int(DEEPER or 60), derandomize=not DEEPER, deadline=None, database=None)
EVENTS = {kind: TypeAdapter(member) for member in members(ResponseStreamEvent) for kind in names(member)}
RESPONSE = TypeAdapter(Response)

# The SDK reads what it does not know as something it knows, and says so when it writes it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
TOKEN = {"token": "x", "logprob": -0.25, "bytes": [120], "top_logprobs": []}
CITED = {"type": "url_citation", "url": "https://x.test/c", "title": "t", "start_index": 0, "end_index": 1}


def completion(message, finish_reason="stop", **fields):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m"}
    return {**head, "choices": [choice | fields.pop("choice", {})], "usage": USAGE, **fields}


def response(*output, **fields):
    return answered("responses", EMPTY) | {"output": list(output), **fields}


EMPTY = {"id": "resp_1", "created": 1700000000, "model": "m", "end": "stop", "tier": "default", "pieces": []} | {
    "usage": {"input": 3, "cached": 1, "new": 0, "output": 2, "thought": 1}
}


def message(*parts, **fields):
    head = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": list(parts), **fields}


def said(text, **fields):
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **fields}


# --- chat: what readers make of the chunks ---------------------------------------------------------------------------


def check_chat(whole):
    """Every reading of the chunks of a completion gives it again; returns the chunks."""
    before = copy.deepcopy(whole)
    chunks = chat_chunks(whole, include_usage=True)

    assert whole == before
    assert plainly_folded(chunks) == filled_up(whole)
    assert project_folded(chunks) == told(filled_up(whole))
    assert missing(plainly(whole), sdk_folded(chunks)) == []
    assert [chunk["usage"] for chunk in chunks if chunk["choices"]] == [None] * len([c for c in chunks if c["choices"]])
    bare = chat_chunks(whole, include_usage=False)
    assert bare == [{k: v for k, v in chunk.items() if k != "usage"} for chunk in chunks if chunk["choices"]]
    return chunks


def filled_up(whole):
    """A completion with what every choice of a stream has."""
    choices = [
        {"logprobs": None, "finish_reason": None, **choice, "message": {"role": "assistant", **choice["message"]}}
        for choice in plainly(whole)["choices"]
    ]
    return {**copy.deepcopy(whole), "choices": choices}


def plainly(whole):
    """A completion without the numbers that some servers give to calls: a stream has its own."""
    return {**whole, "choices": [_plain_calls(choice) for choice in whole["choices"]]}


def _plain_calls(choice):
    calls = choice["message"].get("tool_calls")
    bare = [{name: value for name, value in call.items() if name != "index"} for call in calls or []]
    return {**choice, "message": {**choice["message"], "tool_calls": bare}} if calls else choice


def plainly_folded(chunks):
    """What a reader with nothing but the documentation makes of them: texts go on, calls by index, the rest is set."""
    whole, choices = {}, {}
    for chunk in copy.deepcopy(chunks):
        assert chunk["object"] == "chat.completion.chunk"
        whole |= {name: value for name, value in chunk.items() if name != "choices"} | {"object": "chat.completion"}
        for choice in chunk["choices"]:
            known = choices.setdefault(choice["index"], {"message": {}, "logprobs": None})
            message, delta, logprobs = known["message"], choice.pop("delta"), choice.pop("logprobs")
            for entry in delta.pop("tool_calls") if delta.get("tool_calls") else []:
                calls = message.setdefault("tool_calls", [])
                index = entry.pop("index")
                assert index in (len(calls) - 1, len(calls))
                calls.extend([{}] if index == len(calls) else [])
                going_on(calls[index], entry)
            going_on(message, delta)
            assert logprobs is None or known["logprobs"] is None
            known |= choice | {"logprobs": logprobs or known["logprobs"]}
    return whole | {"choices": list(choices.values())}


def going_on(holder, more):
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(holder.get(name), dict):
            going_on(holder[name], value)
        else:
            assert name not in holder or isinstance(value, str), name
            holder[name] = holder.get(name, "") + value if isinstance(holder.get(name, 0), str) else value


def project_folded(chunks):
    made = ChatFold()
    for chunk in chunks:
        made.add(chunk)
    return told(made.whole()) | {"object": "chat.completion"}


def told(node):
    """JSON without what says nothing, which our fold leaves out."""
    if isinstance(node, dict):
        return {name: told(value) for name, value in node.items() if value not in (None, [], {}, "")}
    return [told(value) for value in node] if isinstance(node, list) else node


def sdk_folded(chunks):
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.construct(**copy.deepcopy(chunk)))
    return state.current_completion_snapshot.to_dict(mode="json", warnings=False)


def missing(given, made, path=""):
    """Where something given is not in what was made of it, which may have more."""
    if isinstance(given, dict) and isinstance(made, dict):
        return [at for name, value in given.items() for at in missing(value, made.get(name), f"{path}.{name}")]
    if isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        pairs = enumerate(zip(given, made, strict=True))
        return [at for index, (one, other) in pairs for at in missing(one, other, f"{path}[{index}]")]
    return [] if given == made else [f"{path}: {given!r} is {made!r}"]


def kinds(chunks):
    """What each chunk has, in words: the fields of its delta, or how it ends."""
    return [
        f"{choice['index']} {' '.join(choice['delta']) or choice['finish_reason']}" if choices else "usage"
        for choices in (chunk["choices"] for chunk in chunks)
        for choice in choices or [None]
    ]


def delta_of(chunk):
    return chunk["choices"][0]["delta"]


@LAW
@given(data=st.data())
def test_every_reader_of_the_chunks_has_the_completion_again(data):
    check_chat(data.draw(replies("chat")))


@LAW
@given(reply=answers.map(lambda told: answered("chat", said_by(told, "chat"))))
def test_a_plain_answer_folds_as_any_chat_stream_does(reply):
    chunks = chat_chunks(reply, include_usage=True)
    choice = reply["choices"][0]

    said_in = [chunk | {"choices": [{**c, "delta": told(c["delta"])} for c in chunk["choices"]]} for chunk in chunks]
    assert fold(said_in) == {
        "message": told(choice["message"]),
        "finish_reason": choice["finish_reason"],
        "usage": reply["usage"],
    }


@LAW
@given(reply=answers.map(lambda told: answered("chat", said_by(told, "chat"))))
def test_the_chunks_mean_to_a_bridge_what_the_completion_means(reply):
    whole, losses = REPLIES["chat", "responses"](reply)
    bridge = STREAMS["chat", "responses"](True)
    events = [event for chunk in chat_chunks(reply, include_usage=True) for event in bridge.feed(chunk)] + bridge.end()

    assert events[-1]["response"] == whole
    assert bridge.losses == losses


def test_every_recorded_completion_is_there_again():
    rows = [row for row in recordings() if row["kind"] in ("openai-chat", "azure-chat", "litellm") and not row["sse"]]
    bodies = [json.loads(row["response"]["body"]) for row in rows if row["response"]["status"] == 200]
    wholes = [body for body in bodies if isinstance(body, dict) and "choices" in body]
    for whole in wholes:
        check_chat(whole)

    assert len(wholes) > 250


def test_a_text_follows_the_role_and_precedes_its_reason():
    chunks = check_chat(completion({"content": "Hi", "refusal": None}, system_fingerprint="fp", service_tier="default"))

    assert kinds(chunks) == ["0 refusal role", "0 content", "0 stop", "usage"]
    assert {chunk["system_fingerprint"] for chunk in chunks} == {"fp"}
    assert {chunk["service_tier"] for chunk in chunks} == {"default"}


@pytest.mark.parametrize(("kind", "text"), [("function", "arguments"), ("custom", "input")])
def test_a_call_is_named_before_its_input_comes(kind, text):
    call = {"id": "call_1", "type": kind, kind: {"name": "f", text: '{"a":1}', "strict": True}, "extra": {"b": 2}}
    chunks = check_chat(completion({"content": None, "tool_calls": [call]}, "tool_calls"))

    assert [delta_of(chunk)["tool_calls"] for chunk in chunks[1:3]] == [
        [{**call, "index": 0, kind: {**call[kind], text: ""}}],
        [{"index": 0, kind: {text: '{"a":1}'}}],
    ]


@pytest.mark.parametrize(
    "call",
    [
        {"id": "call_1", "type": "custom", "custom": {"name": "c", "input": "do"}},
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "call_1", "type": "function", "index": 7, "function": {"name": "f", "arguments": "{"}},
        {"id": "call_1", "type": "newest", "newest": {"says": "so"}},
    ],
    ids=["custom", "no-arguments", "numbered", "unknown"],
)
def test_calls_of_every_kind_are_told(call):
    other = {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}}

    check_chat(completion({"content": None, "tool_calls": [call, other]}, "tool_calls"))


@pytest.mark.parametrize("odd", [{"function_call": "f"}, {"content": [{"type": "text", "text": "Hi"}]}])
def test_what_is_not_of_its_shape_is_told_as_it_is(odd):
    chunks = chat_chunks(completion(odd), include_usage=False)

    assert plainly_folded(chunks)["choices"][0]["message"] == {"role": "assistant", **odd}


def test_a_delta_beside_a_whole_message_is_not_taken_for_ours():
    chunks = chat_chunks(completion({"content": "Hi"}, choice={"delta": None}), include_usage=False)

    assert [delta_of(chunk) for chunk in chunks] == [{"role": "assistant"}, {"content": "Hi"}, {}]


def test_what_chat_has_no_delta_for_comes_whole_before_the_end():
    beside = {
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://x.test"}}],
        "reasoning_items": [{"id": "rs_1", "type": "reasoning", "summary": []}],
        "provider_items": [{"output_index": 0, "item": {"type": "newest"}}],
        "audio": {"id": "audio_1", "data": "AA==", "transcript": "so"},
        "function_call": {"name": "f", "arguments": "{}"},
        "newest": 3,
    }
    chunks = check_chat(completion({"content": "Hi", "reasoning_content": "Hm", **beside}))

    assert kinds(chunks) == [
        *("0 role", "0 reasoning_content", "0 content", "0 function_call", "0 function_call"),
        *("0 annotations reasoning_items provider_items audio newest", "0 stop", "usage"),
    ]


@pytest.mark.parametrize(
    ("said_in", "at"),
    [
        ({"reasoning_content": "Hm", "content": "Hi"}, "content"),
        ({"refusal": "No"}, "refusal"),
        ({"content": None}, "stop"),
    ],
)
def test_log_probabilities_stand_once_with_their_text_or_at_the_end(said_in, at):
    logprobs = {"content": [TOKEN], "refusal": [TOKEN]}
    chunks = check_chat(completion(said_in, choice={"logprobs": logprobs}))

    placed = [
        (kind, chunk["choices"][0]["logprobs"]) for kind, chunk in zip(kinds(chunks)[:-1], chunks[:-1], strict=True)
    ]
    assert [entry for entry in placed if entry[1]] == [(f"0 {at}", logprobs)]


def test_all_choices_are_open_before_one_is_told():
    reply = completion({"content": "a"}, prompt_filter_results=[{"prompt_index": 0}])
    reply["choices"].append({**completion({"content": "b"}, "length")["choices"][0], "index": 1, "filter": {"x": 1}})
    chunks = check_chat(reply)

    assert kinds(chunks) == ["0 role", "1 role", "0 content", "0 stop", "1 content", "1 length", "usage"]
    assert [chunk["choices"][0].get("filter") for chunk in chunks[:-1]] == [None, {"x": 1}, None, None, None, {"x": 1}]
    assert [chunk.get("prompt_filter_results") for chunk in chunks][:2] == [[{"prompt_index": 0}], None]


@pytest.mark.parametrize(("indexes", "expected"), [((1, 0), (1, 0)), ((0, 0), (0, 1)), ((None, 1), (0, 1))])
def test_choices_that_their_index_does_not_tell_apart_are_counted(indexes, expected):
    reply = completion({"content": "a"})
    reply["choices"] = [{**reply["choices"][0], "index": index, "place": at} for at, index in enumerate(indexes)]
    opened = [chunk["choices"][0] for chunk in chat_chunks(reply, include_usage=False)][: len(indexes)]
    made = {choice["place"]: choice["index"] for choice in opened}

    # The SDK's accumulator takes the first choice that it sees for number 0.
    assert [choice["index"] for choice in opened] == [0, 1]
    assert tuple(made[at] for at in range(2)) == expected


def test_a_list_for_which_the_sdk_would_raise_stands_beside_the_delta():
    details = [{"type": "a", "index": 0}, {"type": "b"}]
    chunks = chat_chunks(completion({"content": "Hi", "details": details}), include_usage=True)

    assert chunks[0]["choices"][0]["details"] == details
    assert sdk_folded(chunks)["choices"][0]["details"] == details
    assert not any("details" in delta_of(chunk) for chunk in chunks[:-1])


def test_usage_is_told_to_those_who_asked_and_only_where_there_is_any():
    reply = completion({"content": "Hi"})

    assert all("usage" not in chunk for chunk in chat_chunks(reply, include_usage=False))
    assert chat_chunks(reply, include_usage=True)[-1]["usage"] == USAGE
    assert kinds(chat_chunks(reply | {"usage": None}, include_usage=True))[-1] == "0 stop"


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ({"error": {"message": "no"}}, "choices"),
        ({"choices": []}, "choices"),
        ({"choices": ["x"]}, "choices[0]"),
        ({"choices": [{"text": "x"}]}, "choices[0].message"),
        ({"choices": [{"message": {"tool_calls": [3]}}]}, "choices[0].message.tool_calls[0]"),
    ],
)
def test_what_is_no_completion_is_refused_by_its_place(broken, path):
    with pytest.raises(FormatError) as caught:
        chat_chunks(broken, include_usage=False)

    assert caught.value.path == path


@LAW
@given(data=st.data())
def test_the_watch_takes_the_chunks_for_whole_at_the_last_choice_s_end_and_not_before(data):
    reply = data.draw(replies("chat"))
    watches = ChatWatch(), ChatWatch(len(reply["choices"]))
    chunks = chat_chunks(reply, include_usage=False)
    seen = [[watch.see(chunk) and watch.whole for chunk in chunks] for watch in watches]

    assert seen == [[False] * (len(chunks) - 1) + [True]] * 2


def test_a_choice_without_a_reason_is_not_given_one():
    watch = ChatWatch()
    for chunk in chat_chunks(completion({"content": "Hi"}, None), include_usage=True):
        watch.see(chunk)

    assert not watch.whole


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


CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
CODE = {"type": "code_interpreter_call", "id": "ci_1", "container_id": "c", "outputs": [{"type": "logs", "logs": "1"}]}
MCP = {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "f", "arguments": "{}", "output": "so"}
FILES = {"type": "file_search_call", "id": "fs_1", "queries": ["q"], "results": [{"text": "r"}]}
IMAGE = {"type": "image_generation_call", "id": "ig_1", "result": "AA=="}
LIST = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": [{"name": "f", "input_schema": {}}]}
SEARCH = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}}


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


# --- bytes -----------------------------------------------------------------------------------------------------------

MADE = {
    "chat": lambda reply: chat_chunks(reply, include_usage=True),
    "responses": responses_events,
}
each_format = pytest.mark.parametrize("mode", list(MADE))


@each_format
@LAW
@given(data=st.data())
def test_a_relay_passes_the_bytes_on_as_they_are(mode, data):
    reply = data.draw(replies(mode))
    # Half a call is no answer, however it comes.
    assume(not broken_calls(mode, reply))
    made = sse(mode, MADE[mode](reply))
    relay = Relay(mode, mode, {}, None, choices=len(reply.get("choices", "1")))

    assert relay.feed(made) + relay.end() == made
    assert relay.finished


@each_format
@LAW
@given(data=st.data())
def test_the_bytes_hold_the_pieces_named_as_the_format_names_them(mode, data):
    pieces = MADE[mode](data.draw(replies(mode)))
    events = Decoder().feed(sse(mode, pieces))

    heard = events[:-1] if mode == "chat" else events
    assert [json.loads(event.data) for event in heard] == pieces
    assert [event.name for event in heard] == [piece.get("type") for piece in pieces]
    assert (events[-1].data == "[DONE]") == (mode == "chat")


@pytest.mark.parametrize("seed", range(200))
@each_format
def test_a_reply_that_is_almost_right_is_told_or_refused(mode, seed):
    chance = random.Random(seed)
    item = message(said("Hi", annotations=[CITED], logprobs=[TOKEN]))
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    wholes = {
        "chat": completion({"content": "Hi", "tool_calls": [call], "function_call": call["function"]}),
        "responses": response(item, CALL, MCP, LIST, {"id": "rs_1", "type": "reasoning", "summary": [said("a")]}),
    }
    reply = mutant(wholes[mode], chance)
    try:
        pieces = MADE[mode](reply)
    except FormatError:
        return

    assert Decoder().feed(sse(mode, pieces))


def client(made):
    def answer(request):
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=made)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(base_url="https://x.test/v1", api_key="none", http_client=http)


def test_the_sdk_s_client_streams_a_completion_whole():
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    whole = completion({"content": "Hi", "tool_calls": [call]}, "tool_calls", service_tier="default")
    sdk = client(sse("chat", chat_chunks(whole, include_usage=True)))
    with sdk.chat.completions.stream(model="m", messages=[]) as stream:
        made = stream.get_final_completion()

    assert missing(whole, made.to_dict(mode="json", warnings=False)) == []
    assert isinstance(made, ChatCompletion)


def test_the_sdk_s_client_streams_a_response_whole():
    whole = response(message(said("Hi")), CALL)
    with client(sse("responses", responses_events(whole))).responses.stream(model="m", input="x") as stream:
        heard = [event.delta for event in stream if event.type == "response.output_text.delta"]
        made = stream.get_final_response()

    assert heard == ["Hi"]
    assert missing(whole, made.to_dict(mode="json", warnings=False)) == []
