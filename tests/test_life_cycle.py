"""One client across forks, threads, event loops and its own close, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from client_cases import settings_for
from either import KINDS, Either, Kind, settings_at, well
from fault_server import Certificates, FaultServer, Reply, parse
from forking import forks, in_a_child, multithreaded

from chatsheet_llm import (
    AsyncChatClient,
    ChatClient,
    LocalResourceError,
    RateLimitedError,
    StreamInterrupted,
    route_of,
    sdk,
)
from chatsheet_llm.sandbox import Sandbox

CALLS = 12
both = pytest.mark.parametrize("kind", KINDS)
pytestmark = multithreaded


def asked(prompt: str) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": prompt}]}


def answers(client: Any, name: str, calls: int = CALLS) -> list[bool]:
    """What the calls of one process or thread are answered; each prompt says whose it is."""
    said = []
    for number in range(calls):
        prompt = f"{name} number {number}."
        reply = client.chat.completions.create(**asked(prompt))
        said.append(prompt in reply.choices[0].message.content)
    return said


async def aanswers(client: Any, name: str, calls: int = CALLS) -> list[bool]:
    said = []
    for number in range(calls):
        prompt = f"{name} number {number}."
        reply = await client.chat.completions.create(**asked(prompt))
        said.append(prompt in reply.choices[0].message.content)
    return said


def connections(client: Any) -> list[Any]:
    """Every connection that the client's pools hold."""
    pools = [pool for http in client._core.connections.clients() for pool in sdk.pools(http)]
    return [connection for pool in pools for connection in pool.connections]


def ports(client: Any) -> list[int]:
    """The local ports of those connections."""
    streams = [connection._connection._network_stream for connection in connections(client)]
    return [stream.get_extra_info("client_addr")[1] for stream in streams]


@pytest.fixture
def secured(box: Sandbox, certificates: Certificates) -> Iterator[FaultServer]:
    """The sandbox's proxy role behind TLS."""

    def passed_on(path: str, headers: Any, body: bytes) -> Reply:
        said = json.loads(body)["messages"][0]["content"]
        return Reply(
            200, {"content-type": "application/json"}, well(path, headers, body).body.replace(b"Hello", said.encode())
        )

    with FaultServer(answer=passed_on, certificates=certificates) as server:
        yield server


# --- forks


@forks
def test_parent_and_child_of_a_fork_get_their_own_answers_over_connections_of_their_own(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        answers(client, "before")
        held = ports(client)
        childs = in_a_child(lambda: [answers(client, "child"), ports(client)])
        parents = answers(client, "parent")
        said, own = childs()

    assert parents == said == [True] * CALLS
    assert held
    assert own
    assert not {*held} & {*own}


@forks
def test_they_do_over_tls_too(secured: FaultServer, certificates: Certificates) -> None:
    with ChatClient(settings_at(secured.url, ca_bundle=certificates.ca)) as client:
        answers(client, "before")
        childs = [in_a_child(lambda name=name: answers(client, name)) for name in ("first child", "second child")]
        parents = answers(client, "parent")
        said = [child() for child in childs]
        after = answers(client, "parent after")

    assert parents == after == [True] * CALLS
    assert said == [[True] * CALLS] * 2


@forks
def test_an_asynchronous_client_starts_anew_in_a_child_as_well(box: Sandbox) -> None:
    client = AsyncChatClient(settings_for(box))
    asyncio.run(aanswers(client, "before"))
    childs = in_a_child(lambda: asyncio.run(aanswers(client, "child")))
    parents = asyncio.run(aanswers(client, "parent"))

    assert parents == childs() == [True] * CALLS


@forks
def test_a_child_does_not_wait_for_a_lock_that_a_thread_of_its_parent_held(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        answers(client, "before", 1)
        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with client._core.connections.lock:
                held.set()
                over.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        child = in_a_child(lambda: answers(client, "child"))
        over.set()
        thread.join()

        assert child() == [True] * CALLS


@forks
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_child_that_closes_the_client_leaves_its_parent_s_connections(
    secure: bool, box: Sandbox, secured: FaultServer, certificates: Certificates
) -> None:
    settings = settings_at(secured.url, ca_bundle=certificates.ca) if secure else settings_for(box)
    with ChatClient(settings) as client:
        answers(client, "before", 1)
        held = ports(client)

        def close() -> bool:
            client.close()
            client.close()
            return client.is_closed()

        closed = in_a_child(close)()
        said = answers(client, "after", 2)

        assert (closed, said) == (True, [True, True])
        assert ports(client) == held


@forks
def test_a_fork_in_the_middle_of_a_stream_leaves_the_stream_to_the_parent(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        prompt = "a stream" + " of many words" * 5
        stream = iter(client.chat.completions.create(**asked(prompt), stream=True))
        begun = [next(stream) for _ in range(3)]
        child = in_a_child(lambda: answers(client, "child", 3))
        said = child()
        text = "".join(chunk.choices[0].delta.content or "" for chunk in [*begun, *stream] if chunk.choices)

    assert said == [True] * 3
    assert prompt in text


# --- threads


def test_every_thread_gets_its_own_answers(box: Sandbox) -> None:
    said: list[list[bool]] = []
    with ChatClient(settings_for(box)) as client:
        threads = [
            threading.Thread(target=lambda name=name: said.append(answers(client, f"thread {name}", 5)))
            for name in range(32)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert said == [[True] * 5] * 32


# --- event loops


def test_one_client_works_in_one_event_loop_after_the_other(box: Sandbox) -> None:
    client = AsyncChatClient(settings_for(box))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = [asyncio.run(aanswers(client, f"loop {number}", 3)) for number in range(3)]
        gc.collect()

    assert said == [[True] * 3] * 3
    assert connections(client) == []


def test_a_loop_may_end_while_a_stream_of_it_is_half_read(box: Sandbox) -> None:
    client = AsyncChatClient(settings_for(box))
    left: list[Any] = []

    async def leave() -> None:
        stream = await client.chat.completions.create(**asked("Hello"), stream=True)
        await anext(aiter(stream))
        left.append(stream)

    asyncio.run(leave())
    left.clear()
    gc.collect()
    said = asyncio.run(aanswers(client, "after", 2))

    assert said == [True, True]


def test_it_works_in_anyio_s_own_run_and_leaves_its_timeouts_alone(box: Sandbox) -> None:
    async def calls() -> tuple[list[bool], float]:
        async with AsyncChatClient(settings_for(box)) as client:
            said = await aanswers(client, "anyio", 2)
            box.inject("litellm", "stall")
            begun = time.monotonic()
            with pytest.raises(TimeoutError), anyio.fail_after(0.1):
                await aanswers(client, "anyio", 1)
            return said, time.monotonic() - begun

    said, took = anyio.run(calls, backend="asyncio")

    assert said == [True, True]
    assert took < 0.35


def test_one_client_works_after_a_loop_was_closed_with_its_connections(box: Sandbox) -> None:
    client = AsyncChatClient(settings_for(box))
    said = []
    for number in range(3):
        loop = asyncio.new_event_loop()
        said.append(loop.run_until_complete(aanswers(client, f"loop {number}", 2)))
        loop.close()

    assert said == [[True] * 2] * 3
    assert len(client._core.connections._by_loop) == 1


def test_one_client_works_in_several_running_loops_at_once(box: Sandbox) -> None:
    client = AsyncChatClient(settings_for(box))
    said: list[list[bool]] = []
    threads = [
        threading.Thread(target=lambda name=name: said.append(asyncio.run(aanswers(client, f"loop {name}"))))
        for name in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == [[True] * CALLS] * 4
    assert connections(client) == []


async def test_a_close_in_one_loop_closes_what_another_holds(box: Sandbox) -> None:
    client = AsyncChatClient(settings_for(box))
    held, over = threading.Event(), threading.Event()
    seen: list[Any] = []

    async def elsewhere() -> None:
        await aanswers(client, "elsewhere", 1)
        seen.extend(connections(client))
        held.set()
        while not over.is_set():
            await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    await asyncio.to_thread(held.wait)
    await client.close()
    await asyncio.sleep(0.1)
    closed = [connection.is_closed() for connection in seen]
    over.set()
    await asyncio.to_thread(thread.join)

    assert closed == [True]


def test_outside_asyncio_an_asynchronous_client_says_where_it_works(box: Sandbox) -> None:
    call = AsyncChatClient(settings_for(box)).chat.completions.create(**asked("Hello"))

    with pytest.raises(LocalResourceError, match="runs on asyncio"):
        call.send(None)


# --- close


@both
def test_a_closed_client_says_so(kind: Kind, box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: {gpt-5: {}}\n")
    for settings in (settings_for(box), settings_for(box, models_file=tmp_path / "models.yaml")):
        made = Either(kind, settings)
        with made:
            made.hello()

        create = partial(made.client.chat.completions.create, **asked("Hello"))
        for call in (create, made.client.models.list):
            with pytest.raises(LocalResourceError, match="closed; make a new one"):
                made.wait_anew(call)


@both
def test_a_close_may_be_repeated_and_closes_the_copies(kind: Kind, box: Sandbox) -> None:
    with Either(kind, settings_for(box)) as made:
        made.hello()
        copy = made.client.with_options(timeout=3)
        made.wait(copy.close())
        made.wait(copy.close())
        made.wait(made.client.close())

        assert made.client.is_closed()
        assert connections(made.client) == []
        with pytest.raises(LocalResourceError, match="closed"):
            made.hello()


def test_a_call_that_a_close_breaks_blames_no_hop_and_asks_no_other(box: Sandbox) -> None:
    box.inject("litellm", "slow:0.4")

    async def call() -> tuple[BaseException, list[str]]:
        client = AsyncChatClient(settings_for(box))
        running = asyncio.create_task(client.chat.completions.create(**asked("Hello")))
        await asyncio.sleep(0.1)
        await client.close()
        with pytest.raises(LocalResourceError, match="closed") as caught:
            await running
        return caught.value, [row.state for row in client.health()]

    error, states = asyncio.run(call())

    assert isinstance(error, LocalResourceError)
    assert set(states) == {"closed"}
    assert box.hits("azure") == 0


def read_on(made: Either, stream: Any) -> None:
    while True:
        made.next_of(stream)


@pytest.mark.parametrize("recovery", ["off", "restart"])
@both
def test_a_close_under_running_streams_blames_no_hop_and_keeps_what_was_said(
    kind: Kind, recovery: str, box: Sandbox
) -> None:
    box.inject("litellm", "drip:0.002")
    errors: list[StreamInterrupted] = []
    with Either(kind, settings_for(box), stream_recovery=recovery) as made:
        streams = [made.hello(stream=True) for _ in range(6)]
        for stream in streams:
            made.next_of(stream)
        made.wait(made.client.close())
        for stream in streams:
            with pytest.raises(StreamInterrupted, match="the connection broke: this client was closed") as caught:
                read_on(made, stream)
            errors.append(caught.value)
        states = {row.state for row in made.client.health()}

    assert states == {"closed"}
    assert box.hits("azure") == 0
    assert all(error.partial for error in errors)
    assert {(len(error.route.attempts), error.route.attempts[0].send_state) for error in errors} == {(1, "committed")}


def test_a_stream_that_a_close_broke_waits_for_no_other_hop(box: Sandbox) -> None:
    box.inject("azure", "429;retry-after=2")
    box.inject("litellm", "drip:0.002")
    with Either("sync", settings_for(box), chain=("litellm", "azure/responses"), stream_recovery="restart") as made:
        with pytest.raises(RateLimitedError):
            made.client.copy(chain="azure/responses", deadline=0.5).chat.completions.create(**asked("Hello"))
        stream = made.hello(stream=True)
        made.next_of(stream)
        made.client.close()
        begun = time.monotonic()
        with pytest.raises(StreamInterrupted):
            read_on(made, stream)
        took = time.monotonic() - begun

    assert took < 0.5


def test_a_close_while_threads_call_gives_each_an_answer_or_says_so(box: Sandbox) -> None:
    client = ChatClient(settings_for(box))
    ends: list[str] = []

    def call(name: int) -> None:
        try:
            while True:
                ends.append("answered" if all(answers(client, f"thread {name}", 1)) else "wrong")
        except BaseException as error:
            ends.append(type(error).__name__)

    threads = [threading.Thread(target=call, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.15)
    client.close()
    for thread in threads:
        thread.join(5)

    assert set(ends) == {"answered", "LocalResourceError"}
    assert ends.count("LocalResourceError") == 8


# --- abandoned streams


def never_read(made: Either) -> None:
    made.hello(stream=True)


def half_read(made: Either) -> None:
    made.next_of(made.hello(stream=True))


def failed_on(made: Either) -> None:
    def fails() -> None:
        stream = made.hello(stream=True)
        made.next_of(stream)
        raise ZeroDivisionError

    with contextlib.suppress(ZeroDivisionError):
        fails()


def closed_by_its_reader(made: Either) -> None:
    def reader() -> Iterator[Any]:
        stream = made.hello(stream=True)
        while True:
            yield made.next_of(stream)

    reading = reader()
    next(reading)
    reading.close()


@pytest.mark.parametrize("abandon", [never_read, half_read, failed_on, closed_by_its_reader])
@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-codex"], ids=["passed on", "bridged"])
@both
def test_an_abandoned_stream_gives_its_connection_back(
    kind: Kind, abandon: Callable[[Either], None], model: str, box: Sandbox
) -> None:
    box.inject("litellm", "slow:0.01")
    with Either(kind, settings_for(box)) as made:
        made.defaults = {"model": model}
        for _ in range(3):
            abandon(made)
        for _ in range(3):
            gc.collect()
            made.rest(0.05)

        assert made.busy() == 0


# --- what the caller throws


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_interrupt_from_the_keyboard_passes_and_blames_nobody(stream: bool, box: Sandbox) -> None:
    box.inject("litellm", "stall")
    with Either("sync", settings_for(box)) as made:
        made.client.health()
        for _ in range(6):
            timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT])
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                made.hello(stream=stream)
            timer.join()

        assert {row.state for row in made.client.health()} == {"closed"}
        assert made.busy() == 0
    assert box.hits("azure") == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions take notes since Python 3.11")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("hedge_after", [None, 0.05], ids=["alone", "side by side"])
def test_an_interrupt_tells_of_what_was_under_way(stream: bool, hedge_after: float | None, box: Sandbox) -> None:
    box.inject("litellm", "stall")
    box.inject("azure", "stall")
    with Either("sync", settings_for(box), hedge_after=hedge_after) as made:
        timer = threading.Timer(0.15, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            made.hello(stream=stream)
        timer.join()
    told = next(note for note in caught.value.__notes__ if note.startswith("so far: litellm/chat cancelled"))

    assert ("azure/responses cancelled" in told) is (hedge_after is not None)


def test_an_interrupted_probe_leaves_the_way_free(box: Sandbox) -> None:
    box.inject("litellm", "reset")
    with Either("sync", settings_for(box)) as made:
        for _ in range(5):
            made.hello()
        box.clear()
        box.inject("litellm", "stall", times=1)
        core = made.client._core
        core.domains.breaker(core.setup.endpoints["litellm"].origin).opened_until = 0.0
        timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            made.hello()
        timer.join()
        after = route_of(made.hello())

    assert [attempt.hop for attempt in after.attempts] == ["litellm/chat"]


async def test_a_caller_s_own_timeout_passes_as_it_is_and_tells_what_was_tried(box: Sandbox) -> None:
    box.inject("litellm", "503")
    box.inject("azure", "stall")
    async with AsyncChatClient(settings_for(box)) as client:
        begun = time.monotonic()
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(client.chat.completions.create(**asked("Hello")), 0.2)
        took = time.monotonic() - begun

        assert not isinstance(caught.value, LocalResourceError)
        assert took < 0.45
        assert all(connection.is_available() for connection in connections(client))
        if hasattr(caught.value, "add_note"):
            cancelled = caught.value.__cause__
            assert "litellm/chat 503 -> azure/responses cancelled" in str(getattr(cancelled, "__notes__", ""))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are not listed here")
async def test_a_cancelled_handshake_leaves_no_connection_behind(certificates: Certificates) -> None:
    with FaultServer(answer=well, certificates=certificates) as server:
        server.set(parse("tls_stall"))
        async with AsyncChatClient(settings_at(server.url, ca_bundle=certificates.ca)) as client:
            before = descriptors()
            for _ in range(5):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.chat.completions.create(**asked("Hello")), 0.05)
            await asyncio.sleep(0.2)

            assert connections(client) == []
            assert descriptors() <= before + 1


def descriptors() -> int:
    """How many sockets this process holds open as a client of loopback."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as held:
            count += held.type == socket.SOCK_STREAM and held.family == socket.AF_INET
    return count
