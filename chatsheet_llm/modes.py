"""Choose the API of a hop: the rules in order, and what speaks against an API.  Pure; knows no body and no chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from chatsheet_llm.capabilities import Capability
from chatsheet_llm.formats.ledger import TITLES
from chatsheet_llm.learned import Learned, When
from chatsheet_llm.route import Mode

PATH: Mapping[Mode, str] = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
"""What people call an API."""

RULES: Mapping[str, str] = {
    "call mode": "the call sets the mode",
    "model mode": "the model entry sets the mode",
    "hop mode": "the hop names the mode",
    "own format": "the caller's own format",
    "learned": "the endpoint refused the caller's own format",
    "capability": "the model does not speak the caller's own format",
    "tools": "the model takes tools with reasoning on Responses alone",
    "endpoint": "the endpoint does not speak the caller's own format",
}
"""The rules that choose an API, in their order: an explicit mode first, then the caller's own format where nothing
speaks against it, else the first API of the endpoint that nothing speaks against, by what spoke against their own."""

_TOOLS = ("tools_with_effort_on_chat", "tools_without_effort_on_chat")

DOUBTS = frozenset({"learned", "capability", "tools"})
"""What may speak against an API; hints, which do not hold where they would leave no hop."""


class Choice(NamedTuple):
    """An API, the name of the rule that chose it, and the reason in words."""

    mode: Mode
    rule: str
    reason: str


class Doubt(NamedTuple):
    """What speaks against an API: the name of the rule, the reason in words, and of a lesson the fault."""

    rule: str
    reason: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """All that decides the API of one hop.

    ``own`` is the caller's format.  ``call_mode``, ``entry_mode`` and ``hop_mode`` are what call, model entry and chain
    say, if they do.  ``name`` is what people call the model, ``deployment`` what the endpoint does.  ``effort`` is the
    one that will be sent (None: none).  ``unserved`` are APIs that the endpoint has, but not as it is set up, and why.
    ``credulous`` heeds weak lessons too.
    """

    own: Mode
    endpoint: str
    kind: str
    speaks: tuple[Mode, ...]
    name: str
    deployment: str
    call_mode: Mode | None = None
    entry_mode: Mode | None = None
    hop_mode: Mode | None = None
    capability: Capability | None = None
    tools: bool = False
    effort: str | None = None
    learned: Learned | None = None
    unserved: Mapping[Mode, str] = field(default_factory=dict)
    credulous: bool = True

    @property
    def explicit(self) -> Choice | None:
        """The mode that call or model entry set, if one does."""
        for mode, rule in ((self.call_mode, "call mode"), (self.entry_mode, "model mode")):
            if mode is not None:
                return Choice(mode, rule, RULES[rule])
        return None


def choose(asked: Question) -> Choice:
    """Return the API to ask, by the first of `RULES` that applies."""
    explicit = asked.explicit
    if explicit is not None:
        return explicit
    if asked.hop_mode is not None:
        return Choice(asked.hop_mode, "hop mode", RULES["hop mode"])
    speaks_own = asked.own in asked.speaks
    against = doubt(asked, asked.own) if speaks_own else None
    if speaks_own and against is None and asked.own not in asked.unserved:
        return Choice(asked.own, "own format", RULES["own format"])
    fit = [mode for mode in asked.speaks if doubt(asked, mode) is None]
    free = next((mode for mode in fit if mode not in asked.unserved), fit[0] if fit else None)
    if free is not None and against is not None:
        return Choice(free, against.rule, against.reason)
    only = free or (asked.own if speaks_own else asked.speaks[0])
    speaks = f"endpoint {asked.endpoint!r} speaks {' and '.join(asked.speaks)}"
    return Choice(only, "endpoint", asked.unserved.get(asked.own, speaks))


def doubt(asked: Question, mode: Mode) -> Doubt | None:
    """Return what speaks against an API: what the endpoint has shown, else the table, or None."""
    return _lesson(asked, mode) or objection(asked, mode)


def _lesson(asked: Question, mode: Mode) -> Doubt | None:
    if asked.learned is None:
        return None
    kinds: list[When] = ["always"]
    if asked.tools and asked.effort != "none":
        kinds += ["tools"] if asked.effort is None else ["tools", "tools with effort"]
    for when in kinds:
        said = asked.learned.why_not(asked.endpoint, asked.deployment, mode, when)
        if said is not None and (asked.credulous or not said.weak):
            reason = f"endpoint {asked.endpoint!r} refused {mode} for {asked.deployment!r}: {said.reason}"
            return Doubt("learned", reason, said.fault)
    return None


def objection(asked: Question, mode: Mode) -> Doubt | None:
    """Return what the table, or the model entry in its place, says against an API, or None."""
    row = asked.capability
    if row is None or mode == "messages":
        # A hop that speaks Messages serves a model of its own, whatever the others serve.
        return None
    if mode not in row.apis and (row.apis != {"messages"} or asked.kind == "azure"):
        where = " and ".join(PATH[api] for api in ("responses", "chat", "messages") if api in row.apis)
        return Doubt("capability", f"{asked.name} is served through {where}, not {PATH[mode]} ({row.told('apis')})")
    if mode == "chat" and asked.tools and not row.takes_tools_on_chat(asked.effort):
        effort = "without an effort" if asked.effort is None else f"with reasoning_effort {asked.effort!r}"
        return Doubt(
            "tools", f"{asked.name} takes tools {effort} through {PATH['responses']} alone ({row.told(*_TOOLS)})"
        )
    return None


def conflict(asked: Question, choice: Choice) -> str | None:
    """Return why a mode that call or model entry set cannot be had, or None.

    What the table excludes, or the endpoint has said that the deployment does not serve, is not sent.
    """
    if asked.explicit is None:
        return None
    against = barrier(asked, choice.mode) or objection(asked, choice.mode)
    return f"{against.reason}, and {choice.reason} to {TITLES[choice.mode]}" if against is not None else None


def barrier(asked: Question, mode: Mode) -> Doubt | None:
    """Return what makes it certain that an API refuses, or None: the endpoint's own word, or the table's of APIs."""
    lesson = _lesson(asked, mode)
    if lesson is not None and lesson.fault in ("capability", "tools_on_chat"):
        return lesson
    against = objection(asked, mode)
    return against if against is not None and against.rule == "capability" else None
