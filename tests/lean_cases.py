"""What the tests of our own asynchronous transport share: its client, servers that answer or do not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
from scripted import Connected, Scripted

from chatsheet_llm.lean import LeanTransport
from chatsheet_llm.network import LIMITS, Network

REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"


def made(limits: httpx2.Limits = LIMITS, ca: str | None = None) -> httpx2.AsyncClient:
    """A client of the transport alone."""
    beneath = httpx2.AsyncHTTPTransport()
    return httpx2.AsyncClient(transport=LeanTransport(Network(ca_bundle=ca).trust(), limits, beneath), timeout=3.0)


def held(client: httpx2.AsyncClient) -> list[Any]:
    """The connections that a client holds."""
    return client._transport._pool.connections  # type: ignore[attr-defined,no-any-return]


def answers(connected: Connected) -> None:
    """Answer every request."""
    while connected.request():
        connected.send(REPLY)


def once(reply: bytes) -> Callable[[Connected], None]:
    """Answer the first request of a connection with these bytes, and wait for the client to go."""

    def does(connected: Connected) -> None:
        connected.request()
        connected.send(reply)
        connected.gone(5)

    return does


async def pieces(*given: bytes | float) -> AsyncIterator[bytes]:
    for piece in given:
        if isinstance(piece, float):
            await asyncio.sleep(piece)
        else:
            yield piece


def asked(connected: Connected) -> None:
    """Hear a request, and answer nothing."""
    connected.head()
    connected.gone(5)


async def gone(server: Scripted) -> None:
    """Wait until the client has ended every connection."""
    assert await asyncio.to_thread(lambda: all(each.ended.wait(2) for each in server.connections))


@contextlib.contextmanager
def blackhole(address: tuple[str, int]) -> Iterator[tuple[str, int]]:
    """An address that answers no connection: its queue is full."""
    with contextlib.ExitStack() as open_ones:
        listener = open_ones.enter_context(socket.create_server(address, backlog=0))
        for _ in range(4):
            filler = open_ones.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener.getsockname()
