"""A call ends at its deadline, whatever keeps it: over real sockets, both clients, less than a quarter second late."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from either import KINDS, Either, Kind, settings_at, well
from fault_server import Certificates, FaultServer, Reply, parse
from loopback import free_port
from tenacity import wait_fixed
from ticking import ticking
from typing_extensions import Self

from chatsheet_llm import AsyncChatClient, errors, resolve, route_of

DEADLINE = 0.4
LATE = 0.25
"""Seconds that a call may end after its deadline."""

pytestmark = pytest.mark.usefixtures("no_certificates")
both = pytest.mark.parametrize("kind", KINDS)
many_addresses = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="loopback has one address here")


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """The first call of a process loads much of the SDK, which takes its time and is nobody's silence."""
    with FaultServer(answer=well) as server:
        for kind in KINDS:
            with Either(kind, settings_at(server.url)) as made:
                made.hello()


class Names:
    """A resolver for ``.test``: addresses by host, or silence until the test is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *rest: Any, **more: Any) -> list[Any]:
        if not str(host).endswith(".test"):
            return self._real(host, port, *rest, **more)
        self.asked.append(host)
        if host not in self.known:
            self.over.wait()
        found = self.known.get(host, [])
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in found
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    made = Names(monkeypatch)
    yield made
    made.over.set()


def late(made: Either, *, stream: bool = False, **more: Any) -> float:
    """How much later than its deadline a call ended."""
    begun = time.monotonic()
    with pytest.raises((errors.DeadlineExceededError, errors.HopTimeoutError)):
        made.hello(stream=stream, **more)
    return time.monotonic() - begun - DEADLINE


# --- what can keep a call


@both
def test_a_resolver_that_hangs(kind: Kind, names: Names) -> None:
    with Either(kind, settings_at(f"http://hangs-{kind}.test"), deadline=DEADLINE) as made:
        assert -0.05 < late(made) < LATE


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", ["timeout", "headers_then_timeout", "drip seconds=0.03"])
@both
def test_a_server_that_is_silent_or_drips(kind: Kind, fault: str, stream: bool) -> None:
    with FaultServer(answer=well) as server:
        server.set(parse(fault))
        with Either(kind, settings_at(server.url), deadline=DEADLINE) as made:
            assert -0.05 < late(made, stream=stream) < LATE


@many_addresses
@both
def test_a_port_that_takes_no_connection(kind: Kind) -> None:
    with Blackholes(free_port()) as holes:
        url = f"http://{holes[0]}:{holes.port}"
        with Either(kind, settings_at(url), deadline=DEADLINE) as made:
            assert -0.05 < late(made) < LATE


@pytest.mark.parametrize("fault", ["tls_stall", "timeout", "drip seconds=0.03"])
@both
def test_a_server_that_stalls_in_the_handshake_or_drips_within_tls(
    kind: Kind, fault: str, certificates: Certificates
) -> None:
    with FaultServer(answer=well, certificates=certificates) as server:
        server.set(parse(fault))
        with Either(kind, settings_at(server.url, ca_bundle=certificates.ca), deadline=DEADLINE) as made:
            assert -0.05 < late(made) < LATE


@pytest.mark.parametrize("fault", ["timeout", "drip seconds=0.03"])
@both
def test_a_server_that_drips_the_bytes_of_tls_itself(kind: Kind, fault: str, certificates: Certificates) -> None:
    with (
        FaultServer(answer=well, certificates=certificates) as secure,
        FaultServer(upstream=("127.0.0.1", secure.port)) as between,
    ):
        between.set(parse(fault))
        url = between.url.replace("http:", "https:")
        with Either(kind, settings_at(url, ca_bundle=certificates.ca), deadline=DEADLINE) as made:
            assert -0.05 < late(made) < LATE


@both
def test_a_server_that_takes_the_request_a_little_at_a_time(kind: Kind) -> None:
    with Sipping() as url, Either(kind, settings_at(url), deadline=DEADLINE) as made:
        messages = [{"role": "user", "content": "x" * 2**24}]

        assert -0.05 < late(made, messages=messages) < LATE + 0.2  # to make JSON of 16 MiB takes its time


@both
def test_several_hops_share_one_deadline(kind: Kind) -> None:
    with FaultServer(answer=well) as one, FaultServer(answer=well) as two, FaultServer(answer=well) as three:
        for server in (one, two, three):
            server.set(parse("timeout"))
        with Either(kind, settings_at(one.url, two.url, three.url), deadline=DEADLINE) as made:
            assert late(made) < LATE


@both
def test_a_wait_between_two_sends_counts(kind: Kind) -> None:
    with FaultServer(answer=well) as server:
        server.set(Reply(425))
        with Either(kind, settings_at(server.url), deadline=DEADLINE, wait=wait_fixed(0.2)) as made:
            timer = threading.Timer(0.1, server.set, [parse("timeout")])
            timer.start()

            assert -0.05 < late(made) < LATE


@both
def test_no_wait_is_begun_that_would_end_after_the_deadline(kind: Kind) -> None:
    with FaultServer(answer=well) as server:
        server.set(Reply(425))
        with Either(kind, settings_at(server.url), deadline=DEADLINE, wait=wait_fixed(30)) as made:
            begun = time.monotonic()
            with pytest.raises(errors.ProviderError):
                made.hello()

            assert time.monotonic() - begun < DEADLINE


class Sipping:
    """A server that reads a little again and again: something is always sent, and never all."""

    def __enter__(self) -> str:
        self._over = threading.Event()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**17)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            accepted, _ = self._listener.accept()
            with accepted:
                while not self._over.wait(0.02):
                    accepted.recv(2**17)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()


# --- names and addresses


@pytest.mark.parametrize("position", [0, 1, 2])
@many_addresses
@both
def test_an_address_that_answers_is_found_soon_among_those_that_do_not(kind: Kind, position: int, names: Names) -> None:
    host = f"many-{kind}-{position}.test"
    with FaultServer(answer=well) as server, Blackholes(server.port) as holes:
        names.known[host] = [*holes[:position], "127.0.0.1", *holes[position:]]
        with Either(kind, settings_at(f"http://{host}:{server.port}")) as made:
            begun = time.monotonic()
            route = route_of(made.hello())

            assert time.monotonic() - begun < 0.25 * position + 0.25
            assert [attempt.outcome for attempt in route.attempts] == ["ok"]


@many_addresses
@both
def test_addresses_that_never_answer_share_the_time_of_one_connect(kind: Kind, names: Names) -> None:
    host = f"never-{kind}.test"
    with FaultServer(answer=well) as two, FaultServer(answer=well) as port, Blackholes(port.port) as holes:
        names.known[host] = list(holes)
        settings = settings_at(f"http://{host}:{port.port}", two.url, connect_timeout=0.6)
        with Either(kind, settings) as made:
            route = route_of(made.hello())

    assert [attempt.outcome for attempt in route.attempts] == ["connect_timeout", "ok"]
    assert 0.55 < route.attempts[0].seconds < 0.6 + LATE


@many_addresses
@both
def test_an_address_that_refuses_costs_no_time(kind: Kind, names: Names) -> None:
    host = f"refuses-{kind}.test"
    with FaultServer(answer=well) as server:
        names.known[host] = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
        with Either(kind, settings_at(f"http://{host}:{server.port}")) as made:
            begun = time.monotonic()
            made.hello()

            assert time.monotonic() - begun < 0.25


@many_addresses
@both
def test_where_every_address_refuses_that_is_what_is_told(kind: Kind, names: Names) -> None:
    host = f"none-{kind}.test"
    names.known[host] = ["127.0.0.2", "127.0.0.3"]
    with (
        Either(kind, settings_at(f"http://{host}:{free_port()}")) as made,
        pytest.raises(errors.HopConnectionError) as caught,
    ):
        made.hello()

    assert {attempt.outcome for attempt in caught.value.route.attempts} == {"refused"}


@both
def test_the_two_families_of_a_host_are_tried_in_turns(kind: Kind, names: Names) -> None:
    names.known[f"both-{kind}.test"] = ["::1", "::2", "127.0.0.1", "127.0.0.2"]

    found = resolve.addresses(f"both-{kind}.test", 80, 1.0)

    assert found == ("::1", "127.0.0.1", "::2", "127.0.0.2")


def test_many_calls_that_wait_for_one_name_ask_for_it_once(names: Names) -> None:
    def ask() -> None:
        with contextlib.suppress(resolve.ResolverTimeout):
            resolve.addresses("crowd.test", 80, 0.2)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert names.asked == ["crowd.test"]


def test_the_end_of_an_event_loop_does_not_wait_for_a_resolver_that_hangs(names: Names) -> None:
    async def call() -> None:
        async with AsyncChatClient(settings_at("http://leaves.test"), deadline=DEADLINE) as client:
            with pytest.raises(errors.DeadlineExceededError):
                await client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}])

    begun = time.monotonic()
    asyncio.run(call())

    assert time.monotonic() - begun < DEADLINE + LATE


def test_the_event_loop_runs_on_while_a_name_is_looked_up(names: Names) -> None:
    async def call() -> int:
        async with AsyncChatClient(settings_at("http://runs-on.test"), deadline=DEADLINE) as client:
            with ticking() as ticks, pytest.raises(errors.DeadlineExceededError):
                await client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}])
        return ticks.count

    assert asyncio.run(call()) > 10


class Blackholes(tuple[str, ...]):
    """Three loopback addresses where a port takes no further connection, and says nothing."""

    port: int
    _held: list[socket.socket]

    def __new__(cls, port: int) -> Self:
        made = super().__new__(cls, ("127.0.0.11", "127.0.0.12", "127.0.0.13"))
        made.port, made._held = port, []
        return made

    def __enter__(self) -> Self:
        for host in self:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, self.port))
            listener.listen(0)
            self._held.append(listener)
            # The kernel drops what its queue has no room for.
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex((host, self.port))
                self._held.append(filler)
        time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._held:
            held.close()
