"""Failure domains: which faults close an origin, which only a surface, and for how long.  A fake clock."""

from __future__ import annotations

import pytest
from planning import Clock, failure, fresh, hop

from chatsheet_llm.domains import LONGEST_HINT, price
from chatsheet_llm.faults import FAULTS

RESPONSES, CHAT = hop("azure/responses"), hop("azure/chat")
ELSEWHERE = hop("other/chat")

# What closes, on which domain, and for how long in seconds: one line for every row of the fault table.
AT_ONCE: dict[str, tuple[str, float]] = {
    "tls_trust": ("origin", 300.0),
    "proxy": ("origin", 300.0),
    "proxy_denied": ("origin", 300.0),
    "redirect": ("origin", 300.0),
    "forbidden": ("origin", 300.0),
    "quota": ("origin", 300.0),
    "auth": ("origin", 30.0),
    "capability": ("surface", 300.0),
    "not_implemented": ("surface", 300.0),
    "deployment": ("surface", 30.0),
    "unknown_model": ("surface", 30.0),
}
AFTER_FIVE: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("dns", "dns_busy", "proxy_failed", "refused", "connect"), ("origin", 5.0)),
    **dict.fromkeys(("connect_timeout", "credential"), ("origin", 5.0)),
    **dict.fromkeys(("write_timeout", "read_timeout", "reset"), ("origin", 5.0)),
    **dict.fromkeys(("html", "garbage", "no_stream", "truncated", "bad_event", "stream_error"), ("origin", 5.0)),
    **dict.fromkeys(("rate", "overload"), ("origin", 5.0)),
    "cooldown": ("surface", 5.0),
    **dict.fromkeys(("timeout_408", "server_error", "bad_gateway", "gateway_timeout"), ("origin", 5.0)),
    **dict.fromkeys(("no_content", "encoded", "response_too_large", "large_event"), ("origin", 5.0)),
    **dict.fromkeys(("contentless", "unfinished", "tool_arguments", "sequence"), ("surface", 5.0)),
    **dict.fromkeys(("empty", "schema", "dependency"), ("surface", 5.0)),
}
NEVER = (
    *("stale", "pool", "encode", "early", "client_closed", "deadline", "content_filter", "gateway_policy"),
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
        domains.failed(RESPONSES, failure(fault))

    assert set(domains.snapshot().values()) == {"closed"}


def test_a_quarantine_ends_with_one_probe() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("auth"))
    clock.now += 30.0

    assert domains.permits(RESPONSES)
    assert domains.enter(RESPONSES)
    assert not domains.enter(RESPONSES)


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


def test_a_limit_without_a_hint_closes_nothing_yet() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("rate"))

    assert domains.permits(RESPONSES)


def test_a_broken_hop_is_not_called_throttled() -> None:
    domains = fresh(Clock())
    for _ in range(5):
        domains.failed(RESPONSES, failure("reset"))

    assert not domains.throttled(RESPONSES)


def test_a_hop_with_a_broken_surface_is_not_throttled_by_its_origin_alone() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("capability"))
    domains.failed(CHAT, failure("rate", retry_after=5.0))

    assert domains.throttled(CHAT)
    assert not domains.throttled(RESPONSES)


def test_an_answer_closes_both_domains() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("auth"))
    domains.enter(RESPONSES, early=True)
    domains.succeeded(RESPONSES)

    assert set(domains.snapshot().values()) == {"closed"}


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

    assert not domains.enter(RESPONSES)
    assert domains.enter(CHAT)


def test_an_abandoned_attempt_gives_its_probe_back() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(RESPONSES, failure("auth"))
    clock.now += 31
    domains.enter(RESPONSES)
    domains.abandoned(RESPONSES)

    assert domains.enter(RESPONSES)


def test_why_a_hop_is_closed_can_be_told() -> None:
    domains = fresh(Clock())
    domains.failed(RESPONSES, failure("auth", message="no such key"))

    why = domains.why(CHAT)
    assert why is not None
    assert why.message == "no such key"
    assert domains.why(ELSEWHERE) is None


def test_limits_cost_less_than_faults() -> None:
    assert {price(failure(name)) for name, row in FAULTS.items() if row.kind in ("rate", "overload")} == {5.0}
    assert {price(failure(name)) for name, row in FAULTS.items() if row.kind not in ("rate", "overload")} == {14.0}


def test_each_origin_has_a_budget_of_its_own() -> None:
    domains = fresh(Clock())
    while domains.pay(RESPONSES, failure("reset")):
        pass

    assert not domains.pay(CHAT, failure("reset"))
    assert domains.pay(ELSEWHERE, failure("reset"))
