"""The shape of a row of the capability table, and of what a model entry lays over it.  Holds no data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from chatsheet_llm.route import MODES, Mode

NEUTRAL: Mapping[str, object] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
}
"""Values that ask for nothing: a model that refuses the parameter takes them ("only the default value")."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What one model family can do, and where that was read.

    ``family`` is parsed like a model name (``gpt-5.1-codex-mini``: series, version, variant); with ``and_later`` the
    row also covers every later version of the same variant, up to the next row of that variant.  ``streaming`` is
    whether any API streams.  On Chat Completions, ``tools_with_effort_on_chat`` is whether function tools work while
    reasoning (an effort other than ``none``), ``tools_without_effort_on_chat`` whether they work when no effort is
    sent; effort ``none`` works with tools wherever ``efforts`` has it.  ``refused_on_chat`` parameters are refused
    there, ``refused`` ones by every API; ``taken_at_none`` of them are taken while the model does not reason.
    ``renamed_on_chat`` says what to send instead.  An empty set means that no refusal is known.  ``efforts``,
    ``default_effort`` and the windows (tokens) are None where unknown.  ``sources`` are those of fields that were read
    elsewhere than the row's APIs.  The fields of ``said`` a model entry sets in place of the table; it stands at
    ``said_in``.
    """

    family: str
    apis: frozenset[Mode]
    source: str
    date: str
    and_later: bool = False
    streaming: bool = True
    reasoning: bool = False
    tools_with_effort_on_chat: bool = True
    tools_without_effort_on_chat: bool = True
    refused_on_chat: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    taken_at_none: frozenset[str] = frozenset()
    renamed_on_chat: Mapping[str, str] = field(default_factory=dict, hash=False)
    efforts: tuple[str, ...] | None = None
    default_effort: str | None = None
    input_window: int | None = None
    output_window: int | None = None
    note: str = ""
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    said: frozenset[str] = frozenset()
    said_in: str = ""

    def refuses(self, mode: Mode, effort: str | None = None) -> frozenset[str]:
        """The names of the request parameters that this family refuses in a mode, asked with this effort."""
        refused = self.refused | self.refused_on_chat if mode == "chat" else self.refused
        return refused - self.taken_at_none if (effort or self.default_effort) == "none" else refused

    def takes_tools_on_chat(self, effort: str | None) -> bool:
        """Whether function tools work on Chat Completions beside this effort (None: none is sent)."""
        if effort is None:
            return self.tools_without_effort_on_chat
        return effort == "none" or self.tools_with_effort_on_chat

    def told(self, *names: str) -> str:
        """Where these fields were read, for people: ``ms-reasoning, 2026-03``, or file and line of a model entry."""
        if not self.said.isdisjoint(names) or not self.source:
            return self.said_in
        row = f"{self.source}, {self.date}"
        return "; ".join(dict.fromkeys(self.sources.get(name, row) for name in names)) or row


@dataclass(frozen=True, slots=True)
class Override:
    """What a model entry says in place of the table: the fields of `Capability` that it sets, else None."""

    apis: frozenset[Mode] | None = None
    streaming: bool | None = None
    reasoning: bool | None = None
    tools_with_effort_on_chat: bool | None = None
    tools_without_effort_on_chat: bool | None = None
    refused_on_chat: frozenset[str] | None = None
    refused: frozenset[str] | None = None
    taken_at_none: frozenset[str] | None = None
    renamed_on_chat: Mapping[str, str] | None = field(default=None, hash=False)
    efforts: tuple[str, ...] | None = None
    default_effort: str | None = None
    input_window: int | None = None
    output_window: int | None = None

    @property
    def told(self) -> dict[str, object]:
        """The fields that are set, by name."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    def over(self, row: Capability | None, source: str) -> Capability | None:
        """Return the row with this laid over it; ``source`` is where the entry stands.  None where nothing is known.

        Without a row, and where nothing is said of the APIs, none is excluded.
        """
        told = self.told
        if not told:
            return row
        if row is None:
            row = Capability(family="", apis=frozenset(MODES), source="", date="")
        return replace(row, said=frozenset(told), said_in=source, **told)  # type: ignore[arg-type]


OVERRIDES: Mapping[str, str] = {
    "apis": "modes",
    "streaming": "flag",
    "reasoning": "flag",
    "tools_with_effort_on_chat": "flag",
    "tools_without_effort_on_chat": "flag",
    "refused_on_chat": "names",
    "refused": "names",
    "taken_at_none": "names",
    "renamed_on_chat": "renames",
    "efforts": "names",
    "default_effort": "text",
    "input_window": "number",
    "output_window": "number",
}
"""Field of `Override` to what it holds, as a file spells it."""


def override_of(told: Mapping[str, object]) -> Override:
    """Return an override of values as a file has them: lists of names for sets of names."""
    shaped: dict[str, object] = {}
    for name, value in told.items():
        if isinstance(value, list):
            shaped[name] = tuple(value) if name == "efforts" else frozenset(value)
        else:
            shaped[name] = value
    return Override(**shaped)  # type: ignore[arg-type]
