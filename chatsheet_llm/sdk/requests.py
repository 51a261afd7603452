"""A request as the SDK's resources hand it over, and as a hop's SDK takes it.  Sends nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import httpx2
import openai
from openai._constants import OVERRIDE_CAST_TO_HEADER, RAW_RESPONSE_HEADER
from openai._models import FinalRequestOptions as FinalRequestOptions
from openai._types import NOT_GIVEN, NotGiven
from openai._types import Omit as Omit

_T = TypeVar("_T")

_INTERNAL_HEADERS = frozenset({RAW_RESPONSE_HEADER.lower(), OVERRIDE_CAST_TO_HEADER.lower()})
OMIT = Omit()
"""Takes a header out that the SDK would send."""


def cast_of(client: openai.OpenAI | openai.AsyncOpenAI, cast_to: type[_T], options: FinalRequestOptions) -> type[_T]:
    """Return the type the caller wants, and take the SDK's private override out of the options' headers."""
    return client._maybe_override_cast_to(cast_to, options)


def copied(options: FinalRequestOptions) -> FinalRequestOptions:
    """Return a shallow copy, so that the caller's options stay as they are."""
    return options.model_copy()


def headers_of(options: FinalRequestOptions) -> dict[str, str | Omit]:
    """Return the headers of this one request, without the SDK's own markers."""
    if isinstance(options.headers, NotGiven):
        return {}
    return {name: value for name, value in options.headers.items() if name.lower() not in _INTERNAL_HEADERS}


def raw_marker(options: FinalRequestOptions) -> str | None:
    """Return ``"true"`` for ``with_raw_response``, ``"stream"`` for ``with_streaming_response``, else None."""
    if isinstance(options.headers, NotGiven):
        return None
    value = next((v for k, v in options.headers.items() if k.lower() == RAW_RESPONSE_HEADER.lower()), None)
    return value if isinstance(value, str) else None


def body_of(options: FinalRequestOptions) -> object:
    """Return the JSON body with ``extra_body`` merged in as the SDK would."""
    body, extra = options.json_data, options.extra_json
    if extra is None:
        return body
    if body is None:
        return dict(extra)
    if not isinstance(body, Mapping):
        raise TypeError(f"extra_body cannot be merged into a body of type {type(body).__name__}")
    return {**body, **extra}


def timeout_of(options: FinalRequestOptions) -> float | httpx2.Timeout | NotGiven | None:
    """Return the timeout that the caller set for this one request, if any."""
    return options.timeout


def seconds_of(timeout: object) -> float:
    """Return a timeout of any of the SDK's kinds in seconds: its read timeout where it has parts, infinity for None."""
    if isinstance(timeout, httpx2.Timeout) or hasattr(timeout, "read"):
        timeout = cast("httpx2.Timeout", timeout).read
    return float("inf") if timeout is None else float(cast("float", timeout))


def retries_of(options: FinalRequestOptions, default: int) -> int:
    """Return how many re-sends the caller allows for this request."""
    return options.get_max_retries(default)


def overheard(resource: type[Any], arguments: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    """Return the path and the arguments with which a resource's ``create`` asks its client to post; nobody sends it."""
    heard: list[tuple[str, dict[str, Any]]] = []

    async def nothing() -> None:
        pass

    def post(path: str, **told: Any) -> Any:
        heard.append((path, told))
        return nothing()

    asking = cast("Any", object.__new__(resource))
    asking._post = post
    made = asking.create(**arguments)
    # Nothing is awaited, so that one step is all there is.
    with contextlib.suppress(StopIteration):
        made.send(None)
    return heard[0]


def asked(
    template: FinalRequestOptions, body: object, *, extra_headers: Any = None, extra_query: Any = None,
    extra_body: Any = None, timeout: Any = NOT_GIVEN,
) -> FinalRequestOptions:  # fmt: skip
    """Return the options of one request, as the SDK makes them of a method's arguments."""
    made = template.model_copy()
    made.json_data = cast("Any", body)
    if extra_headers is not None:
        made.headers = extra_headers
    if extra_query is not None:
        made.params = extra_query
    if extra_body is not None:
        made.extra_json = extra_body
    if not isinstance(timeout, NotGiven):
        made.timeout = timeout
    return made


def outgoing(
    options: FinalRequestOptions | None, *, method: str, url: str, body: object, headers: Mapping[str, str | Omit],
    timeout: httpx2.Timeout,
) -> FinalRequestOptions:  # fmt: skip
    """Return options for a hop's SDK: one send, no redirect, the given body as it is."""
    made = FinalRequestOptions.construct(method=method, url=url) if options is None else options.model_copy()
    made.method, made.url = method, url
    made.json_data = cast("Any", body)
    made.extra_json = None
    made.headers = unencoded(headers)
    made.timeout = timeout
    made.max_retries = 0
    made.follow_redirects = False
    made.post_parser = NotGiven()
    # Set past pydantic: its own way knows fields only.
    object.__setattr__(made, "__class__", _Unlogged)
    return made


class _Unlogged(FinalRequestOptions):  # type: ignore[misc]  # final, but some versions log all of it
    """Options whose dump, which the SDK writes into its log, tells neither headers nor the body."""

    def model_dump(self, **_: object) -> dict[str, Any]:
        return {"method": self.method, "url": self.url}


def unencoded(headers: Mapping[str, str | Omit]) -> dict[str, str | Omit]:
    """Return the headers with no encoding but ``identity`` for the answer: what is packed may be a bomb."""
    kept = {name: value for name, value in headers.items() if name.lower() != "accept-encoding"}
    return {**kept, "Accept-Encoding": "identity"}
