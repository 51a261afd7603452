"""A reply is read out of bytes alike however they are cut, within bounds, and no further than its end."""

from __future__ import annotations

import httpx2
import pytest

from chatsheet_llm.lean_reply import HEAD_BYTES, Reply

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = (
    b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" + CHUNKED + b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n"
)


def fed(data: bytes, size: int) -> Reply:
    """A reply that was given these bytes, so many at a time."""
    reply = Reply()
    for start in range(0, len(data), size):
        reply.feed(data[start : start + size])
    return reply


@pytest.mark.parametrize("size", range(1, len(WHOLE) + 1))
def test_a_reply_is_the_same_however_its_bytes_are_cut(size: int) -> None:
    reply = fed(WHOLE, size)

    assert (reply.status, reply.reason, reply.version) == (200, b"OK", b"HTTP/1.1")
    assert reply.headers == [(b"Transfer-Encoding", b"chunked")]
    assert reply.taken() == b"abcde"
    assert reply.complete
    assert reply.keeps


@pytest.mark.parametrize("size", [1, len(WHOLE)])
def test_a_byte_after_the_end_leaves_the_connection_to_nobody(size: int) -> None:
    reply = fed(WHOLE + b"H", size)

    assert reply.taken() == b"abcde"
    assert not reply.keeps


LONG = {
    "one header": OK + b"X-A: " + b"a" * HEAD_BYTES + b"\r\n",
    "many headers": OK + b"X-A: aaaaaaaaaa\r\n" * (HEAD_BYTES // 8),
    "many short headers": OK + b"a:\r\n" * (HEAD_BYTES // 4),
    "blanks before a value": OK + b"X-A:" + b" " * HEAD_BYTES + b"a\r\n",
    "the words beside the status": b"HTTP/1.1 200 " + b"a" * (HEAD_BYTES + 1) + b"\r\n",
    "what comes before it": b"HTTP/1.1 103 Early\r\n" + b"X-A: aaaaaaaaaa\r\n" * (HEAD_BYTES // 17) + b"\r\n" + OK,
}
BODIES = {
    "a body": b"Content-Length: 2\r\n\r\nok",
    "a part of a body": b"Content-Length: 3\r\n\r\nok",
    "a long body": b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000,
    "a body of no length": b"Content-Length: 0\r\n\r\n",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a body until the end": b"\r\nok",
    "nothing": b"\r\n",
    "no end": b"X-A: a",
}
LONG_FRAMES = {
    "what frames a chunk": CHUNKED + b"3;" + b"a" * 2 * HEAD_BYTES + b"\r\nabc\r\n",
    "headers after the body": CHUNKED + b"0\r\n" + b"X-A: aaaaaaaaaa\r\n" * (HEAD_BYTES // 8),
    "no end of what comes before the head": b"HTTP/1.1 100 Continue\r\n\r\n" * (HEAD_BYTES // 8),
}


@pytest.mark.parametrize("size", [7, 1000, 65_536, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 262_144, 10_000_000])
@pytest.mark.parametrize("body", list(BODIES))
@pytest.mark.parametrize("name", list(LONG))
def test_a_head_is_bounded_however_it_comes(name: str, body: str, size: int) -> None:
    with pytest.raises(httpx2.RemoteProtocolError, match="the head of the reply is too long"):
        fed(LONG[name] + BODIES[body], size)


@pytest.mark.parametrize("size", [1000, 65_536, HEAD_BYTES - 1, HEAD_BYTES, 10_000_000])
@pytest.mark.parametrize("body", ["a body", "a long body", "chunks"])
def test_the_longest_head_is_as_long_however_it_comes(body: str, size: int) -> None:
    frame, _, content = BODIES[body].partition(b"\r\n\r\n")
    room = HEAD_BYTES - len(OK) - len(frame) - len(b"X-A: \r\n\r\n\r\n")
    longest, longer = (OK + b"X-A: " + b"a" * n + b"\r\n" + frame + b"\r\n\r\n" for n in (room, room + 1))

    assert len(longest) == HEAD_BYTES
    assert fed(longest + content, size).complete
    with pytest.raises(httpx2.RemoteProtocolError, match="the head of the reply is too long"):
        fed(longer + content, size)


@pytest.mark.parametrize("name", list(LONG_FRAMES))
def test_what_stands_around_the_content_is_bounded(name: str) -> None:
    with pytest.raises(httpx2.RemoteProtocolError, match="too long"):
        fed(LONG_FRAMES[name], 1000)


def test_content_is_not_bounded_here() -> None:
    piece = b"x" * 50_000

    assert fed(CHUNKED + b"%x\r\n%b\r\n" % (len(piece), piece) * 50 + b"0\r\n\r\n", 65536).keeps


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_an_end_before_the_last_byte_is_no_reply(cut: int) -> None:
    reply = fed(WHOLE[:cut], 7)

    with pytest.raises(httpx2.RemoteProtocolError, match="the server disconnected"):
        reply.end()


def test_without_a_length_the_end_of_the_connection_is_that_of_the_reply() -> None:
    reply = fed(OK + b"\r\nabc", 5)
    begun = reply.complete
    reply.end()

    assert (begun, reply.complete, reply.keeps, reply.taken()) == (False, True, False, b"abc")


NO_REPLIES = {
    "a status below all others": b"HTTP/1.1 099 OK\r\n\r\n",
    "no status": b"HTTP/1.1 000\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 1000 OK\r\n\r\n",
    "a zero beside the status": b"HTTP/1.1 200 a\0b\r\n\r\n",
    "a blank line before it": b"\r\n" + OK + b"\r\n",
    "another protocol": b"RTSP/1.0 200 OK\r\n\r\n",
    "a coding beside a length": OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
    "a coding before chunks": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a tab after chunks": OK + b"Transfer-Encoding: chunked\t \r\n\r\n0\r\n\r\n",
    "a coding of what comes before it": b"HTTP/1.1 103 Early\r\nTransfer-Encoding: gzip\r\n\r\n" + OK + b"\r\n",
    "a body of what comes before it": b"HTTP/1.1 199 Odd\r\nContent-Length: 3\r\n\r\nabc" + OK + b"\r\n",
    "a length of more digits than any": OK + b"Content-Length: " + b"0" * 20 + b"2\r\n\r\nok",
    "a chunk without the end of its line": CHUNKED + b"2\r\nok\n0\r\n\r\n",
    "a frame after the body": CHUNKED + b"2\r\nok\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
}


@pytest.mark.parametrize("size", [1, 1000], ids=["byte by byte", "at once"])
@pytest.mark.parametrize("name", list(NO_REPLIES))
def test_what_is_no_reply_is_refused_before_its_end(name: str, size: int) -> None:
    with pytest.raises(httpx2.RemoteProtocolError, match=r"^the reply is no HTTP/1\.1: "):
        fed(NO_REPLIES[name], size)


EARLY = {
    "an older protocol": b"HTTP/1.0 100 Continue\r\n\r\n",
    "the words to close": b"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n",
    "a length": b"HTTP/1.1 103 Early\r\nContent-Length: 3\r\n\r\n",
    "chunks": b"HTTP/1.1 102 Early\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("size", [1, 1000], ids=["byte by byte", "at once"])
@pytest.mark.parametrize("name", list(EARLY))
def test_what_is_but_information_says_nothing_of_the_reply_behind_it(name: str, size: int) -> None:
    reply = fed(EARLY[name] + WHOLE, size)

    assert reply.headers == [(b"Transfer-Encoding", b"chunked")]
    assert reply.taken() == b"abcde"
    assert reply.keeps
