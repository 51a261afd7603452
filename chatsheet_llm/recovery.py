"""A stream that goes on with the answer of the next hop after a break, told as such.  The plan decides whether.

The plan is not told of an answer before that is whole: :class:`Restarts` stands between it and the driver.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace

import httpx2
from typing_extensions import Self

from chatsheet_llm.answer import Answer
from chatsheet_llm.classify import Failure
from chatsheet_llm.drive import Steps
from chatsheet_llm.errors import CallError
from chatsheet_llm.report import interrupted
from chatsheet_llm.restart import Restart, notice
from chatsheet_llm.route import Mode
from chatsheet_llm.steps import STAY, Answered, Failed, GaveUp, Slow, Wait
from chatsheet_llm.streams import CLOSED
from chatsheet_llm.trail import Trail


class Broke(Exception):
    """A stream broke behind its first content: how, and what text it had brought by then."""

    def __init__(self, failure: Failure, said: str) -> None:
        super().__init__(failure.fault)
        self.failure = failure
        self.said = said


@dataclass(slots=True)
class Restarts:
    """What the restarts of one call share: its plan, its trail, and the format that its caller reads."""

    plan: Steps
    trail: Trail
    caller: Mode
    _heard: Answered | None = field(init=False, default=None)
    _from: str = field(init=False, default="")

    def steps(self, failed: Failed | None = None) -> Steps:
        """Yield the steps of the plan, from its beginning or after a failure, and end with the first answer.

        The plan itself goes on, as that answer may still break.
        """
        step = next(self.plan) if failed is None else self.plan.throw(failed)
        while True:
            heard: Slow | Answered | None = None
            try:
                heard = yield step
            except Failed as error:
                step = self.plan.throw(error)
            except GeneratorExit:
                self.plan.close()
                raise
            else:
                if isinstance(heard, Slow):
                    step = self.plan.send(heard)
                elif isinstance(step, Wait) and step is not STAY:
                    step = next(self.plan)
                else:
                    self._heard = heard
                    return

    def broken(self, broke: Broke) -> Steps:
        """Return the plan after the break of a stream, of which nothing is left that counts."""
        self.trail.broke(broke.failure)
        self._from = self.trail.route().attempts[-1].hop
        failure = replace(self.trail.discreet(broke.failure), send_state="ambiguous")
        heard = self._heard
        if heard is None:
            return self.steps(Failed(failure))
        # What the other hop of a race had done by then counts too.
        before = (heard.other, heard.failed) if heard.other is not None and heard.failed is not None else None
        return self.steps(Failed(failure, heard.hop, before))

    def told(self, broke: Broke) -> bytes:
        """Return the notice of the restart whose first content has just come."""
        to = self.trail.route().attempts[-1].hop
        return notice(self.caller, Restart(self._from, to, broke.said, broke.failure.row.sentence))

    def closed(self, broke: Broke) -> Exception:
        """Return the error for who reads on after the caller has closed it: nobody wants another answer."""
        failure = Failure("reset", "committed", broke.failure.status, message=CLOSED, blames=False)
        return interrupted(failure, self.trail.route(), broke.said)

    def error(self, broke: Broke) -> Exception:
        """Return the error of a stream that broke and that no hop answers anew."""
        failure = replace(self.trail.discreet(broke.failure), send_state="committed")
        return interrupted(failure, self.trail.route(), broke.said)

    def over(self) -> None:
        """Tell the plan that the answer is whole, or that the caller wants no more of it."""
        # It may be over already, or at work in another thread.
        with contextlib.suppress(StopIteration, ValueError):
            self.plan.send(self._heard)


class SyncRestarts(httpx2.SyncByteStream):
    """The body of a stream that is answered anew when it breaks.  ``resume`` drives a plan to the next answer."""

    def __init__(self, first: object, restarts: Restarts, resume: Callable[[Steps], Answer]) -> None:
        self._body = first
        self._restarts = restarts
        self._resume = resume
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            assert isinstance(self._body, httpx2.SyncByteStream)
            try:
                yield from self._body
            except Broke as broke:
                failed = broke.with_traceback(None)
            else:
                self._restarts.over()
                return
            error: Exception | None = None
            try:
                answer = self._resume(self._restarts.broken(failed))
            except (Failed, GaveUp, CallError):
                error = self._restarts.error(failed)
            else:
                self._body = answer.stream
                if self._closed:
                    answer.close()
                    error = self._restarts.closed(failed)
            if error is not None:
                raise error
            yield self._restarts.told(failed)

    def close(self) -> None:
        """Give the connection back; of an answer that is still to come, once it is there."""
        self._closed = True
        if isinstance(self._body, httpx2.SyncByteStream):
            self._body.close()
        self._restarts.over()


class AsyncRestarts(httpx2.AsyncByteStream, AsyncIterator[bytes]):
    """As :class:`SyncRestarts`, for the asynchronous client."""

    def __init__(self, first: object, restarts: Restarts, resume: Callable[[Steps], Awaitable[Answer]]) -> None:
        self._restarts = restarts
        self._resume = resume
        self._closed = False
        self._read(first)

    def _read(self, body: object) -> None:
        assert isinstance(body, httpx2.AsyncByteStream)
        self._body = body
        self._pieces = aiter(body)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            self._restarts.over()
            raise
        except Broke as broke:
            failed = broke.with_traceback(None)
        try:
            answer = await self._resume(self._restarts.broken(failed))
        except (Failed, GaveUp, CallError):
            error = self._restarts.error(failed)
        else:
            self._read(answer.stream)
            if not self._closed:
                return self._restarts.told(failed)
            await answer.aclose()
            error = self._restarts.closed(failed)
        raise error

    async def aclose(self) -> None:
        """Give the connection back; of an answer that is still to come, once it is there."""
        self._closed = True
        await self._body.aclose()
        self._restarts.over()
