"""The plan at a limit: which hint is slept through, where another is asked instead, and when it is asked again."""

from __future__ import annotations

import pytest
from planning import OK, Came, Clock, chain, failure, fresh, hop, replay
from tenacity import wait_exponential, wait_fixed

from chatsheet_llm.account import LONGEST_WAIT
from chatsheet_llm.domains import Domains
from chatsheet_llm.steps import Policy

# --- throttling


@pytest.mark.parametrize("fault", ["rate", "overload"])
def test_a_hint_is_slept_through_where_no_other_origin_is_left(fault: str) -> None:
    trace = replay(chain("azure/chat"), [failure(fault, retry_after=7.0), OK])

    assert trace.hops == ["azure/chat", "azure/chat"]
    assert sum(trace.waits) == pytest.approx(7.0)


@pytest.mark.parametrize("fault", ["rate", "overload"])
def test_a_hint_is_never_cut_short_by_jitter(fault: str) -> None:
    for jitter in (-1.0, 0.0, 1.0):
        clock = Clock()
        trace = replay(
            chain("azure/chat"), [failure(fault, retry_after=5.0), OK], clock=clock, domains=fresh(clock, jitter)
        )

        assert 5.0 <= sum(trace.waits) <= 6.0 + 1e-6


def test_a_limit_without_a_hint_waits_the_throttled_wait() -> None:
    trace = replay(chain("azure/chat"), ["rate", OK])

    assert trace.waits == [1.0]


def test_a_hint_of_zero_still_waits_a_little() -> None:
    trace = replay(chain("azure/chat"), [failure("rate", retry_after=0.0), OK])

    assert trace.waits == [1.0]


def test_another_origin_is_asked_before_any_hint_is_slept_through() -> None:
    trace = replay(chain(), [failure("rate", retry_after=2.0), OK])

    assert trace.hops == ["litellm/chat", "azure/responses"]
    assert trace.waits == []


def test_the_hop_that_opens_first_is_waited_for() -> None:
    hops = [hop("slow/chat"), hop("quick/chat")]
    trace = replay(hops, [failure("rate", retry_after=30.0), failure("rate", retry_after=3.0), OK])

    assert trace.hops == ["slow/chat", "quick/chat", "quick/chat"]
    assert sum(trace.waits) == pytest.approx(3.0)


def test_a_hint_beyond_the_deadline_ends_the_call_at_once() -> None:
    trace = replay(chain("azure/chat"), [failure("rate", retry_after=20.0)], deadline=10.0)

    assert trace.waits == []
    assert trace.fault == "rate"
    assert trace.gave_up is not None
    assert trace.gave_up.failure.retry_after == 20.0


@pytest.mark.parametrize("hint", [90.0, 300.0, 86400.0])
def test_a_hint_longer_than_the_time_left_is_not_shortened_to_one_that_fits(hint: float) -> None:
    trace = replay(chain("azure/chat"), [failure("rate", retry_after=hint)], deadline=80.0)

    assert (trace.waits, len(trace.sends)) == ([], 1)


def test_a_hint_of_a_day_is_never_slept_through() -> None:
    clock = Clock()
    domains = fresh(clock)
    trace = replay(
        chain("azure/chat"), [failure("rate", retry_after=86400.0)], clock=clock, domains=domains, deadline=50.0
    )

    assert trace.waits == []
    assert domains.reopens_at(hop("azure/chat")) - clock.now <= 60.0


@pytest.mark.parametrize("wait", [LONGEST_WAIT + 1, 1e9, float("inf")])
def test_no_strategy_makes_a_plan_wait_longer_than_two_minutes(wait: float) -> None:
    policy = Policy(wait=wait_fixed(wait), wait_throttled=wait_fixed(wait))
    for fault in ("refused", "rate"):
        trace = replay(chain("azure/chat"), [fault], policy=policy, deadline=1e12)

        assert trace.waits == []


def test_a_hop_is_not_made_to_wait_for_how_often_others_have_failed() -> None:
    hops = [hop("one/chat"), hop("two/chat"), hop("three/chat")]
    policy = Policy(wait_throttled=wait_exponential(multiplier=1, max=8))
    trace = replay(hops, ["overload", "overload", "overload", OK], policy=policy)

    assert len(trace.sends) == 4
    assert trace.waits == [1.0]


# --- a limit that is over by the time that another hop has failed


def test_a_hop_that_refused_for_a_limit_is_asked_once_more_after_another_failed() -> None:
    trace = replay(chain("azure/chat", "other/chat"), ["rate", Came("read_timeout", 60.0), OK], deadline=10.0)

    assert trace.hops == ["azure/chat", "other/chat", "azure/chat"]
    assert trace.sends[1].timeout == 5.0
    assert trace.gave_up is None


def test_it_is_not_asked_again_where_something_else_was_wrong_at_its_place() -> None:
    trace = replay(chain("azure/responses", "other/chat", "azure/chat"), ["rate", "auth"], deadline=0.5)

    assert trace.hops == ["azure/responses", "other/chat"]


def test_it_is_not_asked_more_often_than_a_hop_may_be() -> None:
    trace = replay(chain("azure/chat", "other/chat"), ["rate", "auth", "rate"], deadline=60.0)

    assert trace.hops == ["azure/chat", "other/chat", "azure/chat"]
    assert trace.gave_up is not None


@pytest.mark.parametrize("fault", ["auth", "deployment", "forbidden"])
@pytest.mark.parametrize(("deadline", "seconds"), [(10.0, 7.5), (120.0, 110.0)])
def test_a_little_time_is_kept_for_a_hop_that_is_wired_wrong_and_may_be_mended(
    deadline: float, seconds: float, fault: str
) -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(hop("azure/chat"), failure(fault, status=403))
    hops = chain("azure/chat", "other/chat")
    trace = replay(hops, [Came("read_timeout", deadline), OK], clock=clock, domains=domains, deadline=deadline)

    assert trace.hops == ["other/chat", "azure/chat"]
    assert [send.timeout for send in trace.sends] == [seconds, deadline - seconds]
    assert [send.contested for send in trace.sends] == [False, False]


@pytest.mark.parametrize(("hint", "share"), [(4.0, 5.0), (6.0, 10.0)])
def test_time_is_kept_for_a_limited_hop_that_opens_before_the_other_has_had_its_half(hint: float, share: float) -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(hop("azure/chat"), failure("rate", retry_after=hint))
    trace = replay(chain("azure/chat", "other/chat"), [OK], clock=clock, domains=domains, deadline=10.0)

    assert [(send.hop.name, send.timeout) for send in trace.sends] == [("other/chat", share)]


def test_time_is_kept_for_another_closed_hop_by_the_call_that_probes_one() -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = chain("azure/chat", "other/chat")
    for each in hops:
        for _ in range(5):
            domains.failed(each, failure("server_error"))
    trace = replay(hops, [Came("read_timeout", 60.0), OK], clock=clock, domains=domains, deadline=10.0)

    assert trace.hops == ["azure/chat", "other/chat"]
    assert [send.timeout for send in trace.sends] == [5.0, 5.0]
    assert domains.spare.full


@pytest.mark.parametrize("fault", ["auth", "capability", "context_length", "rate"])
def test_no_time_is_kept_for_a_hop_that_the_call_may_not_ask_again(fault: str) -> None:
    hops = [hop("azure/chat", max_attempts=1), hop("other/chat", answers_after=("context_length",))]
    trace = replay(hops, [fault, OK], deadline=10.0)

    assert [send.timeout for send in trace.sends] == [5.0, 10.0]


@pytest.mark.parametrize(
    ("script", "side_effects", "seconds"),
    [([OK], True, [10.0]), (["reset", OK], False, [5.0, 10.0]), (["auth", "reset", OK], False, [5.0, 5.0, 10.0])],
)
def test_who_is_followed_by_none_when_its_time_is_up_has_all_that_is_left(
    script: list[str], side_effects: bool, seconds: list[float]
) -> None:
    hops = chain("azure/chat", "blue/chat", "green/chat")
    trace = replay(hops, script, deadline=10.0, side_effects=side_effects)

    assert [send.timeout for send in trace.sends] == pytest.approx(seconds)


@pytest.mark.parametrize(("deadline", "waits"), [(60.0, [2.0]), (1.5, [])])
def test_a_limit_without_a_time_is_waited_for_where_it_ends_in_time_and_else_probed_early(
    deadline: float, waits: list[float]
) -> None:
    clock = Clock()
    domains = Domains(clock, lambda: 0.0)
    only = chain("azure/chat")
    for _ in range(2):
        clock.now = domains.reopens_at(only[0])
        domains.failed(only[0], failure("rate"), domains.enter(only[0]))
    trace = replay(only, [Came(OK)], clock=clock, domains=domains, deadline=deadline)

    assert trace.hops == ["azure/chat"]
    assert trace.waits == waits


def test_a_time_that_a_server_named_is_not_probed_before_even_by_a_call_that_cannot_wait_for_it() -> None:
    clock = Clock()
    domains = Domains(clock, lambda: 0.0)
    only = chain("azure/chat")
    domains.failed(only[0], failure("rate", retry_after=2.0))
    trace = replay(only, [Came(OK)], clock=clock, domains=domains, deadline=1.5)

    assert trace.hops == []
    assert trace.fault == "rate"
