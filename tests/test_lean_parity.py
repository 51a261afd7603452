"""The same bytes of a server through the HTTP library's own transport and through ours: the same reply, or failure."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import httpx2
import pytest
from scripted import Connected, scripted

from chatsheet_llm.network import Network

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Raw:
    """What a server sends, in how many pieces, and what it does then."""

    data: bytes
    then: Literal["waits", "closes"] = "closes"
    method: str = "GET"


WELL: Mapping[str, Raw] = {
    "length": Raw(JSON + b"content-length: 7\r\n\r\n" + b'{"a":1}', "waits"),
    "no body": Raw(OK + b"content-length: 0\r\n\r\n", "waits"),
    "chunks": Raw(CHUNKED + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", "waits"),
    "chunks in capitals": Raw(CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", "waits"),
    "spaces around the encoding": Raw(OK + b"transfer-encoding:  chunked  \r\n\r\n3\r\nabc\r\n0\r\n\r\n", "waits"),
    "a chunk with spaces after its size": Raw(CHUNKED + b"3  \r\nabc\r\n0\r\n\r\n", "waits"),
    "a chunk with an extension": Raw(CHUNKED + b"3;name=value\r\nabc\r\n0\r\n\r\n", "waits"),
    "chunks with a trailer": Raw(CHUNKED + b"3\r\nabc\r\n0\r\nX-After: 1\r\n\r\n", "waits"),
    "until the end": Raw(OK + b"\r\nabc"),
    "until the end, nothing": Raw(OK + b"\r\n"),
    "close": Raw(OK + b"connection: close\r\ncontent-length: 3\r\n\r\nabc"),
    "HTTP/1.0": Raw(b"HTTP/1.0 200 OK\r\n\r\nabc"),
    "HTTP/1.0 kept": Raw(b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "no words": Raw(b"HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "other words": Raw(b"HTTP/1.1 404 Nothing like it\r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "an odd status": Raw(b"HTTP/1.1 799 Odd\r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "204": Raw(b"HTTP/1.1 204 No Content\r\n\r\n", "waits"),
    "304 with a length": Raw(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n", "waits"),
    "HEAD": Raw(OK + b"content-length: 3\r\n\r\n", "waits", "HEAD"),
    "HEAD of chunks": Raw(OK + b"transfer-encoding: chunked\r\n\r\n", "waits", "HEAD"),
    "100 before": Raw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 3\r\n\r\nabc", "waits"),
    "103 with a header before": Raw(
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK + b"content-length: 3\r\n\r\nabc", "waits"
    ),
    "several before": Raw(b"HTTP/1.1 102 Processing\r\n\r\n" * 9 + OK + b"content-length: 3\r\n\r\nabc", "waits"),
    "HTTP/1.0 before": Raw(b"HTTP/1.0 100 Continue\r\n\r\n" + OK + b"content-length: 3\r\n\r\nabc", "waits"),
    "100 with close before": Raw(
        b"HTTP/1.1 100 Continue\r\nconnection: close\r\n\r\n" + OK + b"content-length: 3\r\n\r\nabc", "waits"
    ),
    "103 with a length before": Raw(
        b"HTTP/1.1 103 Early Hints\r\ncontent-length: 3\r\n\r\n" + OK + b"content-length: 3\r\n\r\nabc", "waits"
    ),
    "a header twice": Raw(OK + b"X-A: 1\r\nX-A: 2\r\ncontent-length: 0\r\n\r\n", "waits"),
    "a header without a value": Raw(OK + b"X-A:\r\nX-B: \r\ncontent-length: 0\r\n\r\n", "waits"),
    "spaces around a value": Raw(OK + b"X-A:   one  two\t \r\ncontent-length: 0\r\n\r\n", "waits"),
    "bytes beyond ASCII in a value": Raw(OK + b"X-A: caf\xc3\xa9\r\ncontent-length: 0\r\n\r\n", "waits"),
    "many headers": Raw(OK + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(200)) + b"content-length: 0\r\n\r\n"),
    "a long header": Raw(OK + b"X-A: " + b"a" * 60_000 + b"\r\ncontent-length: 0\r\n\r\n"),
    "gzip": Raw(OK + b"content-encoding: gzip\r\ncontent-length: 23\r\n\r\n" + gzip.compress(b"abc", mtime=0)),
    "a redirect": Raw(b"HTTP/1.1 307 Elsewhere\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n", "waits"),
    "bytes after the end": Raw(OK + b"content-length: 3\r\n\r\nabcHTTP/1.1 500 Not asked for\r\n\r\n", "waits"),
    "garbage after the end": Raw(OK + b"content-length: 3\r\n\r\nabc\x00\x01garbage", "waits"),
    "a length beside chunks": Raw(
        OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "waits"
    ),
    "lines that end without a carriage return": Raw(b"HTTP/1.1 200 OK\ncontent-length: 3\n\nabc", "waits"),
    "200 KB": Raw(OK + b"content-length: 200000\r\n\r\n" + b"x" * 200_000, "waits"),
}
BROKEN: Mapping[str, Raw] = {
    "another protocol": Raw(b"HTTP/1.1 101 Other\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "waits"),
    "another protocol, unnamed": Raw(b"HTTP/1.1 101 Other\r\n\r\n", "waits"),
    "nothing": Raw(b""),
    "half a line": Raw(b"HTTP/1.1 20"),
    "half a head": Raw(JSON),
    "short of its length": Raw(OK + b"content-length: 9\r\n\r\nabc"),
    "short of its length, at once": Raw(OK + b"content-length: 9\r\n\r\n"),
    "half a chunk": Raw(CHUNKED + b"9\r\nabc"),
    "no last chunk": Raw(CHUNKED + b"3\r\nabc\r\n"),
    "no end of the last chunk": Raw(CHUNKED + b"3\r\nabc\r\n0\r\n"),
    "a chunk of no length": Raw(CHUNKED + b"3\r\nabc\r\nnot a length\r\n", "waits"),
    "a chunk that is longer than it says": Raw(CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n", "waits"),
    "a length that is no number": Raw(OK + b"content-length: many\r\n\r\n", "waits"),
    "a negative length": Raw(OK + b"content-length: -1\r\n\r\n", "waits"),
    "two lengths": Raw(OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "waits"),
    "another transfer encoding": Raw(OK + b"transfer-encoding: gzip\r\n\r\nabc"),
    "another transfer encoding beside a length": Raw(
        OK + b"transfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc", "waits"
    ),
    "another transfer encoding before chunks": Raw(
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "waits"
    ),
    "two transfer encodings": Raw(
        OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "waits"
    ),
    "a transfer encoding before the reply": Raw(
        b"HTTP/1.1 103 Early Hints\r\ntransfer-encoding: gzip\r\n\r\n" + OK + b"content-length: 0\r\n\r\n", "waits"
    ),
    "a transfer encoding after the body": Raw(CHUNKED + b"3\r\nabc\r\n0\r\ntransfer-encoding: gzip\r\n\r\n", "waits"),
    "a chunk that ends without a carriage return": Raw(CHUNKED + b"3\r\nabc\n0\r\n\r\n", "waits"),
    "a length of too many digits": Raw(OK + b"content-length: " + b"0" * 20 + b"3\r\n\r\nabc", "waits"),
    "a blank line before": Raw(b"\r\n" + OK + b"content-length: 3\r\n\r\nabc", "waits"),
    "RTSP": Raw(b"RTSP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "SSH": Raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a page without a head": Raw(b"<html><body>Hello</body></html>"),
    "zeros": Raw(bytes(1000), "waits"),
    "TLS": Raw(b"\x15\x03\x01\x00\x02\x02\x46", "waits"),
    "no status": Raw(b"HTTP/1.1 OK\r\n\r\n", "waits"),
    "a status of two digits": Raw(b"HTTP/1.1 20 OK\r\n\r\n", "waits"),
    "a status of four digits": Raw(b"HTTP/1.1 1000 OK\r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "a status below 100": Raw(b"HTTP/1.1 099 OK\r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "a zero beside the status": Raw(b"HTTP/1.1 200 a\x00b\r\ncontent-length: 3\r\n\r\nabc", "waits"),
    "a header without a colon": Raw(OK + b"nothing to see\r\n\r\n", "waits"),
    "a space before the colon": Raw(OK + b"X-A : 1\r\n\r\n", "waits"),
    "a zero in a header": Raw(OK + b"X-A: a\x00b\r\n\r\n", "waits"),
    "a head without end": Raw(OK + b"X-A: " + b"a" * 400_000, "waits"),
    "a long head before a body": Raw(
        OK + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(20_000)) + b"content-length: 3\r\n\r\nabc", "waits"
    ),
    "headers without end": Raw(OK + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(40_000)), "waits"),
}


async def heard(client: httpx2.AsyncClient, raw: Raw) -> object:
    """What a client makes of a server's bytes: the reply, or the class of its failure."""

    def answers(connected: Connected) -> None:
        connected.head()
        connected.send(raw.data)
        if raw.then == "waits":
            connected.gone(5)

    with scripted(answers) as server:
        async with client:
            try:
                reply = await client.request(raw.method, server.url, timeout=1.0)
            except httpx2.HTTPError as error:
                return type(error)
    told = (reply.status_code, reply.http_version, reply.reason_phrase, reply.headers.raw, reply.content)
    return (*told[:3], [(name.lower(), value) for name, value in told[3]], told[4])


def ours() -> httpx2.AsyncClient:
    client = Network().async_client()
    # What is refused before it is read is not the transport's to say.
    client.event_hooks = {}
    return client


@pytest.mark.parametrize("name", list(WELL))
async def test_a_reply_is_the_same_as_through_the_library_s_own_transport(name: str) -> None:
    theirs = await heard(httpx2.AsyncClient(), WELL[name])

    assert isinstance(theirs, tuple)
    assert await heard(ours(), WELL[name]) == theirs


@pytest.mark.parametrize("name", list(BROKEN))
async def test_what_is_no_reply_fails_alike(name: str) -> None:
    theirs = await heard(httpx2.AsyncClient(), BROKEN[name])

    assert theirs is httpx2.RemoteProtocolError
    assert await heard(ours(), BROKEN[name]) is theirs


STRICTER: Mapping[str, Raw] = {
    "the same length twice": Raw(OK + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc"),
    "a header over two lines": Raw(OK + b"X-A: one\r\n two\r\ncontent-length: 3\r\n\r\nabc"),
    "a control character in a header": Raw(OK + b"X-A: a\x01b\r\ncontent-length: 3\r\n\r\nabc"),
    "a version that nobody speaks": Raw(b"HTTP/1.2 200 OK\r\ncontent-length: 3\r\n\r\nabc"),
    "a tab after chunks": Raw(OK + b"transfer-encoding: chunked\t\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    "a space within an extension": Raw(CHUNKED + b"3; a=b\r\nabc\r\n0\r\n\r\n"),
    "a length after the body": Raw(CHUNKED + b"3\r\nabc\r\n0\r\ncontent-length: 3\r\n\r\n"),
    "199 with a length before": Raw(
        b"HTTP/1.1 199 Odd\r\ncontent-length: 3\r\n\r\n" + OK + b"content-length: 3\r\n\r\nabc", "waits"
    ),
}


@pytest.mark.parametrize("name", list(STRICTER))
async def test_our_parser_does_not_take_all_that_the_library_s_takes(name: str) -> None:
    assert isinstance(await heard(httpx2.AsyncClient(), STRICTER[name]), tuple)
    assert await heard(ours(), STRICTER[name]) is httpx2.RemoteProtocolError


@pytest.mark.parametrize("name", ["SSH", "a page without a head"])
async def test_what_is_no_reply_from_its_first_byte_is_not_waited_for(name: str) -> None:
    raw = Raw(BROKEN[name].data, "waits")

    assert await heard(httpx2.AsyncClient(), raw) is httpx2.ReadTimeout
    assert await heard(ours(), raw) is httpx2.RemoteProtocolError
