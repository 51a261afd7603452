"""Chat messages -> Responses input items, in their order and with their roles.  Joins, drops and invents no turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from chatsheet_llm.formats.chat_responses_parts import PARTS, input_part, lose_rest, origins, output_part, output_text
from chatsheet_llm.formats.errors import FormatError, elements, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.tables import CALL_EXTRAS, CALLS, FIELD_REASONS, HINTS, MESSAGE_FIELDS, REPLY_FIELDS


class _Call(NamedTuple):
    """A tool call seen so far: the item type that answers it, and the tool's name."""

    output_type: str
    name: str


class _Made(NamedTuple):
    """An item or a part, where it stood, and the fields of it that stood elsewhere than under their name there."""

    at: str
    made: Object
    fields: Mapping[str, str]


def messages_to_input(messages: object, *, ledger: Ledger, places: dict[str, str] | None = None) -> list[Object]:
    """Return the Responses ``input`` items for Chat ``messages``; what they could not carry goes into the ledger.

    A reasoning item of an earlier reply returns only with its encrypted content and with words or calls behind it, and
    without its id.  With ``places`` the items are a pivot on the way to Messages: reasoning keeps its id, marks for the
    cache go along, and ``places`` takes where each item and part stood.  Raises FormatError for messages that are not
    Chat messages.
    """
    conversation = _Conversation(ledger, places)
    for index, message in enumerate(elements(messages, "messages")):
        conversation.add(index, mapping(message, f"messages[{index}]"))
    return conversation.items


class _Conversation:
    """The items so far, with the tool calls that later messages answer."""

    def __init__(self, ledger: Ledger, places: dict[str, str] | None) -> None:
        self.items: list[Object] = []
        self._ledger = ledger
        self._pivot = places is not None
        self._places = {} if places is None else places
        self._calls: dict[str, _Call] = {}
        self._unanswered: list[tuple[str, str]] = []

    def add(self, index: int, message: Mapping[str, object]) -> None:
        path = f"messages[{index}]"
        role = message.get("role")
        turn = self._ROLES.get(role) if isinstance(role, str) else None
        if not isinstance(role, str) or turn is None:
            raise FormatError(f"{path}.role", f"{named(role)} is not a Chat role; use one of {', '.join(self._ROLES)}")
        for field, value in message.items():
            if field not in MESSAGE_FIELDS[role] and not is_nothing(value):
                reason = HINTS.get(field) or FIELD_REASONS.get(field, f"Responses has no {field!r} on a message")
                self._ledger.lose(f"{path}.{field}", reason, minor=field in REPLY_FIELDS or field in HINTS)
        turn(self, index, path, message)

    def _instruction(self, _: int, path: str, message: Mapping[str, object]) -> None:
        self._say(path, message["role"], self._content(message, path, only_text=True))

    def _user(self, _: int, path: str, message: Mapping[str, object]) -> None:
        self._say(path, message["role"], self._content(message, path, only_text=False))

    def _say(self, path: str, role: object, content: str | list[Object] | None) -> None:
        if content is not None:
            self._add(_Made(path, {"type": "message", "role": role, "content": content}, {}))

    def _add(self, piece: _Made) -> None:
        here = f"input[{len(self.items)}]"
        self._places[here] = piece.at
        self._places.update({f"{here}.{name}": at for name, at in piece.fields.items()})
        self.items.append(piece.made)

    def _assistant(self, index: int, path: str, message: Mapping[str, object]) -> None:
        sealed = self._reasoning(path, message.get("reasoning_items"))
        parts = self._assistant_parts(path, message)
        calls = self._tool_calls(path, message) + self._legacy_call(index, path, message)
        texts = [part.made["text"] for part in parts if part.made["type"] == "output_text"]
        # An empty text beside a call says nothing, and no text at all is still a turn.
        silent = not parts or (len(parts) == 1 and texts == [""])
        for piece in sealed:
            if silent and not calls:
                why = "Responses takes reasoning back only with what followed it"
                self._ledger.lose(piece.at, why, minor=True)
            else:
                self._add(piece)
        if not silent or not calls:
            said: Object = {"type": "message", "role": "assistant", "content": texts[0] if texts else ""}
            fields: dict[str, str] = {}
            if len(parts) > 1 or len(texts) < len(parts) or any("prompt_cache_breakpoint" in p.made for p in parts):
                # Only the shape of an output message holds more than a text, and it requires an id.
                said |= {"id": f"msg_{index}", "status": "completed", "content": [part.made for part in parts]}
                fields = _places_of(parts)
            if message.get("phase") is not None:
                said["phase"] = message["phase"]
            self._add(_Made(path, said, fields))
        for piece in calls:
            self._add(piece)

    def _assistant_parts(self, path: str, message: Mapping[str, object]) -> list[_Made]:
        content, refusal = message.get("content"), message.get("refusal")
        parts: list[_Made] = []
        if isinstance(content, str):
            parts.append(_Made(f"{path}.content", output_text(content), {"text": f"{path}.content"}))
        elif content is not None:
            for at, part in objects(content, f"{path}.content"):
                kind = part.get("type")
                if kind == "refusal":
                    lose_rest(self._ledger, part, {"type", "refusal"}, at)
                    parts.append(_Made(at, {"type": "refusal", "refusal": string(part, "refusal", at)}, {}))
                elif kind == "text":
                    made = output_part(part, at, self._ledger, pivot=self._pivot)
                    parts.append(_Made(at, made, origins(part, at)))
                else:
                    raise FormatError(f"{at}.type", f"{named(kind)} is not a part of an assistant message")
        if refusal is not None:
            at, made = f"{path}.refusal", {"type": "refusal", "refusal": string(message, "refusal", path)}
            parts.append(_Made(at, made, {"refusal": at}))
        return parts

    def _reasoning(self, path: str, items: object) -> list[_Made]:
        kept: list[_Made] = []
        for at, item in objects([] if items is None else items, f"{path}.reasoning_items"):
            if item.get("type") != "reasoning":
                raise FormatError(f"{at}.type", f"{named(item.get('type'))} is not 'reasoning'")
            if item.get("encrypted_content"):
                # With its id it must stand before the very item that followed it, whose id Chat does not hold: recorded
                # as "provided without its required following item", and without the id as taken.
                left = () if self._pivot else ("id",)
                kept.append(_Made(at, {name: value for name, value in item.items() if name not in left}, {}))
            else:
                why = "a reasoning item without encrypted_content exists only where the answer was stored"
                self._ledger.lose(at, why, minor=True)
        return kept

    def _tool_calls(self, path: str, message: Mapping[str, object]) -> list[_Made]:
        tool_calls = message.get("tool_calls")
        items: list[_Made] = []
        for at, call in objects([] if tool_calls is None else tool_calls, f"{path}.tool_calls"):
            call_id, kind = string(call, "id", at), call.get("type") or "function"
            row = CALLS.get(kind) if isinstance(kind, str) else None
            if row is None or not isinstance(kind, str):
                raise FormatError(f"{at}.type", f"{named(kind)} is not one of {', '.join(CALLS)}")
            tool = mapping(call.get(kind), f"{at}.{kind}")
            name, text = string(tool, "name", f"{at}.{kind}"), string(tool, row.text, f"{at}.{kind}")
            extras = {extra: call[extra] for extra in CALL_EXTRAS if call.get(extra) is not None}
            # `index` is the place in this very list, `parsed_arguments` what the SDK's parse() made of the arguments.
            known = {"id", "type", "index", kind, *CALL_EXTRAS}
            for field in REPLY_FIELDS.intersection(call) - known:
                if not is_nothing(call[field]):
                    self._ledger.lose(f"{at}.{field}", f"Responses has no {field!r} on a tool call", minor=True)
            lose_rest(self._ledger, call, known | REPLY_FIELDS, at)
            lose_rest(self._ledger, tool, {"name", row.text, "parsed_arguments"}, f"{at}.{kind}")
            self._calls[call_id] = _Call(row.output, name)
            item = {"type": row.item, "call_id": call_id, "name": name, row.text: text} | extras
            fields = {"call_id": f"{at}.id", "name": f"{at}.{kind}.name", row.text: f"{at}.{kind}.{row.text}"}
            items.append(_Made(at, item, fields))
        return items

    def _legacy_call(self, index: int, path: str, message: Mapping[str, object]) -> list[_Made]:
        if message.get("function_call") is None:
            return []
        at = f"{path}.function_call"
        call = mapping(message["function_call"], at)
        name, arguments = string(call, "name", at), string(call, "arguments", at)
        # A legacy call has no id: it is answered by name, by the next function message.
        call_id = f"call_legacy_{index}"
        self._unanswered.append((name, call_id))
        return [_Made(at, {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}, {})]

    def _tool(self, _: int, path: str, message: Mapping[str, object]) -> None:
        call_id = string(message, "tool_call_id", path)
        # A result whose call is not in the history goes out as a function's; the provider says what it lacks.
        call = self._calls.get(call_id)
        if message.get("name") is not None and (call is None or message["name"] != call.name):
            self._ledger.lose(
                f"{path}.name", "Responses names a tool result by its call, which has another name or is missing"
            )
        content = self._content(message, path, only_text=False)
        kind = call.output_type if call is not None else "function_call_output"
        item: Object = {"type": kind, "call_id": call_id, "output": "" if content is None else content}
        self._add(_Made(path, item, {"call_id": f"{path}.tool_call_id", "output": f"{path}.content"}))

    def _function(self, _: int, path: str, message: Mapping[str, object]) -> None:
        name, content = string(message, "name", path), message.get("content")
        waiting = next((entry for entry in self._unanswered if entry[0] == name), None)
        if waiting is None:
            self._ledger.lose(
                path, f"no function_call of {name!r} stands before this result, and Responses refuses one without"
            )
            return
        self._unanswered.remove(waiting)
        output = "" if content is None else string(message, "content", path)
        item: Object = {"type": "function_call_output", "call_id": waiting[1], "output": output}
        self._add(_Made(path, item, {"output": f"{path}.content"}))

    def _content(self, message: Mapping[str, object], path: str, *, only_text: bool) -> str | list[Object] | None:
        """The content as Responses takes it; None when every part of it was lost."""
        content = message.get("content")
        if isinstance(content, str):
            return content
        given = objects(content, f"{path}.content")
        parts: list[_Made] = []
        for at, part in given:
            kind = part.get("type")
            if kind == "input_audio" and not only_text:
                self._ledger.lose(at, "Responses takes no audio input")
            elif not isinstance(kind, str) or kind not in PARTS or (only_text and kind != "text"):
                raise FormatError(f"{at}.type", f"{named(kind)} is not a part of a {message['role']} message")
            else:
                parts.append(_Made(at, input_part(part, at, self._ledger, pivot=self._pivot), origins(part, at)))
        here = f"input[{len(self.items)}].{'output' if message['role'] == 'tool' else 'content'}"
        self._places.update({f"{here}{step}": at for step, at in _places_of(parts, "").items()})
        return [part.made for part in parts] if parts or not given else None

    _ROLES: ClassVar[Mapping[str, Callable[[_Conversation, int, str, Mapping[str, object]], None]]] = {
        "system": _instruction,
        "developer": _instruction,
        "user": _user,
        "assistant": _assistant,
        "tool": _tool,
        "function": _function,
    }


def _places_of(parts: list[_Made], field: str = "content") -> dict[str, str]:
    """Field of an item -> where what is in it stood: each part, and the fields that it has from elsewhere."""
    found = {}
    for index, part in enumerate(parts):
        found[f"{field}[{index}]"] = part.at
        found |= {f"{field}[{index}].{name}": at for name, at in part.fields.items()}
    return found
