"""Classification by words: they count last, where no field of the error tells, and are read as they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from chatsheet_llm.classify import classify_event, classify_reply

Json = Mapping[str, object]

TOO_LONG = "This model's maximum context length is 128000 tokens."
FILTERED = (
    "The response was filtered due to the prompt triggering Azure OpenAI\u2019s content management policy. "
    "Please modify your prompt and retry."
)
"""With the apostrophe that Azure writes, which is not the one on keyboards."""
INVALID = "Invalid value: 'none'. Supported values are: 'low'."
OLD = "API version not supported"


def error(message: str, **more: object) -> Json:
    return {"error": {"message": message, "type": None, "param": None, "code": None, **more}}


DISAGREEING: list[tuple[int, Json, str]] = [
    # the code and the sentence
    (400, error(TOO_LONG, code="invalid_value", type="invalid_request_error"), "invalid_request"),
    (400, error(INVALID, code="context_length_exceeded"), "context_length"),
    (400, error(TOO_LONG, code="content_filter"), "content_filter"),
    (400, error(FILTERED, code="context_length_exceeded"), "context_length"),
    (400, error(OLD, code="unsupported_parameter", param="top_p"), "invalid_request"),
    (400, error(f"{INVALID} See 'content management policy'.", code="OperationNotSupported"), "capability"),
    (404, error(OLD, code="DeploymentNotFound"), "deployment"),
    (403, error("This resource has been temporarily blocked.", code="AuthenticationTypeDisabled"), "forbidden"),
    (500, error(TOO_LONG, code="rate_limit_exceeded"), "rate"),
    # the inner error and the sentence, or the code
    (400, error(TOO_LONG, innererror={"code": "ResponsibleAIPolicyViolation"}), "content_filter"),
    (400, error(INVALID, code="invalid_value", innererror={"code": "ContentFiltered"}), "content_filter"),
    (400, error(FILTERED, innererror={"code": "context_length_exceeded"}), "context_length"),
    # the details and the sentence, or the type
    (400, error(TOO_LONG, type="invalid_request_error", details={"error_code": "request_body_timeout"}), "timeout_408"),
    (429, error(TOO_LONG, type="rate_limit_error", details={"error_code": "contract_spend_limit_reached"}), "quota"),
    # the type and the sentence
    (400, error(TOO_LONG, type="budget_exceeded"), "gateway_policy"),
    (400, error(FILTERED, type="billing_error"), "quota"),
    (500, error(OLD, type="overloaded_error"), "overload"),
    # the code before the type
    (400, error("no", code="context_length_exceeded", type="rate_limit_error"), "context_length"),
    # what the code is about, and the sentence
    (400, error(TOO_LONG, code="unsupported_value", param="stream"), "streaming"),
    (400, error("'stream' is not supported", code="unsupported_value", param="top_p"), "invalid_request"),
    (404, error(OLD, param="previous_response_id"), "not_found"),
]
"""Status, an error that says two things, and the fault: the field's."""


@pytest.mark.parametrize(("status", "body", "fault"), DISAGREEING, ids=lambda value: str(value)[:80])
def test_where_a_field_and_the_sentence_of_a_reply_disagree_the_field_counts(
    status: int, body: Json, fault: str
) -> None:
    assert classify_reply(status, {}, json.dumps(body).encode()).fault == fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [(body, fault) for status, body, fault in DISAGREEING if status == 400],
    ids=lambda value: str(value)[:80],
)
def test_where_they_disagree_in_an_event_the_field_counts_too(body: Json, fault: str) -> None:
    assert classify_event(body, {}, content_seen=False).fault == fault


@pytest.mark.parametrize("kind", ["server_error", "api_error"])
def test_a_field_that_only_says_that_it_failed_leaves_it_to_the_sentence(kind: str) -> None:
    assert classify_reply(500, {}, error(FILTERED, type=kind)).fault == "content_filter"
    assert classify_reply(500, {}, error("no", type=kind)).fault == "server_error"


def test_every_sentence_that_a_field_overrules_would_be_heard_alone() -> None:
    alone = {TOO_LONG: "context_length", FILTERED: "content_filter", OLD: "capability"}

    assert {said: classify_reply(400, {}, error(said)).fault for said in alone} == alone


# --- the apostrophe of Azure's content filter

LITELLM = f"litellm.BadRequestError: AzureException BadRequestError - {FILTERED}"
WRITTEN: Mapping[str, Json] = {
    "as Azure says it": error(FILTERED),
    "with its code": error(FILTERED, code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
    "as LiteLLM passes it on": error(LITELLM, type="invalid_request_error", code="400"),
    "as LiteLLM quotes it": error(
        f"litellm.BadRequestError: AzureException - {json.dumps(error(FILTERED), ensure_ascii=False)}", code="400"
    ),
}


@pytest.mark.parametrize("escaped", [False, True], ids=["as UTF-8", "escaped"])
@pytest.mark.parametrize("form", WRITTEN)
def test_the_content_filter_is_known_by_its_sentence_with_a_curly_apostrophe(form: str, escaped: bool) -> None:
    raw = json.dumps(WRITTEN[form], ensure_ascii=escaped).encode()

    failure = classify_reply(400, {}, raw)

    assert ("\u2019".encode() in raw) is not escaped
    assert (failure.fault, failure.send_state) == ("content_filter", "rejected")


@pytest.mark.parametrize("form", WRITTEN)
def test_so_it_is_in_an_event_of_a_stream(form: str) -> None:
    flat = {"type": "error", **WRITTEN[form]["error"]}  # type: ignore[dict-item]

    assert classify_event(WRITTEN[form], {}, content_seen=False).fault == "content_filter"
    assert classify_event({**flat, "type": "error"}, {}, content_seen=False).fault == "content_filter"
