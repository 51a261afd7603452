"""Responses replies as Messages: what each item, status and count becomes, by data and over recorded traffic."""

import copy
import json
from collections import Counter

import pytest
from anthropic.types import Message
from shared_files import recordings

from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.messages_responses_reply import responses_to_messages_reply
from chatsheet_llm.formats.responses_messages_reply import messages_to_responses_reply
from chatsheet_llm.formats.seals import open_reasoning, seal_reasoning, seal_thinking

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 17,
}


def reply(*output, **fields):
    head = {"id": "resp_1", "object": "response", "created_at": 5, "model": "gpt-5", "status": "completed"}
    return {**head, "output": list(output), "usage": USAGE, **fields}


def says(*parts, **fields):
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [*parts], **fields}


def text(words, **fields):
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": [], **fields}


def call(arguments, **fields):
    named = {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_1", "name": "look"}
    return {**named, "arguments": arguments, **fields}


def blocks(*output):
    message, losses = responses_to_messages_reply(reply(*output))
    return message["content"], [loss.path for loss in losses]


def test_a_plain_answer_becomes_a_message_and_loses_nothing():
    message, losses = responses_to_messages_reply(reply(says(text("Hello.")), service_tier="default"))

    assert message == {
        "id": "resp_1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-5",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 3,
            "output_tokens": 7,
            "service_tier": "standard",
            "output_tokens_details": {"thinking_tokens": 4},
        },
        "response_fields": {"created_at": 5},
    }
    assert losses == []
    assert Message.model_validate(message).usage.output_tokens_details.thinking_tokens == 4


def test_each_part_is_a_block_and_the_order_of_the_items_stays():
    content, lost = blocks(says(text("One."), text("Two.")), call('{"a": 1}'), says(text("Three.")))

    assert [block.get("text", block["type"]) for block in content] == ["One.", "Two.", "tool_use", "Three."]
    assert lost == []


def test_a_refusal_is_a_text_and_its_stop_reason_says_so():
    message, losses = responses_to_messages_reply(reply(says({"type": "refusal", "refusal": "No."})))

    assert message["content"] == [{"type": "text", "text": "No."}]
    assert message["stop_reason"] == "refusal"
    assert [loss.path for loss in losses] == ["output[0].content[0]"]


@pytest.mark.parametrize(
    ("arguments", "given", "lost"),
    [
        ('{"city": "Köln"}', {"city": "Köln"}, []),
        ("", {}, []),
        (" ", {}, []),
        ("[1]", {"arguments": "[1]"}, ["output[0].arguments"]),
        ('{"city": "Kö', {"arguments": '{"city": "Kö'}, ["output[0].arguments"]),
    ],
)
def test_arguments_become_an_object_and_what_is_none_goes_into_one(arguments, given, lost):
    assert blocks(call(arguments)) == (
        [{"type": "tool_use", "id": "call_1", "name": "look", "input": given}],
        lost,
    )


def test_a_call_of_a_custom_tool_holds_its_text_as_input():
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "run", "input": "ls -l"}

    content, lost = blocks(item)

    assert content == [{"type": "tool_use", "id": "call_1", "name": "run", "input": {"input": "ls -l"}}]
    assert lost == ["output[0]"]


@pytest.mark.parametrize(
    ("fields", "attached", "lost"),
    [
        ({"namespace": "crm"}, {"namespace": "crm"}, ["output[0].namespace"]),
        ({"async": True}, {"async": True}, ["output[0].async"]),
        ({"async": False}, {"async": False}, []),
        ({"caller": {"type": "direct"}}, {"caller": {"type": "direct"}}, []),
        (
            {"caller": {"type": "program", "caller_id": "prog_1"}},
            {"responses_caller": {"type": "program", "caller_id": "prog_1"}},
            ["output[0].caller"],
        ),
        ({"toolset_name": "browser"}, {"toolset_name": "browser"}, []),
    ],
)
def test_what_a_call_says_beyond_messages_is_attached_to_it(fields, attached, lost):
    content, paths = blocks(call("{}", **fields))

    assert content == [{"type": "tool_use", "id": "call_1", "name": "look", "input": {}, **attached}]
    assert paths == lost
    assert Message.model_validate(responses_to_messages_reply(reply(call("{}", **fields)))[0])


@pytest.mark.parametrize(
    ("item", "thinking"),
    [
        ({"summary": []}, ""),
        ({"summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}]}, "A\n\nB"),
        ({"summary": [], "content": [{"type": "reasoning_text", "text": "C"}], "encrypted_content": "x"}, "C"),
    ],
)
def test_reasoning_is_a_thinking_block_whose_signature_is_the_whole_item(item, thinking):
    given = {"type": "reasoning", "id": "rs_1", **item}

    (block,), lost = blocks(given)

    assert (block["type"], block["thinking"]) == ("thinking", thinking)
    assert open_reasoning(block["signature"]) == given
    assert lost == []


@pytest.mark.parametrize(
    ("summary", "encrypted", "block"),
    [
        (
            [{"type": "summary_text", "text": "So."}],
            seal_thinking("thinking", "sig"),
            {"type": "thinking", "thinking": "So.", "signature": "sig"},
        ),
        ([], seal_thinking("redacted_thinking", "data"), {"type": "redacted_thinking", "data": "data"}),
    ],
)
def test_reasoning_with_a_seal_of_messages_is_its_block_again(summary, encrypted, block):
    item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": encrypted}

    assert blocks(item) == ([block], [])


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
        {"type": "of_next_year", "id": "n_1"},
        {"type": "message", "id": "msg_1", "role": "user", "content": []},
    ],
)
def test_an_item_without_a_form_is_a_block_of_its_own_type_and_listed(item):
    assert blocks(item) == ([item], ["output[0]"])


def test_annotations_become_citations_where_they_say_enough_and_are_attached_else():
    cited = {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "u", "title": "t"}
    whole = {**cited, "cited_text": "c", "encrypted_index": "e"}
    page = {"type": "page_location", "cited_text": "c", "document_index": 0, "start_page_number": 1}
    file = {"type": "file_citation", "file_id": "f", "index": 1, "filename": "a.pdf"}

    ((block,), lost) = blocks(says(text("Hello", annotations=[cited, whole, page, file, {**whole, "start_index": 2}])))

    search = {"type": "web_search_result_location", "cited_text": "c", "encrypted_index": "e", "url": "u", "title": "t"}
    assert block["citations"] == [search, page, {**search, "start_index": 2, "end_index": 5}]
    assert block["annotations"] == [cited, file]
    at = "output[0].content[0].annotations"
    assert lost == [f"{at}[0]", f"{at}[3]", f"{at}[4].start_index", f"{at}[4].end_index"]


def test_phase_and_logprobs_are_attached_to_the_block_and_listed():
    tokens = [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]

    content, lost = blocks(says(text("Hi", logprobs=tokens), text("!"), phase="commentary"))

    assert content == [
        {"type": "text", "text": "Hi", "logprobs": tokens, "phase": "commentary"},
        {"type": "text", "text": "!", "phase": "commentary"},
    ]
    assert lost == ["output[0].content[0].logprobs", "output[0].phase"]


@pytest.mark.parametrize(
    ("fields", "stop_reason", "lost"),
    [
        ({}, "tool_use", []),
        ({"status": None}, "tool_use", ["status"]),
        ({"stop_sequence": "END"}, "stop_sequence", []),
        ({"stop_reason": "end_turn"}, "end_turn", []),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_tokens", []),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "refusal", []),
        ({"status": "incomplete", "incomplete_details": {"reason": "pause_turn"}}, "pause_turn", []),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_calls"}},
            "max_tokens",
            ["incomplete_details.reason"],
        ),
        ({"status": "incomplete"}, "max_tokens", ["incomplete_details.reason"]),
        ({"status": None, "incomplete_details": {"reason": "max_output_tokens"}}, "max_tokens", []),
        (
            {
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "stop_reason": "model_context_window_exceeded",
            },
            "model_context_window_exceeded",
            [],
        ),
    ],
)
def test_the_stop_reason_tells_why_the_answer_ends(fields, stop_reason, lost):
    message, losses = responses_to_messages_reply(reply(call("{}"), **fields))

    assert message["stop_reason"] == stop_reason
    assert message["stop_sequence"] == fields.get("stop_sequence")
    assert [loss.path for loss in losses] == lost
    assert ("incomplete_details" in message["response_fields"]) == ("incomplete_details.reason" in lost)


def test_a_cut_off_refusal_keeps_both_facts():
    details = {"reason": "max_output_tokens"}

    message, losses = responses_to_messages_reply(
        reply(says({"type": "refusal", "refusal": "N"}), status="incomplete", incomplete_details=details)
    )

    assert message["stop_reason"] == "refusal"
    assert message["response_fields"]["incomplete_details"] == details
    assert [loss.path for loss in losses] == ["output[0].content[0]", "incomplete_details.reason"]


@pytest.mark.parametrize(
    ("usage", "counts", "lost"),
    [
        ({"total_tokens": 99}, {"total_tokens": 99}, ["usage.total_tokens"]),
        ({"input_tokens": 4}, {"input_tokens": 0, "total_tokens": 17}, ["usage.input_tokens", "usage.total_tokens"]),
        (
            {"input_tokens_details": {"cached_tokens": 0, "audio_tokens": 2, "image_tokens": 0}},
            {
                "input_tokens": 10,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "input_tokens_details": {"audio_tokens": 2, "image_tokens": 0},
            },
            ["usage.input_tokens_details.audio_tokens"],
        ),
        (
            {"output_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 2}},
            {"output_tokens_details": {"thinking_tokens": 1, "audio_tokens": 2}},
            ["usage.output_tokens_details.audio_tokens"],
        ),
        ({"credits": 2}, {"credits": 2}, ["usage.credits"]),
        ({"speed": "fast"}, {"speed": "fast"}, []),
    ],
)
def test_every_count_has_a_place_or_is_listed(usage, counts, lost):
    message, losses = responses_to_messages_reply(reply(usage={**USAGE, **usage}))
    plain, _ = responses_to_messages_reply(reply())

    assert message["usage"] == plain["usage"] | counts
    assert [loss.path for loss in losses] == lost
    assert Message.model_validate(message)


def test_a_reply_without_usage_has_zeros_and_says_so():
    message, losses = responses_to_messages_reply(reply(usage=None))

    assert Message.model_validate(message).usage.input_tokens == 0
    assert [loss.path for loss in losses] == ["usage"]


@pytest.mark.parametrize(
    ("tier", "counted", "attached"),
    [("default", "standard", None), ("priority", "priority", None), ("flex", None, "flex"), (None, None, None)],
)
def test_the_service_tier_has_a_word_in_messages_or_is_attached(tier, counted, attached):
    message, losses = responses_to_messages_reply(reply(service_tier=tier))

    assert message["usage"].get("service_tier") == counted
    assert message["response_fields"].get("service_tier") == attached
    assert [loss.path for loss in losses] == (["service_tier"] if attached else [])


def test_reply_fields_without_a_place_are_attached_and_listed_unless_they_repeat_the_request():
    fields = {"metadata": {"a": "b"}, "content_filters": [{"blocked": False}], "temperature": 1.0, "tools": [{}]}

    message, losses = responses_to_messages_reply(reply(**fields, tool_usage={"web": 0}, container={"id": "c"}))

    assert message["response_fields"] == {
        "created_at": 5,
        "metadata": {"a": "b"},
        "content_filters": [{"blocked": False}],
        "tool_usage": {"web": 0},
    }
    assert message["container"] == {"id": "c"}
    assert [loss.path for loss in losses] == ["metadata"]


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress", "queued", 3])
def test_an_unfinished_response_is_no_message(status):
    with pytest.raises(FormatError, match="status"):
        responses_to_messages_reply(reply(status=status))


@pytest.mark.parametrize("body", [{}, {"output": None}, {"output": ["text"]}, reply(call(None)), reply(says("x"))])
def test_a_body_of_another_shape_is_no_message(body):
    with pytest.raises(FormatError):
        responses_to_messages_reply(body)


def test_every_recorded_message_survives_both_ways():
    counts = Counter()
    for row in recordings():
        if row["kind"] != "anthropic-messages" or row["response"]["status"] != 200 or row["sse"]:
            continue
        message = json.loads(row["response"]["body"])
        if message.get("type") != "message":
            continue
        middle, _ = messages_to_responses_reply(message)
        again, losses = responses_to_messages_reply(middle)
        counts["messages"] += 1
        counts.update(f"{loss.path}: {loss.reason}" for loss in losses)
        assert plain(again) == plain(message), row["id"]
    print(counts)

    assert counts.pop("messages") > 100
    assert not counts


def plain(message):
    """Without what says as much as its absence, at any depth that the bridge touches."""

    def says_it(value):
        return value not in (None, [], {}, "not_available", {"type": "direct"})

    content = [{key: value for key, value in block.items() if says_it(value)} for block in message["content"]]
    for block in content:
        if "citations" in block:
            block["citations"] = [{k: v for k, v in note.items() if says_it(v)} for note in block["citations"]]
    usage = {key: value for key, value in message["usage"].items() if says_it(value) and value != 0}
    if usage.get("output_tokens_details") == {"thinking_tokens": 0}:
        del usage["output_tokens_details"]
    rest = {key: value for key, value in message.items() if says_it(value)}
    return rest | {"content": content, "usage": usage}


def test_every_recorded_reply_becomes_a_message_that_says_the_same():
    counts = Counter()
    for row in recordings():
        if row["kind"] not in ("openai-responses", "azure-responses") or row["response"]["status"] != 200:
            continue
        if row["sse"] or row["op"] not in ("create", "retrieve"):
            continue
        given = json.loads(row["response"]["body"])
        if given["status"] not in ("completed", "incomplete"):
            with pytest.raises(FormatError):
                responses_to_messages_reply(given)
            counts["not finished"] += 1
            continue
        before = copy.deepcopy(given)
        message, losses = responses_to_messages_reply(given)
        counts["messages"] += 1
        counts["losses"] += len(losses)
        assert given == before
        check(given, message, [loss.path for loss in losses])
    print(dict(counts))

    assert counts["messages"] > 200


def check(given, message, lost):
    own = ("text", "thinking", "redacted_thinking", "tool_use")
    Message.model_validate(message | {"content": [block for block in message["content"] if block["type"] in own]})
    parts = [part for item in given["output"] if item["type"] == "message" for part in item["content"]]
    calls = [item for item in given["output"] if item["type"] == "function_call"]
    others = [item for item in given["output"] if item["type"] not in ("message", "function_call", "reasoning")]
    said = {kind: [block for block in message["content"] if block["type"] == kind] for kind in own}
    assert [block["text"] for block in said["text"]] == [part["text"] for part in parts]
    assert [block.get("annotations", []) for block in said["text"]] == [part["annotations"] for part in parts]
    assert [(block["id"], block["name"], block["input"]) for block in said["tool_use"]] == [
        (item["call_id"], item["name"], json.loads(item["arguments"])) for item in calls
    ]
    assert [block for block in message["content"] if block["type"] not in own] == others
    reasoning = [item for item in given["output"] if item["type"] == "reasoning"]
    assert [block["signature"] for block in said["thinking"]] == [seal_reasoning(item) for item in reasoning]
    usage = message["usage"]
    into = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert sum(usage[name] for name in into) == given["usage"]["input_tokens"]
    assert usage["output_tokens"] == given["usage"]["output_tokens"]
    hosted = [f"output[{index}]" for index, item in enumerate(given["output"]) if item in others]
    assert set(hosted) <= set(lost)


def test_an_answer_that_does_not_say_whether_it_is_whole_is_taken_for_it_and_listed():
    message, losses = responses_to_messages_reply(reply(says(text("Hello.")), status=None))

    assert message["stop_reason"] == "end_turn"
    assert [loss.path for loss in losses if loss.path == "status"] == ["status"]
