"""A key in the wrong place, or a malformed one, is in no message; nor is one that stands where it belongs."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import remains
from parrot import Parrot, Saying
from secret_calls import KEYS, WORDS, open_sandbox, settings_at
from secret_checks import nothing_of

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, SettingsError, errors
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.sandbox import Sandbox

KEY = KEYS.places["azure key"]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with open_sandbox() as box:
        yield box


# --- settings that are right


def test_settings_and_what_is_made_of_them_show_no_key(box: Sandbox) -> None:
    settings = settings_at(box.url, litellm={"proxy": f"http://somebody:{KEY}@127.0.0.1:9"})
    with ChatClient(settings) as client:
        endpoints = client._core.setup.endpoints.values()
        told = [
            remains.of_client(client),
            *remains.shown(settings),
            settings.model_dump_json(),
            str(settings.model_dump()),
        ]
        told += [
            text
            for it in endpoints
            for text in (repr(it), str(it), f"{it}", str(vars(it)), it.model_dump_json(), repr(it.network))
        ]
        told += [repr(copy.copy(settings)), repr(copy.deepcopy(settings)), repr(pickle.loads(pickle.dumps(settings)))]

    assert len(endpoints) > 8
    assert nothing_of(KEYS, "\n".join(told))


def test_a_key_that_is_given_to_a_client_is_not_among_its_variables(box: Sandbox) -> None:
    with ChatClient(settings_at(box.url), api_key=KEY, base_url=f"{box.openai_url}/v1") as client:
        told = remains.of_client(client)
        client.copy(timeout=3)

    assert nothing_of(KEYS, told)


@pytest.mark.parametrize("cls", [ChatClient, AsyncChatClient])
def test_the_sdk_s_own_names_for_a_key_hold_none(cls: type[Any], box: Sandbox) -> None:
    client = cls(settings_at(box.url))
    names = ("api_key", "admin_api_key", "organization", "project", "default_headers", "webhook_secret", "base_url")

    assert nothing_of(KEYS, repr([getattr(client, name, None) for name in names]))
    with pytest.raises(errors.UnsupportedPathError):
        client.auth_headers  # noqa: B018


# --- settings that are wrong

ODD: dict[str, str] = {
    "not ASCII": f"{KEY}\N{SNOWMAN}",
    "a line break within": f"{KEY}\nx",
    "quotes around it": f"'{KEY}'",
    "its scheme": f"Bearer {KEY}",
}
PLACES: dict[str, Callable[[str], dict[str, object]]] = {
    "api_key": lambda value: {"azure_openai_api_key": value},
    "ad_token": lambda value: {"azure_openai_ad_token": value},
    "a header": lambda value: {"endpoints": {"azure": {"headers": {"x": value}}}},
    "a key of an endpoint": lambda value: {"endpoints": {"azure": {"api_key": value}}},
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", PLACES)
def test_a_malformed_key_is_not_in_the_error(place: str, odd: str) -> None:
    caught = refused(PLACES[place], ODD[odd])

    if caught is not None:
        assert nothing_of(KEYS, remains.of_error(caught) + remains.locals_of(caught))
    else:
        assert place == "a header"


def refused(make: Callable[[str], dict[str, object]], value: str) -> SettingsError | None:
    """Settings made far from any variable of a test that holds a key."""
    try:
        Settings(_env_file=None, **make(value))
    except SettingsError as error:
        return error
    return None


MISPLACED: dict[str, Callable[[str], dict[str, object]]] = {
    "password of a URL": lambda key: {"litellm_base_url": f"https://somebody:{key}@proxy.test"},
    "user of a URL": lambda key: {"azure_openai_endpoint": f"https://{key}@proxy.test"},
    "query of a URL": lambda key: {"openai_base_url": f"https://proxy.test/?key={key}"},
    "password of a proxy without a host": lambda key: {"proxy": f"http://somebody:{key}@"},
    "proxy of a strange kind": lambda key: {"proxy": f"gopher://somebody:{key}@proxy.test"},
    "URL": lambda key: {"litellm_base_url": key},
    "Foundry's resource": lambda key: {"anthropic_foundry_resource": f"{key}!"},
    "a field that does not exist, as its value": lambda key: {"litellm_api_kye": key},
    "headers that are no mapping": lambda key: {"endpoints": {"azure": {"headers": f"Bearer {key}"}}},
    "headers that are no JSON": lambda key: {"endpoints": {"azure": {"headers": f'{{"x": "{key}"'}}},
    "endpoints that are none": lambda key: {"endpoints": {"azure": key}},
}


@pytest.mark.parametrize("place", MISPLACED)
def test_a_key_in_the_wrong_place_is_not_in_the_error(place: str) -> None:
    caught = refused(MISPLACED[place], KEY)

    assert caught is not None
    assert nothing_of(KEYS, remains.of_error(caught) + remains.locals_of(caught))


@pytest.mark.parametrize("place", MISPLACED)
def test_nor_is_it_where_a_variable_held_it(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MISPLACED[place](KEY).items():
        if name == "endpoints":
            pytest.skip("endpoints are many variables")
        monkeypatch.setenv(f"CHATSHEET_{name}".upper() if name == "proxy" else name.upper(), str(value))
    caught = refused(lambda _: {}, "")

    assert (caught is None) is (name == "litellm_api_kye"), "a variable that is none of ours is left alone"
    assert caught is None or nothing_of(KEYS, remains.of_error(caught) + remains.locals_of(caught))


@pytest.mark.parametrize("url", ["https://somebody:{}@proxy.test", "https://proxy.test/?key={}"])
@pytest.mark.parametrize("key", [None, "another key"])
def test_a_url_with_a_secret_that_is_given_to_a_client_is_not_in_the_error(url: str, key: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        ChatClient(Settings(_env_file=None), base_url=url.format(KEY), api_key=key)

    assert nothing_of(KEYS, remains.of_error(caught.value))


def test_a_file_of_models_that_is_wrong_shows_no_key_when_it_is_read_again(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_THE_FILE", KEY)
    path = tmp_path / "models.yaml"
    path.write_text("models:\n  gpt-4.1: {}\n")
    with ChatClient(settings_at(box.url, models_file=path)) as client:
        for wrong in (
            f"models: {KEY}\n",
            f"modles: {{a: {KEY}}}\n",
            "endpoints:\n  azure:\n    api_key: [${KEY_OF_THE_FILE}]\n",
        ):
            path.write_text(wrong)
            with pytest.raises(SettingsError) as caught:
                client.reload()

            assert nothing_of(KEYS, remains.of_error(caught.value))


@pytest.mark.parametrize("name", ["Authorization", "api-key", "Proxy-Authorization", "x-litellm-api-key", "Cookie"])
def test_a_credential_for_every_hop_is_refused_without_being_shown(name: str, box: Sandbox) -> None:
    with ChatClient(settings_at(box.url)) as client, pytest.raises(SettingsError) as caught:
        client.models.list(extra_headers={name: KEY})

    assert box.requests == []
    assert nothing_of(KEYS, remains.of_error(caught.value))


def test_an_endpoint_of_settings_that_is_wrong_shows_no_key() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(_env_file=None).with_endpoint(
            "azure", {"api_key": [KEY], "base_url": KEY, "proxy": KEY, "hedaers": KEY}
        )

    assert nothing_of(KEYS, remains.of_error(caught.value))
    with pytest.raises(ValueError, match="api_key") as plain:
        EndpointSettings(api_key=[KEY])  # type: ignore[arg-type]
    assert nothing_of(KEYS, str(plain.value))


# --- the command line


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., str]:
    """Run ``chatsheet-llm`` as a process and return all it prints, on either stream."""

    def run(*arguments: str, env: dict[str, str]) -> str:
        whole = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1", **env}
        made = subprocess.run(
            [sys.executable, "-m", "chatsheet_llm.cli", *arguments],
            env=whole, cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        return f"{made.returncode}\n{made.stdout}\n{made.stderr}"

    return run


@pytest.mark.parametrize("more", [(), ("--json",), ("--route", "--no-stream")], ids=["plain", "json", "route"])
def test_the_command_line_shows_no_key_when_a_server_repeats_it(
    command: Callable[..., str], more: tuple[str, ...]
) -> None:
    with Parrot() as parrot:
        parrot.saying = Saying(401)
        env = {"LITELLM_BASE_URL": parrot.url, "LITELLM_API_KEY": KEY}
        told = command("ask", WORDS.places["prompt"], "-m", "gpt-4.1", "-c", "litellm", *more, env=env)

    assert len(parrot.heard) == 1
    assert told.startswith("1\n")
    assert nothing_of(KEYS, told)
    assert nothing_of(WORDS, told)


@pytest.mark.parametrize(
    "arguments", [("models",), ("models", "--json"), ("plan", "Hi", "-m", "gpt-4.1", "--json"), ("proxy-config",)]
)
def test_other_commands_show_no_key(command: Callable[..., str], tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "models.yaml").write_text("models:\n  gpt-4.1: {}\nendpoints:\n  azure:\n    api_key: ${THE_KEY}\n")
    env = {
        "THE_KEY": KEY,
        "AZURE_OPENAI_ENDPOINT": "https://a.test",
        "LITELLM_BASE_URL": "http://b.test",
        "LITELLM_API_KEY": KEY,
    }
    told = command(*arguments, env=env)

    assert told.startswith("0\n"), told
    assert nothing_of(KEYS, told)


def test_a_bug_on_the_command_line_ends_in_a_traceback_without_locals(
    command: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import chatsheet_llm.drive as drive\ndef broken(*_, **__): raise RuntimeError('a bug')\ndrive.run = broken\n"
    )
    env = {"PYTHONPATH": str(tmp_path), "LITELLM_BASE_URL": "http://b.test", "LITELLM_API_KEY": KEY}
    told = command("ask", WORDS.places["prompt"], "-m", "gpt-4.1", "-c", "litellm", env=env)

    assert "RuntimeError: a bug" in told
    assert nothing_of(KEYS, told)
    assert nothing_of(WORDS, told)
