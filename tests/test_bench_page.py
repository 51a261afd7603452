"""What the page of the benchmark tells: rows that are no ratio of two batches, what their bars count, its profile."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import where
from bench import alone, page
from bench.cases import QUICK, most
from bench.figures import Bar, Figure
from bench.lanes import environment

COUNT_CERTIFICATES = """
import ssl
read, load = [], ssl.SSLContext.load_verify_locations
ssl.SSLContext.load_verify_locations = lambda *args, **named: (read.append(1), load(*args, **named))[1]
"""


# --- rows


class Decided:
    """A track whose lane tells the same parts of every chain."""

    def must(self, client: str) -> Decided:
        return self

    def ask(self, does: str, **told: object) -> dict[str, float]:
        return {"dispatch": 1.0, "plan": 2.0, "judge": 3.0, "a refusal": 100.0}


def test_the_bar_for_decisions_counts_the_judging_of_an_answer_and_not_the_naming_of_a_refusal() -> None:
    *made, refusal = alone.decisions(Decided(), QUICK)  # type: ignore[arg-type]

    assert {(figure.value, figure.bar, figure.detail) for figure in made} == {
        (6.0, Bar(20), "dispatch 1.0, plan 2.0, judge 3.0")
    }
    assert (refusal.value, refusal.bar) == (100.0, None)


def test_a_client_is_made_ready_by_http_and_by_https_with_the_same_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = dict.fromkeys(("ok", "second", "third"), "http://127.0.0.1:9")
    track = SimpleNamespace(provider=SimpleNamespace(urls=urls))
    monkeypatch.setattr(alone, "compared", lambda of, to, rounds: ([(2.0, 1.0)], [(4.0, 1.0)]))
    made = list(alone.imports(track, QUICK))  # type: ignore[arg-type]

    assert [(each.case, each.quantity, each.value, each.bar) for each in made[3:]] == [
        ("client ready, http", "time, ours / sdk", 0.5, Bar(1.05)),
        ("client ready, http", "CPU, ours / sdk", 1.0, Bar(1.05)),
        ("client ready, https", "time, ours / sdk", 0.5, Bar(1.05)),
        ("client ready, https", "CPU, ours / sdk", 1.0, Bar(1.05)),
        ("first call of a new process answered", "time, ours / sdk", 0.5, None),
        ("first call of a new process answered", "CPU, ours / sdk", 1.0, None),
    ]


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="this system keeps its certificates itself")
@pytest.mark.parametrize(("scheme", "ours_reads"), [("http", False), ("https", True)])
def test_a_client_that_is_ready_has_read_its_certificates_where_there_is_tls(scheme: str, ours_reads: bool) -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", f"{COUNT_CERTIFICATES}\n{code}\nprint(len(read))"],
            env=environment(), capture_output=True, text=True, check=True,
        ).stdout
        for code in alone.ready(scheme)
    ]  # fmt: skip

    assert [bool(int(each)) for each in told] == [ours_reads, True]


# --- page


def written(before: str) -> str:
    figures = [Figure("a call", "CPU", (0.5,), most(0.6)), Figure("a stream", "CPU", (0.9,), most(0.6))]
    told = {"ours": {"python": "3.11", "openai": "3"}}
    return page.page(before, figures, figures[:1], told, ["Machine: one"], alone.NOTES)


def test_the_page_has_every_figure_with_its_bar_and_what_is_not_met_stands_out() -> None:
    text = written("")

    assert "| a call | CPU | 0.50 |  | ≤ 0.6 | met |  |" in text
    assert "| a stream | CPU | 0.90 |  | ≤ 0.6 | **NOT MET** |  |" in text
    assert "| ours | python 3.11, openai 3 |" in text


def test_what_people_wrote_between_the_markers_outlasts_the_next_run() -> None:
    first = written("")
    told = first.replace("Not written yet.", "Half of it is\n\nthe socket.")

    assert "Not written yet." in first
    assert written(told) == told


def test_the_page_says_what_its_bars_count_and_what_went_before_its_slopes() -> None:
    text = " ".join(written("").split())

    assert "counts what an answered call takes: dispatch, plan, breakers and the judging of the answer" in text
    assert "To name the fault behind a refusal is a row of its own, without a bar." in text
    assert "20,000 calls before the 20,000 that are measured and may add 16 bytes each" in text
    assert "8,000 streams before the 2,000 that are measured and may add 64 bytes each" in text
    assert "A round counts where no batch of it began while something else used the processors" in text


def test_the_page_says_that_its_profile_is_of_another_run_than_its_tables() -> None:
    above, _, below = written("").partition(page.BEGIN)

    assert "another than that of the tables above" in above.rpartition("## Where the time goes")[2]
    assert "Not written yet." in below


def test_a_profile_begins_with_when_and_where_it_was_made_and_of_what(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(where, "CASES", {})
    before = time.strftime("%Y-%m-%d", time.gmtime())
    where.main()
    told = capsys.readouterr().out

    assert told.startswith(f"Profile of {before}, {page.machine()}; chatsheet_llm ")
    assert f"openai {openai.__version__}, httpx2 " in told
