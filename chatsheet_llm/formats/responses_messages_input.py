"""Responses input items -> Messages turns and system prompt.  Keeps every order that Messages allows; drops no words.

Adjacent items of the assistant (reasoning, text, tool calls, blocks of an earlier Messages reply) are one turn, as
they were one reply, and the results of its calls are one user turn right after it, with what the user says next.
``id`` and ``status`` name an item and say nothing; an empty text beside anything else says nothing either, and
Messages refuses one.  The ``call_id`` of a call and its result only pairs them, so one with characters that Messages
refuses becomes another one, always the same, and that is no loss.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chatsheet_llm.formats.errors import FormatError, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.responses_messages_parts import content_of, lose_rest
from chatsheet_llm.formats.responses_messages_reply import block_of
from chatsheet_llm.formats.responses_messages_tables import DIRECT, LOST_ITEMS, MESSAGES_BLOCKS
from chatsheet_llm.formats.seals import REASONING_BREAK, open_thinking, seal_reasoning

Content = str | list[Object]


def input_to_messages(given: object, instructions: object, ledger: Ledger) -> tuple[list[Object], Content]:
    """Return the Messages ``messages`` and ``system`` for a Responses ``input`` and ``instructions``.

    ``system`` is a string if there is just one, else a list of text blocks, empty for no instruction at all:
    ``instructions`` and all system and developer messages.  What Messages cannot hold goes into the ledger.  Raises
    FormatError for what is no Responses input, and for one that says nothing, as Messages needs a turn.
    """
    before = len(ledger.losses)
    conversation = _Conversation(ledger)
    if instructions is not None:
        conversation.instruct(string({"instructions": instructions}, "instructions", ""))
    if isinstance(given, str):
        conversation.add("input", {"role": "user", "content": given})
    else:
        for path, item in objects([] if given is None else given, "input"):
            conversation.add(path, item)
    conversation.end()
    system = conversation.system()
    if not is_nothing(given) and not conversation.turns and all(loss.minor for loss in ledger.losses[before:]):
        if not system:
            raise FormatError("input", "says nothing, and Messages needs a message")
        ledger.lose("input", "it has instructions alone, and Messages needs a message of the user or the assistant")
    return [{"role": turn.role, "content": turn.content()} for turn in conversation.turns], system


@dataclass(slots=True, eq=False)
class _Turn:
    """A message under way: results of tools, which stand first, and what is said.  A string stays one if alone."""

    role: str
    said: Content = field(default_factory=list)
    results: list[Object] = field(default_factory=list)
    answer: _Turn | None = None
    """The user turn right behind an assistant's."""

    def add(self, content: Content) -> None:
        if self.said or self.results:
            self.said = _blocks(self.said)
            self.said += _blocks(content)
        else:
            self.said = content

    def awaits_words(self) -> bool:
        """Whether it holds results alone, so that what the user says next belongs to it."""
        return bool(self.results) and not self.said

    def content(self) -> Content:
        return [*self.results, *_blocks(self.said)] if self.results else self.said


class _Conversation:
    """The turns so far, with the turn of each tool call that later items answer."""

    def __init__(self, ledger: Ledger) -> None:
        self.turns: list[_Turn] = []
        self._ledger = ledger
        self._instructions: list[Content] = []
        self._calls: dict[str, tuple[_Turn, str]] = {}
        self._last = ""

    def add(self, path: str, item: Mapping[str, object]) -> None:
        # The type may be left out of two kinds of items.
        untyped = "message" if "role" in item else "item_reference" if "id" in item else None
        kind = untyped if untyped and item.get("type") is None else string(item, "type", path)
        turn, lost = self._ITEMS.get(kind), LOST_ITEMS.get(kind)
        if turn is not None:
            turn(self, path, item)
        elif kind in MESSAGES_BLOCKS and (lost is None or "content" in item):
            # Both formats have a `compaction`; the content of one is readable.
            self._extend(path, block_of(item))
        elif lost is not None:
            self._ledger.lose(path, lost.reason, minor=lost.minor)
        else:
            self._ledger.lose(path, f"{named(kind)} is not an item of Responses, its meaning is unknown")

    def instruct(self, content: Content) -> None:
        if content:
            self._instructions.append(content)

    def say(self, path: str, role: str, content: Content) -> None:
        """Add a message.  The user's words after tool results belong to the turn with the results."""
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != role or not (role == "assistant" or last.awaits_words()):
            last = self._begin(role)
        last.add(content)
        self._last = path

    def _begin(self, role: str) -> _Turn:
        """Begin a turn.  Those of the assistant never stand side by side, so one has at most one answer."""
        turn = _Turn(role)
        if self.turns and self.turns[-1].role == "assistant":
            self.turns[-1].answer = turn
        self.turns.append(turn)
        return turn

    def system(self) -> Content:
        if len(self._instructions) == 1:
            return self._instructions[0]
        return [block for content in self._instructions for block in _blocks(content)]

    def end(self) -> None:
        """Hear that no item follows.  Messages goes on from an assistant's last words, Responses answers them."""
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != "assistant":
            return
        kinds = [str(block["type"]) for block in _blocks(last.said)]
        # A reply of Messages that paused at a tool of its own is to be gone on with.
        if kinds[-1:] == ["text"] and not MESSAGES_BLOCKS.intersection(kinds):
            why = "Messages goes on from the assistant's last words, where Responses starts a new turn"
            self._ledger.lose(self._last, why)

    def _message(self, path: str, item: Mapping[str, object]) -> None:
        role = item.get("role")
        side = _ROLES.get(role) if isinstance(role, str) else None
        if side is None:
            raise FormatError(f"{path}.role", f"{named(role)} is not a Responses role; use one of {', '.join(_ROLES)}")
        lose_rest(self._ledger, item, "message", path)
        content = content_of(item.get("content"), f"{path}.content", self._ledger, only_text=side != "user")
        if not content:
            self._ledger.lose(path, "it says nothing, and Messages refuses empty messages", minor=True)
        elif side != "system":
            self.say(path, side, content)
        else:
            # Only models from Claude Opus 4.8 on take them in place, not on every cloud, and only between a user's turn
            # and the assistant's (platform.claude.com, build-with-claude/mid-conversation-system-messages).
            if self.turns:
                why = "Messages has its instructions at the start, so it was moved there"
                self._ledger.lose(path, why, minor=True)
            self.instruct(content)

    def _reasoning(self, path: str, item: Mapping[str, object]) -> None:
        texts = [
            string(part, "text", at)
            for field in ("summary", "content")
            for at, part in objects(item.get(field) or [], f"{path}.{field}")
        ]
        thinking: Object = {"type": "thinking", "thinking": REASONING_BREAK.join(texts)}
        sealed = open_thinking(item.get("encrypted_content"))
        if sealed is None:
            self._extend(path, thinking | {"signature": seal_reasoning(item)})
            return
        lose_rest(self._ledger, item, "reasoning", path)
        kind, secret = sealed
        self._extend(path, thinking | {"signature": secret} if kind == "thinking" else {"type": kind, "data": secret})

    def _function_call(self, path: str, item: Mapping[str, object]) -> None:
        text = string(item, "arguments", path)
        arguments = _json(text) if text.strip() else {}
        if isinstance(arguments, str) and isinstance(inner := _json(arguments), dict):
            # Some callers encode an object twice; the model meant what is inside.
            self._ledger.lose(f"{path}.arguments", "they are an object in a JSON string, and go as it", minor=True)
            arguments = inner
        elif not isinstance(arguments, dict):
            # The model wrote them, and their text is carried whole.
            why = "they are no JSON object, which Messages requires, so they travel in one"
            self._ledger.lose(f"{path}.arguments", why, minor=True)
            arguments = {"arguments": text}
        self._call(path, item, arguments)

    def _custom_tool_call(self, path: str, item: Mapping[str, object]) -> None:
        why = "Messages has no calls with free text, so it travels as one with an object"
        self._ledger.lose(path, why, minor=True)
        self._call(path, item, {"input": string(item, "input", path)})

    def _call(self, path: str, item: Mapping[str, object], given: object) -> None:
        call_id, name = string(item, "call_id", path), string(item, "name", path)
        block: Object = {"type": "tool_use", "id": _legal(call_id), "name": name, "input": given}
        caller = item.get("caller")
        if isinstance(caller, Mapping) and caller.get("type") == "program":
            self._ledger.lose(f"{path}.caller", "Messages does not know this program of an earlier reply", minor=True)
        elif caller not in (None, DIRECT):
            block["caller"] = caller
        if item.get("toolset_name") is not None:
            block["toolset_name"] = item["toolset_name"]
        lose_rest(self._ledger, item, string(item, "type", path), path)
        self._extend(path, block)
        self._calls[call_id] = self.turns[-1], name

    def _extend(self, path: str, block: Object) -> None:
        self.say(path, "assistant", [block])

    def _output(self, path: str, item: Mapping[str, object]) -> None:
        if item.get("call_id") is None:
            self._ledger.lose(path, "Messages takes a tool result only for a call that it names")
            return
        content = content_of(item.get("output"), f"{path}.output", self._ledger, only_text=False)
        lose_rest(self._ledger, item, string(item, "type", path), path)
        call_id = string(item, "call_id", path)
        turn, name = self._calls.get(call_id, (None, item.get("name")))
        if item.get("name") not in (None, name):
            self._ledger.lose(f"{path}.name", "Messages names a tool result by its call, which has another name")
        self._answer(turn, {"type": "tool_result", "tool_use_id": _legal(call_id), "content": content})

    def _answer(self, call: _Turn | None, block: Object) -> None:
        """Put a result where Messages wants it: first in the user turn that follows its call, after other results."""
        turn = call.answer if call is not None else None
        if call is None and self.turns and self.turns[-1].awaits_words():
            turn = self.turns[-1]
        (turn or self._begin("user")).results.append(block)

    _ITEMS: ClassVar[Mapping[str, Callable[[_Conversation, str, Mapping[str, object]], None]]] = {
        "custom_tool_call": _custom_tool_call,
        "custom_tool_call_output": _output,
        "function_call": _function_call,
        "function_call_output": _output,
        "message": _message,
        "reasoning": _reasoning,
    }


_ROLES: Mapping[str, str] = {"assistant": "assistant", "developer": "system", "system": "system", "user": "user"}


def _blocks(content: Content) -> list[Object]:
    """Content as blocks that can stand beside others; a list is itself and holds no empty text."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def _legal(call_id: str) -> str:
    """The name of a call in characters that Messages takes; two names that differ stay different."""
    if _LEGAL.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_ILLEGAL.sub('_', call_id)}_{digest[:8]}"


_LEGAL = re.compile(r"[a-zA-Z0-9_-]+")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")


def _json(text: str) -> object:
    """What a JSON text holds; None for any other text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
