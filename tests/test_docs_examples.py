"""The examples of docs run and print what they say, and its links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from chatsheet_llm.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = ("README.md", "azure.md", "network.md", "upgrading.md", "errors.md", "testing.md", "operations.md")
"""Those whose examples are run; links are followed everywhere."""
TEXT = {page: (DOCS / page).read_text() for page in PAGES}
LINKED = sorted([*DOCS.glob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))])

PLUGIN = (
    ()
    if any(entry.value == "chatsheet_llm.testing.plugin" for entry in entry_points(group="pytest11"))
    else ("-p", "chatsheet_llm.testing.plugin")
)
"""What loads the plugin where the package is not installed."""


@dataclass(frozen=True)
class Block:
    """One block of Python.  ``info`` is what stands behind its language: how it is run."""

    page: str
    line: int
    info: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> Iterator[Block]:
    for page, text in TEXT.items():
        for found in re.finditer(r"^```python ?([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])


BLOCKS = list(_blocks())
RUN = [block for block in BLOCKS if block.info.startswith("run")]
PYTEST = [block for block in BLOCKS if block.info == "pytest"]


def _azure_identity() -> types.ModuleType:
    """What stands in for azure-identity: its names as the pages use them, and the sandbox's key for a token."""
    made = types.ModuleType("azure.identity")

    def get_bearer_token_provider(credential: object, *scopes: str) -> object:
        assert scopes == ("https://ai.azure.com/.default",), "the function takes scopes"
        return lambda: "sandbox-key"

    vars(made).update(ManagedIdentityCredential=object, get_bearer_token_provider=get_bearer_token_provider)
    return made


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty directory and an environment without anything of ours."""
    for name in os.environ:
        if re.match(r"(CHATSHEET|AZURE|LITELLM|OPENAI|ANTHROPIC)_|(HTTP|HTTPS|ALL|NO)_PROXY$", name, re.IGNORECASE):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _expected(code: str) -> list[str]:
    """The patterns of what a block says that it prints: comments behind a ``print``, or indented lines of their own."""
    told: list[str] = []
    for line in code.splitlines():
        found = re.search(r"^\s*print\(.*\)  # (.*)$", line) or re.search(r"^ +# (.*)$", line)
        if found:
            told.append(re.escape(found[1]).replace(r"\.\.\.", ".*"))
    return told


def _faults(info: str) -> dict[str, str]:
    found = re.fullmatch(r"run(?: sandbox\(faults=(\{.*\})\))?", info)
    assert found is not None, f"a block is marked run, or run sandbox(faults={{...}}), not {info!r}"
    return ast.literal_eval(found[1] or "{}")


def _ran(block: Block, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setitem(sys.modules, "azure.identity", _azure_identity())
    with Sandbox(faults=_faults(block.info)) as box:
        for name, value in box.env().items():
            monkeypatch.setenv(name, value)
        exec(compile(block.code, str(block), "exec"), {"__name__": "example"})
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("block", RUN, ids=str)
def test_an_example_runs_and_prints_what_it_says(block, alone, capsys, monkeypatch):
    printed = _ran(block, capsys, monkeypatch)

    expected = _expected(block.code)
    assert len(printed) == len(expected), printed
    for line, pattern in zip(printed, expected, strict=True):
        assert re.fullmatch(pattern, line), f"{block}: it printed {line!r}"


@pytest.mark.parametrize("block", PYTEST, ids=str)
def test_an_example_of_tests_passes(block, alone):
    (alone / "test_shown.py").write_text(block.code)
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir=.", *PLUGIN, "test_shown.py"]

    def run(*more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
        )

    if "cassette" in block.code:
        with Sandbox() as box:
            recorded = run("--record-mode=once", **box.env())
        assert recorded.returncode == 0, recorded.stdout
        assert (alone / "cassettes" / "greeting.yaml").exists()
    ran = run()

    assert ran.returncode == 0, ran.stdout


def test_every_block_of_python_says_how_it_is_run():
    assert [str(block) for block in BLOCKS if block not in RUN and block not in PYTEST] == []
    assert len(RUN) >= 9
    assert len(PYTEST) == 2


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    inside = {link.partition("#")[0] for link in links if "://" not in link and not link.startswith(("#", "mailto:"))}

    assert [link for link in sorted(inside) if not (page.parent / link).exists()] == []


def test_the_index_names_every_page():
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} == set(
        re.findall(r"\]\((\w[\w-]*\.md)\)", TEXT["README.md"])
    )
