"""README tells the truth: its code runs, its table is complete."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from chatsheet_llm.models_file import load_models
from chatsheet_llm.modes import RULES
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.variables import VARIABLES

PLUGIN = (
    ()
    if any(entry.value == "chatsheet_llm.testing.plugin" for entry in entry_points(group="pytest11"))
    else ("-p", "chatsheet_llm.testing.plugin")
)
"""What loads the plugin where the package is not installed."""
ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
MODELS = (ROOT / "docs" / "models.md").read_text()
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text()
PYPROJECT = (ROOT / "pyproject.toml").read_text()


def test_the_ten_lines_run_and_print_an_answer_and_its_route(tmp_path):
    code = re.search(r"```python\n(from chatsheet_llm import .*?)```", README, re.DOTALL)
    assert code is not None
    with Sandbox() as box:
        ran = subprocess.run(
            [sys.executable, "-c", code[1]],
            env={**os.environ, **box.env()}, cwd=tmp_path, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert "Hello" in ran.stdout
    assert "litellm/responses 200" in ran.stdout


def test_the_ten_lines_are_ten():
    code = re.search(r"```python\n(from chatsheet_llm import .*?)```", README, re.DOTALL)

    assert code is not None
    assert len(code[1].strip().splitlines()) <= 10


def test_the_test_it_shows_records_a_cassette_and_replays_it_without_settings(tmp_path):
    code = re.search(r"## In your tests.*?```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    (tmp_path / "test_greeting.py").write_text(code[1])
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir=.", *PLUGIN]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM_")}

    def run(*arguments, **environment):
        return subprocess.run(
            [*command, *arguments],
            env={**bare, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    with Sandbox() as box:
        recorded = run("--record-mode=once", **box.env())
    replayed = run()

    assert recorded.returncode == 0, recorded.stdout
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.yaml")] == [
        "cassettes/test_greeting/test_it_greets.yaml"
    ]
    assert replayed.returncode == 0, replayed.stdout


def test_the_table_names_every_variable_and_no_other():
    table = README[README.index("| variable (also read as)") : README.index("`models.yaml` gives models")]
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", table)) - {"CHATSHEET_ENDPOINTS__NAME__FIELD"}

    assert named == {variable for names in VARIABLES.values() for variable in names}


def measured(cases: str, quantity: str) -> list[float]:
    """The figures of the page of performance for the cases whose name begins so."""
    found = re.findall(rf"^\| {cases}[^|]*\| {re.escape(quantity)} \| ([\d.]+) \|", PERFORMANCE, re.MULTILINE)

    assert found, f"docs/performance.md has no row {cases!r}, {quantity!r}"
    return [float(each) for each in found]


def test_what_it_says_of_costs_is_what_was_measured():
    calls = measured("plain call", "CPU, ours / sdk") + measured("sync call", "CPU, ours sync / sdk sync")
    calls += measured("(?:chain of|1) ", "CPU, ours / sdk")
    streams = measured("(?:64 )?streams? of 200 chunks", "CPU, ours / sdk")
    streams += measured("stream of 200 chunks", "CPU, ours over chat / sdk")
    streams += measured("stream of 200 chunks", "CPU, ours over responses / sdk")
    told = " ".join(README.split())

    assert "0.3 to 0.6 of it for a short call" in told
    assert all(0.25 <= each < 0.65 for each in calls)
    assert "less than 0.1 with a hundred messages" in told
    assert all(each < 0.1 for each in measured("conversation of 100", "CPU, ours / sdk"))
    assert "0.1 to 0.4 for a streamed answer" in told
    assert all(0.05 <= each < 0.45 for each in streams)
    assert "at 128 calls in flight, four times as many a second" in told
    assert all(each >= 4 for each in measured("128 calls in flight", "calls/s, ours / sdk"))
    assert "takes up to 1.2 times as long to be ready" in told
    assert all(each <= 1.2 for each in measured("client ready", "time, ours / sdk"))


def test_what_it_links_to_is_part_of_the_source_distribution():
    listed = re.search(r"sdist\]\ninclude = \[(.*?)\]", PYPROJECT, re.DOTALL)
    assert listed is not None
    shipped = {*re.findall(r'"([^"]+)"', listed[1]), "pyproject.toml", "README.md", "LICENSE"}
    links = {link.partition("/")[0] for link in re.findall(r"\]\((?!https?:)([^)#]+)", README)}

    assert links <= shipped


def test_the_page_of_models_shows_a_file_that_loads(tmp_path):
    shown = re.search(r"```yaml\n(.*?)```", MODELS, re.DOTALL)
    assert shown is not None
    (tmp_path / "models.yaml").write_text(shown[1])

    assert list(load_models(tmp_path / "models.yaml", {"AZURE_EU_KEY": "key"}).models) == ["coder", "local", "*"]


def test_the_page_of_models_names_every_rule_in_its_order():
    table = MODELS[MODELS.index("| rule |") : MODELS.index("- A mode that the call")]

    assert re.findall(r"^\| `([a-z ]+)`", table, re.MULTILINE) == list(RULES)
