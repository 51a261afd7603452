"""Find what JSON has no form for in a request body, for the message about it.  Looks only once encoding has failed."""

from __future__ import annotations

import math
from collections.abc import Mapping

DEEPEST = 200
"""Levels of nesting that are looked into; no API takes as many."""


def misfit(body: object) -> tuple[str, str] | None:
    """Return where in the body the first thing without a form in JSON stands, and what it is; None where there is none.

    The path reads ``messages[0].content``.  What it is, is told by its type: its value may be anything.
    """
    return _in(body, "", ())


def _in(value: object, path: str, around: tuple[int, ...]) -> tuple[str, str] | None:
    if isinstance(value, float) and not math.isfinite(value):
        return path, f"the number {value}"
    if isinstance(value, (Mapping, list, tuple)):
        if id(value) in around:
            return path, "what holds it"
        if len(around) >= DEEPEST:
            return path, f"more than {DEEPEST} levels of nesting"
        inside = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in inside:
            if isinstance(value, Mapping) and not (key is None or isinstance(key, (str, int, float))):
                return path, f"a key of type {type(key).__name__}"
            place = f"{path}.{key}".lstrip(".") if isinstance(value, Mapping) else f"{path}[{key}]"
            found = _in(item, place, (*around, id(value)))
            if found is not None:
                return found
        return None
    # The SDK writes times and its own types itself.
    fits = value is None or isinstance(value, (str, int)) or hasattr(value, "isoformat") or hasattr(value, "model_dump")
    return None if fits or isinstance(value, float) else (path, f"type {type(value).__name__}")
