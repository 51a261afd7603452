"""Remember what was last found wrong with each failure domain, until an answer comes.  Opens and closes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from chatsheet_llm.classify import Failure
from chatsheet_llm.faults import FAULTS

DOUBT = 5.0
"""Seconds for which a domain that let a call run into its timeout is passed over where another hop is open."""
_UNHEARD = frozenset({"dns", "dns_busy", "refused", "connect", "connect_timeout", "proxy_timeout", "read_timeout"})
"""Faults behind which nothing was heard of the hop."""


class Troubles:
    """What is known of the domains that have failed, by their names.  Times are seconds of the clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.why: dict[str, Failure] = {}
        """The last failure, without what was said: another call would show it."""
        self.named: dict[str, float] = {}
        """When the server would take calls again, as far as it said."""
        self.failed_at: dict[str, float] = {}
        self.doubted: dict[str, float] = {}
        """Until when a domain is doubted that let a call run into its timeout."""

    def found(self, key: str, failure: Failure, hint: float | None) -> None:
        """Hear what a domain failed with, and for how many seconds its server wants no calls."""
        self.why[key] = replace(failure, message=None, body=None, headers={})
        self.failed_at[key] = self._clock()
        if failure.fault in _UNHEARD:
            self.doubted[key] = self._clock() + DOUBT
        if hint is not None:
            self.named[key] = self._clock() + hint

    def told(self, key: str, fault: str) -> None:
        """Hear what another process found."""
        self.why[key] = Failure(fault if fault in FAULTS else "server_error", "rejected")

    def tried(self, key: str) -> None:
        """Hear that a call asks a domain; of one that is doubted, it finds out for the others."""
        if key in self.doubted:
            self.doubted[key] = self._clock() + DOUBT

    def over(self, key: str) -> None:
        """Forget why a domain was closed, and what its server said of it."""
        self.why.pop(key, None)
        self.named.pop(key, None)
        self.failed_at.pop(key, None)
        self.doubted.pop(key, None)

    def last(self, keys: Sequence[str]) -> Failure | None:
        """Return the last failure of the narrowest of these domains that has one; the widest come first."""
        found = [self.why.get(key) for key in keys]
        return next((why for why in reversed(found) if why is not None), None)

    def doubts(self, keys: Sequence[str]) -> bool:
        """Whether one of these domains is doubted now."""
        now = self._clock()
        return any(now < self.doubted.get(key, 0.0) for key in keys)
