"""Run a case on a clock that stands still, with a transport that only pretends.  Opens no socket, sleeps nowhere."""

from __future__ import annotations

import functools
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import httpx2
from fault_server import Fault, Reply
from fault_server.bytes_of import replaced
from vectors.playing import play, undisturbed
from vectors.replies import told, well
from vectors.schema import Attempt, Case, Given
from vectors.stage import CONNECT, Fake, Stage, settings_of, url_of, wrongs

from chatsheet_llm import ChatClient
from chatsheet_llm.network import Network, ProxyTimeout, ProxyUnreachable
from chatsheet_llm.wire import StaleConnection

_CUT = "peer closed connection without sending complete message body (incomplete chunked read)"
_UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
_NOWHERE = "the name a.test did not resolve: "

RAISED: dict[str, Callable[[], Exception]] = {
    "down": lambda: _caused(httpx2.ConnectError, ConnectionRefusedError(111, "Connection refused")),
    "dns": lambda: _caused(httpx2.ConnectError, socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    "dns_busy": lambda: httpx2.ConnectError(f"{_NOWHERE}[Errno -3] Temporary failure in name resolution"),
    "blackhole": lambda: httpx2.ConnectTimeout("timed out"),
    "tls_unknown_ca": lambda: _tls("self-signed certificate in certificate chain"),
    "tls_expired": lambda: _tls("certificate has expired"),
    "tls_wrong_host": lambda: _tls("Hostname mismatch, certificate is not valid for 'a.test'."),
    "tls_reset": lambda: httpx2.ConnectError("[Errno 104] Connection reset by peer"),
    "tls_stall": lambda: httpx2.ConnectTimeout("_ssl.c:989: The handshake operation timed out"),
    "connect_407": lambda: httpx2.ProxyError("407 Proxy Authentication Required"),
    "connect_403": lambda: httpx2.ProxyError("403 Forbidden"),
    "connect_502": lambda: httpx2.ProxyError("502 Bad Gateway"),
    "connect_504": lambda: httpx2.ProxyError("504 Gateway Timeout"),
    "no_token": type("ClientAuthenticationError", (Exception,), {}),
    "pool_timeout": lambda: httpx2.PoolTimeout(""),
    "bad_key": lambda: httpx2.LocalProtocolError("Illegal header value b'key\\r\\n'"),
    "odd_key": lambda: UnicodeEncodeError("ascii", "k\u00e9y", 1, 2, "ordinal not in range(128)"),
    "odd_text": lambda: UnicodeEncodeError("utf-8", '{"messages":[{"content":"\ud800"}]}', 25, 26, "not allowed"),
    "proxy_down": lambda: _caused(httpx2.ConnectError, ProxyUnreachable("p.test:3128: [Errno 111] Connection refused")),
    "proxy_blackhole": lambda: _caused(httpx2.ConnectTimeout, ProxyTimeout("p.test:3128: timed out")),
    "write_timeout": lambda: httpx2.WriteTimeout("The write operation timed out"),
    "timeout": lambda: httpx2.ReadTimeout("The read operation timed out"),
    "drip": lambda: httpx2.ReadTimeout("The read operation timed out"),
    "reset_peer": lambda: httpx2.ReadError("[Errno 104] Connection reset by peer"),
    "close": lambda: httpx2.RemoteProtocolError("Server disconnected without sending a response."),
    "keepalive_race": lambda: _caused(httpx2.ReadError, StaleConnection("[Errno 104] Connection reset by peer")),
    "non_http": lambda: httpx2.RemoteProtocolError("illegal status line: bytearray(b'SSH-2.0-OpenSSH_9.6')"),
}
"""What the HTTP library raises for a fault before any byte of an answer."""
WITHIN: dict[str, Callable[[], Exception]] = {
    "short_length": lambda: httpx2.RemoteProtocolError("peer closed connection without sending complete message body"),
    "limit_data": lambda: httpx2.RemoteProtocolError(_CUT),
    "bad_chunk": lambda: httpx2.RemoteProtocolError("illegal chunk header: bytearray(b'XYZ')"),
    "headers_then_timeout": lambda: httpx2.ReadTimeout("The read operation timed out"),
    "headers_then_reset": lambda: httpx2.ReadError("[Errno 104] Connection reset by peer"),
    "close": lambda: httpx2.RemoteProtocolError(_CUT),
    "reset": lambda: httpx2.ReadError("[Errno 104] Connection reset by peer"),
    "silence": lambda: httpx2.ReadTimeout("The read operation timed out"),
}
"""What it raises within a body, for a fault or for the ending of a stream."""
_SLOW = frozenset({"timeout", "drip", "headers_then_timeout", "write_timeout", "silence"})
_CONNECTING = frozenset({"blackhole", "tls_stall", "proxy_blackhole"})


def _caused(cls: type[Exception], cause: Exception) -> Exception:
    error = cls(str(cause))
    error.__cause__ = cause
    return error


def _tls(why: str) -> Exception:
    return _caused(httpx2.ConnectError, ssl.SSLCertVerificationError(1, _UNTRUSTED + why))


class Pretence:
    """A transport that answers each send with what the stage says comes of it."""

    stage: Stage

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer, or raise what the HTTP library would."""
        attempt = self.stage.attempt
        good = well(request.url.path, json.loads(request.content))
        if attempt is None:
            return _response(good)
        name = attempt.fault
        if name is None:
            reply = told(attempt)
            return _response(reply) if reply.ending in ("whole", "end") else self._broken(reply, reply.ending)
        if name in RAISED:
            self._spend(name)
            raise RAISED[name]()
        if name in WITHIN:
            return self._broken(replace(good, body=good.body[: attempt.after]), name)
        return _response(replaced(Fault(name), good) or good)

    def _broken(self, reply: Reply, why: str) -> httpx2.Response:
        return httpx2.Response(reply.status, headers=dict(reply.headers), stream=_Broken(self, reply.body, why))

    def _spend(self, fault: str) -> None:
        timeout = self.stage.sends[-1].timeout
        if fault in _CONNECTING:
            self.stage.clock.pass_(min(CONNECT, timeout))
        elif fault in _SLOW:
            self.stage.clock.pass_(timeout)


class _Broken(httpx2.SyncByteStream):
    def __init__(self, pretence: Pretence, body: bytes, why: str) -> None:
        self._pretence, self._body, self._why = pretence, body, why

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        self._pretence._spend(self._why)
        raise WITHIN[self._why]()


def _response(reply: Reply) -> httpx2.Response:
    return httpx2.Response(reply.status, headers=dict(reply.headers), stream=httpx2.ByteStream(reply.body))


@contextmanager
def pretending(pretence: Pretence) -> Iterator[None]:
    """Within this context, clients have all that the network policy gives them, but for the sockets."""
    real = Network.client

    def client(network: Network, *trust: object) -> httpx2.Client:
        made = real(network, *trust)  # type: ignore[arg-type]
        made._transport, made._mounts = httpx2.MockTransport(pretence), {}
        return made

    with undisturbed(), patch.object(Network, "client", client):
        yield


@functools.cache
def _client(given: str) -> tuple[ChatClient, Pretence]:
    told = Given.model_validate_json(given)
    pretence = Pretence()
    names = {entry.partition("/")[0] for entry in told.chain}
    with pretending(pretence):
        client = ChatClient(
            settings_of(told, {name: url_of(name, f"http://{name}.test") for name in names}),
            max_retries=told.budget.retries,
        )
        for network in {endpoint.network for endpoint in client._core.setup.endpoints.values()}:
            client._core.connections.http(network)
    return client, pretence


def run(case: Case, attempts: Sequence[Attempt], kind: str | None) -> list[str]:
    """Run a case; return what was not as expected."""
    client, pretence = _client(case.given.model_dump_json())
    client.forget()
    stage = pretence.stage = Stage(case, attempts, Fake())
    error, answer = play(stage, client)
    return wrongs(stage, error, answer, kind, slack=0.0)
