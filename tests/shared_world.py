"""Processes that share a store, each with a clock of its own, in step and without threads.  Asserts nothing of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from planning import Clock, failure, fresh, hop
from shared_memory import Memory, MemoryStore

from chatsheet_llm.domains import Entry
from chatsheet_llm.learned import Learned
from chatsheet_llm.sharing import Sharing, share


@pytest.fixture
def world() -> World:
    return World().begin()


RESPONSES, CHAT, ELSEWHERE_HOP = hop("azure/responses"), hop("azure/chat"), hop("other/chat")


class Process:
    """One process by itself: a clock of its own, domains, lessons, and its side of the store."""

    def __init__(
        self, memory: Memory, clock: Clock, name: str, endpoints: tuple[str, ...] = ("azure", "other")
    ) -> None:
        self.clock = clock
        self.domains = fresh(clock)
        self.learned = Learned(clock=clock)
        self.endpoints = {name: f"https://{name}" for name in ("azure", "other")}
        self.store = MemoryStore(memory, name)
        self.sharing: Sharing = share(self, self.store)

    def origins_by_endpoint(self) -> Mapping[str, str]:
        return self.endpoints

    def begin(self) -> Process:
        self.sharing.listen()
        self.sharing.tell()
        return self

    def sync(self) -> None:
        self.sharing.tell()
        self.sharing.hear_for(0.0)

    def fail(self, fault: str = "auth", where: object = RESPONSES, **more: object) -> None:
        self.domains.failed(where, failure(fault, **more))  # type: ignore[arg-type]


class World:
    """Processes whose clocks began at different times, and the store between them."""

    def __init__(self) -> None:
        self.clocks = [Clock(1000.0), Clock(77.0), Clock(5e6)]
        self.memory = Memory(lambda: self.clocks[0].now + 1.8e9)
        self.one, self.other, self.third = (Process(self.memory, c, f"p{n}") for n, c in enumerate(self.clocks))

    def begin(self) -> World:
        for each in self.all:
            each.begin()
        return self

    @property
    def all(self) -> tuple[Process, ...]:
        return self.one, self.other, self.third

    def wait(self, seconds: float) -> None:
        for clock in self.clocks:
            clock.now += seconds

    def sync(self) -> None:
        """Everything that waits is told, then heard by everybody."""
        for each in self.all:
            each.sharing.tell()
        for each in self.all:
            each.sharing.hear_for(0.0)


def probe(world: World) -> Entry:
    """The probe of a half-open domain, by the first process: it asks, is granted the lease, and enters."""
    world.one.domains.enter(CHAT)
    world.sync()
    entry = world.one.domains.enter(CHAT)
    assert entry is not None, "no probe could be had"
    assert world.memory.leases
    return entry


def half_open(world: World) -> None:
    world.one.fail("auth")
    world.sync()
    for each in world.all:
        each.domains.permits(CHAT)
    world.wait(30.5)
