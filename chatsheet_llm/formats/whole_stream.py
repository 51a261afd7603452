"""A whole reply -> the stream that would have brought it, in the same format.  Converts and judges nothing of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chatsheet_llm.formats.errors import FormatError, mapping, objects
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.sse import DONE, Event, encoded, events_of
from chatsheet_llm.formats.whole_stream_events import responses_events as responses_events
from chatsheet_llm.route import Mode


def chat_chunks(completion: Mapping[str, object], *, include_usage: bool) -> list[Object]:
    """Return the chunks of a Chat Completions stream that amount to a completion.  Raises FormatError if it is none.

    Every choice is opened before any is told, and ends behind all that it says.  A text is one delta; a call is named
    first and its input comes behind; what Chat has no delta for comes whole before the finish reason.  What describes
    a choice stands where it opens and where it ends, the fields of the completion on the first chunk: the SDK's own
    accumulator takes them from there alone.  A choice without a finish reason is handed on without one, and no reader
    takes that stream for whole.
    """
    choices = objects(completion.get("choices"), "choices")
    if not choices:
        raise FormatError("choices", "must hold at least one choice")
    told = {name: completion[name] for name in _ON_EVERY_CHUNK if name in completion}
    head: Object = told | {"object": "chat.completion.chunk"} | ({"usage": None} if include_usage else {})
    writers = [_Choice(index, choice, path) for index, (path, choice) in _numbered(choices)]
    made = [writer.opening() for writer in writers]
    made += [piece for writer in writers for piece in writer.told()]
    chunks = [head | {"choices": [choice]} for choice in made]
    chunks[0] |= {name: value for name, value in completion.items() if name not in (*head, "choices", "usage")}
    if include_usage and completion.get("usage") is not None:
        chunks.append(head | {"choices": [], "usage": completion["usage"]})
    return chunks


def whole_events(mode: Mode, pieces: Iterable[Mapping[str, object]]) -> list[Event]:
    """Return the events of a whole stream: named as their type, or, for chat, bare ones and ``[DONE]``."""
    events = events_of(mode, pieces)
    return [*events, Event(None, DONE)] if mode == "chat" else events


def sse(mode: Mode, pieces: Iterable[Mapping[str, object]]) -> bytes:
    """Return the bytes of a whole stream."""
    return encoded(whole_events(mode, pieces))


_ON_EVERY_CHUNK = ("id", "created", "model", "service_tier", "system_fingerprint")
_TEXTS = ("reasoning_content", "reasoning", "content", "refusal")
"""Fields of a message that are told in a delta of their own, in the order in which models say them."""
_INPUTS: Mapping[str, str] = {"function": "arguments", "custom": "input"}
"""Kind of tool call -> the field that holds what the model wrote."""


class _Choice:
    """One choice of a completion, as the choices of chunks."""

    def __init__(self, index: int, choice: Mapping[str, object], path: str) -> None:
        self._index = index
        self._path = path
        self._message = mapping(choice.get("message"), f"{path}.message")
        self._logprobs = choice.get("logprobs")
        self._finish_reason = choice.get("finish_reason")
        self._beside = {name: value for name, value in choice.items() if name not in _CHOICE}
        # A list that the SDK's accumulator raises for cannot be part of a delta.
        self._beside |= {name: value for name, value in self._message.items() if _half_numbered(name, value)}

    def opening(self) -> Object:
        """Open the choice: its role, and what the message has but says nothing with."""
        silent = {name: value for name, value in self._message.items() if not value}
        return self._piece(silent | {"role": self._message.get("role") or "assistant"}) | self._beside

    def told(self) -> list[Object]:
        """Tell what the message says, and why it ended."""
        pieces: list[Object] = []
        for name in _TEXTS:
            if delta := self._only(name):
                tokens = name in ("content", "refusal")
                pieces.append(self._piece(delta, self._take_logprobs() if tokens else None))
        call = self._message.get("function_call")
        if isinstance(call, Mapping) and call:
            pieces += [self._piece({"function_call": part}) for part in _split(call, "arguments")]
        calls = objects(self._message.get("tool_calls") or [], f"{self._path}.message.tool_calls")
        for index, (_, made) in enumerate(calls):
            pieces += [self._piece({"tool_calls": [{**part, "index": index}]}) for part in _call(made)]
        known = {"role", "tool_calls", *_TEXTS, *self._beside}
        known |= {"function_call"} if isinstance(call, Mapping) else set()
        if rest := {name: value for name, value in self._message.items() if value and name not in known}:
            pieces.append(self._piece(rest))
        end = self._piece({}, self._take_logprobs()) | self._beside
        return [*pieces, end | {"finish_reason": self._finish_reason}]

    def _piece(self, delta: Object, logprobs: object = None) -> Object:
        return {"index": self._index, "delta": delta, "logprobs": logprobs, "finish_reason": None}

    def _only(self, name: str) -> Object:
        return {name: self._message[name]} if self._message.get(name) else {}

    def _take_logprobs(self) -> object:
        logprobs, self._logprobs = self._logprobs, None
        return logprobs


_CHOICE = frozenset({"index", "message", "logprobs", "finish_reason", "delta"})


def _call(call: Mapping[str, object]) -> list[Object]:
    """A tool call in one piece or two: named, then its input."""
    for kind, text in _INPUTS.items():
        if isinstance(tool := call.get(kind), Mapping):
            named, *more = _split(tool, text)
            return [{**call, kind: named}] + [{kind: rest} for rest in more]
    return [dict(call)]


def _split(tool: Mapping[str, object], text: str) -> list[Object]:
    if isinstance(tool.get(text), str) and tool[text]:
        return [{**tool, text: ""}, {text: tool[text]}]
    return [dict(tool)]


def _numbered(
    choices: list[tuple[str, Mapping[str, object]]],
) -> list[tuple[int, tuple[str, Mapping[str, object]]]]:
    """The choices by their index, or by their place where that does not tell them apart."""
    indexes = [index for _, choice in choices if isinstance(index := choice.get("index"), int)]
    apart = len(set(indexes)) == len(choices)
    return sorted(zip(indexes if apart else range(len(choices)), choices, strict=True), key=lambda pair: pair[0])


def _half_numbered(name: str, value: object) -> bool:
    if name in ("tool_calls", *_TEXTS) or not isinstance(value, list):
        return False
    numbered = [isinstance(entry, Mapping) and isinstance(entry.get("index"), int) for entry in value]
    indexed = any(isinstance(entry, Mapping) and "index" in entry for entry in value)
    return indexed and not all(numbered)
