"""Make what the caller gets of an answer: the SDK's own objects and streams, built without the SDK's detours.

What is asked for in another way (raw and streaming responses, types of the caller) the SDK makes itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import httpx2
import openai
from typing_extensions import Self, override

from chatsheet_llm import sdk, typed
from chatsheet_llm.answer import JSON, Answer
from chatsheet_llm.formats.sse import DONE, Event

if TYPE_CHECKING:
    from chatsheet_llm.streams import AsyncBody, SyncBody

_Build = Callable[[bytes], Any]


def given(
    client: openai.OpenAI,
    cast_to: type[Any],
    options: sdk.FinalRequestOptions,
    answer: Answer,
    *,
    stream: bool,
    stream_cls: type[Any] | None,
) -> Any:
    """Return what the caller of a synchronous client asked for."""
    made = _made(TypedStream, client, cast_to, options, answer, stream_cls if stream else None)
    if made is not None:
        return made
    return sdk.finish(client, cast_to, options, answer.response, stream=stream, stream_cls=stream_cls)


async def agiven(
    client: openai.AsyncOpenAI,
    cast_to: type[Any],
    options: sdk.FinalRequestOptions,
    answer: Answer,
    *,
    stream: bool,
    stream_cls: type[Any] | None,
) -> Any:
    """Return what the caller of an asynchronous client asked for."""
    made = _made(AsyncTypedStream, client, cast_to, options, answer, stream_cls if stream else None)
    if made is not None:
        return made
    return await sdk.finish(client, cast_to, options, answer.response, stream=stream, stream_cls=stream_cls)


def _made(
    streams: type[_Typed], client: object, cast_to: type[Any], options: sdk.FinalRequestOptions, answer: Answer,
    stream_cls: type[Any] | None,
) -> Any:  # fmt: skip
    """Return the stream or the object that is wanted; None for what only the SDK knows how to make."""
    if answer.marker is not None:
        return None
    if answer.events is not None:
        build = _builders().get(stream_cls)
        return None if build is None else streams(answer, build, client, cast_to, options)
    plain = isinstance(cast_to, type) and issubclass(cast_to, openai.BaseModel) and answer.kind == JSON
    return _object(cast_to, options, answer) if plain and isinstance(answer.body, bytes) else None


def _object(cast_to: type[openai.BaseModel], options: sdk.FinalRequestOptions, answer: Answer) -> Any:
    made = cast("Any", options.post_parser)(typed.whole(cast_to, cast("bytes", answer.body)))
    sdk.identify(made, answer.request_id)
    return made


@cache
def _builders() -> dict[object, _Build]:
    """What builds the objects of a stream, by its type."""
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent

    return {
        openai.Stream[ChatCompletionChunk]: typed.chunk,
        openai.AsyncStream[ChatCompletionChunk]: typed.chunk,
        openai.Stream[ResponseStreamEvent]: typed.event,
        openai.AsyncStream[ResponseStreamEvent]: typed.event,
    }


def _objects(answer: Answer, build: _Build) -> Iterator[Any]:
    # Holds no stream: one that is forgotten is freed at once, and gives its connection back.
    try:
        for events in cast("SyncBody", answer.events).batches():
            for event in events:
                if event.data != DONE:
                    yield build(event.data.encode())
    finally:
        answer.close()


class _Objects(AsyncIterator[Any]):
    # An iterator and no generator: asyncio closes forgotten generators itself, and the body knows better.
    def __init__(self, answer: Answer, build: _Build) -> None:
        self._answer = answer
        self._body = cast("AsyncBody", answer.events)
        self._build = build
        self._begun = self._waits = False
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
            if self._waits:
                # The SDK's says so too; the one who reads already reads on.
                raise RuntimeError("this stream is read already: two tasks cannot read one")
            self._waits = True
            try:
                if not self._begun:
                    self._begun = True
                    self._body.begin()
                events = await self._body.batch()
                self._over = not events
            except BaseException:
                self._over = True
                raise
            finally:
                self._waits = False
                if self._over:
                    await self._answer.aclose()
            self._events = iter(events)


class _Typed:
    """What both kinds of stream share.  One that is forgotten gives its connection back."""

    def __init__(
        self, answer: Answer, build: _Build, client: object, cast_to: type[Any], options: sdk.FinalRequestOptions
    ) -> None:
        self._answer = answer
        # As on the SDK's own, for whoever looks there.
        self._client, self._cast_to, self._options = client, cast_to, options
        self._iterator = self._READER(answer, build)

    _READER: Callable[..., Any]
    _client: Any
    _cast_to: Any
    _options: Any

    @property
    def _decoder(self) -> Any:
        return self._client._make_sse_decoder()  # noqa: SLF001  for whoever reads the bytes as the SDK does

    @property
    def response(self) -> httpx2.Response:
        """The response; its bytes are those of the events."""
        # Made when it is asked for.
        return self._answer.response


class TypedStream(_Typed, openai.Stream[Any]):  # type: ignore[override]  # its response is made when asked for
    """The SDK's stream, which builds its objects from our events."""

    _READER = staticmethod(_objects)

    @override
    def __iter__(self) -> Iterator[Any]:
        return cast("Iterator[Any]", self._iterator)

    @override
    def close(self) -> None:
        """Close the response and give the connection back."""
        self._answer.close()


class AsyncTypedStream(_Typed, openai.AsyncStream[Any]):  # type: ignore[override]  # as well
    """The same, asynchronous."""

    _READER = _Objects

    @override
    def __aiter__(self) -> AsyncIterator[Any]:
        return cast("AsyncIterator[Any]", self._iterator)

    @override
    async def close(self) -> None:
        """Close the response and give the connection back."""
        await self._answer.aclose()
