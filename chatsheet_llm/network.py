"""One HTTP client per network policy: TLS trust, proxy, time limits.  Never follows a redirect; knows no provider.

Every read, write, connect and TLS handshake is cut off at the *limit* of the attempt that runs it, however slowly
bytes drip in: the limit lies in a context variable and the network backend clips each timeout to what is left.
"""

from __future__ import annotations

import contextlib
import contextvars
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import httpx2

from chatsheet_llm import sdk
from chatsheet_llm.errors import SettingsError

_limit: contextvars.ContextVar[float | None] = contextvars.ContextVar("chatsheet_limit", default=None)

LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000, keepalive_expiry=120.0)
"""Connections that stay open between calls a minute apart save a TCP and TLS handshake each."""
POOL_TIMEOUT = 2.0


@contextlib.contextmanager
def limit(at: float | None) -> Iterator[None]:
    """Within this context, no network operation lasts beyond ``at`` (monotonic seconds)."""
    token = _limit.set(at)
    try:
        yield
    finally:
        _limit.reset(token)


@dataclass(frozen=True, slots=True)
class Network:
    """What an endpoint's connections need: a CA bundle (path), a proxy (URL, may hold a password)."""

    ca_bundle: str | None = None
    proxy: str | None = field(default=None, repr=False)

    def client(self) -> httpx2.Client:
        """Return a synchronous client.  Raises SettingsError for a CA bundle that cannot be loaded."""
        client = httpx2.Client(
            verify=self._trust(), proxy=self.proxy, limits=LIMITS, follow_redirects=False, timeout=httpx2.Timeout(60.0)
        )
        for pool in sdk.pools(client):
            sdk.set_backend(pool, _Backend(sdk.backend(pool)))
        return client

    def async_client(self) -> httpx2.AsyncClient:
        """Return an asynchronous client.  Raises SettingsError for a CA bundle that cannot be loaded."""
        client = httpx2.AsyncClient(
            verify=self._trust(), proxy=self.proxy, limits=LIMITS, follow_redirects=False, timeout=httpx2.Timeout(60.0)
        )
        for pool in sdk.pools(client):
            sdk.set_backend(pool, _AsyncBackend(sdk.backend(pool)))
        return client

    def _trust(self) -> ssl.SSLContext | bool:
        if self.ca_bundle is None:
            return True
        try:
            return ssl.create_default_context(cafile=self.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"the CA bundle {self.ca_bundle!r} cannot be loaded: {error}; give a PEM file"
            ) from None


def timeouts(
    seconds: float, connect: float, idle: float = 0.0, asked: float | httpx2.Timeout | None = None
) -> httpx2.Timeout:
    """Return the timeouts of one attempt that has ``seconds`` in all.

    ``idle`` is the silence a stream may keep once it has begun; until then the :func:`limit` holds.  What the caller
    ``asked`` for connecting, writing and the pool replaces the defaults.
    """
    own = asked if isinstance(asked, httpx2.Timeout) else httpx2.Timeout(None)
    first = (own.connect or connect, own.write or seconds, own.pool or POOL_TIMEOUT)
    connecting, write, pool = (min(value, seconds) for value in first)
    return httpx2.Timeout(connect=connecting, write=write, pool=pool, read=max(seconds, idle))


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    at = _limit.get()
    if at is None:
        return timeout
    left = at - time.monotonic()
    if left <= 0:
        raise late("the time of this attempt is over")
    return left if timeout is None else min(timeout, left)


def _addresses(host: str, port: int, timeout: float | None) -> list[str]:
    """Return the host's addresses.  The system's resolver knows no timeout, so it runs in a thread that may be left."""
    found: queue.SimpleQueue[list[str] | str] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except Exception as error:  # noqa: BLE001  a label too long is a UnicodeError; whatever it is, somebody waits
            found.put(f"the name {host} did not resolve: {error}")

    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    threading.Thread(target=resolve, name=f"resolve {host}", daemon=True).start()
    try:
        answer = found.get(timeout=timeout)
    except queue.Empty:
        raise httpcore2.ConnectTimeout(f"the name {host} did not resolve in time") from None
    if isinstance(answer, str):
        raise httpcore2.ConnectError(answer)
    return answer


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failed: Exception | None = None
        for address in _addresses(host, port, _left(timeout, httpcore2.ConnectTimeout)):
            left = _left(timeout, httpcore2.ConnectTimeout)
            try:
                return _Stream(self._inner.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore2.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.connect_unix_socket(path, left, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _AsyncStream(httpcore2.AsyncNetworkStream):
    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _AsyncBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, inner: httpcore2.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _AsyncStream(await self._inner.connect_tcp(host, port, left, local_address, socket_options))

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _AsyncStream(await self._inner.connect_unix_socket(path, left, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
