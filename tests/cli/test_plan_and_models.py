"""``plan`` and ``models``: what is shown of the registry and of dispatch, without a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatsheet_llm import ChatClient, Settings
from chatsheet_llm.inventory import as_json
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


# --- one model, and every fact of it

FACTS = """
endpoints:
  azure: {headers: {x-team: hush-header}}
  eu: {kind: azure, base_url: "https://eu.example.com", headers: {x-team: hush-header}}
models:
  - alias: coder
    base_model: gpt-5-codex
    deployments: {azure: codex-prod}
    reasoning_effort: high
    capabilities: {streaming: false, renamed_on_chat: {user: safety_identifier}}
  - {alias: far, chain: [eu/chat, azure/chat], api_model: gpt-4, mode: chat}
  - {alias: nowhere, chain: [eu]}
  - alias: "[red]odd[/red]"
  - {alias: "*", max_tokens: 77}
"""


def words(text: str) -> str:
    """What a table says, however its cells are folded."""
    return " ".join(text.split())


def test_one_model_is_told_with_the_source_of_every_fact(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text(FACTS)

    result = invoke("models", "coder")
    lines = result.stdout.splitlines()
    said = [words(line) for line in lines]

    assert result.exit_code == 0
    assert said[:2] == ["coder, models.yaml:6", "fact value from where"]
    for fact in (
        "base model gpt-5-codex file models.yaml:6",
        "apis responses table ms-reasoning, 2026-03",
        "streaming no file models.yaml:6",
        "reasoning yes table ms-reasoning, 2026-03",
        "reasoning_effort high file models.yaml:6",
    ):
        assert fact in said
    assert "input_window 272000 table" in words(result.stdout)
    assert "user as" in result.stdout
    assert max(map(len, lines)) <= 80
    assert box.requests == []


def test_one_model_is_told_with_its_hops_and_those_left_out(
    box: Sandbox, cwd: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cwd / "models.yaml").write_text(FACTS)
    monkeypatch.setenv("COLUMNS", "200")

    coder, far = (words(invoke("models", name).stdout) for name in ("coder", "far"))

    assert "hop deployment base model rule reason" in coder
    assert "litellm/responses coder gpt-5-codex (file) capability gpt-5-codex is served through /v1/responses" in coder
    assert "azure/responses codex-prod gpt-5-codex (file) hop mode the hop names the mode (chain)" in coder
    assert "azure/chat capability left out: gpt-5-codex is served" in coder
    assert "mode chat file models.yaml:11" in far
    assert "azure/chat gpt-4 gpt-4 (file) model mode the model entry sets the mode (file)" in far
    assert "eu/chat not configured left out: endpoint 'eu' is" in far
    assert "set CHATSHEET_ENDPOINTS__EU__API_KEY" in far


@pytest.mark.parametrize("name", ["coder", "far", "nowhere", "*"])
def test_one_model_as_json_is_what_the_client_knows(box: Sandbox, cwd: Path, invoke: Invoke, name: str) -> None:
    (cwd / "models.yaml").write_text(FACTS)

    told = json.loads(invoke("models", name, "--json").stdout)["models"]
    with ChatClient() as client:
        known = next(view for view in client.models_known() if view.alias == name)
    spec = Settings().registry.models[name]

    assert told == [{**as_json(known), "deployments": dict(spec.deployments), "api_model": spec.api_model}]
    assert box.requests == []


def test_all_models_as_json_are_each_as_it_is_alone(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text(FACTS)

    told = json.loads(invoke("models", "--json").stdout)["models"]

    assert [model["alias"] for model in told] == ["coder", "far", "nowhere", "[red]odd[/red]", "*"]
    for model in told:
        assert json.loads(invoke("models", model["alias"], "--json").stdout) == {"models": [model]}


def test_an_alias_is_shown_as_it_is_written(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text(FACTS)

    for arguments in (["models"], ["models", "[red]odd[/red]"], ["plan", "-m", "[red]odd[/red]"]):
        shown = invoke(*arguments).stdout

        assert "[red]odd[/red]" in shown


def test_without_a_file_it_says_that_there_is_none(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    result = invoke("models", "gpt-5")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: there is no models.yaml, so nothing more is known of 'gpt-5'")
    assert "CHATSHEET_MODELS_FILE" in result.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_model_that_the_file_does_not_name_is_a_mistake_with_the_closest_name(
    box: Sandbox, cwd: Path, invoke: Invoke, options: list[str]
) -> None:
    (cwd / "models.yaml").write_text(FACTS)

    result = invoke("models", "codr", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: models.yaml names no model 'codr'; did you mean 'coder'?\n"


@pytest.mark.parametrize("command", [["models"], ["models", "coder"], ["plan", "-m", "coder"]])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nothing_that_is_shown_holds_a_secret(
    box: Sandbox, cwd: Path, invoke: Invoke, command: list[str], options: list[str]
) -> None:
    (cwd / "models.yaml").write_text(FACTS)

    result = invoke(*command, *options)

    assert result.exit_code == 0
    assert "coder" in result.stdout
    assert [word for word in ("hush", box.api_key) if word in result.stdout + result.stderr] == []


@pytest.mark.parametrize("command", [["models"], ["models", "a", "--json"], ["plan", "-m", "a"]])
def test_every_mistake_of_the_file_is_told_with_its_line_and_field(
    box: Sandbox, cwd: Path, invoke: Invoke, command: list[str]
) -> None:
    (cwd / "models.yaml").write_text("models:\n  a:\n    mode: chatt\n    capabilities:\n      apis: [talk]\n")

    result = invoke(*command)
    first, *said = [line.strip().removeprefix(f"{cwd}/") for line in result.stderr.splitlines()]

    assert (result.exit_code, first) == (2, "error: 2 things are wrong")
    assert sorted(said) == [
        "models.yaml:3: models.a.mode: 'chatt' is not a mode; use chat, responses or messages",
        "models.yaml:5: models.a.capabilities.apis: 'talk' is not a mode; use chat, responses or messages",
    ]


# --- the same plan, for people and for programs

PLANS: dict[str, list[str]] = {
    "responses only": ["-m", "coder"],
    "mode of the call": ["-m", "far", "--mode", "chat"],
    "an endpoint without a key": ["-m", "far"],
    "a name that * lets pass": ["-m", "gpt-4"],
    "tools beside an effort": ["-m", "gpt-5.4", "--effort", "low", "--tools", "tools.json"],
    "no hop": ["-m", "coder", "--mode", "chat"],
    "a stream of what gives none": ["-m", "coder", "--stream"],
    "what is dropped": ["-m", "coder", "--request", "request.json", "--on-loss", "drop"],
}


@pytest.mark.parametrize("arguments", PLANS.values(), ids=PLANS)
def test_a_plan_as_text_says_what_it_says_as_json(
    box: Sandbox, cwd: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (cwd / "models.yaml").write_text(FACTS)
    (cwd / "tools.json").write_text(json.dumps([TOOL]))
    (cwd / "request.json").write_text(json.dumps({"messages": [{"role": "user", "content": "x"}], "stop": ["y"]}))
    monkeypatch.setenv("COLUMNS", "300")

    text, told = invoke("plan", *arguments), invoke("plan", *arguments, "--json")
    shown, plan = words(text.stdout), json.loads(told.stdout)

    assert text.exit_code == told.exit_code == (0 if plan["hops"] else 1)
    for number, hop in enumerate(plan["hops"], 1):
        assert f"{number} {hop['hop']} {hop['mode']} {hop['model']} {hop['rule']}: {hop['reason']}" in shown
        for loss in hop["losses"]:
            assert f"{'note' if loss['minor'] else 'drops'} " in shown
            assert f"{loss['path']}: {loss['reason']}" in shown
    for skip in plan["skipped"]:
        assert f"{skip['hop']} {skip['rule']} {skip['reason']}" in shown
    assert len(plan["hops"]) + len(plan["skipped"]) > 0
    assert box.requests == []


def test_each_of_those_plans_shows_what_its_name_says(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text(FACTS)
    (cwd / "tools.json").write_text(json.dumps([TOOL]))
    (cwd / "request.json").write_text(json.dumps({"messages": [{"role": "user", "content": "x"}], "stop": ["y"]}))

    plans = {name: json.loads(invoke("plan", *arguments, "--json").stdout) for name, arguments in PLANS.items()}

    assert plans["no hop"]["hops"] == []
    assert {skip["rule"] for skip in plans["no hop"]["skipped"]} == {"mode", "call mode"}
    assert [hop["whole"] for hop in plans["a stream of what gives none"]["hops"]] == [True, True]
    assert [loss["path"] for loss in plans["what is dropped"]["hops"][0]["losses"]] == ["stop"]
    assert plans["tools beside an effort"]["hops"][0]["rule"] == "tools"
    assert [skip["rule"] for skip in plans["an endpoint without a key"]["skipped"]] == ["not configured"]


def test_a_model_whose_endpoint_has_no_key_is_told_with_the_variable_to_set(
    box: Sandbox, cwd: Path, invoke: Invoke
) -> None:
    (cwd / "models.yaml").write_text(FACTS)

    planned, asked = invoke("plan", "-m", "nowhere"), invoke("ask", "-m", "nowhere", "Hello")

    assert planned.exit_code == 1
    assert "CHATSHEET_ENDPOINTS__EU__API_KEY or" in words(planned.stdout)
    assert asked.exit_code == 2
    assert "set CHATSHEET_ENDPOINTS__EU__API_KEY or CHATSHEET_ENDPOINTS__EU__AD_TOKEN" in asked.stderr
    assert box.requests == []


def test_a_model_that_nobody_named_is_planned_nowhere(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text(MODELS)

    result = invoke("plan", "-m", "fats", "--json")
    told = json.loads(result.stdout)

    assert result.exit_code == 1
    assert told["hops"] == []
    assert {skip["rule"] for skip in told["skipped"]} == {"model"}
    assert all(skip["reason"].startswith("models.yaml names no model 'fats'") for skip in told["skipped"])
    assert all("did you mean 'fast'?" in skip["reason"] for skip in told["skipped"])
    assert box.requests == []
