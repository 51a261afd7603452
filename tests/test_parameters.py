"""Parameters fitted to the model behind a hop: renamed, named as refused, or taken out.  Every row made up here."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chatsheet_llm.capabilities import NEUTRAL, Capability, capability_of
from chatsheet_llm.parameters import effort_in, refused, renamed, without_refused
from chatsheet_llm.route import Loss, Mode

ROW = Capability(
    "thinker",
    frozenset({"chat", "responses"}),
    "a page",
    "2026-01",
    refused_on_chat=frozenset({"logit_bias", "presence_penalty", "frequency_penalty", "logprobs", "max_tokens"}),
    refused=frozenset({"temperature", "top_p", "top_logprobs"}),
    taken_at_none=frozenset({"temperature"}),
    renamed_on_chat={"max_tokens": "max_completion_tokens"},
    efforts=("none", "low", "high"),
)


def paths(
    body: Mapping[str, object], mode: Mode = "chat", row: Capability | None = ROW, own: Mode = "chat"
) -> list[str]:
    return [loss.path for loss in refused(body, mode, row, "thinker", own)]


# --- renamed


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ({"max_tokens": 5}, {"max_completion_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": None}, {"max_completion_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 9}, {"max_tokens": 5, "max_completion_tokens": 9}),
        ({"max_tokens": None}, {"max_tokens": None}),
        ({"max_tokens": 0}, {"max_completion_tokens": 0}),
        ({"temperature": 0.2}, {"temperature": 0.2}),
    ],
)
def test_on_chat_a_parameter_gets_the_name_that_the_model_takes(
    body: dict[str, object], made: dict[str, object]
) -> None:
    assert renamed(body, "chat", ROW) == made


@pytest.mark.parametrize(("mode", "row"), [("responses", ROW), ("messages", ROW), ("chat", None)])
def test_elsewhere_and_for_an_unknown_model_no_name_changes(mode: Mode, row: Capability | None) -> None:
    assert renamed({"max_tokens": 5}, mode, row) == {"max_tokens": 5}


def test_the_body_that_was_given_is_left_as_it_is() -> None:
    body: dict[str, object] = {"max_tokens": 5, "temperature": 0.2, "reasoning": {"effort": "odd"}}
    before = {**body, "reasoning": {"effort": "odd"}}
    renamed(body, "chat", ROW)
    without_refused(body, "responses", refused(body, "responses", ROW, "thinker", "responses"))

    assert body == before


# --- refused


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"temperature": 0.2}, ["temperature"]),
        ({"logit_bias": {"1": 2}}, ["logit_bias"]),
        ({"top_p": 0.5, "logprobs": True, "temperature": 0}, ["logprobs", "temperature", "top_p"]),
        ({"seed": 7, "stop": ["x"]}, []),
        # beside another value under its new name it could not be renamed
        ({"max_tokens": 5, "max_completion_tokens": 9}, ["max_tokens"]),
    ],
)
def test_what_the_model_refuses_is_named_in_order(body: dict[str, object], found: list[str]) -> None:
    assert paths(body) == found


@pytest.mark.parametrize(("name", "value"), [*NEUTRAL.items(), ("temperature", 1.0), ("logit_bias", None)])
def test_a_value_that_asks_for_nothing_is_not_refused(name: str, value: object) -> None:
    assert name in ROW.refuses("chat")
    assert paths({name: value}) == []


@pytest.mark.parametrize(
    ("mode", "found"), [("chat", ["logit_bias", "top_p"]), ("responses", ["top_p"]), ("messages", [])]
)
def test_each_api_refuses_its_own(mode: Mode, found: list[str]) -> None:
    assert paths({"logit_bias": {"1": 2}, "top_p": 0.5}, mode) == found


def test_of_an_unknown_model_nothing_is_refused() -> None:
    assert paths({"temperature": 0.2, "reasoning_effort": "odd"}, row=None) == []


@pytest.mark.parametrize(
    ("mode", "body", "found"),
    [
        ("chat", {"reasoning_effort": "none"}, ["top_p"]),
        ("chat", {"reasoning_effort": "low"}, ["temperature", "top_p"]),
        ("chat", {}, ["temperature", "top_p"]),
        ("responses", {"reasoning": {"effort": "none"}}, ["top_p"]),
        ("responses", {"reasoning": {"effort": "low"}}, ["temperature", "top_p"]),
        ("responses", {"reasoning_effort": "none"}, ["temperature", "top_p"]),
    ],
)
def test_some_are_taken_while_the_model_does_not_reason(mode: Mode, body: dict[str, object], found: list[str]) -> None:
    assert paths({**body, "temperature": 0.2, "top_p": 0.5}, mode) == found


@pytest.mark.parametrize(("effort", "found"), [(None, []), ("none", []), ("low", ["temperature"])])
def test_a_model_that_does_not_reason_by_default_takes_them_without_an_effort(
    effort: str | None, found: list[str]
) -> None:
    assert paths({"temperature": 0.2, "reasoning_effort": effort}, row=capability_of("gpt-5.1")) == found


@pytest.mark.parametrize(
    ("own", "mode", "body", "found"),
    [
        ("chat", "chat", {"reasoning_effort": "minimal"}, ["reasoning_effort"]),
        ("chat", "responses", {"reasoning": {"effort": "minimal"}}, ["reasoning_effort"]),
        ("responses", "responses", {"reasoning": {"effort": "minimal"}}, ["reasoning.effort"]),
        ("responses", "chat", {"reasoning_effort": "minimal"}, ["reasoning.effort"]),
        ("chat", "chat", {"reasoning_effort": "high"}, []),
        ("chat", "chat", {"reasoning_effort": None}, []),
        ("chat", "messages", {"reasoning_effort": "minimal"}, []),
    ],
)
def test_an_effort_that_the_model_has_not_is_named_as_the_caller_spells_it(
    own: Mode, mode: Mode, body: dict[str, object], found: list[str]
) -> None:
    assert paths(body, mode, own=own) == found


def test_where_no_efforts_are_known_any_is_taken() -> None:
    assert paths({"reasoning_effort": "odd"}, row=capability_of("gpt-5.1-codex-max")) == []


def test_a_loss_says_who_takes_what_and_where_it_was_read() -> None:
    parameter, effort = refused({"top_p": 0.5, "reasoning_effort": "odd"}, "chat", ROW, "thinker", "chat")

    assert str(parameter) == "top_p: thinker takes no top_p through Chat (a page, 2026-01)"
    assert str(effort) == "reasoning_effort: thinker takes efforts none, low, high, not 'odd' (a page, 2026-01)"
    assert not parameter.minor
    assert not effort.minor


# --- without what is refused


@pytest.mark.parametrize(
    ("mode", "own", "body", "made"),
    [
        ("chat", "chat", {"temperature": 0.2, "seed": 7}, {"seed": 7}),
        ("chat", "chat", {"temperature": 1, "seed": 7}, {"temperature": 1, "seed": 7}),
        ("chat", "chat", {"reasoning_effort": "odd", "seed": 7}, {"seed": 7}),
        ("chat", "responses", {"reasoning_effort": "odd"}, {}),
        (
            "responses",
            "responses",
            {"reasoning": {"effort": "odd", "summary": "auto"}},
            {"reasoning": {"summary": "auto"}},
        ),
        ("responses", "chat", {"reasoning": {"effort": "odd"}, "top_p": 0.5}, {"reasoning": {}}),
        ("responses", "responses", {"reasoning": {"effort": "low"}}, {"reasoning": {"effort": "low"}}),
    ],
)
def test_what_was_named_is_taken_out_and_nothing_else(
    mode: Mode, own: Mode, body: dict[str, object], made: dict[str, object]
) -> None:
    losses = refused(body, mode, ROW, "thinker", own)

    assert without_refused(body, mode, losses) == made
    assert refused(made, mode, ROW, "thinker", own) == []


def test_a_loss_of_the_effort_leaves_a_foreign_reasoning_on_chat_alone() -> None:
    body = {"reasoning_effort": "odd", "reasoning": {"effort": "odd"}}

    assert without_refused(body, "chat", [Loss("chat", "reasoning_effort", "")]) == {"reasoning": {"effort": "odd"}}


# --- where the effort stands


@pytest.mark.parametrize(
    ("body", "mode", "effort"),
    [
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "chat", "low"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "responses", "high"),
        ({"reasoning_effort": "low"}, "responses", None),
        ({"reasoning": {"effort": "high"}}, "chat", None),
        ({"reasoning": "high"}, "responses", None),
        ({"reasoning": {"effort": 3}}, "responses", None),
        ({"reasoning_effort": 3}, "chat", None),
        ({}, "chat", None),
    ],
)
def test_the_effort_stands_where_its_api_has_it(body: dict[str, object], mode: Mode, effort: str | None) -> None:
    assert effort_in(body, mode) == effort
