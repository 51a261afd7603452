"""Output items of Responses -> the stream events that build them.  Numbers the events; decides no order of items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.responses_chat_items import text_part
from chatsheet_llm.formats.tables import CALL_KINDS, CALLS

PartKind = Literal["text", "refusal", "summary"]

_PARTS: Mapping[PartKind, str] = {
    "text": "response.content_part",
    "refusal": "response.content_part",
    "summary": "response.reasoning_summary_part",
}
_TEXTS: Mapping[PartKind, str] = {
    "text": "response.output_text",
    "refusal": "response.refusal",
    "summary": "response.reasoning_summary_text",
}
_CALLS: Mapping[str, str] = {
    "function": "response.function_call_arguments",
    "custom": "response.custom_tool_call_input",
}


@dataclass(slots=True)
class Part:
    """A text under way within an item."""

    kind: PartKind
    index: int
    texts: list[str] = field(default_factory=list)
    annotations: list[object] = field(default_factory=list)
    logprobs: list[object] = field(default_factory=list)

    def made(self) -> Object:
        """Return the part as far as it has come."""
        text = "".join(self.texts)
        if self.kind == "text":
            return text_part(text, list(self.annotations), list(self.logprobs))
        return (
            {"type": "refusal", "refusal": text} if self.kind == "refusal" else {"type": "summary_text", "text": text}
        )


@dataclass(slots=True)
class Item:
    """An output item that was announced, as far as it has come.  ``written`` counts the pieces of a call's input."""

    place: int
    item: Object
    part: Part | None = None
    parts: list[object] = field(default_factory=list)
    written: int = 0
    open: bool = True


class EventWriter:
    """Keeps the items and the events that are still to be taken."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._events: list[Object] = []
        self._sequence = 0

    def take(self) -> list[Object]:
        """Return the events since the last time."""
        events, self._events = self._events, []
        return events

    def event(self, kind: str, **fields: object) -> None:
        """Add one event, with the next number."""
        self._events.append({"type": kind, "sequence_number": self._sequence, **fields})
        self._sequence += 1

    def begin(self, item: Object) -> Item:
        """Announce an item that says nothing yet."""
        known = Item(len(self.items), item)
        self.items.append(known)
        blank = item | ({"status": "in_progress"} if "status" in item else {})
        self.event("response.output_item.added", output_index=known.place, item=blank)
        return known

    def say(self, item: Item, kind: PartKind, text: str, logprobs: list[object]) -> None:
        """Add to a text of an item; a text of another kind is another part."""
        part = self._part(item, kind)
        part.texts.append(text)
        part.logprobs += logprobs
        tokens = {"logprobs": _plain(logprobs)} if kind == "text" else {}
        self.event(f"{_TEXTS[kind]}.delta", **_where(item, part), delta=text, **tokens)

    def annotate(self, item: Item, annotation: object) -> None:
        """Add a citation to the text of a message."""
        part = self._part(item, "text")
        index = len(part.annotations)
        part.annotations.append(annotation)
        kind = "response.output_text.annotation.added"
        self.event(kind, **_where(item, part), annotation_index=index, annotation=annotation)

    def add_part(self, item: Item, made: object) -> None:
        """Add a part that came whole."""
        self._end_part(item)
        part = Part("text", len(item.parts))
        item.parts.append(made)
        for stage in ("added", "done"):
            self.event(f"response.content_part.{stage}", **_where(item, part), part=made)

    def write(self, item: Item, text: str) -> None:
        """Add to the input of a call."""
        if text:
            name = _CALLS[CALL_KINDS[str(item.item["type"])]]
            self.event(f"{name}.delta", item_id=item.item["id"], output_index=item.place, delta=text)

    def end(self, item: Item, made: Object | None = None) -> None:
        """Close an item, which is now ``made``, or what its parts amount to."""
        if not item.open:
            return
        self._end_part(item)
        item.open = False
        if made is not None:
            item.item = made
        else:
            item.item = item.item | {"summary" if item.item["type"] == "reasoning" else "content": item.parts}
        if (kind := CALL_KINDS.get(str(item.item["type"]))) is not None:
            text = {CALLS[kind].text: item.item[CALLS[kind].text]}
            names = {"name": item.item["name"]} if kind == "function" else {}
            self.event(f"{_CALLS[kind]}.done", item_id=item.item["id"], output_index=item.place, **names, **text)
        self.event("response.output_item.done", output_index=item.place, item=item.item)

    def add_whole(self, made: Object) -> None:
        """Announce and close an item that came whole."""
        kind = CALL_KINDS.get(str(made.get("type")))
        if kind is None or not {"id", "name", CALLS[kind].text} <= made.keys():
            known = self.begin(made)
            known.open = False
            self.event("response.output_item.done", output_index=known.place, item=made)
            return
        known = self.begin(made | {CALLS[kind].text: ""})
        self.write(known, str(made[CALLS[kind].text]))
        self.end(known, made)

    def _part(self, item: Item, kind: PartKind) -> Part:
        if item.part is None or item.part.kind != kind:
            self._end_part(item)
            item.part = Part(kind, len(item.parts))
            self.event(f"{_PARTS[kind]}.added", **_where(item, item.part), part=item.part.made())
        return item.part

    def _end_part(self, item: Item) -> None:
        part, item.part = item.part, None
        if part is None:
            return
        made = part.made()
        item.parts.append(made)
        where, text = _where(item, part), {"refusal" if part.kind == "refusal" else "text": "".join(part.texts)}
        tokens = {"logprobs": _plain(part.logprobs)} if part.kind == "text" else {}
        self.event(f"{_TEXTS[part.kind]}.done", **where, **text, **tokens)
        self.event(f"{_PARTS[part.kind]}.done", **where, part=made)


def _where(item: Item, part: Part) -> Object:
    index = "summary_index" if part.kind == "summary" else "content_index"
    return {"item_id": item.item["id"], "output_index": item.place, index: part.index}


def _plain(logprobs: list[object]) -> list[object]:
    """Log probabilities as events have them: without ``bytes``."""
    return [
        {
            "token": entry.get("token"),
            "logprob": entry.get("logprob"),
            "top_logprobs": [
                {"token": other.get("token"), "logprob": other.get("logprob")}
                for other in entry.get("top_logprobs") or []
                if isinstance(other, Mapping)
            ],
        }
        if isinstance(entry, Mapping)
        else entry
        for entry in logprobs
    ]
