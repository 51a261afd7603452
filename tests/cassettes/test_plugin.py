"""The plugin in a project of its own: which cassette a test has, and when it is recorded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest
from cassette_origin import JSON, Answer, Origin

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "chatsheet_llm.testing.plugin"
KEPT = ("PATH", "PYTHONPATH", "HOME", "SYSTEMROOT", "TMPDIR")
INSTALLED = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))

PROJECT = dedent(
    """
    import os

    import httpx2
    import pytest

    def ask(word):
        with httpx2.Client(trust_env=False) as client:
            return client.post(os.environ["ORIGIN"] + "/v1/responses", json={"input": word}).json()

    @pytest.mark.cassette("named")
    def test_named():
        assert ask("named") == {"said": "yes"}

    @pytest.mark.cassette
    @pytest.mark.parametrize("word", ["one two"])
    def test_unnamed(word):
        assert ask(word) == {"said": "yes"}

    def test_by_fixture(cassette):
        assert ask("fixture") == {"said": "yes"}
        assert [cassette.path.name, cassette.requests] == [
            "test_by_fixture.yaml", ["POST https://openai.example.invalid/v1/responses"]
        ]

    @pytest.mark.cassette("sub/fails.yaml")
    def test_fails():
        assert ask("fails") == {"said": "no"}
    """
)


def run(project: Path, origin: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", "--rootdir", "."),
            *(() if INSTALLED else ("-p", PLUGIN)),
            *arguments,
        ],
        capture_output=True,
        text=True,
        cwd=project,
        env={**kept, "ORIGIN": origin, **environment},
        check=False,
        timeout=60,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\ncassette_dir = tapes\n")
    (tmp_path / "test_it.py").write_text(PROJECT)
    return tmp_path


def tapes(project: Path) -> list[str]:
    return sorted(path.relative_to(project / "tapes").as_posix() for path in project.glob("tapes/**/*.yaml"))


def test_tests_are_recorded_once_and_replayed_without_the_server(project: Path, origin: Origin) -> None:
    origin.answers = [Answer(200, (JSON,), b'{"said": "yes"}')]
    recording = run(project, origin.url, "--record-mode=once")
    recorded = tapes(project)
    origin.close()
    replaying = run(project, origin.url)

    assert "1 failed, 3 passed" in recording.stdout
    assert recorded == ["named.yaml", "test_it/test_by_fixture.yaml", "test_it/test_unnamed-one-two.yaml"]
    assert "3 passed, 1 error" in replaying.stdout
    assert "there is no cassette" in replaying.stdout
    assert "record it with --record-mode=once" in replaying.stdout


def test_the_variable_sets_the_mode_and_the_option_wins(project: Path, origin: Origin) -> None:
    origin.answers = [Answer(200, (JSON,), b'{"said": "yes"}')]
    by_option = run(project, origin.url, "-k", "named", "--record-mode=none", CHATSHEET_RECORD_MODE="rewrite")
    unrecorded = tapes(project)
    by_variable = run(project, origin.url, "-k", "test_named", CHATSHEET_RECORD_MODE="rewrite")

    assert "there is no cassette" in by_option.stdout
    assert unrecorded == []
    assert "1 passed" in by_variable.stdout
    assert tapes(project) == ["named.yaml"]


def test_what_is_wrong_with_the_mode_or_the_marker_is_said(project: Path) -> None:
    (project / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.cassette('one', 'two')\ndef test_it():\n    pass\n"
    )
    mode = run(project, "", CHATSHEET_RECORD_MODE="always")
    marker = run(project, "")

    assert mode.returncode == pytest.ExitCode.USAGE_ERROR
    assert "CHATSHEET_RECORD_MODE or --record-mode is 'always'; allowed are none, once, rewrite" in mode.stderr
    assert "it is cassette(name, *, sockets=False, unplayed=False)" in marker.stdout


def test_a_run_without_cassettes_loads_neither_vcrpy_nor_an_sdk(project: Path) -> None:
    (project / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n    assert not {'vcr', 'openai', 'httpx2'} & sys.modules.keys()\n"
    )

    assert "1 passed" in run(project, "").stdout


BARE = dedent(
    """
    import pytest

    from chatsheet_llm import ChatClient

    def test_without_a_cassette():
        ChatClient()

    @pytest.mark.cassette("some", unplayed=True)
    def test_marked():
        ChatClient()
    """
)


def test_a_replay_without_settings_says_that_it_needs_them(project: Path) -> None:
    (project / "test_it.py").write_text(BARE)
    (project / "tapes").mkdir()
    shutil.copy(ROOT / "cassettes" / "sandbox" / "chat-parse.yaml", project / "tapes" / "some.yaml")
    told = run(project, "")

    assert "2 failed" in told.stdout
    assert told.stdout.count("a cassette replaces the network, not the settings: set an endpoint for the test") == 1


def test_the_marker_is_listed(project: Path) -> None:
    assert "@pytest.mark.cassette(name" in run(project, "", "--markers").stdout
