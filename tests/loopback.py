"""A server on loopback that answers as it is told, and a port that is free there.  Judges nothing, keeps nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True, slots=True)
class Told:
    """One answer; its length is not among the headers."""

    status: int
    headers: Iterable[tuple[str, str]]
    body: bytes


class Loopback:
    """A server that answers every request, given with its body, by what ``answer`` returns."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler, bytes], Told]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                told = answer(self, self.rfile.read(int(self.headers.get("content-length") or 0)))
                self.send_response_only(told.status)
                for name, value in told.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_CONNECT = do_POST

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def free_port() -> int:
    """A port that nothing listens at; another program may take it at any time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
