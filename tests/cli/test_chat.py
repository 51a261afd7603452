"""``chat``: piped lines, commands, answers that break off; and once on a real terminal."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from chatsheet_llm.sandbox import Sandbox

Invoke = Callable[..., Any]


def said(box: Sandbox) -> list[list[tuple[str, str]]]:
    """Return role and content of every message, by Chat request."""
    bodies: list[Any] = [request.json for request in box.requests if "messages" in (request.json or {})]
    return [[(message["role"], message["content"]) for message in body["messages"]] for body in bodies]


def test_each_line_is_answered_with_what_was_said_before_in_mind(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("chat", "-m", "gpt-5", "-s", "Be brief.", stdin="one\n\ntwo\n")

    answer = "You said: one\nAnswered by litellm/chat as gpt-5."
    assert result.exit_code == 0
    assert result.stdout == f"{answer}\n{answer.replace('one', 'two')}\n"
    assert result.stderr == ""
    assert said(box) == [
        [("system", "Be brief."), ("user", "one")],
        [("system", "Be brief."), ("user", "one"), ("assistant", answer), ("user", "two")],
    ]
    assert all((request.json or {})["stream"] is True for request in box.requests)


def test_reset_forgets_everything_but_the_system_message(box: Sandbox, invoke: Invoke) -> None:
    invoke("chat", "-m", "gpt-5", "-s", "Be brief.", stdin="one\n/reset\ntwo\n")

    assert said(box)[1] == [("system", "Be brief."), ("user", "two")]


def test_quit_ends_at_once(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("chat", "-m", "gpt-5", stdin="/quit\none\n")

    assert (result.exit_code, result.stdout, box.requests) == (0, "", [])


def test_the_model_can_be_changed(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("chat", "-m", "gpt-5", stdin="/model\n/model gpt-5-mini\none\n")

    assert "as gpt-5-mini." in result.stdout
    assert "The model is gpt-5.\nThe model is gpt-5-mini.\n" in result.stderr


def test_route_tells_of_the_last_answer(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "503", times=1)

    result = invoke("chat", "-m", "gpt-5", stdin="/route\none\n/route\n")

    assert "There is no answer yet." in result.stderr
    assert "route: litellm/chat 503 -> azure/responses 200" in result.stderr


def test_an_unknown_command_is_not_sent_but_can_be(box: Sandbox, invoke: Invoke) -> None:
    result = invoke("chat", "-m", "gpt-5", stdin="/qiut\n /qiut\n/etc/hosts is what?\n")

    assert "there is no command '/qiut'" in result.stderr
    assert [messages[-1] for messages in said(box)] == [("user", "/qiut"), ("user", "/etc/hosts is what?")]


def test_an_interrupted_answer_stays_as_far_as_it_came_and_the_talk_goes_on(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "cut:3;times=1")

    result = invoke("chat", "-m", "gpt-5", stdin="hello world\ngo on\n")

    assert result.stdout.startswith("You said: hello\nYou said: go on\n")
    assert "error: the stream ended without its terminal event" in result.stderr
    assert "note: the answer was interrupted; what came of the answer stays in the conversation" in result.stderr
    assert said(box)[-1] == [("user", "hello world"), ("assistant", "You said: hello"), ("user", "go on")]
    assert result.exit_code == 1


def test_of_an_answer_that_began_anew_only_the_whole_one_is_remembered(
    box: Sandbox, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSHEET_STREAM_RECOVERY", "restart")
    box.inject("litellm", "cut:3;times=1")

    result = invoke("chat", "-m", "gpt-5", stdin="one two\nthree\n")

    whole = "You said: one two\nAnswered by azure/responses as gpt-5."
    assert result.exit_code == 0
    assert result.stdout.startswith(f"You said: one\n{whole}\n")
    assert "; azure/responses answers anew" in result.stderr
    assert said(box)[-1] == [("user", "one two"), ("assistant", whole), ("user", "three")]


def test_a_failed_call_leaves_no_trace_and_the_talk_goes_on(box: Sandbox, invoke: Invoke) -> None:
    box.inject("litellm", "400:content_filter;times=1")

    result = invoke("chat", "-m", "gpt-5", stdin="one\ntwo\n")

    assert "error: the content filter refused the prompt" in result.stderr
    assert "your message is not in the conversation" in result.stderr
    assert said(box)[-1] == [("user", "two")]
    assert result.stdout == "You said: two\nAnswered by litellm/chat as gpt-5.\n"
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no model is named"),
        (("-m", "gpt-5", "-c", "azur"), "did you mean 'azure'?"),
        (("-m", "gpt-5", "--deadline", "0"), "--deadline must be"),
    ],
)
def test_what_is_wrong_from_the_start_is_said_before_the_first_line(
    box: Sandbox, invoke: Invoke, arguments: tuple[str, ...], says: str
) -> None:
    result = invoke("chat", *arguments, stdin="one\n")

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_at_a_terminal_ctrl_c_stops_the_answer_and_not_the_talk(
    box: Sandbox, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    import pty

    box.inject("litellm", "stall:3;times=1")
    ours, theirs = pty.openpty()
    process = start("chat", "-m", "gpt-5", stdin=theirs, stdout=theirs, stderr=theirs, env={"TERM": "dumb"})
    os.close(theirs)
    screen = b""

    def until(words: bytes) -> None:
        nonlocal screen
        end = time.monotonic() + 5
        while words not in screen:
            ready, _, _ = select.select([ours], [], [], max(0, end - time.monotonic()))
            assert ready, f"{words!r} did not come after {screen!r}"
            screen += os.read(ours, 1000)
        screen = screen.partition(words)[2]

    until(b"> ")
    os.write(ours, b"hello world\n")
    until(b"You said: hello")
    # A signal between Python's last look and the system call that waits for bytes is heard only after that call.
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    until(b"note: stopped")
    until(b"> ")
    # The pictures of a control code, not the code, come back from a hostile answer.
    os.write(ours, b"\x16\x1b]0;title\x16\x07\n")
    until("You said: \u241b]0;title\u2407".encode())
    until(b"> ")
    os.write(ours, b"/quit\n")

    assert process.wait(timeout=10) == 0
    assert said(box)[-1][1] == ("assistant", "You said: hello")
    os.close(ours)
