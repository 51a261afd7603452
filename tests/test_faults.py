"""The fault table: that its rows are consistent, and that every reader of it knows every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import pytest

from chatsheet_llm import errors, report
from chatsheet_llm.classify import Failure
from chatsheet_llm.faults import FAULTS, WORDS, Fault, Kind
from chatsheet_llm.route import Route

ROWS = pytest.mark.parametrize(("name", "row"), FAULTS.items(), ids=FAULTS)

# What a caller must be able to catch; the subclass of ours may be finer.
FAMILY: dict[Kind, type[errors.CallError]] = {
    "caller": errors.InvalidRequestError,
    "policy": errors.ContentFilteredError,
    "gateway_policy": errors.GatewayPolicyError,
    "config": errors.HopConfigError,
    "rate": errors.RateLimitedError,
    "overload": errors.OverloadedError,
    "protocol": errors.InvalidAnswerError,
    "local": errors.LocalResourceError,
    "deadline": errors.DeadlineExceededError,
}


ANOTHER_WOULD_DO_NO_BETTER = {"response_too_large", "unfinished", "locked"}
"""What no other hop is asked after: the same would come, or is being made already, or only this hop can tell."""


def rows(which: Callable[[str, Fault], bool]) -> pytest.MarkDecorator:
    """The rows that a rule is about."""
    chosen = {name: row for name, row in FAULTS.items() if which(name, row)}
    assert chosen, "a rule about no row at all"
    return pytest.mark.parametrize(("name", "row"), chosen.items(), ids=chosen)


@ROWS
def test_who_is_to_blame_decides_whether_another_hop_is_asked(name: str, row: Fault) -> None:
    stops = row.kind in ("caller", "policy", "gateway_policy", "local", "deadline")

    assert (row.move == "none") == (stops or name in ANOTHER_WOULD_DO_NO_BETTER)


@rows(lambda name, row: row.move == "none" and name not in ANOTHER_WOULD_DO_NO_BETTER)
def test_what_stops_a_call_condemns_no_hop_and_is_not_sent_again(name: str, row: Fault) -> None:
    assert (row.same, row.condemns, row.quarantine) == ("no", "none", 0.0)


@rows(lambda name, row: row.same == "hint")
def test_a_hint_is_waited_for_only_after_limits_and_overload(name: str, row: Fault) -> None:
    assert row.kind in ("rate", "overload")


@rows(lambda name, row: row.kind == "config")
def test_wiring_faults_are_never_retried_on_the_same_hop(name: str, row: Fault) -> None:
    assert row.same == "no"


@rows(lambda name, row: row.quarantine != 0)
def test_a_quarantine_belongs_to_a_domain(name: str, row: Fault) -> None:
    assert row.condemns != "none"
    assert 0 < row.quarantine <= 300


@rows(lambda name, row: row.condemns == "origin" and row.move != "none")
def test_a_next_hop_is_at_least_as_far_as_what_was_condemned(name: str, row: Fault) -> None:
    assert row.move == "origin"


@ROWS
def test_the_sentence_reads_within_a_message(name: str, row: Fault) -> None:
    assert re.fullmatch(r"[a-zA-Z][^.]*[^.:,; ]", row.sentence)


@ROWS
def test_every_fault_becomes_an_error_of_its_family(name: str, row: Fault) -> None:
    error = report.error_for(Failure(name, "rejected"), Route())

    assert isinstance(error, errors.InterceptedError if name == "html" else FAMILY.get(row.kind, errors.CallError))
    assert row.sentence in str(error)


def test_kinds_are_all_in_use() -> None:
    assert {row.kind for row in FAULTS.values()} == set(get_args(Kind))


def test_errors_and_advice_name_faults_that_exist() -> None:
    assert {report.class_of(name).__name__ for name in FAULTS} == {row.error for row in FAULTS.values()}
    assert set(report.ADVICE) <= set(FAULTS)
    assert set(WORDS) == set(FAULTS)


# Here the chain itself is the remedy, or the credential's own text says it.
SPEAKS_FOR_ITSELF = {"credential", "not_implemented"}


@pytest.mark.parametrize("name", sorted({n for n, row in FAULTS.items() if row.kind == "config"} - SPEAKS_FOR_ITSELF))
def test_wiring_faults_say_what_to_do(name: str) -> None:
    error = report.error_for(Failure(name, "rejected", mode="chat"), Route())

    assert f"{FAULTS[name].sentence} (" in str(error)
