"""Decide what to try next: send, wait, next hop, or stop.  No I/O: a generator that yields steps and hears outcomes.

It yields :class:`~chatsheet_llm.steps.Send` and :class:`~chatsheet_llm.steps.Wait`.  The driver answers with ``next``
when a send gave the answer or a wait is over, throws :class:`Failed` when a send failed, and calls ``close`` when the
caller cancelled.  The generator returns when the call succeeded and raises :class:`GaveUp` when nothing may be tried
any more.  No answer passes through it.

A send with a time in ``hedge`` may be raced: where nothing has come by then, the driver sends :data:`SLOW` into the
plan and is given a second :class:`Send`, which runs beside the first, or :data:`STAY`.  Then it sends
:class:`Answered`, or throws :class:`Failed` once both have failed or one has failed in a way that `ends` the call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from tenacity import Future, RetryCallState

from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains, Entry, price
from chatsheet_llm.faults import RESENDS
from chatsheet_llm.hops import Amend, Hop, Hops, Left, OnDemand, unamended
from chatsheet_llm.learned import WEAK
from chatsheet_llm.steps import STAY, Answered, Failed, GaveUp, Policy, Send, Slow, Wait, worst

LONGEST_WAIT = 120.0
"""Seconds; a longer hint is never slept through: the call moves on, or raises with ``retry_at``."""
IMPATIENT = 1.0
"""Seconds; an attempt that a caller gave less than this, and less than its share, blames nobody when it runs out."""
PATIENCE = 2.0
"""Seconds to wait for another call's probe, where no other hop is left."""
POLL = 0.1
"""Seconds between looks at a domain whose single probe is another call's."""


@dataclass(slots=True)
class _Seen:
    """What this call has seen so far."""

    sends: int = 0
    slept: float = 0.0
    ambiguous: int = 0
    paid: dict[str, float] = field(default_factory=dict)
    """Tokens by origin that re-sends have cost."""
    moved: bool = False
    probed: bool = False
    hedged: bool = False
    resend: bool = False
    """Whether the next send is one more to a hop that has had one."""
    on_hop: dict[str, int] = field(default_factory=dict)
    # Values that are replaced and not changed: a call that is answered at once makes none of them.
    proxies: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    surfaces: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    failures: tuple[Failure, ...] = ()
    unmade: tuple[Left, ...] = ()
    limited: tuple[Hop, ...] = ()
    """Hops that have refused because of a limit, and nothing else was found wrong with."""

    def count(self, hop: Hop, by: int) -> None:
        """Count what was sent to a hop."""
        self.on_hop[hop.name] = self.on_hop.get(hop.name, 0) + by


def plan(
    hops: Sequence[Hop],
    domains: Domains,
    *,
    policy: Policy,
    deadline_at: float,
    attempt: float = math.inf,
    side_effects: bool = False,
    amend: Amend = unamended,
    hedge: Callable[[Hop], float | None] = lambda hop: None,  # noqa: ARG005  never
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Send | Wait, Slow | Answered | None, None]:
    """Plan one call over the hops, in order.

    ``deadline_at`` is a time of ``clock`` (monotonic seconds).  ``attempt`` is the most seconds that the caller gives
    to one attempt; without it the plan shares the time out.  ``side_effects`` forbids a second send after one whose
    outcome is unknown.  ``amend`` gives a hop that has refused a request the form that it asks for, which is tried at
    once.  ``hedge`` says after how many seconds of silence another hop may be asked beside one.  Raises
    :class:`GaveUp`.
    """
    call = _Plan(hops, domains, policy, deadline_at, attempt, side_effects, amend, hedge, clock)
    # Most find a hop that is open, and wait for none.
    hop = call.first() or (yield from call.waited_for())
    while True:
        left = deadline_at - clock()
        if left <= 0:
            call.abandoned(hop)
            raise call.gave_up()
        resend, call.seen.resend = call.seen.resend, False
        if not domains.begin(hop, resend=resend):
            call.abandoned(hop)
            hop = call.instead(hop)
            continue
        asked, beside = hop, None
        try:
            heard = yield call.send(hop, left)
            if isinstance(heard, Slow):
                beside = call.beside(hop)
                heard = yield STAY if beside is None else call.send(beside, deadline_at - clock(), hop)
        except Failed as failed:
            failure = failed.failure
            hop = call.lost(hop, beside, failed)
        except GeneratorExit:
            call.abandoned(hop, beside)
            raise
        else:
            call.won(hop, beside, heard)
            return
        finally:
            domains.end(asked, resend=resend)
            if beside is not None:
                domains.end(beside, resend=True)
        hop = yield from call.after(hop, failure)


@dataclass(slots=True)
class _Plan:
    """The decisions of one call, and what they are made from."""

    hops: Sequence[Hop]
    domains: Domains
    policy: Policy
    deadline_at: float
    attempt: float
    side_effects: bool
    amend: Amend
    hedge: Callable[[Hop], float | None]
    clock: Callable[[], float]
    seen: _Seen = field(default_factory=_Seen)
    entries: dict[str, Entry] = field(default_factory=dict)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def send(self, hop: Hop, left: float, slow: Hop | None = None) -> Send:
        """Return the next send.  While another origin could still answer, a hop gets half of the time that is left.

        One beside a ``slow`` hop does not share with that.
        """
        seen = self.seen
        seen.sends += 1
        seen.count(hop, 1)
        others = self._contested(hop, slow) or (
            bool(seen.limited)
            and any(self.domains.reopens_at(other) < self.deadline_at for other in self._limited() if other is not hop)
        )
        share = left / 2 if others else left
        # A caller who says how long an attempt may take gets that, also where it leaves no time for another hop.
        seconds = min(self.attempt, left) if math.isfinite(self.attempt) else share
        hedge = None if self.side_effects or seen.hedged else self.hedge(hop)
        return Send(
            hop,
            seen.sends,
            seconds,
            patient=seconds >= min(share, IMPATIENT),
            hedge=hedge if hedge is not None and hedge < seconds else None,
            left=left,
            contested=others,
        )

    def _contested(self, hop: Hop, slow: Hop | None) -> bool:
        """Whether the hop of another origin could still answer."""
        origins = self.seen.origins
        # Where it lies is enough to tell: a hop that is not made yet is not made for this.
        for other in self.hops.ahead() if isinstance(self.hops, Hops) else self.hops:
            origin = other.origin
            if origin == hop.origin or (slow is not None and origin == slow.origin) or origin in origins:
                continue
            if self._may_answer(other):
                return True
        return False

    def _may_answer(self, hop: Hop) -> bool:
        """Whether a hop is open, or may be well again and is to be probed where nothing else is left."""
        if self.domains.permits(hop):
            return True
        why = self.domains.why(hop)
        wired_wrong = why is not None and why.row.kind == "config"
        return not (wired_wrong or self.seen.probed or self._waits(hop))

    def _waits(self, hop: Hop) -> bool:
        """Whether a closed hop is not to be probed early: its server named a time, or its limit is over soon enough."""
        reopens = self.domains.reopens_at(hop)
        return self.domains.waits(hop) or (self.domains.throttled(hop) and reopens < self.deadline_at)

    def beside(self, hop: Hop) -> Hop | None:
        """Return another origin's hop to ask beside a slow one, its right to send taken; None where that may not be.

        It counts as a send, and it costs what a re-send costs.
        """
        seen, slow = self.seen, Failure("read_timeout", "ambiguous")
        seen.hedged = True
        others = self._left(beside=hop.origin)
        late = self.clock() >= self.deadline_at
        # What it costs is not given back: an answer is no sign that asking twice was right.
        if late or not others or self.policy.stop(self._retry_state(slow)) or not self.domains.pay(hop, slow):
            return None
        for other in others:
            if self.domains.permits(other) and self._enter(other):
                if self.domains.begin(other, resend=True):
                    return other
                self.abandoned(other)
                break
        return None

    def won(self, hop: Hop, beside: Hop | None, heard: Slow | Answered | None) -> None:
        """Hear of the answer, and of the other hop of a race."""
        if beside is None and not isinstance(heard, Answered):
            self.domains.succeeded(hop, self.seen.paid, self._entry(hop))
            return
        told = heard if isinstance(heard, Answered) else Answered(hop)
        winner, other = (beside, hop) if beside is not None and told.hop is beside else (hop, beside)
        if other is not None and told.failed is not None:
            self._failed(other, told.failed)
        else:
            self.abandoned(other)
        self.domains.succeeded(winner, self.seen.paid, self._entry(winner))

    def lost(self, hop: Hop, beside: Hop | None, failed: Failed) -> Hop:
        """Hear that all has failed that was sent, or that one has and the other must not go on; return the last."""
        last = failed.hop or hop
        if failed.before is not None:
            first, failure = failed.before
            self._failed(first, failure)
            self.seen.failures += (failure,)
            self.seen.ambiguous += RESENDS[failure.send_state] is not None
            self._leave(first, failure)
        else:
            self.abandoned(beside if last is hop else hop)
        return last

    def abandoned(self, *hops: Hop | None) -> None:
        """Hear that nobody waits any more for what these hops were asked."""
        for hop in hops:
            if hop is not None:
                self.domains.abandoned(hop, self._entry(hop))

    def _leave(self, hop: Hop, failure: Failure) -> None:
        """Ask nothing more of what failed so."""
        self.seen.surfaces |= {hop.surface}
        reach: dict[str, Callable[[Hop], str]] = {"origin": lambda each: each.origin, "proxy": lambda each: each.proxy}
        place = reach.get("origin" if failure.row.move == "proxy" and not hop.proxy else failure.row.move)
        self.seen.limited = tuple(
            other
            for other in self.seen.limited
            if other.surface != hop.surface and (place is None or place(other) != place(hop))
        )
        if failure.row.move == "origin" or (failure.row.move == "proxy" and not hop.proxy):
            self.seen.origins |= {hop.origin}
        elif failure.row.move == "proxy":
            self.seen.proxies |= {hop.proxy}
        elif failure.row.move == "none":
            self.seen.refused |= {failure.fault}

    def after(self, hop: Hop, failure: Failure) -> Generator[Wait, None, Hop]:
        """Decide after a failure: the same hop again, another one, or stop."""
        seen, row = self.seen, failure.row
        self._failed(hop, failure)
        seen.failures += (failure,)
        state = self._retry_state(failure)
        stops = self.policy.stop(state)
        other = None if stops or failure.send_state != "rejected" else self.amend(hop, failure.fault)
        if isinstance(other, tuple):
            seen.unmade += (other,)
        elif other is not None and self._enter(other):
            # It starts anew: what the hop has refused is no trouble of its own, unless it may be the whole trouble.
            if failure.fault not in WEAK:
                seen.failures = seen.failures[:-1]
            if other.surface == hop.surface:
                seen.count(hop, -1)
            else:
                seen.surfaces |= {hop.surface}
            return other
        allowed = RESENDS[failure.send_state]
        if allowed is not None:
            seen.ambiguous += 1
            stops = stops or self.side_effects or seen.ambiguous > allowed
        if stops:
            raise self.gave_up()
        again = self._again(hop) and failure.headers.get("x-should-retry") != "false"
        if row.same == "once" and again and (yield from self._once_more(hop, failure, state)):
            return hop
        if row.move == "none":
            return self._in_spite_of(hop, failure)
        self._leave(hop, failure)
        if row.same == "hint" and again:
            seen.limited += (hop,)
        others = self._left()
        if others and (not seen.moved or self._pays(hop, failure)):
            seen.moved = True
            found = self._open(others)
            if found is not None:
                return found
        if row.same == "last" and again and (yield from self._once_more(hop, failure, state)):
            return hop
        waiting = [other for other in others if self._opens(other)]
        pause = 0.0 if failure.retry_after else self.policy.wait_throttled(state)
        fits = self._fits(max(pause, failure.retry_after or 0.0))
        if row.same == "hint" and again and fits and self._pays(hop, failure):
            if pause:
                yield from self._sleep(pause, row.sentence)
            waiting.append(hop)
        elif row.same != "hint" and self._limited() and self._pays(hop, failure):
            # They refused before they began, and may take it by now.
            waiting += self._limited()
        return (yield from self._wait_for(waiting))

    def instead(self, hop: Hop) -> Hop:
        """Choose another hop than one to which too many calls are sending again, or give up."""
        seen = self.seen
        seen.surfaces |= {hop.surface}
        seen.origins |= {hop.origin}
        found = self._open(self._left())
        if found is None:
            raise self.gave_up()
        return found

    def _again(self, hop: Hop) -> bool:
        """Whether a hop that has been asked may be asked again."""
        retries = self.policy.max_retries
        most = retries if self.policy.insists else min(retries, hop.max_attempts - 1)
        return self.seen.on_hop.get(hop.name, 0) <= most

    def _limited(self) -> list[Hop]:
        """Return the hops that have refused because of a limit and may be asked once more."""
        seen = self.seen
        return [hop for hop in seen.limited if self._again(hop) and seen.refused.issubset(hop.answers_after)]

    def _once_more(self, hop: Hop, failure: Failure, state: RetryCallState) -> Generator[Wait, None, bool]:
        """Wait for the same hop to be asked again; False where that may not be."""
        pause = self.policy.wait(state)
        if not (self._fits(pause) and self._pays(hop, failure)):
            return False
        yield from self._sleep(pause, failure.row.sentence)
        self.seen.resend = self._enter(hop)
        return self.seen.resend

    def _in_spite_of(self, hop: Hop, failure: Failure) -> Hop:
        """Return a hop that is set up to be asked after a refusal which else ends the call."""
        seen = self.seen
        self._leave(hop, failure)
        others = self._left()
        if others and (not seen.moved or self._pays(hop, failure)):
            seen.moved = True
            found = self._open(others)
            if found is not None:
                return found
        raise self.gave_up()

    def first(self) -> Hop | None:
        """Return the first hop that is open; where none is, one that may be probed early."""
        return self._open(self.hops)

    def waited_for(self) -> Generator[Wait, None, Hop]:
        """Wait for a time that a server named, or for another call's probe."""
        return (yield from self._wait_for([hop for hop in self.hops if self._opens(hop)]))

    def _opens(self, hop: Hop) -> bool:
        """Whether a closed hop may open soon: at a time that its server named, or when another call's probe is over."""
        return self.domains.throttled(hop) or self.domains.probing(hop)

    def gave_up(self) -> GaveUp:
        """Return the end of the call, with why the hops that were not tried are closed."""
        now = self.clock()
        tried = {name for name in self.seen.on_hop if self.seen.on_hop[name]}
        closed = [
            (hop, why, max(0.0, self.domains.reopens_at(hop) - now, self.domains.named_at(hop) - now))
            for hop in self.hops
            if hop.name not in tried and not self.domains.permits(hop) and (why := self.domains.why(hop)) is not None
        ]
        failures = self.seen.failures or [why for _, why, _ in closed]
        if self.clock() >= self.deadline_at or not failures:
            ended = Failure("deadline", "ambiguous" if self.seen.ambiguous else "not_sent")
            return GaveUp(ended, closed, self.seen.unmade)
        return GaveUp(worst(failures), closed, self.seen.unmade)

    def _open(self, hops: Sequence[Hop]) -> Hop | None:
        """Return the first hop that may be sent to now, its probe taken; a doubted one only where there is no other.

        Only where every hop is closed, a broken one is probed before its time: see :meth:`_early`.
        """
        doubted: list[Hop] = []
        for hop in hops:
            if self.domains.permits(hop):
                if self.domains.doubted(hop):
                    doubted.append(hop)
                elif self._enter(hop):
                    return hop
        for hop in doubted:
            if self._enter(hop):
                return hop
        return self._early(hops)

    def _early(self, hops: Sequence[Hop]) -> Hop | None:
        """Return a closed hop that may be probed before its time, its probe taken: an answer may be had.

        Once in a call, and again, at the price of two re-sends, where the last that was asked is wired wrong: such a hop
        says so at once and does no work.  One whose server named a time is not, nor one whose limit will be looked at
        again before the deadline.  The one that has failed longest ago comes first, so that calls ask different ones.
        """
        seen = self.seen
        last = seen.failures[-1] if seen.probed and seen.failures else None
        if seen.probed and (last is None or last.row.kind != "config"):
            return None
        for hop in sorted(hops, key=self.domains.failed_at):
            if not self._waits(hop) and self._enter(hop, early=True):
                if last is not None and not (self._pays(hop, last) and self._pays(hop, last)):
                    self.abandoned(hop)
                    return None
                seen.probed = True
                return hop
        return None

    def _wait_for(self, hops: Sequence[Hop]) -> Generator[Wait, None, Hop]:
        """Wait for the first of these hops to open; for another call's probe, a moment only."""
        patience = self.clock() + PATIENCE
        while True:
            for hop in hops:
                if self._enter(hop):
                    self.seen.resend = self.seen.on_hop.get(hop.name, 0) > 0
                    return hop
            fresh = self._left()
            found = self._open(fresh)
            if found is not None:
                self.seen.resend = False
                return found
            hops = [hop for hop in hops if self.domains.throttled(hop) or self._probed_until(hop, patience)]
            # Where only the probes of other calls have kept this one from probing, they are over soon.
            probed = not self.seen.probed and self.clock() < patience and not all(map(self._waits, fresh))
            if not hops and not probed:
                break
            reopens = POLL if probed else min(self.domains.reopens_at(hop) for hop in hops) - self.clock()
            pause = max(reopens, POLL)
            if not self._fits(pause):
                break
            yield from self._sleep(pause, "rate limited")
        raise self.gave_up()

    def _probed_until(self, hop: Hop, patience: float) -> bool:
        return self.clock() < patience and self.domains.probing(hop)

    def _left(self, beside: str | None = None) -> Sequence[Hop]:
        """Return the hops that may still be asked, found as they are looked at; none of the origin ``beside``."""
        found: list[Hop] = []
        rest = iter(self.hops)

        def more() -> bool:
            hop = next(rest, None)
            if hop is not None and hop.origin != beside and self._fresh(hop):
                found.append(hop)
            return hop is not None

        return OnDemand(found, more)

    def _fresh(self, hop: Hop) -> bool:
        seen = self.seen
        return (
            (not hop.proxy or hop.proxy not in seen.proxies)
            and hop.origin not in seen.origins
            and hop.surface not in seen.surfaces
            and seen.refused.issubset(hop.answers_after)
        )

    def _fits(self, pause: float) -> bool:
        return pause <= LONGEST_WAIT and self.clock() + pause < self.deadline_at

    def _sleep(self, seconds: float, reason: str) -> Generator[Wait, None, None]:
        self.seen.slept += seconds
        yield Wait(seconds, reason)

    def _pays(self, hop: Hop, failure: Failure) -> bool:
        if not self.domains.pay(hop, failure):
            return False
        self.seen.paid[hop.origin] = self.seen.paid.get(hop.origin, 0.0) + price(failure)
        return True

    def _enter(self, hop: Hop, *, early: bool = False) -> bool:
        """Claim the right to send to the hop, and keep what has to be handed back with the outcome."""
        entry = self.domains.enter(hop, early=early)
        if entry is not None and entry.tickets:
            self.entries[hop.surface] = entry
        return entry is not None

    def _entry(self, hop: Hop) -> Entry | None:
        return self.entries.pop(hop.surface, None)

    def _failed(self, hop: Hop, failure: Failure) -> None:
        self.domains.failed(hop, failure, self._entry(hop))

    def _retry_state(self, failure: Failure) -> RetryCallState:
        """Return the state that tenacity's strategies read, with this failure as its outcome."""
        state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        outcome = Future(self.seen.sends)
        outcome.set_exception(Failed(failure))
        state.start_time, state.outcome_timestamp, state.outcome = self.started, self.clock(), outcome
        state.attempt_number, state.idle_for = self.seen.sends, self.seen.slept
        return state
