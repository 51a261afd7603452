"""What happened to a call, as values: attempts, skipped hops, losses.  Decides nothing and does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

Mode = Literal["chat", "responses", "messages"]
"""A wire format, and the API of an endpoint that speaks it: Chat Completions, Responses, Anthropic Messages."""
MODES: tuple[Mode, ...] = get_args(Mode)

SendState = Literal["not_sent", "rejected", "ambiguous", "committed", "answered"]
"""How far a request got.

``not_sent``: nothing reached the provider, a re-send is free.  ``rejected``: the provider refused it and did no work.
``ambiguous``: bytes left and no valid answer came back, so the model may have run and been billed.
``committed``: content reached the caller before the failure.  ``answered``: a valid answer came back.
"""


@dataclass(frozen=True, slots=True)
class Loss:
    """One input or output that a wire format has no place for.

    ``format`` is the format that could not hold it, ``path`` where it stood in the original body
    (``messages[2].name``), ``reason`` one sentence that says why.  ``minor`` marks an input whose loss takes nothing
    that the caller asked the model for: state that an earlier reply left and another endpoint could not read, a name
    that only labels, or a hint to a cache.  It is listed as every other, but keeps no hop from serving the call.
    """

    format: Mode
    path: str
    reason: str
    minor: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was sent, or tried to be sent, to one hop.

    ``started`` and ``seconds`` are seconds, counted from the start of the call; ``waited`` is how long the call slept
    before this attempt.  ``rule`` names the rule that chose the API, ``because`` says it in a sentence.  ``status`` is
    the HTTP status, or None when no answer came.  ``outcome`` is ``"ok"`` or the class of the failure (``"rate"``,
    ``"transient"``, ...).  ``reason`` never holds a credential or a prompt.
    """

    hop: str
    endpoint: str
    mode: Mode | None
    model: str | None
    rule: str
    outcome: str
    send_state: SendState
    status: int | None = None
    code: str | None = None
    reason: str | None = None
    request_id: str | None = None
    started: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    retry_after: float | None = None
    because: str = ""

    @property
    def ok(self) -> bool:
        """Whether this attempt gave the answer."""
        return self.outcome == "ok"

    @property
    def maybe_billed(self) -> bool:
        """Whether the provider may have run the model although no whole answer reached the caller."""
        return self.send_state in ("ambiguous", "committed")

    def __str__(self) -> str:
        tells = self.status is not None and (self.ok or self.status >= 400)
        return f"{self.hop} {self.status if tells else self.outcome}"


@dataclass(frozen=True, slots=True)
class Skip:
    """A hop of the chain that was not tried, and the rule that left it out."""

    hop: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return f"{self.hop} skipped ({self.reason})"


@dataclass(frozen=True, slots=True)
class Route:
    """The way one call went: every attempt in order, the hops left out, and what no format could carry.

    ``seconds`` is the wall time until the answer, or until the first content of a stream; of one that broke, until it
    did.  ``retry_at`` (UTC) is the earliest time at which a provider said it would take the call again, or None.
    """

    attempts: tuple[Attempt, ...] = ()
    skipped: tuple[Skip, ...] = ()
    losses: tuple[Loss, ...] = ()
    seconds: float = 0.0
    retry_at: datetime | None = field(default=None, compare=False)

    @property
    def hop(self) -> str | None:
        """The hop that answered, or None when none did."""
        last = self.attempts[-1] if self.attempts else None
        return last.hop if last is not None and last.ok else None

    @property
    def sends(self) -> int:
        """How many requests left for a provider."""
        return sum(attempt.send_state != "not_sent" for attempt in self.attempts)

    def __str__(self) -> str:
        if not self.attempts:
            return "; ".join(map(str, self.skipped)) or "no attempt"
        return f"{' -> '.join(map(str, self.attempts))}, {self.seconds * 1000:.0f} ms"
