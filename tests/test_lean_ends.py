"""Our own asynchronous transport: what ends before its time, or takes too long, leaves no connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

import httpx2
import pytest
from fault_server import Certificates
from lean_cases import REPLY, STREAM, answers, asked, gone, held, made, once
from scripted import Connected, scripted

from chatsheet_llm.classify import classify_exception
from chatsheet_llm.limits import limit
from chatsheet_llm.network import Network, hang_up

# --- what ends early


async def test_a_server_that_hangs_up_before_it_is_asked_has_no_reply() -> None:
    with scripted(lambda _: None) as server:
        async with made() as client:
            for _ in range(20):
                with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
                    await client.post(server.url, content=b"x")

            assert held(client) == []


async def test_what_a_server_says_before_it_is_asked_is_its_reply() -> None:
    def refuses(connected: Connected) -> None:
        connected.send(b"HTTP/1.1 503 Too many\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc")
        connected.gone()

    with scripted(refuses) as server:
        async with made() as client:
            replies = [await client.post(server.url, content=b"x") for _ in range(5)]

            assert [(reply.status_code, reply.content) for reply in replies] == [(503, b"abc")] * 5
            assert held(client) == []


HEADS = {
    "and a body": b"content-length: 2\r\n\r\nok",
    "and a part of a body": b"content-length: 4\r\n\r\nok",
    "and no body": b"content-length: 0\r\n\r\n",
    "and no length": b"\r\nok",
    "and no end": b"x-a: a",
}


@pytest.mark.parametrize("closes", [False, True], ids=["waits", "closes"])
@pytest.mark.parametrize("name", list(HEADS))
async def test_a_head_that_is_too_long_is_refused_at_once(name: str, closes: bool) -> None:
    def answers_at_length(connected: Connected) -> None:
        connected.request()
        connected.send(b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 99_000)
        time.sleep(0.03)
        connected.send(b"a" * 20_000 + b"\r\n" + HEADS[name])
        if not closes:
            connected.gone(5)

    with scripted(answers_at_length) as server:
        async with made() as client:
            begun = time.monotonic()
            with pytest.raises(httpx2.RemoteProtocolError, match="the head of the reply is too long") as caught:
                await client.get(server.url)
            took = time.monotonic() - begun
            failure = classify_exception(caught.value)

            assert took < 1.0
            assert failure is not None
            assert failure.fault == "reset"
            assert held(client) == []


STAGES: dict[str, Callable[[Connected], object]] = {"in the request": asked, "in the body": once(STREAM)}


@pytest.mark.parametrize("stage", list(STAGES))
async def test_who_is_cancelled_leaves_no_connection(stage: str) -> None:
    with scripted(STAGES[stage]) as server:
        async with made() as client:
            task = asyncio.create_task(client.post(server.url, content=b"x"))
            await asyncio.sleep(0.1)
            during = len(held(client))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

            assert (during, held(client)) == (1, [])
            await gone(server)


@pytest.mark.parametrize("rest", [0.0, 0.0002, 0.001, 0.003])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_nor_does_who_is_cancelled_at_any_moment(rest: float, secure: bool, certificates: Certificates) -> None:
    with scripted(answers, certificates.context(None) if secure else None) as server:
        async with made(httpx2.Limits(max_connections=2, keepalive_expiry=9), ca=certificates.ca) as client:
            for number in range(20):
                tasks = [asyncio.create_task(client.post(server.url, content=b"x")) for _ in range(4)]
                await asyncio.sleep(rest * number / 10)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

                assert all(connection.is_idle() for connection in held(client))
            replies = await asyncio.gather(*(client.get(server.url) for _ in range(4)))

            assert [reply.content for reply in replies] == [b"abc"] * 4


@pytest.mark.parametrize("reads", [0, 1], ids=["unread", "half read"])
async def test_a_reply_that_is_left_before_its_end_closes_its_connection(reads: int) -> None:
    with scripted(once(STREAM)) as server:
        async with made() as client:
            async with client.stream("GET", server.url) as reply:
                body = reply.aiter_raw()
                for _ in range(reads):
                    await anext(body)

            assert held(client) == []
            await gone(server)


async def test_a_reply_that_is_here_to_its_end_gives_its_connection_back_unread() -> None:
    with scripted(answers) as server:
        async with made() as client:
            for _ in range(3):
                async with client.stream("GET", server.url):
                    await asyncio.sleep(0.02)

            assert len(server.connections) == 1
            assert [connection.is_idle() for connection in held(client)] == [True]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_body_that_is_read_after_it_was_closed_takes_nothing_of_the_next_reply(begun: bool) -> None:
    with scripted(answers) as server:
        async with made() as client:
            async with client.stream("GET", server.url) as left:
                body = aiter(cast("httpx2.AsyncByteStream", left.stream))
                await asyncio.sleep(0.02)
                early = [await anext(body)] if begun else []
            async with client.stream("GET", server.url) as reply:
                late = [chunk async for chunk in body]

                assert (early, late) == ([b"abc"] * begun, [])
                assert await reply.aread() == b"abc"

    assert len(server.connections) == 1


async def test_a_client_that_is_closed_ends_what_is_under_way() -> None:
    with scripted(asked) as server:
        client = made(httpx2.Limits(max_connections=1, keepalive_expiry=9))
        running = asyncio.create_task(client.get(server.url))
        waiting = asyncio.create_task(client.get(server.url))
        await asyncio.sleep(0.05)
        await client.aclose()

        with pytest.raises(httpx2.ReadError):
            await running
        with pytest.raises(httpx2.PoolTimeout):
            await waiting
        assert held(client) == []


async def test_hanging_up_ends_connections_without_their_loop() -> None:
    with scripted(answers) as server:
        client = Network().async_client()
        await client.get(server.url)
        hang_up(client)

        await gone(server)
        await client.aclose()


# --- time


@pytest.mark.parametrize(
    ("timeout", "kind"),
    [
        (httpx2.Timeout(3.0, read=0.1), httpx2.ReadTimeout),
        (httpx2.Timeout(None, read=0.1), httpx2.ReadTimeout),
    ],
)
async def test_silence_is_counted_from_the_last_byte(timeout: httpx2.Timeout, kind: type[Exception]) -> None:
    def drips(connected: Connected) -> None:
        connected.request()
        for byte in STREAM + b"3\r\nabc\r\n":
            connected.send(bytes([byte]))
            time.sleep(0.005)
        connected.gone(5)

    with scripted(drips) as server:
        async with made() as client:
            begun = time.monotonic()
            with pytest.raises(kind):
                await client.get(server.url, timeout=timeout)
            took = time.monotonic() - begun

    assert 0.3 < took < 1.0


async def test_the_limit_ends_a_drip_of_bytes_and_a_later_one_holds_for_the_next_request() -> None:
    def drips(connected: Connected) -> None:
        while connected.request():
            for byte in REPLY:
                connected.send(bytes([byte]))
                time.sleep(0.005)

    with scripted(drips) as server:
        async with made() as client:
            begun = time.monotonic()
            with limit(begun + 3.0):
                await client.get(server.url)
            whole, begun = time.monotonic() - begun, time.monotonic()
            with limit(begun + 0.1), pytest.raises(httpx2.ReadTimeout):
                await client.get(server.url)
            cut = time.monotonic() - begun

    assert 0.09 < cut < 0.2 < whole


async def test_a_body_that_nobody_takes_is_told_as_late_to_be_written() -> None:
    with scripted(lambda _: server.over.wait(5)) as server:
        async with made() as client:
            for timeout, left in ((0.2, 60.0), (3.0, 0.5)):
                with pytest.raises(httpx2.WriteTimeout), limit(time.monotonic() + left):
                    await client.post(server.url, content=b"x" * 2**25, timeout=httpx2.Timeout(3.0, write=timeout))

            assert held(client) == []
