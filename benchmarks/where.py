"""Say what the time of a call and of a stream goes to, layer by layer: ours, and the bare SDK's.  Judges nothing.

    PYTHONPATH=benchmarks python benchmarks/where.py

A profiler books each function's own time on the layer of its file, and a built-in function's on the layer that called
it; the shares are laid on the CPU time that the same calls take without a profiler.  It makes small functions look
dearer than they are, so the figures are to be compared with each other.  The first line says when and where this was
and of what versions; it belongs to what is kept of a run.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath

from bench.clients import AsyncClient, Ours, Sdk
from bench.jobs import Job, Port
from bench.lanes import Provider
from bench.page import DISTRIBUTIONS, run_of
from bench.worker import installed

CASES: Mapping[str, tuple[Job, int]] = {
    "a call": (Job(), 400),
    "a stream of 200 chunks": (Job(stream=True), 30),
}
"""What is done, and how often in a round."""
ROUNDS = 7
_PLAN = (
    *("plan", "account", "openings", "shares", "aftermath", "hedging", "domain", "guards", "troubles", "located"),
    *("breaker", "budget", "ceiling", "steps", "drive", "running", "race"),
)
_READ = ("resources", "templates", "client", "choices", "core", "connections", "asking", "credentials")
_SEND = ("exchange", "terms", "answer", "bounds", "limits", "network", "endpoints", "sdk", "streams")
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("read the request", _READ),
    ("dispatch", ("dispatch", "walk", "outlook", "hop", "homes", "known", "modes", "param", "portable", "default")),
    ("plan, breakers, budget", _PLAN),
    ("send and receive", _SEND),
    ("remember: route, lessons, times", ("trail", "route", "learned", "latency", "origins", "teaching", "redact")),
    ("judge", ("formats", "relay", "classify", "report", "judging")),
    ("build the SDK's objects", ("typed", "shapes", "unions", "delivery")),
    ("our transport", ("lean", "wire", "resolve")),
)
"""Beginnings of the names of our modules, by layer; the first that fits counts."""
VENDORS: Mapping[str, str] = {
    "openai": "the SDK",
    "httpx2": "httpx2",
    "httpcore2": "httpcore2, h11, anyio",
    "h11": "httpcore2, h11, anyio",
    "anyio": "httpcore2, h11, anyio",
    "pydantic": "build the SDK's objects",
}
SYSTEM = ("of '_socket.socket'", "of 'select.epoll'", "of 'select.kqueue'")
WAITS = ("'poll'", "'control'")


def layer(file: str) -> str:
    """Return the layer that a file belongs to."""
    parts = PurePath(file).parts
    if "chatsheet_llm" in parts:
        module = parts[len(parts) - parts[::-1].index("chatsheet_llm")]
        return next((name for name, begins in LAYERS if module.startswith(begins)), "the rest of ours")
    found = next((VENDORS[part] for part in parts if part in VENDORS), None)
    return found or ("asyncio" if "asyncio" in parts else "Python's own modules")


def booked(stats: pstats.Stats) -> Counter[str]:
    """Return the seconds of each layer."""
    made: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, callers) in stats.stats.items():  # type: ignore[attr-defined]
        if file != "~":
            made[layer(file)] += own
        elif any(word in name for word in SYSTEM):
            # To wait is no work.
            made["system calls"] += 0.0 if any(word in name for word in WAITS) else own
        else:
            for caller, times in callers.items():
                made[layer(caller[0]) if caller[0] != "~" else "Python's own modules"] += times[2]
    return made


async def run(client: AsyncClient, job: Job, count: int) -> None:
    for _ in range(count):
        await (client.streamed(job) if job.stream else client.whole(job))


def micros(loop: asyncio.AbstractEventLoop, client: AsyncClient, job: Job, count: int) -> float:
    """Return the CPU microseconds of one call."""

    async def timed() -> float:
        await run(client, job, 5)
        begun = time.process_time()
        await run(client, job, count)
        return (time.process_time() - begun) / count * 1e6

    return loop.run_until_complete(timed())


def shares(loop: asyncio.AbstractEventLoop, client: AsyncClient, job: Job, count: int) -> Counter[str]:
    """Return what share of its time each layer has."""

    async def profiled() -> Counter[str]:
        await run(client, job, 5)
        with cProfile.Profile() as profile:
            await run(client, job, count)
        return booked(pstats.Stats(profile))

    found = loop.run_until_complete(profiled())
    return Counter({name: seconds / found.total() for name, seconds in found.items()})


def main() -> None:
    print(f"Profile of {run_of(installed(DISTRIBUTIONS))}.")
    with Provider({"ok": Port(), "second": Port(), "third": Port()}) as provider:
        # One for all turns: the bare SDK's connections belong to the loop that made them.
        loop = asyncio.new_event_loop()
        then = [provider.urls["second"], provider.urls["third"]]
        for case, (job, count) in CASES.items():
            clients = Ours(job, provider.urls["ok"], then), Sdk(job, provider.urls["ok"], ())
            turns = [[micros(loop, client, job, count) for client in clients] for _ in range(ROUNDS)]
            ours, sdk = (statistics.median(times) for times in zip(*turns, strict=True))
            mine, its = (shares(loop, client, job, count) for client in clients)
            print(f"\n| {case}: CPU, µs | ours | the bare SDK |\n| --- | ---: | ---: |")
            for name in sorted({*mine, *its}, key=lambda each: -mine[each]):
                print(f"| {name} | {mine[name] * ours:.0f} | {its[name] * sdk:.0f} |")
            print(f"| **all of it** | **{ours:.0f}** | **{sdk:.0f}** |")
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


if __name__ == "__main__":
    main()
