"""Remember what endpoints have shown of their deployments: APIs they refuse, models they serve.  Does no I/O.

A lesson is the provider's own word at run time, so it stands above the capability table, for as long as it lasts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from chatsheet_llm.route import Mode

When = Literal["always", "tools", "stream"]
"""Which requests an API refuses: all, those with tools while the model reasons, or those that want a stream."""

LESSONS: Mapping[str, tuple[When, float]] = {
    "capability": ("always", 1.0),
    "tools_on_chat": ("tools", 1.0),
    "streaming": ("stream", 1.0),
    # A deployment may be some minutes old, so this is believed for a while only.
    "deployment": ("always", 1 / 12),
}
"""Fault to what it teaches, and the share of the expiry for which that is believed."""

MOST = 2000
"""Deployments to remember; beyond, those that were heard of first are forgotten."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One thing that was learned, for people.

    ``mode`` is the API that is refused, ``when`` for which requests; both are None where the lesson is
    ``base_model``.  ``reason`` is the provider's own word; ``seconds_left`` until it is forgotten.
    """

    endpoint: str
    deployment: str
    mode: Mode | None
    when: When | None
    base_model: str | None
    reason: str
    seconds_left: float

    def __str__(self) -> str:
        what = f"is {self.base_model}" if self.mode is None else f"refuses {self.mode}{_WHEN[self.when or 'always']}"
        return f"{self.endpoint}: {self.deployment} {what} ({self.reason})"


_WHEN: Mapping[When, str] = {"always": "", "tools": " with tools while it reasons", "stream": " as a stream"}


@dataclass(frozen=True, slots=True)
class _Entry:
    expires: float
    reason: str
    fault: str = ""
    base_model: str | None = None


_Key = tuple[str, str, Mode, When] | tuple[str, str]


class Learned:
    """Lessons by endpoint and deployment.  Thread-safe; ``expiry`` and ``clock`` are in seconds, monotonic."""

    def __init__(self, expiry: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.expiry = expiry
        self._clock = clock
        self._entries: dict[_Key, _Entry] = {}
        self._lock = threading.Lock()

    def copy(self) -> Learned:
        """Return one of its own that knows the same: a child process may not wait for a lock of its parent."""
        made = Learned(self.expiry, self._clock)
        made._entries = dict(self._entries)
        return made

    def refused(self, endpoint: str, deployment: str, mode: Mode, fault: str, reason: str) -> bool:
        """Hear that an API refused a request for what the deployment is; False where that teaches nothing.

        Where every API says that there is no such deployment, the API was not to blame, and both are forgotten.
        """
        if fault not in LESSONS:
            return False
        when, share = LESSONS[fault]
        now = self._clock()
        entry = _Entry(now + share * self.expiry, reason, fault)
        with self._lock:
            if fault == "deployment":
                others = [
                    key
                    for key, known in self._of(endpoint, deployment)
                    if known.fault == fault and key[2] != mode and known.expires > now
                ]
                for key in others:
                    del self._entries[key]
                if others:
                    return False
            known = self._entries.get((endpoint, deployment, mode, when))
            if known is None or known.expires <= entry.expires:
                self._keep((endpoint, deployment, mode, when), entry)
        return True

    def answered(self, endpoint: str, deployment: str, mode: Mode, *, stream: bool) -> None:
        """Hear that an API answered: it does not refuse every request, nor a stream that it has begun."""
        for when in ("always", "stream") if stream else ("always",):
            if (endpoint, deployment, mode, when) in self._entries:
                with self._lock:
                    self._entries.pop((endpoint, deployment, mode, when), None)

    def serves(self, endpoint: str, deployment: str, base_model: str) -> None:
        """Hear which model is behind a deployment."""
        known = self._entries.get((endpoint, deployment))
        if known is not None and known.base_model == base_model and known.expires - self._clock() > self.expiry / 2:
            return
        entry = _Entry(self._clock() + self.expiry, "named in its answers", base_model=base_model)
        with self._lock:
            self._keep((endpoint, deployment), entry)

    def why_not(self, endpoint: str, deployment: str, mode: Mode, when: When) -> str | None:
        """Return the provider's word for why it refuses such requests, or None."""
        if not self._entries:
            return None
        entry = self._entries.get((endpoint, deployment, mode, when))
        return entry.reason if entry is not None and entry.expires > self._clock() else None

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

    def forget(self, endpoint: str | None = None, deployment: str | None = None) -> tuple[Lesson, ...]:
        """Forget everything, or what is about one endpoint or deployment; return what was forgotten."""
        now = self._clock()
        with self._lock:
            keys = [key for key in self._entries if endpoint in (None, key[0]) and deployment in (None, key[1])]
            gone = [(key, self._entries.pop(key)) for key in keys]
        return tuple(_told(key, entry, now) for key, entry in gone if entry.expires > now)

    def _of(self, endpoint: str, deployment: str) -> Iterator[tuple[tuple[str, str, Mode, When], _Entry]]:
        for key, entry in self._entries.items():
            if len(key) == 4 and key[:2] == (endpoint, deployment):
                yield key, entry

    def _keep(self, key: _Key, entry: _Entry) -> None:
        if len(self._entries) >= MOST and key not in self._entries:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry


def _told(key: _Key, entry: _Entry, now: float) -> Lesson:
    mode, when = (key[2], key[3]) if len(key) == 4 else (None, None)
    return Lesson(key[0], key[1], mode, when, entry.base_model, entry.reason, max(0.0, entry.expires - now))
