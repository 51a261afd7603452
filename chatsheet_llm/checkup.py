"""Tell people how every failure domain fares.  Judges and changes nothing, and tells no key and no digest of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.guards import Guards
from chatsheet_llm.health import DomainHealth
from chatsheet_llm.located import parts_of


def checkup(guards: Guards, names: Mapping[str, str]) -> Iterator[DomainHealth]:
    """Yield the state of every domain; ``names`` gives the endpoint's name by origin."""
    now, utc = guards.clock(), datetime.now(timezone.utc)
    for key in guards.snapshot():
        breaker = guards.breaker(key)
        origin, mode, deployment = parts_of(key)
        state, until, why = breaker.state, breaker.opened_until, guards.troubles.why.get(key)
        bucket, ceiling = guards.met(key)
        yield DomainHealth(
            # Not the origin itself: it ends with a digest of the credential.
            endpoint=names.get(origin) or origin.partition("#")[0],
            mode=mode or None,
            deployment=None if deployment in ("", "*") else deployment,
            state=state,
            why=why.row.sentence if why is not None and state != "closed" else None,
            retry_at=utc + timedelta(seconds=until - now) if state == "open" else None,
            throttled=breaker.throttled,
            tokens=None if mode else bucket.left() if bucket is not None else CAPACITY,
            sends=None if mode else ceiling.sends if ceiling is not None else 0,
            resends=None if mode else ceiling.resends if ceiling is not None else 0,
        )
