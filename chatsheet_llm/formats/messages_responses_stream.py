"""Responses stream events -> Messages events.  Folding them gives what ``responses_to_messages_reply`` gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import ClassVar

from chatsheet_llm.formats.errors import FormatError, mapping, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.messages_responses_blocks import BlockWriter, Item, TextKey, bare, wordings_of
from chatsheet_llm.formats.messages_responses_reply import (
    REASONING_BREAK,
    blocks_of,
    opening,
    responses_to_messages_reply,
)
from chatsheet_llm.formats.tables import CALL_KINDS, CALLS, STREAM_EVENTS
from chatsheet_llm.route import Loss


class ResponsesToMessagesStream:
    """Turns the events of one Responses stream, in order, into events of a Messages stream.

    Messages sends one block after another, so what belongs to a later item waits until the items before it are whole.
    Arguments that do not begin as a JSON object wait too, since they go into one.  A thinking block stays open until
    something follows it, as its seal may come anew with the last event.

    What came too late for an event of Messages stands where a plain fold finds it: fields of a block on its
    ``content_block_stop`` as ``content_block``, fields of the message and counts on ``message_delta``.  The SDK's own
    accumulator reads neither.  ``losses`` grows as events come by.
    """

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self._head: Object | None = None
        self._ended = False
        self._writer = BlockWriter()
        self._items: dict[int, Item] = {}
        self._places: dict[str, int] = {}
        self._front = 0
        self._noted: set[str] = set()

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        """Take one event and return those it makes, none for many.

        Raises FormatError for an event of a failed stream, which is to be handled before it gets here, and for one
        that is not a Responses event.
        """
        kind = string(event, "type", "")
        meaning = "part" if kind == "response.content_part.done" else STREAM_EVENTS.get(kind)
        if meaning == "fault":
            raise FormatError("type", f"{kind!r} ends a failed stream and has no event in Messages")
        if self._ended:
            self._note(kind, "came after the end of the answer")
            return []
        if meaning is None or meaning == "lost":
            self._note(
                kind, "Messages has no event for it" if meaning else "this event is not known, its meaning is lost"
            )
            return []
        feed = self._FEEDS.get(meaning)
        return feed(self, kind, event) if feed is not None else []

    def end(self) -> list[dict[str, object]]:
        """Hear that the stream is over: everything was said with its last event."""
        return []

    def _start(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        return self._opening(mapping(event.get("response"), "response"))

    def _text(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        item, index = self._item_of(event, "message"), _index(event, "content_index")
        name = "refusal" if kind.startswith("response.refusal") else "text"
        if name == "refusal":
            item.refusals.add(index)
        return self._take(kind, event, item, (0, index), name)

    def _reasoning(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        item = self._item_of(event, "reasoning")
        summary = "summary" in kind
        key = (0, _index(event, "summary_index")) if summary else (1, _index(event, "content_index"))
        return self._take(kind, event, item, key, "text")

    def _call(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        custom = "custom" in kind
        item = self._item_of(event, "custom_tool_call" if custom else "function_call")
        return self._take(kind, event, item, (0, 0), "input" if custom else "arguments")

    def _take(self, kind: str, event: Mapping[str, object], item: Item, key: TextKey, name: str) -> list[Object]:
        if not kind.endswith(".done"):
            item.piece(key, string(event, "delta", ""))
        else:
            item.rest(key, string(event, name, ""))
        return self._advance()

    def _part(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        part = mapping(event.get("part"), "part")
        if part.get("type") in ("output_text", "refusal"):
            self._item_of(event, "message").parts[_index(event, "content_index")] = part
        return self._advance()

    def _item(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        given = mapping(event.get("item"), "item")
        index = event.get("output_index")
        place = self._place(given, index if isinstance(index, int) else len(self._items))
        begun = self._items[place].given.get("id") if place in self._items else None
        if kind.endswith(".added") and begun not in (None, given.get("id")):
            # Some servers give every item the same index.
            place = self._after()
        if isinstance(given.get("id"), str):
            self._places[str(given["id"])] = place
        item = self._items.setdefault(place, Item())
        if not item.done:
            item.given, item.kind, item.done = given, str(given.get("type")), kind.endswith(".done")
        return self._advance()

    def _end(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        response = dict(mapping(event.get("response"), "response"))
        response.setdefault("status", kind.rpartition(".")[2])
        if not response.get("output"):
            # Some servers leave the output out of the last event, as they have sent it.
            arrived = [item.arrived() for _, item in sorted(self._items.items())]
            response["output"] = [item for item in arrived if item.get("type") not in CALL_KINDS or _is_named(item)]
        message, losses = responses_to_messages_reply(response)
        events = self._opening(response) + self._final([item for _, item in objects(response["output"], "output")])
        self.losses += losses
        self._ended = True
        head = self._head or {}
        said = {name: message.pop(name, None) for name in ("stop_reason", "stop_sequence")}
        usage = message.pop("usage")
        late = {name: value for name, value in message.items() if name != "content" and head.get(name) != value}
        return [
            *events,
            {"type": "message_delta", "delta": said | late, "usage": usage},
            {"type": "message_stop"},
        ]

    def _opening(self, response: Mapping[str, object]) -> list[Object]:
        if self._head is not None:
            return []
        self._head = opening(response)
        return [{"type": "message_start", "message": dict(self._head)}]

    def _advance(self) -> list[Object]:
        """Write what can be written: of the first item that is not whole as far as it came, and all before it."""
        events: list[Object] = []
        while (item := self._items.get(self._front)) is not None:
            last = self._front == max(self._items)
            if not item.done or (item.kind == "reasoning" and last):
                events += self._preview(item)
                break
            events += self._whole(self._front, item)
            self._front += 1
        return [*self._opening({}), *events] if events else []

    def _preview(self, item: Item) -> list[Object]:
        if item.kind == "message" and item.given.get("role", "assistant") == "assistant":
            return self._preview_message(item)
        if item.kind == "reasoning":
            return self._preview_reasoning(item)
        if item.kind in CALL_KINDS and _is_named(item.given):
            return self._preview_call(item)
        return []

    def _preview_message(self, item: Item) -> list[Object]:
        events: list[Object] = []
        while True:
            number = len(item.blocks)
            if text := item.unshown((0, number)):
                events += self._show(item, {"type": "output_text", "text": ""}, text)
            # The whole item may say more of its last part than the event of the part did.
            followed = any(index > number for index in (*item.parts, *(at for _, at in item.texts)))
            if number not in item.parts or not followed or not item.given:
                return events
            block = blocks_of({**item.given, "type": "message", "content": [item.parts[number]]}, "", _unread())[0]
            events += self._finish(f"output[{self._front}]", block, (str(block["text"]),))
            item.blocks.append(block)

    def _preview_reasoning(self, item: Item) -> list[Object]:
        events: list[Object] = []
        for key in sorted(item.texts):
            if item.last is not None and key < item.last:
                continue
            if text := item.unshown(key):
                lead = REASONING_BREAK if item.last not in (None, key) else ""
                item.last = key
                events += self._show(item, {}, lead + text)
        return events

    def _preview_call(self, item: Item) -> list[Object]:
        if item.kind == "custom_tool_call":
            lead = "" if self._writer.open else '{"input":"'
            return self._show(item, {}, lead + _escaped(text)) if (text := item.unshown((0, 0))) else []
        if self._writer.open is None and not "".join(item.texts.get((0, 0), ())).lstrip().startswith("{"):
            return []
        return self._show(item, {}, text) if (text := item.unshown((0, 0))) else []

    def _show(self, item: Item, part: Object, text: str) -> list[Object]:
        events: list[Object] = []
        if self._writer.open is None:
            events.append(self._writer.start(self._blank(item, part)))
        return [*events, self._writer.write(text)]

    def _blank(self, item: Item, part: Object) -> Object:
        """The block that begins with what is known of an item before its text."""
        if item.kind == "reasoning":
            return {"type": "thinking", "thinking": "", "signature": ""}
        if item.kind == "message":
            return blocks_of({**item.given, "type": "message", "content": [part]}, "", _unread())[0]
        begun = {**item.given, "type": item.kind, CALLS[CALL_KINDS[item.kind]].text: ""}
        return bare(blocks_of(begun, "", _unread())[0])

    def _whole(self, place: int, item: Item) -> list[Object]:
        """Write what a whole item says and was not written yet; the same item again must say the same."""
        path = f"output[{place}]"
        blocks = blocks_of(item.given, path, _unread())
        events: list[Object] = []
        for number, block in enumerate(blocks):
            if not item.written and number >= len(item.blocks):
                events += self._finish(path, block, wordings_of(item.given, block))
        if item.blocks != (blocks if item.written else blocks[: len(item.blocks)]):
            if item.kind == "reasoning" and _unsealed(item.blocks) == _unsealed(blocks):
                self._note(f"{path}.encrypted_content", _RESEALED)
            else:
                self._note(path, _STAYS)
        if not item.written:
            item.blocks, item.written = blocks, True
        if self._writer.open is not None:
            # The open block was of a part that the whole item does not have.
            events += self._finish(path, self._writer.open, (self._writer.written(),))
            self._note(path, _STAYS)
        return events

    def _finish(self, path: str, block: Mapping[str, object], wordings: tuple[str, ...]) -> list[Object]:
        events, exact = self._writer.finish(block, wordings)
        if not exact:
            self._note(path, _STAYS)
        return events

    def _final(self, output: list[Mapping[str, object]]) -> list[Object]:
        """Write what only the final reply says."""
        events: list[Object] = []
        found: list[int] = []
        for index, given in enumerate(output):
            found.append(self._place(given, index, found))
            item = self._items.setdefault(found[-1], Item())
            item.given, item.kind, item.done = given, str(given.get("type")), True
        if self._writer.open is not None and self._front not in found:
            item = self._items[self._front]
            item.given, item.done = item.arrived(), True
        # An open block can only be followed by others once it is closed.
        begun = [self._front] if self._writer.open is not None else []
        for place in dict.fromkeys(begun + found):
            events += self._whole(place, self._items[place])
        for place in sorted(set(self._items) - set(found)):
            self._note(f"output[{place}]", "the final reply does not hold it; what was streamed of it stays")
        return events

    def _place(self, item: Mapping[str, object], index: int, taken: Collection[int] = ()) -> int:
        """The place of an item: where its id was seen, or its index unless that belongs to another item."""
        place = self._places.get(str(item.get("id")), index)
        known = self._items.get(place)
        if place in taken or (known is not None and known.kind not in ("", item.get("type"))):
            return self._after(taken)
        return place

    def _item_of(self, event: Mapping[str, object], kind: str) -> Item:
        # Gateways that rename item ids do so per event, so an id that no item has says nothing.
        index = event.get("output_index")
        place = self._places.get(str(event.get("item_id")), index if isinstance(index, int) else 0)
        known = self._items.get(place)
        if known is not None and known.kind not in ("", kind):
            open_ones = [at for at, item in self._items.items() if item.kind == kind and not item.done]
            place = open_ones[-1] if open_ones else self._after()
        item = self._items.setdefault(place, Item())
        item.kind = item.kind or kind
        return item

    def _after(self, taken: Collection[int] = ()) -> int:
        return max([-1, *self._items, *taken]) + 1

    def _note(self, path: str, reason: str) -> None:
        if path not in self._noted:
            self._noted.add(path)
            self.losses.append(Loss("messages", path, reason))

    _FEEDS: ClassVar[
        Mapping[str, Callable[[ResponsesToMessagesStream, str, Mapping[str, object]], list[dict[str, object]]]]
    ] = {
        "start": _start,
        "text": _text,
        "refusal": _text,
        "reasoning": _reasoning,
        "call": _call,
        "part": _part,
        "item": _item,
        "end": _end,
    }


_STAYS = "its final form is not the one that was streamed, which stays"
_RESEALED = "sealed anew in the last event, after its block was sent; the first seal stays"


def _unsealed(blocks: list[Object]) -> list[Object]:
    return [{name: value for name, value in block.items() if name != "signature"} for block in blocks]


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _is_named(item: Mapping[str, object]) -> bool:
    return isinstance(item.get("call_id"), str) and isinstance(item.get("name"), str)


def _unread() -> Ledger:
    """A ledger for a block under way: the whole reply lists the losses."""
    return Ledger("messages")


def _index(event: Mapping[str, object], name: str) -> int:
    value = event.get(name, 0)
    if not isinstance(value, int):
        raise FormatError(name, "must be an integer")
    return value
