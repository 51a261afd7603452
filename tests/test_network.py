"""Network policy: the deadline holds in name resolution too, trust is as configured, nothing leaks into a repr."""

import socket
import sys
import time

import httpx2
import pytest
from either import KINDS, Either, settings_at, well
from fault_server import Fault, FaultServer
from vectors.stage import CONNECT

from chatsheet_llm import (
    ChatClient,
    DeadlineExceededError,
    HopTimeoutError,
    HopUnreachableError,
    Settings,
    SettingsError,
)
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import build
from chatsheet_llm.network import Network
from chatsheet_llm.sandbox import Sandbox

MESSAGES = [{"role": "user", "content": "Hello"}]


def client(url, **options):
    settings = Settings(_env_file=None, litellm_base_url=url, litellm_api_key="key")
    return ChatClient(settings, chain="litellm", **options)


def test_a_resolver_that_hangs_does_not_outlast_the_deadline(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5) or [])
    begun = time.monotonic()

    with pytest.raises(DeadlineExceededError) as caught:
        client("http://hangs.test:4000", deadline=0.3).chat.completions.create(model="gpt-5", messages=MESSAGES)

    assert time.monotonic() - begun < 0.55
    assert [attempt.send_state for attempt in caught.value.route.attempts] == ["not_sent"]


def test_a_name_that_does_not_exist_is_told_as_such(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(HopUnreachableError, match="did not resolve") as caught:
        client("http://unknown.test:4000").chat.completions.create(model="gpt-5", messages=MESSAGES)

    assert [attempt.outcome for attempt in caught.value.route.attempts] == ["dns"]


def test_a_name_that_no_resolver_takes_is_told_as_such():
    begun = time.monotonic()

    with pytest.raises(HopUnreachableError, match="did not resolve"):
        client(f"http://{'a' * 70}.test:4000").chat.completions.create(model="gpt-5", messages=MESSAGES)

    assert time.monotonic() - begun < 1


def test_every_address_of_a_name_is_tried(monkeypatch):
    with Sandbox() as box:
        port = int(box.litellm_url.rpartition(":")[2])
        dead, alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 1)), ("127.0.0.1", port)
        found = [dead, (socket.AF_INET, socket.SOCK_STREAM, 6, "", alive)]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: found if host == "proxy.test" else real(host, *a, **k)
        )
        settings = Settings(_env_file=None, litellm_base_url=f"http://proxy.test:{port}", litellm_api_key=box.api_key)
        answer = ChatClient(settings, chain="litellm").chat.completions.create(model="gpt-5", messages=MESSAGES)

    assert "You said: Hello" in answer.choices[0].message.content


def test_a_ca_bundle_that_cannot_be_read_is_named(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")

    with pytest.raises(SettingsError, match=r"ca\.pem"):
        Network(ca_bundle=str(bundle)).client()


def test_a_proxy_password_shows_in_no_repr():
    assert "canary" not in repr(Network(proxy="http://user:canary@proxy.test:3128"))


@pytest.mark.parametrize(
    ("own", "environment", "url", "proxy"),
    [
        (None, {}, "https://one.test", None),
        ("http://user:canary@own.proxy:3128", {}, "https://one.test", "http://own.proxy:3128"),
        (None, {"HTTPS_PROXY": "http://user:canary@env.proxy:8080"}, "https://one.test", "http://env.proxy:8080"),
        (None, {"HTTPS_PROXY": "http://env.proxy:8080"}, "http://one.test", None),
        (None, {"ALL_PROXY": "http://env.proxy:8080"}, "http://one.test", "http://env.proxy:8080"),
        (None, {"HTTPS_PROXY": "http://env.proxy:8080", "NO_PROXY": "one.test"}, "https://one.test", None),
        ("http://own.proxy:1", {"HTTPS_PROXY": "http://env.proxy:8080"}, "https://one.test", "http://own.proxy:1"),
    ],
)
def test_an_endpoint_names_the_proxy_before_it_without_its_password(own, environment, url, proxy, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = EndpointSettings(kind="openai", base_url=url, api_key="key", proxy=own)

    assert build("one", told).proxy_domain == proxy


OWN = "CHATSHEET_PROXY or the endpoint's own proxy"
DEAD = "127.0.0.1:1"
NAMELESS = "no.such.proxy.test:3128"


@pytest.fixture
def bare(monkeypatch):
    """An environment without proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("place", "environment", "own", "told"),
    [
        (DEAD, {}, "http://somebody:canary@{}", f"{DEAD}, set by {OWN}: [Errno"),
        (DEAD, {"HTTP_PROXY": "http://somebody:canary@{}"}, None, f"{DEAD}, set by HTTP_PROXY: [Errno"),
        (DEAD, {"ALL_PROXY": "http://{}"}, None, f"{DEAD}, set by ALL_PROXY: [Errno"),
        (DEAD, {"http_proxy": "http://{}"}, None, f"{DEAD}, set by http_proxy: [Errno"),
        (DEAD, {"HTTP_PROXY": "http://{}", "HTTPS_PROXY": "{}"}, None, f"{DEAD}, set by HTTP_PROXY and HTTPS_PROXY: ["),
        (NAMELESS, {}, "http://{}", f"{NAMELESS}, set by {OWN}: the name no.such.proxy.test did not resolve"),
        (NAMELESS, {"HTTP_PROXY": "http://{}"}, None, f"{NAMELESS}, set by HTTP_PROXY: the name no.such"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_is_not_reached_is_told_as_that_and_nothing_behind_it_is_asked(
    kind, place, environment, own, told, bare
):
    for name, value in environment.items():
        bare.setenv(name, value.format(place))
    settings = settings_at("http://one.test", "http://two.test", proxy=own.format(place) if own else None)
    with Either(kind, settings, max_retries=0) as made, pytest.raises(HopUnreachableError) as caught:
        made.hello()

    assert told in str(caught.value)
    assert "through the HTTP proxy" in str(caught.value)
    assert "check the proxy's URL (CHATSHEET_PROXY, HTTPS_PROXY)" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert [(each.hop, each.outcome) for each in caught.value.route.attempts] == [("one/chat", "proxy_failed")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_does_not_answer_is_told_as_that(kind, bare):
    with FaultServer(answer=well) as server:
        server.set(Fault("blackhole"))
        settings = settings_at("http://one.test", "http://two.test", proxy=server.url, connect_timeout=CONNECT)
        with Either(kind, settings) as made, pytest.raises(HopTimeoutError, match="the HTTP proxy timed out") as caught:
            made.hello()

    assert f"{server.url.partition('://')[2]}, set by {OWN}" in str(caught.value)
    assert [(each.hop, each.outcome) for each in caught.value.route.attempts] == [("one/chat", "proxy_timeout")]


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("HTTP_PROXY", "foo:bar", "HTTP_PROXY: must be the URL of a proxy, as in http://host:3128"),
        ("HTTPS_PROXY", "http://somebody:canary@host:bar", "HTTPS_PROXY: must be the URL of a proxy"),
        ("ALL_PROXY", "gopher://somebody:canary@host:70", "ALL_PROXY: must be the URL of a proxy"),
        ("HTTP_PROXY", "socks5://somebody:canary@host:1", "HTTP_PROXY: a SOCKS proxy needs the package socksio"),
        (
            "CHATSHEET_PROXY",
            "socks5://somebody:canary@host:1",
            "CHATSHEET_PROXY or .*: a SOCKS proxy needs the package",
        ),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_cannot_be_used_is_a_mistake_in_the_variable_that_names_it(kind, variable, value, told, bare):
    # As where the package is not installed.
    bare.setitem(sys.modules, "socksio", None)
    bare.setenv(variable, value)
    bare.setenv("LITELLM_BASE_URL", "http://one.test")
    bare.setenv("LITELLM_API_KEY", "key")

    with pytest.raises(SettingsError, match=told) as caught:
        Either(kind, Settings(_env_file=None))

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "own"), [({"NO_PROXY": "*"}, None), ({}, "http://own.proxy:3128")], ids=["none at all", "our own"]
)
def test_a_variable_that_is_not_looked_at_may_hold_anything(environment, own, bare):
    bare.setenv("HTTP_PROXY", "foo:bar")
    for name, value in environment.items():
        bare.setenv(name, value)

    with Network(proxy=own).client() as made:
        assert not made.is_closed


@pytest.mark.parametrize(
    "environment",
    [
        {"ALL_PROXY": "socks5://proxy.test:1080", "all_proxy": ""},
        {"HTTPS_PROXY": "ftp://proxy.test", "https_proxy": ""},
        {"HTTPS_PROXY": "http://somebody:p[ss@proxy.test:3128"},
        {"HTTP_PROXY": "http://"},
        {"HTTPS_PROXY": "http://:3128"},
        {"HTTP_PROXY": "ftp://proxy.test", "REQUEST_METHOD": "GET"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_http_library_makes_something_of_is_no_mistake(kind, environment, bare):
    bare.setitem(sys.modules, "socksio", None)
    for name, value in environment.items():
        bare.setenv(name, value)
    with httpx2.Client() as library:
        assert not library.is_closed

    with FaultServer(answer=well) as server:
        bare.setenv("NO_PROXY", "127.0.0.1")
        with Either(kind, settings_at(server.url)) as made:
            assert made.hello().choices[0].message.content == "Hello from here"
