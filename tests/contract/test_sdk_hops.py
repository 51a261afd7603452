"""The private symbols that a request to a hop is made with still are what we take them for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import anthropic
import httpx2
import openai
import pytest
from sdk_contracts import HELLO, TIMEOUT, Listener, asked, contract

from chatsheet_llm import sdk
from chatsheet_llm.sandbox import Sandbox


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
