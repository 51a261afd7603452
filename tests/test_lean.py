"""Where our own asynchronous transport is used, and where it connects to."""

from __future__ import annotations

import functools
import socket
import time
from typing import Any

import httpcore2
import httpx2
import pytest
from lean_cases import answers, blackhole, held, made
from scripted import scripted

from chatsheet_llm.lean import LeanTransport
from chatsheet_llm.network import Network


def test_what_goes_through_no_proxy_has_our_transport_and_what_does_has_the_library_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inside.test")

    def ours(client: Any, url: str) -> bool:
        return isinstance(client._transport_for_url(httpx2.URL(url)), LeanTransport)

    client = Network().async_client()
    own = Network(proxy="http://own.test:1").async_client()

    assert ours(client, "https://inside.test/")
    assert ours(client, "http://one.test/")
    assert not ours(client, "https://one.test/")
    assert not ours(own, "https://one.test/")


async def test_what_it_does_not_know_is_left_to_the_transport_beneath() -> None:
    seen: list[str] = []

    async def trace(name: str, _: object) -> None:
        seen.append(name)

    with scripted(answers) as server:
        async with Network().async_client() as client:
            reply = await client.get(server.url, extensions={"trace": trace})

    assert reply.content == b"abc"
    assert any(name.startswith("http11.") for name in seen)


async def test_a_name_s_addresses_are_tried_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(answers) as server:
        port = int(server.url.rpartition(":")[2])
        tried = ("127.0.0.2", "127.0.0.1")
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in tried]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with blackhole(("127.0.0.2", port)):
            async with made() as client:
                begun = time.monotonic()
                reply = await client.get(f"http://two.test:{port}")
                took = time.monotonic() - begun

    assert reply.content == b"abc"
    assert 0.2 < took < 1.0


async def test_an_address_that_never_answers_is_given_up_in_time() -> None:
    with blackhole(("127.0.0.1", 0)) as (host, port):
        async with made() as client:
            begun = time.monotonic()
            with pytest.raises(httpx2.ConnectTimeout):
                await client.get(f"http://{host}:{port}", timeout=httpx2.Timeout(3.0, connect=0.1))
            took = time.monotonic() - begun

            assert took < 0.5
            assert held(client) == []


@pytest.mark.parametrize("cls", [httpx2.AsyncHTTPTransport, httpcore2.AsyncConnectionPool])
async def test_what_was_put_in_the_place_of_the_librarys_transport_sees_every_request(
    cls: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    original = cls.handle_async_request

    async def watching(self: Any, request: Any) -> Any:
        seen.append(str(request.url))
        return await original(self, request)

    with scripted(answers) as server:
        async with made() as client:
            await client.get(server.url)
            before = len(seen)
            monkeypatch.setattr(cls, "handle_async_request", functools.update_wrapper(watching, original))
            await client.get(server.url)
            during = len(seen)
            monkeypatch.undo()
            await client.get(server.url)

    assert (before, during, len(seen)) == (0, 1, 1)
