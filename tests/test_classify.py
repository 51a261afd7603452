"""Classification of replies: documented error bodies, each to its fault.

The bodies are built from documented facts, not recorded.
"""

from __future__ import annotations

import json

import pytest
from error_bodies import FILTERED, Json, claude, cognitive, openai_style, proxied
from hypothesis import given
from hypothesis import strategies as st

from chatsheet_llm.classify import classify_event, classify_reply, request_id
from chatsheet_llm.faults import FAULTS

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


@pytest.mark.parametrize(
    ("status", "fault"), [(503, "overload"), (529, "overload"), (504, "gateway_timeout"), (500, "server_error")]
)
@pytest.mark.parametrize("kind", ["api_error", "server_error"])
def test_a_status_that_says_more_than_the_name_of_the_error_wins(status: int, fault: str, kind: str) -> None:
    assert classify_reply(status, {}, {"error": {"type": kind, "message": "no"}}).fault == fault
