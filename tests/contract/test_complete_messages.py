"""Whatever Messages can say, by the types of its SDK, is carried by every bridge, refused or declared lost."""

import json

import pytest
from anthropic.types import Message, RawMessageStreamEvent, message_create_params
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from anthropic.types.beta import message_create_params as beta_params
from sdk_sweep import check_rows, generic, marks, streamed, swept
from sdk_types import examples, fields, hint, literals, names
from vanishing import leaves

from chatsheet_llm.formats import BRIDGES, REPLIES, FormatError, tables

HOPS = ("chat", "responses")
TOOLS = [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
REQUESTS = (message_create_params.MessageCreateParamsStreaming, beta_params.MessageCreateParamsStreaming)
REPLY = (Message, BetaMessage)


def requests(kind):
    """Every parameter alone, beside tools to choose from, and all of them at once."""
    *alone, everything = examples(kind)
    return [{"tools": TOOLS, **body} for body in alone] + [{**everything, "tools": TOOLS}]


@pytest.mark.parametrize("hop", HOPS)
def test_whatever_a_request_says_is_sent_or_declared(hop):
    swept(BRIDGES["messages", hop], [body for kind in REQUESTS for body in requests(kind)]).check({})


# --- replies ---------------------------------------------------------------------------------------------------------

_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "signature": ("signature_delta", "signature"),
}


def replies():
    return [body for kind in REPLY for body in examples(kind)]


def events(body):
    """The stream that amounts to a whole reply."""
    late = ("stop_reason", "stop_sequence", "stop_details", "container")
    yield {"type": "message_start", "message": {**body, "content": [], **dict.fromkeys(late)}}
    for index, whole in enumerate(body.get("content", [])):
        block = dict(whole)
        deltas = []
        for name in ("text", "thinking", "signature") if whole.get("type") in ("text", "thinking") else ():
            if name in block:
                deltas.append({"type": f"{name}_delta", name: block[name]})
                block[name] = ""
        if isinstance(block.get("input"), dict):
            deltas.append({"type": "input_json_delta", "partial_json": json.dumps(block["input"])})
            block["input"] = {}
        if block.get("citations"):
            deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
            block["citations"] = []
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {name: body[name] for name in late if name in body}
    yield {"type": "message_delta", "delta": delta, "usage": body.get("usage")}
    yield {"type": "message_stop"}


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_reply_says_is_given_or_declared(caller):
    swept(REPLIES["messages", caller], replies()).check({})


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_streamed_reply_says_is_given_or_declared(caller):
    swept(streamed("messages", caller, events), replies()).check({})
