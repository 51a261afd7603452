"""Take what looks like a credential out of text that others wrote: error bodies, exception texts.  A second net.

The first is that keys never get near it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bsk-[\w*.-]{3,}"), "sk-[redacted]"),
    (re.compile(r"\b(?:Bearer|bearer)\s+[\w.~+/=-]{8,}"), "Bearer [redacted]"),
    (re.compile(r"(Key Hash \(Token\)\s*=\s*)\S+"), r"\1[redacted]"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "[redacted]"),
    (re.compile(r"\beyJ[\w-]{10,}\.[\w.-]+"), "[redacted]"),
    (re.compile(r"Traceback \(most recent call last\).*", re.DOTALL), "[traceback removed]"),
)


_SHORTEST = 8
"""Characters; a shorter secret is left alone, since it may be any word."""


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """Return the text without what looks like a key, a token, a key hash or a server traceback, and without these."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "[redacted]")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def redacted(value: object, secrets: Collection[str] = ()) -> object:
    """Return a JSON value with every string in it redacted."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {key: redacted(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, secrets) for item in value]
    return value
