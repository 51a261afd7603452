"""Two bridges in a row: from Chat to Messages and back by way of Responses.  Translates nothing itself.

Responses is the pivot of the three formats, because it is the widest: ordered items, sealed reasoning, custom tools and
typed events all have a place in it.  With a pivot there are four families of bridges instead of six, the middle form is
a documented one that a schema can check, and a format that comes later needs two families.  What Chat and Messages
share and Responses lacks travels under names of its own (``Rule.pivot``).  Losses of the second leg are told in the
words of the source, by the ``places`` that the first leg fills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.ledger import TITLES
from chatsheet_llm.route import Loss, Mode

Bridge = Callable[[Mapping[str, object]], tuple[dict[str, object], list[Loss]]]


class Tracing(Protocol):
    """A bridge to the pivot: fills ``places`` with where each thing of its result stood in the source."""

    def __call__(
        self, body: Mapping[str, object], places: dict[str, str] | None = None, /
    ) -> tuple[dict[str, object], list[Loss]]: ...


class StreamBridge(Protocol):
    """Turns the events of one format into events of another, one stream long."""

    losses: list[Loss]

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        """Take one event and return those it makes in the caller's format."""

    def end(self) -> list[dict[str, object]]:
        """Hear that the stream was whole and is over, and return what is still to come."""


def composed(first: Tracing, second: Bridge, target: Mode) -> Bridge:
    """Return the bridge that goes through the pivot."""

    def bridge(body: Mapping[str, object]) -> tuple[dict[str, object], list[Loss]]:
        places: dict[str, str] = {}
        pivot, early = first(body, places)
        try:
            made, late = second(pivot)
        except FormatError as error:
            raise FormatError(origin(error.path, places), error.reason) from None
        return made, joined(early, late, places, target)

    return bridge


class ComposedStream:
    """Two stream bridges in a row."""

    def __init__(self, first: StreamBridge, second: StreamBridge, target: Mode) -> None:
        self.losses: list[Loss] = []
        self._first, self._second, self._target = first, second, target

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        """Take one event and return those it makes in the caller's format."""
        return self._through(self._first.feed(event))

    def end(self) -> list[dict[str, object]]:
        """Hear that the stream was whole and is over, and return what is still to come."""
        made = self._through(self._first.end()) + self._second.end()
        self._tell()
        return made

    def _through(self, events: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
        made = [final for middle in events for final in self._second.feed(middle)]
        if self._first.losses or self._second.losses:
            self._tell()
        return made

    def _tell(self) -> None:
        places: Mapping[str, str] = getattr(self._first, "places", {})
        # The list is handed out before the stream begins, so it is the list itself that grows.
        self.losses[:] = joined(self._first.losses, self._second.losses, places, self._target)


def joined(early: Iterable[Loss], late: Iterable[Loss], places: Mapping[str, str], target: Mode) -> list[Loss]:
    """Return the losses of both legs in the words of the source, each path once; the second leg knows better.

    What the first leg lost is lost to the target as well, or it would have travelled under a name of the pivot's own.
    """
    found = [replace(loss, path=origin(loss.path, places)) for loss in late]
    told = {loss.path for loss in found}
    ours = [
        replace(loss, format=target, reason=loss.reason.replace(TITLES["responses"], TITLES[target]))
        for loss in early
        if loss.path not in told
    ]
    return list(dict.fromkeys(ours + found))


def origin(path: str, places: Mapping[str, str]) -> str:
    """Return where the thing at a path of the pivot stood in the source: by the longest path that is known."""
    end = len(path)
    while end > 0:
        known = places.get(path[:end])
        if known is not None:
            return known + path[end:]
        end = max(path.rfind(".", 0, end), path.rfind("[", 0, end))
    return path
