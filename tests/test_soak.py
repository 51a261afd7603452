"""A short soak, so that the long one keeps running, and its own judgement: a figure beyond its bar is told."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the soak reads /proc")


def test_a_short_soak_loses_nothing_and_keeps_nothing() -> None:
    command = [sys.executable, soak.__file__, "--calls", "300", "--seconds", "0.4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 in" in done.stdout
    assert "BAD" not in done.stdout


def told(rows: list[object], **more: object) -> dict[str, bool | None]:
    """Which figures are good, of a soak that went so."""
    log = soak.Log(len(rows), None, rows=rows, wrong=more.pop("wrong", []))
    gauge = soak.Gauge(more.pop("memory", [50.0] * 9), more.pop("descriptors", [20] * 9))
    weather = soak.Weather(None, 1.0, None, since={"azure": 0.0})
    kept = soak.Kept(**more)
    return {figure.name: figure.good for figure in soak.figures(log, kept, gauge, weather, 1.0)}


def row(**changed: object) -> object:
    plain = {"began": 1.0, "over": 2.0, "seconds": 1.0, "hop": "azure/chat", "attempts": 1, "sends": 1, "left": False}
    return soak.Row(**{**plain, **changed})


@pytest.mark.parametrize(
    ("what", "rows", "more"),
    [
        ("wrong answers", [row()], {"wrong": ["call 1: I2"]}),
        ("lost answers while a provider was well", [row(error="ProviderError")], {}),
        ("beyond the deadline, p99.9 and most", [row(seconds=soak.DEADLINE + 0.3)], {}),
        ("sends a call, in the mean and at most", [row(sends=5)], {}),
        ("memory by thirds, MiB", [row()], {"memory": [50.0] * 6 + [60.0] * 3}),
        ("descriptors by thirds", [row()], {"descriptors": [20] * 6 + [120] * 3}),
        ("connections in use at the end", [row()], {"connections": 1}),
        ("tasks, threads, descriptors more than before", [row()], {"threads": 1}),
    ],
)
def test_what_is_beyond_its_bar_is_told(what: str, rows: list[object], more: dict[str, object]) -> None:
    good = told(rows, **more)

    assert [name for name, found in good.items() if found is False] == [what]


def test_what_must_fail_is_not_lost_and_neither_is_what_nobody_could_answer() -> None:
    apart = row(error="ContentFilteredError", must_fail=True)
    begun_before = row(began=-1.0, error="ProviderError")

    assert False not in told([apart, begun_before, row()]).values()


def test_a_provider_is_well_only_from_when_it_answers_until_it_is_told_to_fail() -> None:
    weather = soak.Weather(None, 1.0, None, spans=[("azure", 10.0, 20.0)], since={"openai": 18.0})

    assert weather.was_well(10.0, 20.0)
    assert weather.was_well(19.0, time.monotonic() + 1000)
    assert not weather.was_well(9.0, 15.0)
    assert not weather.was_well(12.0, 21.0)
