"""Hear a Responses stream: which event says what, of which item.  A bridge to a format decides what becomes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from chatsheet_llm.formats.errors import FormatError, mapping
from chatsheet_llm.formats.ledger import TITLES, Object
from chatsheet_llm.formats.responses_items import CONTENT, REFUSAL, TEXT, TextKey, index_at
from chatsheet_llm.formats.responses_places import Counter, Items
from chatsheet_llm.formats.tables import STREAM_EVENTS
from chatsheet_llm.route import Loss, Mode


class ResponsesEvents(ABC):
    """A bridge from the events of one Responses stream, fed in order.  ``losses`` grows as events come by."""

    TARGET: ClassVar[Mode]
    UNIT: ClassVar[str]
    """What the target calls a piece of its stream."""

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self._counter = Counter()
        self._items = Items()
        self._ended = False
        self._noted: set[str] = set()

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        """Take one event and return what it makes, nothing for many.

        Raises FormatError for an event of a failed stream, which is to be handled before it gets here, and for one
        that is not a Responses event.
        """
        if self._counter.heard(event):
            return []
        kind = event.get("type")
        if not isinstance(kind, str):
            self._note("type", "an event has none, its meaning is lost")
            return []
        meaning, title = STREAM_EVENTS.get(kind), TITLES[self.TARGET]
        if meaning == "fault":
            raise FormatError("type", f"{kind!r} ends a failed stream and has no {self.UNIT} in {title}")
        if self._ended:
            self._note(kind, "came after the end of the answer")
        elif meaning is None:
            self._note(kind, "this event is not known, its meaning is lost")
        elif meaning == "lost":
            self._note(kind, f"{title} has no {self.UNIT} for it")
        elif meaning in self._FEEDS:
            return self._FEEDS[meaning](self, kind, event)
        return []

    def end(self) -> list[dict[str, object]]:
        """Hear that the stream is over: everything was said with its last event."""
        return []

    @abstractmethod
    def _begin(self, response: Mapping[str, object]) -> list[Object]:
        """Hear what is known of the reply when it begins."""

    @abstractmethod
    def _say(self, event: Mapping[str, object], kind: str, key: TextKey, name: str) -> list[Object]:
        """Hear a piece of a text of an item of this type, or, of a ``done`` event, the whole text at ``name``."""

    @abstractmethod
    def _part(self, event: Mapping[str, object]) -> list[Object]:
        """Hear of a part of a message or of an annotation."""

    @abstractmethod
    def _item(self, event: Mapping[str, object]) -> list[Object]:
        """Hear of an item, begun or whole."""

    @abstractmethod
    def _end(self, event: Mapping[str, object]) -> list[Object]:
        """Hear the last event."""

    def _note(self, path: str, reason: str) -> None:
        if path not in self._noted:
            self._noted.add(path)
            self.losses.append(Loss(self.TARGET, path, reason))

    def _on_start(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        response = mapping(event.get("response") or {}, "response")
        self._items.begin(response)
        return self._begin(response) if response else []

    def _on_text(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        return self._say(event, "message", (TEXT, index_at(event, "content_index")), "text")

    def _on_refusal(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        return self._say(event, "message", (REFUSAL, index_at(event, "content_index")), "refusal")

    def _on_reasoning(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        summary = "summary" in kind
        key = (TEXT, index_at(event, "summary_index")) if summary else (CONTENT, index_at(event, "content_index"))
        return self._say(event, "reasoning", key, "text")

    def _on_call(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        custom = "custom" in kind
        item, name = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
        return self._say(event, item, (TEXT, 0), name)

    def _on_part(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        return self._part(event)

    def _on_item(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        return self._item(event)

    def _on_end(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        made = self._end(event)
        self._ended = True
        return made

    _FEEDS: ClassVar[Mapping[str, Callable[[ResponsesEvents, str, Mapping[str, object]], list[Object]]]] = {
        "start": _on_start,
        "text": _on_text,
        "refusal": _on_refusal,
        "reasoning": _on_reasoning,
        "call": _on_call,
        "part": _on_part,
        "item": _on_item,
        "end": _on_end,
    }
