"""Judge a reply in each wire format: is this stream event content, the end, or an error; is this body an answer at all.

A stream is whole only after its terminal event: a finish reason for every choice (chat, legacy completions),
``response.completed`` or ``response.incomplete`` (Responses), ``message_stop`` behind a stop reason (Messages).
``[DONE]`` alone proves nothing: gateways invent it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from chatsheet_llm.formats.calls import SAYS_WHOLE, Arguments, broken_calls, is_whole, of_response
from chatsheet_llm.formats.errors import objects
from chatsheet_llm.formats.tables import STREAM_EVENTS
from chatsheet_llm.route import Mode

Sight = Literal["preamble", "content", "end", "error"]


class Watch(Protocol):
    """Looks at every event of one stream, in order."""

    whole: bool
    """Whether the terminal event was seen."""
    broken: bool
    """Whether an answer ended as a whole one with a function call whose arguments are no JSON."""
    unknown: int
    """How many events were of a type that nobody here knows; they say nothing."""
    text: list[str]
    """The text deltas seen so far."""

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next event."""

    def done(self) -> None:
        """Hear of ``[DONE]``."""


class _Choices:
    """What is known of the choices of one stream.  ``choices`` is how many were asked for: as many must have ended."""

    def __init__(self, choices: int = 1) -> None:
        self._asked = choices
        self.whole = self.broken = False
        self.unknown = 0
        self.text: list[str] = []
        self._open: set[str] = set()
        self._finished: set[str] = set()

    def _ended_all(self) -> bool:
        """Whether every choice has ended that was asked for or begun."""
        finished = self._finished
        return bool(finished) and len(finished) >= self._asked and self._open <= finished


class ChatWatch(_Choices):
    """Chat Completions chunks, Azure's included: no choices, a choice without delta, a filter note after the stop."""

    def __init__(self, choices: int = 1) -> None:
        super().__init__(choices)
        self._calls: dict[str, Arguments] = {}

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next chunk."""
        if event.get("error"):
            return "error"
        choices = event.get("choices")
        # Here, and in what a chunk holds, JSON's own types are all there is: to ask for these is quick.
        if not isinstance(choices, list):
            self.unknown += 1
            choices = ()
        content = False
        for choice in choices:
            if not isinstance(choice, dict):
                continue
            index = str(choice.get("index", 0))
            delta = choice.get("delta")
            if isinstance(delta, dict) and delta:
                self._open.add(index)
                if index == "0" and isinstance(said := delta.get("content"), str) and said:
                    self.text.append(said)
                for key in delta:
                    if key in _CHAT_CONTENT and delta[key]:
                        content = True
                        if key in _CALLS:
                            self._called(index, delta)
                            break
            reason = choice.get("finish_reason")
            if isinstance(reason, str) and reason:
                self._finished.add(index)
                self._ended(index, reason)
        self.whole = self._ended_all()
        return "content" if content else "end" if self.whole else "preamble"

    def done(self) -> None:
        """Hear of ``[DONE]``: LiteLLM sends it with the finish of the first of several choices and of no other."""
        self.whole = bool(self._finished)
        if self.whole:
            for index in self._open - self._finished:
                self._ended(index, "stop")

    def _called(self, index: str, delta: Mapping[str, object]) -> None:
        arguments = self._calls.setdefault(index, Arguments())
        legacy, calls = delta.get("function_call"), delta.get("tool_calls")
        if isinstance(legacy, Mapping):
            arguments.add("function_call", legacy.get("arguments"))
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping) and isinstance(function := call.get("function"), Mapping):
                arguments.add(str(call.get("index", 0)), function.get("arguments"), call.get("id"))

    def _ended(self, index: str, reason: str) -> None:
        if reason in SAYS_WHOLE["chat"] and index in self._calls and self._calls[index].broken():
            self.broken = True


_CALLS = frozenset({"tool_calls", "function_call"})
_CHAT_CONTENT = _CALLS | {"content", "refusal", "reasoning_content", "reasoning", "audio"}


class CompletionsWatch(_Choices):
    """Chunks of the legacy Completions API: a text in each choice, and a finish reason for every choice."""

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
            self._open.add(index)
            if isinstance(said := choice.get("text"), str) and said:
                content = True
                if index == "0":
                    self.text.append(said)
            if isinstance(reason := choice.get("finish_reason"), str) and reason:
                self._finished.add(index)
        self.whole = self._ended_all()
        return "content" if content else "end" if self.whole else "preamble"

    def done(self) -> None:
        """Hear of ``[DONE]``, which proves nothing."""


class ResponsesWatch:
    """Responses events.  ``response.failed`` and ``error`` are errors, wherever they stand.

    Of a ``stored`` response that is read again, a failure is what was asked for, and the end; and as it may still be at
    work, every event is content.
    """

    def __init__(self, *, stored: bool = False) -> None:
        self.whole = self.broken = False
        self.unknown = 0
        self.text: list[str] = []
        self._stored = stored
        self._endings = _ENDINGS | {"response.failed"} if stored else _ENDINGS
        self._calls = Arguments()

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next event."""
        kind = str(event.get("type"))
        if kind == "response.output_text.delta":
            # Nearly every event.
            if isinstance(said := event.get("delta"), str):
                self.text.append(said)
            return "content"
        if kind in self._endings:
            self.whole = True
            self.broken = kind == "response.completed" and self._cut_calls(event.get("response"))
            return "end"
        if kind in ("error", "response.failed") or ("type" not in event and event.get("error")):
            return "error"
        self._called(kind, event)
        if not kind.endswith(".delta"):
            self.unknown += kind not in STREAM_EVENTS
            return "content" if self._stored else "preamble"
        return "content"

    def done(self) -> None:
        """Hear of ``[DONE]``, which LiteLLM adds here and which says nothing."""

    def _called(self, kind: str, event: Mapping[str, object]) -> None:
        place = str(event.get("output_index"))
        if kind == "response.function_call_arguments.delta":
            self._calls.add(place, event.get("delta"))
        elif kind == "response.function_call_arguments.done":
            self._calls.whole(place, event.get("arguments"))
        elif kind == "response.output_item.done":
            item = event.get("item")
            if isinstance(item, Mapping) and item.get("type") == "function_call":
                self._calls.whole(place, item.get("arguments"))

    def _cut_calls(self, response: object) -> bool:
        return self._calls.broken() or not all(map(is_whole, of_response(response)))


_ENDINGS = frozenset({"response.completed", "response.incomplete"})


class MessagesWatch:
    """Anthropic Messages events, ``ping`` included.  Nothing but an error counts before ``message_start``.

    The end is ``message_stop``, behind a ``message_delta`` that says why: gateways add the one to a stream that broke.
    """

    def __init__(self) -> None:
        self.whole = self.broken = False
        self.unknown = 0
        self.text: list[str] = []
        self._begun = self._stopped = False
        self._calls = Arguments()
        self._functions: set[str] = set()

    def see(self, event: Mapping[str, object]) -> Sight:
        """Judge the next event."""
        kind = event.get("type")
        if kind == "error":
            return "error"
        self.unknown += str(kind) not in _MESSAGES
        self._begun = self._begun or kind == "message_start"
        if not self._begun:
            # No client of this format can build an answer without it, so another hop may still give one.
            return "preamble"
        index, delta = str(event.get("index")), event.get("delta")
        if kind == "message_stop":
            self.whole = self._stopped
            return "end" if self.whole else "preamble"
        block = event.get("content_block")
        if kind == "content_block_start" and isinstance(block, Mapping) and block.get("type") == "tool_use":
            self._functions.add(index)
        if not isinstance(delta, Mapping):
            return "preamble"
        if kind == "message_delta" and isinstance(reason := delta.get("stop_reason"), str):
            self._stopped = True
            self.broken = reason in SAYS_WHOLE["messages"] and self._calls.broken()
        if kind != "content_block_delta":
            return "preamble"
        if isinstance(said := delta.get("text"), str):
            self.text.append(said)
        if index in self._functions:
            self._calls.add(index, delta.get("partial_json"))
        return "content"

    def done(self) -> None:
        """Hear of ``[DONE]``, which this format does not have."""


_MESSAGES = frozenset(
    {
        *("message_start", "message_delta", "message_stop", "ping"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
    }
)

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


def fault_in(mode: Mode, body: Mapping[str, object], *, background: bool = False) -> str | None:
    """Return what keeps a 200 body from being an answer, by the name of the fault; None for an answer.

    ``background`` says that the answer may be under way still.
    """
    if mode == "chat":
        choices = body.get("choices")
        if choices == []:
            return "contentless"
        if isinstance(choices, list) and len(choices) == 1 and _is_text(choices[0]):
            # Nearly every answer.
            return None
    if not is_answer(mode, body):
        return "schema"
    if mode == "responses" and not background and body.get("status") in ("queued", "in_progress"):
        return "unfinished"
    if mode == "chat" and not any(_says(choice) for choice in objects(body.get("choices"), "choices")):
        return "contentless"
    return "tool_arguments" if broken_calls(mode, body) else None


def _is_text(choice: object) -> bool:
    """Whether a choice is a text and calls no function."""
    message = choice.get("message") if isinstance(choice, dict) else None
    return (
        isinstance(message, dict)
        and isinstance(message.get("content"), str)
        and not message.get("tool_calls")
        and not message.get("function_call")
    )


def is_answer(mode: Mode, body: Mapping[str, object]) -> bool:
    """Whether a 200 body holds what an answer in this format must hold."""
    if mode == "chat":
        choices = body.get("choices")
        return isinstance(choices, list) and bool(choices) and all(_has_message(choice) for choice in choices)
    if mode == "responses":
        return isinstance(body.get("output"), list)
    return isinstance(body.get("content"), list)


def _says(choice: tuple[str, Mapping[str, object]]) -> bool:
    """Whether a choice says anything, an empty text included, or was cut before it could."""
    message = choice[1].get("message")
    said = isinstance(message, Mapping) and any(
        name not in ("role", "content") and value for name, value in message.items()
    )
    content = isinstance(message, Mapping) and message.get("content") is not None
    return said or content or choice[1].get("finish_reason") in ("content_filter", "length")


def _has_message(choice: object) -> bool:
    return isinstance(choice, Mapping) and isinstance(choice.get("message"), Mapping)
