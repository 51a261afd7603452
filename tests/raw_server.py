"""A server that sends scripted bytes, whatever it is asked: for answers that no sandbox gives.  Judges nothing."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from chatsheet_llm import Settings

Ending = Literal["end", "close", "reset", "linger"]
"""How an answer ends: as HTTP wants it, without its end, with a reset, or not at all."""


@dataclass(frozen=True)
class Raw:
    """One answer: what is sent, after which pauses (seconds), and how it ends."""

    body: bytes | Sequence[bytes | float]
    kind: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    ending: Ending = "end"
    status: str = "200 OK"


@dataclass
class Server:
    """The URL it listens at, and the requests that came, head and body."""

    url: str
    asked: list[bytes] = field(default_factory=list)


@contextmanager
def serving(*answers: Raw, answer: Callable[[int], Raw] | None = None) -> Iterator[Server]:
    """Answer each request with the next of these (the last for ever), or with what ``answer`` gives for its number."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            asked = _request(connection)
            if not asked:
                return
            number = len(server.asked)
            server.asked.append(asked)
            _send(connection, answer(number) if answer else answers[min(number, len(answers) - 1)], over)

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        # Wakes the accept.
        with contextlib.suppress(OSError), socket.create_connection(listener.getsockname(), 1):
            pass
        listener.close()
        thread.join(5)


def _request(connection: socket.socket) -> bytes:
    asked = b""
    while b"\r\n\r\n" not in asked:
        if not (more := connection.recv(65536)):
            return b""
        asked += more
    head, _, body = asked.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(sizes[0] if sizes else 0):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def _send(connection: socket.socket, raw: Raw, over: threading.Event) -> None:
    given = (("connection", "close"), ("transfer-encoding", "chunked"), *raw.headers)
    lines = [*((("content-type", raw.kind),) if raw.kind else ()), *given]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    connection.sendall(f"HTTP/1.1 {raw.status}\r\n{head}\r\n".encode())
    for piece in [raw.body] if isinstance(raw.body, bytes) else raw.body:
        if isinstance(piece, float):
            if over.wait(piece):
                return
        elif piece:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    if raw.ending == "end":
        connection.sendall(b"0\r\n\r\n")
    elif raw.ending == "reset":
        # So that the bytes are read before the reset comes.
        time.sleep(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif raw.ending == "linger":
        over.wait(20)


def chained(first: str, mode: str, second: str | None = None, **more: object) -> dict[str, Any]:
    """Arguments of a client for a hop of this mode at the first URL, and a chat hop at the second."""
    kind = "anthropic" if mode == "messages" else "openai"
    url = first if kind == "anthropic" else f"{first}/v1"
    endpoints = {"first": {"kind": kind, "base_url": url, "api_key": "k"}}
    chain = [f"first/{mode}"]
    if second is not None:
        endpoints["second"] = {"kind": "openai", "base_url": f"{second}/v1", "api_key": "k"}
        chain.append("second/chat")
    given = {"deadline": 5.0, **more}
    return {"settings": Settings(_env_file=None, endpoints=endpoints, **given), "chain": chain}
