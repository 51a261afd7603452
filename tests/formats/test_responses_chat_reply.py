"""ChatCompletion -> Response: what each part becomes, what is attached and listed, what is no answer."""

import copy
import json
import random
from collections import Counter

import pytest
from mutants import mutant
from openai.types.responses import Response
from shared_files import recordings, schema, sse_events

from chatsheet_llm.formats import REPLIES
from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.compose import origin
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_chat_reply import chat_to_responses_reply

THOUGHT = {
    "type": "reasoning",
    "id": "rs_9",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "encrypted_content": "s",
}
FUNCTION = "choices[0].message.tool_calls[0].function"
HOSTED = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}


def completion(message=None, finish_reason="stop", **fields):
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **(message or {})}}
    choice |= {"finish_reason": finish_reason, **fields.pop("choice", {})}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "gpt-5.1"}
    return {**head, "choices": [choice, *fields.pop("more", [])], **fields}


def bridge(message=None, finish_reason="stop", **fields):
    given = completion(message, finish_reason, **fields)
    before = copy.deepcopy(given)
    response, losses = chat_to_responses_reply(given)
    Response.model_validate(response)

    assert given == before
    assert {loss.format for loss in losses} <= {"responses"}
    return response, [loss.path for loss in losses]


def spoken(*parts, **fields):
    head = {"id": "msg_chatcmpl-1", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": list(parts), **fields}


def text(value, **fields):
    return {"type": "output_text", "text": value, "annotations": [], "logprobs": [], **fields}


def chat_call(call_id, name="f", arguments="{}", **fields):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def call(number, call_id, name="f", arguments="{}", **fields):
    item = {"id": f"fc_chatcmpl-1_{number}", "type": "function_call", "call_id": call_id, "name": name}
    return {**item, "arguments": arguments, "status": "completed", **fields}


def test_a_plain_answer_is_a_plain_response():
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    response, lost = bridge({"content": "Hello"}, usage=usage, service_tier="default", metadata={"a": "b"})

    assert response == {
        "id": "chatcmpl-1",
        "object": "response",
        "created_at": 1700000000,
        "model": "gpt-5.1",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {"a": "b"},
        "output": [spoken(text("Hello"))],
        "parallel_tool_calls": True,
        "service_tier": "default",
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 12,
        },
    }
    assert lost == []


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("function_call", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_a_finish_reason_is_a_status(reason, status, details):
    response, lost = bridge({"content": "A"}, reason)

    assert (response["status"], response["incomplete_details"], lost) == (status, details, [])
    assert response["output"][0]["status"] == status


@pytest.mark.parametrize("reason", [None, ""])
def test_an_answer_that_does_not_say_why_it_ended_is_taken_for_whole_and_listed(reason):
    response, lost = bridge({"content": "A"}, reason)

    assert (response["status"], lost) == ("completed", ["choices[0].finish_reason"])


def test_what_vision_previews_said_of_a_cut_answer_is_heard():
    given = completion({"content": "A"}, None)
    given["choices"][0]["finish_details"] = {"type": "max_tokens"}
    response, _ = chat_to_responses_reply(given)

    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


@pytest.mark.parametrize("reason", ["end_turn", "eos", "eos_token", "stop_sequence"])
def test_what_other_servers_call_a_stop_is_one(reason):
    response, lost = bridge({"content": "A"}, reason)

    assert (response["status"], response["incomplete_details"], lost) == ("completed", None, [])


@pytest.mark.parametrize("reason", ["error", "network_error", "insufficient_system_resource", "tired"])
def test_an_unknown_finish_reason_is_the_reason_of_an_incomplete_answer(reason):
    given = completion({"content": "A"}, reason, usage={"prompt_tokens": 1, "completion_tokens": 2})
    response, losses = chat_to_responses_reply(given)

    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert response["output"][0]["status"] == "incomplete"
    assert [loss.path for loss in losses] == ["choices[0].finish_reason"]
    message, losses = REPLIES["chat", "messages"](given)
    assert message["stop_reason"] != "end_turn"
    assert [loss.path for loss in losses] == ["choices[0].finish_reason"]


def test_reasoning_text_calls_come_in_that_order():
    custom = {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    calls = [chat_call("c1", namespace="n"), custom]
    response, lost = bridge(
        {"reasoning_content": "Hm.", "content": "A", "refusal": "no", "tool_calls": calls}, "tool_calls"
    )

    assert response["output"] == [
        {"id": "rs_chatcmpl-1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        spoken(text("A"), {"type": "refusal", "refusal": "no"}),
        call(0, "c1", namespace="n"),
        {"id": "ctc_chatcmpl-1_1", "type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
    ]
    assert lost == []


@pytest.mark.parametrize(
    ("message", "shown", "lost"),
    [
        ({"reasoning": "R"}, "R", []),
        ({"reasoning_content": "R", "reasoning": "R"}, "R", []),
        ({"reasoning_content": "R", "reasoning": "S"}, "R", ["choices[0].message.reasoning"]),
        ({"reasoning": {"deep": 1}, "reasoning_content": "R"}, "R", ["choices[0].message.reasoning"]),
    ],
)
def test_the_reasoning_text_of_any_provider_is_a_summary(message, shown, lost):
    response, found = bridge({**message, "content": "A"})

    assert response["output"][0]["summary"] == [{"type": "summary_text", "text": shown}]
    assert found == lost


def test_an_empty_text_makes_no_message():
    assert bridge({"content": "", "tool_calls": [chat_call("c1")]}, "tool_calls")[0]["output"] == [call(0, "c1")]
    assert bridge({"content": ""}, "length")[0]["output"] == []


def test_a_cut_off_call_is_incomplete_itself():
    response, _ = bridge({"content": "A", "tool_calls": [chat_call("c1", arguments='{"a')]}, "length")

    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_a_legacy_call_gets_a_call_id():
    response, lost = bridge({"function_call": {"name": "f", "arguments": "{}"}}, "function_call")

    assert response["output"] == [call(0, "call_chatcmpl-1_0")]
    assert lost == []


def test_calls_with_one_id_get_an_id_each():
    mcp = {"id": "a", "type": "mcp", "mcp": {}}
    given = completion({"tool_calls": [chat_call("a"), chat_call("a", "g"), chat_call("a_1"), chat_call(7), mcp]})
    response, losses = chat_to_responses_reply(given)

    ids = [item.get("call_id", item["id"]) for item in response["output"]]
    assert ids == ["a", "a_1", "a_1_2", "call_chatcmpl-1_3", "a_4"]
    assert [loss.path for loss in losses] == [
        *(f"choices[0].message.tool_calls[{number}].id" for number in (1, 2, 3, 4)),
        "choices[0].message.tool_calls[4]",
    ]


def test_what_a_provider_adds_to_a_call_stays_on_it():
    given = chat_call("c1", extra_content={"google": {"thought_signature": "s"}}, index=0)
    response, lost = bridge({"tool_calls": [given]}, "tool_calls")

    assert response["output"] == [call(0, "c1", extra_content={"google": {"thought_signature": "s"}})]
    assert lost == ["choices[0].message.tool_calls[0].extra_content"]


def test_citations_and_log_probabilities_stand_on_the_text():
    cited = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    token = {
        "token": "A",
        "logprob": -0.5,
        "bytes": None,
        "top_logprobs": [{"token": "B", "logprob": -2, "bytes": [66]}],
    }
    response, lost = bridge(
        {"content": "A", "annotations": [cited, {"type": "odd"}]},
        choice={"logprobs": {"content": [token], "refusal": []}},
    )

    assert response["output"][0]["content"] == [
        text(
            "A",
            annotations=[{"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}],
            logprobs=[{**token, "bytes": []}],
        )
    ]
    assert response["annotations"] == [{"type": "odd"}]
    assert lost == ["choices[0].message.annotations"]


def test_what_has_no_place_is_attached_under_its_name_and_listed():
    filtered = {"hate": {"filtered": False}}
    response, lost = bridge(
        {"content": "A", "audio": {"id": "a"}, "user": "taken"},
        choice={"content_filter_results": filtered, "logprobs": {"refusal": [{"token": "n"}]}},
        system_fingerprint="fp",
        prompt_filter_results=[{"prompt_index": 0}],
        citations=["u"],
        text="taken",
    )

    assert response["audio"] == {"id": "a"}
    assert response["chat_user"] == response["chat_text"] == "taken"
    assert response["content_filter_results"] == filtered
    assert response["logprobs"] == {"refusal": [{"token": "n"}]}
    assert (response["system_fingerprint"], response["citations"]) == ("fp", ["u"])
    assert set(lost) == {
        "choices[0].content_filter_results",
        "choices[0].logprobs",
        "choices[0].message.audio",
        "choices[0].message.user",
        "citations",
        "prompt_filter_results",
        "system_fingerprint",
        "text",
    }


def test_other_choices_are_attached_whole():
    other = {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "B"}}
    response, lost = bridge({"content": "A"}, more=[other])

    assert (response["output"], response["choices"]) == ([spoken(text("A"))], [other])
    assert lost == ["choices[1]"]


def test_counts_that_only_one_provider_has_are_attached_to_the_usage():
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "num_sources_used": 3, "cost": 0}
    response, lost = bridge(
        {"content": "A"}, usage=usage | {"completion_tokens_details": {"reasoning_tokens": None, "x": 1}}
    )

    assert response["usage"]["output_tokens_details"] == {"reasoning_tokens": 0, "x": 1}
    assert (response["usage"]["total_tokens"], response["usage"]["num_sources_used"]) == (3, 3)
    assert lost == ["usage.num_sources_used"]


def test_content_in_parts_is_joined_and_other_parts_are_kept():
    thinking = {"type": "thinking", "thinking": []}
    given = completion({"content": [thinking, {"type": "text", "text": "A"}, {"type": "text", "text": "B"}]})
    response, losses = chat_to_responses_reply(given)

    assert response["output"] == [spoken(text("AB"), thinking)]
    assert [loss.path for loss in losses] == ["choices[0].message.content[0]"]


def test_a_verdict_of_moderation_is_unwrapped():
    flags = {"categories": {}, "category_scores": {}, "category_applied_input_types": {}, "flagged": False}
    verdict = {"type": "moderation_result", "model": "m", **flags}
    wrapped = {"type": "moderation_results", "model": "m", "results": [verdict]}
    error = {"type": "error", "code": "c", "message": "m"}
    response, lost = bridge({"content": "A"}, moderation={"input": wrapped, "output": error})

    assert response["moderation"] == {"input": verdict, "output": error}
    assert lost == []


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "choices"),
        ({"error": {"message": "secret"}}, "choices"),
        ({"choices": []}, "choices"),
        ({"choices": [{"index": 0}]}, "choices[0].message"),
        (completion({"content": 5}), "choices[0].message.content"),
        (completion({"content": "A"}, ["secret"]), "choices[0].finish_reason"),
        (completion({"content": "A"}, {"secret": 1}), "choices[0].finish_reason"),
        (completion({"tool_calls": [chat_call("c", arguments=["secret"])]}), f"{FUNCTION}.arguments"),
        (completion({"tool_calls": [{"id": "c", "function": {}}]}), f"{FUNCTION}.name"),
    ],
)
def test_what_is_no_answer_is_refused_without_its_content(given, path):
    with pytest.raises(FormatError) as error:
        chat_to_responses_reply(given)

    assert error.value.path == path
    assert "secret" not in str(error.value)


def test_places_lead_from_each_result_to_where_it_stood():
    places = {}
    calls = [chat_call("c1"), chat_call("c2")]
    chat_to_responses_reply(completion({"reasoning": "R", "content": "A", "tool_calls": calls}), places)

    for path, source in {
        "output[0].summary[0]": "choices[0].message.reasoning.summary[0]",
        "output[0].summary[0].text": "choices[0].message.reasoning",
        "output[1].content[0].text": "choices[0].message.content",
        "output[3].arguments": "choices[0].message.tool_calls[1].function.arguments",
        "status": "choices[0].finish_reason",
        "created_at": "created",
    }.items():
        assert origin(path, places) == source


def test_places_lead_from_each_part_of_a_message_to_where_it_stood():
    places = {}
    content = [{"type": "thinking"}, {"type": "text", "text": "A"}]
    cited = [{"type": "odd"}, {"type": "url_citation", "url_citation": {"url": "u"}}]
    kept = [{"annotation": {"type": "file_citation"}}]
    message = {"content": content, "refusal": "no", "annotations": cited, "provider_annotations": kept}
    chat_to_responses_reply(completion(message), places)

    part = "output[0].content[0]"
    for path, source in {
        f"{part}.annotations[0]": "choices[0].message.annotations[1]",
        f"{part}.annotations[0].url": "choices[0].message.annotations[1].url_citation.url",
        f"{part}.annotations[1].type": "choices[0].message.provider_annotations[0].annotation.type",
        f"{part}.logprobs[0]": "choices[0].logprobs.content[0]",
        "output[0].content[1].refusal": "choices[0].message.refusal",
        "output[0].content[2].thinking": "choices[0].message.content[0].thinking",
    }.items():
        assert origin(path, places) == source


def test_what_the_other_bridge_attached_goes_back_to_its_place():
    cited = {"type": "file_citation", "file_id": "f", "filename": "n", "index": 1}
    odd = {"type": "odd_part", "x": 1}
    given = {
        "id": "resp_1",
        "created_at": 5,
        "model": "m",
        "status": "completed",
        "error": {"code": "c"},
        "new_field": [1],
        "output": [
            THOUGHT,
            HOSTED,
            spoken(text("A", annotations=[cited]), odd, phase="commentary"),
            spoken(text("B"), phase="final_answer"),
            call(0, "c1", caller={"type": "direct"}),
        ],
    }
    there, _ = responses_to_chat(given)
    response, losses = chat_to_responses_reply(there)

    assert level(responses_to_chat(response)[0]) == level(there)
    assert (response["id"], response["error"], response["new_field"]) == ("resp_1", {"code": "c"}, [1])
    assert response["output"][:2] == [THOUGHT, HOSTED]
    assert [loss.path for loss in losses] == ["choices[0].message.phases"]


TOKEN = {"token": "A", "logprob": -1, "bytes": [65], "top_logprobs": [{"token": "B", "logprob": -2, "bytes": None}]}
CITED = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
FULL = completion(
    {
        "content": "A",
        "refusal": "no",
        "reasoning_content": "R",
        "reasoning": "S",
        "annotations": [CITED, {"type": "odd"}],
        "tool_calls": [
            chat_call("c1", namespace="n", index=0),
            {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "i"}},
            {"id": "c3", "type": "mcp", "mcp": {"x": 1}},
        ],
        "function_call": {"name": "h", "arguments": "{}"},
        "phases": ["commentary", "final_answer"],
        "audio": {"id": "a", "data": "x"},
        "provider_items": [HOSTED],
        "provider_parts": [{"type": "odd"}],
        "provider_annotations": [{"output_index": 0, "content_index": 0, "annotation": {"type": "file_citation"}}],
        "reasoning_items": [THOUGHT],
    },
    choice={"logprobs": {"content": [TOKEN], "refusal": None}, "content_filter_results": {"hate": {"filtered": False}}},
    more=[{"index": 1, "finish_reason": "length", "message": {"role": "assistant", "content": "B"}}],
    usage={"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}, "cost": 1},
    moderation={"input": {"type": "moderation_results", "model": "m", "results": [{}]}},
    metadata={"a": "b"},
    response_fields={"x": 1},
)


def test_nothing_but_a_format_error_escapes_from_an_odd_reply():
    chance, made, refused = random.Random(1), 0, set()
    for _ in range(1500):
        given = mutant(FULL, chance)
        if chance.random() < 0.3:
            given = mutant(given, chance)
        try:
            chat_to_responses_reply(given)
            made += 1
        except FormatError as error:
            refused.add(error.path)

    assert made > 500
    assert "" not in refused


def chat_replies():
    for row in recordings():
        if (
            row["kind"] in ("openai-chat", "azure-chat", "litellm")
            and row["response"]["status"] == 200
            and not row["sse"]
        ):
            yield row["id"], json.loads(row["response"]["body"])


def test_every_recorded_reply_becomes_a_response_that_says_the_same():
    is_response, counts, lost = schema("Response"), Counter(), Counter()
    for name, given in chat_replies():
        response, losses = chat_to_responses_reply(given)
        back, _ = responses_to_chat(response)
        counts["replies"] += 1
        lost.update(loss.path for loss in losses)
        Response.model_validate(response)

        assert is_response(response) == [], name
        assert said(back) == said(given), name
        assert counted(back) >= counted(given), name
    print(lost)

    assert counts["replies"] > 250


def test_every_recorded_response_that_went_to_chat_comes_back_as_it_was():
    same = 0
    for row in recordings():
        if row["kind"] not in ("openai-responses", "azure-responses") or row["op"] not in ("create", "retrieve"):
            continue
        if row["response"]["status"] != 200:
            continue
        body = row["response"]["body"]
        reply = list(sse_events(body))[-1]["response"] if row["sse"] else json.loads(body)
        if reply["status"] not in ("completed", "incomplete"):
            continue
        there, _ = responses_to_chat(reply)
        again, _ = responses_to_chat(chat_to_responses_reply(there)[0])
        same += 1
        assert level(again) == level(there), row["id"]

    assert same > 250


def said(reply):
    choice = reply["choices"][0]
    message = choice["message"]
    calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or []
    ]
    if legacy := message.get("function_call"):
        # It has no id, and comes back as a tool call.
        calls = [(f"call_{reply['id']}_0", legacy["name"], legacy["arguments"])]
    # A forced call ends with "stop", which a Response tells no different from one that the model chose.
    cut = (choice.get("finish_details") or {}).get("type") == "max_tokens"
    reason = "tool_calls" if calls else choice.get("finish_reason") or ("length" if cut else "stop")
    texts = [message.get(name) or None for name in ("content", "refusal", "reasoning_content")]
    return texts, calls, reason, reply["model"], reply["created"]


def counted(reply):
    return {(name, json.dumps(value)) for name, value in flat(reply["usage"]).items() if value}


def flat(usage):
    inner = {
        f"{at}.{name}": value for at, part in usage.items() if isinstance(part, dict) for name, value in part.items()
    }
    return {name: value for name, value in usage.items() if not isinstance(value, dict)} | inner


def level(completion):
    """Without what an id or a zero tells: an empty text says nothing, and items of one kind are one item in Chat."""
    completion = copy.deepcopy(completion)
    message = completion["choices"][0]["message"]
    message["content"] = message["content"] or None
    for kept in message.get("provider_annotations", []):
        del kept["output_index"]
    completion.get("usage", {}).get("prompt_tokens_details", {}).pop("cache_write_tokens", None)
    return completion
