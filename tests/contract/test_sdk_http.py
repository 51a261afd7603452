"""The private symbols of the HTTP library and of clients' surroundings still are what we take them for."""

from __future__ import annotations

import socket
from typing import Any

import anthropic
import httpcore2
import httpx2
import openai
import pytest
from sdk_contracts import contract

from chatsheet_llm import sdk
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import build
from chatsheet_llm.sandbox import Sandbox


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
