"""Circuit breaker of one failure domain: closed, open, half-open with one probe.  No I/O; clock and jitter injected."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["closed", "open", "half_open"]

WINDOW = 30.0
"""Seconds over which the failure ratio is taken."""
MOMENT = 1.0
"""Seconds within which calls are counted as one moment's."""
MIN_CALLS = 5
RATIO = 0.5
CONSECUTIVE = 5
FIRST_OPEN = 5.0
LONGEST_OPEN = 60.0
JITTER = 0.2
NAMED_JITTER = 0.1
"""How much later than a time that a server named it opens at most, so that clients do not return together."""
FIRST_THROTTLE = 1.0
"""Seconds for which it opens where a server said that its limit was reached, but not until when; doubles up to 60."""
PROBE_EXPIRES = 120.0
"""Seconds after which a probe that never reported back (a killed thread) is given up.

As long as the deadline of a call is by default.  Where one is longer, a second probe may go beside a probe that still
runs; of the two only the later one's outcome counts as the probe's.  To wait for as long as the first may take would
keep a domain shut for an hour because of a thread that is gone, where some call had an hour.
"""


@dataclass(slots=True)
class Breaker:
    """Opens on 5 failures in a row, or half of at least 5 calls within 30 s; for 5 s, doubling to 60 s.

    A failure that says for how long (a server's wait hint, the quarantine of a wiring fault) opens it at once.  Whoever
    enters while it is half-open gets a ticket: only the outcome with that ticket is the probe's, and any other comes
    of a send that began before.  Thread-safe.
    """

    clock: Callable[[], float]
    jitter: Callable[[], float]
    opened_until: float = 0.0
    throttled: bool = False
    """Whether it is open because the server said that its limit was reached, not because it is broken."""
    limited_until: float = 0.0
    """Until when the server said that it wants no calls; it may be open for longer because it is broken as well."""
    tripped: bool = False
    """Whether it is open or half-open: whoever enters is a probe."""
    _open_for: float = FIRST_OPEN
    _throttle_for: float = FIRST_THROTTLE
    _row: int = 0
    _moments: deque[list[Any]] = field(default_factory=deque)
    """When each began, and how many calls and failures there were in it."""
    _calls: int = 0
    _failures: int = 0
    """Those of them that failed."""
    _probe_since: float | None = None
    _ticket: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def state(self) -> State:
        """The state now."""
        if not self.tripped:
            return "closed"
        return "open" if self.clock() < self.opened_until else "half_open"

    @property
    def probing(self) -> bool:
        """Whether a probe is under way."""
        return self.tripped and not self._probe_free()

    @property
    def open_for(self) -> float:
        """Seconds for which it opens when it is next found broken without a time that was named."""
        return self._open_for

    def permits(self) -> bool:
        """Whether a call may go now.  Does not take the probe: see :meth:`enter`."""
        if not self.tripped:
            return True
        with self._lock:
            return not self.tripped or (self.clock() >= self.opened_until and self._probe_free())

    def enter(self, *, early: bool = False) -> int | None:
        """Claim the right to send: a ticket where this is the one probe of a half-open domain, 0 where it is closed.

        None where it may not be.  ``early`` lets a call probe before the time is up: for a call that has no other hop
        left.
        """
        if not self.tripped:
            return 0
        with self._lock:
            if not self.tripped:
                return 0
            if (not early and self.clock() < self.opened_until) or not self._probe_free():
                return None
            self._probe_since = self.clock()
            self._ticket += 1
            return self._ticket

    def leave(self, ticket: int = 0) -> bool:
        """Give the probe back without a verdict: cancellation, or a fault that is not this domain's.

        False where there was none to give back.
        """
        with self._lock:
            return self._probed(ticket)

    def succeeded(self, ticket: int = 0) -> bool:
        """Hear of an answer.  The probe's closes it, and makes it forget the past: then True."""
        with self._lock:
            probed = bool(ticket) and self._probed(ticket)
            if probed:
                self._close()
            if not self.tripped:
                self._row = 0
            self._count(failed=False)
            return probed

    def failed(self, ticket: int = 0, *, open_for: float | None = None, throttled: bool = False) -> bool:
        """Count a failure.  ``open_for`` (seconds) opens at once; a failed probe opens again, for twice as long.

        ``throttled`` says that the server wants no calls until then, so that calls wait for it instead of probing
        early; where it named no time, it opens for one second, and with each probe that finds it so for twice as long:
        a guess, which forbids nothing.  True where it opened, or opened again.
        """
        with self._lock:
            probed = self._probed(ticket)
            self._row += 1
            self._count(failed=True)
            ratio = self._calls >= MIN_CALLS and self._failures >= RATIO * self._calls
            if open_for is not None:
                # Never before a time that was named.
                until = self._open(open_for * (1 + NAMED_JITTER * abs(self.jitter())), throttled=throttled)
                if throttled:
                    self.limited_until = max(self.limited_until, until)
            elif throttled and (probed or not self.tripped):
                # Of the many that one limit refuses at once, the first opens; the probe says whether it still holds.
                seconds, self._throttle_for = self._throttle_for, min(self._throttle_for * 2, LONGEST_OPEN)
                self._open(seconds * (1 + NAMED_JITTER * abs(self.jitter())), throttled=True)
            elif probed:
                self._open_for = min(self._open_for * 2, LONGEST_OPEN)
                self._open(self._open_for * (1 + JITTER * self.jitter()))
            elif not self.tripped and (self._row >= CONSECUTIVE or ratio):
                self._open(self._open_for * (1 + JITTER * self.jitter()))
            else:
                return False
            return True

    def opened_elsewhere(self, until: float, *, throttled: bool, open_for: float) -> None:
        """Open until that time of the clock, because another process found the domain broken."""
        with self._lock:
            self._open_until(until, throttled=throttled)
            if throttled:
                self.limited_until = max(self.limited_until, until)
            self._open_for = min(max(self._open_for, open_for), LONGEST_OPEN)

    def closed_elsewhere(self) -> None:
        """Close, because another process's probe was answered."""
        with self._lock:
            self._row = 0
            if self.tripped:
                self._close()

    def _close(self) -> None:
        self.tripped, self.throttled = False, False
        self._open_for, self._throttle_for = FIRST_OPEN, FIRST_THROTTLE
        self.opened_until, self.limited_until, self._probe_since = 0.0, 0.0, None
        self._moments.clear()
        self._calls = self._failures = 0

    def _open(self, seconds: float, *, throttled: bool = False) -> float:
        until = self.clock() + seconds
        self._open_until(until, throttled=throttled)
        return until

    def _open_until(self, until: float, *, throttled: bool) -> None:
        if until >= self.opened_until:
            self.opened_until, self.throttled = until, throttled
        self.tripped = True

    def _probed(self, ticket: int) -> bool:
        """Whether this is the outcome of the probe that is under way, which then is over."""
        if not ticket or ticket != self._ticket or self._probe_since is None:
            return False
        self._probe_since = None
        return True

    def _probe_free(self) -> bool:
        return self._probe_since is None or self.clock() - self._probe_since > PROBE_EXPIRES

    def _count(self, *, failed: bool) -> None:
        now, moments = self.clock(), self._moments
        # Those of one moment together: thousands of calls a second take no more room than a few.
        if not moments or now - moments[-1][0] >= MOMENT:
            moments.append([now, 0, 0])
        moments[-1][1] += 1
        moments[-1][2] += failed
        self._calls += 1
        self._failures += failed
        while now - moments[0][0] > WINDOW:
            _, calls, failures = moments.popleft()
            self._calls -= calls
            self._failures -= failures
