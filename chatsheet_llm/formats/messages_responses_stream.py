"""Responses stream events -> Messages events.  Folding them gives what ``responses_to_messages_reply`` gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.messages_responses_blocks import BlockWriter, Writing, bare, wordings_of
from chatsheet_llm.formats.messages_responses_reply import (
    blocks_of,
    opening,
    responses_to_messages_reply,
)
from chatsheet_llm.formats.responses_events import ResponsesEvents
from chatsheet_llm.formats.responses_items import REFUSAL, TEXT, Item, TextKey, is_named, text_at
from chatsheet_llm.formats.responses_places import DROPPED
from chatsheet_llm.formats.seals import REASONING_BREAK
from chatsheet_llm.formats.tables import CALL_KINDS, CALLS
from chatsheet_llm.route import Mode


class ResponsesToMessagesStream(ResponsesEvents):
    """Turns the events of one Responses stream, in order, into events of a Messages stream.

    Messages sends one block after another, so what belongs to a later item waits until the items before it are whole.
    Arguments that do not begin as a JSON object wait too, since they go into one.  A thinking block stays open until
    something follows it, as its seal may come anew with the last event.

    What came too late for an event of Messages stands where a plain fold finds it: fields of a block on its
    ``content_block_stop`` as ``content_block``, fields of the message and counts on ``message_delta``.  The SDK's own
    accumulator reads neither.
    """

    TARGET: ClassVar[Mode] = "messages"
    UNIT: ClassVar[str] = "event"

    def __init__(self) -> None:
        super().__init__()
        self._head: Object | None = None
        self._writer = BlockWriter()
        self._written: dict[int, Writing] = {}
        self._front = 0

    def _begin(self, response: Mapping[str, object]) -> list[Object]:
        return self._opening(response)

    def _say(self, event: Mapping[str, object], kind: str, key: TextKey, name: str) -> list[Object]:
        _, item = self._items.speaking(event, kind)
        if not str(event["type"]).endswith(".done"):
            item.piece(key, text_at(event, "delta"))
        else:
            # One that is not the text that came is left to the whole item to tell of.
            item.rest(key, text_at(event, name))
        return self._advance()

    def _part(self, event: Mapping[str, object]) -> list[Object]:
        self._items.take_part(event)
        return self._advance()

    def _item(self, event: Mapping[str, object]) -> list[Object]:
        self._items.announce(event)
        return self._advance()

    def _end(self, event: Mapping[str, object]) -> list[Object]:
        response, found = self._items.settle(event)
        message, losses = responses_to_messages_reply(response)
        events = self._opening(response) + self._final(found)
        self.losses += losses
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
        while (item := self._items.at.get(self._front)) is not None:
            last = self._front + 1 == self._items.after()
            if not item.done or (item.kind == "reasoning" and last):
                events += self._preview(item)
                break
            events += self._whole(self._front, f"output[{self._front}]")
            self._front += 1
        return [*self._opening({}), *events] if events else []

    def _writing(self) -> Writing:
        return self._written.setdefault(self._front, Writing())

    def _preview(self, item: Item) -> list[Object]:
        if item.kind == "message" and item.given.get("role", "assistant") == "assistant":
            return self._preview_message(item)
        if item.kind == "reasoning":
            return self._preview_reasoning(item)
        if item.kind in CALL_KINDS and is_named(item):
            return self._preview_call(item)
        return []

    def _preview_message(self, item: Item) -> list[Object]:
        events: list[Object] = []
        blocks = self._writing().blocks
        while True:
            number = len(blocks)
            if text := item.unshown((TEXT, number)) + item.unshown((REFUSAL, number)):
                events += self._show(item, {"type": "output_text", "text": ""}, text)
            # The whole item may say more of its last part than the event of the part did.
            followed = any(index > number for index in (*item.parts, *(at for _, at in item.texts)))
            if number not in item.parts or not followed or not item.given:
                return events
            part = item.noted(number, item.parts[number])
            block = blocks_of({**item.given, "type": "message", "content": [part]}, "", _unread())[0]
            events += self._finish(f"output[{self._front}]", block, (str(block["text"]),))
            blocks.append(block)

    def _preview_reasoning(self, item: Item) -> list[Object]:
        events: list[Object] = []
        writing = self._writing()
        for key in sorted(item.texts):
            if writing.last is not None and key < writing.last:
                continue
            if text := item.unshown(key):
                lead = REASONING_BREAK if writing.last not in (None, key) else ""
                writing.last = key
                events += self._show(item, {}, lead + text)
        return events

    def _preview_call(self, item: Item) -> list[Object]:
        if item.kind == "custom_tool_call":
            lead = "" if self._writer.open else '{"input":"'
            return self._show(item, {}, lead + _escaped(text)) if (text := item.unshown((TEXT, 0))) else []
        pieces = (piece.lstrip() for piece in item.texts.get((TEXT, 0), ()))
        if self._writer.open is None and not next(filter(None, pieces), "").startswith("{"):
            return []
        return self._show(item, {}, text) if (text := item.unshown((TEXT, 0))) else []

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

    def _whole(self, place: int, path: str) -> list[Object]:
        """Write what a whole item says and was not written yet; the same item again must say the same."""
        item, writing = self._items.at[place], self._written.setdefault(place, Writing())
        blocks = blocks_of(item.given, path, _unread())
        events: list[Object] = []
        for number, block in enumerate(blocks):
            if not writing.ended and number >= len(writing.blocks):
                events += self._finish(path, block, wordings_of(item.given, block))
        if writing.blocks != (blocks if writing.ended else blocks[: len(writing.blocks)]):
            if item.kind == "reasoning" and _unsealed(writing.blocks) == _unsealed(blocks):
                self._note(f"{path}.encrypted_content" if "encrypted_content" in item.given else path, _RESEALED)
            else:
                self._note(path, _STAYS)
        if not writing.ended:
            writing.blocks, writing.ended = blocks, True
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

    def _final(self, found: list[int]) -> list[Object]:
        """Write what only the last event says."""
        events: list[Object] = []
        paths = {place: f"output[{index}]" for index, place in enumerate(found)}
        left = self._items.left(found)
        # An open block can only be followed by others once it is closed.
        if self._writer.open is not None:
            if self._front in left:
                item = self._items.at[self._front]
                item.given, item.done = item.arrived(), True
            events += self._whole(self._front, paths.get(self._front, f"output[{self._front}]"))
        for index, place in enumerate(found):
            if not self._written.get(place, Writing()).ended and self._is_late(found[index + 1 :]):
                self._note(paths[place], _LATE)
            events += self._whole(place, paths[place])
        for place in left:
            self._note(f"output[{place}]", DROPPED)
        return events

    def _is_late(self, followers: list[int]) -> bool:
        return any(self._written.get(place, Writing()).ended for place in followers)


_STAYS = "its final form is not the one that was streamed, which stays"
_LATE = "only the last event brings it, so it stands behind what was sent by then"
_RESEALED = "sealed anew in the last event, after its block was sent; the first seal stays"


def _unsealed(blocks: list[Object]) -> list[Object]:
    return [{name: value for name, value in block.items() if name != "signature"} for block in blocks]


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _unread() -> Ledger:
    """A ledger for a block under way: the whole reply lists the losses."""
    return Ledger("messages")
