"""What each endpoint puts on the wire: URL, query, headers and body, by version and kind of credential."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from client_cases import HELLO, ask, hello, settings_for, way

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, errors, route_of, sdk
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Azure, Endpoint, LiteLLM, Outgoing, build, kinds
from chatsheet_llm.sandbox import Received, Sandbox

KEY = "sandbox-key"


@dataclass(frozen=True)
class Wire:
    """Fields of the ``azure`` endpoint, a hop, and what arrives: path, query and the headers that carry the key."""

    fields: Mapping[str, object]
    hop: str
    path: str
    query: str = ""
    keys: Mapping[str, str | None] = field(default_factory=lambda: API_KEY)


API_KEY: Mapping[str, str | None] = {"api-key": KEY, "authorization": None}
BEARER: Mapping[str, str | None] = {"api-key": None, "authorization": f"Bearer {KEY}"}
DATED = "2025-04-01-preview"

WIRES: tuple[Wire, ...] = (
    Wire({}, "chat", "/openai/v1/chat/completions"),
    Wire({}, "responses", "/openai/v1/responses"),
    *(
        Wire({"api_version": version}, api, f"/openai/v1/{path}")
        for version in ("v1", "preview", "latest", "V1")
        for api, path in (("chat", "chat/completions"), ("responses", "responses"))
    ),
    Wire({"api_version": DATED}, "chat", "/openai/deployments/gpt-5/chat/completions", f"api-version={DATED}"),
    Wire({"api_version": DATED}, "responses", "/openai/responses", f"api-version={DATED}"),
    Wire({"api_version": "2024-10-21"}, "chat", "/openai/deployments/gpt-5/chat/completions", "api-version=2024-10-21"),
    Wire({"key_header": "bearer"}, "chat", "/openai/v1/chat/completions", keys=BEARER),
    Wire({"key_header": "bearer"}, "responses", "/openai/v1/responses", keys=BEARER),
    Wire({"key_header": "api-key"}, "chat", "/openai/v1/chat/completions"),
    Wire({"ad_token": KEY, "api_key": "wrong"}, "chat", "/openai/v1/chat/completions", keys=BEARER),
    Wire({"ad_token": KEY, "api_key": None}, "responses", "/openai/v1/responses", keys=BEARER),
    Wire({"ad_token": KEY, "api_version": DATED}, "chat", "/openai/deployments/gpt-5/chat/completions",
         f"api-version={DATED}", BEARER),
    Wire({"ad_token": KEY, "api_version": DATED}, "responses", "/openai/responses", f"api-version={DATED}", BEARER),
)  # fmt: skip


def azure_settings(box: Sandbox, fields: Mapping[str, object], suffix: str = "") -> Settings:
    given = {"base_url": box.azure_url + suffix, "api_key": box.api_key, **fields}
    told = {name: value for name, value in given.items() if value is not None}
    return Settings(_env_file=None, endpoints={"azure": told}, deadline=5.0)


def arrived(box: Sandbox) -> Received:
    assert len(box.requests) == 1
    return box.requests[0]


def check(wire: Wire, request: Received) -> None:
    assert request.path == wire.path
    assert request.query == wire.query
    for name, value in wire.keys.items():
        assert request.headers.get(name) == value
    assert request.headers["x-stainless-retry-count"] == "0"
    assert request.model == "gpt-5"


EACH = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: f"{wire.hop} {dict(wire.fields)}")


@EACH
def test_azure_on_the_wire(wire: Wire, box: Sandbox) -> None:
    with ChatClient(azure_settings(box, wire.fields), chain=f"azure/{wire.hop}") as client:
        route = route_of(hello(client))

    assert way(route) == f"azure/{wire.hop} 200"
    check(wire, arrived(box))


@EACH
async def test_azure_on_the_wire_asynchronously(wire: Wire, box: Sandbox) -> None:
    async with AsyncChatClient(azure_settings(box, wire.fields), chain=f"azure/{wire.hop}") as client:
        await hello(client)

    check(wire, arrived(box))


@pytest.mark.parametrize(
    "suffix",
    [
        *("", "/", "/openai", "/openai/", "/openai/v1", "/openai/v1/", "/v1", "//"),
        *(
            "/openai/responses",
            "/openai/v1/responses",
            "/v1/chat/completions",
            "/openai/deployments/x/chat/completions",
        ),
    ],
)
@pytest.mark.parametrize("version", [None, DATED])
def test_a_resource_may_be_given_with_or_without_its_path(suffix: str, version: str | None, box: Sandbox) -> None:
    with ChatClient(azure_settings(box, {"api_version": version}, suffix), chain="azure/responses") as client:
        hello(client)

    assert arrived(box).path == ("/openai/v1/responses" if version is None else "/openai/responses")


def test_a_path_before_the_api_s_own_is_kept(box: Sandbox) -> None:
    made = build("azure", EndpointSettings(base_url="https://apim.example/team/openai", api_key="k"))  # type: ignore[arg-type]

    assert isinstance(made, Azure)
    assert made.url == "https://apim.example/team/openai/v1/"


@pytest.mark.parametrize("version", [None, DATED])
def test_the_deployment_goes_where_the_version_wants_it(version: str | None, box: Sandbox) -> None:
    with ChatClient(azure_settings(box, {"api_version": version, "deployment": "gpt-5-mini"})) as client:
        hello(client.with_chain("azure/chat"), model="anything")
        hello(client.with_chain("azure/responses"), model="anything")

    chat, responses = box.requests
    assert chat.path == (
        "/openai/v1/chat/completions" if version is None else "/openai/deployments/gpt-5-mini/chat/completions"
    )
    assert chat.model == responses.model == "gpt-5-mini"


def test_a_deployment_cannot_leave_its_path(box: Sandbox) -> None:
    fields = {"api_version": DATED, "deployment": "a/../b?x=1"}
    with ChatClient(azure_settings(box, fields), chain="azure/chat") as client, pytest.raises(errors.CallError):
        hello(client)

    assert arrived(box).path == "/openai/deployments/a%2F..%2Fb%3Fx=1/chat/completions"


def test_headers_of_an_endpoint_go_to_that_endpoint_alone(box: Sandbox) -> None:
    settings = settings_for(box, endpoints={"azure": {"headers": {"Ocp-Apim-Subscription-Key": "apim-1"}}})
    with ChatClient(settings) as client:
        hello(client)
        hello(client.with_chain("azure/chat"))

    gateway, azure = box.requests
    assert "ocp-apim-subscription-key" not in gateway.headers
    assert azure.headers["ocp-apim-subscription-key"] == "apim-1"


# --- LiteLLM


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://p.example", "http://p.example/v1"),
        ("http://p.example/", "http://p.example/v1"),
        ("http://p.example/v1", "http://p.example/v1"),
        ("http://p.example/v1/", "http://p.example/v1"),
        ("http://p.example/team/v1", "http://p.example/team/v1"),
    ],
)
def test_the_proxy_s_url_gets_its_version_once(base: str, url: str) -> None:
    made = build("litellm", EndpointSettings(base_url=base))

    assert isinstance(made, LiteLLM)
    assert made.url == url


@pytest.mark.parametrize("call", [hello, ask], ids=["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_proxy_is_told_to_neither_retry_nor_fall_back(call: object, stream: bool, box: Sandbox) -> None:
    with ChatClient(settings_for(box, deadline=4.0)) as client:
        value = call(client, stream=stream)  # type: ignore[operator]
        if stream:
            list(value)
    request = arrived(box)

    assert request.headers["x-litellm-num-retries"] == "0"
    assert request.headers["x-stainless-retry-count"] == "0"
    # Half of the deadline is ours, and the proxy gives up before we do.
    assert 0 < float(request.headers["x-litellm-timeout"]) < 2.0
    assert request.json is not None
    assert request.json["disable_fallbacks"] is True
    assert "num_retries" not in request.json


def test_nobody_else_is_told_the_proxy_s_business(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        hello(client.with_chain("azure/chat"))
    request = arrived(box)

    assert not [name for name in request.headers if "litellm" in name]
    assert "disable_fallbacks" not in (request.json or {})


def test_an_operator_s_own_header_wins(box: Sandbox) -> None:
    settings = settings_for(box, endpoints={"litellm": {"headers": {"x-litellm-tags": "team-a"}}})
    with ChatClient(settings) as client:
        hello(client)

    assert arrived(box).headers["x-litellm-tags"] == "team-a"


def test_the_proxy_may_not_fall_back_on_a_path_that_is_passed_through_either(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        client.embeddings.create(model="text-embedding-3-small", input="x")

    assert arrived(box).json["disable_fallbacks"] is True


def test_no_header_of_the_caller_s_turns_the_proxy_s_retries_on(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        hello(client, extra_headers={"X-LiteLLM-Num-Retries": "5"})

    assert arrived(box).headers["x-litellm-num-retries"] == "0"


# --- OpenAI and Anthropic


@pytest.mark.parametrize(("mode", "path"), [("chat", "/v1/chat/completions"), ("responses", "/v1/responses")])
def test_openai_on_the_wire(mode: str, path: str, box: Sandbox) -> None:
    settings = Settings(
        _env_file=None, openai_base_url=f"{box.openai_url}/v1", openai_api_key=KEY, chain=f"openai/{mode}"
    )
    with ChatClient(settings) as client:
        hello(client)
    request = arrived(box)

    assert request.path == path
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "api-key" not in request.headers


def test_an_organization_is_sent_where_it_was_named(box: Sandbox) -> None:
    settings = Settings(_env_file=None)
    with ChatClient(
        settings, api_key=KEY, base_url=f"{box.openai_url}/v1", organization="org-1", project="proj-1"
    ) as client:
        hello(client)
    request = arrived(box)

    assert request.headers["openai-organization"] == "org-1"
    assert request.headers["openai-project"] == "proj-1"


@pytest.mark.parametrize("path", ["/embeddings", "/models"])
def test_anthropic_gets_only_what_is_translated_to_messages(path: str, box: Sandbox) -> None:
    settings = Settings(_env_file=None, anthropic_base_url=box.anthropic_url, anthropic_api_key=KEY, chain="anthropic")
    why = f"only calls that are translated to Messages go there, and {path} is not"
    with ChatClient(settings) as client, pytest.raises(errors.UnsupportedPathError, match=why):
        client.post(path, cast_to=object, body={"model": "x", "input": "y"})

    assert box.requests == []


# --- Anthropic's own API, and Claude on Foundry

MESSAGE = {"model": "claude-opus-5-5", "max_tokens": 20, "messages": HELLO}
NO_KEYS: Mapping[str, str | None] = {"authorization": None, "x-api-key": None, "api-key": None}
BOTH_KEYS: Mapping[str, str | None] = {**NO_KEYS, "x-api-key": KEY, "api-key": KEY}
TOKEN: Mapping[str, str | None] = {**NO_KEYS, "authorization": f"Bearer {KEY}"}

MESSAGE_WIRES: tuple[tuple[str, Mapping[str, object], Mapping[str, str | None]], ...] = (
    ("anthropic", {"key_header": "bearer"}, TOKEN),
    ("anthropic", {"key_header": "api-key"}, {**NO_KEYS, "x-api-key": KEY}),
    ("anthropic_foundry", {}, BOTH_KEYS),
    ("anthropic_foundry", {"key_header": "api-key"}, BOTH_KEYS),
    ("anthropic_foundry", {"key_header": "bearer"}, TOKEN),
    ("anthropic_foundry", {"ad_token": KEY, "api_key": "wrong"}, TOKEN),
    ("anthropic_foundry", {"ad_token": KEY, "api_key": "wrong", "key_header": "api-key"}, TOKEN),
)


def messages_endpoint(box: Sandbox, kind: str, **fields: object) -> Endpoint:
    url = box.anthropic_url if kind == "anthropic" else box.azure_url
    return build(kind, EndpointSettings.model_validate({"kind": kind, "base_url": url, "api_key": KEY, **fields}))


def outgoing(
    headers: Mapping[str, str | sdk.Omit] | None = None, options: Any = None, *, stream: bool = False
) -> Outgoing:
    body = {**MESSAGE, "stream": True} if stream else MESSAGE
    return Outgoing(options, "post", "/v1/messages", "messages", body, headers or {}, httpx2.Timeout(5.0), 5.0)


def sent(endpoint: Endpoint, out: Outgoing) -> httpx2.Response:
    with httpx2.Client() as http:
        answer = endpoint.client(http).request(httpx2.Response, endpoint.options(out))
    assert isinstance(answer, httpx2.Response)
    return answer


@pytest.mark.parametrize(("kind", "fields", "keys"), MESSAGE_WIRES, ids=str)
async def test_messages_on_the_wire(
    kind: str, fields: Mapping[str, object], keys: Mapping[str, str | None], box: Sandbox
) -> None:
    endpoint = messages_endpoint(box, kind, **fields)
    sent(endpoint, outgoing())
    async with httpx2.AsyncClient() as http:
        await endpoint.async_client(http).request(httpx2.Response, endpoint.options(outgoing()))

    for request in box.requests:
        assert request.path == ("/v1/messages" if kind == "anthropic" else "/anthropic/v1/messages")
        assert {name: request.headers.get(name) for name in keys} == keys
        assert request.headers["anthropic-version"][:2] == "20"
        assert request.headers["x-stainless-retry-count"] == "0"
        assert request.json == MESSAGE
    assert len(box.requests) == 2


def test_anthropic_s_key_travels_once_where_nobody_says_how(box: Sandbox) -> None:
    sent(messages_endpoint(box, "anthropic"), outgoing())
    headers = arrived(box).headers

    assert [headers.get("authorization"), headers.get("x-api-key")] in ([f"Bearer {KEY}", None], [None, KEY])


MESSAGE_KINDS = pytest.mark.parametrize("kind", ["anthropic", "anthropic_foundry"])


@MESSAGE_KINDS
def test_what_the_caller_adds_to_a_request_goes_to_anthropic_too(kind: str, box: Sandbox) -> None:
    asked = sdk.FinalRequestOptions.construct(method="post", url="/chat/completions", params={"trace": "7", "tag": "a"})
    headers: dict[str, str | sdk.Omit] = {"anthropic-beta": "files-api-2025-04-14", "X-Trace": "t-1"}

    sent(messages_endpoint(box, kind), outgoing(headers, asked))
    request = arrived(box)

    assert request.query == "trace=7&tag=a"
    assert request.headers["anthropic-beta"] == "files-api-2025-04-14"
    assert request.headers["x-trace"] == "t-1"


@pytest.mark.parametrize("call", [hello, ask], ids=["chat", "responses"])
@MESSAGE_KINDS
def test_a_caller_of_openai_s_apis_reaches_claude(kind: str, call: Callable[..., Any], box: Sandbox) -> None:
    told = {"anthropic_base_url": box.anthropic_url, "anthropic_foundry_resource": box.azure_url}
    keys = {"anthropic_api_key": KEY, "anthropic_foundry_api_key": KEY}
    headers = {"anthropic-beta": "b-1", "OpenAI-Beta": "assistants=v2"}
    with ChatClient(Settings(_env_file=None, **told, **keys), chain=kind) as client:
        route = route_of(call(client, extra_headers=headers, extra_query={"q": "1"}))
    request = arrived(box)

    assert way(route) == f"{kind}/messages 200"
    assert (request.api, request.model, request.query) == ("messages", "gpt-5", "q=1")
    assert request.headers["anthropic-beta"] == "b-1"
    assert "openai-beta" not in request.headers


@MESSAGE_KINDS
def test_a_header_that_the_caller_leaves_out_is_left_out(kind: str, box: Sandbox) -> None:
    endpoint = messages_endpoint(box, kind, headers={"anthropic-beta": "configured", "X-Team": "search"})

    sent(endpoint, outgoing({"Anthropic-Beta": sdk.Omit()}))
    request = arrived(box)

    assert "anthropic-beta" not in request.headers
    assert request.headers["x-team"] == "search"


@MESSAGE_KINDS
def test_what_is_openai_s_own_in_a_request_does_not_reach_anthropic(kind: str, box: Sandbox) -> None:
    headers: dict[str, str | sdk.Omit] = {
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj-1",
        "OpenAI-Beta": "assistants=v2",
        "X-Stainless-Helper-Method": "chat.completions.stream",
        "X-Stainless-Lang": "of another",
    }

    sent(messages_endpoint(box, kind), outgoing(headers))
    request = arrived(box)

    assert not [name for name in request.headers if name.startswith("openai")]
    assert "x-stainless-helper-method" not in request.headers
    assert request.headers["x-stainless-lang"] == "python"
    assert "nthropic" in request.headers["user-agent"]


@MESSAGE_KINDS
async def test_a_stream_of_messages_comes_unread(kind: str, box: Sandbox) -> None:
    endpoint = messages_endpoint(box, kind)
    with httpx2.Client() as http:
        whole = endpoint.client(http).request(httpx2.Response, endpoint.options(outgoing(stream=True)), stream=True)
        unread = not whole.is_stream_consumed
        text = "".join(whole.iter_text())
    async with httpx2.AsyncClient() as other:
        client = endpoint.async_client(other)
        answer = await client.request(httpx2.Response, endpoint.options(outgoing(stream=True)), stream=True)
        unread_too = not answer.is_stream_consumed
        other_text = "".join([piece async for piece in answer.aiter_text()])

    assert unread
    assert unread_too
    assert "event: message_stop" in text
    assert "event: message_stop" in other_text


@pytest.mark.parametrize(
    ("kind", "given", "url"),
    [
        ("anthropic", None, "https://api.anthropic.com"),
        ("anthropic", "https://gw.example/team", "https://gw.example/team"),
        *(("anthropic", f"https://gw.example{end}", "https://gw.example") for end in ("/", "/v1/", "/v1/messages")),
        *(
            ("anthropic_foundry", f"https://r.services.ai.azure.com{end}", "https://r.services.ai.azure.com/anthropic")
            for end in (
                "", "/", "/anthropic", "/anthropic/", "/anthropic/v1", "/anthropic/v1/messages", "/openai/v1/",
                "/models", "/api/projects/one",
            )
        ),
        ("anthropic_foundry", "https://apim.example/claude", "https://apim.example/claude"),
    ],
)  # fmt: skip
def test_the_url_of_an_endpoint_for_messages_may_be_pasted_with_its_path(
    kind: str, given: str | None, url: str
) -> None:
    made = build(kind, EndpointSettings.model_validate({"kind": kind, "base_url": given, "api_key": KEY}))

    assert made.url == url


# --- what must not travel

FOREIGN = {
    "OPENAI_ORG_ID": "org-planted",
    "OPENAI_PROJECT_ID": "proj-planted",
    "OPENAI_API_KEY": "sk-planted",
    "AZURE_OPENAI_AD_TOKEN": "planted-token",
    "ANTHROPIC_API_KEY": "planted-anthropic",
    "ANTHROPIC_AUTH_TOKEN": "planted-auth",
    "OPENAI_CUSTOM_HEADERS": "X-Planted: planted\nAuthorization: Bearer planted",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Planted: planted\nanthropic-beta: planted",
    "ANTHROPIC_BASE_URL": "http://planted.invalid",
    "ANTHROPIC_WEBHOOK_SIGNING_KEY": "planted-hook",
    "ANTHROPIC_PROFILE": "planted",
    "ANTHROPIC_CONFIG_DIR": "/planted",
    "ANTHROPIC_IDENTITY_TOKEN": "planted-identity",
    "ANTHROPIC_IDENTITY_TOKEN_FILE": "/planted/token",
    "ANTHROPIC_FEDERATION_RULE_ID": "planted-rule",
    "ANTHROPIC_ORGANIZATION_ID": "planted-organization",
    "ANTHROPIC_SERVICE_ACCOUNT_ID": "planted-account",
    "ANTHROPIC_WORKSPACE_ID": "planted-workspace",
    "ANTHROPIC_SCOPE": "planted-scope",
    "ANTHROPIC_FOUNDRY_RESOURCE": "planted",
    "ANTHROPIC_FOUNDRY_BASE_URL": "http://planted.invalid/anthropic",
    "ANTHROPIC_FOUNDRY_API_KEY": "planted-foundry",
}


@pytest.mark.parametrize("version", [None, DATED])
def test_the_environment_of_the_sdks_reaches_no_endpoint(
    version: str | None, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(box, openai_api_version=version)
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    with ChatClient(settings) as client:
        for hop in ("litellm/chat", "litellm/responses", "azure/chat", "azure/responses"):
            hello(client.with_chain(hop))
        client.models.list()

    for request in box.requests:
        carried = {name: value for name, value in request.headers.items() if "planted" in value}
        assert carried == {}
        assert "openai-organization" not in request.headers
        assert "openai-project" not in request.headers


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_no_sdk_client_is_made_with_headers_of_the_environment(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    fields = {"base_url": "https://a.example", "api_key": KEY, "headers": {"X-Kept": "1"}}
    made = build(kind, EndpointSettings.model_validate(fields))

    with httpx2.Client() as http:
        client = made.client(http)
        headers = client.default_headers

    assert "planted" not in repr(dict(headers))
    assert headers["X-Kept"] == "1"
    assert "planted" not in str(client.base_url)


@pytest.mark.parametrize(
    "fields", [{"api_key": KEY}, {"key_header": "bearer", "api_key": KEY}, {"ad_token": KEY}], ids=str
)
@MESSAGE_KINDS
async def test_nothing_that_anthropic_s_sdk_reads_from_the_environment_is_held_or_sent(
    kind: str, fields: Mapping[str, object], box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    if kind == "anthropic" and "api_key" not in fields:
        pytest.skip("Anthropic's own API takes no such token")
    told = {"api_key": None, **fields}
    endpoint = messages_endpoint(box, kind, **told)
    sent(endpoint, outgoing())
    async with httpx2.AsyncClient() as http:
        client = endpoint.async_client(http)
        await client.request(httpx2.Response, endpoint.options(outgoing()))

    held = {name: value for name, value in vars(client).items() if "planted" in repr(value)}
    carried = [value for request in box.requests for value in request.headers.values() if "planted" in value]
    assert held == {}
    assert carried == []
    assert len(box.requests) == 2


@pytest.mark.parametrize("hop", ["litellm/chat", "litellm/responses", "azure/chat", "azure/responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_is_refused_and_nothing_goes_to_the_other_side(hop: str, stream: bool, box: Sandbox) -> None:
    role = hop.partition("/")[0]
    box.inject(role, "redirect")
    with ChatClient(settings_for(box), chain=hop) as client, pytest.raises(errors.HopUnreachableError) as caught:
        hello(client, stream=stream)

    assert [request.role for request in box.requests] == [role]
    assert "location" not in caught.value.response.headers


async def test_a_redirect_is_refused_asynchronously_too(box: Sandbox) -> None:
    box.inject("azure", "redirect")
    async with AsyncChatClient(settings_for(box), chain="azure/chat") as client:
        with pytest.raises(errors.HopUnreachableError):
            await hello(client)

    assert [request.role for request in box.requests] == ["azure"]


def test_the_same_body_goes_out_as_the_sdk_alone_would_send_it(box: Sandbox) -> None:
    import openai

    body = {"temperature": 1, "metadata": {"a": "b"}, "seed": 7, "extra_body": {"unheard_of": [1, {"x": None}]}}
    with openai.OpenAI(base_url=f"{box.azure_url}/openai/v1/", api_key=KEY) as bare:
        hello(bare, **body)
    with ChatClient(settings_for(box), chain="azure/chat") as client:
        hello(client, **body)

    bare_request, ours = box.requests
    assert ours.json == bare_request.json
    assert ours.path == bare_request.path


# --- origins


def test_an_origin_names_host_and_credential_but_not_the_key() -> None:
    def origin(**fields: object) -> str:
        return build(
            "azure", EndpointSettings.model_validate({"base_url": "https://a.example", "api_key": "k-1", **fields})
        ).origin

    assert "k-1" not in origin()
    assert origin() == origin(deployment="x", api_version=DATED)
    assert origin() != origin(api_key="k-2")
    assert origin() != origin(base_url="https://b.example")
    assert origin().startswith("https://a.example#")


def test_a_key_is_in_no_repr_of_an_endpoint() -> None:
    for kind in kinds():
        made = build(kind, EndpointSettings.model_validate({"base_url": "https://a.example", "api_key": "planted-key"}))

        assert "planted-key" not in repr(made)
        assert "planted-key" not in str(made)
        assert "planted-key" not in made.model_dump_json()


def test_an_unknown_kind_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(errors.SettingsError, match="known: anthropic, anthropic_foundry, azure, litellm, openai"):
        build("mine", EndpointSettings(kind="mistral", base_url="https://a.example"))
