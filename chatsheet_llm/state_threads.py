"""The two threads that keep a process in step with a state store: when they try, pause, end.  They know no domain."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger("chatsheet_llm.state")

HEAR = 1.0
"""Seconds of one wait for news."""
IDLE = 5.0
"""Seconds after which the telling thread looks after the store though nothing waits."""
TICK = 0.5
"""Seconds for the same while a lease is held."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0


class Work(Protocol):
    """What the threads do over and over.  ``tell``, ``listen`` and ``hear_for`` may raise what the store raises."""

    def tell(self) -> None:
        """Tell the store everything that waits."""

    def listen(self) -> None:
        """Begin to hear."""

    def hear_for(self, seconds: float) -> None:
        """Apply what is told within that time."""

    def lost(self) -> None:
        """Hear that telling failed."""

    def doubt(self) -> None:
        """Hear that hearing failed: the next ``tell`` looks after the store, whatever waits."""

    def end(self) -> None:
        """Close the store."""

    @property
    def busy(self) -> bool:
        """Whether something is to be looked after soon, though nothing waits."""


class Threads:
    """Runs the work, from ``start`` until some time after ``close``.  Both return at once and may be called again."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._wake, self._stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._started = False
        self._running: set[str] = set()
        self._reached: set[str] = set()
        self._warned = False

    @property
    def joined(self) -> bool:
        """Whether both threads reach the store."""
        return len(self._reached) == 2

    def wake(self) -> None:
        """Hear that something waits to be told."""
        self._wake.set()

    def start(self) -> None:
        """Start the threads, where they were not started yet."""
        if self._started:
            return
        with self._lock:
            if self._started or self._stop.is_set():
                return
            self._started, self._running = True, {"tell", "hear"}
        for name, work in (("tell", self._tell), ("hear", self._hear)):
            threading.Thread(target=self._run, args=(name, work), name=f"chatsheet-state-{name}", daemon=True).start()

    def close(self) -> None:
        """Make the threads end soon; what waits is told first."""
        self._stop.set()
        self._wake.set()

    def _run(self, name: str, work: Callable[[], None]) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                work()
            except Exception as error:  # noqa: BLE001  a third party's store may raise anything
                self._away(name, error)
                pause = FIRST_PAUSE if time.monotonic() - begun > LONGEST_PAUSE else pause
                self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads reconnects, guards nothing
                pause = min(pause * 2, LONGEST_PAUSE)
        if name == "tell" and name in self._reached:
            with contextlib.suppress(Exception):
                self._work.tell()
        with self._lock:
            self._running.discard(name)
            last = not self._running
        if last:
            self._work.end()

    def _tell(self) -> None:
        try:
            while not self._stop.is_set():
                self._work.tell()
                self._back("tell")
                self._wake.wait(TICK if self._work.busy else IDLE)
                self._wake.clear()
        except BaseException:
            self._work.lost()
            raise

    def _hear(self) -> None:
        self._work.listen()
        self._back("hear")
        while not self._stop.is_set():
            self._work.hear_for(HEAR)
            self._back("hear")

    def _away(self, name: str, error: Exception) -> None:
        with self._lock:
            # Both: the other's connection may be dead too, and that is no outage of its own.
            self._reached.clear()
            first, self._warned = not self._warned and not self._stop.is_set(), True
        if name == "hear":
            self._work.doubt()
            self._wake.set()
        if first:
            # Not the error's text: it may name a URL with its password.
            log.warning(
                "the state store is away (%s): this process goes on with what it knows itself, and keeps trying",
                type(error).__name__,
            )

    def _back(self, name: str) -> None:
        if name in self._reached:
            return
        with self._lock:
            self._reached.add(name)
            back = self._warned and len(self._reached) == 2
            self._warned = self._warned and not back
        if back:
            log.info("the state store is back")
