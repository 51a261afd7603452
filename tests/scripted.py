"""A server that does with each connection what a function of the test says, byte by byte.  Knows no fault by name."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Connected:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection, self.number = connection, number
        self.requests: list[bytes] = []
        self.ended = threading.Event()
        """That nothing more is said."""
        self._read = b""

    def request(self) -> bytes:
        """The next request, head and body; nothing where the client has gone."""
        while b"\r\n\r\n" not in self._read:
            if not self._more():
                return b""
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
        while len(self._read) < length or (b"transfer-encoding: chunked" in lines and b"0\r\n\r\n" not in self._read):
            if not self._more():
                return b""
        body, self._read = (self._read, b"") if length == 0 else (self._read[:length], self._read[length:])
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def head(self) -> bytes:
        """The head of the next request, with what of its body came along."""
        while b"\r\n\r\n" not in self._read and self._more():
            pass
        return self._read

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.connection.sendall(data)

    def gone(self, within: float = 2.0) -> bool:
        """Whether the client ends the connection within so many seconds."""
        self.connection.settimeout(within)
        with contextlib.suppress(TimeoutError):
            try:
                while self.connection.recv(65536):
                    pass
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
            return True
        return False

    def _more(self) -> bool:
        more = self.connection.recv(65536)
        self._read += more
        return bool(more)


class Scripted:
    """Where it listens, and the connections that came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections: list[Connected] = []
        self.over = threading.Event()

    @property
    def requests(self) -> list[bytes]:
        """Every request, by connection."""
        return [request for each in self.connections for request in each.requests]


@contextmanager
def scripted(does: Callable[[Connected], object], context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Listen on loopback, and have ``does`` serve each connection in a thread of its own; then it is closed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    server = Scripted(f"http{'s' if context else ''}://127.0.0.1:{listener.getsockname()[1]}")

    def serve(raw: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), raw:
            connection = raw if context is None else context.wrap_socket(raw, server_side=True)
            with connection:
                made = Connected(connection, number)
                server.connections.append(made)
                try:
                    does(made)
                finally:
                    made.ended.set()

    def accept() -> None:
        number = 0
        with contextlib.suppress(OSError):
            while not server.over.is_set():
                raw, _ = listener.accept()
                threading.Thread(target=serve, args=(raw, number), daemon=True).start()
                number += 1

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        with contextlib.suppress(OSError):
            # close() alone would leave the thread in accept().
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
