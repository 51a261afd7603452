"""Let two hops answer one call side by side: the first answer counts, and the other hop is cut off.  Decides nothing.

The plan says whether a second hop may be asked, and hears who won.  Each side writes a trail of its own, which joins
that of the call when the race is over.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from chatsheet_llm.limits import Cut, cuttable
from chatsheet_llm.steps import SLOW, Answered, Failed, Send, Slow, Wait, ends
from chatsheet_llm.streams import HopFault
from chatsheet_llm.trail import Trail

_T = TypeVar("_T")
RacedSteps = Generator[Send | Wait, Slow | Answered | None, None]


@dataclass(slots=True)
class _Side(Generic[_T]):
    """One of the two: its send, its trail, and what came of it."""

    step: Send
    trail: Trail
    answer: _T | None = None
    failed: Failed | None = None
    error: BaseException | None = None

    def heard(self, outcome: _T | BaseException) -> None:
        if isinstance(outcome, HopFault):
            failure = self.trail.discreet(replace(outcome.failure, mode=self.step.hop.mode))
            self.trail.failed(self.step, failure)
            self.failed = Failed(failure, self.step.hop)
        elif isinstance(outcome, BaseException):
            self.error = outcome
        else:
            self.answer = outcome


class _Race(Generic[_T]):
    """Who runs, who has failed, and whether it is over."""

    def __init__(self, first: Send, trail: Trail) -> None:
        self._trail = trail
        self.sides: list[_Side[_T]] = [_Side(first, trail.beside())]
        self._lost: _Side[_T] | None = None
        self._joined = False

    def second(self, steps: RacedSteps) -> _Side[_T] | None:
        """Ask the plan for a hop to ask beside the first."""
        step = steps.send(SLOW)
        if not isinstance(step, Send):
            return None
        side: _Side[_T] = _Side(step, self._trail.beside())
        self.sides.append(side)
        return side

    def over(self, side: _Side[_T]) -> tuple[_T, Answered] | None:
        """Hear that one side has ended.  The answer and what to tell the plan, or None while the other is waited for.

        Raises Failed where the call has to go on without either, and what is no fault of a hop.
        """
        running = len(self.sides) - (self._lost is not None) - 1
        if side.error is not None:
            self._join(None, unwanted=True)
            raise side.error
        if side.failed is None:
            self._join(side)
            told = Answered(side.step.hop)
            if self._lost is not None and self._lost.failed is not None:
                told = Answered(side.step.hop, self._lost.failed.failure, self._lost.step.hop)
            return side.answer, told  # type: ignore[return-value]
        # What the second refuses, the first may be answering already.
        if running and not (side is self.sides[0] and ends(side.failed.failure)):
            self._lost = side
            return None
        if self._lost is not None and self._lost.failed is not None:
            side.failed.before = (self._lost.step.hop, self._lost.failed.failure)
        self._join(None)
        raise side.failed

    def others(self, side: _Side[_T] | None) -> list[_Side[_T]]:
        """Return the sides beside this one."""
        return [other for other in self.sides if other is not side]

    def stopped(self) -> None:
        """Hear that nobody waits for either side any more."""
        if not self._joined:
            self._join(None, unwanted=True)

    def _join(self, winner: _Side[_T] | None, *, unwanted: bool = False) -> None:
        """Take the trails together; ``unwanted`` where it is no hop that ended the race."""
        self._joined = True
        for side in self.sides:
            if side is not winner:
                if side.failed is None and unwanted:
                    side.trail.abandoned(side.step)
                elif side.failed is None:
                    side.trail.cancelled(side.step)
                self._trail.join(side.trail)
        if winner is not None:
            self._trail.join(winner.trail)


def race(
    first: Send, steps: RacedSteps, send: Callable[[Send, Trail], _T], trail: Trail, close: Callable[[_T], None]
) -> tuple[_T, Answered]:
    """Send, and where nothing has come by ``first.hedge`` seconds, send to a second hop too, in threads.

    ``close`` ends an answer that came too late.  Raises Failed, or what ``send`` raised where it was no fault of a hop.
    """
    running: _Race[_T] = _Race(first, trail)
    ended: queue.SimpleQueue[_Side[_T]] = queue.SimpleQueue()
    cuts: dict[int, Cut] = {}
    done = threading.Event()
    lock = threading.Lock()

    def start(side: _Side[_T]) -> None:
        cut = cuts[side.step.number] = Cut()

        def work() -> None:
            outcome: _T | BaseException
            try:
                with cuttable(cut):
                    outcome = send(side.step, side.trail)
            except BaseException as error:  # noqa: BLE001  told to the thread that waits
                outcome = error
            with lock:
                if not done.is_set():
                    side.heard(outcome)
                    ended.put(side)
                    return
            if not isinstance(outcome, BaseException):
                close(outcome)

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name=f"race {side.step.hop.name}", daemon=True).start()

    winner: _Side[_T] | None = None
    try:
        start(running.sides[0])
        try:
            side = ended.get(timeout=first.hedge)
        except queue.Empty:
            second = running.second(steps)
            if second is not None:
                start(second)
            side = ended.get()
        while True:
            over = running.over(side)
            if over is not None:
                winner = side
                return over
            side = ended.get()
    finally:
        with lock:
            done.set()
        running.stopped()
        for other in running.others(winner):
            cuts[other.step.number].cut()
            if other.answer is not None:
                close(other.answer)


async def arace(
    first: Send,
    steps: RacedSteps,
    send: Callable[[Send, Trail], Awaitable[_T]],
    trail: Trail,
    close: Callable[[_T], Awaitable[None]],
) -> tuple[_T, Answered]:
    """As :func:`race`, in tasks."""
    running: _Race[_T] = _Race(first, trail)
    tasks: dict[asyncio.Task[_T], _Side[_T]] = {}

    def start(side: _Side[_T]) -> None:
        async def work() -> _T:
            return await send(side.step, side.trail)

        tasks[asyncio.create_task(work())] = side

    winner: _Side[_T] | None = None
    try:
        start(running.sides[0])
        ended, _ = await asyncio.wait(tasks, timeout=first.hedge)
        if not ended:
            second = running.second(steps)
            if second is not None:
                start(second)
        while True:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                side = tasks.pop(task)
                side.heard(_outcome(task))
                over = running.over(side)
                if over is not None:
                    winner = side
                    return over
    finally:
        running.stopped()
        for task in tasks:
            task.cancel()
        for task in tasks:
            await asyncio.wait({task})
            if not task.cancelled() and task.exception() is None:
                await close(task.result())
        for other in running.others(winner):
            if other.answer is not None:
                await close(other.answer)


def _outcome(task: asyncio.Task[Any]) -> Any:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()
