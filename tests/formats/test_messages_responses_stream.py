"""Responses streams as Messages streams: the events fold to the reply, in the order and the shapes of Messages."""

import copy
import json
from collections import Counter

import pytest
from anthropic._models import construct_type_unchecked
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from folding import accumulated
from pydantic import TypeAdapter
from shared_files import recordings, sse_events

from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.messages_responses_reply import responses_to_messages_reply
from chatsheet_llm.formats.messages_responses_stream import ResponsesToMessagesStream
from chatsheet_llm.formats.responses_messages_reply import messages_to_responses_reply
from chatsheet_llm.formats.responses_messages_stream import MessagesToResponsesStream
from chatsheet_llm.formats.seals import open_reasoning
from chatsheet_llm.formats.tables import STREAM_EVENTS

EVENT = TypeAdapter(RawMessageStreamEvent)
OWN = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
HEAD = {"id": "resp_1", "object": "response", "created_at": 5, "model": "gpt-5"}
USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}

# The SDK reads a block of a type it does not know as one it knows, and says so when it writes it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


def run(events, stream=None):
    stream = stream or ResponsesToMessagesStream()
    made = [event for given in events for event in stream.feed(given)]
    assert stream.end() == []
    return made, stream.losses


def fold(events):
    """What a plain consumer makes of the events, which come one block after another."""
    message, texts, opened = None, {}, None
    for event in copy.deepcopy(events):
        kind, block = event["type"], message["content"][opened] if opened is not None else None
        if kind == "message_start":
            assert message is None
            message = event["message"]
        elif kind == "content_block_start":
            assert opened is None
            assert event["index"] == len(message["content"])
            message["content"].append(event["content_block"])
            opened = event["index"]
        elif kind == "content_block_delta":
            assert event["index"] == opened
            (name, value) = next((k, v) for k, v in event["delta"].items() if k != "type")
            if name == "citation":
                block.setdefault("citations", []).append(value)
            elif name == "partial_json":
                texts[opened] = texts.get(opened, "") + value
            else:
                block[name] += value
        elif kind == "content_block_stop":
            assert event["index"] == opened
            block |= event.get("content_block", {})
            if opened in texts:
                block["input"] = json.loads(texts[opened] or "{}")
            opened = None
        elif kind == "message_delta":
            assert opened is None
            message |= event["delta"]
            message["usage"] |= event["usage"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    return message


def sdk_fold(events):
    """What the SDK's own accumulator makes of the events, each of which it must know."""
    snapshot, buffers, foreign = None, {}, set()
    for event in events:
        if event["type"] == "content_block_start" and event["content_block"]["type"] not in OWN:
            foreign.add(event["index"])
        elif event.get("index") not in foreign:
            EVENT.validate_python(event)
        made = construct_type_unchecked(type_=RawMessageStreamEvent, value=copy.deepcopy(event))
        snapshot = accumulated(accumulate_event, made, snapshot, buffers)
    return snapshot.to_dict()


def sdk_view(message):
    """A message without what the SDK's accumulator does not read: what came after its place in the stream."""
    fields = {"text": ("text", "citations"), "tool_use": ("id", "name", "input"), "thinking": ("thinking", "signature")}
    content = [
        {name: block[name] for name in ("type", *fields[block["type"]]) if block.get(name) is not None}
        if block["type"] in fields
        else block
        for block in message["content"]
    ]
    counts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    usage = {name: message["usage"][name] for name in (*counts, "output_tokens_details") if name in message["usage"]}
    head = {name: message[name] for name in ("id", "type", "role", "model", "stop_reason", "stop_sequence")}
    return head | {"content": content, "usage": usage}


def stream_of(*output, status="completed", **fields):
    """A stream that leaves nothing out: every text in pieces of three characters."""
    events = [{"type": "response.created", "response": {**HEAD, "status": "in_progress", "output": [], "usage": None}}]
    for index, item in enumerate(output):
        at = {"output_index": index, "item_id": item.get("id", "")}
        events.append({"type": "response.output_item.added", "output_index": index, "item": begun(item)})
        for kind, place, name, text in texts_of(item):
            pieces = [text[start : start + 3] for start in range(0, len(text), 3)]
            events += [{"type": f"response.{kind}.delta", **at, **place, "delta": piece} for piece in pieces]
            events.append({"type": f"response.{kind}.done", **at, **place, name: text})
            if item["type"] == "message":
                part = item["content"][place["content_index"]]
                events.append({"type": "response.content_part.done", **at, **place, "part": part})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    response = {**HEAD, "status": status, "output": list(output), "usage": USAGE, **fields}
    return [*events, {"type": f"response.{status}", "response": response}]


def begun(item):
    empty = {"content": [], "summary": [], "arguments": "", "input": "", "encrypted_content": ""}
    return {name: empty.get(name, value) for name, value in item.items()}


def texts_of(item):
    for index, part in enumerate(item.get("summary", [])):
        yield "reasoning_summary_text", {"summary_index": index}, "text", part["text"]
    for index, part in enumerate(item.get("content", [])):
        kinds = {"output_text": "output_text", "refusal": "refusal", "reasoning_text": "reasoning_text"}
        name = "refusal" if part["type"] == "refusal" else "text"
        yield kinds[part["type"]], {"content_index": index}, name, part[name]
    if item["type"] == "function_call":
        yield "function_call_arguments", {}, "arguments", item["arguments"]
    if item["type"] == "custom_tool_call":
        yield "custom_tool_call_input", {}, "input", item["input"]


def says(identity, *texts, **fields):
    parts = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in texts]
    return {"type": "message", "id": identity, "role": "assistant", "content": parts, **fields}


def call(identity, arguments, **fields):
    named = {"call_id": f"call_{identity}", "name": "look", "arguments": arguments}
    return {"type": "function_call", "id": identity, **named, **fields}


def reason(identity, *texts, **fields):
    summary = [{"type": "summary_text", "text": text} for text in texts]
    return {"type": "reasoning", "id": identity, "summary": summary, **fields}


CITED = {"type": "url_citation", "start_index": 0, "end_index": 6, "url": "u", "title": "t"}
CITED |= {"cited_text": "c", "encrypted_index": "e"}
CUSTOM = {"type": "custom_tool_call", "id": "ctc", "call_id": "c", "name": "run", "input": 'say "hé\n\t\\"'}
REFUSAL = {
    "type": "message",
    "id": "m",
    "role": "assistant",
    "content": [{"type": "refusal", "refusal": "I will not."}],
}
SEARCH = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}}
SEALED = reason("rs", "Thought.", encrypted_content="messages.thinking:sig")
REDACTED = reason("rs2", encrypted_content="messages.redacted:data")
NOTED = says("m", "Hello.")
NOTED["content"][0] |= {"annotations": [CITED, {"type": "file_citation", "file_id": "f"}], "logprobs": [{"token": "H"}]}

OUTPUTS = {
    "nothing": [],
    "text": [says("m", "Hello, world.")],
    "empty text": [says("m", "")],
    "two parts": [says("m", "First part.", "Second part.", phase="final_answer")],
    "text and calls": [says("m", "I look."), call("a", '{"x": [1, 2]}'), call("b", "{}"), call("c", "")],
    "reasoning": [reason("rs", "So.", "", "Then that.", encrypted_content="enc"), says("m", "Done.")],
    "open reasoning": [
        {**reason("rs", "So."), "content": [{"type": "reasoning_text", "text": "Raw."}]},
        says("m", "."),
    ],
    "reasoning alone": [reason("rs", "So.")],
    "a seal of messages": [SEALED, REDACTED, says("m", "Done.")],
    "custom call": [CUSTOM],
    "call extras": [call("a", '{"x": 1}', namespace="n", caller={"type": "program", "caller_id": "p"})],
    "refusal": [REFUSAL],
    "arguments of another shape": [call("a", "[1, 2, 3]"), call("b", "nonsense")],
    "hosted": [SEARCH, says("m", "Found."), {**SEARCH, "id": "ws2"}],
    "annotations and logprobs": [NOTED],
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("missing", [None, "delta", "done", "added", "created", "part.done", "everything", "output"])
def test_a_stream_folds_to_its_reply_whatever_it_leaves_out(output, missing):
    *given, last = stream_of(*output)
    whole, losses = responses_to_messages_reply(last["response"])
    given = [event for event in given if missing != "everything" and not event["type"].endswith(f"{missing}")]
    if missing == "output":
        last = {**last, "response": {**last["response"], "output": []}}

    events, found = run([*given, last])

    assert fold(events) == whole
    assert found == losses
    known = sdk_view(sdk_fold(events))
    # The SDK reads the id and the model from the beginning alone.
    assert sdk_view(whole) == known | ({name: whole[name] for name in ("id", "model")} if missing == "created" else {})


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_every_event_twice_says_it_once_but_for_deltas(output):
    given = stream_of(*output)
    twice = [event for event in given for _ in range(1 if event["type"].endswith("delta") else 2)]

    events, losses = run(twice)

    assert fold(events) == responses_to_messages_reply(given[-1]["response"])[0]
    assert [loss.path for loss in losses][-1] == "response.completed"


def test_text_thinking_and_arguments_come_as_they_are_written():
    given = stream_of(reason("rs", "So it is."), says("m", "I look."), call("a", '{"x": 1}'), CUSTOM)
    stream = ResponsesToMessagesStream()

    made = [[event["type"] for event in stream.feed(event)] for event in given]

    deltas = [(event["type"], kinds) for event, kinds in zip(given, made, strict=True) if "delta" in event["type"]]
    assert len(deltas) > 10
    assert all(kinds[-1] == "content_block_delta" for _, kinds in deltas)


def test_items_that_interleave_come_one_after_another():
    output = [says("m", "Hello, world."), call("a", '{"x": 1}'), call("b", '{"y": 2}')]
    start, *given, last = stream_of(*output)
    lanes = [[event for event in given if event["output_index"] == index] for index in range(3)]
    mixed = [event for step in range(20) for lane in lanes for event in lane[step : step + 1]]

    events, losses = run([start, *mixed, last])
    backwards, _ = run([start, *lanes[2], *lanes[1], *lanes[0], last])

    whole, _ = responses_to_messages_reply(last["response"])
    assert fold(events) == fold(backwards) == whole
    assert sdk_view(sdk_fold(events)) == sdk_view(whole)
    assert losses == []


def test_an_item_streams_on_while_a_later_one_waits():
    given = stream_of(says("m", "Hello."), call("a", '{"x": 1}'))
    by_kind = [event for event in given if event.get("output_index") == 1][:3]
    text = [event for event in given if event.get("output_index") == 0]

    stream = ResponsesToMessagesStream()
    made = [stream.feed(event) for event in (given[0], text[0], *by_kind, *text[1:3])]

    assert [len(events) for events in made] == [1, 0, 0, 0, 0, 2, 1]


def test_the_last_seal_wins_while_its_block_is_open_and_is_listed_after():
    first, again = reason("rs", "So.", encrypted_content="one"), reason("rs", "So.", encrypted_content="two")
    alone, followed = stream_of(first), stream_of(first, says("m", "Done."))
    for given in (alone, followed):
        given[-1]["response"]["output"][0] = again

    early, early_losses = run(alone)
    late, late_losses = run(followed)

    assert open_reasoning(fold(early)["content"][0]["signature"]) == again
    assert early_losses == []
    assert open_reasoning(fold(late)["content"][0]["signature"]) == first
    assert [loss.path for loss in late_losses] == ["output[0].encrypted_content"]


def test_arguments_that_break_off_are_streamed_as_they_came_and_listed():
    given = stream_of(call("a", '{"x": "lon'), status="incomplete", incomplete_details={"reason": "max_output_tokens"})

    events, losses = run(given)

    pieces = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(pieces) == '{"x": "lon'
    assert sdk_fold(events)["content"][0]["input"] == {}
    assert [loss.path for loss in losses] == ["output[0]", "output[0].arguments"]


@pytest.mark.parametrize(
    ("final", "lost"),
    [
        (says("m", "Hello, world."), ["output[0]"]),
        (says("m", "Hello.", "Again."), []),
        (call("m", "{}"), ["output[0]"]),
    ],
)
def test_a_final_reply_that_says_something_else_is_noted_and_what_was_streamed_stays(final, lost):
    *given, last = stream_of(says("m", "Hello!" if lost else "Hello."))
    last["response"]["output"] = [final]

    events, losses = run([event for event in given if not event["type"].endswith("done")] + [last])

    assert fold(events)["content"][0]["text"].startswith("Hello")
    assert [loss.path for loss in losses] == lost


def test_arguments_may_differ_in_white_space():
    *given, last = stream_of(call("a", '{"x":1}'))
    last["response"]["output"] = [call("a", '{ "x": 1 }')]

    events, losses = run([*given[:-1], last])

    assert fold(events)["content"] == responses_to_messages_reply(last["response"])[0]["content"]
    assert losses == []


def test_items_that_share_one_index_are_told_apart_by_type_and_id():
    output = [reason("rs", "So."), says("m", "Hello."), call("a", '{"x": 1}'), call("b", '{"y": 2}')]
    *given, last = stream_of(*output)
    flat = [event | ({"output_index": 0} if "output_index" in event else {}) for event in given]

    events, losses = run([*flat, last])

    assert fold(events) == responses_to_messages_reply(last["response"])[0]
    assert losses == []


def test_unknown_events_are_noted_once_and_late_ones_too():
    given = stream_of(says("m", "Hi."))
    odd = {"type": "response.of_next_year", "value": 1}
    image = {"type": "response.image_generation_call.partial_image", "partial_image_b64": "x"}

    events, losses = run([given[0], odd, odd, image, *given[1:], odd, {"type": "response.in_progress"}])

    assert fold(events)["content"] == [{"type": "text", "text": "Hi."}]
    assert [loss.path for loss in losses] == [odd["type"], image["type"], "response.in_progress"]


@pytest.mark.parametrize("kind", [kind for kind, meaning in STREAM_EVENTS.items() if meaning == "fault"])
def test_the_event_of_a_failed_stream_is_refused(kind):
    with pytest.raises(FormatError, match="type"):
        ResponsesToMessagesStream().feed({"type": kind})


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.created", "response": "resp_1"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": "0", "delta": "x"},
        {"type": "response.output_text.delta", "output_index": 0, "delta": ["x"]},
        {"type": "response.completed", "response": {"status": "failed", "output": []}},
    ],
)
def test_an_event_of_another_shape_is_refused(event):
    with pytest.raises(FormatError):
        ResponsesToMessagesStream().feed(event)


def streams():
    wanted = ("openai-responses", "azure-responses")
    rows = [row for row in recordings() if row["kind"] in wanted and row["response"]["status"] == 200 and row["sse"]]
    return [(row["id"], list(sse_events(row["response"]["body"]))) for row in rows]


def test_every_recorded_stream_folds_to_the_reply_it_ends_with():
    counts = Counter()
    for name, given in streams():
        whole, losses = responses_to_messages_reply(given[-1]["response"])
        events, found = run(given)
        new = [loss.path for loss in found if loss not in losses]
        counts.update(streams=1, events=len(events), resealed=len(new))
        assert unsealed(fold(events)) == unsealed(whole), name
        assert sdk_view(unsealed(sdk_fold(events))) == sdk_view(unsealed(whole)), name
        assert [loss for loss in found if loss in losses] == losses, name
        assert all(path.endswith(".encrypted_content") for path in new), name
        assert bool(new) == (fold(events) != whole), name
    print(dict(counts))

    assert counts["streams"] > 50


@pytest.mark.parametrize("missing", ["delta", "done", "added", "created", "in_progress", "everything", "output"])
def test_a_recorded_stream_that_leaves_events_out_still_folds_to_its_reply(missing):
    for name, (*given, end) in streams():
        whole, _ = responses_to_messages_reply(end["response"])
        kept = [event for event in given if missing != "everything" and not event["type"].endswith(f".{missing}")]
        if missing == "output":
            end = {**end, "response": {**end["response"], "output": []}}
        events, _ = run([*kept, end])

        assert unsealed(fold(events)) == unsealed(whole), name
        assert sdk_fold(events)["stop_reason"] == whole["stop_reason"], name


def unsealed(message):
    """Without the seals of reasoning: the provider seals an item anew for the last event."""
    content = [
        {key: value for key, value in block.items() if key != "signature" or block["type"] != "thinking"}
        for block in message["content"]
    ]
    return {**message, "content": content}


def test_every_recorded_message_streams_there_and_back():
    rows = [row for row in recordings() if row["kind"] == "anthropic-messages" and row["response"]["status"] == 200]
    counts = Counter()
    for row in rows:
        if not row["sse"]:
            continue
        given = list(sse_events(row["response"]["body"]))
        if given[-1]["type"] != "message_stop":
            continue
        middle, _ = run(given, MessagesToResponsesStream())
        events, losses = run(middle)
        counts["streams"] += 1
        assert fold(events) == responses_to_messages_reply(middle[-1]["response"])[0], row["id"]
        assert losses == [], row["id"]
        original = fold([event for event in given if event["type"] != "ping"])
        again = responses_to_messages_reply(messages_to_responses_reply(original)[0])[0]
        assert fold(events)["content"] == again["content"], row["id"]
    print(dict(counts))

    assert counts["streams"] > 30
