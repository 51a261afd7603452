"""Serve recorded replies over a real socket, byte for byte; judges nothing and needs no network."""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType, TracebackType

import pytest
from typing_extensions import Self

TRAFFIC = ("recordings.jsonl", "litellm_proxy.jsonl")

# Not replayed: they describe the recorded connection or encoding, or would tie the client to the recorded session.
CONNECTION_HEADERS = frozenset(
    {"connection", "content-encoding", "content-length", "date", "keep-alive", "server", "set-cookie"}
    | {"trailer", "transfer-encoding", "upgrade", "via"}
)


def shared_directory() -> Path:
    """Return where recordings lie: $CHATSHEET_SHARED, else `shared` beside the checkout.  It may not exist."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("CHATSHEET_SHARED") or beside)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded exchange.  ``body`` is text after decompression; an SSE body is whole.

    ``stream`` is what the request asked for and ``sse`` what came back: an error to a streamed request has no SSE.
    ``exact`` is False when the body was written anew from parsed JSON: order and white space are not the provider's.
    ``own_headers`` is False when the provider's headers were dropped: a test of header handling has no use for it.
    ``elided`` is True when long base64 in the request was cut; ``doubt`` says why a record may have been edited.
    """

    id: str
    kind: str
    op: str
    stream: bool
    sse: bool
    features: frozenset[str]
    method: str
    url: str
    request: Mapping[str, object] | None
    status: int
    headers: Mapping[str, str]
    body: str
    exact: bool
    own_headers: bool
    elided: bool
    doubt: str | None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> object:
        """Return the parsed reply.  Raises ValueError for an SSE body and for the few error bodies in plain text."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"Recording({self.id!r})"


def recordings(
    *,
    kind: str | Collection[str] | None = None,
    stream: bool | None = None,
    sse: bool | None = None,
    ok: bool | None = None,
    file: str = "recordings.jsonl",
) -> list[Recording]:
    """Return the recordings that fit every filter given, in file order; at least one, else LookupError.

    ``kind`` is one kind or several, such as ``"azure-chat"`` or ``("openai-chat", "azure-chat")``.  Where the file is
    absent the calling test is skipped, or the whole module when it is called at import (in ``parametrize``).
    """
    path = shared_directory() / "traffic" / file
    if not path.is_file():
        reason = f"no recorded traffic at {path} (set CHATSHEET_SHARED to the directory that holds traffic/)"
        print(f"skipped: {reason}")
        pytest.skip(reason, allow_module_level=True)
    kinds = {kind} if isinstance(kind, str) else kind
    found = [
        one
        for one in _load(path)
        if (kinds is None or one.kind in kinds)
        and (stream is None or one.stream is stream)
        and (sse is None or one.sse is sse)
        and (ok is None or one.ok is ok)
    ]
    if not found:
        raise LookupError(f"no recording has kind={kind!r}, stream={stream!r}, sse={sse!r}, ok={ok!r} in {file}")
    return found


@functools.lru_cache(maxsize=len(TRAFFIC))
def _load(path: Path) -> tuple[Recording, ...]:
    with path.open(encoding="utf-8") as lines:
        return tuple(_recording(json.loads(line)) for line in lines)


def _recording(raw: dict[str, object]) -> Recording:
    request, response = raw["request"], raw["response"]
    assert isinstance(request, dict)
    assert isinstance(response, dict)
    features, doubt = raw["features"], raw.get("doubt")
    assert isinstance(features, list)
    return Recording(
        id=str(raw["id"]),
        kind=str(raw["kind"]),
        op=str(raw.get("op") or raw.get("api")),
        stream=bool(raw["stream"]),
        sse=bool(raw["sse"]),
        features=frozenset(features),
        method=request["method"],
        url=request["url"],
        request=request["json"],
        status=response["status"],
        headers=MappingProxyType({name.lower(): value for name, value in response["headers"].items()}),
        body=response["body"],
        exact=raw.get("body_source") != "parsed",
        own_headers=bool(raw.get("provider_headers", True)),
        elided=bool(raw.get("request_elided")),
        doubt=None if doubt is None else str(doubt),
    )


def served_headers(record: Recording) -> dict[str, str]:
    """Return the headers to replay.  A content type that the recorder dropped is put back: an SDK decides by it."""
    kind = (
        "text/event-stream"
        if record.sse
        else "application/json"
        if record.body.startswith(("{", "["))
        else "text/plain"
    )
    kept = {name: value for name, value in record.headers.items() if name not in CONNECTION_HEADERS}
    return {"content-type": kind, **kept}


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as the server received it; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


class ReplayServer:
    """Answers every request on a loopback port with ``record``; a context manager.

    Set ``record`` between calls to change the reply; None gives a 500 that says so.  ``pieces`` cuts the body into
    writes of that many bytes (sent chunked, flushed one by one); None sends it at once with a content-length.
    ``requests`` holds what was received, in order.  Connections are kept alive and may be used from many threads.
    """

    def __init__(self, record: Recording | None = None, *, pieces: int | None = None) -> None:
        self.record = record
        self.pieces = pieces
        self._sent: list[Sent] = []
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="replay", daemon=True
        )

    @property
    def url(self) -> str:
        """The origin, such as ``http://127.0.0.1:40123``; every path under it gives the same reply."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> Sequence[Sent]:
        return tuple(self._sent)

    def clear(self) -> None:
        """Forget the requests received so far."""
        self._sent.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, replay: ReplayServer) -> None:
        self.replay = replay
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet: unbuffered, a delayed ACK costs 40 ms a reply
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        replay = self.server.replay
        headers = {name.lower(): value for name, value in self.headers.items()}
        replay._sent.append(Sent(self.command, self.path, MappingProxyType(headers), body))
        record = replay.record
        if record is None:
            self._reply(500, {"content-type": "text/plain"}, b"ReplayServer.record is not set", None)
            return
        self._reply(record.status, served_headers(record), record.body.encode(), replay.pieces)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _answer

    def _reply(self, status: int, headers: Mapping[str, str], body: bytes, pieces: int | None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if pieces is None:
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), pieces):
            piece = body[start : start + pieces]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # the client hung up, as tests of abandoned streams do

    def finish(self) -> None:
        try:
            super().finish()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name in the standard library)
        """Say nothing: a test's output is its own."""
