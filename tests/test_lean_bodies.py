"""Our own asynchronous transport: bodies both ways, and what is not written."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fault_server import Certificates
from lean_cases import STREAM, answers, held, made, once, pieces
from scripted import Connected, scripted

from chatsheet_llm import lean_http

# --- bodies


async def test_no_more_of_a_body_is_held_than_its_reader_can_follow() -> None:
    sent = [0]

    def floods(connected: Connected) -> None:
        connected.request()
        connected.send(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n")
        for _ in range(1024):
            connected.send(b"x" * 65536)
            sent[0] += 65536

    with scripted(floods) as server:
        async with made() as client, client.stream("GET", server.url) as reply:
            await asyncio.sleep(0.3)
            (connection,) = held(client)
            waiting, most = connection.reply.held, sent[0]
            size, largest = 0, 0
            async for chunk in reply.aiter_raw():
                size, largest = size + len(chunk), max(largest, len(chunk))

    assert lean_http.BUFFER_BYTES < waiting <= lean_http.BUFFER_BYTES + 2**18
    assert most < 2**25
    assert size == 2**26
    assert largest <= lean_http.BUFFER_BYTES + 2**18


async def test_what_comes_at_once_is_handed_out_at_once() -> None:
    events = [b"data: %d\n\n" % number for number in range(200)]
    burst = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)

    with scripted(once(STREAM[:-8] + burst + b"0\r\n\r\n")) as server:
        async with made() as client, client.stream("GET", server.url) as reply:
            await asyncio.sleep(0.1)
            chunks = [chunk async for chunk in reply.aiter_raw()]

    assert chunks == [b"".join(events)]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_large_bodies_pass_both_ways_whole(secure: bool, certificates: Certificates) -> None:
    body = bytes(range(256)) * 2**15

    def echoes(connected: Connected) -> None:
        while request := connected.request():
            back = request.partition(b"\r\n\r\n")[2]
            connected.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(back) + back)

    with scripted(echoes, certificates.context(None) if secure else None) as server:
        async with made(ca=certificates.ca) as client:
            for _ in range(2):
                async with client.stream("POST", server.url, content=body) as reply:
                    chunks = []
                    async for chunk in reply.aiter_raw():
                        chunks.append(chunk)
                        await asyncio.sleep(0)

                assert b"".join(chunks) == body

    assert len(server.connections) == 1


@pytest.mark.parametrize("length", [None, 8], ids=["chunks", "length"])
async def test_a_body_that_comes_in_pieces_is_sent_as_it_comes(length: int | None) -> None:
    headers = {} if length is None else {"content-length": str(length)}
    with scripted(answers) as server:
        async with made() as client:
            reply = await client.post(server.url, content=pieces(b"ab", 0.01, b"", b"cdefgh"), headers=headers)
            again = await client.post(server.url, content=b"x")

    body = server.requests[0].partition(b"\r\n\r\n")[2]
    assert (reply.content, again.content) == (b"abc", b"abc")
    assert body == (b"2\r\nab\r\n6\r\ncdefgh\r\n0\r\n\r\n" if length is None else b"abcdefgh")
    assert len(server.connections) == 1


@pytest.mark.parametrize("given", [(b"ab",), (b"abcdefghi",)], ids=["too little", "too much"])
async def test_a_body_that_belies_its_length_is_given_up(given: tuple[bytes, ...]) -> None:
    with scripted(answers) as server:
        async with made() as client:
            with pytest.raises(httpx2.LocalProtocolError, match="Content-Length"):
                await client.post(server.url, content=pieces(*given), headers={"content-length": "8"})

            assert held(client) == []


async def test_a_body_that_fails_in_its_middle_leaves_no_connection() -> None:
    async def fails() -> AsyncIterator[bytes]:
        yield b"ab"
        raise ZeroDivisionError

    with scripted(answers) as server:
        async with made() as client:
            with pytest.raises(ZeroDivisionError):
                await client.post(server.url, content=fails())

            assert held(client) == []


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "in pieces"])
async def test_a_reply_that_refuses_a_body_in_its_middle_is_heard_and_ends_the_connection(streamed: bool) -> None:
    heard = threading.Event()

    def refuses(connected: Connected) -> None:
        connected.head()
        connected.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\na")
        heard.wait(5)
        connected.send(b"bc")
        # What of the body is on its way fills the buffers of the system.
        server.over.wait(5)

    body: Any = pieces(*[b"x" * 2**20] * 64) if streamed else b"x" * 2**26
    with scripted(refuses) as server:
        async with made() as client:
            async with client.stream("POST", server.url, content=body) as reply:
                heard.set()
                await reply.aread()

            assert (reply.status_code, reply.content) == (413, b"abc")
            assert held(client) == []


# --- what is not written


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "one\r\nX-B: two"},
        {"X-A": "one\ntwo"},
        {"X-A": "one\rtwo"},
        {"X-A": "one\0two"},
        {"X-A: one\r\nX-B": "two"},
        {"X A": "one"},
        {"": "one"},
        {"X-A": "one "},
        {"Transfer-Encoding": "gzip"},
        {"Content-Length": "+1"},
    ],
    ids=repr,
)
async def test_a_header_that_would_break_out_of_its_line_is_not_sent(headers: dict[str, str]) -> None:
    with scripted(answers) as server:
        async with made() as client, httpx2.AsyncClient() as theirs:
            with pytest.raises(httpx2.LocalProtocolError):
                await client.post(server.url, content=b"x", headers=headers)
            with pytest.raises(httpx2.LocalProtocolError):
                await theirs.post(server.url, content=b"x", headers=headers)

            assert held(client) == []
    assert server.requests == []


async def test_both_transports_write_the_same_request() -> None:
    def parts(request: bytes) -> tuple[bytes, list[bytes], bytes]:
        head, _, body = request.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        return line, sorted(headers), body

    with scripted(answers) as server:
        for client in (made(), httpx2.AsyncClient()):
            async with client:
                url = f"{server.url}/a%20b/c?d=e f&g=ü"
                await client.post(url, json={"a": "ü"}, headers={"X-A": b"caf\xe9", "X-B": "", "Cookie": "a=b"})
                await client.request("DELETE", url)
                await client.put(url, content=pieces(b"ab", b"c"))

    ours, theirs = server.requests[:3], server.requests[3:]
    assert [parts(request) for request in ours] == [parts(request) for request in theirs]
