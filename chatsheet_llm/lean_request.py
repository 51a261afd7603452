"""The bytes of an HTTP/1.1 request.  Writes nothing that would break out of its line or belie its own length."""

from __future__ import annotations

import re
from functools import lru_cache

import httpx2

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_INLINE = bytes(set(range(256)) - set(b"\0\r\n\v\f"))
"""What a line may hold."""
_FRAMES = {b"content-length", b"transfer-encoding"}
"""Headers that say how long the body is."""


@lru_cache(maxsize=512)
def _frames(name: bytes) -> bytes | None:
    """Return the header's name in lower case where it frames the body.  Raises LocalProtocolError for none at all."""
    if not _TOKEN.fullmatch(name):
        raise httpx2.LocalProtocolError("the name of a header holds a character that it may not")
    return name.lower() if name.lower() in _FRAMES else None


class Framing:
    """How a body is written: in chunks, or as the length that was announced."""

    __slots__ = ("_chunked", "_left")

    def __init__(self, length: int, *, chunked: bool) -> None:
        self._left, self._chunked = length, chunked

    def piece(self, data: bytes) -> bytes:
        """Return the bytes of a piece of the body.  Raises LocalProtocolError for more than was announced."""
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._left -= len(data)
        if self._left < 0:
            raise httpx2.LocalProtocolError("the body is longer than its Content-Length")
        return data

    def end(self) -> bytes:
        """Return what ends the body.  Raises LocalProtocolError for less than was announced."""
        if self._chunked:
            return b"0\r\n\r\n"
        if self._left:
            raise httpx2.LocalProtocolError("the body is shorter than its Content-Length")
        return b""


def head_of(request: httpx2.Request) -> tuple[bytes, Framing]:
    """Return the request's first line and headers, and how its body is written.  Raises LocalProtocolError."""
    length, chunked = 0, False
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    if lines[0].count(b" ") != 2:
        raise httpx2.LocalProtocolError("the method or the path holds a space")
    for name, value in request.headers.raw:
        frame = _frames(name)
        if value != value.strip():
            raise httpx2.LocalProtocolError("the value of a header begins or ends with a space")
        if frame == b"content-length":
            if not value.isdigit():
                raise httpx2.LocalProtocolError("the Content-Length is no number")
            length = int(value)
        elif frame is not None:
            chunked = True
            if value.lower() != b"chunked":
                raise httpx2.LocalProtocolError("the only Transfer-Encoding is chunked")
        lines.append(b"%b: %b" % (name, value))
    lines += (b"", b"")
    head = b"\r\n".join(lines)
    if len(head.translate(None, _INLINE)) != 2 * len(lines) - 2:
        raise httpx2.LocalProtocolError("a header or the path holds a line break or another control character")
    return head, Framing(length, chunked=chunked)
