"""An answer as the SDK's resources expect it from `request()`.  Judges nothing of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import cache
from types import new_class
from typing import Any, TypeVar, cast, get_origin

import httpx2
import openai
from openai._constants import RAW_RESPONSE_HEADER
from openai._models import add_request_id

from chatsheet_llm.route import Route
from chatsheet_llm.sdk.requests import FinalRequestOptions
from chatsheet_llm.sdk.routes import ROUTE

_T = TypeVar("_T")


def finish(
    client: openai.OpenAI | openai.AsyncOpenAI,
    cast_to: type[_T],
    options: FinalRequestOptions,
    response: httpx2.Response,
    *,
    stream: bool,
    stream_cls: type[Any] | None,
) -> Any:
    """Let the SDK build what the caller asked for: its own type, a stream, a raw or a streaming response.

    A coroutine for an asynchronous client.
    """
    return client._process_response(
        cast_to=cast_to,
        options=options,
        response=response,
        stream=stream,
        stream_cls=_forgettable(cast("Any", stream_cls)),
        retries_taken=0,
    )


@cache
def _forgettable(stream_cls: Any) -> Any:
    """Return a stream of the SDK's so that one which nobody holds is freed at once, with its connection.

    The SDK's own holds the generator that it reads from, which holds it: only the garbage collector frees the two.
    """
    sdk_s = get_origin(stream_cls)
    if sdk_s not in (openai.Stream, openai.AsyncStream):
        return stream_cls

    def begin(self: Any, **told: Any) -> None:
        sdk_s.__init__(self, **told)
        reader = object.__new__(type(self))
        reader.__dict__.update(self.__dict__)
        del reader._iterator
        self._iterator = reader.__stream__()

    return new_class(sdk_s.__name__, (stream_cls,), exec_body=lambda names: names.update(__init__=begin))


def response_for(
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes | httpx2.SyncByteStream | httpx2.AsyncByteStream,
    url: str,
    marker: str | None,
    route: Callable[[], Route],
    seconds: float,
) -> httpx2.Response:
    """Return a response that holds our bytes.  Its request has no credential and no body, only the SDK's marker."""
    request = httpx2.Request("POST", url, headers={RAW_RESPONSE_HEADER: marker} if marker else {})
    made = httpx2.Response(
        status,
        headers=dict(headers),
        content=body if isinstance(body, bytes) else None,
        stream=None if isinstance(body, bytes) else body,
        request=request,
        extensions={ROUTE: route},
    )
    made.elapsed = dt.timedelta(seconds=seconds)
    return made


def mark(response: httpx2.Response, *, marker: str | None, route: Callable[[], Route]) -> None:
    """Put the SDK's marker and the route on a hop's own response that is handed to the caller as it is."""
    response.extensions[ROUTE] = route
    # Its own request holds the credential and whatever headers the endpoint was configured with.
    sent = response.request
    response.request = httpx2.Request(
        sent.method, sent.url, headers={RAW_RESPONSE_HEADER: marker} if marker else {}, extensions=sent.extensions
    )


def identify(value: object, request_id: str | None) -> None:
    """Put the server's id of the request on an SDK object, as the SDK does."""
    if isinstance(value, openai.BaseModel):
        add_request_id(value, request_id)
