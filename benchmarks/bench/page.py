"""Write ``docs/performance.md`` from a run.  What people wrote between the markers stays as it is."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figures import HEAD, Figure

BEGIN, END = "<!-- profile: written by hand, kept by the writer -->", "<!-- end of the profile -->"
_NO_PROFILE = "Not written yet."
_TRANSPORTS = ("openai", "httpx2", "httpx", "aiohttp", "pydantic")
DISTRIBUTIONS = ("chatsheet_llm", *_TRANSPORTS, "litellm", "pydantic-ai-slim", "langchain-openai")
"""Those whose versions are told."""

_TOP = """# Performance

Written by `make bench`; change the benchmark, not the tables. `make bench-quick` prints some of the cases, in smaller
rounds and without pydantic-ai and LangChain, in under two minutes.

Every client runs in a process of its own, on one CPU; the provider runs on the other and answers with bytes made once.
They take turns, in alternating order. A ratio is the median of the ratios of the rounds, and its
spread half their interquartile range: times belong to the machine, ratios travel. CPU is that of the whole process,
every thread, work that was left for later included. The bare SDK (`sdk`) is `AsyncOpenAI` as it comes. A round counts
where no batch of it began while something else used the processors; where fewer than half of a case's rounds are as
quiet, all of them do.
"""
_PROFILE = """
What follows is written by hand from a run of `benchmarks/where.py`, another than that of the tables above: its first
line says when, where and of what it was.
"""


def aligned(figures: Sequence[Figure]) -> str:
    """Return a table for a terminal."""
    rows = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def table(figures: Sequence[Figure]) -> str:
    """Return a table in Markdown; what is not met stands out."""
    rows = [[f"**{cell}**" if cell == "NOT MET" else cell for cell in figure.cells()] for figure in figures]
    lines = [" | ".join(HEAD), " | ".join("---" for _ in HEAD), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def machine() -> str:
    """Return the kind of this machine: processor, number of them, system, Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    kind = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{os.cpu_count()} processors, {kind}, {system}, Python {platform.python_version()}"


def run_of(versions: Mapping[str, str]) -> str:
    """Return when and where a run was made, and of what."""
    told = ", ".join(f"{name} {number}" for name, number in versions.items() if name != "python")
    return f"{today()}, {machine()}; {told}"


def today() -> str:
    """Return the date, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def kept(page: str) -> str:
    """Return what stands between the markers of a page, or the words for nothing."""
    _, begun, rest = page.partition(BEGIN)
    text, ended, _ = rest.partition(END)
    return text.strip() if begun and ended else _NO_PROFILE


def page(
    before: str,
    bars: Sequence[Figure],
    growth: Sequence[Figure],
    versions: Mapping[str, Mapping[str, str]],
    conditions: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """Return the whole page; ``before`` is the page as it was, ``notes`` are for readers of the bars."""
    installed = []
    for client, found in versions.items():
        told = ", ".join(f"{name} {number}" for name, number in found.items())
        installed.append(f"| {client} | {told} |")
    parts = [
        _TOP,
        "\n".join(f"- {line}" for line in conditions),
        "| client | versions |\n| --- | --- |\n" + "\n".join(installed),
        "## Bars",
        "\n".join(f"- {line}" for line in notes),
        table(bars),
        "## How cost grows",
        table(growth),
        "## Where the time goes",
        _PROFILE,
        f"{BEGIN}\n\n{kept(before)}\n\n{END}",
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"
