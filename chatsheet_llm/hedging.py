"""Decide whether another hop is asked beside a slow one, and what is learned of the two.  Races nothing itself."""

from __future__ import annotations

from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import price
from chatsheet_llm.hops import Hop
from chatsheet_llm.openings import Openings
from chatsheet_llm.steps import Answered, Failed, Slow


def hop_beside(openings: Openings, hop: Hop) -> Hop | None:
    """Return another origin's hop to ask beside a slow one, its right to send taken; None where that may not be.

    It counts as a send, and it costs what a re-send costs.
    """
    account, domains = openings.account, openings.domains
    slow = Failure("read_timeout", "ambiguous")
    account.hedged = True
    others = openings.left(beside=hop.origin)
    late = account.clock() >= account.deadline_at
    # What it costs is not given back: an answer is no sign that asking twice was right.
    if late or not others or account.policy.stop(account.retry_state(slow)) or not domains.pay(hop, price(slow)):
        return None
    for other in others:
        if domains.permits(other) and openings.enter(other):
            if domains.begin(other, resend=True):
                return other
            openings.abandoned(other)
            break
    return None


def won(openings: Openings, hop: Hop, beside: Hop | None, heard: Slow | Answered | None) -> None:
    """Hear which hop of a race gave the answer, and of the other."""
    told = heard if isinstance(heard, Answered) else Answered(hop)
    winner, other = (beside, hop) if beside is not None and told.hop is beside else (hop, beside)
    if other is not None and told.failed is not None:
        openings.failed(other, told.failed)
    else:
        openings.abandoned(other)
    openings.answered(winner)


def lost(openings: Openings, hop: Hop, beside: Hop | None, failed: Failed) -> Hop:
    """Hear that all has failed that was sent, or that one has and the other must not go on; return the last."""
    last = failed.hop or hop
    if failed.before is not None:
        first, failure = failed.before
        openings.failed(first, failure)
        openings.account.failed(failure)
        openings.account.leave(first, failure)
        return last
    other = beside if last is hop else hop
    openings.abandoned(other)
    if other is not None and not openings.account.again(other):
        # What was sent there may be at work.
        openings.account.surfaces |= {other.surface}
    return last
