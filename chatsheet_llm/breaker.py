"""Circuit breaker of one failure domain: closed, open, half-open with one probe.  No I/O; clock and jitter injected."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

State = Literal["closed", "open", "half_open"]

WINDOW = 30.0
"""Seconds over which the failure ratio is taken."""
MIN_CALLS = 5
RATIO = 0.5
CONSECUTIVE = 5
FIRST_OPEN = 5.0
LONGEST_OPEN = 60.0
JITTER = 0.2
PROBE_EXPIRES = 120.0
"""Seconds after which a probe that never reported back (a killed thread) is given up."""


@dataclass(slots=True)
class Breaker:
    """Opens on 5 failures in a row, or half of at least 5 calls within 30 s; for 5 s, doubling to 60 s.

    A failure that says for how long (a server's wait hint, the quarantine of a wiring fault) opens it at once.
    Thread-safe.
    """

    clock: Callable[[], float]
    jitter: Callable[[], float]
    opened_until: float = 0.0
    throttled: bool = False
    """Whether it is open because the server said when to come back, not because it is broken."""
    _open_for: float = FIRST_OPEN
    _row: int = 0
    _failures: int = 0
    _calls: deque[tuple[float, bool]] = field(default_factory=deque)
    _probe_since: float | None = None
    _tripped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def state(self) -> State:
        """The state now."""
        if not self._tripped:
            return "closed"
        return "open" if self.clock() < self.opened_until else "half_open"

    def permits(self) -> bool:
        """Whether a call may go now.  Does not take the probe: see :meth:`enter`."""
        with self._lock:
            return not self._tripped or (self.clock() >= self.opened_until and self._probe_free())

    def enter(self, *, early: bool = False) -> bool:
        """Claim the right to send; in half-open state this is the one probe.

        ``early`` lets a call probe before the time is up: for a call that has no other hop left.
        """
        with self._lock:
            if not self._tripped:
                return True
            if (not early and self.clock() < self.opened_until) or not self._probe_free():
                return False
            self._probe_since = self.clock()
            return True

    def leave(self) -> None:
        """Give the probe back without a verdict: cancellation, or a fault that is not this domain's."""
        with self._lock:
            self._probe_since = None

    def succeeded(self) -> None:
        """Close, and forget the past."""
        with self._lock:
            self._row, self._probe_since = 0, None
            if self._tripped:
                self._tripped, self.throttled, self._open_for = False, False, FIRST_OPEN
                self.opened_until = 0.0
                self._calls.clear()
                self._failures = 0
            self._count(failed=False)

    def failed(self, *, open_for: float | None = None, throttled: bool = False) -> None:
        """Count a failure.  ``open_for`` (seconds) opens at once; a failed probe opens again, for twice as long.

        ``throttled`` says that the server named the time, so that calls may wait for it instead of probing early.
        """
        with self._lock:
            probing, self._probe_since = self._probe_since is not None, None
            self.throttled = throttled
            self._row += 1
            self._count(failed=True)
            ratio = len(self._calls) >= MIN_CALLS and self._failures >= RATIO * len(self._calls)
            if open_for is not None:
                # Never before a time that was named.
                self._open(open_for, abs(self.jitter()))
            elif probing:
                self._open_for = min(self._open_for * 2, LONGEST_OPEN)
                self._open(self._open_for, self.jitter())
            elif not self._tripped and (self._row >= CONSECUTIVE or ratio):
                self._open(self._open_for, self.jitter())

    def _open(self, seconds: float, jitter: float) -> None:
        self._tripped = True
        self.opened_until = max(self.opened_until, self.clock() + seconds * (1 + JITTER * jitter))

    def _probe_free(self) -> bool:
        return self._probe_since is None or self.clock() - self._probe_since > PROBE_EXPIRES

    def _count(self, *, failed: bool) -> None:
        now = self.clock()
        self._calls.append((now, failed))
        self._failures += failed
        while now - self._calls[0][0] > WINDOW:
            self._failures -= self._calls.popleft()[1]
