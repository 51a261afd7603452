"""Builds the error body of a role for a status and code.  Decides neither."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from chatsheet_llm.sandbox.catalogue import GATEWAY, TABLES, RoleName, cognitive_shape, openai_shape
from chatsheet_llm.sandbox.shapes import Json, dumps, new_id, obj, text

__all__ = ["STATUS_OF", "ErrorBody", "RoleName", "error_body"]


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error answer: JSON, or plain text where a front end answers instead of the API."""

    status: int
    body: Json | str
    headers: tuple[tuple[str, str], ...] = ()


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GATEWAY_TYPES = {401: "authentication_error", 403: "permission_error", 429: "throttling_error"}
_GATEWAY_CLASSES = {
    401: "AuthenticationError",
    403: "APIError",
    404: "NotFoundError",
    408: "Timeout",
    429: "RateLimitError",
    503: "ServiceUnavailableError",
}
_GATEWAY_SPECIAL = {
    "content_filter": "ContentPolicyViolationError",
    "context_length_exceeded": "ContextWindowExceededError",
}

STATUS_OF = {
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "overloaded_error": 529,
    "authentication_error": 401,
    "permission_error": 403,
    "timeout_error": 504,
}
"""The status that stands for an error code where there is no stream to put it in; 500 for every other."""


def error_body(role: RoleName, status: int, code: str | None = None, **words: str) -> ErrorBody:
    """Return the body that the role documents for a status and code.

    ``words`` fill the placeholders of the table: model, operation, param, key, hash, retry, and ``api`` (the wire
    format, which decides how LiteLLM wraps).  A code with no row gets the role's plain shape, with the code in it.
    """
    words = {"model": "None", "operation": "", "param": "", "key": "", "hash": "", "retry": "1", "api": "chat", **words}
    if role == "litellm" and (status, code) not in GATEWAY:
        return _wrapped(status, code, words)
    row = TABLES[role].get((status, code))
    if row is None:
        row = _plain(role, status, code)
    filled = _fill(row, words)
    headers: tuple[tuple[str, str], ...] = ()
    if role == "anthropic" and isinstance(filled, dict):
        error = {name: value for name, value in obj(filled["error"]).items() if name in ("type", "message", "details")}
        filled = {"type": "error", "error": error, "request_id": new_id("req_")}
        headers = (("x-should-retry", "true" if status in (429, 529) or status >= 500 else "false"),)
    if role == "azure" and status == 403 and code in (None, "firewall"):
        headers = (("policy-id", "ThrowExceptionDueToTrafficDenied"),)
    return ErrorBody(status, filled, headers)


def _plain(role: RoleName, status: int, code: str | None) -> Json:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    message = f"{phrase} (sandbox)" if code is None else f"{phrase} (sandbox): {code}"
    if role == "anthropic":
        return openai_shape(message, kind=code or _ANTHROPIC_TYPES.get(status, "api_error"))
    if role == "azure" and (status in (401, 403, 404, 408, 424, 429) or status >= 500):
        return cognitive_shape(code or str(status), message)
    return openai_shape(message, code, kind="invalid_request_error" if status < 500 else "server_error")


def _fill(row: Json | str, words: dict[str, str]) -> Json | str:
    def fill(value: object) -> object:
        if isinstance(value, str):
            for name, word in words.items():
                value = value.replace("{" + name + "}", word)
            return value
        if isinstance(value, dict):
            return {name: fill(item) for name, item in value.items()}
        return value

    filled = fill(row)
    return filled if isinstance(filled, str) else obj(filled)


def _wrapped(status: int, code: str | None, words: dict[str, str]) -> ErrorBody:
    """Azure's error as the proxy passes it on: status kept, code lost, text (or the whole JSON) inside the message."""
    upstream = error_body("azure", status, None if code == "upstream" else code, **words).body
    error = obj(obj(upstream).get("error"))
    said = upstream if isinstance(upstream, str) else text(error.get("message")) or text(upstream.get("message"))
    if words["api"] == "responses":
        said = dumps(upstream)
    family = "InternalServerError" if status >= 500 else "BadRequestError"
    special = _GATEWAY_SPECIAL.get(code or "")
    names = f"litellm.{_GATEWAY_CLASSES.get(status, family)}: " + (f"litellm.{special}: " if special else "")
    message = (
        f"{names}AzureException - {said}. "
        f"LiteLLM: model group '{words['model']}' failed with the error above. No fallback was attempted."
    )
    kind = _GATEWAY_TYPES.get(status, "internal_server_error" if status >= 500 else "invalid_request_error")
    body: Json = {"message": message, "type": kind, "param": None, "code": str(status)}
    if code == "content_filter":
        inner = error.get("innererror") if words["api"] == "chat" else None
        body["provider_specific_fields"] = {"innererror": inner, "azure_error": error if inner else None}
    return ErrorBody(status, {"error": body})
