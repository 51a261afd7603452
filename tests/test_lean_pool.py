"""Our own asynchronous transport: which connection serves a request, how many there are, and whose turn it is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import httpx2
import pytest
from fault_server import Certificates
from lean_cases import REPLY, STREAM, answers, held, made, once
from scripted import Connected, scripted

from chatsheet_llm.limits import limit
from chatsheet_llm.wire import StaleConnection

# --- connections that serve again


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_one_connection_serves_one_request_after_the_other(secure: bool, certificates: Certificates) -> None:
    with scripted(answers, certificates.context(None) if secure else None) as server:
        async with made(ca=certificates.ca) as client:
            replies = [await client.post(server.url, content=b"x") for _ in range(5)]
            proof = replies[-1].extensions["network_stream"].get_extra_info("ssl_object")

    assert [reply.content for reply in replies] == [b"abc"] * 5
    assert len(server.connections) == 1
    assert (proof is not None and proof.selected_alpn_protocol() in (None, "http/1.1")) is secure


async def test_the_connection_that_served_last_serves_next() -> None:
    with scripted(answers) as server:
        async with made() as client:
            await asyncio.gather(*(client.get(server.url) for _ in range(8)))
            opened = len(server.connections)
            used = [(await client.get(server.url)).extensions["network_stream"] for _ in range(4)]

    assert len(server.connections) == opened
    assert len(set(map(id, used))) == 1


AFTER: dict[str, bytes] = {
    "another reply": REPLY + REPLY,
    "garbage": REPLY + b"\x00\x01\x02",
    "the words to close": b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc",
    "an older protocol": b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nabc",
    "a length beside chunks": STREAM.replace(b"\r\n\r\n", b"\r\ncontent-length: 3\r\n\r\n", 1) + b"0\r\n\r\n",
    "a body that HEAD has not": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("name", list(AFTER))
async def test_a_connection_whose_reply_leaves_a_doubt_serves_no_more(name: str) -> None:
    with scripted(once(AFTER[name])) as server:
        async with made() as client:
            for _ in range(2):
                reply = await client.request("HEAD" if "HEAD" in name else "GET", server.url)

                assert reply.content == (b"" if "HEAD" in name else b"abc")
                assert held(client) == []

    assert len(server.connections) == 2


async def test_bytes_that_come_between_two_requests_end_the_connection() -> None:
    def talks(connected: Connected) -> None:
        connected.request()
        connected.send(REPLY)
        time.sleep(0.05)
        connected.send(REPLY.replace(b"abc", b"bad"))
        connected.gone()

    with scripted(talks) as server:
        async with made() as client:
            await client.get(server.url)
            await asyncio.sleep(0.15)
            left = held(client)
            said = (await client.get(server.url)).content

    assert left == []
    assert said == b"abc"


def test_an_end_that_came_while_the_loop_stood_still_is_seen_before_the_next_request() -> None:
    def closes(connected: Connected) -> None:
        connected.request()
        connected.send(REPLY)

    loop = asyncio.new_event_loop()
    with scripted(closes) as server:
        client = made()
        said = []
        for _ in range(3):
            said.append(loop.run_until_complete(client.post(server.url, content=b"x")).content)
            time.sleep(0.05)
        loop.run_until_complete(client.aclose())
    loop.close()

    assert said == [b"abc"] * 3
    assert len(server.connections) == 3


async def test_a_connection_that_rested_too_long_is_not_used_again() -> None:
    with scripted(answers) as server:
        async with made(httpx2.Limits(max_connections=10, keepalive_expiry=0.1)) as client:
            await client.get(server.url)
            await asyncio.sleep(0.15)
            await client.get(server.url)

            assert len(server.connections) == 2
            assert len(held(client)) == 1


async def test_a_stale_connection_is_told_and_takes_those_that_rested_beside_it_along() -> None:
    def forgets(connected: Connected) -> None:
        connected.request()
        connected.send(REPLY)
        if connected.request():
            connected.connection.close()

    with scripted(forgets) as server:
        async with made() as client:
            await asyncio.gather(*(client.get(server.url) for _ in range(3)))
            rested = len(held(client))
            with pytest.raises(httpx2.ReadError) as caught:
                await client.get(server.url)

            assert isinstance(caught.value.__cause__, StaleConnection)
            assert (rested, held(client)) == (3, [])


async def test_a_connection_in_use_since_before_another_was_stale_does_not_rest() -> None:
    late = threading.Event()

    def forgets(connected: Connected) -> None:
        if b"/slow" in connected.request():
            connected.send(STREAM)
            late.wait(5)
            connected.send(b"0\r\n\r\n")
        else:
            connected.send(REPLY)
        connected.request()

    with scripted(forgets) as server:
        async with made() as client:
            async with client.stream("GET", f"{server.url}/slow") as slow:
                await client.get(server.url)
                with pytest.raises(httpx2.ReadError) as caught:
                    await client.get(server.url)
                late.set()
                await slow.aread()

            assert isinstance(caught.value.__cause__, StaleConnection)
            assert slow.content == b"abc"
            assert slow.extensions["network_stream"].is_closed()


# --- how many, and whose turn it is


async def test_no_more_connections_than_allowed_and_everyone_gets_a_turn() -> None:
    with scripted(answers) as server:
        async with made(httpx2.Limits(max_connections=3, keepalive_expiry=9)) as client:
            replies = await asyncio.gather(*(client.get(server.url) for _ in range(50)))

            assert {reply.content for reply in replies} == {b"abc"}
            assert len(server.connections) == 3


async def test_those_who_wait_are_served_in_the_order_they_came() -> None:
    order: list[int] = []

    def slow(connected: Connected) -> None:
        while connected.request():
            time.sleep(0.01)
            connected.send(REPLY)

    async def call(client: httpx2.AsyncClient, url: str, number: int) -> None:
        await client.get(url)
        order.append(number)

    with scripted(slow) as server:
        async with made(httpx2.Limits(max_connections=1, keepalive_expiry=9)) as client:
            await asyncio.gather(*(call(client, server.url, number) for number in range(10)))

    assert order == list(range(10))


async def test_a_turn_is_kept_where_the_place_comes_from_another_server() -> None:
    order: list[int] = []

    async def call(client: httpx2.AsyncClient, url: str, number: int) -> None:
        await client.get(url)
        order.append(number)

    with scripted(answers) as one, scripted(answers) as two:
        async with made(httpx2.Limits(max_connections=1, keepalive_expiry=9)) as client:
            urls = (one.url, two.url, one.url, one.url, two.url, two.url)
            await asyncio.gather(*(call(client, url, number) for number, url in enumerate(urls)))

    assert order == [0, 1, 2, 3, 4, 5]


async def test_who_waits_for_too_long_is_told_so_and_takes_no_place() -> None:
    with scripted(once(STREAM)) as server:
        async with made(httpx2.Limits(max_connections=1, keepalive_expiry=9)) as client:
            async with client.stream("GET", server.url):
                with pytest.raises(httpx2.PoolTimeout):
                    await client.get(server.url, timeout=httpx2.Timeout(3.0, pool=0.05))
                with pytest.raises(httpx2.PoolTimeout), limit(time.monotonic() + 0.05):
                    await client.get(server.url)
                waiting = asyncio.create_task(client.get(server.url))
                await asyncio.sleep(0.01)
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting

            assert held(client) == []
            assert len(server.connections) == 1


async def test_where_all_places_are_taken_another_server_s_idle_connection_makes_room() -> None:
    with scripted(answers) as one, scripted(answers) as two:
        async with made(httpx2.Limits(max_connections=1, keepalive_expiry=9)) as client:
            for server in (one, two, one, two):
                await client.get(server.url, timeout=httpx2.Timeout(3.0, pool=0.5))
                assert len(held(client)) == 1
            await asyncio.gather(*(client.get(server.url) for server in (one, two) * 5))

            assert len(held(client)) == 1
