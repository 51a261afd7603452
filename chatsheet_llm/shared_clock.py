"""Turn this process's seconds into those of the clock that processes share, and back.  Nothing else here does that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timed(Protocol):
    """What knows the shared time."""

    def now(self) -> float:
        """Return the seconds of the shared clock."""


class SharedClock:
    """How far the store's clock is from the monotonic one here."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._offset = 0.0

    def sync(self, store: Timed) -> None:
        """Ask the store for the time; the answer is taken for that in the middle of the asking."""
        before = self._clock()
        there = store.now()
        self._offset = there - (before + self._clock()) / 2

    def here(self, there: float) -> float:
        """Return the monotonic time here of a time of the store."""
        return there - self._offset

    def there(self, here: float) -> float:
        """Return the store's time of a monotonic time here."""
        return here + self._offset
