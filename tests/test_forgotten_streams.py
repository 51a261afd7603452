"""Streams that nobody reads to their end give their connection back by themselves, without the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from either import HELLO, KINDS, Either, Kind, settings_at
from golden_streams import chunk, sse
from raw_server import Raw, serving

from chatsheet_llm import AsyncChatClient, network, sdk

pytestmark = pytest.mark.usefixtures("no_certificates")

STREAMS = 8
"""How many are forgotten, one after the other; more than one connection could serve."""
HELD = Raw([sse(chunk({"content": "Well"})), sse(chunk({"content": ", "})), 30.0], ending="linger")


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the interpreter would have printed of an exception that nobody could catch."""
    said: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: said.append(f"{told.exc_value!r} in {told.object!r}"))
    return said


def listening(made: Either, said: list[str]) -> None:
    """Have the client's event loop say its complaints here too."""
    if made._loop is not None:
        made._loop.set_exception_handler(lambda _, told: said.append(f"{told['message']} {told.get('exception')!r}"))


def places_taken(made: Either) -> int:
    """How many requests the HTTP library's own pools believe to be under way."""
    pools = [pool for http in made.client._core.connections.clients() for pool in sdk.pools(http)]
    return sum(len(getattr(pool, "_requests", ())) for pool in pools)


# --- ways to forget a stream -----------------------------------------------------------------------------------------


def never_iterated(made: Either) -> None:
    made.hello(stream=True)


def half_read(made: Either) -> None:
    made.next_of(made.hello(stream=True))


def left_in_the_middle_of_a_loop(made: Either) -> None:
    if made._loop is None:
        for _ in made.hello(stream=True):
            break
        return

    async def read() -> None:
        async for _ in await made.client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True):
            break

    made.wait(read())


def failed_in_the_middle_of_a_loop(made: Either) -> None:
    stream = made.hello(stream=True)
    with contextlib.suppress(KeyError):
        made.next_of(stream)
        raise KeyError("a fault of the reader's own")


def left_by_with(made: Either) -> None:
    stream = made.hello(stream=True)
    if made._loop is None:
        with stream:
            made.next_of(stream)
        return

    async def read() -> None:
        async with stream:
            await anext(aiter(stream))

    made.wait(read())


def cancelled(made: Either) -> None:
    stream = made.hello(stream=True)
    if made._loop is None:
        made.next_of(stream)
        return

    async def read() -> None:
        reading = asyncio.ensure_future(_all_of(stream))
        await asyncio.sleep(0.02)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading

    made.wait(read())


async def _all_of(stream: Any) -> None:
    async for _ in stream:
        pass


def _raw(made: Either) -> Any:
    create = made.client.chat.completions.with_raw_response.create
    return made.wait(create(model="gpt-5", messages=HELLO, stream=True))


def a_raw_response_never_parsed(made: Either) -> None:
    _raw(made)


def a_raw_response_parsed(made: Either) -> None:
    _raw(made).parse()


def a_raw_response_half_read(made: Either) -> None:
    made.next_of(_raw(made).parse())


def asked_for_its_response(made: Either) -> None:
    stream = made.hello(stream=True)
    assert stream.response.status_code == 200
    made.next_of(stream)


WAYS = (
    never_iterated,
    half_read,
    left_in_the_middle_of_a_loop,
    failed_in_the_middle_of_a_loop,
    left_by_with,
    cancelled,
    a_raw_response_never_parsed,
    a_raw_response_parsed,
    a_raw_response_half_read,
    asked_for_its_response,
)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(("transport", "recovery"), [("ours", "off"), ("ours", "restart"), ("httpx2", "off")])
@pytest.mark.parametrize("forget", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_eight_forgotten_streams_in_a_row_get_by_with_one_connection(
    kind: Kind,
    forget: Callable[[Either], None],
    recovery: str,
    transport: str,
    complaints: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1)
    monkeypatch.setattr(network, "LIMITS", limits)
    made_by = httpx2.Client if kind == "sync" else httpx2.AsyncClient
    options: dict[str, Any] = {} if transport == "ours" else {"http_client": made_by(limits=limits)}
    options["timeout"] = httpx2.Timeout(5, pool=1)
    with serving(HELD) as server:
        with Either(kind, settings_at(server.url, stream_recovery=recovery), **options) as made:
            listening(made, complaints)
            for _ in range(STREAMS):
                forget(made)
            made.rest(0.02)
            busy, places = made.busy(), places_taken(made)
        answered = len(server.asked)

    assert (answered, busy, places) == (STREAMS, 0, 0)
    assert complaints == []


@pytest.mark.parametrize("recovery", ["off", "restart"])
@pytest.mark.parametrize("raw", [False, True], ids=["plain", "raw"])
def test_an_event_loop_that_ends_with_a_half_read_stream_has_nothing_to_complain_of(
    raw: bool, recovery: str, complaints: list[str]
) -> None:
    left: list[Any] = []

    async def leave(url: str) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, told: complaints.append(f"{told['message']} {told.get('exception')!r}")
        )
        client = AsyncChatClient(settings_at(url, stream_recovery=recovery))
        chat = client.chat.completions
        create: Any = chat.with_raw_response.create if raw else chat.create
        made = await create(model="gpt-5", messages=HELLO, stream=True)
        reading = aiter(made.parse() if raw else made)
        await anext(reading)
        left.extend((client, reading))

    with serving(HELD) as server:
        asyncio.run(leave(server.url))
        left.clear()
        gc.collect()

    assert complaints == []


@pytest.mark.parametrize("recovery", ["off", "restart"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_a_cycle_holds_is_closed_by_the_collector_without_a_complaint(
    kind: Kind, recovery: str, complaints: list[str]
) -> None:
    with serving(HELD) as server, Either(kind, settings_at(server.url, stream_recovery=recovery)) as made:
        listening(made, complaints)
        for _ in range(3):
            held: list[Any] = [made.hello(stream=True)]
            made.next_of(held[0])
            held.append(held)
            del held
            gc.collect()
            made.rest(0.02)
        busy = made.busy()

    assert busy == 0
    assert complaints == []
