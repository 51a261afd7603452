"""``plan`` and ``models``: what is shown of the registry and of dispatch, without a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatsheet_llm.sandbox import Sandbox

Invoke = Callable[..., Any]
MODELS = """
chains:
  direct: [azure/responses, azure/chat]
models:
  - alias: fast
    base_model: gpt-5-mini
    deployments: {azure: mini-prod}
  - alias: codex
    base_model: gpt-5-codex
    chain: [direct]
"""
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def test_a_plan_names_hops_models_and_rules_and_sends_nothing(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("plan", "-m", "gpt-5-codex")

    assert result.exit_code == 0
    assert "2 of 3 hops can serve this" in result.stdout
    assert "litellm/responses" in result.stdout
    assert "capability: gpt-5-codex is" in result.stdout
    assert "served through /v1/responses" in " ".join(result.stdout.split())
    assert box.requests == []


def test_a_plan_as_json_tells_the_same(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text(MODELS)

    told = json.loads(invoke("plan", "Hello", "-m", "fast", "--stream", "--effort", "low", "--json").stdout)

    assert told["model"] == "fast"
    assert [(hop["hop"], hop["mode"], hop["model"]) for hop in told["hops"]] == [
        ("litellm/chat", "chat", "fast"),
        ("azure/responses", "responses", "mini-prod"),
        ("azure/chat", "chat", "mini-prod"),
    ]
    assert [hop["rule"] for hop in told["hops"]] == ["own format", "hop mode", "hop mode"]
    assert all(hop["reason"] for hop in told["hops"])
    assert box.requests == []


def test_a_plan_without_hops_says_why_and_fails(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("plan", "-m", "gpt-5", "-c", "azure", "--mode", "messages")

    assert result.exit_code == 1
    assert "no hop of the chain can serve this" in result.stdout
    assert "does not speak" in result.stdout


@pytest.mark.parametrize("content", [[TOOL], {"tools": [TOOL]}])
def test_tools_change_the_plan(box: Sandbox, cwd: Path, invoke: Invoke, content: object) -> None:
    (cwd / "tools.json").write_text(json.dumps(content))

    told = json.loads(invoke("plan", "-m", "gpt-5.4", "--effort", "low", "--tools", "tools.json", "--json").stdout)

    assert [hop["hop"] for hop in told["hops"]] == ["litellm/responses", "azure/responses"]
    assert [skip["hop"] for skip in told["skipped"]] == ["azure/chat"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"[\n{,}]", "is not JSON: "),
        (b"[\n{,}]", "in line 2, column 2"),
        (b"\xff\xff", "is not UTF-8 text"),
        (b'{"functions": []}', "must hold a list of tools"),
        (b"[1]", "must hold a list of tools"),
    ],
)
def test_a_bad_file_of_tools_is_named(
    box: Sandbox, cwd: Path, invoke: Invoke, content: bytes | None, says: str
) -> None:
    if content is not None:
        (cwd / "tools.json").write_bytes(content)

    result = invoke("plan", "-m", "gpt-5", "--tools", "tools.json")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: --tools 'tools.json' ")
    assert says in result.stderr


def test_models_lists_aliases_hops_and_lines(cwd: Path, invoke: Invoke) -> None:
    """No endpoint is configured: the registry can be read without one."""
    (cwd / "models.yaml").write_text(MODELS)

    lines = invoke("models").stdout.splitlines()

    assert lines[0].split() == ["alias", "base", "model", "mode", "hops", "source"]
    assert lines[2].split()[:2] == ["fast", "gpt-5-mini"]
    assert "models.yaml:5" in lines[2]
    assert "azure/responses" in "".join(lines)
    assert "(mini-prod): not configured" in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80


def test_models_as_json_expands_chains(cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text(MODELS)

    told = json.loads(invoke("models", "--json").stdout)

    assert [model["alias"] for model in told["models"]] == ["fast", "codex"]
    assert [skip["hop"] for skip in told["models"][1]["skipped"]] == ["azure/responses", "azure/chat"]
    assert told["models"][1]["hops"] == []
    assert told["models"][0]["deployments"] == {"azure": "mini-prod"}


def test_models_without_a_file_says_so(invoke: Invoke) -> None:
    result = invoke("models")

    assert result.exit_code == 0
    assert "no models.yaml names a model" in result.stdout
    assert json.loads(invoke("models", "--json").stdout) == {"models": []}


def test_remote_asks_the_chain_and_says_who_answered(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "503")

    shown = invoke("models", "--remote").stdout
    told = json.loads(invoke("models", "--remote", "--chain", "azure", "--json").stdout)

    assert "azure has " in shown
    assert "litellm 503 -> azure 200" in shown
    assert "gpt-5-codex" in {model["id"] for model in told["remote"]["models"]}
    assert [attempt["hop"] for attempt in told["remote"]["route"]["attempts"]] == ["azure"]


def test_a_chain_that_nobody_asks_is_refused(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("models", "--chain", "azure")

    assert result.exit_code == 2
    assert "--remote" in result.stderr


def test_a_whole_request_is_planned_in_its_own_format(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "request.json").write_text(json.dumps({"model": "gpt-4", "input": "Hello", "stream": True}))

    told = json.loads(invoke("plan", "--request", "request.json", "--json").stdout)

    assert told["model"] == "gpt-4"
    assert [(hop["hop"], hop["rule"]) for hop in told["hops"]] == [
        ("litellm/chat", "capability"),
        ("azure/chat", "hop mode"),
    ]
    assert box.requests == []


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        ("[]", [], "must hold an object with 'messages'"),
        ('{"model": "x"}', [], "must hold an object with 'messages'"),
        ('{"input": "x"}', ["Hello"], "so a prompt beside it says it twice"),
        ('{"input": "x"}', ["--effort", "low"], "so --effort beside it"),
    ],
)
def test_a_request_that_is_none_or_said_twice_is_named(
    box: Sandbox, cwd: Path, invoke: Invoke, content: str, options: list[str], says: str
) -> None:
    (cwd / "request.json").write_text(content)

    result = invoke("plan", *options, "-m", "gpt-5", "--request", "request.json")

    assert result.exit_code == 2
    assert says in result.stderr
