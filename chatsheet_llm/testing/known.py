"""Secrets that were seen going by, so that a copy of one elsewhere is found.  Pure; keeps them only while recording."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus, unquote, urlsplit

from chatsheet_llm.testing.scrub import DOMAIN, REMOVED, private_texts

_T = TypeVar("_T")

_CREDENTIAL_HEADERS = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "ocp-apim-subscription-key",
        "proxy-authorization",
        "set-cookie",
        "x-api-key",
        "x-litellm-api-key",
    }
)
_ADDRESS_HEADERS = frozenset({"x-litellm-model-api-base", "location"})
_HARMLESS = re.compile(
    r"accept.*|anthropic-.*|connection|content-.*|host|openai-.*|te|transfer-encoding|user-agent|via|x-litellm-num-retries"
    r"|x-litellm-timeout|x-stainless-.*"
)
"""Request headers that say nothing of who asked.  What another says may be a secret, whatever its name."""
_SHORTEST = 8
"""Characters; something shorter would be found in words that are none of a secret's."""
_SHORTEST_UNKNOWN = 16
"""The same for headers of which it is not known whether they hold a secret."""


class Known:
    """The credentials and addresses of the servers that a recording talked to."""

    def __init__(self) -> None:
        self._stands_for: dict[str, str] = {}

    def learn_request(self, url: str, headers: Mapping[str, str], endpoint: str, content: bytes = b"") -> None:
        """Remember the credentials in a request, who asked, and its server's address."""
        parts = urlsplit(url)
        self._learn(unquote(parts.password or ""), REMOVED)
        address = parts.netloc.rpartition("@")[2]
        if not (parts.hostname or "").endswith(DOMAIN):
            self._learn(address, f"{endpoint}.{DOMAIN}")
        self._learn_headers(headers)
        for name, value in headers.items():
            if len(value) >= _SHORTEST_UNKNOWN and not _HARMLESS.fullmatch(name.lower()):
                self._learn(value, REMOVED)
        for text in private_texts(content):
            self._learn(text, REMOVED)
            self._learn(text.partition(" ")[2], REMOVED)

    def learn_response(self, headers: Mapping[str, list[str]]) -> None:
        """Remember the cookies in a reply, and the addresses of servers behind the one that answered."""
        for name, values in headers.items():
            for value in values:
                self._learn_headers({name: value})
                if name.lower() in _ADDRESS_HEADERS:
                    self._learn(urlsplit(value).netloc, f"server.{DOMAIN}")

    def without(self, value: _T) -> _T:
        """Return a text, or a JSON value with all its texts, with each replaced: as it is, URL-encoded, in base64."""
        return cast("_T", self._without(value))

    def _without(self, value: object) -> object:
        if isinstance(value, list):
            return [self._without(item) for item in value]
        if isinstance(value, Mapping):
            return {key: self._without(item) for key, item in value.items()}
        if not isinstance(value, str):
            return value
        for secret, stand_in in self._longest_first():
            for form in _forms(secret):
                value = value.replace(form, stand_in)
        return value

    def found_in(self, text: str) -> bool:
        """Return whether one of them is in the text in any form."""
        return any(
            form in text for secret, _ in self._longest_first() for form in (*_forms(secret), *_within_base64(secret))
        )

    def _learn_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            if name.lower() in _CREDENTIAL_HEADERS:
                for secret in _secrets_in(name.lower(), value):
                    self._learn(secret, REMOVED)

    def _learn(self, secret: str, stand_in: str) -> None:
        if len(secret) >= _SHORTEST and REMOVED not in secret:
            self._stands_for[secret] = stand_in

    def _longest_first(self) -> list[tuple[str, str]]:
        return sorted(self._stands_for.items(), key=lambda item: -len(item[0]))


def _secrets_in(name: str, value: str) -> Iterator[str]:
    yield value
    if name.endswith("cookie"):
        for part in value.split(";"):
            yield part.partition("=")[2].strip()
        return
    scheme, _, credential = value.partition(" ")
    yield credential.strip()
    if scheme.lower() == "basic":
        try:
            yield from base64.b64decode(credential, validate=True).decode().split(":", 1)
        except (binascii.Error, UnicodeDecodeError):
            return


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode()
    forms = (
        secret,
        json.dumps(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    )
    yield from dict.fromkeys(forms)


def _within_base64(secret: str) -> Iterator[str]:
    """The characters that are the secret's alone in the base64 of something longer, wherever it stands in it."""
    raw = secret.encode()
    for before in range(3):
        yield base64.b64encode(b"\0" * before + raw).decode()[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
