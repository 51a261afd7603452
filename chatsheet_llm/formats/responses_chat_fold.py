"""Chat chunks -> the whole completion that they amount to.  Joins what comes in pieces; judges and converts nothing."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.errors import mapping, objects
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.responses_chat_calls import CallFold, join_tool
from chatsheet_llm.formats.responses_chat_items import split_content
from chatsheet_llm.formats.responses_chat_pieces import join, renew, told


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
                renew(self.completion, name, value)
        for path, choice in objects(chunk.get("choices") or [], "choices"):
            known = self.choice(choice.get("index"))
            delta = known.add(choice, path)
            if known is self._choices.get(0):
                first.append((delta, choice.get("logprobs")))
        return first

    def choice(self, index: object = 0) -> ChoiceFold:
        """The choice of that index; one without an index is the first."""
        place = index if isinstance(index, int) and index > 0 else 0
        return self._choices.setdefault(place, ChoiceFold(place))

    def whole(self) -> Object:
        """Return the ChatCompletion."""
        return self.completion | {"choices": [choice.whole() for _, choice in sorted(self._choices.items())]}


class ChoiceFold:
    """One choice so far, with texts in pieces.

    ``calls`` are its tool calls in the order in which they began, ``parts`` what its content had besides text.
    """

    def __init__(self, index: int) -> None:
        self.message: Object = {}
        self.parts: list[Object] = []
        self._fields: Object = {"index": index, "finish_reason": None}
        self._calls = CallFold()

    @property
    def calls(self) -> list[Object]:
        return self._calls.calls

    def add(self, choice: Mapping[str, object], path: str) -> Mapping[str, object]:
        """Take what one chunk has of this choice, and return its delta.  Raises FormatError."""
        for name, value in choice.items():
            if name == "logprobs" and isinstance(value, Mapping):
                join(self._fields, {"logprobs": value})
            elif name not in ("index", "delta", "message"):
                renew(self._fields, name, value)
        delta = self._delta(choice, path)
        for at, entry in objects(delta.get("tool_calls") or [], f"{path}.delta.tool_calls"):
            self._calls.add(entry, at)
        if delta.get("function_call") is not None:
            known = self.message.setdefault("function_call", {})
            assert isinstance(known, dict)
            at = f"{path}.delta.function_call"
            join_tool(known, mapping(delta["function_call"], at), at)
        join(self.message, {name: delta[name] for name in delta if name not in ("tool_calls", "function_call")})
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
