"""Certificates that are read late judge as those that are read at once: over real sockets, both clients."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import pytest
from either import HELLO, KINDS, Either, Kind, settings_at, well
from fault_server import Certificates, FaultServer

from chatsheet_llm import HopUnreachableError, core
from chatsheet_llm.connections import Connections
from chatsheet_llm.trust import LateTrust

both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that expect no TLS."""
    monkeypatch.setattr(core, "Connections", lambda http, given, **_: Connections(http, given, tls=False))


@both
@pytest.mark.usefixtures("late")
def test_a_server_that_the_system_trusts_is_asked(
    kind: Kind, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    with (
        FaultServer(answer=well, certificates=certificates) as server,
        Either(kind, settings_at(server.url)) as made,
    ):
        completion = made.wait(made.client.chat.completions.create(model="gpt-5", messages=HELLO))

    assert completion.choices[0].message.content == "Hello from here"


@both
@pytest.mark.usefixtures("late", "no_certificates")
def test_a_server_that_nobody_vouches_for_is_refused(kind: Kind, certificates: Certificates) -> None:
    with (
        FaultServer(answer=well, certificates=certificates) as server,
        Either(kind, settings_at(server.url)) as made,
        pytest.raises(HopUnreachableError) as caught,
    ):
        made.wait(made.client.chat.completions.create(model="gpt-5", messages=HELLO))

    assert [attempt.outcome for attempt in caught.value.route.attempts] == ["tls_trust"]


class Told(ssl.SSLContext):
    """A context that tells what it was asked to offer."""

    offers: tuple[str, ...] = ()

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        self.offers = tuple(alpn_protocols)


def test_the_context_is_made_once_and_offers_what_was_asked_for() -> None:
    made: list[Told] = []

    def make() -> ssl.SSLContext:
        made.append(Told(ssl.PROTOCOL_TLS_CLIENT))
        return made[-1]

    trust = LateTrust(make)
    trust.set_alpn_protocols(["http/1.1"])
    before = list(made)
    for offer in ("h2", "http/1.1"):
        trust.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="a.example")
        trust.set_alpn_protocols([offer])

    assert before == []
    assert [context.offers for context in made] == [("http/1.1",)]


def test_what_is_asked_for_before_the_first_handshake_is_offered_in_it() -> None:
    made = Told(ssl.PROTOCOL_TLS_CLIENT)
    trust = LateTrust(lambda: made)
    trust.set_alpn_protocols(["http/1.1"])
    trust.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="a.example")

    assert made.offers == ("http/1.1",)
