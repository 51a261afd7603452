"""The retry budget: what a re-send costs, what comes back, and that it refills.  A fake clock."""

from __future__ import annotations

import threading

import pytest
from planning import Clock

from chatsheet_llm.budget import CAPACITY, COST_THROTTLE, COST_TRANSIENT, REFILL_PER_SECOND, REWARD, Bucket


def test_a_full_bucket_pays_for_ten_resends_and_no_more() -> None:
    bucket = Bucket(Clock())

    assert [bucket.pay(COST_TRANSIENT) for _ in range(11)] == [True] * 10 + [False]


def test_throttled_resends_are_cheaper() -> None:
    bucket = Bucket(Clock())

    assert sum(bucket.pay(COST_THROTTLE) for _ in range(100)) == CAPACITY // COST_THROTTLE


def test_what_cannot_be_paid_takes_nothing() -> None:
    bucket = Bucket(Clock(), tokens=10.0)

    assert not bucket.pay(COST_TRANSIENT)
    assert bucket.tokens == 10.0


def test_a_resend_that_succeeds_costs_nothing() -> None:
    bucket = Bucket(Clock())
    for _ in range(1000):
        assert bucket.pay(COST_TRANSIENT)
        bucket.put_back(COST_TRANSIENT)

    assert bucket.tokens == CAPACITY


def test_a_bucket_never_holds_more_than_its_capacity() -> None:
    clock = Clock()
    bucket = Bucket(clock)
    bucket.put_back(REWARD)
    clock.now += 10_000
    bucket.put_back(REWARD)

    assert bucket.tokens == CAPACITY


def test_an_idle_process_recovers() -> None:
    clock = Clock()
    bucket = Bucket(clock, tokens=0.0)
    clock.now += COST_TRANSIENT / REFILL_PER_SECOND - 1
    early = bucket.pay(COST_TRANSIENT)
    clock.now += 1.001

    assert not early
    assert bucket.pay(COST_TRANSIENT)


def test_a_clock_that_stands_still_or_goes_back_takes_nothing() -> None:
    clock = Clock()
    bucket = Bucket(clock, tokens=50.0)
    clock.now -= 100
    bucket.put_back(0.0)

    assert bucket.tokens == 50.0


@pytest.mark.parametrize("threads", [8])
def test_threads_cannot_spend_a_token_twice(threads: int) -> None:
    bucket = Bucket(Clock())
    paid: list[bool] = []

    def spend() -> None:
        paid.extend(bucket.pay(COST_TRANSIENT) for _ in range(20))

    running = [threading.Thread(target=spend) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

    assert sum(paid) == 10


def test_it_says_how_much_of_a_reward_there_was_room_for() -> None:
    bucket = Bucket(Clock())
    full = bucket.put_back(REWARD)
    bucket.pay(COST_THROTTLE)

    assert full == 0.0
    assert not bucket.full
    assert bucket.put_back(CAPACITY) == COST_THROTTLE
    assert bucket.full


def test_a_level_from_elsewhere_replaces_its_own_and_is_kept_within_bounds() -> None:
    clock = Clock()
    bucket = Bucket(clock)
    bucket.level(20.0)
    clock.now += 10
    levels = [bucket.left()]
    for told in (-5.0, 1e9):
        bucket.level(told)
        levels.append(bucket.left())

    assert levels == [20.0 + 10 * REFILL_PER_SECOND, 0.0, CAPACITY]
