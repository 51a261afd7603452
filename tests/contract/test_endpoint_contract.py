"""What every endpoint class promises, ours and third parties': new ones are tested from the moment they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from pydantic import SecretStr

from chatsheet_llm import ChatClient, Settings, SettingsError, route_of
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Endpoint, Outgoing, build, kinds
from chatsheet_llm.route import MODES, Mode
from chatsheet_llm.sandbox import Sandbox

KEY = "canary-key-7f3a9b"
OTHER_KEY = "canary-key-0d41e2"
SERVERS: dict[str, Callable[[Sandbox], str]] = {
    "litellm": lambda box: box.litellm_url,
    "azure": lambda box: box.azure_url,
    "openai": lambda box: f"{box.openai_url}/v1",
    "anthropic": lambda box: box.anthropic_url,
    "anthropic_foundry": lambda box: f"{box.azure_url}/anthropic",
}
"""Where the sandbox plays each kind.  A new kind needs a role there, and a row here."""
ROLES = {"anthropic_foundry": "azure"}
"""Kinds that are a part of another's role."""
BODIES: dict[Mode, dict[str, object]] = {
    "chat": {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]},
    "responses": {"model": "gpt-5", "input": "Hello"},
    "messages": {"model": "gpt-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]},
}


@dataclass(frozen=True, slots=True)
class Case:
    """A way to configure a kind; each must keep the same promises.  ``credential`` is the field that holds the key."""

    kind: str
    credential: str = "api_key"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> str:
        return ROLES.get(self.kind, self.kind)

    def __str__(self) -> str:
        return "-".join((self.kind, self.credential, *map(str, self.more.values())))

    def endpoint(self, url: str, key: str | None = KEY) -> Endpoint:
        told: dict[str, Any] = {"kind": self.kind, "base_url": url, **self.more}
        if key is not None:
            told[self.credential] = SecretStr(key)
        return build(self.kind, EndpointSettings(**told))


CASES = (
    *(Case(kind) for kind in kinds()),
    Case("azure", "ad_token"),
    Case("azure", more={"key_header": "bearer"}),
    Case("azure", more={"api_version": "2025-04-01-preview"}),
    Case("azure", "ad_token", {"api_version": "2025-04-01-preview"}),
    Case("anthropic", more={"key_header": "bearer"}),
    Case("anthropic", more={"key_header": "api-key"}),
    Case("anthropic_foundry", "ad_token"),
    Case("anthropic_foundry", "ad_token", {"key_header": "api-key"}),
    Case("anthropic_foundry", more={"key_header": "bearer"}),
    Case("anthropic_foundry", more={"key_header": "api-key"}),
)
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_kind = pytest.mark.parametrize("kind", kinds())


@pytest.fixture(scope="module")
def _box() -> Iterator[Sandbox]:
    with Sandbox(api_key=KEY) as running:
        yield running


@pytest.fixture
def box(_box: Sandbox) -> Sandbox:
    _box.clear()
    _box.forget()
    return _box


def outgoing(endpoint: Endpoint, mode: Mode) -> Outgoing:
    return Outgoing(
        options=None,
        method="post",
        path=endpoint.path_of(mode),
        mode=mode,
        body=BODIES[mode],
        headers={},
        timeout=httpx2.Timeout(10.0),
        seconds=10.0,
    )


def send(endpoint: Endpoint, mode: Mode) -> httpx2.Response:
    """Send once, through an HTTP client that would follow redirects.  Raises what the endpoint's SDK raises."""
    with httpx2.Client(follow_redirects=True) as http:
        answer = endpoint.client(http).request(httpx2.Response, endpoint.options(outgoing(endpoint, mode)))
    assert isinstance(answer, httpx2.Response)
    return answer


async def asend(endpoint: Endpoint, mode: Mode) -> httpx2.Response:
    async with httpx2.AsyncClient(follow_redirects=True) as http:
        client = endpoint.async_client(http)
        answer = await client.request(httpx2.Response, endpoint.options(outgoing(endpoint, mode)))
    assert isinstance(answer, httpx2.Response)
    return answer


# --- the class --------------------------------------------------------------------------------------------------------


@every_kind
def test_a_class_says_what_it_is_what_it_speaks_and_what_it_needs(kind: str) -> None:
    cls = kinds()[kind]

    assert kind == cls.KIND
    assert cls.SPEAKS
    assert set(cls.SPEAKS) <= set(MODES)
    assert set(cls.SPEAKS) <= set(cls.PATHS)
    assert all(path.startswith("/") for path in cls.PATHS.values())
    assert cls.NEEDS.startswith("set ")
    assert cls.__doc__


@every_kind
def test_a_class_has_a_server_to_be_tested_against(kind: str) -> None:
    assert kind in SERVERS, f"give the sandbox a role that plays {kind!r}, and SERVERS its URL"


@every_case
def test_what_it_speaks_it_does_not_refuse(case: Case) -> None:
    endpoint = case.endpoint("https://llm.example")

    assert {mode: endpoint.refuses(endpoint.path_of(mode), mode) for mode in endpoint.modes} == dict.fromkeys(
        endpoint.modes
    )


@every_kind
def test_only_a_gateway_may_do_without_a_key(kind: str) -> None:
    endpoint = Case(kind).endpoint("https://llm.example", key=None)
    with httpx2.Client() as http:
        if kind == "litellm":
            assert endpoint.client(http)
            return
        with pytest.raises(SettingsError, match=endpoint.name) as caught:
            endpoint.client(http)

    assert endpoint.NEEDS in str(caught.value)


# --- secrets ----------------------------------------------------------------------------------------------------------


@every_case
def test_an_origin_tells_hosts_and_credentials_apart_and_holds_neither_key_nor_path(case: Case) -> None:
    origin = case.endpoint("https://llm.example:8443/some/path").origin

    assert origin.startswith("https://llm.example:8443#")
    assert not any(part in origin for part in (KEY, KEY[:6], KEY[-6:], "path"))
    assert origin == case.endpoint("https://llm.example:8443/other").origin
    assert origin != case.endpoint("https://llm.example:8443", OTHER_KEY).origin
    assert origin != case.endpoint("https://elsewhere.example:8443").origin


@every_case
def test_neither_an_endpoint_nor_its_clients_nor_its_settings_show_the_key(case: Case) -> None:
    hidden = {"headers": {"x-team": SecretStr(OTHER_KEY)}, "proxy": SecretStr(f"http://user:{OTHER_KEY}@proxy:1")}
    endpoint = Case(case.kind, case.credential, {**case.more, **hidden}).endpoint("https://llm.example")
    with httpx2.Client() as http:
        shown = [repr(endpoint), str(endpoint), f"{endpoint!s}", repr(endpoint.settings), repr(endpoint.client(http))]
        shown += [repr(endpoint.network), endpoint.model_dump_json(), repr(endpoint.model_dump())]

    assert [text for text in shown if KEY in text or OTHER_KEY in text] == []


# --- on the wire ------------------------------------------------------------------------------------------------------


@every_case
async def test_both_clients_are_let_in_and_send_each_api_to_its_own_path(case: Case, box: Sandbox) -> None:
    endpoint = case.endpoint(SERVERS[case.kind](box))
    for mode in endpoint.modes:
        box.forget()
        answers = [send(endpoint, mode), await asend(endpoint, mode)]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert [request.hop for request in box.requests] == [f"{case.role}/{mode}"] * 2
        assert {request.headers.get("x-team") for request in box.requests} == {None}


@every_case
async def test_neither_client_retries(case: Case, box: Sandbox) -> None:
    endpoint = case.endpoint(SERVERS[case.kind](box))
    box.inject(case.role, "503;retry-after-ms=1")
    for mode in endpoint.modes:
        box.forget()
        statuses = await refused(endpoint, mode)

        assert statuses == [503, 503]
        assert len(box.requests) == 2
    with httpx2.Client() as http:
        assert endpoint.client(http).max_retries == 0
    async with httpx2.AsyncClient() as http:
        assert endpoint.async_client(http).max_retries == 0


@every_case
async def test_neither_client_follows_a_redirect(case: Case, box: Sandbox) -> None:
    endpoint = case.endpoint(SERVERS[case.kind](box))
    box.inject(case.role, "redirect")
    for mode in endpoint.modes:
        box.forget()
        statuses = await refused(endpoint, mode)

        assert statuses == [307, 307]
        assert {request.role for request in box.requests} == {case.role}


async def refused(endpoint: Endpoint, mode: Mode) -> list[int]:
    """The statuses of what the SDK raised: of the synchronous client, then of the other."""
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as first:
        send(endpoint, mode)
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as second:
        await asend(endpoint, mode)
    return [caught.value.status_code for caught in (first, second)]


@every_case
def test_configured_headers_go_out_with_every_request(case: Case, box: Sandbox) -> None:
    told = Case(case.kind, case.credential, {**case.more, "headers": {"x-team": SecretStr("blue")}})
    endpoint = told.endpoint(SERVERS[case.kind](box))
    for mode in endpoint.modes:
        send(endpoint, mode)

    assert {request.headers.get("x-team") for request in box.requests} == {"blue"}


# --- third parties ----------------------------------------------------------------------------------------------------

HOUSE = '''
from chatsheet_llm.endpoints import OpenAI

class House(OpenAI):
    """The house's own server."""

    KIND = "house"
    SPEAKS = ("chat",)
    NEEDS = "set CHATSHEET_ENDPOINTS__HOUSE__API_KEY"
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a distribution whose entry point ``house`` is what is given."""

    def install(target: str) -> None:
        (tmp_path / "house_endpoint.py").write_text(HOUSE, encoding="utf-8")
        info = tmp_path / "house_endpoint-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house-endpoint\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[chatsheet_llm.endpoints]\nhouse = {target}\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_a_third_party_s_endpoint_is_found_by_its_entry_point(installed: Callable[[str], None], box: Sandbox) -> None:
    installed("house_endpoint:House")
    told = {"kind": "house", "base_url": f"{box.openai_url}/v1", "api_key": SecretStr(KEY)}
    with ChatClient(Settings(_env_file=None).with_endpoint("annex", told), chain=["annex"]) as client:
        completion = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}])

    assert kinds()["house"].KIND == "house"
    assert str(route_of(completion)).startswith("annex/chat 200")
    assert box.hits("openai/chat") == 1


def test_a_third_party_cannot_take_the_place_of_a_kind_of_ours(installed: Callable[[str], None]) -> None:
    ours = kinds()
    installed("house_endpoint:House")

    assert {kind: cls for kind, cls in kinds().items() if kind != "house"} == ours


def test_an_entry_point_that_is_no_endpoint_is_named(installed: Callable[[str], None]) -> None:
    installed("json:loads")

    with pytest.raises(SettingsError, match=r"'house' in chatsheet_llm\.endpoints is not a subclass of Endpoint"):
        kinds()


def test_a_kind_that_nobody_provides_is_named_with_those_that_are() -> None:
    with pytest.raises(
        SettingsError, match=r"'annex' is of kind 'house', .*known: anthropic, anthropic_foundry, azure, litellm"
    ):
        build("annex", EndpointSettings(kind="house", base_url="https://llm.example"))
