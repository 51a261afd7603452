"""Lay a model entry's defaults under a request, in the words of its API.  Changes nothing that the caller set."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.errors import named
from chatsheet_llm.formats.responses_messages_sampling import by_budget
from chatsheet_llm.formats.responses_messages_tables import EFFORTS, REASONS, RESPONSES_PARAMETERS
from chatsheet_llm.models import ModelSpec
from chatsheet_llm.route import Loss, Mode


def with_defaults(body: Mapping[str, object], mode: Mode, spec: ModelSpec) -> tuple[dict[str, object], list[Loss]]:
    """Return the body with the entry's defaults filled in, and a minor loss for each that has no place in it."""
    filled = dict(body)
    placeless = _FILL[mode](filled, spec)
    if not placeless:
        return filled, []
    return filled, [Loss(mode, f"{spec.alias}.{name}", reason, minor=True) for name, reason in placeless.items()]


Placeless = dict[str, str]
"""Name of a default -> why it was not filled in."""


def _chat(filled: dict[str, object], spec: ModelSpec) -> Placeless:
    for name, value in (("reasoning_effort", spec.reasoning_effort), ("verbosity", spec.verbosity_level)):
        if value is not None:
            filled.setdefault(name, value)
    if spec.max_tokens is not None and "max_tokens" not in filled:
        filled.setdefault("max_completion_tokens", spec.max_tokens)
    # The summary and the truncation tell how Responses shall answer; an entry holds them for where it does.
    return {}


def _responses(filled: dict[str, object], spec: ModelSpec) -> Placeless:
    if spec.max_tokens is not None:
        filled.setdefault("max_output_tokens", spec.max_tokens)
    if spec.truncation_strategy is not None:
        filled.setdefault("truncation", spec.truncation_strategy)
    for group, name, value in (
        ("reasoning", "effort", spec.reasoning_effort),
        ("reasoning", "summary", spec.summary_level),
        ("text", "verbosity", spec.verbosity_level),
    ):
        inner = filled.get(group)
        if value is not None and (inner is None or isinstance(inner, Mapping)):
            filled[group] = {name: value, **(inner or {})}
    return {}


def _messages(filled: dict[str, object], spec: ModelSpec) -> Placeless:
    placeless: Placeless = {}
    if spec.verbosity_level not in (None, "medium"):
        placeless["verbosity_level"] = REASONS["verbosity"]
    if spec.truncation_strategy not in (None, "disabled"):
        placeless["truncation_strategy"] = RESPONSES_PARAMETERS["truncation"].reason
    if spec.max_tokens is not None:
        filled.setdefault("max_tokens", spec.max_tokens)
    if spec.reasoning_effort == "none":
        filled.setdefault("thinking", {"type": "disabled"})
    elif spec.reasoning_effort is not None and "thinking" not in filled:
        placeless |= _effort(filled, spec.reasoning_effort)
    if spec.summary_level is not None:
        placeless |= _summary(filled)
    return placeless


def _effort(filled: dict[str, object], effort: str) -> Placeless:
    asked = filled.get("output_config", {})
    if by_budget(filled):
        return {"reasoning_effort": "this model of Messages thinks by a budget of tokens, not by effort"}
    if effort not in EFFORTS:
        return {"reasoning_effort": f"Messages has no effort {named(effort)}"}
    if not isinstance(asked, Mapping):
        return {"reasoning_effort": "the request has an output_config that is no object, where it would stand"}
    filled["output_config"] = {"effort": effort, **asked}
    filled["thinking"] = {"type": "adaptive"}
    return {}


def _summary(filled: dict[str, object]) -> Placeless:
    thinking = filled.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    if isinstance(thinking, Mapping) and kind in ("adaptive", "enabled"):
        filled["thinking"] = {"display": "summarized", **thinking}
        return {}
    if kind == "disabled":
        return {"summary_level": "thinking is turned off, so there is nothing to summarize"}
    return {"summary_level": "Messages summarizes only thinking that is asked for, and here it is not"}


_FILL = {"chat": _chat, "responses": _responses, "messages": _messages}
