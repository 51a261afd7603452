"""One HTTP/1.1 connection of an event loop: sends a request, hears its reply.  Opens no socket and keeps no pool."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, cast

import httptools
import httpx2

from chatsheet_llm.lean_request import head_of
from chatsheet_llm.limits import left
from chatsheet_llm.wire import StaleConnection

if TYPE_CHECKING:
    from chatsheet_llm.lean_request import Framing

HEAD_BYTES = 100 * 1024
"""The longest head of a reply, and the longest stretch without any content after it."""
BUFFER_BYTES = 64 * 1024
"""Content nobody has taken yet at which no more is read; what one read brings (256 KiB) may come on top."""
_NEVER = float("inf")
_VERSIONS = {"1.1": b"HTTP/1.1", "1.0": b"HTTP/1.0"}
_INFO = {"client_addr": "sockname", "server_addr": "peername"}
"""The HTTP library's names of what is known of a connection, where asyncio has others."""


class Connection(asyncio.Protocol):
    """Serves one request after the other.  ``gone`` is told once, when it serves no more.

    ``network_stream`` of a response's extensions is the connection itself, for what it tells of its socket.
    """

    __slots__ = (
        "_asked", "_chunks", "_failed", "_full", "_gone", "_head", "_heard_at", "_held",
        "_informal", "_keep", "_late", "_loop", "_parser", "_quiet", "_quiet_for", "_reading", "_served",
        "_timer", "_timer_at", "_transport", "_until", "_waiter", "_wordless", "asked_at", "closed", "complete",
        "headers", "idle", "reason", "socket", "status", "version",
    )  # fmt: skip

    def __init__(self, gone: Callable[[Connection], object]) -> None:
        self._loop, self._gone = asyncio.get_running_loop(), gone
        self.socket: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at, self._until, self._quiet_for, self._heard_at = _NEVER, _NEVER, _NEVER, 0.0
        self._late: type[httpx2.TimeoutException] = httpx2.ReadTimeout
        self._waiter: asyncio.Future[None] | None = None
        self._full = self._served = self.closed = self.idle = False
        self._reading = True
        self._failed: Exception | None = None
        self.asked_at = monotonic()
        # What comes before it is asked is taken for the first reply.
        self._begin()

    def _begin(self) -> None:
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._held = self._quiet = self.status = 0
        self._head = self._informal = self._wordless = self.complete = self._keep = False
        self.version, self.reason = b"", b""

    # --- what the pool does with it

    def is_idle(self) -> bool:
        """Return whether it waits for a request."""
        return self.idle

    is_available = is_idle

    def is_closed(self) -> bool:
        """Return whether it serves no more."""
        return self.closed

    def get_extra_info(self, info: str) -> object:
        """Return what is known of the connection: ``client_addr``, ``server_addr``, ``ssl_object``, ``socket``."""
        if info == "is_readable":
            return self.is_readable()
        return None if self._transport is None else self._transport.get_extra_info(_INFO.get(info, info))

    @property
    def reusable(self) -> bool:
        """Whether the last reply is over, to its last byte and no further, and another request may follow."""
        return self.complete and self._keep and not self._full and not self.closed

    def is_readable(self) -> bool:
        """Return whether bytes or an end have come that the event loop has not seen; an idle connection is over then.

        The loop may not have run since: between two ``run_until_complete``, say.
        """
        held = self.socket
        if held is None or held.fileno() < 0:
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(held, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([held], [], [], 0)[0])

    def close(self, why: str = "the connection was closed") -> None:
        """End it at once, whatever it is at."""
        self._fail(httpx2.ReadError(why))

    def hang_up(self) -> None:
        """End it without the event loop, which may be closed."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    # --- a request and its reply

    async def ask(self, request: httpx2.Request, timeouts: Mapping[str, float | None]) -> None:
        """Send the request and hear the head of its reply.  Raises httpx2's errors, and leaves it to be closed then."""
        framing = self._ask(request)
        if framing is not None:
            await self._upload(cast("httpx2.AsyncByteStream", request.stream), framing, timeouts.get("write"))
        elif self._full:
            await self._flushed(timeouts.get("write"))
        silence = timeouts.get("read")
        while not self._head:
            if self._failed is not None:
                raise self._failed
            await self._news(silence, _NEVER, httpx2.ReadTimeout)

    async def content(self, silence: float | None) -> bytes:
        """Return what has come of the reply's body since the last time; nothing at its end."""
        while not self._chunks:
            if self.complete:
                return b""
            if self._failed is not None:
                raise self._failed
            await self._news(silence, _NEVER, httpx2.ReadTimeout)
        chunks, self._chunks, self._held = self._chunks, [], 0
        if not self._reading and not self.closed and self._transport is not None:
            self._reading = True
            self._transport.resume_reading()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _ask(self, request: httpx2.Request) -> Framing | None:
        """Write the request, or its head alone: then return how the body is to be written."""
        head, framing = head_of(request)
        if self._served:
            self._begin()
        self.idle, self._wordless = False, request.method == "HEAD"
        self._asked, self.asked_at = True, monotonic()
        if not isinstance(request.stream, httpx2.ByteStream):
            self._write(head)
            return framing
        self._write(head + b"".join(map(framing.piece, request.stream)) + framing.end())
        return None

    def _write(self, data: bytes) -> None:
        # What is written to a connection that is lost is told by what is read from it.
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    async def _upload(self, stream: httpx2.AsyncByteStream, framing: Framing, timeout: float | None) -> None:
        pieces = cast("AsyncIterator[bytes]", stream.__aiter__())
        try:
            async for data in pieces:
                self._write(framing.piece(data))
                if self._full:
                    await self._flushed(timeout)
                if self._spared:
                    return
            self._write(framing.end())
            if self._full:
                await self._flushed(timeout)
        finally:
            if hasattr(pieces, "aclose"):
                await pieces.aclose()
            if self._spared:
                self._keep = False

    @property
    def _spared(self) -> bool:
        """Whether the rest of a body need not be sent: it is refused, or answered, or nobody is there."""
        return self.closed or self.complete or (self._head and self.status >= 400)

    async def _flushed(self, timeout: float | None) -> None:
        until = _NEVER if timeout is None else monotonic() + timeout
        while self._full and not self._spared:
            await self._news(None, until, httpx2.WriteTimeout)

    async def _news(self, silence: float | None, until: float, late: type[httpx2.TimeoutException]) -> None:
        """Wait until something happens; not beyond the limit, nor ``until``, nor so long a ``silence`` of the peer."""
        rest = left(None, late)
        now = self._heard_at = monotonic()
        self._until = until if rest is None else min(until, now + rest)
        self._quiet_for, self._late = _NEVER if silence is None else silence, late
        due = min(self._until, now + self._quiet_for)
        if due < self._timer_at:
            self._wake_at(due, now)
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake_at(self, due: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at, self._timer = due, self._loop.call_later(due - now, self._tick)

    def _tick(self) -> None:
        """End a wait that is due; a timer is not set anew with every byte that comes, nor with every request."""
        self._timer, self._timer_at = None, _NEVER
        if self._waiter is None or self._waiter.done():
            return
        now, due = monotonic(), min(self._until, self._heard_at + self._quiet_for)
        if now >= due:
            self._waiter.set_exception(self._late("the other end was silent for too long"))
        elif due < _NEVER:
            self._wake_at(due, now)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._failed is None:
            self._failed = error
        self._over()
        if self._transport is not None:
            self._transport.abort()

    def _over(self) -> None:
        self.idle, self._parser = False, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.closed:
            self.closed = True
            self._gone(self)
        self._wake()

    # --- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        # A write is over when the system has all of it. (Of 0, asyncio's TLS would make that it is never over.)
        self._transport.set_write_buffer_limits(high=1)
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._parser is None:
            # Between two requests, nobody was asked for anything.
            self._keep = False
            if self.idle:
                self.close()
            return
        self._heard_at = monotonic()
        self._asked, self._served = False, True
        self._quiet += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(keep=False)
        except httptools.HttpParserError as error:
            self._keep = False
            if not self.complete:
                failed = httpx2.RemoteProtocolError(f"the reply is no HTTP/1.1: {error}")
                failed.__cause__ = error
                self._fail(failed)
        if self._quiet > HEAD_BYTES and not self.complete:
            self._fail(httpx2.RemoteProtocolError("the head of the reply, or what frames its body, is too long"))
        if self.complete:
            self._parser = None
        elif self._held > BUFFER_BYTES and self._reading and not self.closed and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()
        if self._head:
            self._wake()

    def eof_received(self) -> None:
        """Take the end of what comes."""
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end."""
        self._ended(exc)
        self._over()

    def _ended(self, exc: Exception | None) -> None:
        if self._parser is None:
            self._over()
        elif self._asked and self._served:
            why = "the server had closed the connection" if exc is None else str(exc)
            stale = httpx2.ReadError(why)
            stale.__cause__ = StaleConnection(why)
            self._fail(stale)
        elif exc is not None:
            lost = httpx2.ReadError(str(exc))
            lost.__cause__ = exc
            self._fail(lost)
        elif not self._head:
            self._fail(httpx2.RemoteProtocolError("Server disconnected without sending a response."))
        elif any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
            self._fail(httpx2.RemoteProtocolError("the connection was closed before the reply was complete"))
        else:
            self._end(keep=False)
            self._over()

    def pause_writing(self) -> None:
        """Hear that the system takes no more for now."""
        self._full = True

    def resume_writing(self) -> None:
        """Hear that it has taken all."""
        self._full = False
        self._wake()

    # --- what the parser tells

    def on_message_begin(self) -> None:
        """Begin a reply; where one is over already, nobody asked for another."""
        if self.complete:
            self._keep = False

    def on_status(self, reason: bytes) -> None:
        """Take the words beside the status, or a part of them."""
        if not self.complete:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header.  One that comes after the body is left."""
        if not self._head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head."""
        if self.complete or self._parser is None:
            return
        self.status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if self.status < 200 and self.status != 101:
            self._informal = True
            return
        self.version = _VERSIONS.get(version, b"HTTP/" + version.encode("ascii"))
        if self._quiet > HEAD_BYTES and sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            return
        self._head, self._quiet = True, 0
        if self._wordless:
            self._end(keep=version == "1.1" and self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.complete:
            self._keep = False
            return
        self._chunks.append(data)
        self._held += len(data)
        self._quiet = 0

    def on_message_complete(self) -> None:
        """End a reply, or what came before it."""
        if self._informal:
            self._informal, self.headers, self.reason = False, [], b""
        elif not self.complete and self._parser is not None:
            self._end(keep=self.version == b"HTTP/1.1" and self._parser.should_keep_alive())

    def _end(self, *, keep: bool) -> None:
        self.complete, self._keep = True, keep and self.status != 101
