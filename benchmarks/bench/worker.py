"""A process with one client: runs the batches it is told, a line of JSON each, and says what they took.

Everything a library prints goes to stderr: stdout belongs to the answers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import statistics
import sys
import time
import traceback
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.clients import AsyncClient, Ports, SyncClient, client_class
from bench.jobs import CLIENT_CPU, Job, pin

Told = Mapping[str, object]
SETTLE = 0.02
"""Seconds for work that a library left for later: it is paid by the one that left it."""


class Worker:
    """The client of this process, made anew for each port and chain that a job names."""

    def __init__(self, name: str, ports: Ports) -> None:
        self.name, self.ports = name, ports
        self.loop = asyncio.new_event_loop()
        self._made: dict[tuple[str, int, int], AsyncClient | SyncClient] = {}

    def client(self, job: Job) -> AsyncClient | SyncClient:
        key = (job.port, job.hops, job.models)
        if key not in self._made:

            async def make() -> AsyncClient | SyncClient:
                return client_class(self.name)(job, self.ports[job.port], [self.ports["second"], self.ports["third"]])

            self._made[key] = self.loop.run_until_complete(make())
        return self._made[key]

    def batch(self, job: Job, characters: int) -> Told:
        """Run one batch; return its seconds, CPU seconds (every thread's) and those until the first piece.

        Raises RuntimeError for an answer of another length.
        """
        client = self.client(job)
        firsts: list[float] = []

        def check(text: str) -> None:
            if len(text) != characters:
                raise RuntimeError(
                    f"{self.name} got {len(text)} characters where {characters} were sent: {text[:80]!r}"
                )

        async def one(asked: AsyncClient) -> None:
            if job.stream:
                text, first = await asked.streamed(job)
                firsts.append(first)
            else:
                text = await asked.whole(job)
            check(text)

        gc.collect()
        begun, spent = time.perf_counter(), time.process_time()
        if isinstance(client, SyncClient):
            for _ in range(job.count):
                check(client.call(job))
        else:
            self.loop.run_until_complete(_keep_going(partial(one, client), job.count, job.at_once))
        wall = time.perf_counter() - begun
        self.loop.run_until_complete(asyncio.sleep(SETTLE))
        cpu = time.process_time() - spent
        return {"wall": wall, "cpu": cpu, "first": statistics.median(firsts) if firsts else 0.0, "resident": resident()}

    def kept(self, job: Job, characters: int) -> Told:
        """Run two batches under ``tracemalloc``; return how many bytes of Python's stay for each call of the second."""
        tracemalloc.start()
        try:
            held = []
            for _ in range(2):
                self.batch(job, characters)
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
            return {"bytes": (held[1] - held[0]) / job.count}
        finally:
            tracemalloc.stop()

    def versions(self, names: list[str]) -> Told:
        return installed(names)

    def obey(self, told: Told) -> Told:
        """Do what one line says."""
        does, rest = told["does"], {name: value for name, value in told.items() if name != "does"}
        if "job" in rest:
            rest["job"] = Job(**rest["job"])  # type: ignore[arg-type]  # as it was written
        if does in _INSIDE:
            # Needs the chain's own modules, which a peer's environment does not have.
            from bench import inside

            found: Told = getattr(inside, str(does))(self, **rest)
            return found
        return _OWN[str(does)](self, **rest)


_INSIDE = ("decisions", "outage", "silence")
_OWN: Mapping[str, Callable[..., Told]] = {"batch": Worker.batch, "kept": Worker.kept, "versions": Worker.versions}


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return Python's version, and those of the distributions that are installed here."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


async def _keep_going(one: Callable[[], Awaitable[None]], count: int, at_once: int) -> None:
    """Run ``count`` calls with so many in flight all the time."""
    left = iter(range(count))

    async def runner() -> None:
        for _ in left:
            await one()

    if at_once == 1:
        await runner()
    else:
        await asyncio.gather(*(runner() for _ in range(at_once)))


def resident() -> int:
    """Return the bytes of memory that this process has now; the most it ever had, where /proc is missing."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    pin(CLIENT_CPU)
    worker = Worker(sys.argv[1], json.loads(sys.argv[2]))
    for line in sys.stdin:
        try:
            answer = worker.obey(json.loads(line))
        except Exception as error:  # noqa: BLE001  whatever a library raises is told to the one who waits
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
