"""Keep one process's failure domains and lessons in step with a state store.  Two threads do it; no call ever waits.

A call reads and writes what its own process knows and leaves a mark here; one thread tells the store, another hears
what others tell.  Where the store is away, slow or empty, what this process knows holds alone, and is told again later.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeVar

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.domains import Domains
from chatsheet_llm.guards import MOST
from chatsheet_llm.learned import Fact, Learned, When
from chatsheet_llm.leases import LEASE, Leases
from chatsheet_llm.route import Mode
from chatsheet_llm.shared_clock import SharedClock
from chatsheet_llm.state import Closed, Level, News, Note, Opened, StateStore, Taught, Untaught, sealed, subject
from chatsheet_llm.state_threads import Threads

BEAT = 5.0
"""Seconds between looks whether the store still has everything, and what time it is there."""

_Lesson = tuple[str, str, Mode | None, When | None]
_Mark = TypeVar("_Mark", str, _Lesson)
_What = TypeVar("_What")


class Owner(Protocol):
    """Who has the state to share: endpoints may change under it, so that their origins are read when needed."""

    domains: Domains
    learned: Learned

    def origins_by_endpoint(self) -> Mapping[str, str]:
        """Return the origin of each endpoint, by name."""


class Sharing:
    """One client's side of a state store.  Its ``threads`` do the work.  Thread-safe; not to be used after a fork."""

    def __init__(
        self,
        store: StateStore,
        domains: Domains,
        learned: Learned,
        origins: Callable[[], Mapping[str, str]],
    ) -> None:
        self.store = store
        self._domains, self._learned, self._origins = domains, learned, origins
        self._now = domains.clock
        self._clock = SharedClock(self._now)
        self._me = secrets.token_hex(8)
        self._number = 0
        self._lock = threading.Lock()
        self.threads = Threads(self)
        self.leases = Leases(self._now)
        # What waits to be told, each by what it is about: a later change takes the place of an earlier one.
        self._changed: dict[str, Literal["opened", "closed"]] = {}
        self._lessons: dict[_Lesson, None] = {}
        self._spent: dict[str, float] = {}
        self._flying: dict[str, float] = {}
        # What is known of names: the key behind a sealed one, and what was heard of those nobody has asked about here.
        self._keys: dict[str, str] = {}
        self._heard: dict[str, tuple[Opened, float]] = {}
        self._last: dict[str, int] = {}
        self._up = False
        self._beat_at = 0.0

    # --- what a call does: leave a mark

    def opened(self, key: str) -> None:
        """Tell, soon, that a domain was opened."""
        self._mark(self._changed, key, "opened")

    def closed(self, key: str) -> None:
        """Tell, soon, that a domain was closed."""
        self._mark(self._changed, key, "closed")

    def spent(self, key: str, tokens: float) -> None:
        """Tell, soon, that tokens were spent; for none, ask what is left."""
        with self._lock:
            self._spent[key] = self._spent.get(key, 0.0) + tokens
        self.threads.wake()

    def taught(self, endpoint: str, deployment: str, mode: Mode | None, when: When | None) -> None:
        """Tell, soon, what is believed now of a deployment."""
        self._mark(self._lessons, (endpoint, deployment, mode, when), None)

    def may_probe(self, key: str, *, early: bool) -> bool:
        """Whether this process holds the lease to probe; where the store is away, the local rules decide."""
        if not self._up:
            return True
        may = self.leases.may_probe(key, early=early)
        if early or not may:
            self.threads.wake()
        return may

    def withheld(self, key: str) -> bool:
        """Whether another process was found to probe, a moment ago."""
        return self._up and self.leases.withheld(key)

    def probe_over(self, key: str) -> None:
        """Give the lease back, soon."""
        if self.leases.over(key):
            self.threads.wake()

    def met(self, key: str) -> None:
        """Apply what was heard of a domain before anybody asked about it here."""
        name = sealed(key)
        with self._lock:
            _bounded(self._keys, 4 * MOST)[name] = key
            note, until = self._heard.pop(name, (None, 0.0))
        if note is not None and until > self._now():
            self._open(key, note, until)

    def _mark(self, pending: dict[_Mark, _What], key: _Mark, what: _What) -> None:
        with self._lock:
            _bounded(pending, 4 * MOST)[key] = what
        self.threads.wake()

    # --- what the telling thread does

    def tell(self) -> None:
        """Tell everything that waits, keep leases, look after the store.  Raises what the store raises."""
        if not self._up:
            self._return()
        elif self._now() >= self._beat_at:
            self._clock.sync(self.store)
            if not self.store.intact():
                self._everything()
            self._beat_at = self._now() + BEAT
        with self._lock:
            changed, lessons = dict(self._changed), list(self._lessons)
            self._flying, self._spent = self._spent, {}
            self._changed.clear()
            self._lessons.clear()
        try:
            for key, what in changed.items():
                self._tell_domain(key, what)
            for lesson in lessons:
                self._tell_lesson(*lesson)
            for key, tokens in self._flying.items():
                self._spend(key, tokens, CAPACITY)
        except BaseException:
            with self._lock:
                for key, what in changed.items():
                    self._changed.setdefault(key, what)
                self._lessons.update(dict.fromkeys(lessons))
            raise
        for key in self.leases.ended():
            self._release(key)
        for key in self.leases.wanted():
            self._claim(key)
        for key, deed in self.leases.due(lambda key: self._domains.breaker(key).probing):
            self._claim(key) if deed == "prolong" else self._release(key)

    def lost(self) -> None:
        """Hear that the store is away: the local rules hold."""
        self._up = False

    def doubt(self) -> None:
        """Hear that the store may have been away: it is looked after when it is told something next."""
        self._beat_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether a lease is to be looked after soon."""
        return len(self.leases) > 0

    def end(self) -> None:
        """Close the store."""
        with contextlib.suppress(Exception):
            self.store.close()

    def _return(self) -> None:
        """Begin, or begin again after an outage: tell everything that holds here."""
        self._clock.sync(self.store)
        self.store.intact()
        with self._lock:
            self._spent, self._flying = {}, {}
        self.leases.lost()
        self._everything()
        self._beat_at = self._now() + BEAT
        self._up = True

    def _everything(self) -> None:
        for key in self._domains.tripped():
            self._mark(self._changed, key, "opened")
        for lesson in self._learned.places():
            self._mark(self._lessons, lesson, None)
        for key in self._domains.spent():
            self._spend(key, 0.0, self._domains.bucket(key).left())

    def _tell_domain(self, key: str, what: Literal["opened", "closed"]) -> None:
        breaker = self._domains.breaker(key)
        name, until = sealed(key), breaker.opened_until
        if breaker.tripped == (what == "closed"):
            return  # it has changed again, and that will be told, or was heard
        if what == "closed":
            self._say(Closed(name))
        elif until > self._now():
            fault = self._domains.fault(key) or "server_error"
            named = breaker.throttled and breaker.limited_until >= until
            self._say(Opened(name, self._clock.there(until), named, fault, breaker.open_for))

    def _tell_lesson(self, endpoint: str, deployment: str, mode: Mode | None, when: When | None) -> None:
        origin = self._origins().get(endpoint)
        if origin is None:
            return
        fact = self._learned.fact(endpoint, deployment, mode, when)
        if fact is None:
            self._say(Untaught(sealed(origin), deployment, mode, when))
            return
        until = self._clock.there(self._now() + fact.seconds_left)
        self._say(Taught(sealed(origin), deployment, mode, when, fact.fault, fact.base_model, fact.family, until))

    def _say(self, note: Note) -> None:
        self._number += 1
        _bounded(self._last, 4 * MOST)[subject(note)] = self._number
        self.store.tell(News(note, self._me, self._number))

    def _spend(self, key: str, tokens: float, most: float) -> None:
        self._number += 1
        left = self.store.spend(sealed(key), tokens, most, News(Level(sealed(key), 0.0), self._me, self._number))
        with self._lock:
            self._flying = {name: spent for name, spent in self._flying.items() if name != key}
            unsent = self._spent.get(key, 0.0)
        self._domains.bucket(key).level(left - unsent)

    def _claim(self, key: str) -> None:
        asked_at = self._now()
        self.leases.answered(key, granted=self.store.claim(sealed(key), LEASE), asked_at=asked_at)

    def _release(self, key: str) -> None:
        if self.leases.given_back(key):
            self.store.release(sealed(key))

    # --- what the hearing thread does

    def listen(self) -> None:
        """Begin to hear, then learn what holds already.  Raises what the store raises."""
        self.store.listen()
        self._clock.sync(self.store)
        for news in self.store.load():
            self.hear(news)

    def hear_for(self, seconds: float) -> None:
        """Apply what is told within that time.  Raises what the store raises."""
        for news in self.store.hear(seconds):
            self.hear(news)

    def hear(self, news: News) -> None:
        """Apply what a process tells, in the order in which the store has it.

        What this process itself told is applied too where it was its latest word: another's word may lie between.
        """
        note = news.note
        mine = news.by == self._me and not isinstance(note, Level)
        if mine and self._last.get(subject(note)) != news.number:
            return
        if isinstance(note, (Taught, Untaught)):
            self._hear_lesson(note)
            return
        key = self._keys.get(note.domain)
        if mine and key in self._changed:
            return  # there is a later word, which is not told yet
        if isinstance(note, Level):
            if key is not None:
                with self._lock:
                    unsent = self._spent.get(key, 0.0) + self._flying.get(key, 0.0)
                self._domains.bucket(key).level(note.tokens - unsent)
        elif isinstance(note, Closed):
            self._heard.pop(note.domain, None)
            if key is not None:
                self._domains.closed_elsewhere(key)
        else:
            until = self._clock.here(note.until)
            if until <= self._now():
                return
            with self._lock:
                key = self._keys.get(note.domain)
                if key is None:
                    _bounded(self._heard, MOST)[note.domain] = (note, until)
            if key is not None:
                self._open(key, note, until)

    def _open(self, key: str, note: Opened, until: float) -> None:
        self._domains.opened_elsewhere(key, until, throttled=note.throttled, fault=note.fault, open_for=note.open_for)

    def _hear_lesson(self, note: Taught | Untaught) -> None:
        fact = None
        if isinstance(note, Taught):
            left = self._clock.here(note.until) - self._now()
            if left <= 0:
                return
            fact = Fact(note.fault, note.base_model, note.family, left)
        for endpoint, origin in self._origins().items():
            if sealed(origin) == note.origin:
                self._learned.hear(endpoint, note.deployment, note.mode, note.when, fact)


def _bounded(table: dict[_Mark, _What], most: int) -> dict[_Mark, _What]:
    """Return the table, with room for one more: the oldest entry goes."""
    if len(table) >= most:
        del table[next(iter(table))]
    return table


def share(owner: Owner, store: StateStore) -> Sharing:
    """Join an owner's domains and lessons to a store.  The threads end when it is closed, or gone."""
    held = weakref.ref(owner)

    def origins() -> Mapping[str, str]:
        living = held()
        return {} if living is None else living.origins_by_endpoint()

    sharing = Sharing(store, owner.domains, owner.learned, origins)
    owner.domains.shared = sharing
    owner.learned.tell = sharing.taught
    weakref.finalize(owner, sharing.threads.close).atexit = False
    return sharing
