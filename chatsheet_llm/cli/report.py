"""Turn what went wrong into one block on stderr and an exit code.  Shows no traceback for what a user can mend."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from chatsheet_llm.cli import show

if TYPE_CHECKING:
    from chatsheet_llm.errors import ChatsheetError

FAILED, WRONG, INTERRUPTED, CLOSED = 1, 2, 130, 141
"""Exit codes: the call failed; usage or settings are wrong; Ctrl-C; the reader of our output went away."""


class UsageError(Exception):
    """The command line is wrong.  The message names the option."""


@dataclass(slots=True)
class Report:
    """What a command may add to the block while it runs.

    ``hint`` is shown where an endpoint knows no such model.
    """

    hint: str | None = None


@contextlib.contextmanager
def reported(*, as_json: bool = False) -> Iterator[Report]:
    """Run a command.  What it raises becomes a block on stderr (with ``as_json`` also an object on stdout) and an exit.

    Raises typer.Exit with 1, 2, 130 or 141; what is a bug of ours passes as it is.
    """
    report = Report()
    with warnings.catch_warnings():
        warnings.showwarning = _warning
        try:
            yield report
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _forget_output()
            raise typer.Exit(CLOSED) from None
        except UsageError as error:
            _block(str(error))
            raise typer.Exit(WRONG) from None
        except Exception as error:
            # Imported here: the error tree loads the SDK, which `--help` must not.
            from chatsheet_llm.errors import ChatsheetError, SettingsError

            if not isinstance(error, ChatsheetError):
                raise
            print_error(error, report.hint)
            if as_json:
                show.as_json({"error": error_as_json(error)})
            raise typer.Exit(WRONG if isinstance(error, SettingsError) else FAILED) from None


def print_error(error: ChatsheetError, hint: str | None = None) -> None:
    """Print an error on stderr: what happened and what to do, then the attempts, then when to come back."""
    from chatsheet_llm.errors import DeploymentNotFoundError, SettingsError

    route = error.route
    # The message ends with the route in one line, which the table tells better.
    said = str(error)
    head, found, _ = said.rpartition(f" [{route}") if route.attempts else ("", "", "")
    message = head if found else said
    _block(message, message.splitlines() if isinstance(error, SettingsError) else ())
    console = show.err()
    if route.attempts or route.skipped:
        console.print(show.attempts(route, message))
    if route.retry_at is not None:
        show.line(console, f"  try again after {route.retry_at:%H:%M:%S} UTC")
    if hint is not None and isinstance(error, DeploymentNotFoundError):
        show.line(console, f"  hint: {hint}")


def error_as_json(error: ChatsheetError) -> dict[str, object]:
    """Return an error as JSON values: class, message, status, code, route and, of a broken stream, the partial text."""
    told: dict[str, object] = {
        "type": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
    }
    partial = getattr(error, "partial", None)
    if partial is not None:
        told["partial"] = partial
    return {**told, "route": show.route_as_json(error.route)}


def _block(message: str, problems: Sequence[str] = ()) -> None:
    console = show.err()
    if len(problems) < 2:
        show.line(console, f"error: {message}", "red")
        return
    show.line(console, f"error: {len(problems)} things are wrong", "red")
    for problem in problems:
        show.line(console, f"  {problem}")


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    """Show a warning without the place in our code, which tells a user nothing."""
    del filename, lineno, file, line
    kind = "warning" if issubclass(category, UserWarning) else category.__name__
    show.line(show.err(), f"{kind}: {message}", "yellow")


def _forget_output() -> None:
    """Point stdout and stderr at nothing, so that the interpreter's own last flush does not complain."""
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(io.UnsupportedOperation, ValueError, OSError, AttributeError):
                os.dup2(nothing.fileno(), stream.fileno())
