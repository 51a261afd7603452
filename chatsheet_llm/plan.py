"""Decide what to try next: send, wait, next hop, or stop.  No I/O: a generator that yields steps and hears outcomes.

It yields :class:`Send` and :class:`Wait`.  The driver answers with ``next`` when a send gave the answer or a wait is
over, throws :class:`Failed` when a send failed, and calls ``close`` when the caller cancelled.  The generator returns
when the call succeeded and raises :class:`GaveUp` when nothing may be tried any more.  No answer ever passes through it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from tenacity import Future, RetryCallState, stop_after_attempt, wait_exponential_jitter, wait_random_exponential
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from chatsheet_llm.classify import Failure
from chatsheet_llm.dispatch import Hop
from chatsheet_llm.domains import Domains, price

LONGEST_WAIT = 120.0
"""Seconds; a longer hint is never slept through: the call moves on, or raises with ``retry_at``."""
POLL = 0.1
"""Seconds between looks at a domain whose single probe is another call's."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How persistent a call is.  All three strategies are tenacity's, over a ``RetryCallState``.

    ``max_retries``: re-sends on one hop.  ``stop``: over all hops; the attempt number counts every send.  ``wait``:
    before a re-send after a transient fault; ``wait_throttled``: after 429 or overload without a usable hint.  Seconds.
    """

    max_retries: int = 1
    stop: stop_base = field(default_factory=lambda: stop_after_attempt(4))
    wait: wait_base = field(default_factory=lambda: wait_random_exponential(multiplier=0.05, max=8))
    wait_throttled: wait_base = field(default_factory=lambda: wait_exponential_jitter(initial=1, max=8, jitter=1))


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request to ``hop`` and give it at most ``timeout`` seconds until its answer, or its first content."""

    hop: Hop
    number: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep ``seconds``, then go on."""

    seconds: float
    reason: str


class Failed(Exception):
    """Thrown into the plan: the last send failed so."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure


class GaveUp(Exception):
    """Raised by the plan: nothing may be tried any more.  ``failure`` is the most actionable of what was seen."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure


@dataclass(slots=True)
class _Seen:
    """What this call has seen so far."""

    sends: int = 0
    slept: float = 0.0
    ambiguous: int = 0
    paid: float = 0.0
    moved: bool = False
    on_hop: Counter[str] = field(default_factory=Counter)
    origins: set[str] = field(default_factory=set)
    surfaces: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)


def plan(
    hops: Sequence[Hop],
    domains: Domains,
    *,
    policy: Policy,
    deadline_at: float,
    side_effects: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Send | Wait, None, None]:
    """Plan one call over the hops, in order.

    ``deadline_at`` is a time of ``clock`` (monotonic seconds).  ``side_effects`` forbids a second send after one whose
    outcome is unknown.  Raises :class:`GaveUp`.
    """
    started = clock()
    seen = _Seen()
    hop = yield from _first(hops, domains, seen, deadline_at, clock)
    while True:
        now = clock()
        if now >= deadline_at:
            domains.abandoned(hop)
            raise GaveUp(_deadline(seen))
        seen.sends += 1
        seen.on_hop[hop.name] += 1
        try:
            yield Send(hop, seen.sends, _share(hop, hops, seen, deadline_at - now))
        except Failed as failed:
            failure = failed.failure
        except GeneratorExit:
            domains.abandoned(hop)
            raise
        else:
            domains.succeeded(hop, refund=seen.paid)
            return
        domains.failed(hop, failure)
        seen.failures.append(failure)
        hop = yield from _next(hop, failure, hops, domains, seen, policy, started, deadline_at, side_effects, clock)


def worst(failures: Sequence[Failure]) -> Failure:
    """Return the failure that tells most about what to do: wiring before limits before the provider's troubles."""
    order = ("caller", "policy", "gateway_policy", "local", "deadline", "config", "rate", "overload", "protocol")
    return min(failures, key=lambda f: order.index(f.row.kind) if f.row.kind in order else len(order))


def _first(
    hops: Sequence[Hop], domains: Domains, seen: _Seen, deadline_at: float, clock: Callable[[], float]
) -> Generator[Wait, None, Hop]:
    """Choose the first hop that is open; where none is, probe early, or wait for a time that a server named."""
    while True:
        for hop in hops:
            if domains.permits(hop) and domains.enter(hop):
                return hop
        for hop in hops:
            if not domains.throttled(hop) and domains.enter(hop, early=True):
                return hop
        throttled = [hop for hop in hops if domains.throttled(hop)]
        pause = min((domains.reopens_at(hop) for hop in throttled), default=deadline_at) - clock()
        if not throttled or clock() + pause >= deadline_at or pause > LONGEST_WAIT:
            known = [why for hop in hops if (why := domains.why(hop)) is not None]
            raise GaveUp(worst(known or seen.failures))
        yield Wait(max(pause, POLL), "every hop is rate limited")


def _next(
    hop: Hop,
    failure: Failure,
    hops: Sequence[Hop],
    domains: Domains,
    seen: _Seen,
    policy: Policy,
    started: float,
    deadline_at: float,
    side_effects: bool,
    clock: Callable[[], float],
) -> Generator[Wait, None, Hop]:
    """Decide after a failure: the same hop again, another one, or stop."""
    row = failure.row
    state = _retry_state(failure, seen, started, clock())
    if row.move == "none" or policy.stop(state):
        raise GaveUp(worst(seen.failures))
    if failure.send_state in ("ambiguous", "committed"):
        seen.ambiguous += 1
        if side_effects or seen.ambiguous > 1:
            raise GaveUp(worst(seen.failures))

    again = seen.on_hop[hop.name] <= min(policy.max_retries, hop.max_attempts - 1)
    if row.same == "once" and again and (failure.send_state == "not_sent" or row.kind != "config"):
        pause = policy.wait(state)
        if clock() + pause < deadline_at and _pays(hop, failure, domains, seen):
            yield from _sleep(pause, row.sentence, seen)
            if domains.enter(hop):
                return hop

    seen.surfaces.add(hop.surface)
    if row.move == "origin":
        seen.origins.add(hop.origin)
    for other in hops:
        fresh = other.origin not in seen.origins and other.surface not in seen.surfaces
        if fresh and (not seen.moved or _pays(hop, failure, domains, seen)) and domains.enter(other):
            seen.moved = True
            return other

    if row.same == "hint" and again:
        hint = failure.retry_after
        pause = max(hint * 1.05, POLL) if hint is not None else policy.wait_throttled(state)
        if pause <= LONGEST_WAIT and clock() + pause < deadline_at and _pays(hop, failure, domains, seen):
            yield from _sleep(pause, row.sentence, seen)
            while not domains.enter(hop):
                pause = max(domains.reopens_at(hop) - clock(), POLL)
                if clock() + pause >= deadline_at:
                    raise GaveUp(worst(seen.failures))
                yield from _sleep(pause, row.sentence, seen)
            return hop
    raise GaveUp(_deadline(seen) if clock() >= deadline_at else worst(seen.failures))


def _share(hop: Hop, hops: Sequence[Hop], seen: _Seen, left: float) -> float:
    """Half of what is left while another origin could still answer, so that one silent hop cannot eat the deadline."""
    others = any(other.origin != hop.origin and other.origin not in seen.origins for other in hops)
    return left / 2 if others else left


def _sleep(seconds: float, reason: str, seen: _Seen) -> Generator[Wait, None, None]:
    seen.slept += seconds
    yield Wait(seconds, reason)


def _pays(hop: Hop, failure: Failure, domains: Domains, seen: _Seen) -> bool:
    if not domains.pay(hop, failure):
        return False
    seen.paid += price(failure)
    return True


def _deadline(seen: _Seen) -> Failure:
    return Failure("deadline", "ambiguous" if seen.ambiguous else "not_sent")


def _retry_state(failure: Failure, seen: _Seen, started: float, now: float) -> RetryCallState:
    """Return the state that tenacity's strategies read, with this failure as its outcome."""
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    outcome = Future(seen.sends)
    outcome.set_exception(Failed(failure))
    state.start_time, state.outcome_timestamp, state.outcome = started, now, outcome
    state.attempt_number, state.idle_for = seen.sends, seen.slept
    return state
