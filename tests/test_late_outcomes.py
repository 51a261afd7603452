"""Outcomes of sends that began before a domain was closed: what they may change, and what is the probe's alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from planning import Clock, failure, fresh, hop

from chatsheet_llm.breaker import CONSECUTIVE, FIRST_OPEN, PROBE_EXPIRES, Breaker
from chatsheet_llm.domains import Domains, Entry

RESPONSES, CHAT = hop("azure/responses"), hop("azure/chat")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock) -> Breaker:
    return Breaker(clock, lambda: 0.0)


def opened(clock: Clock) -> Breaker:
    breaker = made(clock)
    for _ in range(CONSECUTIVE):
        breaker.failed()
    return breaker


def half_open(clock: Clock) -> Breaker:
    breaker = opened(clock)
    clock.now += FIRST_OPEN
    return breaker


def probe(breaker: Breaker) -> int:
    """Enter as the probe; return its ticket."""
    ticket = breaker.enter()
    assert ticket, "no probe could be had"
    return ticket


def test_a_late_success_does_not_close_and_leaves_the_probe_alone(clock: Clock) -> None:
    breaker = half_open(clock)
    ticket = probe(breaker)
    heard = breaker.succeeded()
    state, probing = breaker.state, breaker.probing

    assert (heard, state, probing) == (False, "half_open", True)
    assert breaker.enter() is None
    assert breaker.succeeded(ticket), "the verdict is still the probe's"


def test_a_late_success_closes_nothing_where_nobody_probes_either(clock: Clock) -> None:
    breaker = opened(clock)
    until = breaker.opened_until
    breaker.succeeded()

    assert (breaker.state, breaker.opened_until) == ("open", until)


def test_a_late_failure_neither_ends_the_probe_nor_doubles_the_time(clock: Clock) -> None:
    breaker = half_open(clock)
    ticket = probe(breaker)
    heard = breaker.failed()
    state, probing = breaker.state, breaker.probing
    verdict = breaker.failed(ticket)

    assert (heard, state, probing) == (False, "half_open", True)
    assert verdict
    assert breaker.opened_until - clock.now == 2 * FIRST_OPEN


def test_a_late_failure_keeps_the_time_that_was_named_and_that_it_is_waited_for(clock: Clock) -> None:
    breaker = made(clock)
    breaker.failed(open_for=30.0, throttled=True)
    for _ in range(2 * CONSECUTIVE):
        breaker.failed()

    assert breaker.opened_until - clock.now == 30.0
    assert breaker.throttled


def test_a_late_failure_that_names_a_time_opens_until_then_and_leaves_the_probe_alone(clock: Clock) -> None:
    breaker = half_open(clock)
    ticket = probe(breaker)
    breaker.failed(open_for=30.0, throttled=True)

    assert (breaker.state, breaker.throttled, breaker.probing) == ("open", True, True)
    assert breaker.enter(early=True) is None
    assert breaker.leave(ticket)


def test_whoever_was_not_the_probe_gives_no_probe_back(clock: Clock) -> None:
    breaker = half_open(clock)
    probe(breaker)

    assert not breaker.leave()
    assert breaker.enter() is None


@pytest.mark.parametrize("outcome", ["leave", "succeeded", "failed"])
def test_the_ticket_of_a_probe_that_was_given_up_is_worth_nothing(clock: Clock, outcome: str) -> None:
    breaker = half_open(clock)
    lost = probe(breaker)
    clock.now += PROBE_EXPIRES + 0.1
    probe(breaker)
    heard = getattr(breaker, outcome)(lost)

    assert (heard, breaker.state, breaker.probing) == (False, "half_open", True)


@pytest.mark.parametrize("outcome", ["leave", "succeeded", "failed"])
def test_a_ticket_is_worth_something_once(clock: Clock, outcome: str) -> None:
    breaker = half_open(clock)
    ticket = probe(breaker)
    breaker.leave(ticket)
    heard = getattr(breaker, outcome)(ticket)

    assert (heard, breaker.state) == (False, "half_open")


def test_a_probe_from_before_another_process_closed_it_has_no_say_in_what_opens_later(clock: Clock) -> None:
    breaker = half_open(clock)
    before = probe(breaker)
    breaker.closed_elsewhere()
    for _ in range(CONSECUTIVE):
        breaker.failed()

    assert not breaker.succeeded(before)
    assert breaker.state == "open"


# --- of a hop, and the domains that it lies in


def entered(domains: Domains, where: object = RESPONSES, *, early: bool = False) -> Entry:
    """Enter; return what is to be handed back."""
    entry = domains.enter(where, early=early)  # type: ignore[arg-type]
    assert entry is not None, "the hop is closed"
    return entry


def probed() -> tuple[Clock, Domains, Entry, Entry]:
    """Two calls: one began before the origin was closed, the other is its probe now."""
    clock = Clock()
    domains = fresh(clock)
    late = entered(domains)
    domains.failed(RESPONSES, failure("auth"))
    clock.now += 31
    return clock, domains, late, entered(domains)


LATE: dict[str, Callable[[Domains, Entry], None]] = {
    "an answer": lambda domains, late: domains.succeeded(RESPONSES, entry=late),
    "a cancellation": lambda domains, late: domains.abandoned(RESPONSES, late),
    "a failure": lambda domains, late: domains.failed(RESPONSES, failure("reset"), late),
    "the caller's fault": lambda domains, late: domains.failed(RESPONSES, failure("invalid_request"), late),
    "a refusal of the API": lambda domains, late: domains.failed(RESPONSES, failure("capability"), late),
}


@pytest.mark.parametrize("told", LATE)
def test_whatever_comes_late_the_probe_stays_under_way_and_its_verdict_counts(told: str) -> None:
    _, domains, late, probe = probed()
    LATE[told](domains, late)
    another = domains.enter(CHAT, early=True)
    state = domains.breaker(RESPONSES.origin).state
    domains.succeeded(CHAT, entry=probe)

    assert (another, state) == (None, "half_open")
    assert domains.breaker(RESPONSES.origin).state == "closed"


def test_a_late_answer_does_not_close_and_the_reason_stays() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("auth"))
    domains.succeeded(RESPONSES)

    assert not domains.permits(RESPONSES)
    assert domains.fault(RESPONSES.origin) == "auth"


def test_a_late_failure_keeps_the_time_that_the_server_named() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("rate", retry_after=30.0))
    for _ in range(6):
        domains.failed(RESPONSES, failure("reset"))
        domains.failed(RESPONSES, failure("rate"))

    assert domains.reopens_at(RESPONSES) == clock.now + 30.0
    assert domains.throttled(RESPONSES)


def test_what_is_heard_of_a_send_from_before_may_still_close_for_a_time_that_it_names() -> None:
    clock, domains, late, probe = probed()
    domains.failed(RESPONSES, failure("rate", retry_after=20.0), late)

    assert domains.reopens_at(RESPONSES) == clock.now + 20.0
    assert domains.enter(RESPONSES, early=True) is None, "the probe is still another's"
    domains.abandoned(RESPONSES, probe)
    assert domains.enter(RESPONSES, early=True) is not None
