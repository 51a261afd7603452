"""Messages replies as Responses: what each block, stop reason and count becomes, by data and over recorded traffic."""

import copy
import json
from collections import Counter

import pytest
from openai._models import construct_type
from openai.types.responses import Response
from shared_files import recordings, schema

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_messages_reply import (
    COMPLETE,
    INCOMPLETE,
    ITEM_KINDS,
    block_of,
    messages_to_responses_reply,
)
from chatsheet_llm.formats.seals import open_thinking, seal_reasoning


@pytest.fixture(scope="module")
def replies():
    rows = [row for row in recordings() if row["kind"] == "anthropic-messages" and row["response"]["status"] == 200]
    return {row["id"]: json.loads(row["response"]["body"]) for row in rows if not row["sse"]}


@pytest.fixture(scope="module")
def invalid():
    """Returns what is wrong with a Response by the OpenAPI schema; the items of Messages' own types are left out."""
    wrong = schema("Response")
    return lambda body: wrong(native(body))


def native(response):
    """The Response without the items and annotations that only Messages has."""
    response = copy.deepcopy(response)
    response["output"] = [item for item in response["output"] if item["type"] in ITEM_KINDS.values()]
    for item in response["output"]:
        for part in item.get("content", []):
            part["annotations"] = [note for note in part["annotations"] if note["type"] == "url_citation"]
    return response


def message(*content, **fields):
    return {
        "id": "msg_01X",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 4},
        **fields,
    }


def text(said, **fields):
    return {"type": "text", "text": said, **fields}


def converted(*content, **fields):
    response, losses = messages_to_responses_reply(message(*content, **fields))
    Response.model_validate(response)
    return response, [loss.path for loss in losses]


def output(*content):
    calls = any(block["type"] == "tool_use" for block in content)
    given = message(*content, stop_reason="tool_use" if calls else "end_turn")
    response, losses = messages_to_responses_reply(given)
    return response["output"], [loss.path for loss in losses]


def test_texts_in_a_row_are_the_parts_of_one_message():
    items, lost = output(text("Hel"), text("lo"))

    part = {"type": "output_text", "annotations": [], "logprobs": []}
    assert lost == []
    assert items == [
        {
            "id": "msg_01X_0",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{**part, "text": "Hel"}, {**part, "text": "lo"}],
        }
    ]


def test_blocks_keep_their_order_and_every_item_has_an_id_of_its_own():
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "é", "n": [1]}}
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "SIG"}
    items, lost = output(thought, text("a"), call, text("b"))

    assert lost == []
    assert [(item["type"], item["id"]) for item in items] == [
        ("reasoning", "rs_01X_0"),
        ("message", "msg_01X_1"),
        ("function_call", "fc_01X_2"),
        ("message", "msg_01X_3"),
    ]
    assert items[2] == {
        "id": "fc_01X_2",
        "type": "function_call",
        "status": "completed",
        "call_id": "toolu_1",
        "name": "look",
        "arguments": '{"at":"é","n":[1]}',
    }


def test_thinking_is_a_reasoning_item_that_holds_its_seal():
    items, lost = output(
        {"type": "thinking", "thinking": "Hm.", "signature": "SIG"},
        {"type": "thinking", "thinking": "", "signature": "HIDDEN"},
        {"type": "redacted_thinking", "data": "DATA"},
    )

    assert lost == []
    assert [item["summary"] for item in items] == [[{"type": "summary_text", "text": "Hm."}], [], []]
    assert [open_thinking(item["encrypted_content"]) for item in items] == [
        ("thinking", "SIG"),
        ("thinking", "HIDDEN"),
        ("redacted_thinking", "DATA"),
    ]


def test_thinking_that_was_a_reasoning_item_is_that_very_item_again():
    item = {"id": "rs_9", "type": "reasoning", "summary": [], "encrypted_content": "E"}
    items, lost = output({"type": "thinking", "thinking": "", "signature": seal_reasoning(item)})

    assert (items, lost) == ([item], [])


def test_a_call_from_code_keeps_its_caller_and_a_direct_one_needs_none():
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    by_code = {"type": "code_execution_20250825", "tool_id": "srv_1"}
    direct, nothing = output({**call, "caller": {"type": "direct"}})
    called, lost = output({**call, "caller": by_code, "toolset_name": "browser"})

    assert "caller" not in direct[0]
    assert nothing == []
    assert called[0]["caller"] == by_code
    assert called[0]["toolset_name"] == "browser"
    assert lost == ["content[0].caller", "content[0].toolset_name"]


def test_a_web_citation_is_an_annotation_of_the_whole_text():
    found = {"type": "web_search_result_location", "url": "https://a.example", "title": None}
    items, lost = output(text("", citations=None), text("Sunny.", citations=[{**found, "encrypted_index": "E"}]))

    assert items[0]["content"][1]["annotations"] == [
        {
            "type": "url_citation",
            "start_index": 0,
            "end_index": 6,
            "url": "https://a.example",
            "title": "",
            "encrypted_index": "E",
        }
    ]
    assert lost == ["content[1].citations[0].encrypted_index"]


def test_a_citation_of_a_document_is_an_annotation_of_its_own_type():
    page = {"type": "page_location", "cited_text": "x", "document_index": 0, "start_page_number": 1}
    items, lost = output(text("So.", citations=[page]))

    assert items[0]["content"][0]["annotations"] == [page]
    assert lost == ["content[0].citations[0]"]


@pytest.mark.parametrize("kind", ["server_tool_use", "mcp_tool_use", "compaction", "made_up_later"])
def test_a_block_without_a_form_in_responses_is_an_item_of_its_own_type(kind):
    block = {"type": kind, "id": "srv_1", "name": "web_search", "input": {"query": "q"}}
    items, lost = output(text("a"), block, text("b"))

    assert items[1] == block == block_of(items[1])
    assert [item["type"] for item in items] == ["message", kind, "message"]
    assert lost == ["content[1]"]


def test_a_block_without_an_id_has_one_only_while_it_is_an_item():
    result = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
    items, _ = output(result, result)

    # The SDK takes two items of one type without an id for the same item.
    assert [item["id"] for item in items] == ["block_01X_0", "block_01X_1"]
    assert [block_of(item) for item in items] == [result, result]


def test_a_field_that_no_one_knows_stays_on_its_item_and_is_listed():
    items, lost = output(text("a", mood="calm", logprobs="x"), {"type": "redacted_thinking", "data": "D", "why": "w"})

    assert items[0]["content"][0]["mood"] == "calm"
    assert items[0]["content"][0]["messages_logprobs"] == "x"
    assert items[1]["why"] == "w"
    assert lost == ["content[0].mood", "content[0].logprobs", "content[1].why"]


STOPS = {
    "end_turn": ("completed", None, None, []),
    "max_tokens": ("incomplete", "max_output_tokens", None, []),
    "refusal": ("incomplete", "content_filter", None, []),
    "model_context_window_exceeded": (
        "incomplete",
        "max_output_tokens",
        "model_context_window_exceeded",
        ["stop_reason"],
    ),
    "pause_turn": ("incomplete", "pause_turn", None, ["stop_reason"]),
    "compaction": ("incomplete", "compaction", None, ["stop_reason"]),
    "tool_use": ("completed", None, "tool_use", ["stop_reason"]),
    "stop_sequence": ("completed", None, "stop_sequence", ["stop_reason"]),
    None: ("completed", None, None, ["stop_reason"]),
}


@pytest.mark.parametrize("stop_reason", STOPS)
def test_each_stop_reason_is_a_status_and_attached_where_that_does_not_tell(stop_reason):
    response, losses = messages_to_responses_reply(message(text("a"), stop_reason=stop_reason))
    status, reason, attached, lost = STOPS[stop_reason]

    assert response["status"] == response["output"][0]["status"] == status
    assert response["incomplete_details"] == (reason and {"reason": reason})
    assert response.get("stop_reason") == attached
    assert [loss.path for loss in losses] == lost


def test_every_stop_reason_has_its_row():
    assert set(STOPS) - {None, "pause_turn", "compaction"} == set(INCOMPLETE) | COMPLETE


def test_a_stop_reason_that_the_answer_tells_is_not_repeated():
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    called, nothing = converted(call, stop_reason="tool_use")
    stopped, lost = converted(text("a"), stop_reason="stop_sequence", stop_sequence="END")
    odd, odd_lost = converted(call, stop_reason="end_turn")

    assert "stop_reason" not in called
    assert nothing == []
    assert "stop_reason" not in stopped
    assert stopped["stop_sequence"] == "END"
    assert lost == ["stop_sequence"]
    assert odd["stop_reason"] == "end_turn"
    assert odd_lost == ["stop_reason"]


def test_only_the_last_item_of_a_cut_off_answer_is_incomplete():
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    response, _ = converted(text("a"), call, stop_reason="max_tokens")

    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_all_input_tokens_are_counted_as_responses_counts_them():
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 40},
        "service_tier": "standard",
    }
    response, lost = converted(text("a"), usage=usage)

    assert lost == []
    assert response["service_tier"] == "default"
    assert response["usage"] == {
        "input_tokens": 123,
        "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 173,
    }


def test_counts_without_a_place_are_attached_and_listed_when_they_say_something():
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 7},
        "server_tool_use": {"web_search_requests": 0},
        "service_tier": "batch",
        "inference_geo": "not_available",
        "speed": "fast",
        "output_tokens_details": {"thinking_tokens": 1, "audio_tokens": 2},
    }
    response, lost = converted(text("a"), usage=usage)

    assert {name: response["usage"][name] for name in usage if name in response["usage"]}.items() >= {
        name: usage[name] for name in ("cache_creation", "server_tool_use", "service_tier", "inference_geo", "speed")
    }.items()
    assert "service_tier" not in response
    assert response["usage"]["output_tokens_details"] == {"reasoning_tokens": 1, "audio_tokens": 2}
    assert sorted(lost) == [
        "usage.cache_creation",
        "usage.output_tokens_details.audio_tokens",
        "usage.service_tier",
        "usage.speed",
    ]


def test_fields_of_the_message_without_a_place_are_attached_and_listed():
    fields = {
        "container": {"id": "c_1", "expires_at": "2026-01-01T00:00:00Z"},
        "stop_details": {"type": "refusal", "category": "bio"},
        "context_management": {"applied_edits": []},
        "diagnostics": None,
    }
    response, lost = converted(text("a"), stop_reason="refusal", **fields)

    assert response.items() >= {name: value for name, value in fields.items() if value}.items()
    assert "diagnostics" not in response
    assert lost == ["container", "stop_details"]


def test_a_caller_of_chat_still_finds_what_was_attached():
    response, _ = converted(text("a"), stop_reason="stop_sequence", stop_sequence="END")
    completion, losses = responses_to_chat(response)

    assert completion["choices"][0]["finish_reason"] == "stop"
    assert completion["response_fields"] == {"stop_sequence": "END"}
    assert [loss.path for loss in losses] == ["stop_sequence"]


def test_places_name_the_block_that_each_item_and_part_came_from():
    places = {}
    cited = text("b", citations=[{"type": "web_search_result_location", "url": "u"}])
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "S"}
    messages_to_responses_reply(message(thought, text("a"), cited, stop_reason="max_tokens"), places)

    assert (
        places.items()
        >= {
            "output[0]": "content[0]",
            "output[1]": "content[1]",
            "output[1].content[1]": "content[2]",
            "output[1].content[1].annotations": "content[2].citations",
            "incomplete_details": "stop_reason",
            "service_tier": "usage.service_tier",
        }.items()
    )


@pytest.mark.parametrize(
    ("reply", "path"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}, "type"),
        (message(role="user"), "type"),
        (message(content="hi"), "content"),
        (message({"text": "secret"}), "content[0].type"),
        (message({"type": "text"}), "content[0].text"),
        (message({"type": "tool_use", "name": "f", "input": {}}), "content[0].id"),
        (message({"type": "redacted_thinking"}), "content[0].data"),
        (message(stop_reason=3), "stop_reason"),
        (message(usage=[]), "usage"),
    ],
)
def test_what_is_no_message_is_refused_without_quoting_it(reply, path):
    with pytest.raises(FormatError) as refused:
        messages_to_responses_reply(reply)

    assert refused.value.path == path
    assert "secret" not in str(refused.value)


def test_a_message_of_the_barest_kind_is_a_response():
    response, losses = messages_to_responses_reply({"content": []})
    Response.model_validate(response)

    assert [loss.path for loss in losses] == ["stop_reason"]
    assert (response["id"], response["model"], response["created_at"], response["usage"]) == ("", "", 0, None)


def test_the_reply_is_left_as_it_was():
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}, "odd": 1}
    given = message(text("a", citations=[{"type": "char_location"}]), call, stop_reason="max_tokens")
    before = copy.deepcopy(given)
    messages_to_responses_reply(given)

    assert given == before


# --- over recorded traffic -------------------------------------------------------------------------------------------


def test_every_recorded_reply_becomes_a_valid_response(replies, invalid):
    wrong, lost, counts = {}, Counter(), Counter()
    for name, reply in replies.items():
        before = copy.deepcopy(reply)
        response, losses = messages_to_responses_reply(reply)
        assert reply == before
        Response.model_validate(native(response))
        kept = construct_type(type_=Response, value=copy.deepcopy(response)).to_dict(mode="json", warnings=False)
        assert [item["type"] for item in kept["output"]] == [item["type"] for item in response["output"]], name
        if errors := invalid(response):
            wrong[name] = errors
        lost.update(loss.path.partition("[")[0] for loss in losses)
        counts.update(item["type"] for item in response["output"])
    print(dict(counts), dict(lost))

    assert wrong == {}
    assert len(replies) > 150


def test_texts_calls_and_counts_of_every_recorded_reply_are_the_same(replies):
    for name, reply in replies.items():
        response, _ = messages_to_responses_reply(reply)
        parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
        calls = [item for item in response["output"] if item["type"] == "function_call"]
        used = reply["usage"]
        read, written = used.get("cache_read_input_tokens") or 0, used.get("cache_creation_input_tokens") or 0

        assert [part["text"] for part in parts] == [b["text"] for b in reply["content"] if b["type"] == "text"], name
        assert [(call["call_id"], call["name"], json.loads(call["arguments"])) for call in calls] == [
            (block["id"], block["name"], block["input"]) for block in reply["content"] if block["type"] == "tool_use"
        ], name
        assert response["usage"]["input_tokens"] == used["input_tokens"] + read + written
        assert response["usage"]["output_tokens"] == used["output_tokens"]


def test_nothing_in_a_recorded_reply_vanishes(replies):
    # Words that a Response has others for, and the count that includes cached tokens there.
    told_otherwise = ("type", "role", "stop_reason", "service_tier", "input_tokens")
    checked = 0
    for name, reply in replies.items():
        response, _ = messages_to_responses_reply(reply)
        calls = [item for item in response["output"] if item["type"] == "function_call"]
        said = [*leaves(response), *(leaf for call in calls for leaf in leaves(json.loads(call["arguments"])))]
        kept = {value for _, value in said}
        seals = [value for path, value in said if path[-1] == "encrypted_content"]
        for path, value in leaves(reply):
            if value not in (None, "") and path[-1] not in told_otherwise:
                checked += 1
                sealed = path[-1] in ("signature", "data") and any(seal.endswith(value) for seal in seals)
                assert value in kept or sealed, (name, path)

    assert checked > 2000


def test_the_blocks_of_a_recorded_reply_can_be_read_back(replies):
    for name, reply in replies.items():
        response, _ = messages_to_responses_reply(reply)
        blocks = [block for item in response["output"] for block in read_back(item)]

        assert blocks == [plain(block) for block in reply["content"]], name


def read_back(item):
    """The blocks an item was, as far as they say something."""
    if item["type"] == "message":
        return [plain({"type": "text", "text": part["text"]}) for part in item["content"]]
    if item["type"] == "function_call":
        call = {"id": item["call_id"], "name": item["name"], "input": json.loads(item["arguments"])}
        return [{"type": "tool_use", **call}]
    if item["type"] == "reasoning":
        kind, secret = open_thinking(item["encrypted_content"])
        if kind == "redacted_thinking":
            return [{"type": kind, "data": secret}]
        said = "".join(part["text"] for part in item["summary"])
        return [{"type": kind, "thinking": said, "signature": secret}]
    return [block_of(item)]


def plain(block):
    if block["type"] not in ITEM_KINDS:
        return block
    return {key: value for key, value in block.items() if key not in ("citations", "caller")}


def leaves(node, path=()):
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, key))
    else:
        yield path, node
