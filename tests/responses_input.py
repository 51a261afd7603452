"""Responses requests, their items, and what Chat has for them; each is bridged and checked for what always holds."""

import copy

from chatsheet_llm.formats.responses_chat_request import responses_to_chat_request

OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}
HOSTED = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}


def bridge(**body):
    given = {"model": "m", "input": "Hi", **body}
    before = copy.deepcopy(given)
    made, losses = responses_to_chat_request(given)

    assert given == before
    assert {loss.format for loss in losses} <= {"chat"}
    assert all(loss.reason for loss in losses)
    return made, losses


def messages(*items, **body):
    made, losses = bridge(input=list(items), **body)
    return made["messages"], [loss.path for loss in losses]


def call(call_id, name="f", arguments="{}", **fields):
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **fields}


def output(call_id, value="out", **fields):
    return {"type": "function_call_output", "call_id": call_id, "output": value, **fields}


def said(*parts, **fields):
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": list(parts),
    } | fields


def text(value, **fields):
    return {"type": "output_text", "text": value, "annotations": [], "logprobs": [], **fields}


def chat_call(call_id, name="f", arguments="{}"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id, value="out"):
    return {"role": "tool", "tool_call_id": call_id, "content": value}


def assistant(content=None, **fields):
    return {"role": "assistant", "content": content, **fields}
