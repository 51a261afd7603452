"""The fault server does what its faults say: no more, and no later than 50 ms after it should."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from fault_server import FAULTS, Fault, FaultServer, parse
from fault_server.asking import ASKED, BODY, ask, echo

DELTA = 0.05


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(answer=echo) as made:
        yield made


@pytest.fixture
def upstream() -> Iterator[tuple[str, int]]:
    """What any TCP server is: it answers whatever comes with the same bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            with accepted:
                if accepted.recv(65536):
                    accepted.sendall(BODY)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[:2]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


# --- without a fault


def test_it_answers_requests_itself(server: FaultServer) -> None:
    read, ending, _ = ask(server)

    assert read.endswith(b"\r\n\r\n/v1/ask body " + BODY)
    assert ending == "whole"
    assert server.requests == [("POST", "/v1/ask")]


def test_a_connection_carries_several_requests(server: FaultServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        for _ in range(3):
            client.sendall(ASKED)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")

    assert (len(server.requests), server.connections) == (3, 1)


def test_it_passes_bytes_on_to_an_upstream(upstream: tuple[str, int]) -> None:
    with FaultServer(upstream) as server:
        assert ask(server)[:2] == (BODY, "closed")


def test_it_is_an_http_proxy_for_connect(upstream: tuple[str, int], server: FaultServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"CONNECT a.test:{upstream[1]} HTTP/1.1\r\nhost: a.test\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        client.sendall(b"hello")

        assert client.recv(1000) == BODY


def test_it_takes_either_an_upstream_or_answers() -> None:
    with pytest.raises(ValueError, match="has an upstream, or answers itself"):
        FaultServer()


# --- toxiproxy's


def test_down_refuses_and_comes_back_on_its_port(server: FaultServer) -> None:
    server.set(Fault("down"))
    with pytest.raises(ConnectionRefusedError):
        ask(server)
    server.set(None)

    assert ask(server)[1] == "whole"


def test_down_ends_what_is_open(server: FaultServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as client:
        client.sendall(ASKED)
        client.recv(65536)
        server.set(Fault("down"))

        with pytest.raises(ConnectionResetError):
            client.recv(1)


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_latency_delays_by_so_much(server: FaultServer, seconds: float) -> None:
    server.set(Fault("latency", seconds=seconds))
    _, ending, took = ask(server)

    assert ending == "whole"
    assert seconds <= took < seconds + DELTA


def test_latency_varies_by_its_jitter(server: FaultServer) -> None:
    server.set(Fault("latency", seconds=0.01, jitter=0.08))
    times = [ask(server)[2] for _ in range(8)]

    assert min(times) >= 0.01
    assert max(times) < 0.09 + DELTA
    assert max(times) - min(times) > 0.01


def test_bandwidth_takes_as_long_as_the_bytes_need(server: FaultServer) -> None:
    server.set(Fault("bandwidth", rate=1000))
    read, ending, took = ask(server)

    assert ending == "whole"
    assert len(read) / 1000 <= took < len(read) / 1000 + 2 * DELTA


def test_slow_close_closes_later(server: FaultServer) -> None:
    server.set(Fault("slow_close", seconds=0.1))
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as client:
        client.sendall(ASKED)
        client.recv(65536)
        begun = time.monotonic()

        assert client.recv(1) == b""
        assert 0.09 <= time.monotonic() - begun < 0.1 + DELTA


def test_timeout_says_nothing_for_ever(server: FaultServer) -> None:
    server.set(Fault("timeout"))

    assert ask(server, timeout=0.2)[:2] == (b"", "silent")


def test_timeout_closes_after_its_time(server: FaultServer) -> None:
    server.set(Fault("timeout", seconds=0.1))
    read, ending, took = ask(server)

    assert (read, ending) == (b"", "closed")
    assert 0.1 <= took < 0.1 + DELTA


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_reset_peer_resets_within_its_time(server: FaultServer, seconds: float) -> None:
    server.set(Fault("reset_peer", seconds=seconds))
    read, ending, took = ask(server)

    assert (read, ending) == (b"", "reset")
    assert seconds <= took < seconds + DELTA


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_slicer_loses_nothing(server: FaultServer, size: int) -> None:
    plain = ask(server)[0]
    server.set(Fault("slicer", size=size))

    assert ask(server)[0] == plain


def test_slicer_pauses_between_its_slices(server: FaultServer) -> None:
    size = len(ask(server)[0]) // 4 + 1
    server.set(Fault("slicer", size=size, seconds=0.03))

    assert 0.12 <= ask(server)[2] < 0.12 + 2 * DELTA


@pytest.mark.parametrize("after", [0, 1, 20])
def test_limit_data_closes_after_so_many_bytes(server: FaultServer, after: int) -> None:
    server.set(Fault("limit_data", after=after))
    read, ending, _ = ask(server)

    assert (len(read), ending) == (after, "closed")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("limit_data", after=20), (BODY[:20], "closed")),
        (Fault("reset_peer"), (b"", "reset")),
        (Fault("slicer", size=3), (BODY, "closed")),
        (Fault("latency", seconds=0.02), (BODY, "closed")),
        (None, (BODY, "closed")),
    ],
)
def test_the_same_faults_strike_the_bytes_of_an_upstream(
    upstream: tuple[str, int], fault: Fault | None, expected: tuple[bytes, str]
) -> None:
    with FaultServer(upstream) as server:
        server.set(fault)

        assert ask(server)[:2] == expected


# --- how faults are written


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_a_meaning_and_can_be_set(server: FaultServer, name: str) -> None:
    server.set(Fault(name))
    server.set(None)

    assert FAULTS[name].meaning
    assert ask(server)[1] == "whole"


def test_a_fault_is_written_with_its_own_options() -> None:
    assert parse("limit_data after=20") == Fault("limit_data", after=20)
    assert parse("latency seconds=0.5 jitter=0.1") == Fault("latency", seconds=0.5, jitter=0.1)


@pytest.mark.parametrize(
    ("text", "words"),
    [("limit_dta", "there are down"), ("limit_data size=3", "takes after"), ("down now", "takes nothing")],
)
def test_a_fault_that_is_none_says_what_there_is(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)
