"""What goes over the wire: the bytes of an answer, and how it ends, by fault.  Pure."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Iterator
from typing import Literal

from fault_server.faults import Fault, Reply

Ending = Literal["keep", "close", "reset", "silence"]
"""What becomes of the connection behind the last byte."""

LARGE = 17 * 1024 * 1024
EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n' % (b"x" * 2 * 1024 * 1024)
BOMB = 40 * 1024 * 1024
LOGIN = b"<!doctype html><html><head><title>Sign in</title></head><body>Sign in to continue</body></html>"
TOO_LARGE = b'{"error": {"message": "The request is too large.", "type": null, "param": null, "code": null}}'
_PHRASES = {
    200: "OK", 204: "No Content", 307: "Temporary Redirect", 403: "Forbidden",
    407: "Proxy Authentication Required", 413: "Content Too Large", 502: "Bad Gateway", 504: "Gateway Timeout",
}  # fmt: skip
_OF_A_PROXY = {"connect_407": 407, "connect_403": 403, "connect_502": 502, "connect_504": 504}


def head(status: int, headers: dict[str, str]) -> bytes:
    """The status line and the headers."""
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def refused_tunnel(fault: str) -> bytes:
    """What a proxy says to a CONNECT."""
    return head(_OF_A_PROXY[fault], {"content-length": "0", "connection": "close"})


def written(reply: Reply) -> tuple[bytes, Ending]:
    """The bytes of a reply and what becomes of the connection."""
    headers = dict(reply.headers)
    if reply.ending == "whole":
        if reply.status != 204:
            headers["content-length"] = str(len(reply.body))
        return head(reply.status, headers) + reply.body, "keep"
    chunk = b"%x\r\n%s\r\n" % (len(reply.body), reply.body) if reply.body else b""
    raw = head(reply.status, {**headers, "transfer-encoding": "chunked"}) + chunk
    if reply.ending == "end":
        return raw + b"0\r\n\r\n", "keep"
    return raw, reply.ending


@functools.cache
def bomb() -> bytes:
    """A gzip a thousand times smaller than what is in it."""
    return gzip.compress(b'{"id": "' + b"x" * BOMB)


def replaced(fault: Fault, well: Reply) -> Reply | None:
    """The whole answer that comes in place of a good one; None where what comes is no whole answer."""
    name, zipped = fault.name, {**well.headers, "content-encoding": "gzip"}
    if name == "html_200":
        return Reply(200, {"content-type": "text/html; charset=utf-8"}, LOGIN)
    if name == "empty_200":
        return Reply(200, well.headers)
    if name == "early_413":
        return Reply(413, {"content-type": "application/json", "connection": "close"}, TOO_LARGE)
    if name == "no_content":
        return Reply(204)
    if name == "redirect":
        return Reply(307, {"location": fault.location})
    if name == "oversized":
        return Reply(200, well.headers, b'{"id": "' + b"x" * LARGE + b'"}')
    if name == "large_event":
        return Reply(200, {"content-type": "text/event-stream"}, EVENT, "end")
    if name == "gzip_bad":
        return Reply(200, zipped, b"\x1f\x8b\x08\x00 this is no gzip")
    if name == "gzip_truncated":
        return Reply(200, zipped, gzip.compress(well.body)[:-12])
    if name == "gzip_bomb":
        return Reply(200, zipped, bomb())
    return None


def instead(fault: Fault, well: Reply) -> tuple[bytes, Ending]:
    """The bytes that come in place of a good answer, or that answer where the fault strikes only its bytes."""
    name, body = fault.name, well.body
    made = replaced(fault, well)
    if made is not None:
        return written(made)
    if name in ("close", "keepalive_race"):
        return b"", "close" if name == "close" else "reset"
    if name == "non_http":
        return b"SSH-2.0-OpenSSH_9.6\r\n", "close"
    whole = {**well.headers, "content-length": str(len(body))}
    if name in ("headers_then_timeout", "headers_then_reset"):
        return head(200, whole), "silence" if name.endswith("timeout") else "reset"
    if name == "short_length":
        return head(200, whole) + body[: min(fault.after, len(body) - 1)], "close"
    if name == "bad_chunk":
        part = body[: fault.after]
        chunk = b"%x\r\n%s\r\n" % (len(part), part) if part else b""
        return head(200, {**well.headers, "transfer-encoding": "chunked"}) + chunk + b"XYZ\r\n", "close"
    return written(well)


def slices(raw: bytes, size: int) -> Iterator[bytes]:
    """The bytes in pieces."""
    return (raw[at : at + size] for at in range(0, len(raw), size))
