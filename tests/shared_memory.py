"""A state store in memory, for several processes that are none: what real ones promise, with faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.state import Closed, Level, News, Opened, StateStore, Taught, Untaught, decoded, encoded, subject


class Memory:
    """What a server would hold.  ``now`` gives its time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.kept: dict[str, News] = {}
        self.tokens: dict[str, float] = {}
        self.leases: dict[str, tuple[str, float]] = {}
        self.ears: list[list[str]] = []
        self.down = False
        self.asked: list[str] = []

    def publish(self, news: News) -> None:
        for ear in self.ears:
            ear.append(encoded(news))


class MemoryStore:
    """One process's way to it."""

    def __init__(self, memory: Memory, name: str) -> None:
        self.memory, self.name = memory, name
        self.ear: list[str] = []
        self.flushed = False

    def _ask(self, what: str) -> None:
        self.memory.asked.append(what)
        if self.memory.down:
            raise ConnectionError("redis://user:hush@host is gone")

    def listen(self) -> None:
        self._ask("listen")
        if not any(ear is self.ear for ear in self.memory.ears):
            self.memory.ears.append(self.ear)

    def hear(self, seconds: float) -> Iterable[News]:
        self._ask("hear")
        texts, self.ear[:] = list(self.ear), []
        return [news for news in map(decoded, texts) if news is not None]

    def load(self) -> Iterable[News]:
        self._ask("load")
        return list(self.memory.kept.values())

    def now(self) -> float:
        self._ask("now")
        return self.memory.now()

    def tell(self, news: News) -> None:
        self._ask("tell")
        note = news.note
        if isinstance(note, (Opened, Taught)):
            known = self.memory.kept.get(subject(note))
            if known is not None and known.note.until >= note.until:  # type: ignore[union-attr]
                return
            self.memory.kept[subject(note)] = news
        elif isinstance(note, (Closed, Untaught)):
            self.memory.kept.pop(subject(note), None)
        self.memory.publish(news)

    def spend(self, domain: str, tokens: float, most: float, news: News) -> float:
        self._ask("spend")
        had = self.memory.tokens.get(domain, CAPACITY)
        left = max(0.0, min(CAPACITY, min(had, most) - tokens))
        self.memory.tokens[domain] = left
        if left != had:
            self.memory.publish(replace(news, note=Level(domain, left)))
        return left

    def claim(self, domain: str, seconds: float) -> bool:
        self._ask("claim")
        holder, until = self.memory.leases.get(domain, ("", 0.0))
        if holder not in ("", self.name) and until > self.memory.now():
            return False
        self.memory.leases[domain] = (self.name, self.memory.now() + seconds)
        return True

    def release(self, domain: str) -> None:
        self._ask("release")
        if self.memory.leases.get(domain, ("", 0.0))[0] == self.name:
            del self.memory.leases[domain]

    def intact(self) -> bool:
        self._ask("intact")
        flushed, self.flushed = self.flushed, False
        return not flushed

    def close(self) -> None:
        self.memory.asked.append("close")

    def renewed(self) -> StateStore:
        return MemoryStore(self.memory, f"{self.name}'")
