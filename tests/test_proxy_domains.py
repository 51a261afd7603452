"""An HTTP proxy as a failure domain: what its faults close, and what the hops behind it tell of it.  A fake clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning import OK, Clock, failure, fresh, hop, replay

from chatsheet_llm.domains import Domains, Entry

CHAT, ELSEWHERE = hop("azure/chat"), hop("other/chat")
PROXY = "http://proxy:3128"
BEHIND = tuple(replace(each, proxy=PROXY) for each in (hop("azure/responses"), CHAT, ELSEWHERE))
"""Two origins behind one HTTP proxy; the others have none."""


def entered(domains: Domains, where: object, *, early: bool = False) -> Entry:
    """Enter; return what is to be handed back."""
    entry = domains.enter(where, early=early)  # type: ignore[arg-type]
    assert entry is not None, "the hop is closed"
    return entry


@pytest.mark.parametrize(
    ("fault", "times"), [("proxy", 1), ("proxy_denied", 1), ("proxy_failed", 5), ("proxy_timeout", 5)]
)
def test_what_a_proxy_did_closes_all_that_lies_behind_it_and_nothing_else(fault: str, times: int) -> None:
    domains = fresh(Clock())
    for _ in range(times):
        domains.failed(BEHIND[0], failure(fault))

    assert [domains.permits(each) for each in BEHIND] == [False] * 3
    assert [domains.permits(each) for each in (CHAT, ELSEWHERE)] == [True] * 2
    assert domains.permits(replace(CHAT, proxy="http://other:3128"))
    assert [domains.fault(key) for key in (f"proxy {PROXY}", CHAT.origin)] == [fault, None]


def test_a_call_leaves_all_that_lies_behind_a_proxy_and_asks_what_does_not() -> None:
    hops = [BEHIND[1], BEHIND[2], hop("direct/chat")]
    closed = replay(hops, ["proxy", OK])
    open_yet = replay(hops, ["proxy_failed", "proxy_failed", OK])

    assert closed.hops == ["azure/chat", "direct/chat"]
    assert open_yet.hops == ["azure/chat", "azure/chat", "direct/chat"]


def test_two_origins_behind_one_proxy_have_one_probe_together() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(BEHIND[1], failure("proxy"))
    clock.now += 301
    entry = entered(domains, BEHIND[1])
    beside = domains.enter(BEHIND[2], early=True)
    domains.succeeded(BEHIND[1], entry=entry)

    assert beside is None
    assert [domains.permits(each) for each in BEHIND] == [True] * 3


def test_an_origin_that_refuses_shows_that_the_proxy_lets_calls_through() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(BEHIND[1], failure("proxy"))
    clock.now += 301
    domains.failed(BEHIND[1], failure("auth"), entered(domains, BEHIND[1]))

    assert domains.breaker(f"proxy {PROXY}").state == "closed"
    assert domains.permits(BEHIND[2])
    assert not domains.permits(BEHIND[1])


def test_a_proxy_that_refuses_says_nothing_of_the_origin() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(CHAT, failure("auth"))
    clock.now += 31
    domains.failed(BEHIND[1], failure("proxy_denied", status=403), entered(domains, BEHIND[1]))

    assert domains.breaker(CHAT.origin).state == "half_open"
    assert domains.enter(CHAT) is not None


def test_a_connection_that_breaks_behind_a_proxy_says_nothing_of_the_proxy() -> None:
    domains = fresh(Clock())
    for _ in range(5):
        domains.failed(BEHIND[1], failure("reset", status=None))

    assert not domains.permits(BEHIND[1])
    assert domains.permits(BEHIND[2])
