"""Fit the parameters of a request to the model behind a hop: rename, and name what it refuses.  Pure; drops nothing."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.capabilities import NEUTRAL, Capability
from chatsheet_llm.formats.ledger import TITLES
from chatsheet_llm.route import Loss, Mode

PARAMETER = "parameter"
"""The rule of a hop that was left out because its model refuses something that the caller set: a hint of the table."""


def renamed(body: Mapping[str, object], mode: Mode, row: Capability | None) -> dict[str, object]:
    """Return the body with the names that this model takes on Chat Completions; a new name that is set stays."""
    made = dict(body)
    for old, new in row.renamed_on_chat.items() if row is not None and mode == "chat" else ():
        value = made.get(old)
        if value is not None and made.get(new) in (None, value):
            made[new] = made.pop(old)
    return made


def refused(
    body: Mapping[str, object],
    mode: Mode,
    row: Capability | None,
    name: str,
    own: Mode,
    default_effort: str | None = None,
) -> list[Loss]:
    """Return what the model, called ``name``, refuses of what the caller set; told in the words of his format.

    ``default_effort`` is the one that will be sent where the caller sets none.
    """
    if row is None or mode == "messages":
        return []
    effort = effort_in(body, mode)
    taken = row.refuses(mode, effort or default_effort)
    losses = [
        Loss(
            mode,
            parameter,
            f"{name} takes no {parameter} through {TITLES[mode]} ({row.told('refused', 'refused_on_chat')})",
        )
        for parameter in (() if taken.isdisjoint(body) else sorted(taken))
        if body.get(parameter) is not None and body[parameter] != NEUTRAL.get(parameter)
    ]
    if effort is not None and row.efforts is not None and effort not in row.efforts:
        path = "reasoning.effort" if own == "responses" else "reasoning_effort"
        losses.append(
            Loss(mode, path, f"{name} takes efforts {', '.join(row.efforts)}, not {effort!r} ({row.told('efforts')})")
        )
    return losses


def telling_of(row: Capability | None, mode: Mode) -> frozenset[str]:
    """Return the parameters of a body in this mode that :func:`renamed` or :func:`refused` may have to do with."""
    if row is None or mode == "messages":
        return frozenset()
    names = row.refused | (_EFFORTS if row.efforts is not None else frozenset())
    return names | row.refused_on_chat | row.renamed_on_chat.keys() if mode == "chat" else names


_EFFORTS = frozenset({"reasoning_effort", "reasoning"})


def without_refused(body: Mapping[str, object], mode: Mode, losses: list[Loss]) -> dict[str, object]:
    """Return the body without what was named as refused."""
    made = {name: value for name, value in body.items() if all(loss.path != name for loss in losses)}
    if any(loss.path in ("reasoning_effort", "reasoning.effort") for loss in losses):
        made.pop("reasoning_effort", None)
        reasoning = made.get("reasoning")
        if mode == "responses" and isinstance(reasoning, Mapping):
            made["reasoning"] = {name: value for name, value in reasoning.items() if name != "effort"}
    return made


def effort_in(body: Mapping[str, object], mode: Mode) -> str | None:
    """Return the reasoning effort in a body of Chat Completions or Responses."""
    reasoning = body.get("reasoning")
    effort = body.get("reasoning_effort")
    if mode == "responses":
        effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    return effort if isinstance(effort, str) else None
