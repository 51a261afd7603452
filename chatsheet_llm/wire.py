"""Connections that keep to the limit of the attempt that uses them, and know when they are stale.  Speak no HTTP.

Every lookup, connect, TLS handshake, read and write is cut off at the limit (:mod:`chatsheet_llm.limits`), however
slowly bytes drip: the backends clip each timeout to what is left.  A host's addresses share the time of one connect.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2

from chatsheet_llm import sdk
from chatsheet_llm.limits import left, uses
from chatsheet_llm.resolve import addresses

STAGGER = 0.25
"""Seconds before the next address of a host is tried beside one that has not answered yet (RFC 8305)."""

_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR, getattr(errno, "WSAEWOULDBLOCK", 0)})


class StaleConnection(httpcore2.ReadError):
    """A connection that had served an earlier request was gone before the first byte of this one's answer."""


class Peer:
    """What the connections to one host and port know together."""

    __slots__ = ("gone_at",)

    def __init__(self) -> None:
        self.gone_at = 0.0
        """Monotonic time at which one of them turned out stale: what has been idle since then is not used again."""


class Wire:
    """What both kinds of stream know of their connection."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._served = False
        self._asked = False
        self._used_at = time.monotonic()

    def _writes(self) -> None:
        self._asked, self._used_at = True, time.monotonic()

    def _heard(self, data: bytes) -> bytes:
        if data:
            self._asked, self._served = False, True
        elif self._asked and self._served:
            raise self._stale("the server had closed the connection")
        return data

    def _stale(self, why: str) -> StaleConnection:
        self._peer.gone_at = time.monotonic()
        return StaleConnection(why)

    @property
    def _outlived(self) -> bool:
        return self._peer.gone_at > self._used_at


class _Stream(Wire, httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, peer: Peer, *, nested: bool = False) -> None:
        super().__init__(peer)
        self._inner = inner
        # TLS inside the TLS of a proxy has no socket of its own.
        self._socket: socket.socket | None = None if nested else inner.get_extra_info("socket")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        uses(self, self.hang_up)
        try:
            data = self._inner.read(max_bytes, left(timeout, httpcore2.ReadTimeout))
        except httpcore2.ReadError as error:
            if self._asked and self._served:
                raise self._stale(str(error)) from error
            raise
        return self._heard(data)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._writes()
        if self._socket is None:
            self._inner.write(buffer, left(timeout, httpcore2.WriteTimeout))
            return
        rest = memoryview(buffer)
        try:
            # A peer that takes a few bytes at a time would start the timeout anew with each.
            while rest:
                self._socket.settimeout(left(timeout, httpcore2.WriteTimeout))
                rest = rest[self._socket.send(rest) :]
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        self._inner.close()

    def hang_up(self) -> None:
        """End the connection from another thread, so that whoever waits for its bytes waits no longer."""
        with contextlib.suppress(Exception):
            self._inner.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        nested = isinstance(self._socket, ssl.SSLSocket)
        inner = self._inner.start_tls(ssl_context, server_hostname, left(timeout, httpcore2.ConnectTimeout))
        return _Stream(inner, self._peer, nested=nested)

    def get_extra_info(self, info: str) -> Any:
        # The pool takes an idle connection that is readable for closed.
        if info == "is_readable" and self._outlived:
            return True
        return self._inner.get_extra_info(info)


class Backend(httpcore2.NetworkBackend):
    """Makes connections for a synchronous client."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner
        self._peers: dict[tuple[str, int], Peer] = {}

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first of the host's addresses that answers."""
        at = None if timeout is None else time.monotonic() + timeout
        found = addresses(host, port, left(timeout, httpcore2.ConnectTimeout))
        peer = self._peers.setdefault((host, port), Peer())
        if len(found) == 1:
            remaining = remaining_until(at)
            return _Stream(self._inner.connect_tcp(found[0], port, remaining, local_address, socket_options), peer)
        connected = _Race(found, port, local_address, remaining_until(at)).run()
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option in socket_options or ():
            connected.setsockopt(*option)
        return _Stream(sdk.stream_over(connected), peer)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        """Connect to a socket of the file system."""
        remaining = left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.connect_unix_socket(path, remaining, socket_options), Peer())

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        self._inner.sleep(seconds)


def remaining_until(at: float | None) -> float | None:
    """Return what is left of a connect that began before now; raises ConnectTimeout where nothing is."""
    remaining = None if at is None else at - time.monotonic()
    if remaining is not None and remaining <= 0:
        raise httpcore2.ConnectTimeout("no time was left to connect")
    return left(remaining, httpcore2.ConnectTimeout)


class _Race:
    """Connects to several addresses at once, each a little after the one before; the first to answer wins."""

    def __init__(self, found: Sequence[str], port: int, local: str | None, timeout: float | None) -> None:
        self._waiting = deque(found)
        self._port, self._local = port, local
        self._until = float("inf") if timeout is None else time.monotonic() + timeout
        self._next_at = 0.0
        self._failed: OSError = OSError("no address could be connected to")
        self._running: set[socket.socket] = set()

    def run(self) -> socket.socket:
        """Return the connected socket.  Raises ConnectError, ConnectTimeout."""
        with selectors.DefaultSelector() as selector:
            try:
                while self._waiting or self._running:
                    now = time.monotonic()
                    if now >= self._until:
                        raise httpcore2.ConnectTimeout("no address answered in time")
                    if self._waiting and (not self._running or now >= self._next_at):
                        self._begin(selector)
                        continue
                    wake = min(self._until, self._next_at if self._waiting else self._until)
                    for key, _ in selector.select(None if wake == float("inf") else wake - now):
                        won = self._judged(selector, key.fileobj)
                        if won is not None:
                            return won
            finally:
                for each in self._running:
                    each.close()
        raise httpcore2.ConnectError(str(self._failed)) from self._failed

    def _begin(self, selector: selectors.BaseSelector) -> None:
        address = self._waiting.popleft()
        try:
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            self._failed = error
            return
        self._running.add(made)
        try:
            made.setblocking(False)
            if self._local is not None:
                made.bind((self._local, 0))
            code = made.connect_ex((address, self._port))
        except OSError as error:
            code, self._failed = -1, error
        if code not in _UNDER_WAY:
            self._failed = self._failed if code == -1 else OSError(code, os.strerror(code))
            self._running.discard(made)
            made.close()
            return
        selector.register(made, selectors.EVENT_WRITE)
        self._next_at = time.monotonic() + STAGGER

    def _judged(self, selector: selectors.BaseSelector, ready: Any) -> socket.socket | None:
        made: socket.socket = ready
        selector.unregister(made)
        self._running.discard(made)
        code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            return made
        made.close()
        self._failed, self._next_at = OSError(code, os.strerror(code)), 0.0
        return None
