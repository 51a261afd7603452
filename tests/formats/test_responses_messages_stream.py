"""Messages streams as Responses streams: the events fold to the reply, whatever comes twice, late or not at all."""

import copy

import pytest
from message_laws import check_chat, check_law, check_sdk
from message_streams import CALL, END, PING, TEXT, THOUGHT, begin, changed, delta, done, final, run, start, stop

from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_messages_reply import messages_to_responses_reply
from chatsheet_llm.formats.responses_messages_stream import MessagesToResponsesStream
from chatsheet_llm.formats.seals import open_thinking, seal_reasoning

# The SDK reads an item of a type it does not know as one it knows, and says so when it writes it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


def test_a_text_streams_as_the_events_of_one_message():
    events, stream = run(start(), PING, *TEXT, changed(), END)

    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert final(events)["usage"]["input_tokens"] == 15
    assert final(events)["usage"]["output_tokens"] == 9
    assert stream.places["output[0]"] == "content[0]"


def test_each_text_goes_on_as_it_comes():
    stream = MessagesToResponsesStream()
    for event in (start(), TEXT[0]):
        stream.feed(event)

    assert [event["delta"] for event in stream.feed(TEXT[1])] == ["Hel"]
    assert [event["delta"] for event in stream.feed(TEXT[2])] == ["lo"]


def ended_by(given, last):
    """The types of the items that are done once ``last`` has come, the last of these events."""
    stream = MessagesToResponsesStream()
    for event in given:
        stream.feed(event)
    return [event["item"]["type"] for event in stream.feed(last) if event["type"] == "response.output_item.done"]


def test_an_item_is_done_as_soon_as_nothing_can_change_it():
    result = begin(0, type="web_search_tool_result", tool_use_id="srv_1", content=[])

    assert ended_by([start(), result], stop(0)) == ["web_search_tool_result"]
    assert ended_by([start(), *THOUGHT[:4]], THOUGHT[4]) == ["reasoning"]
    assert ended_by([start(), *TEXT[:3]], TEXT[3]) == []
    assert ended_by([start(), *TEXT], CALL[0]) == ["message"]
    assert ended_by([start(), *CALL], begin(2, type="text", text="")) == ["function_call"]
    assert ended_by([start(), *TEXT[:3]], begin(0, type="tool_use", id="t", name="f", input={})) == ["message"]


SERVER = [
    begin(0, type="server_tool_use", id="srv_1", name="web_search", input={}),
    delta(0, "input_json", partial_json='{"query": "q"}'),
    stop(0),
]
FOUND = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "c", "encrypted_index": "E"}
PAGE = {"type": "page_location", "cited_text": "c", "document_index": 0}


def moved(events, by):
    return [{**copy.deepcopy(event), "index": event["index"] + by} for event in events]


STREAMS = {
    "nothing": [],
    "text": TEXT,
    "two texts": [*TEXT, *moved(TEXT, 1)],
    "call": [*TEXT, *CALL],
    "call between texts": [*TEXT, *CALL, *moved(TEXT, 2)],
    "two calls": [*moved(CALL, -1), *CALL[:0], begin(1, type="tool_use", id="t2", name="f", input={}), stop(1)],
    "call without a delta": [begin(0, type="tool_use", id="t", name="f", input={"a": ["é"]}), stop(0)],
    "thinking": [*THOUGHT, *moved(TEXT, 1)],
    "hidden thinking": [THOUGHT[0], *THOUGHT[3:], *moved(TEXT, 1)],
    "redacted thinking": [begin(0, type="redacted_thinking", data="D"), stop(0), *moved(TEXT, 1)],
    "empty text": [TEXT[0], TEXT[3]],
    "text in the start": [begin(0, type="text", text="Hel"), *TEXT[2:]],
    "thinking in the start": [begin(0, type="thinking", thinking="H", signature="S"), *THOUGHT[1:]],
    "server tool": [
        *SERVER,
        begin(1, type="web_search_tool_result", tool_use_id="srv_1", content=[{"url": "u"}]),
        stop(1),
        begin(2, type="server_tool_use", id="srv_2", name="web_search", input={"query": "r"}),
        stop(2),
        begin(3, type="web_search_tool_result", tool_use_id="srv_2", content=[]),
        stop(3),
        *moved(TEXT, 4),
    ],
    "citations": [
        *TEXT[:2],
        delta(0, "citations", citation=FOUND),
        TEXT[2],
        delta(0, "citations", citation=PAGE),
        TEXT[3],
    ],
    "unknown block": [begin(0, type="hologram", id="h_1", beams=3), stop(0), *moved(TEXT, 1)],
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("stop_reason", ["end_turn", "tool_use", "max_tokens", "refusal", "pause_turn", "compaction"])
def test_the_events_fold_to_the_reply(name, stop_reason):
    given = [start(), *STREAMS[name], changed(stop_reason), END]
    before = copy.deepcopy(given)
    events, stream = run(*given)

    assert given == before
    check_law(given, events, stream.losses)
    check_chat(events)


def test_what_is_not_whole_is_marked_in_its_own_done_event():
    events, _ = run(start(), *TEXT, *CALL[:3], stop(1), changed("max_tokens"), END)

    assert [item["status"] for item in done(events)] == ["completed", "incomplete"]
    assert done(events)[1]["arguments"] == '{"at": '
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_an_input_of_a_server_tool_that_was_cut_off_is_kept_as_text():
    broken = [SERVER[0], delta(0, "input_json", partial_json='{"que'), SERVER[2]]
    events, stream = run(start(), *broken, changed("max_tokens"), END)

    assert final(events)["output"][0]["input"] == '{"que'
    assert [loss.path for loss in stream.losses] == ["content[0].input", "content[0]"]


def test_counts_are_cumulative_and_what_a_later_event_leaves_out_stands():
    first = changed(None, {"output_tokens": 3, "server_tool_use": {"web_search_requests": 2}})
    second = changed("max_tokens", {"output_tokens": 8, "input_tokens": None})
    events, stream = run(start(), *TEXT, first, second, changed(None, {"output_tokens": 8}), END)
    usage = final(events)["usage"]

    assert final(events)["status"] == "incomplete"
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (15, 8, 23)
    assert usage["server_tool_use"] == {"web_search_requests": 2}
    assert [loss.path for loss in stream.losses] == ["usage.server_tool_use"]


def test_changes_at_the_top_reach_the_final_response():
    change = changed("refusal", stop_details={"type": "refusal", "category": None}, container={"id": "c"})
    edits = {"applied_edits": [{"type": "clear_tool_uses_20250919"}]}
    events, stream = run(
        start(),
        *TEXT,
        {**change, "context_management": edits},
        {**END, "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
    )
    response = final(events)

    assert response["stop_details"] == {"type": "refusal", "category": None}
    assert (response["container"], response["context_management"]) == ({"id": "c"}, edits)
    assert response["amazon-bedrock-invocationMetrics"] == {"inputTokenCount": 3}
    assert sorted(loss.path for loss in stream.losses) == [
        "amazon-bedrock-invocationMetrics",
        "container",
        "context_management",
        "stop_details",
    ]


def test_blocks_whose_events_alternate_stay_apart():
    text, call = [*TEXT], [*CALL]
    mixed = [event for pair in zip(text, call, strict=False) for event in pair] + call[len(text) :]
    given = [start(), *mixed, changed("tool_use"), END]
    events, stream = run(*given)

    check_law(given, events, stream.losses)
    assert [item["type"] for item in final(events)["output"]] == ["message", "function_call"]


def test_blocks_keep_the_order_in_which_they_begin():
    events, _ = run(start(), *moved(TEXT, 5), *CALL, changed("tool_use"), END)

    assert [item["id"] for item in final(events)["output"]] == ["msg_01X_0", "fc_01X_1"]


@pytest.mark.parametrize("name", STREAMS)
def test_events_that_come_twice_change_nothing(name):
    once = [start(), *STREAMS[name], changed(), END]
    doubled = [start(), start()]
    for event in once[1:]:
        grows = event["type"] == "content_block_delta"
        doubled += [event, PING] if grows else [event, PING, event]
    # A block that begins again after its end is a new one: the ones sent twice here are still open.
    events, stream = run(*doubled)
    expected, lost = run(*once)

    assert events == expected
    assert stream.losses == lost.losses


@pytest.mark.parametrize("name", STREAMS)
def test_a_missing_end_of_a_block_is_the_end_of_the_answer(name):
    given = [start(), *STREAMS[name], changed(), END]
    events, stream = run(*(event for event in given if event["type"] != "content_block_stop"))

    check_law(given, events, stream.losses)


@pytest.mark.parametrize("name", ["text", "two texts", "thinking", "citations"])
def test_a_text_whose_start_is_missing_is_not_lost(name):
    given = [start(), *STREAMS[name], changed(), END]
    events, stream = run(*(event for event in given if event["type"] != "content_block_start"))

    check_law(given, events, stream.losses)


def test_a_text_that_comes_after_its_end_is_one_more_part():
    events, stream = run(start(), *TEXT, delta(0, "text", text="!"), changed(), END)
    parts = final(events)["output"][0]["content"]

    assert [part["text"] for part in parts] == ["Hello", "!"]
    assert stream.losses == []


def test_an_index_that_is_used_again_names_a_new_block():
    events, _ = run(start(), *THOUGHT, *TEXT, *moved(CALL, -1)[:4], *TEXT[:3], changed(), END)

    assert [item["type"] for item in final(events)["output"]] == ["reasoning", "message", "function_call", "message"]
    assert final(events)["output"][2]["arguments"] == '{"at": "sea"}'


def test_content_that_stands_in_the_start_is_not_lost():
    events, _ = run(start(content=[{"type": "text", "text": "Hi."}]), *moved(CALL, 0), changed("tool_use"), END)

    assert [item["type"] for item in final(events)["output"]] == ["message", "function_call"]
    assert final(events)["output"][0]["content"][0]["text"] == "Hi."


@pytest.mark.parametrize("missing", ["message_start", "message_delta", "message_stop"])
def test_a_stream_without_one_of_its_frame_events_still_ends(missing):
    given = [start(), *TEXT, changed(), END]
    events, _ = run(*(event for event in given if event["type"] != missing))

    assert final(events)["output"][0]["content"][0]["text"] == "Hello"
    assert final(events)["status"] == "completed"
    check_sdk(events)


def test_a_stream_of_nothing_is_nothing():
    assert run(PING)[0] == []


def test_the_model_that_took_over_is_the_one_that_is_named():
    taken = begin(0, type="fallback", to={"model": "claude-y"}, **{"from": {"model": "claude-x"}})
    events, _ = run(start(), taken, stop(0), *moved(TEXT, 1), changed(), END)

    assert final(events)["model"] == "claude-y"


def test_a_compaction_is_an_item_with_all_that_it_holds():
    given = [
        begin(0, type="compaction", content=None, encrypted_content=None),
        delta(0, "compaction", content="Sum.", encrypted_content="E"),
        stop(0),
    ]
    events, _ = run(start(), *given, changed("compaction"), END)

    assert done(events)[0].items() >= {"type": "compaction", "content": "Sum.", "encrypted_content": "E"}.items()


def test_thinking_that_was_a_reasoning_item_stays_sealed_in_a_stream():
    seal = seal_reasoning({"id": "rs_9", "type": "reasoning", "summary": [], "encrypted_content": "E"})
    events, _ = run(start(), *THOUGHT[:3], delta(0, "signature", signature=seal), stop(0), changed(), END)
    item = final(events)["output"][0]

    # Its id was told before its seal came, and the SDK refuses an item whose id changes.
    assert item["id"] == "rs_01X_0"
    assert open_thinking(item["encrypted_content"]) == ("thinking", seal)
    check_sdk(events)


STRAY = {
    "future_event": {"type": "future_event", "x": 1},
    "future_delta": delta(0, "future", x=1),
    "signature_delta": delta(0, "signature", signature="S"),
    "input_json_delta": delta(0, "input_json", partial_json="{}"),
    "citations_delta": delta(7, "citations", citation=FOUND),
    "message_start": start(id="msg_other"),
    "text_delta.mood": delta(0, "text", text="", mood="calm"),
}


@pytest.mark.parametrize("path", STRAY)
def test_what_has_no_meaning_here_is_listed_once_and_stops_nothing(path):
    given = [start(), *TEXT[:2], STRAY[path], STRAY[path], *TEXT[2:], changed(), END]
    events, stream = run(*given)

    assert final(events)["output"][0]["content"][0]["text"] == "Hello"
    told = "content[0].deltas" if path == "future_delta" else path
    assert [(loss.format, loss.path) for loss in stream.losses] == [("responses", told)]


def test_what_comes_after_the_end_is_listed():
    events, stream = run(start(), *TEXT, changed(), END, END, PING, *TEXT, changed())

    assert final(events)["output"][0]["content"][0]["text"] == "Hello"
    assert [loss.path for loss in stream.losses] == [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
    ]


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}, "type"),
        ({"type": 3}, "type"),
        ({"type": "message_start", "message": "secret"}, "message"),
        (begin(0, text="secret"), "content[0].type"),
        (begin(0, type="tool_use", id="t", input={"secret": 1}), "content[0].name"),
        (delta(0, "text", text=["secret"]), "content[0].text"),
    ],
)
def test_what_is_no_event_of_an_answer_is_refused_without_quoting_it(event, path):
    with pytest.raises(FormatError) as refused:
        run(start(), event) if event["type"] != "message_start" else run(event)

    assert refused.value.path == path
    assert "secret" not in str(refused.value)


def test_the_deltas_of_a_block_that_nobody_knows_stand_on_it():
    zing = {"type": "zing", "v": 0}
    deltas = [{"type": "zing_delta", "v": number} for number in (1, 2)]
    told = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    begun = {"type": "content_block_start", "index": 0, "content_block": zing}
    events, stream = run(start(), begun, *told, {"type": "content_block_stop", "index": 0}, changed(), END)

    assert final(events)["output"][0]["deltas"] == deltas
    assert [loss.path for loss in stream.losses] == ["content[0]"]


@pytest.mark.parametrize("delta", [{"type": "text_delta", "text": None}, {"type": "text_delta"}])
def test_a_delta_without_a_text_says_nothing_and_breaks_nothing(delta):
    odd = {"type": "content_block_delta", "index": 0, "delta": delta}
    events, stream = run(start(), *TEXT[:2], odd, *TEXT[2:], changed(), END)

    assert final(events)["output"][0]["content"][0]["text"] == "Hello"
    assert stream.losses == []


@pytest.mark.parametrize("odd", [[1], {"a": 1}, "x", 1.5])
@pytest.mark.parametrize("kind", ["content_block_start", "content_block_delta", "content_block_stop"])
def test_an_index_that_is_none_is_refused(kind, odd):
    delta = {"type": "text_delta", "text": "x"}
    event = {"type": kind, "index": odd, "delta": delta, "content_block": {"type": "text"}}

    with pytest.raises(FormatError, match="index"):
        run(start(), event)


@pytest.mark.parametrize("reason", [["x"], {"a": 1}, 7])
def test_a_stop_reason_that_is_no_word_is_refused(reason):
    with pytest.raises(FormatError, match="stop_reason"):
        messages_to_responses_reply({"id": "m", "content": [], "stop_reason": reason})
