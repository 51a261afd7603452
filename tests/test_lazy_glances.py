"""What a glance at a request tells: nothing that is looked for is overlooked.  No network."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
from dispatch_world import BODIES, MESSAGES, PATHS
from hypothesis import given
from hypothesis import strategies as st
from wild_bodies import bodies

from chatsheet_llm.capabilities import CAPABILITIES, Capability
from chatsheet_llm.formats import BRIDGES, FormatError, without_attached
from chatsheet_llm.formats.plain import plain
from chatsheet_llm.formats.state import seals
from chatsheet_llm.parameters import refused, renamed, telling_of
from chatsheet_llm.portable import CARRIED
from chatsheet_llm.route import Mode


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.family)
@pytest.mark.parametrize("mode", PATHS)
def test_a_parameter_that_a_model_refuses_or_names_otherwise_is_looked_at(row: Capability, mode: Mode) -> None:
    names = {*row.refused, *row.refused_on_chat, *row.renamed_on_chat, "reasoning_effort", "reasoning", "stop", "n"}
    bodies_of = [{name: {"effort": "odd"} if name == "reasoning" else "odd"} for name in sorted(names)]
    noticed = {
        name
        for body in bodies_of
        for name in body
        if renamed(body, mode, row) != body or refused(body, mode, row, "the model", mode)
    }

    assert noticed <= telling_of(row, mode)


@pytest.mark.parametrize("caller", PATHS)
@given(st.data())
def test_a_request_that_looks_plain_holds_nothing_of_an_earlier_reply(caller: Mode, data: st.DataObject) -> None:
    body = data.draw(bodies(caller, comes_back=True))
    if plain(caller, body):
        assert seals(caller, body) == []
        assert caller != "chat" or without_attached(body)[1] == []


@pytest.mark.parametrize(("caller", "body"), BODIES[:6])
def test_ordinary_requests_look_plain(caller: Mode, body: Mapping[str, object]) -> None:
    assert plain(caller, body)


@pytest.mark.parametrize(
    ("caller", "field", "value"),
    [
        ("chat", "messages", [{"role": "assistant", "content": "a", "reasoning_items": [{"encrypted_content": "x"}]}]),
        ("chat", "messages", [{"role": "assistant", "audio": {"id": "audio_1"}}]),
        ("chat", "messages", [{"role": "assistant", "content": "a", "phase": "final"}]),
        ("chat", "messages", [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]),
        ("chat", "messages", [{"role": "assistant", "tool_calls": [{"id": "c", "namespace": "n"}]}]),
        ("responses", "input", [{"type": "message", "role": "assistant", "content": "a", "id": "msg_1"}]),
        ("responses", "input", [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]),
        ("responses", "input", [{"type": "x_output", "call_id": "c", "output": [{"file_id": "file-1"}]}]),
        ("responses", "conversation", "conv_1"),
        ("responses", "tools", [{"type": "file_search", "vector_store_ids": ["vs_1"]}]),
    ],
)
def test_what_an_earlier_reply_left_is_seen_at_a_glance(caller: Mode, field: str, value: object) -> None:
    body = {"messages": MESSAGES, "input": "hi", field: value}

    assert seals(caller, body) != [] or without_attached(body)[1] != []
    assert not plain(caller, body)


ROLES = st.sampled_from(("system", "developer", "user", "assistant"))
WORDS = st.lists(st.fixed_dictionaries({"role": ROLES, "content": st.text(max_size=3)}), max_size=5)
VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "messages": WORDS,
    "input": st.one_of(st.text(min_size=1), WORDS),
    "instructions": st.text(min_size=1),
    "model": st.sampled_from(("gpt-5", "claude-sonnet-4-5", "claude-opus-4-7", "prod")),
    "stream": st.booleans(),
    "max_tokens": st.integers(0, 10**6),
    "max_completion_tokens": st.integers(0, 10**6),
    "max_output_tokens": st.integers(0, 10**6),
    "temperature": st.one_of(st.integers(-1, 3), st.floats(allow_nan=False)),
    "top_p": st.floats(allow_nan=False),
}


@pytest.mark.parametrize("pair", CARRIED, ids=str)
@given(st.data())
def test_what_is_told_to_be_carried_always_is(pair: tuple[Mode, Mode], data: st.DataObject) -> None:
    judges = CARRIED[pair]
    needed = "messages" if pair[0] == "chat" else "input"
    names = {needed, *data.draw(st.sets(st.sampled_from(sorted(judges))))}
    body = {name: data.draw(VALUES[name], name) for name in names}
    body = {name: value for name, value in body.items() if judges[name](value)}
    if needed not in body or {"max_tokens", "max_completion_tokens"} <= body.keys():
        return
    try:
        _, losses = BRIDGES[pair](copy.deepcopy(body))
    except FormatError as error:
        raise AssertionError(f"{body} is no request: {error}") from error

    assert [loss for loss in losses if not loss.minor] == []
    assert set(VALUES) >= set(judges)
