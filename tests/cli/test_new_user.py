"""What somebody sees who gets something wrong on the first day: real processes, as they would run them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chatsheet_llm.sandbox import Sandbox

SECRET = "planted-4f7e9a345d0f5f8f4a10-secret"
KEYS = ("LITELLM_API_KEY", "AZURE_OPENAI_API_KEY")


@dataclass(frozen=True)
class Case:
    """One mistake: what is typed, what is set (None: taken away), the exit code, and what must be said."""

    code: int
    says: tuple[str, ...]
    arguments: tuple[str, ...] = ("ask", "hello", "-m", "gpt-5")
    env: dict[str, str | None] = field(default_factory=dict)
    models: str = ""
    real: bool = True
    """Whether it is run as a process of its own, as a user would; else within this one, which is faster."""

    def set_up(self, cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in self.env.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        if self.models:
            (cwd / "models.yaml").write_text(self.models)

    def check(self, code: int, out: str, err: str) -> None:
        assert code == self.code, err
        assert all(words in err for words in self.says), err
        assert out == ""
        assert err.count("error: ") <= 1
        assert "Traceback" not in err
        assert SECRET not in out + err
        assert "\x1b" not in err


CASES = {
    "wrong key": Case(
        1,
        (
            "error: the credential was refused",
            "litellm/chat",
            "401 auth",
            "azure/responses",
            "check the endpoint's API",
        ),
        env=dict.fromkeys(KEYS, SECRET),
    ),
    "wrong URL": Case(
        1,
        ("error: the connection was refused", "check the endpoint's URL", "refused"),
        env={"LITELLM_BASE_URL": "http://127.0.0.1:9", "LITELLM_API_KEY": SECRET, "AZURE_OPENAI_ENDPOINT": None},
    ),
    "no URL at all": Case(
        2,
        ("error: LITELLM_BASE_URL: must be a URL with a host",),
        env={"LITELLM_BASE_URL": "litellm.example.com", "LITELLM_API_KEY": SECRET},
        real=False,
    ),
    "key within the URL": Case(
        2,
        ("error: LITELLM_BASE_URL: holds a user name or password",),
        env={"LITELLM_BASE_URL": f"https://user:{SECRET}@litellm.example.com"},
        real=False,
    ),
    "key with a line break": Case(
        2,
        ("error: AZURE_OPENAI_API_KEY: holds a line break",),
        env={"AZURE_OPENAI_API_KEY": f"{SECRET}\nOTHER=1"},
        real=False,
    ),
    "unknown model": Case(
        1,
        ("error: the endpoint knows no such deployment", "azure/chat", "404 deployment", "check the deployment's name"),
        arguments=("ask", "hello", "-m", "gpt-55", "-c", "azure"),
    ),
    "unknown model, known alias": Case(
        1,
        ("models.yaml names no model 'codx'; did you mean 'codex'?",),
        arguments=("ask", "hello", "-m", "codx", "-c", "azure"),
        models="models:\n  - alias: codex\n    base_model: gpt-5-codex\n",
        real=False,
    ),
    "unknown hop": Case(
        2,
        ("error: the chain names hop 'azur/chat'", "did you mean 'azure/chat'?"),
        arguments=("ask", "hello", "-m", "gpt-5", "--chain", "litellm,azur/chat"),
    ),
    "malformed models.yaml": Case(
        2,
        ("error: models.yaml:3: models[0].mode: 'chatt' is not a mode; use chat, responses or messages",),
        arguments=("ask", "hello"),
        models="models:\n  - alias: codex\n    mode: chatt\n",
    ),
    "two mistakes in models.yaml": Case(
        2,
        ("error: 2 things are wrong", "\n  models.yaml:3: models[0].mode", "\n  models.yaml:4: models[0]"),
        arguments=("models",),
        models="models:\n  - alias: codex\n    mode: chatt\n    basemodel: gpt-5-codex\n",
        real=False,
    ),
    "negative deadline": Case(
        2,
        ("error: --deadline must be a number of seconds greater than 0; got -1",),
        arguments=("ask", "hello", "-m", "gpt-5", "--deadline", "-1"),
    ),
    "negative deadline in the environment": Case(
        2,
        ("error: CHATSHEET_DEADLINE: must be a number of seconds greater than 0 (got -1)",),
        env={"CHATSHEET_DEADLINE": "-1"},
        real=False,
    ),
    "nothing configured": Case(
        2,
        ("error: no hop of the chain", "set LITELLM_BASE_URL", "AZURE_OPENAI_ENDPOINT"),
        env=dict.fromkeys(("LITELLM_BASE_URL", "AZURE_OPENAI_ENDPOINT", *KEYS)),
    ),
    "no model": Case(2, ("error: no model is named", "--model NAME (-m)"), arguments=("ask", "hello"), real=False),
    "no prompt": Case(2, ("error: there is no prompt",), arguments=("ask", "-m", "gpt-5"), real=False),
    "unknown mode": Case(
        2, ("--mode", "'chatt'"), arguments=("ask", "hello", "-m", "gpt-5", "--mode", "chatt"), real=False
    ),
    "unknown command": Case(2, ("No such command 'aks'",), arguments=("aks", "hello")),
}


def cases(*, real: bool) -> pytest.MarkDecorator:
    chosen = {name: case for name, case in CASES.items() if case.real == real}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen)


@cases(real=True)
def test_a_mistake_gets_one_readable_message_and_the_right_exit_code(
    case: Case, box: Sandbox, cwd: Path, start: Callable[..., subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    case.set_up(cwd, monkeypatch)

    process = start(*case.arguments)
    out, err = process.communicate(timeout=20)

    case.check(process.returncode, out.decode(), err.decode())


@cases(real=False)
def test_a_smaller_mistake_too(
    case: Case, box: Sandbox, cwd: Path, invoke: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case.set_up(cwd, monkeypatch)

    result = invoke(*case.arguments)

    case.check(result.exit_code, result.stdout, result.stderr)
