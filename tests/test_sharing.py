"""Processes in step through a store: what is told and believed.  Fake clocks, no threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from planning import Clock, failure
from shared_world import CHAT, ELSEWHERE_HOP, RESPONSES, Process, World

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.domains import price
from chatsheet_llm.learned import ELSEWHERE
from chatsheet_llm.state import Closed, News, Opened, sealed


@pytest.fixture
def world() -> World:
    return World().begin()


# --- what one learns the others know


def test_what_one_opens_is_open_for_all_until_the_same_moment(world: World) -> None:
    world.other.domains.permits(RESPONSES)
    world.one.fail("auth")
    world.sync()

    assert not world.other.domains.permits(CHAT)
    assert world.other.domains.reopens_at(CHAT) - world.clocks[1].now == pytest.approx(30.0)
    assert world.other.domains.permits(ELSEWHERE_HOP)
    why = world.other.domains.why(CHAT)
    assert why is not None
    assert (why.fault, why.message) == ("auth", None)


def test_a_domain_that_nobody_has_asked_about_yet_is_known_when_somebody_does(world: World) -> None:
    world.one.fail("auth")
    world.sync()
    late = Process(world.memory, Clock(9.0), "late").begin()

    assert not world.other.domains.permits(CHAT)
    assert not late.domains.permits(CHAT)


def test_a_time_that_the_server_named_is_waited_for_elsewhere_too(world: World) -> None:
    world.one.fail("rate", retry_after=12.0)
    world.sync()

    assert world.other.domains.throttled(CHAT)
    assert world.other.domains.reopens_at(CHAT) - world.clocks[1].now == pytest.approx(12.0)


def test_what_is_over_is_not_believed_any_more(world: World) -> None:
    world.other.domains.permits(CHAT)
    world.one.fail("auth")
    world.one.sharing.tell()
    world.wait(31.0)
    world.other.sharing.hear_for(0.0)

    assert world.other.domains.breaker(CHAT.origin).state == "closed"


def test_no_process_closes_a_domain_here_for_longer_than_the_longest_quarantine(world: World) -> None:
    world.other.domains.permits(CHAT)
    note = Opened(sealed(CHAT.origin), world.memory.now() + 1e9, False, "auth", 5.0)
    world.other.sharing.hear(News(note, "somebody", 1))

    assert world.other.domains.reopens_at(CHAT) - world.clocks[1].now == 360.0


def test_a_fault_of_a_newer_version_is_a_fault_all_the_same(world: World) -> None:
    note = Opened(sealed(CHAT.origin), world.memory.now() + 9, False, "struck by lightning", 5.0)
    world.other.sharing.hear(News(note, "somebody", 1))
    why = world.other.domains.why(CHAT) if not world.other.domains.permits(CHAT) else None

    assert why is not None
    assert why.fault == "server_error"


def test_an_answered_probe_closes_for_all(world: World) -> None:
    world.one.fail("auth")
    world.sync()
    world.other.domains.permits(CHAT)
    world.wait(30.1)
    world.one.domains.enter(CHAT)
    world.sync()
    entry = world.one.domains.enter(CHAT)
    world.one.domains.succeeded(CHAT, entry=entry)
    world.sync()

    assert entry is not None
    assert world.other.domains.breaker(CHAT.origin).state == "closed"
    assert world.memory.kept == {}
    assert world.memory.leases == {}


def test_an_answer_to_a_call_from_before_closes_for_nobody(world: World) -> None:
    world.one.fail("auth")
    world.sync()
    world.other.domains.permits(CHAT)
    world.one.domains.succeeded(CHAT)
    world.sync()

    assert not world.one.domains.permits(CHAT)
    assert not world.other.domains.permits(CHAT)


def test_a_proxy_that_one_finds_broken_is_closed_for_all_that_lie_behind_it(world: World) -> None:
    behind = [replace(each, proxy="http://proxy:3128") for each in (CHAT, ELSEWHERE_HOP)]
    world.one.fail("proxy", where=behind[0])
    world.sync()

    assert [world.other.domains.permits(each) for each in behind] == [False, False]
    assert world.other.domains.permits(CHAT)


def test_a_limit_without_a_time_is_kept_by_all_for_the_second_that_one_guessed(world: World) -> None:
    world.one.fail("rate")
    world.sync()

    assert not world.other.domains.permits(CHAT)
    assert not world.other.domains.waits(CHAT)
    assert world.other.domains.reopens_at(CHAT) - world.clocks[1].now == pytest.approx(1.0)


def test_a_time_that_a_server_named_to_one_forbids_all_to_probe_before(world: World) -> None:
    world.one.fail("rate", retry_after=30.0)
    world.sync()

    assert world.other.domains.throttled(CHAT)
    assert world.other.domains.waits(CHAT)


def test_the_order_of_the_store_decides_between_an_opening_and_a_closing(world: World) -> None:
    for each in world.all:
        each.domains.permits(CHAT)
    world.memory.publish(News(Closed(sealed(CHAT.origin)), "somebody", 1))
    world.one.fail("auth")
    world.sync()
    opened = [each.domains.breaker(CHAT.origin).state for each in world.all]
    world.memory.publish(News(Closed(sealed(CHAT.origin)), "somebody", 2))
    world.sync()

    assert opened == ["open"] * 3
    assert {each.domains.breaker(CHAT.origin).state for each in world.all} == {"closed"}


def test_its_own_opening_comes_back_to_a_process_that_has_closed_since_and_changes_nothing(world: World) -> None:
    world.one.fail("auth")
    world.one.sharing.tell()
    (opening,) = world.one.store.hear(0.0)
    world.one.domains.closed_elsewhere(CHAT.origin)
    world.one.domains.shared.closed(CHAT.origin)
    world.one.sharing.tell()
    world.one.sharing.hear(opening)

    assert world.one.domains.permits(CHAT)


def test_its_own_older_word_does_not_undo_its_newer_one(world: World) -> None:
    world.one.fail("rate", retry_after=1.0)
    world.one.sharing.tell()
    world.wait(1.2)
    world.one.domains.enter(CHAT)
    world.one.sharing.tell()
    world.one.domains.succeeded(CHAT, entry=world.one.domains.enter(CHAT))
    world.one.sharing.tell()
    closed = world.one.domains.permits(CHAT)
    world.one.fail("auth")
    world.one.sharing.hear_for(0.0)

    assert closed
    assert not world.one.domains.permits(CHAT)


def test_plain_success_tells_nothing(world: World) -> None:
    for _ in range(3):
        world.one.domains.succeeded(CHAT)
    world.one.sharing.tell()
    world.memory.asked.clear()
    for _ in range(50):
        world.one.domains.succeeded(CHAT)
    world.one.sharing.tell()

    assert world.memory.asked == []


# --- the budget


def test_tokens_are_spent_and_come_back_for_all(world: World) -> None:
    for each in world.all:
        each.domains.bucket(CHAT.origin)
    world.one.domains.pay(CHAT, price(failure("reset")))
    world.other.domains.pay(CHAT, price(failure("rate")))
    world.sync()
    spent = [each.domains.bucket(CHAT.origin).left() for each in world.all]
    world.one.domains.succeeded(ELSEWHERE_HOP, {CHAT.origin: 14.0})
    world.sync()

    assert spent == [CAPACITY - 19.0] * 3
    assert [each.domains.bucket(CHAT.origin).left() for each in world.all] == [CAPACITY - 5.0] * 3


def test_what_is_not_told_yet_is_taken_from_what_is_heard(world: World) -> None:
    world.other.domains.bucket(CHAT.origin)
    world.sync()
    world.other.domains.pay(CHAT, price(failure("reset")))
    world.one.domains.pay(CHAT, price(failure("reset")))
    world.one.sharing.tell()
    world.other.sharing.hear_for(0.0)

    assert world.other.domains.bucket(CHAT.origin).left() == CAPACITY - 28.0


def test_what_is_spent_while_the_store_answers_is_taken_from_its_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.one.domains.bucket(CHAT.origin)
    spend = world.one.store.spend

    def meanwhile(*told: Any) -> float:
        left = spend(*told)
        world.one.domains.pay(CHAT, price(failure("rate")))
        return left

    world.one.domains.pay(CHAT, price(failure("reset")))
    monkeypatch.setattr(world.one.store, "spend", meanwhile)
    world.one.sharing.tell()

    assert world.one.domains.bucket(CHAT.origin).left() == CAPACITY - 19.0


# --- lessons


def test_a_lesson_is_believed_elsewhere_under_the_name_that_the_endpoint_has_there(world: World) -> None:
    world.other.endpoints = {"mine": "https://azure", "azure": "https://other"}
    world.one.learned.refused("azure", "codex", "chat", "capability", "400 OperationNotSupported")
    world.one.learned.serves("azure", "codex", "gpt-5-codex", "gpt-5")
    world.sync()
    refusal = world.other.learned.why_not("mine", "codex", "chat", "always")

    assert refusal is not None
    assert (refusal.fault, refusal.reason) == ("capability", ELSEWHERE), "the provider's own words stay where they were"
    assert world.other.learned.base_model("mine", "codex") == "gpt-5-codex"
    assert world.other.learned.why_not("azure", "codex", "chat", "always") is None


def test_a_lesson_that_an_answer_disproves_is_forgotten_by_all(world: World) -> None:
    world.one.learned.refused("azure", "codex", "chat", "capability", "x")
    world.sync()
    world.other.learned.answered("azure", "codex", "chat", stream=False)
    world.sync()

    assert world.one.learned.lessons() == world.third.learned.lessons() == ()
    assert world.memory.kept == {}


def test_a_lesson_lasts_as_long_elsewhere_and_is_not_told_on(world: World) -> None:
    world.one.learned.refused("azure", "codex", "chat", "capability", "x")
    world.wait(600)
    world.sync()
    told = world.memory.asked.count("tell")
    world.sync()

    assert world.other.learned.lessons()[0].seconds_left == pytest.approx(3000)
    assert told == 1
    assert world.memory.asked.count("tell") == 1


def test_forgetting_by_hand_holds_for_all_only_where_that_is_asked_for(world: World) -> None:
    world.one.learned.refused("azure", "codex", "chat", "capability", "x")
    world.sync()
    world.one.learned.forget()
    world.sync()
    kept = world.other.learned.lessons()
    world.other.learned.forget(everywhere=True)
    world.sync()

    assert len(kept) == 1
    assert world.third.learned.lessons() == ()


def test_what_is_reopened_by_hand_is_open_for_all(world: World) -> None:
    world.one.fail("capability")
    world.sync()
    before = world.other.domains.permits(RESPONSES)
    world.other.domains.reopen(RESPONSES.origin)
    world.sync()

    assert not before
    assert world.one.domains.permits(RESPONSES)
    assert world.third.domains.permits(RESPONSES)
