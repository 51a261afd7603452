"""The pure parts: what is kept of a URL, a header and a body, what is renamed, and how the file reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatsheet_llm.testing import scrub
from chatsheet_llm.testing.steady import Entry, steadied
from chatsheet_llm.testing.tape import TapeError, dumped, entry_of, loaded, values_of

GUID = "5f0c7a52-3c1b-4f7e-9a34-5d0f5f8f4a10"
CASSETTES = sorted((Path(__file__).resolve().parents[2] / "cassettes").glob("*/*.yaml"))


@pytest.mark.parametrize(
    ("url", "headers", "endpoint"),
    [
        ("http://x/v1/chat/completions", {"X-LiteLLM-Timeout": "9", "api-key": "k"}, "litellm"),
        ("http://x/v1/messages", {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("http://x/v1/responses", {"Api-Key": "k"}, "azure"),
        ("http://x/openai/v1/responses", {"authorization": "Bearer entra"}, "azure"),
        ("http://x/v1/responses", {"authorization": "Bearer k"}, "openai"),
        ("https://litellm.example.invalid/openai/v1/responses", {}, "litellm"),
        ("http://x:81/v1/responses", {"api-key": "k"}, "eighty-one"),
    ],
)
def test_a_request_tells_whose_server_it_is_for(url: str, headers: dict[str, str], endpoint: str) -> None:
    assert scrub.endpoint_of(url, headers, {"x:81": "eighty-one"}) == endpoint


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("http://u:p@x:1/openai/v1/responses#f", "/openai/v1/responses"),
        ("http://x/a/b/v1/responses/resp_1?stream=true", "/v1/responses/resp_1?stream=true"),
        ("http://x/openai/deployments/v1/chat/completions", "/openai/deployments/v1/chat/completions"),
        ("http://x/v1beta/models", "/v1beta/models"),
        ("http://x/v1/files?purpose=batch&sig=s&sig=t", "/v1/files?purpose=batch&sig=[removed]&sig=[removed]"),
        ("http://x/v1/responses?include[]=a&empty=", "/v1/responses?include[]=a&empty=[removed]"),
    ],
)
def test_a_url_keeps_its_api_and_the_parameters_that_are_known(url: str, clean: str) -> None:
    cleaned = scrub.clean_url(url, "azure")

    assert cleaned == f"https://azure.example.invalid{clean}"
    assert scrub.clean_url(cleaned, "azure") == cleaned


def test_headers_are_kept_by_name_alone() -> None:
    asked = {"Accept": "a", "Content-Type": "multipart/form-data; boundary=x1y2", "X-Any": "1", "Authorization": "k"}
    answered = {
        "Content-Type": ["application/json"],
        "Retry-After": ["2"],
        "retry-after-ms": ["2000"],
        "llm_provider-retry-after": ["3"],
        "x-ratelimit-remaining-tokens": ["7"],
        "llm_provider-x-request-id": ["secret"],
        "date": ["now"],
    }

    assert scrub.request_headers(asked) == {"accept": "a", "content-type": "multipart/form-data; boundary=boundary"}
    assert list(scrub.response_headers(answered)) == [
        "content-type", "retry-after", "retry-after-ms", "llm_provider-retry-after", "x-ratelimit-remaining-tokens",
    ]  # fmt: skip


def test_a_date_to_wait_for_becomes_the_seconds_that_it_meant() -> None:
    headers = {"retry-after": ["Fri, 20 Nov 2026 13:00:30 GMT"], "date": ["Fri, 20 Nov 2026 13:00:00 GMT"]}

    assert scrub.response_headers(headers) == {"retry-after": ["30"]}


def test_the_boundary_of_an_upload_does_not_make_another_request() -> None:
    bodies = {
        scrub.request_body(f"--{mark}\r\nfile\r\n--{mark}--".encode(), f"multipart/form-data; boundary={mark}")
        for mark in ("abc", "xyz")
    }

    assert bodies == {b"--boundary\r\nfile\r\n--boundary--"}


def test_of_metadata_the_names_are_kept() -> None:
    body = {"metadata": {"ticket": "T-1", "turn": 2}, "messages": [{"metadata": {"kept": "as it is"}}]}
    made = json.loads(scrub.request_body(json.dumps(body).encode(), "application/json"))

    assert made == {**body, "metadata": {"ticket": "[removed]", "turn": 2}}


@pytest.mark.parametrize(
    "body",
    [
        {"input": [{"type": "function_call", "arguments": '{"api_key": "a"}'}], "metadata": {}},
        {"tools": [{"type": "function", "parameters": {"properties": {"headers": {}, "api_key": {}, "url": {}}}}]},
        {"messages": [{"content": [{"type": "tool_use", "input": {"signature": "Ada", "password": "p"}}]}]},
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]},
        {"messages": [{"content": "my key is sk-1234567890"}]},
    ],
    ids=["arguments", "schema", "tool input", "image", "prompt"],
)
def test_what_a_caller_says_to_the_model_is_kept(body: dict[str, object]) -> None:
    content = json.dumps(body).encode()

    assert scrub.request_body(content, "application/json") == content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "API key: abc, sk-1234 Bearer abcdefghij a***z"}}, 401),
        ({"tools": [{"type": "mcp", "server_url": "https://a", "headers": {}}], "user": "me"}, 200),
        ({"output": [{"encrypted_content": "xyz"}, {"type": "thinking", "signature": "s"}]}, 200),
        ({"data_sources": [{"parameters": {"authentication": {"type": "a", "key": "b"}}}]}, 200),
    ],
    ids=["error", "tools", "sealed", "data sources"],
)
def test_scrubbing_twice_is_scrubbing_once(body: dict[str, object], status: int) -> None:
    content = json.dumps(body).encode()
    once = scrub.response_body(content, "application/json", status)

    assert once != content
    assert scrub.response_body(once, "application/json", status) == once


def test_sealed_state_comes_back_as_it_went_out() -> None:
    received = json.loads(scrub.response_body(b'{"encrypted_content": "gAAAAA"}', "application/json", 200))
    sent_back = scrub.request_body(b'{"encrypted_content": "gAAAAA"}', "application/json")

    assert json.loads(sent_back) == received
    assert received["encrypted_content"].startswith("sealed-")


# --- the same again --------------------------------------------------------------------------------------------------


def entry(request: object, response: dict[str, object], headers: dict[str, str] | None = None) -> Entry:
    return {
        "request": {
            "method": "POST",
            "url": "https://azure.example.invalid/v1/responses",
            "headers": {},
            "json": request,
        },
        "response": {"status": 200, "headers": headers or {}, **response},
    }


def test_ids_are_numbered_in_order_and_stay_the_same_id() -> None:
    first, second, third = steadied(
        [
            entry({}, {"json": {"id": "resp_a1b2c3d4", "output": [{"id": "msg_a1b2c3d4"}, {"id": "msg_e5f6a7b8"}]}}),
            entry({"previous_response_id": "resp_a1b2c3d4"}, {"json": {"id": "resp_ffffffff"}}),
            entry({}, {"json": {"error": {"message": "no resp_a1b2c3d4"}, "request_id": GUID}}),
        ]
    )  # fmt: skip

    assert first["response"]["json"] == {"id": "resp_1", "output": [{"id": "msg_1"}, {"id": "msg_2"}]}
    assert second["request"]["json"] == {"previous_response_id": "resp_1"}
    assert second["response"]["json"] == {"id": "resp_2"}
    assert third["response"]["json"] == {"error": {"message": "no resp_1"}, "request_id": "id-1"}


def test_what_the_caller_made_up_and_what_is_no_id_stays() -> None:
    given = {"input": [{"call_id": "call_made_up_by_us"}]}
    answer = {"data": [{"id": "gpt-5-chat-latest", "object": "model"}], "echo": {"call_id": "call_made_up_by_us"}}
    (made,) = steadied([entry(given, {"json": answer})])

    assert made == entry(given, {"json": answer})


def test_times_and_padding_of_a_run_are_fixed_and_numbers_are_not() -> None:
    answer = {
        "created": 1763640000,
        "completed_at": 1763640000.5,
        "created_by": 1763640000,
        "at": 5,
        "obfuscation": "x",
    }
    (made,) = steadied([entry({"created": 1763640000}, {"json": answer})])

    assert made["request"]["json"] == {"created": 1763640000}
    assert made["response"]["json"] == {
        "created": 1767225600, "completed_at": 1767225600.0, "created_by": 1763640000, "at": 5, "obfuscation": "",
    }  # fmt: skip


def test_events_keep_their_lines() -> None:
    text = ': ping\r\nevent: x\r\ndata: {"id": "resp_a1b2c3d4", "created": 1763640000}\r\n\r\ndata: [DONE]\r\n\r\n'
    (made,) = steadied([entry({}, {"events": text})])

    assert made["response"]["events"] == (
        ': ping\r\nevent: x\r\ndata: {"id":"resp_1","created":1767225600}\r\n\r\ndata: [DONE]\r\n\r\n'
    )


def test_every_request_id_of_a_server_is_the_number_of_its_exchange() -> None:
    made = steadied(
        [
            entry({}, {"json": {}}, {"x-request-id": "abc-1"}),
            entry({}, {"text": "see abc-2"}, {"x-request-id": "abc-2"}),
        ]
    )

    assert [one["response"]["headers"] for one in made] == [
        {"x-request-id": "request-1"},
        {"x-request-id": "request-2"},
    ]
    assert made[1]["response"]["text"] == "see request-2"


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"text": "two\nlines", "odd": ["on", "1.0", "2026-01-01", "~", "é🦊", "\u2028", "\x07", " x ", ""]}},
        {"json": [1, 1e-7, 10**30, None, True]},
        {"events": "data: a\n\ndata: b \n\n"},
        {"events": "data: a\r\n\r\n"},
        {"text": "<html>\n\ttab</html>"},
        {"base64": "AAH/"},
        {},
    ],
)
def test_a_body_is_read_back_as_it_was_written(body: dict[str, object]) -> None:
    entries = [entry({"model": "gpt-5"}, body)]
    text = dumped(entries)

    assert loaded(text) == entries
    assert loaded(text.encode().decode()) == entries


def test_lines_are_written_as_lines() -> None:
    text = dumped([entry({}, {"events": 'data: {"a":1}\n\ndata: [DONE]\n\n'})])

    assert '\n      data: {"a":1}\n\n      data: [DONE]\n' in text


@pytest.mark.parametrize(
    ("content", "kind", "kept"),
    [
        (b'{"a":1}', "application/json", "json"),
        (b'{"a":1,"a":2}', "application/json", "text"),
        (b"{", "application/json", "text"),
        (b'{"a":"\\ud83d"}', "application/json", "text"),
        (b"data: 1\n\n", "text/event-stream", "events"),
        (b"\xff\xfe", "audio/mpeg", "base64"),
    ],
)
def test_a_body_is_kept_in_the_most_legible_form_that_loses_nothing(content: bytes, kind: str, kept: str) -> None:
    request, _ = values_of(entry({}, {}))
    response = {"status": {"code": 200}, "headers": {"content-type": [kind]}, "body": {"string": content}}
    made = entry_of(request, response)

    assert kept in made["response"]
    assert values_of(made)[1]["body"]["string"] == content


def test_a_file_of_vcrpy_is_not_taken_for_ours() -> None:
    with pytest.raises(TapeError, match="no cassette of version 1"):
        loaded("interactions: []\nversion: 1\n")


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_cassette_of_this_checkout_is_as_a_recording_would_write_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    entries = loaded(text)

    assert dumped(entries) == text
    assert steadied(entries) == entries


def test_there_are_cassettes_in_this_checkout() -> None:
    assert {path.parent.name for path in CASSETTES} == {"litellm", "sandbox"}
