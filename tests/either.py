"""A client of either kind that a plain test can call: the asynchronous one on an event loop of its own."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal

from fault_server import Reply
from typing_extensions import Self

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, sdk

Kind = Literal["sync", "async"]
KINDS: tuple[Kind, ...] = ("sync", "async")
HELLO = [{"role": "user", "content": "Hello"}]
COMPLETION = (
    b'{"id":"c1","object":"chat.completion","created":1,"model":"gpt-5","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hello from here"}}]}'
)


def well(path: str, headers: object, body: bytes) -> Reply:
    """What a server answers when all is well."""
    del path, headers, body
    return Reply(200, {"content-type": "application/json"}, COMPLETION)


def settings_at(*urls: str, **more: object) -> Settings:
    """Settings with one endpoint of kind openai for each URL: ``one``, ``two``, ... in a chain."""
    names = ("one", "two", "three")[: len(urls)]
    endpoints = {
        name: {"kind": "openai", "base_url": f"{url}/v1", "api_key": f"key-of-{name}", "modes": ["chat"]}
        for name, url in zip(names, urls, strict=True)
    }
    return Settings(_env_file=None, **{"endpoints": endpoints, "chain": ",".join(names), "deadline": 5.0, **more})


class Either:
    """A client of a kind, as a context."""

    def __init__(self, kind: Kind, settings: Settings, **options: Any) -> None:
        self._loop = asyncio.new_event_loop() if kind == "async" else None
        made = ChatClient if kind == "sync" else AsyncChatClient
        self.client: Any = made(settings, **options)
        self.defaults: dict[str, Any] = {}

    def wait(self, value: Any) -> Any:
        """What a method gives, awaited where it has to be."""

        async def waited() -> Any:
            return await value

        if not inspect.isawaitable(value):
            return value
        assert self._loop is not None
        return self._loop.run_until_complete(waited())

    def hello(self, **more: Any) -> Any:
        """The plainest call."""
        return self.wait(
            self.client.chat.completions.create(**{"model": "gpt-5", "messages": HELLO, **self.defaults, **more})
        )

    def next_of(self, stream: Any) -> Any:
        """The next item of a stream."""
        return next(iter(stream)) if self._loop is None else self.wait(anext(aiter(stream)))

    def rest(self, seconds: float) -> None:
        """Let some time pass, for the event loop too."""
        if self._loop is None:
            time.sleep(seconds)
        else:
            self.wait(asyncio.sleep(seconds))

    def wait_anew(self, call: Callable[[], Any]) -> Any:
        """What a call gives on an event loop that is not the client's own."""

        async def called() -> Any:
            made = call()
            return await made if inspect.isawaitable(made) else made

        return call() if self._loop is None else asyncio.run(called())

    def busy(self) -> int:
        """How many connections are in use."""
        pools = [pool for http in self.client._core.connections.clients() for pool in sdk.pools(http)]
        held = [connection for pool in pools for connection in pool.connections]
        return sum(not connection.is_idle() and not connection.is_closed() for connection in held)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait(self.client.close())
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
