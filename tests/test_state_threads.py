"""The threads beside a state store: one warning an outage, reconnection, an end.  Real threads, a store in memory."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from forking import forks, in_a_child, multithreaded
from planning import failure, hop
from shared_memory import Memory, MemoryStore

from chatsheet_llm import ChatClient, state_threads
from chatsheet_llm.domains import Domains, price
from chatsheet_llm.learned import Learned
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.sharing import Sharing, share
from chatsheet_llm.state import Opened

CHAT = hop("azure/chat")


class Owner:
    """What shares."""

    def __init__(self, memory: Memory, name: str = "p") -> None:
        self.domains, self.learned = Domains(), Learned()
        self.sharing: Sharing = share(self, MemoryStore(memory, name))

    def origins_by_endpoint(self) -> dict[str, str]:
        return {"azure": CHAT.origin}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_threads, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(state_threads, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(state_threads, "IDLE", 0.02)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    # A store in memory has nothing to wait for.
    waiting = threading.Event()
    made = Memory(time.time)
    hear = MemoryStore.hear

    def slowly(self: MemoryStore, seconds: float) -> object:
        waiting.wait(0.005)
        return hear(self, seconds)

    monkeypatch.setattr(MemoryStore, "hear", slowly)
    return made


@pytest.fixture
def owner(memory: Memory) -> Iterator[Owner]:
    made = Owner(memory)
    yield made
    made.sharing.threads.close()


def soon(what: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 5
    while not what() and time.monotonic() < ends:
        time.sleep(0.002)
    return what()


def running() -> int:
    return sum(thread.name.startswith("chatsheet-state-") for thread in threading.enumerate())


def test_nothing_runs_and_nothing_is_asked_before_the_first_call(memory: Memory, owner: Owner) -> None:
    assert running() == 0
    assert memory.asked == []


def test_two_processes_learn_of_each_other(memory: Memory, owner: Owner) -> None:
    other = Owner(memory, "q")
    for each in (owner, other):
        each.domains.permits(CHAT)
        each.sharing.threads.start()
        assert soon(lambda each=each: each.sharing.threads.joined)
    owner.domains.failed(CHAT, failure("auth"))

    assert soon(lambda: not other.domains.permits(CHAT))
    other.sharing.threads.close()


def test_an_outage_is_one_warning_without_the_error_s_text_and_its_end_one_line(
    memory: Memory, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chatsheet_llm.state")
    threads = owner.sharing.threads
    threads.start()
    assert soon(lambda: threads.joined)
    told = []
    for _ in range(2):
        caplog.clear()
        memory.down = True
        asked = len(memory.asked)
        assert soon(lambda asked=asked: len(memory.asked) > asked + 20)
        memory.down = False
        # It is joined a moment before it says so.
        assert soon(lambda: threads.joined and caplog.records[-1].levelname == "INFO")
        told.append([(record.levelname, record.getMessage()) for record in caplog.records])

    assert [[level for level, _ in outage] for outage in told] == [["WARNING", "INFO"]] * 2
    assert "hush" not in str(told)
    assert "ConnectionError" in told[0][0][1]


class Stale:
    """Work whose hearing breaks once, and whose telling then takes a while to find its own connection dead."""

    busy = False

    def __init__(self) -> None:
        self.broken = threading.Event()
        self.told = self.doubts = 0

    def tell(self) -> None:
        self.told += 1
        if self.told == 2:
            time.sleep(0.1)
            raise TimeoutError

    def listen(self) -> None:
        pass

    def hear_for(self, seconds: float) -> None:
        time.sleep(0.002)
        if self.broken.is_set():
            self.broken.clear()
            raise ConnectionError

    def doubt(self) -> None:
        self.doubts += 1

    def lost(self) -> None:
        pass

    def end(self) -> None:
        pass


def test_two_connections_that_break_are_one_outage(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_threads, "IDLE", 60.0)
    caplog.set_level(logging.INFO, "chatsheet_llm.state")
    work = Stale()
    threads = state_threads.Threads(work)
    threads.start()
    assert soon(lambda: threads.joined)
    work.broken.set()
    assert soon(lambda: work.told == 3 and threads.joined)
    threads.close()

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert work.doubts == 1


def test_no_mark_waits_while_the_store_hangs(memory: Memory, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(MemoryStore, "tell", lambda self, news: hangs.wait(5))
    monkeypatch.setattr(MemoryStore, "spend", lambda *told: hangs.wait(5) or 0.0)
    owner.sharing.threads.start()
    assert soon(lambda: owner.sharing.threads.joined)
    begun = time.monotonic()
    for _ in range(200):
        owner.domains.failed(CHAT, failure("auth"))
        owner.domains.pay(CHAT, price(failure("reset")))
        owner.domains.enter(CHAT)
        owner.domains.succeeded(CHAT)
    took = time.monotonic() - begun
    hangs.set()

    assert took < 1.0


def test_closing_tells_what_waits_ends_both_threads_and_may_be_repeated(memory: Memory, owner: Owner) -> None:
    threads = owner.sharing.threads
    threads.start()
    assert soon(lambda: threads.joined)
    owner.domains.failed(CHAT, failure("auth"))
    for _ in range(3):
        threads.close()

    assert soon(lambda: running() == 0)
    assert len(memory.kept) == 1
    assert memory.asked[-1] == "close"
    threads.start()
    assert running() == 0


def test_a_client_takes_a_store_of_the_caller_s_starts_with_its_first_call_and_ends_with_its_close(
    memory: Memory,
) -> None:
    from client_cases import hello, settings_for

    with Sandbox() as box:
        with ChatClient(settings_for(box), state=MemoryStore(memory, "mine")) as client:
            before = running()
            hello(client)
            during = running()
            box.inject("litellm", "401")
            hello(client)
            told = soon(lambda: any(isinstance(news.note, Opened) for news in memory.kept.values()))
        after = soon(lambda: running() == 0)

    assert (before, during) == (0, 2)
    assert told
    assert after
    assert memory.asked[-1] == "close"


@forks
@multithreaded
def test_a_child_of_a_fork_shares_through_a_store_and_threads_of_its_own(memory: Memory) -> None:
    from client_cases import hello, settings_for

    with Sandbox() as box, ChatClient(settings_for(box), state=MemoryStore(memory, "mine")) as client:

        def joined() -> list[object]:
            hello(client)
            sharing = client._core.sharing
            return [sharing.store.name, soon(lambda: sharing.threads.joined), running()]

        hello(client)
        childs = in_a_child(joined)()

        assert childs == ["mine'", True, 2]
        assert client._core.sharing.store.name == "mine"
        assert client._core.sharing.threads.joined
