"""Responses input items -> Chat messages: one assistant message a turn, results behind calls.  Invents no turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.responses_chat_tables import ITEMS
from chatsheet_llm.formats.tables import CALL_EXTRAS, CALL_KINDS, CALLS

_LABELS = frozenset({"type", "id", "status"})
"""Fields that name an item or tell its state; none is content."""


def input_to_messages(given: object, ledger: Ledger) -> list[Object]:
    """Return the Chat messages for a Responses ``input``; what they could not carry goes into the ledger.

    Text and calls of one turn become one assistant message, as ``chat_to_responses`` would take it apart.  What Chat
    has no place for but an earlier reply left (reasoning, hosted tool calls, the phase of a message) is a minor loss:
    no endpoint of Chat could read it.  Chat wants every result right behind its calls: a result that stands later is
    moved there and listed, as is text between calls and their results.

    Raises FormatError for what is no Responses input.
    """
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    conversation = _Conversation(ledger)
    for path, item in objects(given, "input"):
        conversation.add(path, item)
    return conversation.finished()


class _Conversation:
    """The messages so far, each with the results behind it, and the assistant message that may still grow."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._groups: list[list[Object]] = []
        # Always the first of the last group.
        self._turn: Object | None = None
        self._callers: dict[str, list[Object]] = {}

    def add(self, path: str, item: Mapping[str, object]) -> None:
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item else "item_reference"
        row = ITEMS.get(kind) if isinstance(kind, str) else None
        if row is None:
            self._ledger.lose(path, f"{named(kind)} is not an item of Responses, its meaning is unknown")
        elif row == "lost" or (row == "found" and item.get("execution") == "client"):
            self._ledger.lose(path, f"Chat has no item {named(kind)}")
        else:
            self._ADD[row](self, path, item)

    def finished(self) -> list[Object]:
        messages = [message for group in self._groups for message in group]
        for message in messages:
            if message["content"] is None and not ("refusal" in message or "tool_calls" in message):
                # A message needs content, even where only what is attached to it says something.
                message["content"] = ""
        return messages

    def _message(self, path: str, item: Mapping[str, object]) -> None:
        role, content = item.get("role"), item.get("content")
        if role == "assistant":
            self._assistant(path, item)
            return
        if role not in ("user", "system", "developer"):
            reason = f"{named(role)} is not a role of Responses; use one of user, assistant, system, developer"
            raise FormatError(f"{path}.role", reason)
        self._ledger.rest(item, _LABELS | {"role", "content"}, path)
        if not isinstance(content, str):
            given, content = content, self._parts(content, f"{path}.content", only_text=role != "user")
            if given and not content:
                return
        self._close({"role": role, "content": content})

    def _assistant(self, path: str, item: Mapping[str, object]) -> None:
        content, refusal = self._said(path, item.get("content"))
        self._ledger.rest(item, _LABELS | {"role", "content", "phase"}, path)
        if item.get("phase") is not None:
            self._ledger.lose(f"{path}.phase", "Chat has no phases of an answer", minor=True)
        turn = self._turn if self._turn is not None and not _says(self._turn) else None
        if turn is not None and turn.get("tool_calls"):
            self._ledger.lose(path, "Chat has the text of a message before its calls, not between or after", minor=True)
        if turn is None and self._turn is not None and self._turn.get("tool_calls"):
            self._join(path, self._turn, content, refusal)
            return
        turn = turn if turn is not None else self._open()
        turn["content"] = content
        if refusal is not None:
            turn["refusal"] = refusal

    def _join(self, path: str, turn: Object, content: object, refusal: object) -> None:
        """Add a text to a message that has both text and calls, which its results must follow."""
        self._ledger.lose(path, "Chat has the text of a message before its calls, not between or after", minor=True)
        before, after = _as_parts(turn["content"]), _as_parts(content)
        refusals = [{"type": "refusal", "refusal": text} for text in (turn.pop("refusal", None),) if text is not None]
        # The list grows, as copying it for each text would take the square of the time.
        before += [*refusals, *after]
        turn["content"] = before
        if refusal is not None:
            turn["refusal"] = refusal

    def _said(self, path: str, content: object) -> tuple[str | list[Object] | None, str | None]:
        """The content of an assistant message, and its refusal where that is the last thing it says."""
        if isinstance(content, str):
            return content, None
        parts: list[Object] = []
        for at, part in objects(content, f"{path}.content"):
            kind = part.get("type")
            if kind in ("output_text", "input_text"):
                parts.append(_text(part, at))
                # Annotations and logprobs were output; Chat reads them back from nobody.
                for field in ("annotations", "logprobs"):
                    if part.get(field):
                        self._ledger.lose(f"{at}.{field}", f"Chat takes no {field} of earlier output", minor=True)
                known = {"type", "text", "annotations", "logprobs", "prompt_cache_breakpoint"}
                self._ledger.rest(part, known, at)
            elif kind == "refusal":
                parts.append({"type": "refusal", "refusal": string(part, "refusal", at)})
                self._ledger.rest(part, {"type", "refusal"}, at)
            else:
                self._ledger.lose(at, f"Chat has no part {named(kind)} in an assistant message")
        if [part["type"] for part in parts if part["type"] == "refusal"] == ["refusal"] == [parts[-1]["type"]]:
            return parts[:-1] or None, str(parts[-1]["refusal"])
        return parts or "", None

    def _call(self, path: str, item: Mapping[str, object]) -> None:
        kind = CALL_KINDS[string(item, "type", path)]
        row, call_id = CALLS[kind], string(item, "call_id", path)
        tool = {"name": string(item, "name", path), row.text: string(item, row.text, path)}
        for extra in CALL_EXTRAS:
            if item.get(extra) is not None:
                self._ledger.lose(f"{path}.{extra}", f"Chat has no {extra!r} on a tool call", minor=True)
        self._ledger.rest(item, _LABELS | {"call_id", "name", row.text, *CALL_EXTRAS}, path)
        turn = self._turn if self._turn is not None else self._open()
        calls = turn.setdefault("tool_calls", [])
        assert isinstance(calls, list)
        calls.append({"id": call_id, "type": kind, kind: tool})
        self._callers[call_id] = self._groups[-1]

    def _result(self, path: str, item: Mapping[str, object]) -> None:
        if item.get("call_id") is None:
            self._ledger.lose(path, "a result of Chat names its call, and this one has no call_id")
            return
        call_id, output = string(item, "call_id", path), item.get("output")
        caller = self._callers.get(call_id)
        content: object = "" if output is None else output
        if not isinstance(content, str):
            content = self._parts(content, f"{path}.output", only_text=True) or ""
        self._ledger.rest(item, _LABELS | {"call_id", "output", "caller", "name", "namespace"}, path)
        if mapping(item.get("caller") or {}, f"{path}.caller").get("type", "direct") != "direct":
            self._ledger.lose(f"{path}.caller", "Chat has no programs that call tools", minor=True)
        for field in ("name", "namespace"):
            if item.get(field) is not None and caller is None:
                self._ledger.lose(f"{path}.{field}", "Chat names a result by its call, which is missing", minor=True)
        message: Object = {"role": "tool", "tool_call_id": call_id, "content": content}
        last = self._groups[-1] if self._groups else None
        if caller is None and last is not None and "tool_calls" in last[0]:
            # It stands behind calls, if not behind its own.
            caller = last
        if caller is None:
            self._close(message)
            return
        if caller is last:
            self._turn = None
        else:
            self._ledger.lose(path, "Chat has a result right behind its calls, so it was moved there", minor=True)
        caller.append(message)

    def _left(self, path: str, item: Mapping[str, object]) -> None:
        self._ledger.lose(path, f"Chat does not take back {named(item.get('type'))} of an earlier reply", minor=True)

    def _open(self) -> Object:
        self._turn = {"role": "assistant", "content": None}
        self._groups.append([self._turn])
        return self._turn

    def _close(self, message: Object) -> None:
        self._groups.append([message])
        self._turn = None

    def _parts(self, content: object, path: str, *, only_text: bool) -> list[Object]:
        parts: list[Object] = []
        for at, part in objects(content, path):
            kind = part.get("type")
            convert = _PARTS.get(kind) if isinstance(kind, str) else None
            if convert is None:
                self._ledger.lose(at, f"{named(kind)} is not a part of Responses input, its meaning is unknown")
            elif only_text and kind not in ("input_text", "output_text"):
                self._ledger.lose(at, "Chat has only text here")
            elif (made := convert(self._ledger, part, at)) is not None:
                parts.append(made)
        return parts

    _ADD: ClassVar[Mapping[str, Callable[[_Conversation, str, Mapping[str, object]], None]]] = {
        "message": _message,
        "call": _call,
        "result": _result,
        "left": _left,
        "found": _left,
    }


def _says(message: Object) -> bool:
    return message["content"] is not None or "refusal" in message


def _as_parts(content: object) -> list[object]:
    """The content as a list, the very list if it is one."""
    if isinstance(content, list):
        return content
    return [] if content in (None, "") else [{"type": "text", "text": content}]


def _text(part: Mapping[str, object], at: str) -> Object:
    return {"type": "text", "text": string(part, "text", at)} | _breakpoint(part)


def _text_part(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    ledger.rest(part, {"type", "text", "prompt_cache_breakpoint", "annotations", "logprobs"}, at)
    return _text(part, at)


def _image_part(ledger: Ledger, part: Mapping[str, object], at: str) -> Object | None:
    if part.get("image_url") is None:
        ledger.lose(at, "Chat takes an image by its address or content, not by the id of a file")
        return None
    ledger.rest(part, {"type", "image_url", "detail", "prompt_cache_breakpoint"}, at)
    image: Object = {"url": string(part, "image_url", at)}
    # Responses requires a detail, and auto is what Chat does without one.
    if part.get("detail") not in (None, "auto"):
        image["detail"] = part["detail"]
    return {"type": "image_url", "image_url": image} | _breakpoint(part)


def _file_part(ledger: Ledger, part: Mapping[str, object], at: str) -> Object | None:
    carried = ("file_id", "file_data", "filename")
    file = {name: part[name] for name in carried if part.get(name) is not None}
    if not file.keys() & {"file_id", "file_data"}:
        ledger.lose(at, "Chat takes a file by its id or content, not by its address")
        return None
    detail = {"detail"} if part.get("detail") == "auto" else set()
    ledger.rest(part, {"type", "prompt_cache_breakpoint", *carried, *detail}, at)
    return {"type": "file", "file": file} | _breakpoint(part)


def _audio_part(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    ledger.rest(part, {"type", "input_audio", "prompt_cache_breakpoint"}, at)
    audio = mapping(part.get("input_audio"), f"{at}.input_audio")
    return {"type": "input_audio", "input_audio": audio} | _breakpoint(part)


def _breakpoint(part: Mapping[str, object]) -> Object:
    mark = part.get("prompt_cache_breakpoint")
    return {} if mark is None else {"prompt_cache_breakpoint": mark}


_PARTS: Mapping[str, Callable[[Ledger, Mapping[str, object], str], Object | None]] = {
    "input_text": _text_part,
    "output_text": _text_part,
    "input_image": _image_part,
    "input_file": _file_part,
    "input_audio": _audio_part,
}
