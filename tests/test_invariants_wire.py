"""What holds for any calls under any faults, over real sockets: whose text comes, what is kept, what is given back."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from client_cases import quick_sandbox, settings_for
from either import KINDS, Either, Kind

from chatsheet_llm import Settings, StreamInterrupted
from chatsheet_llm.sandbox import Sandbox

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from judged_calls import Ask, Came, acall, asked_at_random, call, wrong

SEARCHES = os.environ.get("HYPOTHESIS_PROFILE") == "search"
TURNS = 1500 if SEARCHES else 18
SIDE_BY_SIDE = 4
DEADLINE = 0.6

ROLES = ("litellm", "azure", "openai")
FAULTS = (
    *("503", "503;retry-after=1", "429;retry-after=1", "429", "500", "502", "504", "408", "401", "404", "redirect"),
    *("400:content_filter", "400", "refuse", "reset", "reset-after-headers", "empty", "html", "garbage"),
    *("cut:0", "cut:1", "cut:2", "cut-bytes:40", "cut-bytes:700", "rst:0", "rst:1", "rst:2", "content-filter"),
    *("event-error:server_error", "event-error:server_error@1", "failed:rate_limit_exceeded", "stall:1"),
    *("failed:server_error@2", "event-error:rate_limit_exceeded", "slow:0.2", "drip:0.0005", "stall"),
)


@pytest.fixture(scope="module")
def settings() -> Iterator[tuple[Sandbox, Settings]]:
    with quick_sandbox() as box:
        more = {"openai_base_url": f"{box.openai_url}/v1", "openai_api_key": box.api_key}
        yield box, settings_for(box, **more, chain="litellm,azure,openai", deadline=DEADLINE, idle_timeout=0.3)


def turn(box: Sandbox, choose: random.Random) -> None:
    """Set the faults of one turn: none, one, or several hops are at fault, some only for the first requests."""
    box.clear()
    box.forget()
    for role in ROLES:
        if choose.random() < 0.6:
            fault = choose.choice(FAULTS)
            box.inject(role, fault, times=None if fault == "refuse" else choose.choice((None, None, 1, 2)))


def many(either: Either, pool: ThreadPoolExecutor, asks: list[Ask]) -> list[Came]:
    """What comes of calls that are made at the same time."""
    if either.client.__class__.__name__ == "ChatClient":
        return list(pool.map(lambda ask: call(either.client, ask), asks))

    async def gathered() -> list[Came]:
        return list(await asyncio.gather(*(acall(either.client, ask) for ask in asks)))

    return list(either.wait(gathered()))


def unaccounted(box: Sandbox, ask: Ask, came: Came) -> Iterator[str]:
    """What arrived for a call and is not on its route, by the prompts in the requests."""
    arrived = [request.hop for request in box.requests if ask.prompt in json.dumps(request.json)]
    told = [attempt.hop for attempt in came.route.attempts if attempt.send_state != "not_sent"]
    # A connection that was closed meanwhile carries a request that nobody reads.
    if [hop for hop in arrived if hop not in told] or len(arrived) > len(told):
        yield f"I12: {arrived} got call {ask.number}, and its route tells of {told}"


def busy_at_rest(either: Either) -> int:
    """How many connections are in use once abandoned streams had time to go."""
    for _ in range(40):
        gc.collect()
        either.rest(0.05)
        if not either.busy():
            break
    return either.busy()


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_provider_does_no_answer_is_wrong_and_nothing_is_kept(
    kind: Kind, settings: tuple[Sandbox, Settings], caplog: pytest.LogCaptureFixture
) -> None:
    box, configured = settings
    caplog.set_level(logging.DEBUG, "chatsheet_llm")
    first = random.SystemRandom().randrange(2**40) if SEARCHES else 0
    found: list[str] = []
    ends: dict[str, int] = {}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for number in range(first, first + TURNS):
            choose = random.Random(number)
            with Either(kind, configured) as either:
                for round_ in range(2):
                    turn(box, choose)
                    start = (number - first) * 100 + round_ * 10
                    asks = [asked_at_random(start + at, choose) for at in range(SIDE_BY_SIDE)]
                    for ask, came in zip(asks, many(either, pool, asks), strict=True):
                        end = "left" if came.left else type(came.error).__name__ if came.error else "answer"
                        ends[end] = ends.get(end, 0) + 1
                        found += [f"turn {number}: {said}" for said in wrong(ask, came)]
                        found += [f"turn {number}: {said}" for said in unaccounted(box, ask, came)]
                        if ask.prompt.split()[0] in caplog.text or box.api_key in caplog.text:
                            found.append(f"turn {number}: I8: a log record holds a prompt or a key")
                caplog.clear()
                held = busy_at_rest(either)
                found += [f"turn {number}: I7: {held} connections are in use"] if held else []

    assert found == []
    # Else it would show nothing.
    assert {"answer", "left"} < ends.keys()
    assert len(ends) > 5


CITY = '{"city":"secret0000001please"}'
JUDGED: dict[str, tuple[Ask, dict[str, Any]]] = {
    "I2: another call's": (Ask(1), {"text": Ask(2).answer("azure/chat")}),
    "I2: of two hops": (Ask(1), {"text": Ask(1).answer("litellm/chat")}),
    "I2: less than all": (Ask(1), {"text": Ask(1).answer("azure/chat")[:-3]}),
    "I10: no end": (Ask(1), {"text": Ask(1).answer("azure/chat"), "ended": None}),
    "I14: twice": (Ask(1, tool=True), {"calls": {"a": ["get_weather", CITY], "b": ["get_weather", CITY]}}),
    "I14: cut": (Ask(1, tool=True), {"calls": {"a": ["get_weather", CITY[:-4]]}}),
    "I14: nobody asked": (Ask(1), {"text": Ask(1).answer("azure/chat"), "calls": {"a": ["get_weather", "{}"]}}),
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGED)
def test_the_judge_sees_what_is_wrong(name: str, settings: tuple[Sandbox, Settings]) -> None:
    ask, changed = JUDGED[name]
    box, configured = settings
    box.clear()
    with Either("sync", configured, chain="azure/chat") as either:
        came = call(either.client, ask)
    for what, value in changed.items():
        setattr(came, what, value)

    assert {said.partition(":")[0] for said in wrong(ask, came)} == {name.partition(":")[0]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_judge_takes_a_broken_stream_for_what_it_is(kind: Kind, settings: tuple[Sandbox, Settings]) -> None:
    box, configured = settings
    box.clear()
    box.inject("azure", "rst:2")
    ask = Ask(1, stream=True)
    with ThreadPoolExecutor(1) as pool, Either(kind, configured, chain="azure/chat") as either:
        (came,) = many(either, pool, [ask])
    right = list(wrong(ask, came))
    came.text = came.text[:-1]

    assert isinstance(came.error, StreamInterrupted)
    assert came.must_fail
    assert right == []
    assert [said.partition(":")[0] for said in wrong(ask, came)] == ["I2"]
