"""Whatever Messages can say, by the types of its SDK, is carried by every bridge, refused or declared lost."""

import json

import pytest
from anthropic.types import (
    ContentBlock,
    ContentBlockParam,
    Message,
    MessageParam,
    RawMessageStreamEvent,
    StopReason,
    TextCitation,
    ThinkingConfigParam,
    ToolChoiceParam,
    ToolParam,
    ToolUnionParam,
    Usage,
    beta,
    message_create_params,
    tool_result_block_param,
)
from anthropic.types.beta import message_create_params as beta_params
from anthropic.types.shared import ErrorType
from openai.types.responses import ResponseOutputItem, response_create_params
from sdk_sweep import check_rows, streamed, swept, swept_events
from sdk_types import examples, fields, literals, members, names

from chatsheet_llm.formats import BRIDGES, REPLIES, messages_responses_reply, messages_responses_request
from chatsheet_llm.formats import messages_responses_tables as tables
from chatsheet_llm.formats.error_bodies import ERROR_TYPES
from chatsheet_llm.formats.messages_responses_parts import PARTS
from chatsheet_llm.formats.responses_messages_tables import CITATIONS, MESSAGES_BLOCKS

HOPS = ("chat", "responses")
TOOLS = [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
TEXT = {"type": "text", "text": ""}

# --- requests --------------------------------------------------------------------------------------------------------

REQUESTS = (message_create_params.MessageCreateParamsStreaming, beta_params.MessageCreateParamsStreaming)


def requests():
    """Every parameter alone, beside tools to choose from, and all of them at once."""
    for kind in REQUESTS:
        *alone, everything = examples(kind)
        yield from ({"tools": TOOLS, **body} for body in alone)
        yield {**everything, "tools": TOOLS}


UNSAID = {
    "what every hop does anyway": """
        messages[].clear_at=never messages[].content[].citations.enabled=False messages[].content[].is_error=False
        messages[].content[].transformations.oversized_image=downsize speed=standard thinking.display=omitted
        tool_choice.disable_parallel_tool_use=False tools[].allowed_callers[]=direct tools[].defer_loading=False
        tools[].eager_input_streaming=True tools[].strict=False
        """,
    "whether to think is left to the model": "thinking.type=adaptive",
    "what a tool and a text are without it": "tools[].type=custom messages[].content[].source.media_type=text/plain",
}
UNSAID_TO = {
    "chat": {"whether to think is left to the model, and the budget is listed": "thinking.type=enabled"},
    "responses": {
        "the same within a tool's result": """
            messages[].content[].content[].citations.enabled=False
            messages[].content[].content[].transformations.oversized_image=downsize
            messages[].content[].content[].source.media_type=text/plain
            """
    },
}
# The role of a message of which nothing is left, which is listed.
MERGED = "messages[].role=system|user"
REFUSED = ["messages[].content: must be a list, not null"]


@pytest.mark.parametrize("hop", HOPS)
def test_whatever_a_request_says_is_sent_or_declared(hop):
    swept(BRIDGES["messages", hop], requests()).check(UNSAID | UNSAID_TO[hop], MERGED, REFUSED)


def both(name, union):
    """A union of the SDK with the one of its beta, where there is one."""
    return (union, getattr(beta, f"Beta{name}")) if hasattr(beta, f"Beta{name}") else (union,)


def test_every_parameter_has_a_row_and_no_row_is_made_up():
    # Those that the SDK does not have, or has no more, and that the API takes.
    check_rows(tables.MESSAGES_PARAMETERS, fields(*REQUESTS), {"output_format", "temperature", "top_k", "top_p"})


def test_every_row_points_at_a_parameter_that_responses_has():
    known = fields(response_create_params.ResponseCreateParamsStreaming)
    rows = tables.MESSAGES_PARAMETERS
    targets = {rule.target.split(".")[0] for rule in rows.values() if rule.target}

    assert targets <= known
    assert all(rule.target or rule.reason for name, rule in rows.items() if name != "cache_control")


def test_every_row_that_converts_has_its_function():
    converting = {name for name, rule in tables.MESSAGES_PARAMETERS.items() if rule.how == "convert"}

    assert converting == set(messages_responses_request._CONVERTERS)


BLOCKS = both("ContentBlockParam", ContentBlockParam)


def test_every_block_is_carried_or_lost_for_a_reason_that_is_known():
    carried = set(PARTS) | {"thinking", "redacted_thinking", "tool_use", "tool_result"}

    assert carried.isdisjoint(tables.LOST_BLOCKS)
    check_rows(carried | set(tables.LOST_BLOCKS), names(*BLOCKS, tool_result_block_param.Content))


@pytest.mark.parametrize("block", [block for block in members(ContentBlockParam) if not hasattr(block, "model_fields")])
def test_every_field_of_a_block_that_is_carried_was_looked_at(block):
    (kind,) = names(block)
    row = tables.FIELDS.get(kind)

    assert row is None or fields(block) - row.carried <= set(tables.REASONS)


def test_every_role_tool_choice_and_kind_of_thinking_is_known():
    assert names(MessageParam, by="role") <= {"assistant", "system", "user"}
    assert names(ToolChoiceParam) == {*tables.TOOL_CHOICES, "tool"}
    assert names(*both("ThinkingConfigParam", ThinkingConfigParam)) <= {*tables.THINKING, *tables.LOST_THINKING}


def test_every_tool_is_a_function_or_known_as_one_of_the_provider():
    kinds = names(*both("ToolUnionParam", ToolUnionParam)) - {"custom"}
    tools = [{"type": kind, "name": "f", "input_schema": {}} for kind in sorted(kinds)]
    _, losses = BRIDGES["messages", "responses"]({"messages": [], "tools": tools})

    assert len(losses) == len(kinds)
    assert {loss.reason for loss in losses} == {"it is a tool of the Messages API's provider"}
    assert fields(ToolParam) - tables.FIELDS["custom"].carried <= set(tables.REASONS)


# --- replies ---------------------------------------------------------------------------------------------------------


def replies():
    return [body for kind in (Message, beta.BetaMessage) for body in examples(kind)]


_SPOKEN = {"text": ("text",), "thinking": ("thinking", "signature")}


def events(body):
    """The stream that amounts to a whole reply."""
    late = ("stop_reason", "stop_sequence", "stop_details", "container")
    yield {"type": "message_start", "message": {**body, "content": [], **dict.fromkeys(late)}}
    for index, whole in enumerate(body.get("content", [])):
        block = dict(whole)
        deltas = []
        for name in _SPOKEN.get(whole.get("type"), ()):
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


NAMED = {
    "what a reply is in its format": "type=message role=assistant stop_reason=end_turn content[].caller.type=direct",
    "part of a sum": "usage.input_tokens",
}


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_reply_says_is_given_or_declared(caller):
    swept(REPLIES["messages", caller], replies()).check(NAMED)


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_streamed_reply_says_is_given_or_declared(caller):
    swept(streamed("messages", caller, events), replies()).check(NAMED)


@pytest.mark.parametrize("caller", HOPS)
@pytest.mark.parametrize("counts", [{}, {"cache_creation_input_tokens": 20, "cache_read_input_tokens": 300}])
def test_the_input_of_a_reply_is_counted_with_what_a_cache_held(caller, counts):
    usage = {"input_tokens": 1, "output_tokens": 5, **counts}
    body = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    made, _ = REPLIES["messages", caller]({**body, "stop_reason": "end_turn"})

    assert made["usage"]["prompt_tokens" if caller == "chat" else "input_tokens"] == 1 + sum(counts.values())


def test_every_block_and_citation_of_a_reply_is_known():
    forms = {"text", "thinking", "redacted_thinking", "tool_use"}

    assert names(*both("ContentBlock", ContentBlock)) - forms <= MESSAGES_BLOCKS
    assert names(TextCitation) == CITATIONS == messages_responses_reply.CITATIONS
    # A block is known by a name that no item of Responses has, or by the id that the opposite bridge gives it.
    assert not (names(ContentBlock) | messages_responses_reply.OWN_BLOCKS) & names(ResponseOutputItem)


def test_every_field_of_a_message_and_its_usage_has_a_way_back():
    counted = {"input_tokens", "output_tokens", "output_tokens_details"}
    cached = {"cache_creation_input_tokens", "cache_read_input_tokens"}
    held = {"id", "type", "role", "model", "content", "stop_reason", "usage"}

    assert fields(Usage) - counted - cached <= messages_responses_reply._USAGE_FIELDS
    assert fields(Message) - held <= messages_responses_reply._MESSAGE_FIELDS


@pytest.mark.parametrize("stop_reason", sorted(literals(StopReason) | literals(beta.BetaStopReason)))
@pytest.mark.parametrize(
    "block", [{"type": "text", "text": "."}, {"type": "tool_use", "id": "t", "name": "n", "input": {}}]
)
def test_every_stop_reason_survives_both_ways(stop_reason, block):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [block]}
    message |= {"stop_reason": stop_reason, "stop_sequence": "END" if stop_reason == "stop_sequence" else None}
    middle, _ = REPLIES["messages", "responses"](message | {"usage": {"input_tokens": 1, "output_tokens": 1}})

    assert REPLIES["responses", "messages"](middle)[0]["stop_reason"] == stop_reason


def test_every_type_of_an_error_is_known():
    # One that the SDK does not name and the API answers with.
    check_rows(ERROR_TYPES, literals(ErrorType), {"request_too_large"})


# --- events ----------------------------------------------------------------------------------------------------------

EMPTY = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
EMPTY |= {"usage": {"input_tokens": 1, "output_tokens": 1}}
THOUGHT = {"type": "thinking", "thinking": "", "signature": ""}
BEGUN = {
    "citations_delta": TEXT,
    "compaction_delta": {"type": "compaction", "content": ""},
    "input_json_delta": {"type": "tool_use", "id": "t", "name": "n", "input": {}},
    "signature_delta": THOUGHT,
    "text_delta": TEXT,
    "thinking_delta": THOUGHT,
}
"""Type of a delta -> the block that it belongs to."""


def around(event):
    """The least stream around one event."""
    if event["type"] != "message_start":
        yield {"type": "message_start", "message": EMPTY}
    if event["type"] == "content_block_delta":
        yield {"type": "content_block_start", "index": 0, "content_block": BEGUN[event["delta"]["type"]]}
    yield event
    if event["type"] != "message_delta":
        yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    yield {"type": "message_stop"}


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_an_event_says_is_given_or_declared(caller):
    unions = (RawMessageStreamEvent, beta.BetaRawMessageStreamEvent)
    given = [{**event, **dict.fromkeys({"index"} & {*event}, 0)} for union in unions for event in examples(union)]
    counted = "message_delta:usage.input_tokens message_start:message.usage.input_tokens"
    unsaid = {"part of a sum": counted, "counted anew at the end": "message_start:message.usage.output_tokens"}

    swept_events("messages", caller, given, around).check(unsaid)
