"""What the benchmark says and does when a client cannot be measured, and when the machine is busy.  No times."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from bench import __main__ as run
from bench import lanes
from bench.cases import FULL, QUICK, Case, Effort, Row, most
from bench.figures import Figure, total
from bench.jobs import Job, Port
from bench.lanes import Lane, LaneError, Provider, Track, counting

FINE = Job(count=1)
BROKEN = Job(count=1, hops=1, port="refused")
"""Nobody answers there, and no other hop is asked."""
PORTS = {**dict.fromkeys(("control", "ok", "second", "third"), Port()), "refused": Port(does="refuse")}
NOT_THERE = LaneError("litellm", "is not installed")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of runs that are short, and made of one case without a peer."""
    found = tmp_path / "performance.md"
    found.write_text("as it was", encoding="utf-8")
    monkeypatch.setattr(run, "_PAGE", found)
    monkeypatch.setattr(run, "FULL", replace(FULL, rounds=1))
    monkeypatch.setattr(run, "QUICK", replace(QUICK, rounds=1))
    monkeypatch.setattr(run, "ports", lambda effort: PORTS)
    monkeypatch.setattr(run, "GROWTH", ())
    monkeypatch.setattr(run, "ALONE", ())
    monkeypatch.setattr(lanes, "busy_share", lambda seconds: 0.0)
    asked(monkeypatch, {"sdk": FINE, "ours": FINE})
    return found


def asked(monkeypatch: pytest.MonkeyPatch, jobs: Mapping[str, Job]) -> None:
    rows = (Row("CPU", "ours", bar=most(1e9)), Row("calls/s", "ours", bar=most(0.0)))
    monkeypatch.setattr(run, "BARS", (Case("a call", jobs, rows),))


@pytest.fixture(scope="module")
def opened() -> Iterator[Track]:
    """Lanes that the tests share: to open one takes longer than a test."""
    with Provider(PORTS) as provider:
        made = Track(provider)
        yield made
        made.close()


@pytest.fixture
def track(opened: Track) -> Track:
    return Track(opened.provider, lanes=opened.lanes)


# --- a client that fails


@pytest.mark.parametrize("client", ["ours", "sdk"])
def test_a_run_fails_where_ours_or_the_sdk_makes_no_call_and_says_which_and_why(
    client: str, page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(monkeypatch, {client: BROKEN})
    code = run.main(["--quick"])
    told = capsys.readouterr().out

    assert code == 1
    assert f"FAILED: {client}, chat: {client}: " in told
    assert "Connection" in told
    assert f"could not be measured: {client}, chat\n" in told
    assert "0 of 2 rows met, 2 not run" in told


def test_no_page_is_written_without_one_of_our_lanes(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(monkeypatch, {"ours": BROKEN})
    code = run.main(["--write"])

    assert code == 1
    assert page.read_text(encoding="utf-8") == "as it was"
    assert "performance.md stays as it is" in capsys.readouterr().out


def test_a_page_is_written_where_every_lane_was_measured_whatever_its_figures_are(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run.main(["--write"])
    text = page.read_text(encoding="utf-8")

    assert code == 0
    assert "1 of 2 rows met, in " in capsys.readouterr().out
    assert text.startswith("# Performance")
    assert "| ≤ 0 | **NOT MET** |" in text
    assert "| ours | python 3" in text


@pytest.mark.parametrize(
    ("absent", "quick", "whole"),
    [
        ({"litellm": NOT_THERE}, [], ["litellm"]),
        ({"langchain, chat stream": LaneError("langchain", "failed")}, [], ["langchain, chat stream"]),
        ({"ours sync, chat": LaneError("ours sync", "failed")}, ["ours sync, chat"], ["ours sync, chat"]),
        ({"sdk, chat": LaneError("sdk", "failed"), "litellm": NOT_THERE}, ["sdk, chat"], ["sdk, chat", "litellm"]),
        ({}, [], []),
    ],
)
def test_only_peers_may_be_missing_and_only_from_a_quick_run(
    absent: Mapping[str, LaneError], quick: list[str], whole: list[str]
) -> None:
    assert run.failures(absent, quick=True) == quick
    assert run.failures(absent, quick=False) == whole


def test_a_peer_that_is_left_out_of_a_quick_run_is_told(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lanes, "python_of", lambda client: None if client == "litellm" else sys.executable)
    asked(monkeypatch, {"litellm": FINE})
    code = run.main(["--quick"])

    assert code == 0
    assert "left out: litellm: litellm: is not installed; run: make bench\n" in capsys.readouterr().out


def test_a_case_that_breaks_off_keeps_its_figures_and_says_that_the_rest_was_not_run(track: Track) -> None:
    def breaks(track: Track, effort: Effort) -> Iterator[Figure]:
        yield Figure("memory", "bytes", (1.0,), most(2))
        raise LaneError("ours", "failed")

    figures = list(run.measured([("memory", breaks)], track, QUICK))

    assert [(figure.case, figure.verdict) for figure in figures] == [("memory", "met"), ("memory", "not run")]
    assert run.failures(track.absent, quick=True) == ["ours, memory"]
    assert total(figures) == "1 of 2 rows met, 1 not run"


def test_a_process_that_has_ended_is_a_failure_of_its_client(track: Track) -> None:
    lane = Lane("ours", track.provider)
    lane._process.kill()
    lane._process.wait()

    for _ in range(2):
        with pytest.raises(LaneError, match="ours: its process has ended"):
            lane.run(FINE)
    lane.close()


def test_a_client_that_fails_after_some_rounds_gives_no_figure(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    track.watched = False
    ran, made = Lane.run, []

    def thrice(lane: Lane, job: Job) -> Mapping[str, object]:
        made.append(lane.client)
        if lane.client == "ours" and made.count("ours") == 3:
            raise LaneError("ours", "failed")
        return ran(lane, job)

    monkeypatch.setattr(Lane, "run", thrice)
    found = track.interleaved({"sdk": FINE, "ours": FINE}, 3)

    assert {client: len(each) for client, each in found.items()} == {"sdk": 3}
    assert list(track.absent) == ["ours, chat"]


# --- the total


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ([Figure("c", "CPU", (0.5,), most(0.6)), Figure("c", "CPU", (0.7,), most(0.6))], "1 of 2 rows met"),
        ([Figure("c", "CPU", (0.5,), most(0.6)), Figure("c", "CPU", (), most(0.6))], "1 of 2 rows met, 1 not run"),
        ([Figure("c", "CPU", (0.5,), most(0.6)), Figure("c", "CPU", ())], "1 of 1 rows met"),
        ([Figure("c", "CPU", (0.5,), most(0.6)), Figure("c", "CPU", (0.5,))], "1 of 1 rows met"),
        ([Figure("c", "CPU", (0.5,), most(0.6), judged=False)], "0 of 0 rows met"),
        ([Figure("c", "", ())], "0 of 1 rows met, 1 not run"),
    ],
)
def test_the_total_speaks_of_rows_with_a_bar_and_of_those_among_them_that_were_not_run(
    figures: list[Figure], said: str
) -> None:
    assert total(figures) == said


def test_a_word_that_no_case_has_is_refused(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run.main(["--quick", "--only", "a cull"])

    assert caught.value.code == 2
    assert "no case has 'a cull' in its name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "quick", "warned"), [(119.0, True, False), (140.0, True, True), (700.0, False, False)]
)
def test_a_quick_run_that_was_none_is_warned_of(seconds: float, quick: bool, warned: bool) -> None:
    assert bool(run.late(seconds, quick=quick)) is warned


def test_a_warning_of_a_slow_run_does_not_fail_it(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(track: Track, effort: Effort) -> Iterator[Figure]:
        yield Figure("a case", "CPU", (1.0,))

    monkeypatch.setattr(run, "QUICKLY", 0.0)
    monkeypatch.setattr(run, "BARS", ())
    monkeypatch.setattr(run, "ALONE", (told,))
    code = run.main(["--quick"])

    assert code == 0
    assert "warning: a quick run took " in capsys.readouterr().out


# --- a busy machine


@pytest.mark.parametrize(
    ("noise", "counted"),
    [([0, 0, 0], [0, 1, 2]), ([0, 2, 0], [0, 2]), ([0, 1], [0]), ([1, 0, 3], [0, 1, 2]), ([1, 1], [0, 1]), ([], [])],
)
def test_quiet_rounds_count_or_all_where_fewer_than_half_were_quiet(noise: list[int], counted: list[int]) -> None:
    assert counting(noise) == counted


@pytest.mark.parametrize(("loud", "rounds", "spoilt"), [({3}, 2, 0), ({3, 5}, 3, 2)])
def test_a_round_that_began_on_a_busy_machine_is_no_part_of_a_figure(
    track: Track, monkeypatch: pytest.MonkeyPatch, loud: set[int], rounds: int, spoilt: int
) -> None:
    monkeypatch.setattr(lanes, "busy_share", lambda seconds: 0.9 if track.batches in loud else 0.0)
    found = track.interleaved({"sdk": FINE, "ours": FINE}, 3)

    assert {client: len(each) for client, each in found.items()} == {"sdk": rounds, "ours": rounds}
    assert (track.batches, track.disturbed, track.spoilt) == (6, len(loud), spoilt)
    assert f"of which {len(loud)} began while" in track.noise
