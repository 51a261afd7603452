"""Keys and prompts in nothing that is left of a call whose connection failed."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import httpx2
import pytest
import remains
from parrot import Parrot, Saying
from secret_calls import KEYS, WORDS, chat, made, open_sandbox, settings_at
from secret_checks import check, failed

from chatsheet_llm import errors
from chatsheet_llm.sandbox import Sandbox

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with open_sandbox() as box:
        yield box


# --- the connection


@contextlib.contextmanager
def deaf(*, full: bool) -> Iterator[str]:
    """The address of a server that reads nothing; ``full``: nor does it take a connection."""
    with socket.socket() as held, contextlib.ExitStack() as stack:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        held.bind(("127.0.0.1", 0))
        held.listen(0 if full else 9)
        for _ in range(2 if full else 0):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(held.getsockname())
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextlib.contextmanager
def closed() -> Iterator[str]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextlib.contextmanager
def self_signed(tmp_path: Path) -> Iterator[str]:
    """The address of a server whose certificate nobody trusts."""
    program = which("openssl")
    if program is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as held:

        def serve() -> None:
            while True:
                try:
                    taken, _ = held.accept()
                except OSError:
                    return
                with taken, contextlib.suppress(OSError):
                    context.wrap_socket(taken, server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{held.getsockname()[1]}"


@KINDS
@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("refused", closed),
        ("connect_timeout", lambda: deaf(full=True)),
        ("read_timeout", lambda: deaf(full=False)),
        ("dns", lambda: contextlib.nullcontext(f"http://{'a' * 70}.test:4000")),
    ],
    ids=["refused", "connect_timeout", "read_timeout", "dns"],
)
def test_a_connection_that_fails_leaves_nothing(
    kind: str, fault: str, place: Callable[[], contextlib.AbstractContextManager[str]], box: Sandbox
) -> None:
    with place() as url:
        client = made(kind, settings_at(lambda role: url, "litellm", deadline=0.6, connect_timeout=0.2))
        with remains.listening() as heap:
            error = failed(client, chat)

    assert isinstance(error, errors.CallError)
    assert error.route.attempts[0].outcome in (fault, "connect")
    check(error, client, heap)


@KINDS
def test_a_request_that_nobody_reads_leaves_nothing(kind: str, box: Sandbox) -> None:
    huge = [{"role": "user", "content": WORDS.places["prompt"] + "x" * 6_000_000}]
    with deaf(full=False) as url:
        client = made(kind, settings_at(lambda role: url, "litellm", deadline=0.6))
        with remains.listening() as heap:
            error = failed(client, lambda it: chat(it, messages=huge))

    assert isinstance(error, errors.CallError)
    assert error.route.attempts[0].outcome == "write_timeout"
    check(error, client, heap)


@KINDS
def test_a_certificate_that_is_not_trusted_leaves_nothing(kind: str, box: Sandbox, tmp_path: Path) -> None:
    with self_signed(tmp_path) as url:
        client = made(kind, settings_at(lambda role: url, "litellm"))
        with remains.listening() as heap:
            error = failed(client, chat)

    assert isinstance(error, errors.CallError)
    assert error.route.attempts[0].outcome == "tls_trust"
    check(error, client, heap)


@KINDS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_and_repeats_the_password_leaves_nothing(kind: str, scheme: str, parrot: Parrot) -> None:
    parrot.saying = Saying(407)
    password = KEYS.places["litellm key"]
    proxy = parrot.url.replace("://", f"://somebody:{password}@")
    client = made(kind, settings_at(lambda role: f"{scheme}://far.test", "azure", azure={"proxy": proxy}))
    with remains.listening() as heap:
        error = failed(client, chat)

    assert [heard.headers["proxy-authorization"][:6] for heard in parrot.heard] == ["Basic "]
    check(error, client, heap)


@KINDS
def test_so_it_is_with_a_proxy_of_the_environment(kind: str, parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    parrot.saying = Saying(502)
    monkeypatch.setenv("http_proxy", parrot.url.replace("://", f"://somebody:{KEYS.places['litellm key']}@"))
    monkeypatch.delenv("no_proxy", raising=False)
    client = made(kind, settings_at(lambda role: "http://far.test", "azure"))
    with remains.listening() as heap:
        error = failed(client, chat)

    assert [heard.headers["proxy-authorization"][:6] for heard in parrot.heard] == ["Basic "]
    check(error, client, heap)


@KINDS
def test_what_cannot_be_put_on_the_wire_leaves_nothing(kind: str, box: Sandbox) -> None:
    client = made(kind, settings_at(box.url, "litellm"))
    with remains.listening() as heap:
        error = failed(
            client, lambda it: chat(it, messages=[{"role": "user", "content": WORDS.places["prompt"] + "\ud800"}])
        )

    assert isinstance(error, errors.BadRequestError)
    assert error.route.attempts[0].outcome == "unsendable"
    check(error, client, heap)


def test_a_pool_without_a_free_connection_leaves_nothing(box: Sandbox) -> None:
    with httpx2.Client(limits=httpx2.Limits(max_connections=1)) as http:
        client = made("sync", settings_at(box.url, "litellm"), http_client=http)
        opened = chat(client, stream=True)
        with remains.listening() as heap:
            error = failed(client, lambda it: chat(it, timeout=httpx2.Timeout(2, pool=0.05)))
        opened.close()

    assert isinstance(error, errors.CallError)
    assert error.route.attempts[0].outcome == "pool"
    check(error, client, heap)
