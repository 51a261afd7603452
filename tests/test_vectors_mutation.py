"""Flip any one cell of the policy, and a vector fails.  In process, on a clock that stands still."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import get_args
from unittest.mock import patch

import pytest
from vectors.mock import run
from vectors.schema import cases, vectors

from chatsheet_llm import errors
from chatsheet_llm.faults import FAULTS, RESENDS, Fault, Kind, Reach, Same

CELLS: Mapping[str, tuple[object, ...]] = {
    "same": get_args(Same),
    "move": get_args(Reach),
    "condemns": get_args(Reach),
    "quarantine": (0.0, 60.0),
    "kind": get_args(Kind),
    "error": tuple(
        name for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, errors.CallError)
    ),
}
"""What a cell may hold."""

NEVER_READ: Mapping[str, tuple[Callable[[Fault], bool], str]] = {
    "quarantine": (lambda row: row.condemns == "none", "there is no domain to shut"),
}
"""Cells that no call can show, where that is so, and why; they hold what stands for nothing.

Of the row ``deadline`` the error alone is read: the call is over.
"""
FEW = 3
"""Flips of one row to report: to make sure of each takes as long as every vector."""
NOTHING: Mapping[str, object] = {"same": "no", "move": "none", "condemns": "none", "quarantine": 0.0}


def flips(fault: str) -> Iterator[tuple[str, object]]:
    """Every other value of every cell of a row."""
    row = FAULTS[fault]
    for cell, values in CELLS.items():
        for value in values:
            # What no other hop is asked after is sent to this one at once again or not at all.
            nothing = cell == "same" and row.move == "none" and value not in ("no", "once")
            if value != getattr(row, cell) and not nothing and not silent(fault, cell):
                yield cell, value


def silent(fault: str, cell: str) -> bool:
    """Whether no call can show the cell."""
    if fault == "deadline":
        return cell != "error"
    return cell in NEVER_READ and NEVER_READ[cell][0](FAULTS[fault])


@functools.cache
def order(fault: str, cell: str) -> list[tuple[str, str]]:
    """The cases that can tell, those first that look likely to."""
    return sorted(cases(), key=lambda pair: -_likely(*pair, fault, cell))


_ERRORS = {fault: row.error for fault, row in FAULTS.items()}
"""As they are while no cell is flipped."""


def _likely(name: str, case: str, fault: str, cell: str) -> int:
    vector, expect = vectors()[name], vectors()[name].cases[case].expect
    names = vector.fault == fault or any(f" {fault} " in send for send in expect.sends or ())
    ends = expect.outcome == _ERRORS.get(fault)
    promise = fault == "" and name.startswith("p2_")
    return 2 * (names or promise) + (ends and cell == "error")


def told(fault: str, cell: str = "") -> str | None:
    """The first case that fails, where there is one."""
    for name, case in order(fault, cell):
        vector = vectors()[name]
        if run(vector.cases[case], vector.attempts_of(vector.cases[case]), vector.kind):
            return f"{name}: {case}"
    return None


@pytest.mark.parametrize("fault", FAULTS)
def test_every_cell_of_the_row_matters_to_a_vector(fault: str) -> None:
    unnoticed: list[str] = []
    for cell, value in flips(fault):
        if len(unnoticed) == FEW:
            break
        with patch.dict(FAULTS, {fault: replace(FAULTS[fault], **{cell: value})}):  # type: ignore[arg-type]
            if told(fault, cell) is None:
                unnoticed.append(f"{cell} = {value}")

    assert unnoticed == []


def test_a_cell_that_no_call_can_show_holds_what_stands_for_nothing() -> None:
    odd = [
        f"{fault}: {cell}"
        for fault, row in FAULTS.items()
        for cell, neutral in NOTHING.items()
        if silent(fault, cell) and getattr(row, cell) != neutral
    ]

    assert odd == []


def test_once_content_was_delivered_nothing_is_sent_again() -> None:
    # The plan is over by then, so no call can show the cell; it says so all the same.
    assert RESENDS["committed"] == 0


@pytest.mark.parametrize("state", [state for state in RESENDS if state != "committed"])
def test_the_allowance_of_every_send_state_matters_to_a_vector(state: str) -> None:
    unnoticed = []
    for value in (None, 0, 1, 2):
        if value != RESENDS[state]:  # type: ignore[index]
            with patch.dict(RESENDS, {state: value}):  # type: ignore[type-var]
                if told("") is None:
                    unnoticed.append(value)

    assert unnoticed == []


def test_unchanged_every_vector_comes_true() -> None:
    assert told("") is None
