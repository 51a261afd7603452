"""The health of one failure domain as a value for people and dashboards.  Observes nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from chatsheet_llm.breaker import State

_WORDS: Mapping[State, str] = {
    "closed": "takes calls",
    "open": "takes no calls",
    "half_open": "takes one call, to see whether it is well again",
}
"""What a state means for calls: a circuit that is open sounds like a shop that is."""


@dataclass(frozen=True, slots=True)
class DomainHealth:
    """What a client knows of a failure domain: an endpoint, or one API of one deployment there.

    ``mode`` (a path for what is no API of ours) and ``deployment`` are None for the endpoint as a whole; ``tokens`` of
    the retry budget and the ``sends`` under way, ``resends`` among them, belong to that and are None elsewhere.
    ``state`` is the circuit breaker's: ``closed`` takes calls, ``open`` takes none, ``half_open`` takes one.
    ``why`` says in a sentence why it is not closed; ``retry_at`` (UTC) is when an open one is probed again, the time
    that the server named where it is ``throttled``.  No field holds a key or a digest of one.  As text it says in plain
    words what becomes of calls.
    """

    endpoint: str
    mode: str | None
    deployment: str | None
    state: State
    why: str | None
    retry_at: datetime | None
    throttled: bool
    tokens: float | None
    sends: int | None
    resends: int | None

    @property
    def domain(self) -> str:
        """The domain's name: ``azure``, or ``azure/responses gpt-5``."""
        place = f"{self.endpoint}/{self.mode.strip('/')}" if self.mode else self.endpoint
        return f"{place} {self.deployment}" if self.deployment else place

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        until = f" until {self.retry_at:%H:%M:%S} UTC" if self.retry_at else ""
        return f"{self.domain} {_WORDS[self.state]}{until}{why}"

    def as_json(self) -> dict[str, str | float | bool | None]:
        """Return it as JSON has it; the time is ISO 8601."""
        told = asdict(self)
        return {**told, "domain": self.domain, "retry_at": self.retry_at.isoformat() if self.retry_at else None}
