"""``demo``: every scene ends as it should, a scene that does not is noticed, and nothing of the user's is read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatsheet_llm.cli import demo
from chatsheet_llm.cli.scenes import SCENES, Outcome, Scene, judged, signature
from chatsheet_llm.route import Attempt, Route

Invoke = Callable[..., Any]


def test_the_demo_plays_its_scenes_live_and_sums_up_within_80_plain_columns(
    start: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = start("demo", "--fast")
    out, err = (raw.decode() for raw in process.communicate(timeout=30))

    table = out[out.index("hops tried") :].splitlines()
    assert (process.returncode, err) == (0, "")
    assert "\x1b" not in out
    assert out.index("Answered by litellm/chat") < out.index("2. proxy down") < out.index("hops tried")
    assert max(map(len, table)) <= 80
    assert [line[0] for line in table if line[:1].isdigit()] == ["1", "2", "3", "4", "5", "6", "7", "7"]
    assert table[-1].startswith("7 of 7 scenes ended as they should")
    assert "WRONG" not in out


def test_the_demo_reads_nothing_of_the_users(cwd: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    (cwd / "models.yaml").write_text("models: [{alias: gpt-5, chain: [nowhere]}, {alias: gpt-5}]")
    (cwd / ".env").write_text("CHATSHEET_DEADLINE=-1\n")
    for name, value in {
        "CHATSHEET_CHAIN": "nowhere",
        "CHATSHEET_MAX_SENDS": "1",
        "LITELLM_BASE_URL": "ftp://nowhere",
        "CHATSHEET_ENDPOINTS__LITELLM__MODES": "messages",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "SSL_CERT_FILE": "/nowhere.pem",
    }.items():
        monkeypatch.setenv(name, value)

    result = invoke("demo", "--fast", "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["ok"] is True
    assert [scene["wrong"] for scene in told["scenes"]] == [[]] * 7
    assert [scene["error"] for scene in told["scenes"]] == [None] * 6 + ["StreamTruncated"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_scene_that_ends_otherwise_fails_the_demo(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr(demo, "SCENES", (SCENES[0], replace(SCENES[0], faults=(("litellm", "503"),))))

    result = invoke("demo", "--fast", *options)

    assert result.exit_code == 1
    assert "hops were litellm/chat 503 -> azure/responses 200, not litellm/chat 200" in result.stdout


def attempt(hop: str, status: int | None = 200, outcome: str = "ok", waited: float = 0.0) -> Attempt:
    endpoint = hop.partition("/")[0]
    return Attempt(hop, endpoint, "chat", "gpt-5", "", outcome, "answered", status=status, waited=waited)


WHOLE = Scene("whole", "", ("litellm/chat refused", "azure/chat 200"), "azure/chat", untouched=("openai",), waited=1.0)
WHOLE_END = Outcome(
    WHOLE,
    f"You said: hi\n{signature(WHOLE)}",
    None,
    None,
    Route((attempt("litellm/chat", None, "refused"), attempt("azure/chat", waited=1.0))),
    0.1,
)
BROKEN = Scene("broken", "", ("litellm/chat truncated",), "litellm/chat", error="StreamTruncated")
BROKEN_END = Outcome(
    BROKEN, "You said:", "You said:", "StreamTruncated", Route((attempt("litellm/chat", 200, "truncated"),)), 0.1
)


@pytest.mark.parametrize(("scene", "end"), [(WHOLE, WHOLE_END), (BROKEN, BROKEN_END)])
def test_the_right_end_is_right(scene: Scene, end: Outcome) -> None:
    assert judged(scene, end, "hi", {"openai": 0}) == ()


@pytest.mark.parametrize(
    ("scene", "end", "hits"),
    [
        (WHOLE, replace(WHOLE_END, text="You said: hi"), 0),
        (WHOLE, replace(WHOLE_END, text=WHOLE_END.text + "Answered by litellm/chat as gpt-5."), 0),
        (WHOLE, replace(WHOLE_END, route=Route((attempt("azure/chat", waited=1.0),))), 0),
        (WHOLE, replace(WHOLE_END, route=Route((WHOLE_END.route.attempts[0], attempt("azure/chat", waited=0.9)))), 0),
        (WHOLE, WHOLE_END, 1),
        (BROKEN, replace(BROKEN_END, error="StreamInterrupted"), 0),
        (BROKEN, replace(BROKEN_END, partial="You"), 0),
        (BROKEN, replace(BROKEN_END, text="", partial=""), 0),
        (BROKEN, replace(BROKEN_END, text="You heard:", partial="You heard:"), 0),
    ],
    ids=[
        "text missing", "text of two hops", "hop missing", "waited too short", "hop touched", "other error",
        "other partial", "no partial", "foreign partial",
    ],
)  # fmt: skip
def test_each_check_notices_its_fault(scene: Scene, end: Outcome, hits: int) -> None:
    assert len(judged(scene, end, "hi", {"openai": hits})) == 1


def test_the_scenes_are_told_in_lines_that_fit_a_terminal() -> None:
    assert [scene.tells for scene in SCENES if len(scene.tells) > 80] == []
    assert len({scene.title for scene in SCENES}) == len(SCENES) == 7
