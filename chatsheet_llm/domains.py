"""Decide what an outcome says of a hop's failure domains, and whether a call may send there.  Does no I/O.

A hop belongs to domains one within the other: the HTTP *proxy* before it, if there is one, its *origin* (the resource
and its credential) and its *surface* (one API of one deployment there).  A fault of the origin condemns every hop of
it; a missing capability only the surface.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chatsheet_llm.breaker import Breaker
from chatsheet_llm.budget import COST_THROTTLE, COST_TRANSIENT, REWARD
from chatsheet_llm.checkup import checkup
from chatsheet_llm.classify import Failure
from chatsheet_llm.guards import Guards
from chatsheet_llm.health import DomainHealth
from chatsheet_llm.located import WITHIN, Located, domains_of, within

LONGEST_HINT = 60.0
"""Seconds after which a domain is probed again, however long the server said to wait; documented hints reach a day."""
LONGEST_OPEN = 360.0
"""Seconds for which another process may close a domain here: the longest quarantine, with its jitter."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The right to send to a hop: the tickets of the probes that this took, by domain."""

    tickets: Mapping[str, int] = field(default_factory=dict)


_FREE = Entry()


class Domains(Guards):
    """What a process has learned about its failure domains.  Thread-safe.

    ``clock`` is monotonic seconds, ``jitter`` gives -1 to 1.  ``shared`` is told what other processes should know, and
    asked before a probe.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(-1.0, 1.0),  # noqa: S311  spreads probes, guards nothing
    ) -> None:
        super().__init__(clock, jitter)

    def permits(self, hop: Located) -> bool:
        """Whether all domains of the hop are open for traffic now."""
        for key, breaker in self.breakers(hop):
            if breaker.tripped and not (breaker.permits() and not self.shared.withheld(key)):
                return False
        return True

    def enter(self, hop: Located, *, early: bool = False) -> Entry | None:
        """Claim the right to send to the hop; takes the probe of a half-open domain.  None where it may not be.

        ``early`` lets a call that has no other hop left probe before the time is up, and before it is known whether
        another process probes.  Whoever enters hands the entry back with the outcome.
        """
        found = self.breakers(hop)
        for _, breaker in found:
            if breaker.tripped:
                break
        else:
            # There is no probe to take; who asks a silent one finds out for the others.
            if self.troubles.doubted:
                for key, _ in found:
                    self.troubles.tried(key)
            return _FREE
        if not self._may_probe([key for key, _ in found], early):
            return None
        tickets: dict[str, int] | None = None
        for key, breaker in found:
            ticket = breaker.enter(early=early)
            if ticket is None:
                for taken, each in (tickets or {}).items():
                    self.breaker(taken).leave(each)
                return None
            if ticket:
                tickets = {**(tickets or {}), key: ticket}
        return Entry(tickets) if tickets else _FREE

    def _may_probe(self, keys: Sequence[str], early: bool) -> bool:
        """Whether no other process stands against a probe.  Asks for all domains at once, so that all may be had."""
        wanted = [key for key in keys if self.breaker(key).tripped]
        if not early and any(self.breaker(key).state == "open" for key in wanted):
            return False
        asked = [self.shared.may_probe(key, early=early) for key in wanted]
        return all(asked)

    def begin(self, hop: Located, *, resend: bool) -> bool:
        """Count a send that begins now; False, and nothing counted, for a re-send over the ratio ceiling.

        A first send always goes.  Every one that was counted ends with :meth:`end`.
        """
        return self.ceiling(hop.origin).begin(resend=resend)

    def end(self, hop: Located, *, resend: bool) -> None:
        """Hear that a send that was counted is over, however it ended."""
        self.ceiling(hop.origin).end(resend=resend)

    def reopens_at(self, hop: Located) -> float:
        """Monotonic time at which the hop will take a probe."""
        return max(self.breaker(key).opened_until for _, key in domains_of(hop))

    def named_at(self, hop: Located) -> float:
        """Monotonic time at which its server would take calls again, as far as it said; a probe may come before."""
        return max(self.troubles.named.get(key, 0.0) for _, key in domains_of(hop))

    def failed_at(self, hop: Located) -> float:
        """Monotonic time at which the hop's domains were last found to fail."""
        return max(self.troubles.failed_at.get(key, 0.0) for _, key in domains_of(hop))

    def doubted(self, hop: Located) -> bool:
        """Whether the hop, closed or not, has just let a call run into its timeout, and no answer has come since.

        One timeout closes nothing, and costs time: who has another hop asks that, and one call in a while this one.
        """
        if not self.troubles.doubted:
            return False
        return self.troubles.doubts([key for _, key in domains_of(hop)])

    def throttled(self, hop: Located) -> bool:
        """Whether the hop is closed only because its server wants no calls until a time: for that, a call may wait."""
        shut = self._shut(hop)
        return bool(shut) and all(breaker.throttled for breaker in shut)

    def waits(self, hop: Located) -> bool:
        """Whether its server named a time until which it wants no calls: before that, none probes it."""
        return any(self.clock() < breaker.limited_until for breaker in self._shut(hop))

    def probing(self, hop: Located) -> bool:
        """Whether another call's probe is what keeps a call from the hop."""
        shut = self._shut(hop)
        return any(breaker.probing for breaker in shut) and all(
            breaker.probing or breaker.state == "half_open" for breaker in shut
        )

    def _shut(self, hop: Located) -> list[Breaker]:
        found = [self.breaker(key) for _, key in domains_of(hop)]
        return [breaker for breaker in found if breaker.tripped]

    def why(self, hop: Located) -> Failure | None:
        """Return the last failure of the hop's domains: why it is closed."""
        return self.troubles.last([key for _, key in domains_of(hop)])

    def pay(self, hop: Located, cost: float) -> bool:
        """Take so many tokens for one more send, see :func:`price`; False where the budget is spent."""
        if not self.bucket(hop.origin).pay(cost):
            return False
        self.shared.spent(hop.origin, cost)
        return True

    def succeeded(self, hop: Located, refund: Mapping[str, float] | None = None, entry: Entry | None = None) -> None:
        """Hear of an answer: the probe's closes; give back what re-sends had cost, by origin, or give the reward."""
        troubles = self.troubles
        for key, breaker in self.breakers(hop):
            if entry is None and not breaker.tripped and key not in troubles.why and key not in troubles.named:
                breaker.succeeded()
            else:
                self._answered(key, breaker, entry)
        for origin, tokens in refund.items() if refund else ((hop.origin, REWARD),):
            room = self.bucket(origin).put_back(tokens)
            if room:
                self.shared.spent(origin, -room)

    def failed(self, hop: Located, failure: Failure, entry: Entry | None = None) -> None:
        """Hear of a failure.  The caller's own faults and local ones condemn nothing."""
        row = failure.row
        limited = row.kind in ("rate", "overload")
        hint = failure.retry_after if limited else None
        open_for = min(hint, LONGEST_HINT) if hint else (row.quarantine or None)
        # A limit without a time is one all the same; of an overload, only a time that was named is kept.
        throttled = limited and (bool(hint) or (row.kind == "rate" and not row.quarantine))
        if not failure.blames:
            self.abandoned(hop, entry)
            return
        # Without a proxy that is known, what stands in the way is the origin's own.
        condemned = "origin" if row.condemns == "proxy" and not hop.proxy else row.condemns
        for reach, key in domains_of(hop):
            if reach == condemned and not failure.taught:
                self.troubles.found(key, failure, hint)
                ticket = entry.tickets.get(key, 0) if entry is not None else 0
                if self.breaker(key).failed(ticket, open_for=open_for, throttled=throttled):
                    self.shared.opened(key)
                    # What came late opens as well, and leaves the probe of another call its lease.
                    if not self.breaker(key).probing:
                        self.shared.probe_over(key)
            elif condemned in WITHIN[reach] and failure.status is not None:
                # It answered, only something within it is wrong.
                self._answered(key, self.breaker(key), entry)
            else:
                self._left(key, entry)

    def abandoned(self, hop: Located, entry: Entry | None = None) -> None:
        """Hear of a cancelled attempt: gives probes back, judges nothing."""
        for _, key in domains_of(hop):
            self._left(key, entry)

    def _answered(self, key: str, breaker: Breaker, entry: Entry | None) -> None:
        if breaker.succeeded(entry.tickets.get(key, 0) if entry is not None else 0):
            self.shared.closed(key)
            self.shared.probe_over(key)
        if (key in self.troubles.why or key in self.troubles.named) and not breaker.tripped:
            self.troubles.over(key)

    def _left(self, key: str, entry: Entry | None) -> None:
        if entry is not None and self.breaker(key).leave(entry.tickets.get(key, 0)):
            self.shared.probe_over(key)

    def reopen(self, origin: str, deployment: str | None = None) -> None:
        """Close the breakers of an origin's surfaces, or of those of one deployment: what was heard of them is void."""
        with self._lock:
            keys = [key for key in self._breakers if within(key, origin, deployment)]
        for key in keys:
            tripped = self.breaker(key).tripped
            self.breaker(key).closed_elsewhere()
            self.troubles.over(key)
            if tripped:
                self.shared.closed(key)

    def opened_elsewhere(self, key: str, until: float, *, throttled: bool, fault: str, open_for: float) -> None:
        """Hear that another process closed a domain to traffic, until that time of the clock."""
        until = min(until, self.clock() + LONGEST_OPEN)
        self.breaker(key).opened_elsewhere(until, throttled=throttled, open_for=open_for)
        self.troubles.told(key, fault)

    def closed_elsewhere(self, key: str) -> None:
        """Hear that a probe of another process was answered."""
        self.breaker(key).closed_elsewhere()
        self.troubles.over(key)

    def fault(self, key: str) -> str | None:
        """Return the name of the domain's last fault, or None."""
        why = self.troubles.why.get(key)
        return None if why is None else why.fault

    def health(self, names: Mapping[str, str]) -> tuple[DomainHealth, ...]:
        """Return the state of every domain for people; ``names`` gives the endpoint's name by origin."""
        return tuple(checkup(self, names))


def price(failure: Failure) -> float:
    """Return what one more send after this failure costs, in tokens."""
    return COST_THROTTLE if failure.row.kind in ("rate", "overload") else COST_TRANSIENT
