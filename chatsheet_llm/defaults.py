"""Lay a model entry's defaults under a request, in the words of its API.  Changes nothing that the caller set."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.ledger import TITLES
from chatsheet_llm.formats.responses_messages_sampling import by_budget
from chatsheet_llm.formats.responses_messages_tables import EFFORTS
from chatsheet_llm.models import ModelSpec
from chatsheet_llm.route import Loss, Mode


def with_defaults(body: Mapping[str, object], mode: Mode, spec: ModelSpec) -> tuple[dict[str, object], list[Loss]]:
    """Return the body with the entry's defaults filled in, and a minor loss for each that the API has no place for."""
    filled = dict(body)
    placeless = _FILL[mode](filled, spec)
    reason = f"{TITLES[mode]} has no place for this default of the model entry here"
    return filled, [Loss(mode, f"{spec.alias}.{name}", reason, minor=True) for name in placeless]


def _chat(filled: dict[str, object], spec: ModelSpec) -> list[str]:
    for name, value in (("reasoning_effort", spec.reasoning_effort), ("verbosity", spec.verbosity_level)):
        if value is not None:
            filled.setdefault(name, value)
    if spec.max_tokens is not None and "max_tokens" not in filled:
        filled.setdefault("max_completion_tokens", spec.max_tokens)
    # These two tell how Responses shall answer; an entry holds them for where it does.
    return []


def _responses(filled: dict[str, object], spec: ModelSpec) -> list[str]:
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
    return []


def _messages(filled: dict[str, object], spec: ModelSpec) -> list[str]:
    placeless = [] if spec.verbosity_level in (None, "medium") else ["verbosity_level"]
    if spec.truncation_strategy not in (None, "disabled"):
        placeless.append("truncation_strategy")
    if spec.max_tokens is not None:
        filled.setdefault("max_tokens", spec.max_tokens)
    asked = filled.get("output_config", {})
    if spec.reasoning_effort == "none":
        filled.setdefault("thinking", {"type": "disabled"})
    elif spec.reasoning_effort is not None and "thinking" not in filled:
        if spec.reasoning_effort in EFFORTS and isinstance(asked, Mapping) and not by_budget(filled):
            filled["output_config"] = {"effort": spec.reasoning_effort, **asked}
            filled["thinking"] = {"type": "adaptive"}
        else:
            placeless.append("reasoning_effort")
    if spec.summary_level is not None:
        thinking = filled.get("thinking")
        if isinstance(thinking, Mapping) and thinking.get("type") in ("adaptive", "enabled"):
            filled["thinking"] = {"display": "summarized", **thinking}
        else:
            placeless.append("summary_level")
    return placeless


_FILL = {"chat": _chat, "responses": _responses, "messages": _messages}
