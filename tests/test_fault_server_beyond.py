"""The faults that toxiproxy lacks: ports, TLS, proxies, and what comes in place of an answer."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from fault_server import Certificates, Fault, FaultServer, Reply
from fault_server.asking import ASKED, ask, echo
from fault_server.bytes_of import BOMB, LARGE

DELTA = 0.05


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(answer=echo) as made:
        yield made


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_a_blackhole_answers_no_connection_and_comes_back(server: FaultServer) -> None:
    server.set(Fault("blackhole"))
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(server, timeout=0.2)
    took = time.monotonic() - begun
    server.set(None)

    assert 0.2 <= took < 0.2 + DELTA
    assert ask(server)[1] == "whole"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tls_unknown_ca", "unable to get (local )?issuer|self.signed"),
        ("tls_expired", "expired"),
        ("tls_wrong_host", "[Hh]ostname mismatch"),
    ],
)
def test_a_certificate_is_wrong_in_its_own_way(certificates: Certificates, name: str, words: str) -> None:
    with FaultServer(answer=echo, certificates=certificates) as server:
        server.set(Fault(name))

        with pytest.raises(ssl.SSLCertVerificationError, match=words):
            secured(server, certificates)


@pytest.mark.parametrize(("name", "error"), [("tls_reset", ConnectionResetError), ("tls_stall", TimeoutError)])
def test_a_handshake_is_broken_off_or_never_ends(certificates: Certificates, name: str, error: type[Exception]) -> None:
    with FaultServer(answer=echo, certificates=certificates) as server:
        server.set(Fault(name))

        with pytest.raises(error):
            secured(server, certificates, timeout=0.2)


def test_a_good_certificate_is_trusted(certificates: Certificates) -> None:
    with FaultServer(answer=echo, certificates=certificates) as server:
        assert secured(server, certificates).startswith(b"HTTP/1.1 200")


def secured(server: FaultServer, certificates: Certificates, timeout: float = 3.0) -> bytes:
    context = ssl.create_default_context(cafile=certificates.ca)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as raw,
        context.wrap_socket(raw, server_hostname="a.test") as client,
    ):
        client.sendall(ASKED)
        return client.recv(65536)


@pytest.mark.parametrize(
    ("name", "status"), [("connect_407", b"407"), ("connect_403", b"403"), ("connect_502", b"502")]
)
def test_a_proxy_refuses_its_tunnel(server: FaultServer, name: str, status: bytes) -> None:
    server.set(Fault(name))
    read, _, _ = ask(server, asked=b"CONNECT a.test:443 HTTP/1.1\r\nhost: a.test\r\n\r\n")

    assert read.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("fault", "ending", "begins"),
    [
        (Fault("close"), "closed", b""),
        (Fault("keepalive_race"), "reset", b""),
        (Fault("non_http"), "closed", b"SSH-2.0"),
        (Fault("html_200"), "whole", b"HTTP/1.1 200 OK\r\ncontent-type: text/html"),
        (Fault("empty_200"), "whole", b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n"),
        (Fault("no_content"), "silent", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (
            Fault("redirect", location="http://b.test/"),
            "whole",
            b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://b",
        ),
        (Fault("headers_then_timeout"), "silent", b"HTTP/1.1 200"),
        (Fault("headers_then_reset"), "reset", b"HTTP/1.1 200"),
        (Fault("short_length", after=5), "closed", b"HTTP/1.1 200"),
        (Fault("bad_chunk", after=5), "closed", b"HTTP/1.1 200"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_what_comes_in_place_of_an_answer(server: FaultServer, fault: Fault, ending: str, begins: bytes) -> None:
    server.set(fault)
    read, ended, _ = ask(server, timeout=0.3)

    assert (read[: len(begins)], ended) == (begins, ending)


def test_a_short_body_is_as_short_as_it_is_told(server: FaultServer) -> None:
    server.set(Fault("short_length", after=5))

    assert len(ask(server)[0].partition(b"\r\n\r\n")[2]) == 5


@pytest.mark.parametrize(("name", "size"), [("oversized", LARGE), ("gzip_bomb", BOMB // 2000)])
def test_a_large_body_is_large(server: FaultServer, name: str, size: int) -> None:
    server.set(Fault(name))

    assert len(ask(server)[0]) > size


def test_a_bomb_grows_a_thousandfold(server: FaultServer) -> None:
    server.set(Fault("gzip_bomb"))
    packed = ask(server)[0].partition(b"\r\n\r\n")[2]

    assert len(gzip.decompress(packed)) > 500 * len(packed)


@pytest.mark.parametrize(("name", "error"), [("gzip_bad", Exception), ("gzip_truncated", EOFError)])
def test_damaged_gzip_cannot_be_unpacked(server: FaultServer, name: str, error: type[Exception]) -> None:
    server.set(Fault(name))
    packed = ask(server)[0].partition(b"\r\n\r\n")[2]

    with pytest.raises(error):
        gzip.decompress(packed)


def test_drip_sends_one_byte_at_a_time(server: FaultServer) -> None:
    plain = ask(server)[0]
    server.set(Fault("drip", seconds=0.002))
    read, _, took = ask(server)

    assert read == plain
    assert took >= len(plain) * 0.002


@pytest.mark.parametrize(
    ("ending", "ended"), [("end", "whole"), ("close", "closed"), ("reset", "reset"), ("silence", "silent")]
)
def test_a_stream_ends_as_it_is_told(server: FaultServer, ending: str, ended: str) -> None:
    server.set(Reply(200, {"content-type": "text/event-stream"}, b"data: x\n\n", ending))  # type: ignore[arg-type]
    read, how, _ = ask(server, timeout=0.3)

    assert b"data: x" in read
    assert how == ended
