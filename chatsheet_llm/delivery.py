"""Make what the caller gets of an answer: the SDK's own objects and streams, built without the SDK's detours.

What is asked for in another way (raw and streaming responses, types of the caller) the SDK makes itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any, TypeVar, cast

import httpx2
import openai
from typing_extensions import Self, override

from chatsheet_llm import sdk, typed
from chatsheet_llm.answer import JSON, Answer
from chatsheet_llm.formats.sse import DONE, Event
from chatsheet_llm.streams import AsyncBody, SyncBody

_T = TypeVar("_T")
_Build = Callable[[bytes], Any]


def given(
    client: openai.OpenAI,
    cast_to: type[_T],
    options: sdk.FinalRequestOptions,
    answer: Answer,
    *,
    stream: bool,
    stream_cls: type[Any] | None,
) -> Any:
    """Return what the caller of a synchronous client asked for."""
    build = _builder(stream_cls) if stream and answer.marker is None else None
    if build is not None and isinstance(answer.body, SyncBody):
        return TypedStream(answer, build, client, options)
    if stream or not _plain(cast_to, answer):
        return sdk.finish(client, cast_to, options, answer.response, stream=stream, stream_cls=stream_cls)
    return _object(cast_to, options, answer)


async def agiven(
    client: openai.AsyncOpenAI,
    cast_to: type[_T],
    options: sdk.FinalRequestOptions,
    answer: Answer,
    *,
    stream: bool,
    stream_cls: type[Any] | None,
) -> Any:
    """Return what the caller of an asynchronous client asked for."""
    build = _builder(stream_cls) if stream and answer.marker is None else None
    if build is not None and isinstance(answer.body, AsyncBody):
        return AsyncTypedStream(answer, build, client, options)
    if stream or not _plain(cast_to, answer):
        return await sdk.finish(client, cast_to, options, answer.response, stream=stream, stream_cls=stream_cls)
    return _object(cast_to, options, answer)


def _plain(cast_to: object, answer: Answer) -> bool:
    """Whether a whole answer is to become one of the SDK's own objects, and nothing else is wanted."""
    wanted = isinstance(cast_to, type) and issubclass(cast_to, openai.BaseModel)
    return wanted and answer.marker is None and answer.kind == JSON and isinstance(answer.body, bytes)


def _object(cast_to: Any, options: sdk.FinalRequestOptions, answer: Answer) -> Any:
    made = cast("Any", options.post_parser)(typed.whole(cast_to, cast("bytes", answer.body)))
    sdk.identify(made, answer.request_id)
    return made


def _builder(stream_cls: type[Any] | None) -> _Build | None:
    """Return what builds the objects of a stream of this type; None for one that only the SDK knows."""
    return _builders().get(stream_cls)


@cache
def _builders() -> dict[object, _Build]:
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent

    return {
        openai.Stream[ChatCompletionChunk]: typed.chunk,
        openai.AsyncStream[ChatCompletionChunk]: typed.chunk,
        openai.Stream[ResponseStreamEvent]: typed.event,
        openai.AsyncStream[ResponseStreamEvent]: typed.event,
    }


def _objects(body: SyncBody, build: _Build) -> Iterator[Any]:
    # Holds no stream: one that is forgotten is freed at once, and gives its connection back.
    try:
        for events in body.batches():
            for event in events:
                if event.data != DONE:
                    yield build(event.data.encode())
    finally:
        body.close()


class TypedStream(openai.Stream[Any]):
    """The SDK's stream, which builds its objects from our events.  One that is forgotten gives its connection back."""

    def __init__(self, answer: Answer, build: _Build, client: openai.OpenAI, options: sdk.FinalRequestOptions) -> None:
        self._answer = answer
        self._client, self._options = client, options
        self._iterator = _objects(cast("SyncBody", answer.body), build)

    @property
    def response(self) -> httpx2.Response:  # type: ignore[override]  # made when it is asked for
        """The response; its bytes are those of the events."""
        return self._answer.response

    @override
    def __iter__(self) -> Iterator[Any]:
        return self._iterator

    @override
    def close(self) -> None:
        """Close the response and give the connection back."""
        self._answer.close()


class AsyncTypedStream(openai.AsyncStream[Any]):
    """The same, asynchronous."""

    def __init__(
        self, answer: Answer, build: _Build, client: openai.AsyncOpenAI, options: sdk.FinalRequestOptions
    ) -> None:
        self._answer = answer
        self._client, self._options = client, options
        self._iterator = _Objects(cast("AsyncBody", answer.body), build)

    @property
    def response(self) -> httpx2.Response:  # type: ignore[override]  # made when it is asked for
        """The response; its bytes are those of the events."""
        return self._answer.response

    @override
    def __aiter__(self) -> AsyncIterator[Any]:
        return self._iterator

    @override
    async def close(self) -> None:
        """Close the response and give the connection back."""
        await self._answer.aclose()


class _Objects(AsyncIterator[Any]):
    # An iterator and no generator: asyncio closes forgotten generators itself, and the body knows better.
    def __init__(self, body: AsyncBody, build: _Build) -> None:
        self._body = body
        self._build = build
        self._events: Iterator[Event] = iter(())
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            for event in self._events:
                if event.data != DONE:
                    return self._build(event.data.encode())
            if self._over:
                raise StopAsyncIteration
            try:
                events = await self._body.batch()
                self._over = not events
            except BaseException:
                self._over = True
                raise
            finally:
                if self._over:
                    await self._body.aclose()
            self._events = iter(events)
