"""Remember how long answers take, by failure domain, and when one is late.  No I/O; times nothing itself."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from typing import Literal

HedgeAfter = float | Literal["p95"]
"""When a second hop is asked beside a silent one: after that many seconds, or when 95 of 100 answers had come."""

KEPT = 200
"""Answers to remember of one domain; more would hold on to a time that is past."""
ENOUGH = 20
"""Answers to have seen before it is said when one is late."""
MOST = 1000
"""Domains to remember; those that were heard of longest ago are forgotten first."""


def latency_key(surface: str, *, stream: bool) -> str:
    """Return the domain of an answer's time: a stream begins sooner than a whole answer ends."""
    return f"{surface} stream" if stream else surface


class Latencies:
    """Seconds until the answer, or until the first content of a stream, by domain.  Thread-safe."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def took(self, domain: str, seconds: float) -> None:
        """Hear how long an answer took."""
        with self._lock:
            known = self._seen.get(domain)
            if known is None:
                known = self._seen[domain] = deque(maxlen=KEPT)
                if len(self._seen) > MOST:
                    self._seen.popitem(last=False)
            self._seen.move_to_end(domain)
            known.append(seconds)

    def cut(self, domain: str) -> None:
        """Hear that an answer was cut off before it came, however long it would have taken: one of the slow ones.

        Left out, each that was cut off would make the next look late sooner.
        """
        self.took(domain, math.inf)

    def p95(self, domain: str) -> float | None:
        """Return the time within which 95 of 100 answers came, or None while too few are known.

        Infinity where more than five of a hundred were cut off.
        """
        with self._lock:
            known = sorted(self._seen.get(domain, ()))
        return known[-(-len(known) * 95 // 100) - 1] if len(known) >= ENOUGH else None

    def late(self, after: HedgeAfter | None, domain: str) -> float | None:
        """Return after how many seconds an answer is late, or None where that is not to be told."""
        return self.p95(domain) if after == "p95" else after
