"""The circuit breaker: when it opens, for how long, and that half-open means one probe.  A fake clock."""

from __future__ import annotations

import threading

import pytest
from planning import Clock

from chatsheet_llm.breaker import (
    CONSECUTIVE,
    FIRST_OPEN,
    JITTER,
    LONGEST_OPEN,
    MIN_CALLS,
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


def test_it_starts_closed_and_lets_everyone_in(clock: Clock) -> None:
    breaker = made(clock)

    assert breaker.state == "closed"
    assert all(breaker.permits() and breaker.enter() for _ in range(100))


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
    assert not breaker.enter()


def test_half_open_lets_one_probe_in(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_OPEN

    assert breaker.state == "half_open"
    assert breaker.permits()
    assert breaker.enter()
    assert not breaker.permits()
    assert not breaker.enter()


def test_asking_takes_no_probe(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_OPEN

    assert [breaker.permits() for _ in range(3)] == [True] * 3


def test_a_probe_that_succeeds_closes(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_OPEN
    breaker.enter()
    breaker.succeeded()

    assert breaker.state == "closed"
    assert breaker.opened_until == 0.0


def test_closing_forgets_the_failures(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_OPEN
    breaker.enter()
    breaker.succeeded()
    breaker.failed()

    assert breaker.state == "closed"


def test_failed_probes_double_the_time_up_to_a_minute(clock: Clock) -> None:
    breaker = opened(clock)
    times = []
    for _ in range(6):
        clock.now = breaker.opened_until
        breaker.enter()
        breaker.failed()
        times.append(breaker.opened_until - clock.now)

    assert times == [10.0, 20.0, 40.0, LONGEST_OPEN, LONGEST_OPEN, LONGEST_OPEN]


def test_after_closing_it_opens_for_the_short_time_again(clock: Clock) -> None:
    breaker = opened(clock)
    for _ in range(3):
        clock.now = breaker.opened_until
        breaker.enter()
        breaker.failed()
    clock.now = breaker.opened_until
    breaker.enter()
    breaker.succeeded()
    for _ in range(CONSECUTIVE):
        breaker.failed()

    assert breaker.opened_until - clock.now == pytest.approx(FIRST_OPEN)


def test_a_probe_given_back_is_free_again(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_OPEN
    breaker.enter()
    breaker.leave()

    assert breaker.enter()


def test_a_probe_that_never_reported_back_expires(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_OPEN
    breaker.enter()
    clock.now += PROBE_EXPIRES
    before = breaker.permits()
    clock.now += 0.1

    assert not before
    assert breaker.enter()


def test_an_early_probe_is_one_too(clock: Clock) -> None:
    breaker = opened(clock)

    assert breaker.enter(early=True)
    assert not breaker.enter(early=True)


@pytest.mark.parametrize("jitter", [-1.0, -0.5, 0.0, 1.0])
def test_a_time_that_was_named_opens_at_once_and_is_never_cut_short(clock: Clock, jitter: float) -> None:
    breaker = made(clock, jitter)
    breaker.failed(open_for=30.0, throttled=True)

    assert breaker.state == "open"
    assert breaker.throttled
    assert 30.0 <= breaker.opened_until - clock.now <= 30.0 * (1 + JITTER) + 1e-6


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
    breaker = opened(clock)
    clock.now += FIRST_OPEN
    entered: list[bool] = []
    start = threading.Barrier(16)

    def call() -> None:
        start.wait()
        entered.append(breaker.enter())

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(entered) == 1
