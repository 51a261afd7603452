"""models.yaml: what an entry knows better than the table, and how a mistake in it is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from models_loading import Load, loader, problems, the

from chatsheet_llm.capabilities import OVERRIDES, Override


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return loader(tmp_path / "models.yaml")


# --- what an entry knows better than the table

CAPABILITIES = """\
models:
  - alias: a
    capabilities:
      apis: [responses, chat]
      streaming: false
      reasoning: TRUE
      tools_with_effort_on_chat: "true"
      tools_without_effort_on_chat: ${TOOLS:-false}
      refused_on_chat: [temperature, top_p, temperature]
      refused: []
      taken_at_none: top_p, logprobs
      renamed_on_chat: {max_tokens: max_completion_tokens, user: ~}
      efforts: [none, low, high]
      default_effort: none
      input_window: 272000
      output_window: "128000"
"""


def test_every_capability_of_an_entry_is_read(load: Load) -> None:
    found = the(load(CAPABILITIES), "a").capabilities

    assert found == Override(
        apis=frozenset({"responses", "chat"}),
        streaming=False,
        reasoning=True,
        tools_with_effort_on_chat=True,
        tools_without_effort_on_chat=False,
        refused_on_chat=frozenset({"temperature", "top_p"}),
        refused=frozenset(),
        taken_at_none=frozenset({"top_p", "logprobs"}),
        renamed_on_chat={"max_tokens": "max_completion_tokens"},
        efforts=("none", "low", "high"),
        default_effort="none",
        input_window=272_000,
        output_window=128_000,
    )
    assert found is not None
    assert found.told.keys() == OVERRIDES.keys()


@pytest.mark.parametrize("written", ["", "~", "{}"])
def test_capabilities_that_say_nothing_are_none(load: Load, written: str) -> None:
    assert the(load(f"a:\n  capabilities: {written}\n"), "a").capabilities is None


def test_a_capability_without_a_value_leaves_the_table_s(load: Load) -> None:
    found = the(load("a: {capabilities: {streaming: , input_window: ~, default_effort: '${NONE:-}'}}\n"), "a")

    assert found.capabilities == Override()


@pytest.mark.parametrize("name", ["apis", "refused", "refused_on_chat", "taken_at_none", "efforts", "renamed_on_chat"])
def test_a_list_of_capabilities_without_a_value_leaves_the_table_s(load: Load, name: str) -> None:
    assert the(load(f"a:\n  capabilities:\n    streaming: true\n    {name}:\n"), "a").capabilities == Override(
        streaming=True
    )


def test_merged_capabilities_give_way_as_a_whole_to_those_of_the_entry(load: Load) -> None:
    registry = load(
        "x-d: &d {capabilities: {apis: [chat], streaming: false}}\n"
        "models:\n  a: {<<: *d}\n  b: {<<: *d, capabilities: {apis: [responses]}}\n"
    )

    assert [spec.capabilities for spec in registry] == [
        Override(apis=frozenset({"chat"}), streaming=False),
        Override(apis=frozenset({"responses"})),
    ]


FLAGS = [name for name, kind in OVERRIDES.items() if kind == "flag"]
NUMBERS = [name for name, kind in OVERRIDES.items() if kind == "number"]
LISTS = [name for name, kind in OVERRIDES.items() if kind in ("names", "modes")]
"""Fields by what they hold; one that is new is tried without a line here."""
ALLOWED = f"allowed: {', '.join(sorted(OVERRIDES))}"


def in_entry(line: str) -> str:
    """A file whose fifth line is this one, among the capabilities of the model ``a``."""
    return f"models:\n  - alias: a\n    capabilities:\n      default_effort: low\n      {line}\n"


WRONG = {
    **{
        f"{name} {value}": (f"{name}: {value}", f".{name}: must be true or false (got {value!r})")
        for name in FLAGS
        for value in ("yes", "1", "on")
    },
    **{
        f"{name} {value}": (f"{name}: {value}", f".{name}: must be a whole number of at least 1 (got {value!r})")
        for name in NUMBERS
        for value in ("0", "-1", "272k", "272_000", "1.5", "1" * 10)
    },
    **{f"{name} as a mapping": (f"{name}: {{x: y}}", f".{name}: must be a single value") for name in LISTS},
    **{f"a list in {name}": (f"{name}: [[x]]", f".{name}[0]: must be a single value") for name in LISTS},
    **{f"{name} as a list": (f"{name}: [true]", f".{name}: must be a single value") for name in (*FLAGS, *NUMBERS)},
    "no mode": ("apis: [chat, talk]", ".apis: 'talk' is not a mode; use chat, responses or messages"),
    "no mode in text": ("apis: chat, Chat", ".apis: 'Chat' is not a mode; use chat, responses or messages"),
    "renames as a list": ("renamed_on_chat: [max_tokens]", ".renamed_on_chat: must be a mapping (name: value)"),
    "rename to a list": ("renamed_on_chat: {a: [b]}", ".renamed_on_chat.a: must be a single value"),
    "field": ("stremaing: true", f": unknown field 'stremaing'; did you mean 'streaming'? {ALLOWED}"),
    "field of the table": ("family: gpt-5", f": unknown field 'family'; {ALLOWED}"),
    "twice": ("default_effort: high", ".default_effort: is given twice; first on line 4"),
    "variable": (
        "efforts: [low, '${EFFORT}']",
        ".efforts[1]: the variable EFFORT is not set; set it, or write ${EFFORT:-} to go without",
    ),
}


@pytest.mark.parametrize(("line", "says"), WRONG.values(), ids=WRONG)
def test_a_mistake_in_capabilities_is_reported_with_line_and_field(load: Load, line: str, says: str) -> None:
    assert problems(load, in_entry(line)) == [f"models.yaml:5: models[0].capabilities{says}"]


@pytest.mark.parametrize("written", ["text", "[apis]", "true"])
def test_capabilities_that_are_no_mapping_are_reported(load: Load, written: str) -> None:
    assert problems(load, f"a:\n  capabilities: {written}\n") == [
        "models.yaml:2: a.capabilities: must be a mapping (name: value)"
    ]


@pytest.mark.parametrize("written", ["[]", "[~]"])
def test_a_model_without_any_api_is_reported(load: Load, written: str) -> None:
    assert [line.partition(": ")[0] for line in problems(load, in_entry(f"apis: {written}"))] == ["models.yaml:5"]


def test_each_item_of_a_list_is_reported_on_its_own_line(load: Load) -> None:
    text = "a:\n  capabilities:\n    apis:\n      - chat\n      - talk\n    efforts:\n      - low\n      - [high]\n"

    assert [line.partition(": ")[0] for line in problems(load, text)] == ["models.yaml:5", "models.yaml:8"]


def test_mistakes_of_several_entries_and_fields_are_reported_at_once(load: Load) -> None:
    text = "a: {capabilities: {apis: [x], streaming: y}, mode: z}\nb:\n  capabilities: {input_window: w}\n"
    found = sorted(line.split(": ")[0] + " " + line.split(": ")[1] for line in problems(load, text))

    assert found == [
        "models.yaml:1 a.capabilities.apis",
        "models.yaml:1 a.capabilities.streaming",
        "models.yaml:1 a.mode",
        "models.yaml:3 b.capabilities.input_window",
    ]


# --- capabilities that contradict themselves


@pytest.mark.parametrize("written", ["[]", "[~]", "','"])
@pytest.mark.parametrize("name", ["apis", "efforts"])
def test_a_list_that_would_leave_no_call_is_refused(load: Load, name: str, written: str) -> None:
    assert problems(load, f"a:\n  capabilities:\n    {name}: {written}\n") == [
        f"models.yaml:3: a.capabilities.{name}: lists nothing; name at least one, or leave it out"
    ]


@pytest.mark.parametrize("name", ["refused", "refused_on_chat", "taken_at_none"])
def test_a_list_of_no_parameters_is_a_word_of_its_own(load: Load, name: str) -> None:
    found = the(load(f"a: {{capabilities: {{{name}: []}}}}\n"), "a").capabilities

    assert found is not None
    assert found.told == {name: frozenset()}


def test_a_default_effort_that_is_none_of_the_efforts_is_refused(load: Load) -> None:
    assert problems(load, "a:\n  capabilities:\n    default_effort: high\n    efforts: [none, low]\n") == [
        "models.yaml:3: a.capabilities.default_effort: 'high' is none of efforts (none, low)"
    ]
