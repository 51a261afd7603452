"""Random replies, cut at random, through the HTTP library's own transport and ours: the same reply, or none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
from lean_cases import made
from random_replies import Sent, sent

from chatsheet_llm.lean_reply import Reply

REPLIES = 300
STRICTER: tuple[str, ...] = (
    "Invalid HTTP version",
    "Duplicate Content-Length",
    "Content-Length overflow",
    "in Content-Length",
    "Invalid header value char",
    "Unexpected whitespace after header value",
    "in chunk extensions",
    "chunked",
    "a header that frames the body comes after it",
    "what is but information has a body",
    "CR after header value",
)
"""Why our parser refuses what the library's takes: two lengths that are the same, a header over two lines, control
characters, versions nobody speaks, a tab after ``chunked``, a frame where none belongs."""


@contextlib.asynccontextmanager
async def serving(replies: list[Sent]) -> AsyncIterator[str]:
    """A server of these replies, each at the path that is its number."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            reply = replies[int(head.split(b" ", 2)[1][1:])]
            for piece in reply.pieces:
                if writer.transport.is_closing():
                    return
                writer.write(piece)
                await asyncio.sleep(0)
            if not reply.closes:
                await reader.read()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def heard(client: httpx2.AsyncClient, url: str, method: str, patience: float) -> object:
    """What a client makes of a reply: the reply, that it is late, or why there is none."""
    try:
        reply = await client.request(method, url, timeout=httpx2.Timeout(5.0, read=patience))
    except httpx2.ReadTimeout:
        return "late"
    except httpx2.RemoteProtocolError as error:
        return error
    # The library writes this one value in its own way.
    headers = [
        (name.lower(), b"chunked" if name.lower() == b"transfer-encoding" else value)
        for name, value in reply.headers.raw
    ]
    return reply.status_code, reply.http_version, reply.reason_phrase, headers, reply.content


def agree(theirs: object, ours: object) -> bool:
    """Whether ours is what theirs is, or none for a known reason.  What theirs waits for, ours may refuse."""
    if isinstance(theirs, tuple) and isinstance(ours, Exception):
        return any(reason in str(ours) for reason in STRICTER)
    if theirs == "late":
        return not isinstance(ours, tuple)
    return isinstance(ours, Exception) if isinstance(theirs, Exception) else theirs == ours


async def test_what_one_transport_takes_for_a_reply_so_does_the_other() -> None:
    replies = [sent(seed) for seed in range(REPLIES)]
    turns, differ, taken, refused = asyncio.Semaphore(40), [], 0, 0
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=0, keepalive_expiry=0)

    async def compared(number: int, patience: float) -> tuple[object, object]:
        url, method = f"{address}/{number}", replies[number].method
        async with turns:
            return await heard(theirs, url, method, patience), await heard(ours, url, method, patience)

    async with serving(replies) as address, httpx2.AsyncClient(limits=limits) as theirs, made(limits) as ours:
        told = await asyncio.gather(*(compared(number, 0.3) for number in range(REPLIES)))
        for number, pair in enumerate(told):
            # Late may be this machine.
            if not agree(*pair) and not agree(*(await compared(number, 3.0))):
                differ.append((number, replies[number], *pair))
            taken += isinstance(pair[1], tuple)
            refused += isinstance(pair[1], Exception)

    assert differ == []
    assert min(taken, refused) > REPLIES // 4


def outcome(sent: Sent, size: int) -> object:
    """What comes of a reply, its bytes so many at a time."""
    reply, data, body = Reply(), b"".join(sent.pieces), b""
    if sent.method == "HEAD":
        reply.has_no_body()
    try:
        for start in range(0, len(data), size):
            reply.feed(data[start : start + size])
            body += reply.taken()
        if sent.closes:
            reply.end()
    except httpx2.RemoteProtocolError as error:
        return str(error)
    return reply.complete, reply.status, reply.headers, body + reply.taken()


@pytest.mark.parametrize("size", [1, 2, 7])
def test_what_comes_of_a_reply_does_not_hang_on_how_it_is_cut(size: int) -> None:
    for seed in range(2 * REPLIES):
        reply = sent(seed)

        assert outcome(reply, size) == outcome(reply, 2**20), reply
