"""models.yaml: what its sections, anchors and references mean, and how an entry is looked up."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from models_loading import Load, loader, problems, the
from pydantic import SecretStr

from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.models_file import load_models


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return loader(tmp_path / "models.yaml")


FULL = """\
endpoints:
  azure:
    deployment: fallback
  azure-eu:
    kind: azure
    base_url: https://eu.openai.azure.com
    api_key: ${EU_KEY}
    api_version: 2025-04-01
    modes: [responses, chat]
    key_header: bearer
    headers: {Ocp-Apim-Subscription-Key: "${APIM_KEY}"}
    boundary: eu
chains:
  careful: [azure-eu/responses, azure/chat]
models:
  - alias: codex
    base_model: gpt-5-codex
    deployments: {azure: codex-prod, azure-eu: codex-eu}
    mode: responses
    chain: careful
    reasoning_effort: high
    summary_level: detailed
    verbosity_level: low
    truncation_strategy: auto
    max_tokens: 4096
  - alias: "4.1"
    api_model: gpt-4.1
    chain: litellm, azure/chat
"""


def test_every_section_is_read(load: Load) -> None:
    registry = load(FULL, {"EU_KEY": "key-1", "APIM_KEY": "key-2"})

    assert the(registry, "codex") == ModelSpec(
        alias="codex",
        base_model="gpt-5-codex",
        deployments={"azure": "codex-prod", "azure-eu": "codex-eu"},
        mode="responses",
        chain=("azure-eu/responses", "azure/chat"),
        reasoning_effort="high",
        summary_level="detailed",
        verbosity_level="low",
        truncation_strategy="auto",
        max_tokens=4096,
        source="models.yaml:16",
    )
    assert the(registry, "4.1") == ModelSpec(
        alias="4.1", api_model="gpt-4.1", chain=("litellm", "azure/chat"), source="models.yaml:26"
    )
    assert registry.chains == {"careful": ("azure-eu/responses", "azure/chat")}
    assert registry.endpoints["azure"] == EndpointSettings(kind="azure", deployment="fallback")
    assert registry.endpoints["azure-eu"] == EndpointSettings(
        kind="azure",
        base_url="https://eu.openai.azure.com",
        api_key=SecretStr("key-1"),
        api_version="2025-04-01",
        modes=("responses", "chat"),
        key_header="bearer",
        headers={"Ocp-Apim-Subscription-Key": SecretStr("key-2")},
        boundary="eu",
    )
    assert [spec.alias for spec in registry] == ["codex", "4.1"]
    assert len(registry) == 2
    assert "codex" in registry


def test_the_list_and_the_mapping_form_say_the_same(load: Load) -> None:
    listed = load("models:\n  - alias: a\n    api_model: x\n")
    mapped = load("models:\n  a:\n    api_model: x\n")

    assert list(listed) == list(mapped)


def test_values_keep_the_text_that_was_written(load: Load) -> None:
    registry = load("models:\n  3.50: {api_model: 1.10, reasoning_effort: none, verbosity_level: off}\n")

    spec = the(registry, "3.50")
    assert (spec.api_model, spec.reasoning_effort, spec.verbosity_level) == ("1.10", "none", "off")


@pytest.mark.parametrize("text", ["", "# nothing\n", "~\n", "models:\n", "models: []\n", "models: {}\n"])
def test_a_file_that_says_nothing_is_an_empty_registry(load: Load, text: str) -> None:
    registry = load(text)

    assert (list(registry), dict(registry.endpoints), dict(registry.chains)) == ([], {}, {})
    assert list(Registry.empty()) == []


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_bytes(b"\xef\xbb\xbfmodels:\r\n  a: {api_model: x}\r\n")

    assert the(load_models(path, {}), "a").api_model == "x"


# --- anchors

ANCHORS = """\
x-defaults: &defaults
  reasoning_effort: low
  max_tokens: 100
models:
  a:
    <<: *defaults
    reasoning_effort: high
  b:
    <<: [*defaults]
"""


def test_merged_defaults_give_way_to_what_the_entry_says(load: Load) -> None:
    registry = load(ANCHORS)

    assert [(spec.reasoning_effort, spec.max_tokens) for spec in registry] == [("high", 100), ("low", 100)]


def test_a_merge_that_never_ends_is_reported(load: Load) -> None:
    assert problems(load, "models:\n  a: &a\n    <<: &b {<<: *a}\n") == ["models.yaml:3: models.a: merges itself"]


# --- references


@pytest.mark.parametrize(
    ("written", "environ", "value"),
    [
        ("${NAME}", {"NAME": "v"}, "v"),
        ("a-${NAME}-${OTHER}", {"NAME": "v", "OTHER": "w"}, "a-v-w"),
        ("${NAME:-d}", {}, "d"),
        ("${NAME:-d}", {"NAME": ""}, "d"),
        ("${NAME:-d}", {"NAME": "v"}, "v"),
        ("${NAME:-}", {}, None),
        ("$${NAME}", {}, "${NAME}"),
        ("$NAME", {"NAME": "v"}, "$NAME"),
        ("${NAME}", {"NAME": "${OTHER}"}, "${OTHER}"),
    ],
)
def test_a_reference_is_filled_in_once(load: Load, written: str, environ: dict[str, str], value: str | None) -> None:
    assert the(load(f"models: {{a: {{api_model: '{written}'}}}}\n", environ), "a").api_model == value


def test_references_come_from_the_environment_of_the_process_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("models: {a: {api_model: '${THE_MODEL}'}}\n")
    monkeypatch.setenv("THE_MODEL", "m")

    assert the(load_models(path), "a").api_model == "m"


# --- looking things up


def test_the_closest_alias_is_offered_for_a_typo(load: Load) -> None:
    registry = load("models: {gpt-5-codex: {}, o3: {}}\n")

    assert registry.closest("gpt5-codex") == "gpt-5-codex"
    assert registry.closest("llama") is None
    assert registry.get("gpt5-codex") is None


@pytest.mark.parametrize(
    ("spec", "endpoint", "default", "deployment"),
    [
        (ModelSpec("a", deployments={"azure": "d"}, api_model="m"), "azure", "x", "d"),
        (ModelSpec("a", deployments={"azure-eu": "d"}, api_model="m"), "azure_eu", "x", "d"),
        (ModelSpec("a", deployments={"azure": "d"}, api_model="m"), "litellm", "x", "m"),
        (ModelSpec("a", deployments={"azure": "d"}), "litellm", "x", "x"),
        (ModelSpec("a"), "litellm", None, "a"),
    ],
)
def test_the_deployment_is_the_endpoints_own_then_the_api_model_then_the_default_then_the_alias(
    spec: ModelSpec, endpoint: str, default: str | None, deployment: str
) -> None:
    assert spec.deployment_for(endpoint, default) == deployment


def test_a_registry_survives_pickle_and_copy(load: Load) -> None:
    registry = load(FULL, {"EU_KEY": "key-1", "APIM_KEY": "key-2"})

    assert pickle.loads(pickle.dumps(registry)) == registry
    assert copy.deepcopy(registry) == registry
    assert "key-" not in repr(registry)


def test_a_spec_is_frozen_and_hashable() -> None:
    spec = ModelSpec("a", deployments={"azure": "d"})

    assert len({spec, ModelSpec("a", deployments={"azure": "d"})}) == 1
    with pytest.raises(AttributeError):
        spec.alias = "b"  # type: ignore[misc]
