"""The bare SDK and the chain, asked alike: a job in, the text of the answer out.  Measures nothing.

How the chain is set up, and how another transport is chosen for it, stands here and nowhere else.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.bodies import MODEL
from bench.jobs import Job, Message, prompt

if TYPE_CHECKING:
    from chatsheet_llm import Settings

KEY = "bench-key"
messages_of = cache(prompt)
Ports = Mapping[str, str]
"""Name of a port to its URL."""


class Client(ABC):
    """One way of calling a model, on one port.  ``port`` is the first hop's, ``then`` those of the hops after it."""

    def __init__(self, job: Job, port: str, then: Sequence[str]) -> None:
        self.urls = (port, *then)
        self.build(job)

    @abstractmethod
    def build(self, job: Job) -> None:
        """Make the client.  What it imports is imported here: only this client's environment has it."""


class AsyncClient(Client):
    """A client that is awaited: it answers whole, and streams."""

    @abstractmethod
    async def whole(self, job: Job) -> str:
        """Return the text of one answer."""

    @abstractmethod
    async def streamed(self, job: Job) -> tuple[str, float]:
        """Return the text of one stream, and after how many seconds its first piece was there."""


class SyncClient(Client):
    """A client that blocks, asked without an event loop; it is not measured with streams."""

    @abstractmethod
    def call(self, job: Job) -> str:
        """Return the text of one answer."""


def chat_piece(chunk: Any) -> str | None:
    return chunk.choices[0].delta.content if chunk.choices else None


def responses_piece(event: Any) -> str | None:
    return event.delta if event.type == "response.output_text.delta" else None


PIECES: Mapping[str, Callable[[Any], str | None]] = {"chat": chat_piece, "responses": responses_piece}


async def joined(stream: AsyncIterable[Any], piece: Callable[[Any], str | None], begun: float) -> tuple[str, float]:
    """Read a stream to its end; return its text and after how many seconds the first piece was there."""
    pieces: list[str] = []
    first = 0.0
    async for event in stream:
        text = piece(event)
        if text:
            if not pieces:
                first = time.perf_counter() - begun
            pieces.append(text)
    return "".join(pieces), first


class Sdk(AsyncClient):
    """``AsyncOpenAI`` as it comes: what everything is held against."""

    def build(self, job: Job) -> None:  # noqa: ARG002  it has no chain
        import openai

        self.client: Any = openai.AsyncOpenAI(base_url=f"{self.urls[0]}/v1", api_key=KEY)

    async def whole(self, job: Job) -> str:
        said: Any = messages_of(job.messages, job.size)
        if job.api == "chat":
            completion = await self.client.chat.completions.create(model=MODEL, messages=said)
            return str(completion.choices[0].message.content)
        response = await self.client.responses.create(model=MODEL, input=said)
        return str(response.output_text)

    async def streamed(self, job: Job) -> tuple[str, float]:
        said: Any = messages_of(job.messages, job.size)
        begun = time.perf_counter()
        if job.api == "chat":
            stream = await self.client.chat.completions.create(model=MODEL, messages=said, stream=True)
        else:
            stream = await self.client.responses.create(model=MODEL, input=said, stream=True)
        return await joined(stream, PIECES[job.api], begun)


class SdkSync(SyncClient):
    """``OpenAI`` as it comes."""

    def build(self, job: Job) -> None:  # noqa: ARG002  it has no chain
        import openai

        self.client: Any = openai.OpenAI(base_url=f"{self.urls[0]}/v1", api_key=KEY)

    def call(self, job: Job) -> str:
        said: list[Message] = messages_of(job.messages, job.size)
        return str(self.client.chat.completions.create(model=MODEL, messages=said).choices[0].message.content)


class Ours(Sdk):
    """The chain on its default transport, each hop in the caller's own format."""

    chain: tuple[str, ...] | None = None

    def build(self, job: Job) -> None:
        from chatsheet_llm import AsyncChatClient

        self.client = AsyncChatClient(settings_of(self.urls, job.hops, job.models), chain=self.chain)


class OursOnHttpx2(Ours):
    """The chain on the transport that the SDK has by default."""

    def build(self, job: Job) -> None:
        import openai

        from chatsheet_llm import AsyncChatClient

        http = openai.DefaultAsyncHttpxClient()
        self.client = AsyncChatClient(settings_of(self.urls, job.hops, job.models), chain=self.chain, http_client=http)


class OursOverResponses(Ours):
    """The chain with a first hop that speaks Responses, whatever the caller wrote."""

    chain = ("litellm/responses", "azure/responses", "azure/chat")


class OursOverChat(Ours):
    """The chain with a first hop that speaks Chat Completions, whatever the caller wrote."""

    chain = ("litellm/chat", "azure/chat", "azure/responses")


class OursSync(SdkSync):
    """The blocking chain."""

    def build(self, job: Job) -> None:
        from chatsheet_llm import ChatClient

        self.client = ChatClient(settings_of(self.urls, job.hops, job.models))


def settings_of(urls: Sequence[str], hops: int = 3, models: int = 0) -> Settings:
    """Return settings with the usual chain of three hops, or with another number of hops of one kind.

    With ``models``, they have a ``models.yaml`` of so many entries.
    """
    from chatsheet_llm import Settings

    more: dict[str, Any] = {"models_file": models_file(models)} if models else {}
    if hops != 3:
        found = [urls[min(hop, len(urls) - 1)] for hop in range(hops)]
        # Origins of their own, or all would be one failure domain: 127.0.0.2 and on are this machine, too.
        found = [url.replace("127.0.0.1", f"127.0.0.{hop + 1}") for hop, url in enumerate(found)]
        more["endpoints"] = {
            f"hop{at}": {"kind": "openai", "base_url": f"{url}/v1", "api_key": KEY} for at, url in enumerate(found)
        }
        return Settings(_env_file=None, chain=tuple(more["endpoints"]), **more)
    return Settings(
        _env_file=None,
        litellm_base_url=urls[0],
        litellm_api_key=KEY,
        azure_openai_endpoint=urls[1],
        azure_openai_api_key=KEY,
        **more,
    )


@cache
def models_file(models: int) -> Path:
    """Return a ``models.yaml`` with so many models; the one that is called stands in the middle."""
    names = [f"model-{number}" for number in range(models)]
    names[models // 2] = MODEL
    entries = "".join(f"  - alias: {name}\n    base_model: {MODEL}\n" for name in names)
    path = Path(tempfile.mkdtemp(prefix="bench-")) / "models.yaml"
    path.write_text(f"models:\n{entries}", encoding="utf-8")
    return path


_CLIENTS: Mapping[str, str] = {
    "sdk": "clients.Sdk",
    "sdk sync": "clients.SdkSync",
    "ours": "clients.Ours",
    "ours on httpx2": "clients.OursOnHttpx2",
    "ours over responses": "clients.OursOverResponses",
    "ours over chat": "clients.OursOverChat",
    "ours sync": "clients.OursSync",
    "litellm": "peers.LiteLLMRouter",
    "pydantic-ai": "peers.PydanticAI",
    "langchain": "peers.LangChain",
}
"""Name of a client to where it is; a peer is imported where it is asked for, in an environment of its own."""


def client_class(name: str) -> type[AsyncClient | SyncClient]:
    """Return the class of a client."""
    module, _, cls = _CLIENTS[name].partition(".")
    found: type[AsyncClient | SyncClient] = getattr(importlib.import_module(f"bench.{module}"), cls)
    return found
