"""Reads JSON of unknown shape without raising, and writes it compactly.  Knows no wire format."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "dict[str, object]"
"""A JSON object."""


class Malformed(Exception):
    """A request body that no provider would take: ``param`` is what is wrong, ``message`` says why."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its ``data``, its ``event:`` line if any, and whether it carries content of the answer."""

    data: Json | str
    name: str | None = None
    content: bool = False

    def encode(self) -> bytes:
        """Return the event as it goes on the wire, blank line included."""
        data = self.data if isinstance(self.data, str) else dumps(self.data)
        head = f"event: {self.name}\n" if self.name else ""
        return f"{head}data: {data}\n\n".encode()


DONE = Event("[DONE]")


def obj(value: object) -> Json:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objs(value: object) -> list[Json]:
    """Return the JSON objects of a list; anything else is an empty list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """Return the value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """Return the value if it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flat_text(content: object) -> str:
    """Return the text of a message's content: a string, or the ``text`` of its parts, joined by blanks."""
    if isinstance(content, str):
        return content
    return " ".join(filter(None, (text(part.get("text")) for part in objs(content))))


def dumps(value: object) -> str:
    """Return compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def new_id(prefix: str) -> str:
    """Return an id that no other reply has."""
    return f"{prefix}{secrets.token_hex(12)}"


def pieces(value: str) -> list[str]:
    """Split a text into the deltas of a stream, which are also its tokens.  Joined they are the text.

    A piece is a word with the blanks before it; JSON is split behind its punctuation too, as it has few blanks.
    """
    found: list[str] = []
    start = 0
    for at in range(1, len(value)):
        before, here = value[at - 1], value[at]
        if (here.isspace() and not before.isspace()) or (before in ",:{[" and not here.isspace()):
            found.append(value[start:at])
            start = at
    return [*found, value[start:]] if value else []
