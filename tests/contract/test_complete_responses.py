"""Whatever Responses can say, by the types of its SDK, is carried by every bridge, refused or declared lost."""

from typing import get_args

import pytest
from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent, response_create_params
from sdk_sweep import check_rows, generic, marks, streamed, swept
from sdk_types import examples, fields, hint, literals, names
from vanishing import leaves

from chatsheet_llm.formats import BRIDGES, REPLIES, FormatError, tables

HOPS = ("chat", "messages")
TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}, {"type": "custom", "name": "g"}]
REQUEST = response_create_params.ResponseCreateParamsStreaming


# --- requests --------------------------------------------------------------------------------------------------------


def requests():
    """Every parameter alone, beside tools to choose from, and all of them at once."""
    *alone, everything = examples(REQUEST)
    return [{"tools": TOOLS, **body} for body in alone] + [{**everything, "tools": TOOLS}]


@pytest.mark.parametrize("hop", HOPS)
def test_whatever_a_request_says_is_sent_or_declared(hop):
    swept(BRIDGES["responses", hop], requests()).check({})


# --- replies ---------------------------------------------------------------------------------------------------------


def replies():
    """Every field alone and all at once, without what only repeats the request."""
    seen = []
    for body in examples(Response):
        body = {name: value for name, value in body.items() if name not in tables.REQUEST_ECHO}
        body["status"] = "incomplete" if "incomplete_details" in body else "completed"
        seen += [body] if body not in seen[-1:] else []
    return seen


def events(body):
    """The stream that amounts to a whole reply."""
    yield {"type": "response.created", "response": {**body, "output": [], "status": "in_progress"}}
    for index, item in enumerate(body.get("output", [])):
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{body.get('status', 'completed')}", "response": body}


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_reply_says_is_given_or_declared(caller):
    swept(REPLIES["responses", caller], replies()).check({})


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_streamed_reply_says_is_given_or_declared(caller):
    swept(streamed("responses", caller, events), replies()).check({})
