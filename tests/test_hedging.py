"""Hedging: when a second hop is asked beside a silent one, what that costs, and who wins.  A fake clock, no sockets."""

from __future__ import annotations

import random
from typing import Any

import pytest
from planning import OK, Came, Clock, Trace, chain, failure, fresh, hop, replay
from tenacity import stop_after_attempt

from chatsheet_llm.budget import COST_TRANSIENT, REWARD
from chatsheet_llm.latency import ENOUGH, Latencies
from chatsheet_llm.steps import Policy

AFTER = 2.0
"""Seconds after which another hop is asked in these tests."""


def raced(*script: Came, **options: Any) -> Trace:
    return replay(chain("azure/chat", "other/chat"), script, hedge=AFTER, **options)


def test_an_answer_in_time_is_not_raced() -> None:
    trace = raced(Came(OK, 1.9))

    assert (trace.hops, trace.seconds) == (["azure/chat"], pytest.approx(1.9))


@pytest.mark.parametrize(("first", "second", "seconds"), [(9.0, 1.0, 3.0), (4.0, 8.0, 4.0), (4.0, 2.0, 4.0)])
def test_the_first_answer_counts(first: float, second: float, seconds: float) -> None:
    trace = raced(Came(OK, first), Came(OK, second))

    assert trace.hops == ["azure/chat", "other/chat"]
    assert (trace.seconds, trace.gave_up) == (seconds, None)


def test_where_one_fails_the_other_is_waited_for() -> None:
    trace = raced(Came("server_error", 2.5), Came(OK, 5.0))

    assert (trace.hops, trace.seconds, trace.gave_up) == (["azure/chat", "other/chat"], 7.0, None)


def test_where_both_fail_the_call_fails_and_nothing_that_may_have_run_is_sent_a_third_time() -> None:
    hops = chain("azure/chat", "other/chat", "third/chat")
    trace = replay(hops, [Came("read_timeout", 2.5), Came("read_timeout", 1.0)], hedge=AFTER)

    assert trace.hops == ["azure/chat", "other/chat"]
    assert trace.fault == "read_timeout"


def test_where_both_were_refused_the_next_hop_is_asked() -> None:
    hops = chain("azure/chat", "other/chat", "third/chat")
    trace = replay(hops, [Came("auth", 2.5), Came("auth", 1.0), OK], hedge=AFTER)

    assert trace.hops == ["azure/chat", "other/chat", "third/chat"]


REFUSALS = pytest.mark.parametrize("fault", ["content_filter", "invalid_request", "gateway_policy"])


@REFUSALS
def test_what_the_first_hop_refuses_ends_the_call_though_the_other_would_answer(fault: str) -> None:
    trace = raced(Came(fault, 3.0), Came(OK, 9.0))

    assert (trace.fault, trace.seconds) == (fault, 3.0)


@REFUSALS
def test_what_the_second_refuses_the_first_may_be_answering_already(fault: str) -> None:
    trace = raced(Came(OK, 9.0), Came(fault, 1.0))

    assert (trace.gave_up, trace.seconds) == (None, 9.0)


@REFUSALS
def test_after_a_refusal_of_the_second_no_third_hop_is_asked(fault: str) -> None:
    hops = chain("azure/chat", "other/chat", "third/chat")
    trace = replay(hops, [Came("auth", 9.0), Came(fault, 1.0)], hedge=AFTER)

    assert (trace.hops, trace.fault) == (["azure/chat", "other/chat"], fault)


def test_the_second_has_all_the_time_that_is_left() -> None:
    trace = raced(Came("read_timeout", 60.0), Came(OK, 7.0), deadline=10.0)

    assert trace.gave_up is None
    assert [send.timeout for send in trace.sends] == [5.0, 8.0]


def test_what_may_have_side_effects_is_never_raced() -> None:
    trace = raced(Came(OK, 9.0), side_effects=True)

    assert (trace.hops, trace.seconds) == (["azure/chat"], 9.0)


def test_another_hop_of_the_same_origin_would_be_as_slow() -> None:
    trace = replay(chain("azure/responses", "azure/chat"), [Came(OK, 9.0)], hedge=AFTER)

    assert trace.hops == ["azure/responses"]


def test_a_call_races_once() -> None:
    hops = chain("azure/chat", "other/chat", "third/chat", "fourth/chat")
    trace = replay(hops, [Came("auth", 2.5), Came("auth", 1.0), Came(OK, 9.0)], hedge=AFTER)

    assert trace.hops == ["azure/chat", "other/chat", "third/chat"]


def test_the_second_send_counts_among_all_sends_of_the_call() -> None:
    trace = raced(Came(OK, 9.0), policy=Policy(stop=stop_after_attempt(1)))

    assert trace.hops == ["azure/chat"]


def test_a_race_costs_what_a_resend_costs_whoever_wins_it() -> None:
    clock = Clock()
    domains = fresh(clock)
    bucket = domains.bucket(hop("azure/chat").origin)
    bucket.pay(100.0)
    before = bucket.tokens
    raced(Came(OK, 3.0), Came(OK, 20.0), clock=clock, domains=domains)
    after = bucket.tokens
    while bucket.pay(14.0):
        pass
    spent = raced(Came(OK, 9.0), clock=clock, domains=domains)

    assert before - after == pytest.approx(COST_TRANSIENT - REWARD, abs=1.0)
    assert spent.hops == ["azure/chat"]


def test_hops_that_were_cut_off_do_not_make_the_others_look_late() -> None:
    chance, seen = random.Random(7), Latencies()
    hedged = 0
    for _ in range(4000):
        seconds = chance.lognormvariate(0.0, 0.5)
        late = seen.late("p95", "a")
        if late is not None and seconds > late:
            hedged += 1
            seen.cut("a")
        else:
            seen.took("a", seconds)

    assert 4000 * 0.01 < hedged < 4000 * 0.1


def test_a_closed_hop_is_not_asked_beside_a_slow_one() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(hop("other/chat"), failure("forbidden", status=403))
    trace = raced(Came(OK, 9.0), clock=clock, domains=domains)

    assert trace.hops == ["azure/chat"]


def test_the_loser_of_a_race_is_not_blamed_and_gives_its_probe_back() -> None:
    clock = Clock()
    domains = fresh(clock)
    other = hop("other/chat")
    for _ in range(5):
        domains.failed(other, failure("server_error"))
    clock.now += 10.0
    raced(Came(OK, 3.0), Came(OK, 9.0), clock=clock, domains=domains)

    assert domains.permits(other)
    assert domains.snapshot()[other.origin] == "half_open"


def test_nothing_is_late_before_enough_was_seen() -> None:
    seen = Latencies()
    for number in range(ENOUGH - 1):
        seen.took("a", float(number))
    before = seen.late("p95", "a")
    seen.took("a", 100.0)

    assert before is None
    assert seen.late("p95", "a") == 18.0
    assert (seen.late("p95", "b"), seen.late(1.5, "b"), seen.late(None, "a")) == (None, 1.5, None)
