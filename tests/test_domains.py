"""Failure domains: which faults close an origin, which only a surface, and for how long.  A fake clock."""

from __future__ import annotations

import pytest
from planning import OK, Clock, failure, fresh, hop, replay

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.domains import LONGEST_HINT, Domains, Entry, price
from chatsheet_llm.faults import FAULTS

RESPONSES, CHAT = hop("azure/responses"), hop("azure/chat")
ELSEWHERE = hop("other/chat")

# What closes, on which domain, and for how long in seconds: one line for every row of the fault table.  Of these hops
# none has a proxy: what one did is the origin's.
AT_ONCE: dict[str, tuple[str, float]] = {
    "tls_trust": ("origin", 300.0),
    "proxy": ("origin", 300.0),
    "proxy_denied": ("origin", 300.0),
    "redirect": ("origin", 300.0),
    "forbidden": ("origin", 300.0),
    "quota": ("origin", 300.0),
    "rate": ("origin", 1.0),
    "auth": ("origin", 30.0),
    "capability": ("surface", 300.0),
    "not_implemented": ("surface", 300.0),
    "deployment": ("surface", 30.0),
    "unknown_model": ("surface", 30.0),
}
AFTER_FIVE: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("dns", "dns_busy", "proxy_failed", "refused", "connect"), ("origin", 5.0)),
    **dict.fromkeys(("connect_timeout", "proxy_timeout", "credential"), ("origin", 5.0)),
    **dict.fromkeys(("write_timeout", "read_timeout", "reset"), ("origin", 5.0)),
    **dict.fromkeys(("html", "garbage", "no_stream", "truncated", "bad_event", "stream_error"), ("origin", 5.0)),
    "overload": ("origin", 5.0),
    "cooldown": ("surface", 5.0),
    **dict.fromkeys(("timeout_408", "server_error", "bad_gateway", "gateway_timeout"), ("origin", 5.0)),
    **dict.fromkeys(("no_content", "encoded", "response_too_large", "large_event"), ("origin", 5.0)),
    **dict.fromkeys(("contentless", "unfinished", "tool_arguments", "sequence"), ("surface", 5.0)),
    **dict.fromkeys(("empty", "schema", "dependency"), ("surface", 5.0)),
}
NEVER = (
    *("stale", "pool", "encode", "early", "locked", "client_closed", "deadline", "content_filter", "gateway_policy"),
    "unsendable",
    *(
        "tools_on_chat",
        "streaming",
        "state",
        "invalid_request",
        "context_length",
        "not_found",
        "conflict",
        "too_large",
        "unprocessable",
    ),
)


def entered(domains: Domains, where: object = RESPONSES, *, early: bool = False) -> Entry:
    """Enter; return what is to be handed back."""
    entry = domains.enter(where, early=early)  # type: ignore[arg-type]
    assert entry is not None, "the hop is closed"
    return entry


def test_every_row_of_the_fault_table_is_here_once() -> None:
    assert sorted([*AT_ONCE, *AFTER_FIVE, *NEVER]) == sorted(FAULTS)


@pytest.mark.parametrize(("fault", "closed"), [*AT_ONCE.items(), *AFTER_FIVE.items()], ids=lambda value: str(value))
def test_what_a_fault_closes_and_for_how_long(fault: str, closed: tuple[str, float]) -> None:
    clock = Clock()
    domains = fresh(clock)
    reach, seconds = closed
    for _ in range(4 if fault in AFTER_FIVE else 0):
        domains.failed(RESPONSES, failure(fault))
        assert domains.permits(RESPONSES)
    domains.failed(RESPONSES, failure(fault))

    assert not domains.permits(RESPONSES)
    assert domains.permits(CHAT) == (reach == "surface")
    assert domains.permits(ELSEWHERE)
    assert domains.reopens_at(RESPONSES) == clock.now + seconds


@pytest.mark.parametrize("fault", NEVER)
def test_faults_that_condemn_nobody_close_nothing(fault: str) -> None:
    domains = fresh(Clock())
    for _ in range(20):
        domains.failed(RESPONSES, failure(fault), entered(domains))

    assert set(domains.snapshot().values()) == {"closed"}


def test_a_quarantine_ends_with_one_probe() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("auth"))
    clock.now += 30.0

    assert domains.permits(RESPONSES)
    assert domains.enter(RESPONSES) is not None
    assert domains.enter(RESPONSES) is None


def test_a_hint_closes_the_origin_until_then() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("rate", retry_after=12.0))

    assert domains.throttled(RESPONSES)
    assert domains.throttled(CHAT)
    assert domains.reopens_at(CHAT) == clock.now + 12.0


@pytest.mark.parametrize("hint", [61.0, 86400.0, 1e12])
def test_a_long_hint_is_believed_for_a_minute(hint: float) -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("rate", retry_after=hint))

    assert domains.reopens_at(RESPONSES) == clock.now + LONGEST_HINT


@pytest.mark.parametrize("hint", [None, 0.0])
def test_a_limit_without_a_hint_closes_the_origin_for_a_second_and_forbids_nothing(hint: float | None) -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("rate", retry_after=hint))

    assert domains.reopens_at(CHAT) == clock.now + 1.0
    assert (domains.throttled(CHAT), domains.waits(CHAT)) == (True, False)


@pytest.mark.parametrize("hint", [None, 0.0])
def test_an_overload_without_a_hint_closes_nothing_at_once(hint: float | None) -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("overload", retry_after=hint))

    assert domains.permits(RESPONSES)


def test_a_limit_holds_until_a_probe_was_answered_and_forbids_one_until_its_time() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(CHAT, failure("rate", retry_after=5.0))
    before = domains.throttled(CHAT), domains.waits(CHAT)
    clock.now += 5.1
    due = domains.throttled(CHAT), domains.waits(CHAT)
    domains.succeeded(CHAT, entry=entered(domains, CHAT))

    assert (before, due) == ((True, True), (True, False))
    assert (domains.throttled(CHAT), domains.waits(CHAT)) == (False, False)


def test_an_overload_with_a_hint_is_waited_for() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("overload", retry_after=7.0))

    assert domains.reopens_at(CHAT) == clock.now + 7.0
    assert domains.throttled(CHAT)


def test_a_spent_quota_is_not_waited_for() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("quota"))

    assert (domains.throttled(RESPONSES), domains.waits(RESPONSES)) == (False, False)


def test_limits_that_name_no_time_double_with_every_probe() -> None:
    clock = Clock()
    domains = fresh(clock)
    times = []
    for _ in range(4):
        clock.now = max(clock.now, domains.reopens_at(CHAT))
        domains.failed(CHAT, failure("rate"), entered(domains, CHAT))
        times.append(domains.reopens_at(CHAT) - clock.now)

    assert times == [1.0, 2.0, 4.0, 8.0]


def test_a_broken_hop_is_not_called_throttled() -> None:
    domains = fresh(Clock())
    for _ in range(5):
        domains.failed(RESPONSES, failure("reset"))

    assert (domains.throttled(RESPONSES), domains.waits(RESPONSES)) == (False, False)


def test_a_hop_with_a_broken_surface_is_not_throttled_by_its_origin_alone() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("capability"))
    domains.failed(CHAT, failure("rate", retry_after=5.0))

    assert (domains.throttled(CHAT), domains.waits(CHAT)) == (True, True)
    assert (domains.throttled(RESPONSES), domains.waits(RESPONSES)) == (False, True)


def test_a_broken_api_of_a_limited_origin_is_neither_probed_early_nor_waited_for() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("unknown_model"))
    domains.failed(CHAT, failure("rate", retry_after=5.0))
    trace = replay([RESPONSES], [], clock=clock, domains=domains)

    assert (trace.hops, trace.waits, trace.fault) == ([], [], "unknown_model")


@pytest.mark.parametrize("first", ["forbidden", "rate"])
def test_an_origin_that_is_closed_for_longer_than_its_limit_is_not_probed_before_that_is_over(first: str) -> None:
    clock = Clock()
    domains = fresh(clock)
    for fault in ("forbidden", "rate") if first == "forbidden" else ("rate", "forbidden"):
        domains.failed(CHAT, failure(fault, retry_after=5.0))
    limited = replay([CHAT], [], clock=clock, domains=domains)
    clock.now += 5.0
    after = replay([CHAT], [OK], clock=clock, domains=domains)

    assert (limited.hops, limited.waits) == ([], [])
    assert after.hops == ["azure/chat"]


def test_once_the_limit_is_over_a_broken_api_is_probed_early_again() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("unknown_model"))
    domains.failed(CHAT, failure("rate", retry_after=5.0))
    clock.now += 5.0
    trace = replay([RESPONSES], [OK], clock=clock, domains=domains)

    assert (trace.hops, trace.waits) == (["azure/responses"], [])


def test_a_probe_that_is_answered_closes_both_domains() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("auth"))
    domains.failed(RESPONSES, failure("capability"))
    domains.succeeded(RESPONSES, entry=entered(domains, early=True))

    assert set(domains.snapshot().values()) == {"closed"}
    assert domains.why(RESPONSES) is None


def test_a_refusal_of_one_api_proves_that_the_origin_lives() -> None:
    clock = Clock()
    domains = fresh(clock)
    for _ in range(6):
        domains.succeeded(CHAT)
    for _ in range(4):
        domains.failed(CHAT, failure("reset"))
    domains.failed(RESPONSES, failure("capability"))
    domains.failed(CHAT, failure("reset"))

    assert domains.permits(CHAT)


def test_half_a_claim_is_given_back() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("auth"))
    domains.failed(RESPONSES, failure("capability"))
    clock.now += 31  # the origin's quarantine is over, the surface's is not

    assert domains.enter(RESPONSES) is None
    assert domains.enter(CHAT) is not None


def test_where_another_call_probes_the_api_the_probe_of_the_origin_is_given_back() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("capability"))
    entered(domains, early=True)
    domains.failed(CHAT, failure("auth"))
    clock.now += 31

    assert domains.enter(RESPONSES, early=True) is None
    assert domains.enter(CHAT) is not None


def test_an_abandoned_attempt_gives_its_probe_back() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("auth"))
    clock.now += 31
    domains.abandoned(RESPONSES, entered(domains))

    assert domains.enter(RESPONSES) is not None


@pytest.mark.parametrize("fault", NEVER)
def test_a_probe_that_meets_a_fault_of_nobody_s_is_given_back(fault: str) -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("auth"))
    clock.now += 31
    domains.failed(RESPONSES, failure(fault), entered(domains))

    assert domains.breaker(RESPONSES.origin).state == "half_open"
    assert domains.enter(RESPONSES) is not None


# --- what is told, and what it costs


def test_why_a_hop_is_closed_can_be_told_without_the_words_of_the_provider() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("auth", message="no such key", body={"error": "no such key"}, headers={"x": "y"}))

    why = domains.why(CHAT)
    assert why is not None
    assert (why.fault, why.message, why.body, why.headers) == ("auth", None, None, {})
    assert domains.why(ELSEWHERE) is None


def test_only_the_domain_that_a_fault_condemns_has_it_as_its_reason() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("capability"))
    domains.failed(ELSEWHERE, failure("auth"))

    assert [domains.fault(key) for key in (RESPONSES.origin, RESPONSES.surface)] == [None, "capability"]
    assert [domains.fault(key) for key in (ELSEWHERE.origin, ELSEWHERE.surface)] == ["auth", None]
    assert domains.why(CHAT) is None


def test_limits_cost_less_than_faults() -> None:
    assert {price(failure(name)) for name, row in FAULTS.items() if row.kind in ("rate", "overload")} == {5.0}
    assert {price(failure(name)) for name, row in FAULTS.items() if row.kind not in ("rate", "overload")} == {14.0}


def test_each_origin_has_a_budget_of_its_own() -> None:
    domains = fresh(Clock())
    while domains.pay(RESPONSES, price(failure("reset"))):
        pass

    assert not domains.pay(CHAT, price(failure("reset")))
    assert domains.pay(ELSEWHERE, price(failure("reset")))


def test_what_resends_cost_goes_back_to_the_origin_that_paid() -> None:
    domains = fresh(Clock())
    domains.pay(RESPONSES, price(failure("reset")))
    domains.pay(ELSEWHERE, price(failure("reset")))
    domains.succeeded(ELSEWHERE, {RESPONSES.origin: 14.0})

    assert [domains.bucket(each.origin).left() for each in (RESPONSES, ELSEWHERE)] == [CAPACITY, CAPACITY - 14.0]


def test_an_answer_that_cost_nothing_earns_its_own_origin_the_reward() -> None:
    domains = fresh(Clock())
    domains.pay(RESPONSES, price(failure("reset")))
    domains.pay(ELSEWHERE, price(failure("reset")))
    domains.succeeded(ELSEWHERE)

    assert [domains.bucket(each.origin).left() for each in (RESPONSES, ELSEWHERE)] == [CAPACITY - 14.0, CAPACITY - 13.0]


def test_a_call_that_is_answered_elsewhere_gives_every_origin_back_what_it_paid() -> None:
    clock = Clock()
    domains = fresh(clock)
    hops = [hop("first/chat"), hop("second/chat"), hop("third/chat")]
    for each in hops:
        domains.pay(each, price(failure("reset")))
    trace = replay(hops, ["refused", "refused", "refused", OK], clock=clock, domains=domains)

    assert trace.hops == ["first/chat", "first/chat", "second/chat", "second/chat"]
    assert [domains.bucket(each.origin).left() for each in hops] == [pytest.approx(CAPACITY - 14.0, abs=0.1)] * 3
