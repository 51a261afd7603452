"""Every fault a hop can show, as tables: whose it is, what may be tried next, what it is called.  Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chatsheet_llm.route import SendState

Kind = Literal[
    "caller", "policy", "gateway_policy", "config", "rate", "overload", "transient", "protocol", "local", "deadline"
]
"""Whose fault it is: the request, the content filter, the gateway's rules, our wiring of the hop, or the provider."""

Reach = Literal["proxy", "origin", "surface", "none"]
"""A failure domain: all that lies behind one HTTP proxy, a resource with its credential, one API of one deployment
there, or none."""

RESENDS: Mapping[SendState, int | None] = {"not_sent": None, "rejected": None, "ambiguous": 1, "committed": 0}
"""How many times a call may be sent again after attempts that ended so; None leaves it to budget and stop.  Where a
second send could do something twice, what is ambiguous allows none."""

Same = Literal["no", "once", "last", "hint"]
"""Same hop again: never; after a backoff, before any other is asked; after a backoff, where no other is left; or when
the server's wait hint has passed and no other is left."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row.

    ``error``: the class of `chatsheet_llm.errors` that the caller gets where nothing else answers.  ``same``: may the
    same hop be asked again.  ``move``: how far the next hop must be from this one; ``none`` stops the call.
    ``condemns``: the failure domain whose breaker hears of it.  ``quarantine``: seconds for which a wiring fault closes
    that domain at once (``shut`` in the table).  ``sentence`` says in a message what happened.
    """

    kind: Kind
    error: str
    same: Same
    move: Reach
    condemns: Reach
    sentence: str
    quarantine: float = 0.0


POLICY = """
fault              kind           same move    condemns shut  error
# before the request is on the wire
dns                config         no   origin  origin      0  HopUnreachableError
dns_busy           transient      once origin  origin      0  HopUnreachableError
refused            transient      once origin  origin      0  HopConnectionError
connect            transient      once origin  origin      0  HopConnectionError
connect_timeout    transient      no   origin  origin      0  HopTimeoutError
tls_trust          config         no   origin  origin    300  HopUnreachableError
proxy              config         no   proxy   proxy     300  HopUnreachableError
proxy_denied       config         no   proxy   proxy     300  HopUnreachableError
proxy_failed       transient      once proxy   proxy       0  HopUnreachableError
proxy_timeout      transient      no   proxy   proxy       0  HopTimeoutError
credential         config         no   origin  origin      0  AuthenticationError
pool               local          no   none    none        0  LocalResourceError
encode             local          no   none    none        0  LocalResourceError
unsendable         caller         no   none    none        0  BadRequestError
# in flight
write_timeout      transient      no   origin  origin      0  HopTimeoutError
read_timeout       transient      no   origin  origin      0  HopTimeoutError
reset              transient      no   origin  origin      0  HopConnectionError
stale              transient      once origin  none        0  HopConnectionError
# a 2xx that is no answer
empty              protocol       last surface surface     0  InvalidAnswerError
no_content         protocol       no   origin  origin      0  InvalidAnswerError
contentless        protocol       last surface surface     0  InvalidAnswerError
html               protocol       no   origin  origin      0  InterceptedError
garbage            protocol       last origin  origin      0  InvalidAnswerError
encoded            protocol       no   origin  origin      0  InvalidAnswerError
response_too_large protocol       no   none    origin      0  ResponseTooLargeError
unfinished         protocol       no   none    surface     0  InvalidAnswerError
schema             protocol       no   origin  surface     0  InvalidAnswerError
tool_arguments     protocol       no   origin  surface     0  InvalidAnswerError
no_stream          protocol       no   origin  origin      0  InvalidAnswerError
truncated          protocol       no   origin  origin      0  InvalidAnswerError
bad_event          protocol       no   origin  origin      0  InvalidAnswerError
large_event        protocol       no   origin  origin      0  InvalidAnswerError
sequence           protocol       no   origin  surface     0  InvalidAnswerError
stream_error       transient      last origin  origin      0  ProviderError
# statuses and codes
redirect           config         no   origin  origin    300  HopUnreachableError
invalid_request    caller         no   none    none        0  BadRequestError
context_length     caller         no   none    none        0  ContextLengthError
not_found          caller         no   none    none        0  RequestNotFoundError
state              caller         no   none    none        0  BadRequestError
conflict           caller         no   none    none        0  RequestConflictError
locked             transient      once none    none        0  RequestConflictError
too_large          caller         no   none    none        0  RequestTooLargeError
unprocessable      caller         no   none    none        0  UnprocessableRequestError
content_filter     policy         no   none    none        0  ContentFilteredError
gateway_policy     gateway_policy no   none    none        0  GatewayPolicyError
capability         config         no   surface surface   300  CapabilityError
tools_on_chat      config         no   surface none        0  CapabilityError
streaming          config         no   surface none        0  CapabilityError
deployment         config         no   surface surface    30  DeploymentNotFoundError
unknown_model      config         no   surface surface    30  DeploymentNotFoundError
auth               config         no   origin  origin     30  AuthenticationError
forbidden          config         no   origin  origin    300  PermissionDeniedError
rate               rate           hint origin  origin      0  RateLimitedError
quota              rate           no   origin  origin    300  RateLimitedError
cooldown           overload       no   origin  surface     0  OverloadedError
overload           overload       hint origin  origin      0  OverloadedError
timeout_408        transient      no   origin  origin      0  ProviderError
dependency         transient      no   origin  surface     0  ProviderError
early              transient      once origin  none        0  ProviderError
client_closed      transient      no   origin  none        0  ProviderError
server_error       transient      last origin  origin      0  ProviderError
bad_gateway        transient      last origin  origin      0  ProviderError
gateway_timeout    transient      no   origin  origin      0  ProviderError
not_implemented    config         no   surface surface   300  CapabilityError
deadline           deadline       no   none    none        0  DeadlineExceededError
"""
"""The policy, a row a fault, as `Fault` explains its columns; the send state adds what `RESENDS` says, and after the
first content nothing is sent again.  From the documented error bodies of Azure OpenAI and Anthropic, and the LiteLLM
proxy as measured."""

WORDS: Mapping[str, str] = {
    # before the request is on the wire
    "dns": "the host name did not resolve",
    "dns_busy": "the name server did not answer",
    "refused": "the connection was refused",
    "connect": "no connection could be made",
    "connect_timeout": "connecting timed out",
    "tls_trust": "the TLS certificate was not trusted",
    "proxy": "the HTTP proxy wants other credentials",
    "proxy_denied": "the HTTP proxy refused the connection",
    "proxy_failed": "no connection came about through the HTTP proxy",
    "proxy_timeout": "connecting to the HTTP proxy timed out",
    "credential": "no token could be obtained",
    "pool": "our own connection pool is exhausted",
    "encode": "the request could not be put on the wire",
    "unsendable": "the request cannot be sent",
    # in flight
    "write_timeout": "sending the request timed out",
    "read_timeout": "the provider was silent for too long",
    "reset": "the connection broke",
    "stale": "a connection that was kept open had been closed by the other side",
    # a 2xx that is no answer
    "empty": "the answer was empty",
    "no_content": "the answer had a status that says it has no content",
    "contentless": "the answer held neither text nor a call of a tool",
    "html": "an HTML page came instead of an answer",
    "garbage": "the answer was not valid JSON",
    "encoded": "the answer is compressed, though plain bytes were asked for",
    "response_too_large": "the answer is larger than any answer of a model",
    "unfinished": "the answer is not finished, though it was not asked for in the background",
    "schema": "the answer had no usable content",
    "tool_arguments": "the arguments of a tool call are not whole",
    "no_stream": "the answer to a streamed request was no event stream",
    "truncated": "the stream ended without its terminal event",
    "bad_event": "the stream held an event that is not valid JSON",
    "large_event": "an event of the stream, or all of them, are larger than any answer",
    "sequence": "events of the stream are missing or out of order",
    "stream_error": "the provider reported an error within the stream",
    # statuses and codes
    "redirect": "the endpoint redirects, and redirects are refused",
    "invalid_request": "the request was refused as invalid",
    "context_length": "the input is longer than the model's window",
    "not_found": "something the request names does not exist",
    "state": "the state of an earlier reply is not this endpoint's",
    "conflict": "the request conflicts with the current state",
    "locked": "another call is at work on the same conversation",
    "too_large": "the request body is too large",
    "unprocessable": "the request could not be processed",
    "content_filter": "the content filter refused the prompt",
    "gateway_policy": "the gateway's policy refused the call",
    "capability": "the deployment does not serve this API",
    "tools_on_chat": "the model takes tools with reasoning on Responses alone",
    "streaming": "the model, or this account, is given no stream here",
    "deployment": "the endpoint knows no such deployment or path",
    "unknown_model": "the endpoint knows no such model",
    "auth": "the credential was refused",
    "forbidden": "access was denied",
    "rate": "the rate limit was reached",
    "quota": "the quota is used up",
    "cooldown": "the gateway has parked every deployment of this model",
    "overload": "the provider is overloaded",
    "timeout_408": "the provider timed out",
    "dependency": "something the provider depends on failed",
    "early": "the provider asked for the request again",
    "client_closed": "an intermediary closed the request",
    "server_error": "the provider failed",
    "bad_gateway": "a gateway got no valid answer from the provider",
    "gateway_timeout": "a gateway timed out waiting for the provider",
    "not_implemented": "the endpoint does not implement this API",
    "deadline": "the deadline of the call passed",
}
"""What happened, by fault."""


def _read(table: str) -> dict[str, Fault]:
    rows = (line.split() for line in table.strip().splitlines()[1:] if not line.startswith("#"))
    return {
        name: Fault(kind, error, same, move, condemns, WORDS[name], float(shut))  # type: ignore[arg-type]
        for name, kind, same, move, condemns, shut, error in rows
    }


FAULTS: dict[str, Fault] = _read(POLICY)
"""By fault name."""

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
    "invalid_prompt": "content_filter",
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
    "conversation_locked": "locked",
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
        (r"Another process is currently operating on this conversation", "locked"),
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
