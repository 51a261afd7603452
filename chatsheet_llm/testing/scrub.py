"""What a cassette may hold of a request and its reply, as allow-lists and tables.  Pure: no file, no patching.

Everything here gives the same when it is done twice: it runs on what is recorded, on what is asked for in a replay and
on what a cassette holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from chatsheet_llm.hints import retry_after
from chatsheet_llm.redact import redact

REQUEST_HEADERS = frozenset({"accept", "content-type"})
RESPONSE_HEADERS = re.compile(
    r"content-type|x-request-id|(?:llm_provider-)?(?:retry-after|retry-after-ms|x-ratelimit-[a-z-]+)", re.IGNORECASE
)
"""All other headers are dropped.  LiteLLM's ``llm_provider-`` copies of a wait hint count as the hint does."""

QUERY = frozenset(
    {"after", "api-version", "before", "include", "include[]", "limit", "order", "purpose", "starting_after", "stream"}
)
"""Parameters that keep their value.  Of every other one only the name is kept: a signed URL still shows that it was."""

REMOVED = "[removed]"
DOMAIN = "example.invalid"
SEALED = "sealed-"

_API_PATH = re.compile(r"^.*?(?=/(?:openai|v1)(?:/|$))")
_ENDPOINTS: tuple[tuple[str, str], ...] = (
    ("x-litellm-", "litellm"),
    ("anthropic-version", "anthropic"),
    ("api-key", "azure"),
)
"""Whose server a request is for, by the beginning of a header's name; the path tells of Azure with an Entra token."""

CREDENTIALS = frozenset(
    {
        "api_key",
        "authorization",
        "authorization_token",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "azure_ad_token",
        "client_secret",
        "headers",
        "extra_headers",
        "user_config",
    }
)
"""Fields that carry credentials: at the top of a body (LiteLLM takes them there), and in an MCP server's entry."""

PERSONS = frozenset({"user", "safety_identifier", "prompt_cache_key"})
"""Fields at the top of a body that say who asked, or may."""
NOTES = "metadata"
"""The field at the top of a body whose values are the caller's own, and may say who asked; its names are kept."""

_SEALED: tuple[tuple[str, frozenset[str] | None], ...] = (
    ("encrypted_content", None),
    ("signature", frozenset({"thinking", "signature_delta"})),
    ("data", frozenset({"redacted_thinking"})),
)
"""Fields that hold encrypted state, and the types of the objects in which they do (None: in any)."""
_ADDRESSES = frozenset({"api_base", "base_url", "endpoint", "server_url", "url"})
_LISTS: Mapping[str, Callable[[Mapping[str, object]], Mapping[str, object]]] = {
    "tools": lambda item: _server(item) if item.get("type") == "mcp" else item,
    "mcp_servers": lambda item: _server(item),
    "data_sources": lambda item: _data_source(item),
}
"""Lists in a body whose items name other servers."""

_ERROR_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"((?:API|api) key(?: provided)?\s*[:=]\s*)[^\s\"',.}]+", re.IGNORECASE), rf"\1{REMOVED}"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), REMOVED),
    (re.compile(r"[\w*-]*\*{3,}[\w*-]*"), REMOVED),
)
"""In the text of errors: key fragments however short, and the GUIDs of principals, tenants and subscriptions."""


# --- requests ------------------------------------------------------------------------------------------------------


def request_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what may be kept of a request's headers, by lower-case name; a multipart boundary is made steady."""
    kept = {name.lower(): value for name, value in headers.items() if name.lower() in REQUEST_HEADERS}
    if "content-type" in kept:
        kept["content-type"] = re.sub(r"boundary=[^;]+", "boundary=boundary", kept["content-type"])
    return kept


def endpoint_of(url: str, headers: Mapping[str, str], hosts: Mapping[str, str]) -> str:
    """Return the name of the endpoint that stands for a server.

    ``hosts`` maps ``host`` or ``host:port`` to a name and wins; else the request's own headers and path tell:
    ``litellm``, ``anthropic``, ``azure``, or ``openai``.
    """
    parts = urlsplit(url)
    host, netloc = parts.hostname or "", parts.netloc.rpartition("@")[2]
    if host.endswith(f".{DOMAIN}"):
        return host.removesuffix(f".{DOMAIN}")
    named = hosts.get(netloc) or hosts.get(host)
    if named:
        return named
    names = [name.lower() for name in headers]
    found = next((endpoint for start, endpoint in _ENDPOINTS if any(name.startswith(start) for name in names)), None)
    return found or ("azure" if "/openai/" in parts.path else "openai")


def clean_url(url: str, endpoint: str) -> str:
    """Return the URL on ``<endpoint>.example.invalid``, without what stands before the API's path.

    Port, user, password and fragment are dropped; parameters keep their value only where :data:`QUERY` names them.
    """
    parts = urlsplit(url)
    query = [(name, value if name in QUERY else REMOVED) for name, value in parse_qsl(parts.query, True)]
    path = _API_PATH.sub("", parts.path, count=1)
    return urlunsplit(("https", f"{endpoint}.{DOMAIN}", path, urlencode(query, safe="[]"), ""))


def request_body(content: bytes, content_type: str) -> bytes:
    """Return the body without credentials for other servers, persons and sealed state; bytes that are no JSON stay."""
    boundary = re.search(r"multipart/.*boundary=\"?([^;\"]+)", content_type)
    if boundary is not None:
        return content.replace(boundary[1].encode(), b"boundary")
    return _rewritten(content)


def private_texts(content: bytes) -> Iterator[str]:
    """Yield what :func:`request_body` takes out of a body: a server may repeat it in its reply."""
    try:
        body = json.loads(content)
    except ValueError:
        return
    for key, value in body.items() if isinstance(body, Mapping) else ():
        if key in CREDENTIALS or key in PERSONS or key == NOTES:
            yield from _leaves(value)
        elif key in _LISTS:
            yield from _credentials_below(value)


def _credentials_below(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _credentials_below(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item) if key in CREDENTIALS or key == "authentication" else _credentials_below(item)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key != "type":
                yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)


# --- replies -------------------------------------------------------------------------------------------------------


def response_headers(headers: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return what may be kept of a reply's headers, by lower-case name.

    A ``retry-after`` date becomes the seconds that it meant: it would have passed by the time of a replay.
    """
    lower = {name.lower(): values for name, values in headers.items()}
    kept = {name: list(values) for name, values in lower.items() if RESPONSE_HEADERS.fullmatch(name)}
    for name, values in kept.items():
        if name.endswith("retry-after"):
            kept[name] = [_seconds(value, lower.get("date", [""])[0]) for value in values]
    return kept


def response_body(content: bytes, content_type: str, status: int) -> bytes:
    """Return the body with the rules of :func:`request_body`; in errors also without key fragments and GUIDs."""
    if "event-stream" in content_type:
        return b"\n".join(_event_line(line) for line in content.split(b"\n"))
    return _rewritten(content, error=status >= 400)


def _event_line(line: bytes) -> bytes:
    name, colon, rest = line.partition(b":")
    if name != b"data" or not colon:
        return line
    data = rest.strip()
    cleaned = _rewritten(data, event=True)
    return line if cleaned == data else b"data: " + cleaned + (b"\r" if line.endswith(b"\r") else b"")


def _seconds(value: str, date: str) -> str:
    try:
        float(value)
    except ValueError:
        seconds = retry_after({"retry-after": value, "date": date}, datetime.now(timezone.utc))
        return value if seconds is None else f"{seconds:.0f}"
    return value


# --- bodies --------------------------------------------------------------------------------------------------------


def _rewritten(content: bytes, *, error: bool = False, event: bool = False) -> bytes:
    """Return the bytes as they are where no rule applies, else the JSON written anew."""
    try:
        parsed = json.loads(content)
    except ValueError:
        return _plain_error(content) if error else content
    cleaned = _walked(_top(parsed))
    if error or (event and _is_error(parsed)):
        cleaned = _each_text(cleaned, _error_text)
    return content if cleaned == parsed else json.dumps(cleaned, separators=(",", ":")).encode()


def _plain_error(content: bytes) -> bytes:
    try:
        return _error_text(content.decode()).encode()
    except UnicodeDecodeError:
        return content


def _is_error(event: object) -> bool:
    return isinstance(event, Mapping) and (
        isinstance(event.get("error"), (str, Mapping)) or event.get("type") in ("error", "response.failed")
    )


def _top(body: object) -> object:
    """Apply what holds at the top of a request, of a reply, and of the reply within a Responses event."""
    if not isinstance(body, Mapping):
        return body
    made: dict[str, object] = {}
    for key, value in body.items():
        rule = _LISTS.get(key)
        if key in CREDENTIALS:
            continue
        if key in PERSONS and isinstance(value, str):
            value = REMOVED
        elif key == NOTES and isinstance(value, Mapping):
            value = {name: REMOVED if isinstance(item, str) else item for name, item in value.items()}
        elif key in _ADDRESSES and isinstance(value, str) and "://" in value:
            value = _address(value)
        elif rule is not None and isinstance(value, list):
            value = [rule(item) if isinstance(item, Mapping) else item for item in value]
        elif key == "response":
            value = _top(value)
        made[key] = value
    return made


def _server(item: Mapping[str, object]) -> Mapping[str, object]:
    kept = {key: value for key, value in item.items() if key not in CREDENTIALS}
    return {k: _address(v) if k in _ADDRESSES and isinstance(v, str) else v for k, v in kept.items()}


def _data_source(item: Mapping[str, object]) -> Mapping[str, object]:
    """Azure's own data: of each ``authentication`` only the type, of each address only that there was one."""
    made: dict[str, object] = {}
    for key, value in item.items():
        if key == "authentication" and isinstance(value, Mapping):
            value = {"type": value.get("type")}
        elif key in _ADDRESSES and isinstance(value, str):
            value = _address(value)
        elif isinstance(value, Mapping):
            value = _data_source(value)
        made[key] = value
    return made


def _address(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return url if host.endswith(DOMAIN) else f"https://server.{DOMAIN}/"


def _walked(value: object) -> object:
    """Replace sealed state, wherever it is, by a digest: what is sent back must still be what was received."""
    if isinstance(value, list):
        return [_walked(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kind = value.get("type")
    keys = [key for key, kinds in _SEALED if kinds is None or kind in kinds]
    return {
        key: sealed(item) if key in keys and isinstance(item, str) and item else _walked(item)
        for key, item in value.items()
    }


def sealed(content: str) -> str:
    """Return what stands in a cassette for a provider's encrypted state."""
    return content if content.startswith(SEALED) else SEALED + hashlib.sha256(content.encode()).hexdigest()[:12]


def _each_text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    if isinstance(value, Mapping):
        return {key: _each_text(item, change) for key, item in value.items()}
    return value


def _error_text(text: str) -> str:
    text = redact(text)
    for pattern, replacement in _ERROR_TEXT:
        text = pattern.sub(replacement, text)
    return text
