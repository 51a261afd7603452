"""The HTTP and SDK clients of one client: one set for all threads, or one for each event loop.  Sends nothing itself.

A connection belongs to the event loop that made it.  So each loop gets clients of its own, which are closed when it
ends (``asyncio.run`` closes what an asynchronous generator holds), and dropped where it was closed without that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import httpx2

from chatsheet_llm.endpoints import Endpoint
from chatsheet_llm.errors import LocalResourceError
from chatsheet_llm.network import Network, hang_up
from chatsheet_llm.trust import LateTrust

_Loop = asyncio.AbstractEventLoop
_pools: weakref.WeakSet[Connections] = weakref.WeakSet()


def running_loop() -> _Loop | None:
    """Return the event loop that runs in this thread; None outside one, and under trio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _Set:
    """The clients of one event loop, or of every thread."""

    __slots__ = ("http", "keeper", "sdks")

    def __init__(self) -> None:
        self.http: dict[Network, Any] = {}
        self.sdks: dict[str, tuple[Endpoint, Any]] = {}
        self.keeper: AsyncGenerator[None, None] | None = None

    def close(self) -> None:
        while self.http:
            self.http.popitem()[1].close()

    async def aclose(self) -> None:
        while self.http:
            await self.http.popitem()[1].aclose()

    def drop(self) -> None:
        """Let go of what belongs to a loop that can await nothing any more."""
        while self.http:
            hang_up(self.http.popitem()[1])

    def keep(self, over: Callable[[], object]) -> None:
        """Have the running loop close the clients when it ends."""

        async def keeper() -> AsyncGenerator[None, None]:
            try:
                yield
            finally:
                over()
                await self.aclose()

        self.keeper = keeper()
        # Its first step awaits nothing, and makes it known to the loop.
        with contextlib.suppress(StopIteration):
            self.keeper.__anext__().__await__().__next__()


class Connections:
    """Makes the clients when they are first asked for.  Thread-safe, and starts anew in a child after a fork.

    ``given`` is the caller's own HTTP client, used for everything; it is the caller's to renew.  Without ``tls``, what
    certificates are judged by is read once one comes: no endpoint is known that has any.
    """

    def __init__(
        self,
        http: type[httpx2.Client | httpx2.AsyncClient],
        given: httpx2.Client | httpx2.AsyncClient | None,
        *,
        tls: bool = True,
    ) -> None:
        self._looped = http is httpx2.AsyncClient
        self._given = given
        self._tls = tls
        self._closed = False
        self._trusts: dict[str | None, ssl.SSLContext] = {}
        self._inherited: list[object] = []
        self.lock = threading.RLock()
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        self._sole = _Set()
        self._by_loop: dict[_Loop, _Set] = {}
        self._process = os.getpid()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called, or the caller closed the client that was given."""
        return self._closed or (self._given is not None and self._given.is_closed)

    def must_be_open(self) -> None:
        """Raise LocalResourceError where the client is closed, or the HTTP client that it was given."""
        if self._closed:
            raise LocalResourceError("this client is closed; make a new one")
        if self.closed:
            raise LocalResourceError(
                "the http_client that this client was given is closed; keep it open as long as this one is used, "
                "and make new ones of both"
            )

    def own_process(self) -> None:
        """Start anew in a child after a fork: two processes on one connection read each other's answers.

        The parent's connections are kept, unused: to close them here could end them there.
        """
        if os.getpid() == self._process:
            return
        with self.lock:
            if os.getpid() != self._process:
                self._inherited.append((self._sole, self._by_loop))
                self._begin()

    def clients(self) -> list[Any]:
        """Return every HTTP client there is, of all loops."""
        with self.lock:
            return [client for each in (self._sole, *self._by_loop.values()) for client in each.http.values()]

    def http(self, network: Network) -> Any:
        """Return the HTTP client for a network policy; of the running loop, where there is one."""
        if self._given is not None:
            return self._given
        with self.lock:
            return self._http(self._here(), network)

    def sdk(self, endpoint: Endpoint) -> Any:
        """Return the SDK client of an endpoint; of the running loop, where there is one.  Raises LocalResourceError."""
        here = self._here()
        found = here.sdks.get(endpoint.name)
        # Equal is not enough to look for: what did not change is the same object after a new reading, too.
        if found is None or found[0] is not endpoint:
            with self.lock:
                self.must_be_open()
                http = self._given if self._given is not None else self._http(here, endpoint.network)
                made = endpoint.client(http) if isinstance(http, httpx2.Client) else endpoint.async_client(http)
                found = here.sdks[endpoint.name] = endpoint, made
        return found[1]

    def _http(self, here: _Set, network: Network) -> Any:
        made = here.http.get(network)
        if made is None:
            trust = self._trusts.get(network.ca_bundle)
            if trust is None:
                # A bundle is read at once, as it may be wrong.
                late = not self._tls and network.ca_bundle is None
                trust = self._trusts[network.ca_bundle] = LateTrust(network.trust) if late else network.trust()
            made = here.http[network] = network.async_client(trust) if self._looped else network.client(trust)
        return made

    def _here(self) -> _Set:
        """Return the set of the running loop, or the one that every thread shares."""
        if not self._looped or self._given is not None:
            return self._sole
        loop = running_loop()
        if loop is None:
            return self._sole
        found = self._by_loop.get(loop)
        if found is None:
            with self.lock:
                for other in [other for other in self._by_loop if other.is_closed()]:
                    self._by_loop.pop(other).drop()
                # What was made before there was a loop has no connection yet.
                found, self._sole = self._sole, _Set()
                self._by_loop[loop] = found
            found.keep(partial(self._by_loop.pop, loop, None))
        return found

    def close(self) -> None:
        """Close every connection.  Of a client that is closed already, nothing."""
        self.own_process()
        self._closed = True
        self._sole.close()
        if isinstance(self._given, httpx2.Client):
            self._given.close()

    async def aclose(self) -> None:
        """Close every connection, of other loops too."""
        self.own_process()
        with self.lock:
            self._closed = True
            sets, self._by_loop = self._by_loop, {}
        running = asyncio.get_running_loop()
        for loop, each in sets.items():
            if loop is running:
                await each.aclose()
            elif loop.is_running():
                loop.call_soon_threadsafe(partial(_close_there, loop, each))
            else:
                each.drop()
        await self._sole.aclose()
        if isinstance(self._given, httpx2.AsyncClient):
            await self._given.aclose()


_closing: set[asyncio.Task[None]] = set()
"""Tasks that close another loop's clients; the loop itself holds tasks only weakly."""


def _close_there(loop: _Loop, each: _Set) -> None:
    task = loop.create_task(each.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _renew_locks() -> None:
    """Give a child process locks that no thread of its parent holds."""
    for each in list(_pools):
        each.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
