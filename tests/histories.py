"""Judge a history of calls by what is promised of any: the invariants.  Knows the table of faults and no other code.

Every rule is told the whole history and yields a sentence for each event that breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from interleaved import Asked, Event, History

from chatsheet_llm.classify import Failure
from chatsheet_llm.faults import Reach
from chatsheet_llm.hops import Hop

ENDS = ("answered", "gave_up", "cancelled")
OUTCOMES = ("answered", "failed", "dropped")
"""What may come of a send."""
FINAL = frozenset({"caller", "policy", "gateway_policy", "local"})
"""Kinds of fault after which nobody else is asked."""
LEAST_OPEN = 4.0
"""Seconds for which a broken domain is left alone: five, less the widest jitter."""
WINDOW = 30.0
"""Seconds over which failures are counted: half of at least five calls close a domain, as five in a row do."""
MOMENT = 1.0
"""Seconds of calls that are forgotten together: by when, is certain to within so much."""
LONGEST_HINT = 60.0
LEAST_LIMIT = 1.0
"""Seconds for which a provider wants no calls that says so and names no time."""
LONGEST_WAIT = 120.0
LOST_PROBE = 120.0
"""Seconds after which a probe that nobody heard of again is not waited for."""
NEAR = 1e-6


def violations(history: History) -> list[str]:
    """Return what breaks an invariant, a sentence each, which begins with its number."""
    return [f"{name}: {said}" for name, rule in RULES.items() for said in rule(history)]


# --- of each call by itself ------------------------------------------------------------------------------------------


def _calls(history: History) -> Iterator[tuple[Asked, list[Event]]]:
    for number, asked in enumerate(history.asked):
        yield asked, history.of(number)


def one_end(history: History) -> Iterator[str]:
    """I1: every call has one outcome, and nothing after it."""
    yield from (left for left in history.left if left.endswith("never ends"))
    for _, events in _calls(history):
        kinds = [event.kind for event in events if event.kind != "broke"]
        ends = [kind for kind in kinds if kind in ENDS]
        if len(ends) != 1 or kinds[-1] not in ENDS:
            yield f"call {events[0].call} went {' '.join(kinds)}"


def in_time(history: History, *, second: bool) -> Iterator[str]:
    """I3: nothing is sent after the deadline, and nothing waits or may take longer than it; nor a second hop beside."""
    for asked, events in _calls(history):
        longest = asked.start.attempt if asked.start.attempt is not None else float("inf")
        for event, beside in _with_beside(events):
            if (beside is not None) is not second:
                continue
            ends = event.at + event.seconds
            if event.kind == "send" and not (event.at < asked.deadline_at and ends <= asked.deadline_at + NEAR):
                yield f"a send at {event.at} for {event.seconds} s, and the deadline is {asked.deadline_at}"
            if event.kind == "send" and event.seconds > longest + NEAR:
                yield f"an attempt has {event.seconds} s, and its caller gave {longest}"
            if event.kind == "wait" and not (ends < asked.deadline_at and 0 <= event.seconds <= LONGEST_WAIT):
                yield f"a wait at {event.at} for {event.seconds} s, and the deadline is {asked.deadline_at}"


def bounded(history: History) -> Iterator[str]:
    """I4: as many sends as the policy stops at, as often to a hop as it may be asked, and each paid for."""
    for asked, events in _calls(history):
        start, sends = asked.start, [event for event in events if event.kind == "send"]
        if len(sends) > start.sends:
            yield f"{len(sends)} sends, and {start.sends} are allowed"
        for hop in asked.hops:
            often = sum(event.hop == hop for event in sends)
            if often > _most(asked, hop):
                yield f"{often} sends to {hop.name}"
        yield from _unpaid(events)
        if start.side_effects and any(beside is not None for _, beside in _with_beside(events)):
            yield "two hops were asked side by side for what may have side effects"


def _most(asked: Asked, hop: Hop) -> int:
    """How often a call may ask a hop."""
    start = asked.start
    return 1 + (start.max_retries if start.insists else min(start.max_retries, hop.max_attempts - 1))


def doubtful(history: History, *, refused: bool) -> Iterator[str]:
    """I4: at most one send after one whose outcome is not known, none with side effects; after a refusal as well."""
    for asked, events in _calls(history):
        unknown = [failed for failed, again in _followed(events) if again and failed.send_state == "ambiguous"]
        allowed = 0 if asked.start.side_effects else 1
        if len(unknown) > allowed and any(failed.row.move == "none" for failed in unknown) is refused:
            yield f"{len(unknown)} sends after one whose outcome is not known"


def _followed(events: list[Event]) -> Iterator[tuple[Failure, bool]]:
    """Every failure, and whether anything was sent after it."""
    last = max((at for at, event in enumerate(events) if event.kind == "send"), default=-1)
    for at, event in enumerate(events):
        if event.kind == "failed" and event.failure is not None:
            yield event.failure, at < last


def _unpaid(events: list[Event]) -> Iterator[str]:
    """Sends beyond the first, and beyond the first move, that took less from the budget than a re-send costs.

    Where there is less in it, a call moves on all the same: it asks no hop twice for that.
    """
    before: Event | None = None
    paid, moved, there = 0.0, False, 0.0
    for event, beside in _with_beside(events):
        if event.kind == "failed":
            before, paid, there = event, 0.0, -1.0
            continue
        if there < 0 and before is not None and before.hop is not None and event.purse:
            there = event.purse[before.hop.origin]
        if beside is not None and beside.hop is not None and event.paid.get(beside.hop.origin, 0.0) < 14.0 - NEAR:
            yield f"send {event.number} of call {event.call}, beside another, is not paid for"
        if beside is None and before is not None and before.hop is not None and before.failure is not None:
            paid += event.paid.get(before.hop.origin, 0.0)
            if event.kind == "send":
                price = 5.0 if before.failure.row.kind in ("rate", "overload") else 14.0
                again = event.hop == before.hop
                if paid < price - NEAR and (again or (moved and there >= price)):
                    yield f"send {event.number} of call {event.call} paid {paid} of {price}"
                moved = moved or not again


def _with_beside(events: list[Event]) -> Iterator[tuple[Event, Event | None]]:
    """Yield every event of a call; with a send, the one that it was made beside."""
    under_way: list[Event] = []
    for event in events:
        yield event, under_way[-1] if event.kind == "send" and under_way else None
        if event.kind == "send":
            under_way.append(event)
        elif event.kind in OUTCOMES:
            under_way = [send for send in under_way if send.number != event.number]


def callers_faults(history: History) -> Iterator[str]:
    """I9: the caller's own faults are sent once and reported, but for hops that are set up to be asked after them."""
    for _, events in _calls(history):
        for at, event in enumerate(events):
            if event.kind != "failed" or event.failure is None or event.failure.row.kind not in FINAL:
                continue
            for later in events[at + 1 :]:
                if later.kind == "send" and later.hop and event.failure.fault not in later.hop.answers_after:
                    yield f"{later.hop.name} was asked after {event.failure.fault}"
            end = next(later for later in reversed(events) if later.kind != "broke")
            if end.kind == "gave_up" and end.failure and end.failure.row.kind not in (*FINAL, "deadline"):
                yield f"{event.failure.fault} was seen, and {end.failure.fault} reported"


def in_order(history: History) -> Iterator[str]:
    """I11: the hops are asked in their order, but for those that are closed or that this call found wanting."""
    for asked, events in _calls(history):
        for event, beside, spent, wrong, waited in _choices(events):
            yield from wrong
            hop = event.hop
            if hop not in asked.hops:
                yield f"{hop and hop.name} is no hop of the call"
                continue
            if beside is not None and beside.hop is not None and beside.hop.origin == hop.origin:
                yield f"{hop.name} was asked beside {beside.hop.name}, which lies at the same place"
            for earlier in asked.hops[: asked.hops.index(hop)]:
                often = sum(each.kind == "send" and each.hop == earlier for each in events[: events.index(event)])
                taken = spent.has(earlier) or often >= _most(asked, earlier)
                taken = taken or (beside is not None and beside.hop and beside.hop.origin == earlier.origin)
                # What opens during a wait is not looked at again.
                open_ = earlier.name in event.permitted and earlier.name not in event.doubted
                if open_ and not taken and not waited:
                    yield f"{hop.name} was asked before {earlier.name}, which was open"


def _choices(events: list[Event]) -> Iterator[tuple[Event, Event | None, _Spent, list[str], bool]]:
    """Yield every send of a call: what it was beside of, what was spent, what that makes wrong, whether it waited."""
    spent, failed, waited = _Spent(), [], False
    for event, beside in _with_beside(events):
        if event.kind == "failed":
            failed.append(event)
            waited = False
        waited = waited or event.kind == "wait"
        if event.kind == "send" and event.hop is not None:
            wrong = [said for each in failed[:-1] for said in spent.after(each, None)]
            wrong += [said for each in failed[-1:] for said in spent.after(each, event.hop)]
            failed = []
            yield event, beside, spent, wrong, waited


@dataclass(slots=True)
class _Spent:
    """What a call does not ask any more."""

    places: set[str] = field(default_factory=set)
    """Failure domains."""
    refused: set[str] = field(default_factory=set)
    limited: list[Hop] = field(default_factory=list)
    """Hops that have refused because of a limit, and nothing else was found wrong with."""

    def has(self, hop: Hop) -> bool:
        """Whether the call may not turn to this hop."""
        return any(key in self.places for _, key in domains_of(hop)) or not self.refused.issubset(hop.answers_after)

    def after(self, failed: Event, to: Hop | None) -> Iterator[str]:
        """Take note of a failure, and say what is wrong with sending there next."""
        hop, why = failed.hop, failed.failure
        assert hop is not None
        assert why is not None
        row = why.row
        if hop == to:
            if row.same == "no" or why.headers.get("x-should-retry") == "false":
                yield f"{hop.name} was asked again after {why.fault}"
            if row.same == "once":
                return
        spent = {hop.surface, *(key for reach, key in domains_of(hop) if reach == reached(row.move, hop))}
        self.places |= spent
        self.limited = [each for each in self.limited if spent.isdisjoint(key for _, key in domains_of(each))]
        if row.same == "hint" and why.headers.get("x-should-retry") != "false":
            self.limited.append(hop)
        if row.move == "none":
            self.refused.add(why.fault)
        # A limit is over some time; that it was reached is no reason to leave a hop alone for good.
        limited = to in self.limited and self.refused.issubset(to.answers_after if to is not None else ())
        if to is not None and hop != to and self.has(to) and not limited:
            yield f"{to.name} was asked after {why.fault} of {hop.name}"


def accounted(history: History) -> Iterator[str]:
    """I12: every send comes to something that is told, and the end tells of something that happened."""
    for asked, events in _calls(history):
        if events[0].kind != "begin":
            yield f"call {events[0].call} begins with {events[0].kind}"
        numbers = [event.number for event in events if event.kind == "send"]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the sends of call {events[0].call} are numbered {numbers}"
        for send in (event for event in events if event.kind == "send"):
            came = [event for event in events if event.kind in OUTCOMES and event.number == send.number]
            if len(came) != 1 or came[0].hop != send.hop:
                yield f"send {send.number} of call {send.call} came to {[event.kind for event in came]}"
        end = next(event for event in reversed(events) if event.kind != "broke")
        seen = [event.failure for event in events if event.kind == "failed"]
        if end.kind == "gave_up" and end.failure not in seen and seen and end.at < asked.deadline_at:
            yield f"call {end.call} gave up with {end.failure}, which it never met"


# --- of the failure domains ------------------------------------------------------------------------------------------


def domains_of(hop: Hop) -> list[tuple[Reach, str]]:
    """The failure domains that a hop lies in, the widest first."""
    proxy: list[tuple[Reach, str]] = [("proxy", f"proxy {hop.proxy}")] if hop.proxy else []
    return [*proxy, ("origin", hop.origin), ("surface", hop.surface)]


def reached(reach: Reach, hop: Hop) -> Reach:
    """Where a fault of that reach lies: what stands before a hop is its origin's own unless it is known."""
    return "origin" if reach == "proxy" and not hop.proxy else reach


@dataclass(slots=True)
class _Domain:
    """What the history says of a failure domain, as far as it is certain."""

    row: int = 0
    lately: list[tuple[float, bool]] = field(default_factory=list)
    tripped: bool = False
    shut_until: float = 0.0
    named_until: float = 0.0
    """Until when its server wants no calls."""
    otherwise_until: float = 0.0
    """Until when it may be closed at most for other reasons than that."""
    probes: dict[tuple[int, int], float] = field(default_factory=dict)
    """Call and number of a send -> since when it is under way, where it began while the domain was closed."""

    latest: tuple[int, int] = (-1, -1)

    lost: bool = False
    """Whether it is not certain any more when it was closed: from then on only a time that was named is."""

    def looked_at(self, now: float) -> None:
        """Forget what is not certain any more: another call may have taken the place of a probe that was given up."""
        if any(now - since > LOST_PROBE for since in self.probes.values()):
            self.lost, self.tripped, self.shut_until, self.named_until = True, False, 0.0, 0.0
            self.probes.clear()

    def begun(self, event: Event) -> None:
        """Hear that a send begins."""
        if self.tripped:
            self.latest = (event.call, event.number)
            self.probes[self.latest] = event.at

    def over(self, event: Event) -> bool:
        """Hear that a send is over; whether it was the probe."""
        probe = (event.call, event.number)
        return self.probes.pop(probe, None) is not None and probe == self.latest

    def failed(self, event: Event, why: Failure) -> None:
        """Hear of a failure that condemns the domain."""
        probe, row = self.over(event), why.row
        self.row += 1
        self._count(event, failed=True)
        hint = min(why.retry_after or 0.0, LONGEST_HINT) if row.kind in ("rate", "overload") else 0.0
        limit = 0.0
        if row.kind == "rate" and not row.quarantine and not self.lost and (probe or not self.tripped):
            limit = LEAST_LIMIT
        halves = self._halves(event.at)
        if any(halves) and not all(halves) and not self.tripped:
            self.lost = True
        broken = not self.lost and (self.row >= 5 or all(halves))
        if hint:
            self.named_until = max(self.named_until, event.at + hint)
        else:
            self.otherwise_until = max(self.otherwise_until, event.at + 1.2 * (row.quarantine or 60.0))
        seconds = hint or row.quarantine or limit
        if seconds or probe or (broken and not self.tripped):
            self.tripped = True
            least = LEAST_LIMIT if row.kind == "rate" else LEAST_OPEN
            self.shut_until = max(self.shut_until, event.at + (seconds or least))

    def answered(self, event: Event) -> None:
        """Hear that it answered: a probe opens it, what began before it was closed does not."""
        if self.over(event) or self.lost:
            self.lately.clear()
            self.tripped, self.shut_until, self.named_until, self.otherwise_until = False, 0.0, 0.0, 0.0
        if not self.tripped:
            self.row = 0
        self._count(event, failed=False)

    def _halves(self, now: float) -> list[bool]:
        """Whether half of the calls have failed, by however many of the oldest may be forgotten."""
        old = sum(now - at > WINDOW - MOMENT for at, _ in self.lately)
        kept = [[bad for _, bad in self.lately[first:]] for first in range(old + 1)]
        return [len(each) >= 5 and 2 * sum(each) >= len(each) for each in kept]

    def _count(self, event: Event, *, failed: bool) -> None:
        self.lately = [(at, bad) for at, bad in self.lately if event.at - at <= WINDOW] + [(event.at, failed)]


def _watched(history: History) -> Iterator[tuple[Event, Mapping[str, _Domain]]]:
    """Yield every send, with what was known of the domains when it began."""
    domains: dict[str, _Domain] = {}
    for event in history.events:
        hop, why = event.hop, event.failure
        if hop is None:
            continue
        known = {key: domains.setdefault(key, _Domain()) for _, key in domains_of(hop)}
        for domain in known.values():
            domain.looked_at(event.at)
        if event.kind == "send":
            yield event, known
            for domain in known.values():
                domain.begun(event)
        condemned = "none" if why is None or not why.blames else reached(why.row.condemns, hop)
        reaches = [reach for reach, _ in domains_of(hop)]
        for reach, key in domains_of(hop):
            # A domain has answered where the fault lies within it.
            answered = condemned in reaches and reaches.index(reach) < reaches.index(condemned)
            if event.kind == "answered" or (answered and why is not None and why.status is not None):
                known[key].answered(event)
            elif why is not None and condemned == reach:
                known[key].failed(event, why)
            elif event.kind in OUTCOMES:
                known[key].over(event)


def left_alone(history: History) -> Iterator[str]:
    """I5: a closed domain gets no call before its time, but from one that has nothing else; its second one is paid."""
    early: set[int] = set()
    for event, known in _watched(history):
        asked, hop = history.asked[event.call], event.hop
        assert hop is not None
        if not any(event.at < domain.shut_until - NEAR for domain in known.values()):
            continue
        spent = next(spent for send, _, spent, _, _ in _choices(history.of(event.call)) if send is event)
        others = [o.name for o in asked.hops if o.name in event.permitted and not spent.has(o) and o != hop]
        if event.call in early and event.paid["probes"] < 70.0 - NEAR:
            yield f"call {event.call} probes a second time before it is time, and pays {event.paid}"
        if others:
            yield f"{hop.name} was asked while closed, and {others[0]} was open"
        early.add(event.call)


def not_before(history: History, *, otherwise: bool) -> Iterator[str]:
    """I5: a domain whose server named a time gets no call before it; ``otherwise``: nor where it is broken too."""
    for event, known in _watched(history):
        for domain in known.values():
            if event.at < domain.named_until - NEAR and (domain.otherwise_until > domain.named_until) is otherwise:
                yield f"{event.hop and event.hop.name} was asked before the time that its server named"


def one_probe(history: History) -> Iterator[str]:
    """I6: a closed domain has one probe at a time, and none that nobody makes."""
    yield from (left for left in history.left if not left.endswith("never ends"))
    for event, known in _watched(history):
        for key, domain in known.items():
            if domain.tripped and domain.probes:
                yield f"call {event.call} probes {key} at {event.at}, and call {min(domain.probes)[0]} does so already"


RULES: Mapping[str, Callable[[History], Iterator[str]]] = {
    "I1": one_end,
    "I3": partial(in_time, second=False),
    "I3 beside": partial(in_time, second=True),
    "I4": bounded,
    "I4 doubtful": partial(doubtful, refused=False),
    "I4 refused": partial(doubtful, refused=True),
    "I5": left_alone,
    "I5 named": partial(not_before, otherwise=False),
    "I5 named otherwise": partial(not_before, otherwise=True),
    "I6": one_probe,
    "I9": callers_faults,
    "I11": in_order,
    "I12": accounted,
}
"""By the number of the invariant, and by what is special about the case."""
