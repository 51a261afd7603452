"""The bridge's tables against the SDK's own types: whatever a new SDK adds fails here first, not with a user."""

from typing import get_args

import pytest
from openai.types.chat import completion_create_params
from openai.types.chat.chat_completion_assistant_message_param import ChatCompletionAssistantMessageParam
from openai.types.chat.chat_completion_content_part_param import ChatCompletionContentPartParam
from openai.types.chat.chat_completion_message_param import ChatCompletionMessageParam
from openai.types.chat.chat_completion_message_tool_call import ChatCompletionMessageToolCallUnion
from openai.types.chat.chat_completion_tool_union_param import ChatCompletionToolUnionParam
from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent, response_create_params
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_output_message import Content
from typing_extensions import get_type_hints

from chatsheet_llm.formats import chat_responses_request, tables
from chatsheet_llm.formats.chat_responses_input import messages_to_input
from chatsheet_llm.formats.chat_responses_reply import INCOMPLETE_REASONS, responses_to_chat
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.ledger import Ledger


def fields(typed_dict):
    return set(get_type_hints(typed_dict))


def hint(member, name):
    return member.model_fields[name].annotation if hasattr(member, "model_fields") else get_type_hints(member)[name]


def types(union):
    """The literal ``type`` of every member of one of the SDK's unions."""
    members = get_args(union)
    while get_args(members[0]):
        members = get_args(members[0])
    return {name for member in members for name in get_args(hint(member, "type"))}


def test_every_chat_parameter_of_the_sdk_has_a_row_and_no_row_is_made_up():
    streaming = fields(completion_create_params.CompletionCreateParamsStreaming)

    assert set(tables.CHAT_PARAMETERS) == streaming | fields(completion_create_params.CompletionCreateParamsBase)


def test_every_row_points_at_a_parameter_that_responses_has():
    known = fields(response_create_params.ResponseCreateParamsStreaming)
    targets = {rule.target.split(".")[0] for rule in tables.CHAT_PARAMETERS.values() if rule.how != "loss"}

    assert targets <= known
    assert all(rule.target or rule.reason for rule in tables.CHAT_PARAMETERS.values())


def test_every_row_that_converts_has_its_function():
    converting = {name for name, rule in tables.CHAT_PARAMETERS.items() if rule.how == "convert"}

    assert converting == set(chat_responses_request._CONVERTERS)


def test_every_parameter_that_both_apis_name_alike_is_carried():
    alike = set(tables.CHAT_PARAMETERS) & fields(response_create_params.ResponseCreateParamsStreaming)

    assert [name for name in alike if tables.CHAT_PARAMETERS[name].how == "loss"] == []


@pytest.mark.parametrize("message", get_args(ChatCompletionMessageParam), ids=lambda message: message.__name__)
def test_every_field_of_a_message_is_carried_or_listed(message):
    (role,) = get_args(get_type_hints(message)["role"])
    others = fields(message) - tables.MESSAGE_FIELDS[role]
    body = {"role": role, "content": "x", "name": "f", "tool_call_id": "c"} | {name: {"set": True} for name in others}
    ledger = Ledger("responses")
    messages_to_input([body], stored=False, ledger=ledger)

    assert {f"messages[0].{name}" for name in others} <= {loss.path for loss in ledger.losses}


def test_the_fields_of_a_message_are_those_of_the_sdk_and_our_own():
    ours = {"phase", "reasoning_items"}

    assert tables.MESSAGE_FIELDS["assistant"] - ours <= fields(ChatCompletionAssistantMessageParam)
    assert set(tables.MESSAGE_FIELDS) == {
        get_args(get_type_hints(m)["role"])[0] for m in get_args(ChatCompletionMessageParam)
    }


def test_every_content_part_tool_and_call_of_chat_is_known():
    from chatsheet_llm.formats.chat_responses_input import _Conversation

    assert types(ChatCompletionContentPartParam) == set(_Conversation._PARTS) | {"input_audio"}
    assert types(ChatCompletionToolUnionParam) == set(chat_responses_request._TOOLS)
    assert types(ChatCompletionMessageToolCallUnion) == set(tables.CALLS)


def test_every_stream_event_of_the_sdk_has_a_row():
    assert types(ResponseStreamEvent) - set(tables.STREAM_EVENTS) == set()


def test_every_kind_of_event_is_understood():
    fed = set(ResponsesToChatStream._FEEDS)

    assert set(tables.STREAM_EVENTS.values()) == fed | {"covered", "fault", "lost"}
    assert set(get_args(tables.EventKind)) == set(tables.STREAM_EVENTS.values())


@pytest.mark.parametrize(
    "kind", sorted(types(ResponseOutputItem) - {"message", "function_call", "custom_tool_call", "reasoning"})
)
def test_every_other_output_item_is_attached_whole_and_listed(kind):
    item = {"type": kind, "id": "x", "call_id": "c"}
    completion, losses = responses_to_chat({"status": "completed", "output": [item]})

    assert completion["choices"][0]["message"]["provider_items"] == [item]
    assert [loss.path for loss in losses] == ["output[0]"]


def test_every_content_part_of_a_response_is_known():
    assert types(Content) == {"output_text", "refusal"}


def test_every_field_of_a_response_is_mapped_repeated_or_attached():
    attached = {"error", "input_transformations", "prompt_cache_diagnostics", "tool_usage"}

    assert set(Response.model_fields) - tables.MAPPED_FIELDS - tables.REQUEST_ECHO == attached
    assert tables.MAPPED_FIELDS.isdisjoint(tables.REQUEST_ECHO)


def test_every_reason_of_an_incomplete_response_was_looked_at():
    reasons = set(get_args(get_args(hint(IncompleteDetails, "reason"))[0]))

    assert reasons == set(INCOMPLETE_REASONS) | {"max_messages", "steered"}
