"""Ask a fault server something, and say what came of it.  Judges nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

from fault_server.faults import Reply
from fault_server.server import FaultServer

BODY = b"0123456789" * 10
ASKED = b"POST /v1/ask HTTP/1.1\r\nhost: a.test\r\ncontent-length: 4\r\n\r\nbody"


def echo(path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Answer with what was asked."""
    return Reply(200, {"content-type": "text/plain"}, path.encode() + b" " + body + b" " + BODY)


def ask(server: FaultServer, *, timeout: float = 3.0, asked: bytes = ASKED) -> tuple[bytes, str, float]:
    """What came of a request, how it ended, and how long that took."""
    begun = time.monotonic()
    read, ending = b"", "closed"
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as client:
        client.settimeout(timeout)
        client.sendall(asked)
        try:
            while piece := client.recv(65536):
                read += piece
                if b"\r\n\r\n" in read and _whole(read):
                    ending = "whole"
                    break
        except TimeoutError:
            ending = "silent"
        except ConnectionResetError:
            ending = "reset"
    return read, ending, time.monotonic() - begun


def _whole(read: bytes) -> bool:
    head, _, body = read.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return b"chunked" in head and body.endswith(b"0\r\n\r\n")
