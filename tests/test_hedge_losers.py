"""What becomes of the answer that lost a race: it is closed, whenever it comes, and its connection is given back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest
from client_cases import way
from either import KINDS, Either, Kind, settings_at
from golden_streams import chunk, sse
from planning import hop
from raw_server import Raw, serving

from chatsheet_llm import route_of
from chatsheet_llm.race import arace, race
from chatsheet_llm.steps import SLOW, Answered, Send, Slow, Wait
from chatsheet_llm.trail import Trail

FIRST, SECOND = (Send(hop(name), number, 1.0, hedge=0.02) for number, name in enumerate(("one/chat", "two/chat"), 1))
STUBBORN = 0.2
"""Seconds that the loser works on, whoever cuts it off."""


def steps() -> Generator[Send | Wait, Slow | Answered | None, None]:
    """A plan that has been asked for its first step already."""
    heard = yield FIRST
    assert heard is SLOW
    yield SECOND


def raced(steps: Any) -> Any:
    next(steps)
    return steps


def test_an_answer_that_comes_after_the_race_is_closed() -> None:
    closed: list[str] = []
    late = threading.Event()

    def send(step: Send, trail: Trail) -> str:
        if step is FIRST:
            time.sleep(STUBBORN)
        return step.hop.name

    def close(answer: str) -> None:
        closed.append(answer)
        late.set()

    answer, _ = race(FIRST, raced(steps()), send, Trail(), close)
    before = list(closed)
    late.wait(2)

    assert (answer, before, closed) == ("two/chat", [], ["one/chat"])


async def test_so_it_is_where_a_task_takes_no_notice_of_being_cancelled() -> None:
    closed: list[str] = []

    async def send(step: Send, trail: Trail) -> str:
        if step is FIRST:
            try:
                await asyncio.sleep(STUBBORN)
            except asyncio.CancelledError:
                # As a hop does that had the answer in its hands.
                return step.hop.name
        return step.hop.name

    async def close(answer: str) -> None:
        closed.append(answer)

    answer, _ = await arace(FIRST, raced(steps()), send, Trail(), close)

    assert (answer, closed) == ("two/chat", ["one/chat"])


async def test_of_two_answers_that_come_at_once_one_is_closed() -> None:
    closed: list[str] = []
    both = asyncio.Event()

    async def send(step: Send, trail: Trail) -> str:
        if step is SECOND:
            both.set()
        await both.wait()
        return step.hop.name

    async def close(answer: str) -> None:
        closed.append(answer)

    answer, _ = await arace(FIRST, raced(steps()), send, Trail(), close)

    assert sorted([answer, *closed]) == ["one/chat", "two/chat"]


class Slowly(Trail):
    """A trail that takes its time to hear who won."""

    def join(self, side: Trail) -> None:
        time.sleep(STUBBORN)
        super().join(side)


def test_an_answer_that_comes_while_another_is_being_taken_is_closed() -> None:
    closed: list[str] = []
    both = threading.Barrier(2)

    def send(step: Send, trail: Trail) -> str:
        both.wait(2)
        time.sleep(STUBBORN / 2 if step is FIRST else 0)
        return step.hop.name

    answer, _ = race(FIRST, raced(steps()), send, Slowly(), closed.append)

    assert (answer, closed) == ("two/chat", ["one/chat"])


# --- over sockets

LATE = Raw([0.3, sse(chunk({"content": "late"})), 30.0], ending="linger")
QUICK = Raw(sse(chunk({"content": "quick"}), chunk({}, "stop"), "[DONE]"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_begins_too_late_holds_no_connection(kind: Kind) -> None:
    with ExitStack() as stack:
        one, two = stack.enter_context(serving(LATE)), stack.enter_context(serving(QUICK))
        made = stack.enter_context(Either(kind, settings_at(one.url, two.url), hedge_after=0.05))
        stream = made.hello(stream=True)
        route = way(route_of(stream))
        with contextlib.suppress(StopIteration, StopAsyncIteration):
            while True:
                made.next_of(stream)
        end = time.monotonic() + 2
        while made.busy() and time.monotonic() < end:
            made.rest(0.02)

        assert route == "one/chat cancelled -> two/chat 200"
        assert made.busy() == 0
