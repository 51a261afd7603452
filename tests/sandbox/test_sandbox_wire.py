"""Each fault on real sockets: what the bare SDKs see, whole and streamed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from chatsheet_llm.sandbox import FAULTS, Sandbox

HELLO: list[Any] = [{"role": "user", "content": "Hello from the test"}]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    sandbox.forget()
    yield sandbox
    sandbox.clear()


@pytest.fixture(scope="module")
def azure(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{sandbox.azure_url}/openai/v1", api_key=sandbox.api_key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def litellm(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{sandbox.litellm_url}/v1", api_key=sandbox.api_key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def claude(sandbox: Sandbox) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=sandbox.anthropic_url, api_key=sandbox.api_key, max_retries=0) as made:
        yield made


def chat(client: openai.OpenAI) -> str:
    return client.chat.completions.create(model="gpt-5", messages=HELLO).choices[0].message.content or ""


def chat_stream(client: openai.OpenAI, seen: list[str]) -> None:
    """Read a stream to its end; the texts so far are in `seen` whatever happens."""
    for chunk in client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True):
        seen.extend(c.delta.content for c in chunk.choices if c.delta is not None and c.delta.content)


def responses_stream(client: openai.OpenAI, seen: list[Any], **more: Any) -> None:
    for event in client.responses.create(model="gpt-5", input="Hello from the test", stream=True, **more):
        seen.append(event)


def claude_stream(client: anthropic.Anthropic, seen: list[Any]) -> None:
    for event in client.messages.create(model="c", max_tokens=99, messages=HELLO, stream=True):
        seen.append(event)


# Connections


@pytest.mark.parametrize("fault", ["refuse", "reset", "reset-after-headers", "rst:0", "cut:0"])
def test_a_broken_connection_is_a_connection_error(box: Sandbox, azure: openai.OpenAI, fault: str) -> None:
    box.inject("azure", fault)
    with pytest.raises(openai.APIConnectionError):
        chat(azure)


def cause(call: Callable[[], object]) -> BaseException | None:
    with pytest.raises(openai.APIConnectionError) as caught:
        call()
    return caught.value.__cause__


def test_refused_reset_and_cut_connections_can_be_told_apart(box: Sandbox, azure: openai.OpenAI) -> None:
    kinds: dict[str, object] = {}
    for fault in ("refuse", "reset", "rst:0", "cut:0"):
        box.inject("azure", fault)
        kinds[fault] = type(cause(lambda: chat(azure)))
        box.clear()

    assert kinds == {
        "refuse": httpx2.ConnectError,
        "reset": httpx2.ReadError,
        "rst:0": httpx2.ReadError,
        "cut:0": httpx2.RemoteProtocolError,
    }


def test_refused_connections_are_served_again_on_the_same_port_after_clear(box: Sandbox, azure: openai.OpenAI) -> None:
    before = box.azure_url
    assert chat(azure)
    box.inject("azure", "refuse")
    with pytest.raises(openai.APIConnectionError):
        chat(azure)
    box.clear("azure")

    assert chat(azure)
    assert box.azure_url == before
    assert box.hits("azure") == 2


def test_a_stopped_role_leaves_the_others_alone(box: Sandbox, azure: openai.OpenAI, litellm: openai.OpenAI) -> None:
    box.stop("litellm")
    with pytest.raises(openai.APIConnectionError):
        chat(litellm)

    assert chat(azure)
    box.start_role("litellm")
    assert chat(litellm)


def test_a_stall_is_a_timeout_for_the_client(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "stall")
    with pytest.raises(openai.APITimeoutError):
        chat(azure.with_options(timeout=0.1))

    assert box.hits("azure/chat") == 1


def test_a_reset_request_was_still_received(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure/chat", "reset")
    with pytest.raises(openai.APIConnectionError):
        chat(azure)

    assert box.requests[0].json is not None
    assert box.requests[0].json["model"] == "gpt-5"


# Bodies


def test_an_empty_body_is_no_json(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "empty")
    with pytest.raises(json.JSONDecodeError):
        chat(azure)
    seen: list[str] = []
    chat_stream(azure, seen)

    assert seen == []


def test_a_login_page_is_a_string_for_the_sdk(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "html")
    answer: Any = azure.chat.completions.create(model="gpt-5", messages=HELLO)

    assert isinstance(answer, str)
    assert "Sign in" in answer


def test_garbage_is_no_json_whole_or_streamed(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "garbage")
    with pytest.raises(json.JSONDecodeError):
        chat(azure)
    with pytest.raises(json.JSONDecodeError):
        chat_stream(azure, [])


def test_a_redirect_leads_to_another_origin_without_the_bearer_key(box: Sandbox, litellm: openai.OpenAI) -> None:
    box.inject("litellm", "redirect")
    with pytest.raises(openai.AuthenticationError):
        chat(litellm)

    first, second = box.requests
    assert (first.role, second.role) == ("litellm", "azure")
    assert (second.path, second.method) == ("/v1/chat/completions", "POST")
    assert "authorization" not in second.headers


def test_a_slow_answer_comes_late(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "slow:0.15")
    started = time.monotonic()
    chat(azure)

    assert time.monotonic() - started >= 0.15


def test_a_slow_stream_opens_at_once_and_speaks_late(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "slow:0.15")
    started = time.monotonic()
    arrived = [
        (bool(chunk.choices and chunk.choices[0].delta and chunk.choices[0].delta.content), time.monotonic() - started)
        for chunk in azure.chat.completions.create(model="gpt-5", messages=HELLO, stream=True)
    ]

    assert arrived[0][1] < 0.15
    assert all(at >= 0.15 for spoken, at in arrived if spoken)


def test_a_dripping_body_arrives_byte_by_byte_and_whole(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "drip:0")

    assert "Hello from the test" in chat(azure)
    seen: list[str] = []
    chat_stream(azure, seen)
    assert "Hello from the test" in "".join(seen)


def test_a_dripping_body_takes_its_time(box: Sandbox) -> None:
    box.inject("litellm", "drip:0.01")
    started = time.monotonic()
    reply = httpx2.get(f"{box.litellm_url}/health/liveliness")

    assert reply.json() == "I'm alive!"
    assert time.monotonic() - started >= 0.01 * len(reply.content)


# Streams


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_cut_stream_ends_cleanly_after_so_many_events(box: Sandbox, azure: openai.OpenAI, count: int) -> None:
    box.inject("azure", f"cut:{count}")
    seen: list[str] = []
    chat_stream(azure, seen)
    events: list[Any] = []
    responses_stream(azure, events)

    assert len(seen) == count
    assert sum(event.type == "response.output_text.delta" for event in events) == count
    assert events[0].type == "response.created"
    assert events[-1].type != "response.completed"


def test_a_cut_behind_the_last_content_still_has_no_terminal_event(
    box: Sandbox, azure: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    box.inject("azure", "cut:999")
    box.inject("anthropic", "cut:999")
    chunks = list(azure.chat.completions.create(model="gpt-5", messages=HELLO, stream=True))
    events: list[Any] = []
    claude_stream(claude, events)

    assert not any(choice.finish_reason for chunk in chunks for choice in chunk.choices)
    assert events[-1].type == "content_block_delta"


def test_a_cut_stream_leaves_the_connection_usable(box: Sandbox) -> None:
    box.inject("litellm", "cut:1", times=1)
    body = {"model": "gpt-5", "messages": HELLO, "stream": True}
    with httpx2.Client(headers={"authorization": f"Bearer {box.api_key}"}) as client:
        first = client.post(f"{box.litellm_url}/v1/chat/completions", json=body)
        second = client.post(f"{box.litellm_url}/v1/chat/completions", json=body)

    assert "[DONE]" not in first.text
    assert second.text.endswith("data: [DONE]\n\n")


def test_a_stream_cut_at_any_byte_is_a_prefix_of_the_whole(box: Sandbox) -> None:
    body = {"model": "gpt-5", "messages": HELLO, "stream": True}
    with httpx2.Client(headers={"authorization": f"Bearer {box.api_key}"}) as client:

        def fetch() -> bytes:
            return bytes(client.post(f"{box.litellm_url}/v1/chat/completions", json=body).content)

        for count in (0, 1, 40, 333):
            box.inject("litellm", f"cut-bytes:{count}", times=1)
            assert len(fetch()) == count
        box.inject("litellm", "cut-bytes:1000000", times=1)
        assert fetch().endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("count", [0, 2])
def test_a_reset_stream_gives_its_events_and_then_an_error(box: Sandbox, azure: openai.OpenAI, count: int) -> None:
    box.inject("azure", f"rst:{count}")
    seen: list[str] = []
    with pytest.raises(openai.APIConnectionError):
        chat_stream(azure, seen)

    assert len(seen) == count


def test_a_reset_claude_stream_leaks_a_transport_error(box: Sandbox, claude: anthropic.Anthropic) -> None:
    box.inject("anthropic", "rst:2")
    seen: list[Any] = []
    with pytest.raises(httpx2.ReadError):
        claude_stream(claude, seen)

    assert sum(event.type == "content_block_delta" for event in seen) == 2


def test_a_stalled_stream_gives_its_events_and_then_times_out(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "stall:2")
    seen: list[str] = []
    with pytest.raises(openai.APITimeoutError):
        chat_stream(azure.with_options(timeout=0.25), seen)

    assert len(seen) == 2


@pytest.mark.parametrize("fault", ["cut:1", "rst:1", "stall:1"])
def test_faults_for_streams_halve_a_json_body(box: Sandbox, azure: openai.OpenAI, fault: str) -> None:
    box.inject("azure", fault)
    with pytest.raises(openai.APIConnectionError):
        chat(azure.with_options(timeout=0.25))


# Errors inside streams.  Built from documented facts, not recorded.


def test_an_error_event_ends_a_chat_stream(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "event-error:server_error@2")
    seen: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        chat_stream(azure, seen)

    assert len(seen) == 2
    assert caught.value.code == "server_error"
    assert not isinstance(caught.value, openai.APIStatusError)


def test_an_error_event_before_content_leaves_the_preamble_only(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "event-error:content_filter")
    seen: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        chat_stream(azure, seen)

    assert seen == []
    assert caught.value.code == "content_filter"


def test_litellm_loses_the_code_of_an_error_in_a_chat_stream(box: Sandbox, litellm: openai.OpenAI) -> None:
    box.inject("litellm", "event-error:server_error@1")
    with pytest.raises(openai.APIError) as caught:
        chat_stream(litellm, [])

    assert (caught.value.code, caught.value.type) == ("500", None)


def test_a_flat_error_event_is_yielded_by_responses(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "event-error:context_length_exceeded@1")
    seen: list[Any] = []
    responses_stream(azure, seen)

    assert (seen[-1].type, seen[-1].code) == ("error", "context_length_exceeded")


def test_azure_says_a_rate_limit_inside_a_stream_in_two_events(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "event-error:rate_limit_exceeded;retry-after=9")
    reply = azure.responses.with_raw_response.create(model="gpt-5", input="x", stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(reply.parse())

    assert reply.status_code == 200
    assert reply.headers["retry-after"] == "9"
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.type == "too_many_requests"


def test_a_failed_response_carries_its_code_whole_and_streamed(box: Sandbox, azure: openai.OpenAI) -> None:
    box.inject("azure", "failed:server_error@2")
    whole = azure.responses.create(model="gpt-5", input="x")
    seen: list[Any] = []
    responses_stream(azure, seen)

    assert whole.status == "failed"
    assert whole.error is not None
    assert whole.error.code == "server_error"
    assert whole.output_text == ""
    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error.code == "server_error"
    assert sum(event.type == "response.output_text.delta" for event in seen) == 2


def test_litellm_turns_an_error_event_of_responses_into_a_failed_response(box: Sandbox, litellm: openai.OpenAI) -> None:
    box.inject("litellm", "event-error:rate_limit_exceeded@1")
    seen: list[Any] = []
    responses_stream(litellm, seen)

    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error.code == "server_error"


def test_claude_is_overloaded_inside_a_200(box: Sandbox, claude: anthropic.Anthropic) -> None:
    box.inject("anthropic", "event-error:overloaded_error@1")
    seen: list[Any] = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        claude_stream(claude, seen)

    assert caught.value.status_code == 200
    assert caught.value.type == "overloaded_error"
    assert sum(event.type == "content_block_delta" for event in seen) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("rate_limit_exceeded", 429), ("context_length_exceeded", 400), ("server_error", 500)]
)
def test_without_a_stream_an_error_event_is_a_status(
    box: Sandbox, azure: openai.OpenAI, code: str, status: int
) -> None:
    box.inject("azure", f"event-error:{code}")
    with pytest.raises(openai.APIStatusError) as caught:
        chat(azure)

    assert caught.value.status_code == status


def test_the_content_filter_cuts_an_answer_in_every_format(
    box: Sandbox, azure: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    box.inject("azure", "content-filter")
    box.inject("anthropic", "content-filter")
    whole = azure.chat.completions.create(model="gpt-5", messages=HELLO).choices[0]
    chunks = list(azure.chat.completions.create(model="gpt-5", messages=HELLO, stream=True))
    response = azure.responses.create(model="gpt-5", input="Hello")
    events: list[Any] = []
    responses_stream(azure, events)
    message = claude.messages.create(model="c", max_tokens=99, messages=HELLO)

    results: Any = (whole.model_extra or {})["content_filter_results"]
    assert whole.finish_reason == "content_filter"
    assert whole.message.content
    assert results["violence"]["filtered"] is True
    assert "content_filter" in [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "content_filter"
    assert events[-1].type == "response.incomplete"
    assert message.stop_reason == "refusal"


# The oddities of each role's streams


def lines(box: Sandbox, role: Any, path: str, body: dict[str, Any]) -> list[str]:
    reply = httpx2.post(
        box.url(role) + path, json={**body, "stream": True}, headers={"authorization": f"Bearer {box.api_key}"}
    )
    return [line for line in reply.text.splitlines() if line]


CHAT = {"model": "gpt-5", "messages": HELLO, "stream_options": {"include_usage": True}}


def test_an_azure_chat_stream_has_its_preamble_and_its_late_annotation(box: Sandbox) -> None:
    chunks = [json.loads(line[6:]) for line in lines(box, "azure", "/openai/v1/chat/completions", CHAT)[:-1]]

    first, late, usage = chunks[0], chunks[-2], chunks[-1]
    assert (first["id"], first["model"], first["object"], first["created"], first["choices"]) == ("", "", "", 0, [])
    assert first["prompt_filter_results"][0]["content_filter_results"]["jailbreak"]["filtered"] is False
    assert late["id"] == ""
    assert "delta" not in late["choices"][0]
    assert [c["choices"][0]["finish_reason"] for c in chunks[-3:-1]] == ["stop", None]
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] > 0


def test_quirks_can_be_switched_off() -> None:
    with Sandbox(quirks=False) as box:
        chunks = [json.loads(line[6:]) for line in lines(box, "azure", "/openai/v1/chat/completions", CHAT)[:-1]]

    assert all(chunk["id"] for chunk in chunks)
    assert not any("content_filter_results" in choice for chunk in chunks for choice in chunk["choices"])


def test_a_litellm_usage_chunk_has_a_choice_and_the_alias_as_model(box: Sandbox) -> None:
    sent = lines(box, "litellm", "/v1/chat/completions", CHAT)
    last = json.loads(sent[-2][6:])

    assert sent[-1] == "data: [DONE]"
    assert last["choices"] == [{"index": 0, "delta": {}}]
    assert last["usage"]["total_tokens"] > 0
    assert last["model"] == "gpt-5"


def test_responses_events_are_named_by_azure_and_not_by_litellm(box: Sandbox) -> None:
    body = {"model": "gpt-5", "input": "Hello"}
    azure = lines(box, "azure", "/openai/v1/responses", body)
    litellm = lines(box, "litellm", "/v1/responses", body)

    assert azure[0] == "event: response.created"
    assert azure[-2] == "event: response.completed"
    assert not any(line.startswith("event:") for line in litellm)
    assert litellm[-1] == "data: [DONE]"
    assert len(json.loads(litellm[0][6:])["response"]["id"]) > 350


def test_a_claude_stream_has_a_ping(box: Sandbox) -> None:
    body = {"model": "c", "max_tokens": 99, "messages": HELLO}
    named = [line for line in lines(box, "anthropic", "/v1/messages", body) if line.startswith("event:")]

    assert named[:3] == ["event: message_start", "event: content_block_start", "event: ping"]
    assert named[-2:] == ["event: message_delta", "event: message_stop"]


def test_every_fault_of_the_table_is_tried_here() -> None:
    with open(__file__, encoding="utf-8") as source:
        words = source.read()

    tried = {row.name for row in FAULTS if f'"{row.name}' in words or f'f"{row.name}' in words}
    assert tried | {"status"} == {row.name for row in FAULTS}
