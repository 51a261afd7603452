"""What must hold for each Messages stream as Responses events, whoever folds them.  Makes no stream."""

import copy
import json

from folding import fold, sdk_fold
from message_streams import done, final, whole, without
from openai import omit
from openai._models import construct_type_unchecked
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.responses_messages_reply import ITEM_KINDS, messages_to_responses_reply

EVENT = TypeAdapter(ResponseStreamEvent)


def plain(response):
    """The Response with arguments parsed, as they may differ in white space."""
    response = copy.deepcopy(response)
    for item in response["output"]:
        if item["type"] == "function_call":
            item["arguments"] = json.loads(item["arguments"])
    return response


def folded(events):
    """The output that the events make without ``done`` and final events, as a plain consumer has it."""
    items = {}
    for event in copy.deepcopy(events):
        kind, item = event["type"].removeprefix("response."), items.get(event.get("output_index"))
        if "item_id" in event:
            assert item["id"] == event["item_id"]
        if kind == "output_item.added":
            assert event["output_index"] == len(items)
            items[event["output_index"]] = event["item"]
        elif kind == "content_part.added":
            assert event["content_index"] == len(item["content"])
            item["content"].append(event["part"])
        elif kind == "output_text.delta":
            item["content"][event["content_index"]]["text"] += event["delta"]
        elif kind == "output_text.annotation.added":
            notes = item["content"][event["content_index"]]["annotations"]
            assert event["annotation_index"] == len(notes)
            notes.append(event["annotation"])
        elif kind == "reasoning_summary_part.added":
            assert event["summary_index"] == len(item["summary"])
            item["summary"].append(event["part"])
        elif kind == "reasoning_summary_text.delta":
            item["summary"][event["summary_index"]]["text"] += event["delta"]
        elif kind == "function_call_arguments.delta":
            item["arguments"] += event["delta"]
        elif kind == "output_text.done":
            assert item["content"][event["content_index"]]["text"] == event["text"]
        elif kind == "content_part.done":
            assert item["content"][event["content_index"]] == event["part"]
        elif kind == "reasoning_summary_text.done":
            assert item["summary"][event["summary_index"]]["text"] == event["text"]
        elif kind == "reasoning_summary_part.done":
            assert item["summary"][event["summary_index"]] == event["part"]
        elif kind == "function_call_arguments.done":
            assert (item["arguments"], item["name"]) == (event["arguments"], event["name"])
        else:
            assert kind in ("created", "in_progress", "output_item.done", "completed", "incomplete"), kind
    return list(items.values())


def check_law(given, events, losses):
    """The final Response is the reply to the whole message, and every way to fold the events gives it."""
    response = final(events)
    expected, lost = messages_to_responses_reply(whole(given))
    assert plain(response) == plain(expected)
    assert losses == lost
    assert done(events) == response["output"]
    late = ("status", "encrypted_content", "input")
    assert [without(item, late) for item in folded(events)] == [without(item, late) for item in response["output"]]
    check_sdk(events)


def check_sdk(events):
    """The SDK's ``responses.stream()`` takes every event and ends with the same text and calls."""
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in copy.deepcopy(events):
        state.handle_event(construct_type_unchecked(type_=ResponseStreamEvent, value=event))
        if event.get("item", {}).get("type", "message") in ITEM_KINDS.values() and "response" not in event:
            known = event.get("annotation", {}).get("type", "url_citation") == "url_citation"
            if known and not unknown_notes(event.get("part", {}), *event.get("item", {}).get("content", [])):
                EVENT.validate_python(event)
    response = events[-1]["response"]
    if response["status"] == "completed":
        parsed = state._completed_response
        said = [part["text"] for item in messages_of(response) for part in item["content"]]
        assert parsed.output_text == "".join(said)
        calls = [item for item in parsed.output if item.type == "function_call"]
        assert [call.arguments for call in calls] == [
            item["arguments"] for item in response["output"] if item["type"] == "function_call"
        ]


def unknown_notes(*parts):
    return any(note["type"] != "url_citation" for part in parts for note in part.get("annotations", []))


def messages_of(response):
    return [item for item in response["output"] if item["type"] == "message"]


def check_chat(events):
    """The events are what the bridge from Responses to Chat takes."""
    chat = ResponsesToChatStream(include_usage=True)
    chunks = [chunk for event in events for chunk in chat.feed(event)]
    completion, losses = responses_to_chat(final(events))
    choice = completion["choices"][0]
    message = {name: value for name, value in choice["message"].items() if value not in (None, "")}
    assert fold(chunks) == {
        "message": message,
        "finish_reason": choice["finish_reason"],
        "usage": completion.get("usage"),
    }
    assert chat.losses == losses
    assert sdk_fold(chunks)[0] == (choice["message"]["content"] or "")
