"""Processes in step through a store that is away, comes back, is emptied or set anew; and what it never holds."""

from __future__ import annotations

import gc

import pytest
from planning import Clock, failure
from shared_memory import Memory
from shared_world import CHAT, Process, World, half_open, probe

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.domains import price
from chatsheet_llm.sharing import BEAT
from chatsheet_llm.state import Opened, decoded, encoded, sealed


@pytest.fixture
def world() -> World:
    return World().begin()


def test_while_the_store_is_away_the_local_rules_hold(world: World) -> None:
    world.memory.down = True
    world.one.fail("auth")
    with pytest.raises(ConnectionError):
        world.one.sharing.tell()
    world.one.sharing.lost()
    closed = world.one.domains.permits(CHAT)
    world.wait(30.1)

    assert not closed
    assert world.one.domains.enter(CHAT) is not None
    assert world.one.domains.enter(CHAT) is None


def test_a_store_that_comes_back_empty_is_told_what_holds(world: World) -> None:
    world.one.fail("auth")
    world.one.learned.refused("azure", "codex", "chat", "capability", "x")
    world.one.domains.pay(CHAT, price(failure("reset")))
    world.memory.down = True
    with pytest.raises(ConnectionError):
        world.one.sharing.tell()
    world.one.sharing.lost()
    world.memory.down = False
    world.memory.kept.clear()
    world.memory.tokens.clear()
    world.sync()

    assert not world.other.domains.permits(CHAT)
    assert len(world.other.learned.lessons()) == 1
    assert world.memory.tokens[sealed(CHAT.origin)] == CAPACITY - 14.0


def test_a_store_that_was_emptied_is_told_again_at_the_next_beat(world: World) -> None:
    world.one.fail("auth")
    world.sync()
    world.memory.kept.clear()
    world.one.store.flushed = True
    world.wait(BEAT + 0.1)
    world.sync()

    assert [type(news.note) for news in world.memory.kept.values()] == [Opened]


def test_what_could_not_be_told_is_told_later(world: World) -> None:
    half_open(world)
    world.one.domains.succeeded(CHAT, entry=probe(world))
    world.memory.down = True
    with pytest.raises(ConnectionError):
        world.one.sharing.tell()
    world.memory.down = False
    world.sync()

    assert world.other.domains.breaker(CHAT.origin).state == "closed"


def test_a_clock_that_is_set_at_the_server_is_followed(world: World) -> None:
    world.other.domains.permits(CHAT)
    now = world.memory.now
    world.memory.now = lambda: now() + 3600
    world.wait(BEAT + 0.1)
    world.sync()
    world.one.fail("auth")
    world.sync()

    kept = world.memory.kept[f"domain:{sealed(CHAT.origin)}"].note
    assert isinstance(kept, Opened)
    assert kept.until - world.memory.now() == pytest.approx(30.0)
    assert world.other.domains.reopens_at(CHAT) - world.clocks[1].now == pytest.approx(30.0)


def test_the_threads_of_an_owner_that_is_gone_are_told_to_end() -> None:
    process = Process(Memory(lambda: 0.0), Clock(), "p")
    threads = process.sharing.threads
    before = threads._stop.is_set()
    del process
    gc.collect()

    assert not before
    assert threads._stop.is_set()


def test_what_is_told_holds_no_host_and_no_part_of_a_credential(world: World) -> None:
    for each, fault in ((world.one, "auth"), (world.other, "capability")):
        each.fail(fault, message="sk-hush at https://azure")
    world.one.learned.refused("azure", "codex", "chat", "capability", "sk-hush at https://azure")
    world.one.sharing.tell()
    world.other.sharing.tell()
    texts = [encoded(news) for news in world.memory.kept.values()]

    assert len(texts) == 3
    assert all("azure" not in text and "hush" not in text for text in texts)
    assert all(decoded(text) is not None for text in texts)
