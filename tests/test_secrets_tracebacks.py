"""No key in a traceback, whoever prints it, and no prompt in a frame of ours; nor where something unforeseen happens.

Nor is there anything to be seen of the frames below us, where the SDKs and the HTTP library hold headers and bodies.
"""

from __future__ import annotations

import asyncio
import io
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import remains
from parrot import Parrot
from secret_calls import KEYS, WORDS, chat, made, open_sandbox, settings_at
from secret_checks import check, failed, nothing_of

from chatsheet_llm import AsyncChatClient, ChatClient, errors
from chatsheet_llm.sandbox import Sandbox

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with open_sandbox() as box:
        yield box


# --- what nobody foresaw


class Odd(datetime):
    """A time that cannot be written, so that the SDK fails while it has the headers of the request in its hands."""

    def isoformat(self, *_: object, **__: object) -> str:
        raise RuntimeError("no time")


BODY = {"odd": Odd(2026, 1, 1)}


@KINDS
@pytest.mark.parametrize("name", ["litellm", "azure", "azure-entra", "azure-dated", "openai"])
def test_what_a_hop_s_sdk_raises_of_a_body_shows_no_frame_of_it(kind: str, name: str, box: Sandbox) -> None:
    client = made(kind, settings_at(box.url, name))
    with remains.listening() as heap:
        error = failed(client, lambda it: chat(it, extra_body=BODY), RuntimeError)

    assert str(error) == "no time"
    assert any("_base_client.py:" in note for note in getattr(error, "__notes__", ())) == (sys.version_info >= (3, 11))
    check(error, client, heap)


@KINDS
def test_a_body_without_a_form_in_json_leaves_nothing(kind: str, box: Sandbox) -> None:
    client = made(kind, settings_at(box.url, "azure"))
    with remains.listening() as heap:
        error = failed(client, lambda it: chat(it, extra_body={"odd": object()}), Exception)

    assert box.requests == []
    check(error, client, heap)


def test_without_the_cut_the_key_would_be_in_those_frames(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatsheet_llm.drive.bared", lambda error, outer: error)
    error = failed(made("sync", settings_at(box.url, "azure")), lambda it: chat(it, extra_body=BODY), RuntimeError)

    assert "azure key" in KEYS.found_in(remains.locals_of(error))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
@pytest.mark.parametrize("stream", [False, True])
def test_ctrl_c_passes_as_it_is_and_shows_no_frame_below(stream: bool, box: Sandbox) -> None:
    box.inject("azure", "stall")
    told = KeyboardInterrupt("mine")

    def interrupt(*_: object) -> None:
        raise told

    before = signal.signal(signal.SIGALRM, interrupt)
    client = made("sync", settings_at(box.url, "azure"))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with remains.listening() as heap:
            error = failed(client, lambda it: chat(it, stream=stream), KeyboardInterrupt)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert error is told
    check(error, client, heap)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_call_passes_as_it_is_and_shows_no_frame_below(stream: bool, box: Sandbox) -> None:
    box.inject("azure", "stall")
    async with AsyncChatClient(settings_at(box.url, "azure")) as client:
        with remains.listening() as heap:
            task = asyncio.ensure_future(chat(client, stream=stream))
            await asyncio.sleep(0.2)
            task.cancel("mine")
            with pytest.raises(asyncio.CancelledError) as caught:
                await task

        assert task.cancelled()
        check(caught.value, client, heap)


async def test_a_timeout_around_a_call_shows_no_frame_below(box: Sandbox) -> None:
    box.inject("azure", "stall")
    async with AsyncChatClient(settings_at(box.url, "azure")) as client:
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(chat(client), 0.2)

        check(caught.value, client, remains.Heap())


@pytest.mark.parametrize("fault", ["stall:1"])
async def test_a_stream_that_is_cancelled_while_it_is_read_shows_no_key(fault: str, box: Sandbox) -> None:
    box.inject("azure", fault)

    async def read(client: AsyncChatClient) -> None:
        async for _ in await chat(client, stream=True):
            pass

    async with AsyncChatClient(settings_at(box.url, "azure")) as client:
        task = asyncio.ensure_future(read(client))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task

        check(caught.value, client, remains.Heap())


def test_what_the_caller_was_handling_stays_the_context_of_an_error(box: Sandbox) -> None:
    client = made("sync", settings_at(box.url, "azure"))
    outer = LookupError("the caller's own")
    try:
        raise outer
    except LookupError:
        error = failed(client, lambda it: chat(it, extra_body=BODY), RuntimeError)

    assert error.__context__ is outer
    assert error.__cause__ is None
    assert outer.__traceback__ is not None


# --- what printers make of a traceback


def test_printers_of_tracebacks_with_locals_find_no_key(parrot: Parrot) -> None:
    from rich.console import Console
    from rich.traceback import Traceback

    with made("sync", settings_at(lambda role: parrot.url, "azure")) as client:
        error = _fail_far_from_the_planting(client)
    python = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    console = Console(file=io.StringIO(), width=4000)
    console.print(
        Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, locals_max_string=10**6, locals_max_length=10**4
        )
    )

    assert "chatsheet_llm" in python
    assert nothing_of(KEYS, python)
    assert nothing_of(KEYS, console.file.getvalue())  # type: ignore[attr-defined]


def _fail_far_from_the_planting(client: ChatClient) -> BaseException:
    """No frame between here and the failure has the planted keys among its variables."""
    try:
        chat(client)
    except errors.CallError as error:
        return error
    raise AssertionError("it was answered")


def test_an_error_from_another_process_is_as_clean(parrot: Parrot, tmp_path: Path) -> None:
    with made("sync", settings_at(lambda role: parrot.url, "azure")) as client:
        error = _fail_far_from_the_planting(client)
    (tmp_path / "error.pickle").write_bytes(pickle.dumps(error))
    program = (
        "import pickle, sys; e = pickle.load(open(sys.argv[1], 'rb')); print(e, vars(e), e.response.text); raise e"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "error.pickle"], capture_output=True, text=True, check=False
    )

    assert "ProviderError" in told.stderr
    assert nothing_of(KEYS, told.stdout + told.stderr)
    assert nothing_of(WORDS, told.stdout + told.stderr)
