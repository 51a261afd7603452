"""One client that is closed, also under way, and streams that nobody reads to the end, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from client_cases import settings_for
from either import KINDS, Either, Kind
from prompts import answers, asked, connections

from chatsheet_llm import AsyncChatClient, ChatClient, LocalResourceError, RateLimitedError, StreamInterrupted
from chatsheet_llm.sandbox import Sandbox

both = pytest.mark.parametrize("kind", KINDS)


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
