"""Read how long a server wants us to wait, in all the forms servers say it.  Waits for nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the server's wait hint in seconds, or None when it gave no usable one.

    Reads ``retry-after-ms``, ``retry-after`` (seconds or HTTP date) and LiteLLM's ``llm_provider-`` copies, each on its
    own: a bad one never hides a good one, and of several the longest counts, also where one header was sent twice.
    Whatever is no plain decimal number is ignored; a date in the past is 0.  A date is read against the reply's own
    ``date`` header where it has one, so that a skewed clock does not matter.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    hints: list[float] = []
    for prefix in ("", "llm_provider-"):
        for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
            value = lower.get(prefix + name, "")
            # No date has a comma within but the one behind its weekday, which tells nothing.
            for part in value.split(","):
                seconds = _number(part)
                if seconds is not None:
                    hints.append(seconds * unit)
                elif (until := _until(part, lower.get("date"), now)) is not None:
                    hints.append(until)
    return max(hints, default=None)


def _number(value: str) -> float | None:
    # Python's own float takes more: signs, underscores, exponents, the digits of other scripts.
    seconds = float(value) if _DECIMAL.fullmatch(value) else math.inf
    return seconds if math.isfinite(seconds) else None


def _until(value: str, date: str | None, now: datetime) -> float | None:
    then, base = _date(value), _date(date) if date else now
    return None if then is None else max(0.0, (then - (base or now)).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def hint_in_text(text: str | None) -> float | None:
    """Return the seconds that a message names in words, or None; the last resort where no header says it."""
    found = _IN_WORDS.search(text or "")
    if found is None:
        return None
    parts = [(float(number), unit.lower()) for number, unit in _PART.findall(found[1])]
    return sum(number * _UNITS[unit] for number, unit in parts)


_DECIMAL = re.compile(r"\s*(?:\d+\.?\d*|\.\d+)\s*", re.ASCII)
"""A number as a header writes it."""
_UNITS = {
    "": 1.0,
    "ms": 0.001,
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_UNIT = "|".join(sorted(filter(None, _UNITS), key=len, reverse=True))
_PART = re.compile(rf"(\d+(?:\.\d+)?) ?({_UNIT}|)(?![a-z])", re.IGNORECASE)
_IN_WORDS = re.compile(
    rf"(?:retry after|retry in|try again in) ((?:\d+(?:\.\d+)? ?(?:{_UNIT})(?![a-z]),? ?)+|\d+(?:\.\d+)?(?! ?[a-z]))",
    re.IGNORECASE,
)
