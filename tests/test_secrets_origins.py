"""Nothing is sent to an origin that is not configured: no redirect is followed, no URL in a request or a reply is.

``elsewhere`` is a server that no endpoint names; it hears of nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import BaseModel
from openai._base_client import PageInfo
from openai.pagination import SyncCursorPage
from parrot import Parrot, Saying
from secret_calls import ENDPOINTS, KEYS, MODEL, WORDS, ask, chat, done, made, open_sandbox, settings_at
from secret_checks import failed

from chatsheet_llm import ChatClient, errors
from chatsheet_llm.sandbox import Sandbox

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])
REDIRECTS = (301, 302, 303, 307, 308)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with open_sandbox() as box:
        yield box


@pytest.fixture
def home(box: Sandbox) -> Iterator[Parrot]:
    """The origin that is configured."""
    with Parrot() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Parrot]:
    """The origin that is not."""
    with Parrot() as made:
        yield made


PATHS: dict[str, Callable[[Any, str], Any]] = {
    "chat": chat,
    "chat stream": lambda client, model: chat(client, model, stream=True),
    "responses": ask,
    "embeddings": lambda client, _: client.embeddings.create(model="e", input=WORDS.places["prompt"]),
    "models": lambda client, _: client.models.list(),
    "a file up": lambda client, _: client.files.create(file=("a.txt", b"text"), purpose="batch"),
    "a file down": lambda client, _: client.files.content("file-1"),
    "a stored response": lambda client, _: client.responses.retrieve("resp_1"),
    "to delete": lambda client, _: client.files.delete("file-1"),
}


@KINDS
@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("name", list(ENDPOINTS))
def test_no_endpoint_follows_a_redirect(kind: str, status: int, name: str, home: Parrot, elsewhere: Parrot) -> None:
    home.saying = Saying(status, headers={"location": f"{elsewhere.url}/v1/chat/completions"})
    error = failed(
        made(kind, settings_at(lambda role: home.url, name)), lambda it: chat(it, MODEL[name]), errors.CallError
    )

    assert elsewhere.heard == []
    assert len(home.heard) == 1
    assert error.route.attempts[0].outcome == "redirect"


@KINDS
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", REDIRECTS)
def test_no_path_follows_a_redirect(kind: str, status: int, path: str, home: Parrot, elsewhere: Parrot) -> None:
    home.saying = Saying(status, headers={"location": f"{elsewhere.url}/"})
    failed(
        made(kind, settings_at(lambda role: home.url, "openai")),
        lambda it: PATHS[path](it, "gpt-4.1"),
        errors.CallError,
    )

    assert elsewhere.heard == []
    assert len(home.heard) == 1


@pytest.mark.parametrize("path", PATHS)
def test_nor_does_an_http_client_of_the_caller_s_that_would(path: str, home: Parrot, elsewhere: Parrot) -> None:
    home.saying = Saying(307, headers={"location": f"{elsewhere.url}/"})
    with httpx2.Client(follow_redirects=True) as http:
        client = made("sync", settings_at(lambda role: home.url, "openai"), http_client=http)
        failed(client, lambda it: PATHS[path](it, "gpt-4.1"), errors.CallError)

    assert elsewhere.heard == []
    assert len(home.heard) == 1


@pytest.mark.parametrize("name", ["anthropic", "anthropic_foundry", "azure-dated"])
def test_nor_does_it_for_the_other_sdks(name: str, home: Parrot, elsewhere: Parrot) -> None:
    home.saying = Saying(308, headers={"location": f"{elsewhere.url}/"})
    with httpx2.Client(follow_redirects=True) as http:
        client = made("sync", settings_at(lambda role: home.url, name), http_client=http)
        failed(client, lambda it: chat(it, MODEL[name]), errors.CallError)

    assert elsewhere.heard == []


def test_the_parrot_elsewhere_would_hear(elsewhere: Parrot) -> None:
    with httpx2.Client(trust_env=False) as client:
        client.get(f"{elsewhere.url}/")

    assert len(elsewhere.heard) == 1


# --- URLs in a request


def urls(elsewhere: str) -> dict[str, str]:
    host = elsewhere.removeprefix("http://")
    return {
        "absolute": f"{elsewhere}/v1/models",
        "absolute in capitals": f"HTTP://{host}/v1/models",
        "without a scheme": f"//{host}/v1/models",
        "after slashes": f"////{host}/v1/models",
        "after a blank": f" {elsewhere}/v1/models",
        "after a tab": f"\t//{host}/v1/models",
        "with backslashes": f"\\\\{host}\\v1",
        "a slash and backslashes": f"/\\{host}/v1",
        "with a user": f"http://127.0.0.1@{host}/v1",
        "as a path that climbs": f"/../../..//{host}/v1",
        "behind a question mark": f"?@{host}/",
        "behind an at sign": f"@{host}/",
        "as a port": f":80@{host}/",
    }


METHODS: dict[str, Callable[[Any, str], Any]] = {
    "get": lambda client, url: client.get(url, cast_to=object),
    "post": lambda client, url: client.post(
        url, cast_to=object, body={"model": "gpt-4.1", "input": WORDS.places["prompt"]}
    ),
    "delete": lambda client, url: client.delete(url, cast_to=object),
}


@KINDS
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", urls("http://x"))
def test_a_url_in_a_request_never_names_the_server(
    kind: str, method: str, form: str, home: Parrot, elsewhere: Parrot
) -> None:
    home.saying = Saying(200, body=b"{}")
    client = made(kind, settings_at(lambda role: home.url, "openai"))
    with contextlib.suppress(errors.ChatsheetError, httpx2.InvalidURL):
        done(client, lambda it: METHODS[method](it, urls(elsewhere.url)[form]))

    assert elsewhere.heard == []
    assert all(heard.target.startswith("/") for heard in home.heard)


@pytest.mark.parametrize("name", ["azure-dated", "azure", "litellm"])
@pytest.mark.parametrize("form", urls("http://x"))
def test_nor_does_it_at_the_other_endpoints(name: str, form: str, home: Parrot, elsewhere: Parrot) -> None:
    home.saying = Saying(200, body=b"{}")
    client = made("sync", settings_at(lambda role: home.url, name))
    with contextlib.suppress(errors.ChatsheetError, httpx2.InvalidURL):
        done(client, lambda it: METHODS["post"](it, urls(elsewhere.url)[form]))

    assert elsewhere.heard == []


@pytest.mark.parametrize("resource", ["responses", "files", "batches", "vector_stores"])
@pytest.mark.parametrize(
    "id_", ["../../x", "..%2f..%2fx", "..", "/x", "//far.test/x", "http://far.test/x", "a?b=c", "a#b", "a\\..\\b"]
)
def test_an_id_stays_one_segment_below_its_resource(resource: str, id_: str, home: Parrot) -> None:
    home.saying = Saying(200, body=b"{}")
    client = made("sync", settings_at(lambda role: home.url, "openai"))
    with contextlib.suppress(errors.ChatsheetError, ValueError):
        done(client, lambda it: getattr(it, resource).retrieve(id_))

    # The SDK itself refuses what would lead out of the resource.
    assert bool(home.heard) is (id_ != "..")
    for heard in home.heard:
        start, _, rest = heard.target.partition(f"/v1/{resource}/")
        assert start == ""
        assert not set(rest) & set("/?#\\")
        assert rest not in ("", ".", "..")


@pytest.mark.parametrize("deployment", ["../../x", "a/b", "//far.test", "a?b", "a#b", "a b"])
def test_a_model_s_name_stays_one_segment_of_a_dated_path(deployment: str, home: Parrot) -> None:
    home.saying = Saying(400)
    with contextlib.suppress(errors.ChatsheetError, ValueError):
        chat(made("sync", settings_at(lambda role: home.url, "azure-dated")), deployment)

    assert home.heard
    for heard in home.heard:
        path, _, query = heard.target.partition("?")
        assert path.startswith("/openai/")
        assert path.endswith(("/chat/completions", "/responses"))
        assert ".." not in path.split("/")
        assert query == "api-version=2025-04-01-preview"


# --- URLs in a reply


class Item(BaseModel):
    id: str


class Page(SyncCursorPage[Item]):
    """A list whose reply names the URL of its next page."""

    def next_page_info(self) -> PageInfo:
        return PageInfo(url=httpx2.URL(str(getattr(self, "next", ""))))


def test_the_url_of_a_next_page_never_names_the_server(home: Parrot, elsewhere: Parrot) -> None:
    body = (
        f'{{"object": "list", "data": [{{"id": "a"}}], "next": "{elsewhere.url}/v1/items?after=a", "has_more": true}}'
    )
    home.saying = Saying(200, body=body.encode())
    with made("sync", settings_at(lambda role: home.url, "openai")) as client:
        page = client.get_api_list("/items", model=Item, page=Page)
        with contextlib.suppress(errors.ChatsheetError, ValueError):
            page.get_next_page()

    assert elsewhere.heard == []
    assert len(home.heard) >= 1


# --- headers


@KINDS
@pytest.mark.parametrize("value", ["a\r\nx-more: b", "a\nx-more: b", "a\rb", "a\0b"])
@pytest.mark.parametrize("name", ["litellm", "anthropic"])
def test_a_line_break_in_a_header_sends_nothing(kind: str, name: str, value: str, home: Parrot) -> None:
    client = made(kind, settings_at(lambda role: home.url, name))
    error = failed(client, lambda it: chat(it, MODEL[name], extra_headers={"x-own": value + WORDS.places["user"]}))

    assert home.heard == []
    assert WORDS.found_in(str(error)) == []


@KINDS
def test_a_query_of_the_caller_s_stays_a_query(kind: str, home: Parrot) -> None:
    home.saying = Saying(200, body=b"{}")
    client = made(kind, settings_at(lambda role: home.url, "openai"))
    done(client, lambda it: it.models.list(extra_query={"a": "b&c=d#e\r\nHost: far.test"}))

    assert [heard.target for heard in home.heard] == ["/v1/models?a=b%26c%3Dd%23e%0D%0AHost%3A+far.test"]


# --- one endpoint's credential


@pytest.mark.parametrize("failing", [name for name in ENDPOINTS if name != "openai"])
def test_a_failover_takes_no_credential_of_the_first_hop_along(failing: str, home: Parrot, elsewhere: Parrot) -> None:
    home.saying = Saying(503, {"type": "x"})
    second = {"openai": {"base_url": f"{elsewhere.url}/v1"}}
    settings = settings_at(lambda role: home.url, **second)
    model = MODEL[failing]
    with made("sync", settings, chain=(failing, "openai")) as client, contextlib.suppress(errors.CallError):
        chat(client, model)

    assert len(home.heard) == len(elsewhere.heard) == 1
    assert KEYS.found_in(elsewhere.heard[0].everything) == ["openai key"]
    assert "openai key" not in KEYS.found_in(home.heard[0].everything)


def test_an_attribute_of_the_sdk_s_client_moves_no_request(home: Parrot, elsewhere: Parrot) -> None:
    home.saying = Saying(200, body=b'{"data": []}')
    with ChatClient(settings_at(lambda role: home.url, "openai")) as client:
        for name, value in (("base_url", elsewhere.url), ("api_key", WORDS.places["user"])):
            with pytest.raises(errors.SettingsError, match=f"cannot set {name}: that belongs to an endpoint"):
                setattr(client, name, value)
        client.models.list()

    assert elsewhere.heard == []
    assert WORDS.found_in(home.heard[0].everything) == []


def test_the_environment_moves_no_request_and_adds_no_header(
    home: Parrot, elsewhere: Parrot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.setenv(name, elsewhere.url)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"x-odd: {WORDS.places['user']}")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"x-odd: {WORDS.places['user']}")
    home.saying = Saying(400)
    with made("sync", settings_at(lambda role: home.url)) as client:
        for name in ENDPOINTS:
            with contextlib.suppress(errors.CallError):
                client.with_chain(name).chat.completions.create(
                    model=MODEL[name], messages=[{"role": "user", "content": "Hi"}], max_tokens=9
                )

    assert elsewhere.heard == []
    assert len(home.heard) >= len(ENDPOINTS)
    assert all(WORDS.found_in(heard.everything) == [] for heard in home.heard)
