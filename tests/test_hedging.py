"""Hedging: when a second hop is asked beside a silent one, what that costs, and who wins.  A fake clock, no sockets."""

from __future__ import annotations

from typing import Any

import pytest
from planning import OK, Came, Clock, Trace, chain, failure, fresh, hop, replay
from tenacity import stop_after_attempt

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


@pytest.mark.parametrize("fault", ["content_filter", "invalid_request", "gateway_policy"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_refusal_of_one_ends_the_call_though_the_other_would_answer(fault: str, which: int) -> None:
    script = [Came(OK, 9.0), Came(OK, 9.0)]
    script[which] = Came(fault, 3.0)
    trace = raced(*script)

    assert trace.fault == fault


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


def test_a_race_costs_what_a_resend_costs_and_winning_it_refunds_that() -> None:
    clock = Clock()
    domains = fresh(clock)
    origin = hop("azure/chat").origin
    before = domains.bucket(origin).tokens
    raced(Came(OK, 9.0), Came(OK, 20.0), clock=clock, domains=domains)
    won = domains.bucket(origin).tokens
    while domains.bucket(origin).pay(14.0):
        pass
    spent = raced(Came(OK, 9.0), clock=clock, domains=domains)

    assert won == before
    assert spent.hops == ["azure/chat"]


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
