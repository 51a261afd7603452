"""Responses stream -> chat chunks: order, indices, what only a done event brings, what has no chunk."""

import copy

import pytest
from folding import fold, sdk_fold
from openai._models import construct_type_unchecked
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.route import Loss

HEAD = {"id": "resp_1", "object": "response", "created_at": 1700000000.0, "model": "gpt-5.1", "status": "in_progress"}
USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12, "output_tokens_details": {"reasoning_tokens": 3}}


def run(events, *, include_usage=True):
    stream = ResponsesToChatStream(include_usage=include_usage)
    return [chunk for event in events for chunk in stream.feed(event)], stream.losses


def created():
    return {"type": "response.created", "response": {**HEAD, "output": []}}


def completed(*output, **fields):
    response = {**HEAD, "status": "completed", "output": list(output), "usage": USAGE, **fields}
    return {"type": f"response.{response['status']}", "response": response}


def message(text, **fields):
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]} | fields


def call(name, arguments, number=1):
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": arguments,
    }


def delta(kind, text, index=0, **fields):
    return {"type": f"response.{kind}.delta", "output_index": index, "item_id": "x", "delta": text, **fields}


def added(item, index=0):
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item, index=0):
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def deltas(chunks):
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def same_as_whole(chunks, terminal):
    whole, _ = responses_to_chat(terminal["response"])
    expected = {key: value for key, value in whole["choices"][0]["message"].items() if value not in (None, "")}
    return fold(chunks) == {
        "message": expected,
        "finish_reason": whole["choices"][0]["finish_reason"],
        "usage": whole.get("usage"),
    }


def test_the_first_chunk_carries_the_role_and_every_chunk_the_head():
    chunks, losses = run(
        [created(), delta("output_text", "Hel"), delta("output_text", "lo"), completed(message("Hello"))]
    )

    assert deltas(chunks) == [{"role": "assistant"}, {"content": "Hel"}, {"content": "lo"}, {}]
    assert {(c["id"], c["model"], c["created"], c["object"]) for c in chunks} == {
        ("resp_1", "gpt-5.1", 1700000000, "chat.completion.chunk")
    }
    assert losses == []


def final_completion(chunks):
    """What the SDK's own ``.stream()`` helper ends with."""
    state = ChatCompletionStreamState()
    for chunk in copy.deepcopy(chunks):
        state.handle_chunk(construct_type_unchecked(type_=ChatCompletionChunk, value=chunk))
    return state.get_final_completion().to_dict()


def test_what_the_beginning_says_of_the_answer_stands_on_the_first_chunk_where_the_sdk_helper_reads_it():
    known = {"metadata": {"a": "b"}, "service_tier": "flex"}
    start = created()
    start["response"] |= known
    chunks, _ = run([start, completed(message("Hi"), **known)])

    assert final_completion(chunks).items() >= (known | {"response_id": "resp_1"}).items()
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant"}
    assert chunks[-2].items() >= (known | {"response_id": "resp_1", "response_status": "completed"}).items()


def test_a_stream_that_is_its_last_event_tells_everything_on_the_first_chunk():
    chunks, _ = run([completed(message("Hi"), of_next_year=1)])

    assert final_completion(chunks)["response_fields"] == {"of_next_year": 1}
    assert final_completion(chunks)["response_status"] == "completed"


@pytest.mark.parametrize("tier", ["auto", "of_next_year", None, ["x"]])
def test_a_service_tier_that_was_only_asked_for_waits_for_the_answer(tier):
    start = created()
    start["response"]["service_tier"] = tier
    chunks, _ = run([start, completed(message("Hi"), service_tier="default")])

    assert "service_tier" not in chunks[0]
    assert chunks[-2]["service_tier"] == "default"


def test_usage_comes_last_without_choices_and_only_when_asked_for():
    events = [created(), completed(message("Hi"))]

    asked, _ = run(events)
    silent, _ = run(events, include_usage=False)

    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert all("usage" not in chunk for chunk in silent)
    assert silent[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "events",
    [
        [done(message("Hello"))],
        [delta("output_text", "He"), done(message("Hello"))],
        [delta("output_text", "He"), {"type": "response.output_text.done", "output_index": 0, "text": "Hello"}],
        [
            delta("output_text", "He"),
            {"type": "response.output_text.done", "output_index": 0, "text": "Hello"},
            done(message("Hello")),
        ],
        [],
    ],
    ids=["item.done only", "half, then item.done", "half, then text.done", "all three", "final reply only"],
)
def test_text_that_only_a_later_event_brings_is_neither_lost_nor_doubled(events):
    terminal = completed(message("Hello"))
    chunks, losses = run([created(), *events, terminal])

    assert fold(chunks)["message"] == {"role": "assistant", "content": "Hello"}
    assert same_as_whole(chunks, terminal)
    assert losses == []


@pytest.mark.parametrize("how", ["deltas", "done", "item.done", "final", "late name"])
def test_parallel_tool_calls_keep_order_ids_and_arguments_however_they_arrive(how):
    calls = [call("weather", '{"a": 1}', 1), call("time", "{}", 2)]
    events = [created()]
    for index, item in enumerate(calls):
        begun = {**item, "arguments": ""}
        arguments = item["arguments"]
        if how == "late name":
            events += [delta("function_call_arguments", arguments, index), done(item, index)]
        elif how != "final":
            events.append(added(begun, index))
            if how == "deltas":
                events += [delta("function_call_arguments", letter, index) for letter in arguments]
            if how in ("deltas", "done"):
                events.append(
                    {"type": "response.function_call_arguments.done", "output_index": index, "arguments": arguments}
                )
            events.append(done(item, index))
    terminal = completed(*calls)
    chunks, losses = run([*events, terminal])

    assert fold(chunks)["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"a": 1}'}},
        {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
    ]
    assert fold(chunks)["finish_reason"] == "tool_calls"
    assert same_as_whole(chunks, terminal)
    assert sdk_fold(chunks)[1][1] == ("call_2", {"name": "time", "arguments": "{}"})
    assert losses == []


def test_tool_call_indices_count_calls_and_not_output_items():
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    chunks, _ = run(
        [
            created(),
            added(reasoning, 0),
            added(call("weather", ""), 1),
            delta("function_call_arguments", "{}", 1),
            completed(reasoning, call("weather", "{}")),
        ]
    )

    assert [d["tool_calls"][0]["index"] for d in deltas(chunks) if "tool_calls" in d] == [0, 0]


def test_a_custom_tool_call_streams_its_raw_input():
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_9", "name": "shell", "input": ""}
    terminal = completed({**item, "input": "ls -l"})
    chunks, _ = run(
        [
            created(),
            added(item),
            delta("custom_tool_call_input", "ls "),
            delta("custom_tool_call_input", "-l"),
            terminal,
        ]
    )

    assert fold(chunks)["message"]["tool_calls"] == [
        {"id": "call_9", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
    ]
    assert same_as_whole(chunks, terminal)


def test_a_refusal_streams_as_refusal():
    """Built from documented shapes, not recorded."""
    part = {"type": "refusal", "refusal": "I cannot help."}
    terminal = completed({"type": "message", "id": "msg_1", "role": "assistant", "content": [part]})
    chunks, _ = run(
        [
            created(),
            delta("refusal", "I cannot"),
            {"type": "response.refusal.done", "output_index": 0, "refusal": "I cannot help."},
            terminal,
        ]
    )

    assert fold(chunks)["message"] == {"role": "assistant", "refusal": "I cannot help."}
    assert fold(chunks)["finish_reason"] == "stop"


def test_reasoning_parts_stay_one_choice_and_are_set_apart():
    summary = [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Second."}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "sealed"}
    events = [
        delta("reasoning_summary_text", "First.", summary_index=0),
        delta("reasoning_summary_text", "Sec", summary_index=1),
        done(item),
    ]
    terminal = completed(item, message("Hi"))
    chunks, losses = run([created(), *events, terminal])

    assert fold(chunks)["message"]["reasoning_content"] == "First.\n\nSecond."
    assert fold(chunks)["message"]["reasoning_items"] == [item]
    assert same_as_whole(chunks, terminal)
    assert losses == responses_to_chat(terminal["response"])[1]


def test_annotations_and_hosted_items_come_whole_before_the_finish_and_the_sdk_helper_takes_them():
    citation = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    files = [{"type": "file_citation", "file_id": f"file-{n}", "filename": "a", "index": 0} for n in range(2)]
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "a"},
    }
    text = message("Hi")
    text["content"][0]["annotations"] = [citation, *files]
    terminal = completed(search, text)
    chunks, losses = run(
        [
            created(),
            added(search),
            {"type": "response.web_search_call.searching", "output_index": 0},
            delta("output_text", "Hi", 1),
            {"type": "response.output_text.annotation.added", "annotation": citation},
            terminal,
        ]
    )

    assert chunks[-3]["choices"][0]["delta"]["annotations"] == [
        {"type": "url_citation", "url_citation": {k: v for k, v in citation.items() if k != "type"}}
    ]
    assert chunks[-3]["choices"][0]["delta"]["provider_items"] == [search]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert same_as_whole(chunks, terminal)
    assert sdk_fold(chunks)[0] == "Hi"
    assert {loss.path for loss in losses} == {
        "output[0]",
        "output[1].content[0].annotations[1]",
        "output[1].content[0].annotations[2]",
    }


def test_logprobs_ride_on_the_chunk_of_their_text_and_late_ones_are_sent_at_the_end():
    tokens = [{"token": "Hi", "logprob": -0.1, "top_logprobs": []}, {"token": "!", "logprob": -0.2, "top_logprobs": []}]
    text = message("Hi!")
    text["content"][0]["logprobs"] = tokens
    chunks, _ = run([created(), delta("output_text", "Hi", logprobs=tokens[:1]), completed(text)])
    seen = [
        token["token"]
        for c in chunks
        for choice in c["choices"]
        for token in (choice["logprobs"] or {}).get("content", [])
    ]

    assert seen == ["Hi", "!"]
    assert all(ChatCompletionChunk.model_validate(chunk) for chunk in chunks)


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("steered", "length")]
)
def test_an_incomplete_stream_says_why_it_stopped(reason, finish):
    terminal = completed(message("Hel"), status="incomplete", incomplete_details={"reason": reason})
    chunks, losses = run([created(), delta("output_text", "Hel"), terminal])

    assert fold(chunks)["finish_reason"] == finish
    assert [loss.path for loss in losses] == ([] if reason != "steered" else ["incomplete_details.reason"])


def test_a_last_event_without_output_is_filled_from_the_items_that_came():
    chunks, _ = run(
        [
            created(),
            done({"type": "reasoning", "id": "rs_1", "summary": []}, 0),
            done(call("weather", "{}"), 1),
            completed(),
        ]
    )

    assert fold(chunks)["finish_reason"] == "tool_calls"
    assert fold(chunks)["message"]["reasoning_items"] == [{"type": "reasoning", "id": "rs_1", "summary": []}]


def test_a_call_that_was_never_closed_still_ends_the_stream_as_a_call():
    """Built for servers that send neither the done events nor the output at the end."""
    begun = added(call("weather", ""))
    chunks, losses = run([created(), begun, delta("function_call_arguments", "{}"), completed()])

    assert fold(chunks)["finish_reason"] == "tool_calls"
    assert fold(chunks)["message"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}
    assert losses == []


def test_events_without_an_output_index_are_matched_by_item_id():
    """Built for gateways that leave the index out; the documented events have it."""
    first, second = call("weather", "{}", 1), call("time", "[]", 2)
    events = [{"type": "response.output_item.added", "item": {**item, "arguments": ""}} for item in (first, second)]
    events += [
        {"type": "response.function_call_arguments.delta", "item_id": item["id"], "delta": item["arguments"]}
        for item in (second, first)
    ]
    terminal = completed(first, second)
    chunks, _ = run([created(), *events, terminal])

    assert same_as_whole(chunks, terminal)


def test_a_call_that_the_last_event_names_otherwise_keeps_its_name_and_is_listed():
    item = call("weather", "{}")
    chunks, losses = run([created(), added(item), done(item), completed({**item, "call_id": "call_9"})])

    assert [made["id"] for made in fold(chunks)["message"]["tool_calls"]] == ["call_1"]
    assert [loss.path for loss in losses] == ["output[0]"]


def test_reasoning_that_was_never_closed_is_attached_as_far_as_it_came():
    """Built for servers that send neither the done events nor the output at the end."""
    begun = added({"type": "reasoning", "id": "rs_1", "summary": []})
    chunks, losses = run([created(), begun, delta("reasoning_summary_text", "So.", summary_index=0), completed()])

    summary = [{"type": "summary_text", "text": "So."}]
    assert fold(chunks)["message"]["reasoning_items"] == [{"type": "reasoning", "id": "rs_1", "summary": summary}]
    assert [loss.path for loss in losses] == ["output[0]"]


def test_text_that_contradicts_its_deltas_is_listed_and_what_was_shown_stays():
    chunks, losses = run([created(), delta("output_text", "Hullo"), completed(message("Hello"))])

    assert fold(chunks)["message"]["content"] == "Hullo"
    assert [loss.path for loss in losses] == ["output[0].text[0]"]


@pytest.mark.parametrize(
    "kind", ["response.brand_new.delta", "response.audio.delta", "response.image_generation_call.partial_image"]
)
def test_an_event_without_a_chunk_is_listed_once_per_type(kind):
    chunks, losses = run([created(), {"type": kind}, {"type": kind}, completed(message("Hi"))])

    assert [loss.path for loss in losses] == [kind]
    assert isinstance(losses[0], Loss)
    assert fold(chunks)["message"]["content"] == "Hi"


@pytest.mark.parametrize("event", [{"type": "response.failed", "response": HEAD}, {"type": "error", "message": "x"}])
def test_a_failed_stream_is_not_turned_into_chunks(event):
    stream = ResponsesToChatStream(include_usage=False)

    with pytest.raises(FormatError):
        stream.feed(event)


def test_nothing_follows_the_end_of_the_answer():
    chunks, losses = run(
        [created(), completed(message("Hi")), delta("output_text", " there"), completed(message("Hi"))]
    )

    assert fold(chunks)["message"]["content"] == "Hi"
    assert [loss.path for loss in losses] == ["response.output_text.delta", "response.completed"]


def test_a_stream_that_opens_with_its_last_event_is_still_a_whole_stream():
    terminal = completed(message("Hi"), call("weather", "{}"))
    chunks, _ = run([terminal])

    assert deltas(chunks)[0] == {"role": "assistant"}
    assert same_as_whole(chunks, terminal)
