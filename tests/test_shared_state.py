"""What processes tell each other, as text: every note comes back whole, and what makes no sense is left aside."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsheet_llm.state import (
    Closed,
    Level,
    News,
    Note,
    Opened,
    Taught,
    Untaught,
    decoded,
    encoded,
    sealed,
    subject,
)

NOTES: tuple[Note, ...] = (
    Opened("d", 12.5, True, "rate", 5.0),
    Closed("d"),
    Level("d", 126.0),
    Taught("o", "codex", "chat", "tools", "tools_on_chat", None, "", 99.0),
    Taught("o", "codex", None, None, "", "gpt-5-codex", "gpt-5", 99.0),
    Taught("o", "router", None, None, "", None, "", 99.0),
    Untaught("o", "codex", "responses", "stream"),
    Untaught("o", "codex", None, None),
)


@pytest.mark.parametrize("note", NOTES, ids=lambda note: type(note).__name__)
def test_a_note_comes_back_whole(note: Note) -> None:
    news = News(note, "me", 7)

    assert decoded(encoded(news)) == news
    assert decoded(encoded(news).encode()) == news
    assert json.loads(encoded(news))["v"] == 1


def test_a_field_of_a_newer_version_of_the_same_kind_does_no_harm() -> None:
    told = json.loads(encoded(News(Closed("d"), "me", 7)))

    assert decoded(json.dumps({**told, "more": [1]})) == News(Closed("d"), "me", 7)


WRONG: tuple[tuple[Note, dict[str, object]], ...] = (
    (NOTES[1], {"v": 2}),
    (NOTES[1], {"v": None}),
    (NOTES[1], {"kind": "exploded"}),
    (NOTES[1], {"kind": ["closed"]}),
    (NOTES[1], {"domain": 5}),
    (NOTES[1], {"domain": ""}),
    (NOTES[1], {"domain": "x" * 201}),
    (NOTES[1], {"by": None}),
    (NOTES[1], {"number": "7"}),
    (NOTES[0], {"until": "soon"}),
    (NOTES[0], {"until": float("inf")}),
    (NOTES[0], {"until": float("nan")}),
    (NOTES[0], {"until": True}),
    (NOTES[0], {"throttled": 1}),
    (NOTES[0], {"fault": None}),
    (NOTES[0], {"fault": ""}),
    (NOTES[0], {"fault": "rate\n[CRITICAL] forged"}),
    (NOTES[2], {"tokens": "all"}),
    (NOTES[3], {"mode": "telepathy"}),
    (NOTES[3], {"when": "never"}),
    (NOTES[3], {"when": None}),
    (NOTES[3], {"fault": ""}),
    (NOTES[3], {"deployment": "a\x00b"}),
    (NOTES[4], {"fault": "capability"}),
    (NOTES[6], {"mode": None}),
)


@pytest.mark.parametrize(("note", "change"), WRONG, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_what_makes_no_sense_is_left_aside(note: Note, change: dict[str, object]) -> None:
    assert decoded(json.dumps({**json.loads(encoded(News(note, "me", 7))), **change})) is None


@given(st.one_of(st.text(), st.binary(), st.none(), st.integers(), st.from_regex(r"\{.*\}"), st.just("[" * 3000)))
def test_garbage_never_raises(text: object) -> None:
    assert decoded(text) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_other_people_s_json_never_raises(value: object) -> None:
    told = {"v": 1, "kind": "opened", "by": "x", "number": 1, "domain": value, "until": value, "throttled": value}

    assert decoded(json.dumps(value)) is None
    assert decoded(json.dumps({**told, "fault": value, "open_for": value})) is None


def test_a_sealed_name_shows_nothing_and_tells_domains_apart() -> None:
    names = {sealed(key) for key in ("https://azure#abc123", "https://azure#abc124", "https://azure#abc123 chat gpt-5")}

    assert len(names) == 3
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)


def test_of_two_notes_about_one_thing_the_later_takes_the_place_of_the_earlier() -> None:
    subjects = [subject(note) for note in NOTES]

    assert subjects[0] == subjects[1] == subjects[2]
    assert subjects[4] == subjects[7]
    assert len(set(subjects)) == 5
