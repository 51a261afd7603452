"""The capability table: every row as the vendor's pages and public reports have it (facts, not recordings)."""

from __future__ import annotations

from dataclasses import fields

import pytest

from chatsheet_llm.capabilities import CAPABILITIES, OVERRIDES, Capability, Override, capability_of, parse_name

# A second copy of what decides a call, so that flipping a row fails here.  Columns: APIs (c, r), streaming (s),
# reasoning (R), tools on chat with effort (E) and without (W), parallel_tool_calls refused (P), later versions (+);
# then the efforts and the windows.
ROWS = {
    "gpt-5-codex": ("r s R E W", "low medium high", (272_000, 128_000)),
    "gpt-5.1-codex": ("r s R E W +", None, (272_000, 128_000)),
    "gpt-5.1-codex-mini": ("r s R E W +", None, (272_000, 128_000)),
    "gpt-5.1-codex-max": ("r s R E W +", None, (272_000, 128_000)),
    "codex-mini": ("r s R E W", None, (None, None)),
    "gpt-5-pro": ("r R E W P", "high", (272_000, 128_000)),
    "gpt-5.2-pro": ("r s R E W", None, (272_000, 128_000)),
    "gpt-5.4-pro": ("r s R E W +", None, (922_000, 128_000)),
    "o3-pro": ("r R E W P", "low medium high", (200_000, 100_000)),
    "o1-pro": ("r s R E W P", "low medium high", (200_000, 100_000)),
    "o3-deep-research": ("r s R E W P", None, (200_000, 100_000)),
    "o4-mini-deep-research": ("r s R E W P", None, (200_000, 100_000)),
    "computer-use-preview": ("r s E W", None, (None, None)),
    "gpt-5": ("c r s R E W", "minimal low medium high", (272_000, 128_000)),
    "gpt-5-mini": ("c r s R E W", "minimal low medium high", (272_000, 128_000)),
    "gpt-5-nano": ("c r s R E W", "minimal low medium high", (272_000, 128_000)),
    "gpt-5.1": ("c r s R E W", "none low medium high", (272_000, 128_000)),
    "gpt-5.2": ("c r s R E W +", None, (272_000, 128_000)),
    "gpt-5.4": ("c r s R W +", "none low medium high xhigh", (922_000, 128_000)),
    "gpt-5.4-mini": ("c r s R W +", "none low medium high xhigh", (272_000, 128_000)),
    "gpt-5.4-nano": ("c r s R W +", "none low medium high xhigh", (272_000, 128_000)),
    "gpt-5.6": ("c r s R +", "none low medium high xhigh", (None, None)),
    "gpt-5.6-mini": ("c r s R +", "none low medium high xhigh", (None, None)),
    "gpt-5.6-nano": ("c r s R +", "none low medium high xhigh", (None, None)),
    "gpt-5.6-sol": ("c r s R +", "none low medium high xhigh", (None, None)),
    "gpt-5.6-terra": ("c r s R +", "none low medium high xhigh", (None, None)),
    "gpt-5.6-luna": ("c r s R +", "none low medium high xhigh", (None, None)),
    "gpt-6-astra": ("c r s R +", "none low medium high xhigh", (None, None)),
    "o1": ("c r R E W P", "low medium high", (200_000, 100_000)),
    "o3": ("c r s R E W P", "low medium high", (200_000, 100_000)),
    "o3-mini": ("c r s R E W P", "low medium high", (200_000, 100_000)),
    "o4-mini": ("c r s R E W P", "low medium high", (200_000, 100_000)),
    "gpt-5-chat": ("c r s E W +", None, (111_616, 16_384)),
    "gpt-chat": ("c r s E W", None, (None, None)),
    "gpt-4o": ("c r s E W", None, (None, None)),
    "gpt-4o-mini": ("c r s E W", None, (None, None)),
    "gpt-4.1": ("c r s E W", None, (None, None)),
    "gpt-4.1-mini": ("c r s E W", None, (None, None)),
    "gpt-4.1-nano": ("c r s E W", None, (None, None)),
    "gpt-3.5-turbo": ("c s E W", None, (None, None)),
    "gpt-3.5-turbo-16k": ("c s E W", None, (None, None)),
    "gpt-4": ("c s E W", None, (None, None)),
    "gpt-4-32k": ("c s E W", None, (None, None)),
    "gpt-4-turbo": ("c s E W", None, (None, None)),
}

ALSO = {"temperature", "top_p", "top_logprobs"}
"""Refused by Responses too."""
AT_NONE = {"temperature", "top_p", "logprobs", "top_logprobs"}
SAMPLING = {"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}


def flags(row: Capability) -> str:
    shown = {
        "c": "chat" in row.apis,
        "r": "responses" in row.apis,
        "s": row.streaming,
        "R": row.reasoning,
        "E": row.tools_with_effort_on_chat,
        "W": row.tools_without_effort_on_chat,
        "P": "parallel_tool_calls" in row.refused,
        "+": row.and_later,
    }
    return " ".join(flag for flag, on in shown.items() if on)


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.family)
def test_a_row_says_what_the_facts_say(row: Capability) -> None:
    efforts = " ".join(row.efforts) if row.efforts is not None else None

    assert (flags(row), efforts, (row.input_window, row.output_window)) == ROWS[row.family]


def test_every_expected_row_is_there_once() -> None:
    assert [row.family for row in CAPABILITIES] == list(ROWS)


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.family)
def test_every_row_names_its_source_and_date(row: Capability) -> None:
    assert row.source
    assert row.date.startswith("2026")


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.family)
def test_only_reasoning_models_refuse_sampling_on_chat(row: Capability) -> None:
    refused = row.refuses("chat", "high") - {"parallel_tool_calls"}

    assert refused == (SAMPLING | {"max_tokens"} if row.reasoning else set())
    assert row.refuses("responses", "high") - {"parallel_tool_calls"} == (ALSO if row.reasoning else set())
    assert row.renamed_on_chat == ({"max_tokens": "max_completion_tokens"} if row.reasoning else {})


@pytest.mark.parametrize(
    ("name", "effort", "takes"),
    [
        ("gpt-5", None, set()),
        ("gpt-5", "none", set()),
        ("gpt-5.1", None, AT_NONE),
        ("gpt-5.2", "none", AT_NONE),
        ("gpt-5.2", "low", set()),
        ("gpt-5.4-mini", None, AT_NONE),
        ("gpt-5.6", None, set()),
        ("o3", None, set()),
    ],
)
def test_sampling_is_taken_where_the_model_does_not_reason(name: str, effort: str | None, takes: set[str]) -> None:
    row = capability_of(name)

    assert row is not None
    assert SAMPLING - row.refuses("chat", effort) == takes
    assert ALSO - row.refuses("responses", effort) == takes & ALSO


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.family)
def test_a_family_matches_its_own_name_and_its_snapshots(row: Capability) -> None:
    assert capability_of(row.family) is row
    assert capability_of(f"{row.family}-2025-11-13") is row
    assert capability_of(f" {row.family.upper()} ") is row


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-5-2025-08-07", "gpt-5"),
        ("gpt-5-codex-2025-09-15", "gpt-5-codex"),
        ("gpt-5.2", "gpt-5.2"),
        ("gpt-5.3", "gpt-5.2"),
        ("gpt-5.2-pro", "gpt-5.2-pro"),
        ("gpt-6-mini", "gpt-5.6-mini"),
        ("gpt-10", "gpt-5.6"),
        ("gpt-5.2-codex", "gpt-5.1-codex"),
        ("gpt-5.3-codex-2026-02-01", "gpt-5.1-codex"),
        ("gpt-5.5", "gpt-5.4"),
        ("gpt-5.6", "gpt-5.6"),
        ("gpt-5.6-sol", "gpt-5.6-sol"),
        ("gpt-5.10", "gpt-5.6"),
        ("gpt-6", "gpt-5.6"),
        ("gpt-6-astra", "gpt-6-astra"),
        ("gpt-5.5-mini", "gpt-5.4-mini"),
        ("gpt-6-codex", "gpt-5.1-codex"),
        ("gpt-5-chat-latest", "gpt-5-chat"),
        ("gpt-5.2-chat", "gpt-5-chat"),
        ("gpt-chat-latest", "gpt-chat"),
        ("codex-mini-latest", "codex-mini"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("gpt-35-turbo-0613", "gpt-3.5-turbo"),
        ("gpt-35-turbo-16k-0613", "gpt-3.5-turbo-16k"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
    ],
)
def test_a_name_finds_its_family_by_version(name: str, family: str) -> None:
    found = capability_of(name)

    assert found is not None
    assert found.family == family


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "my-gpt-5-codex-prod",
        "gpt-5-codex-prod",
        "gpt-5-codex_2",
        "prod-gpt-5.4",
        "azure/gpt-5",
        "openai/gpt-5-codex",
        "azure/responses/gpt-5-codex",
        "gpt-5-prod",
        "gpt-5.3-pro",
        "gpt-5.4-foo",
        "gpt-5.6-prod",
        "gpt-6-codex-prod",
        "gpt-41",
        "gpt-oss-120b",
        "gpt-4o-audio-preview",
        "gpt-5-",
        "o5",
        "anthropic/claude-sonnet-4-5",
        "my-claude-sonnet-4-5",
        "text-embedding-3-small",
    ],
)
def test_nothing_is_guessed_about_a_name_that_is_no_known_family(name: str | None) -> None:
    assert capability_of(name) is None


def test_a_version_is_compared_as_numbers() -> None:
    older, newer = parse_name("gpt-5.9"), parse_name("gpt-5.10")

    assert older is not None
    assert newer is not None
    assert older.version < newer.version


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "claude-3-5-haiku-latest", "claude-opus-4-6", "Claude-Opus-5"])
def test_every_claude_speaks_messages(name: str) -> None:
    row = capability_of(name)

    assert row is not None
    assert row.apis == {"messages"}


@pytest.mark.parametrize(
    ("effort", "name", "takes"),
    [
        (None, "gpt-5.4", True),
        ("none", "gpt-5.4", True),
        ("low", "gpt-5.4", False),
        (None, "gpt-5.6", False),
        ("none", "gpt-5.6", True),
        ("high", "gpt-5", True),
    ],
)
def test_tools_on_chat_hang_on_the_effort(effort: str | None, name: str, takes: bool) -> None:
    row = capability_of(name)

    assert row is not None
    assert row.takes_tools_on_chat(effort) == takes


# --- what a model entry says in place of the table


def test_an_override_lies_over_its_row_and_says_where_it_stands() -> None:
    row = Override(apis=frozenset({"chat"}), streaming=False).over(capability_of("gpt-5-codex"), "models.yaml:3")

    assert row is not None
    assert (row.apis, row.streaming, row.efforts) == ({"chat"}, False, ("low", "medium", "high"))
    assert (row.told("apis"), row.told("efforts")) == ("models.yaml:3", "ms-reasoning, 2026-03")


def test_an_override_of_a_model_that_nobody_knows_is_all_that_is_known() -> None:
    row = Override(apis=frozenset({"responses"}), efforts=("low",)).over(None, "models.yaml:3")

    assert row is not None
    assert (row.apis, row.efforts, row.told("apis")) == ({"responses"}, ("low",), "models.yaml:3")


def test_an_override_without_apis_excludes_none_where_nothing_is_known() -> None:
    row = Override(streaming=False).over(None, "models.yaml:3")

    assert row is not None
    assert (row.apis, row.streaming) == ({"chat", "responses", "messages"}, False)
    assert Override().over(None, "models.yaml:3") is None
    assert Override().over(capability_of("gpt-5"), "models.yaml:3") is capability_of("gpt-5")


def test_every_field_of_an_override_can_be_said_in_a_file() -> None:
    assert set(OVERRIDES) == {each.name for each in fields(Override)}
    assert set(OVERRIDES) < {each.name for each in fields(Capability)}
