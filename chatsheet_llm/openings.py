"""Decide which hop may be sent to now, and for which one a call waits.  Sends nothing and judges no failure."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from chatsheet_llm.account import Account
from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains, Entry
from chatsheet_llm.hops import Hop, OnDemand
from chatsheet_llm.steps import GaveUp, Wait, worst

PATIENCE = 2.0
"""Seconds to wait for another call's probe, where no other hop is left."""
MOMENT = 0.3
"""Seconds to wait whether another call finds a closed hop well again, where this one may not probe it any more."""
POLL = 0.1
"""Seconds between looks at a domain whose single probe is another call's."""


@dataclass(slots=True)
class Openings:
    """The hops of one call, as they are open to it; the rights to send that it holds, until their outcome is told."""

    hops: Sequence[Hop]
    domains: Domains
    account: Account
    entries: dict[str, Entry] = field(default_factory=dict)

    def first_of(self, hops: Sequence[Hop]) -> Hop | None:
        """Return the first hop that may be sent to now, its probe taken; a doubted one only where there is no other.

        Only where every hop is closed, a broken one is probed before its time: see :meth:`_early`.
        """
        doubted: list[Hop] = []
        for hop in hops:
            if self.domains.permits(hop):
                if self.domains.doubted(hop):
                    doubted.append(hop)
                elif self.enter(hop):
                    return hop
        for hop in doubted:
            if self.enter(hop):
                return hop
        return self._early(hops)

    def instead(self, hop: Hop) -> Generator[Wait, None, Hop]:
        """Choose another hop than one to which too many calls are sending again, or give up."""
        self.account.surfaces |= {hop.surface}
        self.account.origins |= {hop.origin}
        return (yield from self.wait_for(()))

    def waited_for(self) -> Generator[Wait, None, Hop]:
        """Wait for a time that a server named, or for another call's probe."""
        return (yield from self.wait_for([hop for hop in self.hops if self.opens(hop)]))

    def wait_for(self, hops: Sequence[Hop]) -> Generator[Wait, None, Hop]:
        """Wait for the first of these hops to open, or of those that are left; for another call's probe, not long."""
        account = self.account
        patience, moment = account.clock() + PATIENCE, account.clock() + MOMENT
        while True:
            for hop in hops:
                if self.enter(hop):
                    account.resend = account.on_hop.get(hop.name, 0) > 0
                    return hop
            fresh = self.left()
            found = self.first_of(fresh)
            if found is not None:
                account.resend = False
                return found
            known = [*hops, *(hop for hop in fresh if all(hop is not other for other in hops))]
            hops = [hop for hop in known if self.domains.throttled(hop) or self._probed_until(hop, patience)]
            # Where the probes of other calls have kept this one from probing, they are over soon; the next may begin.
            until = moment if account.probed else patience
            probed = account.clock() < until and not all(map(self._waits, fresh))
            if not hops and not probed:
                break
            # A probe that is answered opens a hop long before the time until which it was shut.
            looks = probed or not all(map(self.domains.throttled, hops))
            reopens = POLL if looks else min(self.domains.reopens_at(hop) for hop in hops) - account.clock()
            pause = max(reopens, POLL)
            if not account.fits(pause):
                break
            yield from account.sleep(pause, "no hop takes calls" if looks else "rate limited")
        raise self.gave_up()

    def opens(self, hop: Hop) -> bool:
        """Whether a closed hop may open soon: at a time that its server named, or when another call's probe is over."""
        return self.domains.throttled(hop) or self.domains.probing(hop)

    def may_answer(self, hop: Hop, by: float) -> bool:
        """Whether a hop is open, or opens by that time, or may be well again and is to be probed if all else fails."""
        if self.domains.permits(hop):
            return True
        return not self.wired_wrong(hop) and (self.domains.reopens_at(hop) <= by or not self._waits(hop))

    def wired_wrong(self, hop: Hop) -> bool:
        """Whether what was last wrong with a hop is how it is set up: it says so at once, and may be mended by now."""
        why = self.domains.why(hop)
        return why is not None and why.row.kind == "config"

    def left(self, beside: str | None = None) -> Sequence[Hop]:
        """Return the hops that may still be asked, found as they are looked at; none of the origin ``beside``."""
        found: list[Hop] = []
        rest = iter(self.hops)

        def more() -> bool:
            hop = next(rest, None)
            if hop is not None and hop.origin != beside and self.account.fresh(hop):
                found.append(hop)
            return hop is not None

        return OnDemand(found, more)

    def gave_up(self) -> GaveUp:
        """Return the end of the call, with why the hops that were not tried are closed."""
        account, now = self.account, self.account.clock()
        tried = {name for name in account.on_hop if account.on_hop[name]}
        closed = [
            (hop, why, max(0.0, self.domains.reopens_at(hop) - now, self.domains.named_at(hop) - now))
            for hop in self.hops
            if hop.name not in tried and not self.domains.permits(hop) and (why := self.domains.why(hop)) is not None
        ]
        failures = account.failures or [why for _, why, _ in closed]
        if account.clock() >= account.deadline_at or not failures:
            ended = Failure("deadline", "ambiguous" if account.ambiguous else "not_sent")
            return GaveUp(ended, closed, account.unmade)
        return GaveUp(worst(failures), closed, account.unmade)

    def enter(self, hop: Hop, *, early: bool = False) -> bool:
        """Claim the right to send to the hop, and keep what has to be handed back with the outcome."""
        entry = self.domains.enter(hop, early=early)
        if entry is not None and entry.tickets:
            self.entries[hop.surface] = entry
        return entry is not None

    def answered(self, hop: Hop) -> None:
        """Hear that a hop gave the answer."""
        self.domains.succeeded(hop, self.account.paid, self.entries.pop(hop.surface, None))
        if self.account.spared:
            self.domains.spare.put_back(self.account.spared)

    def failed(self, hop: Hop, failure: Failure) -> None:
        """Hear that a hop failed."""
        self.domains.failed(hop, failure, self.entries.pop(hop.surface, None))

    def abandoned(self, *hops: Hop | None) -> None:
        """Hear that nobody waits any more for what these hops were asked."""
        for hop in hops:
            if hop is not None:
                self.domains.abandoned(hop, self.entries.pop(hop.surface, None))

    def _early(self, hops: Sequence[Hop]) -> Hop | None:
        """Return a closed hop that may be probed before its time, its probe taken: an answer may be had.

        Once in a call, and again at a price that lets an outage have few of them.  One whose server named a time is
        not, nor one whose limit will be looked at again before the deadline.  The one that has failed longest ago comes
        first, so that calls do not all ask the same.
        """
        account = self.account
        # To enter takes what others may have use for.
        if account.clock() >= account.deadline_at or not account.affords_probe():
            return None
        for hop in sorted(hops, key=self.domains.failed_at):
            if not self._waits(hop) and self.enter(hop, early=True):
                if account.pays_probe():
                    return hop
                self.abandoned(hop)
                return None
        return None

    def _waits(self, hop: Hop) -> bool:
        """Whether a closed hop is not to be probed early: its server named a time, or its limit is over soon enough."""
        soon = self.domains.reopens_at(hop) < self.account.deadline_at
        return self.domains.waits(hop) or (self.domains.throttled(hop) and soon)

    def _probed_until(self, hop: Hop, patience: float) -> bool:
        return self.account.clock() < patience and self.domains.probing(hop)
