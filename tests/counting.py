"""Send every recorded exchange through every bridge and back, and count.  Forgives only what a row tells."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

from answers import Json, Said, folded, said
from normal_forms import normal, normal_reply
from round_trip import differences, marked
from sdk_folds import sdk_folded
from shared_files import recordings, schema, sse_events
from stream_rows import STREAM_ROWS, StreamRow
from vanishing import is_echo, is_neutral, vanished

from chatsheet_llm.formats import BRIDGES, REPLIES, STREAMS, FormatError
from chatsheet_llm.formats.state import seals, without
from chatsheet_llm.formats.watch import reply_error
from chatsheet_llm.route import MODES, Loss, Mode

PAIRS: tuple[tuple[Mode, Mode], ...] = tuple(permutations(MODES, 2))
FORMATS: Mapping[str, Mode] = {
    "openai-chat": "chat",
    "azure-chat": "chat",
    "litellm": "chat",
    "openai-responses": "responses",
    "azure-responses": "responses",
    "anthropic-messages": "messages",
}
SCHEMAS: Mapping[Mode, str] = {"chat": "CreateChatCompletionRequest", "responses": "CreateResponse"}
"""Formats with a wire schema, and its name."""


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
            if _is_finished(mode, body):
                yield row["id"], body


def streams(mode: Mode) -> Iterator[tuple[str, list[Json]]]:
    """Every recorded stream of a format that is an answer, as its events."""
    for row in recordings():
        if FORMATS[row["kind"]] == mode and row["sse"] and row["response"]["status"] == 200:
            events = list(sse_events(row["response"]["body"]))
            if not any(event.get("error") or event.get("type") in ("error", "response.failed") for event in events):
                yield row["id"], events


def _is_finished(mode: Mode, body: Json) -> bool:
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


def count_requests(caller: Mode, hop: Mode) -> Tally:
    """Every request of a format to another, and back as it was."""
    tally = Tally()
    there, back = BRIDGES[caller, hop], BRIDGES[hop, caller]
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
        wrong += [f"{name}: {path} vanished" for path in vanished(body, made, losses, is_neutral)]
        if status < 400:
            wrong += [f"{name}: {message}" for message in invalid(caller, hop, body)]
        sent = normal(caller, marked(body, [loss.path for loss in losses]), hop)
        changed = differences(sent, normal(caller, back(made)[0], hop))
        tally.back += not changed
        wrong += [f"{name}: came back with another {difference}"[:300] for difference in changed]
        tally.failures += wrong[:3]
        told = [loss for loss in losses if not loss.minor]
        tally.declared += bool(told)
        tally.same += not told and not wrong
        tally.reasons.update({generic(loss) for loss in losses})
    return tally


@dataclass(frozen=True, slots=True)
class Unfit:
    """What a schema says of a body that nobody sends: its request needs state which this hop does not have."""

    message: str
    reason: str


UNFIT = (
    Unfit("'model' is a required property", "the model stands in a prompt template of the endpoint that keeps it"),
    Unfit("[] should be non-empty", "the whole conversation is kept by the endpoint that led it"),
)


def invalid(caller: Mode, hop: Mode, body: Json) -> list[str]:
    """What is wrong by the wire schema with a request that goes to a hop, as it is and with its state stripped."""
    if hop not in SCHEMAS:
        return []
    found = seals(caller, body)
    bodies = [body, without(body, [seal for seal in found if not seal.holds], hop)[0]] if found else [body]
    sent = bodies if caller == hop else [BRIDGES[caller, hop](dict(given))[0] for given in bodies]
    excused = {row.message for row in UNFIT} if any(seal.holds for seal in found) else set()
    messages = [message for given in sent for message in schema(SCHEMAS[hop])(with_ids(dict(given)))]
    return [message for message in messages if message not in excused]


def with_ids(body: Json) -> Json:
    """With an id of reasoning, which the schema wants: recorded answers with status 200 show that the API does not."""
    if not isinstance(body.get("input"), list):
        return body
    return {**body, "input": [{"id": "rs"} | i if i.get("type") == "reasoning" else i for i in body["input"]]}


def count_replies(hop: Mode, caller: Mode) -> Tally:
    """Every whole reply of a format as another caller sees it, and back as it was."""
    tally = Tally()
    for name, body in replies(hop):
        tally.records += 1
        made, losses = REPLIES[hop, caller](body)
        compare(tally, name, said(hop, body), said(caller, made), losses)
        gone = vanished(body, made, losses, lambda path, value: is_echo(hop, path, value))
        sent = normal_reply(hop, marked(body, [loss.path for loss in losses]), caller)
        changed = differences(sent, normal_reply(hop, REPLIES[caller, hop](made)[0], caller))
        tally.back += not changed
        tally.failures += [f"{name}: {path} vanished" for path in gone[:3]]
        tally.failures += [f"{name}: came back with another {difference}"[:300] for difference in changed[:3]]
    return tally


def count_streams(hop: Mode, caller: Mode) -> Tally:
    """Every stream of a format as another caller sees it; it must fold to what its folded whole becomes.

    It is folded twice, by a plain reader and by the accumulator of the caller's SDK.
    """
    tally = Tally()
    for name, events in streams(hop):
        tally.records += 1
        whole = folded(hop, events)
        made, losses = bridged_stream(hop, caller, events)
        direct, listed = REPLIES[hop, caller](whole)
        streamed = folded(caller, made)
        compare(tally, name, said(hop, whole), said(caller, streamed), losses)
        rows = [row for row in STREAM_ROWS if row.is_about(hop, caller, name)]
        changed = stream_differences(caller, direct, streamed, rows)
        changed += [str(loss) for loss in {*losses} ^ {*listed} if not any(row.tells(loss) for row in rows)]
        if said(caller, sdk_folded(caller, made)) != said(caller, streamed):
            changed.append("the SDK reads it otherwise")
        tally.failures += [f"{name}: the stream is not its whole: {difference}"[:300] for difference in changed[:3]]
    return tally


def stream_differences(caller: Mode, direct: Json, streamed: Json, rows: Iterable[StreamRow]) -> list[str]:
    """Where a folded stream is not the whole reply, but for what the rows tell."""
    one, other = normal_reply(caller, direct), normal_reply(caller, streamed)
    for row in rows:
        row.alike(one)
        row.alike(other)
    return differences(one, other)


def compare(tally: Tally, name: str, before: Said, after: Said, losses: Sequence[Loss]) -> None:
    tally.declared += bool(losses)
    tally.reasons.update({generic(loss) for loss in losses})
    if any(not key for key, *_ in before.calls):
        # A legacy call has no id.
        after = replace(after, calls=tuple(("", name, given) for _, name, given in after.calls))
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


_COUNTS: Mapping[str, Callable[[Mode, Mode], Tally]] = {
    "requests": count_requests,
    "replies": count_replies,
    "streams": count_streams,
}


def counted() -> dict[tuple[str, Mode, Mode], Tally]:
    return {(what, one, other): count(one, other) for one, other in PAIRS for what, count in _COUNTS.items()}
