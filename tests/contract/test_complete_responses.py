"""Whatever Responses can say, by the types of its SDK, is carried by every bridge, refused or declared lost."""

from typing import get_args

import pytest
from anthropic.types import message_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import (
    Response,
    ResponseOutputItem,
    ResponseStreamEvent,
    response_create_params,
    response_input_param,
)
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_function_call_output_item_param import ResponseFunctionCallOutputItemParam
from openai.types.responses.response_includable import ResponseIncludable
from openai.types.responses.response_input_content_param import ResponseInputContentParam
from openai.types.responses.response_output_message import Content
from openai.types.responses.response_status import ResponseStatus
from openai.types.responses.tool_param import ToolParam
from sdk_sweep import check_rows, streamed, swept, swept_events
from sdk_types import examples, fields, hint, literals, members, names

from chatsheet_llm.formats import (
    BRIDGES,
    REPLIES,
    FormatError,
    messages_responses_reply,
    responses_chat_request,
    responses_chat_tables,
    responses_messages_input,
    responses_messages_parts,
    responses_messages_request,
    responses_messages_tables,
    tables,
)
from chatsheet_llm.formats.chat_responses_reply import INCOMPLETE_REASONS
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.responses_chat_tools import _TOOLS

HOPS = ("chat", "messages")
USER = {"role": "user", "content": "Hi"}
TOOLS = [
    {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}},
    {"type": "custom", "name": "g"},
]
REQUEST = response_create_params.ResponseCreateParamsStreaming


# --- requests --------------------------------------------------------------------------------------------------------


def requests():
    """Every parameter alone, beside words and tools to choose from, and all of them at once."""
    *alone, everything = examples(REQUEST)
    for body in [*alone, {**everything, "tools": TOOLS}]:
        given = body.get("input", [])
        yield {"tools": TOOLS, **body, "input": [*given, USER] if isinstance(given, list) else given}


UNSAID = {
    "what every hop does anyway": """
        background=False image.context_compression=auto reasoning.context=auto reasoning.mode=standard store=False
        tools[].allowed_callers[]=direct tools[].async=False tools[].defer_loading=False tools[].strict=False
        text.format.strict=False truncation=disabled input[].caller.type=direct
        """,
    "names of items, and how far they got": """
        input[].id input[].status=completed input[].status=in_progress input[].status=incomplete
        """,
    "what an item is without it": "input[].type=message",
}
UNSAID_TO = {
    "chat": {
        "what Chat does anyway": "prompt_cache_options.prewarm=False",
        "whose a message is without it": "input[].role=user",
    },
    "messages": {
        "what Messages does anyway": """
            include[]=reasoning.encrypted_content input[].async=False parallel_tool_calls=True
            stream_options.include_obfuscation=False text.format.strict=True text.format.type=text
            text.verbosity=medium tools[].parameters.type=object
            """,
        "any breakpoint is explicit": """
            input[].content[].prompt_cache_breakpoint.mode=explicit
            input[].output[].prompt_cache_breakpoint.mode=explicit
            """,
        "the call has the name of its result": "input[].name",
        "summary says the same": "reasoning.generate_summary=detailed",
    },
}
MERGED = {
    "chat": "input[].status=completed|in_progress|incomplete",
    "messages": """
        input[].status=completed|in_progress|incomplete input[].role=developer|system text.format.strict=False|True
        """,
}
NO_SOURCE = ("needs one of file_data, file_id, file_url", "needs one of image_url, file_id")
REFUSED = {
    "chat": [],
    "messages": [f"input[].{name}[]: {reason}" for name in ("content", "output") for reason in NO_SOURCE],
}


@pytest.mark.parametrize("hop", HOPS)
def test_whatever_a_request_says_is_sent_or_declared(hop):
    # A result is that of its call, whose type it needs not repeat; newer types differ in what they require.
    older = "input[].type=custom_tool_call_output|function_call_output"

    swept(BRIDGES["responses", hop], requests()).check(UNSAID | UNSAID_TO[hop], MERGED[hop], REFUSED[hop], older)


ROWS = {"chat": responses_chat_tables.RESPONSES_PARAMETERS, "messages": responses_messages_tables.RESPONSES_PARAMETERS}
CONVERTERS = {"chat": responses_chat_request._CONVERTERS, "messages": responses_messages_request._CONVERTERS}
TARGETS = {
    "chat": fields(completion_create_params.CompletionCreateParamsStreaming),
    "messages": fields(message_create_params.MessageCreateParamsStreaming),
}


@pytest.mark.parametrize("hop", HOPS)
def test_every_parameter_has_a_row_and_only_stop_is_our_own(hop):
    check_rows(ROWS[hop], fields(response_create_params.ResponseCreateParams), {"stop"})


@pytest.mark.parametrize("hop", HOPS)
def test_every_row_points_at_a_parameter_that_the_hop_has_or_says_why_not(hop):
    targets = {rule.target.split(".")[0] for rule in ROWS[hop].values() if rule.target}

    assert targets <= TARGETS[hop]
    assert all(rule.target or rule.reason for rule in ROWS[hop].values() if rule.how != "convert")


@pytest.mark.parametrize("hop", HOPS)
def test_every_row_that_converts_has_its_function(hop):
    assert {name for name, rule in ROWS[hop].items() if rule.how == "convert"} == set(CONVERTERS[hop])


def test_every_option_has_a_row_and_no_row_is_made_up():
    rows = responses_chat_tables.OPTIONS
    converting = {(at, name) for at in rows for name, rule in rows[at].items() if rule.how == "convert"}

    assert converting == set(responses_chat_request._FIELD_CONVERTERS)
    check_rows(responses_chat_tables.INCLUDES, literals(ResponseIncludable))
    for name, options in rows.items():
        if name in fields(REQUEST):
            check_rows(options, fields(hint(REQUEST, name)))


def test_every_item_part_and_tool_has_a_row_and_no_row_is_made_up():
    asked, shown = names(response_input_param.ResponseInputItemParam), names(ResponseOutputItem)
    items = {*responses_messages_input._Conversation._ITEMS, *responses_messages_tables.LOST_ITEMS}

    assert "message" in shown
    check_rows(responses_chat_tables.ITEMS, asked | shown)
    check_rows(items, asked | shown)
    check_rows(responses_messages_parts._PARTS, names(*PARTS))
    check_rows({*responses_messages_tables.TOOLS, "function"}, names(ToolParam))
    assert set(_TOOLS) <= names(ToolParam)


PARTS = (ResponseInputContentParam, ResponseFunctionCallOutputItemParam, Content)


def test_messages_has_no_sampling_parameters():
    assert TARGETS["messages"] & {"temperature", "top_p", "top_k"} == set()


def test_every_effort_has_a_place_or_is_listed():
    efforts = literals(hint(members(hint(REQUEST, "reasoning"))[0], "effort"))
    told = {effort: BRIDGES["responses", "messages"]({"reasoning": {"effort": effort}})[1] for effort in efforts}

    assert {effort for effort in efforts if told[effort]} == {"minimal"}


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


NAMED = {
    "names of items, and how far they got": """
        output[].id output[].role=assistant
        output[].status=completed output[].status=in_progress output[].status=incomplete
        """,
}
NAMED_TO = {
    "chat": {"what an incomplete answer is without it": "incomplete_details.reason=max_output_tokens"},
    "messages": {"what a stop reason tells": "status=completed status=incomplete"},
}
ALIKE = "output[].status=completed|in_progress|incomplete"


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_reply_says_is_given_or_declared(caller):
    swept(REPLIES["responses", caller], replies()).check(NAMED | NAMED_TO[caller], ALIKE)


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_streamed_reply_says_is_given_or_declared(caller):
    # The last event tells the status as well, and where a stream was cut it is the event that does.
    unsaid = NAMED | NAMED_TO[caller] | {"its event tells it": "status=completed"}
    unsaid = {reason: paths.replace(" status=incomplete", "") for reason, paths in unsaid.items()}

    swept(streamed("responses", caller, events), replies()).check(unsaid, ALIKE)


def test_every_field_of_a_response_is_mapped_repeated_or_attached():
    attached = {"error", "input_transformations", "prompt_cache_diagnostics", "tool_usage"}
    metered = {"metadata", "moderation"}

    assert tables.MAPPED_FIELDS.isdisjoint(tables.REQUEST_ECHO)
    assert fields(Response) - tables.MAPPED_FIELDS - tables.REQUEST_ECHO <= attached
    assert fields(Response) - messages_responses_reply._READ - tables.REQUEST_ECHO <= attached | metered
    assert fields(Response) <= responses_chat_tables.RESPONSE_FIELDS


def test_every_content_part_of_an_answer_is_known():
    assert names(Content) == {"output_text", "refusal"}


@pytest.mark.parametrize("caller", HOPS)
@pytest.mark.parametrize("status", sorted(literals(ResponseStatus)))
def test_every_status_is_that_of_a_whole_answer_or_refused(caller, status):
    body = {"id": "r", "model": "m", "status": status, "output": [], "incomplete_details": None}
    if status in ("completed", "incomplete"):
        REPLIES["responses", caller](body)
    else:
        with pytest.raises(FormatError, match=r"^status: "):
            REPLIES["responses", caller](body)


@pytest.mark.parametrize("caller", HOPS)
@pytest.mark.parametrize("reason", sorted(literals(hint(IncompleteDetails, "reason"))))
def test_every_reason_of_an_incomplete_answer_is_a_finish_or_stop_reason_or_listed(caller, reason):
    body = {"id": "r", "model": "m", "status": "incomplete", "output": [], "incomplete_details": {"reason": reason}}
    _, losses = REPLIES["responses", caller]({**body, "usage": USAGE})
    known = INCOMPLETE_REASONS if caller == "chat" else messages_responses_reply.INCOMPLETE_REASONS

    assert [loss.path for loss in losses] == ([] if reason in known else ["incomplete_details.reason"])


USAGE = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}


# --- events ----------------------------------------------------------------------------------------------------------

WHOLE = {"id": "r", "model": "m", "created_at": 1, "object": "response", "output": [], "status": "completed"}


def single_events(covered):
    """Every event alone that holds no whole reply, either those whose words stand again in an item or the others."""
    for event in (
        event for kind in members(ResponseStreamEvent) if "response" not in fields(kind) for event in examples(kind)
    ):
        kind = event["type"]
        places = {"output_index", "content_index", "summary_index", "annotation_index", "item_id"} & {*event}
        event = {name: value for name, value in event.items() if name != "sequence_number"} | dict.fromkeys(places, 0)
        # Older SDKs repeat the name of the call, and leave open what an annotation is.
        event |= {"name": "f"} if "name" in event else {}
        event |= {"annotation": {"type": event["annotation"]}} if isinstance(event.get("annotation"), str) else {}
        repeated = tables.STREAM_EVENTS[kind] == "covered" or kind == "response.output_item.added"
        if repeated is covered:
            yield event


BEGUN = {
    "response.function_call_arguments": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
    "response.custom_tool_call_input": {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": ""},
}


def around(event):
    """A stream around one event, with the item that it belongs to and a last word that repeats nothing."""
    begun = BEGUN.get(event["type"].rpartition(".")[0])
    yield {"type": "response.created", "response": {**WHOLE, "status": "in_progress"}}
    if begun:
        yield {"type": "response.output_item.added", "output_index": 0, "item": begun}
    yield event
    yield {"type": "response.completed", "response": WHOLE}


LOGPROBS = ("logprob", "token", "top_logprobs[].logprob", "top_logprobs[].token")
AGAIN = {
    "chat": "response.output_text.done",
    "messages": "response.output_text.done response.output_text.delta",
}
FAULT = {
    "chat": "error: 'error' ends a failed stream and has no chunk in Chat",
    "messages": "error: 'error' ends a failed stream and has no event in Messages",
}


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_an_event_says_is_given_or_declared(caller):
    again = " ".join(f"{kind}:logprobs[].{name}" for kind in AGAIN[caller].split() for name in LOGPROBS)
    unsaid = {"names of items": "response.output_item.done:item.id", "the whole item has them": again}

    swept_events("responses", caller, single_events(covered=False), around).check(unsaid, refused=[FAULT[caller]])


@pytest.mark.parametrize("caller", HOPS)
def test_an_event_whose_words_stand_again_in_an_item_disturbs_no_stream(caller):
    found = swept_events("responses", caller, single_events(covered=True), around)

    assert found.carried > 300
    assert found.refused == set()


def test_every_event_has_a_row_and_every_row_is_understood():
    fed = set(ResponsesToChatStream._FEEDS)

    assert names(ResponseStreamEvent) - set(tables.STREAM_EVENTS) == set()
    assert set(tables.STREAM_EVENTS.values()) == fed | {"covered", "fault", "lost"}
    assert set(get_args(tables.EventKind)) == set(tables.STREAM_EVENTS.values())
