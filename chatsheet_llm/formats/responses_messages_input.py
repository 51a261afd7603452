"""Responses input items -> Messages turns and system prompt.  Keeps every order that Messages allows; drops nothing.

Adjacent items of the assistant (reasoning, text, tool calls, blocks of an earlier Messages reply) are one turn, as
they were one reply, and the results of its calls are one user turn right after it, with what the user says next.
``id`` and ``status`` name an item and say nothing; an empty text beside anything else says nothing either, and
Messages refuses one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from chatsheet_llm.formats.errors import FormatError, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.responses_messages_parts import content_of, lose_rest
from chatsheet_llm.formats.responses_messages_reply import block_of
from chatsheet_llm.formats.responses_messages_tables import DIRECT, LOST_ITEMS, MESSAGES_BLOCKS
from chatsheet_llm.formats.seals import open_thinking, seal_reasoning

Content = str | list[Object]

REASONING_BREAK = "\n\n"
"""Stands between two reasoning texts in a thinking block, which has one string."""


def input_to_messages(given: object, instructions: object, ledger: Ledger) -> tuple[list[Object], Content]:
    """Return the Messages ``messages`` and ``system`` for a Responses ``input`` and ``instructions``.

    ``system`` is a string if there is just one, else a list of text blocks, empty for no instruction at all:
    ``instructions`` and the system and developer messages that stand before all others.  Later ones stay in their
    place.  What Messages cannot hold goes into the ledger.  Raises FormatError for what is no Responses input.
    """
    conversation = _Conversation(ledger)
    if instructions is not None:
        conversation.instruct(string({"instructions": instructions}, "instructions", ""))
    if isinstance(given, str):
        conversation.say("input", "user", given)
    else:
        for path, item in objects([] if given is None else given, "input"):
            conversation.add(path, item)
    conversation.end()
    return [{"role": turn.role, "content": turn.content} for turn in conversation.turns], conversation.system()


@dataclass(slots=True, eq=False)
class _Turn:
    """A message under way."""

    role: str
    content: Content

    def blocks(self) -> list[Object]:
        return _blocks(self.content)

    def awaits_words(self) -> bool:
        """Whether it ends with a tool result, so that what the user says next belongs to it."""
        return self.blocks()[-1:] != [] and self.blocks()[-1]["type"] == "tool_result"


class _Conversation:
    """The turns so far, with the turn of each tool call that later items answer."""

    def __init__(self, ledger: Ledger) -> None:
        self.turns: list[_Turn] = []
        self._ledger = ledger
        self._instructions: list[Content] = []
        self._calls: dict[str, tuple[_Turn, str]] = {}
        self._last = ""

    def add(self, path: str, item: Mapping[str, object]) -> None:
        kind = item.get("type")
        if kind is None:
            # The two items whose type may be left out.
            kind = "message" if "role" in item else "item_reference" if "id" in item else string(item, "type", path)
        turn = self._ITEMS.get(kind) if isinstance(kind, str) else None
        lost = LOST_ITEMS.get(kind) if isinstance(kind, str) else None
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
        if last is not None and last.role == role and (role == "assistant" or last.awaits_words()):
            last.content = last.blocks() + _blocks(content)
        else:
            self.turns.append(_Turn(role, content))
        self._last = path

    def system(self) -> Content:
        if len(self._instructions) == 1:
            return self._instructions[0]
        return [block for content in self._instructions for block in _blocks(content)]

    def end(self) -> None:
        """Hear that no item follows.  Messages goes on from an assistant's last words, Responses answers them."""
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != "assistant":
            return
        kinds = [str(block["type"]) for block in last.blocks()]
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
        if side == "system" and not self.turns:
            self.instruct(content)
        elif side == "assistant" and not _blocks(content):
            self._ledger.lose(path, "it has no words, and Messages refuses empty ones", minor=True)
        elif content != []:
            self.say(path, side, content)

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
            self._ledger.lose(f"{path}.arguments", "they are no JSON object, which Messages requires")
            arguments = {"arguments": text}
        self._call(path, item, arguments)

    def _custom_tool_call(self, path: str, item: Mapping[str, object]) -> None:
        why = "Messages has no calls with free text, so it travels as one with an object"
        self._ledger.lose(path, why, minor=True)
        self._call(path, item, {"input": string(item, "input", path)})

    def _call(self, path: str, item: Mapping[str, object], given: object) -> None:
        call_id, name = string(item, "call_id", path), string(item, "name", path)
        block: Object = {"type": "tool_use", "id": call_id, "name": name, "input": given}
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
        call_id = item.get("call_id")
        if call_id is None:
            self._ledger.lose(path, "Messages takes a tool result only for a call that it names")
            return
        content = content_of(item.get("output"), f"{path}.output", self._ledger, only_text=False)
        lose_rest(self._ledger, item, string(item, "type", path), path)
        turn, name = self._calls.get(string(item, "call_id", path), (None, item.get("name")))
        if item.get("name") not in (None, name):
            self._ledger.lose(f"{path}.name", "Messages names a tool result by its call, which has another name")
        self._answer(turn, {"type": "tool_result", "tool_use_id": call_id, "content": content})

    def _answer(self, call: _Turn | None, block: Object) -> None:
        """Put a result where Messages wants it: first in the user turn that follows its call, after other results."""
        place = len(self.turns) - 1 if self.turns and self.turns[-1].awaits_words() else len(self.turns)
        if call is not None:
            place = len(self.turns)
            while self.turns[place - 1] is not call:
                place -= 1
        if place == len(self.turns) or self.turns[place].role != "user":
            self.turns.insert(place, _Turn("user", [block]))
            return
        blocks = self.turns[place].blocks()
        results = sum(found["type"] == "tool_result" for found in blocks)
        self.turns[place].content = [*blocks[:results], block, *blocks[results:]]

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
    """Content as blocks that can stand beside others: without empty texts."""
    given: list[Object] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [block for block in given if block["type"] != "text" or block["text"]]


def _json(text: str) -> object:
    """What a JSON text holds; None for any other text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
