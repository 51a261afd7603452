"""Take credentials and the caller's own words out of text that others wrote: error bodies, exception texts.  Pure.

A second net: the first is that keys never get near it.  It cannot know a secret that was changed on its way.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

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


# --- what one call holds -------------------------------------------------------------------------------------------

_NAMES = frozenset({"id", "model", "name", "role", "type"})
"""Fields whose texts an error has to name, so that it can be understood, as those whose names end in ``_id``."""
_THE_CALLER_S = frozenset({"metadata", "user_id"})
"""Fields in which every text is the caller's own."""
_WORDS = 16
"""Characters; a shorter text of the request may be any word, and a message needs its words."""
_BLOCK = 24
"""Characters that are looked for as one, so that a quote of part of a text is found: twice as many always are."""
_PLACES = 8
"""How many places of the request are looked at for how far a quote goes on: a text stands there as JSON too."""
_LONGEST = 4000
"""Characters of a text of the provider's that holds no whole text of the request's; the rest is cut off."""


@dataclass(frozen=True)
class Private:
    """What one call holds that no account of it may repeat: credentials, and the texts of the request's body.

    Nothing is looked at before something has failed.
    """

    credentials: Callable[[], Collection[str]]
    body: object

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def without(self, value: object) -> object:
        """Return a JSON value, or a text, with what others quoted of it replaced by ``[redacted]`` or ``[quoted]``."""
        if isinstance(value, str):
            return self._unquoted(redact(value, self._secrets))
        if isinstance(value, Mapping):
            return {self.without(key): self.without(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.without(item) for item in value]
        return value

    @cached_property
    def _secrets(self) -> Collection[str]:
        return self.credentials()

    @cached_property
    def _said(self) -> tuple[str, ...]:
        """The texts of the body, the longest first: as they are, as JSON writes them, and as JSON within JSON does."""
        texts = {text for text in _texts(self.body) if len(text) >= _WORDS}
        for _ in range(2):
            texts |= {json.dumps(text)[1:-1] for text in texts}
        return tuple(sorted(texts, key=len, reverse=True))

    @cached_property
    def _whole(self) -> str:
        return "\0".join(self._said)

    def _unquoted(self, text: str) -> str:
        if len(text) < _WORDS or not self._said:
            return text
        for said in self._said:
            text = text.replace(said, "[quoted]")
        text = text[:_LONGEST]
        parts: list[str] = []
        at = done = 0
        while at + _BLOCK <= len(text):
            places = list(islice(_found(text[at : at + _BLOCK], self._whole), _PLACES))
            if not places:
                at += _BLOCK
                continue
            end = at + _BLOCK
            before = max(_more(text[done:at][::-1], self._whole[max(it - at, 0) : it][::-1]) for it in places)
            behind = max(_more(text[end:], self._whole[it + _BLOCK : it + _LONGEST]) for it in places)
            parts += [text[done : at - before], "[quoted]"]
            at = done = end + behind
        return "".join([*parts, text[done:]])


def _found(text: str, whole: str) -> Iterator[int]:
    at = whole.find(text)
    while at >= 0:
        yield at
        at = whole.find(text, at + 1)


def _more(text: str, said: str) -> int:
    """Return how many characters from the beginning are the same."""
    same = enumerate(zip(text, said, strict=False))
    return next((at for at, (one, other) in same if one != other), min(len(text), len(said)))


def _texts(value: object, *, named: bool = True) -> Iterator[str]:
    """Yield every text of a JSON value, but, where ``named``, not those of the fields that name things."""
    if isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            # The arguments of a tool, which a bridge writes anew.
            with contextlib.suppress(RecursionError, ValueError):
                yield from _texts(json.loads(value), named=False)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            own = not named or name in _THE_CALLER_S
            if own or not (name in _NAMES or str(name).endswith("_id")):
                yield from _texts(item, named=not own)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, named=named)
