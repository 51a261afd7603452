"""Our own asynchronous transport: a connection that goes straight from one request to another that waited for it."""

from __future__ import annotations

import asyncio
import threading
import time

import httpx2
import pytest
from lean_cases import REPLY, answers, held, made
from scripted import Connected, scripted

WHEN = pytest.mark.parametrize("when", ["before it is given on", "after"])
"""When the event loop stands still while something comes that it has not seen yet."""


@WHEN
async def test_bytes_beyond_a_reply_are_not_read_by_whoever_is_next(when: str) -> None:
    blocked = threading.Event()

    def talks(connected: Connected) -> None:
        connected.request()
        connected.send(REPLY)
        if connected.number == 0:
            blocked.wait(5)
            connected.send(REPLY.replace(b"abc", b"bad"))
            while connected.request():
                connected.send(REPLY)

    def block() -> None:
        blocked.set()
        time.sleep(0.1)

    with scripted(talks) as server:
        async with made(httpx2.Limits(max_connections=1, keepalive_expiry=9)) as client:

            async def first() -> bytes:
                async with client.stream("GET", server.url) as reply:
                    # Its end is here before it is read.
                    await asyncio.sleep(0.05)
                    if when != "after":
                        block()
                        await asyncio.sleep(0)
                    said = await reply.aread()
                if when == "after":
                    block()
                return said

            said = await asyncio.gather(first(), client.get(server.url))

    assert (said[0], said[1].content) == (b"abc", b"abc")
    assert [len(each.requests) for each in server.connections] == [1, 1]


@WHEN
async def test_a_connection_that_ends_as_it_is_given_on_costs_nobody_a_turn(when: str) -> None:
    order: list[int] = []
    places: set[int] = set()
    end = threading.Semaphore(0)

    def closes(connected: Connected) -> None:
        connected.request()
        connected.send(REPLY)
        end.acquire(timeout=5)

    def block() -> None:
        end.release()
        time.sleep(0.02)

    async def call(client: httpx2.AsyncClient, url: str, number: int) -> None:
        async with client.stream("GET", url):
            if when != "after":
                block()
                await asyncio.sleep(0)
        if when == "after":
            block()
        order.append(number)
        await asyncio.sleep(0)
        places.add(len(held(client)))

    with scripted(closes) as server:
        async with made(httpx2.Limits(max_connections=1, keepalive_expiry=9)) as client:
            await asyncio.gather(*(call(client, server.url, number) for number in range(6)))

    assert order == list(range(6))
    assert places <= {0, 1}


async def test_who_is_cancelled_as_a_connection_is_given_on_leaves_it_to_the_next() -> None:
    with scripted(answers) as server:
        async with made(httpx2.Limits(max_connections=1, keepalive_expiry=9)) as client:
            async with client.stream("GET", server.url):
                waiting = asyncio.create_task(client.get(server.url))
                await asyncio.sleep(0.02)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            rested = [connection.is_idle() for connection in held(client)]
            said = (await client.get(server.url)).content

        assert (rested, said) == ([True], b"abc")
        assert held(client) == []
        assert [len(each.requests) for each in server.connections] == [2]
