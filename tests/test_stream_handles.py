"""A stream in its caller's hands: read on, read twice, as bytes, closed.  As the SDK's own, and no hop is blamed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import openai
import pytest
from either import KINDS, Either, Kind, settings_at
from golden_streams import chunk, sse
from raw_server import Raw, serving

from chatsheet_llm import AsyncChatClient, StreamInterrupted

pytestmark = pytest.mark.usefixtures("no_certificates")

A, B, C, END = (chunk(delta) for delta in ({"content": "a"}, {"content": "b"}, {"content": "c"}, {}))
END["choices"][0]["finish_reason"] = "stop"
PAUSED = Raw([sse(A, B), 0.1, sse(C), 0.1, sse(END, "[DONE]")])
"""The first two come together, the others one by one."""


class Hand:
    """One stream, and what came of each thing done with it."""

    def __init__(self, made: Either) -> None:
        self._made = made
        self._stream = made.hello(stream=True)
        self.told: list[object] = []

    def do(self, step: str) -> None:
        try:
            self.told.append(getattr(self, f"_{step}")())
        except (httpx2.StreamError, StopIteration, StopAsyncIteration) as error:
            self.told.append(type(error).__name__)
        except openai.APIConnectionError:
            self.told.append("broken")

    def _next(self) -> object:
        return self._made.next_of(self._stream).choices[0].delta.content

    def _read(self) -> list[object]:
        return [each.choices[0].delta.content for each in self._all(self._stream)]

    def _lines(self) -> int:
        response = self._stream.response
        return len(self._all(response.iter_lines() if hasattr(self._stream, "__iter__") else response.aiter_lines()))

    def _close(self) -> None:
        self._made.wait(self._stream.close())

    def _end_response(self) -> None:
        response = self._stream.response
        self._made.wait(response.close() if hasattr(self._stream, "__iter__") else response.aclose())

    def _enter(self) -> None:
        enter, leave = ("__enter__", "__exit__") if hasattr(self._stream, "__iter__") else ("__aenter__", "__aexit__")
        self._made.wait(getattr(self._stream, enter)())
        self._made.wait(getattr(self._stream, leave)(None, None, None))

    def _flags(self) -> tuple[bool, bool]:
        return self._stream.response.is_closed, self._stream.response.is_stream_consumed

    def _events(self) -> int:
        return len(self._all(self._stream._iter_events()))

    def _all(self, things: Any) -> list[Any]:
        async def every() -> list[Any]:
            return [each async for each in things]

        return list(things) if hasattr(things, "__iter__") else self._made.wait(every())


STEPS: Sequence[str] = (
    "flags read flags read",
    "next next flags read flags",
    "next close flags",
    "close flags read",
    "close close read",
    "enter flags read",
    "next enter flags",
    "end_response flags read",
    "lines flags read",
    "next lines",
    "events flags",
    "next read close flags read",
)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_as_the_sdk_s_own(kind: Kind, steps: str) -> None:
    told = []
    with serving(PAUSED) as server:
        for whose in ("ours", "its"):
            with Either(kind, settings_at(server.url)) as made:
                if whose == "its":
                    its = openai.OpenAI if kind == "sync" else openai.AsyncOpenAI
                    made.client = its(base_url=f"{server.url}/v1", api_key="key", max_retries=0)
                hand = Hand(made)
                for step in steps.split():
                    hand.do(step)
            told.append(hand.told)

    assert told[0] == told[1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_after_it_was_closed_says_so(kind: Kind) -> None:
    with serving(PAUSED) as server, Either(kind, settings_at(server.url)) as made:
        stream = made.hello(stream=True)
        made.next_of(stream)
        made.wait(stream.close())
        # It had come already.
        made.next_of(stream)
        with pytest.raises(StreamInterrupted, match="this stream was closed") as caught:
            made.next_of(stream)

    assert caught.value.partial == "ab"


# --- one reads, another closes

SLOW = Raw([sse(A, B), 5.0, sse(C, END, "[DONE]")])
CLOSINGS: dict[str, Callable[[Any], Any]] = {
    "stream": lambda stream: stream.close(),
    "response": lambda stream: getattr(stream.response, "aclose" if hasattr(stream, "__aiter__") else "close")(),
}


def stopped_sync(made: Either, closing: Callable[[Any], Any], after: float = 0.05) -> BaseException | None:
    stream, failed = made.hello(stream=True), []

    def read() -> None:
        try:
            for _ in stream:
                pass
        except Exception as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(after)
    closing(stream)
    reader.join(4)
    return failed[0] if failed else None


def stopped_async(made: Either, closing: Callable[[Any], Any], after: float = 0.05) -> BaseException | None:
    stream = made.hello(stream=True)

    async def read() -> None:
        async for _ in stream:
            pass

    async def stop() -> BaseException | None:
        reader = asyncio.ensure_future(read())
        await asyncio.sleep(after)
        await closing(stream)
        await asyncio.wait([reader], timeout=4)
        return reader.exception()

    return made.wait(stop())  # type: ignore[no-any-return]


@pytest.mark.parametrize("recovery", ["off", "restart"])
@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("transport", ["ours", "httpx2"])
@pytest.mark.parametrize("kind", KINDS)
def test_who_stops_a_stream_that_another_reads_ends_it_at_once_and_blames_no_hop(
    kind: Kind, transport: str, closing: str, recovery: str
) -> None:
    stopped = stopped_sync if kind == "sync" else stopped_async
    given = httpx2.Client if kind == "sync" else httpx2.AsyncClient
    options: dict[str, Any] = {"http_client": given()} if transport == "httpx2" else {}
    with serving(SLOW) as first, serving(SLOW) as second:
        settings = settings_at(first.url, second.url, stream_recovery=recovery)
        with Either(kind, settings, **options) as made:
            began = time.monotonic()
            failed = [stopped(made, CLOSINGS[closing]) for _ in range(6)]
            took = time.monotonic() - began
            states = {domain.state for domain in made.client.health()}

    assert took < 4
    assert {type(error) for error in failed} == {StreamInterrupted}
    assert {str(error).split(" [")[0] for error in failed} == {"the connection broke: this stream was closed"}
    assert states == {"closed"}
    assert (len(first.asked), len(second.asked)) == (6, 0)


def test_the_thread_that_reads_closes_what_it_reads_from(monkeypatch: pytest.MonkeyPatch) -> None:
    # Closed below its read, the number of the socket could be another connection's by the time that the system looks.
    closed: list[int] = []
    plain = httpx2.Response.close

    def recorded(response: httpx2.Response) -> None:
        closed.append(threading.get_ident())
        plain(response)

    with serving(SLOW) as server, Either("sync", settings_at(server.url)) as made:
        monkeypatch.setattr(httpx2.Response, "close", recorded)
        assert isinstance(stopped_sync(made, CLOSINGS["stream"]), StreamInterrupted)

    assert closed
    assert threading.get_ident() not in closed


async def test_a_second_task_that_reads_is_refused_and_the_first_reads_on() -> None:
    with serving(Raw([sse(A), 0.3, sse(B, END, "[DONE]")])) as server:
        async with AsyncChatClient(settings_at(server.url)) as client:
            stream = await client.chat.completions.create(model="m", messages=[], stream=True)
            first = asyncio.ensure_future(_texts(stream))
            await asyncio.sleep(0.1)
            with pytest.raises(RuntimeError, match="two tasks cannot read one"):
                await anext(stream)

            assert await first == ["a", "b", None]


async def _texts(stream: Any) -> list[object]:
    return [each.choices[0].delta.content async for each in stream]


# --- closed between two answers

BROKEN = Raw([sse(A, B)], ending="reset")
LATE = Raw([1.0, sse(C, END, "[DONE]")])


@pytest.mark.parametrize("kind", KINDS)
def test_who_closes_a_stream_that_is_being_answered_anew_gets_no_second_answer(kind: Kind) -> None:
    stopped = stopped_sync if kind == "sync" else stopped_async
    with serving(BROKEN) as first, serving(LATE) as second:
        settings = settings_at(first.url, second.url, stream_recovery="restart")
        with Either(kind, settings) as made:
            failed = stopped(made, CLOSINGS["stream"], 0.4)

    assert isinstance(failed, StreamInterrupted)
    assert "this stream was closed" in str(failed)
    assert failed.partial == "ab"
    assert len(second.asked) == 1
