"""Server-sent events: bytes to events in any chunking, and back.  Judges no event."""

from __future__ import annotations

from typing import NamedTuple

DONE = "[DONE]"


class Event(NamedTuple):
    """One event: its ``event:`` name, if it had one, and its data lines joined."""

    name: str | None
    data: str


class Decoder:
    """Split a byte stream into events.  Comments are dropped; an event without its blank line is not an event.

    Raises UnicodeDecodeError for bytes that are not UTF-8.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete."""
        buffer = self._rest + chunk
        held = b""
        if b"\r" in buffer:
            if buffer.endswith(b"\r"):
                # It may be half of a CRLF.
                buffer, held = buffer[:-1], b"\r"
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = buffer.split(b"\n\n")
        self._rest = rest + held
        return [event for block in whole if (event := _event(block)) is not None]

    @property
    def half(self) -> bool:
        """Whether bytes of an unfinished event are left."""
        return bool(self._rest.strip())


def _event(block: bytes) -> Event | None:
    name: str | None = None
    data: list[str] = []
    for line in block.decode("utf-8").lstrip("\ufeff").split("\n"):
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value or None
    return Event(name, "\n".join(data)) if data else None


def encode(event: Event) -> bytes:
    """Return the event's bytes."""
    lines = "".join(f"data: {line}\n" for line in event.data.split("\n"))
    return f"event: {event.name}\n{lines}\n".encode() if event.name else f"{lines}\n".encode()
