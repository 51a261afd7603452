"""Wait for what a connection brings, with one timer for many waits.  Knows no connection."""

from __future__ import annotations

import asyncio
from time import monotonic

import httpx2

from chatsheet_llm.limits import left

NEVER = float("inf")


class Waiting:
    """The one wait of a connection: woken by what happens, by the peer's silence, or at the limit.

    A timer that is due too early is set anew when it fires: not with every byte that comes, nor with every request.
    """

    __slots__ = ("_due", "_heard_at", "_late", "_loop", "_silence", "_timer", "_until", "_waiter")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._until = self._silence = NEVER
        self._heard_at = 0.0
        self._late: type[httpx2.TimeoutException] = httpx2.ReadTimeout

    async def news(self, silence: float | None, until: float, late: type[httpx2.TimeoutException]) -> None:
        """Return when it is woken.  Raises ``late`` at ``until``, at the limit, or after so long a silence."""
        rest = left(None, late)
        now = self._heard_at = monotonic()
        self._until = until if rest is None else min(until, now + rest)
        self._silence, self._late = NEVER if silence is None else silence, late
        due = min(self._until, now + self._silence)
        if due < self._due:
            self._set(due, now)
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def heard(self) -> None:
        """Hear that the peer is not silent."""
        self._heard_at = monotonic()

    def wake(self) -> None:
        """Have whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self) -> None:
        """Wake for the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._due = None, NEVER
        self.wake()

    def _set(self, due: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due, self._timer = due, self._loop.call_later(due - now, self._tick)

    def _tick(self) -> None:
        self._timer, self._due = None, NEVER
        if self._waiter is None or self._waiter.done():
            return
        now, due = monotonic(), min(self._until, self._heard_at + self._silence)
        if now < due:
            self._set(due, now)
        else:
            self._waiter.set_exception(self._late("the other end was silent for too long"))
