"""The Redis store without a server: what it refuses, and what it shows of its URL.  The rest needs a real one."""

from __future__ import annotations

import sys
import traceback

import pytest

from chatsheet_llm import ChatClient, Settings, SettingsError
from chatsheet_llm.redis_state import RedisState

URL = "redis://user:hush@redis.example.com:6379/0?namespace=team"


def settings() -> Settings:
    return Settings(_env_file=None, litellm_base_url="http://127.0.0.1:9", litellm_api_key="k", state_url=URL)


def test_without_the_package_the_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingsError, match=r"pip install 'chatsheet_llm\[redis\]'"):
        ChatClient(settings())


def test_no_traceback_with_locals_shows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    url = settings().state_url
    assert url is not None
    with pytest.raises(SettingsError) as caught:
        RedisState(url)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)

    assert "hush" not in "".join(told.format())


def test_without_the_setting_the_package_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)

    with ChatClient(Settings(_env_file=None, litellm_base_url="http://127.0.0.1:9", litellm_api_key="k")) as client:
        assert client.health() == ()


def test_making_a_client_connects_to_nothing_and_shows_no_password() -> None:
    with ChatClient(settings()) as client:
        sharing = client._core.sharing
        assert sharing is not None
        shown = f"{client!r} {sharing.store!r} {settings()!r}"

        assert "RedisState('redis.example.com')" in shown
        assert "hush" not in shown


def test_namespaces_have_keys_apart_whatever_they_are_called() -> None:
    prefixes = {RedisState(f"redis://h/0{query}")._prefix for query in ("", "?namespace=a", "?namespace=a%7D%3Ab")}

    assert prefixes == {"chatsheet:{default}:", "chatsheet:{a}:", "chatsheet:{a%7D%3Ab}:"}
