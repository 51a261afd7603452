"""What users would take in place of the chain, each set up as its documentation says, with a chain of three.

Each runs in an environment of its own; none is imported by anything but the process that measures it.
"""

from __future__ import annotations

import time
from typing import Any

from bench.bodies import MODEL
from bench.clients import KEY, PIECES, AsyncClient, joined, messages_of
from bench.jobs import Job


class LiteLLMRouter(AsyncClient):
    """LiteLLM's Router: one group for each target, chained by ``fallbacks``."""

    def build(self, job: Job) -> None:  # noqa: ARG002  its chain is always three long
        import litellm

        litellm.telemetry = False
        groups = [
            {
                "model_name": f"group{at}",
                "litellm_params": {"model": f"openai/{MODEL}", "api_base": f"{url}/v1", "api_key": KEY},
            }
            for at, url in enumerate(self.urls)
        ]
        fallbacks = [{f"group{at}": [f"group{at + 1}"]} for at in range(len(groups) - 1)]
        self.router: Any = litellm.Router(model_list=groups, fallbacks=fallbacks, num_retries=0)

    async def whole(self, job: Job) -> str:
        said = messages_of(job.messages, job.size)
        if job.api == "chat":
            completion = await self.router.acompletion(model="group0", messages=said)
            return str(completion.choices[0].message.content)
        response = await self.router.aresponses(model="group0", input=said)
        return str(response.output[0].content[0].text)

    async def streamed(self, job: Job) -> tuple[str, float]:
        said = messages_of(job.messages, job.size)
        begun = time.perf_counter()
        if job.api == "chat":
            stream = await self.router.acompletion(model="group0", messages=said, stream=True)
        else:
            stream = await self.router.aresponses(model="group0", input=said, stream=True)
        return await joined(stream, PIECES[job.api], begun)


class PydanticAI(AsyncClient):
    """pydantic-ai's ``FallbackModel`` over three OpenAI models."""

    def build(self, job: Job) -> None:  # noqa: ARG002  its chain is always three long
        from pydantic_ai.models.fallback import FallbackModel
        from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        providers = [OpenAIProvider(base_url=f"{url}/v1", api_key=KEY) for url in self.urls]
        self.models: dict[str, Any] = {
            "chat": FallbackModel(*[OpenAIChatModel(MODEL, provider=each) for each in providers]),
            "responses": FallbackModel(*[OpenAIResponsesModel(MODEL, provider=each) for each in providers]),
        }

    def _messages(self, job: Job) -> list[Any]:
        from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart

        made: list[Any] = []
        for message in messages_of(job.messages, job.size):
            role, text = message["role"], message["content"]
            if role == "assistant":
                made.append(ModelResponse(parts=[TextPart(text)]))
            else:
                made.append(ModelRequest(parts=[SystemPromptPart(text) if role == "system" else UserPromptPart(text)]))
        return made

    async def whole(self, job: Job) -> str:
        from pydantic_ai.models import ModelRequestParameters

        reply = await self.models[job.api].request(self._messages(job), None, ModelRequestParameters())
        return str(reply.parts[0].content)

    async def streamed(self, job: Job) -> tuple[str, float]:
        from pydantic_ai.models import ModelRequestParameters

        begun = time.perf_counter()
        asked = self.models[job.api].request_stream(self._messages(job), None, ModelRequestParameters())
        async with asked as stream:
            return await joined(stream, _part, begun)


def _part(event: Any) -> str | None:
    if event.event_kind == "part_delta":
        return str(event.delta.content_delta)
    return str(event.part.content) if event.event_kind == "part_start" else None


class LangChain(AsyncClient):
    """LangChain's ``ChatOpenAI`` ``with_fallbacks``."""

    def build(self, job: Job) -> None:  # noqa: ARG002  its chain is always three long
        from langchain_openai import ChatOpenAI

        def chain(responses: bool) -> Any:
            models = [
                ChatOpenAI(model=MODEL, base_url=f"{url}/v1", api_key=KEY, use_responses_api=responses)
                for url in self.urls
            ]
            return models[0].with_fallbacks(models[1:])

        self.models = {"chat": chain(False), "responses": chain(True)}

    def _messages(self, job: Job) -> list[Any]:
        from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

        kinds: dict[str, Any] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
        return [kinds[each["role"]](each["content"]) for each in messages_of(job.messages, job.size)]

    async def whole(self, job: Job) -> str:
        reply = await self.models[job.api].ainvoke(self._messages(job))
        return str(reply.text)

    async def streamed(self, job: Job) -> tuple[str, float]:
        begun = time.perf_counter()
        return await joined(self.models[job.api].astream(self._messages(job)), lambda chunk: str(chunk.text), begun)
