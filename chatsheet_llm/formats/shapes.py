"""Pieces of JSON that several bridges read or write alike.  Knows no format."""

from __future__ import annotations

import math
from collections.abc import Mapping


def place(result: dict[str, object], target: str, value: object) -> None:
    """Write a value at a dotted path of at most two steps."""
    parent, _, name = target.rpartition(".")
    holder = result.setdefault(parent, {}) if parent else result
    assert isinstance(holder, dict)
    holder[name] = value


def integer(value: object) -> int:
    """Return a count or a time as a whole number, 0 where there is none: Python reads NaN and Infinity as JSON."""
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0


def says_something(value: object) -> bool:
    """Whether anything but zeros and emptiness is in there: replies count uses of tools that no one gave them."""
    if isinstance(value, Mapping):
        return any(map(says_something, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(says_something, value))
    return bool(value)
