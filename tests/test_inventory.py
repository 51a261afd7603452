"""``client.models`` over real sockets: what the registry says by itself, where each fact is from, who else is asked."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from client_cases import hello, quick_sandbox, settings_for, way

from chatsheet_llm import AsyncChatClient, ChatClient, errors, route_of
from chatsheet_llm.inventory import as_json
from chatsheet_llm.route import Route
from chatsheet_llm.sandbox import Sandbox

DEPLOYMENTS = {"codex-prod": "gpt-5-codex", "mini-1": "gpt-5-mini", "gpt-5": "gpt-5"}
"""Azure deployments; two have names that say nothing of the model behind them."""

HUSH = ("hush-key", "hush-header", "hush-token")
"""Secrets of the endpoints in `MODELS`."""

MODELS = """\
endpoints:
  azure: {headers: {x-team: hush-header}}
  eu: {kind: azure, base_url: "https://eu.example.com", api_key: hush-key, headers: {x-team: hush-header}}
  us: {kind: azure, base_url: "https://us.example.com", ad_token: hush-token}
  half: {kind: azure, base_url: "https://half.example.com", headers: {x-team: hush-header}}
chains: {direct: [azure/responses, azure/chat]}
models:
  coder:
    base_model: gpt-5-codex
    deployments: {azure: codex-prod}
    reasoning_effort: high
    max_tokens: 900
  raw: {deployments: {azure: codex-prod}, chain: [azure]}
  gpt-5-codex: {chain: [azure]}
  fast: {api_model: gpt-5-mini, chain: direct, mode: responses}
  ours: {base_model: gpt-5, chain: [azure], capabilities: {apis: [responses], input_window: 9000, refused: []}}
  far: {chain: [half/chat, eu, us/chat], base_model: gpt-4}
"""
ALIASES = ["coder", "raw", "gpt-5-codex", "fast", "ours", "far"]


class Either:
    """A client of either kind, whose calls are waited for."""

    def __init__(self, kind: type[Any]) -> None:
        self.kind = kind
        self.loop = asyncio.new_event_loop()
        self.opened: list[Any] = []

    def open(self, box: Sandbox, path: Path, text: str | None = MODELS) -> Any:
        """Return a client whose models.yaml has this text; None: there is no file."""
        if text is not None:
            path.write_text(text, encoding="utf-8")
        self.opened.append(self.kind(settings_for(box, **({} if text is None else {"models_file": path}))))
        return self.opened[-1]

    def wait(self, value: Any) -> Any:
        async def waited() -> Any:
            return await value

        return self.loop.run_until_complete(waited()) if inspect.isawaitable(value) else value

    def page(self, client: Any) -> Any:
        """Return the first page of the list."""

        async def read() -> Any:
            return await client.models.list()

        return client.models.list() if self.kind is ChatClient else self.loop.run_until_complete(read())

    def streamed(self, manager: Any) -> Any:
        """Return what a streaming response parses to."""

        async def read() -> Any:
            async with manager as response:
                return await response.parse()

        if self.kind is AsyncChatClient:
            return self.loop.run_until_complete(read())
        with manager as response:
            return response.parse()

    def close(self) -> None:
        for client in self.opened:
            self.wait(client.close())
        self.loop.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with quick_sandbox(DEPLOYMENTS) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models.yaml"


@pytest.fixture(params=[ChatClient, AsyncChatClient], ids=["sync", "async"])
def either(request: pytest.FixtureRequest) -> Iterator[Either]:
    made = Either(request.param)
    yield made
    made.close()


@pytest.fixture
def client(box: Sandbox, path: Path) -> Iterator[ChatClient]:
    path.write_text(MODELS, encoding="utf-8")
    with ChatClient(settings_for(box, models_file=path)) as made:
        yield made


def the(client: ChatClient, alias: str) -> dict[str, Any]:
    """A model as JSON values."""
    return client.models.retrieve(alias).model_dump()


# --- every way to ask

Ask = Callable[[Either, Any], Any]

LISTS: dict[str, Ask] = {
    "list": lambda e, c: e.page(c),
    "raw": lambda e, c: e.wait(c.models.with_raw_response.list()).parse(),
    "streaming": lambda e, c: e.streamed(c.models.with_streaming_response.list()),
    "bytes": lambda e, c: e.wait(c.get("/models/", cast_to=httpx2.Response)),
}
ONES: dict[str, Ask] = {
    "retrieve": lambda e, c: e.wait(c.models.retrieve("coder")),
    "raw": lambda e, c: e.wait(c.models.with_raw_response.retrieve("coder")).parse(),
    "streaming": lambda e, c: e.streamed(c.models.with_streaming_response.retrieve("coder")),
    "get": lambda e, c: e.wait(c.get("/models/coder", cast_to=openai.types.Model)),
    "bytes": lambda e, c: e.wait(c.get("/models/coder", cast_to=httpx2.Response)),
}


def plain(value: Any) -> Any:
    """What was answered, as JSON values."""
    return value.json() if isinstance(value, httpx2.Response) else value.model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize("ask", LISTS.values(), ids=LISTS)
def test_the_list_is_the_registry_in_the_order_of_the_file(either: Either, box: Sandbox, path: Path, ask: Ask) -> None:
    answer = ask(either, either.open(box, path))
    told = plain(answer)

    assert told["object"] == "list"
    assert [model["id"] for model in told["data"]] == ALIASES
    assert {(model["object"], model["owned_by"]) for model in told["data"]} == {("model", "chatsheet_llm")}
    assert route_of(answer) == Route()
    assert box.requests == []


@pytest.mark.parametrize("ask", ONES.values(), ids=ONES)
def test_one_model_is_that_of_the_list(either: Either, box: Sandbox, path: Path, ask: Ask) -> None:
    client = either.open(box, path)
    answer = ask(either, client)
    listed = either.page(client).data[0]

    assert {**listed.model_dump(mode="json"), **plain(answer)} == listed.model_dump(mode="json")
    assert route_of(answer) == Route()
    assert box.requests == []


def test_the_list_can_be_walked_page_by_page_by_both(either: Either, box: Sandbox, path: Path) -> None:
    client = either.open(box, path)

    async def walked() -> list[str]:
        return [model.id async for model in client.models.list()]

    found = [model.id for model in client.models.list()] if either.kind is ChatClient else either.wait(walked())

    assert found == ALIASES
    assert box.requests == []


def test_a_raw_list_says_that_it_is_json_and_names_no_endpoint(client: ChatClient, box: Sandbox) -> None:
    raw = client.models.with_raw_response.list()

    assert (raw.status_code, raw.headers["content-type"]) == (200, "application/json")
    assert raw.http_request.url.host == "chatsheet.invalid"
    assert [model["id"] for model in json.loads(raw.text)["data"]] == ALIASES


def test_a_model_and_what_is_known_survive_a_pickle(client: ChatClient) -> None:
    model, views = client.models.retrieve("coder"), client.models_known()

    assert pickle.loads(pickle.dumps(model)) == model
    assert pickle.loads(pickle.dumps(views)) == views


def test_deleting_a_model_is_the_endpoint_s_business(client: ChatClient, box: Sandbox) -> None:
    with pytest.raises(errors.CallError) as caught:
        client.models.delete("coder")

    assert [attempt.hop for attempt in caught.value.route.attempts] == ["litellm"]
    assert [(request.method, request.path) for request in box.requests] == [("DELETE", "/v1/models/coder")]


# --- where each fact comes from

FILE, TABLE = "file", "table"
FACTS: list[tuple[str, str, object, str, str]] = [
    ("coder", "base_model", "gpt-5-codex", FILE, "models.yaml:8"),
    ("coder", "defaults.reasoning_effort", "high", FILE, "models.yaml:8"),
    ("coder", "defaults.max_tokens", 900, FILE, "models.yaml:8"),
    ("coder", "capabilities.apis", ["responses"], TABLE, "ms-reasoning, 2026-03"),
    ("coder", "capabilities.input_window", 272_000, TABLE, "ms-models, 2026-06-11"),
    ("coder", "hops.0.mode", "responses", TABLE, "ms-reasoning, 2026-03"),
    ("coder", "hops.0.base_model", "gpt-5-codex", FILE, "models.yaml:8"),
    ("coder", "hops.1.mode", "responses", "chain", "azure/responses"),
    ("gpt-5-codex", "base_model", "gpt-5-codex", "name", "deployment of azure"),
    ("gpt-5-codex", "hops.0.mode", "responses", TABLE, "ms-reasoning, 2026-03"),
    ("raw", "hops.0.mode", "chat", "rule", ""),
    ("fast", "mode", "responses", FILE, "models.yaml:15"),
    ("fast", "base_model", "gpt-5-mini", FILE, "models.yaml:15"),
    ("fast", "hops.0.mode", "responses", FILE, "models.yaml:15"),
    ("ours", "capabilities.apis", ["responses"], FILE, "models.yaml:16"),
    ("ours", "capabilities.input_window", 9000, FILE, "models.yaml:16"),
    ("ours", "capabilities.output_window", 128_000, TABLE, "ms-models, 2026-06-11"),
    ("ours", "hops.0.mode", "responses", FILE, "models.yaml:16"),
    ("far", "capabilities.apis", ["chat"], TABLE, "ms-responses, 2026-01"),
    ("far", "hops.0.mode", "chat", "rule", ""),
]


@pytest.mark.parametrize(
    ("alias", "place", "value", "source", "where"), FACTS, ids=[f"{alias} {place}" for alias, place, *_ in FACTS]
)
def test_a_fact_is_told_with_its_source(
    client: ChatClient, alias: str, place: str, value: object, source: str, where: str
) -> None:
    found: Any = the(client, alias)
    for step in place.split("."):
        found = found[int(step) if step.isdigit() else step]

    assert found == {"value": value, "source": source, "where": where}


def test_what_nobody_said_is_told_as_unknown(client: ChatClient) -> None:
    raw = the(client, "raw")

    assert (raw["base_model"], raw["mode"], raw["capabilities"], raw["defaults"]) == (None, None, {}, {})
    assert raw["hops"][0]["base_model"] is None


def test_an_empty_list_in_the_entry_takes_back_what_the_table_refuses(client: ChatClient) -> None:
    assert "refused" in the(client, "fast")["capabilities"]
    assert "refused" not in the(client, "ours")["capabilities"]


def test_an_endpoint_that_lacks_a_key_is_listed_among_the_hops_left_out(client: ChatClient) -> None:
    far = the(client, "far")

    assert [hop["hop"] for hop in far["hops"]] == ["eu/chat", "us/chat"]
    assert [(skip["hop"], skip["rule"]) for skip in far["skipped"]] == [("half/chat", "not configured")]


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("chain", [None, "azure", "azure/chat,litellm"])
def test_the_hops_of_the_list_are_those_of_a_plan(
    client: ChatClient, box: Sandbox, alias: str, chain: str | None
) -> None:
    asked = client if chain is None else client.copy(chain=chain)
    told, planned = the(asked, alias), asked.plan(model=alias, messages=[{"role": "user", "content": "Hello"}])

    assert [
        (hop["hop"], hop["endpoint"], hop["mode"]["value"], hop["deployment"], hop["rule"], hop["reason"])
        for hop in told["hops"]
    ] == [(hop.name, hop.endpoint, hop.mode, hop.model, hop.rule, hop.reason) for hop in planned.hops]
    assert [(skip["hop"], skip["rule"], skip["reason"]) for skip in told["skipped"]] == [
        (skip.hop, skip.rule, skip.reason) for skip in planned.skipped
    ]
    assert box.requests == []


def test_the_list_says_what_models_known_says(client: ChatClient) -> None:
    def bare(told: dict[str, Any]) -> dict[str, Any]:
        own = ("id", "alias", "object", "created", "owned_by", "shutdown_date")
        return {name: value for name, value in told.items() if name not in own}

    views = client.models_known()

    assert [bare(json.loads(json.dumps(as_json(view)))) for view in views] == [
        bare(model.model_dump()) for model in client.models.list()
    ]


# --- what endpoints taught


def test_a_call_adds_what_it_learned_to_the_list(either: Either, box: Sandbox, path: Path) -> None:
    client = either.open(box, path)

    def raw() -> Any:
        return either.wait(client.models.retrieve("raw")).model_dump()

    before = raw()
    went = way(route_of(either.wait(hello(client, model="raw"))))
    box.forget()
    after, listed = raw(), either.page(client).data[1].model_dump()
    client.forget()
    forgotten = raw()
    model = {"value": "gpt-5-codex-2025-09-15", "source": "learned", "where": "named in the answers of azure"}

    assert went == "azure/chat 400 -> azure/responses 200"
    assert before["base_model"] is None
    assert before["hops"][0]["mode"] == {"value": "chat", "source": "rule", "where": ""}
    assert after == listed
    assert after["base_model"] == after["hops"][0]["base_model"] == model
    assert after["hops"][0]["mode"] == {"value": "responses", "source": "learned", "where": ""}
    assert "400 OperationNotSupported" in after["hops"][0]["reason"]
    assert after["capabilities"]["apis"]["source"] == TABLE
    assert forgotten == before
    assert box.requests == []


def test_what_was_learned_of_a_deployment_is_told_of_every_alias_that_has_it(client: ChatClient) -> None:
    hello(client, model="raw")

    assert the(client.copy(deadline=3), "raw")["base_model"]["source"] == "learned"
    assert the(client, "coder")["base_model"] == {"value": "gpt-5-codex", "source": FILE, "where": "models.yaml:8"}
    assert [hop["base_model"]["source"] for hop in the(client, "coder")["hops"]] == [FILE, FILE]


# --- names that a URL spells otherwise

ODD = (
    "a/b",
    "a b",
    "a?b=c",
    "a#b",
    "a%2Fb",
    "100%",
    "a+b",
    "a:b",
    "a//b",
    "a&b",
    "/a",
    "a/",
    "\u00fc\u4e2d",
    "a\\b",
    "x*",
)


@pytest.mark.parametrize("alias", ODD)
def test_an_alias_is_found_however_a_url_spells_it(either: Either, box: Sandbox, path: Path, alias: str) -> None:
    client = either.open(box, path, json.dumps({"models": [{"alias": each, "max_tokens": 7} for each in ODD]}))
    model = either.wait(client.models.retrieve(alias))

    assert model.id == alias
    assert model.model_dump()["defaults"]["max_tokens"]["value"] == 7
    assert box.requests == []


# --- who else is asked


def test_the_endpoints_are_asked_where_the_caller_says_remote(either: Either, box: Sandbox, path: Path) -> None:
    client = either.open(box, path)
    query = {"chatsheet": "remote", "team": "blue"}
    page = either.wait(client.models.with_raw_response.list(extra_query=query)).parse()
    one = either.wait(client.models.retrieve("gpt-5", extra_query={"chatsheet": "remote"}))

    assert {model.id for model in page.data} >= {"mini-1", "gpt-5"}
    assert one.owned_by != "chatsheet_llm"
    assert [way(route_of(answer)) for answer in (page, one)] == ["litellm 200", "litellm 200"]
    assert [(request.path, request.query) for request in box.requests] == [
        ("/v1/models", "team=blue"),
        ("/v1/models/gpt-5", ""),
    ]


def test_a_remote_list_walks_the_chain(client: ChatClient, box: Sandbox) -> None:
    box.inject("litellm", "503")
    page = client.models.list(extra_query={"chatsheet": "remote"})

    assert way(route_of(page)) == "litellm 503 -> azure 200"
    assert "codex-prod" in {model.id for model in page.data}


@pytest.mark.parametrize("where", ["local", "", True, ["remote"]])
def test_another_place_than_remote_is_refused(either: Either, box: Sandbox, path: Path, where: object) -> None:
    client = either.open(box, path)
    with pytest.raises(errors.SettingsError, match="extra_query\\['chatsheet'\\] takes 'remote'"):
        either.wait(client.models.retrieve("coder", extra_query={"chatsheet": where}))

    assert box.requests == []


def test_another_place_than_remote_is_refused_without_models_too(either: Either, box: Sandbox, path: Path) -> None:
    client = either.open(box, path, None)
    with pytest.raises(errors.SettingsError, match="takes 'remote'"):
        either.wait(client.models.retrieve("gpt-5", extra_query={"chatsheet": "local"}))


@pytest.mark.parametrize(
    "text", [None, "", "endpoints: {azure: {label: home}}\nchains: {c: [azure]}\n", "models: {}\n"]
)
def test_a_registry_without_models_leaves_the_list_to_the_endpoints(
    either: Either, box: Sandbox, path: Path, text: str | None
) -> None:
    client = either.open(box, path, text)
    page = either.page(client)
    one = either.wait(client.models.retrieve("gpt-5"))

    assert client.models_known() == ()
    assert [way(route_of(answer)) for answer in (page, one)] == ["litellm 200", "litellm 200"]
    assert "gpt-5" in {model.id for model in page.data}
    assert [request.path for request in box.requests] == ["/v1/models", "/v1/models/gpt-5"]


ANY = "models:\n  '*': {reasoning_effort: low}\n  fast: {deployments: {azure: mini-1}}\n"


def test_the_entry_for_every_name_is_no_model_of_the_list(either: Either, box: Sandbox, path: Path) -> None:
    client = either.open(box, path, ANY)

    assert [model.id for model in either.page(client).data] == ["fast"]
    assert [view.alias for view in client.models_known()] == ["*", "fast"]
    assert box.requests == []


def test_beside_the_entry_for_every_name_the_endpoints_know_the_rest(either: Either, box: Sandbox, path: Path) -> None:
    client = either.open(box, path, ANY)
    named, other = (either.wait(client.models.retrieve(name)) for name in ("fast", "gpt-5"))

    assert (named.owned_by, route_of(named)) == ("chatsheet_llm", Route())
    assert (other.id, way(route_of(other))) == ("gpt-5", "litellm 200")
    assert [request.path for request in box.requests] == ["/v1/models/gpt-5"]


def test_the_entry_for_every_name_cannot_be_fetched_as_a_model(client: ChatClient, box: Sandbox, path: Path) -> None:
    path.write_text(ANY, encoding="utf-8")
    client.reload()
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("*")


# --- what a hop that is left out still tells


@pytest.mark.parametrize(
    "entry", ["{mode: chat}", "{api_model: gpt-5-codex, chain: [half]}"], ids=["mode", "not configured"]
)
def test_what_is_known_is_told_where_no_hop_is_left(client: ChatClient, path: Path, entry: str) -> None:
    path.write_text(MODELS + f"  o3-pro: {entry}\n", encoding="utf-8")
    client.reload()
    told = the(client, "o3-pro")

    assert told["hops"] == []
    assert told["base_model"] is not None
    assert told["capabilities"]["apis"]["value"] == ["responses"]


# --- secrets


def test_nothing_that_is_told_holds_a_secret(client: ChatClient, box: Sandbox) -> None:
    hello(client, model="raw")
    plans = [client.plan(model=alias, messages=[{"role": "user", "content": "Hello"}]) for alias in ALIASES]
    with pytest.raises(errors.UnknownModelError) as caught:
        client.models.retrieve("codr")
    raw = client.models.with_raw_response.list()
    told = [
        client.models.list().model_dump_json(), repr(client.models_known()), repr(client.learned()), raw.text,
        repr(raw.headers), repr(raw.http_request.headers), repr(plans), str(plans), repr(vars(caught.value)),
        str(caught.value), repr(client), pickle.dumps(caught.value).decode("latin-1"),
    ]  # fmt: skip

    assert "coder" in told[0]
    assert [secret for secret in (*HUSH, box.api_key) for text in told if secret in text] == []
