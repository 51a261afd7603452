"""The same as :mod:`chatsheet_llm.wire` for an event loop of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

import httpcore2

from chatsheet_llm.limits import left
from chatsheet_llm.resolve import addresses_async
from chatsheet_llm.wire import STAGGER, Peer, Wire, remaining_until

_UNREACHED = (httpcore2.ConnectError, httpcore2.ConnectTimeout)
_Connect = Callable[[], Coroutine[Any, Any, httpcore2.AsyncNetworkStream]]


class _AsyncStream(Wire, httpcore2.AsyncNetworkStream):
    def __init__(
        self, inner: httpcore2.AsyncNetworkStream, peer: Peer, below: httpcore2.AsyncNetworkStream | None = None
    ) -> None:
        super().__init__(peer)
        self._inner = inner
        # Held, so that the backend still knows of the connection that TLS was put upon.
        self._below = below

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data = await self._inner.read(max_bytes, left(timeout, httpcore2.ReadTimeout))
        except httpcore2.ReadError as error:
            if self._asked and self._served:
                raise self._stale(str(error)) from error
            raise
        return self._heard(data)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._writes()
        await self._inner.write(buffer, left(timeout, httpcore2.WriteTimeout))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        remaining = left(timeout, httpcore2.ConnectTimeout)
        try:
            inner = await self._inner.start_tls(ssl_context, server_hostname, remaining)
        except asyncio.CancelledError:
            # What is cancelled in mid-handshake is in no pool yet, so nobody else would close it.
            _close_soon(self._inner)
            raise
        return _AsyncStream(inner, self._peer, self)

    def get_extra_info(self, info: str) -> Any:
        # The pool takes an idle connection that is readable for closed.
        if info == "is_readable" and self._outlived:
            return True
        return self._inner.get_extra_info(info)

    def hang_up(self) -> None:
        """End the connection without the event loop, which may be closed."""
        with contextlib.suppress(Exception):
            self.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class AsyncBackend(httpcore2.AsyncNetworkBackend):
    """Makes connections for an asynchronous client."""

    def __init__(self, inner: httpcore2.AsyncNetworkBackend) -> None:
        self._inner = inner
        self._peers: dict[tuple[str, int], Peer] = {}
        self._made: weakref.WeakSet[_AsyncStream] = weakref.WeakSet()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers."""
        at = None if timeout is None else time.monotonic() + timeout
        found = await addresses_async(host, port, left(timeout, httpcore2.ConnectTimeout))
        connects: list[_Connect] = [partial(self._one, each, port, at, local_address, socket_options) for each in found]
        stream = _AsyncStream(await _first(connects), self._peers.setdefault((host, port), Peer()))
        self._made.add(stream)
        return stream

    async def _one(
        self, address: str, port: int, at: float | None, local: str | None, options: Iterable[Any] | None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._inner.connect_tcp(address, port, remaining_until(at), local, options)
        except httpcore2.ConnectError as error:
            raise _named(error) from error

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a socket of the file system."""
        remaining = left(timeout, httpcore2.ConnectTimeout)
        return _AsyncStream(await self._inner.connect_unix_socket(path, remaining, socket_options), Peer())

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._inner.sleep(seconds)

    def hang_up(self) -> None:
        """End every connection without the event loop: for one that is closed, and can await nothing any more."""
        for stream in list(self._made):
            stream.hang_up()


def _named(error: httpcore2.ConnectError) -> httpcore2.ConnectError:
    """Return the error with the system's own reason, which the library beneath hides: that it was refused, say."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return httpcore2.ConnectError(f"[Errno {cause.errno}] {os.strerror(cause.errno)}")
        cause = cause.__cause__
    return error


async def _first(connects: Sequence[_Connect]) -> httpcore2.AsyncNetworkStream:
    """Return what connects first, each begun a little after the one before; raise the last failure where none does."""
    if len(connects) == 1 and sys.version_info >= (3, 11):
        return await connects[0]()
    # Before Python 3.11, anyio loses a cancellation that comes while it connects; a task that is waited for does not.
    waiting = deque(connects)
    running: set[asyncio.Task[httpcore2.AsyncNetworkStream]] = set()
    failed: Exception = httpcore2.ConnectError("no address could be connected to")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(waiting.popleft()()))
            done, running = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            running |= done
            for task in done:
                running.discard(task)
                try:
                    return task.result()
                except _UNREACHED as error:
                    failed = error
    finally:
        for task in running:
            task.add_done_callback(_discard)
            task.cancel()
    raise failed


_closing: set[asyncio.Task[None]] = set()
"""Tasks that close what nobody waits for any more; the loop itself holds tasks only weakly."""


def _discard(lost: asyncio.Task[httpcore2.AsyncNetworkStream]) -> None:
    if not lost.cancelled() and lost.exception() is None:
        _close_soon(lost.result())


def _close_soon(stream: httpcore2.AsyncNetworkStream) -> None:
    task = asyncio.get_running_loop().create_task(_close(stream))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def _close(stream: httpcore2.AsyncNetworkStream) -> None:
    with contextlib.suppress(Exception):
        await stream.aclose()
