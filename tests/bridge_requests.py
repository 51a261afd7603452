"""Send a Chat request over the bridge to Responses, and read off what became of it.  Decides nothing."""

from chatsheet_llm.formats.chat_responses_request import chat_to_responses

USER = {"role": "user", "content": "Hi"}


def bridge(**body):
    return chat_to_responses({"model": "m", "messages": [USER], **body})


def items(*messages, **body):
    result, losses = chat_to_responses({"model": "m", "messages": list(messages), **body})
    return result["input"], losses


def tool_call(call_id, name="f", arguments="{}"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def paths(losses):
    assert {loss.format for loss in losses} <= {"responses"}
    assert all(loss.reason for loss in losses)
    return [loss.path for loss in losses]
