"""Replay scripts through a plan with a fake clock: what was sent, what was waited for, how it ended.  No sockets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenacity import wait_fixed

from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains
from chatsheet_llm.faults import FAULTS
from chatsheet_llm.hops import Hop
from chatsheet_llm.plan import plan
from chatsheet_llm.route import Mode, SendState
from chatsheet_llm.steps import SLOW, Answered, Failed, GaveUp, Policy, Send, Slow, Wait, ends

OK = "ok"
POLICY = Policy(wait=wait_fixed(0.05), wait_throttled=wait_fixed(1.0))
"""The default policy, with waits that a test can add up."""

# How far a request gets with each fault, where it is not refused outright.
_STATES: Mapping[str, SendState] = {
    **dict.fromkeys(
        ("dns", "refused", "connect", "connect_timeout", "tls_trust", "proxy", "credential", "pool", "encode"),
        "not_sent",
    ),
    **dict.fromkeys(
        ("proxy_timeout", "unsendable"),
        "not_sent",
    ),
    **dict.fromkeys(
        ("write_timeout", "read_timeout", "reset", "empty", "html", "garbage", "schema", "no_stream", "truncated"),
        "ambiguous",
    ),
    **dict.fromkeys(("bad_event", "stream_error", "timeout_408", "dependency", "client_closed"), "ambiguous"),
    **dict.fromkeys(("server_error", "bad_gateway", "gateway_timeout"), "ambiguous"),
}


@dataclass(slots=True)
class Clock:
    """Monotonic seconds that move only when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a send: ``"ok"``, a fault by its name, or a failure; and how long it took, in seconds."""

    outcome: str | Failure
    seconds: float = 0.0


@dataclass(slots=True)
class Trace:
    """What a plan did."""

    sends: list[Send] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    gave_up: GaveUp | None = None
    seconds: float = 0.0

    @property
    def hops(self) -> list[str]:
        """The hops sent to, in order."""
        return [send.hop.name for send in self.sends]

    @property
    def fault(self) -> str | None:
        """The fault the call ended with, or None where it was answered."""
        return None if self.gave_up is None else self.gave_up.failure.fault


def hop(name: str, origin: str | None = None, *, max_attempts: int = 2, answers_after: tuple[str, ...] = ()) -> Hop:
    """A hop named ``endpoint/mode``; hops of one endpoint share an origin unless told otherwise."""
    endpoint, _, api = name.partition("/")
    mode: Mode = "responses" if api == "responses" else "chat"
    origin = origin or f"https://{endpoint}"
    surface = f"{origin} {mode} gpt-5"
    return Hop(name, endpoint, mode, "gpt-5", "test", origin, surface, max_attempts, answers_after=answers_after)


def chain(*names: str) -> list[Hop]:
    """Hops by name, or the usual three."""
    return [
        hop(name, max_attempts=1 if name.startswith("litellm") else 2)
        for name in names or ("litellm/chat", "azure/responses", "azure/chat")
    ]


def failure(fault: str, **fields: object) -> Failure:
    """A failure with the send state that belongs to its fault."""
    state = _STATES.get(fault, "rejected")
    return Failure(**{"fault": fault, "send_state": state, "status": None if state == "not_sent" else 500, **fields})  # type: ignore[arg-type]


def fresh(clock: Clock, jitter: float = 0.0) -> Domains:
    """Domains about which nothing is known yet."""
    return Domains(clock, lambda: jitter)


def replay(
    hops: Sequence[Hop],
    script: Sequence[str | Failure | Came] | Mapping[str, str | Failure | Came],
    *,
    clock: Clock | None = None,
    domains: Domains | None = None,
    policy: Policy = POLICY,
    deadline: float = 120.0,
    side_effects: bool = False,
    hedge: float | None = None,
    attempt: float = math.inf,
) -> Trace:
    """Run one call.  ``script`` gives what comes of each send in order, or of every send to a hop by its name.

    With ``hedge``, seconds, a second hop is asked beside one that is slow, if the plan has one.  Raises AssertionError
    where the plan sends more often than the script has answers.
    """
    clock = clock or Clock()
    left = list(script) if not isinstance(script, Mapping) else []
    trace, begun = Trace(), clock.now
    steps = plan(
        hops,
        domains or fresh(clock),
        policy=policy,
        deadline_at=clock.now + deadline,
        attempt=attempt,
        side_effects=side_effects,
        hedge=lambda hop: hedge,
        clock=clock,
    )

    def came_of(step: Send) -> Came:
        trace.sends.append(step)
        assert isinstance(script, Mapping) or left, f"an unexpected send to {step.hop.name}, after {trace.hops}"
        told = script[step.hop.name] if isinstance(script, Mapping) else left.pop(0)
        return told if isinstance(told, Came) else Came(told)

    failed: Failed | None = None
    heard: Answered | Slow | None = None
    try:
        while True:
            step = steps.send(heard) if failed is None else steps.throw(failed)
            failed = heard = None
            if isinstance(step, Wait):
                trace.waits.append(step.seconds)
                clock.now += step.seconds
                continue
            assert isinstance(step, Send)
            came = came_of(step)
            raced: list[tuple[float, Send, Came]] = [(min(came.seconds, step.timeout), step, came)]
            if step.hedge is not None and came.seconds > step.hedge:
                clock.now += step.hedge
                beside = steps.send(SLOW)
                raced[0] = (raced[0][0] - step.hedge, step, came)
                if isinstance(beside, Send):
                    came = came_of(beside)
                    raced.append((min(came.seconds, beside.timeout), beside, came))
            failed, heard = _raced(sorted(raced, key=lambda run: run[0]), step, clock)
    except StopIteration:
        pass
    except GaveUp as gave_up:
        trace.gave_up = gave_up
    trace.seconds = clock.now - begun
    return trace


def _raced(
    runs: Sequence[tuple[float, Send, Came]], first: Send, clock: Clock
) -> tuple[Failed | None, Answered | None]:
    """Let one or two sends come to their end, the quicker one first; return what to tell the plan.

    ``first`` is the one that was sent first: what it refuses ends the call.
    """
    begun, before = clock.now, None
    for seconds, step, came in runs:
        clock.now = begun + seconds
        if came.outcome == OK:
            return None, Answered(step.hop) if before is None else Answered(step.hop, before[1], before[0])
        why = came.outcome if isinstance(came.outcome, Failure) else failure(came.outcome)
        if (step is first and ends(why)) or step is runs[-1][1]:
            return Failed(why, step.hop, before), None
        before = (step.hop, why)
    raise AssertionError("nothing was sent")


def faults_of(*kinds: str) -> list[str]:
    """The names of all faults of these kinds."""
    return [name for name, row in FAULTS.items() if row.kind in kinds]
