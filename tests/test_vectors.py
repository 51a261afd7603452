"""The vectors themselves: a slip of the pen is an error, and every row of the matrix that concerns a call has one."""

from __future__ import annotations

from pathlib import Path

import pytest
from reliability import PAGE, page
from vectors.schema import FOLDER, read, vectors

from chatsheet_llm.faults import FAULTS

GOOD = """\
rows: ["500"]
title: the provider failed
fault: server_error
class: transient
attempts: [{status: 500}]
cases:
  one hop:
    given: {chain: [a/chat]}
    expect: {sends: [a/chat ok], waits: [], outcome: answered}
"""
ELSEWHERE = {
    "15": "the SDK refuses it before a hop is chosen",
    **dict.fromkeys(map(str, range(58, 73)), "the caller, the process or the runtime: tests/test_life_cycle.py"),
    "61": "",
}
ROWS = [str(row) for row in range(1, 58)] + ["61"]
STATUSES = [
    "3xx",
    "400_content_filter",
    "400_context_length",
    "400_unsupported_parameter",
    "400_OperationNotSupported",
    "400_invalid_encrypted_content",
    "400_other",
    "401",
    "402",
    "403_network",
    "403_policy",
    "404_deployment",
    "404_state",
    "407",
    "408",
    "409",
    "413",
    "422",
    "424",
    "425",
    "449",
    "429_with_hint",
    "429_without_hint",
    "429_quota",
    "499",
    "500",
    "501",
    "502",
    "503",
    "504",
    "529",
    "other",
    "x-should-retry",
    "Retry-After",
]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("status: 500", "stauts: 500"),
        ("status: 500", "status: '500'"),
        ("status: 500", "fault: no_such_fault"),
        ("status: 500", "status: 500, fault: down"),
        ("[a/chat]}", "[x/chat]}"),
        ("[a/chat]}", "[a/chatt]}"),
        ("outcome: answered", "outcome: NoSuchError"),
        ("[a/chat ok]", "[a/chat fine]"),
        ("[a/chat ok]", "[a/chat reset somewhere]"),
        ("waits: [], ", ""),
        ("fault: server_error", "fault: sever_error"),
        ("class: transient", "class: transitory"),
        ("class: transient\n", ""),
        ("given: {", "given: {budget: {deadlin: 1}, "),
        ("one hop:", "one hop: &x"),
    ],
)
def test_a_slip_of_the_pen_is_an_error_that_names_the_file(tmp_path: Path, said: str, instead: str) -> None:
    path = tmp_path / "500.yaml"
    path.write_text(GOOD)
    read(path)
    assert said in GOOD
    path.write_text(GOOD.replace(said, instead, 1) if "&x" not in instead else GOOD.replace(said, "two hop\n  x:", 1))

    with pytest.raises(ValueError, match=r"500\.yaml"):
        read(path)


@pytest.mark.parametrize("row", [row for row in ROWS if not ELSEWHERE.get(row)])
def test_every_numbered_row_has_a_vector(row: str) -> None:
    assert any(row in vector.rows for vector in vectors().values())


@pytest.mark.parametrize("status", STATUSES)
def test_every_row_of_the_status_tables_has_a_vector(status: str) -> None:
    told = {row.replace(" ", "_") for vector in vectors().values() for row in vector.rows}

    assert any(row == status or row.startswith(f"{status}_") or f"_{status}" in row for row in told)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_row_of_the_policy_has_a_vector(fault: str) -> None:
    names = {vector.fault for vector in vectors().values()}
    ends = {case.expect.outcome for vector in vectors().values() for case in vector.cases.values()}

    assert fault in names or (fault == "deadline" and FAULTS[fault].error in ends)


def test_the_page_is_written_from_the_vectors() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/reliability.md is not true any more; run make reliability"


def test_a_vector_names_nothing_of_the_library_but_faults_and_errors() -> None:
    assert not [path.name for path in FOLDER.glob("*.yaml") if "chatsheet" in path.read_text(encoding="utf-8")]
