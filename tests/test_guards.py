"""What is remembered of very many failure domains, and until when."""

from __future__ import annotations

import pytest
from planning import Clock, failure, fresh, hop

from chatsheet_llm import guards
from chatsheet_llm.classify import Failure


def test_closed_domains_are_forgotten_once_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "MOST", 10)
    domains = fresh(Clock())
    for number in range(50):
        domains.permits(hop(f"place{number}/chat"))

    assert len(domains.snapshot()) <= 11


def test_what_is_not_closed_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "MOST", 10)
    domains = fresh(Clock())
    broken = hop("broken/chat")
    domains.failed(broken, failure("forbidden"))
    for number in range(50):
        domains.permits(hop(f"place{number}/chat"))

    assert not domains.permits(broken)
    assert domains.fault(broken.origin) == "forbidden"


def test_a_time_that_a_server_named_is_forgotten_with_an_answer() -> None:
    clock = Clock()
    domains, asked = fresh(clock), hop("azure/chat")
    domains.failed(asked, Failure("rate", "rejected", status=429, retry_after=30.0))
    named = domains.named_at(asked)
    clock.now += 61.0
    domains.succeeded(asked, entry=domains.enter(asked))

    assert named == pytest.approx(1030.0)
    assert domains.named_at(asked) == 0.0
