"""models.yaml in the flat form of other routers: which entries there are, and which endpoint each belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from models_loading import Load, loader, problems, the

from chatsheet_llm.capabilities import Override
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.models import ModelSpec


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return loader(tmp_path / "models.yaml")


FLAT = """\
gpt-high:
  backend: azure
  api_model: gpt-5.2
  deployment_name: prod-gpt
  reasoning_effort: high
  summary_level: detailed
  verbosity_level: medium
  truncation_strategy: disabled
claude:
  backend: anthropic
  api_model: claude-sonnet-4-5
  base_url: https://foundry.example.com/anthropic
  max_tokens: 8192
"""


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_flat_form_of_other_routers_loads_unchanged(load: Load, wrapped: bool) -> None:
    text = "models:\n" + "".join(f"  {line}\n" for line in FLAT.splitlines()) if wrapped else FLAT
    registry = load(text)

    gpt, claude = the(registry, "gpt-high"), the(registry, "claude")
    assert gpt == ModelSpec(
        alias="gpt-high",
        api_model="gpt-5.2",
        deployments={"azure": "prod-gpt"},
        reasoning_effort="high",
        summary_level="detailed",
        verbosity_level="medium",
        truncation_strategy="disabled",
        source=f"models.yaml:{1 + wrapped}",
    )
    assert (claude.chain, claude.max_tokens) == (("anthropic/messages",), 8192)
    assert registry.endpoints == {
        "anthropic": EndpointSettings(kind="anthropic", base_url="https://foundry.example.com/anthropic")
    }


def test_the_flat_form_has_references(load: Load) -> None:
    text = (
        "gpt: {backend: '${KIND:-azure}', api_model: '${MODEL}', deployment_name: 'prod-${MODEL}', "
        "base_url: '${URL:-https://one.example.com}', max_tokens: '${MOST:-900}'}\n"
    )
    registry = load(text, {"MODEL": "gpt-5"})
    gpt = the(registry, "gpt")

    assert (gpt.api_model, gpt.deployments, gpt.max_tokens) == ("gpt-5", {"azure": "prod-gpt-5"}, 900)
    assert registry.endpoints["azure"].base_url == "https://one.example.com"
    assert problems(load, text) == [
        f"models.yaml:1: gpt.{field}: the variable MODEL is not set; set it, or write ${{MODEL:-}} to go without"
        for field in ("api_model", "deployment_name")
    ]


def test_a_second_url_of_a_backend_is_an_endpoint_without_the_first_ones_key(load: Load) -> None:
    registry = load(
        "a: {backend: azure, api_model: m, base_url: https://one.example.com}\n"
        "b c: {backend: azure, api_model: m, deployment_name: d, base_url: https://two.example.com}\n"
    )

    assert registry.endpoints["azure-one"] == EndpointSettings(kind="azure", base_url="https://one.example.com")
    assert registry.endpoints["azure-two"] == EndpointSettings(kind="azure", base_url="https://two.example.com")
    assert the(registry, "b c").deployments == {"azure-two": "d"}
    assert the(registry, "b c").chain == ("azure-two/responses", "azure-two/chat")
    assert "azure" not in registry.endpoints


def test_an_entry_with_its_own_chain_keeps_it_beside_a_backend(load: Load) -> None:
    assert the(load("a: {backend: anthropic, chain: litellm}\n"), "a").chain == ("litellm",)


ONE_RESOURCE = [
    "https://one.openai.azure.com/",
    "HTTPS://One.OpenAI.Azure.com",
    "https://one.openai.azure.com:443/openai/v1/",
    "https://one.openai.azure.com/openai",
    "https://one.openai.azure.com/v1",
    "https://one.openai.azure.com/OpenAI/Deployments/x/chat/completions",
]


@pytest.mark.parametrize("url", ONE_RESOURCE)
def test_one_resource_spelled_in_two_ways_is_one_endpoint(load: Load, url: str) -> None:
    registry = load(
        "a: {backend: azure, base_url: https://one.openai.azure.com}\n"
        f"b: {{backend: azure, deployment_name: d, base_url: '{url}'}}\n"
    )

    assert registry.endpoints == {"azure": EndpointSettings(kind="azure", base_url="https://one.openai.azure.com")}
    assert (the(registry, "b").deployments, the(registry, "b").chain) == ({"azure": "d"}, None)


@pytest.mark.parametrize(
    "url",
    [
        "http://one.openai.azure.com",
        "https://one.openai.azure.com:8443",
        "https://one.openai.azure.com/gateway",
        "https://one.openai.azure.com.example.com",
    ],
)
def test_what_is_another_server_or_path_is_another_endpoint(load: Load, url: str) -> None:
    registry = load(
        "a: {backend: azure, base_url: https://one.openai.azure.com}\n" + f"b: {{backend: azure, base_url: '{url}'}}\n"
    )

    assert sorted(str(endpoint.base_url) for endpoint in registry.endpoints.values()) == sorted(
        ["https://one.openai.azure.com", url]
    )


def test_an_entry_without_a_url_is_no_second_url(load: Load) -> None:
    registry = load(
        "a: {backend: azure, deployment_name: five, base_url: https://z.example.com}\n"
        "b: {backend: azure, deployment_name: mini}\n"
    )

    assert list(registry.endpoints) == ["azure"]
    assert [(spec.deployments, spec.chain) for spec in registry] == [
        ({"azure": "five"}, None),
        ({"azure": "mini"}, None),
    ]


def test_an_entry_without_a_url_stays_with_anthropic_s_own_server(load: Load) -> None:
    registry = load(
        "a: {backend: anthropic}\nb: {backend: anthropic, base_url: https://foundry.example.com/anthropic}\n"
        "c: {backend: anthropic, base_url: https://api.anthropic.com/v1/}\n"
    )

    a, b, c = registry
    assert (a.chain, b.chain) == (("anthropic/messages",), ("anthropic-foundry/messages",))
    assert c.chain == a.chain
    assert registry.endpoints["anthropic-foundry"].base_url == "https://foundry.example.com/anthropic"


def test_entries_of_one_resource_share_its_endpoint(load: Load) -> None:
    registry = load(
        "endpoints: {azure: {base_url: https://home.example.com}}\nmodels:\n"
        "  a: {backend: azure, base_url: https://home.example.com/openai/v1}\n"
        "  b: {backend: azure, base_url: https://one.example.com}\n"
        "  c: {backend: azure, base_url: https://one.example.com/}\n"
    )

    assert sorted(registry.endpoints) == ["azure", "azure-one"]
    assert [spec.chain for spec in registry] == [None, *[("azure-one/responses", "azure-one/chat")] * 2]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_names_of_resources_depend_on_no_order(load: Load, swapped: bool) -> None:
    """A key that is set by such a name must not go to another host because lines have moved."""
    urls = [
        "https://one.a.example.com",
        "https://one.b.example.com",
        "http://10.0.0.7:8000",
        "https://two.example.com",
        "http://one.a.example.com",
    ]
    lines = [f"m{at}: {{backend: azure, base_url: '{url}'}}\n" for at, url in enumerate(urls)]
    registry = load("".join(reversed(lines) if swapped else lines))

    assert {name: endpoint.base_url for name, endpoint in registry.endpoints.items()} == {
        "azure-one.a.example.com": urls[0],
        "azure-one.b.example.com": urls[1],
        "azure-10.0.0.7": urls[2],
        "azure-two": urls[3],
        "azure-http-one.a.example.com": urls[4],
    }


def test_two_resources_whose_whole_names_are_one_are_told_apart_by_number(load: Load) -> None:
    registry = load("".join(f"{x}: {{backend: azure, base_url: 'https://h/a{x}b'}}\n" for x in "~+"))

    assert sorted(registry.endpoints) == ["azure-h-a-b", "azure-h-a-b-2"]


def test_a_name_that_another_endpoint_has_is_not_taken_for_a_resource(load: Load) -> None:
    registry = load(
        "endpoints:\n  azure-one: {kind: azure, base_url: https://other.example.com, api_key: k}\nmodels:\n"
        "  a: {backend: azure, base_url: https://one.example.com}\n"
        "  b: {backend: azure, base_url: https://two.example.com}\n"
    )

    assert registry.endpoints["azure-one"].base_url == "https://other.example.com"
    assert the(registry, "a").chain == ("azure-one.example.com/responses", "azure-one.example.com/chat")
    assert registry.endpoints["azure-one.example.com"].api_key is None


def test_an_endpoint_of_the_file_with_the_url_of_an_entry_serves_it_as_it_is_set_up(load: Load) -> None:
    registry = load(
        "endpoints:\n  eu: {kind: azure, base_url: https://eu.example.com, api_key: k, modes: [chat]}\nmodels:\n"
        "  a: {backend: azure, deployment_name: d, base_url: https://eu.example.com/openai/v1}\n"
    )

    assert list(registry.endpoints) == ["eu"]
    assert (the(registry, "a").deployments, the(registry, "a").chain) == ({"eu": "d"}, ("eu/chat",))


def test_an_entry_of_the_flat_form_may_be_called_x_something(load: Load) -> None:
    registry = load(
        "x-defaults: &d {backend: azure, max_tokens: 9}\n"
        "x-notes: {anything: goes}\nx-list: [1]\n"
        "x-large: {backend: azure, api_model: gpt-5}\nmini: {<<: *d, api_model: gpt-5-mini}\n"
    )

    assert [(spec.alias, spec.max_tokens) for spec in registry] == [("x-large", None), ("mini", 9)]


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("model:\n  - alias: a\n", "models"),
        ("modles:\n  a: {mode: chat}\n", "models"),
        ("endpoint:\n  azure: {label: x}\n", "endpoints"),
        ("chain:\n  europe: [azure]\n", "chains"),
    ],
)
def test_a_misspelled_section_alone_in_the_file_is_recognised_by_its_shape(load: Load, text: str, section: str) -> None:
    name = text.partition(":")[0]

    assert problems(load, text) == [
        f"models.yaml:1: unknown section {name!r}; did you mean {section!r}? allowed: chains, endpoints, models"
    ]


@pytest.mark.parametrize("entry", ["{mode: chat}", "{capabilities: {apis: [chat]}}", "{chain: [azure]}", "{}"])
def test_an_alias_that_is_spelled_almost_like_a_section_is_an_alias(load: Load, entry: str) -> None:
    assert [spec.alias for spec in load(f"model: {entry}\n")] == ["model"]


def test_capabilities_stand_in_the_flat_form_as_in_any_other(load: Load) -> None:
    registry = load(FLAT + "  capabilities: {apis: [messages], streaming: false}\n")

    assert the(registry, "claude").capabilities == Override(apis=frozenset({"messages"}), streaming=False)
    assert the(registry, "gpt-high").capabilities is None
