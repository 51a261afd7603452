"""The private symbols that answers are made of, told by and typed with still are what we take them for."""

from __future__ import annotations

import gc
import json
import pickle
import weakref
from typing import Any, cast, get_args

import httpx2
import openai
import pydantic
import pytest
from openai.types import CompletionUsage, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from sdk_contracts import HELLO, ROUTE, Listener, asked, contract

from chatsheet_llm import ChatClient, sdk
from chatsheet_llm.sandbox import Sandbox

# --- an answer ------------------------------------------------------------------------------------------------------


def response_with(body: bytes, *, marker: str | None = None, kind: str = "application/json") -> httpx2.Response:
    return sdk.response_for(
        status=200,
        headers={"content-type": kind},
        body=body,
        url="http://127.0.0.1/",
        marker=marker,
        route=lambda: ROUTE,
        seconds=1.5,
    )


COMPLETION = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hi"}}]}'
)
CHUNK = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\ndata: [DONE]\n\n'


@contract("_process_response")
def test_the_sdk_builds_its_own_type_from_our_response(listener: Listener) -> None:
    told = asked(listener.chat.completions.create, **HELLO)
    made = sdk.finish(
        listener, told.cast_to, told.options, response_with(COMPLETION), stream=False, stream_cls=told.stream_cls
    )

    assert isinstance(made, ChatCompletion)
    assert made.choices[0].message.content == "Hi"


@contract("_process_response")
def test_the_sdk_streams_from_our_response(listener: Listener) -> None:
    told = asked(listener.chat.completions.create, **HELLO, stream=True)
    response = response_with(CHUNK, kind="text/event-stream")
    made = sdk.finish(listener, told.cast_to, told.options, response, stream=True, stream_cls=told.stream_cls)

    assert isinstance(made, openai.Stream)
    assert sdk.route_of(made) is ROUTE
    assert [chunk.id for chunk in made] == ["c"]


@contract("_iterator", "__stream__")
def test_a_stream_that_the_sdk_builds_is_freed_with_its_last_reader(listener: Listener) -> None:
    told = asked(listener.chat.completions.create, **HELLO, stream=True)
    response = response_with(CHUNK, kind="text/event-stream")
    made = sdk.finish(listener, told.cast_to, told.options, response, stream=True, stream_cls=told.stream_cls)
    next(iter(made))
    gc.disable()
    try:
        seen, name = weakref.ref(made), type(made).__name__
        del made

        assert seen() is None
    finally:
        gc.enable()
    assert name == "Stream"


@pytest.mark.parametrize("marker", ["true", "stream"])
@contract("_process_response", "openai._constants.RAW_RESPONSE_HEADER")
def test_the_sdk_gives_a_raw_response_where_ours_has_its_marker(listener: Listener, marker: str) -> None:
    told = asked(listener.chat.completions.create, **HELLO)
    response = response_with(COMPLETION, marker=marker)
    made = sdk.finish(listener, told.cast_to, told.options, response, stream=False, stream_cls=told.stream_cls)

    assert made.http_response is response
    assert made.elapsed.total_seconds() == 1.5
    assert sdk.route_of(made) is ROUTE
    assert made.parse().choices[0].message.content == "Hi"


@contract("openai._models.FinalRequestOptions")
def test_what_is_parsed_carries_the_route_and_keeps_the_sdk_s_own_parser(listener: Listener) -> None:
    class Answer(pydantic.BaseModel):
        hi: int

    told = asked(listener.chat.completions.parse, **HELLO, response_format=Answer)
    sdk.with_route(told.options, lambda: ROUTE)
    response = response_with(COMPLETION.replace(b'"Hi"', b'"{\\"hi\\":1}"'))
    made = sdk.finish(listener, told.cast_to, told.options, response, stream=False, stream_cls=told.stream_cls)

    assert made.choices[0].message.parsed == Answer(hi=1)
    assert sdk.route_of(made) is ROUTE


@contract("__pydantic_fields_set__")
def test_a_route_is_kept_by_copies_and_pickles_and_stays_out_of_the_json_and_of_comparisons() -> None:
    value = CreateEmbeddingResponse(
        data=[],
        model="m",
        object="list",
        usage={"prompt_tokens": 1, "total_tokens": 1},  # type: ignore[arg-type]
    )
    plain, bare, variables = value.to_dict(), value.model_copy(), {**vars(value)}
    sdk.attach(value, ROUTE)

    assert sdk.route_of(value) is ROUTE
    assert sdk.route_of(value.model_copy()) is ROUTE
    assert sdk.route_of(value.model_copy(deep=True)) == ROUTE
    assert sdk.route_of(pickle.loads(pickle.dumps(value))) == ROUTE
    assert value.to_dict() == plain
    assert value == bare == value
    assert (vars(value), repr(value)) == (variables, repr(bare))
    assert "route" not in repr(value.model_fields_set)
    with pytest.raises(TypeError, match="no route is known"):
        sdk.route_of(bare)


@contract("_response", "_raw_stream")
def test_the_sdk_s_stream_helpers_lead_to_the_route(box: Sandbox) -> None:
    with ChatClient(api_key=box.api_key, base_url=f"{box.openai_url}/v1", chain=["openai"]) as client:
        with client.chat.completions.stream(**HELLO) as chat:
            of_chat = sdk.route_of(chat)
        with client.responses.stream(model="gpt-5", input="Hello") as responses:
            of_responses = sdk.route_of(responses)

    assert (str(of_chat)[:15], str(of_responses)[:20]) == ("openai/chat 200", "openai/responses 200")
    assert hasattr(chat, "_raw_stream")
    assert hasattr(responses, "_response")


# --- typed objects --------------------------------------------------------------------------------------------------


def output_item(value: object) -> type[openai.BaseModel] | None:
    """The class that the SDK is said to take for an item of a response."""
    field = Response.model_fields["output"]
    union, *metadata = get_args(get_args(field.annotation)[0])
    return sdk.member(union, metadata, value)


@contract("openai._models.construct_type")
def test_what_the_sdk_constructs_is_what_its_client_gives(box: Sandbox, hop: openai.OpenAI) -> None:
    raw = hop.chat.completions.with_raw_response.create(**HELLO)

    made = sdk.constructed(json.loads(raw.content), ChatCompletion)
    assert isinstance(made, ChatCompletion)
    assert made == raw.parse()
    assert sdk.constructed({"choices": None}, ChatCompletion) == ChatCompletion.construct(choices=None)


@contract("openai._models._build_discriminated_union_meta")
def test_the_member_of_a_union_that_is_constructed_is_the_one_that_the_sdk_takes() -> None:
    told = [{"type": "message"}, {"type": "function_call"}, {"type": "reasoning", "id": 5}, {"type": "dance"}, {}]
    made = sdk.constructed({"output": told}, Response)

    assert isinstance(made, Response)
    assert [output_item(value) for value in told] == [type(item) for item in made.output]
    assert output_item("text") is None
    assert sdk.member(ChatCompletion.model_fields["usage"].annotation, (), {}) is CompletionUsage
    assert sdk.member(ChatCompletion, (), {}) is None


def test_a_class_with_a_way_of_its_own_to_be_constructed_is_told_from_the_others() -> None:
    class Own(ChatCompletion):
        @classmethod
        def construct(cls, _fields_set: set[str] | None = None, **values: object) -> Any:
            return super().construct(_fields_set, **values)

    assert sdk.constructs(ChatCompletion)
    assert not sdk.constructs(Own)
    assert not sdk.constructs(pydantic.BaseModel)
    assert not sdk.constructs(dict)


def test_a_validator_is_of_the_schema_that_it_is_given_also_where_a_class_has_one() -> None:
    ChatCompletion.model_rebuild()
    of_anything = {"type": "model", "cls": ChatCompletion, "schema": {"type": "model-fields", "fields": {}}}
    validator = sdk.validator(cast("Any", {"type": "list", "items_schema": of_anything}))

    assert [type(made) for made in validator.validate_json(b"[{}]")] == [ChatCompletion]
