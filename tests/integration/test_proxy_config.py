"""What `proxy-config` writes is routed as it says by the real proxy, and what `--check` says of wrong files is true."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml
from litellm_proxy import VENV, LiteLLMProxy, ProxyError

from chatsheet_llm import ChatClient, Route, Settings, route_of
from chatsheet_llm.proxy_config import check, proxy_config
from chatsheet_llm.proxy_config.routing import ROUTED_BY_NAME
from chatsheet_llm.sandbox import Received, Sandbox

RESPONSES = "/openai/responses"
VERSION = "2025-04-01-preview"
DEPLOYMENTS = {
    "codex-prod": "gpt-5-codex",
    "pro-prod": "gpt-5-pro",
    "five-prod": "gpt-5",
    "nano-prod": "gpt-5-nano",
    "smart-prod": "gpt-5.4",
    "gpt-5.4": "gpt-5.4",
    "gpt-5-mini": "gpt-5-mini",
    "gpt-5-chat": "gpt-5-chat",
    "gpt-5-codex": "gpt-5-codex",
}
MODELS = """
    models:
      - {alias: gpt-5-codex, base_model: gpt-5-codex, deployments: {azure: codex-prod}}
      - {alias: gpt-5-pro, base_model: gpt-5-pro, deployments: {azure: pro-prod}}
      - {alias: gpt-5, base_model: gpt-5, deployments: {azure: five-prod}}
      - {alias: gpt-5-mini, base_model: gpt-5-mini}
      - {alias: gpt-5-nano, base_model: gpt-5-nano, deployments: {azure: nano-prod}}
      - {alias: gpt-5-chat, base_model: gpt-5-chat}
      - {alias: smart, base_model: gpt-5.4, deployments: {azure: smart-prod}}
      - {alias: claude, base_model: claude-sonnet-4-5, chain: [litellm, foundry], deployments: {foundry: claude-prod}}
      - {alias: sonnet, base_model: claude-sonnet-4-5, chain: [litellm, foundry], deployments: {foundry: sonnet-prod}}
      - {alias: coder, base_model: gpt-5-codex, deployments: {azure: codex-prod, litellm: coder-eu}}
      - {alias: nimble, api_model: nano, base_model: gpt-5-nano, deployments: {azure: nano-prod}}
      - {alias: fast, api_model: gpt-5-mini, reasoning_effort: low}
      - {alias: stays, base_model: gpt-5.4, mode: chat, deployments: {azure: smart-prod}}
      - {alias: moved, base_model: gpt-5.4, mode: chat, deployments: {azure: gpt-5.4}}
    """
FLAT = """
    coder: {backend: azure, api_model: gpt-5-codex, deployment_name: codex-prod, mode: responses}
    fast: {backend: azure, api_model: gpt-5-mini}
    five: {backend: azure, api_model: gpt-5, deployment_name: five-prod}
    """
"""The same as other routers write it: every alias is another name than that of the model."""
ROUTES = {
    "gpt-5-codex": ("codex-prod", RESPONSES),
    "gpt-5-pro": ("pro-prod", RESPONSES),
    "gpt-5": ("five-prod", "/openai/deployments/five-prod/chat/completions"),
    "gpt-5-mini": ("gpt-5-mini", "/openai/deployments/gpt-5-mini/chat/completions"),
    "gpt-5-nano": ("nano-prod", "/openai/deployments/nano-prod/chat/completions"),
    "gpt-5-chat": ("gpt-5-chat", "/openai/deployments/gpt-5-chat/chat/completions"),
}
"""Alias to its deployment, and the path that a chat call reaches Azure at."""
OTHERS = {
    "smart": ("litellm/chat", "/openai/responses"),
    "claude": ("litellm/chat", "/anthropic/v1/messages"),
    "sonnet": ("litellm/chat", "/anthropic/v1/messages"),
    "coder": ("litellm/responses", RESPONSES),
    "nimble": ("litellm/chat", "/openai/deployments/nano-prod/chat/completions"),
    "fast": ("litellm/chat", "/openai/deployments/gpt-5-mini/chat/completions"),
    "stays": ("litellm/chat", "/openai/deployments/smart-prod/chat/completions"),
    "moved": ("litellm/chat", "/openai/deployments/gpt-5.4/chat/completions"),
}
"""Alias to the hop that answers our client, and the path that it reaches."""
CALLS = [(alias, stream) for alias in ROUTES for stream in (False, True) if not (alias == "gpt-5-pro" and stream)]
"""gpt-5-pro does not stream."""
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
PROMPT: Any = {"role": "user", "content": "Hello"}


@pytest.fixture(scope="module")
def azure() -> Iterator[Sandbox]:
    """A resource whose deployments have names of their own."""
    with Sandbox(deployments=DEPLOYMENTS) as box:
        yield box


def settings(azure: Sandbox, directory: Path, proxy: LiteLLMProxy | None = None, models: str = MODELS) -> Settings:
    path = directory / "models.yaml"
    path.write_text(textwrap.dedent(models), encoding="utf-8")
    return Settings(
        _env_file=None,
        models_file=path,
        azure_openai_endpoint=f"{azure.azure_url}/openai/v1",
        azure_openai_api_key=azure.api_key,
        litellm_base_url=proxy.url if proxy is not None else None,
        litellm_api_key=proxy.key if proxy is not None else None,
        endpoints={
            "azure": {"headers": {"X-Team": "canary-team"}},
            "foundry": {"kind": "anthropic_foundry", "base_url": azure.azure_url, "api_key": azure.api_key},
        },
    )


def proxy_of(azure: Sandbox, directory: Path, models: str) -> LiteLLMProxy:
    """The proxy with the file that we write, and with the variables that the file says it needs."""
    return LiteLLMProxy(
        azure_url=azure.azure_url,
        azure_key=azure.api_key,
        directory=directory,
        config=proxy_config(settings(azure, directory, models=models)),
        environment={
            "AZURE_OPENAI_API_KEY": azure.api_key,
            "CHATSHEET_ENDPOINTS__FOUNDRY__API_KEY": azure.api_key,
            "CHATSHEET_ENDPOINTS__AZURE__HEADERS__X_TEAM": "canary-team",
        },
    )


@pytest.fixture(scope="module")
def written(azure: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLLMProxy]:
    with proxy_of(azure, tmp_path_factory.mktemp("written"), MODELS) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def flat(azure: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLLMProxy]:
    with proxy_of(azure, tmp_path_factory.mktemp("flat"), FLAT) as proxy:
        yield proxy


def entry(name: str, model: str, info: Mapping[str, str] | None = None, **params: str) -> dict[str, object]:
    key = {} if "azure_ad_token" in params else {"api_key": "os.environ/UPSTREAM_KEY"}
    told = {"model": model, "api_version": VERSION, **key, **params}
    return {"model_name": name, "litellm_params": told, **({"model_info": dict(info)} if info else {})}


@pytest.fixture(scope="module")
def wrong_file(azure: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the mistakes that the checker knows, apart from those that keep a proxy from starting."""
    root, v1 = azure.azure_url, f"{azure.azure_url}/openai/v1"
    rows = [
        entry("gpt-5-codex", "azure_text/gpt-5-codex", api_base=root),
        # Each call that ends in a 404 parks its entry for seconds, so each test has one of its own.
        entry("text", "azure_text/gpt-5-codex", api_base=root),
        entry("text-two", "azure_text/gpt-5-codex", api_base=root),
        entry("text-three", "azure_text/gpt-5-codex", api_base=root),
        entry("coder", "azure/codex-prod", {"base_model": "azure/gpt-5-codex"}, api_base=root),
        entry("smart", "azure/smart-prod", {"base_model": "azure/gpt-5.4"}, api_base=root),
        entry("deep", "azure/responses/nano-prod", {"mode": "responses"}, api_base=root),
        entry("quick", "azure/nano-prod", {"mode": "chat"}, api_base=root),
        entry("dated", "azure/five-prod", api_base=v1),
        entry("undated", "azure/gpt-5-chat", api_base=v1, api_version="v1"),
        entry("openai/gpt-5-mini", "azure/gpt-5-mini", api_base=root),
        entry("token", "azure/gpt-5-mini", api_base=root, azure_ad_token="os.environ/UPSTREAM_KEY"),
    ]
    path = tmp_path_factory.mktemp("wrong") / "wrong.yaml"
    told = {"model_list": rows, "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"}}
    router = {"num_retries": 0, "model_group_alias": {"team/five": "token", "five": "token"}}
    path.write_text(yaml.safe_dump({**told, "router_settings": router}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def wrong(azure: Sandbox, wrong_file: Path) -> Iterator[LiteLLMProxy]:
    text = wrong_file.read_text(encoding="utf-8")
    with LiteLLMProxy(
        azure_url=azure.azure_url, azure_key=azure.api_key, directory=wrong_file.parent, config=text
    ) as proxy:
        yield proxy


class Caller:
    """The plain SDK before a proxy; remembers what reached Azure of the last call."""

    def __init__(self, proxy: LiteLLMProxy, azure: Sandbox) -> None:
        self._azure = azure
        self._client = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=proxy.key, max_retries=0, timeout=60)
        self.arrived: Sequence[Received] = ()

    def ask(self, api: str, model: str, *, stream: bool = False, **more: Any) -> None:
        """Ask, and read the answer to its end.  Raises the SDK's errors."""
        self._azure.forget()
        try:
            if api == "chat":
                answer: Any = self._client.chat.completions.create(
                    model=model, messages=[PROMPT], stream=stream, **more
                )
            else:
                answer = self._client.responses.create(model=model, input="Hello", stream=stream, **more)
            if stream:
                assert list(answer)
        finally:
            self.arrived = list(self._azure.requests)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.arrived]


def heard_of(proxy: LiteLLMProxy, azure: Sandbox, api: str, alias: str, stream: bool) -> Received:
    """The one request that a call makes of Azure."""
    caller = Caller(proxy, azure)
    caller.ask(api, alias, stream=stream)
    (request,) = caller.arrived
    return request


def body_of(request: Received) -> Mapping[str, Any]:
    assert isinstance(request.json, Mapping)
    return request.json


@pytest.mark.parametrize(("alias", "stream"), CALLS)
def test_a_chat_call_reaches_the_api_that_the_model_has(
    written: LiteLLMProxy, azure: Sandbox, alias: str, stream: bool
) -> None:
    request = heard_of(written, azure, "chat", alias, stream)
    deployment, path = ROUTES[alias]

    assert (request.path, request.query) == (path, f"api-version={VERSION}")
    assert body_of(request)["model"] == deployment
    assert ("input" in body_of(request), "messages" in body_of(request)) == (path == RESPONSES, path != RESPONSES)
    assert request.headers["x-team"] == "canary-team"


@pytest.mark.parametrize(("alias", "stream"), CALLS)
def test_a_responses_call_reaches_responses_whatever_the_model(
    written: LiteLLMProxy, azure: Sandbox, alias: str, stream: bool
) -> None:
    request = heard_of(written, azure, "responses", alias, stream)

    assert (request.path, request.query) == (RESPONSES, f"api-version={VERSION}")
    assert (body_of(request)["model"], body_of(request)["input"]) == (ROUTES[alias][0], "Hello")


def test_tools_reach_responses_where_chat_refuses_them_beside_reasoning(written: LiteLLMProxy, azure: Sandbox) -> None:
    caller = Caller(written, azure)
    caller.ask("chat", "smart", tools=[TOOL])

    assert caller.paths == [RESPONSES]
    assert body_of(caller.arrived[0])["tools"][0]["name"] == "weather"


@pytest.mark.parametrize(("alias", "deployment"), [("claude", "claude-prod"), ("sonnet", "sonnet-prod")])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_claude_on_foundry_is_asked_in_messages(
    written: LiteLLMProxy, azure: Sandbox, alias: str, deployment: str, api: str
) -> None:
    caller = Caller(written, azure)
    caller.ask(api, alias)

    assert caller.paths == ["/anthropic/v1/messages"]
    assert body_of(caller.arrived[0])["model"] == deployment


def test_an_entry_that_says_chat_keeps_tools_on_chat_beside_one_of_the_same_deployment_that_does_not(
    written: LiteLLMProxy, azure: Sandbox
) -> None:
    """Azure refuses them there: that is what was asked for."""
    caller = Caller(written, azure)
    with pytest.raises(openai.BadRequestError):
        caller.ask("chat", "stays", tools=[TOOL], reasoning_effort="low")

    assert caller.paths == ["/openai/deployments/smart-prod/chat/completions"]


def test_a_name_that_litellm_moves_reaches_responses_although_its_entry_says_chat(
    written: LiteLLMProxy, azure: Sandbox
) -> None:
    """Which is what the remark in the file says."""
    caller = Caller(written, azure)
    caller.ask("chat", "moved", tools=[TOOL])

    assert caller.paths == [RESPONSES]


@pytest.mark.parametrize("alias", [*ROUTES, *OTHERS])
def test_every_model_of_the_registry_is_answered_through_the_proxy(
    written: LiteLLMProxy, azure: Sandbox, tmp_path: Path, alias: str
) -> None:
    route, paths = through_our_client(azure, settings(azure, tmp_path, written), alias)
    path = ROUTES[alias][1] if alias in ROUTES else OTHERS[alias][1]
    hop = OTHERS.get(alias, ("litellm/responses" if path == RESPONSES else "litellm/chat",))[0]

    assert [(attempt.hop, attempt.status) for attempt in route.attempts] == [(hop, 200)]
    assert paths == [path]


def test_no_model_of_the_registry_is_forgotten_here(azure: Sandbox, tmp_path: Path) -> None:
    assert {*ROUTES, *OTHERS} == {spec.alias for spec in settings(azure, tmp_path).registry}


@pytest.mark.parametrize(
    ("alias", "hop", "path"),
    [
        ("coder", "litellm/responses", RESPONSES),
        ("fast", "litellm/chat", "/openai/deployments/gpt-5-mini/chat/completions"),
        ("five", "litellm/chat", "/openai/deployments/five-prod/chat/completions"),
    ],
)
def test_every_model_of_a_flat_file_is_answered_through_the_proxy(
    flat: LiteLLMProxy, azure: Sandbox, tmp_path: Path, alias: str, hop: str, path: str
) -> None:
    route, paths = through_our_client(azure, settings(azure, tmp_path, flat, FLAT), alias)

    assert [(attempt.hop, attempt.status) for attempt in route.attempts] == [(hop, 200)]
    assert paths == [path]


# --- a proxy that was configured the wrong way

CODERS = """
    models:
      - {alias: gpt-5-codex, base_model: gpt-5-codex}
      - {alias: coder, base_model: gpt-5-codex, deployments: {azure: codex-prod}}
      - {alias: text-three, base_model: gpt-5-codex, deployments: {azure: gpt-5-codex}}
    """


def through_our_client(azure: Sandbox, told: Settings, model: str) -> tuple[Route, list[str]]:
    """The route of a chat call over the full chain, and what reached Azure."""
    azure.forget()
    with ChatClient(told) as client:
        completion = client.chat.completions.create(model=model, messages=[PROMPT])
    assert "You said: Hello" in (completion.choices[0].message.content or "")
    return route_of(completion), [request.path for request in azure.requests]


def test_base_model_alone_answers_our_client_through_the_proxy(
    wrong: LiteLLMProxy, azure: Sandbox, tmp_path: Path
) -> None:
    """The hop asks the proxy at /v1/responses, which is native for azure/ models."""
    route, paths = through_our_client(azure, settings(azure, tmp_path, wrong, CODERS), "coder")

    assert [(attempt.hop, attempt.outcome) for attempt in route.attempts] == [("litellm/responses", "ok")]
    assert paths == [RESPONSES]


def test_azure_text_answers_our_client_from_the_next_hop(wrong: LiteLLMProxy, azure: Sandbox, tmp_path: Path) -> None:
    """azure_text/ reaches the legacy API from /v1/responses as well, so it is Azure itself that answers."""
    route, paths = through_our_client(azure, settings(azure, tmp_path, wrong, CODERS), "gpt-5-codex")

    assert [attempt.hop for attempt in route.attempts] == ["litellm/responses", "azure/responses"]
    assert [attempt.ok for attempt in route.attempts] == [False, True]
    assert paths == ["/openai/deployments/gpt-5-codex/completions", "/openai/v1/responses"]


def test_azure_text_answers_our_client_even_where_azure_calls_it_a_mismatch_of_api_and_model(
    wrong: LiteLLMProxy, azure: Sandbox, tmp_path: Path
) -> None:
    azure.inject("azure/other", "400:OperationNotSupported")
    try:
        route, paths = through_our_client(azure, settings(azure, tmp_path, wrong, CODERS), "text-three")
    finally:
        azure.clear()

    assert [(attempt.hop, attempt.status) for attempt in route.attempts] == [
        ("litellm/responses", 400),
        ("azure/responses", 200),
    ]
    assert paths == ["/openai/deployments/gpt-5-codex/completions", "/openai/v1/responses"]


def test_the_checker_finds_each_mistake_of_that_file(wrong_file: Path) -> None:
    assert sorted(finding.rule for finding in check(wrong_file)) == sorted(
        ["azure_text"] * 4 + ["base_model", "base_model", "mode", "api_base", "api_base", "model_name", "model_name"]
    )


@pytest.mark.parametrize(
    ("api", "model", "more", "path"),
    [
        ("chat", "coder", {}, "/openai/deployments/codex-prod/chat/completions"),
        (
            "chat",
            "smart",
            {"tools": [TOOL], "reasoning_effort": "low"},
            "/openai/deployments/smart-prod/chat/completions",
        ),
        ("responses", "text", {}, "/openai/deployments/gpt-5-codex/completions"),
        ("chat", "text-two", {}, "/openai/deployments/gpt-5-codex/completions"),
        ("chat", "dated", {}, "/openai/v1/openai/deployments/five-prod/chat/completions"),
        ("chat", "undated", {}, "/openai/v1/openai/v1/chat/completions"),
    ],
)
def test_what_the_checker_says_of_a_wrong_route_is_so(
    wrong: LiteLLMProxy, azure: Sandbox, api: str, model: str, more: Mapping[str, Any], path: str
) -> None:
    caller = Caller(wrong, azure)
    with pytest.raises(openai.APIStatusError):
        caller.ask(api, model, **more)

    assert caller.paths == [path]


def test_mode_leaks_from_one_alias_to_another(wrong: LiteLLMProxy, azure: Sandbox) -> None:
    caller = Caller(wrong, azure)
    caller.ask("chat", "quick")

    assert caller.paths == [RESPONSES]


@pytest.mark.parametrize("name", ["openai/gpt-5-mini", "openai%2Fgpt-5-mini"])
def test_a_name_with_a_slash_is_served_but_not_found(wrong: LiteLLMProxy, azure: Sandbox, name: str) -> None:
    Caller(wrong, azure).ask("chat", "openai/gpt-5-mini")
    client = openai.OpenAI(base_url=f"{wrong.url}/v1", api_key=wrong.key, max_retries=0)

    with pytest.raises(openai.NotFoundError):
        client.get(f"/models/{name}", cast_to=object)
    assert client.get("/models/coder", cast_to=object)


@pytest.mark.parametrize("name", ["team/five", "five"])
def test_an_alias_of_the_router_is_served_and_listed_but_not_found(
    wrong: LiteLLMProxy, azure: Sandbox, name: str
) -> None:
    Caller(wrong, azure).ask("chat", name)
    client = openai.OpenAI(base_url=f"{wrong.url}/v1", api_key=wrong.key, max_retries=0)

    assert name in [model.id for model in client.models.list()]
    with pytest.raises(openai.NotFoundError):
        client.get(f"/models/{name}", cast_to=object)


@pytest.mark.parametrize(
    ("general", "variables"),
    [
        ({}, {}),
        ({"database_url": "os.environ/PG_URL"}, {"PG_URL": ""}),
        ({}, {"DATABASE_HOST": "db.example.com", "DATABASE_USERNAME": "llm", "DATABASE_NAME": "llm"}),
    ],
    ids=["no-url", "empty-url", "parts-of-a-url"],
)
def test_models_cannot_be_stored_where_the_checker_finds_no_database(
    azure: Sandbox, tmp_path: Path, general: Mapping[str, str], variables: Mapping[str, str]
) -> None:
    told = {
        "model_list": [entry("gpt-5-mini", "azure/gpt-5-mini", api_base=azure.azure_url)],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "store_model_in_db": True, **general},
        "environment_variables": dict(variables),
    }
    file, text = tmp_path / "stored.yaml", yaml.safe_dump(told, sort_keys=False)
    file.write_text(text, encoding="utf-8")
    with LiteLLMProxy(azure_url=azure.azure_url, azure_key=azure.api_key, directory=tmp_path, config=text) as proxy:
        client = openai.OpenAI(base_url=proxy.url, api_key=proxy.key, max_retries=0)

        assert [finding.rule for finding in check(file)] == ["store_model_in_db"]
        with pytest.raises(openai.InternalServerError, match="No DB Connected"):
            client.post("/model/new", body=told["model_list"][0], cast_to=object)


def test_a_proxy_with_an_empty_url_of_a_database_does_not_start(azure: Sandbox, tmp_path: Path) -> None:
    text = (
        "model_list: []\n"
        "general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, store_model_in_db: true, database_url: ''}\n"
    )
    file = tmp_path / "empty.yaml"
    file.write_text(text, encoding="utf-8")

    assert [finding.rule for finding in check(file)] == ["store_model_in_db"]
    with pytest.raises(ProxyError, match="unsupported scheme"):
        LiteLLMProxy(azure_url=azure.azure_url, azure_key=azure.api_key, directory=tmp_path, config=text).start()


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_azure_ad_token_travels_as_bearer_token(wrong: LiteLLMProxy, azure: Sandbox, api: str) -> None:
    caller = Caller(wrong, azure)
    caller.ask(api, "token")

    assert caller.arrived[0].headers["authorization"] == f"Bearer {azure.api_key}"
    assert "api-key" not in caller.arrived[0].headers


def test_the_names_that_litellm_routes_by_itself_are_those_of_our_table(wrong: LiteLLMProxy) -> None:
    """Asked of the installed LiteLLM; regions and dates are spellings of the same names."""
    ask = """
        import json, re, litellm
        named = {"azure": set(), "openai": set()}
        for key, row in litellm.model_cost.items():
            provider = row.get("litellm_provider")
            if provider in named and row.get("mode") == "responses":
                found = re.sub("^azure/(eu/|us/|global/)?", "", key)
                named[provider].add(re.sub(r"-\\d{4}-\\d{2}-\\d{2}$", "", found))
        print(json.dumps({provider: sorted(found) for provider, found in named.items()}))
        """
    ran = subprocess.run(
        [str(VENV / "bin" / "python"), "-c", textwrap.dedent(ask)],
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    private = {"gpt-daybreak-blue-latest", "gpt-daybreak-red-latest"}
    assert {provider: set(found) - private for provider, found in told.items()} == dict(ROUTED_BY_NAME)
