"""Turns and blocks of Messages, bridged to Responses, and the losses of that, checked for what always holds."""

from chatsheet_llm.formats.messages_responses_request import messages_to_responses

USER = {"role": "user", "content": "Hi"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
MARK = {"type": "ephemeral"}
EXPLICIT = {"mode": "explicit"}
TOOL = {"name": "f", "input_schema": SCHEMA}


def bridge(**body):
    return messages_to_responses({"model": "m", "max_tokens": 100, "messages": [USER], **body})


def items(*messages, **body):
    result, losses = bridge(
        messages=[*messages, USER] if messages[-1]["role"] == "assistant" else list(messages), **body
    )
    return (result["input"][:-1] if messages[-1]["role"] == "assistant" else result["input"]), losses


def user(*blocks):
    return items({"role": "user", "content": list(blocks)})


def assistant(*blocks):
    return items({"role": "assistant", "content": list(blocks)})


def part(block):
    made, losses = user(block)
    return made[0]["content"][0], losses


def text(words, **more):
    return {"type": "text", "text": words, **more}


def said(words):
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": []}


def tool_use(call_id="c", **more):
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {}, **more}


def tool_result(call_id="c", **more):
    return {"type": "tool_result", "tool_use_id": call_id, **more}


def paths(losses, *, minor=False):
    assert {loss.format for loss in losses} <= {"responses"}
    assert all(loss.reason for loss in losses)
    assert [loss.path for loss in losses if loss.minor is not minor] == []
    return [loss.path for loss in losses]
