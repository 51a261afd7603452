"""Keep what an SDK client makes anew of each request and what is the same in nearly all.  Changes no request.

Kept are the URL and the lines of the headers; what a request has alone is put in: its body, its time, its cookies, and
the values of the headers that it was given.  Where it is not plain that this makes the SDK's own request, the SDK makes
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import httpx2
import openai
from openai._utils._json import openapi_dumps

from chatsheet_llm.sdk.requests import FinalRequestOptions, Omit

_Client: TypeAlias = "openai.OpenAI | openai.AsyncOpenAI"

_MOST_KEPT = 256
"""Requests whose parts are kept for one state of a client."""
_READ_TIMEOUT, _LENGTH, _COOKIE = b"x-stainless-read-timeout", b"content-length", b"cookie"
_READ = frozenset(
    ("content-length", "cookie", "host", "transfer-encoding", "x-stainless-read-timeout", "x-stainless-retry-count")
)
"""Headers of which the SDK or its HTTP library would set others, or none, where somebody gave them."""
_READ_OF_CALLS = _READ | {"content-type"}
"""And the one by whose value the SDK writes the body; every client has it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What requests that are alike share.

    ``lines`` are the headers but the cookies and the length; ``given`` says at which of them the values of a request's
    own headers belong, and ``waits`` at which the time that it waits to read.
    """

    method: str
    url: httpx2.URL
    extensions: Mapping[str, object]
    lines: tuple[tuple[bytes, bytes], ...]
    given: tuple[tuple[str, int], ...]
    waits: int | None

    def request(
        self, options: FinalRequestOptions, content: bytes, cookies: httpx2.Cookies | None = None
    ) -> httpx2.Request:
        """Return a request of these parts.  Raises UnicodeEncodeError for a header that is not ASCII, as the SDK."""
        headers, timeout = cast("dict[str, str]", options.headers), cast("httpx2.Timeout", options.timeout)
        lines = list(self.lines)
        for name, at in self.given:
            lines[at] = (lines[at][0], headers[name].encode("ascii"))
        if self.waits is not None:
            lines[self.waits] = (_READ_TIMEOUT, str(timeout.read).encode())
        # The HTTP library sets the length after the cookies, where there are any.
        if cookies is None:
            lines.append((b"Content-Length", b"%d" % len(content)))
        extensions = {**self.extensions, "timeout": timeout.as_dict()}
        return httpx2.Request(
            self.method, self.url, headers=lines, cookies=cookies, content=content, extensions=extensions
        )


@dataclass(frozen=True, slots=True)
class _State:
    """What a client and its HTTP client are at a time, and what is kept of the requests that were made so.

    ``kept`` is None where all of a client's requests are the SDK's to make, and a value in it where those are which
    its key names.
    """

    client: Mapping[str, object]
    http: Mapping[str, object]
    headers: list[tuple[bytes, bytes]]
    kept: dict[object, _Kept | None] | None

    def holds(self, client: _Client) -> bool:
        """Tell whether the client is still so."""
        http = client._client
        return self.client == vars(client) and self.http == vars(http) and self.headers == http.headers.raw


def hasten(client: object) -> None:
    """Have a client of OpenAI's SDK keep the URL and the headers of its requests: nearly all are the same in each.

    The SDK makes them anew each time, which takes longer than to send the request.  All that they depend on is looked
    at: every attribute of the client and of its HTTP client, and the names of the request's own headers.  Of requests
    with a query, a file or raw content nothing is kept, nor of clients that are not of the SDK's or the HTTP library's
    own classes.  An asynchronous client is taken to run on asyncio alone.
    """
    if type(client) in (openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI, openai.AsyncAzureOpenAI):
        _hasten(cast("_Client", client))


def _hasten(client: _Client) -> None:
    original = client._build_request
    last = _state(client)

    def build(options: FinalRequestOptions, *, retries_taken: int = 0) -> httpx2.Request:
        nonlocal last
        state = last
        if not state.holds(client):
            last = state = _state(client)
        body, timeout, headers = options.json_data, options.timeout, options.headers
        if (
            state.kept is None
            or retries_taken
            or options.params
            or not (options.files is None and options.content is None and options.extra_json is None)
            or not (type(body) is dict and type(timeout) is httpx2.Timeout and type(headers) is dict)
            # Azure's dated paths name the deployment.
            or type(model := body.get("model")) not in (str, type(None))
        ):
            return original(options, retries_taken=retries_taken)
        key = (
            options.method,
            options.url,
            model,
            timeout.read is None,
            tuple(options.security.items()),
            tuple(headers),
            tuple(map(type, headers.values())),
        )
        kept = state.kept.get(key)
        if kept is None:
            made = original(options, retries_taken=retries_taken)
            if key not in state.kept and state.holds(client):
                if len(state.kept) >= _MOST_KEPT:
                    state.kept.clear()
                state.kept[key] = _kept(made, options)
            return made
        return kept.request(options, openapi_dumps(body), client._client.cookies or None)

    cast("Any", client)._build_request = build


def _state(client: _Client) -> _State:
    http = client._client
    # Copied before they are looked through: another thread may set an attribute meanwhile.
    of_client, of_http = dict(vars(client)), dict(vars(http))
    headers = http.headers.raw
    values = [value for value in of_client.values() if isinstance(value, Mapping)]
    names = {name.lower() for name in (*client.default_headers, *http.headers)}
    plain = (
        type(http) in (httpx2.Client, httpx2.AsyncClient, openai.DefaultHttpxClient, openai.DefaultAsyncHttpxClient)
        and not (_replaced(client, of_client) or _replaced(http, of_http))
        and client._idempotency_header is None
        and names.isdisjoint(_READ)
        and all(type(each) is dict and all(type(one) in (str, Omit) for one in each.values()) for each in values)
    )
    return _State(_copied(of_client), _copied(of_http), headers, {} if plain else None)


def _copied(attributes: Mapping[str, object]) -> dict[str, object]:
    """Return the attributes with copies of the dictionaries, that a change in one of them be seen."""
    return {name: dict(value) if isinstance(value, dict) else value for name, value in attributes.items()}


def _replaced(made: object, attributes: Mapping[str, object]) -> bool:
    """Tell whether an object has a method of its own in the place of its class's."""
    return any(callable(getattr(type(made), name, None)) for name in attributes if name != "_build_request")


def _kept(made: httpx2.Request, options: FinalRequestOptions) -> _Kept | None:
    """Return what to keep of a request of the SDK's, or None where it would not make the same request again."""
    headers = cast("dict[str, object]", options.headers)
    if not (type(made) is httpx2.Request and isinstance(made.stream, httpx2.ByteStream)):
        return None
    if not {name.lower() for name in headers}.isdisjoint(_READ_OF_CALLS):
        return None
    values = {name: value for name, value in headers.items() if type(value) is not Omit}
    if not all(type(value) is str and value.isascii() for value in values.values()):
        return None
    sent = [line for line in made.headers.raw if line[0].lower() != _COOKIE]
    lines = [line for line in sent if line[0].lower() != _LENGTH]
    at = {name.lower().decode("latin-1"): at for at, (name, _) in enumerate(lines)}
    given = tuple((name, at.get(name.lower(), -1)) for name in values)
    places = {place for _, place in given}
    if -1 in places or len(places) < len(given) or len(at) < len(lines):
        return None
    # The values are each call's own, and some are secrets.
    lines = [(name, b"" if place in places else value) for place, (name, value) in enumerate(lines)]
    waits = at.get(_READ_TIMEOUT.decode())
    kept = _Kept(made.method, made.url, dict(made.extensions), tuple(lines), given, waits)
    again = kept.request(options, openapi_dumps(options.json_data))
    alike = (again.headers.raw, again.content, again.extensions) == (sent, made.content, made.extensions)
    return kept if alike else None
