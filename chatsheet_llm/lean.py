"""A transport of httpx2 for direct connections of an event loop: which connection serves a request.  No proxies.

What it cannot do, the HTTP library's own transport beneath it does: another event loop than asyncio's, extensions of a
request that it does not know.  So it does where somebody has put something in its place: cassettes, mocks and tracers
wrap the library's transport, and are to see every request.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from time import monotonic
from types import FunctionType
from typing import NamedTuple

import httpcore2
import httpx2

from chatsheet_llm.lean_connect import begin, connect
from chatsheet_llm.lean_http import Connection
from chatsheet_llm.limits import left
from chatsheet_llm.wire import StaleConnection

_EXTENSIONS = {"timeout", "sni_hostname"}
_PORTS = {"http": 80, "https": 443}
_MOST_KNOWN = 64


class Origin(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    name: str
    """What its certificate has to be for."""


class Pool:
    """The connections of one event loop: at most so many, all of which may rest, none for longer than ``expiry`` s.

    A place is a connection from the time that it is sought.  Where all are taken, requests wait in turn.
    """

    def __init__(self, most: int, expiry: float) -> None:
        self._most, self._expiry = most, expiry
        self._origins: dict[Connection, Origin] = {}
        self._idle: dict[Origin, OrderedDict[Connection, float]] = {}
        """The idle ones by the time they are so since, the oldest first."""
        self._given: set[Connection] = set()
        """Those that have served, and go straight on to whoever waited; who that is has not run yet."""
        self._gone_at: dict[Origin, float] = {}
        """When a connection turned out stale: what was last asked anything before then is not used again."""
        self._turns: deque[tuple[Origin, asyncio.Future[Connection]]] = deque()

    @property
    def connections(self) -> list[Connection]:
        """Every connection there is, and those that are being made."""
        return list(self._origins)

    async def taken(self, origin: Origin, timeout: float | None) -> Connection:
        """Return a connection for one request, which may not be connected yet.  Raises PoolTimeout."""
        made = self._rested(origin)
        if made is None and (len(self._origins) < self._most or self._evicted()):
            made = self._placed(origin)
        if made is None:
            made = await self._turn(origin, timeout)
        made.idle = False
        return made

    def give(self, made: Connection) -> None:
        """Take a connection back: whoever waits is next, else it rests.  One that cannot go on is closed."""
        origin = self._origins.get(made)
        if origin is None or not made.reusable or self._gone_at.get(origin, 0.0) > made.asked_at:
            made.close()
            return
        # Until somebody asks it something, whatever comes is asked for by nobody.
        made.idle = True
        turn = self._next()
        if turn is None:
            self._idle.setdefault(origin, OrderedDict())[made] = monotonic()
        elif turn[0] == origin:
            self._given.add(made)
            turn[1].set_result(made)
        else:
            self._turns.appendleft(turn)
            made.close()

    def stale(self, origin: Origin) -> None:
        """Hear that a connection was gone when it was used again: so are those that rested beside it."""
        self._gone_at[origin] = monotonic()
        for each in list(self._idle.get(origin, ())):
            each.close()

    def close(self) -> None:
        """Close every connection."""
        while self._turns:
            turn = self._turns.popleft()[1]
            if not turn.done():
                turn.set_exception(httpx2.PoolTimeout("the client was closed"))
        for each in list(self._origins):
            each.close()

    def hang_up(self) -> None:
        """End every connection without the event loop, which may be closed."""
        for each in list(self._origins):
            each.hang_up()

    def _rested(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        if not idle:
            return None
        self._expire(idle)
        while idle:
            made, _ = idle.popitem()
            if not made.is_readable():
                return made
            made.close()
        return None

    def _expire(self, idle: OrderedDict[Connection, float]) -> None:
        now = monotonic()
        while idle:
            oldest = next(iter(idle))
            if now - idle[oldest] < self._expiry:
                return
            oldest.close()

    def _evicted(self) -> bool:
        """Return whether there is room, now that another origin's oldest idle connection is closed."""
        for idle in self._idle.values():
            if idle:
                next(iter(idle)).close()
                return True
        return False

    def _placed(self, origin: Origin) -> Connection:
        for idle in self._idle.values():
            self._expire(idle)
        made = Connection(self._gone)
        self._origins[made] = origin
        return made

    def _gone(self, made: Connection) -> None:
        if made in self._given:
            # Its place is taken.
            return
        origin = self._origins.pop(made, None)
        if origin is None:
            return
        if origin in self._idle:
            self._idle[origin].pop(made, None)
        turn = self._next()
        if turn is not None:
            turn[1].set_result(self._placed(turn[0]))

    def _next(self) -> tuple[Origin, asyncio.Future[Connection]] | None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn[1].done():
                return turn
        return None

    async def _turn(self, origin: Origin, timeout: float | None) -> Connection:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Connection] = loop.create_future()
        remaining = left(timeout, httpx2.PoolTimeout)
        timer = None if remaining is None else loop.call_later(remaining, _overdue, turn)
        self._turns.append((origin, turn))
        try:
            return self._kept(origin, await turn)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give(self._kept(origin, turn.result()))
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _kept(self, origin: Origin, made: Connection) -> Connection:
        """Return a connection that was given; where it ended since, or speaks unasked, a new one in its place."""
        self._given.discard(made)
        if not made.closed and not (made.idle and made.is_readable()):
            return made
        self._origins.pop(made, None)
        made.close()
        return self._placed(origin)


def _overdue(turn: asyncio.Future[Connection]) -> None:
    if not turn.done():
        turn.set_exception(httpx2.PoolTimeout("every connection was in use for too long"))


class _Body(httpx2.AsyncByteStream):
    """A reply's body, as it comes."""

    def __init__(self, pool: Pool, connection: Connection, silence: float | None) -> None:
        self._pool, self._silence = pool, silence
        self._connection: Connection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        connection = self._connection
        try:
            while connection is not None and self._connection is connection:
                data = await connection.content(self._silence)
                if not data:
                    return
                yield data
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Give the connection back; one whose reply is not over is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give(connection)


_known: dict[object, bool] = {}
"""Functions that may stand in the library's transport -> whether they are the library's own."""


def _replaced() -> bool:
    """Whether anything stands in the place of the library's transport or of its pool."""
    for cls in (httpx2.AsyncHTTPTransport, httpcore2.AsyncConnectionPool):
        current = cls.__dict__["handle_async_request"]
        own = _known.get(current)
        if own is None:
            # By its code: a wrapper may take the name of what it wraps.
            package = cls.__module__.partition(".")[0]
            module = current.__globals__.get("__name__", "") if type(current) is FunctionType else ""
            own = module.partition(".")[0] == package and not hasattr(current, "__wrapped__")
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[current] = own
        if not own:
            return True
    return False


class LeanTransport(httpx2.AsyncBaseTransport):
    """Sends requests over connections of its own; what it cannot do, ``beneath`` does."""

    def __init__(self, trust: ssl.SSLContext, limits: httpx2.Limits, beneath: httpx2.AsyncBaseTransport) -> None:
        trust.set_alpn_protocols(["http/1.1"])
        self._trust, self._beneath = trust, beneath
        most, expiry = limits.max_connections, limits.keepalive_expiry
        self._pool = Pool(sys.maxsize if most is None else most, float("inf") if expiry is None else expiry)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and return its response, the body of which is still to be read."""
        extensions, url = request.extensions, request.url
        port = _PORTS.get(url.scheme)
        if port is None or not _EXTENSIONS.issuperset(extensions) or not _on_asyncio() or _replaced():
            return await self._beneath.handle_async_request(request)
        timeouts = extensions.get("timeout") or {}
        host, port = url.raw_host.decode("ascii"), url.port or port
        origin = Origin(url.scheme, host, port, extensions.get("sni_hostname") or host)
        connection = await self._pool.taken(origin, timeouts.get("pool"))
        try:
            if connection.socket is None:
                wait = timeouts.get("connect")
                await connect(connection, host, port, wait)
                await begin(connection, self._trust if url.scheme == "https" else None, origin.name, wait)
            reply = await connection.ask(request, timeouts)
        except httpx2.ReadError as error:
            if isinstance(error.__cause__, StaleConnection):
                self._pool.stale(origin)
            connection.close()
            raise
        except BaseException:
            connection.close()
            raise
        return httpx2.Response(
            reply.status,
            headers=reply.headers,
            stream=_Body(self._pool, connection, timeouts.get("read")),
            extensions={"http_version": reply.version, "reason_phrase": reply.reason, "network_stream": connection},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        self._pool.close()
        if _on_asyncio():
            # The event loop closes a socket in its next rounds: of TLS, the one beneath in the second.
            for _ in range(3):
                await asyncio.sleep(0)
        await self._beneath.aclose()


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
