"""Run a plan: the two drivers, which differ by ``await``.  They decide nothing.

What leaves them shows no frame below them in its traceback, and no cause: those hold credentials.
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from chatsheet_llm.steps import Answered, Failed, GaveUp, Send, Slow, Wait
from chatsheet_llm.streams import HopFault
from chatsheet_llm.trail import Trail

_T = TypeVar("_T")
_E = TypeVar("_E", bound=BaseException)
Steps = Generator[Send | Wait, Slow | Answered | None, None]


def bared(error: _E, outer: BaseException | None) -> _E:
    """Return an exception as if it had been raised where it is raised next; notes tell where it was, for a bug report.

    Its frames and causes come from below, where a request has its credential, and some traceback printers show every
    local.  ``outer`` is what the caller was handling: that stays.
    """
    if isinstance(error, Exception) and not isinstance(error, GaveUp):
        places = traceback.extract_tb(error.__traceback__)[1:]
        where = [f"{Path(place.filename).parent.name}/{Path(place.filename).name}:{place.lineno}" for place in places]
        if where and hasattr(error, "add_note"):
            error.add_note(f"raised through {' '.join(where[-12:])}")
    error.__cause__ = None
    error.__context__ = outer if outer is not error else None
    return error.with_traceback(None)


def run(steps: Steps, send: Callable[[Send, Trail], _T], trail: Trail, close: Callable[[_T], None]) -> _T:
    """Carry out a plan; ``close`` ends an answer that came too late.

    Raises GaveUp, or what ``send`` raised where it was no fault of the hop.
    """
    outer = sys.exc_info()[1]
    try:
        step = next(steps)
        while True:
            trail.begin(step)
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                step = next(steps)
                continue
            heard = None
            try:
                if step.hedge is None:
                    answer = send(step, trail)
                else:
                    from chatsheet_llm.race import race

                    answer, heard = race(step, steps, send, trail, close)
            except HopFault as fault:
                failure = trail.discreet(replace(fault.failure, mode=step.hop.mode))
                trail.failed(step, failure)
                step = steps.throw(Failed(failure))
            except Failed as failed:
                step = steps.throw(failed)
            else:
                with contextlib.suppress(StopIteration):
                    steps.send(heard)
                return answer
    except BaseException as error:  # noqa: BLE001  raised again
        if not isinstance(error, Exception):
            trail.abandoned()
        raise bared(error, outer)  # noqa: B904  its own, without what is below
    finally:
        steps.close()


async def arun(
    steps: Steps,
    send: Callable[[Send, Trail], Awaitable[_T]],
    trail: Trail,
    close: Callable[[_T], Awaitable[None]],
    sleep: Callable[[float], Awaitable[None]],
) -> _T:
    """Carry out a plan, asynchronously."""
    outer = sys.exc_info()[1]
    try:
        step = next(steps)
        while True:
            trail.begin(step)
            if isinstance(step, Wait):
                await sleep(step.seconds)
                step = next(steps)
                continue
            heard = None
            try:
                if step.hedge is None:
                    answer = await send(step, trail)
                else:
                    from chatsheet_llm.race import arace

                    answer, heard = await arace(step, steps, send, trail, close)
            except HopFault as fault:
                failure = trail.discreet(replace(fault.failure, mode=step.hop.mode))
                trail.failed(step, failure)
                step = steps.throw(Failed(failure))
            except Failed as failed:
                step = steps.throw(failed)
            else:
                with contextlib.suppress(StopIteration):
                    steps.send(heard)
                return answer
    except BaseException as error:  # noqa: BLE001  raised again
        if not isinstance(error, Exception):
            trail.abandoned()
        raise bared(error, outer)  # noqa: B904  its own, without what is below
    finally:
        steps.close()
