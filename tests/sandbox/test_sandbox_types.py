"""What the sandbox answers is valid by the types of the SDKs, field by field: whole, in events, and when it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import httpx2
import pytest
from anthropic.types import Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from openai.types import CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, ValidationError

from chatsheet_llm.sandbox import Sandbox

Json = dict[str, Any]

PREFIXES: Mapping[str, str] = {"azure": "/openai/v1", "openai": "/v1", "litellm": "/v1", "anthropic": "/v1"}
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALL = "call get_weather and note"


def said(words: str) -> list[Json]:
    return [{"role": "user", "content": words}]


def chat_tool(kind: str = "function") -> Json:
    return {"type": kind, kind: {"name": "get_weather" if kind == "function" else "note", "parameters": SCHEMA}}


BODIES: Mapping[str, Mapping[str, Json]] = {
    "chat": {
        "text": {"messages": said("Hello there")},
        "effort": {"messages": said("Hello"), "reasoning_effort": "low", "stream_options": {"include_usage": True}},
        "choices": {"messages": said("Hello"), "n": 2},
        "cut": {"messages": said("Hello"), "max_completion_tokens": 2},
        "refusal": {"messages": said("refuse politely")},
        "tools": {"messages": said(CALL), "tools": [chat_tool(), chat_tool("custom")]},
        "functions": {"messages": said(CALL), "functions": [chat_tool()["function"]]},
    },
    "responses": {
        "text": {"input": "Hello there", "instructions": "Be brief.", "metadata": {"a": "b"}},
        "effort": {
            "input": "Hello",
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
        },
        "shape": {
            "input": "Hello",
            "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}},
        },
        "cut": {"input": "Hello", "max_output_tokens": 2},
        "refusal": {"input": "refuse politely"},
        "tools": {
            "input": CALL,
            "tools": [
                {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True},
                {"type": "custom", "name": "note"},
            ],
        },
        "background": {"input": "Hello", "background": True},
    },
    "messages": {
        "text": {"messages": said("Hello there")},
        "effort": {"messages": said("Hello"), "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "cut": {"messages": said("Hello"), "max_tokens": 2},
        "refusal": {"messages": said("refuse politely")},
        "stopped": {"messages": said("Hello there"), "stop_sequences": ["there"]},
        "tools": {"messages": said(CALL), "tools": [{"name": "get_weather", "input_schema": SCHEMA}]},
    },
}
"""What each API is asked, by what is special about it; the model comes on top."""
PATHS = {"chat": "/chat/completions", "responses": "/responses", "messages": "/messages"}
WHOLE: Mapping[str, type[BaseModel]] = {"chat": ChatCompletion, "responses": Response, "messages": Message}
SPOKEN = {
    "azure": ("chat", "responses"),
    "openai": ("chat", "responses"),
    "litellm": tuple(PATHS),
    "anthropic": ("messages",),
}
"""The APIs of each role."""
CALLS = [(role, api, asked) for role, apis in SPOKEN.items() for api in apis for asked in BODIES[api]]

KNOWN: Mapping[tuple[str, str], str] = {
    ("azure", "object"): "Azure's chunks about the prompt and the late ones about the answer name nothing",
    ("azure", "choices.delta"): "Azure's late chunks have none",
    ("", "choices.delta.tool_calls.type"): "the SDK's chunks know no custom tools",
    ("", "name"): "early versions of the SDK want a function's name when its arguments are done, and nobody sends it",
}
"""Where a role (any role, without one) answers as its provider does, although the types say something else."""
UNTYPED = ("ping", "error")
"""Events of Messages that Anthropic's SDK takes and has no class for."""


def classes(union: Any) -> dict[str, type[BaseModel]]:
    """The class of each event of a union, by its type."""
    return {word: cls for cls in get_args(get_args(union)[0]) for word in get_args(cls.model_fields["type"].annotation)}


EVENTS = {"responses": classes(ResponseStreamEvent), "messages": classes(RawMessageStreamEvent)}


def wrong(role: str, cls: type[BaseModel], body: Json) -> list[str]:
    """Where a body is not valid by a class, but for what is known."""
    try:
        cls.model_validate(body)
    except ValidationError as error:
        places = [".".join(step for step in each["loc"] if isinstance(step, str)) for each in error.errors()]
        return [f"{cls.__name__}.{place}" for place in places if not {(role, place), ("", place)} & KNOWN.keys()]
    return []


def wrong_within(role: str, api: str, stream: str) -> list[str]:
    """The same of all events of a stream."""
    found = []
    for line in stream.splitlines():
        told = line.removeprefix("data:").strip() if line.startswith("data:") else "[DONE]"
        event = {} if told == "[DONE]" else json.loads(told)
        if not event or (api == "messages" and event["type"] in UNTYPED):
            continue
        found += wrong(role, ChatCompletionChunk if api == "chat" else EVENTS[api][event["type"]], event)
    return found


@pytest.fixture(scope="module")
def http(running: Sandbox) -> Iterator[httpx2.Client]:
    with httpx2.Client(headers={"authorization": f"Bearer {running.api_key}", "x-api-key": running.api_key}) as made:
        yield made


def ask(box: Sandbox, http: httpx2.Client, role: Any, api: str, asked: str, **more: object) -> httpx2.Response:
    # One that thinks gives no more than one answer.
    model = "claude-sonnet-5-5" if role == "anthropic" else "gpt-4.1" if asked == "choices" else "gpt-5"
    body = {"model": model, "max_tokens": 2000} if api == "messages" else {"model": model}
    response = http.post(box.url(role) + PREFIXES[role] + PATHS[api], json={**body, **BODIES[api][asked], **more})
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize(("role", "api", "asked"), CALLS)
def test_an_answer_is_valid_by_the_sdk_s_types(
    box: Sandbox, http: httpx2.Client, role: str, api: str, asked: str
) -> None:
    whole = ask(box, http, role, api, asked).json()
    stream = ask(box, http, role, api, asked, stream=True)

    assert wrong(role, WHOLE[api], whole) == []
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert wrong_within(role, api, stream.text) == []


@pytest.mark.parametrize("fault", ["content-filter", "failed:server_error@2"])
@pytest.mark.parametrize("role", ["azure", "openai", "litellm"])
def test_a_response_that_is_filtered_or_fails_is_valid_too(
    box: Sandbox, http: httpx2.Client, role: Any, fault: str
) -> None:
    box.inject(role, fault)
    whole = ask(box, http, role, "responses", "effort").json()
    stream = ask(box, http, role, "responses", "effort", stream=True).text

    assert whole["status"] in ("incomplete", "failed")
    assert wrong(role, Response, whole) == []
    assert wrong_within(role, "responses", stream) == []


@pytest.mark.parametrize("role", ["azure", "openai", "litellm"])
def test_what_is_no_answer_of_a_model_is_valid_too(box: Sandbox, http: httpx2.Client, role: Any) -> None:
    at = box.url(role) + PREFIXES[role]
    vectors = http.post(f"{at}/embeddings", json={"model": "text-embedding-3-small", "input": "x"}).json()
    models = http.get(f"{at}/models").json()["data"]

    assert wrong(role, CreateEmbeddingResponse, vectors) == []
    assert models
    assert [wrong(role, Model, model) for model in models] == [[]] * len(models)


def test_what_is_no_answer_of_claude_is_valid_too(box: Sandbox, http: httpx2.Client) -> None:
    at = box.url("anthropic") + "/v1"
    count = http.post(f"{at}/messages/count_tokens", json={"model": "claude-sonnet-5-5", "messages": said("Hello")})
    models = http.get(f"{at}/models").json()["data"]

    assert wrong("anthropic", MessageTokensCount, count.json()) == []
    assert models
    assert [wrong("anthropic", ModelInfo, model) for model in models] == [[]] * len(models)


def test_what_is_not_valid_is_found() -> None:
    event = 'data: {"type": "response.created", "response": {}}'

    assert wrong("openai", Model, {"id": "m", "object": "model", "created": 1}) == ["Model.owned_by"]
    assert wrong("openai", ChatCompletionChunk, {"object": ""}) != wrong("azure", ChatCompletionChunk, {"object": ""})
    assert "ResponseCreatedEvent.sequence_number" in wrong_within("openai", "responses", event)
