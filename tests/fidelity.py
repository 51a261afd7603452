"""Write what the bridges carry of the recorded traffic to ``docs/fidelity.md``; ``counting`` counts, this file tells.

``python tests/fidelity.py`` writes the page; ``--check`` only says whether it is true.
Needs the recorded traffic beside the checkout.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from alike import Row
from beside_litellm import compared
from counting import PAIRS, Tally, counted
from normal_forms import REQUESTS
from normal_replies import REPLIES
from stream_rows import STREAM_ROWS

from chatsheet_llm.route import MODES, Mode

PAGE = Path(__file__).resolve().parents[1] / "docs" / "fidelity.md"
TITLES: Mapping[Mode, str] = {"chat": "Chat", "responses": "Responses", "messages": "Messages"}

HEAD = """# Fidelity

What the bridges between the wire formats carry, counted over recorded traffic with OpenAI, Azure OpenAI and Anthropic.
Written by `make fidelity`; a test fails when it is not true any more.

- **unchanged**: a request with everything that its caller set (but for minor losses: state of earlier replies, labels,
  hints to a cache); a reply or stream with the same text, tool calls, finish reason and token counts.
- **declared**: something has no place in the other format. A request like this goes to another hop (or out with
  `on_loss="drop"`), a reply carries it as an extra; both list it in `Route.losses`.
- **refused**: malformed, and refused by its own provider as well.
- **comes back**: translated to the other format and back again, it is what it was, but for declared losses and for the
  differences that are listed below, each with its reason.
- **failures**: something vanished without a word, a body does not fit its schema, it came back another, a stream is not
  its whole, or a text, tool call, finish reason or token count changed without a declared loss.
"""


def page(counts: Mapping[tuple[str, Mode, Mode], Tally]) -> str:
    parts = [HEAD]
    for what, title, arrow in (
        ("requests", "Requests, from the caller's format to the hop's", "caller → hop"),
        ("replies", "Replies, from the hop's format to the caller's", "hop → caller"),
        ("streams", "Streams, event by event, folded at the end", "hop → caller"),
    ):
        rows = [(one, other, counts[what, one, other]) for one, other in PAIRS]
        refused, back = what == "requests", what != "streams"
        parts.append(f"## {title}\n")
        parts.append(
            _table(
                [arrow, "records", "unchanged", "declared", *(["refused"] if refused else []),
                 *(["comes back"] if back else []), "failures"],
                [
                    [f"{TITLES[one]} → {TITLES[other]}", tally.records, tally.same, tally.declared,
                     *([tally.refused] if refused else []), *([tally.back] if back else []), len(tally.failures)]
                    for one, other, tally in rows
                ],
            )
        )  # fmt: skip
    parts += [DIFFERENCES, *_differences()]
    parts.append("## Losses by reason\n\nWhere it stood, why it has no place, and in how many records.\n")
    for what in ("requests", "replies", "streams"):
        for one, other in PAIRS:
            reasons = counts[what, one, other].reasons
            if reasons:
                parts.append(f"### {what.capitalize()}: {TITLES[one]} → {TITLES[other]}\n")
                listed = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
                parts.append(_table(["loss", "records"], [[name.replace("|", "\\|"), n] for name, n in listed]))
    parts.append(BESIDE)
    head = ["request", "values", "LiteLLM sends", "LiteLLM drops in silence", "ours sends", "ours declares"]
    parts.append(_table([*head, "ours drops in silence"], _beside()))
    return "\n".join(parts)


DIFFERENCES = """## Differences that take nothing away

What may be another when it comes back, and why that is the same. Any other difference is a failure.
"""


def _differences() -> list[str]:
    made: list[str] = []
    for what, rows in (("Requests", REQUESTS), ("Replies", REPLIES)):
        for mode in MODES:
            own = [row for row in rows if row.mode == mode]
            made += [f"### {what} of {TITLES[mode]}\n", _table(["through", "difference"], map(_difference, own))]
    told = [[f"{TITLES[row.hop]} → {', '.join(TITLES[one] for one in row.callers if one != row.hop)}", row.reason,
             ", ".join(row.records) or "any"] for row in STREAM_ROWS]  # fmt: skip
    return [*made, "### Streams and their wholes\n", _table(["hop → caller", "difference", "records"], told)]


def _difference(row: Row) -> list[object]:
    return [", ".join(TITLES[one] for one in row.through if one != row.mode), row.reason.replace("|", "\\|")]


BESIDE = """## Beside LiteLLM's bridge

The same chat requests through LiteLLM 1.106.2's bridge to Responses and through ours: how many of the values that a
request holds each one sends, and what becomes of the others.
"""


def _beside() -> list[list[object]]:
    return [
        [
            row.name.replace("_", " "),
            row.values,
            row.theirs,
            f"refused: {row.refused}" if row.refused else _listed(row.dropped),
            row.ours,
            _listed(row.declared),
            _listed(row.silent),
        ]
        for row in compared()
    ]


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths) or "-"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    text = page(counted())
    if "--check" in arguments:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
