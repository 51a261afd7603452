"""Processes in step through a store: what is told, believed, withheld and told again.  Fake clocks, no threads."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from planning import Clock, failure, fresh, hop
from shared_memory import Memory, MemoryStore

from chatsheet_llm.budget import CAPACITY
from chatsheet_llm.domains import Domains, Entry
from chatsheet_llm.learned import ELSEWHERE, Learned
from chatsheet_llm.leases import ASKING, LEASE, REFUSED, UNUSED
from chatsheet_llm.sharing import BEAT, Sharing, share
from chatsheet_llm.state import Closed, News, Opened, decoded, encoded, sealed

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


# --- probes


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


# --- the budget


def test_tokens_are_spent_and_come_back_for_all(world: World) -> None:
    for each in world.all:
        each.domains.bucket(CHAT.origin)
    world.one.domains.pay(CHAT, failure("reset"))
    world.other.domains.pay(CHAT, failure("rate"))
    world.sync()
    spent = [each.domains.bucket(CHAT.origin).left() for each in world.all]
    world.one.domains.succeeded(ELSEWHERE_HOP, {CHAT.origin: 14.0})
    world.sync()

    assert spent == [CAPACITY - 19.0] * 3
    assert [each.domains.bucket(CHAT.origin).left() for each in world.all] == [CAPACITY - 5.0] * 3


def test_what_is_not_told_yet_is_taken_from_what_is_heard(world: World) -> None:
    world.other.domains.bucket(CHAT.origin)
    world.sync()
    world.other.domains.pay(CHAT, failure("reset"))
    world.one.domains.pay(CHAT, failure("reset"))
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
        world.one.domains.pay(CHAT, failure("rate"))
        return left

    world.one.domains.pay(CHAT, failure("reset"))
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


# --- the store away, back, empty


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
    world.one.domains.pay(CHAT, failure("reset"))
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
