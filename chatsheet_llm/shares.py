"""Decide how long a hop may take, and from when another may be asked beside it.  Sends nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

from chatsheet_llm.faults import RESENDS
from chatsheet_llm.hops import Hop, Hops
from chatsheet_llm.openings import Openings
from chatsheet_llm.steps import Send

KEPT, MOST_KEPT = 0.25, 10.0
"""What part of the time, and how many seconds of it at most, a hop leaves for another that was wired wrong."""
_UNKNOWN = RESENDS["ambiguous"] or 0
IMPATIENT = 1.0
"""Seconds; an attempt that a caller gave less than this, and less than its share, blames nobody when it runs out."""


class Shares:
    """The time of one call, as its sends get it.

    ``attempt`` is the most seconds that the caller gives to one, ``hedge`` says when another hop may be asked beside;
    ``side_effects``: nothing is sent after one that ran out of time.
    """

    __slots__ = ("_attempt", "_hedge", "_openings", "_side_effects")

    def __init__(
        self, openings: Openings, attempt: float, hedge: Callable[[Hop], float | None] | None, side_effects: bool
    ) -> None:
        self._openings, self._attempt, self._hedge = openings, attempt, hedge
        self._side_effects = side_effects

    def send(self, hop: Hop, left: float, slow: Hop | None = None) -> Send:
        """Return the next send.  While another origin could still answer, a hop gets half of the time that is left.

        Where all others are closed because they are wired wrong, it leaves a little: they say at once whether they
        still are.  One beside a ``slow`` hop does not share with that.
        """
        account = self._openings.account
        account.sends += 1
        account.count(hop, 1)
        others = wired_wrong = False
        # Nobody is asked after this one if its time runs out where it is not known what became of an earlier one.
        if not self._side_effects and account.ambiguous < _UNKNOWN:
            others, wired_wrong = self._others(hop, left, slow)
            others = others or (bool(account.limited) and self._limited(hop))
        share = left / 2 if others else left - (min(KEPT * left, MOST_KEPT) if wired_wrong else 0.0)
        # A caller who says how long an attempt may take gets that, also where it leaves no time for another hop.
        seconds = min(self._attempt, left) if math.isfinite(self._attempt) else share
        hedge = None if self._hedge is None or account.hedged else self._hedge(hop)
        return Send(
            hop,
            account.sends,
            seconds,
            patient=seconds >= min(share, IMPATIENT),
            hedge=hedge if hedge is not None and hedge < seconds else None,
            left=left,
            contested=others,
        )

    def _others(self, hop: Hop, left: float, slow: Hop | None) -> tuple[bool, bool]:
        """Whether the hop of another origin could still answer; and where none could, whether one was wired wrong."""
        openings = self._openings
        hops, account = openings.hops, openings.account
        wired_wrong = False
        # Where it lies is enough to tell: a hop that is not made yet is not made for this.
        for other in hops.ahead() if isinstance(hops, Hops) else hops:
            origin = other.origin
            if origin == hop.origin or (slow is not None and origin == slow.origin):
                continue
            if account.failures and not account.fresh(other):
                continue
            if openings.may_answer(other, account.deadline_at - left / 2):
                return True, False
            wired_wrong = wired_wrong or openings.wired_wrong(other)
        return False, wired_wrong

    def _limited(self, hop: Hop) -> bool:
        """Whether another hop has refused because of a limit that is over before the deadline."""
        account = self._openings.account
        return any(
            self._openings.domains.reopens_at(other) < account.deadline_at
            for other in account.limited_again()
            if other is not hop
        )
