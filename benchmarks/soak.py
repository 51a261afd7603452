"""Thousands of calls, by threads and tasks at once, under faults that change every second: what is lost, late or kept.

``python benchmarks/soak.py --calls 10000`` prints the figures and ends with 1 where one is beyond its bar.  A provider
is well at all times but in one phase in the middle, where none is.  The providers are a process of their own, so that
memory and descriptors are the client's.  Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, cast

from judged_calls import Ask, Came, acall, asked_at_random, call, wrong

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, sdk
from chatsheet_llm.sandbox import RoleName, Sandbox

ROLES: tuple[RoleName, ...] = ("litellm", "azure", "openai")
FAULTS = (
    *("503", "503;retry-after=1", "429;retry-after=1", "429", "500", "502", "504", "408", "401", "404", "redirect"),
    *("refuse", "reset", "reset-after-headers", "empty", "html", "garbage", "cut:0", "cut:1", "cut-bytes:300"),
    *("rst:0", "rst:1", "stall", "stall:1", "slow:0.4", "drip:0.01", "event-error:server_error", "content-filter"),
    *("event-error:rate_limit_exceeded@1", "failed:server_error", "400:content_filter"),
)
DEADLINE = 2.5
IDLE = 0.5
THREADS, TASKS = 8, 12
PAUSE = 0.05
"""Seconds for which a caller thinks at most, and as long again after an error."""
LATE = 0.25
"""Seconds beyond the deadline that are promised for 999 of 1000 calls."""


# --- the providers, in a process of their own ------------------------------------------------------------------------


def serve() -> None:
    """Play the providers, and do what each line of JSON on the standard input says: role to fault."""
    with Sandbox() as box:
        print(json.dumps({**box.env()}), flush=True)
        for line in sys.stdin:
            box.clear()
            box.forget()
            for role, fault in json.loads(line).items():
                box.inject(role, fault)
            print("done", flush=True)


@dataclass(slots=True)
class Weather:
    """Which provider is well when.  Changes every ``seconds``; whoever is next to be well is so before another is not.

    ``spans`` tell from when until when (monotonic) a provider was well.
    """

    providers: subprocess.Popen[str]
    seconds: float
    choose: random.Random
    spans: list[tuple[RoleName, float, float]] = field(default_factory=list)
    since: dict[RoleName, float] = field(default_factory=dict)

    def set(self, faults: Mapping[RoleName, str]) -> None:
        """Put these faults in force, and no others."""
        assert self.providers.stdin is not None
        assert self.providers.stdout is not None
        for role in [role for role in self.since if role in faults]:
            # Before it is told to fail.
            self.spans.append((role, self.since.pop(role), time.monotonic()))
        self.providers.stdin.write(json.dumps(faults) + "\n")
        self.providers.stdin.flush()
        self.providers.stdout.readline()
        for role in ROLES:
            if role not in faults:
                self.since.setdefault(role, time.monotonic())

    def change(self, over: threading.Event, dark: Callable[[], bool]) -> None:
        """Change until it is over."""
        # The last of the chain: every call meets the faults of the others, or what was learned of them.
        well: tuple[RoleName, ...] = ROLES[-1:]
        # Both are well for as long as a call may last.
        overlap = max(2, int(DEADLINE / self.seconds) + 1)
        left = 3
        while not over.is_set():
            if dark():
                self.set(self._faults(ROLES))
                over.wait(self.seconds)
                well, left = ROLES, overlap
                continue
            self.set(self._faults([role for role in ROLES if role not in well]))
            over.wait(self.seconds)
            left -= 1
            if not left:
                if len(well) > 1:
                    well, left = (self.choose.choice(well[-2:]),), overlap
                else:
                    well, left = (*well, self.choose.choice([role for role in ROLES if role not in well])), overlap
        self.set({})

    def _faults(self, roles: Sequence[RoleName]) -> dict[RoleName, str]:
        return {role: self.choose.choice(FAULTS) for role in roles}

    def was_well(self, begun: float, over: float) -> bool:
        """Whether one provider was well all the time from then until then."""
        spans = [*self.spans, *((role, since, float("inf")) for role, since in self.since.items())]
        return any(start <= begun and over <= end for _, start, end in spans)


@contextmanager
def providers() -> Iterator[tuple[subprocess.Popen[str], Settings]]:
    """The other process, and settings for it."""
    with subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        env = json.loads(process.stdout.readline())
        yield (
            process,
            Settings(
                _env_file=None,
                litellm_base_url=env["LITELLM_BASE_URL"],
                litellm_api_key=env["LITELLM_API_KEY"],
                azure_openai_endpoint=env["AZURE_OPENAI_ENDPOINT"],
                azure_openai_api_key=env["AZURE_OPENAI_API_KEY"],
                openai_base_url=env["OPENAI_BASE_URL"],
                openai_api_key=env["OPENAI_API_KEY"],
                chain=",".join(ROLES),
                deadline=DEADLINE,
                idle_timeout=IDLE,
            ),
        )
        assert process.stdin is not None
        process.stdin.close()


# --- the calls -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept of a call: times are monotonic seconds, ``error`` is the name of its class."""

    began: float
    over: float
    seconds: float
    hop: str | None
    attempts: int
    sends: int
    left: bool
    error: str = ""
    must_fail: bool = False
    told: str = ""


@dataclass(slots=True)
class Log:
    """Hands out the calls, and keeps what is to be told of each: on disk, since memory is measured.  Thread-safe."""

    calls: int
    choose: random.Random
    given: int = 0
    rows: list[Row] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: IO[str] = field(default_factory=lambda: TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115  closed by read()

    def next(self) -> Ask | None:
        """Return the next call to make, or None where all are made."""
        with self.lock:
            self.given += 1
            return asked_at_random(self.given, self.choose) if self.given <= self.calls else None

    def note(self, ask: Ask, came: Came) -> float:
        """Judge a call, and keep what is short of it; return the seconds after which its caller comes back."""
        found = [f"call {ask.number}: {said}" for said in wrong(ask, came)]
        route, failed = came.route, came.error is not None
        row = Row(
            came.began,
            time.monotonic(),
            came.seconds,
            route.hop,
            len(route.attempts),
            route.sends,
            came.left,
            error=type(came.error).__name__ if failed else "",
            must_fail=failed and came.must_fail,
            told=f"{route}; {came.error}"[:2000] if failed else "",
        )
        with self.lock:
            self.wrong += found
            self.kept.write(json.dumps(asdict(row)) + "\n")
            return self.choose.uniform(0.0, PAUSE) + (PAUSE if failed else 0.0)

    def read(self) -> None:
        """Read what was kept."""
        self.kept.seek(0)
        self.rows = [Row(**json.loads(line)) for line in self.kept]
        self.kept.close()


@dataclass(slots=True)
class Gauge:
    """Memory (MiB) and descriptors of this process, read while it runs."""

    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def read(self) -> None:
        """Take a reading."""
        with open("/proc/self/statm", encoding="ascii") as told:
            self.memory.append(int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
        self.descriptors.append(len(os.listdir("/proc/self/fd")))

    def run(self, over: threading.Event, seconds: float) -> None:
        """Read until it is over."""
        while not over.wait(seconds):
            self.read()


def thirds(values: Sequence[float]) -> list[float]:
    """Return the medians of the three thirds."""
    size = max(1, len(values) // 3)
    return [statistics.median(values[at * size : (at + 1) * size] or values) for at in range(3)]


def work(client: ChatClient, log: Log) -> None:
    """Make calls in a thread until all are made."""
    while (ask := log.next()) is not None:
        time.sleep(log.note(ask, call(client, ask)))


async def awork(client: AsyncChatClient, log: Log) -> None:
    """Make calls in a task until all are made."""
    while (ask := log.next()) is not None:
        await asyncio.sleep(log.note(ask, await acall(client, ask)))


def busy(client: ChatClient | AsyncChatClient) -> int:
    """How many connections of a client are in use."""
    pools = [pool for http in client._core.connections.clients() for pool in sdk.pools(http)]  # noqa: SLF001
    held = [connection for pool in pools for connection in pool.connections]
    return sum(not connection.is_idle() and not connection.is_closed() for connection in held)


@dataclass(slots=True)
class Kept:
    """What is left in use when all calls are over: connections, tasks, threads."""

    connections: int = 0
    tasks: int = 0
    threads: int = 0
    descriptors: int = 0


async def _tasks(settings: Settings, log: Log, kept: Kept) -> None:
    async with AsyncChatClient(settings) as client:
        await asyncio.gather(*(awork(client, log) for _ in range(TASKS)))
        kept.connections += await _at_rest(client)
        kept.tasks = len(asyncio.all_tasks()) - 1


async def _at_rest(client: ChatClient | AsyncChatClient) -> int:
    for _ in range(60):
        gc.collect()
        await asyncio.sleep(0.05)
        if not busy(client):
            break
    return busy(client)


def run(settings: Settings, log: Log, kept: Kept) -> None:
    """Make all the calls."""
    with ChatClient(settings) as client:
        threads = [threading.Thread(target=work, args=(client, log)) for _ in range(THREADS)]
        threads.append(threading.Thread(target=lambda: asyncio.run(_tasks(settings, log, kept))))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept.connections += asyncio.run(_at_rest(client))


# --- the figures -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of what is told; ``good`` is None where there is no bar."""

    name: str
    value: str
    good: bool | None = None


def soak(calls: int, seconds: float, seed: int) -> list[Figure]:
    """Make the calls under faults that change every so many seconds; return the figures."""
    log, kept, gauge = Log(calls, random.Random(seed)), Kept(), Gauge()
    with TemporaryDirectory() as empty, providers() as (process, settings):
        # Certificates take longer to load than a call, and loopback needs none.
        os.environ["SSL_CERT_DIR"] = empty
        first = Log(200, random.Random(seed))
        run(settings, first, Kept())
        first.kept.close()
        gc.collect()
        threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
        weather = Weather(process, seconds, random.Random(seed))
        weather.set({})
        over = threading.Event()
        beside = [
            threading.Thread(target=weather.change, args=(over, lambda: 0.45 <= log.given / calls < 0.55)),
            threading.Thread(target=gauge.run, args=(over, min(0.25, seconds / 4))),
        ]
        for thread in beside:
            thread.start()
        begun = time.monotonic()
        run(settings, log, kept)
        took = time.monotonic() - begun
        over.set()
        for thread in beside:
            thread.join()
        gc.collect()
        kept.threads = threading.active_count() - threads
        kept.descriptors = len(os.listdir("/proc/self/fd")) - descriptors
    log.read()
    return list(figures(log, kept, gauge, weather, took))


def figures(log: Log, kept: Kept, gauge: Gauge, weather: Weather, took: float) -> Iterator[Figure]:
    """Yield what is to be told, and whether it is within its bar."""
    rows = log.rows
    failed = [row for row in rows if row.error]
    yield Figure("calls", f"{len(rows)} in {took:.0f} s", len(rows) == log.calls)
    yield Figure("answers", str(len(rows) - len(failed)))
    yield Figure("streams that the caller left", str(sum(row.left for row in rows)))
    after = sum(row.attempts > 1 for row in rows if not row.error)
    elsewhere = sum(row.hop is not None and not row.hop.startswith(ROLES[0]) for row in rows)
    yield Figure("answers after a failure, and by a later hop", f"{after} {elsewhere}")
    yield Figure("wrong answers", str(len(log.wrong)), not log.wrong)
    yield from (Figure("  wrong", said[:300]) for said in log.wrong[:5])
    well = [row for row in failed if weather.was_well(row.began, row.over)]
    lost = [row for row in well if not row.must_fail]
    yield Figure("errors while no provider was well", str(len(failed) - len(well)))
    yield Figure("errors that no other hop may be asked after", _kinds([row for row in well if row.must_fail]))
    yield Figure("lost answers while a provider was well", _kinds(lost), not lost)
    yield from (Figure("  lost", row.told) for row in lost[:5])
    late = sorted(max(0.0, row.seconds - DEADLINE) for row in rows)
    most = late[int(0.999 * (len(late) - 1))]
    yield Figure("beyond the deadline, p99.9 and most", f"{1000 * most:.0f} and {1000 * late[-1]:.0f} ms", most < LATE)
    latest = sorted(rows, key=lambda row: -row.seconds)[: 0 if most < LATE else 3]
    yield from (Figure("  late", f"{row.seconds:.2f} s, {row.told or row.hop}") for row in latest)
    sends = [row.sends for row in rows]
    yield Figure("sends a call, in the mean and at most", f"{statistics.mean(sends):.2f} {max(sends)}", max(sends) <= 4)
    memory, descriptors = thirds(gauge.memory), thirds(gauge.descriptors)
    noise = max(2.0, 0.03 * memory[1])
    yield Figure("memory by thirds, MiB", " ".join(f"{value:.1f}" for value in memory), memory[2] <= memory[1] + noise)
    # Each caller may hold a connection to each provider; a leak goes on beyond that.
    most_open = max(1.2 * max(descriptors[:2]), gauge.descriptors[0] + (THREADS + TASKS) * len(ROLES))
    open_told = " ".join(f"{value:.0f}" for value in descriptors)
    yield Figure("descriptors by thirds", open_told, descriptors[2] <= most_open)
    yield Figure("connections in use at the end", str(kept.connections), not kept.connections)
    yield Figure(
        "tasks, threads, descriptors more than before",
        f"{kept.tasks} {kept.threads} {kept.descriptors}",
        not kept.tasks and not kept.threads and kept.descriptors <= 2,
    )


def _kinds(rows: Sequence[Row]) -> str:
    counted = Counter(row.error for row in rows)
    return f"{len(rows)} ({', '.join(f'{name} {count}' for name, count in counted.most_common())})" if rows else "0"


def main() -> None:
    parser = argparse.ArgumentParser(description=cast("str", __doc__).partition("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=1.0, help="between changes of the faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.serve:
        serve()
        return
    found = soak(told.calls, told.seconds, told.seed)
    for figure in found:
        print(f"{'' if figure.good is None else 'ok' if figure.good else 'BAD':4}{figure.name:46} {figure.value}")
    sys.exit(any(figure.good is False for figure in found))


if __name__ == "__main__":
    main()
