"""The command line ``chatsheet-llm``: starts it, or says how to install it.  Loads nothing else by itself."""

from __future__ import annotations

import sys
from importlib import import_module

_EXTRA = ("typer", "rich", "click", "shellingham")
"""What the extra ``[cli]`` brings, as modules."""


def main() -> int:
    """Run the command line with the process's arguments.

    Returns 2 where the extra is not installed, 130 after Ctrl-C; else raises SystemExit with 0 (ok), 1 (the call
    failed) or 2 (wrong usage or settings).
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        getattr(stream, "reconfigure", _nothing)(errors="replace")
    try:
        import_module("rich")
        app = import_module("chatsheet_llm.cli.app").app
        app(prog_name="chatsheet-llm")
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
    """Stand in for ``reconfigure`` where the stream is closed or not a text stream of the interpreter's."""
