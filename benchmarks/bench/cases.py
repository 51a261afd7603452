"""Every case of the benchmark with its bar, as tables: who is asked what, and which ratio is held against what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bench.figures import Bar, Figure, ratios
from bench.jobs import Job, Port
from bench.lanes import Track

Quantity = Literal["CPU", "calls/s", "first chunk"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a run takes.  ``share`` scales the calls of a batch, ``calls`` and ``streams`` are for slopes."""

    rounds: int
    few: int
    """Rounds of what takes long."""
    share: float
    chunks: int
    """Chunks of a paced stream."""
    calls: int
    streams: int
    gaps: int
    """Pauses of six seconds."""
    whole: bool = True
    """Whether it is the whole benchmark: every case, and long enough for slopes to be judged."""


FULL = Effort(rounds=7, few=3, share=0.2, chunks=100, calls=20_000, streams=2_000, gaps=4)
QUICK = Effort(rounds=2, few=2, share=0.1, chunks=40, calls=200, streams=20, gaps=1, whole=False)
PEERS = ("litellm", "pydantic-ai", "langchain")
LEFT_OUT = ("pydantic-ai", "langchain")
"""Peers that have no bar; a quick run does without."""
QUICKLY = 120.0
"""Seconds that a quick run may take on a quiet machine."""


def ports(effort: Effort) -> dict[str, Port]:
    """Return the provider's ports: those of a chain's hops, and one for each thing that a case needs."""
    return {
        **{name: Port() for name in ("control", "ok", "second", "third", "idle sdk", "idle ours")},
        "numbered": Port(numbered=True),
        "paced": Port(chunks=effort.chunks, interval=0.02),
        "refused": Port(does="refuse"),
        "hang": Port(does="hang"),
        **{f"{chunks} chunks": Port(chunks=chunks) for chunks in CHUNKS},
    }


@dataclass(frozen=True, slots=True)
class Row:
    """One ratio: what ``of`` takes to what ``to`` takes."""

    quantity: Quantity
    of: str
    to: str = "sdk"
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Clients that take turns, each with its job, and the ratios that are read from them."""

    name: str
    jobs: Mapping[str, Job]
    rows: tuple[Row, ...]
    long: bool = False
    """Whether a batch takes so long that fewer rounds must do."""
    quick: bool = True
    """Whether it is part of a quick run."""

    def figures(self, track: Track, effort: Effort) -> list[Figure]:
        """Run it; return a figure for each row."""
        jobs = {name: scaled(job, effort.share) for name, job in self.jobs.items()}
        taken = track.interleaved(jobs, effort.few if self.long else effort.rounds)

        def each(client: str, quantity: Quantity) -> list[float]:
            count = jobs[client].count
            if quantity == "first chunk":
                return [told["first"] for told in taken[client]]
            if quantity == "calls/s":
                return [count / told["wall"] for told in taken[client]]
            return [told["cpu"] / count for told in taken[client]]

        made = []
        for row in self.rows:
            if row.of in track.without:
                continue
            name = f"{self.name}: {row.of}" if row.to == "sdk" and row.of not in _OURS else self.name
            if row.of not in taken or row.to not in taken:
                made.append(Figure(name, _label(row), (), row.bar))
                continue
            of, to = each(row.of, row.quantity), each(row.to, row.quantity)
            detail = f"{_shown(of, row.quantity)} / {_shown(to, row.quantity)}"
            made.append(Figure(name, _label(row), tuple(ratios(of, to)), row.bar, detail, ratio=True))
        return made


_OURS = ("ours", "ours on httpx2", "ours over responses", "ours over chat", "ours sync")
_UNITS: Mapping[Quantity, tuple[float, str]] = {
    "CPU": (1e6, "µs"),
    "calls/s": (1, "a second"),
    "first chunk": (1e3, "ms"),
}


def _label(row: Row) -> str:
    return f"{row.quantity}, {row.of} / {row.to}"


def _shown(values: list[float], quantity: Quantity) -> str:
    factor, unit = _UNITS[quantity]
    middle = sorted(values)[len(values) // 2] * factor
    return f"{middle:.0f} {unit}" if middle >= 10 else f"{middle:.1f} {unit}"


def scaled(job: Job, share: float) -> Job:
    """Return the job with a share of its calls, though never fewer than are in flight at once."""
    return replace(job, count=max(job.at_once, round(job.count * share), 1))


def _all(job: Job, *clients: str, **others: Job) -> dict[str, Job]:
    return {**dict.fromkeys(clients, job), **others}


def _at_once(job: Job, at_once: int, count: int) -> Job:
    return replace(job, at_once=at_once, count=count)


CHAT = Job(count=100)
RESPONSES = Job("responses", count=100)
CHAT_STREAM = Job(stream=True, count=20)
RESPONSES_STREAM = Job("responses", stream=True, count=20)


def most(limit: float) -> Bar:
    return Bar(limit)


def least(limit: float) -> Bar:
    return Bar(limit, least=True)


_BESIDE = tuple(Row("CPU", peer) for peer in PEERS)


def _plain(name: str, job: Job) -> Case:
    """The case of one call after the other, which is the same for both APIs."""
    rows = (
        Row("CPU", "ours", bar=most(0.60)),
        Row("CPU", "ours on httpx2", bar=most(0.80)),
        Row("CPU", "litellm", "ours", least(5)),
    )
    return Case(name, _all(job, "sdk", "ours", "ours on httpx2", *PEERS), (*rows, *_BESIDE))


def _streams(api: str, job: Job, litellm: float) -> tuple[Case, ...]:
    """The cases of streams, which are the same for both APIs; ``litellm``: how much less CPU than its Router."""
    both = (
        Row("CPU", "ours", bar=most(0.15)),
        Row("first chunk", "ours", bar=most(1.0)),
        Row("CPU", "ours on httpx2", bar=most(0.25)),
        Row("first chunk", "ours on httpx2", bar=most(1.0)),
    )
    return (
        Case(
            f"stream of 200 chunks, {api}",
            _all(job, "sdk", "ours", "ours on httpx2", *PEERS),
            (*both, Row("CPU", "litellm", "ours", least(litellm)), *_BESIDE),
        ),
        Case(
            f"64 streams of 200 chunks at once, {api}",
            _all(_at_once(job, 64, 128), "sdk", "ours", "ours on httpx2"),
            both,
            long=True,
        ),
    )


BARS = (
    _plain("plain call", CHAT),
    _plain("plain call, Responses", RESPONSES),
    Case(
        "128 calls in flight",
        _all(_at_once(CHAT, 128, 1024), "sdk", "ours", "ours on httpx2"),
        (Row("calls/s", "ours", bar=least(2.0)), Row("calls/s", "ours on httpx2"), Row("CPU", "ours")),
        long=True,
    ),
    Case("sync call", _all(CHAT, "sdk sync", "ours sync"), (Row("CPU", "ours sync", "sdk sync", most(0.80)),)),
    Case(
        "conversation of 20 messages",
        _all(Job(messages=20, size=4096, count=40), "sdk", "ours", "ours on httpx2"),
        (Row("CPU", "ours", bar=most(0.30)), Row("CPU", "ours on httpx2")),
    ),
    Case(
        "conversation of 100 messages",
        _all(Job(messages=100, size=20_480, count=15), "sdk", "ours", "ours on httpx2"),
        (Row("CPU", "ours", bar=most(0.12)), Row("CPU", "ours on httpx2")),
    ),
    Case(
        "64 paced streams, chat",
        _all(_at_once(replace(CHAT_STREAM, port="paced"), 64, 64), "sdk", "ours"),
        (Row("CPU", "ours", bar=most(0.40)), Row("first chunk", "ours")),
        long=True,
    ),
    Case(
        "64 paced streams, Responses",
        _all(_at_once(replace(RESPONSES_STREAM, port="paced"), 64, 64), "sdk", "ours"),
        (Row("CPU", "ours", bar=most(0.40)), Row("first chunk", "ours")),
        long=True,
    ),
    Case(
        "chat caller, Responses hop",
        {"sdk": RESPONSES, "ours over responses": CHAT},
        (Row("CPU", "ours over responses", bar=most(0.9)),),
    ),
    *_streams("chat", CHAT_STREAM, 18),
    *_streams("Responses", RESPONSES_STREAM, 2),
    Case(
        "stream of 200 chunks, chat caller, Responses hop",
        {"sdk": RESPONSES_STREAM, "ours over responses": CHAT_STREAM},
        (Row("CPU", "ours over responses", bar=most(0.3)), Row("first chunk", "ours over responses")),
    ),
    Case(
        "stream of 200 chunks, Responses caller, chat hop",
        {"sdk": CHAT_STREAM, "ours over chat": RESPONSES_STREAM},
        (Row("CPU", "ours over chat", bar=most(0.3)), Row("first chunk", "ours over chat")),
    ),
)
"""The cases with bars; those that are no ratio of two batches are in `bench.alone`."""

CHUNKS = (50, 200, 800)


_FEW = Job(count=30)
_BOTH = (Row("CPU", "ours"), Row("calls/s", "ours"))


def _grown(name: str, job: Job, *, quick: bool, rows: tuple[Row, ...] = _BOTH[:1]) -> Case:
    """A case without bars; the SDK has neither hops nor models, and is asked the same without them."""
    return Case(name, {"sdk": replace(job, hops=3, models=0), "ours": job}, rows, long=True, quick=quick)


GROWTH = (
    *(_grown(f"prompt of {n} KiB", replace(_FEW, size=n * 1024), quick=n in (1, 1024)) for n in (1, 10, 100, 1024)),
    *(_grown(f"stream of {n} chunks", Job(stream=True, port=f"{n} chunks", count=10), quick=n < 800) for n in CHUNKS),
    *(_grown(f"chain of {n} hops", replace(_FEW, hops=n), quick=n != 2) for n in (1, 2, 20)),
    *(_grown(f"{n} models", replace(_FEW, models=n), quick=n != 100) for n in (1, 100, 1000)),
    *(
        _grown(f"{n} calls in flight", Job(at_once=n, count=max(64, n)), quick=n < 128, rows=_BOTH)
        for n in (1, 16, 128, 512)
    ),
)
"""How cost grows; no bars."""
