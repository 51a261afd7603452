"""Hedged calls over real sockets: who answers, what the slow hop hears, and what the route tells."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

import pytest
from client_cases import hello, settings_for, text_of, way
from either import KINDS, Either, Kind, settings_at
from golden_streams import chunk, sse
from raw_server import Raw, serving

from chatsheet_llm import (
    AsyncChatClient,
    ChatClient,
    HopTimeoutError,
    SettingsError,
    StreamInterrupted,
    restart_of,
    route_of,
    sdk,
)
from chatsheet_llm.sandbox import Sandbox

CHAIN = ("litellm/chat", "azure/chat")


def called(
    kind: str, box: Sandbox, *, stream: bool = False, hedge_after: Any = 0.15, **body: Any
) -> tuple[str, str, float]:
    """Call once with a client of this kind; the route, the text, and the seconds until the answer or its first part."""
    if kind == "sync":
        with ChatClient(settings_for(box), chain=CHAIN, hedge_after=hedge_after) as client:
            begun = time.monotonic()
            answer = hello(client, stream=stream, **body)
            seconds = time.monotonic() - begun
            said = text_of(list(answer) if stream else answer)
            assert pooled(client) == 0
            return way(route_of(answer)), said, seconds

    async def go() -> tuple[str, str, float]:
        async with AsyncChatClient(settings_for(box), chain=CHAIN, hedge_after=hedge_after) as client:
            begun = time.monotonic()
            answer = await hello(client, stream=stream, **body)
            seconds = time.monotonic() - begun
            said = text_of([part async for part in answer] if stream else answer)
            assert pooled(client) == 0
            return way(route_of(answer)), said, seconds

    return asyncio.run(go())


def pooled(client: Any) -> int:
    """How many connections are in use, once what was cut off has had a moment to end."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        pools = [pool for http in client._core.connections.clients() for pool in sdk.pools(http)]
        used = sum(not each.is_idle() and not each.is_closed() for pool in pools for each in pool.connections)
        if not used:
            return 0
        if isinstance(client, AsyncChatClient):
            return used
        time.sleep(0.01)
    return used


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])
EITHER = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@BOTH
@EITHER
def test_a_silent_hop_is_answered_for_by_the_next(box: Sandbox, kind: str, stream: bool) -> None:
    box.inject("litellm", "stall")
    route, said, seconds = called(kind, box, stream=stream)

    assert route == "litellm/chat cancelled -> azure/chat 200"
    assert "Answered by azure/chat" in said
    assert said.count("You said") == 1
    assert 0.14 < seconds < 1.5


@BOTH
@EITHER
def test_the_first_hop_wins_where_it_is_slow_but_quicker_than_the_second(box: Sandbox, kind: str, stream: bool) -> None:
    box.inject("litellm", "slow:0.4")
    box.inject("azure", "slow:3")
    route, said, _ = called(kind, box, stream=stream)

    assert route == "azure/chat cancelled -> litellm/chat 200"
    assert "Answered by litellm/chat" in said


@BOTH
def test_a_quick_hop_is_asked_alone(box: Sandbox, kind: str) -> None:
    route, _, _ = called(kind, box, hedge_after=5)

    assert route == "litellm/chat 200"
    assert box.hits("azure") == 0


@BOTH
def test_where_the_slow_one_fails_the_second_is_waited_for(box: Sandbox, kind: str) -> None:
    box.inject("litellm", "stall")
    box.inject("azure", "slow:0.4")
    route, said, _ = called(kind, box, timeout=0.5)

    assert route == "litellm/chat read_timeout -> azure/chat 200"
    assert "Answered by azure/chat" in said


def test_one_call_may_ask_for_it(box: Sandbox) -> None:
    box.inject("litellm", "stall")
    with ChatClient(settings_for(box), chain=CHAIN) as client:
        answer = hello(client, extra_body={"chatsheet": {"hedge_after": 0.1}})

    assert way(route_of(answer)) == "litellm/chat cancelled -> azure/chat 200"


def test_what_may_act_twice_is_asked_once(box: Sandbox) -> None:
    box.inject("azure", "slow:0.4")
    with ChatClient(settings_for(box), chain=["azure/responses", "litellm"], hedge_after=0.1) as client:
        answer = client.responses.create(model="gpt-5", input="hi", background=True, store=True)

    assert way(route_of(answer)) == "azure/responses 200"
    assert box.hits("litellm") == 0


@BOTH
def test_a_refusal_of_the_second_does_not_cut_the_first_off(box: Sandbox, kind: str) -> None:
    box.inject("litellm", "slow:0.5")
    box.inject("azure", "400:content_filter")
    route, said, _ = called(kind, box)

    assert route == "azure/chat 400 -> litellm/chat 200"
    assert "Answered by litellm/chat" in said


@BOTH
def test_where_both_fail_the_error_tells_of_both(box: Sandbox, kind: str) -> None:
    box.inject("litellm", "stall")
    box.inject("azure", "stall")
    with pytest.raises(HopTimeoutError) as caught:
        called(kind, box, timeout=0.4)

    assert way(caught.value.route) == "litellm/chat read_timeout -> azure/chat read_timeout"


def test_no_thread_is_left_behind(box: Sandbox) -> None:
    box.inject("litellm", "stall")
    before = threading.active_count()
    for _ in range(5):
        called("sync", box)
    end = time.monotonic() + 3
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)

    assert threading.active_count() <= before


async def test_the_caller_s_cancellation_ends_both(box: Sandbox) -> None:
    box.inject("litellm", "stall")
    box.inject("azure", "stall")
    async with AsyncChatClient(settings_for(box), chain=CHAIN, hedge_after=0.05) as client:
        call = asyncio.create_task(hello(client))
        await asyncio.sleep(0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert box.hits("litellm") == box.hits("azure") == 1
        assert pooled(client) == 0


async def test_calls_that_their_callers_gave_up_do_not_make_the_next_wait_longer(box: Sandbox) -> None:
    async with AsyncChatClient(settings_for(box), chain=CHAIN, hedge_after="p95") as client:
        for _ in range(25):
            await hello(client)
        box.inject("litellm", "stall")
        box.inject("azure", "stall", times=3)
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(hello(client.copy(hedge_after=0.01)), 0.1)
        route = way(route_of(await hello(client)))

    assert route == "litellm/chat cancelled -> azure/chat 200"


def test_after_enough_answers_p95_says_when_one_is_late(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=CHAIN, hedge_after="p95") as client:
        for _ in range(25):
            hello(client)
        box.inject("litellm", "stall")
        route = way(route_of(hello(client)))

    assert route == "litellm/chat cancelled -> azure/chat 200"


# --- and then the stream of the quicker one breaks

FAILS_LATE = {
    "refused": Raw([0.3, b"{}"], kind="application/json", status="503 Service Unavailable"),
    "unknown": Raw([0.3], ending="reset"),
}
BREAKS = Raw([0.4, sse(chunk({"content": "half"})), 0.1])
WHOLE = Raw(sse(chunk({"content": "whole"}), chunk({}, "stop"), "[DONE]"))


def restarted(kind: Kind, first: Raw) -> tuple[list[Any], str, list[int]]:
    """What the caller of a stream is given, its route, and how often each hop was asked: one failed, one broke."""
    with serving(first) as one, serving(BREAKS) as two, serving(WHOLE) as three:
        servers = (one, two, three)
        settings = settings_at(*(server.url for server in servers))
        given: list[Any] = []
        with Either(kind, settings, hedge_after=0.1, stream_recovery="restart") as made:
            stream = made.hello(stream=True)
            try:
                with contextlib.suppress(StopIteration, StopAsyncIteration):
                    while True:
                        given.append(made.next_of(stream))
            except StreamInterrupted as error:
                given.append(error)
            route = way(route_of(stream))
        return given, route, [len(server.asked) for server in servers]


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_knows_of_the_hop_that_had_failed_beside_the_one_that_broke(kind: Kind) -> None:
    given, route, asked = restarted(kind, FAILS_LATE["refused"])
    told = [notice for notice in map(restart_of, given) if notice is not None]

    assert route == "one/chat 503 -> two/chat truncated -> three/chat 200"
    assert [(notice.broke, notice.hop, notice.discarded) for notice in told] == [("two/chat", "three/chat", "half")]
    assert text_of(given) == "halfwhole"
    assert asked == [1, 1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_both_may_have_done_allows_no_restart(kind: Kind) -> None:
    given, route, asked = restarted(kind, FAILS_LATE["unknown"])

    assert route == "one/chat reset -> two/chat truncated"
    assert isinstance(given[-1], StreamInterrupted)
    assert given[-1].partial == "half"
    assert asked == [1, 1, 0]


@pytest.mark.parametrize("wrong", [0, -1, "p99", True, float("nan")])
def test_a_wrong_time_is_refused(box: Sandbox, wrong: Any) -> None:
    with pytest.raises(SettingsError, match="hedge_after must be"):
        ChatClient(settings_for(box), chain=CHAIN, hedge_after=wrong)


@pytest.mark.parametrize(("told", "kept"), [("p95", "p95"), ("1.5", 1.5), ("", None)])
def test_the_environment_may_set_it(box: Sandbox, told: str, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSHEET_HEDGE_AFTER", told)

    assert settings_for(box).hedge_after == kept
