"""What calls learn from each other: a plan over hops that are closed, probed, or well again."""

from __future__ import annotations

import contextlib

import pytest
from planning import OK, POLICY, Came, Clock, chain, failure, faults_of, fresh, hop, replay

from chatsheet_llm.budget import COST_TRANSIENT
from chatsheet_llm.domains import Domains
from chatsheet_llm.faults import FAULTS
from chatsheet_llm.openings import MOMENT, PATIENCE, POLL
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import Failed, GaveUp, Send, Wait
from chatsheet_llm.troubles import DOUBT

THREE = ("litellm/chat", "azure/responses", "azure/chat")


# --- what calls learn from each other


FOUR = ("litellm/chat", "azure/responses", "azure/chat", "anthropic/chat")
APART = ("litellm/chat", "azure/chat", "anthropic/chat", "openai/chat")


def outage(fault: str, hops_of: tuple[str, ...] = THREE, calls: int = 100, every: float = 0.1) -> list[int]:
    clock = Clock()
    domains = fresh(clock)
    hops = chain(*hops_of)
    sends = []
    for _ in range(calls):
        trace = replay(hops, {each.name: fault for each in hops}, clock=clock, domains=domains, deadline=2.0)
        assert trace.gave_up is not None
        sends.append(len(trace.hops))
        clock.now += every
    return sends


@pytest.mark.parametrize("fault", [name for name, row in FAULTS.items() if row.condemns != "none"])
@pytest.mark.parametrize("names", [THREE, FOUR, APART, ("azure/chat",), ("azure/responses", "azure/chat")])
@pytest.mark.parametrize("every", [0.01, 0.1, 1.0])
def test_a_full_outage_costs_at_most_a_fifth_more_than_the_calls(
    fault: str, names: tuple[str, ...], every: float
) -> None:
    sends = outage(fault, names, every=every)

    assert sum(sends) / len(sends) <= 1.2
    assert max(sends) <= 4


@pytest.mark.parametrize("fault", [n for n, row in FAULTS.items() if row.condemns == "none" and row.move != "none"])
def test_a_fault_that_no_breaker_hears_of_is_resent_to_a_hop_from_the_budget_alone(fault: str) -> None:
    sends = outage(fault, ("azure/chat",))

    assert sum(sends) <= 100 + 10 + 1  # the bucket, and what it refills in ten seconds


def test_an_open_first_hop_is_not_sent_to() -> None:
    clock = Clock()
    domains = fresh(clock)
    for _ in range(5):
        replay(chain(), ["reset", OK], clock=clock, domains=domains)

    trace = replay(chain(), [OK], clock=clock, domains=domains)

    assert trace.hops == ["azure/responses"]


def test_a_hop_is_probed_once_its_time_is_up_and_then_trusted() -> None:
    clock = Clock()
    domains = fresh(clock)
    for _ in range(5):
        replay(chain(), ["reset", OK], clock=clock, domains=domains)
    clock.now += 5.1

    first = plan(chain(), domains, policy=POLICY, deadline_at=clock.now + 10, clock=clock)
    probe = next(first)
    beside = replay(chain(), [OK], clock=clock, domains=domains)
    with pytest.raises(StopIteration):
        next(first)
    after = replay(chain(), [OK], clock=clock, domains=domains)

    assert isinstance(probe, Send)
    assert probe.hop.name == "litellm/chat"
    assert beside.hops == ["azure/responses"]
    assert after.hops == ["litellm/chat"]


def test_a_cancelled_probe_is_free_for_the_next_call() -> None:
    clock = Clock()
    domains = fresh(clock)
    for _ in range(5):
        replay(chain(), ["reset", OK], clock=clock, domains=domains)
    clock.now += 5.1
    cancelled = plan(chain(), domains, policy=POLICY, deadline_at=clock.now + 10, clock=clock)
    next(cancelled)
    cancelled.close()

    trace = replay(chain(), [OK], clock=clock, domains=domains)

    assert trace.hops == ["litellm/chat"]


def test_cancelled_calls_never_open_a_breaker() -> None:
    clock = Clock()
    domains = fresh(clock)
    for _ in range(50):
        steps = plan(chain(), domains, policy=POLICY, deadline_at=clock.now + 10, clock=clock)
        next(steps)
        steps.close()

    assert set(domains.snapshot().values()) == {"closed"}


@pytest.mark.parametrize("fault", faults_of("caller", "policy", "gateway_policy", "local"))
def test_the_callers_own_faults_never_open_a_breaker(fault: str) -> None:
    clock = Clock()
    domains = fresh(clock)
    for _ in range(50):
        replay(chain(), [fault], clock=clock, domains=domains)

    assert set(domains.snapshot().values()) == {"closed"}


def test_a_limit_with_a_hint_keeps_later_calls_away_until_then() -> None:
    clock = Clock()
    domains = fresh(clock)
    limited = [failure("rate", retry_after=10.0)]
    replay(chain("azure/chat"), limited, clock=clock, domains=domains, deadline=5.0)

    early = replay(chain("azure/chat"), [], clock=clock, domains=domains, deadline=5.0)
    late = replay(chain("azure/chat"), [OK], clock=clock, domains=domains, deadline=15.0)

    assert early.hops == []
    assert early.fault == "rate"
    assert early.gave_up is not None
    assert [closed.name for closed, *_ in early.gave_up.closed] == ["azure/chat"]
    assert late.hops == ["azure/chat"]
    assert sum(late.waits) == pytest.approx(10.0)


def test_a_missing_capability_leaves_the_other_api_of_the_resource_open() -> None:
    clock = Clock()
    domains = fresh(clock)
    replay(chain("azure/responses", "azure/chat"), ["capability", OK], clock=clock, domains=domains)

    trace = replay(chain("azure/responses", "azure/chat"), [OK], clock=clock, domains=domains)

    assert trace.hops == ["azure/chat"]


def test_a_broken_last_resort_is_probed_rather_than_refused() -> None:
    clock = Clock()
    domains = fresh(clock)
    for _ in range(6):
        replay(chain("azure/chat"), {"azure/chat": "reset"}, clock=clock, domains=domains)

    trace = replay(chain("azure/chat"), [OK], clock=clock, domains=domains)

    assert set(domains.snapshot().values()) == {"closed"}
    assert trace.hops == ["azure/chat"]


def test_isolated_faults_cost_nothing_in_the_long_run() -> None:
    clock = Clock()
    domains = fresh(clock)
    answered = 0
    for number in range(300):
        script = ["refused", OK] if number % 10 == 0 else [OK]
        answered += replay(chain("azure/chat"), script, clock=clock, domains=domains).gave_up is None

    assert answered == 300


# --- while another call probes


def tripped(clock: Clock, *names: str) -> Domains:
    """Domains in which these hops have failed five times, so that one probe each is let in."""
    domains = fresh(clock)
    for name in names:
        for _ in range(5):
            domains.failed(hop(name), failure("server_error"))
    return domains


def test_a_call_without_another_hop_waits_a_moment_for_the_probe_of_another_call() -> None:
    clock = Clock()
    domains = tripped(clock, "azure/chat")
    clock.now += 6.0
    probe = domains.enter(hop("azure/chat"))
    steps = plan(chain("azure/chat"), domains, policy=POLICY, deadline_at=clock.now + 60.0, clock=clock)
    first = next(steps)
    domains.succeeded(hop("azure/chat"), entry=probe)
    clock.now += 0.1
    second = next(steps)

    assert isinstance(first, Wait)
    assert isinstance(second, Send)


def test_it_does_not_wait_for_a_probe_that_takes_long() -> None:
    clock = Clock()
    domains = tripped(clock, "azure/chat")
    clock.now += 6.0
    domains.enter(hop("azure/chat"))
    trace = replay(chain("azure/chat"), [], clock=clock, domains=domains, deadline=60.0)

    assert trace.fault == "server_error"
    assert PATIENCE <= trace.seconds <= PATIENCE + 0.5


def shut(clock: Clock, *names: str) -> Domains:
    """Domains that closed these hops for half a minute, the first one first; no second probe can be paid."""
    domains = fresh(clock)
    domains.spare.tokens = 0.0
    for name in names:
        domains.failed(hop(name), failure("auth", status=401))
        clock.now += 0.01
    return domains


def test_a_call_whose_own_probe_failed_waits_for_that_of_another_though_the_hop_is_shut_for_long() -> None:
    clock = Clock()
    domains = shut(clock, "azure/chat", "other/chat")
    probe = domains.enter(hop("azure/chat"), early=True)
    steps = plan(chain("azure/chat", "other/chat"), domains, policy=POLICY, deadline_at=clock.now + 10.0, clock=clock)
    first = next(steps)
    waits = [steps.throw(Failed(failure("auth", status=401)))]
    clock.now += PATIENCE / 2
    waits.append(next(steps))
    domains.succeeded(hop("azure/chat"), entry=probe)
    second = next(steps)

    assert isinstance(first, Send)
    assert first.hop.name == "other/chat"
    assert [step.seconds for step in waits if isinstance(step, Wait)] == [POLL, POLL]
    assert isinstance(second, Send)
    assert second.hop.name == "azure/chat"


def test_a_call_that_waits_for_a_probe_waits_for_those_too_that_begin_meanwhile() -> None:
    clock = Clock()
    domains = shut(clock, "gate/chat", "azure/chat", "other/chat")
    hops = chain("gate/chat", "azure/chat", "other/chat")
    steps = plan(hops, domains, policy=POLICY, deadline_at=clock.now + 10.0, clock=clock)
    next(steps)
    probe = domains.enter(hops[1], early=True)
    waits = [steps.throw(Failed(failure("auth", status=401)))]
    clock.now += PATIENCE / 4
    waits.append(next(steps))
    later = domains.enter(hops[2], early=True)
    domains.failed(hops[1], failure("auth", status=401), probe)
    clock.now += PATIENCE / 4
    waits.append(next(steps))
    domains.succeeded(hops[2], entry=later)
    sent = next(steps)

    assert [type(step) for step in waits] == [Wait, Wait, Wait]
    assert isinstance(sent, Send)
    assert sent.hop.name == "other/chat"


@pytest.mark.parametrize("well", [False, True])
def test_a_call_that_may_probe_no_more_waits_a_moment_for_another_to_find_a_hop_well(well: bool) -> None:
    clock = Clock()
    domains = shut(clock, "azure/chat", "other/chat")
    hops = chain("azure/chat", "other/chat")
    steps = plan(hops, domains, policy=POLICY, deadline_at=clock.now + 10.0, clock=clock)
    next(steps)
    begun = clock.now
    step = steps.throw(Failed(failure("auth", status=401)))
    if well:
        domains.succeeded(hops[1], entry=domains.enter(hops[1], early=True))
    with contextlib.suppress(GaveUp):
        while isinstance(step, Wait):
            clock.now += step.seconds
            step = next(steps)

    assert isinstance(step, Send) is well
    assert clock.now - begun == pytest.approx(POLL if well else MOMENT)


def test_of_closed_hops_the_one_that_failed_longest_ago_is_probed() -> None:
    clock = Clock()
    domains = shut(clock, "green/chat", "azure/chat", "blue/chat")
    trace = replay(chain("azure/chat", "blue/chat", "green/chat"), [OK], clock=clock, domains=domains)

    assert trace.hops == ["green/chat"]


def test_a_second_probe_that_is_answered_costs_nothing() -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = chain("azure/chat", "other/chat")
    for each in hops:
        domains.failed(each, failure("auth", status=401))
    trace = replay(hops, ["auth", OK], clock=clock, domains=domains)

    assert trace.hops == ["azure/chat", "other/chat"]
    assert domains.spare.full


def test_a_call_whose_time_is_up_pays_for_no_probe() -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = chain("azure/chat", "other/chat")
    for each in hops:
        domains.failed(each, failure("forbidden", status=403))
    trace = replay(hops, [Came("auth", 10.0)], clock=clock, domains=domains, attempt=10.0, deadline=10.0)

    assert trace.hops == ["azure/chat"]
    assert domains.spare.full
    assert not any(domains.breaker(each.origin).probing for each in hops)


def test_a_hop_that_is_set_up_for_a_refusal_is_waited_for_while_another_call_probes_it() -> None:
    clock = Clock()
    domains = shut(clock, "other/chat")
    hops = [hop("azure/chat"), hop("other/chat", answers_after=("content_filter",))]
    probe = domains.enter(hops[1], early=True)
    steps = plan(hops, domains, policy=POLICY, deadline_at=clock.now + 10.0, clock=clock)
    next(steps)
    waits = steps.throw(Failed(failure("content_filter")))
    domains.succeeded(hops[1], entry=probe)
    sent = next(steps)

    assert isinstance(waits, Wait)
    assert isinstance(sent, Send)
    assert sent.hop.name == "other/chat"


def test_an_empty_budget_keeps_no_call_from_a_hop_that_takes_calls() -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = chain("azure/chat", "blue/chat", "green/chat")
    for each in hops:
        while domains.pay(each, COST_TRANSIENT):
            pass
    trace = replay(hops, ["auth", "auth", OK], clock=clock, domains=domains)

    assert trace.hops == ["azure/chat", "blue/chat", "green/chat"]


@pytest.mark.parametrize("fault", ["server_error", "auth", "reset"])
def test_another_closed_hop_is_probed_by_a_call_whose_first_probe_failed_while_its_budget_lasts(fault: str) -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = chain("azure/chat", "other/chat")
    for each in hops:
        for _ in range(5):
            domains.failed(each, failure("server_error"))
    traces = [replay(hops, {each.name: fault for each in hops}, clock=clock, domains=domains) for _ in range(4)]

    assert [len(trace.hops) for trace in traces] == [2, 2, 1, 1]


def test_time_is_kept_for_a_closed_hop_that_may_be_well_again() -> None:
    clock = Clock()
    domains = tripped(clock, "azure/chat")
    hops = chain("azure/chat", "other/chat")
    trace = replay(hops, [Came("read_timeout", 60.0), OK], clock=clock, domains=domains, deadline=10.0)

    assert trace.hops == ["other/chat", "azure/chat"]
    assert trace.sends[0].timeout == 5.0


@pytest.mark.parametrize("fault", ["read_timeout", "connect_timeout", "refused", "dns"])
def test_a_hop_of_which_nothing_was_heard_is_passed_over_where_another_is_open(fault: str) -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = chain("azure/chat", "other/chat")
    script = {"azure/chat": fault, "other/chat": OK}
    first = replay(hops, script, clock=clock, domains=domains, deadline=10.0)
    second = replay(hops, [OK], clock=clock, domains=domains, deadline=10.0)
    clock.now += DOUBT + 0.1
    third = replay(hops, [OK], clock=clock, domains=domains, deadline=10.0)
    fourth = replay(hops, [OK], clock=clock, domains=domains, deadline=10.0)

    assert (first.hops[0], first.hops[-1]) == ("azure/chat", "other/chat")
    assert second.hops == ["other/chat"]
    assert third.hops == fourth.hops == ["azure/chat"]
    assert domains.breaker("https://azure").state == "closed"


def test_fifty_calls_in_a_row_wait_for_a_silent_hop_once() -> None:
    clock = Clock()
    domains = fresh(clock)
    sent = [
        replay(chain("azure/chat", "other/chat"), [*waits, OK], clock=clock, domains=domains, deadline=10.0).hops
        for waits in [[Came("read_timeout", 1.0)], *[[]] * 49]
    ]

    assert sent == [["azure/chat", "other/chat"], *[["other/chat"]] * 49]


def test_one_call_at_a_time_finds_out_whether_a_hop_is_still_silent() -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = chain("azure/chat", "other/chat")
    replay(hops, ["read_timeout", OK], clock=clock, domains=domains, deadline=10.0)
    clock.now += DOUBT + 0.1
    plans = [plan(hops, domains, policy=POLICY, deadline_at=clock.now + 60.0, clock=clock) for _ in range(3)]
    asked = [step.hop.name for steps in plans if isinstance(step := next(steps), Send)]

    assert asked == ["azure/chat", "other/chat", "other/chat"]


def test_a_hop_of_which_nothing_was_heard_is_asked_by_all_where_there_is_no_other() -> None:
    clock = Clock()
    domains = fresh(clock)
    replay(chain("azure/chat"), ["read_timeout", OK], clock=clock, domains=domains, deadline=10.0)
    domains.failed(hop("azure/chat"), failure("read_timeout"))
    domains.failed(hop("other/chat"), failure("read_timeout"))

    assert replay(chain("azure/chat"), [OK], clock=clock, domains=domains).hops == ["azure/chat"]
    assert replay(chain("azure/chat", "other/chat"), [OK], clock=clock, domains=domains).hops == ["azure/chat"]
