"""Print for people and programs: text, routes, JSON.  Takes nothing for markup; no control code reaches a terminal."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typing_extensions import override

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

    from chatsheet_llm.cli.reading import Reading
    from chatsheet_llm.route import Attempt, Route

_VISIBLE: dict[int, str | None] = {
    **{code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    ord("\r"): None,
}
"""Control characters as pictures of themselves: what a provider sends must not drive the reader's terminal."""


class _Screen(Console):
    @override
    def on_broken_pipe(self) -> None:
        """Raise, where rich would end the process: `report.reported` knows what to do."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def out() -> Console:
    """Return the console for answers: stdout as it is now."""
    return _Screen(markup=False, emoji=False, highlight=False)


def err() -> Console:
    """Return the console for everything beside the answer: stderr as it is now."""
    return _Screen(stderr=True, markup=False, emoji=False, highlight=False)


def visible(text: str) -> str:
    """Return the text with its control characters made visible; line breaks and tabs stay."""
    return text.translate(_VISIBLE)


def say(console: Console, text: str) -> None:
    """Print a piece of an answer as it is, at once; on a terminal with its control characters made visible."""
    if text:
        # Past rich's own buffer: after a Ctrl-C in the middle of a print it would say the piece a second time.
        console.file.write(visible(text) if console.file.isatty() else text)
        console.file.flush()


def stream(console: Console, reading: Reading, chunks: Iterable[ChatCompletionChunk]) -> None:
    """Print an answer as it comes.  One that begins anew does so on a line of its own, with a note on stderr."""
    from chatsheet_llm.restart import restart_of

    for chunk in chunks:
        restart = restart_of(chunk)
        if restart is not None:
            end(console, reading.text)
            note(f"{restart.broke} broke ({restart.reason}); {restart.hop} answers anew, forget the text above")
            reading.anew()
        say(console, reading.take(chunk))


def end(console: Console, text: str) -> None:
    """End the line that an answer left open."""
    if text and not text.endswith("\n"):
        say(console, "\n")


def line(console: Console, text: str, style: str = "") -> None:
    """Print one sentence, never wrapped by us: what is piped or copied stays in one piece."""
    console.print(Text(visible(text), style=style), soft_wrap=True)


def note(text: str) -> None:
    """Print a remark on stderr."""
    line(err(), f"note: {text}", "yellow")


def as_json(value: object) -> None:
    """Print one JSON value on stdout."""
    say(out(), json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def milliseconds(seconds: float) -> str:
    """Return a duration as people read it: ``7 ms``, ``1.02 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def result_of(attempt: Attempt) -> str:
    """Return how an attempt ended in two words at most: ``200``, ``refused``, ``429 rate``, ``200 truncated``."""
    words = (attempt.status, None if attempt.ok else attempt.outcome)
    return " ".join(str(word) for word in words if word is not None)


def style_of(attempt: Attempt) -> str:
    """Return the colour of an attempt's result."""
    return "green" if attempt.ok else "red"


def table(*columns: str, rows: Iterable[Iterable[str | Text]], whole: Iterable[str] = ()) -> Table:
    """Return a table that folds long cells but in the columns of ``whole``; it fits 80 columns and needs no colour."""
    made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    return made


def attempts(route: Route, told: str = "") -> Padding:
    """Return a route as a small table: each hop tried or skipped, how it ended, how long it took, and why.

    What ``told`` says already is not said again.
    """
    made = Table.grid(padding=(0, 2))
    for no_wrap in (False, False, True, False):
        made.add_column(overflow="fold", no_wrap=no_wrap)
    for attempt in route.attempts:
        reason = attempt.because if attempt.reason is None else attempt.reason
        if reason.rstrip(".") in told:
            reason = ""
        waited = f"after a wait of {milliseconds(attempt.waited)}" if attempt.waited >= 0.01 else ""
        made.add_row(
            Text(attempt.hop),
            Text(result_of(attempt), style=style_of(attempt)),
            Text(milliseconds(attempt.seconds), justify="right"),
            Text(visible("; ".join(filter(None, (waited, reason))))),
        )
    for skip in route.skipped:
        made.add_row(Text(skip.hop), Text("skipped", style="dim"), "", Text(visible(skip.reason)))
    return Padding(made, (0, 0, 0, 2))


def print_route(route: Route) -> None:
    """Print a route on stderr: one line, every hop, and every loss."""
    console = err()
    line(console, f"route: {route}", "bold")
    console.print(attempts(route))
    for loss in route.losses:
        line(console, f"  lost: {loss}")


def route_as_json(route: Route) -> dict[str, object]:
    """Return a route as JSON values: its own fields, plus ``hop`` and one line in ``summary``."""
    told = asdict(route)
    told["retry_at"] = route.retry_at.isoformat() if route.retry_at is not None else None
    return {"summary": str(route), "hop": route.hop, **told}
