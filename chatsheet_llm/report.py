"""Turn what happened into the error the caller gets: which class, which words.  Decides nothing about the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar, cast

from chatsheet_llm import errors
from chatsheet_llm.classify import Failure
from chatsheet_llm.endpoints import Endpoint
from chatsheet_llm.errors import CallError
from chatsheet_llm.faults import FAULTS
from chatsheet_llm.formats.error_bodies import bridge_error
from chatsheet_llm.hops import BODY, LOSS, MODE, MODEL, PATH, STATE, UNCONFIGURED, Call, Dispatch
from chatsheet_llm.models import Registry
from chatsheet_llm.route import Attempt, Mode, Route
from chatsheet_llm.steps import GaveUp

_E = TypeVar("_E", bound=CallError)

ADVICE: Mapping[str, str] = {
    "dns": "check the endpoint's host name; a private endpoint needs its private DNS zone",
    "tls_trust": "set CHATSHEET_CA_BUNDLE to the PEM file of your certificate authority",
    "dns_busy": "check the name server, and that it can be reached from here",
    **dict.fromkeys(
        ("proxy", "proxy_denied", "proxy_failed", "proxy_timeout"),
        "check the proxy's URL (CHATSHEET_PROXY, HTTPS_PROXY) and that it is running; "
        "hosts in NO_PROXY are reached without one that the environment sets",
    ),
    "unsendable": "decode such text with errors='replace'",
    "encoded": "let the gateway before the endpoint pass the header Accept-Encoding on",
    "unfinished": "ask for it with background=True and store=True, and retrieve it by its id",
    "redirect": "set the endpoint to the URL it redirects to",
    "refused": "check the endpoint's URL, and that it is running",
    "connect": "check the endpoint's URL, and that it is running",
    "auth": "check the endpoint's API key or token",
    "forbidden": "check network rules, key authentication and role assignments of the resource",
    "capability": "put an endpoint into the chain that serves it through an API which can carry this request",
    "deployment": "check the deployment's name and the API version; a new deployment needs some minutes",
    "unknown_model": "check the model's name against `chatsheet-llm models`",
    "tools_on_chat": "ask for it through /v1/responses (mode 'responses'), or set reasoning_effort to 'none'",
    "streaming": "ask for it without stream, or as streaming: false in the model's capabilities",
    "html": "check the endpoint's URL; a login page or a proxy may stand before it",
    "pool": "close streams that are not read to their end, or use fewer calls at once",
    "deadline": "raise CHATSHEET_DEADLINE, or the call's deadline",
}
"""What to do, by fault, where there is something to do."""

_BY_TEXT: Mapping[str, str] = {
    **dict.fromkeys(
        ("WRONG_VERSION_NUMBER", "record layer failure"),
        "the server does not speak TLS there: http:// instead of https://?",
    )
}
"""What to do, by what the message says, where that tells more than the fault."""
_BY_CODE: Mapping[str, str] = {
    # Azure refuses an identity without a role with 401, too.
    "PermissionDenied": "give the identity a role for data, such as Cognitive Services OpenAI User; it takes minutes",
}
"""What to do, by the provider's code, where that tells more than the fault."""
_NO_PATH = "check the path, and that the endpoint's base URL is that of its API, as in https://host/v1"
"""What to do about a path that is not known, of a request that names no deployment."""

_OTHER_API: Mapping[Mode | None, str] = {
    "chat": "ask for it through /v1/responses: leave the mode to the rules, or name that API in the chain",
    "responses": "ask for it through /v1/chat/completions: leave the mode to the rules, or name that API in the chain",
}
"""What to do about a deployment that does not serve an API."""


_REFUSES_API = frozenset({"capability", "tools_on_chat"})
"""Faults that say: not through this API."""


def class_of(fault: str) -> type[CallError]:
    """Return the class of error that a caller gets for a fault."""
    found = getattr(errors, FAULTS[fault].error)
    return cast("type[CallError]", found)


def error_for(failure: Failure, route: Route) -> CallError:
    """Return the error for a call that ended with this failure."""
    return _made(class_of(failure.fault), failure, route)


def ended(end: GaveUp, route: Route, endpoints: Mapping[str, Endpoint] = MappingProxyType({})) -> CallError:
    """Return the error for a call whose plan gave up.  ``endpoints`` tell what is not set of theirs."""
    failure = end.failure
    lost = [loss for _, losses in end.unmade for loss in losses if not loss.minor]
    if failure.fault not in _REFUSES_API or not lost:
        return _made(class_of(failure.fault), failure, route, _unset(failure, route, endpoints))
    # The provider's sentence would say to ask through the other API, which is what could not be done.
    parameters = ", ".join(dict.fromkeys(loss.path for loss in lost))
    reasons = "; ".join(f"{skip.hop}: {skip.reason}" for skip, _ in end.unmade)
    return _ours(
        errors.UnsupportedParameterError,
        f"no hop of the chain can carry {parameters} ({reasons}); leave it out, or change the chain [{route}]",
        route,
        param=lost[0].path,
        code="unsupported_parameter",
    )


def interrupted(failure: Failure, route: Route, partial: str) -> errors.StreamInterrupted:
    """Return the error for a stream that failed after its first content."""
    cls = errors.StreamTruncated if failure.fault == "truncated" else errors.StreamInterrupted
    error = _made(cls, failure, route)
    error.partial = partial
    return error


def no_hop(
    call: Call, dispatch: Dispatch, route: Route, unconfigured: Mapping[str, str], registry: Registry
) -> errors.ChatsheetError:
    """Return the error for a call that no hop of the chain can serve.  Nothing was sent."""
    reasons = "; ".join(f"{skip.hop}: {skip.reason}" for skip in dispatch.skipped)
    rules = {skip.rule for skip in dispatch.skipped} - {UNCONFIGURED}
    error: errors.ChatsheetError
    if MODEL in rules:
        error = unknown_model(call.model or "", registry, route)
    elif not rules:
        error = errors.NoEndpointError(f"no hop of the chain is configured: {_what_to_set(dispatch, unconfigured)}")
    elif rules == {PATH} and call.format is None:
        error = errors.UnsupportedPathError(
            f"no endpoint of the chain serves {call.method.upper()} {call.path} ({reasons})"
        )
    elif BODY in rules:
        told = next(skip.reason for skip in dispatch.skipped if skip.rule == BODY)
        error = _ours(
            errors.BadRequestError,
            f"the request is not a valid {call.path} request: {told}",
            route,
            param=told.partition(":")[0],
            code="invalid_request",
        )
    elif STATE in rules and rules == {STATE}:
        error = _stateless(call, reasons, dispatch, route)
    elif dispatch.losses:
        parameters = ", ".join(dict.fromkeys(loss.path for loss in dispatch.losses))
        drop = ", or set on_loss to 'drop'" if LOSS in rules else ""
        error = _ours(
            errors.UnsupportedParameterError,
            f"no hop of the chain can carry {parameters} ({reasons}); leave it out{drop}",
            route,
            param=dispatch.losses[0].path,
            code="unsupported_parameter",
        )
    else:
        hint = "; leave the mode to the rules, or correct the model's capabilities" if MODE in rules else ""
        error = _ours(
            errors.CapabilityError,
            f"no hop of the chain can serve {call.model or 'this request'!r} through {call.path} ({reasons}){hint}",
            route,
            param="mode" if MODE in rules else None,
            code="OperationNotSupported",
        )
    error.route = route
    return error


def unknown_model(name: str, registry: Registry, route: Route) -> errors.UnknownModelError:
    """Return the error for a model that the registry does not name."""
    return _ours(
        errors.UnknownModelError, registry.unknown(name), route, status=404, param="model", code="model_not_found"
    )


def _ours(cls: type[_E], message: str, route: Route, *, status: int = 400, code: str, param: str | None = None) -> _E:
    """Return an error that no provider sent, with the body that one would have sent."""
    body = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return errors.with_status(cls, status)(
        message, route=route, status=status, body=body, code=code, param=param, type="invalid_request_error"
    )


def _stateless(call: Call, reasons: str, dispatch: Dispatch, route: Route) -> CallError:
    """The error for a call that goes on from what only one endpoint keeps, and that endpoint is not in its chain."""
    if call.format is None:
        return _ours(
            errors.RequestNotFoundError,
            f"no endpoint of the chain keeps what {call.method.upper()} {call.path} names ({reasons}); an answer that "
            "was translated from another API is stored nowhere",
            route,
            status=404,
            code="not_found",
        )
    parameters = ", ".join(dict.fromkeys(loss.path for loss in dispatch.losses))
    return _ours(
        errors.UnsupportedParameterError,
        f"no hop of the chain may go on from {parameters} ({reasons}); "
        "put the endpoint and the API that made it into the chain, or leave it out",
        route,
        param=dispatch.losses[0].path if dispatch.losses else None,
        code="unsupported_parameter",
    )


def _what_to_set(dispatch: Dispatch, unconfigured: Mapping[str, str]) -> str:
    names = dict.fromkeys(skip.hop.partition("/")[0] for skip in dispatch.skipped)
    return "; ".join(unconfigured.get(name, f"endpoint {name!r} is not configured") for name in names)


def _made(cls: type[_E], failure: Failure, route: Route, unset: str | None = None) -> _E:
    if failure.mode == "messages" and isinstance(failure.body, Mapping):
        # The caller's client is an OpenAI one, whose errors have OpenAI's fields.
        told = bridge_error({"error": failure.body}, "messages", "chat")
        inner = told["error"] if isinstance(told, Mapping) else None
        if isinstance(inner, Mapping):
            failure = replace(failure, body=inner, code=failure.code or inner["code"])
    return errors.with_status(cls, failure.status)(
        _message(failure, route, unset),
        route=route,
        status=failure.status,
        headers=failure.headers,
        body=failure.body,
        code=failure.code or failure.fault,
        param=failure.param,
        type=failure.type,
        request_id=failure.request_id,
        url=failure.url,
    )


_SET = frozenset({"call mode", "model mode", "hop mode"})
"""The rules by which somebody set the mode."""
_TOLD = frozenset({"closed", LOSS, STATE})
"""The rules of hops that might have answered a call that failed."""


def _last(failure: Failure, route: Route) -> Attempt | None:
    """Return the attempt that failed so."""
    return next((attempt for attempt in reversed(route.attempts) if attempt.outcome == failure.fault), None)


def _unset(failure: Failure, route: Route, endpoints: Mapping[str, Endpoint]) -> str | None:
    """Return what to set, where a credential was refused and none is set."""
    last = _last(failure, route) if failure.fault == "auth" else None
    return endpoints[last.endpoint].unset if last is not None and last.endpoint in endpoints else None


def _message(failure: Failure, route: Route, unset: str | None) -> str:
    last = _last(failure, route)
    said = failure.message or ""
    advice = _BY_CODE.get(failure.code or "", ADVICE.get(failure.fault))
    advice = unset or next((told for text, told in _BY_TEXT.items() if text in said), advice)
    if failure.fault == "deployment" and last is not None and last.mode is None and last.model is None:
        advice = _NO_PATH
    if failure.fault == "capability" and {attempt.rule for attempt in route.attempts} & _SET:
        advice = _OTHER_API.get(failure.mode)
    left = [f"{skip.hop} {skip.reason}" for skip in route.skipped if skip.rule in _TOLD]
    told = "; ".join([str(route) if route.attempts else "nothing was sent", *left])
    return f"{failure.sentence.rstrip('.')}{f' ({advice})' if advice else ''} [{told}]"
