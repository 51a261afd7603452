"""Values that come in pieces -> whole values.  Knows how JSON goes on, and nothing of what it says."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.shapes import says_something

_NAMES = frozenset({"expires_at", "format", "id", "index", "phase", "role", "type"})
"""Fields of a delta that are repeated, not continued."""


class Pieces(list[str]):
    """A text that is still being told."""


def join(whole: Object, delta: Mapping[str, object]) -> None:
    """Add what a delta brings: texts and lists go on where they stopped, a later number is truer.

    What is of another kind than before goes on as a list of both.
    """
    for name, value in delta.items():
        known = whole.get(name)
        if value is None:
            continue
        if name in _NAMES and isinstance(value, str):
            whole[name] = value
        elif isinstance(known, Pieces) and isinstance(value, str):
            known.append(value)
        elif isinstance(known, dict) and isinstance(value, Mapping):
            join(known, value)
        elif isinstance(known, list) and not isinstance(known, Pieces) and isinstance(value, list):
            known.extend(value)
        elif before := _elements(known):
            whole[name] = [*before, *(value if isinstance(value, list) else [value])]
        else:
            whole[name] = _begun(value)


def renew(whole: Object, name: str, value: object) -> None:
    """Set what describes the whole: a later value is truer, nothing is not."""
    known = whole.get(name)
    if isinstance(known, Mapping) and isinstance(value, Mapping):
        # Some servers count once more behind the end, and there is nothing left to count.
        if name != "usage" or says_something(value):
            whole[name] = {**known, **{inner: new for inner, new in value.items() if new is not None}}
    elif value is not None and (value or not known):
        whole[name] = value


def told(value: object) -> object:
    """Return the value with each text in one piece."""
    if isinstance(value, Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: told(inner) for name, inner in value.items()}
    return [told(inner) for inner in value] if isinstance(value, list) else value


def _begun(value: object) -> object:
    if isinstance(value, str):
        return Pieces([value])
    if isinstance(value, Mapping):
        inner: Object = {}
        join(inner, value)
        return inner
    return list(value) if isinstance(value, list) else value


def _elements(known: object) -> list[object]:
    """What was said so far, as the beginning of a list; a number or a name is replaced, not kept."""
    if isinstance(known, Pieces):
        return ["".join(known)] if any(known) else []
    if isinstance(known, list):
        return known
    return [known] if isinstance(known, dict) and known else []
