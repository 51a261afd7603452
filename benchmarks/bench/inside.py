"""What can only be measured inside the chain's own process: its decisions, and calls past a hop that is down."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.bodies import MODEL, chat_whole, text_of
from bench.clients import messages_of, settings_of
from chatsheet_llm import AsyncChatClient, route_of
from chatsheet_llm.classify import classify_reply
from chatsheet_llm.core import Setup
from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.domains import Domains
from chatsheet_llm.formats.watch import fault_in, reply_error
from chatsheet_llm.hops import Call, Dispatch
from chatsheet_llm.learned import Learned
from chatsheet_llm.origins import Origins
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import Policy

if TYPE_CHECKING:
    from bench.worker import Told, Worker

_REFUSAL = b'{"error":{"message":"The server is busy.","type":"server_error","param":null,"code":"503"}}'
_HEADERS = {"content-type": "application/json", "x-request-id": "7f0c7a52", "x-ratelimit-remaining-requests": "4999"}
CHAIN = ("litellm/chat", "azure/chat")
HEALTHY = "azure/chat"
BATCHES, LEAST = 20, 200
"""Batches of a part of the decisions, and how often each of them runs it at least."""


def decisions(worker: Worker, models: int, hops: int, count: int) -> Told:  # noqa: ARG001  no client is asked
    """Return the CPU microseconds that the decisions of an answered call take, each in its quickest batch.

    ``dispatch`` chooses its hop, ``plan`` asks breakers and budget and hears of the answer, ``judge`` finds that it is
    one.  ``a refusal`` is what it takes to name the fault behind one, which an answered call does not.
    """
    urls = ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"]
    settings = settings_of(urls, hops, models)
    setup, domains, origins, learned = Setup(settings), Domains(), Origins(), Learned(3600.0)
    body: dict[str, object] = {"model": MODEL, "messages": messages_of(2, 1024)}
    call = Call("post", "/chat/completions", "chat", body, stream=False)
    policy = Policy()

    answer = chat_whole(text_of(600))

    def dispatched() -> Dispatch:
        return dispatch(
            call,
            endpoints=setup.endpoints,
            registry=setup.registry,
            chain=settings.chain,
            known=setup.unconfigured,
            origins=origins,
            learned=learned,
            outlooks=setup.outlooks,
        )

    found = dispatched()

    def planned() -> None:
        steps = plan(found.hops, domains, policy=policy, deadline_at=time.monotonic() + 60, amend=found.amend)
        next(steps)
        with suppress(StopIteration):
            steps.send(None)

    def judged() -> None:
        assert reply_error("chat", answer) is None
        assert fault_in("chat", answer) is None

    def classified() -> None:
        classify_reply(503, _HEADERS, _REFUSAL)

    assert len(dispatched().hops) == hops, f"of {hops} hops {len(found.hops)} can serve the call"
    parts: dict[str, Callable[[], object]] = {"dispatch": dispatched, "plan": planned, "judge": judged}
    parts["a refusal"] = classified
    return {name: _micros(part, count) for name, part in parts.items()}


def _micros(part: Callable[[], object], count: int) -> float:
    """Return the CPU microseconds of the quickest batch, as `timeit` does: what makes others slower is not the code."""
    most = max(LEAST, count // BATCHES)
    batches = []
    gc.collect()
    for _ in range(BATCHES + 1):
        spent = time.process_time()
        for _ in range(most):
            part()
        batches.append((time.process_time() - spent) / most * 1e6)
    return min(batches[1:])


def _pair(worker: Worker, port: str, timeout: float | None = None) -> tuple[AsyncChatClient, AsyncChatClient]:
    """Return a client whose first hop is that port, and one with the same connections that begins at the second."""
    settings = settings_of([worker.ports[port], worker.ports["second"]])
    client = (
        AsyncChatClient(settings, chain=CHAIN, timeout=timeout) if timeout else AsyncChatClient(settings, chain=CHAIN)
    )
    return client, client.with_chain(HEALTHY)


async def _ask(client: AsyncChatClient) -> int:
    """Make one call; return how many sends it took."""
    reply = await client.chat.completions.create(model=MODEL, messages=messages_of(2, 1024))  # type: ignore[arg-type]
    return len(route_of(reply).attempts)


async def _wall(call: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await call()
    return time.perf_counter() - begun


def outage(worker: Worker, turns: int, count: int) -> Told:
    """Ask a chain whose first hop refuses connections.

    Return the seconds by which the first call takes longer than one past that hop (``once``), how many calls ask that
    hop until its breaker opens (``asked``), and the CPU seconds by which a call takes longer from then on (``later``,
    one for each turn).
    """

    async def run() -> Told:
        client, healthy = _pair(worker, "refused")
        try:
            usual = statistics.median([await _wall(lambda: _ask(healthy)) for _ in range(10)])
            once = await _wall(lambda: _ask(client)) - usual
            asked = 1
            while await _ask(client) > 1:
                asked += 1
            later = []
            for turn in range(turns):
                spent = {}
                for each in (client, healthy) if turn % 2 else (healthy, client):
                    gc.collect()
                    begun = time.process_time()
                    for _ in range(count):
                        await _ask(each)
                    spent[each] = time.process_time() - begun
                later.append((spent[client] - spent[healthy]) / count)
            return {"once": once, "asked": asked, "later": later}
        finally:
            await client.close()

    return worker.loop.run_until_complete(run())


def silence(worker: Worker, calls: int, timeout: float) -> Told:
    """Ask a chain whose first hop never answers, ``calls`` times in a row; return the seconds beyond the usual ones."""

    async def run() -> Told:
        client, healthy = _pair(worker, "hang", timeout)
        try:
            usual = statistics.median([await _wall(lambda: _ask(healthy)) for _ in range(10)])
            begun = time.perf_counter()
            for _ in range(calls):
                await _ask(client)
            return {"beyond": time.perf_counter() - begun - calls * usual}
        finally:
            await client.close()
            await asyncio.sleep(0)

    return worker.loop.run_until_complete(run())
