"""A server that keeps connections open and then forgets them: what comes on them next is answered with a TCP reset."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading

from either import COMPLETION
from typing_extensions import Self

STREAM = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,'
    b'"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


class Forgetful:
    """Answers every request, each connection in a thread of its own; ``connections`` counts them."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._age = 0
        self.connections = 0
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Answer no connection that exists now any more."""
        self._age += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            # close() alone would leave the thread in accept().
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(accepted, self._age), daemon=True).start()

    def _serve(self, raw: socket.socket, age: int) -> None:
        with contextlib.suppress(OSError):
            served = raw if self._context is None else self._context.wrap_socket(raw, server_side=True)
            while (body := _request(served)) is not None:
                if age != self._age:
                    served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    (socket.socket(fileno=served.detach()) if served is not raw else raw).close()
                    return
                streamed = bool(json.loads(body or b"{}").get("stream"))
                kind, answer = ("text/event-stream", STREAM) if streamed else ("application/json", COMPLETION)
                head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(answer)}\r\n\r\n"
                served.sendall(head.encode() + answer)


def _request(served: socket.socket) -> bytes | None:
    read = b""
    while b"\r\n\r\n" not in read:
        piece = served.recv(65536)
        if not piece:
            return None
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += served.recv(65536)
    return body
