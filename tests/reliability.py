"""Write ``docs/reliability.md`` from the vectors: what is tried after each fault, and what the caller gets.

``python tests/reliability.py`` writes the page; ``--check`` only says whether it is true.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from vectors.schema import ANSWERED, FOLDER, Case, Vector, vectors

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"

HEAD = (FOLDER / "head.md").read_text(encoding="utf-8")
"""What no vector can tell."""

UNNAMED, CHANCE = 1, 1
"""Seconds of the first wait where no time was named, and those that chance adds at most."""
STATUSES = "status"
SECTIONS: Sequence[tuple[str, str]] = (
    ("Before the request is on the wire", "1-15"),
    ("In flight", "16-23"),
    ("A 2xx that is no answer", "24-38"),
    ("Streams", "39-57"),
    ("Statuses", STATUSES),
)
"""Headings, and the rows of the matrix under each."""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, rows in SECTIONS:
        told = [(name, vector) for name, vector in vectors().items() if _section(vector) == rows]
        faults = [_row(name, vector) for name, vector in told if vector.fault is not None]
        columns = ["vector", "what happens", "fault", "class", "send state", "same hop", "next", "breaker", "error"]
        parts.append(f"## {title}\n")
        parts.append(_table(columns, faults))
        fine = [[_file(name), vector.title] for name, vector in told if vector.fault is None]
        if fine:
            parts.append("These are no faults, and give an answer:\n")
            parts.append(_table(["vector", "what happens"], fine))
    parts.append("## Retry-After\n")
    parts.append(
        _table(
            ["vector", "what is said", "headers", "wait"],
            [_hint(*each) for each in vectors().items() if _hinted(each[1])],
        )
    )
    parts.append("## Promises, as calls\n")
    parts.append(_table(["vector", "what happens", "case", "sends", "outcome"], list(_promised())))
    return "\n".join(parts)


# --- which section a vector belongs to


def _hinted(vector: Vector) -> bool:
    return "Retry-After" in vector.rows


def _section(vector: Vector) -> str:
    first = vector.rows[0]
    if first.isdigit() and int(first) <= 57:
        return next(rows for _, rows in SECTIONS if int(first) <= int(rows.partition("-")[2]))
    return STATUSES if not _hinted(vector) and not _promise(vector) else ""


def _promise(vector: Vector) -> bool:
    return any(row.startswith("P") for row in vector.rows)


def _file(name: str) -> str:
    return f"[{name}](../tests/vectors/{name}.yaml)"


# --- what a vector tells


def _row(name: str, vector: Vector) -> list[str]:
    cells = [_states(vector), _same(vector), _next(vector), _breaker(vector), _error(vector)]
    return [_file(name), vector.title, f"`{vector.fault}`", str(vector.kind), *cells]


def _sends(case: Case) -> list[list[str]]:
    return [send.split() for send in case.expect.sends or ()]


def _single(vector: Vector) -> Iterable[Case]:
    return (case for case in vector.cases.values() if case.expect.sends)


def _states(vector: Vector) -> str:
    seen = dict.fromkeys(send[2] for case in _single(vector) for send in _sends(case) if send[1] == vector.fault)
    told = ", ".join(state for state in seen if state != "committed")
    return f"{told}; after content committed".lstrip("; ") if "committed" in seen else told


def _again(case: Case) -> bool:
    """Whether the hop was asked a second time in a row."""
    sends = _sends(case)
    return len(sends) > 1 and sends[0][0] == sends[1][0]


def _same(vector: Vector) -> str:
    long = [case for case in _single(vector) if len(case.given.chain) > 1 and _again(case)]
    alone = [case for case in _single(vector) if len(case.given.chain) == 1 and _again(case)]
    if long:
        return "once, after a backoff" if long[0].expect.waits else "at once, in the form that it asks for"
    if not alone:
        return "no"
    waits = alone[0].expect.waits or [0.0]
    if waits[0] < 0.1:
        return "once, after a backoff, where no other hop is left"
    named = any("retry-after" in name for attempt in vector.attempts for name in attempt.headers)
    return f"after {'the time that was named' if named else _unnamed(waits[0])}, where no other origin is left"


def _unnamed(seconds: float) -> str:
    """Return a wait for which no server named a time: chance, which the vectors are without, makes it longer."""
    return f"{seconds:g} to {seconds + CHANCE:g} s"


def _next(vector: Vector) -> str:
    moves = []
    for case in _single(vector):
        sends = _sends(case)
        first = sends[0][0]
        other = next((send[0] for send in sends if send[0] != first), None)
        if other is None:
            continue
        behind = case.given.proxies.get(first.partition("/")[0])
        beyond = behind is not None and case.given.proxies.get(case.given.chain[1].partition("/")[0]) == behind
        if other.partition("/")[0] == first.partition("/")[0]:
            moves.append("another API of the origin")
        elif beyond and other != case.given.chain[1]:
            moves.append("a hop that does without the proxy")
        else:
            moves.append("another origin")
    # The nearest that is ever gone to is what the row allows.
    for move in ("a hop that does without the proxy", "another API of the origin", "another origin"):
        if move in moves:
            return move
    return "none" if any(len(case.given.chain) > 1 for case in _single(vector)) else ""


def _breaker(vector: Vector) -> str:
    closed: dict[str, float | str] = {}
    for case in vector.cases.values():
        closed.update(case.expect.breaker)
    if not closed:
        return "none" if any(case.given.calls > 1 for case in vector.cases.values()) else ""
    name, seconds = next(iter(closed.items()))
    domain = "proxy" if name.startswith("proxy") else "surface" if "/" in name else "origin"
    if seconds == "open":
        return f"{domain} counts it"
    waits = [wait for case in vector.cases.values() for wait in case.expect.waits or ()]
    named = seconds in waits and any(attempt.headers for attempt in vector.attempts)
    return f"{domain} takes no calls {'for that time' if named else f'for {seconds:g} s'}"


def _error(vector: Vector) -> str:
    ends: dict[bool, dict[str, None]] = {False: {}, True: {}}
    for case in vector.cases.values():
        if case.expect.outcome != ANSWERED:
            late = any(send[-1] == "committed" for send in _sends(case))
            ends[late][f"`{case.expect.outcome}`"] = None
    told = ", ".join(ends[False])
    return f"{told}; after content {', '.join(ends[True])}".lstrip("; ") if ends[True] else told


def _hint(name: str, vector: Vector) -> list[str]:
    headers = "; ".join(f"`{key}: {value}`" for key, value in vector.attempts[0].headers.items())
    case = vector.cases["one hop"]
    return [_file(name), vector.title, headers or "none", _waited(case)]


def _waited(case: Case) -> str:
    if not case.expect.waits:
        return f"none: `{case.expect.outcome}`, with `retry_at`"
    seconds = case.expect.waits[0]
    # No vector names the time that is waited for where none was named.
    return _unnamed(seconds) if seconds == UNNAMED else f"{seconds:g} s"


def _promised() -> Iterable[list[str]]:
    for file, vector in vectors().items():
        if not _promise(vector):
            continue
        for name, case in vector.cases.items():
            sends = ", ".join(case.expect.sends or ())
            yield [_file(file), vector.title, name, sends, case.expect.outcome]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or say whether it is true."""
    written = page()
    if "--check" in arguments:
        return 0 if PAGE.read_text(encoding="utf-8") == written else 1
    PAGE.write_text(written, encoding="utf-8")
    print(f"wrote {PAGE.name}: {len(vectors())} vectors")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
