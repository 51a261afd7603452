"""One output item under way, and the writer of its content blocks: start, deltas, stop.  Reads no event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatsheet_llm.formats.errors import objects
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.messages_responses_reply import call_input
from chatsheet_llm.formats.tables import CALL_KINDS, CALLS

TextKey = tuple[int, int]
"""Place of a text in its item: 0 for content of a message or a summary, 1 for content of reasoning; then its index."""


@dataclass(slots=True)
class Item:
    """An output item under way.  ``texts`` holds the pieces that came, ``shown`` how many of each were passed on."""

    given: Mapping[str, object] = field(default_factory=dict)
    kind: str = ""
    texts: dict[TextKey, list[str]] = field(default_factory=dict)
    shown: dict[TextKey, int] = field(default_factory=dict)
    refusals: set[int] = field(default_factory=set)
    parts: dict[int, Mapping[str, object]] = field(default_factory=dict)
    last: TextKey | None = None
    blocks: list[Object] = field(default_factory=list)
    done: bool = False
    written: bool = False

    def piece(self, key: TextKey, text: str) -> None:
        if text:
            self.texts.setdefault(key, []).append(text)

    def rest(self, key: TextKey, whole: str) -> None:
        """Take a whole text.  One that is not the text that came is left to the whole item to tell of."""
        came = "".join(self.texts.get(key, ()))
        if whole.startswith(came):
            self.piece(key, whole[len(came) :])

    def unshown(self, key: TextKey) -> str:
        pieces = self.texts.get(key, [])
        new, self.shown[key] = pieces[self.shown.get(key, 0) :], len(pieces)
        return "".join(new)

    def arrived(self) -> Object:
        """The item as far as it came."""
        if self.done:
            return dict(self.given)
        texts = {key: "".join(pieces) for key, pieces in sorted(self.texts.items())}
        if self.kind == "message":
            words: dict[int, Mapping[str, object]] = {
                index: {"type": "refusal", "refusal": text}
                if index in self.refusals
                else {"type": "output_text", "text": text}
                for (_, index), text in texts.items()
            }
            parts = sorted((words | self.parts).items())
            return {**self.given, "type": "message", "content": [part for _, part in parts]}
        if self.kind == "reasoning":
            fields = (("summary", 0, "summary_text"), ("content", 1, "reasoning_text"))
            said = {
                name: [{"type": kind, "text": text} for (at, _), text in texts.items() if at == place]
                for name, place, kind in fields
            }
            return {**self.given, "type": "reasoning", **said}
        if self.kind in CALL_KINDS:
            return {**self.given, "type": self.kind, CALLS[CALL_KINDS[self.kind]].text: "".join(texts.values())}
        return dict(self.given)


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
        kind = block.get("type")
        exact = opened.get("type") == kind
        if exact and kind in _TEXT_DELTAS:
            shown = self.written()
            wording = next((wording for wording in wordings if wording.startswith(shown)), shown)
            exact = wording == wordings[0] or (kind == "tool_use" and call_input(wording) == block.get("input"))
            if rest := wording[len(shown) :]:
                events.append(self.write(rest))
        late: Object = {}
        if opened.get("type") == kind:
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
