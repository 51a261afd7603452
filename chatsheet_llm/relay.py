"""One hop's stream, event by event: what is content, what is whole, what is a fault.  Holds back; does no I/O.

:class:`Relay` takes a hop's bytes and gives the caller's events; the bodies of `chatsheet_llm.streams` feed it.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from chatsheet_llm.classify import Failure, classify_event, event_error, retry_after
from chatsheet_llm.formats import FormatError, StreamBridge
from chatsheet_llm.formats.order import Order
from chatsheet_llm.formats.parse import loads
from chatsheet_llm.formats.sse import DONE, Decoder, Event, events_of
from chatsheet_llm.formats.watch import WATCHES, ChatWatch, Sight, Watch
from chatsheet_llm.route import Mode, SendState

log = logging.getLogger("chatsheet_llm")

LARGEST_EVENT = 1 << 20
"""Bytes of one event that brings a piece of an answer."""
LARGEST_REPLY = 16 << 20
"""Bytes of what brings a whole answer: the events of Responses that repeat all of it, images included; a reply that
comes where a stream was asked for; and all that stands before the first content, as that may repeat the request."""
LARGEST_HELD = 64 << 20
"""Bytes of a stream that is held back until it is whole."""
MOST_EVENTS = 100_000
"""Events of one stream."""

MALFORMED = (FormatError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What an event of a shape that nobody foresaw may raise in a bridge, beside what the bridge raises itself."""

Reply = Callable[[bytes], tuple[list[Event], str]]
"""Takes the body of a whole reply; returns the stream that would have brought it, and the model that it names."""

_PACKAGE = Path(__file__).parent

_THOUGHT, _AUDIO = '"thinking_blocks"', '"audio"'
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
    """Take a hop's bytes, give the caller's events.

    ``committed`` turns true with the first content: what :meth:`feed` has returned by then must be delivered before
    anything else, and no other hop may answer any more; ``served`` is then the model that a chunk of chat names.
    ``flowing`` says that more of an answer is to come, and that nothing stands behind what was returned.
    Raises :class:`HopFault` for an error event, an event that is no JSON, one that is out of order or larger than any
    answer, a call whose arguments are cut, and an end without the terminal event.  A fault behind content in the same
    bytes waits for :meth:`settle`, so that the outcome does not hang on how the bytes were cut.

    ``learn`` hears the events that may have something to remember, ``learn_made`` every one that a bridge made.
    ``reply`` makes a stream of a whole reply that came instead of one.  ``watch`` judges what is no stream of an answer
    to a request of ours.  Where the stream is ``held``, nothing is delivered before its end, and no fault waits.
    ``counts`` tells how many events came twice (``"again"``).
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
        reply: Reply | None = None,
        watch: Watch | None = None,
        held: bool = False,
    ) -> None:
        self.committed = self.flowing = False
        self.held = held
        self.served: str | None = None
        self.counts: Counter[str] = Counter()
        self._mode = mode
        self._caller = caller
        self._headers = headers
        self._bridge = bridge
        self._learn = learn
        self._learn_made = learn_made
        self._reply = reply
        self._decoder = Decoder()
        self._rereads = watch is not None
        self._watch = watch or (ChatWatch(choices) if mode == "chat" else WATCHES[mode]())
        self._order = Order() if mode == "responses" else None
        self._bare_failure = False
        self._events = 0
        self._received = 0
        self._begun = False
        """Whether it has begun as streams do."""
        self._body: list[bytes] | None = None
        self._late: HopFault | None = None
        self._done = False
        self._replied = False

    @property
    def partial(self) -> str:
        """The text seen so far."""
        return "".join(self._watch.text)

    @property
    def whole(self) -> bool:
        """Whether the terminal event was seen."""
        return self._watch.whole or self._replied

    @property
    def finished(self) -> bool:
        """Whether the hop has said its last word: ``[DONE]`` for chat, the terminal event for the other formats."""
        return self.whole and (self._done or self._mode != "chat")

    @property
    def closing(self) -> bool:
        """Whether what may still come can only add to what is settled: to a whole answer, or to a failure's reason."""
        return self.whole or self._bare_failure

    @property
    def unknown(self) -> int:
        """How many events were of a type that nobody here knows."""
        return self._watch.unknown

    @property
    def state(self) -> SendState:
        """How far a request got whose stream breaks now."""
        return "committed" if self.committed and not self.held else "ambiguous"

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and return the events that they give for the caller; may be none."""
        self._received += len(chunk)
        if not self._begun and self._instead(chunk):
            return []
        made: list[Event] = []
        try:
            for event in self._decoder.feed(chunk):
                if not self._watch.whole or not self.finished:
                    self._pass(event, made)
            if self.held or self._decoder.held or self._received > LARGEST_REPLY:
                self._bounded()
        except HopFault as fault:
            if self.held or not self.committed:
                raise
            self._late = fault
        self.flowing = self.committed and not (self._watch.whole or self._late or self.held or self._bare_failure)
        return made

    def settle(self) -> None:
        """Raise the fault that stood behind the content which :meth:`feed` returned last."""
        if self._late is not None:
            raise self._late

    def end(self) -> list[Event]:
        """Hear that the hop's stream is over, and return the last events for the caller."""
        if self._body is not None and self._reply is not None:
            made, self.served = self._reply(b"".join(self._body))
            self.committed = self._replied = True
            return made
        if self._bare_failure:
            raise self._unnamed()
        if not self.whole:
            instead = "no_stream" if self._received else "empty"
            raise self._fault("truncated" if self._events or self._named_stream else instead)
        try:
            rest = self._told(self._bridge.end()) if self._bridge is not None else []
        except MALFORMED as error:
            log_malformed(error)
            raise self._fault("bad_event") from None
        if self.counts or self.unknown:
            log.info("a stream held %d events twice, and %d of unknown types", self.counts["again"], self.unknown)
        # Written by us, after the proof of wholeness: gateways leave it out, or send it after a cut.
        return [*rest, Event(None, DONE)] if self._caller == "chat" else rest

    @property
    def _named_stream(self) -> bool:
        kind = self._headers.get("content-type", "")
        return not kind or "event-stream" in kind

    def _instead(self, chunk: bytes) -> bool:
        """Whether a whole reply comes instead of a stream: no line of a stream begins as JSON does."""
        if self._body is None:
            begun = chunk.lstrip(_BLANK)
            if self._reply is None or begun[:1] not in (b"{", b"["):
                self._begun = bool(begun)
                return False
            self._body = []
        if self._received > LARGEST_REPLY:
            raise self._fault("large_event", f"a reply of more than {LARGEST_REPLY >> 20} MiB")
        self._body.append(chunk)
        return True

    def _bounded(self) -> None:
        """Raise the fault of a stream that holds more than any answer."""
        largest = LARGEST_REPLY if self._mode == "responses" else LARGEST_EVENT
        if self._decoder.held > largest:
            raise self._fault("large_event", f"one event of more than {largest >> 20} MiB")
        if self._received > LARGEST_REPLY and not self.committed:
            raise self._fault("large_event", f"more than {LARGEST_REPLY >> 20} MiB before its first content")
        if self.held and self._received > LARGEST_HELD:
            raise self._fault("large_event", f"more than {LARGEST_HELD >> 20} MiB that had to be held back")

    def _pass(self, event: Event, made: list[Event]) -> None:
        self._events += 1
        if self._events > MOST_EVENTS:
            raise self._fault("large_event", f"more than {MOST_EVENTS} events")
        data = event.data
        if data.startswith(DONE):
            self._watch.done()
            if self._watch.broken:
                raise self._fault("tool_arguments")
            self._done = True
            return
        try:
            parsed = loads(data)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise self._fault("bad_event")
        if len(data) > LARGEST_EVENT and len(data) > (largest := self._largest(parsed)):
            raise self._fault("large_event", f"one event of more than {largest >> 20} MiB")
        try:
            self._judged(event, parsed, made)
        except MALFORMED as error:
            log_malformed(error)
            raise self._fault("bad_event") from None

    def _largest(self, parsed: Mapping[str, object]) -> int:
        """The most bytes of an event: those of Responses that are no delta repeat a request, an item or the answer."""
        kind = str(parsed.get("type"))
        repeats = self._mode == "responses" and kind.startswith("response.") and not kind.endswith(".delta")
        return LARGEST_REPLY if repeats else LARGEST_EVENT

    def _judged(self, event: Event, parsed: Mapping[str, object], made: list[Event]) -> None:
        if self._order is not None and parsed.get("type") not in _ERRORS:
            place = self._order.place(parsed, event.data)
            if place == "again":
                self.counts["again"] += 1
                return
            if place == "wrong":
                raise self._fault("sequence")
        sight = self._watch.see(parsed)
        if sight == "error":
            if parsed.get("type") == "response.failed" and not event_error(parsed):
                # Azure says why in an `error` event behind it.
                self._bare_failure = True
                return
            failure = classify_event(parsed, self._headers, content_seen=self.committed)
            raise HopFault(replace(failure, send_state=self.state) if failure.send_state == "committed" else failure)
        if self._watch.broken:
            raise self._fault("tool_arguments")
        if sight != "preamble":
            self.committed = True
            if self.served is None:
                model = parsed.get("model")
                self.served = model if isinstance(model, str) else ""
        if self._learn is not None and self._tells(event.data, sight):
            self._learn(parsed)
        if self._bridge is None:
            made.append(event)
        else:
            made += self._told(self._bridge.feed(parsed))

    def _tells(self, data: str, sight: Sight) -> bool:
        """Whether an event may have something to remember: hardly any piece of text has, and there are many."""
        if self._mode == "chat":
            return _THOUGHT in data or _AUDIO in data
        # Of a response that is read again, every event is content.
        return sight != "content" or self._mode == "messages" or self._rereads

    def _told(self, events: Sequence[Mapping[str, object]]) -> list[Event]:
        if self._learn_made is not None:
            for event in events:
                self._learn_made(event)
        return events_of(self._caller, events)

    def _unnamed(self) -> HopFault:
        """The fault of a failure that never said why; a wait hint in the headers says that it is a limit."""
        hint = retry_after(self._headers, datetime.now(timezone.utc))
        if hint is None:
            return self._fault("stream_error")
        return HopFault(Failure("rate", self.state if self.committed else "rejected", 200, retry_after=hint))

    def _fault(self, fault: str, message: str | None = None) -> HopFault:
        return HopFault(Failure(fault, self.state, 200, message=message))


_ERRORS = ("error", "response.failed")
"""Events that are faults wherever they stand; Azure numbers them as it likes."""
_BLANK = b"\xef\xbb\xbf \t\r\n"
