"""The command line ``chatsheet-llm``: starts it, or says how to install it.  Loads nothing else by itself."""

from __future__ import annotations

import contextlib
import errno
import sys
from importlib import import_module

_EXTRA = ("typer", "rich", "click", "shellingham")
"""What the extra ``[cli]`` brings, as modules."""

_UNWRITABLE = frozenset(
    number
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS")
    if (number := getattr(errno, name, None)) is not None
)
"""What a system says that does not take our output.  A reader that went away is no error."""


def main() -> int:
    """Run the command line with the process's arguments.

    Returns 1 where the output cannot be written, 2 where the extra is not installed, 130 after Ctrl-C; else raises
    SystemExit with 0 (ok), 1 (the call failed) or 2 (wrong usage or settings).
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        getattr(stream, "reconfigure", _nothing)(errors="replace")
    try:
        import_module("rich")
        app = import_module("chatsheet_llm.cli.app").app
        try:
            app(prog_name="chatsheet-llm")
        finally:
            # Here, and not when the interpreter ends, which would show a traceback.
            getattr(sys.stdout, "flush", _nothing)()
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        with contextlib.suppress(OSError):
            sys.stderr.write(f"error: the output cannot be written: {error.strerror}\n")
        return 1
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            f"error: the command line needs {missing.name!r}, which is not installed; "
            "install chatsheet_llm[cli] (pip install 'chatsheet_llm[cli]')\n"
        )
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _nothing(**_: str) -> None:
    """Stand in for a method where the stream is closed or not a text stream of the interpreter's."""
