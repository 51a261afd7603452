"""Write constraints.txt anew: the newest versions that resolve today, for each Python given; installs nothing here."""
# ruff: noqa: S603, T201  (a command line tool: it prints, and runs what is written here)

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HEADER = """\
# The versions the tests ran with: the newest that resolve for `.[dev]`, on every supported Python.
# Written by `make constraints`; used by the Makefile, never by an install of the package.
"""


def freeze(python: str, scratch: Path) -> tuple[str, dict[str, str]]:
    """Resolve ``.[dev]`` in a throw-away environment; return the Python version and name -> pinned version."""

    def out(*command: str) -> str:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    release = out(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    venv = scratch / release
    out(python, "-m", "venv", str(venv))
    inside = str(venv / "bin" / "python")
    out(inside, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--editable", ".[dev]")
    frozen = out(inside, "-m", "pip", "freeze", "--exclude-editable")
    pins = dict(line.split("==") for line in frozen.splitlines() if re.fullmatch(r"[\w.-]+==[\w.!+-]+", line))
    if len(pins) != len(frozen.splitlines()):
        sys.exit(f"Python {release}: pip freeze gave lines that are no plain pins:\n{frozen}")
    return release, pins


def lines_for(name: str, releases: list[str], versions: list[str | None]) -> list[str]:
    """Return one line for each run of neighbouring releases that share a version, with the marker that selects it."""
    lines: list[str] = []
    start = 0
    for end in range(1, len(releases) + 1):
        if end < len(releases) and versions[end] == versions[start]:
            continue
        lower = [f'python_version >= "{releases[start]}"'] if start else []
        upper = [f'python_version < "{releases[end]}"'] if end < len(releases) else []
        if versions[start] is not None:
            marker = " and ".join(lower + upper)
            lines.append(f"{name}=={versions[start]}" + (f" ; {marker}" if marker else ""))
        start = end
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", nargs="+", help="interpreters, such as python3.10 python3.11 python3.13")
    with tempfile.TemporaryDirectory() as scratch:
        found = dict(freeze(python, Path(scratch)) for python in parser.parse_args().python)
    releases = sorted(found, key=lambda release: tuple(map(int, release.split("."))))
    names = sorted({name for pins in found.values() for name in pins}, key=str.lower)
    lines = [line for name in names for line in lines_for(name, releases, [found[r].get(name) for r in releases])]
    Path("constraints.txt").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"constraints.txt: {len(lines)} pins for Python {', '.join(releases)}")


if __name__ == "__main__":
    main()
