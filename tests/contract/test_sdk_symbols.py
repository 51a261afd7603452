"""Every private symbol of the SDKs and their HTTP library that `sdk/` touches still is what we take it for."""

from __future__ import annotations

import ast
import gc
import json
import pickle
import re
import socket
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args
from urllib.parse import parse_qsl

import anthropic
import httpcore2
import httpx2
import openai
import pydantic
import pytest
from openai._base_client import make_request_options
from openai._response import StreamedBinaryAPIResponse
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.responses import AsyncResponses, Responses
from openai.types import CompletionUsage, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

import chatsheet_llm
from chatsheet_llm import ChatClient, Route, sdk
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import build
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.sdk import requests, routes

PACKAGE = Path(chatsheet_llm.__file__).parent
TOUCHING = sorted((PACKAGE / "sdk").rglob("*.py"))
"""The files that may touch private symbols."""
VENDORS = ("openai", "anthropic", "httpx2", "httpcore2", "pydantic")
ROUTE = Route(seconds=1.5)
HELLO: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}
TIMEOUT = httpx2.Timeout(10.0)

_T = TypeVar("_T", bound=Callable[..., object])
contracts: dict[str, str] = {}


def contract(*symbols: str) -> Callable[[_T], _T]:
    """Say which private symbols a test stands for."""

    def note(test: _T) -> _T:
        contracts.update(dict.fromkeys(symbols, test.__name__))
        return test

    return note


# --- which symbols there are ----------------------------------------------------------------------------------------


def private_imports(file: Path) -> set[str]:
    """The names that a file imports from a vendor's private modules, or private names from its public ones."""
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in VENDORS
        for alias in node.names
        if any(part.startswith("_") for part in (*node.module.split("."), alias.name))
    }


def private_attributes(file: Path) -> set[str]:
    """The private attributes that a file takes from other objects than its own, by dot or by name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+", node.value):
            found.add(node.value)
    # Not those of the language itself, such as `__name__`.
    return {name for name in found if name.startswith("_") and not hasattr(type, name)}


def test_every_private_symbol_that_is_touched_has_its_contract_test() -> None:
    touched = set().union(*(private_imports(file) | private_attributes(file) for file in TOUCHING))

    assert touched == set(contracts)


def test_no_other_module_imports_a_private_name() -> None:
    others = {file: private_imports(file) for file in PACKAGE.rglob("*.py") if file not in TOUCHING}

    assert {str(file): found for file, found in others.items() if found} == {}


# --- a request ------------------------------------------------------------------------------------------------------


class Asked(Exception):
    """Carries what a resource hands to `request()`."""

    def __init__(self, cast_to: type[Any], options: Any, stream: bool, stream_cls: type[Any] | None) -> None:
        super().__init__()
        self.cast_to, self.options, self.stream, self.stream_cls = cast_to, options, stream, stream_cls


@contract("_post")
@pytest.mark.parametrize("resource", [Completions, AsyncCompletions, Responses, AsyncResponses])
def test_what_a_resource_asks_its_client_to_post_can_be_overheard(resource: type[Any]) -> None:
    path, told = sdk.overheard(resource, {"model": "m", "messages" if "Comp" in resource.__name__ else "input": "x"})

    assert path == ("/chat/completions" if "Comp" in resource.__name__ else "/responses")
    assert told["body"]["model"] == "m"
    assert told["cast_to"] in (ChatCompletion, Response)
    assert told["options"]["security"] == {"bearer_auth": True}


@contract("openai._types.NOT_GIVEN")
def test_options_made_of_a_template_are_those_that_the_sdk_makes() -> None:
    beside: dict[str, Any] = {
        "extra_headers": {"a": "b"},
        "extra_query": {"q": 1},
        "extra_body": {"c": 1},
        "timeout": 3,
    }
    template = sdk.FinalRequestOptions.construct(method="post", url="/x", security={"bearer_auth": True})
    made = sdk.asked(template, {"model": "m"}, **beside)
    bare = sdk.asked(template, {"model": "m"})
    told = make_request_options(security={"bearer_auth": True}, **beside)
    its = sdk.FinalRequestOptions.construct(method="post", url="/x", json_data={"model": "m"}, **told)

    assert repr(made) == repr(its)
    assert isinstance(sdk.timeout_of(bare), openai.NotGiven)
    assert (bare.headers, bare.params, bare.extra_json) == (template.headers, {}, None)
    assert template.json_data is None


def _azure(cls: type[Any], **more: Any) -> Any:
    return cls(azure_endpoint="http://127.0.0.1:9", api_version="2024-10-21", **more)


@contract("_build_request", "_client", "openai._utils._json.openapi_dumps")
@pytest.mark.parametrize(
    "make",
    [
        lambda: openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", default_headers={"a": "b"}),
        lambda: openai.AsyncOpenAI(api_key="k", base_url="http://127.0.0.1:9/v1/"),
        lambda: _azure(openai.AzureOpenAI, api_key="k"),
        lambda: _azure(openai.AsyncAzureOpenAI, azure_ad_token="t"),
    ],
)
def test_a_request_of_kept_parts_is_the_one_that_the_sdk_builds(make: Callable[[], Any]) -> None:
    its, ours = make(), make()
    original = ours._build_request
    sdk.hasten(ours)

    def options(**more: Any) -> Any:
        told: dict[str, Any] = {
            "method": "post",
            "url": "/chat/completions",
            "json_data": {"model": "m", "x": "\u00e9"},
            "headers": {"Accept-Encoding": "identity"},
            "timeout": TIMEOUT,
            "security": {"bearer_auth": True},
        }
        return sdk.FinalRequestOptions.construct(**{**told, **more})

    rows = [
        options(),
        options(json_data={"model": "m", "messages": [1] * 100}),
        options(timeout=httpx2.Timeout(None)),
        options(timeout=httpx2.Timeout(5.0, read=7.5)),
        options(json_data={"model": "other"}),
        options(headers={"Accept-Encoding": "identity", "x-mine": "1"}),
        options(headers={"Authorization": sdk.OMIT}),
        options(url="/responses"),
        options(params={"q": "1"}),
        options(method="get", json_data=None),
        options(extra_json={"y": 1}),
    ]

    def parts(request: httpx2.Request) -> tuple[Any, ...]:
        return request.method, request.url, sorted(request.headers.raw), request.content, request.extensions

    for row in rows * 3:
        assert parts(ours._build_request(row)) == parts(its._build_request(row))
    assert ours._build_request != original


def test_a_request_of_kept_parts_bears_the_cookies_and_the_key_of_its_time() -> None:
    client = openai.OpenAI(api_key="one", base_url="http://127.0.0.1:9/v1")
    sdk.hasten(client)
    row = sdk.FinalRequestOptions.construct(
        method="post", url="/x", json_data={}, headers={}, timeout=TIMEOUT, security={"bearer_auth": True}
    )
    sent = [client._build_request(row)]
    client._client.cookies.set("c", "1", domain="127.0.0.1")
    sent.append(client._build_request(row))
    client._client.cookies.clear()
    client.api_key = "two"
    sent += [client._build_request(row), client._build_request(row)]

    assert [request.headers.get("cookie") for request in sent] == [None, "c=1", None, None]
    assert [request.headers["authorization"][-3:] for request in sent] == ["one", "one", "two", "two"]


class Listener(openai.OpenAI):
    """Raises what it is asked for: a resource that goes another way than through `request()` cannot be heard."""

    def request(
        self, cast_to: type[Any], options: Any, *, stream: bool = False, stream_cls: type[Any] | None = None
    ) -> Any:
        raise Asked(cast_to, options, stream, stream_cls)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(api_key="unused", base_url="http://127.0.0.1:9/v1") as client:
        yield client


def asked(call: Callable[..., object], **arguments: Any) -> Asked:
    with pytest.raises(Asked) as caught:
        call(**arguments)
    return caught.value


@contract("openai._models.FinalRequestOptions")
def test_options_hold_what_the_resources_were_given(listener: Listener) -> None:
    told = asked(
        listener.chat.completions.create,
        **HELLO,
        stream=True,
        extra_body={"mine": 1},
        extra_query={"q": "1"},
        timeout=3,
    )
    options = told.options
    bare = asked(listener.models.list).options

    assert isinstance(options, sdk.FinalRequestOptions)
    assert (options.method.lower(), options.url, options.params) == ("post", "/chat/completions", {"q": "1"})
    assert sdk.body_of(options) == {**HELLO, "stream": True, "mine": 1}
    assert sdk.timeout_of(options) == 3
    assert sdk.retries_of(options, 7) == 7
    assert (told.stream, told.cast_to) == (True, ChatCompletion)
    assert (sdk.body_of(bare), sdk.headers_of(bare), sdk.raw_marker(bare)) == (None, {}, None)
    assert isinstance(sdk.timeout_of(bare), openai.NotGiven)


@contract("openai._models.FinalRequestOptions")
def test_a_copy_of_options_leaves_the_first_as_they_are(listener: Listener) -> None:
    first = asked(listener.chat.completions.create, **HELLO).options
    second = sdk.copied(first)
    second.url, second.max_retries = "/elsewhere", 3

    assert (first.url, sdk.retries_of(first, 1), sdk.retries_of(second, 1)) == ("/chat/completions", 1, 3)


@contract("openai._models.add_request_id")
def test_an_object_carries_the_server_s_id_of_its_request() -> None:
    made = ChatCompletion.construct(id="x")
    sdk.identify(made, "req-1")
    sdk.identify("no object", "req-2")

    assert made._request_id == "req-1"
    assert "req-1" not in made.model_dump_json()


@contract("openai._types.NotGiven", "openai._types.Omit")
def test_what_was_not_given_and_what_shall_be_left_out_are_the_sdk_s_own_types(listener: Listener) -> None:
    told = asked(listener.chat.completions.create, **HELLO, extra_headers={"Authorization": openai.omit})

    assert {vars(module)["NotGiven"] for module in (requests, routes)} == {openai.NotGiven}
    assert isinstance(openai.omit, sdk.Omit)
    assert isinstance(sdk.headers_of(told.options)["Authorization"], sdk.Omit)
    assert isinstance(told.options.timeout, openai.NotGiven)


@pytest.mark.parametrize(
    ("name", "marker"), [("with_raw_response", "true"), ("with_streaming_response", "stream"), (None, None)]
)
@contract("openai._constants.RAW_RESPONSE_HEADER")
def test_the_marker_of_a_raw_response_is_read_and_kept_from_the_hop(
    listener: Listener, name: str | None, marker: str | None
) -> None:
    resource = listener.chat.completions
    create: Any = (getattr(resource, name) if name else resource).create

    def call() -> object:
        made = create(**HELLO, extra_headers={"x-mine": "1"})
        return made.__enter__() if name == "with_streaming_response" else made

    options = asked(call).options

    assert sdk.raw_marker(options) == marker
    assert sdk.headers_of(options) == {"x-mine": "1"}


@contract("_maybe_override_cast_to", "openai._constants.OVERRIDE_CAST_TO_HEADER")
def test_the_type_that_a_binary_download_wants_is_read_and_taken_out(listener: Listener) -> None:
    def download() -> object:
        return listener.files.with_streaming_response.content("file-1").__enter__()

    told, plain = asked(download), asked(listener.files.retrieve, file_id="file-1")
    header = next(name for name in told.options.headers if "override" in name)

    assert header not in sdk.headers_of(told.options)
    assert issubclass(sdk.cast_of(listener, told.cast_to, told.options), StreamedBinaryAPIResponse)
    assert header not in told.options.headers
    assert sdk.cast_of(listener, plain.cast_to, plain.options) is plain.cast_to


# --- to a hop -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def _forget(box: Sandbox) -> None:
    box.clear()
    box.forget()


@pytest.fixture
def hop(box: Sandbox) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=box.api_key, base_url=f"{box.openai_url}/v1", max_retries=5) as client:
        yield client


def outgoing(options: sdk.FinalRequestOptions | None = None, **headers: Any) -> sdk.FinalRequestOptions:
    return sdk.outgoing(options, method="post", url="/chat/completions", body=HELLO, headers=headers, timeout=TIMEOUT)


@contract("openai._models.FinalRequestOptions")
def test_a_hop_s_sdk_gives_the_raw_response_to_our_options(box: Sandbox, hop: openai.OpenAI) -> None:
    asked_for = sdk.FinalRequestOptions.construct(method="post", url="/elsewhere", extra_json={"not": "ours"})
    response = hop.request(httpx2.Response, outgoing(asked_for, mine="1"))

    (request,) = box.requests
    assert isinstance(response, httpx2.Response)
    assert response.json()["object"] == "chat.completion"
    assert (request.json, request.headers["mine"], asked_for.url) == (HELLO, "1", "/elsewhere")


@contract("openai._types.Omit")
def test_an_omitted_header_does_not_reach_the_hop(box: Sandbox, hop: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        hop.request(httpx2.Response, outgoing(Authorization=sdk.Omit()))

    (request,) = box.requests
    assert "authorization" not in request.headers


@pytest.mark.parametrize("fault", ["503", "redirect"])
@contract("openai._models.FinalRequestOptions")
def test_a_hop_s_sdk_sends_our_options_once_and_follows_no_redirect(
    box: Sandbox, hop: openai.OpenAI, fault: str
) -> None:
    box.inject("openai", fault)
    with pytest.raises(openai.APIStatusError):
        hop.request(httpx2.Response, outgoing())

    assert [request.hop for request in box.requests] == ["openai/chat"]


def to_claude(
    body: object, headers: Mapping[str, str | sdk.Omit] | None = None, asked_for: sdk.FinalRequestOptions | None = None
) -> Any:
    return sdk.anthropic_outgoing(
        asked_for, method="post", url="/v1/messages", body=body, headers=headers or {}, timeout=TIMEOUT
    )


@pytest.mark.parametrize("stream", [False, True])
@contract("anthropic._models.FinalRequestOptions")
def test_the_anthropic_sdk_gives_the_raw_response_to_our_options(box: Sandbox, stream: bool) -> None:
    body = {**HELLO, "max_tokens": 50, "stream": stream}
    headers: dict[str, str | sdk.Omit] = {"mine": "1", "left-out": sdk.Omit()}
    with anthropic.Anthropic(api_key=box.api_key, base_url=box.anthropic_url, max_retries=5) as client:
        response = client.request(httpx2.Response, to_claude(body, headers), stream=stream)
        unread = stream and not response.is_stream_consumed
        text = "".join(response.iter_text())

    (request,) = box.requests
    assert (request.json, request.headers["mine"], "left-out" in request.headers) == (body, "1", False)
    assert unread is stream
    assert ("message_stop" in text) is stream


@pytest.mark.parametrize("stream", [False, True])
@contract("anthropic._models.FinalRequestOptions")
async def test_the_anthropic_sdk_gives_the_raw_response_asynchronously_too(box: Sandbox, stream: bool) -> None:
    body = {**HELLO, "max_tokens": 50, "stream": stream}
    async with anthropic.AsyncAnthropic(api_key=box.api_key, base_url=box.anthropic_url, max_retries=5) as client:
        response = await client.request(httpx2.Response, to_claude(body), stream=stream)
        unread = stream and not response.is_stream_consumed
        text = "".join([piece async for piece in response.aiter_text()])

    assert unread is stream
    assert ("message_stop" in text) is stream


@pytest.mark.parametrize("fault", ["529", "503;retry-after-ms=1", "redirect"])
@contract("anthropic._models.FinalRequestOptions")
def test_the_anthropic_sdk_sends_our_options_once_and_follows_no_redirect(box: Sandbox, fault: str) -> None:
    box.inject("anthropic", fault)
    with (
        anthropic.Anthropic(api_key=box.api_key, base_url=box.anthropic_url, max_retries=5) as client,
        pytest.raises(anthropic.APIStatusError),
    ):
        client.request(httpx2.Response, to_claude({**HELLO, "max_tokens": 50}))

    assert [request.hop for request in box.requests] == ["anthropic/messages"]


@contract("anthropic._models.FinalRequestOptions")
def test_the_anthropic_sdk_takes_over_the_caller_s_query_and_idempotency_key(box: Sandbox, listener: Listener) -> None:
    told = asked(listener.chat.completions.create, **HELLO, extra_query={"q": "1", "many": ["a", "b"]}).options
    told.idempotency_key = "once"
    options = to_claude({**HELLO, "max_tokens": 50}, asked_for=told)
    with anthropic.Anthropic(api_key=box.api_key, base_url=box.anthropic_url) as client:
        client.request(httpx2.Response, options)

    (request,) = box.requests
    assert options.idempotency_key == "once"
    assert sorted(parse_qsl(request.query)) == [("many[]", "a"), ("many[]", "b"), ("q", "1")]


@contract("anthropic._models.FinalRequestOptions")
def test_a_header_of_ours_that_shall_be_left_out_is_anthropic_s_own_omission(box: Sandbox) -> None:
    options = to_claude({**HELLO, "max_tokens": 50}, {"X-Default": sdk.Omit()})
    with anthropic.Anthropic(
        api_key=box.api_key, base_url=box.anthropic_url, default_headers={"X-Default": "1"}
    ) as client:
        client.request(httpx2.Response, options)

    (request,) = box.requests
    assert isinstance(options.headers["X-Default"], anthropic.Omit)
    assert "x-default" not in request.headers


@pytest.mark.parametrize("token", [None, "own-token"])
@contract("_azure_ad_token_provider")
async def test_a_foundry_client_is_made_of_its_arguments_alone(
    monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    for name in ("FOUNDRY_RESOURCE", "FOUNDRY_BASE_URL", "FOUNDRY_API_KEY", "API_KEY", "AUTH_TOKEN", "BASE_URL"):
        monkeypatch.setenv(f"ANTHROPIC_{name}", "foreign")
    given: dict[str, Any] = {"azure_ad_token_provider": lambda: token} if token else {"api_key": "own-key"}
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={})

    synchronous, asynchronous = sdk.foundry_classes()
    url, transport = "https://one.test/anthropic", httpx2.MockTransport(answer)
    with httpx2.Client(transport=transport) as http:
        client = synchronous(**given, base_url=url, http_client=http)
        client.request(httpx2.Response, to_claude(HELLO))
        client.copy().request(httpx2.Response, to_claude(HELLO))
    async with httpx2.AsyncClient(transport=transport) as other:
        client = asynchronous(**given, base_url=url, http_client=other)
        await client.request(httpx2.Response, to_claude(HELLO))

    assert issubclass(synchronous, anthropic.AnthropicFoundry)
    assert issubclass(asynchronous, anthropic.AsyncAnthropicFoundry)
    assert {str(request.url) for request in sent} == {"https://one.test/anthropic/v1/messages"}
    assert "foreign" not in str([request.headers.raw for request in sent])
    assert "foreign" not in str(vars(client))
    assert [request.headers.get("authorization") for request in sent] == [f"Bearer {token}" if token else None] * 3
    assert [request.headers.get("x-api-key") for request in sent] == [None if token else "own-key"] * 3
    assert {request.headers["user-agent"].partition("/")[0] for request in sent} == {
        "AnthropicFoundry",
        "AsyncAnthropicFoundry",
    }


@pytest.mark.parametrize("token", [None, "own-secret"])
@contract("_get_azure_ad_token")
async def test_a_foundry_client_puts_its_credential_on_the_wire_and_not_into_the_options(token: str | None) -> None:
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={})

    given: dict[str, Any] = {"azure_ad_token_provider": lambda: token} if token else {"api_key": "own-secret"}
    synchronous, asynchronous = sdk.foundry_classes()
    url, transport, options = "https://one.test/anthropic", httpx2.MockTransport(answer), to_claude(HELLO)
    with httpx2.Client(transport=transport) as http:
        client = synchronous(**given, base_url=url, http_client=http)
        client.request(httpx2.Response, options)
        prepared = client._prepare_options(options)
    async with httpx2.AsyncClient(transport=transport) as other:
        client = asynchronous(**given, base_url=url, http_client=other)
        await client.request(httpx2.Response, options)
        awaited = await client._prepare_options(options)

    names = ["authorization"] if token else ["x-api-key", "api-key"]
    words = ["Bearer own-secret"] if token else ["own-secret"] * 2
    assert [[each.headers[name] for name in names] for each in sent] == [words] * 2
    assert "own-secret" not in f"{prepared} {awaited} {options}"


def test_what_the_sdks_log_of_options_is_neither_headers_nor_a_body() -> None:
    made = to_claude(HELLO), outgoing()

    assert [each.model_dump(exclude_unset=True) for each in made] == [
        {"method": "post", "url": "/v1/messages"},
        {"method": "post", "url": "/chat/completions"},
    ]
    assert [type(each.model_copy()) for each in made] == [type(each) for each in made]


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


@contract("__pydantic_private__")
def test_a_route_is_kept_by_copies_and_pickles_and_stays_out_of_the_json() -> None:
    value = CreateEmbeddingResponse(
        data=[],
        model="m",
        object="list",
        usage={"prompt_tokens": 1, "total_tokens": 1},  # type: ignore[arg-type]
    )
    plain = value.to_dict()
    sdk.attach(value, ROUTE)

    assert sdk.route_of(value) is ROUTE
    assert sdk.route_of(value.model_copy()) is ROUTE
    assert sdk.route_of(value.model_copy(deep=True)) == ROUTE
    assert sdk.route_of(pickle.loads(pickle.dumps(value))) == ROUTE
    assert value.to_dict() == plain
    assert "route" not in repr(value)


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


# --- the HTTP library -----------------------------------------------------------------------------------------------


class CountingBackend(httpcore2.NetworkBackend):
    """The real one, which counts."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self.inner, self.connects = inner, 0

    def connect_tcp(self, *arguments: Any, **named: Any) -> httpcore2.NetworkStream:
        self.connects += 1
        return self.inner.connect_tcp(*arguments, **named)


class AsyncCountingBackend(httpcore2.AsyncNetworkBackend):
    """The real one, which counts."""

    def __init__(self, inner: httpcore2.AsyncNetworkBackend) -> None:
        self.inner, self.connects = inner, 0

    async def connect_tcp(self, *arguments: Any, **named: Any) -> httpcore2.AsyncNetworkStream:
        self.connects += 1
        return await self.inner.connect_tcp(*arguments, **named)


@contract("_transport", "_pool", "_network_backend")
def test_a_pool_connects_through_the_backend_that_was_put_in(box: Sandbox) -> None:
    with httpx2.Client() as client:
        (pool,) = sdk.pools(client)
        counting = CountingBackend(sdk.backend(pool))
        sdk.set_backend(pool, counting)
        status = client.get(f"{box.litellm_url}/health/liveliness").status_code

    assert (status, counting.connects) == (200, 1)


@contract("_transport", "_pool", "_network_backend")
async def test_an_asynchronous_pool_connects_through_the_backend_that_was_put_in(box: Sandbox) -> None:
    async with httpx2.AsyncClient() as client:
        (pool,) = sdk.pools(client)
        counting = AsyncCountingBackend(sdk.backend(pool))
        sdk.set_backend(pool, counting)
        status = (await client.get(f"{box.litellm_url}/health/liveliness")).status_code

    assert (status, counting.connects) == (200, 1)


@contract("_mounts")
def test_a_proxy_s_pool_is_found_too() -> None:
    with httpx2.Client(proxy="http://127.0.0.1:9") as client:
        found = list(sdk.pools(client))

    assert [type(pool) for pool in found] == [httpcore2.ConnectionPool, httpcore2.HTTPProxy]


@contract("_transport")
async def test_what_goes_through_no_proxy_goes_through_the_transport_that_was_put_in() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(204)

    async with httpx2.AsyncClient() as client:
        before = sdk.direct(client)
        sdk.set_direct(client, httpx2.MockTransport(answer))
        status = (await client.get("http://one.test")).status_code
        await before.aclose()

    assert isinstance(before, httpx2.AsyncHTTPTransport)
    assert (status, asked) == (204, ["one.test"])


@contract("httpcore2._backends.sync.SyncStream")
def test_a_stream_over_a_socket_reads_and_writes_what_the_other_end_does() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = sdk.stream_over(ours)
        stream.write(b"to them", timeout=1)
        theirs.sendall(b"to us")
        said, heard = theirs.recv(20), stream.read(20, timeout=1)
        with pytest.raises(httpcore2.ReadTimeout):
            stream.read(20, timeout=0.01)
        stream.close()
        over = theirs.recv(20)

    assert (said, heard, over) == (b"to them", b"to us", b"")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://one.test/v1", "http://secure.proxy:3128"),
        ("http://one.test/v1", "http://plain.proxy:3128"),
        ("https://inside.corp.test/v1", None),
        ("https://10.0.0.7/v1", None),
    ],
)
@contract("httpx2._utils.URLPattern", "httpx2._utils.get_environment_proxies")
def test_the_environment_s_proxy_for_a_url_is_the_one_that_a_client_takes(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://secure.proxy:3128")
    monkeypatch.setenv("http_proxy", "plain.proxy:3128")
    monkeypatch.setenv("NO_PROXY", ".corp.test, 10.0.0.7")
    with httpx2.Client() as client:
        taken: Any = client._transport_for_url(httpx2.URL(url))

    assert sdk.proxy_for(url) == proxy
    assert isinstance(taken._pool, httpcore2.HTTPProxy) is (proxy is not None)


@contract("_custom_headers")
def test_what_the_sdk_reads_from_the_environment_by_itself_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Planted: planted")
    with openai.OpenAI(api_key="unused", default_headers={"X-Kept": "1"}) as client:
        before = (client.organization, client.project, dict(client.default_headers).get("OpenAI-Organization"))
        sdk.forget_environment(client, {"X-Kept": "1"})

        after = client.default_headers
        assert before == ("org-1", "proj-1", "org-1")
        assert not {"OpenAI-Organization", "OpenAI-Project"} & {k for k, v in after.items() if isinstance(v, str)}
        assert "X-Planted" not in after
        assert after["X-Kept"] == "1"


@contract("_custom_headers")
def test_what_the_anthropic_sdk_reads_from_the_environment_by_itself_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Planted: planted")
    monkeypatch.setenv("ANTHROPIC_WEBHOOK_SIGNING_KEY", "planted")
    with anthropic.Anthropic(api_key="unused", default_headers={"X-Kept": "1"}) as client:
        before = (client.default_headers.get("X-Planted"), client.webhook_key)
        sdk.forget_environment(client, {"X-Kept": "1"})

        assert before == ("planted", "planted")
        assert "X-Planted" not in client.default_headers
        assert client.default_headers["X-Kept"] == "1"
        assert client.webhook_key is None


@contract("_azure_ad_token")
@pytest.mark.parametrize("own", [None, "own-token"])
def test_a_token_of_the_environment_never_replaces_an_azure_endpoint_s_own_credential(
    monkeypatch: pytest.MonkeyPatch, own: str | None
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "foreign-token")
    settings = EndpointSettings(
        kind="azure", base_url="https://one.test", api_version="2025-04-01-preview",
        **({"ad_token": own} if own else {"api_key": "own-key"}),
    )  # fmt: skip
    made = build("second", settings)
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={"object": "list", "data": []})

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        made.client(http).models.list()

    assert "foreign-token" not in str(sent[0].headers.raw)
    assert sent[0].headers.get("authorization") == (f"Bearer {own}" if own else None)
    assert sent[0].headers.get("api-key") == (None if own else "own-key")


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
