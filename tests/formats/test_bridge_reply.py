"""Responses reply -> ChatCompletion: what each output becomes, what is attached and listed, what is no answer."""

import copy
import pickle

import pytest
from openai.types.chat import ChatCompletion

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.errors import FormatError


def text(value, **fields):
    return {"type": "output_text", "text": value, "annotations": [], "logprobs": []} | fields


def message(*parts, **fields):
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": list(parts),
    } | fields


def reply(*output, **fields):
    head = {"id": "resp_1", "object": "response", "created_at": 1700000000.7, "model": "gpt-5.1", "status": "completed"}
    return {**head, "error": None, "output": list(output), **fields}


def bridge(*output, **fields):
    completion, losses = responses_to_chat(reply(*output, **fields))
    ChatCompletion.model_validate(completion)
    assert {loss.format for loss in losses} <= {"chat"}
    return completion, [loss.path for loss in losses]


CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}


def test_a_plain_answer_is_a_plain_completion():
    usage = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3, "total_tokens": 12}
    completion, lost = bridge(message(text("Hello")), usage=usage, service_tier="default", metadata={"a": "b"})

    assert completion == {
        "id": "resp_1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-5.1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "logprobs": None,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 3,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
        "service_tier": "default",
        "metadata": {"a": "b"},
        "response_id": "resp_1",
        "response_status": "completed",
    }
    assert lost == []


@pytest.mark.parametrize(
    ("fields", "output", "reason", "lost"),
    [
        ({}, [message(text("a"))], "stop", []),
        ({}, [CALL], "tool_calls", []),
        ({}, [{**CALL, "type": "custom_tool_call", "input": "x"}], "tool_calls", []),
        ({"status": None}, [message(text("a"))], "stop", ["status"]),
        ({"status": None}, [CALL], "tool_calls", ["status"]),
        ({"status": None, "incomplete_details": {"reason": "content_filter"}}, [CALL], "content_filter", []),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, [], "length", []),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, [CALL], "length", []),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, [], "content_filter", []),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "steered"}},
            [],
            "length",
            ["incomplete_details.reason"],
        ),
        ({"status": "incomplete", "incomplete_details": None}, [], "length", ["incomplete_details.reason"]),
    ],
    ids=str,
)
def test_the_finish_reason_tells_how_it_ended_and_never_calls_a_cut_answer_whole(fields, output, reason, lost):
    completion, losses = bridge(*output, **fields)

    assert completion["choices"][0]["finish_reason"] == reason
    assert losses == lost


def test_calls_have_their_call_id_and_come_in_order():
    custom = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "shell", "input": "ls"}
    completion, lost = bridge(CALL, custom)

    assert completion["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
        ],
    }
    assert lost == []


def test_a_refusal_is_a_refusal_and_no_content():
    """Built from documented shapes, not recorded."""
    completion, lost = bridge(message({"type": "refusal", "refusal": "No."}))

    assert completion["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": "No."}
    assert lost == []


def test_reasoning_is_readable_and_its_sealed_items_are_whole():
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "content": [{"type": "reasoning_text", "text": "Three."}],
        "encrypted_content": "sealed",
    }
    completion, lost = bridge(item, message(text("Hi")))
    said = completion["choices"][0]["message"]

    assert said["reasoning_content"] == "One.\n\nTwo.\n\nThree."
    assert said["reasoning_items"] == [item]
    assert lost == ["output[0]"]


def test_reasoning_without_text_has_no_reasoning_content():
    completion, _ = bridge({"type": "reasoning", "id": "rs_1", "summary": []})

    assert "reasoning_content" not in completion["choices"][0]["message"]


def test_hosted_items_are_attached_whole_and_listed():
    items = [{"type": "web_search_call", "id": "ws_1", "status": "completed"}, {"type": "brand_new", "x": [1]}]
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "kept by compaction"}]}
    completion, lost = bridge(items[0], message(text("Hi")), items[1], user)

    assert completion["choices"][0]["message"]["provider_items"] == [*items, user]
    assert completion["choices"][0]["message"]["content"] == "Hi"
    assert lost == ["output[0]", "output[2]", "output[3]"]


def test_positions_of_annotations_count_in_the_joined_text():
    citation = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 1, "end_index": 3}
    container = {"type": "container_file_citation", "file_id": "f", "filename": "n", "start_index": 0, "end_index": 1}
    completion, lost = bridge(message(text("12345")), message(text("abc", annotations=[citation, container])))
    said = completion["choices"][0]["message"]
    marked = said["annotations"][0]["url_citation"]

    assert said["content"][marked["start_index"] : marked["end_index"]] == "bc"
    assert (marked["url"], marked["title"]) == ("https://a.example", "A")
    assert said["provider_annotations"] == [{"output_index": 1, "content_index": 0, "annotation": container}]
    assert lost == ["output[1].content[0].annotations[1]"]


@pytest.mark.parametrize(
    ("phases", "attached"),
    [
        (["final_answer"], {"phase": "final_answer"}),
        (["commentary", "final_answer"], {"phases": ["commentary", "final_answer"]}),
        ([None, "final_answer"], {"phases": [None, "final_answer"]}),
        ([None], {}),
    ],
    ids=str,
)
def test_the_phase_of_a_message_is_attached(phases, attached):
    completion, lost = bridge(*(message(text("a"), phase=phase) for phase in phases))
    said = completion["choices"][0]["message"]

    assert {key: said[key] for key in ("phase", "phases") if key in said} == attached
    assert len(lost) == sum(phase is not None for phase in phases)


def test_logprobs_are_those_of_chat():
    token = {"token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": [{"token": "Hi", "logprob": -0.5}]}
    completion, _ = bridge(message(text("Hi", logprobs=[token])))
    expected = {**token, "top_logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": None}]}

    assert completion["choices"][0]["logprobs"] == {"content": [expected], "refusal": None}


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (None, None),
        ({"input_tokens": 2, "output_tokens": 3}, (2, 3, 5, None, None)),
        (
            {
                "input_tokens": 2,
                "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 6},
                "output_tokens": 3,
                "output_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 5,
            },
            (2, 3, 5, {"cached_tokens": 1, "cache_write_tokens": 6}, {"reasoning_tokens": 2}),
        ),
        (
            {"input_tokens": 2, "input_tokens_details": None, "output_tokens": 0, "total_tokens": 2},
            (2, 0, 2, None, None),
        ),
    ],
    ids=str,
)
def test_usage_keeps_every_count_and_invents_none(usage, counted):
    completion, _ = bridge(message(text("a")), usage=usage)
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
    found = completion.get("usage")

    assert (found and tuple(found.get(name) for name in names)) == counted


def test_a_reply_field_without_a_place_is_attached_and_listed_when_it_says_something():
    filters = [{"blocked": False, "content_filter_results": {"hate": {"severity": "safe"}}}]
    completion, lost = bridge(
        message(text("a")),
        content_filters=filters,
        tool_usage={"web_search": {"num_requests": 0}},
        service_tier="ultrafast",
        brand_new={"a": 1},
        temperature=1.0,
        tools=[{"type": "function"}],
    )

    assert completion["response_fields"] == {
        "content_filters": filters,
        "tool_usage": {"web_search": {"num_requests": 0}},
        "service_tier": "ultrafast",
        "brand_new": {"a": 1},
    }
    assert sorted(lost) == ["brand_new", "content_filters", "service_tier"]


def test_a_moderation_result_gets_the_list_that_chat_has_around_it():
    """Built from documented shapes, not recorded."""
    verdict = {
        "type": "moderation_result",
        "model": "omni",
        "flagged": False,
        "categories": {},
        "category_scores": {},
        "category_applied_input_types": {},
    }
    error = {"type": "error", "code": "x", "message": "y"}
    completion, lost = bridge(message(text("a")), moderation={"input": verdict, "output": error})

    assert completion["moderation"] == {
        "input": {"type": "moderation_results", "model": "omni", "results": [verdict]},
        "output": error,
    }
    assert lost == []


def test_where_a_call_belongs_is_attached_to_the_call():
    completion, lost = bridge({**CALL, "namespace": "crm", "caller": None})

    assert completion["choices"][0]["message"]["tool_calls"][0]["namespace"] == "crm"
    assert lost == ["output[0].namespace"]


@pytest.mark.parametrize("missing", ["id", "created_at", "model", "status", "error"])
def test_a_missing_field_is_no_reason_to_lose_the_answer(missing):
    body = reply(message({"type": "output_text", "text": "Hi"}))
    del body[missing]
    completion, losses = responses_to_chat(body)

    assert [loss.path for loss in losses] == (["status"] if missing == "status" else [])
    assert ChatCompletion.model_validate(completion).choices[0].message.content == "Hi"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (reply(status="failed"), "status"),
        (reply(status="cancelled"), "status"),
        (reply(status="queued"), "status"),
        (reply(status="in_progress"), "status"),
        ({"error": {"message": "x"}}, "output"),
        ({"choices": []}, "output"),
        (reply("text"), "output[0]"),
        (reply({"type": "function_call", "name": "f", "arguments": "{}"}), "output[0].call_id"),
        (reply(message({"type": "output_text"})), "output[0].content[0].text"),
    ],
    ids=str,
)
def test_what_is_no_finished_answer_is_refused_by_its_path(body, path):
    with pytest.raises(FormatError) as raised:
        responses_to_chat(body)

    assert raised.value.path == path


def test_the_reply_is_never_changed():
    citation = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    body = reply({"type": "reasoning", "id": "r", "summary": []}, message(text("ab", annotations=[citation])), CALL)
    before = copy.deepcopy(body)
    completion, _ = responses_to_chat(body)
    completion["choices"][0]["message"]["reasoning_items"][0]["id"] = "changed"

    assert body == before


def test_a_format_error_survives_pickling():
    error = pickle.loads(pickle.dumps(FormatError("messages[0]", "must be an object")))

    assert (error.path, error.reason, str(error)) == (
        "messages[0]",
        "must be an object",
        "messages[0]: must be an object",
    )
