"""A loopback provider that costs next to nothing.  Decides by the port what to do, and never looks into a request."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.bodies import FORMATS, SERIAL, deltas_of, dumped, framed, head, text_of, whole
from bench.jobs import PROVIDER_CPU, Port, pin

_LAST_CHUNK = b"0\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_NOWHERE = head("application/json", 2, "404 Not Found") + b"{}"


@dataclass(slots=True)
class Served:
    """One port: its answers as bytes, by the end of the path, and what was counted there."""

    name: str
    port: Port
    whole: dict[bytes, bytes] = field(default_factory=dict)
    events: dict[bytes, list[bytes]] = field(default_factory=dict)
    burst: dict[bytes, bytes] = field(default_factory=dict)
    connections: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        start = head("text/event-stream; charset=utf-8", None)
        for path, (reply, events) in FORMATS.items():
            end = path.encode()
            self.whole[end] = whole(reply(text_of(self.port.answer)))
            frames = [framed(event) for event in events(deltas_of(self.port.chunks))]
            # The head goes out by itself where deltas are paced: a provider has it long before its first token.
            self.events[end] = [start, *frames[:-1], frames[-1] + _LAST_CHUNK]
            self.burst[end] = b"".join(self.events[end])

    def numbered(self, answer: bytes) -> bytes:
        return answer.replace(SERIAL.encode(), b"%012d" % self.requests) if self.port.numbered else answer


class Connection(asyncio.Protocol):
    """Reads requests that tell their length, one after the other."""

    def __init__(self, served: Served, ports: Mapping[str, Served]) -> None:
        self._served, self._ports = served, ports
        self._buffer = bytearray()
        self._body_at = self._needed = 0
        self._pacing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a socket's transport is one
        self._served.connections += 1
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  the protocol's signature
        if self._pacing is not None:
            self._pacing.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._whole_request():
            path = bytes(self._buffer[: self._buffer.index(b"\r\n")]).split(b" ")[1].split(b"?")[0]
            start, end = self._body_at, self._needed
            stream = b'"stream":true' in self._buffer or b'"stream": true' in self._buffer
            del self._buffer[: max(start, end)]
            self._needed = 0
            self._answer(path, stream=stream)

    def _whole_request(self) -> bool:
        if not self._needed:
            at = self._buffer.find(b"\r\n\r\n")
            if at < 0:
                return False
            lower = bytes(self._buffer[:at]).lower() + b"\r\n"
            found = lower.find(_LENGTH)
            length = int(lower[found + len(_LENGTH) : lower.index(b"\r\n", found + 2)]) if found >= 0 else 0
            self._body_at, self._needed = at + 4, at + 4 + length
        return len(self._buffer) >= self._needed

    def _answer(self, path: bytes, *, stream: bool) -> None:
        served = self._served
        if path == b"/counts":
            counts = {name: [each.connections, each.requests] for name, each in self._ports.items()}
            raw = dumped(dict(counts))
            self._transport.write(head("application/json", len(raw)) + raw)
            return
        served.requests += 1
        end = next((known for known in served.whole if path.endswith(known)), None)
        if end is None:
            self._transport.write(_NOWHERE)
        elif served.port.does == "hang":
            return
        elif not stream:
            self._transport.write(served.numbered(served.whole[end]))
        elif served.port.interval:
            self._pace(served.events[end], 0, asyncio.get_running_loop().time())
        else:
            self._transport.write(served.numbered(served.burst[end]))

    def _pace(self, events: list[bytes], at: int, begun: float) -> None:
        """Write one event and come back for the next when its time has come, however late this one was."""
        self._transport.write(events[at])
        if at + 1 < len(events):
            due = begun + (at + 1) * self._served.port.interval
            self._pacing = asyncio.get_running_loop().call_at(due, self._pace, events, at + 1, begun)


async def serve(ports: Mapping[str, Port]) -> None:
    """Open every port, print where, and serve until stdin ends."""
    loop = asyncio.get_running_loop()
    served = {name: Served(name, port) for name, port in ports.items()}
    sockets: dict[str, socket.socket] = {}
    for name, each in served.items():
        sockets[name] = made = socket.socket()
        made.bind(("127.0.0.1", 0))
        # Bound and not listening: refused, and nobody else can take the number.
        if each.port.does != "refuse":
            await loop.create_server(lambda each=each: Connection(each, served), sock=made, backlog=2048)  # type: ignore[misc]
    where = {name: made.getsockname()[1] for name, made in sockets.items()}
    sys.stdout.write(json.dumps({"ports": where, "loop": type(loop).__module__.partition(".")[0]}) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    pin(PROVIDER_CPU)
    ports = {name: Port(**told) for name, told in json.loads(sys.argv[1]).items()}
    try:
        from uvloop import run
    except ImportError:
        run = asyncio.run
    run(serve(ports))
    os._exit(0)


if __name__ == "__main__":
    main()
