"""Check single values of the configuration: text, keys, URLs, numbers, modes, hops.  Knows no field and reads no file.

A check returns the clean value, None for "not set" where that is allowed, or raises ValueError with the rest of a
sentence that starts with the value's name.  No sentence repeats what may be a secret.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr

from chatsheet_llm.route import MODES, Mode

ANSWERS_AFTER: Final = ("context_length", "content_filter", "gateway_policy")
"""Refusals that end a call, unless an endpoint is set up to be asked after them."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What an endpoint or a chain may be called."""

_SURFACE: Final = re.compile(r"(/openai(/v1|/deployments/.*)?|/v1(/messages)?)?/*$", re.IGNORECASE)
"""What may follow a resource's URL without naming another: the paths of its API."""
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_RESOURCE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class RepeatedError(ValueError):
    """A problem whose sentence repeats the value, so whoever filled the value in has to ask for another sentence."""


def clean_text(value: object) -> str | None:
    """Return the text without white space around it, None for an empty one; refuses control characters."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004  pydantic turns ValueError, not TypeError, into a problem
    value = value.strip()
    if not value.isprintable():
        raise ValueError("holds a line break or another control character; remove it")
    return value or None


def clean_ascii(value: object) -> str | None:
    """Return the text as `clean_text` does, for a URL or header: refuses non-ASCII characters too."""
    text = clean_text(value)
    if text is not None and not text.isascii():
        raise ValueError("holds a character that is not ASCII; copy the value again")
    return text


def clean_secret(value: object) -> SecretStr | None:
    """Return a key or token, of ASCII; refuses one that still wears its quotes or ``Bearer``."""
    text = clean_ascii(_plain(value))
    if text is None:
        return None
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ValueError("is wrapped in quotes, which would be sent as a part of it; remove them")
    if text.lower().startswith("bearer "):
        raise ValueError("starts with 'Bearer'; give the key alone")
    return SecretStr(text)


def clean_token(value: object) -> SecretStr | Callable[[], object] | None:
    """Return a token as `clean_secret` does, or the function that gives one whenever it is asked."""
    return value if callable(value) else clean_secret(value)


def clean_url(value: object) -> str | None:
    """Return an http(s) URL with a host and without user, password, query or fragment."""
    text = clean_ascii(value)
    if text is not None:
        _check_url(text, ("http", "https"))
        if "@" in urlsplit(text).netloc:
            raise ValueError("holds a user name or password; remove them and set the API key instead")
        if "?" in text or "#" in text:
            raise ValueError("holds a query or fragment ('?' or '#'); give the URL without it (the API version apart)")
    return text


def resource_of(url: str) -> str:
    """Return a URL in the form in which resources are compared: no path of the API or default port, lower case."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{_SURFACE.sub('', parts.path, count=1)}"


def clean_foundry_resource(value: object) -> str | None:
    """Return the URL of an Azure Foundry resource, given as such or by the resource's name."""
    text = clean_ascii(value)
    if text is None or "://" in text:
        return clean_url(text)
    if not _RESOURCE.fullmatch(text):
        raise ValueError("must be the name of a resource, as in my-resource, or a URL that starts with https://")
    return f"https://{text}.services.ai.azure.com/anthropic"


def clean_proxy(value: object) -> SecretStr | None:
    """Return the URL of a network proxy; it may hold a user and password, so it is a secret."""
    text = clean_ascii(_plain(value))
    if text is None:
        return None
    _check_url(text, ("http", "https", "socks5", "socks5h"))
    return SecretStr(text)


def clean_state_url(value: object) -> SecretStr | None:
    """Return the URL of a Redis server; it may hold a password, so it is a secret."""
    text = clean_ascii(_plain(value))
    if text is None:
        return None
    _check_url(text, ("redis", "rediss"))
    parts = urlsplit(text)
    if not re.fullmatch(r"(/\d*)?", parts.path) or not re.fullmatch(r"(namespace=[\w.%-]+)?", parts.query):
        raise ValueError("takes the number of a database after the host and ?namespace=NAME after that, nothing else")
    return SecretStr(text)


def clean_path(value: object) -> Path | None:
    """Return a path of the file system; ``~`` is the home directory."""
    text = clean_text(os.fspath(value) if isinstance(value, os.PathLike) else value)
    return None if text is None else Path(text).expanduser()


def clean_names(value: object) -> tuple[str, ...] | None:
    """Return the texts of a list: Python's, JSON's, or names with commas between them.  Empty ones are left out."""
    if isinstance(value, str):
        text = value.strip()
        value = _parse_json(text) if text.startswith("[") else text.split(",")
    if value is None:
        return None
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list, or names with commas between them")  # noqa: TRY004  see clean_text
    return tuple(name for name in map(clean_text, value) if name) or None


def clean_modes(value: object) -> tuple[Mode, ...] | None:
    """Return a list of modes, written as for `clean_names`."""
    names = clean_names(value)
    return None if names is None else tuple(map(parse_mode, names))


def clean_answers_after(value: object) -> tuple[str, ...]:
    """Return a list of refusals after which an endpoint may be asked all the same, written as for `clean_names`."""
    names = clean_names(value) or ()
    for name in names:
        if name not in ANSWERS_AFTER:
            raise RepeatedError(f"{name!r} is no refusal that another hop may answer; use {', '.join(ANSWERS_AFTER)}")
    return names


def clean_chain(value: object) -> tuple[str, ...]:
    """Return a list of hops, written as for `clean_names`; refuses an empty one."""
    names = clean_names(value)
    if names is None:
        raise ValueError("names no hop; list at least one, as in litellm,azure/responses,azure/chat")
    return tuple(map(check_hop, names))


def clean_headers(value: object) -> dict[str, SecretStr]:
    """Return header name to secret value, from a mapping or its JSON.  A header with an empty value is left out."""
    if isinstance(value, str):
        value = _parse_json(value) if value.strip() else None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError('must map header names to values, as in {"Ocp-Apim-Subscription-Key": "..."}')  # noqa: TRY004
    headers = {}
    for name, content in value.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError("holds a header name that HTTP does not allow")
        try:
            text = clean_ascii(_plain(content))
        except ValueError as problem:
            raise ValueError(f"header {name!r} {problem}") from None
        if text is not None:
            headers[name] = SecretStr(text)
    return headers


def clean_seconds(value: object) -> float:
    """Return a finite number of seconds greater than 0, given as a number or text."""
    try:
        number = float(cast("Any", value)) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"must be a number of seconds greater than 0 (got {_shown(value)})")
    return number


def at_least(least: int) -> Callable[[object], int]:
    """Return a check that returns a whole number of at least ``least``, given as a number or text."""

    def check(value: object) -> int:
        try:
            number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else least - 1
        except ValueError:
            number = least - 1
        if number < least:
            raise ValueError(f"must be a whole number of at least {least} (got {_shown(value)})")
        return number

    return check


def clean_on_loss(value: object) -> str:
    """Return what to do where a format cannot carry an input: ``error`` or ``drop``."""
    text = clean_text(value)
    if text not in ("error", "drop"):
        raise ValueError(f"must be error or drop (got {_shown(value)})")
    return text


def clean_stream_recovery(value: object) -> str:
    """Return what becomes of a stream that breaks behind its first content: ``off``, ``buffer`` or ``restart``."""
    text = clean_text(value)
    if text not in ("off", "buffer", "restart"):
        raise ValueError(f"must be off, buffer or restart (got {_shown(value)})")
    return text


def clean_hedge_after(value: object) -> float | Literal["p95"] | None:
    """Return after how many seconds of silence a second hop is asked; ``p95`` for what the last answers took."""
    text = clean_text(value) if isinstance(value, str) else value
    if text is None or text == "p95":
        return text
    try:
        return clean_seconds(text)
    except ValueError as problem:
        raise ValueError(f"{problem}, or p95") from None


def parse_flag(text: str) -> bool:
    """Return whether the text is ``true``; refuses what is neither that nor ``false``."""
    if text.lower() not in ("true", "false"):
        raise RepeatedError(f"must be true or false (got {text!r})")
    return text.lower() == "true"


def parse_count(text: str) -> int:
    """Return a whole number of at least 1, as digits have it."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise RepeatedError(f"must be a whole number of at least 1 (got {text!r})")
    return int(text)


def parse_mode(text: str) -> Mode:
    """Return the mode of this name."""
    for mode in MODES:
        if text == mode:
            return mode
    raise RepeatedError(f"{text!r} is not a mode; use {', '.join(MODES[:-1])} or {MODES[-1]}")


def check_hop(text: str) -> str:
    """Return the hop as it is, if it is spelled ``endpoint`` or ``endpoint/mode``; whether it exists is not asked."""
    endpoint, slash, mode = text.partition("/")
    if not NAME.fullmatch(endpoint):
        raise RepeatedError(f"{text!r} is not a hop; write endpoint or endpoint/mode, as in azure/responses")
    if slash:
        try:
            parse_mode(mode)
        except ValueError as problem:
            raise RepeatedError(f"hop {text!r}: {problem}") from None
    return text


def unknown_name(name: str, allowed: Iterable[str], noun: str = "field") -> str:
    """Return the sentence for a name that does not exist: the closest one that does, and all of them."""
    allowed = sorted(allowed)
    close = difflib.get_close_matches(name, allowed, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown {noun} {name!r}; {hint}allowed: {', '.join(allowed)}"


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _check_url(text: str, schemes: tuple[str, ...]) -> None:
    if re.search(r"[\s\\<>{}\"^`|]", text):
        raise ValueError("is not a URL: it holds a blank, bracket or backslash; replace the placeholder or quote")
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError("is not a URL: its host or port is malformed") from None
    if url.scheme not in schemes or not host or port == 0:
        raise ValueError(f"must be a URL with a host that starts with {schemes[0]}:// or {schemes[1]}://")


def _parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("is not valid JSON") from None  # its own error would repeat the text


def _shown(value: object) -> str:
    text = value.strip() if isinstance(value, str) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


Text = Annotated[str | None, BeforeValidator(clean_text)]
Ascii = Annotated[str | None, BeforeValidator(clean_ascii)]
Url = Annotated[str | None, BeforeValidator(clean_url)]
FoundryResource = Annotated[str | None, BeforeValidator(clean_foundry_resource)]
Secret = Annotated[SecretStr | None, BeforeValidator(clean_secret)]
Token = Annotated[SecretStr | Callable[[], Any] | None, BeforeValidator(clean_token)]
Proxy = Annotated[SecretStr | None, BeforeValidator(clean_proxy)]
StateUrl = Annotated[SecretStr | None, BeforeValidator(clean_state_url)]
LocalPath = Annotated[Path | None, BeforeValidator(clean_path)]
Seconds = Annotated[float, BeforeValidator(clean_seconds)]
