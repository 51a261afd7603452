"""``plan``: the hops that a request would take, and why.  Opens no connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from chatsheet_llm.cli import show
from chatsheet_llm.cli.report import FAILED, reported
from chatsheet_llm.cli.wishes import Wishes, tools_from

if TYPE_CHECKING:
    from chatsheet_llm.hops import Dispatch

_ANY_PROMPT = "Hello"


def plan(prompt: str | None, wishes: Wishes, *, stream: bool, tools: Path | None, as_json: bool) -> None:
    """Print the hops with mode, model and rule, then those left out with the reason; exit 1 where no hop is left."""
    with reported(as_json=as_json):
        from chatsheet_llm.settings import Settings

        body: dict[str, object] = {"messages": wishes.messages(_ANY_PROMPT if prompt is None else prompt)}
        if tools is not None:
            body["tools"] = tools_from(tools)
        if wishes.effort is not None:
            body["reasoning_effort"] = wishes.effort
        settings = Settings()
        model = wishes.model_in(settings)
        with wishes.client(settings) as client:
            found = client.plan({"model": model, **body, **wishes.extra()}, stream=stream)
        if as_json:
            show.as_json(_told(model, found))
        else:
            _print(model, found)
        if not found.hops:
            raise typer.Exit(FAILED)


def _told(model: str, found: Dispatch) -> dict[str, object]:
    return {
        "model": model,
        "hops": [
            {
                "hop": hop.name,
                "endpoint": hop.endpoint,
                "mode": hop.mode,
                "model": hop.model,
                "rule": hop.rule,
                "reason": hop.reason,
                "whole": hop.whole,
                "losses": [
                    {"format": loss.format, "path": loss.path, "reason": loss.reason, "minor": loss.minor}
                    for loss in hop.losses
                ],
            }
            for hop in found.hops
        ],
        "skipped": [{"hop": skip.hop, "rule": skip.rule, "reason": skip.reason} for skip in found.skipped],
    }


def _print(model: str, found: Dispatch) -> None:
    console = show.out()
    if found.hops:
        show.line(console, f"{model}: {len(found.hops)} of {len(found.hops) + len(found.skipped)} hops can serve this")
        rows = [
            (
                str(number),
                hop.name,
                hop.mode or "",
                hop.model or "",
                "\n".join(
                    [
                        f"{hop.rule}: {hop.reason}",
                        *(f"{'note' if loss.minor else 'drops'} {loss}" for loss in hop.losses),
                    ]
                ),
            )
            for number, hop in enumerate(found.hops, 1)
        ]
        console.print(show.table("", "hop", "mode", "model sent", "rule", rows=rows))
    else:
        show.line(console, f"{model}: no hop of the chain can serve this", "red")
    if found.skipped:
        rows_left = [(skip.hop, skip.rule, skip.reason) for skip in found.skipped]
        console.print(show.table("skipped", "rule", "reason", rows=rows_left))
