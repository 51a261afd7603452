"""Chat chunks -> Responses events: what holds of every recorded stream."""

import json
from collections import Counter

from folding import fold as chat_fold
from responses_events import EVENT, kinds, run, whole
from shared_files import recordings, schema, sse_events

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream


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
