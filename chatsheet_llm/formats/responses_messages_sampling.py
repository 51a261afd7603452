"""Decide which models behind Messages take sampling parameters and an effort.  Knows them by their names alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TAKES = frozenset({"3", "3-5", "3-7", "4", "4-0", "4-1", "4-5"})
"""Versions of Claude that take them, as recorded answers show for most; ``4-0`` is an alias of ``4``."""

_TAKES_ONE = frozenset({"4-1", "4-5"})
"""Those that refuse both at once (SalesforceAIResearch/MCP-Universe#49: since Opus 4.1)."""

_NAME = re.compile(
    r"(?:[a-z]{2,6}\.)?(?:anthropic\.)?claude-(?:(\d(?:[.-]\d)?)-[a-z]+|[a-z]+-(\d(?:[.-]\d)?))"
    r"(?:-latest|[-@]\d{8})?(?:-v\d+(?::\d+)?)?"
)
"""A model's name with its version, which older ones have in front of the family; some clouds put more around it."""


def refused(name: str, value: object, body: Mapping[str, object]) -> str | None:
    """Return why the model of a Responses request refuses this value of ``temperature`` or ``top_p``, or None."""
    version = _version(body.get("model"))
    if version is None:
        return f"it is not known whether this model takes {name}; give its base_model"
    if version not in _TAKES:
        return f"current models of Messages take no {name}"
    if _thinks(body.get("reasoning")):
        return f"models of Messages take no {name} while they think"
    if name == "temperature":
        above = isinstance(value, (int, float)) and value > 1
        return "Messages has temperatures from 0 to 1" if above else None
    both = version in _TAKES_ONE and body.get("temperature") not in (None, 1)
    return "temperature is set as well, and this model takes one of the two" if both else None


def by_budget(body: Mapping[str, object]) -> bool:
    """Whether the model of a request thinks by a budget of tokens alone: before 4.6 there was no adaptive thinking.

    Recorded answers show budgets up to 4.6, adaptive thinking since 4.6, and a forced tool beside it.
    """
    return _version(body.get("model")) in _TAKES


def _version(model: object) -> str | None:
    # A gateway has the provider in front of the name.
    found = _NAME.fullmatch(model.rpartition("/")[2]) if isinstance(model, str) else None
    return found and (found[1] or found[2]).replace(".", "-")


def is_claude(model: object) -> bool:
    """Whether a name is one of Claude's models, so that its version is known."""
    return _version(model) is not None


def _thinks(reasoning: object) -> bool:
    """Whether the request asks for thinking."""
    if not isinstance(reasoning, Mapping) or reasoning.get("effort") == "none":
        return False
    return any(reasoning.get(name) is not None for name in ("effort", "summary", "generate_summary"))
