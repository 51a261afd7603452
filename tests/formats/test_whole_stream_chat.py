"""A whole completion as a stream: whoever folds its chunks, the SDK or we, has it again, with nothing left out."""

import copy
import json

import pytest
from folding import fold
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from random_answers import answered, answers, said_by
from shared_files import recordings
from whole_replies import (
    LAW,
    TOKEN,
    USAGE,
    completion,
    missing,
    told,
)
from wild_bodies import replies

from chatsheet_llm.formats import REPLIES, STREAMS, FormatError
from chatsheet_llm.formats.responses_chat_fold import ChatFold
from chatsheet_llm.formats.watch import ChatWatch
from chatsheet_llm.formats.whole_stream import chat_chunks

# The SDK reads what it does not know as something it knows, and says so when it writes it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


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


def sdk_folded(chunks):
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.construct(**copy.deepcopy(chunk)))
    return state.current_completion_snapshot.to_dict(mode="json", warnings=False)


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
