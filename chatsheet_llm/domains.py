"""What a process has learned about its failure domains: a breaker and a budget each.  Does no I/O.

A hop belongs to two domains: its *origin* (the resource and its credential) and its *surface* (one API of one
deployment there).  A fault of the origin condemns every hop of it; a missing capability only the surface.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from chatsheet_llm.breaker import Breaker
from chatsheet_llm.budget import COST_THROTTLE, COST_TRANSIENT, REWARD, Bucket
from chatsheet_llm.classify import Failure

LONGEST_HINT = 60.0
"""Seconds after which a domain is probed again, however long the server said to wait; documented hints reach a day."""


MOST = 2000
"""Domains to remember; beyond, the closed ones are forgotten."""


class Located(Protocol):
    """Anything that has a place in the failure domains."""

    @property
    def origin(self) -> str:
        """The resource and its credential."""

    @property
    def surface(self) -> str:
        """One API of one deployment at that origin."""


class Domains:
    """Breakers and budgets by domain.  Thread-safe; ``clock`` is monotonic seconds, ``jitter`` gives -1 to 1."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(-1.0, 1.0),  # noqa: S311  spreads probes, guards nothing
    ) -> None:
        self._clock, self._jitter = clock, jitter
        self._breakers: dict[str, Breaker] = {}
        self._buckets: dict[str, Bucket] = {}
        self._why: dict[str, Failure] = {}
        self._lock = threading.Lock()

    def breaker(self, key: str) -> Breaker:
        """Return the domain's breaker, made when first asked for."""
        found = self._breakers.get(key)
        if found is None:
            with self._lock:
                self._make_room()
                found = self._breakers.setdefault(key, Breaker(self._clock, self._jitter))
        return found

    def _make_room(self) -> None:
        """Forget closed domains once there are very many: model names may come from users."""
        if len(self._breakers) >= MOST:
            for key in [key for key, breaker in self._breakers.items() if breaker.state == "closed"]:
                del self._breakers[key]
                self._buckets.pop(key, None)
                self._why.pop(key, None)

    def bucket(self, key: str) -> Bucket:
        """Return the domain's retry budget, made when first asked for."""
        found = self._buckets.get(key)
        if found is None:
            with self._lock:
                found = self._buckets.setdefault(key, Bucket(self._clock))
        return found

    def permits(self, hop: Located) -> bool:
        """Whether both domains of the hop are open for traffic now."""
        return self.breaker(hop.origin).permits() and self.breaker(hop.surface).permits()

    def enter(self, hop: Located, *, early: bool = False) -> bool:
        """Claim the right to send to the hop; takes the probe of a half-open domain."""
        origin, surface = self.breaker(hop.origin), self.breaker(hop.surface)
        if not origin.enter(early=early):
            return False
        if not surface.enter(early=early):
            origin.leave()
            return False
        return True

    def reopens_at(self, hop: Located) -> float:
        """Monotonic time at which the hop will take a probe."""
        return max(self.breaker(hop.origin).opened_until, self.breaker(hop.surface).opened_until)

    def throttled(self, hop: Located) -> bool:
        """Whether the hop is closed only until a time that its server named."""
        shut = [
            breaker for breaker in (self.breaker(hop.origin), self.breaker(hop.surface)) if breaker.state != "closed"
        ]
        return bool(shut) and all(breaker.throttled for breaker in shut)

    def why(self, hop: Located) -> Failure | None:
        """Return the last failure of the hop's domains: why it is closed."""
        return self._why.get(hop.surface) or self._why.get(hop.origin)

    def pay(self, hop: Located, failure: Failure) -> bool:
        """Take the price of one more send after this failure; False where the budget is spent."""
        return self.bucket(hop.origin).pay(price(failure))

    def succeeded(self, hop: Located, refund: float = 0.0) -> None:
        """Hear of an answer: close both breakers, refund what the re-send had cost or give the reward."""
        self.breaker(hop.origin).succeeded()
        self.breaker(hop.surface).succeeded()
        self._why.pop(hop.surface, None)
        self._why.pop(hop.origin, None)
        self.bucket(hop.origin).put_back(refund or REWARD)

    def failed(self, hop: Located, failure: Failure) -> None:
        """Hear of a failure.  The caller's own faults and local ones condemn nothing."""
        row = failure.row
        hint = failure.retry_after if row.kind in ("rate", "overload") else None
        open_for = min(hint, LONGEST_HINT) if hint else (row.quarantine or None)
        if not failure.blames:
            self.abandoned(hop)
            return
        if not failure.taught:
            self._why[hop.origin] = self._why[hop.surface] = replace(failure, body=None, headers={})
        for reach, key in (("origin", hop.origin), ("surface", hop.surface)):
            if row.condemns == reach and not failure.taught:
                self.breaker(key).failed(open_for=open_for, throttled=row.kind == "rate" and hint is not None)
            elif row.condemns == "none" or reach == "surface" or failure.status is None:
                self.breaker(key).leave()
            else:
                # The origin answered, only this surface is wrong.
                self.breaker(key).succeeded()

    def abandoned(self, hop: Located) -> None:
        """Hear of a cancelled attempt: gives probes back, judges nothing."""
        self.breaker(hop.origin).leave()
        self.breaker(hop.surface).leave()

    def reopen(self, origin: str, deployment: str | None = None) -> None:
        """Close the breakers of an origin's surfaces, or of those of one deployment: what was heard of them is void."""
        with self._lock:
            keys = [
                key
                for key in self._breakers
                if key.startswith(f"{origin} ") and (deployment is None or key.endswith(f" {deployment}"))
            ]
        for key in keys:
            self.breaker(key).succeeded()
            self._why.pop(key, None)

    def snapshot(self) -> dict[str, str]:
        """Return the state of every domain that was ever asked about, by name."""
        with self._lock:
            return {key: breaker.state for key, breaker in sorted(self._breakers.items())}


def price(failure: Failure) -> float:
    """Return what one more send after this failure costs, in tokens."""
    return COST_THROTTLE if failure.row.kind in ("rate", "overload") else COST_TRANSIENT
