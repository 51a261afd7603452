"""The sandbox refuses what the capability table says that a model refuses, cell by cell, and nothing else.

Both are built from the vendor's pages and public reports; neither was tried against a live endpoint.
"""

from __future__ import annotations

import pytest

from chatsheet_llm.capabilities import CAPABILITIES, Capability
from chatsheet_llm.sandbox.answers import Ask, Tool
from chatsheet_llm.sandbox.rules import model_breach

UNTOLD = {"o1-pro", "o3-deep-research", "o4-mini-deep-research"}
"""Families of which the table takes the careful reading where the pages say nothing of chat."""


def code(row: Capability, api: str, *, tools: bool = False, effort: str | None = None, stream: bool = False) -> object:
    ask = Ask("m", "hi", 1, tools=(Tool("f"),) if tools else (), effort=effort)
    breach = model_breach(api, ask, {"stream": stream}, row.family)
    return None if breach is None else breach.code


@pytest.mark.parametrize("row", [row for row in CAPABILITIES if row.family not in UNTOLD], ids=lambda row: row.family)
def test_chat_is_refused_to_the_models_that_have_none(row: Capability) -> None:
    assert (code(row, "chat") == "OperationNotSupported") is ("chat" not in row.apis)
    assert code(row, "responses") is None


@pytest.mark.parametrize("row", [row for row in CAPABILITIES if "chat" in row.apis], ids=lambda row: row.family)
@pytest.mark.parametrize("effort", [None, "none", "low"])
def test_tools_are_refused_on_chat_where_the_table_says_so(row: Capability, effort: str | None) -> None:
    assert (code(row, "chat", tools=True, effort=effort) is None) is row.takes_tools_on_chat(effort)


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.family)
def test_a_stream_is_refused_by_the_models_that_give_none(row: Capability) -> None:
    assert (code(row, "responses", stream=True) == "no-stream") is (not row.streaming)
