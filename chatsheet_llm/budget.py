"""Retry budget: a token bucket per failure domain.  A re-send costs, a success refunds.  The clock is injected.

Costs and refund are those of the AWS SDKs' retry mode of 2026 with a smaller bucket: full, it pays for ten re-sends
after transient faults, so that an outage cannot multiply the load of a process, while isolated faults cost nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

CAPACITY = 140.0
COST_TRANSIENT = 14.0
COST_THROTTLE = 5.0
COST_PROBE = 70.0
"""What a call pays for each probe of a closed hop before its time but its first, from one bucket for all hops: however
many origins a chain has, an outage of all costs a process two of them."""
REWARD = 1.0
REFILL_PER_SECOND = 0.1


@dataclass(slots=True)
class Bucket:
    """One domain's tokens.  Refills by itself, so that a process with few calls recovers too.  Thread-safe."""

    clock: Callable[[], float]
    tokens: float = CAPACITY
    _at: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._at = self.clock()

    def pay(self, cost: float) -> bool:
        """Take ``cost`` tokens; False, and nothing taken, where there are fewer."""
        with self._lock:
            self._refill()
            if self.tokens < cost:
                return False
            self.tokens -= cost
            return True

    def put_back(self, tokens: float) -> float:
        """Return what a re-send had cost once it succeeded, or the reward of a plain success.

        Gives how many there was room for: none in a full bucket.
        """
        if self.tokens >= CAPACITY:
            return 0.0
        with self._lock:
            self._refill()
            room = min(tokens, CAPACITY - self.tokens)
            self.tokens += room
            return room

    def left(self) -> float:
        """Return the tokens there are now."""
        with self._lock:
            self._refill()
            return self.tokens

    @property
    def full(self) -> bool:
        """Whether nothing of it is spent."""
        return self.left() >= CAPACITY

    def level(self, tokens: float) -> None:
        """Set what is left, as the processes that share this budget know it."""
        with self._lock:
            self.tokens = min(CAPACITY, max(0.0, tokens))
            self._at = self.clock()

    def _refill(self) -> None:
        now = self.clock()
        self.tokens = min(CAPACITY, self.tokens + max(0.0, now - self._at) * REFILL_PER_SECOND)
        self._at = now
