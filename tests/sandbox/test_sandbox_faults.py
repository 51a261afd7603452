"""The grammar of faults: what it takes, what it refuses, and that a fault can be written down again."""

from __future__ import annotations

import pytest

from chatsheet_llm.sandbox import FAULTS, Fault, fault_help, parse_fault

WRITTEN = {
    "503": Fault("status", status=503),
    "429;retry-after=2": Fault("status", status=429, headers=(("retry-after", "2"),)),
    "429;retry-after-ms=300;times=2": Fault("status", status=429, headers=(("retry-after-ms", "300"),), times=2),
    "400:content_filter": Fault("status", status=400, code="content_filter"),
    "429;x-should-retry=false": Fault("status", status=429, headers=(("x-should-retry", "false"),)),
    "refuse": Fault("refuse"),
    "reset": Fault("reset"),
    "reset-after-headers": Fault("reset-after-headers"),
    "stall": Fault("stall"),
    "stall:3": Fault("stall", after=3),
    "cut:0": Fault("cut", after=0),
    "cut-bytes:17": Fault("cut-bytes", after=17),
    "rst:2": Fault("rst", after=2),
    "slow:0.5": Fault("slow", seconds=0.5),
    "drip:0.001": Fault("drip", seconds=0.001),
    "empty": Fault("empty"),
    "html": Fault("html"),
    "garbage": Fault("garbage"),
    "event-error:rate_limit_exceeded": Fault("event-error", code="rate_limit_exceeded", after=0),
    "event-error:overloaded_error@2": Fault("event-error", code="overloaded_error", after=2),
    "failed:server_error": Fault("failed", code="server_error", after=0),
    "content-filter": Fault("content-filter"),
    "redirect": Fault("redirect"),
}


@pytest.mark.parametrize(("spec", "fault"), WRITTEN.items(), ids=WRITTEN)
def test_a_fault_is_read_from_text_and_written_back_the_same(spec: str, fault: Fault) -> None:
    assert parse_fault(spec) == fault
    assert parse_fault(str(fault)) == fault


def test_every_row_of_the_table_has_an_example_here() -> None:
    assert {fault.name for fault in WRITTEN.values()} == {row.name for row in FAULTS}


def test_blanks_around_options_do_not_matter() -> None:
    assert parse_fault(" 429 ; Retry-After = 2 ") == parse_fault("429;retry-after=2")


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row.name)
def test_the_help_shows_each_form_with_its_meaning(row: object) -> None:
    assert any(row.form in line and row.meaning in line for line in fault_help().splitlines())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("", "cut:N"),
        ("explode", "cut:N"),
        ("status", "cut:N"),
        ("none", "cut:N"),
        ("cut", "cut:N"),
        ("cut:-1", "cut:N"),
        ("cut:x", "cut:N"),
        ("stall:", "stall[:N]"),
        ("slow:", "slow:SECONDS"),
        ("slow:-1", "slow:SECONDS"),
        ("slow:nan", "slow:SECONDS"),
        ("drip:inf", "drip:SECONDS"),
        ("reset:1", "reset"),
        ("failed", "failed:CODE"),
        ("event-error:x@y", "event-error:CODE"),
        ("99", "200 to 599"),
        ("600", "200 to 599"),
        ("400:", "200 to 599"),
        ("503;retry", "times=N"),
        ("503;cookie=1", "times=N"),
        ("503;times=0", "times=N"),
        ("503;retry-after=1\r\nx: y", "times=N"),
    ],
)
def test_a_wrong_fault_is_refused_with_what_is_allowed(spec: str, hint: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_fault(spec)

    assert hint in str(caught.value)
    assert repr(spec) in str(caught.value)
