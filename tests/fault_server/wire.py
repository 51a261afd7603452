"""What is done with one connection: read a request, pass bytes on, reset.  Knows no fault."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct

PIECE = 64 * 1024
"""Bytes that are read at once."""


def reset(each: socket.socket) -> None:
    """End a connection with a TCP reset."""
    with contextlib.suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw = socket.socket(fileno=each.detach()) if isinstance(each, ssl.SSLSocket) else each
        # A thread that still reads would keep the connection alive.
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RD)
        raw.close()


def forward(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until there are no more, and say so."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def read_request(client: socket.socket, *, whole: bool = True) -> tuple[str, str, dict[str, str], bytes] | None:
    """Read one request, or no more than the beginning of its body; None where the client has no more."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = client.recv(PIECE)
        if not piece:
            return None
        read += piece
    top, _, body = read.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while whole and len(body) < length:
        piece = client.recv(PIECE)
        if not piece:
            return None
        body += piece
    return method, target, headers, body
