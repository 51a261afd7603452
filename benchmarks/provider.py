"""A loopback provider that costs next to nothing: answers every POST with bytes made once.  Run by the benchmarks."""

from __future__ import annotations

import asyncio
import json
import sys

DELTAS = 200


def _head(kind: str, length: int) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n"
        "x-request-id: 0123456789abcdef\r\nx-ratelimit-remaining-requests: 99\r\n\r\n"
    ).encode()


def _completion() -> bytes:
    message = {"role": "assistant", "content": "word " * 120, "refusal": None}
    usage = {"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5",
        "choices": [choice],
        "usage": usage,
    }
    raw = json.dumps(body).encode()
    return _head("application/json", len(raw)) + raw


def _stream() -> bytes:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5"}
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": "word "}, None)] * DELTAS + [({}, "stop")]
    lines = [
        f"data: {json.dumps({**base, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': end}]})}\n\n"
        for delta, end in deltas
    ]
    raw = ("".join(lines) + "data: [DONE]\n\n").encode()
    return _head("text/event-stream", len(raw)) + raw


class Provider(asyncio.Protocol):
    """Parses no more of HTTP than it must: one request after the other, each with a content-length."""

    plain, streamed = _completion(), _stream()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lower = head.lower()
            length = (
                int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]) if b"content-length:" in lower else 0
            )
            if len(rest) < length:
                return
            body, self._buffer = rest[:length], rest[length:]
            self._transport.write(self.streamed if b'"stream":true' in body.replace(b" ", b"") else self.plain)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
