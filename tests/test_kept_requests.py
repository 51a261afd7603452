"""The second and the third call of a client are sent as the first is, whatever was configured or changed between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest
from either import COMPLETION, HELLO, KINDS, Either, Kind

from chatsheet_llm import Settings


class Seen:
    """A server that notes the requests as they are put on the wire."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=COMPLETION)

    def values(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request in self.requests]


def called(
    kind: Kind,
    http: Mapping[str, Any],
    between: Callable[[Any], object] = lambda http: None,
    endpoint: Mapping[str, object] | None = None,
    **told: Any,
) -> Seen:
    """Call three times with the caller's own HTTP client, to which something happens after the first."""
    seen = Seen()
    sends = httpx2.Client if kind == "sync" else httpx2.AsyncClient
    own = sends(transport=httpx2.MockTransport(seen.answer), **http)
    base = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "k", "modes": ["chat"]}
    settings = Settings(_env_file=None, endpoints={"one": {**base, **(endpoint or {})}}, chain="one")
    with Either(kind, settings, http_client=own) as made:
        for at in range(3):
            made.wait(made.client.chat.completions.create(model="gpt-5", messages=HELLO, **told))
            if at == 0:
                between(own)
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_configured_cookie_goes_with_every_call(kind: Kind) -> None:
    seen = called(kind, {}, endpoint={"headers": {"Cookie": "gate=1"}})

    assert seen.values("cookie") == ["gate=1"] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_header_of_the_caller_s_http_client_goes_with_the_next_call(kind: Kind) -> None:
    seen = called(kind, {"headers": {"x-mine": "1"}}, lambda http: http.headers.update({"x-mine": "2"}))

    assert seen.values("x-mine") == ["1", "2", "2"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_query_of_the_caller_s_http_client_goes_with_the_next_call(kind: Kind) -> None:
    seen = called(kind, {"params": {"p": "1"}}, lambda http: setattr(http, "params", {"p": "2"}))

    assert [request.url.query for request in seen.requests] == [b"p=1", b"p=2", b"p=2"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_cookie_of_the_caller_s_http_client_goes_with_the_next_call(kind: Kind) -> None:
    seen = called(kind, {"cookies": {"c": "1"}}, lambda http: setattr(http, "cookies", {"c": "2"}))

    assert seen.values("cookie") == ["c=1", "c=2", "c=2"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_the_caller_s_headers_chunk_is_announced_alike_each_time(kind: Kind) -> None:
    seen = called(kind, {}, extra_headers={"Transfer-Encoding": "chunked"})

    assert seen.values("transfer-encoding") == ["chunked"] * 3
    assert len(set(seen.values("content-length"))) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [("x-stainless-read-timeout", "7"), ("Host", "elsewhere"), ("idempotency-key", "i"), ("Accept", "text/plain")],
)
def test_a_header_of_the_caller_s_goes_with_every_call(kind: Kind, name: str, value: str) -> None:
    seen = called(kind, {}, extra_headers={name: value})

    assert seen.values(name) == [value] * 3
