"""How long an attempt may take and whom a timeout blames; what stays on its hop; what a caller may see of a hop."""

from __future__ import annotations

import time

import httpx2
import openai
import pytest
from client_cases import settings_for
from openai import LengthFinishReasonError
from pydantic import BaseModel

from chatsheet_llm import ChatClient, DeadlineExceededError, RateLimitedError, errors, route_of
from chatsheet_llm.sandbox import Sandbox

MESSAGES = [{"role": "user", "content": "Hello"}]


class Answer(BaseModel):
    text: str


def hello(client, **options):
    return client.chat.completions.create(**{"model": "gpt-4o", "messages": MESSAGES, **options})


# --- time


def test_a_caller_who_gives_an_attempt_its_time_gets_it_from_the_first_hop(box):
    box.inject("litellm", "slow:0.6")
    with ChatClient(settings_for(box), deadline=0.5) as client:
        answer = hello(client.with_options(timeout=1.0))

    assert [attempt.outcome for attempt in route_of(answer).attempts] == ["ok"]


def test_without_a_timeout_half_of_the_deadline_is_kept_for_another_origin(box):
    box.inject("litellm", "stall")
    with ChatClient(settings_for(box), deadline=0.6) as client:
        route = route_of(hello(client))

    assert [attempt.outcome for attempt in route.attempts] == ["read_timeout", "ok"]
    assert 0.25 < route.attempts[0].seconds < 0.58


def test_no_time_is_kept_for_an_origin_that_is_closed(box):
    box.inject("azure", "403:firewall")
    with ChatClient(settings_for(box), deadline=1.0) as client:
        with pytest.raises(errors.PermissionDeniedError):
            hello(client.with_chain("azure/chat"))
        box.inject("litellm", "slow:0.6")
        answer = hello(client)

    assert [attempt.hop for attempt in route_of(answer).attempts] == ["litellm/chat"]


def test_an_impatient_caller_opens_no_breaker_for_the_others(box):
    box.inject("litellm", "slow:0.2")
    with ChatClient(settings_for(box), chain="litellm") as client:
        for _ in range(6):
            with pytest.raises(openai.APITimeoutError):
                hello(client, timeout=0.05)

        assert {row.state for row in client.health()} == {"closed"}
        assert route_of(hello(client)).hop == "litellm/chat"


def test_a_timeout_that_is_set_on_the_client_later_counts(box):
    box.inject("litellm", "slow:0.5")
    with ChatClient(settings_for(box), chain="litellm") as client:
        client.timeout = 0.1
        begun = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            hello(client)

    assert time.monotonic() - begun < 0.48


def test_the_parts_of_a_timeout_reach_the_hop():
    seen = {}

    def answer(request):
        seen.update(request.extensions["timeout"])
        raise httpx2.ConnectError("no")

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http, Sandbox() as box:
        client = ChatClient(settings_for(box), chain="litellm", http_client=http)
        with pytest.raises(errors.HopConnectionError):
            hello(client, timeout=httpx2.Timeout(30, connect=0.5, write=2, pool=0.1))

    assert seen == pytest.approx({"connect": 0.5, "read": 30.0, "write": 2, "pool": 0.1}, rel=0.01)


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf"), 10**400, True])
def test_a_deadline_that_is_none_is_refused(box, deadline):
    with ChatClient(settings_for(box)) as client, pytest.raises(errors.SettingsError, match="deadline must be"):
        client.copy(deadline=deadline)


@pytest.mark.parametrize(("retries", "sends"), [(0, 1), (1, 2), (4, 5)])
@pytest.mark.parametrize("chain", ["litellm", "azure/chat"])
def test_the_number_of_retries_that_a_caller_names_holds_for_every_hop(box, chain, retries, sends):
    box.inject(chain.partition("/")[0], "503;retry-after-ms=10")
    with ChatClient(settings_for(box), chain=chain) as client, pytest.raises(errors.OverloadedError) as caught:
        hello(client.with_options(max_retries=retries))

    assert len(caught.value.route.attempts) == sends


def test_a_gateway_is_asked_but_once_where_nobody_named_a_number(box):
    box.inject("litellm", "503")
    with ChatClient(settings_for(box), chain="litellm") as client, pytest.raises(errors.OverloadedError) as caught:
        hello(client)

    assert len(caught.value.route.attempts) == 1


def test_a_call_that_is_kept_from_a_throttled_hop_says_when_to_come_back(box):
    box.inject("azure", "429;retry-after=30")
    with ChatClient(settings_for(box), chain="azure/chat", deadline=1) as client:
        for sends in (1, 0):
            with pytest.raises(RateLimitedError) as caught:
                hello(client)

            assert caught.value.route.sends == sends
            assert caught.value.retry_at is not None


def test_a_hop_that_hangs_is_named_when_the_deadline_passes(box):
    box.inject("litellm", "stall")
    client = ChatClient(settings_for(box), chain="litellm", deadline=0.3)
    with client, pytest.raises(DeadlineExceededError, match="litellm/chat read_timeout"):
        hello(client)


# --- what only one endpoint knows


@pytest.mark.parametrize("state", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_a_call_that_goes_on_from_stored_state_stays_on_its_hop(box, state):
    box.inject("litellm", "503")
    with ChatClient(settings_for(box)) as client, pytest.raises(errors.OverloadedError):
        client.responses.create(model="gpt-5", input="Go on", **state)

    assert box.hits("azure/responses") == 0


# --- what a caller sees


@pytest.mark.parametrize("resource", ["models", "embeddings"])
def test_a_streaming_response_of_a_whole_reply_can_be_read_and_fails_over(box, resource):
    box.inject("litellm", "503")
    with ChatClient(settings_for(box)) as client:
        made = {
            "models": lambda: client.models.with_streaming_response.list(),
            "embeddings": lambda: client.embeddings.with_streaming_response.create(
                model="text-embedding-3-small", input="x"
            ),
        }[resource]()
        with made as response:
            whole = response.parse()

        assert whole.data
        assert [attempt.endpoint for attempt in route_of(response).attempts] == ["litellm", "azure"]


def test_no_configured_header_shows_on_the_request_that_is_handed_on(box):
    planted = "canary-subscription-key"
    settings = settings_for(box, endpoints={"litellm": {"headers": {"Ocp-Apim-Subscription-Key": planted}}})
    with ChatClient(settings) as client:
        raw = client.models.with_raw_response.list()

    assert box.requests[-1].headers["ocp-apim-subscription-key"] == planted
    assert planted not in str(raw.http_request.headers.raw)


def test_a_key_that_a_server_echoes_is_taken_out_of_its_error():
    def echo(request):
        return httpx2.Response(
            400, json={"error": {"message": f"bad: {request.headers['authorization']}", "code": "x"}}
        )

    with httpx2.Client(transport=httpx2.MockTransport(echo)) as http, Sandbox(api_key="canary key 42") as box:
        client = ChatClient(settings_for(box), chain="litellm", http_client=http)
        with pytest.raises(errors.BadRequestError) as caught:
            hello(client)

    assert "canary key 42" not in f"{caught.value} {caught.value.body} {caught.value.response.text}"


def test_an_error_that_the_sdk_raises_of_a_reply_carries_the_route(box):
    with ChatClient(settings_for(box)) as client, pytest.raises(LengthFinishReasonError) as caught:
        client.chat.completions.parse(model="gpt-4o", messages=MESSAGES, response_format=Answer, max_tokens=1)

    assert route_of(caught.value).hop == "litellm/chat"


def test_the_domains_of_very_many_models_are_not_kept_forever(box):
    with ChatClient(settings_for(box)) as client:
        domains = client._core.domains
        for number in range(5000):
            domains.breaker(f"origin chat model-{number}").succeeded()

    assert len(domains.snapshot()) <= 2000
