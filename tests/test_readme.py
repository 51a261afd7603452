"""README tells the truth: its code runs, its table is complete."""

import os
import re
import subprocess
import sys
from pathlib import Path

from chatsheet_llm.models_file import load_models
from chatsheet_llm.modes import RULES
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
MODELS = (ROOT / "docs" / "models.md").read_text()


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


def test_the_table_names_every_variable_and_no_other():
    table = README[README.index("## Settings") : README.index("`models.yaml` gives models")]
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", table)) - {"CHATSHEET_ENDPOINTS__NAME__FIELD"}

    assert named == {variable for names in VARIABLES.values() for variable in names}


def test_the_page_of_models_shows_a_file_that_loads(tmp_path):
    shown = re.search(r"```yaml\n(.*?)```", MODELS, re.DOTALL)
    assert shown is not None
    (tmp_path / "models.yaml").write_text(shown[1])

    assert list(load_models(tmp_path / "models.yaml", {"AZURE_EU_KEY": "key"}).models) == ["coder", "local", "*"]


def test_the_page_of_models_names_every_rule_in_its_order():
    table = MODELS[MODELS.index("| rule |") : MODELS.index("A mode that call")]

    assert re.findall(r"^\| `([a-z ]+)`", table, re.MULTILINE) == list(RULES)
