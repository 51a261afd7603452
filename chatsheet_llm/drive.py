"""Run a plan: the two drivers, which differ by ``await``, and the trail of what happened.  They decide nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from chatsheet_llm.classify import Failure
from chatsheet_llm.plan import Failed, GaveUp, Send, Wait
from chatsheet_llm.route import Attempt, Loss, Route, SendState, Skip
from chatsheet_llm.streams import HopFault

log = logging.getLogger("chatsheet_llm")
# An application that configures logging hears of failed hops; one that does not is not written to.
log.addHandler(logging.NullHandler())
_T = TypeVar("_T")
Steps = Generator[Send | Wait, None, None]


class Trail:
    """Writes down the attempts of one call while it runs."""

    def __init__(self, skipped: Sequence[Skip] = ()) -> None:
        self._begun = time.monotonic()
        self._skipped = list(skipped)
        self._attempts: list[Attempt] = []
        self._waited = 0.0
        self._at = self._begun
        self._retry_at: datetime | None = None
        self._seconds: float | None = None
        self.losses: list[Sequence[Loss]] = []
        """What the answer lost, in parts; a stream's part grows while it runs."""

    def begin(self, step: Send | Wait) -> None:
        """Hear of the next step."""
        self._at = time.monotonic()
        if isinstance(step, Wait):
            self._waited += step.seconds

    def answered(self, step: Send, status: int, request_id: str | None) -> None:
        """Hear that the hop gave the answer, or the first content of it: the time of the call stops here."""
        self._retry_at = None
        self._add(step, "ok", "answered", status=status, request_id=request_id)
        self._seconds = self._now()

    def failed(self, step: Send, failure: Failure) -> None:
        """Hear that the attempt failed.  Logged: as a warning where the hop is wired wrong, else as information."""
        level = logging.WARNING if failure.row.kind == "config" else logging.INFO
        # Not the provider's own message: it may quote the prompt.
        log.log(level, "hop %s failed: %s (%s)", step.hop.name, failure.row.sentence, failure.status or failure.fault)
        if failure.retry_after is not None:
            self._retry_in(failure.retry_after)
        self._add(
            step,
            failure.fault,
            failure.send_state,
            status=failure.status,
            request_id=failure.request_id,
            code=failure.code,
            reason=failure.sentence,
            retry_after=failure.retry_after,
        )

    def broke(self, failure: Failure) -> None:
        """Hear that the stream that was the answer broke after its first content."""
        last = self._attempts.pop()
        self._attempts.append(
            replace(
                last,
                outcome=failure.fault,
                send_state="committed",
                code=failure.code,
                reason=failure.sentence,
                seconds=self._now() - last.started,
            )
        )

    def gave_up(self, end: GaveUp) -> None:
        """Hear that the call ended: which hops were left alone, and which other form of a hop could not be had."""
        self._skipped += [skip for skip, _ in end.unmade]
        for hop, why, seconds in end.closed:
            if why.row.kind in ("rate", "overload"):
                self._retry_in(seconds)
            self._skipped.append(Skip(hop.name, "closed", f"closed after earlier failures: {why.row.sentence}"))

    def route(self) -> Route:
        """Return what happened so far."""
        losses = tuple(dict.fromkeys(loss for part in self.losses for loss in part))
        seconds = self._now() if self._seconds is None else self._seconds
        return Route(tuple(self._attempts), tuple(self._skipped), losses, seconds, self._retry_at)

    def _retry_in(self, seconds: float) -> None:
        at = datetime.now(timezone.utc) + timedelta(seconds=min(seconds, 10**8))
        self._retry_at = at if self._retry_at is None else min(at, self._retry_at)

    def _now(self) -> float:
        return time.monotonic() - self._begun

    def _add(
        self,
        step: Send,
        outcome: str,
        state: SendState,
        *,
        status: int | None,
        request_id: str | None,
        code: str | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        hop, started = step.hop, self._at - self._begun
        self._attempts.append(
            Attempt(
                hop=hop.name,
                endpoint=hop.endpoint,
                mode=hop.mode,
                model=hop.model,
                rule=hop.rule,
                because=hop.reason,
                outcome=outcome,
                send_state=state,
                status=status,
                code=code,
                reason=reason,
                request_id=request_id,
                started=started,
                seconds=self._now() - started,
                waited=self._waited,
                retry_after=retry_after,
            )
        )
        self._waited = 0.0


def run(steps: Steps, send: Callable[[Send], _T], trail: Trail) -> _T:
    """Carry out a plan.  Raises GaveUp, or what ``send`` raised where it was no fault of the hop."""
    try:
        step = next(steps)
        while True:
            trail.begin(step)
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                step = next(steps)
                continue
            try:
                answer = send(step)
            except HopFault as fault:
                failure = replace(fault.failure, mode=step.hop.mode)
                trail.failed(step, failure)
                step = steps.throw(Failed(failure))
            else:
                next(steps, None)
                return answer
    finally:
        steps.close()


async def arun(
    steps: Steps, send: Callable[[Send], Awaitable[_T]], trail: Trail, sleep: Callable[[float], Awaitable[None]]
) -> _T:
    """Carry out a plan, asynchronously."""
    try:
        step = next(steps)
        while True:
            trail.begin(step)
            if isinstance(step, Wait):
                await sleep(step.seconds)
                step = next(steps)
                continue
            try:
                answer = await send(step)
            except HopFault as fault:
                failure = replace(fault.failure, mode=step.hop.mode)
                trail.failed(step, failure)
                step = steps.throw(Failed(failure))
            else:
                next(steps, None)
                return answer
    finally:
        steps.close()
