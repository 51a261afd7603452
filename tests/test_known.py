"""What is known of the model behind a hop, source by source in their order, and what the endpoint calls it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatsheet_llm.capabilities import Override, capability_of
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.known import Known, deployment_of, known_at
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec


def azure(deployment: str | None = None) -> Endpoint:
    fields = {"base_url": "https://azure.example", "api_key": "planted-key", "deployment": deployment}
    return build("azure", EndpointSettings.model_validate(fields))


def taught(base_model: str, deployment: str = "gpt-4o", endpoint: str = "azure") -> Learned:
    learned = Learned()
    learned.serves(endpoint, deployment, base_model, base_model)
    return learned


FULL = ModelSpec(
    "gpt-4.1", base_model="gpt-5-codex", deployments={"azure": "gpt-4o"}, api_model="gpt-5.4", source="models.yaml:3"
)
"""An entry all of whose words are names of models, each another one."""

PEELED = (
    (FULL, taught("gpt-5.6"), ("gpt-5-codex", "file", "models.yaml:3")),
    (replace(FULL, base_model=None), taught("gpt-5.6"), ("gpt-5.6", "learned", "named in the answers of azure")),
    (replace(FULL, base_model=None), None, ("gpt-5.4", "file", "models.yaml:3")),
    (replace(FULL, base_model=None, api_model=None), None, ("gpt-4o", "name", "deployment of azure")),
    (
        ModelSpec("gpt-4.1", deployments={"azure": "prod-7"}), None,
        ("gpt-4.1", "name", "the name that was asked for"),
    ),
    (ModelSpec("fast", deployments={"azure": "prod-7"}), None, (None, None, "")),
)  # fmt: skip
"""What is known with every source, and then with one less each time."""


@pytest.mark.parametrize(("spec", "learned", "told"), PEELED, ids=lambda value: str(value)[:60])
def test_the_first_source_that_knows_the_model_is_believed(
    spec: ModelSpec, learned: Learned | None, told: tuple[str | None, str | None, str]
) -> None:
    known = known_at(azure(), spec, spec.alias, learned)

    assert (known.base_model, known.source, known.where) == told
    assert known.capability is capability_of(known.base_model)


@pytest.mark.parametrize(
    ("model", "default", "learned", "told"),
    [
        ("gpt-5-codex", None, None, ("gpt-5-codex", "name", "deployment of azure")),
        ("gpt-5-codex", None, taught("gpt-5", "gpt-5-codex"), ("gpt-5", "learned", "named in the answers of azure")),
        ("gpt-5-codex", "prod-7", None, ("gpt-5-codex", "name", "the name that was asked for")),
        ("gpt-5-codex", "gpt-4o", None, ("gpt-4o", "name", "deployment of azure")),
        ("gpt-5-codex", "prod-7", taught("gpt-5", "prod-7"), ("gpt-5", "learned", "named in the answers of azure")),
        ("my-gpt-5-codex", None, None, (None, None, "")),
        ("azure/gpt-5-codex", None, None, (None, None, "")),
        (None, None, None, (None, None, "")),
    ],
)
def test_without_an_entry_the_names_are_all_there_is(
    model: str | None, default: str | None, learned: Learned | None, told: tuple[str | None, str | None, str]
) -> None:
    known = known_at(azure(default), None, model, learned)

    assert (known.base_model, known.source, known.where) == told


@pytest.mark.parametrize("learned", [taught("gpt-5", "prod-8"), taught("gpt-5", "prod-7", "litellm"), Learned()])
def test_what_another_deployment_or_endpoint_has_shown_says_nothing(learned: Learned) -> None:
    assert known_at(azure(), None, "prod-7", learned).base_model is None


def test_a_base_model_that_no_table_has_is_kept_and_nothing_else_is_asked() -> None:
    known = known_at(azure(), replace(FULL, base_model="house-model"), FULL.alias, taught("gpt-5.6"))

    assert (known.base_model, known.source, known.capability) == ("house-model", "file", None)


@pytest.mark.parametrize(
    ("base", "deployment", "told"),
    [
        ("gpt-5", "claude-sonnet-4-5", ("claude-sonnet-4-5", "name", "deployment of azure")),
        ("claude-opus-4-6", "claude-sonnet-4-5", ("claude-opus-4-6", "file", "models.yaml:9")),
        ("claude-opus-4-6", "gpt-5", ("claude-opus-4-6", "file", "models.yaml:9")),
        ("gpt-5", "my-claude-sonnet-4-5", ("gpt-5", "file", "models.yaml:9")),
    ],
)
def test_a_deployment_named_after_a_claude_is_one_unless_the_entry_says_which(
    base: str, deployment: str, told: tuple[str, str, str]
) -> None:
    spec = ModelSpec("fast", base_model=base, deployments={"azure": deployment}, source="models.yaml:9")
    known = known_at(azure(), spec, "fast", taught("gpt-4o", deployment))

    assert (known.base_model, known.source, known.where) == told


# --- the row


def test_what_the_entry_says_lies_over_the_row_of_the_table() -> None:
    spec = replace(FULL, capabilities=Override(apis=frozenset({"chat"})))
    row = known_at(azure(), spec, spec.alias, None).capability

    assert row is not None
    assert row.apis == frozenset({"chat"})
    assert row.efforts == ("low", "medium", "high")
    assert (row.told("apis"), row.told("efforts")) == ("models.yaml:3", "ms-reasoning, 2026-03")


def test_what_the_entry_says_lies_over_what_was_learned_too() -> None:
    spec = ModelSpec("fast", deployments={"azure": "prod-7"}, capabilities=Override(streaming=False))
    row = known_at(azure(), spec, "fast", taught("gpt-5-codex", "prod-7")).capability

    assert row is not None
    assert row.apis == frozenset({"responses"})
    assert not row.streaming


@pytest.mark.parametrize(
    ("override", "apis"),
    [(Override(apis=frozenset({"chat"})), {"chat"}), (Override(streaming=False), {"chat", "responses", "messages"})],
)
def test_of_a_model_that_nobody_knows_what_the_entry_says_is_known(override: Override, apis: set[str]) -> None:
    spec = ModelSpec("fast", deployments={"azure": "prod-7"}, capabilities=override)
    row = known_at(azure(), spec, "fast", None).capability

    assert row is not None
    assert (row.apis, row.said, row.told("apis")) == (apis, set(override.told), "models.yaml")


# --- names


@pytest.mark.parametrize(
    ("spec", "default", "model", "deployment"),
    [
        (FULL, "the-only-one", "gpt-4.1", "gpt-4o"),
        (replace(FULL, deployments={"litellm": "theirs"}), "the-only-one", "gpt-4.1", "gpt-5.4"),
        (ModelSpec("fast"), "the-only-one", "fast", "the-only-one"),
        (ModelSpec("fast"), None, "fast", "fast"),
        (None, "the-only-one", "gpt-5", "the-only-one"),
        (None, None, "gpt-5", "gpt-5"),
        (None, "the-only-one", None, None),
    ],
)
def test_a_deployment_is_named_by_the_entry_the_endpoint_or_the_caller(
    spec: ModelSpec | None, default: str | None, model: str | None, deployment: str | None
) -> None:
    assert deployment_of(azure(default), spec, model) == deployment
    assert known_at(azure(default), spec, model, None).deployment == deployment


@pytest.mark.parametrize(
    ("deployment", "base", "name"),
    [("prod-7", "gpt-5", "gpt-5"), ("prod-7", None, "prod-7"), (None, None, "the model")],
)
def test_a_model_is_called_by_the_best_name_there_is(deployment: str | None, base: str | None, name: str) -> None:
    assert Known(deployment, base, None, "", None).name == name
