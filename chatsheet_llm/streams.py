"""Streams: integrity, the commit point, clean-up.  Holds back everything before the first content, and trusts no EOF.

:class:`Relay` is the whole logic, without I/O; :class:`SyncBody` and :class:`AsyncBody` feed it from a hop's response.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx2
from typing_extensions import Self

from chatsheet_llm.classify import Failure, classify_event, classify_exception, event_error
from chatsheet_llm.formats import FormatError, StreamBridge
from chatsheet_llm.formats.sse import DONE, Decoder, Event, encode
from chatsheet_llm.formats.watch import WATCHES, ChatWatch
from chatsheet_llm.network import limit
from chatsheet_llm.route import Mode

log = logging.getLogger("chatsheet_llm")

DRAIN = 0.25
"""Seconds to read on after the last word, so that the connection can be used again."""
LINGER = 5.0
"""Seconds to wait for what may follow a whole answer before its last word: usage, a note of the filter, ``[DONE]``."""


MALFORMED = (FormatError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What an event of a shape that nobody foresaw may raise in a bridge, beside what the bridge raises itself."""

_PACKAGE = Path(__file__).parent

_TELLING = ('"thinking_blocks"', '"audio"')
"""What the text of a chat chunk holds that has something to remember."""


def log_malformed(error: Exception) -> None:
    """Log what became a hop's fault: its class and the line of ours that raised it, never its text, which may quote.

    A FormatError is a shape that was foreseen, told at level DEBUG.  Any other is a gap in a bridge, told as an ERROR.
    """
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [(Path(file), line) for file, line in places if _PACKAGE in Path(file).parents]
    where = f"{ours[-1][0].relative_to(_PACKAGE.parent).as_posix()}:{ours[-1][1]}" if ours else "outside chatsheet_llm"
    level = logging.DEBUG if isinstance(error, FormatError) else logging.ERROR
    log.log(level, "a hop's answer was given up: %s raised at %s", type(error).__name__, where)


class HopFault(Exception):
    """An attempt failed, and this is how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure


class Relay:
    """Take a hop's bytes, give the caller's bytes.

    ``committed`` turns true with the first content: what :meth:`feed` has returned by then must be delivered before
    anything else, and no other hop may answer any more; ``served`` is then the model that a chunk of chat names.
    Raises :class:`HopFault` for an error event, an event that is no JSON, and an end without the terminal event.  A
    fault behind content in the same bytes waits for :meth:`settle`, so that the outcome does not hang on how the bytes
    were cut.  ``learn`` hears every event that is no error, ``learn_made`` every one that a bridge made.
    """

    def __init__(
        self,
        mode: Mode,
        caller: Mode,
        headers: Mapping[str, str],
        bridge: StreamBridge | None,
        learn: Callable[[Mapping[str, object]], None] | None = None,
        learn_made: Callable[[Mapping[str, object]], None] | None = None,
        *,
        choices: int = 1,
    ) -> None:
        self.committed = False
        self.served: str | None = None
        self._mode = mode
        self._caller = caller
        self._headers = headers
        self._bridge = bridge
        self._learn = learn
        self._learn_made = learn_made
        self._decoder = Decoder()
        self._watch = ChatWatch(choices) if mode == "chat" else WATCHES[mode]()
        self._bare_failure = False
        self._events = 0
        self._late: HopFault | None = None
        self._done = False

    @property
    def partial(self) -> str:
        """The text seen so far."""
        return "".join(self._watch.text)

    @property
    def whole(self) -> bool:
        """Whether the terminal event was seen."""
        return self._watch.whole

    @property
    def finished(self) -> bool:
        """Whether the hop has said its last word: ``[DONE]`` for chat, the terminal event for the other formats."""
        return self.whole and (self._done or self._mode != "chat")

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes and return what they give for the caller; may be empty."""
        try:
            events = self._decoder.feed(chunk)
        except UnicodeDecodeError:
            raise self._fault("bad_event") from None
        made = []
        try:
            for event in events:
                if not self.finished:
                    made.append(self._pass(event))
        except HopFault as fault:
            if not self.committed:
                raise
            self._late = fault
        return b"".join(made)

    def settle(self) -> None:
        """Raise the fault that stood behind the content which :meth:`feed` returned last."""
        if self._late is not None:
            raise self._late

    def end(self) -> bytes:
        """Hear that the hop's stream is over, and return the last bytes for the caller."""
        if self._bare_failure:
            raise self._fault("rate" if "retry-after" in self._headers else "stream_error")
        if not self.whole:
            raise self._fault("truncated" if self._events or self._named_stream else "no_stream")
        try:
            rest = self._encoded(self._bridge.end()) if self._bridge is not None else b""
        except MALFORMED as error:
            log_malformed(error)
            raise self._fault("bad_event") from None
        # Written by us, after the proof of wholeness: gateways leave it out, or send it after a cut.
        return rest + encode(Event(None, DONE)) if self._caller == "chat" else rest

    @property
    def _named_stream(self) -> bool:
        kind = self._headers.get("content-type", "")
        return not kind or "event-stream" in kind

    def _pass(self, event: Event) -> bytes:
        self._events += 1
        if event.data.startswith(DONE):
            self._watch.done()
            self._done = True
            return b""
        try:
            parsed: object = json.loads(event.data)
        except (RecursionError, ValueError):
            parsed = None
        if not isinstance(parsed, Mapping):
            raise self._fault("bad_event")
        try:
            return self._judged(event, parsed)
        except MALFORMED as error:
            log_malformed(error)
            raise self._fault("bad_event") from None

    def _judged(self, event: Event, parsed: Mapping[str, object]) -> bytes:
        sight = self._watch.see(parsed)
        if sight == "error":
            if parsed.get("type") == "response.failed" and not event_error(parsed):
                # Azure says why in an `error` event behind it.
                self._bare_failure = True
                return b""
            raise HopFault(classify_event(parsed, self._headers, content_seen=self.committed))
        if sight in ("content", "end"):
            self.committed = True
            if self.served is None:
                model = parsed.get("model")
                self.served = model if isinstance(model, str) else ""
        # Hardly any chunk of chat has something to remember, and there are many: the text tells sooner.
        if self._learn is not None and (self._mode != "chat" or any(name in event.data for name in _TELLING)):
            self._learn(parsed)
        if self._bridge is None:
            return encode(event)
        return self._encoded(self._bridge.feed(parsed))

    def _encoded(self, events: Sequence[Mapping[str, object]]) -> bytes:
        if self._learn_made is not None:
            for event in events:
                self._learn_made(event)
        # Chat's chunks have no name; the events of the other formats are named as their type.
        return b"".join(
            encode(
                Event(
                    None if self._caller == "chat" else str(event.get("type")),
                    json.dumps(event, separators=(",", ":")),
                )
            )
            for event in events
        )

    def _fault(self, fault: str) -> HopFault:
        return HopFault(Failure(fault, "committed" if self.committed else "ambiguous", 200))


class _Body:
    """What both kinds of body share."""

    def __init__(
        self, upstream: httpx2.Response, relay: Relay, idle: float, broken: Callable[[Failure, str], Exception]
    ) -> None:
        self._upstream = upstream
        self._relay = relay
        self._idle = idle
        self._broken = broken
        self._head: list[bytes] = []
        self._over = False
        self._exhausted = False

    @property
    def _patience(self) -> float:
        """How long to wait for the next bytes, in seconds."""
        return min(self._idle, LINGER) if self._relay.whole else self._idle

    def _failure(self, error: Exception) -> Failure | None:
        if isinstance(error, HopFault):
            return error.failure
        failure = classify_exception(error)
        if failure is None:
            return None
        return Failure(
            failure.fault, "committed" if self._relay.committed else "ambiguous", 200, message=failure.message
        )

    def _interrupted(self, error: Exception) -> Exception:
        failure = self._failure(error)
        return error if failure is None else self._broken(failure, self._relay.partial)


class SyncBody(_Body, httpx2.SyncByteStream):
    """The body of a stream that is handed to the caller.  Call :meth:`prime` first."""

    def prime(self, until: float) -> None:
        """Read up to the first content, at most until then (monotonic seconds).  Raises :class:`HopFault`."""
        self._chunks = self._upstream.iter_bytes()
        try:
            while not (self._relay.committed or self._over):
                with limit(until):
                    self._head.append(self._next())
        except Exception as error:
            self._upstream.close()
            failure = self._failure(error)
            if failure is None:
                raise
            raise HopFault(failure) from error
        except BaseException:
            self._upstream.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        yield b"".join(self._head)
        while not self._over:
            try:
                with limit(time.monotonic() + self._patience):
                    made = self._next()
            except Exception as error:  # noqa: BLE001  what is no fault of the hop is raised as it is
                self._upstream.close()
                failed = self._interrupted(error)
            else:
                if made:
                    yield made
                continue
            # Out here, so that it has no context: that holds the request with its credential.
            raise failed

    def close(self) -> None:
        """Give the connection back: at once where the stream is whole, else by closing it."""
        if self._relay.whole and not self._exhausted:
            # The answer is whole: a fault behind it only costs the connection.
            with contextlib.suppress(Exception), limit(time.monotonic() + DRAIN):
                for _ in self._chunks:
                    pass
        self._upstream.close()

    def _next(self) -> bytes:
        self._relay.settle()
        chunk = None
        if not self._relay.finished:
            try:
                chunk = next(self._chunks, None)
                self._exhausted = chunk is None
            except Exception:
                if not self._relay.whole:
                    raise
        if chunk is None:
            self._over = True
            return self._relay.end()
        return self._relay.feed(chunk)


class AsyncBody(_Body, httpx2.AsyncByteStream, AsyncIterator[bytes]):
    """As :class:`SyncBody`, for the asynchronous client.  One that is forgotten gives its connection back too."""

    def __init__(
        self, upstream: httpx2.Response, relay: Relay, idle: float, broken: Callable[[Failure, str], Exception]
    ) -> None:
        super().__init__(upstream, relay, idle, broken)
        # Outside asyncio there is no loop that could close it later.
        with contextlib.suppress(RuntimeError):
            weakref.finalize(self, _forgotten, asyncio.get_running_loop(), upstream).atexit = False

    async def prime(self, until: float) -> None:
        """Read up to the first content, at most until then (monotonic seconds).  Raises :class:`HopFault`."""
        self._chunks = self._upstream.aiter_bytes()
        try:
            while not (self._relay.committed or self._over):
                with limit(until):
                    self._head.append(await self._next())
        except Exception as error:
            await self._upstream.aclose()
            failure = self._failure(error)
            if failure is None:
                raise
            raise HopFault(failure) from error
        except BaseException:
            await self._upstream.aclose()
            raise

    # An iterator and no generator: asyncio closes forgotten generators one inside the other at once, and they collide.
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._head:
            made, self._head = b"".join(self._head), []
            return made
        while not self._over:
            try:
                with limit(time.monotonic() + self._patience):
                    made = await self._next()
            except Exception as error:  # noqa: BLE001  what is no fault of the hop is raised as it is
                await self._upstream.aclose()
                failed = self._interrupted(error)
            else:
                if made:
                    return made
                continue
            raise failed
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Give the connection back: at once where the stream is whole, else by closing it."""
        if self._relay.whole and not self._exhausted:
            # The answer is whole: a fault behind it only costs the connection.
            with contextlib.suppress(Exception), limit(time.monotonic() + DRAIN):
                async for _ in self._chunks:
                    pass
        await self._upstream.aclose()

    async def _next(self) -> bytes:
        self._relay.settle()
        chunk = None
        if not self._relay.finished:
            try:
                chunk = await anext(self._chunks, None)
                self._exhausted = chunk is None
            except Exception:
                if not self._relay.whole:
                    raise
        if chunk is None:
            self._over = True
            return self._relay.end()
        return self._relay.feed(chunk)


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
