"""Write down what happens to one call while it runs, for its route.  Decides nothing and sends nothing."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from chatsheet_llm.classify import Failure
from chatsheet_llm.hops import Hop, OnDemand
from chatsheet_llm.redact import Private
from chatsheet_llm.route import Attempt, Loss, Route, SendState, Skip
from chatsheet_llm.steps import GaveUp, Send, Wait

log = logging.getLogger("chatsheet_llm")
# An application that configures logging hears of failed hops; one that does not is not written to.
log.addHandler(logging.NullHandler())

_ID = re.compile(r"[\w.:-]{1,80}", re.ASCII)
"""What an id of a request looks like; anything else may be a text that repeats the request."""


def _in(seconds: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=min(seconds, 10**8))


class Trail:
    """Writes down the attempts of one call while it runs.  ``private`` is what it may not repeat of the call."""

    def __init__(self, skipped: Sequence[Skip] = (), private: Private | None = None) -> None:
        self._private = private
        self._begun = time.monotonic()
        self._left_out = skipped
        self._skipped: list[Skip] = []
        self._attempts: list[Attempt] = []
        self._waited = 0.0
        self._at = self._begun
        self._running: Send | None = None
        self._retry_at: datetime | None = None
        self._seconds: float | None = None
        self.late: Callable[[Hop], None] = lambda hop: None  # noqa: ARG005
        """Told of a hop that was cut off."""
        self.losses: list[Sequence[Loss]] = []
        """What the answer lost, in parts; a stream's part grows while it runs."""

    def beside(self) -> Trail:
        """Return the trail of one side of a race, which runs from the same start."""
        made = Trail(private=self._private)
        made._begun, made._at = self._begun, time.monotonic()
        made._waited, self._waited = self._waited, 0.0
        # Each side writes down its own.
        self._running = None
        made.late = self.late
        return made

    def join(self, side: Trail) -> None:
        """Take in the trail of one side of a race; what is still written there is written here too."""
        self._attempts += side._attempts
        self.losses += side.losses
        side._attempts, side.losses = self._attempts, self.losses
        if side._seconds is not None:
            self._seconds, self._retry_at = side._seconds, None
        elif side._retry_at is not None:
            self._retry_from(side._retry_at)

    def begin(self, step: Send | Wait) -> None:
        """Hear of the next step."""
        self._at = time.monotonic()
        self._running = None
        if isinstance(step, Wait):
            self._waited += step.seconds
        else:
            self._running = step

    def answered(self, step: Send, status: int, request_id: str | None) -> float:
        """Hear that the hop gave the answer, or the first content of it: the time of the call stops here.

        Returns the seconds that the attempt took.
        """
        self._retry_at = None
        if isinstance(self._left_out, OnDemand):
            # What lies behind the hop that answered was not looked at, and need not be: nor is the request kept for it.
            self._left_out = self._left_out.so_far()
        if request_id is not None and self._private is not None and not _ID.fullmatch(request_id):
            request_id = str(self._private.without(request_id))
        self._add(step, "ok", "answered", status=status, request_id=request_id)
        self._seconds = self._now()
        return self._attempts[-1].seconds

    def failed(self, step: Send, failure: Failure) -> None:
        """Hear that the attempt failed.  Logged: as a warning where the hop is wired wrong, else as information."""
        level = logging.WARNING if failure.row.kind == "config" else logging.INFO
        # Not the provider's own message: it may quote the prompt.
        log.log(level, "hop %s failed: %s (%s)", step.hop.name, failure.row.sentence, failure.status or failure.fault)
        if failure.retry_after is not None:
            self._retry_from(_in(failure.retry_after))
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

    def cancelled(self, step: Send) -> None:
        """Hear that nobody waits for this attempt any more: another hop was quicker."""
        self._add(step, "cancelled", "ambiguous", status=None, request_id=None, reason="another hop was quicker")
        self.late(step.hop)

    def abandoned(self, step: Send | None = None) -> None:
        """Hear that the caller wants no answer any more; ``step`` is what was under way, or else what began last."""
        step = self._running if step is None else step
        if step is not None:
            self._add(step, "cancelled", "ambiguous", status=None, request_id=None, reason="the caller ended the call")

    def discreet(self, failure: Failure) -> Failure:
        """Return the failure without what the provider quoted of the call: its credentials, and its prompts."""
        if self._private is None:
            return failure
        fields = ("message", "body", "headers", "code", "type", "param", "request_id")
        said: dict[str, Any] = {name: self._private.without(getattr(failure, name)) for name in fields}
        return replace(failure, **said)

    def broke(self, failure: Failure) -> None:
        """Hear that the stream that was the answer broke after its first content."""
        failure = self.discreet(failure)
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
        self._seconds = self._now()

    def gave_up(self, end: GaveUp) -> None:
        """Hear that the call ended: which hops were left alone, and which other form of a hop could not be had."""
        self._skipped += [skip for skip, _ in end.unmade]
        for hop, why, seconds in end.closed:
            at = _in(seconds)
            if why.row.kind in ("rate", "overload"):
                self._retry_from(at)
            until = f"until {at:%Y-%m-%d %H:%M:%S} UTC " if seconds else ""
            said = f"takes no calls {until}after earlier failures: {why.row.sentence}"
            self._skipped.append(Skip(hop.name, "closed", said))

    def route(self) -> Route:
        """Return what happened so far."""
        losses = tuple(dict.fromkeys(loss for part in self.losses for loss in part))
        seconds = self._now() if self._seconds is None else self._seconds
        return Route(tuple(self._attempts), (*self._left_out, *self._skipped), losses, seconds, self._retry_at)

    def _retry_from(self, at: datetime) -> None:
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
        self._waited, self._running = 0.0, None
