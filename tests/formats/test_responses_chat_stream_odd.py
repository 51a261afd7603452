"""Chat chunks -> Responses events: chunks that are odd, incomplete, late or spoiled."""

import random

import pytest
from mutants import mutant
from responses_events import END, calls, chunk, more, named, run, whole

from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_chat_stream import ChatToResponsesStream


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
