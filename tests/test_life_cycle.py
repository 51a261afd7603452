"""One client across forks, threads and event loops, over real connections."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from client_cases import settings_for
from either import settings_at, well
from fault_server import Certificates, FaultServer, Reply
from forking import forks, in_a_child, multithreaded
from prompts import CALLS, aanswers, answers, asked, connections

from chatsheet_llm import AsyncChatClient, ChatClient, LocalResourceError
from chatsheet_llm.sandbox import Sandbox

pytestmark = multithreaded


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
