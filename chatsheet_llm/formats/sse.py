"""Server-sent events: bytes to events in any chunking, and back.  Judges no event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chatsheet_llm.route import Mode

DONE = "[DONE]"
NOT_TEXT = "\0"
"""The data of an event whose bytes are no UTF-8: no JSON either, so that no reader takes it for anything."""


class Event(NamedTuple):
    """One event: its ``event:`` name, if it had one, and its data lines joined."""

    name: str | None
    data: str


class Decoder:
    """Split a byte stream into events.  Comments are dropped; an event without its blank line is not an event.

    One whose bytes are not UTF-8 has the data ``NOT_TEXT``; those around it are as they are.
    """

    def __init__(self) -> None:
        self.held = 0
        """How many bytes of an unfinished event are kept."""
        self._pieces: list[bytes] = []
        self._last = b""
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete."""
        if not self.held and not self._after_cr and b"\r" not in chunk and chunk.find(b"\n\n") == len(chunk) - 2 >= 0:
            # One whole event by itself, as servers send them.
            event = _event(chunk[:-2])
            return [] if event is None else [event]
        if self._after_cr and chunk:
            # The other half of a CRLF ends no second line.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n\n" not in self._last + chunk:
            # Joined only when it is whole: an event of megabytes comes in hundreds of pieces.
            self._pieces.append(chunk)
            self._last = chunk[-1:] or self._last
            self.held += len(chunk)
            return []
        *whole, rest = b"".join([*self._pieces, chunk]).split(b"\n\n")
        self._pieces, self._last, self.held = [rest], rest[-1:], len(rest)
        return [event for block in whole if (event := _event(block)) is not None]

    @property
    def half(self) -> bool:
        """Whether bytes of an unfinished event are left."""
        return any(piece.strip() for piece in self._pieces)


def _event(block: bytes) -> Event | None:
    name: str | None = None
    data: list[str] = []
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        return Event(None, NOT_TEXT)
    first, _, rest = text.partition("\n")
    # Nearly every event is one line of data, behind its name or without.
    if not rest and first.startswith("data: "):
        return Event(None, first[6:])
    if rest.startswith("data: ") and first.startswith("event: ") and "\n" not in rest:
        return Event(first[7:] or None, rest[6:])
    for line in text.lstrip("\ufeff").split("\n"):
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value or None
    return Event(name, "\n".join(data)) if data else None


def events_of(mode: Mode, pieces: Iterable[Mapping[str, object]]) -> list[Event]:
    """Return the events that bring these pieces: named as their type, or, for chat, without a name."""
    named = mode != "chat"
    return [
        Event(str(piece.get("type")) if named else None, json.dumps(piece, separators=(",", ":"))) for piece in pieces
    ]


def encode(event: Event) -> bytes:
    """Return the event's bytes."""
    lines = "".join(f"data: {line}\n" for line in event.data.split("\n"))
    return f"event: {event.name}\n{lines}\n".encode() if event.name else f"{lines}\n".encode()


def encoded(events: Iterable[Event]) -> bytes:
    """Return the bytes of several events."""
    return b"".join(map(encode, events))
