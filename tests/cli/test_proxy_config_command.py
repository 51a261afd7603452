"""``proxy-config``: where the text goes, what is refused, and the exit codes of ``--check``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Invoke = Callable[..., Any]
MODELS = "models: [{alias: coder, base_model: gpt-5-codex, deployments: {azure: codex-prod}}]\n"
WRONG = "model_list:\n  - {model_name: gpt-5, litellm_params: {model: azure_text/gpt-5}}\n"
RIGHT = "model_list:\n  - {model_name: gpt-5, litellm_params: {model: azure/gpt-5}}\n"


@pytest.fixture
def project(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with models.yaml, and an Azure resource in the environment."""
    (cwd / "models.yaml").write_text(MODELS)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://my-resource.openai.azure.com")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "canary-key")
    return cwd


def test_the_configuration_is_printed_and_nothing_else(project: Path, invoke: Invoke) -> None:
    result = invoke("proxy-config")

    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout)["model_list"][0]["litellm_params"]["model"] == "azure/responses/codex-prod"
    assert "canary" not in result.stdout
    assert result.stderr == ""


def test_a_file_gets_what_would_be_printed(project: Path, invoke: Invoke) -> None:
    printed = invoke("proxy-config").stdout
    result = invoke("proxy-config", "--output", "proxy_config.yaml")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "wrote proxy_config.yaml" in result.stderr
    assert (project / "proxy_config.yaml").read_text(encoding="utf-8") == printed


def test_a_file_that_exists_is_overwritten_only_by_force(project: Path, invoke: Invoke) -> None:
    (project / "proxy_config.yaml").write_text("mine")
    refused = invoke("proxy-config", "--output", "proxy_config.yaml")
    kept = (project / "proxy_config.yaml").read_text()
    forced = invoke("proxy-config", "--output", "proxy_config.yaml", "--force")

    assert refused.exit_code == 2
    assert "'proxy_config.yaml' exists" in refused.stderr
    assert "--force" in refused.stderr
    assert kept == "mine"
    assert forced.exit_code == 0
    assert "model_list" in (project / "proxy_config.yaml").read_text()


def test_a_file_that_cannot_be_written_is_named(project: Path, invoke: Invoke) -> None:
    result = invoke("proxy-config", "--output", "absent/proxy_config.yaml")

    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr


def test_a_registry_without_models_is_wrong_settings(cwd: Path, invoke: Invoke) -> None:
    result = invoke("proxy-config", "--output", "proxy_config.yaml")

    assert result.exit_code == 2
    assert "names no model" in result.stderr
    assert not (cwd / "proxy_config.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--json",), "--json prints findings, so it needs --check"),
        (("--force",), "--force overwrites a file, so it needs --output"),
        (("--check", "x.yaml", "--output", "y.yaml"), "--check writes nothing"),
        (("--check", "x.yaml", "--force"), "--check writes nothing"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    project: Path, invoke: Invoke, arguments: tuple[str, ...], says: str
) -> None:
    result = invoke("proxy-config", *arguments)

    assert result.exit_code == 2
    assert says in result.stderr


def test_a_finding_is_one_line_and_exit_code_one(cwd: Path, invoke: Invoke) -> None:
    """No endpoint is configured: a file can be checked without one."""
    (cwd / "proxy_config.yaml").write_text(WRONG)
    result = invoke("proxy-config", "--check", "proxy_config.yaml")

    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    assert line.startswith("proxy_config.yaml:2: azure_text: azure_text/ is the legacy completions API")
    assert line.endswith("; fix: write model: azure/gpt-5")


def test_a_clean_file_is_silent_and_exit_code_zero(cwd: Path, invoke: Invoke) -> None:
    (cwd / "proxy_config.yaml").write_text(RIGHT)
    result = invoke("proxy-config", "--check", "proxy_config.yaml")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(("content", "code"), [(WRONG, 1), (RIGHT, 0)])
def test_json_is_one_object_with_every_finding(cwd: Path, invoke: Invoke, content: str, code: int) -> None:
    (cwd / "proxy_config.yaml").write_text(content)
    result = invoke("proxy-config", "--check", "proxy_config.yaml", "--json")
    told = json.loads(result.stdout)

    assert result.exit_code == code
    assert told["file"] == "proxy_config.yaml"
    assert len(told["findings"]) == code
    for finding in told["findings"]:
        assert finding.keys() == {"rule", "line", "where", "reason", "fix"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "proxy_config.yaml: there is no such file"),
        (b"model_list: [\n}", "proxy_config.yaml:2:1: is not valid YAML"),
        (b"\xff\xfe\x00", "proxy_config.yaml: is not UTF-8 text"),
        (MODELS.encode(), "proxy_config.yaml: is no configuration of a LiteLLM proxy"),
    ],
)
def test_a_file_that_cannot_be_judged_is_exit_code_two(
    cwd: Path, invoke: Invoke, content: bytes | None, says: str
) -> None:
    if content is not None:
        (cwd / "proxy_config.yaml").write_bytes(content)
    result = invoke("proxy-config", "--check", "proxy_config.yaml")

    assert result.exit_code == 2
    assert says in result.stderr


def test_what_is_written_is_clean(project: Path, invoke: Invoke) -> None:
    invoke("proxy-config", "--output", "proxy_config.yaml")

    assert invoke("proxy-config", "--check", "proxy_config.yaml").exit_code == 0
