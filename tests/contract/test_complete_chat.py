"""Whatever Chat Completions can say, by the types of its SDK, is carried by every bridge, refused or declared lost."""

import pytest
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionContentPartParam,
    ChatCompletionMessage,
    ChatCompletionMessageParam,
    ChatCompletionMessageToolCallUnion,
    ChatCompletionToolUnionParam,
    completion_create_params,
)
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_assistant_message_param import ChatCompletionAssistantMessageParam
from openai.types.completion_usage import CompletionUsage
from openai.types.responses import response_create_params
from sdk_sweep import check_rows, streamed, swept, swept_events
from sdk_types import examples, fields, names

from chatsheet_llm.formats import BRIDGES, REPLIES, chat_responses_request, responses_chat_reply, tables
from chatsheet_llm.formats.chat_responses_parts import PARTS

HOPS = ("responses", "messages")
USER = {"role": "user", "content": "Hi"}
TOOLS = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}},
    {"type": "custom", "custom": {"name": "g"}},
]

# --- requests --------------------------------------------------------------------------------------------------------

REQUEST = completion_create_params.CompletionCreateParamsStreaming


def requests():
    """Every parameter alone, beside words and tools to choose from, and all that do not exclude each other at once."""
    *alone, everything = examples(REQUEST)
    both = {name: value for name, value in everything.items() if name not in ("functions", "function_call")}
    for body in [*alone, {**both, "tools": TOOLS}]:
        yield {"tools": TOOLS, **body, "messages": [*body["messages"], USER]}


UNSAID = {
    "what every hop does anyway": """
        logprobs=False modalities[]=text store=False response_format.json_schema.strict=False
        tools[].function.strict=False messages[].content[].image_url.detail=auto
        """,
    "what a call is without it": "messages[].tool_calls[].type=function",
    "the stream bridge shows or hides it": "stream_options.include_usage=False stream_options.include_usage=True",
}
UNSAID_TO = {
    "responses": {},
    "messages": {
        "what Messages does anyway": """
            parallel_tool_calls=True response_format.type=text stream_options.include_obfuscation=False verbosity=medium
            tools[].function.parameters.type=object
            """,
        "any breakpoint is explicit": "messages[].content[].prompt_cache_breakpoint.mode=explicit",
        "listed by what stands under it": "tools[].type=custom",
    },
}
MERGED = {
    "responses": "stream_options.include_usage=False|True",
    "messages": "stream_options.include_usage=False|True messages[].role=developer|system",
}
NO_TOOL = "tool_choice.allowed_tools.tools[].type: null is not one of function, custom"
REFUSED = {
    "responses": [NO_TOOL],
    "messages": [
        NO_TOOL,
        "messages[].content[]: needs one of file_data, file_id, file_url",
    ],
}


@pytest.mark.parametrize("hop", HOPS)
def test_whatever_a_request_says_is_sent_or_declared(hop):
    swept(BRIDGES["chat", hop], requests()).check(UNSAID | UNSAID_TO[hop], MERGED[hop], REFUSED[hop])


def test_what_a_bridge_forgets_or_does_not_know_is_found_out():
    def forgetful(body):
        made, losses = BRIDGES["chat", "responses"](body)
        kept = {name: value for name, value in made.items() if name not in ("parallel_tool_calls", "temperature")}
        return kept, [loss for loss in losses if loss.path != "seed"]

    found = swept(forgetful, [*requests(), {"messages": [], "new": "mark1000"}])

    assert {"parallel_tool_calls=False", "parallel_tool_calls=True", "seed", "temperature"} <= found.silent
    assert "parallel_tool_calls=False|True" in found.merged
    assert found.unknown == {"new: 'new' is not a Chat Completions parameter, its meaning is unknown"}


def test_every_parameter_has_a_row_and_no_row_is_made_up():
    check_rows(tables.CHAT_PARAMETERS, fields(completion_create_params.CompletionCreateParams))


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


def test_every_role_content_part_tool_and_call_has_a_row_and_no_row_is_made_up():
    check_rows(tables.MESSAGE_FIELDS, names(ChatCompletionMessageParam, by="role"))
    check_rows({*PARTS, "input_audio"}, names(ChatCompletionContentPartParam))
    check_rows(chat_responses_request._TOOLS, names(ChatCompletionToolUnionParam))
    check_rows(tables.CALLS, names(ChatCompletionMessageToolCallUnion))


def test_the_fields_of_a_message_are_those_of_the_sdk_and_our_own():
    ours = {"phase", "reasoning_items"}

    assert tables.MESSAGE_FIELDS["assistant"] - ours <= fields(ChatCompletionAssistantMessageParam)


# --- replies ---------------------------------------------------------------------------------------------------------


def replies():
    """Every field alone and all at once, choices counted from zero, with the call that a finish reason speaks of."""
    call = {"name": "f", "arguments": "{}"}
    spoken = {
        "function_call": {"function_call": call},
        "tool_calls": {"tool_calls": [{"id": "c", "type": "function", "function": call}]},
    }
    for body in examples(ChatCompletion):
        for index, choice in enumerate(body["choices"]):
            choice["index"] = index
            choice["message"] = {**spoken.get(choice["finish_reason"], {}), **choice["message"]}
        yield body


def chunks(body):
    """The stream that amounts to a whole reply."""
    head = {name: value for name, value in body.items() if name not in ("choices", "usage", "object")}
    for choice in body["choices"]:
        delta = dict(choice["message"])
        if "tool_calls" in delta:
            delta["tool_calls"] = [{**call, "index": index} for index, call in enumerate(delta["tool_calls"])]
        rest = {name: value for name, value in choice.items() if name not in ("message", "finish_reason")}
        yield {**head, "choices": [{**rest, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{**rest, "delta": {}, "finish_reason": choice.get("finish_reason")}]}
    if "usage" in body:
        yield {**head, "choices": [], "usage": body["usage"]}


NAMED = {
    "what a reply is in its format": "object=chat.completion choices[].message.role=assistant choices[].index=0",
    "what the message itself tells": """
        choices[].finish_reason=stop choices[].finish_reason=tool_calls choices[].finish_reason=function_call
        choices[].message.tool_calls[].type=function
        """,
}
NAMED_TO = {
    "responses": {
        "the call itself tells": "choices[].message.tool_calls[].type=custom",
        "the one kind of annotation": "choices[].message.annotations[].type=url_citation",
        # A list of one verdict becomes that verdict, which has the same model and a type of its own.
        "each verdict repeats it": """
            moderation.input.model moderation.input.type=moderation_results
            moderation.output.model moderation.output.type=moderation_results
            """,
    },
    "messages": {},
}


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_reply_says_is_given_or_declared(caller):
    swept(REPLIES["chat", caller], replies()).check(NAMED | NAMED_TO[caller])


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_streamed_reply_says_is_given_or_declared(caller):
    # Beside a text there is but one kind.
    known = {"the one kind of annotation": "choices[].message.annotations[].type=url_citation"}
    swept(streamed("chat", caller, chunks), replies()).check(NAMED | NAMED_TO[caller] | known)


def test_every_field_of_a_completion_is_known_or_attached():
    reply, message = responses_chat_reply._REPLY, responses_chat_reply._MESSAGE

    assert fields(ChatCompletion) - set(reply) == {"system_fingerprint"}
    assert fields(ChatCompletionMessage) - set(message) == {"audio"}
    assert fields(Choice) == {"index", "message", "finish_reason", "logprobs"}
    assert fields(CompletionUsage) == set(responses_chat_reply._USAGE.values())


# --- chunks ----------------------------------------------------------------------------------------------------------


def single_chunks():
    """Every field of a chunk alone and all at once, choices and calls counted from zero."""
    for chunk in examples(ChatCompletionChunk):
        for choice in chunk["choices"]:
            choice["index"] = 0
            for call in choice["delta"].get("tool_calls", []):
                call["index"] = 0
        yield chunk


def around(chunk):
    """A stream around one chunk, with the beginning of a call where the chunk only goes on with it."""
    for choice in chunk["choices"]:
        for call in choice["delta"].get("tool_calls", []):
            if "name" not in call.get("function", {}):
                begun = {"index": 0, "id": call.get("id", "c"), "function": {"name": "f", "arguments": ""}}
                yield {**chunk, "choices": [{"index": 0, "delta": {"tool_calls": [begun]}}]}
        if "name" not in choice["delta"].get("function_call", {"name": ""}):
            yield {**chunk, "choices": [{"index": 0, "delta": {"function_call": {"name": "f", "arguments": ""}}}]}
    yield chunk
    yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@pytest.mark.parametrize("caller", HOPS)
def test_whatever_a_chunk_says_is_given_or_declared(caller):
    repeated = "chat.completion.chunk:moderation.input.model chat.completion.chunk:moderation.output.model"
    unsaid = {"noise by design": "chat.completion.chunk:obfuscation"}
    unsaid |= {"each verdict repeats it": repeated} if caller == "responses" else {}

    swept_events("chat", caller, single_chunks(), around).check(unsaid)
