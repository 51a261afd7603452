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


LONG_HEADS = {
    "one header": OK + b"X-A: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
    "many headers": OK + b"X-A: aaaaaaaaaa\r\n" * (HEAD_BYTES // 8) + b"\r\n",
    "the words beside the status": b"HTTP/1.1 200 " + b"a" * (HEAD_BYTES + 1) + b"\r\n\r\n",
}
LONG_FRAMES = {
    "what frames a chunk": CHUNKED + b"3;" + b"a" * 2 * HEAD_BYTES + b"\r\nabc\r\n",
    "headers after the body": CHUNKED + b"0\r\n" + b"X-A: aaaaaaaaaa\r\n" * (HEAD_BYTES // 8),
    "what comes before the head": b"HTTP/1.1 100 Continue\r\n\r\n" * (HEAD_BYTES // 8),
}


@pytest.mark.parametrize("size", [1000, 10_000_000], ids=["piece by piece", "at once"])
@pytest.mark.parametrize("name", list(LONG_HEADS))
def test_a_head_is_bounded_however_it_comes(name: str, size: int) -> None:
    with pytest.raises(httpx2.RemoteProtocolError, match="too long"):
        fed(LONG_HEADS[name], size)


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
