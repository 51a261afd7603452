"""How the command starts: quickly, by both names, and with advice where the extra is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
from typer.main import get_command

from chatsheet_llm import __version__
from chatsheet_llm.cli.app import app
from chatsheet_llm.sandbox import Sandbox

HEAVY = ("openai", "anthropic", "httpx2", "chatsheet_llm.client", "chatsheet_llm.errors", "chatsheet_llm.sandbox")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=20)


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["demo", "--help"], ["--version"]])
def test_help_and_version_load_no_sdk(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv[1:] = {arguments}\n"
        "from chatsheet_llm.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )

    done = python("-c", code)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_runs_as_the_command_does() -> None:
    done = python("-m", "chatsheet_llm.cli", "--version")

    assert (done.returncode, done.stdout) == (0, f"chatsheet-llm {__version__}\n")


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error there")
@pytest.mark.parametrize("arguments", [["sandbox", "--list-faults"], ["models"], ["models", "--json"]])
def test_a_reader_who_goes_away_is_no_error(
    start: Callable[..., subprocess.Popen[bytes]], arguments: list[str]
) -> None:
    process = start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=10)

    assert (process.returncode, err) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is full")
@pytest.mark.parametrize("arguments", [["ask", "hi", "-m", "gpt-5"], ["models", "--json"], ["--version"], ["--help"]])
def test_output_that_cannot_be_written_is_one_line(box: Sandbox, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chatsheet_llm.cli", *arguments],
            stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, env={**os.environ, **box.env()},
            text=True, check=False, timeout=20,
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (1, "error: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from chatsheet_llm.cli import main; sys.exit(main())"

    done = python("-c", code)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: the command line needs {missing!r}")
    assert "install chatsheet_llm[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_module_of_ours_is_not_blamed_on_the_extra() -> None:
    code = "import sys; sys.modules['chatsheet_llm.cli.app'] = None; from chatsheet_llm.cli import main; main()"

    done = python("-c", code)

    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_every_command_and_every_option_has_a_help_text() -> None:
    commands: dict[str, Any] = cast("Any", get_command(app)).commands

    assert set(commands) == {"ask", "chat", "models", "plan", "proxy-config", "sandbox", "demo"}
    assert [name for name, command in commands.items() if not command.help] == []
    assert [(name, o.name) for name, command in commands.items() for o in command.params if not o.help] == []
