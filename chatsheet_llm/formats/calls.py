"""Whether the arguments of a model's function calls are whole: JSON, or nothing at all.  Judges no other content."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping

from chatsheet_llm.route import Mode

SAYS_WHOLE: Mapping[Mode, frozenset[object]] = {
    "chat": frozenset({"stop", "tool_calls", "function_call"}),
    "responses": frozenset({"completed"}),
    "messages": frozenset({"end_turn", "stop_sequence", "tool_use"}),
}
"""What an answer ends with that claims its calls to be whole; one that was cut for its length does not."""


class Arguments:
    """The arguments of the function calls of one stream, in the pieces in which they come."""

    def __init__(self) -> None:
        self._pieces: dict[Hashable, list[str]] = {}
        self._ids: dict[Hashable, str] = {}

    def add(self, key: Hashable, piece: object, call_id: object = None) -> None:
        """Take a piece of the call at this place; one with another id there begins another call."""
        if isinstance(call_id, str) and call_id:
            known = self._ids.setdefault(key, call_id)
            if known != call_id:
                # Some gateways count every call as the first.
                self._pieces[key, known] = self._pieces.pop(key, [])
                self._ids[key] = call_id
        if isinstance(piece, str) and piece:
            self._pieces.setdefault(key, []).append(piece)

    def whole(self, key: Hashable, text: object) -> None:
        """Take the arguments of the call at this place as a whole: they are what counts."""
        if isinstance(text, str) and text:
            self._pieces[key] = [text]

    def broken(self) -> bool:
        """Whether any call that came so far has arguments that are no JSON."""
        return any(not is_whole("".join(pieces)) for pieces in self._pieces.values())


def is_whole(arguments: str) -> bool:
    """Whether arguments parse as JSON; none at all are whole, and so is a line break that should have been escaped."""
    if not arguments.strip():
        return True
    try:
        json.loads(arguments, strict=False)
    except (RecursionError, ValueError):
        return False
    return True


def broken_calls(mode: Mode, body: Mapping[str, object]) -> bool:
    """Whether a whole reply says that it is complete and holds a function call whose arguments are no JSON."""
    read = {"chat": _of_chat, "responses": of_response}.get(mode)
    return read is not None and any(not is_whole(text) for text in read(body))


def of_response(response: object) -> Iterator[str]:
    """Yield the arguments of a Response that is complete."""
    if not isinstance(response, Mapping) or response.get("status", "completed") not in SAYS_WHOLE["responses"]:
        return
    output = response.get("output")
    for item in output if isinstance(output, list) else ():
        if isinstance(item, Mapping) and item.get("type") == "function_call" and item.get("status") != "incomplete":
            yield from _text(item)


def _of_chat(body: Mapping[str, object]) -> Iterator[str]:
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get("message") if isinstance(choice, Mapping) else None
        if not isinstance(message, Mapping) or choice.get("finish_reason") not in SAYS_WHOLE["chat"]:
            continue
        yield from _text(message.get("function_call"))
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            yield from _text(call.get("function") if isinstance(call, Mapping) else None)


def _text(holder: object) -> Iterator[str]:
    arguments = holder.get("arguments") if isinstance(holder, Mapping) else None
    if isinstance(arguments, str):
        yield arguments
