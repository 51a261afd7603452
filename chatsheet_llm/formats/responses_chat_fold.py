"""Chat chunks -> the whole completion that they amount to.  Joins what comes in pieces; judges and converts nothing."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.errors import mapping, objects
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.responses_chat_items import split_content

_NAMES = frozenset({"expires_at", "format", "id", "index", "phase", "role", "type"})
"""Fields of a delta that are repeated, not continued."""


class Pieces(list[str]):
    """A text that is still being told."""


class ChatFold:
    """The completion so far.

    Texts are joined and lists extended; what describes a chunk or choice as a whole (fingerprint, filter results,
    usage) is merged, and what comes later is truer.  The first id, model and time that say something stay, since some
    servers open with empty ones and some name every chunk anew.
    """

    def __init__(self) -> None:
        self.completion: Object = {"id": "", "object": "chat.completion", "created": 0, "model": ""}
        self._choices: dict[int, ChoiceFold] = {}

    def add(self, chunk: Mapping[str, object]) -> list[tuple[Mapping[str, object], object]]:
        """Take one chunk, and return the deltas and logprobs of the first choice.  Raises FormatError."""
        first: list[tuple[Mapping[str, object], object]] = []
        for name, value in chunk.items():
            if name in ("id", "created", "model"):
                self.completion[name] = self.completion[name] or value or self.completion[name]
            elif name not in ("object", "choices", "obfuscation"):
                _renew(self.completion, name, value)
        for path, choice in objects(chunk.get("choices") or [], "choices"):
            delta = self.choice(choice.get("index")).add(choice, path)
            if not choice.get("index"):
                first.append((delta, choice.get("logprobs")))
        return first

    def choice(self, index: object = 0) -> ChoiceFold:
        """The choice of that index; one without an index is the first."""
        place = index if isinstance(index, int) else 0
        return self._choices.setdefault(place, ChoiceFold(place))

    def whole(self) -> Object:
        """Return the ChatCompletion."""
        return self.completion | {"choices": [choice.whole() for _, choice in sorted(self._choices.items())]}


class ChoiceFold:
    """One choice so far, with texts in pieces.

    ``calls`` are its tool calls in the order in which they began, ``parts`` what its content had besides text.
    """

    def __init__(self, index: int) -> None:
        self.calls: list[Object] = []
        self.message: Object = {}
        self.parts: list[Object] = []
        self._fields: Object = {"index": index, "finish_reason": None}
        self._by_index: dict[object, Object] = {}

    def add(self, choice: Mapping[str, object], path: str) -> Mapping[str, object]:
        """Take what one chunk has of this choice, and return its delta.  Raises FormatError."""
        for name, value in choice.items():
            if name == "logprobs" and isinstance(value, Mapping):
                _join(self._fields, {"logprobs": value})
            elif name not in ("index", "delta", "message"):
                _renew(self._fields, name, value)
        delta = self._delta(choice, path)
        for at, entry in objects(delta.get("tool_calls") or [], f"{path}.delta.tool_calls"):
            self._call(entry, at)
        if delta.get("function_call") is not None:
            known = self.message.setdefault("function_call", {})
            assert isinstance(known, dict)
            _join_call(known, mapping(delta["function_call"], f"{path}.delta.function_call"))
        _join(self.message, {name: delta[name] for name in delta if name not in ("tool_calls", "function_call")})
        return delta

    def whole(self) -> Object:
        """Return the choice as a completion has it."""
        message = {"role": "assistant", "content": None} | self.message
        if self.parts:
            text = message["content"]
            message["content"] = [*([{"type": "text", "text": text}] if text else []), *self.parts]
        if self.calls:
            message["tool_calls"] = self.calls
        whole = told(self._fields | {"message": message})
        assert isinstance(whole, dict)
        return whole

    def _delta(self, choice: Mapping[str, object], path: str) -> Mapping[str, object]:
        given = choice.get("delta")
        if given is None and not (self.message or self.calls):
            # A server that does not stream puts the whole message into its one chunk.
            given = choice.get("message")
        delta = mapping({} if given is None else given, f"{path}.delta")
        if isinstance(delta.get("content"), list):
            text, others = split_content(delta["content"], f"{path}.delta.content")
            self.parts += [dict(part) for _, part in others]
            delta = {**delta, "content": text}
        return delta

    def _call(self, entry: Mapping[str, object], path: str) -> None:
        index, call_id = entry.get("index"), entry.get("id")
        # Some servers number no call, and some number each of them zero: then only the id tells them apart.
        known = self._by_index.get(index) if index is not None else (self.calls[-1] if self.calls else None)
        if known is None or (call_id and known.get("id") and call_id != known["id"]):
            known = {}
            self.calls.append(known)
            if index is not None:
                self._by_index[index] = known
        for name, value in entry.items():
            if name in ("function", "custom") and value is not None:
                tool = known.setdefault(name, {})
                assert isinstance(tool, dict)
                _join_call(tool, mapping(value, f"{path}.{name}"))
            elif name != "index" and value not in (None, ""):
                known.setdefault(name, value)


def _join_call(tool: Object, delta: Mapping[str, object]) -> None:
    """Add to a tool's name and its input; a name comes whole, and some servers repeat it."""
    for name, value in delta.items():
        if name in ("arguments", "input"):
            _join(tool, {name: value})
        elif value not in (None, ""):
            tool.setdefault(name, value)


def _join(whole: Object, delta: Mapping[str, object]) -> None:
    """Add what a delta brings: texts and lists go on where they stopped."""
    for name, value in delta.items():
        known = whole.get(name)
        if isinstance(value, str) and name not in _NAMES:
            if isinstance(known, Pieces):
                known.append(value)
            else:
                whole[name] = Pieces([value])
        elif isinstance(known, list) and isinstance(value, list):
            known.extend(value)
        elif isinstance(value, list):
            whole[name] = list(value)
        elif isinstance(value, Mapping):
            inner = known if isinstance(known, dict) else {}
            whole[name] = inner
            _join(inner, value)
        elif value is not None:
            whole[name] = value


def _renew(whole: Object, name: str, value: object) -> None:
    """Set what describes the whole: a later value is truer, nothing is not."""
    known = whole.get(name)
    if isinstance(known, Mapping) and isinstance(value, Mapping):
        whole[name] = {**known, **value}
    elif value is not None and (value or not known):
        whole[name] = value


def told(value: object) -> object:
    """Return the value with each text in one piece."""
    if isinstance(value, Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: told(inner) for name, inner in value.items()}
    return [told(inner) for inner in value] if isinstance(value, list) else value
