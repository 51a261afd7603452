"""Agent frameworks take our client in place of theirs, and every call of theirs survives a first hop that is down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from frameworks import FAILED_OVER, NOT_HERE, SECOND, break_first, module, settings, tried
from pydantic import BaseModel

from chatsheet_llm import AsyncChatClient, ChatClient
from chatsheet_llm.sandbox import Sandbox

pydantic_ai = module("pydantic_ai")
pydantic_ai_openai = module("pydantic_ai.models.openai")
pydantic_ai_provider = module("pydantic_ai.providers.openai")
agents = module("agents")
langchain_core_tools = module("langchain_core.tools")
langchain_openai = module("langchain_openai")
missing = [
    name
    for name, found in (("pydantic-ai", pydantic_ai), ("openai-agents", agents), ("langchain-openai", langchain_openai))
    if found is None
]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} {NOT_HERE}")

MODEL = "gpt-5"
QUESTION = "What is the weather in Ghent?"
WEATHER = "rain, 12 degrees"
LABELS = {
    ("azure", "chat"): "azure/chat",
    ("azure", "responses"): "azure/responses",
    ("anthropic", "chat"): "anthropic/messages",
    ("anthropic", "responses"): "anthropic/messages",
}
"""Endpoint that answers, and the caller's API -> what the sandbox calls the hop."""
every_api = pytest.mark.parametrize("api", ["chat", "responses"])


class Forecast(BaseModel):
    """What structured output shall be."""

    city: str
    degrees: int


class Weather:
    """A tool, and the cities that it was asked for.  The sandbox calls a tool that the question names."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def of(self, city: str) -> str:
        """Say what the weather is like in a city."""
        self.asked.append(city)
        return WEATHER


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    return break_first(sandbox)


@pytest.fixture(params=SECOND)
def second(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(box: Sandbox, second: str) -> Iterator[ChatClient]:
    with ChatClient(settings(box, second)) as made:
        yield made


@pytest.fixture
async def async_client(box: Sandbox, second: str) -> AsyncIterator[AsyncChatClient]:
    async with AsyncChatClient(settings(box, second)) as made:
        yield made


# --- pydantic-ai ----------------------------------------------------------------------------------------------------


def pydantic_agent(api: str, client: AsyncChatClient, **options: Any) -> Any:
    kind = pydantic_ai_openai.OpenAIChatModel if api == "chat" else pydantic_ai_openai.OpenAIResponsesModel
    model = kind(MODEL, provider=pydantic_ai_provider.OpenAIProvider(openai_client=client))
    return pydantic_ai.Agent(model, **options)


@every_api
async def test_pydantic_ai_runs_an_agent_with_a_tool(
    box: Sandbox, async_client: AsyncChatClient, api: str, second: str
) -> None:
    weather = Weather()
    agent = pydantic_agent(api, async_client, tools=[pydantic_ai.Tool(weather.of, name="weather")])
    result = await agent.run(QUESTION)

    assert len(weather.asked) == 1
    assert WEATHER in result.output
    assert f"Answered by {LABELS[second, api]} as" in result.output
    assert tried(box) == FAILED_OVER * 2


@every_api
async def test_pydantic_ai_streams_a_run_with_a_tool(box: Sandbox, async_client: AsyncChatClient, api: str) -> None:
    weather = Weather()
    agent = pydantic_agent(api, async_client, tools=[pydantic_ai.Tool(weather.of, name="weather")])
    async with agent.run_stream(QUESTION) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    assert len(weather.asked) == 1
    assert len(pieces) > 1
    assert WEATHER in "".join(pieces)
    assert tried(box) == FAILED_OVER * 2


@every_api
async def test_pydantic_ai_gets_structured_output(box: Sandbox, async_client: AsyncChatClient, api: str) -> None:
    result = await pydantic_agent(api, async_client, output_type=pydantic_ai.NativeOutput(Forecast)).run(QUESTION)

    assert isinstance(result.output, Forecast)
    assert tried(box) == FAILED_OVER


# --- openai-agents --------------------------------------------------------------------------------------------------


def openai_agent(api: str, client: AsyncChatClient, **options: Any) -> Any:
    agents.set_tracing_disabled(True)  # it would be sent to OpenAI
    kind = agents.OpenAIChatCompletionsModel if api == "chat" else agents.OpenAIResponsesModel
    return agents.Agent(name="forecaster", model=kind(model=MODEL, openai_client=client), **options)


@every_api
async def test_openai_agents_runs_an_agent_with_a_tool(
    box: Sandbox, async_client: AsyncChatClient, api: str, second: str
) -> None:
    weather = Weather()
    agent = openai_agent(api, async_client, tools=[agents.function_tool(weather.of, name_override="weather")])
    result = await agents.Runner.run(agent, QUESTION)

    assert len(weather.asked) == 1
    assert WEATHER in result.final_output
    assert f"Answered by {LABELS[second, api]} as" in result.final_output
    assert tried(box) == FAILED_OVER * 2


@every_api
async def test_openai_agents_streams_a_run_with_a_tool(box: Sandbox, async_client: AsyncChatClient, api: str) -> None:
    weather = Weather()
    agent = openai_agent(api, async_client, tools=[agents.function_tool(weather.of, name_override="weather")])
    result = agents.Runner.run_streamed(agent, QUESTION)
    kinds = {event.data.type async for event in result.stream_events() if event.type == "raw_response_event"}

    assert len(weather.asked) == 1
    assert {"response.output_text.delta", "response.completed"} <= kinds
    assert WEATHER in result.final_output
    assert tried(box) == FAILED_OVER * 2


@every_api
async def test_openai_agents_gets_structured_output(box: Sandbox, async_client: AsyncChatClient, api: str) -> None:
    result = await agents.Runner.run(openai_agent(api, async_client, output_type=Forecast), QUESTION)

    assert isinstance(result.final_output, Forecast)
    assert tried(box) == FAILED_OVER


# --- LangChain ------------------------------------------------------------------------------------------------------


@pytest.fixture
def chat(client: ChatClient, async_client: AsyncChatClient) -> Any:
    """`ChatOpenAI` on our clients.

    It takes them ready-made: `client` and `async_client` are the resource that chat calls go to, the two roots are for
    everything else.  Given all four it asks for no key.
    """
    return langchain_openai.ChatOpenAI(
        model=MODEL,
        client=client.chat.completions,
        async_client=async_client.chat.completions,
        root_client=client,
        root_async_client=async_client,
    )


def test_langchain_invokes(box: Sandbox, chat: Any, second: str) -> None:
    message = chat.invoke(QUESTION)

    assert QUESTION in message.text
    assert f"Answered by {LABELS[second, 'chat']} as" in message.text
    assert message.usage_metadata["output_tokens"] > 0
    assert tried(box) == FAILED_OVER


def test_langchain_streams(box: Sandbox, chat: Any) -> None:
    pieces = [piece.text for piece in chat.stream(QUESTION)]

    assert len(pieces) > 2
    assert QUESTION in "".join(pieces)
    assert tried(box) == FAILED_OVER


async def test_langchain_invokes_and_streams_asynchronously(box: Sandbox, chat: Any) -> None:
    message = await chat.ainvoke(QUESTION)
    text = "".join([piece.text async for piece in chat.astream(QUESTION)])

    assert QUESTION in message.text
    assert QUESTION in text
    assert tried(box) == FAILED_OVER * 2


def test_langchain_calls_a_tool_and_reads_its_result(box: Sandbox, chat: Any) -> None:
    weather = Weather()
    named = langchain_core_tools.tool("weather")(weather.of)
    asked = ("user", QUESTION)
    call = chat.bind_tools([named]).invoke([asked])
    result = named.invoke(call.tool_calls[0])
    answer = chat.bind_tools([named]).invoke([asked, call, result])

    assert [made["name"] for made in call.tool_calls] == ["weather"]
    assert len(weather.asked) == 1
    assert WEATHER in answer.text
    assert tried(box) == FAILED_OVER * 2


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_gets_structured_output(box: Sandbox, chat: Any, method: str) -> None:
    found = chat.with_structured_output(Forecast, method=method).invoke(QUESTION)

    assert isinstance(found, Forecast)
    assert tried(box) == FAILED_OVER


def test_langchain_speaks_responses(box: Sandbox, chat: Any) -> None:
    speaking = chat.model_copy(update={"use_responses_api": True})
    message = speaking.invoke(QUESTION)
    text = "".join(piece.text for piece in speaking.stream(QUESTION))

    assert QUESTION in message.text
    assert QUESTION in text
    assert tried(box) == FAILED_OVER * 2
    assert box.hits("litellm/responses") == 2
