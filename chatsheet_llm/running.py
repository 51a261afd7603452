"""One call while it runs: its plan, its exchange, and the error of each way in which it may end.  Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsheet_llm import drive, report, sdk
from chatsheet_llm.core import Setup
from chatsheet_llm.errors import BadRequestError, CallError
from chatsheet_llm.exchange import Exchange
from chatsheet_llm.misfit import misfit
from chatsheet_llm.steps import GaveUp, Send

if TYPE_CHECKING:
    from chatsheet_llm.recovery import Restarts

NOT_JSON = (TypeError, ValueError, RecursionError)
"""What json raises of a value that it has no form for."""


@dataclass(slots=True, repr=False)
class Run:
    """One call, ready to be driven.  Its repr is constant: the rest of it is the caller's own."""

    exchange: Exchange
    steps: drive.Steps
    options: sdk.FinalRequestOptions
    setup: Setup

    def restarts(self) -> Restarts | None:
        """Return what answers a stream anew that breaks; None where none shall."""
        exchange = self.exchange
        if not exchange.restarts:
            return None
        from chatsheet_llm.recovery import Restarts

        return Restarts(self.steps, exchange.trail, exchange.call.format or "chat")

    def refused(self, step: Send, error: Exception) -> Exception:
        """Return the error for a request that could not be made into JSON; any other exception as it is."""
        call = self.exchange.call
        found = misfit(step.hop.body if step.hop.body is not None else call.body)
        if found is None:
            return error
        where, what = found
        told = (
            f"the request to {call.path} cannot be sent as JSON: {where or 'its body'} holds {what}; convert it first"
        )
        return BadRequestError(told, route=self.exchange.trail.route(), code="invalid_request", param=where)

    def stopped(self, error: BaseException) -> None:
        """Note on what the caller threw into the call (a cancellation, an interrupt) what had been tried by then."""
        if not isinstance(error, Exception) and hasattr(error, "add_note"):
            error.add_note(f"so far: {self.exchange.trail.route()}")

    def ended(self, end: GaveUp) -> CallError:
        """Return the error of a plan that gave up."""
        trail = self.exchange.trail
        trail.gave_up(end)
        return report.ended(end, trail.route(), self.exchange.endpoints)
