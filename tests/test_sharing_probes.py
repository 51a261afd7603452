"""Processes in step through a store: who may probe, and for how long.  Fake clocks, no threads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from planning import failure
from shared_world import CHAT, ELSEWHERE_HOP, RESPONSES, World, half_open, probe

from chatsheet_llm.domains import Domains, Entry
from chatsheet_llm.leases import ASKING, LEASE, REFUSED, UNUSED


@pytest.fixture
def world() -> World:
    return World().begin()


def test_the_first_to_ask_waits_for_the_lease_and_one_process_gets_it(world: World) -> None:
    half_open(world)
    first = [each.domains.enter(CHAT) is not None for each in world.all]
    world.sync()
    then = [each.domains.enter(CHAT) is not None for each in world.all]

    assert first == [False] * 3
    assert then == [True, False, False]
    assert [each.domains.permits(ELSEWHERE_HOP) for each in world.all] == [True] * 3


def test_a_domain_that_another_process_probes_is_not_permitted_for_a_moment(world: World) -> None:
    half_open(world)
    for each in world.all:
        each.domains.enter(CHAT)
    world.sync()
    at_once = world.other.domains.permits(CHAT)
    world.wait(REFUSED + 0.1)

    assert not at_once
    assert world.other.domains.permits(CHAT)


def test_a_call_with_nothing_else_left_need_not_wait_for_the_lease_but_keeps_off_another_s_probe(world: World) -> None:
    half_open(world)
    early = world.one.domains.enter(CHAT, early=True)
    world.other.domains.enter(CHAT)
    world.sync()

    assert early is not None
    assert world.other.domains.enter(CHAT, early=True) is None


def test_a_probe_that_is_given_back_gives_the_lease_back(world: World) -> None:
    half_open(world)
    world.one.domains.abandoned(CHAT, probe(world))
    world.sync()

    assert world.memory.leases == {}


def test_a_probe_that_fails_gives_the_lease_back_too(world: World) -> None:
    half_open(world)
    world.one.domains.failed(CHAT, failure("reset"), probe(world))
    world.sync()

    assert world.memory.leases == {}
    assert {each.domains.breaker(CHAT.origin).state for each in world.all} == {"open"}


LATE: dict[str, Callable[[Domains], None]] = {
    "an answer": lambda domains: domains.succeeded(CHAT, entry=Entry()),
    "a cancellation": lambda domains: domains.abandoned(CHAT, Entry()),
    "a failure": lambda domains: domains.failed(CHAT, failure("reset"), Entry()),
    "a named time": lambda domains: domains.failed(CHAT, failure("rate", retry_after=1.0), Entry()),
}


@pytest.mark.parametrize("told", LATE)
def test_what_comes_late_leaves_the_lease_with_the_probe(world: World, told: str) -> None:
    half_open(world)
    probe(world)
    LATE[told](world.one.domains)
    world.sync()
    world.wait(1.1)
    world.other.domains.enter(CHAT)
    world.sync()

    assert [holder for holder, _ in world.memory.leases.values()] == ["p0"]
    assert world.other.domains.enter(CHAT) is None


def test_a_time_that_is_named_late_is_kept_by_all(world: World) -> None:
    half_open(world)
    probe(world)
    LATE["a named time"](world.one.domains)
    world.sync()

    assert world.other.domains.throttled(CHAT)


def test_a_lease_lasts_as_long_as_its_probe(world: World) -> None:
    half_open(world)
    probe(world)
    for _ in range(5):
        world.wait(LEASE * 0.6)
        world.sync()
    world.other.domains.enter(CHAT)
    world.sync()

    assert world.other.domains.enter(CHAT) is None


def test_a_lease_that_no_call_uses_is_given_back(world: World) -> None:
    half_open(world)
    world.one.domains.enter(CHAT)
    world.sync()
    world.wait(UNUSED + 0.1)
    world.sync()
    world.other.domains.enter(CHAT)
    world.sync()

    assert world.other.domains.enter(CHAT) is not None


def test_a_lease_of_a_process_that_died_expires(world: World) -> None:
    half_open(world)
    world.one.domains.enter(CHAT)
    world.one.sharing.tell()
    world.wait(LEASE + 0.1)
    world.other.domains.enter(CHAT)
    world.other.sharing.tell()

    assert world.other.domains.enter(CHAT) is not None


def test_both_domains_of_a_hop_are_asked_for_at_once(world: World) -> None:
    world.one.fail("deployment")
    world.one.fail("auth")
    world.wait(40)
    world.one.domains.enter(RESPONSES)
    world.one.sharing.tell()

    assert len(world.memory.leases) == 2
    assert world.one.domains.enter(RESPONSES) is not None


def test_a_store_that_does_not_answer_a_claim_withholds_no_probe_for_long(world: World) -> None:
    half_open(world)
    asked = world.one.domains.enter(CHAT)
    world.wait(ASKING + 0.1)

    assert asked is None
    assert world.one.domains.enter(CHAT) is not None
