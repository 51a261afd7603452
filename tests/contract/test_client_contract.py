"""What users call, end to end on loopback: it must pass with the lowest and the newest SDKs that we allow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from chatsheet_llm import AsyncChatClient, ChatClient, RateLimitedError, Settings, route_of
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Anthropic, Outgoing
from chatsheet_llm.sandbox import Sandbox

HELLO: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}
SAID = "You said: Hello"
CHAINS = {
    "as it is": (["azure/chat"], "azure/chat 200"),
    "bridged": (["azure/responses"], "azure/responses 200"),
    "failed over": (["litellm", "azure/responses"], "litellm/chat 503 -> azure/responses 200"),
}
"""Chains to call, and the beginning of each route; LiteLLM is down."""


class Answer(pydantic.BaseModel):
    """What structured output shall be."""

    city: str


@pytest.fixture(scope="module")
def _box() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def box(_box: Sandbox) -> Sandbox:
    _box.clear()
    _box.forget()
    _box.inject("litellm/chat", "503")
    return _box


def settings(box: Sandbox) -> Settings:
    return Settings(
        _env_file=None,
        litellm_base_url=box.litellm_url,
        litellm_api_key=box.api_key,
        azure_openai_endpoint=box.azure_url,
        azure_openai_api_key=box.api_key,
    )


@pytest.fixture(params=CHAINS, ids=lambda name: name.replace(" ", "-"))
def chain(request: pytest.FixtureRequest) -> tuple[list[str], str]:
    return CHAINS[request.param]


@pytest.fixture
def client(box: Sandbox, chain: tuple[list[str], str]) -> Iterator[ChatClient]:
    with ChatClient(settings(box), chain=chain[0], max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(box: Sandbox, chain: tuple[list[str], str]) -> AsyncIterator[AsyncChatClient]:
    async with AsyncChatClient(settings(box), chain=chain[0], max_retries=0) as made:
        yield made


@pytest.fixture
def begins(chain: tuple[list[str], str]) -> str:
    return chain[1]


# --- chat, by every way in which the SDK lets one ask -----------------------------------------------------------------


def said(chunk: ChatCompletionChunk) -> str:
    # Azure ends with a choice that has no delta, against the SDK's type: the bare SDK gives None there, and so do we.
    return "".join(choice.delta.content or "" for choice in chunk.choices if choice.delta)


def test_plain(client: ChatClient, begins: str) -> None:
    completion = client.chat.completions.create(**HELLO)

    assert type(completion) is ChatCompletion
    assert str(completion.choices[0].message.content).startswith(SAID)
    assert str(route_of(completion)).startswith(begins)


async def test_plain_async(async_client: AsyncChatClient, begins: str) -> None:
    completion = await async_client.chat.completions.create(**HELLO)

    assert type(completion) is ChatCompletion
    assert str(completion.choices[0].message.content).startswith(SAID)
    assert str(route_of(completion)).startswith(begins)


def test_stream(client: ChatClient, begins: str) -> None:
    stream = client.chat.completions.create(**HELLO, stream=True)
    text = "".join(said(chunk) for chunk in stream)

    assert isinstance(stream, openai.Stream)
    assert text.startswith(SAID)
    assert str(route_of(stream)).startswith(begins)


async def test_stream_async(async_client: AsyncChatClient, begins: str) -> None:
    stream = await async_client.chat.completions.create(**HELLO, stream=True)
    text = "".join([said(chunk) async for chunk in stream])

    assert isinstance(stream, openai.AsyncStream)
    assert text.startswith(SAID)
    assert str(route_of(stream)).startswith(begins)


def test_stream_helper(client: ChatClient, begins: str) -> None:
    with client.chat.completions.stream(**HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert str(final.choices[0].message.content).startswith(SAID)
    assert str(route_of(stream)).startswith(begins)


async def test_stream_helper_async(async_client: AsyncChatClient, begins: str) -> None:
    async with async_client.chat.completions.stream(**HELLO) as stream:
        final = await stream.get_final_completion()

    assert str(final.choices[0].message.content).startswith(SAID)
    assert str(route_of(stream)).startswith(begins)


def test_raw(client: ChatClient, begins: str) -> None:
    raw = client.chat.completions.with_raw_response.create(**HELLO)

    assert (raw.status_code, raw.http_response.json()["object"]) == (200, "chat.completion")
    assert str(raw.parse().choices[0].message.content).startswith(SAID)
    assert str(route_of(raw)).startswith(begins)


async def test_raw_async(async_client: AsyncChatClient, begins: str) -> None:
    raw = await async_client.chat.completions.with_raw_response.create(**HELLO)

    assert str(raw.parse().choices[0].message.content).startswith(SAID)
    assert str(route_of(raw)).startswith(begins)


def test_streaming_response(client: ChatClient, begins: str) -> None:
    with client.chat.completions.with_streaming_response.create(**HELLO, stream=True) as response:
        lines = list(response.iter_lines())

    assert lines[0].startswith("data: {")
    assert [line for line in lines if line][-1] == "data: [DONE]"
    assert str(route_of(response)).startswith(begins)


async def test_streaming_response_async(async_client: AsyncChatClient, begins: str) -> None:
    async with async_client.chat.completions.with_streaming_response.create(**HELLO) as response:
        completion = await response.parse()

    assert str(completion.choices[0].message.content).startswith(SAID)
    assert str(route_of(response)).startswith(begins)


def test_parse(client: ChatClient, begins: str) -> None:
    completion = client.chat.completions.parse(**HELLO, response_format=Answer)

    assert isinstance(completion.choices[0].message.parsed, Answer)
    assert str(route_of(completion)).startswith(begins)


async def test_parse_async(async_client: AsyncChatClient, begins: str) -> None:
    completion = await async_client.chat.completions.parse(**HELLO, response_format=Answer)

    assert isinstance(completion.choices[0].message.parsed, Answer)
    assert str(route_of(completion)).startswith(begins)


# --- the other resources --------------------------------------------------------------------------------------------


@pytest.fixture
def azure(box: Sandbox) -> Iterator[ChatClient]:
    with ChatClient(settings(box), chain=["azure"]) as made:
        yield made


@pytest.fixture
async def async_azure(box: Sandbox) -> AsyncIterator[AsyncChatClient]:
    async with AsyncChatClient(settings(box), chain=["azure"]) as made:
        yield made


def test_responses(azure: ChatClient) -> None:
    whole = azure.responses.create(model="gpt-5", input="Hello")
    parsed = azure.responses.parse(model="gpt-5", input="Hello", text_format=Answer)
    with azure.responses.stream(model="gpt-5", input="Hello") as stream:
        last = [event.type for event in stream][-1]

    assert whole.output_text.startswith(SAID)
    assert isinstance(parsed.output_parsed, Answer)
    assert last == "response.completed"
    assert {str(route_of(one))[:19] for one in (whole, parsed, stream)} == {"azure/responses 200"}


async def test_responses_async(async_azure: AsyncChatClient) -> None:
    whole = await async_azure.responses.create(model="gpt-5", input="Hello")
    stream = await async_azure.responses.create(model="gpt-5", input="Hello", stream=True)
    kinds = [event.type async for event in stream]

    assert whole.output_text.startswith(SAID)
    assert kinds[-1] == "response.completed"
    assert {str(route_of(one))[:19] for one in (whole, stream)} == {"azure/responses 200"}


def test_list(azure: ChatClient) -> None:
    page = azure.models.list()

    assert "gpt-5" in [model.id for model in page]
    assert str(route_of(page)).startswith("azure 200")


async def test_list_async(async_azure: AsyncChatClient) -> None:
    page = await async_azure.models.list()

    assert "gpt-5" in [model.id async for model in page]
    assert str(route_of(page)).startswith("azure 200")


def test_embeddings(azure: ChatClient) -> None:
    made = azure.embeddings.create(model="text-embedding-3-small", input=["Hello", "there"])

    assert [type(one.embedding[0]) for one in made.data] == [float, float]
    assert str(route_of(made)).startswith("azure 200")


async def test_embeddings_async(async_azure: AsyncChatClient) -> None:
    made = await async_azure.embeddings.create(model="text-embedding-3-small", input="Hello")

    assert type(made.data[0].embedding[0]) is float
    assert str(route_of(made)).startswith("azure 200")


def test_an_error_is_the_sdk_s_own(box: Sandbox, azure: ChatClient) -> None:
    box.inject("azure", "429;retry-after=500")
    with pytest.raises(openai.RateLimitError) as caught:
        azure.with_options(max_retries=0).chat.completions.create(**HELLO)

    assert isinstance(caught.value, RateLimitedError)
    assert caught.value.status_code == 429
    assert route_of(caught.value).retry_at is not None


# --- Anthropic's SDK, through its endpoint --------------------------------------------------------------------------


@pytest.fixture
def anthropic(box: Sandbox) -> Anthropic:
    told = EndpointSettings(kind="anthropic", base_url=box.anthropic_url, api_key=pydantic.SecretStr(box.api_key))
    return Anthropic(name="anthropic", settings=told)


def message(*, stream: bool) -> Outgoing:
    return Outgoing(
        options=None,
        method="post",
        path=Anthropic.PATHS["messages"],
        mode="messages",
        body={**HELLO, "max_tokens": 64, "stream": stream},
        headers={},
        timeout=httpx2.Timeout(10.0),
        seconds=10.0,
    )


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_anthropic_s_raw_response(anthropic: Anthropic, stream: bool) -> None:
    with httpx2.Client() as http:
        sdk = anthropic.client(http)
        response = sdk.request(httpx2.Response, anthropic.options(message(stream=stream)), stream=stream)
        text = "".join(response.iter_text())

    assert response.status_code == 200
    assert ("event: message_stop" if stream else '"stop_reason":"end_turn"') in text


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_anthropic_s_raw_response_async(anthropic: Anthropic, stream: bool) -> None:
    async with httpx2.AsyncClient() as http:
        sdk = anthropic.async_client(http)
        response = await sdk.request(httpx2.Response, anthropic.options(message(stream=stream)), stream=stream)
        text = "".join([piece async for piece in response.aiter_text()])

    assert response.status_code == 200
    assert ("event: message_stop" if stream else '"stop_reason":"end_turn"') in text
