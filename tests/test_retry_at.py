"""When to come back: what a provider said is told on every error, also by calls that sent nothing because of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from client_cases import hello, quick_sandbox, settings_for

from chatsheet_llm import ChatClient, ProviderError, RateLimitedError
from chatsheet_llm.sandbox import Sandbox

NEAR = timedelta(seconds=5)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with quick_sandbox() as made:
        yield made


def failed(client: ChatClient) -> RateLimitedError:
    with pytest.raises(RateLimitedError) as caught:
        hello(client)
    return caught.value


@pytest.mark.parametrize("seconds", [20, 1000])
def test_a_call_that_sends_nothing_tells_the_time_that_the_provider_named(box: Sandbox, seconds: int) -> None:
    box.inject("azure", f"429;retry-after={seconds}")
    with ChatClient(settings_for(box), chain="azure/chat") as client:
        first, second = failed(client), failed(client)
        probed_at = client.health()[0].retry_at
    named = datetime.now(timezone.utc) + timedelta(seconds=seconds)

    assert box.hits("azure") == 1
    assert second.route.attempts == ()
    assert [error.retry_at is not None and abs(error.retry_at - named) < NEAR for error in (first, second)] == [
        True
    ] * 2
    assert probed_at is not None
    assert probed_at <= datetime.now(timezone.utc) + timedelta(seconds=min(seconds, 60) * 1.1)


def test_the_message_says_until_when_a_hop_is_closed(box: Sandbox) -> None:
    box.inject("azure", "429;retry-after=1000")
    with ChatClient(settings_for(box), chain="azure/chat") as client:
        failed(client)
        error = failed(client)

    until = f"{error.retry_at:%Y-%m-%d %H:%M:%S} UTC"
    assert f"azure/chat takes no calls until {until} after earlier failures" in str(error)


def test_an_answer_takes_the_time_back(box: Sandbox) -> None:
    box.inject("azure", "429;retry-after=1", times=1)
    with ChatClient(settings_for(box), chain="azure/chat") as client:
        hello(client)
        box.inject("azure", "500")
        with pytest.raises(ProviderError) as caught:
            hello(client)

    assert caught.value.retry_at is None
