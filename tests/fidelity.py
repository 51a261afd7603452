"""Send every recorded exchange through every bridge and count what came of it.

``python tests/fidelity.py`` writes the counts to ``docs/fidelity.md``; ``--check`` only says whether that page is true.
Needs the recorded traffic beside the checkout.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path

from answers import Json, Said, folded, parsed, said
from shared_files import recordings, schema, shared, sse_events
from vanishing import under, vanished

from chatsheet_llm.formats import BRIDGES, REPLIES, STREAMS, FormatError
from chatsheet_llm.formats.seals import open_reasoning
from chatsheet_llm.formats.state import seals
from chatsheet_llm.formats.tables import REQUEST_ECHO
from chatsheet_llm.formats.watch import reply_error
from chatsheet_llm.route import MODES, Loss, Mode

PAGE = Path(__file__).resolve().parents[1] / "docs" / "fidelity.md"
PAIRS: tuple[tuple[Mode, Mode], ...] = tuple(permutations(MODES, 2))
FORMATS: Mapping[str, Mode] = {
    "openai-chat": "chat",
    "azure-chat": "chat",
    "litellm": "chat",
    "openai-responses": "responses",
    "azure-responses": "responses",
    "anthropic-messages": "messages",
}
TITLES: Mapping[Mode, str] = {"chat": "Chat", "responses": "Responses", "messages": "Messages"}


# --- what was recorded -----------------------------------------------------------------------------------------------


def requests(mode: Mode) -> Iterator[tuple[str, Json, int]]:
    """Every recorded request of a format that is in scope, with the status of its answer."""
    for row in recordings():
        if FORMATS[row["kind"]] == mode and row["op"] == "create" and isinstance(row["request"]["json"], dict):
            yield row["id"], row["request"]["json"], row["response"]["status"]


def replies(mode: Mode) -> Iterator[tuple[str, Json]]:
    """Every recorded whole reply of a format that is an answer."""
    for row in recordings():
        if FORMATS[row["kind"]] != mode or row["sse"] or row["response"]["status"] != 200:
            continue
        if row["op"] in ("create", "retrieve"):
            body = json.loads(row["response"]["body"])
            if is_finished(mode, body):
                yield row["id"], body


def streams(mode: Mode) -> Iterator[tuple[str, list[Json]]]:
    """Every recorded stream of a format that is an answer, as its events."""
    for row in recordings():
        if FORMATS[row["kind"]] == mode and row["sse"] and row["response"]["status"] == 200:
            events = list(sse_events(row["response"]["body"]))
            if not any(event.get("error") or event.get("type") in ("error", "response.failed") for event in events):
                yield row["id"], events


def is_finished(mode: Mode, body: Json) -> bool:
    if reply_error(mode, body) is not None:
        return False
    return mode != "responses" or body.get("status") in ("completed", "incomplete")


def bridged_stream(hop: Mode, caller: Mode, events: Iterable[Json]) -> tuple[list[Json], list[Loss]]:
    bridge = STREAMS[hop, caller](True)
    made = [out for event in events for out in bridge.feed(event)] + bridge.end()
    return made, bridge.losses


# --- counting ---------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What came of the records of one kind through one pair."""

    records: int = 0
    same: int = 0
    declared: int = 0
    refused: int = 0
    back: int = 0
    failures: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


def generic(loss: Loss) -> str:
    """A loss without its numbers and names: what kind of thing was lost."""
    path = "".join("[]" if piece[:1].isdigit() else piece for piece in loss.path.replace("[", "]").split("]"))
    return f"`{path}`: {loss.reason}"


def count_requests(caller: Mode, hop: Mode, valid: Callable[[str], Callable[[object], list[str]]]) -> Tally:
    """Every request of a format to another and back again."""
    tally = Tally()
    there, back = BRIDGES[caller, hop], BRIDGES[hop, caller]
    check = {"chat": "CreateChatCompletionRequest", "responses": "CreateResponse"}.get(hop)
    for name, body, status in requests(caller):
        tally.records += 1
        before = json.dumps(body)
        try:
            made, losses = there(body)
        except FormatError as error:
            # Only what the provider itself refused may be refused.
            (tally.failures if status < 400 else []).append(f"{name}: {error}")
            tally.refused += 1
            continue
        wrong = [f"{name}: changed its input"] if json.dumps(body) != before else []
        wrong += [f"{name}: {path} vanished" for path in vanished(body, made, losses, _is_neutral)]
        if check is not None and status < 400 and not any(seal.holds for seal in seals(caller, body)):
            wrong += [f"{name}: {message}" for message in valid(check)(_loosened(made))]
        returned, lost = back(made)
        again, _ = there(returned)
        if caller == "messages":
            made, again = _led(made), _led(again)
        changed = [path for path in differences(normal(made), normal(again)) if not _excused(path, lost)]
        tally.back += not changed
        wrong += [f"{name}: {path} is another after the way back and there again" for path in changed]
        tally.failures += wrong[:3]
        told = [loss for loss in losses if not loss.minor]
        tally.declared += bool(told)
        tally.same += not told and not wrong
        tally.reasons.update({generic(loss) for loss in losses})
    return tally


def _led(body: Json) -> Json:
    """With all instructions in front, where a request to Messages has them: that they were moved is a declared loss.

    What names an item by its place goes with the places.
    """
    name = next((name for name in ("input", "messages") if isinstance(body.get(name), list)), None)
    if name is None or not any(_instructs(item) for item in body[name]):
        return body
    given = [body.get("instructions", ""), *(item["content"] for item in body[name] if _instructs(item))]
    parts = [[{"text": content}] if isinstance(content, str) else content for content in given]
    said = [part["text"] for content in parts for part in content if part["text"]]
    others = [{key: item[key] for key in item if key != "id"} for item in body[name] if not _instructs(item)]
    return {**body, "instructions": said, name: others}


def _instructs(item: Json) -> bool:
    return item.get("role") in ("system", "developer")


def _is_neutral(path: str, value: object) -> bool:
    last = path.rpartition(".")[2].partition("[")[0]
    if last in CALLS and isinstance(value, str) and not re.fullmatch("[a-zA-Z0-9_-]+", value):
        return True
    return (path, value) in NEUTRAL or (last, value) in RENAMED or last in UNSAID


NEUTRAL = frozenset({("n", 1), ("temperature", 1), ("top_p", 1), ("parallel_tool_calls", True), ("store", True)})
"""What both sides do anyway."""
RENAMED = frozenset(
    {
        ("detail", "auto"),
        ("display", "summarized"),
        ("include", "message.output_text.logprobs"),
        ("include", "reasoning.encrypted_content"),
        ("logprobs", True),
        ("service_tier", "default"),
        ("service_tier", "standard_only"),
        ("strict", True),
        ("summary", "auto"),
        ("tool_choice", "auto"),
        ("tool_choice", "required"),
        ("truncation", "disabled"),
        ("disable_parallel_tool_use", True),
    }
)
"""Last step of a path, value: what is another word, or goes without saying, on the other side."""
CALLS = frozenset({"call_id", "tool_call_id"})
"""Last steps of paths to what pairs a call with its result; Messages takes fewer characters there."""
UNSAID = frozenset({"include_usage", "id"})
"""Last steps of paths to what a bridge always asks for, and to the names of items."""


def normal(body: Json) -> object:
    """A request without what says the same as its absence, and with a text alone as a string."""
    return {name: _plain(value) for name, value in body.items() if (name, value) not in _UNSAID_VALUES}


_UNSAID_VALUES: Sequence[tuple[str, object]] = [
    ("include", ["reasoning.encrypted_content"]),
    ("temperature", 1),
    ("tool_choice", "auto"),
    ("tool_choice", {"type": "auto"}),
    ("top_p", 1),
]


_TEXTS = ("text", "input_text", "output_text")


def differences(one: object, other: object, path: str = "") -> Iterator[str]:
    """The paths at which two JSON documents differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in {**one, **other}:
            yield from differences(one.get(name), other.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, its) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, its, f"{path}[{index}]")
    elif one != other and not (one in (None, "") and other in (None, "")):
        yield path


def _excused(path: str, losses: Iterable[Loss]) -> bool:
    return any(under(path, loss.path) or under(loss.path, path) for loss in losses)


def _loosened(body: Json) -> Json:
    """With an id of reasoning, which the schema wants: recorded answers with status 200 show that the API does not."""
    if not isinstance(body.get("input"), list):
        return body
    return {**body, "input": [{"id": "rs"} | item if item["type"] == "reasoning" else item for item in body["input"]]}


def _plain(node: object) -> object:
    if (sealed := open_reasoning(node)) is not None:
        # An id only names it, in a seal as well.
        return _plain({name: value for name, value in sealed.items() if name != "id"})
    if isinstance(node, Mapping):
        return {name: _plain(value) for name, value in node.items()}
    if isinstance(node, list):
        alone = node[0] if len(node) == 1 else None
        if isinstance(alone, Mapping) and len(alone) == 2 and alone.get("type") in _TEXTS:
            return _plain(alone["text"])
        return [_plain(value) for value in node]
    return parsed(node) if isinstance(node, str) and node[:1] == "{" else node


def count_replies(hop: Mode, caller: Mode) -> Tally:
    """Every whole reply of a format as another caller sees it."""
    tally = Tally()
    for name, body in replies(hop):
        tally.records += 1
        made, losses = REPLIES[hop, caller](body)
        _compare(tally, name, said(hop, body), said(caller, made), losses)
        gone = vanished(body, made, losses, lambda path, value: _is_echo(hop, path, value))
        tally.failures += [f"{name}: {path} vanished" for path in gone[:3]]
    return tally


def _is_echo(hop: Mode, path: str, value: object) -> bool:
    """What a reply repeats of its request, names its parts by, or says in a word that both formats have."""
    last = path.rpartition(".")[2]
    if last in ("id", "index", "finish_reason") or (last, value) in _WORDS or path in _COUNTS:
        return True
    return hop == "responses" and path.partition(".")[0].partition("[")[0] in REQUEST_ECHO


_COUNTS = frozenset(f"usage.{name}_tokens" for name in ("prompt", "input", "completion", "output", "total"))
"""Compared as numbers, since Messages counts what it read from a cache apart."""
_WORDS = frozenset(
    {
        *(("stop_reason", word) for word in ("end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal")),
        *(("service_tier", word) for word in ("default", "auto", "standard")),
        *(("reason", word) for word in ("max_output_tokens", "content_filter")),
    }
)


def count_streams(hop: Mode, caller: Mode) -> Tally:
    """Every stream of a format as another caller sees it; it must fold to what its folded whole becomes."""
    tally = Tally()
    for name, events in streams(hop):
        tally.records += 1
        whole = folded(hop, events)
        made, losses = bridged_stream(hop, caller, events)
        direct, _ = REPLIES[hop, caller](whole)
        _compare(tally, name, said(hop, whole), said(caller, folded(caller, made)), losses)
        if said(caller, direct) != said(caller, folded(caller, made)):
            tally.failures.append(f"{name}: the stream is not its whole")
    return tally


def _compare(tally: Tally, name: str, before: Said, after: Said, losses: Sequence[Loss]) -> None:
    tally.declared += bool(losses)
    tally.reasons.update({generic(loss) for loss in losses})
    if any(not key for key, *_ in before.calls):
        # A legacy call has no id.
        after = replace(after, calls=tuple(("", *rest) for _, *rest in after.calls))  # type: ignore[misc]
    if before == after:
        tally.same += 1
    elif not losses:
        tally.failures.append(f"{name}: {before} became {after} and nothing tells")
    else:
        for what in ("text", "calls", "finish", "usage"):
            if getattr(before, what) != getattr(after, what) and not _told(what, losses):
                tally.failures.append(f"{name}: another {what}: {getattr(before, what)} {getattr(after, what)}"[:300])


_TOLD = {
    "text": re.compile(r"choices\[[1-9]"),
    "calls": re.compile(r"choices\[[1-9]"),
    "finish": re.compile(r"stop_reason|incomplete_details|stop_details|.*finish_reason|.*refusal"),
    "usage": re.compile(r"usage"),
}
"""Where a loss must stand that tells of another text, other calls, another end or other counts."""


def _told(what: str, losses: Iterable[Loss]) -> bool:
    return any(_TOLD[what].match(loss.path) for loss in losses)


# --- beside LiteLLM's bridge ------------------------------------------------------------------------------------------


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
        values = len(vanished(request, {}, [], _is_neutral))
        gone = vanished(request, theirs or {}, [], _is_neutral)
        yield Compared(
            name=path.stem,
            values=values,
            theirs=values - len(gone),
            ours=values - len(vanished(request, made, [], _is_neutral)),
            dropped=_tops(gone) if theirs else (),
            refused=None if theirs else _class_of(record["client_error"]),
            declared=_tops(loss.path for loss in losses),
            silent=_tops(vanished(request, made, losses, _is_neutral)),
        )


def _class_of(error: object) -> str:
    if isinstance(error, Mapping):
        return str(error.get("class") or error.get("type") or "an error")
    return str(error).partition("(")[0].partition(":")[0][:40] if error else "an error"


def _tops(paths: Iterable[str]) -> tuple[str, ...]:
    """The fields that the paths stand for, a message or tool by its own field."""
    found = dict.fromkeys(path if path.startswith(("messages", "tools")) else path.partition(".")[0] for path in paths)
    return tuple(found)


# --- the page ---------------------------------------------------------------------------------------------------------


def counted() -> dict[tuple[str, Mode, Mode], Tally]:
    made: dict[tuple[str, Mode, Mode], Tally] = {}
    for one, other in PAIRS:
        made["requests", one, other] = count_requests(one, other, schema)
        made["replies", one, other] = count_replies(one, other)
        made["streams", one, other] = count_streams(one, other)
    return made


HEAD = """# Fidelity

What the bridges between the wire formats carry, counted over recorded traffic with OpenAI, Azure OpenAI and Anthropic.
Written by `make fidelity`; a test fails when it is not true any more.

- **unchanged**: a request with everything that its caller set (but for minor losses: state of earlier replies, labels,
  hints to a cache); a reply or stream with the same text, tool calls, finish reason and token counts.
- **declared**: something has no place in the other format.  A request like this goes to another hop (or out with
  `on_loss="drop"`), a reply carries it as an extra; both list it in `Route.losses`.
- **refused**: malformed, and refused by its own provider as well.
- **failures**: something vanished without a word, a body does not fit its schema, or a text, tool call, finish reason
  or token count changed without a declared loss.
"""


def page(counts: Mapping[tuple[str, Mode, Mode], Tally]) -> str:
    parts = [HEAD]
    for what, title, arrow in (
        ("requests", "Requests, from the caller's format to the hop's", "caller → hop"),
        ("replies", "Replies, from the hop's format to the caller's", "hop → caller"),
        ("streams", "Streams, event by event, folded at the end", "hop → caller"),
    ):
        rows = [(one, other, counts[what, one, other]) for one, other in PAIRS]
        back = what == "requests"
        parts.append(f"## {title}\n")
        parts.append(
            _table(
                [arrow, "records", "unchanged", "declared", *(["refused", "same after a round trip"] if back else []),
                 "failures"],
                [
                    [f"{TITLES[one]} → {TITLES[other]}", tally.records, tally.same, tally.declared,
                     *([tally.refused, tally.back] if back else []), len(tally.failures)]
                    for one, other, tally in rows
                ],
            )
        )  # fmt: skip
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
