"""The table of dispatch: every row holds, every rule has one, and no cell of the capabilities can be flipped unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
from dispatch_rows import ENTRIES, PLACES, ROWS, Row

from chatsheet_llm.capabilities import CAPABILITIES, Capability, capability_of
from chatsheet_llm.capabilities.table import CLAUDE
from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.endpoint_settings import KINDS, EndpointSettings
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.hops import PATHS, Call
from chatsheet_llm.learned import LESSONS, Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.modes import DOUBTS, RULES
from chatsheet_llm.route import Mode

ALIAS = "alias"
SPARE = "spare"
"""A gateway behind the hop of a row, which takes every model: so a hint that leaves the hop out leaves one."""

PARAMETERS = {"type": "object", "properties": {}}
TOOLS: Mapping[str, object] = {
    "chat": {"type": "function", "function": {"name": "f", "parameters": PARAMETERS}},
    "responses": {"type": "function", "name": "f", "parameters": PARAMETERS},
}


def endpoint(name: str, fields: Mapping[str, object]) -> Endpoint:
    settings = {"base_url": f"https://{name.replace('_', '-')}.example", "api_key": "planted-key", **fields}
    return build(name, EndpointSettings.model_validate(settings))


ENDPOINTS = {name: endpoint(name, fields) for name, fields in {**PLACES, SPARE: {"kind": "litellm"}}.items()}


def spec_of(row: Row) -> ModelSpec | None:
    told: dict[str, object] = {key: value for entry in row.entries for key, value in ENTRIES[entry].items()}
    if "entry" in row.overrides:
        told["mode"] = row.overrides["entry"]
    if row.base is None and not told:
        return None
    made = partial(ModelSpec, ALIAS, row.base, dict.fromkeys(ENDPOINTS, row.name))
    return made(**told)  # type: ignore[arg-type]


def body_of(row: Row, model: str) -> dict[str, object]:
    body: dict[str, object] = {"model": model}
    if row.tools:
        body["tools"] = [TOOLS[row.caller]]
    if row.caller == "responses":
        return {**body, "input": "hi", **({"reasoning": {"effort": row.effort}} if row.effort is not None else {})}
    if row.effort is not None:
        body["reasoning_effort"] = row.effort
    return {**body, "messages": [{"role": "user", "content": "hi"}]}


def taught(row: Row) -> Learned:
    learned = Learned()
    both: tuple[Mode, ...] = ("chat", "responses")
    for said, what in row.lessons:
        if said == "is":
            learned.serves(row.place, row.name, what, what)
        for mode in both:
            if said in (mode, "both"):
                learned.refused(row.place, row.name, mode, what, "its own word")
    return learned


def answer(row: Row) -> tuple[Mode | None, str]:
    """Return the API that the hop of a row is asked, and by which rule; None and the rule that left the hop out."""
    spec = spec_of(row)
    path = next(path for path, mode in PATHS.items() if mode == row.caller)
    call = Call(
        "post", path, row.caller, body_of(row, ALIAS if spec is not None else row.name), False,
        mode=row.overrides.get("call"),
    )  # fmt: skip
    hop = f"{row.place}/{row.overrides['hop']}" if "hop" in row.overrides else row.place
    found = dispatch(
        call,
        endpoints=ENDPOINTS,
        registry=Registry({ALIAS: spec} if spec is not None else {}),
        chain=[hop] if row.alone else [hop, SPARE],
        learned=taught(row),
    )
    for made in found.hops:
        if made.endpoint == row.place:
            return made.mode, made.rule
    return None, next(skip.rule for skip in found.skipped if skip.hop.split("/")[0] == row.place)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.line)
def test_a_row_of_the_table_holds(row: Row) -> None:
    assert answer(row) == (row.mode, row.rule)


# --- the table as a whole


def test_no_question_is_asked_twice() -> None:
    questions = [repr(row._replace(line="", mode=None, rule="")) for row in ROWS]

    assert len(questions) >= 100
    assert len(set(questions)) == len(questions)


def test_every_rule_chooses_the_api_of_some_row() -> None:
    assert {row.rule for row in ROWS if row.mode is not None} == set(RULES)


def test_every_doubt_leaves_out_the_hop_of_some_row() -> None:
    assert {row.rule for row in ROWS if row.mode is None} >= DOUBTS | {"mode", "path", "call mode", "model mode"}


def test_every_kind_of_endpoint_and_every_lesson_is_in_some_row() -> None:
    assert {ENDPOINTS[row.place].kind for row in ROWS} == set(KINDS)
    assert {what for row in ROWS for said, what in row.lessons if said != "is"} == set(LESSONS)
    assert {entry for row in ROWS for entry in row.entries} == set(ENTRIES)
    assert {row.place for row in ROWS} == set(PLACES)


@pytest.mark.parametrize("family", [*CAPABILITIES, CLAUDE], ids=lambda row: row.family)
def test_every_family_is_asked_on_azure_and_on_a_gateway(family: Capability) -> None:
    kinds = {ENDPOINTS[row.place].kind for row in ROWS if capability_of(row.base or row.name) is family}

    assert kinds >= {"azure", "litellm"}


# --- what the rows would notice


def flipped(row: Capability) -> dict[str, Capability]:
    """Return the row with one cell of those that decide an API turned round, by the name of the cell."""
    own: tuple[Mode, ...] = ("chat", "responses", "messages") if row is CLAUDE else ("chat", "responses")
    made = {f"apis {api}": replace(row, apis=row.apis ^ {api}) for api in own}
    if row.apis != {"responses"}:
        # Where nobody is asked on Chat Completions, what tools do there decides nothing.
        made["tools with effort"] = replace(row, tools_with_effort_on_chat=not row.tools_with_effort_on_chat)
        made["tools without effort"] = replace(row, tools_without_effort_on_chat=not row.tools_without_effort_on_chat)
    return made


CELLS = [
    pytest.param(row, changed, id=f"{row.family} {cell}")
    for row in (*CAPABILITIES, CLAUDE)
    for cell, changed in flipped(row).items()
]


@pytest.mark.parametrize(("row", "changed"), CELLS)
def test_no_cell_that_decides_an_api_can_be_flipped_unseen(
    row: Capability, changed: Capability, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = [each for each in ROWS if capability_of(each.base or each.name) is row]
    before = [answer(each) for each in about]
    monkeypatch.setattr(
        "chatsheet_llm.known.capability_of",
        lambda name: changed if capability_of(name) is row else capability_of(name),
    )

    assert [answer(each) for each in about] != before
