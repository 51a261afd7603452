"""Play many calls at once through plans over one set of failure domains, as a script says; write down what happens.

A script is data: it is made at random, shrunk, and kept as JSON where it once showed a mistake.  Judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from planning import Clock, failure, hop
from tenacity import stop_after_attempt, wait_fixed

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains
from chatsheet_llm.hops import Hop
from chatsheet_llm.plan import plan
from chatsheet_llm.route import SendState
from chatsheet_llm.steps import SLOW, STAY, Answered, Failed, GaveUp, Policy, Send, Wait, ends

# --- what a script says ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A hop: ``endpoint/mode`` by name, the resource it lies at, the HTTP proxy before it, and how it is set up."""

    name: str
    resource: int = 0
    proxy: str = ""
    max_attempts: int = 2
    answers_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a call over these hops (by index, in this order)."""

    chain: tuple[int, ...]
    deadline: float = 120.0
    attempt: float | None = None
    side_effects: bool = False
    max_retries: int = 1
    insists: bool = False
    sends: int = 4
    pause: float = 0.05
    throttled: float = 1.0
    hedge: float | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """Let the n-th running call go on: its wait is over, or its send came to this after so many seconds.

    ``fault`` is empty for an answer; ``state`` is empty for the send state that belongs to the fault.  ``slow`` says
    that nothing came until another hop may be asked beside it; ``second`` that it came of the second of two.
    """

    call: int = 0
    fault: str = ""
    state: SendState | Literal[""] = ""
    hint: float | None = None
    seconds: float = 0.0
    blames: bool = True
    should_retry: bool = True
    slow: bool = False
    second: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """The n-th running call is cancelled by its caller."""

    call: int = 0


@dataclass(frozen=True, slots=True)
class Break:
    """The stream that was the n-th answered call's answer breaks."""

    call: int = 0
    fault: str = "reset"


@dataclass(frozen=True, slots=True)
class Pass:
    """The clock moves on."""

    seconds: float


Move = Start | Go | Cancel | Break | Pass
_MOVES: Mapping[str, type[Any]] = {kind.__name__.lower(): kind for kind in (Start, Go, Cancel, Break, Pass)}


@dataclass(frozen=True, slots=True)
class Script:
    """The hops there are, and what happens, in order.

    ``jitter`` is what the breakers draw, ``tokens`` what is in every retry budget when it begins.
    """

    hops: tuple[Place, ...]
    moves: tuple[Move, ...]
    jitter: float = 0.0
    tokens: float = CAPACITY

    def as_json(self) -> str:
        """Return it as JSON, without what is at its default."""
        moves = [{"do": type(move).__name__.lower(), **_told(move)} for move in self.moves]
        hops = [_told(place) for place in self.hops]
        return json.dumps({"jitter": self.jitter, "tokens": self.tokens, "hops": hops, "moves": moves})


def _told(value: Any) -> dict[str, object]:
    # A field without a default has no value to be at.
    return {name: told for name, told in asdict(value).items() if told != value.__dataclass_fields__[name].default}


def from_json(text: str) -> Script:
    """Return the script that the JSON text holds."""
    told = json.loads(text)
    hops = tuple(Place(**_tuples(place)) for place in told["hops"])
    moves = tuple(_MOVES[move.pop("do")](**_tuples(move)) for move in told["moves"])
    return Script(hops, moves, told.get("jitter", 0.0), told.get("tokens", CAPACITY))


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


# --- what happened ---------------------------------------------------------------------------------------------------


Kind = Literal["begin", "send", "wait", "answered", "failed", "dropped", "gave_up", "cancelled", "broke"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a call, at a time of the clock.

    ``seconds`` is how long a wait or a send may take, ``number`` which send of the call it is about.  ``permitted`` are
    the hops of the chain that took calls just before the step that led here, ``doubted`` those that had let a call run
    into its timeout; ``purse`` what was in each origin's retry budget then, ``paid`` what the step took of it.  A send
    is ``dropped`` that nobody waits for any more.
    """

    at: float
    call: int
    kind: Kind
    hop: Hop | None = None
    failure: Failure | None = None
    seconds: float = 0.0
    number: int = 0
    permitted: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    purse: Mapping[str, float] = field(default_factory=dict)
    paid: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call was begun with."""

    hops: tuple[Hop, ...]
    deadline_at: float
    start: Start


@dataclass(slots=True)
class History:
    """Everything that happened, in order; what every call was begun with; and what was left when all were over."""

    events: list[Event] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def of(self, call: int) -> list[Event]:
        """Return what happened to one call."""
        return [event for event in self.events if event.call == call]


# --- playing ---------------------------------------------------------------------------------------------------------

Steps = Generator[Send | Wait, Any, None]
Planner = Callable[..., Steps]
PATIENCE = 60
"""Steps after which a call that does not end is left."""


@dataclass(slots=True)
class _Running:
    """A call that runs, and what its plan waits for.

    ``sends`` are under way; of two, ``lost`` is how one of them ended.  ``stays`` once it was asked about a second.
    """

    number: int
    asked: Asked
    steps: Steps
    wait: Wait | None = None
    until: float = 0.0
    sends: list[Send] = field(default_factory=list)
    lost: tuple[Send, Failure] | None = None
    stays: bool = False


@dataclass(slots=True)
class _Stage:
    """The clock, the domains and the calls that run."""

    hops: tuple[Hop, ...]
    planner: Planner
    clock: Clock
    domains: Domains
    history: History = field(default_factory=History)
    running: list[_Running] = field(default_factory=list)
    answered: list[tuple[int, Hop]] = field(default_factory=list)

    def start(self, start: Start) -> None:
        """Begin a call."""
        asked = Asked(tuple(self.hops[at] for at in start.chain), self.clock() + start.deadline, start)
        policy = Policy(
            max_retries=start.max_retries,
            insists=start.insists,
            stop=stop_after_attempt(start.sends),
            wait=wait_fixed(start.pause),
            wait_throttled=wait_fixed(start.throttled),
        )
        steps = self.planner(
            asked.hops,
            self.domains,
            policy=policy,
            deadline_at=asked.deadline_at,
            **({} if start.attempt is None else {"attempt": start.attempt}),
            side_effects=start.side_effects,
            hedge=lambda hop: start.hedge,
            clock=self.clock,
        )
        call = _Running(len(self.history.asked), asked, steps)
        self.history.asked.append(asked)
        self.running.append(call)
        self._tell(call, "begin")
        self._resume(call, lambda: next(steps))

    def go(self, call: _Running, go: Go) -> None:
        """Let a call go on."""
        if call.wait is not None:
            self.clock.now, call.wait = max(self.clock.now, call.until), None
            self._resume(call, lambda: next(call.steps))
            return
        first = call.sends[0]
        raced = len(call.sends) > 1 or call.lost is not None
        if go.slow and not raced and not call.stays and first.hedge is not None:
            call.stays = True
            self.clock.now += first.hedge
            self._resume(call, lambda: call.steps.send(SLOW))
            return
        send = call.sends[-1 if go.second else 0]
        self.clock.now += min(go.seconds, send.timeout)
        if not go.fault:
            self._answer(call, send)
        else:
            self._fail(call, send, _failure(go))

    def _answer(self, call: _Running, send: Send) -> None:
        raced = len(call.sends) > 1 or call.lost is not None
        failed = None
        if call.lost is not None:
            failed = call.lost[1]
            self._tell(call, "failed", call.lost[0], failure=failed)
        call.sends.remove(send)
        self._drop(call)
        self._tell(call, "answered", send)
        self.answered.append((call.number, send.hop))
        self._resume(call, lambda: call.steps.send(Answered(send.hop, failed)) if raced else next(call.steps))

    def _fail(self, call: _Running, send: Send, failure: Failure) -> None:
        call.sends.remove(send)
        if call.sends and not ends(failure):
            # The plan hears of it when it has heard of the other.
            call.lost = send, failure
            return
        before = None
        if call.lost is not None:
            before = call.lost[0].hop, call.lost[1]
            self._tell(call, "failed", call.lost[0], failure=call.lost[1])
        self._drop(call)
        self._tell(call, "failed", send, failure=failure)
        call.lost = None
        self._resume(call, lambda: call.steps.throw(Failed(failure, send.hop, before)))

    def cancel(self, call: _Running) -> None:
        """End a call as its caller does."""
        call.steps.close()
        self.running.remove(call)
        if call.lost is not None:
            call.sends.append(call.lost[0])
        self._drop(call)
        self._tell(call, "cancelled")

    def _drop(self, call: _Running) -> None:
        for send in call.sends:
            self._tell(call, "dropped", send)
        call.sends.clear()

    def broke(self, number: int, hop: Hop, fault: str) -> None:
        """Break the stream of a call that was answered."""
        made = failure(fault, send_state="committed")
        self.domains.failed(hop, made)
        self.history.events.append(Event(self.clock(), number, "broke", hop=hop, failure=made))

    def _resume(self, call: _Running, step: Callable[[], Send | Wait]) -> None:
        hops = call.asked.hops
        permitted = frozenset(hop.name for hop in hops if self.domains.permits(hop))
        doubted = frozenset(hop.name for hop in hops if self.domains.doubted(hop))
        buckets = {"probes": self.domains.spare, **{hop.origin: self.domains.bucket(hop.origin) for hop in hops}}
        before = {origin: bucket.left() for origin, bucket in buckets.items()}

        def told() -> dict[str, Any]:
            paid = {origin: before[origin] - bucket.left() for origin, bucket in buckets.items()}
            return {"permitted": permitted, "doubted": doubted, "purse": before, "paid": paid}

        try:
            made = step()
        except StopIteration:
            self.running.remove(call)
        except GaveUp as gave_up:
            self.running.remove(call)
            self._tell(call, "gave_up", failure=gave_up.failure, **told())
        else:
            if isinstance(made, Send):
                call.sends.append(made)
                call.stays = call.stays and len(call.sends) > 1
                self._tell(call, "send", made, seconds=made.timeout, **told())
            elif made is not STAY:
                call.wait, call.until = made, self.clock() + made.seconds
                self._tell(call, "wait", seconds=made.seconds, **told())

    def _tell(self, call: _Running, kind: Kind, send: Send | None = None, **more: Any) -> None:
        about = {} if send is None else {"hop": send.hop, "number": send.number}
        self.history.events.append(Event(self.clock(), call.number, kind, **about, **more))

    def end(self) -> None:
        """Let every call come to its end: every other one is answered, the rest fails until it gives up."""
        for _ in range(PATIENCE):
            for call in tuple(self.running):
                self.go(call, Go(fault="reset" if call.number % 2 else ""))
        self.history.left = [f"call {call.number} never ends" for call in self.running]
        self.history.left += [
            f"the probe of {key} is held, and no call runs"
            for key in self.domains.snapshot()
            if self.domains.breaker(key).probing
        ]
        self.history.left += [
            f"{health.sends} sends to {health.endpoint} are counted, and no call runs"
            for health in self.domains.health({})
            if health.sends
        ]


def play(script: Script, planner: Planner = plan) -> History:
    """Return what happens where calls, answers, faults and time come as the script says."""
    clock = Clock()
    stage = _Stage(_hops(script.hops), planner, clock, Domains(clock, lambda: script.jitter))
    for bucket in (stage.domains.spare, *(stage.domains.bucket(each.origin) for each in stage.hops)):
        bucket.tokens = script.tokens
    for move in script.moves:
        if isinstance(move, Start):
            stage.start(move)
        elif isinstance(move, Pass):
            clock.now += move.seconds
        elif isinstance(move, Break):
            if stage.answered:
                stage.broke(*stage.answered[move.call % len(stage.answered)], move.fault)
        elif stage.running:
            call = stage.running[move.call % len(stage.running)]
            if isinstance(move, Go):
                stage.go(call, move)
            else:
                stage.cancel(call)
    stage.end()
    return stage.history


def _failure(go: Go) -> Failure:
    fields = {"send_state": go.state} if go.state else {}
    headers = {} if go.should_retry else {"x-should-retry": "false"}
    made = failure(go.fault, retry_after=go.hint, blames=go.blames, headers=headers, **fields)
    return replace(made, status=None) if made.send_state == "not_sent" else made


def _hops(places: Sequence[Place]) -> tuple[Hop, ...]:
    return tuple(
        replace(
            hop(place.name, f"https://resource-{place.resource}", max_attempts=place.max_attempts),
            proxy=place.proxy,
            answers_after=place.answers_after,
        )
        for place in places
    )
