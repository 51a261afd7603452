"""A server that sends the next event of a stream when its reader asks: what the reader does is then always the same."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from golden_streams import chunk, sse
from typing_extensions import Self

Json = dict[str, Any]
_TEXT = "Margins in the north rose by two points while costs fell. " * 4
_MOST = 1 << 20


def _usage(first: str, then: str) -> Json:
    return {first: 240, then: 130, "total_tokens": 370}


CHAT: Json = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _TEXT}}],
    "usage": _usage("prompt_tokens", "completion_tokens"),
}
_PART: Json = {"type": "output_text", "text": _TEXT, "annotations": []}
_ITEM: Json = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_PART]}
_BEGUN: Json = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "status": "in_progress", "output": [],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip
RESPONSE: Json = {
    **_BEGUN,
    "status": "completed",
    "output": [_ITEM],
    "usage": {
        **_usage("input_tokens", "output_tokens"),
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}


def chat_pieces(deltas: int) -> list[bytes]:
    """A stream of chat, cut so that each piece brings one of so many pieces of text."""
    word = sse(chunk({"content": "word "}))
    begun, over = sse(chunk({"role": "assistant", "content": ""})), sse(chunk({}, "stop"), "[DONE]")
    return [begun + word, *[word] * (deltas - 2), word + over]


def responses_pieces(deltas: int) -> list[bytes]:
    """A stream of Responses, cut in the same way."""
    said = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = "word " * deltas
    part = {**_PART, "text": whole}
    item = {**_ITEM, "content": [part]}
    events: list[Json] = [
        {"type": "response.created", "response": _BEGUN},
        {"type": "response.output_item.added", "output_index": 0, "item": {**_ITEM, "content": []}},
        {"type": "response.content_part.added", **said, "part": {**_PART, "text": ""}},
        *({"type": "response.output_text.delta", **said, "delta": "word ", "logprobs": []} for _ in range(deltas)),
        {"type": "response.output_text.done", **said, "text": whole, "logprobs": []},
        {"type": "response.content_part.done", **said, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**RESPONSE, "output": [item]}},
    ]
    told = [sse({**event, "sequence_number": at}, named=True) for at, event in enumerate(events)]
    return [b"".join(told[:4]), *told[4 : deltas + 2], b"".join(told[deltas + 2 :])]


class Lockstep:
    """The server.  Its streams have so many ``deltas``; with ``steps``, each but the first waits for :meth:`next`."""

    def __init__(self, deltas: int = 200, *, steps: bool = True) -> None:
        self._streams = {"chat": chat_pieces(deltas), "responses": responses_pieces(deltas)}
        self._wholes = {"chat": json.dumps(CHAT).encode(), "responses": json.dumps(RESPONSE).encode()}
        self._steps = steps
        self._heard, self._told = os.pipe()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def next(self) -> None:
        """Have the next delta sent: the one before was read."""
        os.write(self._told, b".")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A stream that still waits goes on, into a connection that is closed.
        os.write(self._told, b"." * 1000)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for path, body in _requests(connection):
                kind = "responses" if path.endswith(b"/responses") else "chat"
                if b'"stream":true' in body.replace(b" ", b""):
                    self._stream(connection, self._streams[kind])
                else:
                    whole = self._wholes[kind]
                    connection.sendall(_head(b"application/json", b"content-length: %d" % len(whole)) + whole)

    def _stream(self, connection: socket.socket, pieces: Sequence[bytes]) -> None:
        framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        framed[0] = _head(b"text/event-stream", b"transfer-encoding: chunked") + framed[0]
        framed[-1] += b"0\r\n\r\n"
        if not self._steps:
            connection.sendall(b"".join(framed))
            return
        for piece in framed:
            connection.sendall(piece)
            os.read(self._heard, 1)


def _head(kind: bytes, framing: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\nx-request-id: 7f0c7a52\r\n\r\n" % (kind, framing)


def _requests(connection: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Yield the path and the body of each request."""
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            if not (more := connection.recv(_MOST)):
                return
            held += more
        head, _, held = held.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        sizes = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
        while len(held) < sizes[0]:
            held += connection.recv(_MOST)
        yield lines[0].split()[1], held[: sizes[0]]
        held = held[sizes[0] :]
