"""What `typed` builds is what the SDK builds, class by class and field by field, and mostly without the SDK."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import golden_streams
import httpx2
import openai
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from openai._models import construct_type
from openai.types import CreateEmbeddingResponse, ModerationCreateResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from replay import Recording, recordings
from shared_files import sse_events
from typed_cases import differences, made_for, spoiled
from wild_bodies import replies

from chatsheet_llm import sdk, shapes, typed, unions

Json = dict[str, Any]
EVENTS = get_args(get_args(ResponseStreamEvent)[0])
BUILDERS: Mapping[Any, Callable[[Any], object]] = {
    ChatCompletion: lambda told: typed.whole(ChatCompletion, told),
    Response: lambda told: typed.whole(Response, told),
    ChatCompletionChunk: typed.chunk,
    ResponseStreamEvent: typed.event,
}


def outcome(build: Callable[[], object]) -> object:
    try:
        return build()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def wrong(type_: Any, document: bytes, value: object = None) -> list[str]:
    """In what we give something else than the SDK: of the document, and of its value where one is given."""
    build = BUILDERS.get(type_, lambda told: typed.whole(type_, told))
    expected = outcome(lambda: construct_type(value=json.loads(document), type_=type_))
    found = differences(outcome(lambda: build(document)), expected)
    if isinstance(value, dict):
        found += [f"of values: {one}" for one in differences(outcome(lambda: build(value)), expected)]
    return found


def encoded(value: object, *, ascii_only: bool = True) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The values that were left to the SDK."""
    found: list[object] = []

    def listening(value: object, annotation: object, metadata: Any = ()) -> object:
        found.append(value)
        return construct_type(value=value, type_=annotation, metadata=list(metadata))

    monkeypatch.setattr(sdk, "constructed", listening)
    return found


# --- what providers send ----------------------------------------------------------------------------------------------


def streamed_by_the_sdk(body: bytes, path: str) -> list[object]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="unused", base_url="http://one.test/v1", http_client=http) as client,
    ):
        if path == "chat":
            return [*client.chat.completions.create(model="m", messages=[], stream=True)]
        return [*client.responses.create(model="m", input="", stream=True)]


@pytest.mark.parametrize("mode", ["chat", "responses"])
def test_a_stream_is_what_the_sdk_s_own_client_gives(mode: Any) -> None:
    build = typed.chunk if mode == "chat" else typed.event
    told = [encoded(event) for event in golden_streams.EVENTS[mode] if event != "[DONE]"]
    expected = streamed_by_the_sdk(golden_streams.GOLDEN[mode], mode)

    assert differences([build(one) for one in told], expected) == []
    assert len(expected) > 8


def recorded(record: Recording) -> Iterator[tuple[Any, Json]]:
    chat = "responses" not in record.kind
    if record.sse:
        yield from ((ChatCompletionChunk if chat else ResponseStreamEvent, event) for event in sse_events(record.body))
    elif record.ok and isinstance(value := record.json(), dict):
        yield ChatCompletion if chat else Response, value


KINDS = ("openai-chat", "openai-responses", "azure-chat", "azure-responses", "litellm")


def test_every_recorded_answer_is_what_the_sdk_gives_and_hardly_any_needs_the_sdk(left: list[object]) -> None:
    count, slow, found = Counter[str](), Counter[str](), {}
    for record in recordings(kind=KINDS):
        for type_, value in recorded(record) if record.op == "create" else ():
            before, name = len(left), f"{record.kind}, {'stream' if record.sse else 'whole'}"
            made = BUILDERS[type_](encoded(value))
            count[name] += 1
            slow[name] += len(left) > before
            if different := differences(made, construct_type(value=value, type_=type_)):
                found[record.id] = different[0]

    assert found == {}
    assert {name: slow[name] for name, all_ in count.items() if slow[name] > 0.05 * all_} == {}
    assert sum(count.values()) > 5000


# --- what a type allows, and what it does not -------------------------------------------------------------------------

TYPES = (ChatCompletion, ChatCompletionChunk, Response, ResponseStreamEvent)


@pytest.mark.parametrize("type_", TYPES, ids=["chat", "chunk", "response", "event"])
def test_values_made_by_chance_for_a_type_are_built_as_the_sdk_builds_them(type_: Any) -> None:
    found = {}
    for seed in range(250):
        chance = random.Random(seed)
        value = made_for(type_, chance)
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            value = spoiled(value, chance)
        if different := wrong(type_, encoded(value, ascii_only=seed % 2 == 0), value):
            found[seed] = different[0]

    assert found == {}


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: cls.__name__)
def test_every_event_is_built_whole_lacking_and_bare(cls: Any) -> None:
    chance = random.Random(cls.__name__)
    value = made_for(cls, chance)
    told = [value, {"type": value["type"]}, *({k: v for k, v in value.items() if k != name} for name in value)]
    told += [{**value, name: None} for name in value]

    assert [found for one in told for found in wrong(ResponseStreamEvent, encoded(one), one)] == []
    assert type(typed.event(encoded(value))) is cls
    assert type(typed.event(encoded(told[1]))) is cls


def models() -> Iterator[type[openai.BaseModel]]:
    waiting, seen = [openai.BaseModel], set()
    while waiting:
        for cls in waiting.pop().__subclasses__():
            if cls not in seen and cls.__module__.startswith("openai.types"):
                seen.add(cls)
                waiting.append(cls)
                if not cls.__pydantic_generic_metadata__["parameters"]:
                    yield cls


def test_any_type_of_the_sdk_is_built_as_the_sdk_builds_it() -> None:
    found = {}
    for cls in sorted(models(), key=str)[::3]:
        chance = random.Random(cls.__name__)
        value = made_for(cls, chance)
        for told in (value, spoiled(value, chance)):
            if different := wrong(cls, encoded(told), told):
                found[cls.__name__] = different[0]

    assert found == {}


@effort(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reply=replies("chat"))
def test_a_wild_chat_reply_is_built_as_the_sdk_builds_it(reply: Json) -> None:
    assert wrong(ChatCompletion, encoded(reply), reply) == []


@effort(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reply=replies("responses"))
def test_a_wild_response_is_built_as_the_sdk_builds_it(reply: Json) -> None:
    assert wrong(Response, encoded(reply), reply) == []


# --- odd ones ---------------------------------------------------------------------------------------------------------

CHOICE: Json = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None, "logprobs": None}
CHUNK: Json = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [CHOICE]}
USAGE: Json = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CALL: Json = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FILTER: Json = {"hate": {"filtered": False, "severity": "safe"}}


def choice(**changes: Any) -> Json:
    return {**CHUNK, "choices": [{**CHOICE, **changes}]}


def delta(**fields: Any) -> Json:
    return choice(delta=fields)


LACKING = {name: value for name, value in CHOICE.items() if name != "delta"}
ODD_CHUNKS: Mapping[str, Any] = {
    "azure_choice_without_delta": {**CHUNK, "choices": [{**LACKING, "content_filter_results": FILTER}]},
    "azure_first": {**CHUNK, "choices": [], "prompt_filter_results": [{"prompt_index": 0, "results": FILTER}]},
    "null_for_a_list": {**CHUNK, "choices": None},
    "object_for_a_list": {**CHUNK, "choices": {}},
    "text_for_a_list": {**CHUNK, "choices": "none"},
    "list_for_an_object": choice(delta=[{"content": "Hi"}, 1]),
    "text_for_an_object": choice(delta="Hi"),
    "null_in_a_list": {**CHUNK, "choices": [None, CHOICE]},
    "numbers_in_a_list": {**CHUNK, "choices": [1, "a", []]},
    "unknown_words": {**choice(finish_reason="tired"), "object": "x", "service_tier": "gold"},
    "number_as_text": {**choice(index="0"), "created": "1", "usage": {**USAGE, "total_tokens": "3"}},
    "text_that_is_no_number": {**CHUNK, "usage": {**USAGE, "total_tokens": "three"}},
    "float_for_int": {**choice(index=0.0), "created": 1.0, "usage": {**USAGE, "total_tokens": 3.0}},
    "half_for_int": {**CHUNK, "usage": {**USAGE, "total_tokens": 3.5}},
    "bool_for_int": {**CHUNK, "created": True, "usage": {**USAGE, "total_tokens": True}},
    "int_for_text": {**delta(content=5), "model": 7},
    "large_numbers": {**CHUNK, "created": 10**30, "usage": {**USAGE, "total_tokens": 2**70}},
    "usage_lacks_a_count": {**CHUNK, "usage": {"prompt_tokens": 1}},
    "usage_of_nulls": {**CHUNK, "usage": dict.fromkeys(USAGE)},
    "usage_is_a_list": {**CHUNK, "usage": [USAGE]},
    "call_without_index": delta(tool_calls=[{k: v for k, v in CALL.items() if k != "index"}]),
    "call_of_unknown_type": delta(tool_calls=[{**CALL, "type": "wish"}]),
    "calls_are_an_object": delta(tool_calls=CALL),
    "extra_at_each_level": {**choice(more=1, delta={"more": [1], "tool_calls": [{**CALL, "more": {}}]}), "more": None},
    "lacks_all": {},
    "construct_s_own_argument": {**CHUNK, "_fields_set": ["id"]},
    "construct_s_own_argument_within": delta(_fields_set=None),
    "construct_s_own_class": {**CHUNK, "_BaseModel__cls": 1},
    "a_list": [CHUNK],
    "a_text": "CHUNK",
    "null": None,
    "lone_surrogate": delta(content="\ud800"),
    "pair_of_surrogates": delta(content="😀"),
    "model_s_own_names": {**CHUNK, "model_extra": 1, "__dict__": {}, "self": 1, "cls": 1, "values": 2, "copy": 3},
}


@pytest.mark.parametrize("name", ODD_CHUNKS)
def test_an_odd_chunk_is_built_as_the_sdk_builds_it(name: str) -> None:
    value = ODD_CHUNKS[name]

    assert wrong(ChatCompletionChunk, encoded(value), value) == []


PART: Json = {"type": "output_text", "text": "Hi", "annotations": []}
MESSAGE: Json = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [PART]}
RESPONSE: Json = {
    "id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": [MESSAGE],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip
FUNCTION: Json = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
FORMAT: Json = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": None}
OUTPUTS: Mapping[str, Any] = {
    "unknown_type": {"type": "dance", "steps": 3},
    "no_type": {"id": "m"},
    "type_of_another_kind": {**MESSAGE, "type": 5},
    "unknown_part": {**MESSAGE, "content": [{"type": "smell"}]},
    "part_lacks_annotations": {**MESSAGE, "content": [{"type": "output_text", "text": "Hi"}]},
    "text_is_a_number": {**MESSAGE, "content": [{**PART, "text": 1}]},
    "call_with_alias": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "async": True},
    "lacking_call_with_alias": {"type": "function_call", "call_id": "c", "async": True, "async_": 1},
    "null": None,
    "text": "Hi",
    "list": [MESSAGE],
}
ODD_RESPONSES: Mapping[str, Json] = {
    **{f"output_{name}": {**RESPONSE, "output": [MESSAGE, item]} for name, item in OUTPUTS.items()},
    "time_as_float": {**RESPONSE, "created_at": 1.5},
    "time_too_large_for_a_float": {**RESPONSE, "created_at": 2**53 + 1},
    "time_far_too_large_for_a_float": {**RESPONSE, "created_at": 10**400, "temperature": 10**400},
    "time_as_text": {**RESPONSE, "created_at": "1"},
    "time_as_bool": {**RESPONSE, "created_at": True},
    "temperature_as_int": {**RESPONSE, "temperature": 1, "top_p": "0.5"},
    "schema_named_by_alias": {**RESPONSE, "text": {"format": FORMAT}},
    "lacking_schema_named_by_alias": {**RESPONSE, "text": {"format": {"type": "json_schema", "schema": {}}}},
    "instructions_in_items": {**RESPONSE, "instructions": [{"role": "user", "content": "Hi"}, MESSAGE]},
    "unknown_tool": {**RESPONSE, "tools": [{"type": "hammer"}, FUNCTION]},
    "forced_tool": {**RESPONSE, "tool_choice": {"type": "function", "name": "f"}},
    "unknown_choice_of_tool": {**RESPONSE, "tool_choice": "maybe"},
    "metadata_of_numbers": {**RESPONSE, "metadata": {"a": 1}},
    "usage_lacks_details": {**RESPONSE, "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}},
    "error": {**RESPONSE, "error": {"code": "brand_new", "message": "m"}},
}


@pytest.mark.parametrize("name", ODD_RESPONSES)
def test_an_odd_response_is_built_as_the_sdk_builds_it(name: str) -> None:
    value = ODD_RESPONSES[name]
    event = {"type": "response.completed", "sequence_number": 1, "response": value}

    assert wrong(Response, encoded(value), value) == []
    assert wrong(ResponseStreamEvent, encoded(event), event) == []


@pytest.mark.parametrize("kind", ["response.brand_new", "", None, 5, ["response.completed"], "error", "keepalive"])
def test_an_event_of_any_type_is_built_as_the_sdk_builds_it(kind: object) -> None:
    value = {"type": kind, "sequence_number": 1, "delta": "a", "message": "m"}

    assert wrong(ResponseStreamEvent, encoded(value), value) == []


DOCUMENTS: Mapping[str, bytes] = {
    "duplicate_names": b'{"id":"a","id":"b","more":1,"x":0,"more":2,"choices":[{"delta":{},"delta":{"content":"b"}}]}',
    "duplicate_hidden_in_escapes": b'{"id":"a","\\u0069d":"b","choices":[]}',
    "argument_hidden_in_escapes": b'{"id":"a","\\u005ffields_set":1}',
    "lone_surrogate": b'{"id":"\\ud800","choices":[]}',
    "pair_of_surrogates": b'{"id":"\\ud83d\\ude00","choices":[]}',
    "no_numbers": b'{"created":NaN,"more":[Infinity,-Infinity],"usage":{"total_tokens":NaN}}',
    "minus_zero": b'{"created":-0,"more":-0.0,"usage":{"total_tokens":-0}}',
    "beyond_floats": b'{"created":1e999,"more":-1e999,"usage":{"total_tokens":1e999}}',
    "many_digits": b'{"created":' + b"9" * 4000 + b"}",
    "too_many_digits": b'{"created":' + b"9" * 5000 + b"}",
    "byte_order_mark": b'\xef\xbb\xbf{"id":"a"}',
    "utf_16": '{"id":"ä"}'.encode("utf-16"),
    "no_utf_8": b'{"id":"\xff"}',
    "surrogate_in_utf_8": b'{"id":"\xed\xa0\x80"}',
    "white_space": b' \r\n\t{"id" : "a" } \n',
    "deep": b'{"more":' + b"[" * 100 + b"]" * 100 + b"}",
    "deeper": b'{"more":' + b"[" * 250 + b"]" * 250 + b"}",
    "control_character": b'{"id":"a\x01"}',
    "cut": b'{"id":"a"',
    "two": b"{}{}",
    "empty": b"",
    "no_json": b"<html>",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_odd_document_is_read_as_the_sdk_reads_it(name: str) -> None:
    document = DOCUMENTS[name]
    event = b'{"type":"response.created","response":' + document + b"}"

    assert wrong(ChatCompletionChunk, document) == []
    assert wrong(ChatCompletion, document) == []
    assert wrong(ResponseStreamEvent, event) == []
    assert wrong(ResponseStreamEvent, document) == []


@pytest.mark.parametrize("cls", [ModerationCreateResponse, CreateEmbeddingResponse])
def test_a_type_that_we_cannot_construct_is_left_to_the_sdk(cls: type[openai.BaseModel], left: list[object]) -> None:
    aliased = {"id": "m", "model": "m", "results": [{"flagged": True, "categories": {"self-harm": True}}], "data": None}

    assert wrong(cls, encoded(aliased), aliased) == []
    assert bool(left) is (cls is ModerationCreateResponse)


# --- the way that was taken -------------------------------------------------------------------------------------------

ORDINARY: Mapping[str, tuple[Any, Json]] = {
    "chunk": (ChatCompletionChunk, {**choice(delta={"tool_calls": [CALL]}), "usage": USAGE, "obfuscation": "x"}),
    "chunk_without_delta": (ChatCompletionChunk, ODD_CHUNKS["azure_choice_without_delta"]),
    "usage_lacks_a_count": (ChatCompletionChunk, ODD_CHUNKS["usage_lacks_a_count"]),
    "response": (Response, {**RESPONSE, "tools": [FUNCTION], "text": {"format": FORMAT}}),
    "response_lacks_parts_of_its_parts": (Response, ODD_RESPONSES["output_part_lacks_annotations"]),
    "event": (ResponseStreamEvent, golden_streams.RESPONSES[8]),
    "event_without_its_number": (ResponseStreamEvent, {"type": "response.output_text.delta", "delta": "a"}),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_answer_is_built_without_the_sdk_also_where_it_lacks_something(
    name: str, left: list[object]
) -> None:
    type_, value = ORDINARY[name]

    assert wrong(type_, encoded(value), value) == []
    assert left == []


def test_a_core_that_keeps_to_the_validators_it_has_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, left: list[object]
) -> None:
    for type_ in (ChatCompletionChunk, Response):
        type_.model_rebuild()
    monkeypatch.setattr(unions, "keeps_schemas", lambda: False)
    shapes.constructing.cache_clear()
    monkeypatch.setattr(typed, "_chunks", lambda: (ChatCompletionChunk, shapes.constructing(ChatCompletionChunk)))
    found = [
        one
        for type_, value in ORDINARY.values()
        if type_ is not Response
        for one in wrong(type_, encoded(value), value)
    ]
    found += [one for value in ODD_CHUNKS.values() for one in wrong(ChatCompletionChunk, encoded(value), value)]
    found += [one for value in ODD_RESPONSES.values() for one in wrong(Response, encoded(value), value)]
    shapes.constructing.cache_clear()

    assert found == []
