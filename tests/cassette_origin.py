"""A server on loopback that says what a test wants to have recorded; judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

JSON = ("content-type", "application/json")
SSE = ("content-type", "text/event-stream")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the origin says, however it is asked."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (JSON,)
    body: bytes = b"{}"


class Origin:
    """A server that answers every request in the order of ``answers``, the last one for ever."""

    def __init__(self) -> None:
        self.answers = [Answer()]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                answer = outer.answers[0] if len(outer.answers) == 1 else outer.answers.pop(0)
                self.send_response_only(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
