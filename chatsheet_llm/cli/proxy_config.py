"""``proxy-config``: write a LiteLLM proxy's configuration, or check one.  Overwrites no file unless told to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from chatsheet_llm.cli import show
from chatsheet_llm.cli.report import FAILED, UsageError, reported


def write(*, output: Path | None, force: bool) -> None:
    """Write the configuration of the settings' models to a file, or print it."""
    with reported():
        from chatsheet_llm.proxy_config import proxy_config
        from chatsheet_llm.settings import Settings

        if force and output is None:
            raise UsageError("--force overwrites a file, so it needs --output FILE")
        text = proxy_config(Settings())
        if output is None:
            show.say(show.out(), text)
            return
        try:
            with output.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError:
            raise UsageError(
                f"--output: {str(output)!r} exists; give another name, or --force to overwrite it"
            ) from None
        except OSError as error:
            raise UsageError(f"--output: {str(output)!r} cannot be written: {error.strerror or error}") from None
        show.line(show.err(), f"wrote {output}", "dim")


def check(file: Path, *, as_json: bool) -> None:
    """Print what is wrong with a file, one finding a line; exit 1 where there is any, 2 where it cannot be judged."""
    with reported(as_json=as_json):
        from chatsheet_llm.proxy_config import check

        findings = check(file)
        if as_json:
            show.as_json({"file": str(file), "findings": [asdict(finding) for finding in findings]})
        else:
            for found in findings:
                show.line(show.out(), f"{file}:{found.line}: {found.rule}: {found.reason}; fix: {found.fix}")
        if findings:
            raise typer.Exit(FAILED)


def proxy_config(*, output: Path | None, force: bool, checked: Path | None, as_json: bool) -> None:
    """Write or check.  What belongs to the other of the two is refused."""
    with reported():
        if checked is not None and (output is not None or force):
            raise UsageError("--check writes nothing, so it goes without --output and --force")
        if checked is None and as_json:
            raise UsageError("--json prints findings, so it needs --check FILE; the configuration itself is YAML")
    if checked is not None:
        check(checked, as_json=as_json)
    else:
        write(output=output, force=force)
