"""Processes side by side that take turns: one provider, one process for each client.  Judges nothing."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.request import ProxyHandler, build_opener

if TYPE_CHECKING:
    from typing_extensions import Self

from bench.jobs import Job, Port

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parent
_ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {
    "provider": (".venv-bench-provider",),
    "litellm": (".venv-bench-litellm", ".venv-litellm"),
    "pydantic-ai": (".venv-bench-pydantic-ai",),
    "langchain": (".venv-bench-langchain",),
}
"""Client to the environments that have it, the best first.  All others run in the one that runs this."""
_LONGEST_WAIT = 3.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class LaneError(RuntimeError):
    """A client could not do what it was told; the text says what it said."""

    def __init__(self, client: str, said: str) -> None:
        super().__init__(f"{client}: {said}")
        self.client = client


def python_of(client: str) -> str | None:
    """Return the interpreter that has this client, or None where none is installed."""
    places = _ENVIRONMENTS.get(client)
    if places is None:
        return sys.executable
    # A stamp says that an environment is complete; those of the tests have none.
    found = (ROOT / place for place in places if "bench" not in place or (ROOT / place / ".ready").exists())
    return next((str(each / "bin" / "python") for each in found if (each / "bin" / "python").exists()), None)


def environment() -> dict[str, str]:
    """Return variables without keys, proxies and settings of the user's; what is measured is this checkout."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # LiteLLM fetches its table of prices from the network at import, unless told not to.
    return {**kept, "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}", "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class Provider:
    """The provider in a process of its own."""

    def __init__(self, ports: Mapping[str, Port]) -> None:
        self.ports = ports
        told = json.dumps({name: asdict(port) for name, port in ports.items()})
        self._process = subprocess.Popen(
            [python_of("provider") or sys.executable, "-m", "bench.provider", told],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        assert self._process.stdout is not None
        opened = json.loads(self._process.stdout.readline())
        self.loop: str = opened["loop"]
        self.urls = {name: f"http://127.0.0.1:{number}" for name, number in opened["ports"].items()}

    def counts(self, port: str) -> tuple[int, int]:
        """Return the connections and the requests that one port has had."""
        with build_opener(ProxyHandler({})).open(f"{self.urls['control']}/counts", timeout=10) as answer:
            connections, requests = json.load(answer)[port]
        return connections, requests

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)


class Lane:
    """One client in a process of its own."""

    def __init__(self, client: str, provider: Provider) -> None:
        python = python_of(client)
        if python is None:
            raise LaneError(client, "is not installed; run: make bench")
        self.client, self._provider = client, provider
        self._said: TextIO = tempfile.TemporaryFile("w+")  # noqa: SIM115  as long as the process
        self._process = subprocess.Popen(
            [python, "-m", "bench.worker", client, json.dumps(provider.urls)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=environment(), cwd=HERE,
        )  # fmt: skip

    def ask(self, does: str, **told: object) -> Mapping[str, Any]:
        """Have the process do one thing; return what it says.  Raises LaneError."""
        self.tell(does, **told)
        return self.heard()

    def tell(self, does: str, **told: object) -> None:
        assert self._process.stdin is not None
        # A process that has ended says so by its silence.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"does": does, **told}) + "\n")
            self._process.stdin.flush()

    def heard(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: Mapping[str, Any] = json.loads(line) if line else {"error": "its process has ended"}
        if "error" in answer:
            self._said.seek(0)
            raise LaneError(self.client, f"{answer['error']}\n{self._said.read()[-2000:]}")
        return answer

    def run(self, job: Job, does: str = "batch") -> Mapping[str, Any]:
        """Run one batch."""
        return self.ask(does, job=asdict(job), characters=self._provider.ports[job.port].characters(stream=job.stream))

    def close(self) -> None:
        _end(self._process)
        self._said.close()


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@dataclass(slots=True)
class Track:
    """The lanes that are open.  ``patience``: the seconds that a run may wait in all for a quiet machine."""

    provider: Provider
    patience: float = 0.0
    without: tuple[str, ...] = ()
    """Clients that this run leaves out."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    absent: dict[str, LaneError] = field(default_factory=dict)
    """What could not be measured: a client, or with a comma what was asked of it, to why."""
    watched: bool = True
    """Whether to look before each batch who else uses the processors."""
    batches: int = 0
    disturbed: int = 0
    """Batches that began while something else used the processors."""
    spoilt: int = 0
    """Those of them that count all the same: their case had too few quiet rounds."""

    def lane(self, client: str) -> Lane | None:
        """Return the lane of a client, or None where it cannot run."""
        if client not in self.lanes and client not in (*self.absent, *self.without):
            try:
                self.lanes[client] = Lane(client, self.provider)
            except LaneError as error:
                self.absent[client] = error
        return self.lanes.get(client)

    def must(self, client: str) -> Lane:
        """Return the lane of a client.  Raises LaneError where it cannot run."""
        lane = self.lane(client)
        if lane is None:
            raise self.absent[client]
        return lane

    def interleaved(self, jobs: Mapping[str, Job], rounds: int) -> dict[str, list[Mapping[str, Any]]]:
        """Run every client's job once a round, in alternating order; return what each round took, by client.

        Rounds that count are those in which no batch began while something else used the processors, or all of them
        where fewer than half were as quiet.  A client that fails is left out, and told.
        """
        found: dict[str, list[Mapping[str, Any]]] = {}
        for client, job in jobs.items():
            lane = self.lane(client)
            # The first batch does not count: its calls import, connect, and fill caches.
            if lane is not None and self._ran(lane, _few(job)) is not None:
                found[client] = []
        noise = []
        for number in range(rounds):
            before = self.disturbed
            for client in in_turn(list(found), number):
                self._calm()
                told = self._ran(self.lanes[client], jobs[client])
                if told is None:
                    del found[client]
                else:
                    found[client].append(told)
            noise.append(self.disturbed - before)
        counted = counting(noise)
        self.spoilt += sum(noise[number] for number in counted)
        return {client: [each[number] for number in counted] for client, each in found.items()}

    def _ran(self, lane: Lane, job: Job) -> Mapping[str, Any] | None:
        """Run a batch; return what it took, or None where the client failed."""
        try:
            return lane.run(job)
        except LaneError as error:
            self.absent.setdefault(f"{lane.client}, {job.api}{' stream' if job.stream else ''}", error)
            return None

    def _calm(self) -> None:
        """Wait, though not for ever, until nobody else uses the processors."""
        self.batches += 1
        if not self.watched:
            return
        until = time.monotonic() + min(self.patience, _LONGEST_WAIT)
        while (busy := busy_share(0.05)) is not None and busy > 0.2:
            if time.monotonic() > until:
                self.disturbed += 1
                return
            time.sleep(0.2)
            self.patience -= 0.25

    @property
    def noise(self) -> str:
        """How many batches were disturbed, in words."""
        return (
            f"of which {self.disturbed} began while something else used the processors; "
            f"{self.spoilt} of them count all the same"
        )

    def close(self) -> None:
        for lane in self.lanes.values():
            lane.close()


def _few(job: Job) -> Job:
    # Calls need their connections; streams take so long that a few more connections later are nothing.
    at_once = min(job.at_once, 10) if job.stream else job.at_once
    return replace(job, count=max(at_once, min(job.count, 10)), at_once=at_once)


def counting(noise: Sequence[int]) -> list[int]:
    """Return the numbers of the rounds that count: those without noise, or all where they are fewer than half."""
    quiet = [number for number, disturbed in enumerate(noise) if not disturbed]
    return quiet if 2 * len(quiet) >= len(noise) else list(range(len(noise)))


def in_turn(clients: Sequence[str], number: int) -> list[str]:
    """Return the order of a round: every other one is backwards, so that a drift hits both ends alike."""
    return list(clients) if number % 2 == 0 else list(clients)[::-1]


def busy_share(seconds: float) -> float | None:
    """Return which share of all processors was in use for so long; None where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None

    def times() -> tuple[int, int]:
        found = [int(value) for value in stat.read_text().split("\n", 1)[0].split()[1:9]]
        return sum(found), found[3] + found[4]

    total, idle = times()
    time.sleep(seconds)
    after, idle_after = times()
    return 1 - (idle_after - idle) / max(1, after - total)
