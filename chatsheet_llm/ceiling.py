"""Ratio ceiling: how many re-sends may be under way beside first sends, whatever the budget still holds.  No I/O.

The bucket bounds how many re-sends an outage costs over time, this how many of them meet a provider at once.  The
numbers are those of Envoy's retry budget.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

SHARE = 0.2
FLOOR = 3
"""Re-sends that may always be under way together, so that a process with few calls can retry at all."""


@dataclass(slots=True)
class Ceiling:
    """The sends to one origin that are under way.  Thread-safe."""

    sends: int = 0
    """All of them, re-sends included."""
    resends: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def begin(self, *, resend: bool) -> bool:
        """Count a send; False, and nothing counted, for a re-send that there is no room for.  First sends always go."""
        with self._lock:
            if resend and self.resends >= max(FLOOR, SHARE * self.sends):
                return False
            self.sends += 1
            self.resends += resend
            return True

    def end(self, *, resend: bool) -> None:
        """Hear that a send that was counted is over."""
        with self._lock:
            self.sends -= 1
            self.resends -= resend
