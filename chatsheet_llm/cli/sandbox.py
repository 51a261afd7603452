"""``sandbox``: start the stand-in providers, say where they are, log what arrives.  Ends with Ctrl-C."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from rich.text import Text

from chatsheet_llm.cli import show
from chatsheet_llm.cli.report import UsageError, reported

if TYPE_CHECKING:
    from chatsheet_llm.sandbox import Sandbox

_TICK = 0.25
"""Seconds between looks at the clock, so that Ctrl-C is heard on every platform."""
_LAST_PORT = 65535 - 3
Lines = queue.SimpleQueue[str | None]
"""What the sandbox logged and nobody has printed yet; None is the end."""


def sandbox(*, port: int, faults: Sequence[str], pace: float) -> None:
    """Serve until Ctrl-C or SIGTERM, which both end it with 0.  Raises typer.Exit for a wrong port, fault or pace."""
    with reported():
        from chatsheet_llm.sandbox import Sandbox

        if not 0 <= port <= _LAST_PORT:
            raise UsageError(f"--port must be 0 (any) to {_LAST_PORT}, as four in a row are taken; got {port}")
        if not 0 <= pace < 3600:
            raise UsageError(f"--pace must be a number of seconds from 0 on; got {pace:g}")
        lines: Lines = queue.SimpleQueue()
        try:
            box = Sandbox(port=port, faults=_faults(faults), pace=pace, log=lines.put)
        except ValueError as error:
            raise UsageError(f"--fault: {error}") from None
        try:
            box.start()
        except OSError as error:
            raise UsageError(f"--port {port}: {error.strerror or error}") from None
        with _ended_by_signals(lines), box:
            _announce(box, faults)
            _log(lines)
            show.line(show.err(), f"The sandbox ends after {len(box.requests)} requests.", "dim")


def list_faults() -> None:
    """Print the faults and how they are written."""
    with reported():
        _table_of_faults()


def _table_of_faults() -> None:
    from chatsheet_llm.sandbox import FAULTS

    console = show.out()
    console.print(show.table("fault", "what the client gets", rows=((row.form, row.meaning) for row in FAULTS)))
    for told in (
        "Options follow after ';': retry-after=SECONDS, retry-after-ms=MS, x-HEADER=VALUE, times=N.",
        "A hop is ROLE or ROLE/API: litellm, azure, azure/chat, azure/messages (Claude on Foundry), openai, ...",
        "Quote what holds a ';':  --fault 'azure=429;retry-after=2;times=1'",
    ):
        show.line(console, told)


def _log(lines: Lines) -> None:
    """Print what is logged, until the end."""
    console = show.err()
    while True:
        try:
            line = lines.get(timeout=_TICK)
        except queue.Empty:
            continue
        if line is None:
            return
        show.line(console, line)


def _faults(given: Sequence[str]) -> Mapping[str, str]:
    made: dict[str, str] = {}
    for told in given:
        hop, equals, fault = (part.strip() for part in told.partition("="))
        if not (hop and equals and fault):
            raise UsageError(f"--fault {told!r} is not of the form HOP=FAULT, as in litellm=503 (see --list-faults)")
        if hop in made:
            raise UsageError(f"--fault names {hop!r} twice; one fault a hop can be given here")
        made[hop] = fault
    return made


def _announce(box: Sandbox, faults: Sequence[str]) -> None:
    console = show.out()
    addresses = {
        "LiteLLM proxy": box.litellm_url,
        "Azure OpenAI": box.azure_url,
        "OpenAI": f"{box.openai_url}/v1",
        "Anthropic": box.anthropic_url,
    }
    show.line(console, "The sandbox is ready; it calls no model and leaves no machine. Ctrl-C ends it.", "bold")
    for name, url in addresses.items():
        console.print(Text.assemble(f"  {name:<14} ", (url, "cyan")), soft_wrap=True)
    for fault in faults:
        show.line(console, f"  fault          {fault}", "yellow")
    show.line(console, "\nPaste this where your program runs:\n")
    for name, value in {**box.env(), **_past_the_proxy()}.items():
        show.line(console, f"export {name}={value}")
    show.line(console, "")


def _past_the_proxy() -> dict[str, str]:
    """Return what keeps requests to this machine from an HTTP proxy that is set in the environment."""
    proxies = getproxies()
    if not ({"http", "all"} & set(proxies)) or proxy_bypass("127.0.0.1"):
        return {}
    return {"NO_PROXY": ",".join(filter(None, ("127.0.0.1", proxies.get("no"))))}


@contextmanager
def _ended_by_signals(lines: Lines) -> Iterator[None]:
    """Let Ctrl-C, and SIGTERM with which containers and supervisors end a program, put the end behind the last line.

    An ignored Ctrl-C stays ignored: a shell does that for what it runs in the background.
    """

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        lines.put(None)

    before: dict[signal.Signals, Any] = {}
    try:
        # Only the main thread may set them.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
