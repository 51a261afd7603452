"""Judge the order of a stream's events by their numbers: the next one, one again, or one that is missing.  No more."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal

Place = Literal["next", "again", "wrong"]

_REMEMBERED = 256
"""Events behind which one may come again and still be known."""


class Order:
    """The numbers (``sequence_number``) of one Responses stream.

    An event that comes again, with its number and every byte, is ``"again"``; a number that was left out, or that
    comes late, is ``"wrong"``.  The first number may be any: a stream can be taken up in its middle.  A server that
    numbers all events alike does not count, and nothing is made of its numbers; nor of an event without one.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._counts: bool | None = None
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)
        """Hashes of the last events that counted; the last of them has the number ``_last``."""

    def place(self, event: Mapping[str, object], data: str) -> Place:
        """Return the place of the next event; ``data`` is the text that it was read from."""
        number, last = event.get("sequence_number"), self._last
        # JSON's own type is all there is.
        if self._counts is False or type(number) is not int:
            return "next"
        if last is not None and number != last + 1:
            again = 0 <= last - number < len(self._seen) and self._seen[number - last - 1] == hash(data)
            if self._counts is None and number == last:
                if again and not str(event.get("type")).endswith(".delta"):
                    return "again"
                # Under one number for all, the same word twice is what the model said.
                self._counts = False
                return "next"
            return "again" if again else "wrong"
        self._counts = True if last is not None else None
        self._last = number
        self._seen.append(hash(data))
        return "next"
