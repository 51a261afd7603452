"""Judge a reply in each wire format: is this stream event content, the end, or an error; is this body an answer at all.

A stream is whole only after its terminal event: a finish reason for every choice (chat), ``response.completed`` or
``response.incomplete`` (Responses), ``message_stop`` (Messages).  ``[DONE]`` alone proves nothing: gateways invent it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from chatsheet_llm.route import Mode

Sight = Literal["preamble", "content", "end", "error"]


class Watch(Protocol):
    """Looks at every event of one stream, in order."""

    whole: bool
    """Whether the terminal event was seen."""
    text: list[str]
    """The text deltas seen so far."""

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next event."""

    def done(self) -> None:
        """Hear of ``[DONE]``."""


class ChatWatch:
    """Chat Completions chunks, Azure's included: no choices, a choice without delta, a filter note after the stop.

    ``choices`` is how many answers were asked for: as many must have ended.
    """

    def __init__(self, choices: int = 1) -> None:
        self._asked = choices
        self.whole = False
        self.text: list[str] = []
        self._open: set[str] = set()
        self._finished: set[str] = set()

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next chunk."""
        if event.get("error"):
            return "error"
        choices = event.get("choices")
        content = False
        for choice in choices if isinstance(choices, Sequence) else ():
            if not isinstance(choice, Mapping):
                continue
            index = str(choice.get("index", 0))
            delta = choice.get("delta")
            if isinstance(delta, Mapping):
                if delta:
                    self._open.add(index)
                if isinstance(said := delta.get("content"), str) and said and index == "0":
                    self.text.append(said)
                if any(delta.get(key) for key in _CHAT_CONTENT):
                    content = True
            if choice.get("finish_reason"):
                self._finished.add(index)
        self.whole = len(self._finished) >= max(self._asked, 1) and self._open <= self._finished
        return "content" if content else "end" if self.whole else "preamble"

    def done(self) -> None:
        """Hear of ``[DONE]``: LiteLLM sends it with the finish of the first of several choices and of no other."""
        self.whole = bool(self._finished)


_CHAT_CONTENT = ("content", "refusal", "tool_calls", "function_call", "reasoning_content", "reasoning", "audio")


class ResponsesWatch:
    """Responses events.  ``response.failed`` and ``error`` are errors, wherever they stand."""

    def __init__(self) -> None:
        self.whole = False
        self.text: list[str] = []

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next event."""
        kind = str(event.get("type"))
        if kind in ("error", "response.failed") or ("type" not in event and event.get("error")):
            return "error"
        if kind in ("response.completed", "response.incomplete"):
            self.whole = True
            return "end"
        if not kind.endswith(".delta"):
            return "preamble"
        if kind == "response.output_text.delta" and isinstance(said := event.get("delta"), str):
            self.text.append(said)
        return "content"

    def done(self) -> None:
        """Hear of ``[DONE]``, which LiteLLM adds here and which says nothing."""


class MessagesWatch:
    """Anthropic Messages events, ``ping`` included.  Nothing but an error counts before ``message_start``."""

    def __init__(self) -> None:
        self.whole = False
        self.text: list[str] = []
        self._begun = False

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next event."""
        kind = event.get("type")
        if kind == "error":
            return "error"
        self._begun = self._begun or kind == "message_start"
        if not self._begun:
            # No client of this format can build an answer without it, so another hop may still give one.
            return "preamble"
        if kind == "message_stop":
            self.whole = True
            return "end"
        delta = event.get("delta")
        if kind != "content_block_delta" or not isinstance(delta, Mapping):
            return "preamble"
        if isinstance(said := delta.get("text"), str):
            self.text.append(said)
        return "content"

    def done(self) -> None:
        """Hear of ``[DONE]``, which this format does not have."""


WATCHES: Mapping[Mode, type[ChatWatch | ResponsesWatch | MessagesWatch]] = {
    "chat": ChatWatch,
    "responses": ResponsesWatch,
    "messages": MessagesWatch,
}


def reply_error(mode: Mode, body: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the error event hidden in a 200 body, or None: ``{"error": …}``, or a Responses object that ``failed``."""
    if mode == "responses" and body.get("status") == "failed":
        return {"type": "response.failed", "response": body}
    if body.get("error") and not body.get("choices") and not body.get("output"):
        return {"error": body["error"]}
    return None


def is_answer(mode: Mode, body: Mapping[str, object]) -> bool:
    """Whether a 200 body holds what an answer in this format must hold."""
    if mode == "chat":
        choices = body.get("choices")
        return isinstance(choices, list) and bool(choices) and all(_has_message(choice) for choice in choices)
    if mode == "responses":
        return isinstance(body.get("output"), list)
    return isinstance(body.get("content"), list)


def _has_message(choice: object) -> bool:
    return isinstance(choice, Mapping) and isinstance(choice.get("message"), Mapping)
