"""What a bridged reply attached is taken out again before another chat endpoint sees it, and is listed."""

from __future__ import annotations

import copy
import json

import pytest
from client_cases import settings_for
from replay import shared_directory

from chatsheet_llm import ChatClient, route_of
from chatsheet_llm.formats import chat_to_responses, without_attached
from chatsheet_llm.sandbox import Sandbox

ASSISTANT = {
    "role": "assistant",
    "content": "Hi",
    "annotations": [],
    "reasoning_content": "think",
    "reasoning_items": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "sealed"}],
    "tool_calls": [
        {"id": "call_1", "type": "function", "namespace": "n", "function": {"name": "f", "arguments": "{}"}}
    ],
}
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello", "phase": "mine"}, ASSISTANT]}


def test_what_the_bridge_attached_is_taken_out_and_listed_and_the_rest_stays():
    before = copy.deepcopy(BODY)
    body, losses = without_attached(BODY)

    assert before == BODY
    assert [loss.path for loss in losses] == ["messages[1].reasoning_items", "messages[1].tool_calls[0].namespace"]
    assert "sealed" not in json.dumps(body)
    assert body["messages"][0] == BODY["messages"][0]
    assert body["messages"][1].keys() == ASSISTANT.keys() - {"reasoning_items"}


@pytest.mark.parametrize("messages", [None, "x", [], [1, None], [{"role": "assistant", "tool_calls": "odd"}]])
def test_a_body_without_any_goes_out_as_the_very_same_object(messages):
    body = {"model": "m", "messages": messages}

    assert without_attached(body) == (body, [])
    assert without_attached(body)[0] is body


def test_a_bridged_reply_can_go_on_at_a_chat_endpoint():
    with Sandbox() as box, ChatClient(settings_for(box)) as client:
        user = {"role": "user", "content": "Hello"}
        first = client.with_chain("azure/responses").chat.completions.create(
            model="gpt-5", messages=[user], reasoning_effort="low"
        )
        second = client.with_chain("azure/chat").chat.completions.create(
            model="gpt-5", messages=[user, first.choices[0].message, user]
        )
        sent = box.requests[-1].json["messages"][1]

    assert "reasoning_items" in first.choices[0].message.model_extra
    assert "reasoning_items" not in sent
    assert "messages[1].reasoning_items" in {loss.path for loss in route_of(second).losses}


@pytest.mark.parametrize(
    "extra",
    [
        {"provider_specific_fields": {"refusal": None}},
        {"thinking_blocks": [{"type": "thinking", "thinking": "x", "signature": "s"}]},
        {"tool_calls": [{**ASSISTANT["tool_calls"][0], "provider_specific_fields": {"a": 1}}]},
    ],
    ids=["message", "thinking", "tool call"],
)
def test_what_a_gateway_adds_to_its_replies_is_no_wish_of_the_caller_s(extra):
    message = {"role": "assistant", "content": "Hi", **extra}
    _, losses = chat_to_responses({"model": "m", "messages": [{"role": "user", "content": "Hello"}, message]})

    assert losses
    assert all(loss.minor for loss in losses)


def test_every_recorded_reply_of_the_proxy_can_go_on_as_history():
    file = shared_directory() / "traffic" / "litellm_proxy.jsonl"
    if not file.is_file():
        pytest.skip(f"no recorded traffic at {file.name}")
    messages = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            body = json.loads(json.loads(line)["response"]["body"])
            messages += [choice["message"] for choice in body["choices"] if "message" in choice]
        except (KeyError, TypeError, ValueError):
            continue
    wishes = {}
    for message in messages:
        _, losses = chat_to_responses({"model": "m", "messages": [{"role": "user", "content": "a"}, message]})
        wishes.update({loss.path: loss.reason for loss in losses if not loss.minor})

    assert wishes == {}
    assert len(messages) > 30
