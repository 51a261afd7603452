"""Settings: which endpoints are made of variables, files and arguments, and what each one lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from settings_samples import AZURE, HTTP, LITELLM, ONE_LINE, SAMPLES, nothing_set, problems, set_all

from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.settings import Settings
from chatsheet_llm.variables import VARIABLES


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


def test_without_variables_no_endpoint_is_configured_and_each_says_what_to_set() -> None:
    settings = Settings()

    assert settings.resolved_endpoints() == {}
    assert settings.unconfigured() == {
        "litellm": "endpoint 'litellm' is not configured; set LITELLM_BASE_URL",
        "azure": "endpoint 'azure' is not configured; set AZURE_OPENAI_ENDPOINT, and AZURE_OPENAI_API_KEY or "
        "AZURE_OPENAI_AD_TOKEN",
        "openai": "endpoint 'openai' is not configured; set OPENAI_API_KEY",
        "anthropic": "endpoint 'anthropic' is not configured; set ANTHROPIC_API_KEY",
        "anthropic_foundry": "endpoint 'anthropic_foundry' is not configured; set ANTHROPIC_FOUNDRY_RESOURCE, and "
        "ANTHROPIC_FOUNDRY_API_KEY or CHATSHEET_ENDPOINTS__ANTHROPIC_FOUNDRY__AD_TOKEN",
    }


def test_flat_variables_make_the_well_known_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for names, (written, _) in zip(VARIABLES.values(), SAMPLES.values(), strict=True):
        if not names[0].startswith("CHATSHEET_"):
            monkeypatch.setenv(names[0], written)

    settings = Settings()

    assert settings.unconfigured() == {}
    assert settings.resolved_endpoints() == {
        "litellm": EndpointSettings(kind="litellm", base_url=LITELLM, api_key=SecretStr("sk-1")),
        "azure": EndpointSettings(
            kind="azure",
            base_url=AZURE,
            api_key=SecretStr("key"),
            ad_token=SecretStr("token"),
            api_version="2025-04-01-preview",
            deployment="codex-prod",
        ),
        "openai": EndpointSettings(
            kind="openai", base_url="https://openai.example.com/v1", api_key=SecretStr("sk-2")
        ),
        "anthropic": EndpointSettings(
            kind="anthropic", base_url="https://anthropic.example.com", api_key=SecretStr("sk-3")
        ),
        "anthropic_foundry": EndpointSettings(
            kind="anthropic_foundry", base_url="https://foundry.example.com/anthropic", api_key=SecretStr("key-4")
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL"])
def test_a_foundry_resource_may_be_given_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    set_all(monkeypatch, **{name: "my-resource", "ANTHROPIC_FOUNDRY_API_KEY": "k"})

    made = Settings().resolved_endpoints()["anthropic_foundry"]

    assert made.base_url == "https://my-resource.services.ai.azure.com/anthropic"


def test_an_endpoint_whose_name_is_spelled_with_a_hyphen_is_the_foundry_s_too() -> None:
    told = {"anthropic-foundry": {"base_url": "https://foundry.example.com", "ad_token": "t"}}

    made = Settings(endpoints=told).resolved_endpoints()

    assert {name: endpoint.kind for name, endpoint in made.items()} == {"anthropic_foundry": "anthropic_foundry"}


@pytest.mark.parametrize(
    ("arguments", "name", "sentence"),
    [
        (
            {"azure_openai_endpoint": AZURE},
            "azure",
            "endpoint 'azure' is half configured (it has base_url); set AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN",
        ),
        (
            {"azure_openai_ad_token": "t", "azure_openai_deployment": "d"},
            "azure",
            "endpoint 'azure' is half configured (it has ad_token, deployment); set AZURE_OPENAI_ENDPOINT",
        ),
        (
            {"litellm_api_key": "k"},
            "litellm",
            "endpoint 'litellm' is half configured (it has api_key); set LITELLM_BASE_URL",
        ),
        (
            {"endpoints": {"eu-1": {"kind": "azure", "base_url": AZURE}}},
            "eu-1",
            (
                "endpoint 'eu-1' is half configured (it has base_url); set CHATSHEET_ENDPOINTS__EU_1__API_KEY or "
                "CHATSHEET_ENDPOINTS__EU_1__AD_TOKEN"
            ),
        ),
    ],
)
def test_a_half_configured_endpoint_is_left_out_and_says_what_it_lacks(
    arguments: dict[str, object], name: str, sentence: str
) -> None:
    settings = Settings(**arguments)  # type: ignore[arg-type]

    assert name not in settings.resolved_endpoints()
    assert settings.unconfigured()[name] == sentence


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"litellm_base_url": LITELLM}, "litellm"),
        ({"azure_openai_endpoint": AZURE, "azure_openai_api_key": "k"}, "azure"),
        ({"azure_openai_endpoint": AZURE, "azure_openai_ad_token": "t"}, "azure"),
        ({"openai_api_key": "k"}, "openai"),
        ({"anthropic_api_key": "k"}, "anthropic"),
        ({"anthropic_foundry_resource": "res", "anthropic_foundry_api_key": "k"}, "anthropic_foundry"),
        ({"endpoints": {"house": {"kind": "third-party"}}}, "house"),
    ],
)
def test_an_endpoint_with_what_it_needs_is_configured(arguments: dict[str, object], name: str) -> None:
    settings = Settings(**arguments)  # type: ignore[arg-type]

    assert list(settings.resolved_endpoints()) == [name]
    assert name not in settings.unconfigured()


MODELS = """\
endpoints:
  azure: {deployment: from-file, label: from-file}
  azure-eu: {kind: azure, base_url: https://eu.example.com, api_key: "${EU_KEY}", headers: {X-One: a, X-Two: b}}
models:
  codex: {base_model: gpt-5-codex, deployments: {azure-eu: codex-eu}}
"""


def test_layers_are_laid_over_each_other_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models.yaml").write_text(MODELS)
    Path(".env").write_text("EU_KEY=from-env-file\nCHATSHEET_ENDPOINTS__AZURE_EU__API_VERSION=v1\n")
    set_all(
        monkeypatch,
        AZURE_BASE_URL=AZURE,
        AZURE_API_KEY="flat",
        AZURE_DEPLOYMENT="flat",
        CHATSHEET_ENDPOINTS__AZURE__LABEL="nested",
        CHATSHEET_ENDPOINTS__AZURE_EU__BASE_URL="https://eu2.example.com",
        CHATSHEET_ENDPOINTS__AZURE_EU__HEADERS__X_ONE="c",
        CHATSHEET_ENDPOINTS__AZURE_EU__MODES="responses, chat",
    )

    settings = Settings(endpoints={"azure_eu": {"label": "argument", "api_version": "v2"}})

    assert settings.resolved_endpoints() == {
        "azure": EndpointSettings(
            kind="azure", base_url=AZURE, api_key=SecretStr("flat"), deployment="from-file", label="nested"
        ),
        "azure-eu": EndpointSettings(
            kind="azure",
            base_url="https://eu2.example.com",
            api_key=SecretStr("from-env-file"),
            api_version="v2",
            modes=("responses", "chat"),
            headers={"X-Two": SecretStr("b"), "X-ONE": SecretStr("c")},
            label="argument",
        ),
    }


def test_the_environment_beats_the_env_file_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        "CHATSHEET_ENDPOINTS__OPENAI__API_KEY=file\nCHATSHEET_ENDPOINTS__OPENAI__LABEL=file\nEU_KEY=file\n"
    )
    set_all(monkeypatch, CHATSHEET_ENDPOINTS__OPENAI__API_KEY="environment", EU_KEY="environment")
    Path("models.yaml").write_text(MODELS)

    settings = Settings()

    openai = settings.resolved_endpoints()["openai"]
    assert (openai.api_key, openai.label, openai.kind) == (SecretStr("environment"), "file", "openai")
    assert settings.resolved_endpoints()["azure-eu"].api_key == SecretStr("environment")


def test_an_argument_and_a_variable_that_mean_one_endpoint_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSHEET_ENDPOINTS__AZURE_EU__LABEL", "variable")

    settings = Settings(endpoints={"azure-eu": {"kind": "azure"}})

    assert settings.endpoints == {"azure-eu": EndpointSettings(kind="azure", label="variable")}


def test_a_reference_to_an_empty_variable_is_filled_from_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models.yaml").write_text(MODELS)
    Path(".env").write_text("EU_KEY=file\n")
    monkeypatch.setenv("EU_KEY", "")

    assert Settings().resolved_endpoints()["azure-eu"].api_key == SecretStr("file")


def test_an_endpoint_may_be_given_as_a_value() -> None:
    given = EndpointSettings(kind="openai", base_url="https://x.example.com", api_key=SecretStr("k"))

    assert Settings(endpoints={"mine": given}).resolved_endpoints() == {"mine": given}


def test_an_endpoint_of_no_known_kind_has_to_say_its_kind() -> None:
    said = "endpoint 'eu' has no kind; say which: litellm, azure, openai, anthropic, anthropic_foundry"

    assert problems(endpoints={"eu": {"label": "x"}}) == [f"CHATSHEET_ENDPOINTS__EU__KIND: {said}"]


def test_the_general_proxy_and_certificates_fill_in_where_an_endpoint_has_none() -> None:
    settings = Settings(
        proxy="http://general:1",
        ca_bundle="/general.pem",
        openai_api_key="k",
        endpoints={"own": {"kind": "openai", "api_key": "k", "proxy": "http://own:1", "ca_bundle": "/own.pem"}},
    )

    found = settings.resolved_endpoints()
    assert (found["openai"].proxy, found["openai"].ca_bundle) == (SecretStr("http://general:1"), Path("/general.pem"))
    assert (found["own"].proxy, found["own"].ca_bundle) == (SecretStr("http://own:1"), Path("/own.pem"))
    assert set(settings.unconfigured()) == {"litellm", "azure", "anthropic", "anthropic_foundry"}
    assert settings.unconfigured()["azure"].startswith("endpoint 'azure' is not configured")


def test_an_endpoint_given_in_code_stands_alone() -> None:
    Path("models.yaml").write_text("endpoints: {openai: {headers: {X-Team: a}}}\n")
    settings = Settings(openai_api_key="k", openai_base_url="https://one.example.com", proxy="http://proxy:1")
    given = EndpointSettings(kind="openai", base_url="https://two.example.com")

    changed = settings.with_endpoint("openai", given)

    assert changed.resolved_endpoints() == {}
    assert changed.unconfigured()["openai"].endswith("(it has base_url); set OPENAI_API_KEY")
    again = changed.with_endpoint("openai", {"api_key": "other"}).with_endpoint(
        "eu", {"kind": "openai", "api_key": "e"}
    )
    assert again.resolved_endpoints() == {
        "openai": EndpointSettings(kind="openai", api_key=SecretStr("other"), proxy=SecretStr("http://proxy:1")),
        "eu": EndpointSettings(kind="openai", api_key=SecretStr("e"), proxy=SecretStr("http://proxy:1")),
    }
    assert settings.resolved_endpoints()["openai"].headers == {"X-Team": SecretStr("a")}


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("openai", {"base_url": "hush"}, f"base_url: {HTTP}"),
        ("openai", {"api_key": "hush\n\nhush"}, f"api_key: {ONE_LINE}"),
        ("openai", {"key": "hush"}, "key: unknown field 'key'; did you mean 'api_key'? allowed: "),
        ("openai", {"kind": "azure"}, "kind: an endpoint called 'openai' is of that kind"),
        (
            "eu",
            {},
            "kind: endpoint 'eu' has no kind; say which: litellm, azure, openai, anthropic, anthropic_foundry",
        ),
    ],
)
def test_a_mistake_in_an_endpoint_given_in_code_names_the_field(
    name: str, fields: dict[str, object], said: str
) -> None:
    settings = Settings()

    with pytest.raises(SettingsError) as caught:
        settings.with_endpoint(name, fields)
    assert str(caught.value).startswith(said)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
