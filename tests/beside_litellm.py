"""The same chat requests through LiteLLM's bridge and through ours: what each sends.  Judges neither."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared_files import shared
from vanishing import is_neutral, vanished

from chatsheet_llm.formats import BRIDGES


@dataclass(frozen=True)
class Compared:
    """One chat request through both bridges to Responses: which of its fields each left out, and what ours declared."""

    name: str
    values: int
    theirs: int
    ours: int
    dropped: tuple[str, ...]
    refused: str | None
    declared: tuple[str, ...]
    silent: tuple[str, ...]


def compared() -> Iterator[Compared]:
    for path in sorted(shared("traffic", "litellm_bridge").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        request, theirs = record["chat_request"], record["upstream_body"]
        # LiteLLM takes its own routing prefix off the model, and options of its own out of the body.
        request = {name: value for name, value in request.items() if name not in ("model", "drop_params")}
        made, losses = BRIDGES["chat", "responses"](request)
        values = len(vanished(request, {}, [], is_neutral))
        gone = vanished(request, theirs or {}, [], is_neutral)
        yield Compared(
            name=path.stem,
            values=values,
            theirs=values - len(gone),
            ours=values - len(vanished(request, made, [], is_neutral)),
            dropped=_tops(gone) if theirs else (),
            refused=None if theirs else _class_of(record["client_error"]),
            declared=_tops(loss.path for loss in losses),
            silent=_tops(vanished(request, made, losses, is_neutral)),
        )


def _class_of(error: object) -> str:
    if isinstance(error, Mapping):
        return str(error.get("class") or error.get("type") or "an error")
    return str(error).partition("(")[0].partition(":")[0][:40] if error else "an error"


def _tops(paths: Iterable[str]) -> tuple[str, ...]:
    """The fields that the paths stand for, a message or tool by its own field."""
    found = dict.fromkeys(path if path.startswith(("messages", "tools")) else path.partition(".")[0] for path in paths)
    return tuple(found)
