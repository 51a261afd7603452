"""``ask`` against the sandbox: what goes to stdout, what to stderr, and what reaches the hop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from chatsheet_llm.cli.reading import Reading
from chatsheet_llm.sandbox import Sandbox

Invoke = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


def test_the_answer_alone_goes_to_stdout(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("ask", "hello", "-m", "gpt-5")

    assert result.exit_code == 0
    assert result.stdout == "You said: hello\nAnswered by litellm/chat as gpt-5.\n"
    assert result.stderr == ""
    assert box.requests[0].json is not None
    assert box.requests[0].json["stream"] is True


def test_the_route_goes_to_stderr(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "503")

    result = invoke("ask", "hello", "-m", "gpt-5", "--route")

    assert result.stdout == "You said: hello\nAnswered by azure/responses as gpt-5.\n"
    assert "route: litellm/chat 503 -> azure/responses 200" in result.stderr
    assert "503 overload" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "prompt"),
    [
        (("Summarise",), "the text\n", "Summarise\n\nthe text\n"),
        (("-",), "the text", "the text"),
        ((), "the text", "the text"),
        (("Summarise",), "", "Summarise"),
        (("Summarise",), "\ufeffÄ ß ✓".encode(), "Summarise\n\nÄ ß ✓"),
    ],
)
def test_argument_and_stdin_make_the_prompt(
    box: Sandbox, invoke: Invoke, arguments: tuple[str, ...], stdin: str | bytes, prompt: str
) -> None:
    result = invoke("ask", *arguments, "-m", "gpt-5", stdin=stdin)

    assert result.exit_code == 0, result.stderr
    assert (box.requests[0].json or {})["messages"] == [{"role": "user", "content": prompt}]


@pytest.mark.parametrize("stdin", ["", " \n"])
def test_a_prompt_of_nothing_is_refused(box: Sandbox, invoke: Invoke, stdin: str) -> None:
    result = invoke("ask", "-", "-m", "gpt-5", stdin=stdin)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: there is no prompt" in result.stderr


def test_stdin_that_is_not_utf8_is_refused_in_words(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("ask", "-m", "gpt-5", stdin=b"\xff\xfe\x00")

    assert result.exit_code == 2
    assert "error: stdin is not UTF-8 text" in result.stderr


def test_every_option_reaches_the_hop(box: Sandbox, invoke: Invoke) -> None:
    options = ("--system", "Be brief.", "--chain", "azure", "--mode", "chat", "--effort", "low", "--no-stream")

    result = invoke("ask", "hello", "-m", "gpt-5", *options)

    assert result.exit_code == 0, result.stderr
    (request,) = box.requests
    assert request.hop == "azure/chat"
    body = request.json or {}
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    assert body["reasoning_effort"] == "low"
    assert not body.get("stream")
    assert "chatsheet" not in body


def test_the_deadline_holds(box: Sandbox, invoke: Invoke) -> None:
    box.inject("azure", "stall")

    result = invoke("ask", "hello", "-m", "gpt-5", "-c", "azure/chat", "--deadline", "0.2")

    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert box.hits("azure") == 1


@pytest.mark.parametrize("deadline", ["0", "-1", "nan", "inf"])
def test_a_deadline_that_is_none_is_refused_by_the_name_of_its_option(
    box: Sandbox, invoke: Invoke, deadline: str
) -> None:
    result = invoke("ask", "hello", "-m", "gpt-5", "--deadline", deadline)

    assert result.exit_code == 2
    assert f"--deadline must be a number of seconds greater than 0; got {deadline}" in result.stderr
    assert box.requests == []


def test_on_loss_takes_two_words(box: Sandbox, invoke: Invoke) -> None:
    assert invoke("ask", "hello", "-m", "gpt-5", "--on-loss", "dropp").exit_code == 2
    assert invoke("ask", "hello", "-m", "gpt-5", "--on-loss", "drop").exit_code == 0
    assert len(box.requests) == 1


def test_the_first_model_of_the_registry_is_the_default(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text("models:\n  - alias: gpt-5-mini\n  - alias: gpt-5\n")

    assert "as gpt-5-mini." in invoke("ask", "hello").stdout


def test_a_chain_on_the_command_line_wins_over_that_of_the_model(box: Sandbox, cwd: Path, invoke: Invoke) -> None:
    (cwd / "models.yaml").write_text("models:\n  - alias: gpt-5\n    chain: [litellm]\n")

    assert "Answered by azure/chat" in invoke("ask", "hello", "-c", "azure/chat").stdout


def test_json_is_one_object_with_the_whole_story(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "503")

    result = invoke("ask", "hello", "-m", "gpt-5", "--json")

    told = json.loads(result.stdout)
    assert told["text"] == "You said: hello\nAnswered by azure/responses as gpt-5."
    assert (told["model"], told["finish_reason"], told["refused"]) == ("gpt-5", "stop", False)
    assert told["usage"]["total_tokens"] > 0
    assert [(a["hop"], a["status"]) for a in told["route"]["attempts"]] == [
        ("litellm/chat", 503),
        ("azure/responses", 200),
    ]
    assert told["route"]["hop"] == "azure/responses"
    assert [loss["path"] for loss in told["route"]["losses"]] == ["content_filters"]
    assert result.stderr == ""


def test_json_of_a_failed_call_is_an_object_too(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "400:context_length_exceeded")

    result = invoke("ask", "hello", "-m", "gpt-5", "--json")

    told = json.loads(result.stdout)["error"]
    assert result.exit_code == 1
    assert (told["type"], told["status"]) == ("ContextLengthError", 400)
    assert [attempt["hop"] for attempt in told["route"]["attempts"]] == ["litellm/chat"]
    assert "error: " in result.stderr


def test_a_broken_stream_shows_what_came_and_says_that_it_is_not_whole(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "cut:3")

    result = invoke("ask", "hello world", "-m", "gpt-5")

    assert result.exit_code == 1
    assert result.stdout == "You said: hello\n"
    assert "error: the stream ended without its terminal event" in result.stderr
    assert "truncated" in result.stderr
    assert box.hits("azure") == 0


def test_an_answer_that_begins_anew_does_so_on_a_line_of_its_own_and_says_so(
    box: Sandbox, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSHEET_STREAM_RECOVERY", "restart")
    box.inject("litellm", "cut:3")

    result = invoke("ask", "hello there", "-m", "gpt-5")

    assert result.exit_code == 0
    assert result.stdout == "You said: hello\nYou said: hello there\nAnswered by azure/responses as gpt-5.\n"
    assert result.stderr.startswith("note: litellm/chat broke (")
    assert result.stderr.endswith("; azure/responses answers anew, forget the text above\n")


def test_an_answer_that_was_cut_or_refused_is_remarked(box: Sandbox, invoke: Invoke) -> None:
    refused = invoke("ask", "refuse politely", "-m", "gpt-5")
    box.inject("litellm", "content-filter")
    filtered = invoke("ask", "hello", "-m", "gpt-5")

    assert refused.stdout == "I am sorry, but I cannot help with that.\n"
    assert refused.stderr == "note: the model refused\n"
    assert filtered.stderr == "note: the answer was cut off by the content filter\n"


def test_the_wait_that_a_server_asks_for_is_told(box: Sandbox, invoke: Invoke) -> None:
    box.inject("azure", "429;retry-after=300")

    result = invoke("ask", "hello", "-m", "gpt-5", "-c", "azure/chat", "--deadline", "5")

    assert result.exit_code == 1
    assert "429 rate" in result.stderr
    assert "try again after " in result.stderr


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "[b", ":smile:", "https://example.com/[0]", "1 \\[x]"])
def test_nothing_in_an_answer_is_taken_for_markup(box: Sandbox, invoke: Invoke, text: str) -> None:
    assert invoke("ask", text, "-m", "gpt-5").stdout.startswith(f"You said: {text}\n")


def test_nothing_in_an_error_is_taken_for_markup(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("ask", "hello", "-m", "gpt-5", "-c", "[/red]")

    assert result.exit_code == 2
    assert "hop '[/red]'" in result.stderr


def test_a_misspelt_variable_is_warned_of_without_our_source_line(
    box: Sandbox, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSHEET_DEADLIN", "5")

    result = invoke("ask", "hello", "-m", "gpt-5")

    assert result.exit_code == 0
    assert "warning: CHATSHEET_DEADLIN is no setting" in result.stderr
    assert ".py" not in result.stderr


def chunk(choices: object = (), **fields: Any) -> ChatCompletionChunk:
    return ChatCompletionChunk.construct(id="", choices=choices, **fields)


def test_chunks_without_choices_and_choices_without_delta_are_read() -> None:
    """Built from documented facts, not recorded: Azure's asynchronous filter sends such chunks."""
    reading = Reading()
    chunks = [
        chunk(prompt_filter_results=[{"prompt_index": 0}]),
        chunk(choices=None),
        chunk(choices=[{"index": 0, "delta": None, "finish_reason": None}]),
        chunk(choices=[{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]),
        chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        chunk(choices=[{"index": 0, "delta": None, "finish_reason": None, "content_filter_offsets": {}}]),
    ]

    assert [reading.take(item) for item in chunks] == ["", "", "", "Hello", "", ""]
    assert (reading.text, reading.finish_reason, reading.remarks) == ("Hello", "stop", [])


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_text_arrives_while_the_stream_runs_and_ctrl_c_ends_it_quietly(box: Sandbox, start: Start) -> None:
    box.inject("litellm", "stall:3")

    process = start("ask", "hello world", "-m", "gpt-5")
    assert process.stdout is not None
    first = b""
    while not first.endswith(b"hello"):
        first += os.read(process.stdout.fileno(), 1)
    # A signal between Python's last look and the system call that waits for bytes is heard only after that call.
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)

    assert process.returncode == 130
    assert (first + out).decode() == "You said: hello\n"
    assert err == b""


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error there")
def test_a_reader_who_goes_away_is_no_error(box: Sandbox, start: Start) -> None:
    box.inject("litellm", "slow:0.3")

    process = start("ask", "hello world", "-m", "gpt-5")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=10)

    assert (process.returncode, err) == (141, b"")


def test_a_terminal_that_cannot_show_a_character_gets_a_question_mark(box: Sandbox, start: Start) -> None:
    process = start("ask", "3 ✓ é", "-m", "gpt-5", env={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=10)

    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"You said: 3 ? ?")


@pytest.mark.skipif(os.name == "nt", reason="closes a descriptor before the start")
def test_a_process_without_stdin_can_ask(box: Sandbox, start: Start) -> None:
    process = start("ask", "hello", "-m", "gpt-5", stdin=None, preexec_fn=lambda: os.close(0))
    out, err = process.communicate(timeout=10)

    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"You said: hello")
