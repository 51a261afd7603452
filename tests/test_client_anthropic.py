"""Claude behind an OpenAI client: Anthropic and Azure Foundry as hops of the chain, over real sockets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from client_cases import HELLO, WEATHER, Said, ask, hello, settings_for, text_of, way

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, errors, route_of
from chatsheet_llm.sandbox import Sandbox

MODEL = "claude-opus-4-6"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
KINDS = ("anthropic", "anthropic_foundry")


def settings(box: Sandbox) -> Settings:
    return settings_for(
        box,
        anthropic_base_url=box.anthropic_url,
        anthropic_api_key=box.api_key,
        endpoints={"anthropic_foundry": {"base_url": f"{box.azure_url}/anthropic", "api_key": box.api_key}},
    )


@pytest.fixture(params=KINDS)
def claude(request: pytest.FixtureRequest, box: Sandbox) -> Any:
    with ChatClient(settings(box), chain=[request.param]) as client:
        yield client


CALLS: dict[str, Callable[[Any], Any]] = {"chat": hello, "responses": ask}


@pytest.mark.parametrize("caller", CALLS)
def test_an_answer_has_the_caller_s_own_type(claude: ChatClient, box: Sandbox, caller: str) -> None:
    reply = CALLS[caller](claude, model=MODEL)

    assert type(reply).__name__ == {"chat": "ChatCompletion", "responses": "Response"}[caller]
    assert "hello there" in text_of(reply)
    assert reply.usage.total_tokens > 0
    assert route_of(reply).attempts[0].mode == "messages"
    assert box.requests[-1].path.endswith("/v1/messages")


@pytest.mark.parametrize("caller", CALLS)
def test_a_stream_says_what_the_whole_answer_says(claude: ChatClient, caller: str) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if caller == "chat" else {}
    events = list(CALLS[caller](claude, model=MODEL, stream=True, **options))
    whole = CALLS[caller](claude, model=MODEL)

    assert text_of(events) == text_of(whole)
    usage = events[-1].usage if caller == "chat" else events[-1].response.usage
    assert usage.total_tokens == whole.usage.total_tokens


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_the_asynchronous_client_gives_the_same(box: Sandbox, stream: bool) -> None:
    async with AsyncChatClient(settings(box), chain=["anthropic"]) as client:
        reply = await hello(client, model=MODEL, stream=stream)
        given = [chunk async for chunk in reply] if stream else reply

    assert "hello there" in text_of(given)


def test_tools_go_there_and_back_over_several_turns(claude: ChatClient, box: Sandbox) -> None:
    asked: dict[str, Any] = {"model": MODEL, "tools": [WEATHER]}
    first = hello(claude, tool_choice="required", **asked)
    (call,) = first.choices[0].message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    second = hello(claude, messages=[*HELLO, first.choices[0].message, result], **asked)
    sent = box.requests[-1].json["messages"]

    assert first.choices[0].finish_reason == "tool_calls"
    assert "city" in json.loads(call.function.arguments)
    assert [(turn["role"], [block["type"] for block in turn["content"]]) for turn in sent[1:]] == [
        ("assistant", ["tool_use"]),
        ("user", ["tool_result"]),
    ]
    assert "sunny" in text_of(second)


def test_system_messages_images_and_stop_sequences_arrive_in_anthropic_s_words(
    claude: ChatClient, box: Sandbox
) -> None:
    url = f"data:image/png;base64,{PIXEL}"
    content = [{"type": "text", "text": "hello there"}, {"type": "image_url", "image_url": {"url": url}}]
    hello(
        claude,
        model=MODEL,
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}],
        stop=["END"],
        max_completion_tokens=50,
        user="u1",
    )
    sent = box.requests[-1].json

    assert sent["system"] == "Be brief."
    assert sent["messages"][0]["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": PIXEL}
    assert (sent["stop_sequences"], sent["max_tokens"], sent["metadata"]) == (["END"], 50, {"user_id": "u1"})


def test_thinking_comes_back_to_the_endpoint_that_signed_it(claude: ChatClient, box: Sandbox) -> None:
    asked: dict[str, Any] = {"model": MODEL, "reasoning_effort": "high"}
    first = hello(claude, **asked)
    message = first.choices[0].message
    hello(claude, messages=[*HELLO, message, *HELLO], **asked)
    blocks = box.requests[-1].json["messages"][1]["content"]

    assert message.reasoning_content
    assert [block["type"] for block in blocks] == ["thinking", "text"]
    assert blocks[0]["signature"]


@pytest.mark.parametrize("caller", CALLS)
def test_streamed_thinking_comes_as_reasoning(claude: ChatClient, caller: str) -> None:
    asked: dict[str, Any] = {"chat": {"reasoning_effort": "high"}, "responses": {"reasoning": {"effort": "high"}}}
    events = list(CALLS[caller](claude, model=MODEL, stream=True, **asked[caller]))

    if caller == "chat":
        deltas = [choice.delta for chunk in events for choice in chunk.choices]
        assert any(getattr(delta, "reasoning_content", None) for delta in deltas)
        assert any(getattr(delta, "reasoning_items", None) for delta in deltas)
    else:
        assert [item.type for item in events[-1].response.output] == ["reasoning", "message"]
        assert any(event.type == "response.reasoning_summary_text.delta" for event in events)


def test_a_structured_answer_is_parsed(claude: ChatClient) -> None:
    parsed = claude.chat.completions.parse(model=MODEL, messages=[*HELLO], response_format=Said)

    assert isinstance(parsed.choices[0].message.parsed, Said)


def test_the_sdk_s_stream_helpers_put_the_answer_together(claude: ChatClient) -> None:
    with claude.chat.completions.stream(model=MODEL, messages=[*HELLO]) as stream:
        chat = stream.get_final_completion()
    with claude.responses.stream(model=MODEL, input="hello there") as stream:
        response = stream.get_final_response()

    assert "hello there" in text_of(chat)
    assert "hello there" in text_of(response)


def test_thinking_never_goes_to_another_endpoint(box: Sandbox) -> None:
    asked: dict[str, Any] = {"model": MODEL, "reasoning_effort": "high"}
    with ChatClient(settings(box), chain=KINDS) as client:
        message = hello(client, **asked).choices[0].message
        box.inject("anthropic", "529")
        second = hello(client, messages=[*HELLO, message, *HELLO], **asked)
        answer = box.requests[-1].json["messages"][1]

    assert way(route_of(second)).endswith("anthropic_foundry/messages 200")
    assert answer == {"role": "assistant", "content": message.content}
    assert "messages[1].reasoning_items[0]" in {loss.path for loss in route_of(second).losses}


def test_claude_answers_when_azure_is_down(box: Sandbox) -> None:
    box.inject("azure", "503")
    with ChatClient(settings(box), chain=["azure/responses", "anthropic"]) as client:
        reply = hello(client, reasoning_effort="low")

    assert way(route_of(reply)) == "azure/responses 503 -> anthropic/messages 200"


def test_a_limit_that_nobody_set_is_listed(box: Sandbox) -> None:
    with ChatClient(settings(box), chain=["anthropic"]) as client:
        unlimited, limited = hello(client, model=MODEL), hello(client, model=MODEL, max_tokens=9)

    assert [(loss.path, loss.minor) for loss in route_of(unlimited).losses] == [("max_completion_tokens", True)]
    assert route_of(limited).losses == ()


def test_what_claude_cannot_have_leaves_its_hop_out(box: Sandbox) -> None:
    with ChatClient(settings(box), chain=["anthropic", "azure/chat"]) as client:
        reply = hello(client, seed=7)
        dropped = hello(client.copy(on_loss="drop"), seed=7)

    assert way(route_of(reply)) == "azure/chat 200"
    assert [(skip.hop, skip.rule) for skip in route_of(reply).skipped] == [("anthropic/messages", "loss")]
    assert "seed" in {loss.path for loss in route_of(dropped).losses}
    assert "seed" not in next(request.json for request in reversed(box.requests) if "messages" in request.path)


def test_where_no_hop_is_left_one_error_names_the_parameter_and_the_hops(box: Sandbox) -> None:
    with (
        ChatClient(settings(box), chain=["anthropic", "azure/responses"]) as client,
        pytest.raises(errors.UnsupportedParameterError, match="seed") as caught,
    ):
        hello(client, seed=7)

    assert caught.value.param == "seed"
    assert all(hop in str(caught.value) for hop in ("anthropic/messages", "azure/responses"))
    assert box.requests == []


OVERLOADED = ("529", "event-error:overloaded_error")


@pytest.mark.parametrize("fault", OVERLOADED)
@pytest.mark.parametrize("caller", CALLS)
def test_an_overload_is_one_whether_by_status_or_within_a_200_stream(box: Sandbox, fault: str, caller: str) -> None:
    box.inject("anthropic", fault)
    with ChatClient(settings(box), chain=["anthropic", "azure/responses"]) as client:
        events = list(CALLS[caller](client, stream=True))

    assert "hello there" in text_of(events)
    assert [request.role for request in box.requests] == ["anthropic", "azure"]


@pytest.mark.parametrize("caller", CALLS)
def test_an_overload_behind_content_interrupts_and_never_fails_over(box: Sandbox, caller: str) -> None:
    box.inject("anthropic", "event-error:overloaded_error@2")
    with (
        ChatClient(settings(box), chain=["anthropic", "azure/responses"]) as client,
        pytest.raises(errors.StreamInterrupted) as caught,
    ):
        list(CALLS[caller](client, stream=True))

    assert caught.value.partial
    assert [request.role for request in box.requests] == ["anthropic"]


@pytest.mark.parametrize("fault", ["cut:2", "rst:2"])
def test_a_cut_stream_is_never_a_success(box: Sandbox, fault: str) -> None:
    box.inject("anthropic", fault)
    with ChatClient(settings(box), chain=["anthropic"]) as client, pytest.raises(errors.StreamInterrupted):
        list(hello(client, model=MODEL, stream=True))


def test_an_error_has_openai_s_fields(box: Sandbox) -> None:
    box.inject("anthropic", "400")
    with ChatClient(settings(box), chain=["anthropic"]) as client, pytest.raises(errors.BadRequestError) as caught:
        hello(client, model=MODEL)

    assert {"message", "type", "param", "code"} <= set(caught.value.body)
    assert caught.value.body["type"] == "invalid_request_error"


def test_an_error_names_the_hop_that_a_loss_kept_out_of_a_failed_call(box: Sandbox) -> None:
    box.inject("azure", "503")
    with (
        ChatClient(settings(box), chain=["azure/chat", "anthropic"]) as client,
        pytest.raises(errors.OverloadedError, match="anthropic/messages messages cannot carry seed"),
    ):
        hello(client, seed=7)


def test_a_malformed_request_is_told_in_the_caller_s_words(box: Sandbox) -> None:
    broken = {"type": "json_schema", "json_schema": {"name": "n", "schema": "none"}}
    with ChatClient(settings(box), chain=["anthropic"]) as client, pytest.raises(errors.BadRequestError) as caught:
        hello(client, model=MODEL, response_format=broken)

    assert caught.value.param == "response_format.json_schema.schema"


def test_claude_and_azure_openai_on_one_resource_stand_in_for_each_other(box: Sandbox) -> None:
    box.inject("azure", "503", times=1)
    with ChatClient(settings(box), chain=["azure/chat", "anthropic_foundry"]) as client:
        reply = hello(client)

    assert way(route_of(reply)) == "azure/chat 503 -> anthropic_foundry/messages 200"
