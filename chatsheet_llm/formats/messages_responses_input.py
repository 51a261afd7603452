"""Messages turns and system prompt -> Responses input items, in their order.  Joins, drops and invents no turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import ClassVar

from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.messages_responses_parts import PARTS, input_part, lose_rest, output_part
from chatsheet_llm.formats.messages_responses_tables import LOST_BLOCKS, PLACES
from chatsheet_llm.formats.seals import open_reasoning, seal_thinking

ROLES = ("assistant", "system", "user")


def messages_to_input(
    messages: object, system: object, ledger: Ledger, places: dict[str, str] | None = None
) -> list[Object]:
    """Return the Responses ``input`` items for Messages ``messages``, after a ``system`` that is a list of blocks.

    Text and files in a row are the parts of one message, and every other block is an item of its own.  Reasoning goes
    without the id that it had, and only where its turn goes on behind it.  What the items could not carry goes into
    the ledger; ``places`` takes where each item and part stood.  Raises FormatError for messages that are not
    Messages' own.
    """
    conversation = _Conversation(ledger, places)
    if isinstance(system, (list, tuple)):
        conversation.instruct(system)
    given = objects(messages, "messages")
    for path, message in given:
        conversation.add(path, message)
    if given and given[-1][1].get("role") == "assistant":
        ledger.lose(given[-1][0], "Responses starts a new turn after an assistant message, Messages continues it")
    return conversation.finished()


class _Conversation:
    """The items so far, the parts of the message that is still open, and the reasoning that nothing follows yet."""

    def __init__(self, ledger: Ledger, places: dict[str, str] | None) -> None:
        self._items: list[Object] = []
        self._ledger = ledger
        self._pivot = places is not None
        self._places = {} if places is None else places
        self._parts: list[Object] | None = None
        self._thoughts: list[tuple[str, Object, str]] = []

    def instruct(self, blocks: object) -> None:
        self._blocks("system", "system", objects(blocks, "system"))
        if self._items:
            self._places["input[0].content"] = "system"

    def finished(self) -> list[Object]:
        self._end_turn()
        return self._items

    def add(self, path: str, message: Mapping[str, object]) -> None:
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or role not in ROLES:
            raise FormatError(f"{path}.role", f"{named(role)} is not a Messages role; use one of {', '.join(ROLES)}")
        if role != "assistant":
            self._end_turn()
        lose_rest(self._ledger, message, "message", path)
        if isinstance(content, str):
            self._add(path, {"type": "message", "role": role, "content": content})
            return
        blocks = objects(content, f"{path}.content")
        if not blocks:
            self._open(role, path)
        self._blocks(role, path, blocks)

    def _blocks(self, role: str, path: str, blocks: list[tuple[str, Mapping[str, object]]]) -> None:
        for at, block in blocks:
            kind = string(block, "type", at)
            item = self._ITEMS[role].get(kind)
            if item is not None:
                self._parts = None
                item(self, at, block)
            elif kind == "text" or (kind in PARTS and role == "user"):
                part = (output_part if role == "assistant" else input_part)(block, at, self._ledger)
                if part is not None:
                    self._say(role, path, at, part, kind)
            else:
                self._lose(role, at, kind)
        self._parts = None

    def _say(self, role: str, path: str, at: str, part: Object, kind: str) -> None:
        parts = self._open(role, path) if self._parts is None else self._parts
        self._note(f"input[{len(self._items) - 1}].content[{len(parts)}]", at, kind, part)
        parts.append(part)

    def _open(self, role: str, path: str) -> list[Object]:
        self._parts = []
        item: Object = {"type": "message", "role": role, "content": self._parts}
        if role == "assistant":
            # Only the shape of an output message holds parts of the model's, and it requires an id.
            item |= {"id": f"msg_{len(self._items) + len(self._thoughts)}", "status": "completed"}
        self._add(path, item)
        return self._parts

    def _add(self, at: str, item: Object, kind: str = "") -> None:
        for thought in (*self._thoughts, (at, item, kind)):
            self._append(*thought)
        self._thoughts = []

    def _append(self, at: str, item: Object, kind: str) -> None:
        self._note(f"input[{len(self._items)}]", at, kind, item)
        self._items.append(item)

    def _end_turn(self) -> None:
        for at, item, kind in self._thoughts:
            if self._pivot:
                self._append(at, item, kind)
            else:
                self._ledger.lose(at, "Responses takes reasoning back only with what followed it", minor=True)
        self._thoughts = []

    def _note(self, here: str, at: str, kind: str, made: Mapping[str, object]) -> None:
        self._places[here] = at
        if "prompt_cache_breakpoint" in made:
            self._places[f"{here}.prompt_cache_breakpoint"] = f"{at}.cache_control"
        for field, source in PLACES.get(kind, {}).items():
            if field in made:
                self._places[f"{here}.{field}"] = f"{at}.{source}"

    def _lose(self, role: str, at: str, kind: str) -> None:
        row = LOST_BLOCKS.get(kind)
        if row is not None:
            self._ledger.lose(at, row.reason, minor=row.replied and role == "assistant")
        elif kind in PARTS or any(kind in known for known in self._ITEMS.values()):
            self._ledger.lose(at, f"Responses takes no block {named(kind)} in a message of the role {role!r}")
        else:
            self._ledger.lose(at, f"{named(kind)} is not a block of Messages, its meaning is unknown")

    def _thinking(self, at: str, block: Mapping[str, object]) -> None:
        home = open_reasoning(block.get("signature"))
        if home is not None:
            if home.get("encrypted_content"):
                # With its id it must stand before the very item that followed it, whose id no block holds: recorded as
                # "provided without its required following item", and without the id as taken.
                self._thoughts.append((at, {name: value for name, value in home.items() if name != "id"}, ""))
            else:
                why = "a reasoning item without encrypted_content exists only where the answer was stored"
                self._ledger.lose(at, why, minor=True)
            return
        text = string(block, "thinking", at)
        summary = [{"type": "summary_text", "text": text}] if text else []
        # Without a signature there is no proof to bring back, yet the text is still thinking.
        self._seal(at, block, summary, seal_thinking("thinking", string({"signature": "", **block}, "signature", at)))

    def _redacted(self, at: str, block: Mapping[str, object]) -> None:
        self._seal(at, block, [], seal_thinking("redacted_thinking", string(block, "data", at)))

    def _seal(self, at: str, block: Mapping[str, object], summary: list[dict[str, str]], seal: str) -> None:
        kind = string(block, "type", at)
        lose_rest(self._ledger, block, kind, at)
        self._thoughts.append((at, {"type": "reasoning", "summary": summary, "encrypted_content": seal}, kind))

    def _tool_use(self, at: str, block: Mapping[str, object]) -> None:
        lose_rest(self._ledger, block, "tool_use", at)
        given = mapping(block.get("input"), f"{at}.input")
        call: Object = {
            "type": "function_call",
            "call_id": string(block, "id", at),
            "name": string(block, "name", at),
            "arguments": json.dumps(given, ensure_ascii=False, separators=(",", ":")),
        }
        self._add(at, call, "tool_use")

    def _tool_result(self, at: str, block: Mapping[str, object]) -> None:
        lose_rest(self._ledger, block, "tool_result", at)
        output: Object = {
            "type": "function_call_output",
            "call_id": string(block, "tool_use_id", at),
            "output": self._output(f"{at}.content", block.get("content")),
        }
        self._add(at, output, "tool_result")

    def _output(self, path: str, content: object) -> str | list[Object]:
        if content is None or isinstance(content, str):
            return content or ""
        parts: list[Object] = []
        for at, block in objects(content, path):
            kind = string(block, "type", at)
            if kind not in PARTS:
                self._lose("tool", at, kind)
            elif (part := input_part(block, at, self._ledger)) is not None:
                self._note(f"input[{len(self._items)}].output[{len(parts)}]", at, kind, part)
                parts.append(part)
        return parts

    _ITEMS: ClassVar[Mapping[str, Mapping[str, Callable[[_Conversation, str, Mapping[str, object]], None]]]] = {
        "assistant": {"redacted_thinking": _redacted, "thinking": _thinking, "tool_use": _tool_use},
        "system": {},
        "user": {"tool_result": _tool_result},
    }
