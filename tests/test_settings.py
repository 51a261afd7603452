"""Settings: where each value comes from, what is made of it, and how each mistake is reported."""

from __future__ import annotations

import copy
import os
import pickle
import re
import traceback
import warnings
from pathlib import Path

import pytest
from pydantic import SecretStr

import chatsheet_llm
from chatsheet_llm import ChatClient, NoEndpointError
from chatsheet_llm.endpoint_settings import KINDS, MODES_OF, EndpointSettings
from chatsheet_llm.endpoints import kinds
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.settings import Settings
from chatsheet_llm.variables import VARIABLES

AZURE = "https://my-resource.openai.azure.com"
LITELLM = "https://litellm.example.com"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and none of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.upper().startswith("CHATSHEET_") or any(name.upper() in names for names in VARIABLES.values()):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def problems(**arguments: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings(**arguments)  # type: ignore[arg-type]
    return str(caught.value).splitlines()


# --- where a value comes from

SAMPLES: dict[str, tuple[str, object]] = {
    "litellm_base_url": (LITELLM, LITELLM),
    "litellm_api_key": ("sk-1", SecretStr("sk-1")),
    "azure_openai_endpoint": (AZURE, AZURE),
    "azure_openai_api_key": ("key", SecretStr("key")),
    "azure_openai_ad_token": ("token", SecretStr("token")),
    "azure_openai_deployment": ("codex-prod", "codex-prod"),
    "openai_api_version": ("2025-04-01-preview", "2025-04-01-preview"),
    "openai_api_key": ("sk-2", SecretStr("sk-2")),
    "openai_base_url": ("https://openai.example.com/v1", "https://openai.example.com/v1"),
    "anthropic_api_key": ("sk-3", SecretStr("sk-3")),
    "anthropic_base_url": ("https://anthropic.example.com", "https://anthropic.example.com"),
    "anthropic_foundry_resource": ("https://foundry.example.com/anthropic", "https://foundry.example.com/anthropic"),
    "anthropic_foundry_api_key": ("key-4", SecretStr("key-4")),
    "chain": ("azure/chat, openai", ("azure/chat", "openai")),
    "models_file": ("my.yaml", Path("my.yaml")),
    "deadline": ("30.5", 30.5),
    "connect_timeout": ("2", 2.0),
    "first_token_timeout": ("8", 8.0),
    "idle_timeout": ("9", 9.0),
    "learned_expiry": ("9", 9.0),
    "max_sends": ("7", 7),
    "max_retries": ("0", 0),
    "on_loss": ("drop", "drop"),
    "stream_recovery": ("buffer", "buffer"),
    "hedge_after": ("1.5", 1.5),
    "ca_bundle": ("/etc/ca.pem", Path("/etc/ca.pem")),
    "proxy": ("http://u:p@proxy:3128", SecretStr("http://u:p@proxy:3128")),
    "state_url": ("rediss://u:p@host:1/2?namespace=x", SecretStr("rediss://u:p@host:1/2?namespace=x")),
}

DEFAULTS = {
    "chain": ("litellm", "azure/responses", "azure/chat"),
    "deadline": 120.0,
    "connect_timeout": 5.0,
    "first_token_timeout": 60.0,
    "idle_timeout": 60.0,
    "learned_expiry": 3600.0,
    "max_sends": 4,
    "max_retries": 1,
    "on_loss": "error",
    "stream_recovery": "off",
}

NAMES = [(field, name) for field, names in VARIABLES.items() for name in names]


def test_every_field_has_its_variables_and_a_sample() -> None:
    assert set(VARIABLES) | {"endpoints"} == set(Settings.model_fields)
    assert set(SAMPLES) == set(VARIABLES)


def test_the_variables_are_the_ones_people_already_have() -> None:
    assert [names for names in VARIABLES.values() if len(names) > 1] == [
        ("LITELLM_BASE_URL", "LITELLM_PROXY_API_BASE"),
        ("LITELLM_API_KEY", "LITELLM_PROXY_API_KEY"),
        ("AZURE_OPENAI_ENDPOINT", "AZURE_BASE_URL"),
        ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
        ("AZURE_OPENAI_DEPLOYMENT", "AZURE_DEPLOYMENT"),
        ("OPENAI_API_VERSION", "AZURE_API_VERSION"),
        ("ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL"),
        ("CHATSHEET_MODELS_FILE", "MODEL_CONFIG_PATH"),
    ]


def test_without_variables_the_defaults_hold() -> None:
    settings = Settings()

    assert {name: getattr(settings, name) for name in VARIABLES} == {**dict.fromkeys(VARIABLES), **DEFAULTS}
    assert settings.endpoints == {}
    assert list(settings.registry) == []


@pytest.mark.parametrize(("field", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_variable_sets_its_field(monkeypatch: pytest.MonkeyPatch, field: str, name: str) -> None:
    Path("my.yaml").touch()
    written, value = SAMPLES[field]
    monkeypatch.setenv(name, f"  {written} ")

    assert getattr(Settings(), field) == value


@pytest.mark.parametrize(("field", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_line_of_the_env_file_sets_its_field(field: str, name: str) -> None:
    Path("my.yaml").touch()
    written, value = SAMPLES[field]
    Path(".env").write_text(f"export {name}={written}\n")

    assert getattr(Settings(), field) == value


@pytest.mark.parametrize("field", SAMPLES)
def test_an_argument_sets_its_field(field: str) -> None:
    Path("my.yaml").touch()
    written, value = SAMPLES[field]

    assert getattr(Settings(**{field: written}), field) == value
    assert getattr(Settings(**{field: value}), field) == value  # type: ignore[arg-type]


def test_arguments_beat_the_environment_and_that_beats_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("CHATSHEET_DEADLINE=1\nCHATSHEET_MAX_SENDS=1\nCHATSHEET_MAX_RETRIES=1\n")
    set_all(monkeypatch, CHATSHEET_DEADLINE="2", CHATSHEET_MAX_SENDS="2")

    settings = Settings(deadline=3)

    assert (settings.deadline, settings.max_sends, settings.max_retries) == (3, 2, 1)


def test_the_standard_name_wins_over_its_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, AZURE_API_KEY="alias", AZURE_OPENAI_API_KEY="standard")

    assert Settings().azure_openai_api_key == SecretStr("standard")


def test_an_alias_in_the_environment_beats_the_standard_name_in_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("AZURE_OPENAI_API_KEY=file\n")
    monkeypatch.setenv("AZURE_API_KEY", "environment")

    assert Settings().azure_openai_api_key == SecretStr("environment")


def test_case_of_a_variable_does_not_matter_but_upper_case_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("chatsheet_deadline", "7")
    assert Settings().deadline == 7

    monkeypatch.setenv("CHATSHEET_DEADLINE", "8")
    assert Settings().deadline == 8


@pytest.mark.parametrize("empty", ["", "   ", "\t"])
def test_an_empty_value_counts_as_not_set_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    Path(".env").write_text("AZURE_API_KEY=file\nCHATSHEET_DEADLINE=\n")
    set_all(monkeypatch, AZURE_OPENAI_API_KEY=empty, CHATSHEET_DEADLINE=empty, CHATSHEET_ENDPOINTS__EU__API_KEY=empty)

    settings = Settings(azure_openai_api_key=empty, on_loss=empty, endpoints={"eu": {"kind": "azure", "label": empty}})

    assert settings.azure_openai_api_key == SecretStr("file")
    assert (settings.deadline, settings.on_loss) == (120, "error")
    assert settings.endpoints["eu"] == EndpointSettings(kind="azure")


def test_none_as_an_argument_unsets_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")

    assert Settings(openai_api_key=None).openai_api_key is None


def test_the_env_file_can_be_another_or_several_or_none() -> None:
    Path(".env").write_text("CHATSHEET_DEADLINE=1\n")
    Path("a.env").write_bytes(b"\xef\xbb\xbfCHATSHEET_DEADLINE=2\r\nCHATSHEET_MAX_SENDS=2\r\n")
    Path("b.env").write_text("CHATSHEET_DEADLINE=3\n")

    assert Settings(_env_file=None).deadline == 120
    assert Settings(_env_file="a.env").deadline == 2
    assert Settings(_env_file=[Path("a.env"), "b.env"]).deadline == 3
    assert Settings(_env_file=[Path("a.env"), "b.env"]).max_sends == 2


def test_an_env_file_that_was_asked_for_must_exist() -> None:
    assert problems(_env_file="x.env") == ["Settings(_env_file=...): there is no file 'x.env'; correct the path"]


def test_an_env_file_in_another_encoding_is_named() -> None:
    Path(".env").write_bytes(b"CHATSHEET_CHAIN=\xff\n")

    assert problems() == [".env: is not UTF-8 text; save it as UTF-8"]


def test_a_directory_called_env_is_no_env_file() -> None:
    Path(".env").mkdir()

    assert Settings().deadline == 120


@pytest.mark.parametrize("written", ["a, b/chat ,", '["a", "b/chat"]'])
def test_the_chain_is_names_with_commas_or_json(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("CHATSHEET_CHAIN", written)

    assert Settings().chain == ("a", "b/chat")


# --- mistakes: variable, value, what must be said

SECONDS = "must be a number of seconds greater than 0"
ONE_LINE = "holds a line break or another control character; remove it"
HTTP = "must be a URL with a host that starts with http:// or https://"

MISTAKES = [
    ("CHATSHEET_DEADLINE", "-1", f"{SECONDS} (got -1)"),
    ("CHATSHEET_DEADLINE", "0", f"{SECONDS} (got 0)"),
    ("CHATSHEET_DEADLINE", "nan", f"{SECONDS} (got nan)"),
    ("CHATSHEET_DEADLINE", "inf", f"{SECONDS} (got inf)"),
    ("CHATSHEET_CONNECT_TIMEOUT", "5s", f"{SECONDS} (got 5s)"),
    ("CHATSHEET_IDLE_TIMEOUT", "x" * 99, f"{SECONDS} (got {'x' * 37}...)"),
    ("CHATSHEET_MAX_SENDS", "0", "must be a whole number of at least 1 (got 0)"),
    ("CHATSHEET_MAX_SENDS", "1.5", "must be a whole number of at least 1 (got 1.5)"),
    ("CHATSHEET_MAX_RETRIES", "-1", "must be a whole number of at least 0 (got -1)"),
    ("CHATSHEET_ON_LOSS", "warn", "must be error or drop (got warn)"),
    ("CHATSHEET_CHAIN", ",", "names no hop; list at least one, as in litellm,azure/responses,azure/chat"),
    ("CHATSHEET_CHAIN", "azure/chatt", "hop 'azure/chatt': 'chatt' is not a mode; use chat, responses or messages"),
    ("CHATSHEET_CHAIN", "[azure", "is not valid JSON"),
    ("CHATSHEET_PROXY", "proxy:3128", HTTP),
    ("CHATSHEET_STATE_URL", "http://hush", "must be a URL with a host that starts with redis:// or rediss://"),
    ("CHATSHEET_STATE_URL", "redis://h/0?ssl_cert_reqs=none", "takes the number of a database after the host and"),
    ("CHATSHEET_STATE_URL", "redis://h/hush", "takes the number of a database after the host and"),
    ("MODEL_CONFIG_PATH", "x.yaml", "there is no file 'x.yaml'; correct the path or unset it"),
    ("LITELLM_PROXY_API_BASE", "litellm:4000", HTTP),
    ("AZURE_BASE_URL", "https://u:hush@host", "holds a user name or password; remove them and set the API key instead"),
    ("AZURE_API_KEY", "hush\nhush", ONE_LINE),
    ("LITELLM_PROXY_API_KEY", "hush\u00e9", "holds a character that is not ASCII; copy the value again"),
    ("AZURE_OPENAI_AD_TOKEN", "Bearer hush", "starts with 'Bearer'; give the key alone"),
    ("OPENAI_API_KEY", '"hush"', "is wrapped in quotes, which would be sent as a part of it; remove them"),
    ("AZURE_API_VERSION", "v\u00e91", "holds a character that is not ASCII; copy the value again"),
    ("AZURE_DEPLOYMENT", "a\x00b", ONE_LINE),
    ("ANTHROPIC_FOUNDRY_RESOURCE", "my.resource", "must be the name of a resource, as in my-resource, or a URL that"),
    ("ANTHROPIC_FOUNDRY_BASE_URL", "ftp://x", HTTP),
    ("CHATSHEET_ENDPOINTS__EU__API_KEY", "hush\u00e9", "holds a character that is not ASCII; copy the value again"),
    ("CHATSHEET_ENDPOINTS__EU__MODES", "voice", "'voice' is not a mode; use chat, responses or messages"),
    ("CHATSHEET_ENDPOINTS__EU__KEY_HEADER", "x", "must be 'api-key' or 'bearer'"),
    ("CHATSHEET_ENDPOINTS__EU__HEADERS", "hush", "is not valid JSON"),
    ("CHATSHEET_ENDPOINTS__EU__HEADERS", "[1]", 'must map header names to values, as in {"Ocp-Apim'),
    ("CHATSHEET_ENDPOINTS__EU__HEADERS__X_KEY", "hush\u00e9", "header 'X-KEY' holds a character that is not ASCII"),
    ("CHATSHEET_ENDPOINTS__EU__BASE_URLL", "x", "unknown field 'base_urll'; did you mean 'base_url'? allowed: ad_"),
    ("CHATSHEET_ENDPOINTS__EU", "x", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS_EU_KEY", "x", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS", "{}", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS____API_KEY", "x", "is no setting; write CHATSHEET_ENDPOINTS__NAME__FIELD"),
    ("CHATSHEET_ENDPOINTS__AZURE__KIND", "openai", "an endpoint called 'azure' is of that kind"),
]


@pytest.mark.parametrize(("name", "value", "said"), MISTAKES, ids=[f"{n}={v[:9]!r}" for n, v, _ in MISTAKES])
def test_a_mistake_is_reported_by_the_variable_that_holds_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    if "\x00" in value:
        Path(".env").write_text(f"{name}={value}\n")
    else:
        monkeypatch.setenv(name, value)

    found = problems()

    assert len(found) == 1
    assert found[0].startswith(f"{name}: ")
    assert said in found[0]
    assert "hush" not in found[0]


def test_all_mistakes_are_reported_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHATSHEET_DEADLINE="-1", AZURE_API_KEY="a\nb", CHATSHEET_ENDPOINTS__EU__X="1")

    assert [line.partition(":")[0] for line in problems(max_sends=0)] == [
        "CHATSHEET_ENDPOINTS__EU__X",
        "AZURE_API_KEY",
        "CHATSHEET_DEADLINE",
        "Settings(max_sends=...)",
    ]


def test_an_argument_is_blamed_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHATSHEET_DEADLINE="5", CHATSHEET_ENDPOINTS__EU__LABEL="x")

    assert problems(deadline=-1, dedline=3, endpoints={"eu": {"label": "a\nb", "labl": "x"}, "us": 3}) == [
        f"Settings(deadline=...): {SECONDS} (got -1)",
        f"Settings(endpoints['eu'].label): {ONE_LINE}",
        "Settings(endpoints['eu'].labl): unknown field 'labl'; did you mean 'label'? allowed: "
        + ", ".join(sorted(EndpointSettings.model_fields)),
        "Settings(endpoints['us']): must be a mapping of fields, or EndpointSettings",
        "Settings(dedline=...): unknown field 'dedline'; did you mean 'deadline'? allowed: "
        + ", ".join(sorted(Settings.model_fields)),
    ]


def test_a_misspelled_variable_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSHEET_DEADLIN", "3")

    with pytest.warns(
        UserWarning, match="CHATSHEET_DEADLIN is no setting and has no effect; did you mean CHATSHEET_DE"
    ):
        Settings()


def test_a_variable_of_another_program_with_our_prefix_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHATSHEET_SHARED="x", CHATSHEET_PORT="1", CHATSHEET_MODEL="m", CHATSHEET_DATABASE_URL="u")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Settings()


# --- endpoints


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


# --- models.yaml


def test_models_yaml_of_the_working_directory_is_read_where_present() -> None:
    Path("models.yaml").write_text("models: {a: {api_model: x}}\n")

    settings = Settings()

    assert [spec.alias for spec in settings.registry] == ["a"]
    assert settings.models_file is None


def test_a_models_file_that_was_named_is_read_instead() -> None:
    Path("models.yaml").write_text("models: {a: {}}\n")
    Path("other.yaml").write_text("models: {b: {}}\n")

    assert [spec.alias for spec in Settings(models_file="other.yaml").registry] == ["b"]


def test_a_mistake_in_models_yaml_keeps_its_line() -> None:
    Path("models.yaml").write_text("models:\n  a: {mode: chatt}\n")

    assert problems() == ["models.yaml:2: models.a.mode: 'chatt' is not a mode; use chat, responses or messages"]


def test_a_deployment_on_an_endpoint_that_nobody_knows_is_pointed_out() -> None:
    Path("models.yaml").write_text("models:\n  a: {deployments: {azur: d, azure: d, openai: d}}\n")

    with pytest.warns(UserWarning, match="azur") as caught:
        Settings()
    assert [str(warning.message) for warning in caught] == [
        "models.yaml:2: model 'a' has a deployment on endpoint 'azur', which is not known; did you mean 'azure'?"
    ]


FLAT = """\
gpt-5: {backend: azure, api_model: gpt-5, deployment_name: five, base_url: "${AZURE_OPENAI_ENDPOINT}"}
gpt-5-mini: {backend: azure, api_model: gpt-5-mini, deployment_name: mini}
far: {backend: azure, deployment_name: far, base_url: https://one.openai.azure.com/openai/v1/}
"""


def test_the_flat_form_serves_from_the_resource_of_the_environment_with_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("models.yaml").write_text(FLAT)
    set_all(monkeypatch, AZURE_OPENAI_ENDPOINT=AZURE, AZURE_OPENAI_API_KEY="k")

    settings = Settings()

    assert [spec.chain for spec in settings.registry] == [None, None, ("azure-one/responses", "azure-one/chat")]
    assert [dict(spec.deployments) for spec in settings.registry][:2] == [{"azure": "five"}, {"azure": "mini"}]
    assert settings.resolved_endpoints() == {
        "azure": EndpointSettings(kind="azure", base_url=AZURE, api_key=SecretStr("k"))
    }


def test_the_resource_of_the_environment_may_be_spelled_otherwise_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models.yaml").write_text("a: {backend: azure, base_url: https://MY-resource.openai.azure.com/openai/v1/}\n")
    set_all(monkeypatch, AZURE_OPENAI_ENDPOINT=AZURE, AZURE_OPENAI_API_KEY="k")

    assert list(Settings().resolved_endpoints()) == ["azure"]
    assert Settings().resolved_endpoints()["azure"].base_url == AZURE


def test_a_key_of_the_environment_stays_with_its_resource_and_the_other_one_says_which_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("models.yaml").write_text("a: {backend: azure, base_url: https://one.openai.azure.com}\n")
    set_all(monkeypatch, AZURE_OPENAI_ENDPOINT=AZURE, AZURE_OPENAI_API_KEY="k")

    assert Settings().resolved_endpoints()["azure"].base_url == AZURE
    assert Settings().unconfigured()["azure-one"] == (
        "endpoint 'azure-one' is half configured (it has base_url); set CHATSHEET_ENDPOINTS__AZURE_ONE__API_KEY or "
        "CHATSHEET_ENDPOINTS__AZURE_ONE__AD_TOKEN"
    )

    monkeypatch.setenv("CHATSHEET_ENDPOINTS__AZURE_ONE__API_KEY", "one")
    assert Settings().resolved_endpoints()["azure-one"] == EndpointSettings(
        kind="azure", base_url="https://one.openai.azure.com", api_key=SecretStr("one")
    )


def test_a_key_that_is_set_for_another_url_is_not_sent_to_a_resource_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("models.yaml").write_text("a: {backend: azure, base_url: https://one.openai.azure.com}\n")
    set_all(
        monkeypatch,
        AZURE_OPENAI_ENDPOINT=AZURE,
        CHATSHEET_ENDPOINTS__AZURE_ONE__KIND="azure",
        CHATSHEET_ENDPOINTS__AZURE_ONE__BASE_URL="https://one.example.com",
        CHATSHEET_ENDPOINTS__AZURE_ONE__API_KEY="k",
    )

    settings = Settings()

    assert [name for name, found in settings.resolved_endpoints().items() if found.api_key] == ["azure_one"]
    assert [spec.chain for spec in settings.registry] == [
        ("azure-one.openai.azure.com/responses", "azure-one.openai.azure.com/chat")
    ]


# --- hops that lead nowhere

ENDPOINTS = "endpoints: anthropic, anthropic_foundry, azure, eu, litellm, openai"
HOPS = {
    "typo of a chain": (
        "chains: {europe: [eu]}\nmodels:\n  - {alias: a, chain: [litellm, eurpoe]}\n",
        [
            (
                "models.yaml:3: models[0].chain[1]: hop 'eurpoe': there is no endpoint 'eurpoe'; did you mean "
                f"'europe'? {ENDPOINTS}; chains: europe"
            )
        ],
    ),
    "typo of an endpoint": (
        "models:\n  a:\n    chain:\n      - eu\n      - azur/chat\n",
        [
            (
                "models.yaml:5: models.a.chain[1]: hop 'azur/chat': there is no endpoint 'azur'; did you mean "
                f"'azure/chat'? {ENDPOINTS}"
            )
        ],
    ),
    "mode": (
        "models:\n  a: {chain: 'eu, azure/messages'}\n",
        [
            (
                "models.yaml:2: models.a.chain[1]: hop 'azure/messages': endpoint 'azure' speaks responses, chat, not "
                "'messages'"
            )
        ],
    ),
    "mode that was taken from an endpoint": (
        "endpoints:\n  azure: {modes: [chat]}\nmodels: {a: {chain: azure/responses}}\n",
        ["models.yaml:3: models.a.chain[0]: hop 'azure/responses': endpoint 'azure' speaks chat, not 'responses'"],
    ),
    "chain that no model uses": (
        "chains:\n  europe: [eu/chat,\n    nowhere]\n",
        [f"models.yaml:3: chains.europe[1]: hop 'nowhere': there is no endpoint 'nowhere'; {ENDPOINTS}"],
    ),
    "chain in a chain": (
        "chains:\n  one: [eu]\n  two: [one, azure]\n",
        [
            (
                "models.yaml:3: chains.two[0]: hop 'one': there is no endpoint 'one', and a chain is never a hop of "
                "another chain"
            )
        ],
    ),
    "chain with a mode": (
        "chains:\n  one: [eu]\nmodels: {a: {chain: [one/chat]}}\n",
        [
            (
                "models.yaml:3: models.a.chain[0]: hop 'one/chat': there is no endpoint 'one', and a chain is never "
                "followed by a mode"
            )
        ],
    ),
    "reference": (
        "models:\n  a: {chain: ['${WHERE:-nowhere}']}\n",
        [
            "models.yaml:2: models.a.chain[0]: hop '${WHERE:-nowhere}': there is no endpoint '${WHERE:-nowhere}'; "
            + ENDPOINTS
        ],
    ),
    "a wrong value beside it": (
        "chains:\n  one: [nowhere]\nmodels:\n  a: {mode: chatt, chain: one}\n",
        [
            f"models.yaml:2: chains.one[0]: hop 'nowhere': there is no endpoint 'nowhere'; {ENDPOINTS}",
            "models.yaml:4: models.a.mode: 'chatt' is not a mode; use chat, responses or messages",
        ],
    ),
    "the endpoint is what is wrong": (
        "endpoints:\n  us: {kind: azure, base_url: us}\nmodels: {a: {chain: us/chat}}\n",
        ["models.yaml:2: endpoints.us.base_url: must be a URL with a host that starts with http:// or https://"],
    ),
    "the chain is what is wrong": (
        "chains:\n  one: [eu/chatt]\nmodels:\n  a: {chain: [one]}\n  b: {chain: one}\n",
        ["models.yaml:2: chains.one[0]: hop 'eu/chatt': 'chatt' is not a mode; use chat, responses or messages"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), HOPS.values(), ids=HOPS)
def test_a_hop_to_nowhere_is_reported_with_file_line_and_field(text: str, expected: list[str]) -> None:
    Path("models.yaml").write_text(text)

    assert problems(endpoints={"eu": {"kind": "azure"}}) == expected


def test_every_endpoint_that_a_hop_may_name_is_known_configured_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models.yaml").write_text(
        "endpoints: {of-file: {kind: azure}}\nchains: {one: [of-file, of_environment/chat, of_argument, azure/chat]}\n"
        "models:\n  a: {chain: [one, anthropic/messages, anthropic_foundry, openai, litellm/chat, theirs/messages]}\n"
    )
    monkeypatch.setenv("CHATSHEET_ENDPOINTS__OF_ENVIRONMENT__KIND", "azure")

    settings = Settings(endpoints={"of_argument": {"kind": "openai"}, "theirs": {"kind": "third-party"}})

    assert len(settings.registry.chains["one"]) == 4


def test_an_endpoint_that_was_given_in_code_is_known_when_the_file_is_read_again() -> None:
    Path("models.yaml").write_text("models: {a: {}}\n")
    settings = Settings().with_endpoint("eu", {"kind": "openai", "api_key": "k"})
    Path("models.yaml").write_text("models: {a: {chain: [eu/chat]}}\n")

    assert [spec.chain for spec in settings.reloaded().registry] == [("eu/chat",)]
    with pytest.raises(
        SettingsError, match=r"models\.yaml:1: models\.a\.chain\[0\]: hop 'eu/chat': there is no endpoint"
    ):
        Settings()


def test_the_modes_of_a_kind_are_those_of_its_endpoints() -> None:
    assert {kind: endpoint.SPEAKS for kind, endpoint in kinds().items() if kind in MODES_OF} == MODES_OF
    assert set(MODES_OF) == set(KINDS)


# --- values that models.yaml holds in vain


def told(text: str) -> list[str]:
    """The warnings of a models.yaml."""
    Path("models.yaml").write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Settings()
    assert {warning.filename for warning in caught} <= {__file__}
    return [str(warning.message) for warning in caught]


def test_a_default_that_nobody_knows_is_pointed_out_and_no_error() -> None:
    assert told("models:\n  a:\n    base_model: gpt-5\n    reasoning_effort: hihg\n    summary_level: long\n") == [
        (
            "models.yaml:4: models.a.reasoning_effort: 'hihg' is sent as it is, but not known; did you mean 'high'? "
            "known: none, minimal, low, medium, high, xhigh, max"
        ),
        "models.yaml:5: models.a.summary_level: 'long' is sent as it is, but not known; known: auto, concise, detailed",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "a: {base_model: gpt-5-codex, reasoning_effort: minimal}",
        "a: {backend: azure, api_model: gpt-5-codex, deployment_name: d, reasoning_effort: minimal}",
        "gpt-5-codex: {reasoning_effort: minimal}",
        "gpt-5: {base_model: gpt-5-codex, api_model: gpt-5, reasoning_effort: minimal}",
    ],
)
def test_an_effort_that_the_model_has_not_is_pointed_out_however_the_model_is_named(entry: str) -> None:
    (found,) = told(f"{entry}\n")

    assert found.startswith(f"models.yaml:1: model {entry.partition(':')[0]!r} has reasoning_effort 'minimal', but ")
    assert "but gpt-5-codex takes low, medium, high (" in found


@pytest.mark.parametrize(
    "entry",
    [
        "a: {base_model: gpt-5, reasoning_effort: minimal}",
        "my-gpt-5-codex: {api_model: my-gpt-5-codex, reasoning_effort: minimal}",
        "gpt-5-codex: {base_model: mine, reasoning_effort: minimal}",
        "gpt-5-codex: {reasoning_effort: minimal, capabilities: {efforts: [minimal]}}",
    ],
)
def test_an_effort_of_which_nothing_is_known_to_be_wrong_is_not_pointed_out(entry: str) -> None:
    assert told(f"{entry}\n") == []


# --- secrets

SECRETS = {
    "litellm_api_key": "hush-1",
    "azure_openai_api_key": "hush-2",
    "azure_openai_ad_token": "hush-3",
    "openai_api_key": "hush-4",
    "anthropic_api_key": "hush-5",
    "anthropic_foundry_api_key": "hush-10",
    "proxy": "http://u:hush-6@proxy:1",
    "state_url": "redis://u:hush-11@redis:1",
    "endpoints": {
        "eu": {"kind": "azure", "api_key": "hush-7", "ad_token": "hush-8", "headers": {"h": "hush-9"}, "label": "x"}
    },
}


def test_no_secret_shows_in_any_text_of_the_settings() -> None:
    settings = Settings(azure_openai_endpoint=AZURE, litellm_base_url=LITELLM, **SECRETS)  # type: ignore[arg-type]
    texts = [settings, settings.resolved_endpoints(), settings.unconfigured(), settings.model_dump(), settings.registry]

    assert "hush" not in "".join(f"{text!r} {text}" for text in texts)
    assert "hush" not in settings.model_dump_json()


def test_settings_survive_pickle_and_copy() -> None:
    Path("models.yaml").write_text("models: {a: {api_model: x}}\n")
    settings = Settings(azure_openai_endpoint=AZURE, **SECRETS)  # type: ignore[arg-type]

    for again in (pickle.loads(pickle.dumps(settings)), copy.copy(settings), copy.deepcopy(settings)):
        assert again == settings
        assert again.resolved_endpoints() == settings.resolved_endpoints()
        assert [spec.alias for spec in again.registry] == ["a"]
        assert "hush" not in repr(again)


def test_settings_cannot_be_changed() -> None:
    settings = Settings()

    with pytest.raises(ValueError):
        settings.deadline = 3


def test_no_secret_shows_in_a_traceback_with_locals(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch, AZURE_API_KEY="hush\u00e9", LITELLM_API_KEY="hush-good", CHATSHEET_ENDPOINTS__EU__API_KEY="hush"
    )

    with pytest.raises(SettingsError) as caught:
        Settings(openai_api_key="hush-argument", anthropic_api_key="hush\u00e9")

    error = caught.value
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in shown.stack if Path(frame.filename).parent == Path(chatsheet_llm.__file__).parent]
    assert ours
    assert "hush" not in "".join(map(str, (frame.locals for frame in ours)))
    assert (error.__cause__, error.__context__) == (None, None)


# --- settings.example.env

EXAMPLE = Path(__file__).resolve().parents[1] / "settings.example.env"
LINES = EXAMPLE.read_text(encoding="utf-8").splitlines()
SET = re.compile(r"(?P<off># )?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)")


def test_the_example_has_every_variable_its_alias_and_a_comment() -> None:
    comments = {found["name"]: LINES[at - 1] for at, line in enumerate(LINES) if (found := SET.fullmatch(line))}

    for standard, *aliases in VARIABLES.values():
        assert comments[standard].startswith("# ")
        assert not SET.fullmatch(comments[standard])
        for alias in aliases:
            assert f"(alias {alias})" in comments[standard]
    for field in EndpointSettings.model_fields:
        assert comments[f"CHATSHEET_ENDPOINTS__AZURE_EU__{field.upper()}"].startswith("# ")


def test_the_example_names_no_variable_that_is_not_ours() -> None:
    names = [found["name"] for line in LINES if (found := SET.fullmatch(line))]
    mentioned = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", "\n".join(LINES))
    ours = {name for names in VARIABLES.values() for name in names}

    assert len(names) == len(set(names))
    assert {name for name in names if not name.startswith("CHATSHEET_ENDPOINTS__AZURE_EU__")} <= ours
    assert {name for name in mentioned if not name.startswith("CHATSHEET_ENDPOINTS__")} == ours


def test_the_example_loads_as_it_is() -> None:
    settings = Settings(_env_file=EXAMPLE)

    assert settings == Settings()


def test_the_example_loads_with_every_line_switched_on_and_shows_the_defaults() -> None:
    Path("models.yaml").touch()
    Path("on.env").write_text("\n".join(line.removeprefix("# ") if SET.fullmatch(line) else "" for line in LINES))

    settings = Settings(_env_file="on.env")

    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.endpoints["azure_eu"].modes == ("responses", "chat")
    assert settings.endpoints["azure_eu"].headers == {"X-Team": SecretStr("search")}


def test_a_first_user_has_only_the_proxy_and_the_resource_to_fill_in() -> None:
    switched_on = [found["name"] for line in LINES if (found := SET.fullmatch(line)) and not found["off"]]

    assert switched_on == ["LITELLM_BASE_URL", "LITELLM_API_KEY", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"]


def test_a_client_whose_models_bring_their_own_chains_needs_no_hop_of_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(
        "endpoints:\n"
        '  azure-eu: {kind: azure, base_url: "https://eu.test", api_key: "key"}\n'
        "chains:\n  europe: [azure-eu/responses, azure-eu/chat]\n"
        "models:\n  - {alias: coder, base_model: gpt-5-codex, deployments: {azure-eu: codex-prod}, chain: [europe]}\n"
    )
    with ChatClient(Settings(_env_file=None, models_file=tmp_path / "models.yaml")) as client:
        found = client.plan(model="coder", messages=[])

        assert [(hop.name, hop.model) for hop in found.hops] == [("azure-eu/responses", "codex-prod")]
        with pytest.raises(NoEndpointError, match="LITELLM_BASE_URL"):
            client.chat.completions.create(model="coder", messages=[], extra_body={"chatsheet": {"chain": ["litellm"]}})
