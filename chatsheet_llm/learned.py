"""Remember what endpoints have shown of their deployments: APIs they refuse, models they serve.  Does no I/O.

A lesson is the provider's own word at run time, so it stands above the capability table, for as long as it lasts.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from chatsheet_llm.route import MODES, Mode

When = Literal["always", "tools", "tools with effort", "stream"]
"""Which requests an API refuses: all, those with tools unless the effort is ``none``, those with tools and an effort,
or those that want a stream."""

LESSONS: Mapping[str, tuple[When, float]] = {
    "capability": ("always", 1.0),
    "tools_on_chat": ("tools", 1.0),
    "streaming": ("stream", 1.0),
    # A deployment may be some minutes old, so this is believed for a while only.
    "deployment": ("always", 1 / 12),
}
"""Fault to what it teaches, and the share of the expiry for which that is believed."""

WEAK = frozenset({"deployment"})
"""Faults whose lesson another fault may lie behind: they do not hold where they would leave no hop."""

ELSEWHERE = "another process was told so"
"""The reason of a lesson that was not heard from the provider itself."""

MOST = 2000
"""Deployments to remember; beyond, those that were heard of first are forgotten."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One thing that was learned, for people.

    ``mode`` is the API that is refused, ``when`` for which requests; both are None where the lesson is
    ``base_model``.  That one is None behind a router, where several models answer by turns.  ``reason`` is the
    provider's own word; ``seconds_left`` until it is forgotten.
    """

    endpoint: str
    deployment: str
    mode: Mode | None
    when: When | None
    base_model: str | None
    reason: str
    seconds_left: float

    def __str__(self) -> str:
        model = f"is {self.base_model}" if self.base_model is not None else "is several models"
        what = model if self.mode is None else f"refuses {self.mode}{_WHEN[self.when or 'always']}"
        return f"{self.endpoint}: {self.deployment} {what} ({self.reason})"


_WHEN: Mapping[When, str] = {
    "always": "",
    "tools": " with tools",
    "tools with effort": " with tools while it reasons",
    "stream": " as a stream",
}


class Refusal(NamedTuple):
    """Why an API refuses such requests: the fault, and the provider's own word."""

    fault: str
    reason: str

    @property
    def weak(self) -> bool:
        """Whether it does not hold where it would leave no hop."""
        return self.fault in WEAK


@dataclass(frozen=True, slots=True)
class _Entry:
    expires: float
    reason: str
    fault: str = ""
    base_model: str | None = None
    family: str = ""


_Key = tuple[str, str, Mode, When] | tuple[str, str]

Tell = Callable[[str, str, "Mode | None", "When | None"], None]
"""Hears of which endpoint and deployment, API and requests something was learned or forgotten; the last two are None
for the model behind it.  Must not wait."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A lesson as processes tell it to each other: without the provider's words."""

    fault: str
    base_model: str | None
    family: str
    seconds_left: float


def untold(endpoint: str, deployment: str, mode: Mode | None, when: When | None) -> None:
    """Tell nobody."""
    del endpoint, deployment, mode, when


class Learned:
    """Lessons by endpoint and deployment.  Thread-safe; ``expiry`` and ``clock`` are in seconds, monotonic."""

    def __init__(self, expiry: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.expiry = expiry
        self.tell: Tell = untold
        self._clock = clock
        self._entries: dict[_Key, _Entry] = {}
        self._nowhere: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._version = 0
        self._soonest = math.inf
        """No entry expires before this time of the clock."""

    @property
    def version(self) -> int:
        """A number that another one follows whenever what is believed changes, also because a lesson has expired."""
        if self._entries and self._soonest <= self._clock():
            with self._lock:
                now = self._clock()
                left = (entry.expires for entry in self._entries.values() if entry.expires > now)
                self._soonest = min(left, default=math.inf)
                self._version += 1
        return self._version

    def copy(self) -> Learned:
        """Return one of its own that knows the same: a child process may not wait for a lock of its parent."""
        made = Learned(self.expiry, self._clock)
        made._entries, made._nowhere = dict(self._entries), dict(self._nowhere)
        made._soonest = self._soonest
        return made

    def refused(
        self, endpoint: str, deployment: str, mode: Mode, fault: str, reason: str, *, effort: bool = False
    ) -> bool:
        """Hear that an API refused a request for what the deployment is; False where that teaches nothing.

        ``effort`` says that the request named a reasoning effort.  Where every API says that there is no such
        deployment, the API was not to blame: both are forgotten, and for a while none is believed.
        """
        if fault not in LESSONS:
            return False
        when, share = LESSONS[fault]
        if when == "tools" and effort:
            when = "tools with effort"
        now = self._clock()
        entry = _Entry(now + share * self.expiry, reason, fault)
        with self._lock:
            if fault == "deployment":
                if self._nowhere.get((endpoint, deployment), now) > now:
                    return False
                others = [
                    key
                    for key, known in self._of(endpoint, deployment)
                    if known.fault == fault and key[2] != mode and known.expires > now
                ]
                for key in others:
                    self._drop(key)
                if others:
                    if len(self._nowhere) >= MOST:
                        self._nowhere.clear()
                    self._nowhere[endpoint, deployment] = entry.expires
                    return False
            known = self._entries.get((endpoint, deployment, mode, when))
            if known is None or known.expires <= entry.expires:
                self._keep((endpoint, deployment, mode, when), entry)
        return True

    def answered(self, endpoint: str, deployment: str, mode: Mode, *, stream: bool) -> None:
        """Hear that an API answered: it does not refuse every request, nor a stream that it has begun."""
        if (endpoint, deployment) in self._nowhere:
            self._nowhere.pop((endpoint, deployment), None)
        gone: list[_Key] = [(endpoint, deployment, mode, "always")]
        if stream:
            gone += [(endpoint, deployment, each, "stream") for each in MODES]
        for key in gone:
            if key in self._entries:
                with self._lock:
                    self._drop(key)

    def serves(self, endpoint: str, deployment: str, base_model: str, family: str) -> None:
        """Hear which model is behind a deployment, and of which family of the table it is.

        Behind a router several answer by turns.  Then none of them is the deployment's, until that expires.
        """
        now = self._clock()
        known = self._entries.get((endpoint, deployment))
        if known is not None and known.expires > now:
            if known.base_model is None or (known.base_model == base_model and known.expires - now > self.expiry / 2):
                return
            if known.family != family:
                several = _Entry(now + self.expiry, f"{known.base_model} and {base_model} answered by turns")
                with self._lock:
                    self._keep((endpoint, deployment), several)
                return
        entry = _Entry(now + self.expiry, "named in its answers", base_model=base_model, family=family)
        with self._lock:
            self._keep((endpoint, deployment), entry)

    def why_not(self, endpoint: str, deployment: str, mode: Mode, when: When) -> Refusal | None:
        """Return why it refuses such requests, or None."""
        if not self._entries:
            return None
        entry = self._entries.get((endpoint, deployment, mode, when))
        return Refusal(entry.fault, entry.reason) if entry is not None and entry.expires > self._clock() else None

    def why_not_streamed(self, endpoint: str, deployment: str) -> Refusal | None:
        """Return why a deployment gives no stream, or None: what one API says of that, it says of the model."""
        if not self._entries:
            return None
        found = (self.why_not(endpoint, deployment, mode, "stream") for mode in MODES)
        return next((refusal for refusal in found if refusal is not None), None)

    def doubtful(self, endpoint: str, deployment: str) -> bool:
        """Whether a lesson about the deployment is a weak one."""
        now = self._clock()
        with self._lock:
            return any(entry.fault in WEAK and entry.expires > now for _, entry in self._of(endpoint, deployment))

    def base_model(self, endpoint: str, deployment: str) -> str | None:
        """Return the model behind a deployment, as its answers name it, or None."""
        if not self._entries:
            return None
        entry = self._entries.get((endpoint, deployment))
        return entry.base_model if entry is not None and entry.expires > self._clock() else None

    def lessons(self) -> tuple[Lesson, ...]:
        """Return everything that is believed now, in the order in which it was first heard."""
        now = self._clock()
        with self._lock:
            entries = list(self._entries.items())
        return tuple(_told(key, entry, now) for key, entry in entries if entry.expires > now)

    def fact(self, endpoint: str, deployment: str, mode: Mode | None, when: When | None) -> Fact | None:
        """Return what is believed of that now, or None."""
        entry = self._entries.get(_key(endpoint, deployment, mode, when))
        left = 0.0 if entry is None else entry.expires - self._clock()
        return Fact(entry.fault, entry.base_model, entry.family, left) if entry is not None and left > 0 else None

    def places(self) -> tuple[tuple[str, str, Mode | None, When | None], ...]:
        """Return all that :meth:`fact` can be asked for."""
        with self._lock:
            return tuple(map(_place, self._entries))

    def hear(self, endpoint: str, deployment: str, mode: Mode | None, when: When | None, fact: Fact | None) -> None:
        """Believe what another process has learned, or forget what it has forgotten (None)."""
        key, now = _key(endpoint, deployment, mode, when), self._clock()
        with self._lock:
            if fact is None:
                self._entries.pop(key, None)
                self._version += 1
                return
            if (mode is None) == (fact.fault in LESSONS):
                return
            if fact.fault == "deployment" and self._nowhere.get((endpoint, deployment), now) > now:
                return
            known = self._entries.get(key)
            expires = now + min(fact.seconds_left, self.expiry)
            if known is None or known.expires < expires:
                self._keep(key, _Entry(expires, ELSEWHERE, fact.fault, fact.base_model, fact.family), tell=False)

    def forget(
        self, endpoint: str | None = None, deployment: str | None = None, *, everywhere: bool = False
    ) -> tuple[Lesson, ...]:
        """Forget everything, or what is about one endpoint or deployment; return what was forgotten.

        ``everywhere`` makes the other processes that share lessons with this one forget it too.
        """
        now = self._clock()
        with self._lock:
            keys = [key for key in self._entries if endpoint in (None, key[0]) and deployment in (None, key[1])]
            gone = [(key, self._entries.pop(key)) for key in keys]
            self._version += 1
            for place in list(self._nowhere):
                if endpoint in (None, place[0]) and deployment in (None, place[1]):
                    del self._nowhere[place]
        for key, _ in gone if everywhere else ():
            self.tell(*_place(key))
        return tuple(_told(key, entry, now) for key, entry in gone if entry.expires > now)

    def _of(self, endpoint: str, deployment: str) -> Iterator[tuple[tuple[str, str, Mode, When], _Entry]]:
        for key, entry in self._entries.items():
            if len(key) == 4 and key[:2] == (endpoint, deployment):
                yield key, entry

    def _keep(self, key: _Key, entry: _Entry, *, tell: bool = True) -> None:
        known = self._entries.get(key)
        if known is None and len(self._entries) >= MOST:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry
        self._soonest = min(self._soonest, entry.expires)
        if known is None or replace(known, expires=entry.expires) != entry or known.expires <= self._clock():
            # One that only lasts longer now changes nothing yet.
            self._version += 1
        if tell:
            self.tell(*_place(key))

    def _drop(self, key: _Key) -> None:
        if self._entries.pop(key, None) is not None:
            self._version += 1
            self.tell(*_place(key))


def _key(endpoint: str, deployment: str, mode: Mode | None, when: When | None) -> _Key:
    return (endpoint, deployment) if mode is None or when is None else (endpoint, deployment, mode, when)


def _place(key: _Key) -> tuple[str, str, Mode | None, When | None]:
    return key if len(key) == 4 else (*key, None, None)


def _told(key: _Key, entry: _Entry, now: float) -> Lesson:
    mode, when = (key[2], key[3]) if len(key) == 4 else (None, None)
    return Lesson(key[0], key[1], mode, when, entry.base_model, entry.reason, max(0.0, entry.expires - now))
