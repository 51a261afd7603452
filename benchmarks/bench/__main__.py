"""Run the benchmark and print its tables: ``python -m bench [--quick] [--only WORD] [--write]``.  No figure fails.

It ends with 1 where a client could not be measured, and then writes nothing; a quick run may do without a peer.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bench import page
from bench.alone import ALONE, NOTES
from bench.cases import BARS, FULL, GROWTH, LEFT_OUT, PEERS, QUICK, QUICKLY, Case, Effort, ports
from bench.figures import Figure, total
from bench.jobs import PROVIDER_CPU, pinned
from bench.lanes import ROOT, LaneError, Provider, Track

_PAGE = ROOT / "docs" / "performance.md"
Measure = Callable[[Track, Effort], Iterable[Figure]]


def measured(cases: Iterable[tuple[str, Measure]], track: Track, effort: Effort) -> Iterator[Figure]:
    """Run the cases; say what each took, and give the figures that it had when it broke off."""
    for name, figures in cases:
        begun = time.monotonic()
        print(f"# {name}", end="", flush=True, file=sys.stderr)
        try:
            yield from figures(track, effort)
        except LaneError as error:
            track.absent[f"{error.client}, {name}"] = error
            yield Figure(name, "", ())
        print(f" ({time.monotonic() - begun:.0f} s)", file=sys.stderr)


def named(cases: Iterable[Case], only: str, effort: Effort) -> list[tuple[str, Measure]]:
    return [(case.name, case.figures) for case in cases if only in case.name and (case.quick or effort.whole)]


def versions(track: Track) -> dict[str, Mapping[str, str]]:
    """Return what each environment that was measured has installed."""
    lanes = {client: track.lanes[client] for client in ("ours", *PEERS) if client in track.lanes}
    return {client: lane.ask("versions", names=page.DISTRIBUTIONS) for client, lane in lanes.items()}


def failures(absent: Mapping[str, LaneError], *, quick: bool) -> list[str]:
    """Return what must not be missing: in a quick run all but peers, else everything."""
    return [what for what, error in absent.items() if not (quick and error.client in PEERS)]


def late(seconds: float, *, quick: bool) -> str | None:
    """Return a warning where a quick run was none."""
    if not quick or seconds <= QUICKLY:
        return None
    return f"warning: a quick run took {seconds:.0f} s; on a quiet machine it is to take less than {QUICKLY:.0f} s"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds, in under two minutes")
    parser.add_argument("--only", default="", help="only the cases with this word in their name")
    parser.add_argument("--write", action="store_true", help=f"write {_PAGE.name}")
    told = parser.parse_args(words)
    if told.write and (told.quick or told.only):
        parser.error("the page is written from a whole run only; leave out --quick and --only")
    effort = QUICK if told.quick else FULL
    apart: list[tuple[str, Measure]] = [(each.__name__, each) for each in ALONE if told.only in each.__name__]
    barred, grown = [*named(BARS, told.only, effort), *apart], named(GROWTH, told.only, effort)
    if not barred and not grown:
        parser.error(f"no case has {told.only!r} in its name")
    begun = time.monotonic()
    installed: dict[str, Mapping[str, str]] = {}
    with pinned(PROVIDER_CPU), Provider(ports(effort)) as provider:
        track = Track(provider, 300.0, LEFT_OUT if told.quick else (), watched=not told.quick)
        try:
            bars = list(measured(barred, track, effort))
            growth = list(measured(grown, track, effort))
            failed = failures(track.absent, quick=told.quick)
            if told.write and not failed:
                installed = versions(track)
        finally:
            track.close()
    conditions = [
        f"Run of {page.today()}. Machine: {page.machine()}; the provider runs on {provider.loop}.",
        f"Batches: {track.batches}" + (f", {track.noise}." if track.watched else "."),
    ]
    print(page.aligned(bars))
    print(f"\nHow cost grows\n{page.aligned(growth)}")
    print("\n" + "\n".join(conditions))
    for what, error in track.absent.items():
        why = str(error) if what in failed else str(error).splitlines()[0]
        print(f"{'FAILED' if what in failed else 'left out'}: {what}: {why.strip()}")
    took = time.monotonic() - begun
    print(f"{total(bars)}, in {took:.0f} s")
    if warning := late(took, quick=told.quick):
        print(warning)
    if failed:
        print(f"could not be measured: {'; '.join(failed)}{f'; {_PAGE.name} stays as it is' if told.write else ''}")
        return 1
    if told.write:
        before = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""
        _PAGE.write_text(page.page(before, bars, growth, installed, conditions, NOTES), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
