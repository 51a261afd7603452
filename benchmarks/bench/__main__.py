"""Run the benchmark and print its tables: ``python -m bench [--quick] [--only WORD] [--write]``.  No figure fails."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from bench import page
from bench.alone import ALONE
from bench.cases import BARS, FULL, GROWTH, LEFT_OUT, QUICK, Case, Effort, ports
from bench.figures import Figure
from bench.jobs import PROVIDER_CPU, pin
from bench.lanes import ROOT, LaneError, Provider, Track

_PAGE = ROOT / "docs" / "performance.md"
_TRANSPORTS = ("openai", "httpx2", "httpx", "aiohttp", "pydantic")
_DISTRIBUTIONS = ["chatsheet_llm", *_TRANSPORTS, "litellm", "pydantic-ai-slim", "langchain-openai"]
Measure = Callable[[Track, Effort], list[Figure]]


def measured(cases: Iterable[tuple[str, Measure]], track: Track, effort: Effort) -> Iterator[Figure]:
    """Run the cases; say each one's figures as soon as it has them."""
    for name, figures in cases:
        begun = time.monotonic()
        print(f"# {name}", end="", flush=True, file=sys.stderr)
        try:
            found = figures(track, effort)
        except LaneError as error:
            print(f"\n{error}", file=sys.stderr)
            found = [Figure(name, "", ())]
        print(f" ({time.monotonic() - begun:.0f} s)", file=sys.stderr)
        yield from found


def named(cases: Iterable[Case], only: str, effort: Effort) -> list[tuple[str, Measure]]:
    return [(case.name, case.figures) for case in cases if only in case.name and (case.quick or effort.whole)]


def versions(track: Track) -> dict[str, Mapping[str, str]]:
    """Return what each environment has installed."""
    clients = ("ours", "litellm", "pydantic-ai", "langchain")
    lanes = {client: lane for client in clients if (lane := track.lane(client)) is not None}
    return {client: lane.ask("versions", names=_DISTRIBUTIONS) for client, lane in lanes.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds, in under two minutes")
    parser.add_argument("--only", default="", help="only the cases with this word in their name")
    parser.add_argument("--write", action="store_true", help=f"write {_PAGE.relative_to(ROOT)}")
    told = parser.parse_args()
    if told.write and (told.quick or told.only):
        parser.error("the page is written from a whole run only; leave out --quick and --only")
    effort = QUICK if told.quick else FULL
    pin(PROVIDER_CPU)
    begun = time.monotonic()
    with Provider(ports(effort)) as provider:
        track = Track(provider, 300.0, LEFT_OUT if told.quick else (), watched=not told.quick)
        try:
            apart: list[tuple[str, Measure]] = [(each.__name__, each) for each in ALONE if told.only in each.__name__]
            bars = list(measured([*named(BARS, told.only, effort), *apart], track, effort))
            growth = list(measured(named(GROWTH, told.only, effort), track, effort))
            installed = versions(track)
        finally:
            track.close()
    conditions = [
        f"Machine: {page.machine()}; the provider runs on {provider.loop}.",
        f"Batches: {track.batches}"
        + (f", of which {track.disturbed} began while something else used the processors." if track.watched else "."),
    ]
    print(page.aligned(bars))
    print(f"\nHow cost grows\n{page.aligned(growth)}")
    print("\n" + "\n".join(conditions))
    for client, why in track.absent.items():
        print(f"left out: {client}: {why.splitlines()[0]}")
    failed = sum(figure.verdict == "NOT MET" for figure in bars)
    judged = failed + sum(figure.verdict == "met" for figure in bars)
    print(f"{judged - failed} of {judged} bars met, in {time.monotonic() - begun:.0f} s")
    if told.write:
        before = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""
        _PAGE.write_text(page.page(before, bars, growth, installed, conditions), encoding="utf-8")


if __name__ == "__main__":
    main()
