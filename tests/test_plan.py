"""The plan: what is tried next after each fault, what it costs, and when it stops.  A fake clock, no sockets."""

from __future__ import annotations

import pytest
from planning import OK, POLICY, Came, Clock, chain, failure, faults_of, fresh, hop, replay
from tenacity import stop_after_attempt, stop_after_delay, stop_never, wait_fixed

from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains
from chatsheet_llm.faults import FAULTS
from chatsheet_llm.plan import LONGEST_WAIT, PATIENCE, plan
from chatsheet_llm.steps import SLOW, STAY, Policy, Send, Wait, worst

THREE = ("litellm/chat", "azure/responses", "azure/chat")

# What the plan does after each fault, all hops being well but the first send: the hops sent to, then how it ends.
# Azure's two hops share an origin.  One line for every row of the fault table: flip a cell and a line here fails.
NEXT: dict[str, tuple[str, ...]] = {
    "dns": ("azure/responses", "other/chat"),
    "dns_busy": ("azure/responses", "azure/responses"),
    "refused": ("azure/responses", "azure/responses"),
    "connect": ("azure/responses", "azure/responses"),
    "connect_timeout": ("azure/responses", "other/chat"),
    "tls_trust": ("azure/responses", "other/chat"),
    "proxy": ("azure/responses", "other/chat"),
    "proxy_denied": ("azure/responses", "other/chat"),
    "proxy_failed": ("azure/responses", "azure/responses"),
    "credential": ("azure/responses", "other/chat"),
    "pool": ("azure/responses",),
    "encode": ("azure/responses",),
    "write_timeout": ("azure/responses", "other/chat"),
    "read_timeout": ("azure/responses", "other/chat"),
    "reset": ("azure/responses", "other/chat"),
    "stale": ("azure/responses", "azure/responses"),
    "empty": ("azure/responses", "azure/chat"),
    "no_content": ("azure/responses", "other/chat"),
    "contentless": ("azure/responses", "azure/chat"),
    "html": ("azure/responses", "other/chat"),
    "garbage": ("azure/responses", "other/chat"),
    "encoded": ("azure/responses", "other/chat"),
    "response_too_large": ("azure/responses",),
    "unfinished": ("azure/responses",),
    "schema": ("azure/responses", "other/chat"),
    "tool_arguments": ("azure/responses", "other/chat"),
    "no_stream": ("azure/responses", "other/chat"),
    "truncated": ("azure/responses", "other/chat"),
    "bad_event": ("azure/responses", "other/chat"),
    "large_event": ("azure/responses", "other/chat"),
    "sequence": ("azure/responses", "other/chat"),
    "stream_error": ("azure/responses", "other/chat"),
    "redirect": ("azure/responses", "other/chat"),
    "invalid_request": ("azure/responses",),
    "context_length": ("azure/responses",),
    "not_found": ("azure/responses",),
    "conflict": ("azure/responses",),
    "state": ("azure/responses",),
    "too_large": ("azure/responses",),
    "unprocessable": ("azure/responses",),
    "content_filter": ("azure/responses",),
    "gateway_policy": ("azure/responses",),
    "capability": ("azure/responses", "azure/chat"),
    "tools_on_chat": ("azure/responses", "azure/chat"),
    "streaming": ("azure/responses", "azure/chat"),
    "deployment": ("azure/responses", "azure/chat"),
    "unknown_model": ("azure/responses", "azure/chat"),
    "auth": ("azure/responses", "other/chat"),
    "forbidden": ("azure/responses", "other/chat"),
    "rate": ("azure/responses", "other/chat"),
    "quota": ("azure/responses", "other/chat"),
    "cooldown": ("azure/responses", "other/chat"),
    "overload": ("azure/responses", "other/chat"),
    "timeout_408": ("azure/responses", "other/chat"),
    "dependency": ("azure/responses", "other/chat"),
    "early": ("azure/responses", "azure/responses"),
    "client_closed": ("azure/responses", "other/chat"),
    "server_error": ("azure/responses", "other/chat"),
    "bad_gateway": ("azure/responses", "other/chat"),
    "gateway_timeout": ("azure/responses", "other/chat"),
    "not_implemented": ("azure/responses", "azure/chat"),
    "deadline": ("azure/responses",),
}


def test_every_row_of_the_fault_table_has_its_next_step_here() -> None:
    assert set(NEXT) == set(FAULTS)


@pytest.mark.parametrize("fault", NEXT)
def test_what_is_tried_after_a_fault(fault: str) -> None:
    trace = replay(chain("azure/responses", "azure/chat", "other/chat"), [fault, OK])

    assert tuple(trace.hops) == NEXT[fault]
    assert trace.fault == (fault if len(NEXT[fault]) == 1 else None)


def test_a_healthy_first_hop_is_the_only_one() -> None:
    trace = replay(chain(), [OK])

    assert trace.hops == ["litellm/chat"]
    assert trace.waits == []


@pytest.mark.parametrize("fault", faults_of("caller", "policy", "gateway_policy", "local"))
def test_what_no_other_hop_would_answer_is_sent_once(fault: str) -> None:
    trace = replay(chain(), [fault])

    assert trace.hops == ["litellm/chat"]
    assert trace.fault == fault


def test_a_gateway_is_left_after_one_attempt() -> None:
    trace = replay(chain(), ["server_error", OK])

    assert trace.hops == ["litellm/chat", "azure/responses"]


@pytest.mark.parametrize("fault", [name for name, row in FAULTS.items() if row.move == "origin"])
def test_a_fault_of_the_origin_skips_every_hop_of_it(fault: str) -> None:
    script = {"azure/responses": fault, "azure/chat": OK, "other/chat": OK}
    trace = replay(chain("azure/responses", "azure/chat", "other/chat"), script)

    assert "azure/chat" not in trace.hops
    # One ambiguous re-send is all there is, and the same hop may have had it.
    assert trace.hops[-1] == "other/chat" or trace.hops == ["azure/responses", "azure/responses"]


def test_a_transient_fault_waits_before_the_same_hop_is_asked_again() -> None:
    trace = replay(chain("azure/chat"), ["refused", OK])

    assert trace.hops == ["azure/chat", "azure/chat"]
    assert trace.waits == [0.05]


def test_one_ambiguous_resend_is_all_there_is() -> None:
    trace = replay([hop("a/chat"), hop("b/chat"), hop("c/chat")], ["reset", "reset"])

    assert trace.hops == ["a/chat", "b/chat"]
    assert trace.fault == "reset"


@pytest.mark.parametrize("fault", ["reset", "read_timeout", "server_error", "empty", "timeout_408"])
def test_side_effects_forbid_a_resend_after_an_unknown_outcome(fault: str) -> None:
    trace = replay(chain(), [fault], side_effects=True)

    assert trace.hops == ["litellm/chat"]


@pytest.mark.parametrize("fault", ["refused", "rate", "auth", "capability"])
def test_side_effects_do_not_forbid_a_resend_of_what_never_ran(fault: str) -> None:
    trace = replay(chain(), [fault, OK], side_effects=True)

    assert len(trace.hops) == 2


def test_no_call_sends_more_than_four_times() -> None:
    hops = [hop(f"{name}/chat") for name in "abcdefgh"]
    trace = replay(hops, {each.name: "refused" for each in hops})

    assert len(trace.hops) == 4


def test_the_numbers_of_the_sends_count_up() -> None:
    trace = replay(chain(), ["auth", "capability", OK])

    assert [send.number for send in trace.sends] == [1, 2, 3]


# --- deadlines


def test_another_origin_in_reserve_halves_the_time_of_an_attempt() -> None:
    trace = replay(chain(), [Came("auth", 1.0), OK], deadline=10.0)

    assert [send.timeout for send in trace.sends] == [5.0, 9.0]


def test_hops_of_one_origin_are_no_reserve() -> None:
    trace = replay(chain("azure/responses", "azure/chat"), [OK], deadline=10.0)

    assert trace.sends[0].timeout == 10.0


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("names", [THREE, ("azure/chat",), ("azure/responses", "azure/chat")])
def test_no_plan_outlives_its_deadline(fault: str, names: tuple[str, ...]) -> None:
    hops = chain(*names)
    trace = replay(hops, {each.name: Came(fault, 0.2) for each in hops}, deadline=0.5)

    assert trace.seconds <= 0.5
    assert trace.gave_up is not None


@pytest.mark.parametrize("fault", ["rate", "overload"])
def test_a_wait_that_does_not_fit_the_deadline_is_not_begun(fault: str) -> None:
    trace = replay(chain("azure/chat"), [fault], deadline=0.9)

    assert trace.waits == []
    assert trace.fault == fault


def test_nothing_is_sent_when_the_deadline_has_passed() -> None:
    trace = replay(chain(), [], deadline=0.0)

    assert trace.hops == []
    assert trace.fault == "deadline"


def test_time_used_up_by_a_silent_hop_is_a_deadline() -> None:
    trace = replay(chain("azure/chat"), [Came("read_timeout", 60.0)], deadline=10.0)

    assert trace.fault == "deadline"
    assert trace.gave_up is not None
    assert trace.gave_up.failure.send_state == "ambiguous"


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


# --- tenacity's strategies


def test_a_custom_wait_is_honoured() -> None:
    policy = Policy(wait=wait_fixed(0.7))
    trace = replay(chain("azure/chat"), ["refused", OK], policy=policy)

    assert trace.waits == [0.7]


def test_a_custom_stop_counts_every_send_of_the_call() -> None:
    policy = Policy(stop=stop_after_attempt(2), wait=wait_fixed(0))
    trace = replay([hop(f"{name}/chat") for name in "abcd"], ["auth", "auth"], policy=policy)

    assert len(trace.hops) == 2


def test_a_stop_by_time_sees_the_time_of_the_call() -> None:
    policy = Policy(stop=stop_after_delay(3), wait=wait_fixed(0))
    trace = replay([hop(f"{name}/chat") for name in "abcd"], [Came("auth", 2.0), Came("auth", 2.0)], policy=policy)

    assert len(trace.hops) == 2


def test_a_strategy_reads_the_failure_from_the_outcome() -> None:
    seen: list[object] = []

    class Looking(wait_fixed):
        def __call__(self, retry_state: object) -> float:
            seen.append(retry_state)
            return 0.0

    replay(chain("azure/chat"), ["refused", OK], policy=Policy(wait=Looking(0)))

    outcome = seen[0].outcome  # type: ignore[attr-defined]
    assert outcome.failed
    assert outcome.exception().failure.fault == "refused"
    assert seen[0].attempt_number == 1  # type: ignore[attr-defined]


def test_more_retries_on_a_hop_are_had_by_asking() -> None:
    policy = Policy(max_retries=3, stop=stop_never, wait=wait_fixed(0))
    trace = replay([hop("a/chat", max_attempts=4)], ["refused"] * 3 + [OK], policy=policy)

    assert len(trace.hops) == 4


def test_no_retries_means_no_second_send_to_a_hop() -> None:
    policy = Policy(max_retries=0, wait=wait_fixed(0))
    trace = replay(chain("azure/chat"), ["refused"], policy=policy)

    assert trace.hops == ["azure/chat"]


# --- what calls learn from each other


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
@pytest.mark.parametrize("names", [THREE, ("azure/chat",), ("azure/responses", "azure/chat")])
def test_a_full_outage_costs_at_most_a_fifth_more_than_the_calls(fault: str, names: tuple[str, ...]) -> None:
    sends = outage(fault, names)

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


# --- the failure that is told


def told(*names: str) -> str:
    return worst([failure(name) for name in names]).fault


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (("server_error", "auth"), "auth"),
        (("auth", "server_error"), "auth"),
        (("rate", "server_error"), "rate"),
        (("overload", "rate"), "rate"),
        (("capability", "rate"), "capability"),
        (("reset", "read_timeout"), "read_timeout"),
        (("auth", "forbidden"), "forbidden"),
        (("empty", "reset"), "empty"),
        (("content_filter", "auth"), "content_filter"),
    ],
)
def test_the_failure_that_says_what_to_do_is_the_one_told(seen: tuple[str, ...], fault: str) -> None:
    assert told(*seen) == fault


def test_two_plans_share_nothing_but_the_domains() -> None:
    clock = Clock()
    one, other = Domains(clock), Domains(clock)
    for _ in range(5):
        replay(chain(), ["reset", OK], clock=clock, domains=one)

    assert replay(chain(), [OK], clock=clock, domains=other).hops == ["litellm/chat"]


def test_a_failure_is_a_value() -> None:
    assert Failure("rate", "rejected", 429) == Failure("rate", "rejected", 429)


# --- what stops a call, unless a hop is set up to be asked after it


WIDE = ("context_length",)


@pytest.mark.parametrize("fault", ["context_length", "content_filter", "gateway_policy"])
def test_a_hop_that_is_set_up_for_it_is_asked_after_a_refusal(fault: str) -> None:
    hops = [hop("azure/chat"), hop("other/chat"), hop("wide/chat", answers_after=(fault,))]
    trace = replay(hops, [fault, OK])

    assert trace.hops == ["azure/chat", "wide/chat"]


def test_another_refusal_than_the_one_it_is_set_up_for_ends_the_call() -> None:
    trace = replay([hop("azure/chat"), hop("wide/chat", answers_after=WIDE)], ["content_filter"])

    assert (trace.hops, trace.fault) == (["azure/chat"], "content_filter")


def test_what_was_refused_once_goes_to_no_hop_that_is_not_set_up_for_it_later_either() -> None:
    hops = [hop("azure/chat"), hop("wide/chat", answers_after=WIDE), hop("other/chat")]
    trace = replay(hops, ["context_length", "auth"])

    assert trace.hops == ["azure/chat", "wide/chat"]
    assert trace.fault == "context_length"


def test_another_api_of_the_same_deployment_may_be_set_up_for_it_too() -> None:
    hops = [hop("azure/responses", answers_after=WIDE), hop("azure/chat", answers_after=WIDE)]

    assert replay(hops, ["context_length", OK]).hops == ["azure/responses", "azure/chat"]


# --- what the server says of re-sends

AGAIN = ["azure/responses", "azure/responses"]


@pytest.mark.parametrize(("said", "hops"), [("false", ["azure/responses", "other/chat"]), ("true", AGAIN)])
def test_a_server_that_wants_no_second_send_gets_none(said: str, hops: list[str]) -> None:
    failed = failure("refused", headers={"x-should-retry": said})

    assert replay(chain("azure/responses", "other/chat"), [failed, OK]).hops == hops


def test_a_server_cannot_have_a_wrong_request_sent_again() -> None:
    trace = replay(chain(), [failure("invalid_request", headers={"x-should-retry": "true"})])

    assert (len(trace.sends), trace.fault) == (1, "invalid_request")


# --- the same hop again


@pytest.mark.parametrize("fault", [name for name, row in FAULTS.items() if row.same == "last"])
def test_what_may_have_run_is_sent_to_the_same_hop_again_only_where_no_other_is_left(fault: str) -> None:
    alone, beside = replay(chain("azure/chat"), [fault, OK]), replay(chain("azure/chat", "other/chat"), [fault, OK])

    assert alone.hops == ["azure/chat", "azure/chat"]
    assert beside.hops == ["azure/chat", "other/chat"]


def test_a_hop_that_keeps_failing_takes_no_answer_from_one_that_is_well() -> None:
    answers = {"azure/chat": "server_error", "other/chat": OK}

    assert replay(chain("azure/chat", "other/chat"), answers).gave_up is None


def test_no_second_hop_is_asked_beside_a_slow_one_once_the_deadline_has_passed() -> None:
    clock, hops = Clock(), chain("azure/chat", "other/chat")
    steps = plan(hops, fresh(clock), policy=POLICY, deadline_at=clock.now + 5.0, hedge=lambda hop: 1.0, clock=clock)
    next(steps)
    clock.now += 6.0

    assert steps.send(SLOW) is STAY


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


def test_time_is_kept_for_a_closed_hop_that_may_be_well_again() -> None:
    clock = Clock()
    domains = tripped(clock, "azure/chat")
    hops = chain("azure/chat", "other/chat")
    trace = replay(hops, [Came("read_timeout", 60.0), OK], clock=clock, domains=domains, deadline=10.0)

    assert trace.hops == ["other/chat", "azure/chat"]
    assert trace.sends[0].timeout == 5.0


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


def test_no_time_is_kept_for_a_hop_that_is_wired_wrong() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(hop("azure/chat"), failure("forbidden", status=403))
    trace = replay(chain("azure/chat", "other/chat"), [OK], clock=clock, domains=domains, deadline=10.0)

    assert [send.timeout for send in trace.sends] == [10.0]


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
