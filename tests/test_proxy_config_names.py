"""``proxy-config``: under which name each model stands in the file, and which names cannot stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from config_writing import Written, comments, writer

from chatsheet_llm.errors import SettingsError

ENDPOINTS: dict[str, dict[str, object]] = {
    "azure": {"base_url": "https://one.openai.azure.com", "api_key": "canary-1"},
    "azure-eu": {"kind": "azure", "base_url": "https://eu.openai.azure.com", "api_key": "canary-2"},
    "litellm": {"base_url": "https://litellm.example.com"},
}


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return writer(tmp_path / "models.yaml", ENDPOINTS)


def models(text: str) -> dict[str, str]:
    """Name to the string of the model, in the order of the file."""
    return {entry["model_name"]: entry["litellm_params"]["model"] for entry in yaml.safe_load(text)["model_list"]}


HOUSE = {"house": {"kind": "litellm", "base_url": "https://house.example.com"}}
UNSEEN = {"house": {"kind": "litellm"}}
"""A proxy whose URL nobody has set yet."""


@pytest.mark.parametrize(
    ("model", "endpoints", "name"),
    [
        ("alias: m", {}, "m"),
        ("alias: m, deployments: {azure: a}", {}, "m"),
        ("alias: m, deployments: {azure: a, litellm: x}", {}, "x"),
        ("alias: m, api_model: gpt-5-mini", {}, "gpt-5-mini"),
        ("alias: m, api_model: gpt-5-mini, deployments: {litellm: x}", {}, "x"),
        ("alias: m", {"litellm": {"deployment": "all"}}, "all"),
        ("alias: m, api_model: gpt-5-mini", {"litellm": {"deployment": "all"}}, "gpt-5-mini"),
        ("alias: m, deployments: {litellm: x}", {"litellm": {"base_url": None}}, "x"),
        ("alias: m", {"litellm": {"base_url": None, "deployment": "all"}}, "all"),
        ("alias: m, chain: [house, azure], deployments: {litellm: x, house: y}", HOUSE, "y"),
        ("alias: m, chain: [house/chat, litellm, azure], deployments: {litellm: x, house: y}", HOUSE, "y"),
        ("alias: m, chain: [via, azure], deployments: {litellm: x, house: y}", HOUSE, "y"),
        ("alias: m, chain: [azure], deployments: {litellm: x, house: y}", HOUSE, "x"),
        ("alias: m, chain: [house, azure], deployments: {litellm: x, house: y}", UNSEEN, "y"),
        ("alias: m, chain: [house, azure], deployments: {litellm: x, HOUSE: y}", HOUSE, "y"),
    ],
)
def test_an_entry_has_the_name_that_our_client_asks_the_proxy_for(
    model: str, endpoints: dict[str, dict[str, object]], name: str, written: Written
) -> None:
    text = written(f"{{chains: {{via: [house]}}, models: [{{{model}}}]}}", **{**UNSEEN, **endpoints})

    assert list(models(text)) == [name]


@pytest.mark.parametrize(
    ("chain", "endpoints", "name"),
    [("house,azure", HOUSE, "y"), ("azure", {**HOUSE, "litellm": {"base_url": None}}, "y"), ("azure", {}, "x")],
)
def test_the_proxy_of_the_settings_is_meant_where_the_model_s_chain_has_none(
    chain: str, endpoints: dict[str, dict[str, object]], name: str, written: Written
) -> None:
    text = written(
        "models: [{alias: m, chain: [azure], deployments: {litellm: x, house: y}}]", chain, **{**UNSEEN, **endpoints}
    )

    assert list(models(text)) == [name]


def test_a_name_that_is_not_the_alias_says_which_models_are_meant(written: Written) -> None:
    text = written("models: [{alias: m, deployments: {litellm: x}}, {alias: n}]")

    assert "model 'm', by the name that 'litellm' is asked for" in comments(text)
    assert "'n'" not in comments(text)


def test_models_that_are_the_same_at_the_proxy_share_one_entry(written: Written) -> None:
    text = written(
        """
        models:
          - {alias: gpt-5-mini}
          - {alias: fast, api_model: gpt-5-mini, reasoning_effort: low}
          - {alias: slow, api_model: gpt-5-mini, reasoning_effort: high}
        """
    )

    assert text.count("model_name: gpt-5-mini") == 1
    assert list(models(text)) == ["gpt-5-mini"]
    assert "models 'gpt-5-mini', 'fast', 'slow', by the name that 'litellm' is asked for" in comments(text)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (
            "{alias: a, api_model: x, deployments: {azure: p}}",
            "{alias: b, api_model: x}",
            "model: azure/p there, azure/x here",
        ),
        (
            "{alias: a, api_model: x, base_model: gpt-5}",
            "{alias: b, api_model: x}",
            "base_model: azure/gpt-5 there, none here",
        ),
        ("{alias: a, api_model: x, chain: [azure-eu]}", "{alias: b, api_model: x}", "api_base: https://eu.openai"),
        ("{alias: x, deployments: {azure: p}}", "{alias: b, api_model: x}", "model: azure/p there, azure/x here"),
        (
            "{alias: a, api_model: gpt-5.4, mode: chat}",
            "{alias: b, api_model: gpt-5.4}",
            "mode: chat there, none here",
        ),
    ],
)
def test_one_name_for_two_things_is_refused_with_the_lines_of_both(
    one: str, other: str, apart: str, written: Written
) -> None:
    with pytest.raises(SettingsError) as caught:
        written(f"models:\n  - {one}\n  - {other}")

    (line,) = str(caught.value).splitlines()
    assert re.match(r"models.yaml:3: model 'b' is '\S+' at 'litellm', and so is model '[ax]' \(models.yaml:2\)", line)
    assert f"but they differ in {apart}" in line
    assert line.endswith("; give it a name of its own there (deployments: {litellm: NAME})")


def test_a_model_that_is_left_out_takes_no_name(written: Written) -> None:
    text = written("models: [{alias: a, api_model: x, chain: [litellm]}, {alias: b, api_model: x}]")

    assert models(text)["x"] == "azure/x"


@pytest.mark.parametrize("alias", ["team/m", "m*"])
def test_an_alias_that_a_proxy_cannot_serve_may_have_another_name_there(alias: str, written: Written) -> None:
    assert list(models(written(f"models: [{{alias: '{alias}', deployments: {{litellm: m, azure: m}}}}]"))) == ["m"]
