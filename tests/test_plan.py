"""The plan: what is tried next after each fault, what it costs, and when it stops.  A fake clock, no sockets."""

from __future__ import annotations

import pytest
from planning import OK, POLICY, Came, Clock, chain, failure, faults_of, fresh, hop, replay
from tenacity import stop_after_attempt, stop_after_delay, stop_never, wait_fixed

from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains
from chatsheet_llm.faults import FAULTS
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import SLOW, STAY, Policy, worst

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
    "proxy_timeout": ("azure/responses", "other/chat"),
    "credential": ("azure/responses", "other/chat"),
    "pool": ("azure/responses",),
    "encode": ("azure/responses",),
    "unsendable": ("azure/responses",),
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
    "locked": ("azure/responses", "azure/responses"),
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
