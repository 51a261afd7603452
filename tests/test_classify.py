"""Classification: documented error bodies, stream events and exceptions, each to its fault.

The bodies are built from documented facts, not recorded.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from typing import get_args

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replay import recordings

from chatsheet_llm.classify import Failure, classify_event, classify_exception, classify_reply, request_id
from chatsheet_llm.faults import BY_CODE, FAULTS
from chatsheet_llm.redact import redact

Json = Mapping[str, object]


def openai_style(message: str = "no", code: str | None = None, kind: str | None = None, **more: object) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def cognitive(code: str, message: str = "no") -> Json:
    return {"error": {"code": code, "message": message}}


def claude(kind: str, message: str = "no", error_code: str | None = None) -> Json:
    """As Anthropic puts it, directly and on Foundry."""
    details = {} if error_code is None else {"details": {"error_code": error_code}}
    return {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_1"}


def proxied(status: int, message: str, kind: str = "invalid_request_error", **more: object) -> Json:
    """As the LiteLLM proxy puts it: the code is the status as text, the provider's code is gone."""
    return {"error": {"message": message, "type": kind, "param": None, "code": str(status), **more}}


FILTERED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
    "Please modify your prompt and retry."
)
TOO_OLD = "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later"
NO_OPERATION = (
    "The chatCompletion operation does not work with the specified model, gpt-5-codex. Please choose different model."
)
ON_RESPONSES = (
    "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. "
    "Please use /v1/responses instead."
)
UNVERIFIED = "Your organization must be verified to stream this model."
ONLY_RESPONSES = "This model is only supported in v1/responses and not in v1/chat/completions."
NO_CHAT_MODEL = "This is not a chat model and thus not supported in the v1/chat/completions endpoint."
NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase "
    "credits."
)
NO_PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."
OVER_LIMIT = (
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or "
    "`max_tokens` and try again"
)

REPLIES: list[tuple[int, Json | str, str]] = [
    # content filter: with and without the inner error, at the front and behind the proxy
    (
        400,
        openai_style(FILTERED, "content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        "content_filter",
    ),
    (400, openai_style(FILTERED, "content_filter"), "content_filter"),
    (400, openai_style("no", None, innererror={"code": "ResponsibleAIPolicyViolation"}), "content_filter"),
    (400, proxied(400, f"litellm.ContentPolicyViolationError: AzureException - {FILTERED}"), "content_filter"),
    (403, openai_style(FILTERED, "content_filter"), "content_filter"),
    # too long: three texts
    (
        400,
        openai_style("This model's maximum context length is 4 tokens.", "context_length_exceeded"),
        "context_length",
    ),
    (400, openai_style("Input tokens exceed the configured limit of 272000 tokens."), "context_length"),
    (400, proxied(400, "litellm.ContextWindowExceededError: AzureException - too long"), "context_length"),
    # what a deployment cannot do
    (400, cognitive("OperationNotSupported", NO_OPERATION), "capability"),
    (400, proxied(400, f"litellm.BadRequestError: AzureException - {NO_OPERATION}"), "capability"),
    (400, openai_style(ON_RESPONSES, None, "invalid_request_error", param="reasoning_effort"), "tools_on_chat"),
    (400, proxied(400, f"litellm.BadRequestError: AzureException - {ON_RESPONSES}"), "tools_on_chat"),
    (400, openai_style(UNVERIFIED, "unsupported_value", "invalid_request_error", param="stream"), "streaming"),
    (400, proxied(400, f"litellm.BadRequestError: OpenAIException - {UNVERIFIED}"), "streaming"),
    (404, openai_style(ONLY_RESPONSES, None, "invalid_request_error", param="model"), "capability"),
    (404, openai_style(NO_CHAT_MODEL, None, "invalid_request_error", param="model"), "capability"),
    (400, cognitive("BadRequest", "api-version query parameter is not allowed when using /v1 path"), "capability"),
    (400, cognitive("BadRequest", "API version not supported"), "capability"),
    (400, cognitive("BadRequest", TOO_OLD), "capability"),
    (
        400,
        openai_style("Model {modelName} is enabled only for api versions 2024-12-01-preview and later"),
        "capability",
    ),
    (404, openai_style("Invalid URL (POST /v1/responses)"), "capability"),
    # deployments and paths
    (404, cognitive("DeploymentNotFound"), "deployment"),
    (404, cognitive("404", "Resource not found"), "deployment"),
    (
        400,
        openai_style("The requested model '-' with deployment name - does not exist.", "model_not_found"),
        "deployment",
    ),
    (404, {"detail": "Not Found"}, "deployment"),
    (405, {"detail": "Method Not Allowed"}, "deployment"),
    (
        400,
        proxied(400, "Invalid model name passed in model=nope. Call `/v1/models` to view available models"),
        "unknown_model",
    ),
    # what the caller named does not exist
    (404, openai_style("Response with id 'resp_1' not found."), "not_found"),
    (404, openai_style("File with id 'file_1' not found.", param="file_id"), "not_found"),
    (404, openai_style("gone", param="previous_response_id"), "not_found"),
    (400, openai_style("Previous response with id 'r' not found.", "previous_response_not_found"), "invalid_request"),
    # requests that are wrong
    (
        400,
        openai_style("Unsupported parameter: 'temperature'", "unsupported_parameter", param="temperature"),
        "invalid_request",
    ),
    (400, openai_style("Unsupported value: 'temperature'", "unsupported_value"), "invalid_request"),
    (400, openai_style("Invalid value: 'none'.", "invalid_value"), "invalid_request"),
    (400, openai_style("no"), "invalid_request"),
    (400, "no JSON at all", "invalid_request"),
    (400, "", "invalid_request"),
    (409, openai_style("no"), "conflict"),
    (413, openai_style("no"), "too_large"),
    (422, openai_style("no"), "unprocessable"),
    (418, openai_style("no"), "invalid_request"),
    # credentials and access
    (401, cognitive("401", "Access denied due to invalid subscription key or wrong API endpoint."), "auth"),
    (401, {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid or expired."}, "auth"),
    (401, cognitive("PermissionDenied", "Principal does not have access to API/Operation."), "auth"),
    (400, proxied(400, "No connected db.", "no_db_connection"), "auth"),
    (403, cognitive("AuthenticationTypeDisabled", "Key based authentication is disabled."), "forbidden"),
    (403, cognitive("403", "Access denied due to Virtual Network/Firewall rules."), "forbidden"),
    (403, cognitive("403", "This resource has been temporarily blocked."), "gateway_policy"),
    # the gateway's rules
    (400, proxied(400, "Budget has been exceeded!", "budget_exceeded"), "gateway_policy"),
    (429, proxied(429, "Budget has been exceeded!", "budget_exceeded"), "gateway_policy"),
    (401, proxied(401, "key not allowed to access model", "key_model_access_denied"), "gateway_policy"),
    (403, proxied(403, "team not allowed to access model", "team_model_access_denied"), "gateway_policy"),
    (402, openai_style("pay"), "gateway_policy"),
    # limits
    (429, cognitive("429", "Please retry after 7 seconds."), "rate"),
    (429, openai_style("slow down", "rate_limit_exceeded"), "rate"),
    (429, proxied(429, "slow down", "throttling_error"), "rate"),
    (429, openai_style("no more", "insufficient_quota"), "quota"),
    (
        429,
        {
            "type": "error",
            "error": {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}},
        },
        "quota",
    ),
    (429, proxied(429, "No deployments available", "all_deployments_in_cooldown"), "cooldown"),
    # the provider's own troubles
    (408, cognitive("Timeout", "The operation was timeout."), "timeout_408"),
    (424, openai_style("no"), "dependency"),
    (425, "", "early"),
    (449, "", "early"),
    (499, "", "client_closed"),
    (500, openai_style("no", None, "server_error"), "server_error"),
    (500, "Internal Server Error", "server_error"),
    (
        500,
        proxied(500, f"litellm.APIError: ContentPolicyViolationError - {FILTERED}", "internal_server_error"),
        "content_filter",
    ),
    (501, "", "not_implemented"),
    (502, "<html>Bad Gateway</html>", "bad_gateway"),
    (503, openai_style("no"), "overload"),
    (504, "", "gateway_timeout"),
    (520, "", "server_error"),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overload"),
    # Anthropic: the broad type, the finer code where there is one, words where it calls everything invalid
    (400, claude("invalid_request_error", "messages.0.content: Input should be a valid list"), "invalid_request"),
    (400, claude("invalid_request_error", "model: Field required"), "invalid_request"),
    (400, claude("invalid_request_error", NO_PREFILL), "invalid_request"),
    (400, claude("invalid_request_error", "prompt is too long: 200016 tokens > 200000 maximum"), "context_length"),
    (400, claude("invalid_request_error", OVER_LIMIT), "context_length"),
    (400, claude("invalid_request_error", "too many total text bytes: 9000001 > 9000000"), "too_large"),
    (400, claude("invalid_request_error", "Output blocked by content filtering policy"), "content_filter"),
    (400, claude("invalid_request_error", NO_CREDIT), "quota"),
    (400, claude("invalid_request_error", "You have reached your specified API usage limits."), "quota"),
    (400, claude("invalid_request_error", "This organization has been disabled."), "forbidden"),
    (400, claude("invalid_request_error", error_code="organization_on_hold"), "gateway_policy"),
    (400, claude("invalid_request_error", error_code="cmek_key_disabled"), "forbidden"),
    (400, claude("invalid_request_error", error_code="request_body_timeout"), "timeout_408"),
    (400, claude("invalid_request_error", error_code="thread_already_continued"), "invalid_request"),
    (401, claude("authentication_error", "invalid x-api-key"), "auth"),
    (402, claude("billing_error"), "quota"),
    (402, claude("billing_error", error_code="linked_organization_spend_limit_reached"), "quota"),
    (403, claude("permission_error"), "forbidden"),
    (403, claude("permission_error", error_code="user_profile_not_billable"), "gateway_policy"),
    (404, claude("not_found_error", "model: claude-nope"), "unknown_model"),
    (404, claude("not_found_error", "Not Found"), "deployment"),
    (404, claude("not_found_error", "File not found: file_1"), "not_found"),
    (404, claude("not_found_error", "The requested container c_1 was not found."), "not_found"),
    (404, claude("not_found_error", error_code="file_expired"), "not_found"),
    (409, claude("conflict_error"), "conflict"),
    (412, claude("memory_precondition_failed_error"), "conflict"),
    (413, claude("request_too_large", "Request exceeds the maximum size"), "too_large"),
    (429, claude("rate_limit_error"), "rate"),
    (429, claude("rate_limit_error", error_code="ramp_limit_exceeded"), "rate"),
    (429, claude("rate_limit_error", error_code="enforced_spend_limit_reached"), "quota"),
    (429, claude("rate_limit_error", error_code="contract_spend_limit_reached"), "quota"),
    (500, claude("api_error", "Internal server error"), "server_error"),
    (503, claude("api_error", error_code="cmek_key_unreachable"), "dependency"),
    (504, claude("timeout_error"), "gateway_timeout"),
    (529, claude("overloaded_error", "Overloaded"), "overload"),
    (529, claude("overloaded_error", error_code="compaction_unavailable"), "overload"),
    # behind a gateway it is the gateway's account
    (
        400,
        proxied(400, f"litellm.BadRequestError: AnthropicException - {json.dumps(claude('x', NO_CREDIT))}"),
        "dependency",
    ),
    (407, "", "proxy"),
    *((status, "", "redirect") for status in (301, 302, 303, 307, 308)),
]


@pytest.mark.parametrize(("status", "body", "fault"), REPLIES, ids=lambda value: str(value)[:60])
def test_a_reply_is_named_by_its_documented_fields(status: int, body: Json | str, fault: str) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)

    failure = classify_reply(status, {}, raw.encode())

    assert failure.fault == fault
    assert failure.status == status


def test_a_parsed_body_reads_as_its_bytes_do() -> None:
    for status, body, _ in REPLIES:
        if not isinstance(body, str):
            parsed, raw = classify_reply(status, {}, body), classify_reply(status, {}, json.dumps(body).encode())

            assert parsed == raw


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 503, 529])
def test_a_refusal_did_no_work(status: int) -> None:
    assert classify_reply(status, {}, b"{}").send_state == "rejected"


@pytest.mark.parametrize("status", [408, 424, 499, 500, 502, 504, 520])
def test_a_provider_that_failed_may_have_worked(status: int) -> None:
    assert classify_reply(status, {}, b"{}").send_state == "ambiguous"


def test_an_html_page_with_413_is_a_proxy_in_the_way() -> None:
    failure = classify_reply(413, {"content-type": "text/html"}, b"<html>Request Entity Too Large</html>")

    assert failure.fault == "html"


def test_the_fields_of_the_provider_are_kept() -> None:
    body = openai_style("Unsupported", "unsupported_parameter", "invalid_request_error", param="top_p")
    headers = {"x-request-id": "r-1", "retry-after": "3", "x-ms-region": "Sweden", "set-cookie": "a=b"}

    failure = classify_reply(400, headers, json.dumps(body).encode())

    assert (failure.code, failure.type, failure.param) == ("unsupported_parameter", "invalid_request_error", "top_p")
    assert failure.message == "Unsupported"
    assert failure.body == body["error"]
    assert failure.request_id == "r-1"
    assert failure.retry_after == 3.0
    assert failure.headers == {"x-request-id": "r-1", "retry-after": "3", "x-ms-region": "Sweden"}


def test_a_limit_that_only_says_so_in_words_has_a_hint_all_the_same() -> None:
    failure = classify_reply(429, {}, json.dumps(cognitive("429", "Please retry after 7 seconds.")).encode())

    assert failure.retry_after == 7.0


def test_words_of_an_error_that_is_no_limit_are_no_hint() -> None:
    failure = classify_reply(400, {}, json.dumps(openai_style("retry after 7 seconds")).encode())

    assert failure.retry_after is None


@pytest.mark.parametrize("name", ["x-request-id", "apim-request-id", "request-id", "x-litellm-call-id"])
def test_the_id_of_a_request_is_found_in_any_of_its_headers(name: str) -> None:
    assert request_id({name: "id-1"}) == "id-1"
    assert request_id({}) is None


@given(st.integers(min_value=300, max_value=599), st.binary(max_size=200), st.text(max_size=20))
def test_no_body_can_break_the_classification(status: int, body: bytes, header: str) -> None:
    failure = classify_reply(status, {"content-type": header}, body)

    assert failure.fault in FAULTS


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["error", "message", "code", "type", "param", "innererror", "details", "error_code", "response"]
)


@given(
    st.integers(min_value=300, max_value=599),
    st.dictionaries(FIELDS, JSON_VALUES | st.dictionaries(FIELDS, JSON_VALUES)),
)
def test_no_shape_of_json_can_break_the_classification(status: int, body: dict[str, object]) -> None:
    assert classify_reply(status, {}, json.dumps(body).encode()).fault in FAULTS
    assert classify_event(body, {}, content_seen=False).fault in FAULTS


def test_json_nested_beyond_reason_is_text() -> None:
    assert classify_reply(500, {}, b"[" * 200_000).fault == "server_error"


# --- events


EVENTS: list[tuple[Json, str]] = [
    ({"error": {"message": "no", "type": "server_error", "code": None}}, "server_error"),
    ({"error": {"message": "no", "type": None, "code": "429"}}, "rate"),
    ({"error": {"message": "no", "type": None, "code": "500"}}, "server_error"),
    ({"error": {"message": "no", "code": 503}}, "overload"),
    ({"error": "gone"}, "stream_error"),
    ({"error": {"message": FILTERED, "code": "content_filter"}}, "content_filter"),
    ({"error": {"message": f"litellm.ContentPolicyViolationError: {FILTERED}", "code": "400"}}, "content_filter"),
    ({"type": "error", "code": "rate_limit_exceeded", "message": "no", "param": None, "sequence_number": 3}, "rate"),
    ({"type": "error", "code": "context_length_exceeded", "message": "no"}, "context_length"),
    ({"type": "error", "error": {"type": "too_many_requests", "code": "rate_limit_exceeded"}}, "rate"),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overload"),
    *(
        (claude(kind), fault)
        for kind, fault in (
            ("invalid_request_error", "invalid_request"),
            ("authentication_error", "auth"),
            ("billing_error", "quota"),
            ("permission_error", "forbidden"),
            ("not_found_error", "deployment"),
            ("rate_limit_error", "rate"),
            ("timeout_error", "gateway_timeout"),
            ("api_error", "server_error"),
            ("overloaded_error", "overload"),
        )
    ),
    (claude("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), "context_length"),
    (claude("invalid_request_error", "Output blocked by content filtering policy"), "content_filter"),
    (claude("not_found_error", "model: claude-nope"), "unknown_model"),
    (claude("rate_limit_error", error_code="enforced_spend_limit_reached"), "quota"),
    (claude("of_tomorrow_error"), "stream_error"),
    ({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded"}}}, "rate"),
    ({"type": "response.failed", "response": {"error": {"code": "server_error"}}}, "server_error"),
    ({"type": "response.failed", "response": {"error": {"code": "invalid_prompt"}}}, "content_filter"),
    ({"type": "response.failed", "response": {"error": {"code": "not_heard_of"}}}, "stream_error"),
    ({"type": "response.failed", "response": {"error": None}}, "stream_error"),
    ({"type": "response.failed"}, "stream_error"),
    ({"type": "error"}, "stream_error"),
]


@pytest.mark.parametrize(("event", "fault"), EVENTS, ids=str)
def test_an_error_event_is_named_by_its_fields(event: Json, fault: str) -> None:
    assert classify_event(event, {}, content_seen=False).fault == fault


def test_an_error_before_any_content_may_be_a_refusal() -> None:
    limit, broke = {"error": {"code": "rate_limit_exceeded"}}, {"error": {"code": "server_error"}}

    assert classify_event(limit, {}, content_seen=False).send_state == "rejected"
    assert classify_event(broke, {}, content_seen=False).send_state == "ambiguous"
    assert classify_event(limit, {}, content_seen=True).send_state == "committed"


def test_the_hint_of_a_limit_in_a_stream_stands_in_the_headers() -> None:
    failure = classify_event({"error": {"code": "rate_limit_exceeded"}}, {"Retry-After": "4"}, content_seen=False)

    assert failure.retry_after == 4.0


@pytest.mark.parametrize(("content_seen", "state"), [(False, "rejected"), (True, "committed")])
def test_an_overload_inside_a_200_was_refused_unless_content_came_first(content_seen: bool, state: str) -> None:
    event = claude("overloaded_error", "Overloaded")

    failure = classify_event(event, {"request-id": "req_0"}, content_seen=content_seen)

    assert (failure.fault, failure.status, failure.send_state) == ("overload", 200, state)
    assert (failure.type, failure.message, failure.request_id) == ("overloaded_error", "Overloaded", "req_0")


def test_the_id_of_a_request_is_taken_from_the_body_where_no_header_has_it() -> None:
    error = claude("rate_limit_error", error_code="enforced_spend_limit_reached")

    assert classify_reply(429, {}, error).request_id == "req_1"
    assert classify_event(error, {}, content_seen=False).request_id == "req_1"
    assert classify_reply(429, {"request-id": "req_2"}, error).request_id == "req_2"


def test_what_anthropic_says_of_its_limits_is_kept() -> None:
    headers = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-organization-id": "org", "retry-after": "9"}

    failure = classify_reply(429, headers, claude("rate_limit_error"))

    assert failure.headers == {"anthropic-ratelimit-requests-remaining": "0", "retry-after": "9"}
    assert failure.retry_after == 9.0


def test_the_code_in_the_details_is_the_error_s_code() -> None:
    error = claude("rate_limit_error", error_code="enforced_spend_limit_reached")

    assert classify_reply(429, {}, error).code == "enforced_spend_limit_reached"


# --- what Anthropic's SDK knows of errors

BY_TYPE_OR_STATUS = frozenset({
    # the request is wrong, and the status says so
    "available_tools_limit_exceeded", "claude_code_version_too_old", "compaction_block_ambiguous",
    "compaction_block_misplaced", "compaction_content_mismatch", "compaction_incomplete_turn",
    "compaction_nothing_to_summarize", "compaction_signature_invalid", "compaction_too_many_tool_references",
    "compaction_tool_changes_mismatch", "file_not_downloadable", "org_member_limit_exceeded",
    "organization_not_enrolled_in_beta", "organization_type_not_supported", "parent_organization_required",
    "request_body_encoding_invalid", "request_body_encoding_unsupported", "storage_quota_exceeded",
    "thread_already_continued", "thread_continue_in_flight", "thread_fingerprint_mismatch",
    "thread_unsupported_request", "tool_name_conflict", "tool_reference_unresolved", "unsupported_charset",
    "user_profile_not_found", "user_profile_required",
    # so does the status or the type of these
    "compaction_unavailable", "concurrent_membership_change", "rbac_role_not_found",
    "request_body_too_large_after_decoding", "sandbox_egress_restricted", "skill_read_blocked_undecryptable",
})  # fmt: skip
"""Codes of Anthropic that need no row of their own."""


def test_every_error_type_of_anthropic_s_sdk_is_known_in_an_event() -> None:
    union = pytest.importorskip("anthropic.types.shared.error_type").ErrorType
    unknown = [
        kind for kind in get_args(union) if classify_event(claude(kind), {}, content_seen=False).fault == "stream_error"
    ]

    assert unknown == []


def test_every_error_code_of_anthropic_s_sdk_has_a_row_or_needs_none() -> None:
    found = {
        code
        for name, cls in vars(anthropic.types).items()
        if name.endswith("ErrorDetails") and isinstance(cls, type)
        for code in get_args(cls.model_fields["error_code"].annotation)
    }

    assert found - set(BY_CODE) - BY_TYPE_OR_STATUS == set()


# --- recorded errors

RECORDED: Mapping[tuple[int, str], str] = {
    (400, "Your credit balance"): "quota",
    (400, "prompt is too long"): "context_length",
    (400, "too many total text"): "too_large",
    (400, ""): "invalid_request",
    (401, ""): "auth",
    (404, "model:"): "unknown_model",
    (429, ""): "rate",
    (529, ""): "overload",
}
"""Status and beginning of the message to the fault; the first row that fits."""


def test_every_recorded_error_of_anthropic_is_named() -> None:
    wrong = []
    refused = recordings(kind="anthropic-messages", ok=False)
    for record in refused:
        failure = classify_reply(record.status, record.headers, record.body.encode())
        said = failure.message or ""
        expected = next(
            fault for (status, start), fault in RECORDED.items() if status == record.status and said.startswith(start)
        )
        if (failure.fault, failure.send_state) != (expected, "rejected") or not failure.type:
            wrong.append((record.id, failure.fault))

    assert wrong == []
    assert len(refused) >= 19


# --- exceptions


def raised(error: BaseException, *causes: BaseException) -> BaseException:
    """The error with its chain of causes, outermost first."""
    link = error
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return error


REQUEST = httpx2.Request("POST", "https://a.example/v1")
SDK = openai.APIConnectionError(request=REQUEST)

EXCEPTIONS: list[tuple[BaseException, str, str]] = [
    (raised(SDK, httpx2.ConnectError("x"), socket.gaierror(-2, "Name or service not known")), "dns", "not_sent"),
    (
        raised(httpx2.ConnectError("x"), socket.gaierror(-3, "Temporary failure in name resolution")),
        "dns_busy",
        "not_sent",
    ),
    (raised(httpx2.ConnectError("the name x did not resolve: [Errno -5] No such host")), "dns", "not_sent"),
    (httpx2.ConnectError("[Errno -2] Name or service not known"), "dns", "not_sent"),
    (httpx2.ConnectError("[Errno 11001] getaddrinfo failed"), "dns", "not_sent"),
    (raised(httpx2.ConnectError("x"), ConnectionRefusedError(111, "refused")), "refused", "not_sent"),
    (httpx2.ConnectError("[Errno 111] Connection refused"), "refused", "not_sent"),
    (httpx2.ConnectError("All connection attempts failed"), "connect", "not_sent"),
    (raised(httpx2.ConnectError("x"), ssl.SSLCertVerificationError("self-signed")), "tls_trust", "not_sent"),
    (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "tls_trust", "not_sent"),
    (httpx2.ConnectError("EOF occurred in violation of protocol"), "connect", "not_sent"),
    (httpx2.ConnectTimeout("x"), "connect_timeout", "not_sent"),
    (httpx2.ProxyError("407 Proxy Authentication Required"), "proxy", "not_sent"),
    (httpx2.PoolTimeout("x"), "pool", "not_sent"),
    (httpx2.WriteTimeout("x"), "write_timeout", "ambiguous"),
    (httpx2.ReadTimeout("x"), "read_timeout", "ambiguous"),
    (httpx2.ReadError("x"), "reset", "ambiguous"),
    (httpx2.WriteError("x"), "reset", "ambiguous"),
    (httpx2.RemoteProtocolError("peer closed connection"), "reset", "ambiguous"),
    (httpx2.LocalProtocolError("Illegal header value"), "encode", "not_sent"),
    (httpx2.DecodingError("x"), "garbage", "ambiguous"),
    (UnicodeEncodeError("ascii", "ä", 0, 1, "no"), "encode", "not_sent"),
    (json.JSONDecodeError("x", "", 0), "garbage", "ambiguous"),
    (raised(openai.APITimeoutError(REQUEST), httpx2.ReadTimeout("x")), "read_timeout", "ambiguous"),
    (raised(openai.APITimeoutError(REQUEST), httpx2.PoolTimeout("x")), "pool", "not_sent"),
    (SDK.__class__(request=REQUEST), "reset", "ambiguous"),
    (
        raised(anthropic.APIConnectionError(request=REQUEST), httpx2.ConnectError("Connection refused")),
        "refused",
        "not_sent",
    ),
    (raised(anthropic.APITimeoutError(REQUEST), httpx2.ReadTimeout("x")), "read_timeout", "ambiguous"),
]


@pytest.mark.parametrize(("error", "fault", "state"), EXCEPTIONS, ids=repr)
def test_an_exception_is_named_by_what_is_behind_it(error: BaseException, fault: str, state: str) -> None:
    failure = classify_exception(error)

    assert failure is not None
    assert (failure.fault, failure.send_state) == (fault, state)


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), RuntimeError("x"), ZeroDivisionError()], ids=repr)
def test_a_bug_is_no_fault_of_a_hop(error: Exception) -> None:
    assert classify_exception(error) is None


def test_what_the_caller_was_handling_is_not_what_happened() -> None:
    error: Exception | None = None
    try:
        raise ssl.SSLCertVerificationError("of something else entirely")
    except ssl.SSLCertVerificationError:
        try:
            raise httpx2.ReadError("reset")
        except httpx2.ReadError as caught:
            error = caught
    assert error.__context__ is not None

    failure = classify_exception(error)

    assert failure is not None
    assert failure.fault == "reset"


def test_a_circle_of_causes_ends() -> None:
    one, other = ValueError("a"), ValueError("b")
    one.__cause__, other.__cause__ = other, one

    assert classify_exception(one) is None


def test_what_could_not_be_encoded_is_not_repeated() -> None:
    failure = classify_exception(httpx2.LocalProtocolError("Illegal header value b'Bearer sk-planted-key'"))

    assert failure is not None
    assert "planted" not in repr(failure)


# --- secrets


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Incorrect API key provided: sk-abcd1234****wxyz.", "Incorrect API key provided"),
        ("Received API Key = sk-...ITlA, Key Hash (Token) =5ea4deadbeef. Unable to find token", "Unable to find token"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization"),
        ("hash " + "0a" * 32 + " end", "end"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig here", "here"),
        ("failed Traceback (most recent call last):\n  File '/app/x.py', line 3", "failed"),
    ],
)
def test_credentials_are_taken_out_of_what_others_wrote(text: str, kept: str) -> None:
    clean = redact(text)

    assert kept in clean
    for secret in ("abcd1234", "ITlA", "5ea4deadbeef", "abcdefgh12345678", "0a0a0a", "eyJhbGci", "/app/x.py"):
        assert secret not in clean


def test_bodies_are_redacted_as_deep_as_they_go() -> None:
    body = {"error": {"message": "no", "details": [{"key": "sk-planted-key-1234"}]}}

    failure = classify_reply(401, {}, json.dumps(body).encode())

    assert "planted" not in repr(failure)


def test_a_failure_says_what_happened_and_what_was_said() -> None:
    assert Failure("rate", "rejected", 429, message="slow").sentence == "the rate limit was reached: slow"
    assert Failure("rate", "rejected", 429).sentence == "the rate limit was reached"


@pytest.mark.parametrize(
    ("status", "fault"), [(503, "overload"), (529, "overload"), (504, "gateway_timeout"), (500, "server_error")]
)
@pytest.mark.parametrize("kind", ["api_error", "server_error"])
def test_a_status_that_says_more_than_the_name_of_the_error_wins(status: int, fault: str, kind: str) -> None:
    assert classify_reply(status, {}, {"error": {"type": kind, "message": "no"}}).fault == fault
