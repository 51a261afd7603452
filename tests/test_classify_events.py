"""Classification of error events in a stream, and of what Anthropic's SDK and its recorded errors know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import anthropic
import pytest
from error_bodies import FILTERED, Json, claude
from replay import recordings

from chatsheet_llm.classify import classify_event, classify_reply
from chatsheet_llm.faults import BY_CODE

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
