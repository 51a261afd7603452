"""Requests of plain JSON are what the SDK would have made, and every other is left to the SDK."""

from __future__ import annotations

import asyncio
import base64
import enum
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

import openai
import pydantic
import pytest
from openai import NOT_GIVEN, omit
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.responses import AsyncResponses, Responses
from openai.types.chat import ChatCompletionMessage
from shared_files import recordings

from chatsheet_llm import resources_chat, resources_responses, sdk
from chatsheet_llm.templates import copied, template_of

RESOURCES: list[type[Any]] = [Completions, AsyncCompletions, Responses, AsyncResponses]
each = pytest.mark.parametrize("resource", RESOURCES)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
PLAIN: list[dict[str, Any]] = [
    CHAT,
    {**CHAT, "stream": True, "stream_options": {"include_usage": True}},
    {**CHAT, "stream": False, "temperature": 0.5, "n": 2, "stop": ["a", "b"], "user": "u"},
    {**CHAT, "stream": None, "temperature": None, "logit_bias": {"50256": -100}, "metadata": {"k": "v"}},
    {**CHAT, "stream": omit, "temperature": NOT_GIVEN, "tools": [TOOL], "tool_choice": "auto"},
    {**CHAT, "extra_headers": {"x-a": "b"}, "extra_query": {"q": "1"}, "extra_body": {"chatsheet": {}}, "timeout": 3.0},
    {**CHAT, "extra_headers": None, "extra_query": None, "extra_body": None, "timeout": None},
    {**CHAT, "timeout": openai.Timeout(5.0), "response_format": {"type": "json_object"}, "top_p": 1},
    {**CHAT, "messages": [], "seed": 10**30, "presence_penalty": -0.0},
    {
        **CHAT,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "\u00e9\U0001f600"}, {"type": "odd", "mine": None}]},
            {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}]},
        ],
    },
]
RESPONSES: list[dict[str, Any]] = [
    {},
    {"model": "m", "input": "Hello", "stream": True},
    {"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}], "store": False},
    {"input": "x", "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}, "tools": [{"type": "mcp"}]},
]


class Asked(Exception):
    """Carries what a resource hands to `request()`."""


class Listener(openai.OpenAI):
    """Keeps the request that a resource makes, and sends nothing."""

    def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        raise Asked(cast_to, options, stream, stream_cls)


class AsyncListener(openai.AsyncOpenAI):
    """The same, asynchronous."""

    async def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        raise Asked(cast_to, options, stream, stream_cls)


OURS: Mapping[type[Any], type[Any]] = {
    Completions: resources_chat.Completions,
    AsyncCompletions: resources_chat.AsyncCompletions,
    Responses: resources_responses.Responses,
    AsyncResponses: resources_responses.AsyncResponses,
}


def asked(resource: type[Any], given: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a call of `create` hands to its client's `request`: types, stream, and the options as far as they say."""
    kind = AsyncListener if resource.__name__.startswith("Async") else Listener
    made = resource(kind(api_key="unused", base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(Asked) as caught:
        ended(made.create, given)
    cast_to, options, stream, stream_cls = caught.value.args
    said = {name: getattr(options, name) for name in type(options).model_fields if name != "json_data"}
    absent = {name: type(value) if isinstance(value, openai.NotGiven) else value for name, value in said.items()}
    # The order of the fields counts: it is that of the bytes.
    return cast_to, stream, stream_cls, json.dumps(options.json_data), absent


def ended(create: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Call it, and await what it returns."""
    made = create(**given)
    if inspect.iscoroutine(made):
        asyncio.run(made)


def rows(resource: type[Any]) -> list[dict[str, Any]]:
    return PLAIN if "Completions" in resource.__name__ else RESPONSES


@each
def test_plain_json_is_asked_for_as_the_sdk_asks(resource: type[Any]) -> None:
    template = template_of(resource)
    assert template is not None

    for given in rows(resource):
        assert template.request(given) is not None
        assert asked(OURS[resource], given) == asked(resource, given)


class Sort(str, enum.Enum):
    """A text that is more than one."""

    A = "a"


class Answer(pydantic.BaseModel):
    """A type that an answer is to have."""

    text: str


ODD: list[dict[str, Any]] = [
    {**CHAT, "messages": ({"role": "user", "content": "x"},)},
    {**CHAT, "messages": iter([{"role": "user", "content": "x"}])},
    {**CHAT, "messages": [ChatCompletionMessage(role="assistant", content="x")]},
    {**CHAT, "messages": [{"role": Sort.A, "content": "x"}]},
    {**CHAT, "stop": (word for word in ("a", "b"))},
    {**CHAT, "messages": [{"role": "user", "content": "x", "name": omit}]},
    {**CHAT, "metadata": {1: "x"}},
]


@pytest.mark.parametrize("given", ODD, ids=lambda given: str(given)[:60])
def test_what_is_more_than_json_is_left_to_the_sdk(given: dict[str, Any]) -> None:
    template = template_of(Completions)
    assert template is not None

    assert template.request(given) is None
    if not any(inspect.isgenerator(value) or hasattr(value, "__next__") for value in given.values()):
        assert asked(resources_chat.Completions, given) == asked(Completions, given)


@pytest.mark.parametrize(
    "given",
    [{"model": "m"}, {"messages": []}, {**CHAT, "temprature": 1}, {**CHAT, "response_format": Answer}],
    ids=lambda given: str(given)[-40:],
)
@pytest.mark.parametrize("resource", [Completions, AsyncCompletions])
def test_what_the_sdk_refuses_it_refuses_in_its_own_words(resource: type[Any], given: dict[str, Any]) -> None:
    said = []
    for one in (resource, OURS[resource]):
        with pytest.raises(TypeError) as caught:
            ended(one(Listener(api_key="unused")).create, given)
        said.append(str(caught.value))

    assert said[0] == said[1]


@each
def test_our_create_looks_like_the_sdk_s(resource: type[Any]) -> None:
    assert inspect.signature(OURS[resource].create) == inspect.signature(resource.create)
    assert inspect.iscoroutinefunction(OURS[resource].create) == resource.__name__.startswith("Async")
    assert OURS[resource].create.__doc__ == resource.create.__doc__


def test_a_copy_shares_nothing_that_can_change() -> None:
    value = {"a": [{"b": [1]}], "c": {"d": {}}}
    made = copied(value)
    value["a"][0]["b"].append(2)  # type: ignore[index]
    value["c"]["e"] = 1  # type: ignore[index]

    assert made == {"a": [{"b": [1]}], "c": {"d": {}}}


def test_a_body_that_the_caller_changes_meanwhile_stays_as_it_was() -> None:
    template = template_of(Completions)
    messages = [{"role": "user", "content": "before"}]
    assert template is not None
    options = template.request({"model": "m", "messages": messages})
    assert options is not None
    messages[0]["content"] = "after"
    messages.append({"role": "user", "content": "more"})

    assert sdk.body_of(options) == {"model": "m", "messages": [{"role": "user", "content": "before"}]}


@each
def test_the_walk_of_the_sdk_changes_nothing_of_a_recorded_request(resource: type[Any]) -> None:
    template = template_of(resource)
    assert template is not None
    chat = "Completions" in resource.__name__
    bodies = [
        record["request"]["json"]
        for record in recordings()
        if record["request"]["url"].partition("?")[0].endswith("/chat/completions" if chat else "/responses")
        and isinstance(record["request"].get("json"), dict)
    ]
    known = [
        given
        for body in bodies[:: 1 if resource in (Completions, Responses) else 20]
        if (given := {name: value for name, value in body.items() if name in template.order})
        and template.required <= given.keys()
    ]

    assert [given for given in known if asked(OURS[resource], given) != asked(resource, given)] == []
    assert sum(template.request(given) is not None for given in known) == len(known) > 5


def test_the_types_of_the_sdk_s_arguments_rename_nothing_and_format_only_what_is_no_json() -> None:
    """A text in a field that takes files by a path is a text to the SDK, too."""
    text = base64.b64encode(b"x").decode()
    given = {**CHAT, "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": text}}]}]}

    assert asked(resources_chat.Completions, given) == asked(Completions, given)
