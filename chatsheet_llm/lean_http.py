"""One HTTP/1.1 connection of an event loop: sends a request, hears its reply.  Opens no socket and keeps no pool."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import cast

import httpx2

from chatsheet_llm.lean_reply import Reply
from chatsheet_llm.lean_request import Framing, head_of
from chatsheet_llm.lean_wait import NEVER, Waiting
from chatsheet_llm.wire import StaleConnection

BUFFER_BYTES = 64 * 1024
"""Content nobody has taken yet at which no more is read; what one read brings (256 KiB) may come on top."""
_INFO = {"client_addr": "sockname", "server_addr": "peername"}
"""The HTTP library's names of what is known of a connection, where asyncio has others."""


class Connection(asyncio.Protocol):
    """Serves one request after the other.  ``gone`` is told once, when it serves no more.

    A response's ``network_stream`` is the connection itself, for what it tells of its socket.
    """

    __slots__ = (
        "_asked", "_asks", "_cut", "_failed", "_full", "_gone", "_reading", "_transport", "_waiting", "asked_at",
        "closed", "idle", "reply", "socket",
    )  # fmt: skip

    def __init__(self, gone: Callable[[Connection], object]) -> None:
        self._gone, self._waiting = gone, Waiting()
        self._transport: asyncio.Transport | None = None
        self._failed: Exception | None = None
        self._asked = self._cut = self._full = False
        self._asks, self._reading = 0, True
        self.socket: socket.socket | None = None
        self.closed = self.idle = False
        self.asked_at = monotonic()
        # What comes before anything is asked is taken for the first reply.
        self.reply = Reply()

    # --- what the pool asks

    def is_idle(self) -> bool:
        """Return whether it waits for a request."""
        return self.idle

    is_available = is_idle

    def is_closed(self) -> bool:
        """Return whether it serves no more."""
        return self.closed

    def is_readable(self) -> bool:
        """Return whether bytes, or the end, have come that the event loop has not seen: it may not have run since."""
        held = self.socket
        if held is None or held.fileno() < 0:
            return True
        if not hasattr(select, "poll"):
            return bool(select.select([held], [], [], 0)[0])
        poll = select.poll()
        poll.register(held, select.POLLIN)
        return bool(poll.poll(0))

    @property
    def reusable(self) -> bool:
        """Whether the last reply is over and another request may follow."""
        return self.reply.keeps and not (self.closed or self._full or self._cut)

    def get_extra_info(self, info: str) -> object:
        """Return what is known of the connection: ``client_addr``, ``server_addr``, ``ssl_object``, ``socket``."""
        if info == "is_readable":
            return self.is_readable()
        return None if self._transport is None else self._transport.get_extra_info(_INFO.get(info, info))

    def close(self) -> None:
        """End it at once, whatever it is at."""
        self._fail(httpx2.ReadError("the connection was closed"))

    def hang_up(self) -> None:
        """End it without the event loop, which may be closed."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    # --- a request and its reply

    async def ask(self, request: httpx2.Request, timeouts: Mapping[str, float | None]) -> Reply:
        """Send the request and return its reply, the head of which is here.  Raises httpx2's errors."""
        framing = self._sent(request)
        if framing is not None:
            await self._upload(cast("httpx2.AsyncByteStream", request.stream), framing, timeouts.get("write"))
        elif self._full:
            await self._flushed(timeouts.get("write"))
        silence = timeouts.get("read")
        while not self.reply.begun:
            if self._failed is not None:
                raise self._failed
            await self._waiting.news(silence, NEVER, httpx2.ReadTimeout)
        return self.reply

    async def content(self, silence: float | None) -> bytes:
        """Return what has come of the reply's body since the last time; nothing at its end.  Raises httpx2's errors."""
        reply = self.reply
        while not reply.held:
            if reply.complete:
                return b""
            if self._failed is not None:
                raise self._failed
            if not self._reading:
                self._read_on()
            await self._waiting.news(silence, NEVER, httpx2.ReadTimeout)
        return reply.taken()

    def _sent(self, request: httpx2.Request) -> Framing | None:
        """Write the request, or its head alone: then return how the body is to be written."""
        head, framing = head_of(request)
        if self._asks:
            self.reply = Reply()
        self._asks += 1
        if request.method == "HEAD":
            self.reply.has_no_body()
        if not self._reading:
            self._read_on()
        self._asked, self.asked_at = True, monotonic()
        if not isinstance(request.stream, httpx2.ByteStream):
            self._write(head)
            return framing
        self._write(b"".join((head, *map(framing.piece, request.stream), framing.end())))
        return None

    def _write(self, data: bytes) -> None:
        # That it is lost is told by what is read from it.
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    def _read_on(self) -> None:
        self._reading = True
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    async def _upload(self, stream: httpx2.AsyncByteStream, framing: Framing, timeout: float | None) -> None:
        pieces = stream.__aiter__()
        try:
            async for data in pieces:
                self._write(framing.piece(data))
                if self._full:
                    await self._flushed(timeout)
                if self._spared:
                    self._cut = True
                    return
            self._write(framing.end())
            if self._full:
                await self._flushed(timeout)
        finally:
            # A generator that is left half read would be ended by whoever collects it.
            if hasattr(pieces, "aclose"):
                await pieces.aclose()

    @property
    def _spared(self) -> bool:
        """Whether the rest of a body need not be sent: it is refused, or answered, or nobody is there."""
        return self.closed or self.reply.complete or self.reply.status >= 400

    async def _flushed(self, timeout: float | None) -> None:
        until = NEVER if timeout is None else monotonic() + timeout
        while self._full and not self._spared:
            await self._waiting.news(None, until, httpx2.WriteTimeout)

    def _fail(self, error: Exception) -> None:
        if self._failed is None:
            self._failed = error
        self._over()
        if self._transport is not None:
            self._transport.abort()

    def _over(self) -> None:
        self.idle = False
        self.reply.drop()
        if not self.closed:
            self.closed = True
            self._gone(self)
        self._waiting.end()

    # --- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        # A write is over when the system has all of it; with 0, asyncio's TLS would have it that it never is.
        self._transport.set_write_buffer_limits(high=1)
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self.idle:
            # Nobody asked for it, and the next reply would be taken for what it is not.
            self.close()
            return
        self._waiting.heard()
        self._asked = False
        reply = self.reply
        try:
            reply.feed(data)
        except httpx2.RemoteProtocolError as error:
            self._fail(error)
            return
        if reply.held > BUFFER_BYTES and self._reading and not reply.complete and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()
        if reply.begun:
            self._waiting.wake()

    def eof_received(self) -> None:
        """Take the end of what comes."""
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end."""
        self._ended(exc)

    def _ended(self, exc: Exception | None) -> None:
        if self.closed or self.idle or self.reply.complete:
            self._over()
        elif self._asked and self._asks > 1:
            why = "the server had closed the connection" if exc is None else str(exc)
            self._fail(_caused(httpx2.ReadError(why), StaleConnection(why)))
        elif exc is not None:
            self._fail(_caused(httpx2.ReadError(str(exc)), exc))
        else:
            try:
                self.reply.end()
            except httpx2.RemoteProtocolError as error:
                self._fail(error)
            else:
                self._over()

    def pause_writing(self) -> None:
        """Hear that the system takes no more for now."""
        self._full = True

    def resume_writing(self) -> None:
        """Hear that it has taken all."""
        self._full = False
        self._waiting.wake()


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error
