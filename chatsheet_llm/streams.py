"""The body of a stream that is handed to the caller: the commit point, patience, clean-up.  Trusts no EOF.

`chatsheet_llm.relay` judges what comes; :class:`SyncBody` and :class:`AsyncBody` feed it from a hop's response.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
from typing_extensions import Self

from chatsheet_llm.classify import Failure, classify_exception
from chatsheet_llm.formats.sse import Event, encoded
from chatsheet_llm.network import limit
from chatsheet_llm.relay import MALFORMED as MALFORMED
from chatsheet_llm.relay import HopFault as HopFault
from chatsheet_llm.relay import Relay as Relay
from chatsheet_llm.relay import log_malformed as log_malformed

DRAIN = 0.25
"""Seconds to read on after the last word, so that the connection can be used again."""
LINGER = 5.0
"""Seconds to wait for what may follow a whole answer before its last word (usage, a note of the filter, ``[DONE]``),
or a failure that has not said why."""


Broken = Callable[[Failure, str, str], Exception]
"""Returns the error for a stream that broke: how, what text it had brought, and who had closed it, if anybody."""


CLOSED = "this stream was closed"


class _Body:
    """What both kinds of body share.

    ``idle`` bounds the silence within a stream, in seconds; ``over`` is when one that is held back must be whole
    (monotonic seconds).
    """

    def __init__(
        self,
        upstream: httpx2.Response,
        relay: Relay,
        idle: float,
        broken: Broken,
        over: float = math.inf,
    ) -> None:
        self._upstream = upstream
        self._relay = relay
        self._idle = idle
        self._broken = broken
        self._over_at = over
        self._head: list[Event] = []
        self._over = False
        self._exhausted = False
        self._closed = False
        self.begun = False
        """Whether somebody has begun to read."""

    def begin(self) -> None:
        """Begin to read.  Raises StreamConsumed where somebody reads already, StreamClosed where nobody shall."""
        if self.begun:
            raise httpx2.StreamConsumed
        if self._closed:
            raise httpx2.StreamClosed
        self.begun = True

    @property
    def _waits(self) -> bool:
        """Whether nothing may be handed on yet."""
        return not self._over and (self._relay.held or not self._relay.committed)

    def _until(self, first: float = math.inf) -> float:
        """When the next bytes must have come; ``first`` is when the first content must.  Monotonic seconds."""
        relay, now = self._relay, time.monotonic()
        latest = self._over_at if relay.committed else first
        if latest <= now:
            raise HopFault(Failure("read_timeout", relay.state, 200, blames=not relay.committed))
        if not relay.flowing:
            if relay.closing:
                return min(now + min(self._idle, LINGER), latest)
            if not relay.committed:
                return latest
        silent = now + self._idle
        return silent if silent < latest else latest

    def _reads(self) -> bool:
        """Whether the hop has more to say.  Raises the fault that stood behind what was handed on."""
        relay = self._relay
        relay.settle()
        return not relay.finished

    def _failure(self, error: Exception) -> Failure | None:
        if isinstance(error, HopFault):
            return error.failure
        failure = classify_exception(error)
        if failure is None:
            return None
        # A stream that was still coming when the whole call was over blames nobody.
        committed = self._relay.committed
        over = committed and time.monotonic() >= self._over_at
        silent = committed and failure.fault == "read_timeout" and not over
        said = f"nothing came for {self._idle:g} s" if silent else failure.message
        return Failure(failure.fault, self._relay.state, 200, message=said, blames=not over)

    def _interrupted(self, error: Exception) -> Exception:
        failure = self._failure(error)
        if failure is None:
            return error
        return self._broken(failure, self._relay.partial, CLOSED if self._closed else "")


def _packed(upstream: httpx2.Response) -> bool:
    """Whether the bytes have to be unpacked; as they are, they need not go through the HTTP library's layers."""
    return upstream.headers.get("content-encoding", "identity") != "identity"


def _end(upstream: httpx2.Response) -> bool:
    """End what a response comes over, so that whoever waits for its bytes waits no longer; False where it cannot be."""
    network = upstream.extensions.get("network_stream")
    # Of HTTP/2, a connection may be others' too.
    if network is None or not upstream.http_version.startswith("HTTP/1"):
        return False
    try:
        network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    except Exception:  # noqa: BLE001  whatever it is made of
        return False
    return True


class SyncBody(_Body, httpx2.SyncByteStream):
    """The synchronous one.  Call :meth:`prime` first.

    One thread may close it while another reads: that one then closes the connection.  Closed below a read, the number
    of its socket may be another connection's by the time that the system looks at it.
    """

    _reading = False

    def prime(self, until: float) -> None:
        """Read up to the first content, at most until then (monotonic seconds), or to the end of what is held back.

        Raises :class:`HopFault`.
        """
        self._turn = threading.Lock()
        self._chunks = iter(self._upstream.iter_bytes() if _packed(self._upstream) else self._bytes())
        # The HTTP library's generators leave a place in its pool taken, and on Python 3.10 the connection too.
        weakref.finalize(self, self._upstream.close).atexit = False
        try:
            while self._waits:
                with limit(self._until(until)):
                    self._head += self._next()
        except Exception as error:
            self._upstream.close()
            failure = self._failure(error)
            if failure is None:
                raise
            raise HopFault(failure) from error
        except BaseException:
            self._upstream.close()
            raise
        if self._over:
            self._release()

    def __iter__(self) -> Iterator[bytes]:
        for events in self.batches():
            yield encoded(events)

    def batches(self) -> Iterator[list[Event]]:
        """Yield the events as they come, all at once that came together.  Raises what :meth:`begin` raises."""
        self.begin()
        head, self._head = self._head, []
        yield head
        while not self._over:
            with self._turn:
                self._reading = not self._closed
            if not self._reading:
                raise self._broken(Failure("reset", self._relay.state, 200), self._relay.partial, CLOSED)
            made: list[Event] = []
            failed: Exception | None = None
            try:
                with limit(self._until()):
                    made = self._next()
            except Exception as error:  # noqa: BLE001  what is no fault of the hop is raised as it is
                failed = self._interrupted(error)
            finally:
                with self._turn:
                    self._reading = False
            if failed is not None or self._closed:
                self._upstream.close()
            # Out here, so that it has no context: that holds the request with its credential.
            if failed is not None:
                raise failed
            if made:
                yield made

    def close(self) -> None:
        """Give the connection back: at once where the stream is whole, else by closing it."""
        with self._turn:
            self._closed = True
            if self._reading and _end(self._upstream):
                return
        self._release()

    def _release(self) -> None:
        if self._relay.whole and not self._exhausted:
            # The answer is whole: a fault behind it only costs the connection.
            with contextlib.suppress(Exception), limit(time.monotonic() + DRAIN):
                for _ in self._chunks:
                    pass
        self._upstream.close()

    def _bytes(self) -> httpx2.SyncByteStream:
        assert isinstance(self._upstream.stream, httpx2.SyncByteStream)
        return self._upstream.stream

    def _next(self) -> list[Event]:
        relay, chunk = self._relay, None
        if relay.flowing or self._reads():
            try:
                chunk = next(self._chunks, None)
                self._exhausted = chunk is None
            except Exception:
                if not relay.closing:
                    raise
        if chunk is None:
            self._over = True
            return relay.end()
        return relay.feed(chunk)


class AsyncBody(_Body, httpx2.AsyncByteStream, AsyncIterator[bytes]):
    """As :class:`SyncBody`, for the asynchronous client.  One that is forgotten gives its connection back too."""

    _as_bytes = False

    async def prime(self, until: float) -> None:
        """Read up to the first content, at most until then (monotonic seconds), or to the end of what is held back.

        Raises :class:`HopFault`.
        """
        self._chunks = aiter(self._upstream.aiter_bytes() if _packed(self._upstream) else self._bytes())
        # Outside asyncio there is no loop that could close it later.
        with contextlib.suppress(RuntimeError):
            weakref.finalize(self, _forgotten, asyncio.get_running_loop(), self._upstream).atexit = False
        try:
            while self._waits:
                with limit(self._until(until)):
                    self._head += await self._next()
        except Exception as error:
            await self._upstream.aclose()
            failure = self._failure(error)
            if failure is None:
                raise
            raise HopFault(failure) from error
        except BaseException:
            await self._upstream.aclose()
            raise
        if self._over:
            await self._release()

    # An iterator and no generator: asyncio closes forgotten generators one inside the other at once, and they collide.
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._as_bytes:
            self.begin()
            self._as_bytes = True
        events = await self.batch()
        if not events:
            raise StopAsyncIteration
        return encoded(events)

    async def batch(self) -> list[Event]:
        """Return the next events, all at once that came together; none at the end.  For who has begun to read."""
        if self._head:
            made, self._head = self._head, []
            return made
        while not self._over:
            try:
                with limit(self._until()):
                    made = await self._next()
            except Exception as error:  # noqa: BLE001  what is no fault of the hop is raised as it is
                await self._upstream.aclose()
                failed = self._interrupted(error)
            else:
                if made:
                    return made
                continue
            raise failed
        return []

    async def aclose(self) -> None:
        """Give the connection back: at once where the stream is whole, else by closing it."""
        self._closed = True
        await self._release()

    async def _release(self) -> None:
        if self._relay.whole and not self._exhausted:
            # The answer is whole: a fault behind it only costs the connection.
            with contextlib.suppress(Exception), limit(time.monotonic() + DRAIN):
                async for _ in self._chunks:
                    pass
        await self._upstream.aclose()

    def _bytes(self) -> httpx2.AsyncByteStream:
        assert isinstance(self._upstream.stream, httpx2.AsyncByteStream)
        return self._upstream.stream

    async def _next(self) -> list[Event]:
        relay, chunk = self._relay, None
        if relay.flowing or self._reads():
            try:
                chunk = await self._chunks.__anext__()
            except StopAsyncIteration:
                self._exhausted = True
            except Exception:
                if not relay.closing:
                    raise
        if chunk is None:
            self._over = True
            return relay.end()
        return relay.feed(chunk)


_closing: set[asyncio.Task[None]] = set()
"""Tasks that close forgotten streams; the loop itself holds tasks only weakly."""


def _forgotten(loop: asyncio.AbstractEventLoop, upstream: httpx2.Response) -> None:
    """Close a response whose stream nobody holds any more, on the loop that it belongs to."""

    def close() -> None:
        task = loop.create_task(upstream.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    if not upstream.is_closed and not loop.is_closed():
        # The loop may be closed between the question and the call.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(close)
