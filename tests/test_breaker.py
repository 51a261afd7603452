"""The circuit breaker: when it opens, for how long, and that half-open means one probe.  A fake clock."""

from __future__ import annotations

import threading

import pytest
from planning import Clock

from chatsheet_llm.breaker import (
    CONSECUTIVE,
    FIRST_OPEN,
    FIRST_THROTTLE,
    JITTER,
    LONGEST_OPEN,
    MIN_CALLS,
    NAMED_JITTER,
    PROBE_EXPIRES,
    WINDOW,
    Breaker,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, jitter: float = 0.0) -> Breaker:
    return Breaker(clock, lambda: jitter)


def opened(clock: Clock, jitter: float = 0.0) -> Breaker:
    breaker = made(clock, jitter)
    for _ in range(CONSECUTIVE):
        breaker.failed()
    return breaker


def half_open(clock: Clock) -> Breaker:
    breaker = opened(clock)
    clock.now += FIRST_OPEN
    return breaker


def probe(breaker: Breaker, *, early: bool = False) -> int:
    """Enter as the probe; return its ticket."""
    ticket = breaker.enter(early=early)
    assert ticket, "no probe could be had"
    return ticket


def test_it_starts_closed_and_lets_everyone_in(clock: Clock) -> None:
    breaker = made(clock)

    assert breaker.state == "closed"
    assert all(breaker.permits() and breaker.enter() == 0 for _ in range(100))


def test_it_opens_on_the_fifth_failure_in_a_row_and_not_before(clock: Clock) -> None:
    breaker = made(clock)
    states = []
    for _ in range(CONSECUTIVE):
        breaker.failed()
        states.append(breaker.state)

    assert states == ["closed"] * (CONSECUTIVE - 1) + ["open"]


def test_a_success_breaks_the_row(clock: Clock) -> None:
    breaker = made(clock)
    for _ in range(20):
        breaker.succeeded()
    for _ in range(CONSECUTIVE - 1):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()

    assert breaker.state == "closed"


def test_it_opens_when_half_of_the_calls_fail(clock: Clock) -> None:
    breaker = made(clock)
    for number in range(MIN_CALLS):
        if number % 2:
            breaker.succeeded()
        else:
            breaker.failed()

    assert breaker.state == "open"


def test_half_of_few_calls_is_nothing(clock: Clock) -> None:
    breaker = made(clock)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.succeeded()

    assert breaker.state == "closed"


def test_failures_leave_the_window(clock: Clock) -> None:
    breaker = made(clock)
    for _ in range(3):
        breaker.failed()
        breaker.succeeded()
        clock.now += WINDOW / 2 + 1

    assert breaker.state == "closed"


def test_an_open_breaker_lets_nobody_in_until_its_time(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_OPEN - 0.01

    assert not breaker.permits()
    assert breaker.enter() is None


def test_half_open_lets_one_probe_in(clock: Clock) -> None:
    breaker = half_open(clock)

    assert (breaker.state, breaker.permits(), breaker.probing) == ("half_open", True, False)
    assert breaker.enter()
    assert (breaker.state, breaker.permits(), breaker.probing) == ("half_open", False, True)
    assert breaker.enter() is None


def test_asking_takes_no_probe(clock: Clock) -> None:
    breaker = half_open(clock)

    assert [breaker.permits() for _ in range(3)] == [True] * 3


def test_a_probe_that_succeeds_closes(clock: Clock) -> None:
    breaker = half_open(clock)
    breaker.succeeded(probe(breaker))

    assert breaker.state == "closed"
    assert breaker.opened_until == 0.0


def test_closing_forgets_the_failures(clock: Clock) -> None:
    breaker = half_open(clock)
    breaker.succeeded(probe(breaker))
    breaker.failed()

    assert breaker.state == "closed"


def test_failed_probes_double_the_time_up_to_a_minute(clock: Clock) -> None:
    breaker = opened(clock)
    times = []
    for _ in range(6):
        clock.now = breaker.opened_until
        breaker.failed(probe(breaker))
        times.append(breaker.opened_until - clock.now)

    assert times == [10.0, 20.0, 40.0, LONGEST_OPEN, LONGEST_OPEN, LONGEST_OPEN]


def test_after_closing_it_opens_for_the_short_time_again(clock: Clock) -> None:
    breaker = opened(clock)
    for _ in range(3):
        clock.now = breaker.opened_until
        breaker.failed(probe(breaker))
    clock.now = breaker.opened_until
    breaker.succeeded(probe(breaker))
    for _ in range(CONSECUTIVE):
        breaker.failed()

    assert breaker.opened_until - clock.now == pytest.approx(FIRST_OPEN)


def test_a_probe_given_back_is_free_again(clock: Clock) -> None:
    breaker = half_open(clock)
    breaker.leave(probe(breaker))

    assert breaker.state == "half_open"
    assert breaker.enter()


def test_a_probe_that_never_reported_back_expires(clock: Clock) -> None:
    breaker = half_open(clock)
    breaker.enter()
    clock.now += PROBE_EXPIRES
    before = breaker.permits()
    clock.now += 0.1

    assert not before
    assert breaker.enter()


def test_an_early_probe_is_one_too(clock: Clock) -> None:
    breaker = opened(clock)

    assert breaker.enter(early=True)
    assert breaker.enter(early=True) is None


# --- for how long


@pytest.mark.parametrize("jitter", [-1.0, -0.5, 0.0, 1.0])
@pytest.mark.parametrize("throttled", [True, False])
def test_a_time_that_was_named_opens_at_once_and_is_never_cut_short(
    clock: Clock, jitter: float, throttled: bool
) -> None:
    breaker = made(clock, jitter)
    breaker.failed(open_for=30.0, throttled=throttled)

    assert (breaker.state, breaker.throttled) == ("open", throttled)
    assert breaker.opened_until - clock.now == pytest.approx(30.0 * (1 + NAMED_JITTER * abs(jitter)))


def test_a_limit_without_a_time_opens_for_a_second_and_each_time_for_twice_as_long_up_to_a_minute(clock: Clock) -> None:
    breaker = made(clock)
    times = []
    for _ in range(8):
        clock.now = max(clock.now, breaker.opened_until)
        breaker.failed(breaker.enter() or 0, throttled=True)
        times.append(breaker.opened_until - clock.now)
        assert breaker.throttled

    assert times == [FIRST_THROTTLE, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_OPEN, LONGEST_OPEN]


@pytest.mark.parametrize("jitter", [-1.0, 0.0, 1.0])
def test_a_limit_without_a_time_is_spread_too(clock: Clock, jitter: float) -> None:
    breaker = made(clock, jitter)
    breaker.failed(throttled=True)

    assert breaker.opened_until - clock.now == pytest.approx(FIRST_THROTTLE * (1 + NAMED_JITTER * abs(jitter)))


def test_many_calls_that_one_limit_refuses_at_once_open_for_a_second_together(clock: Clock) -> None:
    breaker = made(clock)
    heard = [breaker.failed(throttled=True) for _ in range(50)]
    clock.now = breaker.opened_until
    breaker.failed(probe(breaker), throttled=True)

    assert heard == [True] + [False] * 49
    assert breaker.opened_until - clock.now == 2 * FIRST_THROTTLE


def test_after_closing_a_limit_opens_for_a_second_again(clock: Clock) -> None:
    breaker = made(clock)
    breaker.failed(throttled=True)
    for _ in range(3):
        clock.now = breaker.opened_until
        breaker.failed(probe(breaker), throttled=True)
    clock.now = breaker.opened_until
    breaker.succeeded(probe(breaker))
    breaker.failed(throttled=True)

    assert breaker.opened_until - clock.now == FIRST_THROTTLE


def test_limits_do_not_lengthen_what_a_broken_domain_opens_for_nor_the_other_way_round(clock: Clock) -> None:
    breaker = half_open(clock)
    breaker.failed(probe(breaker))
    clock.now = breaker.opened_until
    breaker.failed(probe(breaker), throttled=True)
    limited = breaker.opened_until - clock.now
    clock.now = breaker.opened_until
    breaker.failed(probe(breaker))

    assert limited == FIRST_THROTTLE
    assert breaker.opened_until - clock.now == 4 * FIRST_OPEN


def test_it_is_throttled_only_where_the_limit_is_what_keeps_it_open(clock: Clock) -> None:
    broken = opened(clock)
    broken.failed(probe(broken, early=True), throttled=True)
    limited = made(clock)
    limited.failed(throttled=True)
    limited.failed(open_for=300.0)

    assert not broken.throttled, "it is open for longer than the limit asks"
    assert not limited.throttled, "a quarantine has taken the place of the limit"
    assert limited.opened_until - clock.now == 300.0


def test_a_probe_that_finds_a_limited_domain_broken_ends_the_waiting_for_it(clock: Clock) -> None:
    breaker = made(clock)
    breaker.failed(throttled=True)
    clock.now = breaker.opened_until
    breaker.failed(probe(breaker))

    assert (breaker.state, breaker.throttled) == ("open", False)


@pytest.mark.parametrize("jitter", [-1.0, 1.0])
def test_probes_of_many_processes_are_spread(clock: Clock, jitter: float) -> None:
    breaker = opened(clock, jitter)

    assert breaker.opened_until - clock.now == pytest.approx(FIRST_OPEN * (1 + JITTER * jitter))


def test_a_shorter_time_never_shortens_a_longer_one(clock: Clock) -> None:
    breaker = made(clock)
    breaker.failed(open_for=300.0)
    breaker.failed(open_for=1.0)

    assert breaker.opened_until - clock.now == 300.0


def test_of_many_threads_one_gets_the_probe(clock: Clock) -> None:
    breaker = half_open(clock)
    entered: list[int | None] = []
    start = threading.Barrier(16)

    def call() -> None:
        start.wait()
        entered.append(breaker.enter())

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([ticket for ticket in entered if ticket is not None]) == 1


def test_another_process_opens_it_until_its_time_and_for_no_shorter_one(clock: Clock) -> None:
    breaker = made(clock)
    breaker.opened_elsewhere(clock.now + 20, throttled=True, open_for=40.0)
    breaker.opened_elsewhere(clock.now + 10, throttled=False, open_for=5.0)
    until = breaker.opened_until - clock.now
    throttled = breaker.throttled
    clock.now += 20
    breaker.failed(probe(breaker))

    assert until == 20.0
    assert throttled
    assert breaker.opened_until - clock.now == LONGEST_OPEN, "the time doubles from where the other process was"


def test_a_limit_is_kept_in_mind_where_it_is_open_for_longer(clock: Clock) -> None:
    local, heard = made(clock), made(clock)
    local.failed(open_for=300.0)
    local.failed(open_for=20.0, throttled=True)
    heard.failed(open_for=300.0)
    heard.opened_elsewhere(clock.now + 20.0, throttled=True, open_for=FIRST_OPEN)
    known = [(breaker.opened_until, breaker.limited_until, breaker.throttled) for breaker in (local, heard)]
    local.closed_elsewhere()

    assert known == [(clock.now + 300.0, clock.now + 20.0, False)] * 2
    assert local.limited_until == 0.0


def test_another_process_closes_it_as_a_probe_would(clock: Clock) -> None:
    breaker = opened(clock)
    breaker.closed_elsewhere()
    breaker.failed()

    assert breaker.state == "closed"
    assert breaker.opened_until == 0.0


def test_it_says_what_others_should_know_and_nothing_else(clock: Clock) -> None:
    breaker = made(clock)
    plain = [made(clock).succeeded(), made(clock).failed(), made(clock).leave()]
    opening = [breaker.failed() for _ in range(CONSECUTIVE)]
    stragglers = [breaker.failed(), breaker.succeeded(), breaker.leave()]
    clock.now += FIRST_OPEN
    left = breaker.leave(probe(breaker))
    again = breaker.failed(probe(breaker))
    longer = breaker.failed(open_for=60.0)
    clock.now = breaker.opened_until
    verdict = breaker.succeeded(probe(breaker))

    assert plain == [False, False, False]
    assert opening == [False] * (CONSECUTIVE - 1) + [True]
    assert stragglers == [False, False, False]
    assert (left, again, longer, verdict) == (True, True, True, True)
