"""Tokens that a function gives: asked for at every request, within its time, and missed with a clear word."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from either import KINDS, Either, Kind, settings_at, well
from fault_server import FaultServer, Reply
from ticking import ticking

from chatsheet_llm import AsyncChatClient, Settings, errors, route_of
from chatsheet_llm.endpoints.tokens import passing

pytestmark = pytest.mark.usefixtures("no_certificates")
both = pytest.mark.parametrize("kind", KINDS)
CLAUDE = (
    b'{"id":"m1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hi"}],'
    b'"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
)


class Listening:
    """A server that answers in both formats and remembers the credentials it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[str | None, str | None]] = []
        self.reply: Reply | None = None
        self.server = FaultServer(answer=self._answer)
        self.url = self.server.url

    def _answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.seen.append((headers.get("authorization"), headers.get("api-key")))
        if self.reply is not None:
            return self.reply
        return (
            Reply(200, {"content-type": "application/json"}, CLAUDE)
            if "messages" in path
            else well(path, headers, body)
        )


@pytest.fixture
def server() -> Iterator[Listening]:
    made = Listening()
    with made.server:
        yield made


def settings(url: str, provider: object, shape: str = "azure", **more: object) -> Any:
    """Settings of one endpoint that takes tokens."""
    shapes: dict[str, dict[str, object]] = {
        "azure": {"kind": "azure", "modes": ["chat"]},
        "azure, dated": {"kind": "azure", "modes": ["chat"], "api_version": "2025-04-01-preview"},
        "foundry": {"kind": "anthropic_foundry"},
    }
    return settings_at(
        endpoints={"first": {**shapes[shape], "base_url": url, "ad_token": provider}}, **{"chain": "first", **more}
    )


class Provider:
    """Gives what it is told, one after the other; the last again and again.  Raises what is an exception."""

    def __init__(self, *gives: object) -> None:
        self.gives, self.calls = list(gives), 0

    def __call__(self) -> Any:
        self.calls += 1
        given = self.gives.pop(0) if len(self.gives) > 1 else self.gives[0]
        if isinstance(given, Exception):
            raise given
        return given


class HttpResponseError(Exception):
    """Looks like azure-core's."""

    def __init__(self, status: int) -> None:
        super().__init__("the identity endpoint answered")
        self.status_code = status


# --- a token


@pytest.mark.parametrize("shape", ["azure", "azure, dated", "foundry"])
@both
def test_every_request_carries_the_token_of_its_time_and_no_key(kind: Kind, shape: str, server: Listening) -> None:
    provider = Provider("token-1", "token-2")
    with Either(kind, settings(server.url, provider, shape)) as made:
        made.hello()
        made.hello()

    assert server.seen == [("Bearer token-1", None), ("Bearer token-2", None)]


@pytest.mark.parametrize("shape", ["azure", "azure, dated", "foundry"])
def test_an_asynchronous_client_takes_an_asynchronous_provider(shape: str, server: Listening) -> None:
    async def provider() -> str:
        await asyncio.sleep(0)
        return "token-a"

    with Either("async", settings(server.url, provider, shape)) as made:
        made.hello()

    assert server.seen == [("Bearer token-a", None)]


def test_a_provider_that_takes_its_time_does_not_block_the_event_loop(server: Listening) -> None:
    def provider() -> str:
        time.sleep(0.3)
        return "token"

    async def call() -> int:
        async with AsyncChatClient(settings(server.url, provider)) as client:
            with ticking() as ticks:
                await client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}])
        return ticks.count

    assert asyncio.run(call()) > 10


# --- no token


def gone() -> str:
    raise ValueError("no credential is configured\nwith a long trace of what was tried")


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        (gone, "ValueError: no credential is configured$"),
        (Provider(HttpResponseError(400)), "HttpResponseError"),
        (Provider(""), "gave no token"),
        (Provider("  "), "gave no token"),
        (Provider(None), "gave no token"),
        (Provider(b"bytes-token"), "gave no token"),
    ],
    ids=["raises", "refused", "empty", "blank", "nothing", "bytes"],
)
@pytest.mark.parametrize("shape", ["azure", "azure, dated", "foundry"])
@both
def test_a_provider_without_a_token_is_told_and_nothing_is_sent(
    kind: Kind, shape: str, provider: Callable[[], Any], says: str, server: Listening
) -> None:
    with (
        Either(kind, settings(server.url, provider, shape)) as made,
        pytest.raises(errors.AuthenticationError) as caught,
    ):
        made.hello()

    (attempt,) = caught.value.route.attempts
    assert (attempt.outcome, attempt.send_state) == ("credential", "not_sent")
    assert re.search(says, str(attempt.reason))
    assert "bytes-token" not in str(caught.value)
    assert server.seen == []


@both
def test_another_origin_answers_where_there_is_no_token(kind: Kind, server: Listening) -> None:
    endpoints = {
        "first": {"kind": "azure", "modes": ["chat"], "base_url": server.url, "ad_token": Provider("")},
        "second": {"kind": "azure", "modes": ["chat"], "base_url": server.url, "api_key": "key"},
    }
    with Either(kind, settings_at(endpoints=endpoints, chain="first,second")) as made:
        route = route_of(made.hello())

    assert [attempt.outcome for attempt in route.attempts] == ["credential", "ok"]
    assert server.seen == [(None, "key")]


@pytest.mark.parametrize("error", [HttpResponseError(503), ConnectionResetError("reset"), TimeoutError("slow")])
@both
def test_a_provider_in_passing_trouble_is_asked_once_more(kind: Kind, error: Exception, server: Listening) -> None:
    provider = Provider(error, "token")
    with Either(kind, settings(server.url, provider)) as made:
        route = route_of(made.hello())

    assert provider.calls == 2
    assert [attempt.outcome for attempt in route.attempts] == ["ok"]


@both
def test_and_no_more_than_once(kind: Kind, server: Listening) -> None:
    provider = Provider(HttpResponseError(500))
    with Either(kind, settings(server.url, provider)) as made, pytest.raises(errors.AuthenticationError):
        made.hello()

    assert provider.calls == 2


@both
def test_a_provider_that_hangs_is_left_at_the_deadline(kind: Kind, server: Listening) -> None:
    over = threading.Event()

    def provider() -> str:
        over.wait()
        return "late"

    with Either(kind, settings(server.url, provider), deadline=0.3) as made:
        begun = time.monotonic()
        with pytest.raises(errors.DeadlineExceededError, match="credential"):
            made.hello()
        took = time.monotonic() - begun
    over.set()

    assert took < 0.55
    assert server.seen == []


def test_an_asynchronous_provider_is_nothing_for_a_synchronous_client(server: Listening) -> None:
    async def provider() -> str:
        return "token"

    with (
        Either("sync", settings(server.url, provider)) as made,
        pytest.raises(errors.AuthenticationError, match="use AsyncChatClient"),
    ):
        made.hello()


@pytest.mark.parametrize("shape", ["azure", "foundry"])
@both
def test_a_token_that_a_server_echoes_is_taken_out_of_its_error(kind: Kind, shape: str, server: Listening) -> None:
    server.reply = Reply(
        400, {"content-type": "application/json"}, json.dumps({"error": {"message": "no: canary-token-42"}}).encode()
    )
    with (
        Either(kind, settings(server.url, Provider("canary-token-42"), shape)) as made,
        pytest.raises(errors.CallError) as caught,
    ):
        made.hello()

    assert "canary-token-42" not in f"{caught.value} {caught.value.body} {caught.value.route!r}"


def test_no_repr_calls_the_function() -> None:
    provider = Provider("canary")
    made = settings("https://one.test", provider)

    assert "canary" not in repr(made) + repr(made.resolved_endpoints())
    assert provider.calls == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HttpResponseError(429), True),
        (HttpResponseError(404), False),
        (RuntimeError("IMDS answered 503"), True),
        (RuntimeError("the request timed out"), True),
        (RuntimeError("AADSTS7000215: invalid client secret"), False),
    ],
    ids=str,
)
def test_what_is_passing(error: Exception, expected: bool) -> None:
    assert passing(error) is expected


def test_anthropic_s_own_api_takes_its_key_and_no_token(server: Listening) -> None:
    endpoints = {
        "first": {"kind": "anthropic", "base_url": server.url, "api_key": "key", "ad_token": Provider("token")}
    }
    with Either("sync", settings_at(endpoints=endpoints, chain="first")) as made:
        made.hello()

    assert "token" not in str(server.seen)


# --- a function in the place of a key


@both
def test_a_client_takes_a_function_for_its_key_as_the_sdk_s_does(kind: Kind, server: Listening) -> None:
    given = iter(("first", "second"))

    def sync_token() -> str:
        return next(given)

    async def token() -> str:
        return next(given)

    options = {"api_key": sync_token if kind == "sync" else token, "base_url": f"{server.url}/openai/v1/"}
    with Either(kind, Settings(_env_file=None), **options) as made:
        answers = [made.hello(), made.hello()]

    assert [route_of(answer).attempts[0].endpoint for answer in answers] == ["openai", "openai"]
    assert server.seen == [("Bearer first", None), ("Bearer second", None)]


@both
def test_a_fixed_token_stands_for_a_key_too(kind: Kind, server: Listening) -> None:
    told = {"openai": {"base_url": f"{server.url}/v1", "ad_token": "fixed"}}
    with Either(kind, Settings(_env_file=None, endpoints=told), chain="openai/chat") as made:
        made.hello()

    assert server.seen == [("Bearer fixed", None)]
