"""A server that stands before a role of the sandbox and spoils its answers as the sandbox cannot.  Judges nothing."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

from typing_extensions import Self

Json = Mapping[str, object]

BAD_AT = 10
"""Where a bad event goes in, counted in events."""
DONE = b"data: [DONE]\n\n"
LINGERS = 20.0
"""Seconds for which a connection stays open behind a stream that never says that it is over."""
NO_PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."
"""What newer Claude models say of a conversation that ends with the assistant."""


def bad_event(raw: bytes) -> tuple[bytes, bool]:
    """Put an event that is no JSON between two good ones."""
    events = raw.split(b"\n\n")
    return b"\n\n".join([*events[:BAD_AT], b'data: {"choices": [{"ind', *events[BAD_AT:]]), False


def no_done(raw: bytes) -> tuple[bytes, bool]:
    """Leave ``[DONE]`` out; where the format has none, the connection stays open behind the last event."""
    return raw.replace(DONE, b""), DONE not in raw


Spoil = Callable[[bytes], "tuple[bytes, bool]"]
"""The body of an answer to what is sent of it, and whether the connection is left open behind it."""


def ends_with_assistant(body: Json) -> bool:
    """Whether the model is asked to go on from words that are put into its mouth."""
    turns = body.get("messages", body.get("input"))
    last = turns[-1] if isinstance(turns, list) and turns else {}
    return isinstance(last, Mapping) and last.get("role") == "assistant"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hung up, which is what many of them are here to do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Spoiler:
    """Passes requests on to ``upstream`` (an origin) and spoils the answers.

    ``spoil`` changes the body of a stream; ``no_prefill`` refuses conversations that end with the assistant, and
    ``refused`` counts those.
    """

    def __init__(self, upstream: str, spoil: Spoil | None = None, *, no_prefill: bool = False) -> None:
        self.refused = 0
        self._upstream = urlsplit(upstream).netloc
        self._spoil = spoil
        self._no_prefill = no_prefill
        self._over = threading.Event()
        spoiler = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                spoiler.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's word
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """The origin to put in the place of ``upstream``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        # Not server_close(): it would wait for the connections that clients keep for later.
        self._server.socket.close()

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        content = asked.rfile.read(int(asked.headers["content-length"]))
        if self._no_prefill and ends_with_assistant(json.loads(content)):
            self.refused += 1
            error = {"type": "invalid_request_error", "message": NO_PREFILL}
            body = json.dumps({"type": "error", "error": error}).encode()
            return self._write(asked, 400, "application/json", body)
        kept = {name: value for name, value in asked.headers.items() if name.lower() not in ("host", "connection")}
        upstream = http.client.HTTPConnection(self._upstream)
        upstream.request("POST", asked.path, content, kept)
        got = upstream.getresponse()
        body, lingers = got.read(), False
        upstream.close()
        if self._spoil is not None and "event-stream" in got.headers["content-type"]:
            body, lingers = self._spoil(body)
        return self._write(asked, got.status, got.headers["content-type"], body, lingers)

    def _write(self, asked: BaseHTTPRequestHandler, status: int, kind: str, body: bytes, lingers: bool = False) -> None:
        asked.send_response(status)
        asked.send_header("content-type", kind)
        asked.send_header("transfer-encoding", "chunked")
        asked.end_headers()
        asked.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        if lingers:
            asked.close_connection = True
            self._over.wait(LINGERS)
        else:
            asked.wfile.write(b"0\r\n\r\n")
