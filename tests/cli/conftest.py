"""What the tests of the command line share: one sandbox, and two ways to run a command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chatsheet_llm.sandbox import Sandbox

# A shell that starts the tests in the background ignores SIGINT for all of its children.
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from chatsheet_llm.cli import main; sys.exit(main())"
)

COLOURS = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""What makes rich or typer send control codes into a pipe."""


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COLOURS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared_box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def box(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox without faults, and an environment that points at its LiteLLM and Azure."""
    shared_box.forget()
    for name, value in shared_box.env().items():
        if name.startswith(("LITELLM_", "AZURE_")):
            monkeypatch.setenv(name, value)
    yield shared_box
    shared_box.clear()


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory of this test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command within this process; exceptions that nobody handled are raised."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str, stdin: str | bytes = "") -> Any:
        from chatsheet_llm.cli.app import app

        result = CliRunner().invoke(app, list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the command as a process of its own; one that still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        # PYTHONUNBUFFERED empty: the command itself must see to it that text leaves in time.
        told = {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "", **(env or {})}
        started.append(subprocess.Popen([sys.executable, "-c", START, *arguments], env=told, **options))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
