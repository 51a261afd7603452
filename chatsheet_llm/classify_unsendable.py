"""Say where in a request a text stands that UTF-8 has no form for.  Repeats none of it, and sends nothing."""

from __future__ import annotations

import json


def unsendable(error: UnicodeEncodeError) -> tuple[str | None, str]:
    """Return where in the request the text stands that could not be encoded, and what it holds, in words.

    The path reads ``messages[0].content``, in the format of the hop; None where it is not the body that holds the text.
    """
    try:
        place = _within(json.loads(error.object), "")
    except (RecursionError, ValueError):
        place = None
    return place, f"{place or 'a text beside its body'} holds a lone surrogate"


def _within(value: object, path: str) -> str | None:
    if isinstance(value, str):
        return path if _lone(value) else None
    if isinstance(value, dict):
        for key, item in value.items():
            if _lone(key):
                return f"a key of {path or 'the body'}"
            found = _within(item, f"{path}.{key}".lstrip("."))
            if found is not None:
                return found
    if isinstance(value, list):
        return next((found for at, item in enumerate(value) if (found := _within(item, f"{path}[{at}]"))), None)
    return None


def _lone(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
