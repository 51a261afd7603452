"""Decide after a failure: the same hop again, another one, a wait, or the end of the call.  Sends nothing."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from tenacity import RetryCallState

from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import price
from chatsheet_llm.faults import RESENDS
from chatsheet_llm.hops import Amend, Hop
from chatsheet_llm.learned import WEAK
from chatsheet_llm.openings import Openings
from chatsheet_llm.steps import Wait


class Aftermath:
    """What a call does after its failures; ``side_effects`` forbids a second send where an outcome is unknown."""

    __slots__ = ("_amend", "_openings", "_side_effects")

    def __init__(self, openings: Openings, amend: Amend, side_effects: bool) -> None:
        self._openings, self._amend, self._side_effects = openings, amend, side_effects

    def after(self, hop: Hop, failure: Failure) -> Generator[Wait, None, Hop]:
        """Return the hop to ask next."""
        openings, account, row = self._openings, self._openings.account, failure.row
        openings.failed(hop, failure)
        account.failed(failure)
        state = account.retry_state(failure)
        stops = account.policy.stop(state)
        # How long to wait for a hop is no matter of how often others have failed.
        state.attempt_number = max(1, account.on_hop.get(hop.name, 1))
        if not stops and failure.send_state == "rejected":
            amended = self._amended(hop, failure)
            if amended is not None:
                return amended
        allowed, unknown = RESENDS[failure.send_state], RESENDS["ambiguous"]
        # Of two that raced, the one that failed first may be the one of which it is not known.
        spent = unknown is not None and account.ambiguous > unknown
        if stops or spent or (allowed is not None and (self._side_effects or account.ambiguous > allowed)):
            raise openings.gave_up()
        again = account.again(hop) and failure.headers.get("x-should-retry") != "false"
        if row.same == "once" and again and (yield from self._once_more(hop, failure, state)):
            return hop
        if row.move == "none":
            return (yield from self._in_spite_of(hop, failure))
        account.leave(hop, failure)
        if row.same == "hint" and again:
            account.limited += (hop,)
        others = openings.left()
        found = self._elsewhere(hop, failure, others)
        if found is not None:
            return found
        if row.same == "last" and again and (yield from self._once_more(hop, failure, state)):
            return hop
        waiting = [other for other in others if openings.opens(other)]
        pause = 0.0 if failure.retry_after else account.policy.wait_throttled(state)
        fits = account.fits(max(pause, failure.retry_after or 0.0))
        if row.same == "hint" and again and fits and account.pays(hop, price(failure)):
            if pause:
                yield from account.sleep(pause, row.sentence)
            waiting.append(hop)
        elif row.same != "hint" and account.limited_again() and account.pays(hop, price(failure)):
            # They refused before they began, and may take it by now.
            waiting += account.limited_again()
        return (yield from openings.wait_for(waiting))

    def _amended(self, hop: Hop, failure: Failure) -> Hop | None:
        """Return the form of the hop that it asks for, its right to send taken; None where there is none to be had."""
        account = self._openings.account
        other = self._amend(hop, failure.fault)
        if isinstance(other, tuple):
            account.unmade += (other,)
            return None
        if other is None or not self._openings.enter(other):
            return None
        # It starts anew: what the hop has refused is no trouble of its own, unless it may be the whole trouble.
        if failure.fault not in WEAK:
            account.failures = account.failures[:-1]
        if other.surface == hop.surface:
            account.count(hop, -1)
        else:
            account.surfaces |= {hop.surface}
        return other

    def _once_more(self, hop: Hop, failure: Failure, state: RetryCallState) -> Generator[Wait, None, bool]:
        """Wait for the same hop to be asked again; False where that may not be."""
        account = self._openings.account
        pause = account.policy.wait(state)
        if not (account.fits(pause) and account.pays(hop, price(failure))):
            return False
        yield from account.sleep(pause, failure.row.sentence)
        account.resend = self._openings.enter(hop)
        return account.resend

    def _in_spite_of(self, hop: Hop, failure: Failure) -> Generator[Wait, None, Hop]:
        """Return a hop that is set up to be asked after a refusal which else ends the call."""
        self._openings.account.leave(hop, failure)
        found = self._elsewhere(hop, failure, self._openings.left())
        return found or (yield from self._openings.wait_for(()))

    def _elsewhere(self, hop: Hop, failure: Failure, others: Sequence[Hop]) -> Hop | None:
        """Return the first of the others that may be asked.

        To leave a hop costs something from the second time on, as far as there is any: that only some hops take calls
        is what keeps moves few, and an empty budget is no reason to keep a call from one that does.
        """
        account = self._openings.account
        if not others:
            return None
        if account.moved:
            account.pays(hop, price(failure))
        account.moved = True
        return self._openings.first_of(others)
