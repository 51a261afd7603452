"""Recorded Messages streams as Responses streams: each folds to its reply, also with events left out or mixed."""

import copy
import json
import random
from collections import Counter

import pytest
from anthropic.lib.streaming._beta_messages import accumulate_event
from folding import accumulated
from message_laws import check_chat, check_law
from message_streams import final, run, whole, without
from shared_files import recordings, schema, shared, sse_events

from chatsheet_llm.formats.responses_messages_reply import ITEM_KINDS
from chatsheet_llm.formats.tables import STREAM_EVENTS

# The SDK reads an item of a type it does not know as one it knows, and says so when it writes it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


@pytest.fixture(scope="module")
def streams():
    rows = [row for row in recordings() if row["kind"] == "anthropic-messages" and row["response"]["status"] == 200]
    return {row["id"]: list(sse_events(row["response"]["body"])) for row in rows if row["sse"]}


def test_every_recorded_stream_folds_to_the_reply_that_it_amounts_to(streams):
    counts = Counter()
    for given in streams.values():
        events, stream = run(*given)
        check_law(given, events, stream.losses)
        check_chat(events)
        counts.update(item["type"] for item in final(events)["output"])
        assert all(STREAM_EVENTS.get(event["type"], "lost") != "lost" for event in events)
    print(len(streams), dict(counts))

    assert len(streams) > 30


def test_our_reading_of_a_recorded_stream_is_the_sdks(streams):
    for name, given in streams.items():
        snapshot, buffers = None, {}
        for event in given:
            if event["type"] != "ping":
                snapshot = accumulated(accumulate_event, copy.deepcopy(event), snapshot, buffers)
        ours, theirs = whole(given), snapshot.to_dict(mode="json", warnings=False)

        assert [without(block, ("citations",)) for block in ours["content"]] == [
            without(block, ("citations",)) for block in theirs["content"]
        ], name
        assert ours["usage"] == theirs["usage"], name


@pytest.mark.parametrize("missing", ["content_block_stop", "message_stop", "ping"])
def test_a_recorded_stream_that_leaves_events_out_folds_to_the_same_reply(streams, missing):
    for given in streams.values():
        events, stream = run(*(event for event in given if event["type"] != missing))

        check_law(given, events, stream.losses)
        check_chat(events)


def interleaved(given, chance):
    """The same stream with its blocks at the same time: each begins in its turn and keeps its own order.

    Chat has one text, so what reaches it this way is in the order of arrival, and ``check_chat`` says nothing of it.
    """
    blocks = [event for event in given if event["type"].startswith("content_block")]
    queues = [[event for event in blocks if event["index"] == n] for n in range(blocks[-1]["index"] + 1)]
    mixed, begun = [], 0
    while any(queues):
        ready = [n for n, queue in enumerate(queues) if queue and n <= begun]
        mixed.append(queues[n := chance.choice(ready)].pop(0))
        begun = max(begun, n + 1)
    at = given.index(blocks[0])
    return [*given[:at], *mixed, *(event for event in given[at:] if event not in blocks)]


def test_a_recorded_stream_whose_blocks_alternate_folds_to_the_same_reply(streams):
    chance = random.Random(7)
    for given in streams.values():
        mixed = interleaved(given, chance)
        events, stream = run(*mixed)

        assert whole(mixed) == whole(given)
        check_law(given, events, stream.losses)


def test_every_event_of_a_recorded_stream_is_valid(streams):
    document = json.loads(shared("wire", "openai-api-subset.json").read_text(encoding="utf-8"))
    wrongs = {
        described["properties"]["type"]["enum"][0]: schema(name)
        for name, described in document["components"]["schemas"].items()
        if name.endswith("Event") and "type" in described.get("properties", {})
    }
    wrong, counts = [], Counter()
    for given in streams.values():
        for event in run(*given)[0]:
            items = [event["item"]] if "item" in event else event.get("response", {}).get("output", [])
            parts = [part for item in items for part in item.get("content", []) if item["type"] == "message"]
            notes = [note for part in [*parts, event.get("part", {})] for note in part.get("annotations", [])]
            notes += [event["annotation"]] if "annotation" in event else []
            if {item["type"] for item in items} <= set(ITEM_KINDS.values()) and all("url" in note for note in notes):
                counts[event["type"]] += 1
                if event["type"] in ("response.created", "response.in_progress"):
                    # The provider sends null here, which its schema does not allow.
                    assert event["response"].pop("usage") is None
                wrong += wrongs[event["type"]](event)
    print(dict(counts))

    assert wrong == []
    assert len(counts) == 17
