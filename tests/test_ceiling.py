"""The ratio ceiling: how many re-sends may be under way beside first sends."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from planning import OK, POLICY, Came, Clock, chain, failure, fresh, hop, replay

from chatsheet_llm.ceiling import FLOOR, Ceiling
from chatsheet_llm.domains import Domains
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import SLOW, STAY, Failed, GaveUp, Send, Wait

AZURE, AGAIN, ELSEWHERE = hop("azure/responses"), hop("azure/chat"), hop("other/chat")


def busy(sends: int) -> Ceiling:
    ceiling = Ceiling()
    for _ in range(sends):
        ceiling.begin(resend=False)
    return ceiling


@pytest.mark.parametrize(("sends", "most"), [(0, 3), (10, 3), (15, 4), (20, 5), (100, 25)])
def test_a_fifth_of_the_sends_under_way_may_be_resends_and_three_always(sends: int, most: int) -> None:
    ceiling = busy(sends)

    assert sum(ceiling.begin(resend=True) for _ in range(200)) == most
    assert (ceiling.sends, ceiling.resends) == (sends + most, most)


def test_first_sends_always_go() -> None:
    ceiling = busy(0)
    for _ in range(FLOOR):
        ceiling.begin(resend=True)

    assert not ceiling.begin(resend=True)
    assert all(ceiling.begin(resend=False) for _ in range(4))


def test_what_has_ended_counts_no_more() -> None:
    ceiling = busy(0)
    for _ in range(FLOOR):
        ceiling.begin(resend=True)
    ceiling.end(resend=True)

    assert ceiling.begin(resend=True)
    assert not ceiling.begin(resend=True)


def test_what_was_refused_is_not_counted() -> None:
    ceiling = busy(0)
    for _ in range(FLOOR + 5):
        ceiling.begin(resend=True)

    assert (ceiling.sends, ceiling.resends) == (FLOOR, FLOOR)


def test_the_hops_of_an_origin_share_a_ceiling_and_other_origins_have_their_own() -> None:
    domains = fresh(Clock())
    for _ in range(FLOOR):
        domains.begin(AZURE, resend=True)

    assert not domains.begin(AGAIN, resend=True)
    assert domains.begin(ELSEWHERE, resend=True)
    domains.end(AZURE, resend=True)
    assert domains.begin(AGAIN, resend=True)


def test_many_threads_together_stay_below_it() -> None:
    ceiling = Ceiling()
    begun: list[bool] = []
    start = threading.Barrier(16)

    def call() -> None:
        start.wait()
        begun.append(ceiling.begin(resend=True))

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(begun) == FLOOR


# --- what the plan counts


Steps = Generator[Send | Wait, Any, None]
TWO = chain("azure/chat", "other/chat")


def under_way(domains: Domains) -> list[tuple[int, int]]:
    """Sends and, of these, re-sends that are counted, at the two origins."""
    return [(domains.ceiling(each.origin).sends, domains.ceiling(each.origin).resends) for each in (AZURE, ELSEWHERE)]


def begun(domains: Domains, names: Sequence[str] = ("azure/chat", "other/chat"), hedge: float | None = None) -> Steps:
    clock: Any = domains.clock
    deadline = clock.now + 60.0
    return plan(
        chain(*names), domains, policy=POLICY, deadline_at=deadline, hedge=lambda hop: hedge, clock=domains.clock
    )


def full(where: Sequence[Any]) -> Domains:
    """Domains where as many re-sends are under way at these hops as may be."""
    domains = fresh(Clock())
    for each in where:
        for _ in range(FLOOR):
            domains.begin(each, resend=True)
    return domains


ENDS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "an answer": ([OK], {}),
    "an answer to a re-send": (["refused", OK], {}),
    "an answer elsewhere": (["auth", OK], {}),
    "an answer after a limit": (["auth", failure("rate", retry_after=3.0), OK], {}),
    "a refusal": (["invalid_request"], {}),
    "a failure of all": (["reset", "reset"], {}),
    "a deadline": ([Came("read_timeout", 200.0)], {"side_effects": True}),
    "no time at all": ([], {"deadline": 0.0}),
    "a race that the first wins": ([Came(OK, 3.0), Came(OK, 9.0)], {"hedge": 1.0}),
    "a race that the second wins": ([Came(OK, 9.0), Came(OK, 1.0)], {"hedge": 1.0}),
    "a race that the first loses": ([Came("auth", 3.0), Came(OK, 9.0)], {"hedge": 1.0}),
    "a race that both lose": ([Came("reset", 3.0), Came("reset", 9.0)], {"hedge": 1.0}),
    "a race that a refusal ends": ([Came("invalid_request", 3.0), Came(OK, 9.0)], {"hedge": 1.0}),
}


@pytest.mark.parametrize("end", ENDS)
def test_however_a_call_ends_nothing_of_it_is_counted_any_more(end: str) -> None:
    clock = Clock()
    domains = fresh(clock)
    script, options = ENDS[end]
    trace = replay(TWO, script, clock=clock, domains=domains, **options)

    assert len(trace.sends) == len(script)
    assert under_way(domains) == [(0, 0), (0, 0)]


def test_a_send_is_counted_while_it_is_under_way_and_as_a_resend_where_it_is_one() -> None:
    domains = fresh(Clock())
    steps = begun(domains)
    next(steps)
    first = under_way(domains)
    waits = steps.throw(Failed(failure("refused")))
    between = under_way(domains)
    next(steps)
    again = under_way(domains)
    steps.throw(Failed(failure("refused")))

    assert isinstance(waits, Wait)
    assert (first, between, again) == ([(1, 0), (0, 0)], [(0, 0), (0, 0)], [(1, 1), (0, 0)])
    assert under_way(domains) == [(0, 0), (1, 0)], "the first send to another hop is no re-send"


def test_a_send_after_a_limit_was_waited_for_is_a_resend() -> None:
    domains = fresh(Clock())
    steps = begun(domains, ["azure/chat"])
    next(steps)
    waits = steps.throw(Failed(failure("rate", retry_after=3.0)))
    domains.clock.now += 3.0  # type: ignore[attr-defined]
    next(steps)

    assert isinstance(waits, Wait)
    assert under_way(domains)[0] == (1, 1)


def test_a_send_beside_another_counts_as_a_resend() -> None:
    domains = fresh(Clock())
    steps = begun(domains, hedge=1.0)
    next(steps)
    beside = steps.send(SLOW)

    assert isinstance(beside, Send)
    assert under_way(domains) == [(1, 0), (1, 1)]


@pytest.mark.parametrize("at", ["a send", "a wait", "a re-send", "a race"])
def test_a_call_that_is_cancelled_is_counted_no_more(at: str) -> None:
    domains = fresh(Clock())
    steps = begun(domains, hedge=1.0 if at == "a race" else None)
    next(steps)
    if at == "a race":
        steps.send(SLOW)
    if at in ("a wait", "a re-send"):
        steps.throw(Failed(failure("refused")))
    if at == "a re-send":
        next(steps)
    steps.close()

    assert under_way(domains) == [(0, 0), (0, 0)]


@pytest.mark.parametrize("fault", ["refused", "server_error", "rate"])
def test_a_resend_over_the_ceiling_ends_the_call_with_what_it_met(fault: str) -> None:
    domains = full([AZURE])
    clock: Any = domains.clock
    trace = replay(chain("azure/chat"), [fault], clock=clock, domains=domains)

    assert (trace.hops, trace.fault) == (["azure/chat"], fault)
    assert under_way(domains)[0] == (FLOOR, FLOOR), "what others have under way is still counted"


def test_a_resend_over_the_ceiling_gives_the_probe_back_that_it_took() -> None:
    domains = full([AZURE])
    clock: Any = domains.clock
    replay(chain("azure/chat"), ["rate"], clock=clock, domains=domains)

    assert domains.breaker(AZURE.origin).state == "half_open"
    assert domains.enter(AZURE) is not None


def test_a_first_send_goes_however_many_resends_are_under_way() -> None:
    domains = full([AZURE, ELSEWHERE])
    clock: Any = domains.clock
    trace = replay(TWO, ["auth", OK], clock=clock, domains=domains)

    assert trace.hops == ["azure/chat", "other/chat"]


def test_over_the_ceiling_no_hop_is_asked_beside_a_slow_one_and_its_probe_is_given_back() -> None:
    domains = full([ELSEWHERE])
    domains.failed(ELSEWHERE, failure("auth"))
    domains.clock.now += 31.0  # type: ignore[attr-defined]
    steps = begun(domains, hedge=1.0)
    next(steps)

    assert steps.send(SLOW) is STAY
    assert domains.enter(ELSEWHERE) is not None
    with pytest.raises(StopIteration):
        next(steps)
    assert under_way(domains) == [(0, 0), (FLOOR, FLOOR)]


def test_calls_that_wait_for_one_limit_do_not_all_return_at_once() -> None:
    domains = fresh(Clock())
    calls = [begun(domains, ["azure/chat"]) for _ in range(10)]
    for steps in calls:
        next(steps)
    for steps in calls:
        steps.throw(Failed(failure("rate", retry_after=3.0)))
    domains.clock.now += 3.0  # type: ignore[attr-defined]
    # One of them probes; answered, it lets in the others, as many as may be.
    probe = next(calls[0])
    with pytest.raises(StopIteration):
        next(calls[0])
    sent = 0
    for steps in calls[1:]:
        try:
            sent += isinstance(next(steps), Send)
        except GaveUp:
            continue

    assert isinstance(probe, Send)
    assert sent == FLOOR


def test_a_call_that_may_not_send_again_asks_another_hop_that_is_well() -> None:
    clock = Clock()
    domains = fresh(clock)
    origin = hop("azure/chat").origin
    while domains.ceiling(origin).begin(resend=True):
        pass
    trace = replay(chain("azure/chat", "other/chat"), ["refused", OK], clock=clock, domains=domains)

    assert trace.hops == ["azure/chat", "other/chat"]
    assert trace.gave_up is None
