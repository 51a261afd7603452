"""Chat chunks, the Responses events that are made of them, and what a plain consumer makes of those events."""

import copy

from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

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
