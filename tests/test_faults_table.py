"""The table of faults against the bare SDKs: it still runs, and what the page says of the answers is true."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic
import openai
import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "faults.py"
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
QUICK = (
    "429 once", "login page", "redirect", "content filter", "stream: login page", "stream: no events",
    "stream: 429 in it", "stream: fails", "stream: cut", "  buffered",
)  # fmt: skip
"""Faults that take no waiting."""
CUT, EMPTY, NO_REPLY, ASTRAY = "WRONG: cut short", "WRONG: empty", "WRONG: no reply", "WRONG: astray"

CLAIMS: tuple[tuple[str, str, str, str], ...] = (
    ("Chat", "login page", NO_REPLY, "backup's answer"),
    ("Chat", "redirect", ASTRAY, "backup's answer"),
    ("Chat", "content filter", "BadRequest", "ContentFiltered"),
    ("Chat", "429 once", "answer", "backup's answer"),
    *((name, "stream: cut", CUT, "StreamTruncated") for name in ("Chat", "Responses", "Messages")),
    *((name, "stream: no events", EMPTY, "backup's answer") for name in ("Chat", "Responses", "Messages")),
    *((name, "stream: login page", EMPTY, "backup's answer") for name in ("Chat", "Responses", "Messages")),
    ("Responses", "stream: 429 in it", EMPTY, "backup's answer"),
    ("Responses", "stream: fails", CUT, "StreamInterrupted"),
    ("Messages", "stream: fails", "APIStatus", "StreamInterrupted"),
)
"""Format, fault, what the bare SDK gives as it comes, and what the chain gives."""


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("faults_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


faults = loaded()
Rows = Mapping[str, Mapping[str, list[Any]]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The cells of the quick faults, by format and fault."""
    chosen = [fault for fault in faults.FAULTS if fault.name in QUICK and "stall" not in fault.spec]
    with pytest.MonkeyPatch.context() as patch:
        # Certificates take longer to load than all of the calls, and loopback needs none.
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("empty")))
        patch.delenv("SSL_CERT_FILE", raising=False)
        # None of these faults is a silence, and a busy machine may be slow.
        patch.setattr(faults, "PATIENCE", 10.0)
        found = faults.measured(faults=chosen)
    names = [fault.name for fault in chosen]
    return {name: dict(zip(names, each, strict=True)) for name, each in found.items()}


def on_the_page(name: str) -> list[str]:
    """The lines of a format's table on the page."""
    found = re.search(rf"```text\n{name} .*?\n(.*?)\n```", PAGE, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


@pytest.mark.parametrize(("name", "fault", "bare", "ours"), CLAIMS)
def test_what_the_page_claims_is_what_happens(name: str, fault: str, bare: str, ours: str, rows: Rows) -> None:
    first, _, last = rows[name][fault]
    line = next(line for line in on_the_page(name) if line.startswith(f"{fault} "))

    assert (first.got, last.got) == (bare, ours)
    assert re.search(rf"^{re.escape(fault)} +{re.escape(bare)} .* {re.escape(ours)} ", line)


def test_the_chain_never_gives_what_is_no_answer(rows: Rows) -> None:
    ours = [cells[2] for each in rows.values() for cells in each.values()]

    assert len(ours) == 3 * len(QUICK)
    assert [cell for cell in ours if cell.wrong] == []


def test_a_cut_stream_is_answered_by_the_backup_for_who_asked_for_that(rows: Rows) -> None:
    for each in rows.values():
        assert each["  buffered"][:2] == [None, None]
        assert (each["  buffered"][2].got, each["  buffered"][2].sends) == ("backup's answer", (1, 1))


def test_sends_are_counted_where_they_arrive(rows: Rows) -> None:
    as_it_comes, without, ours = rows["Chat"]["429 once"]

    assert (as_it_comes.sends, without.sends, ours.sends) == ((2, 0), (1, 0), (1, 1))
    assert as_it_comes.seconds > 0.25 > ours.seconds


@pytest.mark.parametrize("name", [each.name for each in faults.FORMATS])
def test_the_page_has_every_fault_in_no_more_than_100_columns(name: str) -> None:
    lines = on_the_page(name)

    assert [line[:18].rstrip() for line in lines] == [*(fault.name for fault in faults.FAULTS), *faults.SUMS]
    assert max(map(len, lines)) <= 100
    assert all(line[18:].split()[2] == "0" for line in lines if line.startswith("WRONG"))


def test_the_page_is_what_the_script_writes_of_these_sdks() -> None:
    assert PAGE.startswith(faults.HEAD)
    assert f"openai {openai.__version__.split('.')[0]}." in PAGE
    assert f"anthropic {anthropic.__version__.split('.')[0]}." in PAGE


def test_a_part_of_the_text_is_no_answer_and_neither_is_the_text_of_another_call() -> None:
    whole = f"You said: {faults.PROMPT.strip()}\nAnswered by openai/chat as gpt-5."

    assert faults.judged(whole) == "answer"
    assert faults.judged(whole.replace("openai/", "azure/")) == "backup's answer"
    assert faults.judged(whole[:40]) == CUT
    assert {faults.judged(wrong) for wrong in (whole + whole, whole.replace("say", "", 1))} == {"WRONG: altered"}
    assert (faults.judged(""), faults.judged(None)) == (EMPTY, NO_REPLY)
