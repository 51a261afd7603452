"""The writer of content blocks: start, deltas, stop.  Reads no event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatsheet_llm.formats.errors import objects
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.messages_responses_reply import call_input
from chatsheet_llm.formats.responses_items import TextKey


@dataclass(slots=True)
class Writing:
    """What was written of an item: its whole blocks, the text that came last, and whether that was all."""

    blocks: list[Object] = field(default_factory=list)
    last: TextKey | None = None
    ended: bool = False


class BlockWriter:
    """Writes one block after another: a start, deltas, a stop.  Knows what was written of the one that is open."""

    def __init__(self) -> None:
        self.index = 0
        self.open: Object | None = None
        self._pieces: list[str] = []

    def start(self, block: Mapping[str, object]) -> Object:
        self.open, self._pieces = {**block}, []
        return {"type": "content_block_start", "index": self.index, "content_block": {**block}}

    def write(self, text: str) -> Object:
        assert self.open is not None
        self._pieces.append(text)
        delta, name = _TEXT_DELTAS[str(self.open["type"])]
        return self._delta(delta, name, text)

    def written(self) -> str:
        return "".join(self._pieces)

    def finish(self, block: Mapping[str, object], wordings: tuple[str, ...]) -> tuple[list[Object], bool]:
        """Write what the open block, or a new one, still lacks, and whether it is now ``block``.

        ``wordings`` are the texts that it may hold, the right one first; the one is taken that what was written begins.
        What only came when the block was open stands on its stop as ``content_block``.
        """
        events = [] if self.open is not None else [self.start(bare(block))]
        opened: Object = self.open or {}
        kind = str(block.get("type"))
        exact = str(opened.get("type")) == kind
        if exact and kind in _TEXT_DELTAS:
            shown = self.written()
            wording = next((wording for wording in wordings if wording.startswith(shown)), shown)
            exact = wording == wordings[0] or (kind == "tool_use" and call_input(wording) == block.get("input"))
            if rest := wording[len(shown) :]:
                events.append(self.write(rest))
        late: Object = {}
        if str(opened.get("type")) == kind:
            if kind == "text":
                cited = objects(block.get("citations") or [], "citations")
                events += [self._delta("citations_delta", "citation", citation) for _, citation in cited]
            if kind == "thinking" and block.get("signature"):
                events.append(self._delta("signature_delta", "signature", block["signature"]))
            late = {name: value for name, value in bare(block).items() if name not in opened or opened[name] != value}
        stop: Object = {"type": "content_block_stop", "index": self.index}
        self.open, self.index = None, self.index + 1
        return [*events, stop | ({"content_block": late} if late else {})], exact

    def _delta(self, kind: str, name: str, value: object) -> Object:
        return {"type": "content_block_delta", "index": self.index, "delta": {"type": kind, name: value}}


_TEXT_DELTAS: Mapping[str, tuple[str, str]] = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}
_BARE: Mapping[str, Mapping[str, object]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def bare(block: Mapping[str, object]) -> Object:
    """A block without what its deltas bring."""
    begun = {**block, **_BARE.get(str(block.get("type")), {})}
    return {name: value for name, value in begun.items() if name != "citations" or begun.get("type") != "text"}


def wordings_of(item: Mapping[str, object], block: Mapping[str, object]) -> tuple[str, ...]:
    """The texts that the deltas of a block may make, the right one first; broken arguments may be under way as such."""
    if block.get("type") != "tool_use":
        return (str(block.get("text", block.get("thinking", ""))),)
    made = json.dumps(block.get("input", {}), ensure_ascii=False, separators=(",", ":"))
    raw = item.get("arguments")
    if not isinstance(raw, str):
        return (made,)
    return (raw, made) if call_input(raw) is not None and raw.strip() else (made, raw)
