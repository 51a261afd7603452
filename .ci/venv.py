"""Build one virtual environment from this checkout and stamp it; touches nothing outside that directory."""
# ruff: noqa: S603, T201  (a command line tool: it prints, and runs what is written here)

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

STAMP = ".ready"
INPUTS = (Path("pyproject.toml"), Path(__file__))


def merge(files: list[Path]) -> str:
    """Return one constraints text; a name pinned in a later file replaces every line of that name before it."""
    pins: dict[str, list[str]] = {}
    for file in files:
        here: dict[str, list[str]] = {}
        for line in file.read_text(encoding="utf-8").splitlines():
            # A constraint has no extras, a requirement may.
            pin = re.sub(r"\[.*?\]", "", line.split("#")[0].strip())
            if pin:
                name = re.split(r"[=<>~!;\s]", pin, maxsplit=1)[0]
                here.setdefault(re.sub(r"[-_.]+", "-", name).lower(), []).append(pin)
        pins.update(here)
    return "".join(f"{pin}\n" for name in sorted(pins) for pin in pins[name])


def run(command: list[str], hint: str) -> None:
    """Run in silence; on failure show everything the command said, then the hint."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout.rstrip()}\n{hint}")


def same_python(python: Path) -> bool:
    """Tell whether the environment runs, has pip, and has the version of the interpreter that runs this script."""
    probe = "import sys, pip; print(sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == str(sys.version_info[:2])


def fresh(stamp: Path, inputs: list[Path]) -> bool:
    return stamp.exists() and all(path.stat().st_mtime <= stamp.stat().st_mtime for path in inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("constraints", type=Path, nargs="+", help="later files win")
    parser.add_argument("--requirement", type=Path, help="what to install beside the checkout; its pins win over all")
    arguments = parser.parse_args()
    where: Path = arguments.directory
    requirement: Path | None = arguments.requirement
    more = [] if requirement is None else [requirement]
    files: list[Path] = [*arguments.constraints, *more]
    python = where / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    usable = same_python(python)
    if usable and fresh(where / STAMP, [*INPUTS, *files]):
        return
    if where.exists() and any(where.iterdir()) and not (where / "pyvenv.cfg").exists():
        sys.exit(f"{str(where)!r} exists and is not a virtual environment; remove it or choose another: make VENV=DIR")

    version = ".".join(map(str, sys.version_info[:2]))
    print(f"setting up {where} (Python {version}); the first time takes about a minute", file=sys.stderr)
    if not usable:
        run(
            [sys.executable, "-m", "venv", "--clear", str(where)],
            f"could not create {where}; on Debian and Ubuntu the module is in the package python{version}-venv",
        )
    (where / STAMP).unlink(missing_ok=True)
    merged = where / "constraints.txt"
    merged.write_text(merge(files), encoding="utf-8")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    names = " and ".join(str(file) for file in files)
    run(
        [*pip, "install", "--quiet", "--editable", ".[dev]", "--constraint", str(merged)]
        + [argument for file in more for argument in ("--requirement", str(file))],
        f"could not install .[dev] into {where} with the pins of {names}; the lines above are pip's",
    )
    run([*pip, "check"], f"{where} was installed but its packages contradict each other; the lines above are pip's")
    (where / STAMP).touch()


if __name__ == "__main__":
    main()
