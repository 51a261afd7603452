"""Unique fake secrets, each for one place, and the search for them in whatever form they come.  Asserts nothing."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import secrets
import uuid
import zlib
from collections.abc import Iterator
from functools import cache
from urllib.parse import quote, quote_plus

_COMPRESSED = re.compile(r"(?:H4sI|eJ|eN|eA|eF)[A-Za-z0-9+/_-]{12,}={0,2}")
"""How base64 of gzip and zlib begins."""


class Canaries:
    """Makes secrets and finds them again."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def __repr__(self) -> str:
        # Else the search would find the list of what it looks for.
        return f"{type(self).__name__}({len(self.places)})"

    def plant(self, place: str, form: str = "canary{}") -> str:
        self.places[place] = form.format(secrets.token_hex(12))
        return self.places[place]

    def guid(self, place: str) -> str:
        self.places[place] = str(uuid.uuid4())
        return self.places[place]

    def found_in(self, content: bytes | str) -> list[str]:
        """Return the places whose secret is in the content.

        As it is, escaped by JSON, URL-encoded, in hexadecimal, in any base64, or compressed within base64.
        """
        text = "\n".join(_layers(content if isinstance(content, str) else content.decode("latin-1")))
        return [place for place, secret in self.places.items() if any(form in text for form in forms(secret))]


@cache
def forms(secret: str) -> frozenset[str]:
    escaped = json.dumps(secret)[1:-1]
    plain = (
        secret,
        escaped,
        json.dumps(escaped)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        secret.encode().hex(),
    )
    return frozenset((*plain, *_in_base64(secret.encode())))


def _in_base64(secret: bytes) -> Iterator[str]:
    """Whatever stands before and behind it in the same base64: the characters that are its alone."""
    for before in range(3):
        start, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + secret).decode()[start:end]


def _layers(text: str) -> Iterator[str]:
    yield text
    for word in _COMPRESSED.findall(text):
        whole = word.rstrip("=").replace("-", "+").replace("_", "/")
        with contextlib.suppress(binascii.Error, zlib.error):
            raw = base64.b64decode(whole + "A" * (-len(whole) % 4))
            yield zlib.decompressobj(47).decompress(raw).decode("latin-1")
