"""What a client tells of its failure domains: names for people, states, times, and nothing secret."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from planning import Clock, failure, fresh

from chatsheet_llm.domains import Domains, price
from chatsheet_llm.health import DomainHealth

ORIGIN = "https://azure.example.com#5e1f9b"
NAMES = {ORIGIN: "azure"}


class Place:
    """A hop's place."""

    proxy, origin, surface = "", ORIGIN, f"{ORIGIN} responses codex-prod"


class Behind(Place):
    """The same, behind an HTTP proxy."""

    proxy = "http://proxy.example.com:3128"


def told(domains: Domains, names: dict[str, str] = NAMES) -> list[DomainHealth]:
    return list(domains.health(names))


def test_a_domain_that_nobody_asked_about_is_not_told_of() -> None:
    assert told(fresh(Clock())) == []


def test_an_endpoint_and_one_api_of_a_deployment_there_are_named_for_people() -> None:
    domains = fresh(Clock())
    domains.enter(Place())

    assert [(row.domain, row.endpoint, row.mode, row.deployment, row.state) for row in told(domains)] == [
        ("azure", "azure", None, None, "closed"),
        ("azure/responses codex-prod", "azure", "responses", "codex-prod", "closed"),
    ]


def test_an_open_domain_says_why_and_until_when() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.failed(Place(), failure("auth", message="no such key sk-hush"))
    row = told(domains)[0]
    clock.now += 31
    later = told(domains)[0]

    assert (row.state, row.why, row.throttled) == ("open", "the credential was refused", False)
    assert row.retry_at is not None
    assert abs(row.retry_at - datetime.now(timezone.utc) - timedelta(seconds=30)) < timedelta(seconds=2)
    assert (later.state, later.why, later.retry_at) == ("half_open", "the credential was refused", None)


def test_a_domain_that_is_closed_again_has_no_why() -> None:
    domains = fresh(Clock())
    domains.failed(Place(), failure("reset"))
    row = told(domains)[0]

    assert (row.state, row.why, row.retry_at) == ("closed", None, None)


def test_throttled_tokens_and_sends_are_told() -> None:
    domains = fresh(Clock())
    entry = domains.enter(Place())
    domains.begin(Place(), resend=False)
    domains.begin(Place(), resend=True)
    domains.failed(Place(), failure("rate", retry_after=9.0), entry)
    domains.pay(Place(), price(failure("rate")))
    origin, surface = told(domains)

    assert (origin.throttled, origin.tokens, origin.sends, origin.resends) == (True, 135.0, 2, 1)
    assert (surface.throttled, surface.tokens, surface.sends, surface.resends) == (False, None, None, None)


def test_a_proxy_is_told_of_by_its_address_and_has_no_api() -> None:
    domains = fresh(Clock())
    domains.failed(Behind(), failure("proxy"), domains.enter(Behind()))

    assert [(row.domain, row.mode, row.deployment, row.state, row.why) for row in told(domains)] == [
        ("azure", None, None, "closed", None),
        ("azure/responses codex-prod", "responses", "codex-prod", "closed", None),
        ("proxy http://proxy.example.com:3128", None, None, "open", "the HTTP proxy wants other credentials"),
    ]


@pytest.mark.parametrize("names", [NAMES, {}])
def test_nothing_told_holds_a_digest_of_the_credential_or_the_provider_s_words(names: dict[str, str]) -> None:
    domains = fresh(Clock())
    domains.failed(Place(), failure("auth", message="no such key sk-hush"))
    text = "".join(f"{row} {row!r} {json.dumps(row.as_json())}" for row in told(domains, names))

    assert "5e1f9b" not in text
    assert "hush" not in text


def test_the_text_says_in_plain_words_what_becomes_of_calls() -> None:
    clock = Clock()
    domains = fresh(clock)
    domains.enter(Place())
    well = str(told(domains)[0])
    domains.failed(Place(), failure("auth"))
    ill = told(domains)[0]
    clock.now += 31
    later = str(told(domains)[0])

    assert well == "azure takes calls"
    assert ill.retry_at is not None
    assert str(ill) == f"azure takes no calls until {ill.retry_at:%H:%M:%S} UTC: the credential was refused"
    assert later == "azure takes one call, to see whether it is well again: the credential was refused"


def test_as_json_is_json_and_reads_like_the_value() -> None:
    domains = fresh(Clock())
    domains.failed(Place(), failure("auth"))
    row = told(domains)[0]
    read = json.loads(json.dumps(row.as_json()))

    assert read["domain"] == "azure"
    assert read["state"] == "open"
    assert row.retry_at is not None
    assert datetime.fromisoformat(read["retry_at"]) == row.retry_at
