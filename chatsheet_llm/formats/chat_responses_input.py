"""Chat messages -> Responses input items, in their order and with their roles.  Joins, drops and invents no turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from chatsheet_llm.formats.errors import FormatError, elements, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.tables import CALL_EXTRAS, CALLS, FIELD_REASONS, MESSAGE_FIELDS, REPLY_FIELDS


class _Call(NamedTuple):
    """A tool call seen so far: the item type that answers it, and the tool's name."""

    output_type: str
    name: str


def messages_to_input(
    messages: object, *, stored: bool, ledger: Ledger, places: dict[str, str] | None = None
) -> list[Object]:
    """Return the Responses ``input`` items for Chat ``messages``; what they could not carry goes into the ledger.

    ``stored`` says whether the request asks for storage: without it a reasoning item of an earlier reply can only
    return with its encrypted content.  ``places`` takes where each item and part stood.  Raises FormatError for
    messages that are not Chat messages.
    """
    conversation = _Conversation(stored, ledger, places)
    for index, message in enumerate(elements(messages, "messages")):
        conversation.add(index, mapping(message, f"messages[{index}]"))
    return conversation.items


class _Conversation:
    """The items so far, with the tool calls that later messages answer."""

    def __init__(self, stored: bool, ledger: Ledger, places: dict[str, str] | None) -> None:
        self.items: list[Object] = []
        self._stored = stored
        self._ledger = ledger
        self._places = places
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
                reason = FIELD_REASONS.get(field, f"Responses has no {field!r} on a message")
                self._ledger.lose(f"{path}.{field}", reason, minor=field in REPLY_FIELDS)
        turn(self, index, path, message)

    def _instruction(self, _: int, path: str, message: Mapping[str, object]) -> None:
        self._say(path, message["role"], self._content(message, path, only_text=True))

    def _user(self, _: int, path: str, message: Mapping[str, object]) -> None:
        self._say(path, message["role"], self._content(message, path, only_text=False))

    def _say(self, path: str, role: object, content: str | list[Object] | None) -> None:
        if content is not None:
            self._add(path, {"type": "message", "role": role, "content": content})

    def _add(self, path: str, item: Object) -> None:
        if self._places is not None:
            here = f"input[{len(self.items)}]"
            self._places[here] = path
            self._places[f"{here}.output"] = f"{path}.content"
        self.items.append(item)

    def _assistant(self, index: int, path: str, message: Mapping[str, object]) -> None:
        sealed = self._reasoning(path, message.get("reasoning_items"))
        parts = self._assistant_parts(path, message)
        calls = self._tool_calls(path, message) + self._legacy_call(index, path, message)
        texts = [part["text"] for part in parts if part["type"] == "output_text"]
        # An empty text beside a call says nothing, and no text at all is still a turn.
        silent = not parts or (len(parts) == 1 and texts == [""])
        said: list[Object] = []
        if not silent or not (calls or sealed):
            said.append({"type": "message", "role": "assistant", "content": texts[0] if texts else ""})
            if len(parts) > 1 or len(texts) < len(parts):
                # Only the shape of an output message holds several parts and refusals, and it requires an id.
                said[0] |= {"id": f"msg_{index}", "status": "completed", "content": parts}
            if message.get("phase") is not None:
                said[0]["phase"] = message["phase"]
        for at, item in sealed:
            self._add(at, item)
        for item in said:
            self._add(path, item)
        for at, item in calls:
            self._add(at, item)

    def _assistant_parts(self, path: str, message: Mapping[str, object]) -> list[Object]:
        content, refusal = message.get("content"), message.get("refusal")
        parts: list[Object] = []
        if isinstance(content, str):
            parts.append(_output_text(content))
        elif content is not None:
            for at, part in objects(content, f"{path}.content"):
                kind = part.get("type")
                if kind == "refusal":
                    parts.append({"type": "refusal", "refusal": string(part, "refusal", at)})
                elif kind == "text":
                    parts.append(_output_text(string(part, "text", at)))
                else:
                    raise FormatError(f"{at}.type", f"{named(kind)} is not a part of an assistant message")
                self._ledger.rest(part, {"type", "text", "refusal"}, at)
        if refusal is not None:
            parts.append({"type": "refusal", "refusal": string(message, "refusal", path)})
        return parts

    def _reasoning(self, path: str, items: object) -> list[tuple[str, Object]]:
        kept: list[tuple[str, Object]] = []
        for at, item in objects([] if items is None else items, f"{path}.reasoning_items"):
            if item.get("type") != "reasoning":
                raise FormatError(f"{at}.type", f"{named(item.get('type'))} is not 'reasoning'")
            if item.get("encrypted_content") or (self._stored and item.get("id")):
                kept.append((at, dict(item)))
            else:
                why = "a reasoning item without encrypted_content exists only where the answer was stored"
                self._ledger.lose(at, why, minor=True)
        return kept

    def _tool_calls(self, path: str, message: Mapping[str, object]) -> list[tuple[str, Object]]:
        tool_calls = message.get("tool_calls")
        items: list[tuple[str, Object]] = []
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
            self._ledger.rest(call, known | REPLY_FIELDS, at)
            self._ledger.rest(tool, {"name", row.text, "parsed_arguments"}, f"{at}.{kind}")
            self._calls[call_id] = _Call(row.output, name)
            items.append((at, {"type": row.item, "call_id": call_id, "name": name, row.text: text} | extras))
        return items

    def _legacy_call(self, index: int, path: str, message: Mapping[str, object]) -> list[tuple[str, Object]]:
        if message.get("function_call") is None:
            return []
        at = f"{path}.function_call"
        call = mapping(message["function_call"], at)
        name, arguments = string(call, "name", at), string(call, "arguments", at)
        # A legacy call has no id: it is answered by name, by the next function message.
        call_id = f"call_{index}"
        self._unanswered.append((name, call_id))
        return [(at, {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments})]

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
        self._add(path, {"type": kind, "call_id": call_id, "output": "" if content is None else content})

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
        self._add(path, {"type": "function_call_output", "call_id": waiting[1], "output": output})

    def _content(self, message: Mapping[str, object], path: str, *, only_text: bool) -> str | list[Object] | None:
        """The content as Responses takes it; None when every part of it was lost."""
        content = message.get("content")
        if isinstance(content, str):
            return content
        given = objects(content, f"{path}.content")
        parts: list[Object] = []
        here = f"input[{len(self.items)}].{'output' if message['role'] == 'tool' else 'content'}"
        for at, part in given:
            kind = part.get("type")
            if self._places is not None:
                self._places[f"{here}[{len(parts)}]"] = at
            convert = self._PARTS.get(kind) if isinstance(kind, str) else None
            if kind == "input_audio" and not only_text:
                self._ledger.lose(at, "Responses takes no audio input")
            elif convert is None or (only_text and kind != "text"):
                raise FormatError(f"{at}.type", f"{named(kind)} is not a part of a {message['role']} message")
            else:
                parts.append(convert(self, part, at))
        return parts if parts or not given else None

    def _text_part(self, part: Mapping[str, object], at: str) -> Object:
        self._ledger.rest(part, {"type", "text", "prompt_cache_breakpoint"}, at)
        return {"type": "input_text", "text": string(part, "text", at)} | _breakpoint(part)

    def _image_part(self, part: Mapping[str, object], at: str) -> Object:
        given = part.get("image_url")
        # OpenAI also takes the bare address, as recorded, though no type says so.
        image = {"url": given} if isinstance(given, str) else mapping(given, f"{at}.image_url")
        self._ledger.rest(part, {"type", "image_url", "prompt_cache_breakpoint"}, at)
        self._ledger.rest(image, {"url", "detail"}, f"{at}.image_url")
        detail = image.get("detail") if image.get("detail") is not None else "auto"
        url = string(image, "url", f"{at}.image_url")
        return {"type": "input_image", "image_url": url, "detail": detail} | _breakpoint(part)

    def _file_part(self, part: Mapping[str, object], at: str) -> Object:
        file = mapping(part.get("file"), f"{at}.file")
        self._ledger.rest(part, {"type", "file", "prompt_cache_breakpoint"}, at)
        self._ledger.rest(file, {"file_id", "file_data", "filename"}, f"{at}.file")
        source = {name: file[name] for name in ("file_id", "file_data", "filename") if file.get(name) is not None}
        return {"type": "input_file"} | source | _breakpoint(part)

    _PARTS: ClassVar[Mapping[str, Callable[[_Conversation, Mapping[str, object], str], Object]]] = {
        "text": _text_part,
        "image_url": _image_part,
        "file": _file_part,
    }
    _ROLES: ClassVar[Mapping[str, Callable[[_Conversation, int, str, Mapping[str, object]], None]]] = {
        "system": _instruction,
        "developer": _instruction,
        "user": _user,
        "assistant": _assistant,
        "tool": _tool,
        "function": _function,
    }


def _output_text(text: str) -> Object:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _breakpoint(part: Mapping[str, object]) -> Object:
    mark = part.get("prompt_cache_breakpoint")
    return {} if mark is None else {"prompt_cache_breakpoint": mark}
