"""Who of many processes may probe: what one process knows of the leases that a store grants.  Claims nothing itself.

A call asks and never waits: the first to ask is told no, and whoever talks to the store claims the lease meanwhile, so
that one of the next calls of one process probes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, NamedTuple

LEASE = 10.0
"""Seconds after which the right to probe of a process that died is free again; while a probe runs it is prolonged."""
UNUSED = 2.0
"""Seconds for which a lease that no call has used is kept."""
ASKING = 1.5
"""Seconds after which a store that has not answered a claim counts as away: the local rules hold."""
REFUSED = 0.5
"""Seconds for which it is believed that another process probes."""
MOST = 2000


class _Lease(NamedTuple):
    since: float
    until: float


class Leases:
    """The leases held, refused, asked for and to be given back, by domain.  Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[str, _Lease] = {}
        self._refused: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._over: dict[str, None] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def may_probe(self, key: str, *, early: bool) -> bool:
        """Whether this process may probe; where that is not known, it wants to know from now on.

        Meanwhile an ``early`` probe may go: its call has nothing else left to try.
        """
        now = self._clock()
        with self._lock:
            if key in self._held and self._held[key].until > now:
                return True
            if self._refused.get(key, 0.0) > now:
                return False
            asked = self._asked.setdefault(key, now)
        return early or now - asked > ASKING

    def withheld(self, key: str) -> bool:
        """Whether another process was found to probe, a moment ago."""
        return self._refused.get(key, 0.0) > self._clock()

    def over(self, key: str) -> bool:
        """Hear that a probe ended; whether there is a lease to give back."""
        with self._lock:
            if key in self._held:
                self._over[key] = None
            return key in self._over

    def wanted(self) -> tuple[str, ...]:
        """Return the domains whose lease is to be claimed."""
        with self._lock:
            return tuple(self._asked)

    def ended(self) -> tuple[str, ...]:
        """Return the domains whose lease is to be given back, since its probe is over."""
        with self._lock:
            return tuple(self._over)

    def answered(self, key: str, *, granted: bool, asked_at: float) -> None:
        """Hear what came of a claim that was made at that time."""
        with self._lock:
            before = self._held.pop(key, None)
            self._asked.pop(key, None)
            if granted:
                self._held[key] = _Lease(asked_at if before is None else before.since, asked_at + LEASE)
                return
            if len(self._refused) >= MOST:
                self._refused.clear()
            self._refused[key] = self._clock() + REFUSED

    def given_back(self, key: str) -> bool:
        """Forget a lease; False where there is none."""
        with self._lock:
            self._over.pop(key, None)
            return self._held.pop(key, None) is not None

    def due(self, probing: Callable[[str], bool]) -> tuple[tuple[str, Literal["prolong", "release"]], ...]:
        """Return what is to be done about leases held: one that is in use lasts, one that nobody uses is given back."""
        now = self._clock()
        with self._lock:
            held = tuple(self._held.items())
        return tuple(
            (key, "prolong" if probing(key) else "release")
            for key, lease in held
            if (lease.until - now < LEASE / 2 if probing(key) else now - lease.since > UNUSED)
        )

    def lost(self) -> None:
        """Forget everything: the store was away."""
        with self._lock:
            for table in (self._held, self._refused, self._asked, self._over):
                table.clear()
