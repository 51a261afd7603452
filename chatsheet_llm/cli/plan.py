"""``plan``: the hops that a request would take, and why.  Opens no connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from chatsheet_llm.cli import show
from chatsheet_llm.cli.report import FAILED, UsageError, reported
from chatsheet_llm.cli.wishes import Wishes, request_from, tools_from
from chatsheet_llm.hops import MODEL

if TYPE_CHECKING:
    from chatsheet_llm.hops import Dispatch

_ANY_PROMPT = "Hello"


def plan(
    prompt: str | None, wishes: Wishes, *, stream: bool, tools: Path | None, request: Path | None, as_json: bool
) -> None:
    """Print the hops with mode, model and rule, then those left out with the reason; exit 1 where no hop is left."""
    with reported(as_json=as_json):
        from chatsheet_llm.settings import Settings

        settings = Settings()
        body = _body(prompt, wishes, tools, request)
        told = body.get("model")
        model = told if isinstance(told, str) and wishes.model is None else wishes.model_in(settings)
        path = "/responses" if "input" in body else "/chat/completions"
        with wishes.client(settings) as client:
            found = client.plan(
                {**body, "model": model, **wishes.extra()}, path=path, stream=stream or body.get("stream") is True
            )
        if as_json:
            show.as_json(_told(model, found))
        else:
            _print(model, found)
        if not found.hops:
            raise typer.Exit(FAILED)


def _body(prompt: str | None, wishes: Wishes, tools: Path | None, request: Path | None) -> dict[str, object]:
    """Return the request to plan: the file's, or one made of the options."""
    if request is not None:
        given = {"a prompt": prompt, "--tools": tools, "--system": wishes.system, "--effort": wishes.effort}
        beside = [name for name, value in given.items() if value is not None]
        if beside:
            raise UsageError(f"--request has the whole request, so {' and '.join(beside)} beside it says it twice")
        return request_from(request)
    body: dict[str, object] = {"messages": wishes.messages(_ANY_PROMPT if prompt is None else prompt)}
    if tools is not None:
        body["tools"] = tools_from(tools)
    if wishes.effort is not None:
        body["reasoning_effort"] = wishes.effort
    return body


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
    elif {skip.rule for skip in found.skipped} == {MODEL}:
        # Whatever the hop, it is the name that is wrong.
        show.line(console, f"{model}: {found.skipped[0].reason}", "red")
        return
    else:
        show.line(console, f"{model}: no hop of the chain can serve this", "red")
    if found.skipped:
        rows_left = [(skip.hop, skip.rule, skip.reason) for skip in found.skipped]
        console.print(show.table("skipped", "rule", "reason", rows=rows_left))
