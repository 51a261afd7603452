"""One item of a Responses stream: its texts, parts and annotations as they come.  Decides nothing about other items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatsheet_llm.formats.errors import FormatError, string
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.tables import CALL_KINDS, CALLS

TextKey = tuple[int, int]
"""Place of a text in its item: TEXT, CONTENT or REFUSAL, then the index of its part."""

TEXT, CONTENT, REFUSAL = range(3)
"""The text of a message, a summary or a call; the content of reasoning; a refusal."""

_FIELDS: Mapping[str, tuple[tuple[str, int, str], ...]] = {
    "message": (("content", TEXT, ""),),
    "reasoning": (("summary", TEXT, "summary_text"), ("content", CONTENT, "reasoning_text")),
}
"""Type of an item -> its lists of texts, the keys of these and the type of their parts."""


@dataclass(slots=True)
class Item:
    """An output item under way.  ``texts`` holds the pieces that came, ``shown`` how many of each were passed on."""

    kind: str
    given: Mapping[str, object] = field(default_factory=dict)
    done: bool = False
    index: int | None = None
    texts: dict[TextKey, list[str]] = field(default_factory=dict)
    shown: dict[TextKey, int] = field(default_factory=dict)
    parts: dict[int, Mapping[str, object]] = field(default_factory=dict)
    notes: dict[int, dict[int, Mapping[str, object]]] = field(default_factory=dict)

    def piece(self, key: TextKey, text: str) -> None:
        if text:
            self.texts.setdefault(key, []).append(text)

    def rest(self, key: TextKey, whole: str) -> bool:
        """Take a whole text, and say whether it is one that begins with what came."""
        came = "".join(self.texts.get(key, ()))
        if not whole.startswith(came):
            return False
        self.piece(key, whole[len(came) :])
        return True

    def unshown(self, key: TextKey) -> str:
        pieces = self.texts.get(key, [])
        new, self.shown[key] = pieces[self.shown.get(key, 0) :], len(pieces)
        return "".join(new)

    def noted(self, index: int, part: Mapping[str, object]) -> Mapping[str, object]:
        """A part of a message, with the annotations that only events told of."""
        if index not in self.notes or part.get("annotations") or part.get("type") != "output_text":
            return part
        return {**part, "annotations": [note for _, note in sorted(self.notes[index].items())]}

    def whole(self, given: Mapping[str, object]) -> Object:
        """An item as it was given, with the annotations that only events told of."""
        parts = given.get("content")
        if not self.notes or not isinstance(parts, list):
            return dict(given)
        noted = [self.noted(at, part) if isinstance(part, Mapping) else part for at, part in enumerate(parts)]
        return {**given, "content": noted}

    def arrived(self) -> Object:
        """The item as far as it came."""
        if self.done:
            return self.whole(self.given)
        texts = {key: "".join(pieces) for key, pieces in sorted(self.texts.items())}
        if self.kind == "message":
            return {**self.given, "type": "message", "content": self._content(texts)}
        if self.kind == "reasoning":
            said = {
                name: [{"type": kind, "text": text} for (at, _), text in texts.items() if at == key]
                for name, key, kind in _FIELDS["reasoning"]
            }
            return {"summary": [], **self.given, "type": "reasoning", **{k: v for k, v in said.items() if v}}
        if self.kind in CALL_KINDS:
            return {**self.given, "type": self.kind, CALLS[CALL_KINDS[self.kind]].text: "".join(texts.values())}
        return dict(self.given)

    def says_nothing(self) -> bool:
        """Whether this is a message or reasoning that was announced and never filled."""
        if self.kind not in _FIELDS or self.texts or self.notes or self.given.get("encrypted_content"):
            return False
        parts = {"content": list(self.parts.values())}
        return not any([*texts_of(self.kind, self.given).values(), *texts_of("message", parts).values()])

    def begins(self, given: Mapping[str, object]) -> bool:
        """Whether what came of this item is how another one begins."""
        came = texts_of(self.kind, self.given) if self.done else {k: "".join(t) for k, t in self.texts.items()}
        whole = texts_of(self.kind, given)
        return any(came.values()) and all(whole.get(key, "").startswith(text) for key, text in came.items())

    def _content(self, texts: Mapping[TextKey, str]) -> list[Mapping[str, object]]:
        parts: dict[TextKey, Mapping[str, object]] = {(index, TEXT): part for index, part in self.parts.items()}
        for (kind, index), text in texts.items():
            if index not in self.parts:
                refused = kind == REFUSAL
                parts[index, kind] = (
                    {"type": "refusal", "refusal": text} if refused else {"type": "output_text", "text": text}
                )
        for index in self.notes:
            part = parts.setdefault((index, TEXT), {"type": "output_text", "text": ""})
            parts[index, TEXT] = self.noted(index, part)
        return [parts[key] for key in sorted(parts)]


def is_named(item: Item) -> bool:
    """Whether a call can be told of."""
    return isinstance(item.given.get("call_id"), str) and isinstance(item.given.get("name"), str)


def text_at(event: Mapping[str, object], name: str) -> str:
    """The text of an event, empty where there is none.  Raises FormatError."""
    return "" if event.get(name) is None else string(event, name, "")


def index_at(event: Mapping[str, object], name: str) -> int:
    """An index of an event, 0 where there is none.  Raises FormatError."""
    value = event.get(name)
    if value is None:
        return 0
    if not isinstance(value, int):
        raise FormatError(name, "must be an integer")
    return value


def texts_of(kind: str, given: Mapping[str, object]) -> dict[TextKey, str]:
    """The texts of a whole item, as far as they are of its shape."""
    if kind in CALL_KINDS:
        text = given.get(CALLS[CALL_KINDS[kind]].text)
        return {(TEXT, 0): text} if isinstance(text, str) else {}
    texts: dict[TextKey, str] = {}
    for name, key, _ in _FIELDS.get(kind, ()):
        parts = given.get(name)
        for index, part in enumerate(parts if isinstance(parts, list) else []):
            for said, at in (("text", key), ("refusal", REFUSAL)):
                if isinstance(part, Mapping) and isinstance(text := part.get(said), str):
                    texts[at, index] = text
    return texts
