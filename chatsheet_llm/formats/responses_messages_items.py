"""Content blocks of a Messages stream -> the events of Responses output items.  Reads no event itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chatsheet_llm.formats.errors import objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.responses_messages_reply import (
    ITEM_KINDS,
    call_item,
    item_id,
    json_text,
    message_item,
    own_item,
    reasoning_item,
    text_part,
)


@dataclass(slots=True)
class Item:
    """An output item under way: one block, or several text blocks in a row."""

    kind: str
    index: int
    identity: str
    blocks: list[Block] = field(default_factory=list)
    done: Object | None = None


@dataclass(slots=True)
class Block:
    """A content block under way.

    ``content`` is what it says so far, ``written`` the JSON text of its input, ``part`` what a text became when it
    ended, ``place`` where it stands among the parts of its item.
    """

    started: Mapping[str, object]
    content: Object
    item: Item
    path: str
    place: int
    written: str = ""
    open: bool = True
    part: Object = field(default_factory=dict)


class ItemEvents:
    """Writes the events of output items while their blocks begin, grow and end.

    Annotations come with the end of their text, where its length is known.  The end of a message or call comes with
    the next item, as only the last one can be cut off.
    """

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self.blocks: list[Block] = []
        self.items: list[Item] = []
        self._note = note
        self._events: list[Object] = []
        self._count = 0

    def taken(self) -> list[Object]:
        """Return what was written since the last time."""
        events, self._events = self._events, []
        return events

    def emit(self, kind: str, **fields: object) -> None:
        """Write one event."""
        self._events.append({"type": kind, "sequence_number": self._count, **fields})
        self._count += 1

    def begin(self, given: Mapping[str, object], message_id: str) -> Block:
        """Begin a block, in the message before it if both are text."""
        number = len(self.blocks)
        path = f"content[{number}]"
        kind = string(given, "type", path)
        item = self.items[-1] if self.items else None
        if kind != "text" or item is None or item.kind != "message":
            wanted = ITEM_KINDS.get(kind, "")
            item = Item(wanted, len(self.items), item_id(wanted, message_id, number))
            self.items.append(item)
            self._close_stopped()
        content = dict(given)
        if kind in ("text", "thinking"):
            content[kind] = ""
        block = Block(given, content, item, path, len(item.blocks))
        self.blocks.append(block)
        item.blocks.append(block)
        if block.place == 0:
            self.emit("response.output_item.added", output_index=item.index, item=_announced(block))
        if kind == "text":
            blank = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            self._tell("response.content_part.added", block, content_index=block.place, part=blank)
            self.say(block, given.get("text") or "")
        elif kind == "thinking":
            self.think(block, given.get("thinking") or "")
        return block

    def say(self, block: Block, text: object) -> None:
        """Add to a text."""
        if text := string({"text": text}, "text", block.path):
            block.content["text"] = f"{block.content['text']}{text}"
            self._tell("response.output_text.delta", block, content_index=block.place, delta=text, logprobs=[])

    def think(self, block: Block, text: object) -> None:
        """Add to a thinking text, which is a part of the summary once it says anything."""
        if text := string({"thinking": text}, "thinking", block.path):
            if not block.content["thinking"]:
                blank = {"type": "summary_text", "text": ""}
                self._tell("response.reasoning_summary_part.added", block, summary_index=0, part=blank)
            block.content["thinking"] = f"{block.content['thinking']}{text}"
            self._tell("response.reasoning_summary_text.delta", block, summary_index=0, delta=text)

    def write(self, block: Block, text: object) -> None:
        """Add to the JSON text of an input."""
        text = string({"input": text}, "input", block.path)
        block.written += text
        if text and block.item.kind == "function_call":
            self._tell("response.function_call_arguments.delta", block, delta=text)

    def stop(self, block: Block) -> None:
        """End a block, and its item where nothing can change that any more."""
        block.open = False
        if block.item.kind == "message":
            self._stop_text(block)
        elif block.item.kind == "function_call":
            self._stop_call(block)
        else:
            if block.content["type"] == "thinking":
                self._stop_thinking(block)
            elif block.written and not _read_input(block):
                self._note(f"{block.path}.input", "it is no JSON, so the item has it as text")
            self.close(block.item, "")
        self._close_stopped()

    def close(self, item: Item, status: str) -> None:
        """Write the end of an item whose blocks have ended, once."""
        if item.done is not None:
            return
        block, ledger = item.blocks[0], Ledger("responses")
        if item.kind == "message":
            item.done = message_item(item.identity, status, [block.part for block in item.blocks])
        elif item.kind == "reasoning":
            item.done = reasoning_item(block.content, item.identity, block.path, ledger, unseal=False)
        elif item.kind == "function_call":
            item.done = call_item(block.content, item.identity, status, block.path, ledger)
            item.done["arguments"] = block.written
        else:
            item.done = own_item(block.content, item.identity, block.path, ledger)
        self.emit("response.output_item.done", output_index=item.index, item=item.done)

    def _close_stopped(self) -> None:
        for item in self.items[:-1]:
            if not any(block.open for block in item.blocks):
                self.close(item, "completed")

    def _stop_text(self, block: Block) -> None:
        block.part = text_part(block.content, block.path, Ledger("responses"))
        place, text = block.place, block.part["text"]
        for number, (_, note) in enumerate(objects(block.part["annotations"], f"{block.path}.citations")):
            told = {"content_index": place, "annotation_index": number, "annotation": note}
            self._tell("response.output_text.annotation.added", block, **told)
        self._tell("response.output_text.done", block, content_index=place, text=text, logprobs=[])
        self._tell("response.content_part.done", block, content_index=place, part=block.part)

    def _stop_thinking(self, block: Block) -> None:
        if text := block.content["thinking"]:
            part = {"type": "summary_text", "text": text}
            self._tell("response.reasoning_summary_text.done", block, summary_index=0, text=text)
            self._tell("response.reasoning_summary_part.done", block, summary_index=0, part=part)

    def _stop_call(self, block: Block) -> None:
        if not block.written:
            self.write(block, json_text(block.content.get("input")))
        _read_input(block)
        name = block.content["name"]
        self._tell("response.function_call_arguments.done", block, arguments=block.written, name=name)

    def _tell(self, kind: str, block: Block, **fields: object) -> None:
        self.emit(kind, item_id=block.item.identity, output_index=block.item.index, **fields)


def _announced(block: Block) -> Object:
    """The item as it stands when its first block has begun."""
    item, ledger = block.item, Ledger("responses")
    if item.kind == "message":
        return message_item(item.identity, "in_progress", [])
    if item.kind == "reasoning":
        return {"id": item.identity, "type": "reasoning", "summary": []}
    if item.kind == "function_call":
        return call_item(block.content, item.identity, "in_progress", block.path, ledger) | {"arguments": ""}
    return own_item(block.content, item.identity, block.path, ledger)


def _read_input(block: Block) -> bool:
    """Make the streamed input the block's own; False where it was cut off, then it stays text."""
    try:
        block.content["input"] = json.loads(block.written)
    except ValueError:
        block.content["input"] = block.written
        return False
    return True
