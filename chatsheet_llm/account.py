"""Decide what a call may still spend, and on which hops, from what it has seen.  Sends nothing and opens no hop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from tenacity import Future, RetryCallState

from chatsheet_llm.budget import COST_PROBE
from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains
from chatsheet_llm.faults import RESENDS
from chatsheet_llm.hops import Hop, Left
from chatsheet_llm.steps import Failed, Policy, Wait

LONGEST_WAIT = 120.0
"""Seconds; a longer hint is never slept through: the call moves on, or raises with ``retry_at``."""


@dataclass(slots=True)
class Account:
    """What one call has seen and spent so far, and what that leaves it."""

    domains: Domains
    policy: Policy
    deadline_at: float
    clock: Callable[[], float]
    started: float = field(init=False)
    sends: int = 0
    slept: float = 0.0
    ambiguous: int = 0
    paid: dict[str, float] = field(default_factory=dict)
    """Tokens by origin that re-sends have cost."""
    spared: float = 0.0
    """Tokens that probes have cost beyond the first."""
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

    def __post_init__(self) -> None:
        self.started = self.clock()

    def count(self, hop: Hop, by: int) -> None:
        """Count what was sent to a hop."""
        self.on_hop[hop.name] = self.on_hop.get(hop.name, 0) + by

    def failed(self, failure: Failure) -> None:
        """Keep what a send failed with."""
        self.failures += (failure,)
        self.ambiguous += RESENDS[failure.send_state] is not None

    def leave(self, hop: Hop, failure: Failure) -> None:
        """Ask nothing more of what failed so."""
        self.surfaces |= {hop.surface}
        reach: dict[str, Callable[[Hop], str]] = {"origin": lambda each: each.origin, "proxy": lambda each: each.proxy}
        place = reach.get("origin" if failure.row.move == "proxy" and not hop.proxy else failure.row.move)
        self.limited = tuple(
            other
            for other in self.limited
            if other.surface != hop.surface and (place is None or place(other) != place(hop))
        )
        if failure.row.move == "origin" or (failure.row.move == "proxy" and not hop.proxy):
            self.origins |= {hop.origin}
        elif failure.row.move == "proxy":
            self.proxies |= {hop.proxy}
        elif failure.row.move == "none":
            self.refused |= {failure.fault}

    def fresh(self, hop: Hop) -> bool:
        """Whether nothing that was seen speaks against a hop."""
        return (
            (not hop.proxy or hop.proxy not in self.proxies)
            and hop.origin not in self.origins
            and hop.surface not in self.surfaces
            and self.refused.issubset(hop.answers_after)
        )

    def again(self, hop: Hop) -> bool:
        """Whether a hop that has been asked may be asked again."""
        retries = self.policy.max_retries
        most = retries if self.policy.insists else min(retries, hop.max_attempts - 1)
        return self.on_hop.get(hop.name, 0) <= most

    def limited_again(self) -> list[Hop]:
        """Return the hops that have refused because of a limit and may be asked once more."""
        return [hop for hop in self.limited if self.again(hop) and self.refused.issubset(hop.answers_after)]

    def pays(self, hop: Hop, cost: float) -> bool:
        """Take the price of one more send to where a hop lies; False where its budget is spent."""
        if not self.domains.pay(hop, cost):
            return False
        self.paid[hop.origin] = self.paid.get(hop.origin, 0.0) + cost
        return True

    def affords_probe(self) -> bool:
        """Whether the call may make a probe before the time; the first costs nothing."""
        return not self.probed or self.domains.spare.left() >= COST_PROBE

    def pays_probe(self) -> bool:
        """Take the price of a probe before the time; False where the budget for all hops is spent."""
        if self.probed:
            if not self.domains.spare.pay(COST_PROBE):
                return False
            self.spared += COST_PROBE
        self.probed = True
        return True

    def fits(self, pause: float) -> bool:
        """Whether the call may wait for so long."""
        return pause <= LONGEST_WAIT and self.clock() + pause < self.deadline_at

    def sleep(self, seconds: float, reason: str) -> Generator[Wait, None, None]:
        """Wait, and count it."""
        self.slept += seconds
        yield Wait(seconds, reason)

    def retry_state(self, failure: Failure) -> RetryCallState:
        """Return the state that tenacity's strategies read, with this failure as its outcome."""
        state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        outcome = Future(self.sends)
        outcome.set_exception(Failed(failure))
        state.start_time, state.outcome_timestamp, state.outcome = self.started, self.clock(), outcome
        state.attempt_number, state.idle_for = self.sends, self.slept
        return state
