"""Keep a breaker, a retry budget and a ceiling for each failure domain, and its troubles.  Judges no outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chatsheet_llm.breaker import Breaker
from chatsheet_llm.budget import Bucket
from chatsheet_llm.ceiling import Ceiling
from chatsheet_llm.located import Located, domains_of
from chatsheet_llm.state import Alone, Shared
from chatsheet_llm.troubles import Troubles

MOST = 2000
"""Domains to remember; beyond, the closed ones are forgotten."""


class Guards:
    """Breakers, budgets and ceilings by domain, made when first asked for.  Thread-safe.

    ``shared`` is told which domains were met, for what other processes know of them.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self.clock, self._jitter = clock, jitter
        self.shared: Shared = Alone()
        self.troubles = Troubles(clock)
        self._breakers: dict[str, Breaker] = {}
        self._placed: dict[tuple[str, str, str], tuple[tuple[str, Breaker], ...]] = {}
        self.spare = Bucket(clock)
        """What the probes of calls that have made one already are paid from, wherever they go."""
        self._buckets: dict[str, Bucket] = {}
        self._ceilings: dict[str, Ceiling] = {}
        self._lock = threading.Lock()

    def breaker(self, key: str) -> Breaker:
        """Return the domain's breaker, made when first asked for."""
        found = self._breakers.get(key)
        if found is None:
            with self._lock:
                self._make_room()
                found = self._breakers.setdefault(key, Breaker(self.clock, self._jitter))
            self.shared.met(key)
        return found

    def breakers(self, hop: Located) -> tuple[tuple[str, Breaker], ...]:
        """Return the domains of a hop with their breakers, the widest first; found once for each surface."""
        where = (hop.surface, hop.origin, hop.proxy)
        found = self._placed.get(where)
        if found is None:
            found = tuple((key, self.breaker(key)) for _, key in domains_of(hop))
            with self._lock:
                if all(self._breakers.get(key) is breaker for key, breaker in found):
                    self._placed[where] = found
        return found

    def bucket(self, key: str) -> Bucket:
        """Return the domain's retry budget, made when first asked for."""
        found = self._buckets.get(key)
        if found is None:
            with self._lock:
                found = self._buckets.setdefault(key, Bucket(self.clock))
            self.shared.met(key)
            self.shared.spent(key, 0.0)
        return found

    def ceiling(self, key: str) -> Ceiling:
        """Return the count of the domain's sends that are under way, made when first asked for."""
        found = self._ceilings.get(key)
        if found is None:
            with self._lock:
                found = self._ceilings.setdefault(key, Ceiling())
        return found

    def met(self, key: str) -> tuple[Bucket | None, Ceiling | None]:
        """Return the domain's retry budget and its ceiling, as far as they were asked for."""
        return self._buckets.get(key), self._ceilings.get(key)

    def tripped(self) -> tuple[str, ...]:
        """Return the domains that are not closed now."""
        with self._lock:
            return tuple(key for key, breaker in self._breakers.items() if breaker.tripped)

    def spent(self) -> tuple[str, ...]:
        """Return the domains whose retry budget is not full."""
        with self._lock:
            buckets = tuple(self._buckets.items())
        return tuple(key for key, bucket in buckets if not bucket.full)

    def snapshot(self) -> dict[str, str]:
        """Return the state of every domain that was ever asked about, by name."""
        with self._lock:
            return {key: breaker.state for key, breaker in sorted(self._breakers.items())}

    def _make_room(self) -> None:
        """Forget closed domains once there are very many: model names may come from users."""
        if len(self._breakers) >= MOST:
            self._placed.clear()
            for key in [key for key, breaker in self._breakers.items() if breaker.state == "closed"]:
                del self._breakers[key]
                self._buckets.pop(key, None)
                self.troubles.over(key)
                if key in self._ceilings and not self._ceilings[key].sends:
                    del self._ceilings[key]
