"""What a plan says and hears, as values: sends, waits, failures, the end of a call.  Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tenacity import stop_after_attempt, wait_exponential_jitter, wait_random_exponential
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from chatsheet_llm.classify import Failure
from chatsheet_llm.hops import Hop, Left


@dataclass(frozen=True, slots=True)
class Policy:
    """How persistent a call is.  All three strategies are tenacity's, over a ``RetryCallState``.

    ``max_retries``: re-sends on one hop.  ``stop``: over all hops; its attempt number counts every send.  ``wait``:
    before a re-send after a transient fault; ``wait_throttled``: after 429 or overload without a usable hint; their
    attempt number counts the sends to that hop.  Seconds.
    """

    max_retries: int = 1
    insists: bool = False
    """Whether the caller named that number, so that it holds for gateways too, which are else asked but once."""
    stop: stop_base = field(default_factory=lambda: stop_after_attempt(4))
    wait: wait_base = field(default_factory=lambda: wait_random_exponential(multiplier=0.05, max=8))
    wait_throttled: wait_base = field(default_factory=lambda: wait_exponential_jitter(initial=1, max=8, jitter=1))


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request to ``hop`` and give it at most ``timeout`` seconds until its answer, or its first content."""

    hop: Hop
    number: int
    timeout: float
    patient: bool = True
    """Whether running out of this time says something about the hop."""
    hedge: float | None = None
    """Seconds after which another hop may be asked beside it; None: never."""
    left: float | None = None
    """Seconds until the deadline of the call."""
    contested: bool = False
    """Whether another origin could still answer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep ``seconds``, then go on."""

    seconds: float
    reason: str


class Slow:
    """Sent into the plan: nothing has come of the last send by the time that its ``hedge`` names."""


SLOW = Slow()
STAY = Wait(0.0, "no other hop is asked beside the one that is slow")


@dataclass(frozen=True, slots=True)
class Answered:
    """Sent into the plan: of two hops that were asked side by side this one answered; ``failed`` is what the other did,
    where it had failed before, and ``other`` which hop that is.
    """

    hop: Hop
    failed: Failure | None = None
    other: Hop | None = None


class Failed(Exception):
    """Thrown into the plan: the last send failed so.  Of two side by side, the one that failed first is ``before``."""

    def __init__(self, failure: Failure, hop: Hop | None = None, before: tuple[Hop, Failure] | None = None) -> None:
        super().__init__(failure.sentence)
        self.failure = failure
        self.hop = hop
        self.before = before


class GaveUp(Exception):
    """Raised by the plan: nothing may be tried any more.

    ``failure`` is the most actionable of what was seen; ``closed`` names the hops that were left alone because of
    earlier failures, each with that failure and the seconds until it opens; ``unmade`` are other forms of a hop, which
    it asked for and cannot have.
    """

    def __init__(
        self,
        failure: Failure,
        closed: Sequence[tuple[Hop, Failure, float]] = (),
        unmade: Sequence[Left] = (),
    ) -> None:
        super().__init__(failure.sentence)
        self.failure = failure
        self.closed = tuple(closed)
        self.unmade = tuple(unmade)


def ends(failure: Failure) -> bool:
    """Whether a call ends with this failure, whatever another hop would answer: what it refuses, no other may take."""
    return failure.row.move == "none"


def worst(failures: Sequence[Failure]) -> Failure:
    """Return the failure that tells most about what to do: wiring before limits before the provider's troubles.

    Of several of a kind it is the latest.
    """
    order = ("caller", "policy", "gateway_policy", "local", "deadline", "config", "rate", "overload", "protocol")
    return min(reversed(failures), key=lambda f: order.index(f.row.kind) if f.row.kind in order else len(order))
