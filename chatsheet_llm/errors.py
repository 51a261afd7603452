"""The error tree.  Where an OpenAI class says the same thing, ours is that too: ``except openai.…`` keeps working.

::

    ChatsheetError                        (openai.OpenAIError)
    ├── SettingsError                     (ValueError)             a variable, file or argument is wrong
    │   └── NoEndpointError                                        no hop of the chain is configured
    ├── UnsupportedPathError                                       no endpoint of the chain serves this OpenAI path
    └── CallError                         (openai.APIError)        a call failed; ``.route`` holds every attempt
        ├── InvalidRequestError           (openai.APIStatusError)  the caller's fault: one send, no failover
        │   ├── BadRequestError           (openai.BadRequestError)
        │   │   ├── ContextLengthError
        │   │   └── UnsupportedParameterError                      no hop can carry a parameter; nothing was sent
        │   ├── RequestNotFoundError      (openai.NotFoundError)
        │   │   └── UnknownModelError                              models.yaml names no such model; nothing was sent
        │   ├── RequestConflictError      (openai.ConflictError)
        │   ├── RequestTooLargeError
        │   └── UnprocessableRequestError (openai.UnprocessableEntityError)
        ├── ContentFilteredError          (openai.BadRequestError) never sent to another provider
        ├── GatewayPolicyError            (openai.APIStatusError)  budget, model access or guardrail of the gateway
        ├── HopConfigError                                         every hop left is wired wrong
        │   ├── AuthenticationError       (openai.AuthenticationError)
        │   ├── PermissionDeniedError     (openai.PermissionDeniedError)
        │   ├── DeploymentNotFoundError   (openai.NotFoundError)
        │   ├── CapabilityError           (openai.BadRequestError)
        │   ├── InterceptedError          (openai.APIResponseValidationError)  a page came in place of an answer
        │   └── HopUnreachableError       (openai.APIConnectionError)
        ├── RateLimitedError              (openai.RateLimitError)  ``.retry_at`` says when
        ├── OverloadedError               (openai.InternalServerError)
        ├── ProviderError                 (openai.InternalServerError)
        ├── HopConnectionError            (openai.APIConnectionError)
        │   └── HopTimeoutError           (openai.APITimeoutError)
        ├── InvalidAnswerError            (openai.APIResponseValidationError)  2xx without a valid answer
        │   └── ResponseTooLargeError                              larger than any answer of a model
        ├── LocalResourceError            (openai.APIConnectionError)  our own process: pool, settings
        ├── DeadlineExceededError         (openai.APITimeoutError, TimeoutError)
        └── StreamInterrupted             (openai.APIConnectionError)  ``.partial`` holds the text delivered so far
            └── StreamTruncated                                        the stream ended without its terminal event

Where the HTTP status says something else than the tree, the error is the SDK's class for the status as well.

No error holds a credential, the request's headers or its body: ``.request`` is the URL of the attempt that it tells of,
without query and user (``https://chatsheet.invalid/`` where there was none), ``.response`` the status, an allow-listed
set of headers and the provider's own body.  All of them pickle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

import httpx2
import openai

from chatsheet_llm.route import Route

_E = TypeVar("_E", bound="ChatsheetError")

_NO_URL = "https://chatsheet.invalid/"


_BY_STATUS: Mapping[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


def with_status(cls: type[_E], status: int | None) -> type[_E]:
    """Return the class, joined with the SDK's own class for this HTTP status where it is not that already.

    What a fault is and which status it comes with are two things: a gateway says "no such model" with a 400.  The name
    stays, and it pickles.
    """
    if status is None or status < 300:
        return cls
    also = _BY_STATUS.get(status, openai.InternalServerError if status >= 500 else openai.APIStatusError)
    return cls if issubclass(cls, also) else _joined(cls, also)


_JOINED: dict[tuple[object, object], type[ChatsheetError]] = {}


def _joined(cls: type[_E], also: type[openai.APIStatusError]) -> type[_E]:
    made = _JOINED.get((cls, also))
    if made is None:
        body = {"__doc__": cls.__doc__, "__module__": cls.__module__, "_also": (cls, also)}
        made = _JOINED.setdefault((cls, also), type(cls.__name__, (cls, also), body))
    return cast("type[_E]", made)


class ChatsheetError(openai.OpenAIError):
    """Base of everything this library raises.  ``route`` says what was tried; it is empty where nothing was."""

    route: Route = Route()

    _also: ClassVar[tuple[type[ChatsheetError], type[openai.APIStatusError]] | None] = None
    """Of a class made by :func:`with_status`: what it was made of."""

    def __reduce__(self) -> tuple[Callable[..., ChatsheetError], tuple[Any, ...]]:
        return _rebuild, (self._also or type(self), self.args, dict(self.__dict__))


def _rebuild(made: type[_E] | tuple[type[_E], type[openai.APIStatusError]], args: tuple[Any, ...], state: Any) -> _E:
    cls = _joined(*made) if isinstance(made, tuple) else made
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class SettingsError(ChatsheetError, ValueError):
    """A variable, a file or an argument is wrong.  The message names it, never its value where that is secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class NoEndpointError(SettingsError):
    """No hop of the chain has a configured endpoint; the message lists the variables to set."""


class UnsupportedPathError(ChatsheetError):
    """No endpoint of the chain serves this OpenAI path; the message names the path and the endpoints."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class CallError(ChatsheetError, openai.APIError):
    """A call failed.

    ``route`` lists every attempt; ``status_code`` is None where no answer came; ``body`` is the provider's error body
    (``error`` object, whole body, or text), ``code``, ``param`` and ``type`` its fields.
    """

    status_code: Any
    request_id: str | None
    response: httpx2.Response

    def __init__(
        self,
        message: str,
        *,
        route: Route | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        code: str | None = None,
        param: str | None = None,
        type: str | None = None,  # noqa: A002  the SDK's own name
        request_id: str | None = None,
        url: str | None = None,
    ) -> None:
        Exception.__init__(self, message)
        self.message = message
        self.route = route if route is not None else Route()
        self.body = body
        self.code = code
        self.param = param
        self.type = type
        self.request_id = request_id
        self.status_code = status
        try:
            self.request = httpx2.Request("POST", url or _NO_URL)
        except httpx2.InvalidURL:
            # Whatever it is, it shall not stand in the way of the error.
            self.request = httpx2.Request("POST", _NO_URL)
        # Code written for the SDK reads `.response.headers`; 400 stands in where nothing was sent.
        content = body if isinstance(body, (bytes, str)) else None
        json = body if content is None and body is not None else None
        if isinstance(json, Mapping) and "message" in json and not {"error", "statusCode"} & json.keys():
            # As it came, or would have come, on the wire; ``body`` is the error object alone, as with the SDK.
            json = {"error": json}
        self.response = httpx2.Response(
            status or 400, headers=dict(headers or {}), content=content, json=json, request=self.request
        )

    @property
    def retry_at(self) -> datetime | None:
        """The earliest time (UTC) at which a provider said it would take the call again, or None."""
        return self.route.retry_at


class InvalidRequestError(CallError, openai.APIStatusError):
    """The request itself is wrong.  It was sent once and not offered to another hop."""


class BadRequestError(InvalidRequestError, openai.BadRequestError):
    """HTTP 400 that no other hop would answer differently."""


class ContextLengthError(BadRequestError):
    """The input is longer than the model's window."""


class UnsupportedParameterError(BadRequestError):
    """No hop of the chain can carry something the caller set.  Nothing was sent; ``route.losses`` names it."""


class RequestNotFoundError(InvalidRequestError, openai.NotFoundError):
    """HTTP 404 for something the caller named: a response, a file, a conversation."""


class UnknownModelError(RequestNotFoundError):
    """``models.yaml`` names no such model; the message lists those it names.  Nothing was sent."""


class RequestConflictError(InvalidRequestError, openai.ConflictError):
    """HTTP 409."""


class RequestTooLargeError(InvalidRequestError):
    """HTTP 413."""


class UnprocessableRequestError(InvalidRequestError, openai.UnprocessableEntityError):
    """HTTP 422."""


class ContentFilteredError(CallError, openai.BadRequestError):
    """The provider's content filter refused the prompt.  It is never offered to another provider."""


class GatewayPolicyError(CallError, openai.APIStatusError):
    """A gateway's own policy refused the call: budget, model access, guardrail.  Failing over would defeat it."""


class HopConfigError(CallError):
    """Every hop that could have served the call is wired wrong.  The message says which and what to set."""


class AuthenticationError(HopConfigError, openai.AuthenticationError):
    """HTTP 401: key, token or role assignment."""


class PermissionDeniedError(HopConfigError, openai.PermissionDeniedError):
    """HTTP 403: network rules, disabled key authentication, missing rights."""


class DeploymentNotFoundError(HopConfigError, openai.NotFoundError):
    """The endpoint knows no such deployment, model or path."""


class CapabilityError(HopConfigError, openai.BadRequestError):
    """The deployment does not serve this API, and no hop is left that does."""


class HopUnreachableError(HopConfigError, openai.APIConnectionError):
    """Name resolution, TLS trust, an HTTP proxy or a redirect stands in the way."""


class InterceptedError(HopConfigError, openai.APIResponseValidationError):
    """A page came in place of an answer: a login, a captive portal, a firewall stands before the endpoint."""


class RateLimitedError(CallError, openai.RateLimitError):
    """HTTP 429 on every hop left, and waiting did not fit the deadline.  ``retry_at`` says when to come back."""


class OverloadedError(CallError, openai.InternalServerError):
    """The provider is overloaded (503, 529) or parked behind its gateway's cooldown."""


class ProviderError(CallError, openai.InternalServerError):
    """The provider failed (5xx, 408, 424) on every hop left."""


class HopConnectionError(CallError, openai.APIConnectionError):
    """No hop could be reached, or the connection broke before an answer."""


class HopTimeoutError(HopConnectionError, openai.APITimeoutError):
    """No hop answered in its time; the deadline of the call had not passed."""


class InvalidAnswerError(CallError, openai.APIResponseValidationError):
    """A 2xx that is no answer: empty, broken JSON, another schema, or a stream that ended before its first content."""


class ResponseTooLargeError(InvalidAnswerError):
    """An answer larger than any answer of a model; it was not read to its end, and no other hop was asked."""


class LocalResourceError(CallError, openai.APIConnectionError):
    """Our own process stood in the way: the connection pool, a key or header of the settings that cannot be sent."""


class DeadlineExceededError(CallError, openai.APITimeoutError, TimeoutError):
    """The deadline of the whole call passed."""


class StreamInterrupted(CallError, openai.APIConnectionError):
    """A stream failed after its first content was delivered, so no other hop may continue it.

    ``partial`` is the text delivered so far; ``route`` ends with the attempt that broke.
    """

    partial: str = ""


class StreamTruncated(StreamInterrupted):
    """The stream ended cleanly on the wire, but without the event that says the answer is whole."""
