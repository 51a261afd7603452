"""Why a default of a model entry is not filled in: each has its own reason, and none stands in the caller's way."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chatsheet_llm.defaults import with_defaults
from chatsheet_llm.models import ModelSpec
from chatsheet_llm.route import Loss

OLD, NEW = {"model": "claude-sonnet-4-5"}, {"model": "claude-opus-4-6"}
HIGH, SUMMARY = {"reasoning_effort": "high"}, {"summary_level": "auto"}

BUDGET = "this model of Messages thinks by a budget of tokens, not by effort"
NOT_ASKED = "Messages summarizes only thinking that is asked for, and here it is not"
OFF = "thinking is turned off, so there is nothing to summarize"

PLACELESS: list[tuple[Mapping[str, str], Mapping[str, object], Mapping[str, str]]] = [
    ({"verbosity_level": "low"}, NEW, {"verbosity_level": "Messages has no verbosity"}),
    (
        {"truncation_strategy": "auto"},
        NEW,
        {"truncation_strategy": "Messages refuses a conversation that is too long"},
    ),
    (HIGH, OLD, {"reasoning_effort": BUDGET}),
    ({"reasoning_effort": "minimal"}, OLD, {"reasoning_effort": BUDGET}),
    ({"reasoning_effort": "minimal"}, NEW, {"reasoning_effort": "Messages has no effort 'minimal'"}),
    (
        HIGH,
        NEW | {"output_config": "odd"},
        {"reasoning_effort": "the request has an output_config that is no object, where it would stand"},
    ),
    (SUMMARY, NEW, {"summary_level": NOT_ASKED}),
    (SUMMARY, NEW | {"thinking": {"type": "disabled"}}, {"summary_level": OFF}),
    ({"reasoning_effort": "none", **SUMMARY}, NEW, {"summary_level": OFF}),
    (HIGH | SUMMARY, OLD, {"reasoning_effort": BUDGET, "summary_level": NOT_ASKED}),
    (HIGH | SUMMARY, NEW, {}),
    ({"verbosity_level": "medium", "truncation_strategy": "disabled"}, NEW, {}),
]


@pytest.mark.parametrize(("entry", "body", "why"), PLACELESS, ids=str)
def test_a_default_that_messages_has_no_place_for_says_why_as_a_minor_loss(
    entry: Mapping[str, str], body: Mapping[str, object], why: Mapping[str, str]
) -> None:
    _, losses = with_defaults(body, "messages", ModelSpec("m", **entry))  # type: ignore[arg-type]

    assert losses == [Loss("messages", f"m.{name}", reason, minor=True) for name, reason in why.items()]


@pytest.mark.parametrize(
    ("entry", "body"), [(entry, body) for entry, body, why in PLACELESS if {*why} == {*entry}], ids=str
)
def test_a_default_that_was_not_filled_in_leaves_the_body_as_it_was(
    entry: Mapping[str, str], body: Mapping[str, object]
) -> None:
    filled, _ = with_defaults(body, "messages", ModelSpec("m", **entry))  # type: ignore[arg-type]

    assert filled == body
