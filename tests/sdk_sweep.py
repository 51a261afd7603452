"""Send bodies made up from the SDKs' types through a bridge, and find what it neither carries nor declares lost."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdk_types import FIRST, Json
from vanishing import leaves, under

from chatsheet_llm.formats import STREAMS, FormatError
from chatsheet_llm.route import Loss, Mode

Bridge = Callable[[Json], tuple[Json, list[Loss]]]

_MARK = re.compile(r"mark\d{4,}")
_PACKED = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
_STEP = re.compile(r"\[\d+\]|[^.\[\]]+")


def newest() -> bool:
    """Whether the SDKs are the newest ones allowed: only they know every name that a table may have."""
    import anthropic
    import openai

    pins = (Path(__file__).resolve().parents[1] / "constraints.txt").read_text(encoding="utf-8").split()
    return {f"openai=={openai.__version__}", f"anthropic=={anthropic.__version__}"} <= set(pins)


def check_rows(rows: Iterable[str], known: Iterable[str], own: Iterable[str] = ()) -> None:
    """Every name that the SDK knows has a row, and no row is made up but our own."""
    missing, made_up = set(known) - set(rows), set(rows) - set(known) - set(own)

    assert not missing, f"without a row: {sorted(missing)}"
    assert not (made_up and newest()), f"not known to the SDK: {sorted(made_up)}"


@dataclass
class Swept:
    """What came of the bodies: paths, with the value where it is one of the type's literals, and what was said."""

    silent: set[str] = field(default_factory=set)
    merged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    carried: int = 0

    def check(self, unsaid: Mapping[str, str], merged: str = "", refused: Iterable[str] = (), older: str = "") -> None:
        """Nothing vanished but what goes without saying: reason -> paths, in words.  All of these still do.

        ``older`` is merged too, where the types of older SDKs tell less apart.
        """
        known = Swept({path for paths in unsaid.values() for path in paths.split()}, {*merged.split()}, {*refused})

        assert self.carried > 0, "every body was refused"
        if not newest():
            known.merged |= {*older.split()}
        assert self.told_beside(known) == [], "\n".join(self.told_beside(known))
        if newest():
            assert known.told_beside(self) == [], "\n".join(known.told_beside(self))

    def told_beside(self, known: Swept) -> list[str]:
        """What is here and not there, in words."""
        return [
            f"{name}: {found}"
            for name in ("silent", "merged", "refused", "unknown")
            for found in sorted(getattr(self, name) - getattr(known, name))
        ]


def swept(bridge: Bridge, bodies: Iterable[Json]) -> Swept:
    """Send each body through the bridge.

    A marked value must be in the result or under a loss.  A literal must make a difference: without it the result is
    another one (else it is ``silent``: ``path=value``), and so it is with another literal (else they are ``merged``).
    """
    found = Swept()
    alike: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for body in bodies:
        try:
            made, losses = bridge(body)
        except FormatError as error:
            found.refused.add(f"{generic(error.path)}: {error.reason}")
            continue
        found.carried += 1
        found.unknown |= {str(loss) for loss in losses if loss.reason.endswith("its meaning is unknown")}
        there, outcome, lost = marks(made), json.dumps(made, sort_keys=True), [loss.path for loss in losses]
        for path, value in leaves(body):
            # An object made without fields, or a list without items, stands for those that have some.
            if value is None or value in ({}, []) or any(under(path, prefix) for prefix in lost):
                continue
            if mine := marks(value):
                found.silent |= {generic(path)} if mine - there else set()
            elif (rest := _without(body, path)) is not None:
                if f"{generic(path)}={value}" not in found.silent and _result(bridge, rest) == made:
                    found.silent.add(f"{generic(path)}={value}")
                alike[f"{path} {json.dumps(rest)}"][outcome].add(str(value))
    for where, results in alike.items():
        path = generic(where.partition(" ")[0])
        found.merged |= {f"{path}={'|'.join(sorted(same))}" for same in results.values() if len(same) > 1}
    return found


def _result(bridge: Bridge, body: Json) -> Json | None:
    try:
        return bridge(body)[0]
    except FormatError:
        return None


def generic(path: str) -> str:
    """A path without its numbers."""
    return re.sub(r"\[\d+\]", "[]", path)


def marks(node: object) -> set[object]:
    """The values of their own in a body, whatever they are wrapped in."""
    found: set[object] = set()
    for _, value in leaves(node):
        if isinstance(value, str):
            found.update(_MARK.findall(value))
            for packed in _PACKED.findall(value):
                found |= marks(_unpacked(packed))
        elif isinstance(value, (int, float)) and value >= FIRST:
            found.add(value)
    return found


def _unpacked(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return ""


def _without(body: Json, path: str) -> Json | None:
    """The body without the value at a path; None when the path leads into JSON in a string."""
    steps = [int(step[1:-1]) if step[0] == "[" else step for step in _STEP.findall(path)]
    made: Json = json.loads(json.dumps(body))
    node = made
    try:
        for step in steps[:-1]:
            node = node[step]
        del node[steps[-1]]
    except (KeyError, TypeError):
        return None
    return made


# --- streams ---------------------------------------------------------------------------------------------------------


def streamed(hop: Mode, caller: Mode, cut: Callable[[Json], Iterable[Json]]) -> Bridge:
    """A bridge for whole bodies that goes through the stream bridge: ``cut`` makes the events."""

    def bridge(body: Json) -> tuple[Json, list[Loss]]:
        stream = STREAMS[hop, caller](True)
        made = [out for event in json.loads(json.dumps(list(cut(body)))) for out in stream.feed(event)]
        return {"events": made + stream.end()}, stream.losses

    return bridge


def swept_events(hop: Mode, caller: Mode, events: Iterable[Json], around: Callable[[Json], Iterable[Json]]) -> Swept:
    """Send each event through the stream bridge, within the least stream ``around`` it.

    A marked value must be in what the stream gives, or a loss must name it, the event, or the whole that it is of.
    """
    found = Swept()
    for event in events:
        kind = event.get("type", event.get("object"))
        try:
            made, losses = streamed(hop, caller, around)(event)
        except FormatError as error:
            found.refused.add(f"{kind}: {error.reason}")
            continue
        found.carried += 1
        there = marks(made)
        told = {generic(loss.path).rpartition(".")[2].removesuffix("[]") for loss in losses}
        told |= {str(kind)} & {loss.path for loss in losses}
        for path, value in leaves(event):
            if marks(value) - there and not told & {str(kind), *re.findall(r"\w+", path)}:
                found.silent.add(f"{kind}:{generic(path)}")
    return found
