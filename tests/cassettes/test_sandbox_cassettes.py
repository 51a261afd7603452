"""Calls of every shape, replayed: what the caller gets and which hops were asked.  Recorded from the sandbox."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from pydantic import BaseModel

from chatsheet_llm import AsyncChatClient, ChatClient, ContentFilteredError, Route, route_of
from chatsheet_llm.testing import Cassette

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to Ada, please."}]
WEATHER: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Call get_weather for Berlin."}]
TOOLS: list[ChatCompletionFunctionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


class City(BaseModel):
    name: str
    inhabitants: int


def hops(route: Route) -> list[str]:
    return [str(attempt) for attempt in route.attempts]


@pytest.mark.cassette("sandbox/chat-plain")
def test_a_chat_call_is_answered_from_the_cassette(client: ChatClient) -> None:
    completion = client.with_chain("azure/chat").chat.completions.create(model="gpt-5", messages=HELLO)

    assert completion.choices[0].message.content == (
        "You said: Say hello to Ada, please.\nAnswered by azure/chat as gpt-5."
    )
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0
    assert hops(route_of(completion)) == ["azure/chat 200"]


@pytest.mark.cassette("sandbox/chat-stream")
def test_a_chat_stream_is_replayed_chunk_by_chunk(client: ChatClient) -> None:
    stream = client.with_chain("azure/chat").chat.completions.create(
        model="gpt-5", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    # Azure's last chunk with a choice holds the filter's offsets and no delta.
    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices and chunk.choices[0].delta]
    assert "".join(words) == "You said: Say hello to Ada, please.\nAnswered by azure/chat as gpt-5."
    assert len(words) > 5
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0
    assert hops(route_of(stream)) == ["azure/chat 200"]


@pytest.mark.cassette("sandbox/responses-plain")
def test_a_responses_call_is_answered_from_the_cassette(client: ChatClient) -> None:
    response = client.with_chain("azure/responses").responses.create(model="gpt-5-codex", input="Say hello to Ada.")

    assert response.output_text == "You said: Say hello to Ada.\nAnswered by azure/responses as gpt-5-codex."
    assert response.id.startswith("resp_")
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
    assert hops(route_of(response)) == ["azure/responses 200"]


@pytest.mark.cassette("sandbox/responses-stream")
def test_a_responses_stream_is_replayed_event_by_event(client: ChatClient) -> None:
    stream = client.with_chain("azure/responses").responses.create(
        model="gpt-5-codex", input="Say hello to Ada.", stream=True
    )
    events = list(stream)

    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == (
        "You said: Say hello to Ada.\nAnswered by azure/responses as gpt-5-codex."
    )
    assert hops(route_of(stream)) == ["azure/responses 200"]


@pytest.mark.cassette("sandbox/responses-continued")
def test_the_id_that_a_reply_gave_is_the_one_that_the_next_request_names(client: ChatClient) -> None:
    azure = client.with_chain("azure/responses")
    first = azure.responses.create(model="gpt-5-codex", input="Say hello to Ada.")
    second = azure.responses.create(model="gpt-5-codex", input="And to Grace.", previous_response_id=first.id)

    assert second.previous_response_id == first.id
    assert second.output_text.startswith("You said: And to Grace.")


@pytest.mark.cassette("sandbox/bridged-tools-plain")
def test_a_chat_call_with_tools_is_bridged_to_recorded_responses(client: ChatClient) -> None:
    completion = client.with_chain("azure/responses").chat.completions.create(
        model="gpt-5-codex", messages=WEATHER, tools=TOOLS
    )

    (call,) = completion.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.id.startswith("call_")
    assert call.function.name == "get_weather"
    assert call.function.arguments == '{"city":"Call get_weather for Berlin."}'
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0
    assert hops(route_of(completion)) == ["azure/responses 200"]


@pytest.mark.cassette("sandbox/bridged-tools-stream")
def test_a_chat_stream_with_tools_is_bridged_from_recorded_responses(client: ChatClient) -> None:
    stream = client.with_chain("azure/responses").chat.completions.create(
        model="gpt-5-codex", messages=WEATHER, tools=TOOLS, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    deltas = [delta for chunk in chunks if chunk.choices for delta in chunk.choices[0].delta.tool_calls or []]
    functions = [delta.function for delta in deltas if delta.function is not None]
    assert [(delta.id or "")[:5] for delta in deltas if delta.id] == ["call_"]
    assert "".join(function.name or "" for function in functions) == "get_weather"
    assert "".join(function.arguments or "" for function in functions) == '{"city":"Call get_weather for Berlin."}'
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "tool_calls"
    assert chunks[-1].usage is not None
    assert hops(route_of(stream)) == ["azure/responses 200"]


@pytest.mark.cassette("sandbox/chat-parse")
def test_a_parsed_answer_comes_from_the_cassette(client: ChatClient) -> None:
    completion = client.with_chain("azure/chat").chat.completions.parse(
        model="gpt-5", messages=[{"role": "user", "content": "Tell me about Berlin."}], response_format=City
    )

    assert completion.choices[0].message.parsed == City(name="Tell me about Berlin.", inhabitants=1)
    assert hops(route_of(completion)) == ["azure/chat 200"]


@pytest.mark.cassette("sandbox/failover")
def test_one_cassette_holds_both_hops_of_a_failover(
    client: ChatClient, inject: Callable[[str, str], None], cassette: Cassette
) -> None:
    inject("litellm", "503")
    completion = client.chat.completions.create(model="gpt-5", messages=HELLO)

    assert hops(route_of(completion)) == ["litellm/chat 503", "azure/responses 200"]
    assert (completion.choices[0].message.content or "").endswith("Answered by azure/responses as gpt-5.")
    assert cassette.requests == [
        "POST https://litellm.example.invalid/v1/chat/completions",
        "POST https://azure.example.invalid/openai/v1/responses",
    ]


@pytest.mark.cassette("sandbox/throttled")
def test_a_rate_limit_and_the_answer_after_it_are_replayed_in_order(
    client: ChatClient, inject: Callable[[str, str], None]
) -> None:
    inject("azure/chat", "429;retry-after=0.1")
    completion = client.with_chain("azure/chat").chat.completions.create(model="gpt-5", messages=HELLO)

    refused, answered = route_of(completion).attempts
    assert [refused.status, answered.status] == [429, 200]
    assert refused.retry_after == 0.1
    assert refused.outcome == "rate"
    assert refused.request_id != answered.request_id


@pytest.mark.cassette("sandbox/content-filter")
def test_a_content_filter_is_replayed_with_its_body(client: ChatClient, inject: Callable[[str, str], None]) -> None:
    inject("azure/chat", "400:content_filter")
    with pytest.raises(ContentFilteredError) as caught:
        client.with_chain("azure/chat", "litellm").chat.completions.create(model="gpt-5", messages=HELLO)

    assert hops(route_of(caught.value)) == ["azure/chat 400"]
    assert caught.value.code == "content_filter"


@pytest.mark.cassette("sandbox/models")
def test_a_list_of_models_is_replayed(client: ChatClient) -> None:
    page = client.models.list()

    assert {"gpt-5", "gpt-5-codex"} <= {model.id for model in page}
    assert hops(route_of(page)) == ["litellm 200"]


@pytest.mark.cassette("sandbox/embeddings")
def test_embeddings_are_replayed(client: ChatClient) -> None:
    made = client.with_chain("azure").embeddings.create(model="text-embedding-3-small", input="Ada", dimensions=4)

    assert len(made.data[0].embedding) == 4
    assert sum(number * number for number in made.data[0].embedding) == pytest.approx(1, abs=1e-6)
    assert made.usage.total_tokens == 1


@pytest.mark.cassette("sandbox/async-plain")
async def test_an_asynchronous_call_is_answered_from_the_cassette(aclient: AsyncChatClient) -> None:
    completion = await aclient.with_chain("azure/chat").chat.completions.create(model="gpt-5", messages=HELLO)

    assert (completion.choices[0].message.content or "").endswith("Answered by azure/chat as gpt-5.")
    assert hops(route_of(completion)) == ["azure/chat 200"]


@pytest.mark.cassette("sandbox/async-stream")
async def test_an_asynchronous_stream_is_replayed(aclient: AsyncChatClient) -> None:
    stream = await aclient.with_chain("azure/responses").chat.completions.create(
        model="gpt-5-codex", messages=HELLO, stream=True
    )
    words = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]

    assert "".join(words).endswith("Answered by azure/responses as gpt-5-codex.")
    assert hops(route_of(stream)) == ["azure/responses 200"]
