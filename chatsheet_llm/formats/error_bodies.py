"""Error bodies and error events of one format in another.  Judges no error: whose fault it is, is decided elsewhere.

Chat and Responses share OpenAI's envelope, ``{"error": {message, type, param, code}}``; Messages has its own,
``{"type": "error", "error": {type, message}, "request_id"}``.  Every field of a provider's error comes along.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.route import Mode

CODES: Mapping[str, str] = MappingProxyType(
    {
        "authentication_error": "invalid_api_key",
        "billing_error": "insufficient_quota",
        "not_found_error": "not_found",
        "overloaded_error": "server_is_overloaded",
        "permission_error": "permission_denied",
        "rate_limit_error": "rate_limit_exceeded",
        "request_too_large": "request_too_large",
        "timeout_error": "timeout",
        "api_error": "server_error",
    }
)
"""Anthropic's ``error.type`` -> the ``code`` that an OpenAI caller looks at; Anthropic has no codes."""

TYPES: Mapping[int, str] = MappingProxyType(
    {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        408: "timeout_error",
        409: "conflict_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        503: "overloaded_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)
"""HTTP status -> Anthropic's ``error.type``, for errors of providers that have other types."""

ERROR_TYPES = frozenset(
    {*CODES, *TYPES.values(), "memory_path_conflict_error", "memory_precondition_failed_error"},
)
"""Every ``error.type`` of Anthropic, which a bridged error keeps as it is."""

_STATUS_OF_CODE: Mapping[str, int] = {
    "rate_limit_exceeded": 429, "insufficient_quota": 429, "server_error": 500, "server_is_overloaded": 529,
    "invalid_api_key": 401, "model_not_found": 404, "not_found": 404, "timeout": 504,
}  # fmt: skip
_BRIDGED = "provider_type"


def bridge_error(body: object, source: Mode, caller: Mode, status: int | None = None) -> object:
    """Return a provider's error body as the caller's format has it; the very same body where both formats agree.

    ``status`` is the HTTP status, which names Messages' type where the provider's own type is another's.  A body that
    is no envelope at all (plain text, HTML) becomes the message of one.
    """
    if (source == "messages") == (caller == "messages"):
        return body
    outer: Mapping[str, object] = body if isinstance(body, Mapping) else {}
    inner = outer.get("error")
    error = inner if isinstance(inner, Mapping) else {"message": _text(outer.get("message", inner or body))}
    beside = {name: value for name, value in outer.items() if name not in ("type", "error", "message")}
    if caller == "messages":
        return {"type": "error", "error": _anthropic(error, status), **beside}
    return {"error": _openai(error), **beside}


def bridge_error_event(event: Mapping[str, object], source: Mode, caller: Mode) -> Object:
    """Return an error event of a stream as the caller's format has it.

    Takes ``{"error": …}`` of Chat, ``error`` and ``response.failed`` of Responses, and ``error`` of Messages.
    """
    if source == caller:
        return dict(event)
    error = _error_of(event)
    beside: Object = {"request_id": event["request_id"]} if source == "messages" and event.get("request_id") else {}
    if source == "messages":
        error = _openai(error)
    if caller == "messages":
        return {"type": "error", "error": _anthropic(error, None)}
    if caller == "chat":
        return {"error": dict(error), **beside}
    message, code, param = _text(error.get("message")), error.get("code") or error.get("type"), error.get("param")
    rest = {name: value for name, value in error.items() if name not in ("message", "code", "param", "type")}
    if error.get("type") not in (None, code):
        # The event's own type is in the way.
        rest["error_type"] = error["type"]
    return {"type": "error", "code": code, "message": message, "param": param, "sequence_number": 0, **rest, **beside}


def _error_of(event: Mapping[str, object]) -> Mapping[str, object]:
    response = event.get("response")
    holder = response if isinstance(response, Mapping) else event
    error = holder.get("error")
    if isinstance(error, Mapping):
        return error
    return {name: value for name, value in event.items() if name not in ("type", "sequence_number", "response")}


def _openai(error: Mapping[str, object]) -> Object:
    kind = error.get("type")
    rest = {name: value for name, value in error.items() if name not in ("message", "type", "code", _BRIDGED)}
    code = error.get("code", CODES.get(kind) if isinstance(kind, str) else None)
    return {
        "message": _text(error.get("message")),
        "type": error.get(_BRIDGED, kind),
        "param": None,
        "code": code,
        **rest,
    }


def _anthropic(error: Mapping[str, object], status: int | None) -> Object:
    kind, code = error.get("type"), error.get("code")
    rest = {
        name: value
        for name, value in error.items()
        if name not in ("message", "type", "code", "param", "sequence_number")
    }
    rest |= {"param": error["param"]} if error.get("param") is not None else {}
    if isinstance(kind, str) and kind in ERROR_TYPES:
        told: Object = {"type": kind, "message": _text(error.get("message")), **rest}
        return told if code in (None, CODES.get(kind)) else {**told, "code": code}
    named = status or _STATUS_OF_CODE.get(str(code)) or _STATUS_OF_CODE.get(str(kind)) or 500
    found = TYPES.get(named, "invalid_request_error" if named < 500 else "api_error")
    extra = {name: value for name, value in (("code", code), (_BRIDGED, kind)) if value is not None}
    return {"type": found, "message": _text(error.get("message")), **extra, **rest}


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
