"""What goes wrong below HTTP, and replies that are refused unread; over real sockets, with both clients."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from either import COMPLETION, KINDS, Either, Kind, settings_at, well
from fault_server import Certificates, FaultServer, Reply, parse
from forgetful import Forgetful
from raw_server import Raw, serving

from chatsheet_llm import bounds, errors, route_of
from chatsheet_llm.route import Route

pytestmark = pytest.mark.usefixtures("no_certificates")
both = pytest.mark.parametrize("kind", KINDS)
JSON = {"content-type": "application/json"}


@pytest.fixture
def one() -> Iterator[FaultServer]:
    with FaultServer(answer=well, name="one") as server:
        yield server


@pytest.fixture
def two() -> Iterator[FaultServer]:
    with FaultServer(answer=well, name="two") as server:
        yield server


def told(route: Route) -> list[tuple[str, str, str]]:
    return [(attempt.endpoint, attempt.outcome, attempt.send_state) for attempt in route.attempts]


def read(made: Either, stream: Any) -> None:
    async def whole() -> None:
        async for _ in stream:
            pass

    if hasattr(stream, "__aiter__"):
        made.wait(whole())
    else:
        list(stream)


# --- a connection that was kept


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@both
def test_a_connection_that_died_while_it_was_kept_costs_one_more_send_to_the_same_hop(
    kind: Kind, secure: bool, two: FaultServer, certificates: Certificates
) -> None:
    with Forgetful(certificates.context(None) if secure else None) as server:
        settings = settings_at(server.url, two.url, ca_bundle=certificates.ca)
        with Either(kind, settings) as made:
            made.hello()
            server.forget()
            route = route_of(made.hello())
            states = {row.state for row in made.client.health()}

    assert told(route) == [("one", "stale", "ambiguous"), ("one", "ok", "answered")]
    assert server.connections == 2
    assert two.connections == 0
    assert states == {"closed"}


@both
def test_where_one_kept_connection_was_stale_no_other_of_its_age_is_used(kind: Kind) -> None:
    with Forgetful() as server, Either(kind, settings_at(server.url)) as made:
        for stream in [made.hello(stream=True) for _ in range(4)]:
            read(made, stream)
        kept = server.connections
        server.forget()
        route = route_of(made.hello())

    assert kept == 4
    assert told(route) == [("one", "stale", "ambiguous"), ("one", "ok", "answered")]


@both
def test_a_fresh_connection_that_dies_is_not_taken_for_a_stale_one(
    kind: Kind, one: FaultServer, two: FaultServer
) -> None:
    one.set(parse("close"))
    with Either(kind, settings_at(one.url, two.url)) as made:
        route = route_of(made.hello())

    assert told(route) == [("one", "reset", "ambiguous"), ("two", "ok", "answered")]


@both
def test_a_call_that_could_do_something_twice_is_not_sent_again_after_a_stale_connection(kind: Kind) -> None:
    with Forgetful() as server, Either(kind, settings_at(server.url)) as made:
        made.hello()
        server.forget()
        with pytest.raises(errors.HopConnectionError) as caught:
            made.wait(made.client.files.create(file=b"text", purpose="user_data"))

    assert told(caught.value.route) == [("one", "stale", "ambiguous")]


# --- before the request is on the wire


@pytest.mark.parametrize(
    ("failure", "outcomes"),
    [(socket.EAI_NONAME, ["dns"]), (socket.EAI_AGAIN, ["dns_busy", "dns_busy"])],
    ids=["no such name", "no name server"],
)
@both
def test_a_name_server_in_trouble_is_asked_again_and_a_name_that_does_not_exist_is_not(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, failure: int, outcomes: list[str], two: FaultServer
) -> None:
    real = socket.getaddrinfo

    def unknown(host: str, *rest: Any, **more: Any) -> object:
        if host.endswith(".test"):
            raise socket.gaierror(failure, "told by the resolver")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with Either(kind, settings_at(f"http://{kind}-{failure}.test", two.url)) as made:
        route = route_of(made.hello())

    assert [attempt.outcome for attempt in route.attempts] == [*outcomes, "ok"]


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        ("tls_unknown_ca", ["tls_trust"]),
        ("tls_expired", ["tls_trust"]),
        ("tls_wrong_host", ["tls_trust"]),
        ("tls_reset", ["connect", "connect"]),
    ],
)
@both
def test_a_handshake_that_fails_is_told_by_its_cause(
    kind: Kind, fault: str, outcomes: list[str], certificates: Certificates, two: FaultServer
) -> None:
    with FaultServer(answer=well, certificates=certificates) as secure:
        secure.set(parse(fault))
        with Either(kind, settings_at(secure.url, two.url, ca_bundle=certificates.ca)) as made:
            route = route_of(made.hello())

    assert [attempt.outcome for attempt in route.attempts] == [*outcomes, "ok"]
    assert {attempt.send_state for attempt in route.attempts[:-1]} == {"not_sent"}


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [("connect_407", ["proxy"]), ("connect_403", ["proxy_denied"]), ("connect_502", ["proxy_failed", "proxy_failed"])],
)
@both
def test_a_proxy_that_refuses_is_told_by_its_status(
    kind: Kind, fault: str, outcomes: list[str], certificates: Certificates, two: FaultServer
) -> None:
    with FaultServer(answer=well) as proxy, FaultServer(answer=well, certificates=certificates) as secure:
        proxy.set(parse(fault))
        endpoints = {
            "one": {"kind": "openai", "base_url": secure.url, "api_key": "k", "modes": ["chat"], "proxy": proxy.url},
            "two": {"kind": "openai", "base_url": two.url, "api_key": "k", "modes": ["chat"]},
        }
        settings = settings_at(endpoints=endpoints, chain="one,two", ca_bundle=certificates.ca)
        with Either(kind, settings) as made:
            route = route_of(made.hello())

    assert [attempt.outcome for attempt in route.attempts] == [*outcomes, "ok"]
    assert secure.connections == 0


# --- replies that are refused unread


@both
def test_every_request_asks_for_an_answer_that_is_not_packed(kind: Kind) -> None:
    seen: list[str | None] = []

    def listen(path: str, headers: Any, body: bytes) -> Reply:
        seen.append(headers.get("accept-encoding"))
        return well(path, headers, body)

    with FaultServer(answer=listen) as server, Either(kind, settings_at(server.url)) as made:
        made.hello(extra_headers={"Accept-Encoding": "gzip"})

    assert seen == ["identity"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@both
def test_a_packed_answer_is_refused_before_it_is_unpacked(
    kind: Kind, stream: bool, monkeypatch: pytest.MonkeyPatch, one: FaultServer, two: FaultServer
) -> None:
    def unpacked(*_: object) -> bytes:
        raise AssertionError("it was unpacked")

    monkeypatch.setattr("httpx2._decoders.GZipDecoder.decode", unpacked)
    kinds = {"content-encoding": "gzip", "content-type": "text/event-stream" if stream else "application/json"}
    one.set(Reply(200, kinds, gzip.compress(COMPLETION)))
    with Either(kind, settings_at(one.url)) as made:
        with pytest.raises(errors.InvalidAnswerError) as caught:
            made.hello(stream=stream)

        assert [attempt.outcome for attempt in caught.value.route.attempts] == ["encoded"]
        assert made.busy() == 0


@both
def test_a_packed_error_still_tells_its_status(kind: Kind, one: FaultServer, two: FaultServer) -> None:
    one.set(Reply(401, {**JSON, "content-encoding": "gzip"}, b"no gzip at all"))
    with Either(kind, settings_at(one.url, two.url)) as made:
        route = route_of(made.hello())

    assert [(attempt.outcome, attempt.status) for attempt in route.attempts] == [("auth", 401), ("ok", 200)]
    assert "gzip" not in str(route.attempts[0].reason)


@both
def test_an_answer_without_end_is_given_up_at_its_limit_and_asked_of_no_other_hop(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, one: FaultServer, two: FaultServer
) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES", 2 * 2**20)
    one.set(Reply(200, JSON, b" " * 2**21 + COMPLETION))
    with Either(kind, settings_at(one.url, two.url)) as made:
        with pytest.raises(errors.ResponseTooLargeError, match="longer than 2 MiB") as caught:
            made.hello()

        assert [attempt.outcome for attempt in caught.value.route.attempts] == ["response_too_large"]
        assert made.busy() == 0
    assert two.connections == 0


@both
def test_an_answer_of_just_its_limit_is_one(kind: Kind, monkeypatch: pytest.MonkeyPatch, one: FaultServer) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES", 2**20)
    one.set(Reply(200, JSON, COMPLETION.rjust(2**20)))
    with Either(kind, settings_at(one.url)) as made:
        answer = made.hello()

    assert answer.choices[0].message.content == "Hello from here"


@both
def test_a_file_of_the_caller_s_may_be_as_large_as_it_likes(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, one: FaultServer
) -> None:
    monkeypatch.setattr(bounds, "OTHER_BYTES", 1000)
    one.set(Reply(200, {"content-type": "application/octet-stream"}, b"x" * 5000))
    with Either(kind, settings_at(one.url)) as made:
        content = made.wait(made.client.files.content("file-1"))

    assert len(content.content) == 5000


class Endless(Sequence[bytes]):
    """A body of 64 MiB, made as it is sent; counts what the server got rid of."""

    def __init__(self) -> None:
        self.sent = 0

    def __len__(self) -> int:
        return 1024

    def __getitem__(self, at: Any) -> Any:
        if at == len(self):
            raise IndexError
        self.sent += 2**16
        return b" " * 2**16


@both
def test_the_body_of_an_error_is_read_no_further_than_a_message_can_be_long(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ERROR_BYTES", 1000)
    body = Endless()
    said = Raw(body, kind="application/json", status="503 Service Unavailable")
    with serving(said) as server, Either(kind, settings_at(server.url), max_retries=0) as made:
        with pytest.raises(errors.OverloadedError) as caught:
            made.hello()

        assert caught.value.status_code == 503
        assert made.busy() == 0

    # Beside what was read, as much as the kernel holds of a connection.
    assert 0 < body.sent < 2**24


@both
def test_an_error_whose_body_never_ends_is_told_as_soon_as_enough_was_read(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ERROR_BYTES", 1000)
    said = Raw([b" " * 1001], kind="application/json", status="503 Service Unavailable", ending="linger")
    with serving(said) as server, Either(kind, settings_at(server.url, deadline=3), max_retries=0) as made:
        with pytest.raises(errors.OverloadedError) as caught:
            made.hello()

        assert caught.value.route.seconds < 2


@pytest.mark.parametrize("status", [201, 202, 204, 206])
@both
def test_a_success_that_is_no_200_answers_nothing(kind: Kind, status: int, one: FaultServer, two: FaultServer) -> None:
    one.set(Reply(status, JSON, b"" if status == 204 else COMPLETION))
    with Either(kind, settings_at(one.url, two.url)) as made:
        route = route_of(made.hello())

    assert told(route) == [("one", "no_content", "ambiguous"), ("two", "ok", "answered")]
