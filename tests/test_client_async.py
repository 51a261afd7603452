"""The asynchronous client over real sockets: the same table of calls, and what only asyncio can do: cancel."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from client_cases import (
    CASES,
    DEADLINE,
    HELLO,
    INTERRUPTED,
    LATE,
    SILENT,
    Case,
    Said,
    Silent,
    hello,
    settings_for,
    text_of,
    way,
)
from tenacity import wait_fixed

from chatsheet_llm import AsyncChatClient, errors, route_of, sdk
from chatsheet_llm.sandbox import Sandbox


@pytest.fixture
async def client(box: Sandbox) -> AsyncIterator[AsyncChatClient]:
    async with AsyncChatClient(settings_for(box)) as made:
        yield made


async def done(value: Any) -> Any:
    """What a call gives, whether it was one that is awaited or not."""
    return await value if inspect.isawaitable(value) else value


async def read(stream: Any, into: list[Any] | None = None) -> list[Any]:
    """The items of a stream; those that came before an error are in ``into``."""
    items = [] if into is None else into
    async for item in stream:
        items.append(item)
    return items


def busy(client: Any) -> int:
    held = [
        connection
        for http in client._core.connections.clients()
        for pool in sdk.pools(http)
        for connection in pool.connections
    ]
    return sum(not connection.is_available() for connection in held)


# --- the table


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_call_of_the_table(case: Case, box: Sandbox) -> None:
    for hop, fault in case.faults.items():
        box.inject(hop, fault)
    async with AsyncChatClient(settings_for(box, **case.settings)) as client:
        if case.error is not None:
            with pytest.raises(case.error) as caught:
                await done(case.call(client))

            assert case.message in str(caught.value)
            assert case.way is None or way(route_of(caught.value)) == case.way
            assert caught.value.__cause__ is None
        else:
            value = await done(case.call(client))
            route = route_of(value)
            if isinstance(value, openai.AsyncStream):
                value = await read(value)

            assert case.way is None or way(route) == case.way
            assert case.text is None or case.text in text_of(value)
            assert case.look is None or case.look(value) == case.seen
    assert not [request for request in box.requests if "chatsheet" in (request.json or {})]


def test_a_client_is_the_sdk_s_own(box: Sandbox) -> None:
    assert isinstance(AsyncChatClient(settings_for(box)), openai.AsyncOpenAI)


# --- raw responses and helpers


@pytest.mark.parametrize("chain", [("litellm",), ("azure/responses",)])
async def test_a_raw_response_holds_the_reply_and_the_route(client: AsyncChatClient, chain: tuple[str, ...]) -> None:
    raw = await client.with_chain(*chain).chat.completions.with_raw_response.create(model="gpt-5", messages=HELLO)  # type: ignore[arg-type]

    assert raw.status_code == 200
    assert "hello there" in (raw.parse().choices[0].message.content or "")
    assert route_of(raw) == route_of(raw.parse())
    assert "authorization" not in raw.http_request.headers


async def test_a_streaming_response_gives_bytes_lines_or_the_object(client: AsyncChatClient) -> None:
    create = client.chat.completions.with_streaming_response.create
    async with create(model="gpt-5", messages=HELLO) as response:  # type: ignore[arg-type]
        parsed = await response.parse()
    async with create(model="gpt-5", messages=HELLO, stream=True) as response:  # type: ignore[arg-type]
        lines = [line async for line in response.iter_lines()]
        route = route_of(response)

    assert "hello there" in text_of(parsed)
    assert [line for line in lines if line][-1] == "data: [DONE]"
    assert way(route) == "litellm/chat 200"


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-codex"])
async def test_the_stream_helper_of_chat_builds_the_completion(client: AsyncChatClient, model: str) -> None:
    async with client.chat.completions.stream(model=model, messages=HELLO) as stream:  # type: ignore[arg-type]
        kinds = {event.type async for event in stream}
        final = await stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert "hello there" in text_of(final)
    assert route_of(stream).hop in ("litellm/chat", "litellm/responses")


async def test_the_stream_helper_of_responses_builds_the_response(client: AsyncChatClient) -> None:
    async with client.responses.stream(model="gpt-5", input="hello there", text_format=Said) as stream:
        await read(stream)
        final = await stream.get_final_response()

    assert isinstance(final.output_parsed, Said)


async def test_pages_can_be_iterated(client: AsyncChatClient) -> None:
    assert "gpt-5" in [model.id async for model in client.models.list()]


# --- closing


async def test_leaving_the_context_closes_every_connection(box: Sandbox) -> None:
    async with AsyncChatClient(settings_for(box)) as client:
        await hello(client)
        await hello(client.with_chain("azure/chat"))
        held = [pool for http in client._core.connections.clients() for pool in sdk.pools(http)]
        before = sum(len(pool.connections) for pool in held)

    assert before == 2
    assert sum(len(pool.connections) for pool in held) == 0


@pytest.mark.parametrize("reads", [0, 1, 100], ids=["never read", "read once", "read whole"])
async def test_a_stream_that_is_closed_gives_its_connection_back(client: AsyncChatClient, reads: int) -> None:
    for _ in range(3):
        async with await hello(client, stream=True) as stream:
            left = reads
            async for _ in stream:
                left -= 1
                if left <= 0:
                    break

    assert busy(client) == 0


async def test_a_stream_that_is_never_read_leaks_nothing(client: AsyncChatClient) -> None:
    for _ in range(3):
        await hello(client, stream=True)
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0.05)

    assert busy(client) == 0


async def test_a_stream_that_is_forgotten_half_read_leaks_nothing(client: AsyncChatClient) -> None:
    for _ in range(3):
        await anext(aiter(await hello(client, stream=True)))
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0.05)

    assert busy(client) == 0


async def test_many_calls_at_once_get_their_own_answers(client: AsyncChatClient) -> None:
    async def call(number: int) -> bool:
        message = [{"role": "user", "content": f"number {number} of many"}]
        whole = text_of(await hello(client, messages=message))
        return (
            whole == text_of(await read(await hello(client, messages=message, stream=True))) and f" {number} " in whole
        )

    assert all(await asyncio.gather(*(call(number) for number in range(30))))


# --- time


@pytest.mark.parametrize("silent", SILENT, ids=str)
async def test_no_call_outlives_its_deadline(silent: Silent, box: Sandbox) -> None:
    for role in ("litellm", "azure"):
        box.inject(role, silent.fault)
    async with AsyncChatClient(settings_for(box, deadline=DEADLINE), chain=silent.chain) as client:
        begun = time.monotonic()
        with pytest.raises(errors.CallError):
            await hello(client, model="gpt-5-mini", stream=silent.stream)

        assert time.monotonic() - begun <= DEADLINE + LATE


async def test_the_caller_s_own_wait_is_used(box: Sandbox) -> None:
    box.inject("azure", "425", times=1)
    async with AsyncChatClient(settings_for(box), chain="azure/chat", wait=wait_fixed(0.11)) as client:
        route = route_of(await hello(client))

    assert route.attempts[1].waited == pytest.approx(0.11)


# --- streams


@pytest.mark.parametrize(("fault", "error"), INTERRUPTED)
@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-codex"])
async def test_a_stream_that_spoke_is_never_continued_by_another_hop(
    fault: str, error: type[errors.StreamInterrupted], model: str, box: Sandbox
) -> None:
    box.inject("litellm", fault)
    got: list[Any] = []
    async with AsyncChatClient(settings_for(box, idle_timeout=0.2)) as client:
        stream = await hello(client, model=model, stream=True)
        with pytest.raises(error) as caught:
            await read(stream, got)

    assert type(caught.value) is error
    assert caught.value.partial == text_of(got) == "You said:"
    assert box.hits("azure") == 0
    assert caught.value.route.attempts[-1].send_state == "committed"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert pickle.loads(pickle.dumps(caught.value)).partial == "You said:"


# --- cancellation


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancellation_is_the_caller_s_and_blames_nobody(
    client: AsyncChatClient, box: Sandbox, stream: bool
) -> None:
    box.inject("litellm", "stall")
    for _ in range(6):
        call = asyncio.create_task(hello(client, stream=stream))
        await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    assert box.hits("azure") == 0
    assert {row.state for row in client.health()} == {"closed"}
    assert busy(client) == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions take notes since Python 3.11")
@pytest.mark.parametrize("options", [{}, {"stream": True}], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({}, "so far: litellm/chat 503 -> azure/responses cancelled, "),
        (
            {"chain": ["azure/responses", "litellm"], "hedge_after": 0.05},
            "so far: azure/responses cancelled -> litellm/chat 503, ",
        ),
    ],
    ids=["one after the other", "side by side"],
)
async def test_a_cancellation_tells_of_the_attempt_that_was_under_way(
    client: AsyncChatClient, box: Sandbox, block: dict[str, Any], told: str, options: dict[str, Any]
) -> None:
    box.inject("litellm", "503")
    box.inject("azure", "stall")
    call = asyncio.create_task(hello(client, **options, extra_body={"chatsheet": block}))
    await asyncio.sleep(0.15)
    call.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await call

    assert [note for note in caught.value.__notes__ if note.startswith(told)]
    assert str(caught.value.__notes__).count("cancelled") == 1


async def test_a_cancellation_during_a_wait_ends_it(box: Sandbox) -> None:
    box.inject("azure", "429;retry-after=4")
    async with AsyncChatClient(settings_for(box), chain="azure/chat") as client:
        begun = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(hello(client), 0.1)

        assert time.monotonic() - begun < 0.4
    assert box.hits("azure") == 1


async def test_a_cancelled_probe_leaves_the_way_free(client: AsyncChatClient, box: Sandbox) -> None:
    box.inject("litellm", "reset")
    for _ in range(5):
        await hello(client)
    box.clear()
    box.inject("litellm", "stall", times=1)
    client._core.domains.breaker(client._core.setup.endpoints["litellm"].origin).opened_until = 0.0
    probe = asyncio.create_task(hello(client))
    await asyncio.sleep(0.05)
    beside = route_of(await hello(client))
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    after = route_of(await hello(client))

    assert way(beside) == "azure/responses 200"
    assert way(after) == "litellm/chat 200"


async def test_a_stream_that_is_cancelled_gives_its_connection_back(client: AsyncChatClient, box: Sandbox) -> None:
    box.inject("litellm", "stall:1")

    async def listen() -> None:
        await read(await hello(client, stream=True))

    call = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    gc.collect()
    await asyncio.sleep(0.05)

    assert busy(client) == 0
    assert {row.state for row in client.health()} == {"closed"}


async def test_an_http_client_of_the_caller_s_is_used(box: Sandbox) -> None:
    http = httpx2.AsyncClient(headers={"X-Mine": "1"})
    async with http, AsyncChatClient(settings_for(box), http_client=http) as client:
        await hello(client)

    assert box.requests[-1].headers["x-mine"] == "1"


def test_each_loop_may_have_a_client_of_its_own(box: Sandbox) -> None:
    async def once() -> str:
        async with AsyncChatClient(settings_for(box)) as client:
            return text_of(await hello(client))

    assert asyncio.run(once()) == asyncio.run(once())


async def test_both_clients_tell_the_same_route(client: AsyncChatClient, box: Sandbox) -> None:
    from chatsheet_llm import ChatClient

    box.inject("litellm", "503")
    with ChatClient(settings_for(box)) as beside:
        one, other = route_of(hello(beside)), route_of(await hello(client))

    assert [(a.hop, a.rule, a.outcome, a.send_state, a.status, a.reason) for a in one.attempts] == [
        (a.hop, a.rule, a.outcome, a.send_state, a.status, a.reason) for a in other.attempts
    ]
