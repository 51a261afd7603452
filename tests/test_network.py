"""Network policy: the deadline holds in name resolution too, trust is as configured, nothing leaks into a repr."""

import socket
import time

import pytest

from chatsheet_llm import ChatClient, DeadlineExceededError, HopUnreachableError, Settings, SettingsError
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
