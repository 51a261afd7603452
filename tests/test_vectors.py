"""The vectors themselves: a slip of the pen is an error, and every row of the matrix that concerns a call has one."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from reliability import CHANCE, PAGE, UNNAMED, page
from tenacity import RetryCallState
from vectors.schema import FOLDER, read, vectors

from chatsheet_llm.faults import FAULTS
from chatsheet_llm.steps import Policy

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
TESTS = FOLDER.parent
ELSEWHERE: Mapping[str, Sequence[str]] = {
    # the SDK refuses it before a hop is chosen
    "15": ["test_secrets_tracebacks.py::test_a_body_without_a_form_in_json_leaves_nothing"],
    # what the caller does
    "58": [
        "test_client_async.py::test_a_cancellation_is_the_caller_s_and_blames_nobody",
        "test_client_async.py::test_a_cancelled_probe_leaves_the_way_free",
    ],
    "59": ["test_interrupts.py::test_an_interrupt_from_the_keyboard_passes_and_blames_nobody"],
    "60": ["test_interrupts.py::test_a_caller_s_own_timeout_passes_as_it_is_and_tells_what_was_tried"],
    # the process
    "63": [
        "test_life_cycle.py::test_one_client_works_in_one_event_loop_after_the_other",
        "test_life_cycle.py::test_one_client_works_after_a_loop_was_closed_with_its_connections",
    ],
    "64": ["test_life_cycle.py::test_parent_and_child_of_a_fork_get_their_own_answers_over_connections_of_their_own"],
    "65": ["test_life_cycle.py::test_they_do_over_tls_too"],
    "66": ["test_life_cycle.py::test_every_thread_gets_its_own_answers"],
    "67": ["test_closing.py::test_an_abandoned_stream_gives_its_connection_back"],
    "68": ["test_closing.py::test_an_abandoned_stream_gives_its_connection_back"],
    "69": ["test_closing.py::test_an_abandoned_stream_gives_its_connection_back"],
    "70": ["test_deadline.py::test_the_end_of_an_event_loop_does_not_wait_for_a_resolver_that_hangs"],
    "71": [
        "test_budget.py::test_a_clock_that_stands_still_or_goes_back_takes_nothing",
        "test_hints.py::test_a_date_is_read_against_the_clock_of_the_server",
    ],
}
"""Rows that no vector can tell, as a vector is a call and what servers do to it; and the tests that do."""
OF_A_GATEWAY = {"62"}
"""Rows of one that serves clients of its own: a library has none."""
ROWS = [str(row) for row in range(1, 73)]
STATUSES = [
    "3xx", "400 content_filter", "400 context_length", "400 unsupported_parameter", "400 OperationNotSupported",
    "400 invalid_encrypted_content", "400 other", "401", "402", "403 network", "403 policy", "404 deployment",
    "404 state", "407", "408", "409", "409 lock", "413", "422", "424", "424 with side effects", "425", "449",
    "429 with hint", "429 without hint", "429 quota", "499", "500", "501", "502", "503", "504", "529", "other 4xx",
    "other 5xx", "x-should-retry", "Retry-After",
]  # fmt: skip
PROMISES = ["P1", "P2", "P4", "P10"]
"""Those that a call can show; the others hold of many calls, or of what is left of one."""


@functools.cache
def names_in(file: str) -> frozenset[str]:
    """The names of the tests in a file."""
    path = TESTS / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    made = (each for each in ast.walk(tree) if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return frozenset(each.name for each in made if each.name.startswith("test_"))


def exists(name: str) -> bool:
    """Whether there is a test of this name, ``FILE.py::test_...``."""
    file, _, test = name.partition("::")
    return test in names_in(file)


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


def told() -> set[str]:
    """The rows that a vector says it is of."""
    return {row for vector in vectors().values() for row in vector.rows}


@pytest.mark.parametrize("row", [row for row in ROWS if row not in OF_A_GATEWAY])
def test_every_numbered_row_has_a_vector_or_tests_of_its_own(row: str) -> None:
    assert (row in told()) is not (row in ELSEWHERE)
    assert [name for name in ELSEWHERE.get(row, ()) if not exists(name)] == []


@pytest.mark.parametrize("status", STATUSES)
def test_every_row_of_the_status_tables_has_a_vector(status: str) -> None:
    assert status in told()


def test_a_vector_is_of_a_row_that_there_is() -> None:
    assert told() - {*ROWS, *STATUSES, *PROMISES} == set()


def test_a_test_that_is_not_there_is_not_found() -> None:
    assert exists("test_vectors.py::test_a_test_that_is_not_there_is_not_found")
    assert not exists("test_vectors.py::test_that_nobody_wrote")
    assert not exists("test_nothing.py::test_that_nobody_wrote")


def test_what_is_not_driven_over_sockets_names_the_test_or_the_vector_that_drives_it() -> None:
    driven = {name for name, vector in vectors().items() if vector.sockets is None}
    reasons = {vector.sockets for vector in vectors().values()} | {
        case.sockets for vector in vectors().values() for case in vector.cases.values()
    }
    vague = [
        reason
        for reason in reasons - {None}
        if not any(
            exists(word.removeprefix("tests/")) or word in driven for word in re.findall(r"[\w/.:]+", str(reason))
        )
    ]

    assert vague == []


@pytest.mark.parametrize("fault", FAULTS)
def test_every_row_of_the_policy_has_a_vector(fault: str) -> None:
    names = {vector.fault for vector in vectors().values()}
    ends = {case.expect.outcome for vector in vectors().values() for case in vector.cases.values()}

    assert fault in names or (fault == "deadline" and FAULTS[fault].error in ends)


def test_the_page_is_written_from_the_vectors() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/reliability.md is not true any more; run make reliability"


def test_the_wait_without_a_time_is_as_long_as_the_page_says() -> None:
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    waits = [Policy().wait_throttled(state) for _ in range(200)]

    assert UNNAMED <= min(waits) < UNNAMED + CHANCE / 4
    assert UNNAMED + CHANCE * 3 / 4 < max(waits) <= UNNAMED + CHANCE


def test_a_vector_names_nothing_of_the_library_but_faults_and_errors() -> None:
    assert not [path.name for path in FOLDER.glob("*.yaml") if "chatsheet" in path.read_text(encoding="utf-8")]
