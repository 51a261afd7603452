"""Every fault a hop can show, as tables: whose it is, what may be tried next, what it is called.  Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "caller", "policy", "gateway_policy", "config", "rate", "overload", "transient", "protocol", "local", "deadline"
]
"""Whose fault it is: the request, the content filter, the gateway's rules, our wiring of the hop, or the provider."""

Reach = Literal["origin", "surface", "none"]
"""A failure domain: the whole resource with its credential, one API of one deployment, or neither."""

Same = Literal["no", "once", "hint"]
"""Same hop again: never, after a backoff, or when the server's wait hint has passed and no other origin is left."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row.

    ``same``: may the same hop be asked again.  ``move``: how far the next hop must be from this one; ``none`` stops the
    call.  ``condemns``: the failure domain whose breaker hears of it.  ``quarantine``: seconds for which a wiring fault
    closes that domain at once.  ``sentence`` says in a message what happened.
    """

    kind: Kind
    same: Same
    move: Reach
    condemns: Reach
    sentence: str
    quarantine: float = 0.0


FAULTS: dict[str, Fault] = {
    # before the request is on the wire
    "dns": Fault("config", "no", "origin", "origin", "the host name did not resolve"),
    "refused": Fault("transient", "once", "origin", "origin", "the connection was refused"),
    "connect": Fault("transient", "once", "origin", "origin", "no connection could be made"),
    "connect_timeout": Fault("transient", "no", "origin", "origin", "connecting timed out"),
    "tls_trust": Fault("config", "no", "origin", "origin", "the TLS certificate was not trusted", 300.0),
    "proxy": Fault("config", "no", "origin", "origin", "the HTTP proxy refused the connection", 300.0),
    "credential": Fault("config", "no", "origin", "origin", "no token could be obtained"),
    "pool": Fault("local", "no", "none", "none", "our own connection pool is exhausted"),
    "encode": Fault("local", "no", "none", "none", "the request could not be put on the wire"),
    # in flight
    "write_timeout": Fault("transient", "no", "origin", "origin", "sending the request timed out"),
    "read_timeout": Fault("transient", "no", "origin", "origin", "the provider was silent for too long"),
    "reset": Fault("transient", "no", "origin", "origin", "the connection broke"),
    # a 2xx that is no answer
    "empty": Fault("protocol", "once", "surface", "surface", "the answer was empty"),
    "html": Fault("protocol", "no", "origin", "origin", "an HTML page came instead of an answer"),
    "garbage": Fault("protocol", "once", "origin", "origin", "the answer was not valid JSON"),
    "schema": Fault("protocol", "no", "surface", "surface", "the answer had no usable content"),
    "no_stream": Fault("protocol", "no", "origin", "origin", "the answer to a streamed request was no event stream"),
    "truncated": Fault("protocol", "no", "origin", "origin", "the stream ended without its terminal event"),
    "bad_event": Fault("protocol", "no", "origin", "origin", "the stream held an event that is not valid JSON"),
    "stream_error": Fault("transient", "once", "origin", "origin", "the provider reported an error within the stream"),
    # statuses and codes
    "redirect": Fault("config", "no", "origin", "origin", "the endpoint redirects, and redirects are refused", 300.0),
    "invalid_request": Fault("caller", "no", "none", "none", "the request was refused as invalid"),
    "context_length": Fault("caller", "no", "none", "none", "the input is longer than the model's window"),
    "not_found": Fault("caller", "no", "none", "none", "something the request names does not exist"),
    "state": Fault("caller", "no", "none", "none", "the state of an earlier reply is not this endpoint's"),
    "conflict": Fault("caller", "no", "none", "none", "the request conflicts with the current state"),
    "too_large": Fault("caller", "no", "none", "none", "the request body is too large"),
    "unprocessable": Fault("caller", "no", "none", "none", "the request could not be processed"),
    "content_filter": Fault("policy", "no", "none", "none", "the content filter refused the prompt"),
    "gateway_policy": Fault("gateway_policy", "no", "none", "none", "the gateway's policy refused the call"),
    "capability": Fault("config", "no", "surface", "surface", "the deployment does not serve this API", 300.0),
    "tools_on_chat": Fault(
        "config", "no", "surface", "none", "the model takes tools with reasoning on Responses alone"
    ),
    "streaming": Fault("config", "no", "surface", "none", "the model, or this account, is given no stream here"),
    "deployment": Fault("config", "no", "surface", "surface", "the endpoint knows no such deployment or path", 30.0),
    "unknown_model": Fault("config", "no", "surface", "surface", "the endpoint knows no such model", 30.0),
    "auth": Fault("config", "no", "origin", "origin", "the credential was refused", 30.0),
    "forbidden": Fault("config", "no", "origin", "origin", "access was denied", 300.0),
    "rate": Fault("rate", "hint", "origin", "origin", "the rate limit was reached"),
    "quota": Fault("rate", "no", "origin", "origin", "the quota is used up", 300.0),
    "cooldown": Fault("overload", "no", "origin", "surface", "the gateway has parked every deployment of this model"),
    "overload": Fault("overload", "hint", "origin", "origin", "the provider is overloaded"),
    "timeout_408": Fault("transient", "no", "origin", "origin", "the provider timed out"),
    "dependency": Fault("transient", "no", "origin", "surface", "something the provider depends on failed"),
    "early": Fault("transient", "once", "origin", "none", "the provider asked for the request again"),
    "client_closed": Fault("transient", "no", "origin", "none", "an intermediary closed the request"),
    "server_error": Fault("transient", "once", "origin", "origin", "the provider failed"),
    "bad_gateway": Fault("transient", "once", "origin", "origin", "a gateway got no valid answer from the provider"),
    "gateway_timeout": Fault("transient", "no", "origin", "origin", "a gateway timed out waiting for the provider"),
    "not_implemented": Fault("config", "no", "surface", "surface", "the endpoint does not implement this API", 300.0),
    "deadline": Fault("deadline", "no", "none", "none", "the deadline of the call passed"),
}
"""By fault name.  From the documented error bodies of Azure OpenAI and Anthropic, and the LiteLLM proxy as measured."""

# --- what providers call them ---------------------------------------------------------------------------------------

BY_STATUS: Mapping[int, str] = {
    400: "invalid_request", 401: "auth", 402: "gateway_policy", 403: "forbidden", 404: "deployment", 405: "deployment",
    407: "proxy", 408: "timeout_408", 409: "conflict", 413: "too_large", 422: "unprocessable", 424: "dependency",
    425: "early", 429: "rate", 449: "early", 499: "client_closed", 500: "server_error", 501: "not_implemented",
    502: "bad_gateway", 503: "overload", 504: "gateway_timeout", 529: "overload",
}  # fmt: skip

BY_CODE: Mapping[str, str] = {
    "content_filter": "content_filter",
    "contentfiltered": "content_filter",
    "responsibleaipolicyviolation": "content_filter",
    "content_policy_violation": "content_filter",
    "context_length_exceeded": "context_length",
    "operationnotsupported": "capability",
    "deploymentnotfound": "deployment",
    "model_not_found": "deployment",
    "insufficient_quota": "quota",
    "enforced_spend_limit_reached": "quota",
    "rate_limit_exceeded": "rate",
    "too_many_requests": "rate",
    "rate_limit_error": "rate",
    "overloaded_error": "overload",
    "server_error": "server_error",
    "api_error": "server_error",
    "server_is_overloaded": "overload",
    "unsupported_parameter": "invalid_request",
    "unsupported_value": "invalid_request",
    "invalid_value": "invalid_request",
    "invalid_encrypted_content": "state",
    "budget_exceeded": "gateway_policy",
    "key_model_access_denied": "gateway_policy",
    "team_model_access_denied": "gateway_policy",
    "all_deployments_in_cooldown": "cooldown",
    "no_db_connection": "auth",
    "authenticationtypedisabled": "forbidden",
    "permission_error": "forbidden",
    "authentication_error": "auth",
    "invalid_api_key": "auth",
    "request_too_large": "too_large",
    "timeout": "timeout_408",
    # Anthropic: types, then what it says in ``details.error_code``
    "billing_error": "quota",
    "conflict_error": "conflict",
    "memory_path_conflict_error": "conflict",
    "memory_precondition_failed_error": "conflict",
    "timeout_error": "gateway_timeout",
    "contract_spend_limit_reached": "quota",
    "linked_organization_billing_unavailable": "quota",
    "linked_organization_spend_limit_reached": "quota",
    "ramp_limit_exceeded": "rate",
    "request_body_timeout": "timeout_408",
    "claude_code_key_creator_not_member": "auth",
    "cmek_key_disabled": "forbidden",
    "cmek_key_network_blocked": "forbidden",
    "cmek_key_unreachable": "dependency",
    "cmek_context_unavailable": "dependency",
    "organization_on_hold": "gateway_policy",
    "user_profile_billing_not_authorized": "gateway_policy",
    "user_profile_not_billable": "gateway_policy",
    "file_expired": "not_found",
    "thread_not_found": "not_found",
}
"""By ``innererror.code``, ``details.error_code``, ``code`` or ``type``, lower case, in that order."""

BY_PARAM: Mapping[tuple[str, str], str] = {
    ("unsupported_value", "stream"): "streaming",
    ("unsupported_parameter", "stream"): "streaming",
}
"""By ``code`` and ``param`` together, lower case, before the code alone."""

BY_TYPE_ALONE: Mapping[str, str] = {"invalid_request_error": "invalid_request", "not_found_error": "deployment"}
"""Of an event that names nothing finer; with a reply the status tells."""

NOT_FOUND: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"model:"), "unknown_model"),
    (re.compile(r"(file|container|skill)\b|.*\b(file|container|skill)\b.*not found", re.IGNORECASE), "not_found"),
)
"""What Anthropic's ``not_found_error`` is about, by the beginning of its message."""

_NO_CREDIT = r"credit balance is too low|reached your specified (?:workspace )?API usage limits"
_DISABLED = r"organization has been disabled"

# Where no structured field tells: the providers' own sentences; LiteLLM wraps them in its `message` without their code.
BY_TEXT: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), fault)
    for pattern, fault in (
        (r"ContentPolicyViolationError|ResponsibleAIPolicyViolation|content management policy", "content_filter"),
        (r"ContextWindowExceededError|maximum context length|exceeds the context window", "context_length"),
        (r"Input tokens exceed|prompt is too long|exceeds? context limit", "context_length"),
        (r"operation does not work with the specified model|OperationNotSupported", "capability"),
        (r"DeploymentNotFound|API deployment for this resource does not exist", "deployment"),
        (r"\bmodel_not_found\b|requested model '[^']{0,200}' does not exist", "deployment"),
        (r"tools with reasoning_effort are not supported", "tools_on_chat"),
        (r"verified to stream this model|'stream' (?:does not support|is not supported)", "streaming"),
        (r"only supported in v1/responses|not supported in the v1/chat/completions endpoint", "capability"),
        (r"not supported (?:for \S+ )?in /v1/chat/completions|use /v1/responses", "capability"),
        (
            r"enabled only for api.versions?|API version not supported|api-version query parameter is not allowed",
            "capability",
        ),
        (r"Invalid URL \(POST|not supported with the Responses API|Unsupported data type.*responses", "capability"),
        (r"Invalid model name passed in model", "unknown_model"),
        (r"Invalid `?signature`? in `?(redacted_)?thinking|encrypted content \S+ could not be verified", "state"),
        (r"Item with id '?(rs|msg|fc|ws|ctc)_\S* not found", "state"),
        (r"No connected db", "auth"),
        (r"temporarily blocked", "gateway_policy"),
        # Anthropic calls all of these invalid requests.  Behind a gateway the account is the gateway's business.
        (r"Output blocked by content filtering policy", "content_filter"),
        (r"too many total text bytes", "too_large"),
        (rf"AnthropicException[\s\S]{{0,400}}?(?:{_NO_CREDIT}|{_DISABLED})", "dependency"),
        (_NO_CREDIT, "quota"),
        (_DISABLED, "forbidden"),
    )
)
"""By what an error says, of the statuses that name too little."""
