"""Error bodies and error events in the other formats' words."""

import json

import pytest
from shared_files import recordings

from chatsheet_llm.formats.error_bodies import bridge_error, bridge_error_event

OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}


@pytest.mark.parametrize("caller", ["chat", "responses"])
def test_an_anthropic_error_has_openai_s_envelope_and_keeps_its_words(caller):
    assert bridge_error(OVERLOADED, "messages", caller) == {
        "error": {"message": "Overloaded", "type": "overloaded_error", "param": None, "code": "server_is_overloaded"},
        "request_id": "req_1",
    }


@pytest.mark.parametrize("source", ["chat", "responses"])
def test_openai_s_two_formats_share_their_errors(source):
    body = {"error": {"message": "x", "type": None, "param": "p", "code": "c"}}

    assert bridge_error(body, source, "chat") is body
    assert bridge_error(body, source, "responses") is body


@pytest.mark.parametrize(
    ("status", "given", "kind"),
    [
        (400, {"type": "invalid_request_error", "code": "unsupported_value", "param": "x"}, "invalid_request_error"),
        (404, {"code": "DeploymentNotFound"}, "not_found_error"),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, "rate_limit_error"),
        (401, {"code": "401"}, "authentication_error"),
        (500, {"type": "server_error"}, "api_error"),
        (503, {}, "overloaded_error"),
        (418, {}, "invalid_request_error"),
        (None, {"type": "server_error"}, "api_error"),
        (None, {"code": "rate_limit_exceeded"}, "rate_limit_error"),
    ],
)
def test_an_openai_error_has_anthropic_s_type_by_its_own_type_or_by_status(status, given, kind):
    made = bridge_error({"error": {"message": "m", **given}}, "chat", "messages", status)

    assert made["type"] == "error"
    assert made["error"]["type"] == kind
    assert made["error"]["message"] == "m"
    assert set(given.values()) <= set(made["error"].values())


@pytest.mark.parametrize("body", ["upstream request timeout", {"message": "upstream request timeout"}])
def test_a_body_without_an_envelope_becomes_the_message_of_one(body):
    made = bridge_error(body, "chat", "messages", 408)

    assert made == {"type": "error", "error": {"type": "timeout_error", "message": "upstream request timeout"}}


EVENTS = {
    "chat": {"error": {"message": "m", "type": "server_error", "param": None, "code": None}},
    "responses": {"type": "error", "code": "server_error", "message": "m", "param": None, "sequence_number": 7},
    "messages": {"type": "error", "error": {"type": "api_error", "message": "m"}},
}


@pytest.mark.parametrize("source", EVENTS)
@pytest.mark.parametrize("caller", EVENTS)
def test_an_error_event_keeps_its_message_and_has_the_shape_of_its_format(source, caller):
    made = bridge_error_event(EVENTS[source], source, caller)
    inner = made if caller == "responses" else made["error"]

    assert inner["message"] == "m"
    assert (made.get("type") == "error") is (caller != "chat")
    assert {"server_error", "api_error"} & {inner.get("type"), inner.get("code")}


def test_a_failed_response_is_an_error_event_with_its_own_error():
    event = {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}}

    assert bridge_error_event(event, "responses", "messages") == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "slow", "code": "rate_limit_exceeded"},
    }


def test_every_recorded_error_survives_the_way_there_and_back():
    checked = 0
    for row in recordings():
        if row["response"]["status"] < 400:
            continue
        source = "messages" if row["kind"] == "anthropic-messages" else "chat"
        other = "chat" if source == "messages" else "messages"
        try:
            body = json.loads(row["response"]["body"])
        except ValueError:
            continue
        made = bridge_error(body, source, other, row["response"]["status"])
        back = bridge_error(made, other, source, row["response"]["status"])
        checked += 1
        said = {name: value for name, value in body["error"].items() if value is not None}
        kept = {name: value for name, value in back["error"].items() if value is not None}
        assert said.items() <= kept.items(), row["id"]
        assert set(kept) - set(said) <= {"code", "type"}
        assert body.get("request_id") == back.get("request_id")

    assert checked > 50


def test_an_error_event_keeps_its_type_and_the_id_of_its_request():
    event = {**EVENTS["messages"], "request_id": "req_1"}
    told = bridge_error_event(event, "messages", "responses")

    assert (told["code"], told["error_type"], told["request_id"]) == ("server_error", "api_error", "req_1")
    assert bridge_error_event(event, "messages", "chat")["request_id"] == "req_1"
