"""A client that keeps parts of its requests sends, byte for byte, what the SDK's own client would send."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sdk_contracts import TIMEOUT, contract

from chatsheet_llm import sdk

URL = "http://127.0.0.1:9"


NOWHERE = httpx2.MockTransport(lambda request: httpx2.Response(500))
"""A real one would load the system's certificates."""


def _plain(cls: type[Any], http: Any = None, **more: Any) -> Any:
    sends = httpx2.Client if issubclass(cls, openai.OpenAI) else httpx2.AsyncClient
    where = {} if "azure_endpoint" in more else {"base_url": f"{URL}/v1"}
    http = sends(transport=NOWHERE) if http is None else http
    made = cls(**{**where, "api_key": "k", "http_client": http, **more})
    sdk.forget_environment(made, more.get("default_headers", {}), azure_ad_token=more.get("azure_ad_token"))
    return made


def _azure(cls: type[Any], **more: Any) -> Any:
    return _plain(cls, azure_endpoint=URL, api_version="2024-10-21", **more)


CLIENTS: Mapping[str, Callable[[], Any]] = {
    "sync": lambda: _plain(openai.OpenAI),
    "async": lambda: _plain(openai.AsyncOpenAI, base_url=f"{URL}/v1/"),
    "with headers": lambda: _plain(openai.OpenAI, default_headers={"X-Mine": "all", "x-gone": openai.omit}),
    "with a query": lambda: _plain(openai.OpenAI, default_query={"q": "1"}),
    "with a nested query": lambda: _plain(openai.OpenAI, default_query={"q": [1, {"r": 2}]}),
    "with a path that has a query": lambda: _plain(openai.OpenAI, base_url=f"{URL}/v1?code=1"),
    "azure": lambda: _azure(openai.AzureOpenAI),
    "azure, a token": lambda: _azure(openai.AsyncAzureOpenAI, api_key=None, azure_ad_token="t"),
    "azure, a deployment": lambda: _azure(openai.AzureOpenAI, azure_deployment="d"),
    "the caller's http": lambda: _plain(
        openai.OpenAI,
        httpx2.Client(
            headers={"X-Mine": "1", "User-Agent": "me"}, params={"p": "1"}, cookies={"c": "1"}, transport=NOWHERE
        ),
    ),
    "a cookie for all": lambda: _plain(openai.OpenAI, default_headers={"Cookie": "gate=1"}),
    "a cookie of the http": lambda: _plain(
        openai.OpenAI, httpx2.Client(headers={"cookie": "gate=1"}, transport=NOWHERE)
    ),
    "a host for all": lambda: _plain(openai.OpenAI, default_headers={"Host": "elsewhere"}),
    "a length for all": lambda: _plain(openai.OpenAI, default_headers={"Content-Length": "27"}),
    "a type for all": lambda: _plain(openai.OpenAI, default_headers={"content-type": "multipart/form-data"}),
    "a type with a boundary": lambda: _plain(
        openai.OpenAI, default_headers={"Content-Type": "multipart/form-data; boundary=b"}
    ),
    "a time to read for all": lambda: _plain(openai.OpenAI, default_headers={"X-Stainless-Read-Timeout": "7"}),
}
"""How to make a client, twice the same."""


@dataclass(frozen=True, slots=True)
class Twins:
    """The SDK's own client, and one made the same way that keeps parts of its requests."""

    its: Any
    ours: Any

    def sent(self, told: Mapping[str, Any]) -> tuple[object, object]:
        """What each makes of the same options."""
        return _sent(self.its, told), _sent(self.ours, told)


def _twins(make: Callable[[], Any]) -> Twins:
    twins = Twins(make(), make())
    sdk.hasten(twins.ours)
    return twins


def _options(**told: Any) -> Any:
    usual: dict[str, Any] = {
        "method": "post",
        "url": "/chat/completions",
        "json_data": {"model": "m", "x": "\u00e9"},
        "headers": {"Accept-Encoding": "identity"},
        "timeout": TIMEOUT,
        "security": {"bearer_auth": True},
    }
    return sdk.FinalRequestOptions.construct(**{**usual, **told})


def _sent(client: Any, told: Mapping[str, Any]) -> object:
    """The request that a client builds, in all its parts and in their order; or how it fails."""
    try:
        made = client._build_request(_options(**told))
    except Exception as error:
        return type(error), str(error)
    headers, content = made.headers.raw, made.read()
    if b"multipart/form-data; boundary=" in (drawn := made.headers.get("content-type", "").encode()):
        # Drawn anew for each request.
        boundary = drawn.partition(b"boundary=")[2]
        headers = [(name, value.replace(boundary, b"B")) for name, value in headers]
        content = content.replace(boundary, b"B")
    return made.method, made.url, headers, content, made.extensions


ROWS: Mapping[str, Mapping[str, Any]] = {
    "as usual": {},
    "a longer body": {"json_data": {"model": "m", "messages": [1] * 100}},
    "a body of nothing": {"json_data": {}},
    "a body of the SDK's types": {"json_data": {"model": "m", "x": openai.types.CompletionUsage.construct(a=1)}},
    "a body that is no JSON": {"json_data": {"model": "m", "x": float("nan")}},
    "a list for a body": {"json_data": ["m"]},
    "no time limit": {"timeout": httpx2.Timeout(None)},
    "another time": {"timeout": httpx2.Timeout(5.0, read=7.5)},
    "a whole number of seconds": {"timeout": httpx2.Timeout(7)},
    "a number for a time": {"timeout": 3},
    "the client's time": {"timeout": openai.NOT_GIVEN},
    "another model": {"json_data": {"model": "other"}},
    "no model": {"json_data": {"model": None}},
    "a model called None": {"json_data": {"model": "None"}},
    "a model that is a number": {"json_data": {"model": 5}},
    "a model that is a list": {"json_data": {"model": ["m"]}},
    "another path": {"url": "/responses"},
    "a path with a query": {"url": "/responses?a=b"},
    "a whole URL": {"url": "http://127.0.0.1:10/x"},
    "a query": {"params": {"q": "2"}},
    "a body to get with": {"method": "get"},
    "nothing to send": {"method": "get", "json_data": None},
    "another method": {"method": "put"},
    "a method in capitals": {"method": "POST"},
    "more of a body": {"extra_json": {"y": 1}},
    "raw content": {"content": b"raw", "json_data": None},
    "content and a body": {"content": b""},
    "a file": {"files": {"file": b"f"}, "headers": {"Content-Type": "multipart/form-data"}},
    "a key to be sent once": {"idempotency_key": "i"},
    "without a key": {"security": {}},
    "with the administrator's key": {"security": {"admin_api_key_auth": True}},
    "no headers": {"headers": openai.NOT_GIVEN},
}
HEADERS: tuple[Mapping[Any, Any], ...] = (
    *({name: value} for name in ("x-mine", "X-MINE", "Authorization", "api-key", "API-Key", "AUTHORIZATION", "Accept")
      for value in ("1", "", openai.omit)),
    *({name: value} for name, value in (
        ("Cookie", "c=2"), ("cookie", openai.omit), ("Transfer-Encoding", "chunked"), ("content-length", "5"),
        ("Content-Length", openai.omit), ("Content-Type", "text/plain"), ("Content-Type", "multipart/form-data"),
        ("Content-Type", "multipart/form-data; boundary=b"), ("Content-Type", openai.omit), ("Host", "elsewhere"),
        ("host", openai.omit), ("Connection", "close"), ("Accept-Encoding", "gzip"), ("Expect", "100-continue"),
        ("TE", "trailers"), ("X-Stainless-Read-Timeout", "10.0"), ("X-Stainless-Read-Timeout", "7"),
        ("x-stainless-read-timeout", openai.omit), ("x-stainless-retry-count", "7"),
        ("X-Stainless-Retry-Count", openai.omit), ("Idempotency-Key", "i"), ("User-Agent", "me"),
        ("X-Stainless-Async", "no"), ("OpenAI-Organization", "o"), ("x-mine", "\u00e9"), ("x-mine", b"bytes"),
        ("x-mine", None), ("x-mine", 5), ("\u00e9", "1"), (b"x-mine", "1"), ("", "1"),
    )),
    {"x-mine": "1", "X-Mine": "2"},
    {"x-mine": "1", "X-Mine": openai.omit},
    {"Authorization": openai.omit, "api-key": "k"},
    {"Authorization": openai.omit, "authorization": "a"},
    {"x-mine": "1", "traceparent": "t"},
    {"traceparent": "t", "x-mine": "1"},
)  # fmt: skip


@contract("_build_request", "_client", "_idempotency_header", "openai._utils._json.openapi_dumps")
@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_each_of_several_requests_is_the_one_that_the_sdk_builds(make: Callable[[], Any]) -> None:
    twins = _twins(make)
    asked = [*ROWS.values(), *({"headers": headers} for headers in HEADERS)] * 3
    pairs = [(told, *twins.sent(told)) for told in asked]

    assert [row for row in pairs if row[1] != row[2]] == []


@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_values_that_each_call_has_alone_are_sent_with_it(make: Callable[[], Any]) -> None:
    twins = _twins(make)
    asked = [{"headers": {**headers, "x-request-id": str(at)}} for headers in HEADERS for at in range(3)]
    pairs = [(told, *twins.sent(told)) for told in asked]

    assert [row for row in pairs if row[1] != row[2]] == []


# --- what may change between two calls -------------------------------------------------------------------------------

_Change = Callable[[Any], object]


def _attribute(name: str, value: object) -> _Change:
    return lambda client: setattr(client, name, value)


def _http(name: str, value: object) -> _Change:
    return lambda client: setattr(client._client, name, value)


def _stamped(client: Any) -> None:
    """Have the HTTP client build its requests in its own way, each other than the last."""
    build, count = client._client.build_request, itertools.count()

    def stamped(*args: Any, headers: Any, **more: Any) -> httpx2.Request:
        made: httpx2.Request = build(*args, headers=[*headers, ("x-stamp", str(next(count)))], **more)
        return made

    client._client.build_request = stamped


def _signed(client: Any) -> None:
    """Have the client sign its requests in its own way, each other than the last."""
    build, count = client._build_headers, itertools.count()

    def signed(*args: Any, **more: Any) -> Any:
        made = build(*args, **more)
        made["x-signed"] = str(next(count))
        return made

    client._build_headers = signed


CHANGES: Mapping[str, _Change] = {
    "a header of the http": lambda client: client._client.headers.update({"X-Mine": "2"}),
    "a header of the http less": lambda client: client._client.headers.pop("connection", None),
    "headers of the http": _http("headers", {"X-Other": "3"}),
    "a cookie among the headers of the http": lambda client: client._client.headers.update({"Cookie": "c=3"}),
    "the query of the http": _http("params", {"p": "2"}),
    "a cookie": lambda client: client._client.cookies.set("c", "4", domain="127.0.0.1"),
    "cookies": _http("cookies", {"d": "5"}),
    "how the http builds": _stamped,
    "how the client signs": _signed,
    "the key": _attribute("api_key", "two"),
    "the organization": _attribute("organization", "o"),
    "the project": _attribute("project", "p"),
    "the URL": _attribute("base_url", f"{URL}0/v2"),
    "a header for all": lambda client: client._custom_headers.update({"X-New": "6"}),
    "headers for all": _attribute("_custom_headers", {"X-New": "7"}),
    "headers for all less": _attribute("_custom_headers", {"User-Agent": openai.omit}),
    "a cookie for all": lambda client: client._custom_headers.update({"cookie": "c=8"}),
    "a query for all": lambda client: client._custom_query.update({"z": "1"}),
    "a query of numbers for all": lambda client: client._custom_query.update({"z": 1}),
    "a query of truths for all": lambda client: client._custom_query.update({"z": True}),
    "a name for what is sent once": _attribute("_idempotency_header", "Idempotency-Key"),
    "the http": lambda client: setattr(
        client, "_client", type(client._client)(headers={"X-Other": "9"}, transport=NOWHERE)
    ),
}
"""What somebody may do to a client between two calls; each changes its requests."""
UNSEEN: Mapping[str, _Change] = {
    "the URL of the http": _http("base_url", "http://127.0.0.1:11"),
    "the time of the http": _http("timeout", 1.0),
    "who signs for the http": _http("auth", ("user", "password")),
    "who hears of the http": _http("event_hooks", {"request": [print]}),
    "the client's time": _attribute("timeout", 1.0),
    "the client's retries": _attribute("max_retries", 7),
    "a resource that is asked for": lambda client: client.chat.completions,
}
"""And what changes none of them."""
ONCE = ({"idempotency_key": "one"}, {"idempotency_key": "two"}, {"idempotency_key": "three"})


@pytest.mark.parametrize("name", [*CHANGES, *UNSEEN])
@pytest.mark.parametrize("make", [CLIENTS["sync"], CLIENTS["async"], CLIENTS["azure"], CLIENTS["the caller's http"]])
def test_a_change_of_the_client_changes_the_next_request_as_the_sdk_s(make: Callable[[], Any], name: str) -> None:
    twins = _twins(make)
    before = [twins.sent(told) for told in ONCE]
    for client in (twins.its, twins.ours):
        {**CHANGES, **UNSEEN}[name](client)
    after = [twins.sent(told) for told in ONCE]

    assert [(its, ours) for its, ours in (*before, *after) if its != ours] == []
    assert name in CHANGES or before == after


@pytest.mark.parametrize("name", CHANGES)
def test_each_of_these_changes_is_one(name: str) -> None:
    client = CLIENTS["sync"]()
    before = _sent(client, ONCE[0])
    CHANGES[name](client)

    assert _sent(client, ONCE[0]) != before


def test_a_query_that_is_equal_but_written_otherwise_is_sent_as_it_is_written() -> None:
    twins = _twins(lambda: _plain(openai.OpenAI, default_query={"z": 1}))
    pairs = [twins.sent({}) for _ in range(3)]
    for client in (twins.its, twins.ours):
        client._custom_query["z"] = True
    pairs += [twins.sent({}) for _ in range(3)]

    assert [(its, ours) for its, ours in pairs if its != ours] == []


_STEPS = st.one_of(
    st.sampled_from(list({**CHANGES, **UNSEEN}.values())),
    st.fixed_dictionaries(
        {
            "headers": st.dictionaries(
                st.sampled_from(
                    ["x-mine", "X-Mine", "Authorization", "api-key", "Cookie", "Content-Type", "traceparent"]
                ),
                st.sampled_from(["", "1", "2", "\u00e9", openai.omit, b"3", None]),
                max_size=3,
            ),
            "json_data": st.fixed_dictionaries({"model": st.sampled_from(["m", "n", None, 5]), "x": st.integers()}),
            "timeout": st.sampled_from([TIMEOUT, httpx2.Timeout(None), httpx2.Timeout(7), 3]),
        },
        optional={
            "url": st.sampled_from(["/responses", "/chat/completions"]),
            "method": st.sampled_from(["post", "get"]),
            "params": st.sampled_from([{}, {"q": "1"}]),
            "security": st.sampled_from([{}, {"bearer_auth": False}, {"bearer_auth": True}]),
        },
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(CLIENTS.values())), st.lists(_STEPS, min_size=2, max_size=12))
def test_calls_and_changes_in_any_order_send_what_the_sdk_sends(make: Callable[[], Any], steps: list[Any]) -> None:
    twins = _twins(make)
    pairs = []
    for step in steps:
        if callable(step):
            step(twins.its)
            step(twins.ours)
        else:
            pairs += [(step, *twins.sent(step)) for _ in range(2)]

    assert [row for row in pairs if row[1] != row[2]] == []


def test_a_request_that_is_sent_again_says_so() -> None:
    twins = _twins(CLIENTS["sync"])
    said = [
        [client._build_request(_options(), retries_taken=at).headers["x-stainless-retry-count"] for at in (0, 0, 2, 0)]
        for client in (twins.its, twins.ours)
    ]

    assert said == [["0", "0", "2", "0"]] * 2


def test_threads_at_the_same_time_send_their_own() -> None:
    twins = _twins(CLIENTS["azure"])
    asked = [
        {"headers": {"x-mine": str(at)}, "json_data": {"model": f"m{at % 3}", "x": "y" * at}, "timeout": TIMEOUT}
        for at in range(400)
    ]
    with ThreadPoolExecutor(8) as threads:
        sent = list(threads.map(lambda told: _sent(twins.ours, told), asked))

    assert sent == [_sent(twins.its, told) for told in asked]


def test_a_change_while_the_sdk_builds_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    client = CLIENTS["sync"]()
    build = openai.OpenAI._build_headers

    def changing(self: Any, *args: Any, **more: Any) -> Any:
        self.api_key = "another thread's"
        return build(self, *args, **more)

    sdk.hasten(client)
    with monkeypatch.context() as patch:
        patch.setattr(openai.OpenAI, "_build_headers", changing)
        first = client._build_request(_options())
    client.api_key = "k"
    second = client._build_request(_options())

    assert first.headers["authorization"] == "Bearer another thread's"
    assert second.headers["authorization"] == "Bearer k"


# --- what is kept ----------------------------------------------------------------------------------------------------


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each request that the SDK builds itself."""
    found: list[None] = []
    for cls in (openai.OpenAI, openai.AsyncOpenAI):
        build = cls._build_headers

        def counted(*args: Any, build: Any = build, **more: Any) -> Any:
            found.append(None)
            return build(*args, **more)

        monkeypatch.setattr(cls, "_build_headers", counted)
    return found


@pytest.mark.parametrize("make", [CLIENTS["sync"], CLIENTS["async"], CLIENTS["azure"], CLIENTS["the caller's http"]])
def test_the_sdk_builds_one_of_many_requests_with_values_of_their_own(
    make: Callable[[], Any], built: list[None]
) -> None:
    client = make()
    sdk.hasten(client)
    for at in range(1000):
        _sent(client, {"headers": {"x-request-id": str(at), "api-key": f"k{at}", "Authorization": openai.omit}})

    assert len(built) == 1


def test_what_is_kept_does_not_grow_with_models_that_are_never_asked_again(built: list[None]) -> None:
    client = CLIENTS["sync"]()
    sdk.hasten(client)
    for at in range(300):
        _sent(client, {"json_data": {"model": f"m{at}"}})
    _sent(client, {"json_data": {"model": "m299"}})
    _sent(client, {"json_data": {"model": "m0"}})

    assert len(built) == 301


def test_the_values_of_a_call_s_own_headers_are_not_kept() -> None:
    client = CLIENTS["sync"]()
    sdk.hasten(client)
    _sent(client, {"headers": {"Authorization": "Bearer s3cr3t"}})
    cells = [cell.cell_contents for cell in client._build_request.__closure__]

    assert any("x-stainless-retry-count" in repr(each) for each in cells)
    assert not any("s3cr3t" in repr(each) for each in cells)


class _Own(openai.OpenAI):
    pass


class _OwnHttp(httpx2.Client):
    def build_request(self, *args: Any, **more: Any) -> httpx2.Request:
        made = super().build_request(*args, **more)
        made.headers["x-body"] = str(len(made.content))
        return made


@pytest.mark.parametrize("make", [lambda: _plain(_Own), lambda: _plain(openai.OpenAI, _OwnHttp(transport=NOWHERE))])
def test_classes_of_somebody_s_own_are_left_to_themselves(make: Callable[[], Any], built: list[None]) -> None:
    twins = _twins(make)
    pairs = [twins.sent({"json_data": {"x": "y" * at}}) for at in range(3)]

    assert [its for its, _ in pairs] == [ours for _, ours in pairs]
    assert len(built) == 6


def test_a_copy_of_a_client_is_the_sdk_s_own() -> None:
    twins = _twins(CLIENTS["sync"])
    twins.sent({})
    told: dict[str, Any] = {"default_query": {"q": "1"}, "timeout": 3.0, "base_url": f"{URL}/v3", "api_key": "copied"}
    copies = Twins(twins.its.with_options(**told), twins.ours.with_options(**told))
    pairs = [copies.sent({"timeout": openai.NOT_GIVEN}) for _ in range(3)]

    assert [its for its, _ in pairs] == [ours for _, ours in pairs]
    assert "_build_request" not in vars(copies.ours)
