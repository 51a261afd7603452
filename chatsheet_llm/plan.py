"""Decide what to try next: send, wait, next hop, or stop.  No I/O: a generator that yields steps and hears outcomes.

It yields :class:`~chatsheet_llm.steps.Send` and :class:`~chatsheet_llm.steps.Wait`.  The driver answers with ``next``
when a send gave the answer or a wait is over, throws :class:`Failed` when a send failed, and calls ``close`` when the
caller cancelled.  The generator returns when the call succeeded and raises :class:`GaveUp` when nothing may be tried
any more.  No answer passes through it.

A send with a time in ``hedge`` may be raced: where nothing has come by then, the driver sends :data:`SLOW` into the
plan and is given a second :class:`Send`, which runs beside the first, or :data:`STAY`.  Then it sends
:class:`Answered`, or throws :class:`Failed` once both have failed or one has failed in a way that `ends` the call.

What it is made of: `account` (what a call may still spend), `openings` (which hop may be sent to now), `shares` (how
long it gets), `hedging` (another hop beside it) and `aftermath` (what follows a failure).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence

from chatsheet_llm import hedging
from chatsheet_llm.account import Account
from chatsheet_llm.aftermath import Aftermath
from chatsheet_llm.domains import Domains
from chatsheet_llm.hops import Amend, Hop, unamended
from chatsheet_llm.openings import Openings
from chatsheet_llm.shares import Shares
from chatsheet_llm.steps import STAY, Answered, Failed, Policy, Send, Slow, Wait


def plan(
    hops: Sequence[Hop],
    domains: Domains,
    *,
    policy: Policy,
    deadline_at: float,
    attempt: float = math.inf,
    side_effects: bool = False,
    amend: Amend = unamended,
    hedge: Callable[[Hop], float | None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Send | Wait, Slow | Answered | None, None]:
    """Plan one call over the hops, in order.

    ``deadline_at`` is a time of ``clock`` (monotonic seconds).  ``attempt`` is the most seconds that the caller gives
    to one attempt; without it the plan shares the time out.  ``side_effects`` forbids a second send after one whose
    outcome is unknown.  ``amend`` gives a hop that has refused a request the form that it asks for, which is tried at
    once.  ``hedge`` says after how many seconds of silence another hop may be asked beside one.  Raises
    :class:`GaveUp`.
    """
    account = Account(domains, policy, deadline_at, clock)
    openings = Openings(hops, domains, account)
    shares = Shares(openings, attempt, None if side_effects else hedge, side_effects)
    # Most find a hop that is open, and wait for none.
    hop = openings.first_of(hops) or (yield from openings.waited_for())
    while True:
        left = deadline_at - clock()
        if left <= 0:
            openings.abandoned(hop)
            raise openings.gave_up()
        resend, account.resend = account.resend, False
        if not domains.begin(hop, resend=resend):
            openings.abandoned(hop)
            hop = yield from openings.instead(hop)
            continue
        asked, beside = hop, None
        try:
            heard = yield shares.send(hop, left)
            if isinstance(heard, Slow):
                beside = hedging.hop_beside(openings, hop)
                heard = yield STAY if beside is None else shares.send(beside, deadline_at - clock(), hop)
        except Failed as failed:
            failure = failed.failure
            hop = hedging.lost(openings, hop, beside, failed)
        except GeneratorExit:
            openings.abandoned(hop, beside)
            raise
        else:
            if beside is None and not isinstance(heard, Answered):
                openings.answered(hop)
            else:
                hedging.won(openings, hop, beside, heard)
            return
        finally:
            domains.end(asked, resend=resend)
            if beside is not None:
                domains.end(beside, resend=True)
        hop = yield from Aftermath(openings, amend, side_effects).after(hop, failure)
