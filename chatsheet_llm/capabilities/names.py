"""Parse the names of models: series, version, variant.  Knows nothing of what they can do, and guesses nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """A parsed model name: ``gpt-5.1-codex-mini`` is series ``gpt``, version (5, 1), variant ``codex-mini``."""

    series: str
    version: tuple[int, int]
    variant: str


# `gpt-35` is how Azure spells 3.5; a snapshot is a date (2025-08-07), its old short form (0613), or `latest`.
_NAME = re.compile(
    r"(?P<series>gpt-|o)(?P<major>35|1?\d)(?:\.(?P<minor>\d{1,2}))?(?P<omni>o?)"
    r"(?P<variant>(?:-[a-z0-9]*[a-z][a-z0-9]*)*?)"
    r"(?:-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest))?"
)
_UNVERSIONED = re.compile(
    r"(?P<series>codex-mini|computer-use-preview|gpt-chat)(?:-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest))?",
)


def parse_name(name: str) -> ModelName | None:
    """Parse a model name, or None where it is none that follows OpenAI's naming.

    The whole name must match, so ``my-gpt-5-codex-prod`` and ``azure/gpt-5`` are None: a deployment's name or a routing
    string says nothing about the model.  Case and surrounding white space do not matter.
    """
    name = name.strip().lower()
    if found := _UNVERSIONED.fullmatch(name):
        return ModelName(found["series"], (0, 0), "")
    if not (found := _NAME.fullmatch(name)):
        return None
    version = (3, 5) if found["major"] == "35" else (int(found["major"]), int(found["minor"] or 0))
    return ModelName(found["series"].rstrip("-") + found["omni"], version, found["variant"].lstrip("-"))
