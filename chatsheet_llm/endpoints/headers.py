"""Which headers a request cannot carry, for the message about it.  Repeats no value, and sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_PLAIN = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
"""What nearly all values are."""
UNFIT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\r\n]"), "a line break"),
    (re.compile(r"[\0\v\f]"), "a control character"),
    (re.compile(r"[^\x00-\x7f]"), "a character that is not ASCII"),
    (re.compile(r"^[ \t]|[ \t]$"), "a space at its beginning or end"),
)
"""What a value may not hold, in the order in which it is told."""


def unfit(value: str) -> str | None:
    """Return what a header's value holds that it may not, in words, or None."""
    if _PLAIN.fullmatch(value):
        return None
    return next((what for pattern, what in UNFIT if pattern.search(value)), None)


def unfit_header(headers: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the first header that cannot be sent, and what it holds that it may not; None where all can."""
    for told, value in headers.items():
        # Some give bytes.
        name = told.decode("latin-1") if isinstance(told, bytes) else told
        if not _NAME.fullmatch(name):
            return name, "a character in its name that no name may have"
        what = unfit(value) if isinstance(value, str) else None
        if what is not None:
            return name, what
    return None
