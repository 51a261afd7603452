"""Responses stream events -> Chat Completions chunks.  Folding the chunks gives what ``responses_to_chat`` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from chatsheet_llm.formats.chat_responses_reply import chat_logprob, responses_to_chat
from chatsheet_llm.formats.errors import elements, mapping, objects, string
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.responses_events import ResponsesEvents
from chatsheet_llm.formats.responses_items import CONTENT, REFUSAL, TEXT, Item, TextKey, is_named, text_at
from chatsheet_llm.formats.responses_places import DROPPED
from chatsheet_llm.formats.seals import REASONING_BREAK
from chatsheet_llm.formats.tables import CALL_EXTRAS, CALL_KINDS, CALLS, CHAT_SERVICE_TIERS
from chatsheet_llm.route import Mode


class _Call(NamedTuple):
    """A tool call that the caller knows of: its place among the calls, its id and its name."""

    number: int
    id: object
    name: object


class ResponsesToChatStream(ResponsesEvents):
    """Turns the events of one Responses stream, in order, into chunks of a Chat Completions stream.

    The first chunk carries the role; text, refusal, reasoning and tool calls follow as they come; what Chat has no
    delta for (annotations, attached items) comes whole in one chunk before the one with the finish reason, and with
    ``include_usage`` a last chunk without choices carries the usage.  Text that only a ``done`` event or the final
    reply brings is sent then.

    The fields of the completion stand on the chunk with the finish reason, and as far as they are known by then on the
    first one: the SDK's own accumulator takes them from there alone, so ``response_fields`` and ``response_status``
    are beyond it.  Nothing of them is on a delta, as a fold would make it part of the message.
    """

    TARGET: ClassVar[Mode] = "chat"
    UNIT: ClassVar[str] = "chunk"

    def __init__(self, *, include_usage: bool) -> None:
        super().__init__()
        self._include_usage = include_usage
        self._head: Object = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
        self._started = False
        self._calls: dict[int, _Call] = {}
        self._reasoning_part: tuple[int, TextKey] | None = None
        self._logprobs = 0

    def _begin(self, response: Mapping[str, object]) -> list[Object]:
        self._read_head(response)
        known = {"response_id": response.get("id"), "metadata": response.get("metadata")}
        tier = response.get("service_tier")
        # "auto" is what was asked for; the answer tells which one it was.
        known["service_tier"] = tier if isinstance(tier, str) and tier in CHAT_SERVICE_TIERS - {"auto"} else None
        return self._opening({name: value for name, value in known.items() if value})

    def _say(self, event: Mapping[str, object], kind: str, key: TextKey, name: str) -> list[Object]:
        place, item = self._items.speaking(event, kind)
        path = f"output[{place}]"
        if not str(event["type"]).endswith(".done"):
            item.piece(key, text_at(event, "delta"))
            return self._show_call(place) if kind in CALL_KINDS else self._show(place, key, self._tokens(event))
        whole = text_at(event, name)
        if kind not in CALL_KINDS:
            return self._rest(place, key, whole, path)
        self._write(item, whole, path)
        return self._show_call(place)

    def _tokens(self, event: Mapping[str, object]) -> list[object]:
        logprobs = event.get("logprobs")
        tokens = [chat_logprob(entry) for entry in logprobs] if isinstance(logprobs, list) else []
        self._logprobs += len(tokens)
        return tokens

    def _part(self, event: Mapping[str, object]) -> list[Object]:
        self._items.take_part(event)
        return []

    def _item(self, event: Mapping[str, object]) -> list[Object]:
        place, item = self._items.announce(event)
        return self._whole_item(place, f"output[{place}]") if item.done else self._show_call(place)

    def _end(self, event: Mapping[str, object]) -> list[Object]:
        response, found = self._items.settle(event)
        completion, losses = responses_to_chat(response)
        self._read_head(response)
        chunks = self._opening({name: value for name, value in completion.items() if name not in ("choices", "usage")})
        for index, place in enumerate(found):
            chunks += self._whole_item(place, f"output[{index}]")
        for place in self._items.left(found):
            self._note(f"output[{place}]", DROPPED)
        self.losses += losses
        return chunks + self._closing(completion)

    def _closing(self, completion: Object) -> list[Object]:
        choice = mapping(elements(completion.pop("choices"), "choices")[0], "choices[0]")
        message = mapping(choice["message"], "choices[0].message")
        extras = {name: value for name, value in message.items() if name not in _STREAMED}
        logprobs = mapping(choice["logprobs"] or {}, "choices[0].logprobs").get("content", [])
        late = elements(logprobs, "choices[0].logprobs.content")[self._logprobs :]
        usage = completion.pop("usage", None)
        chunks = [self._chunk(extras, late)] if extras or late else []
        end = self._chunk({}, finish_reason=choice["finish_reason"])
        end |= {name: value for name, value in completion.items() if name not in self._head}
        chunks.append(end)
        if self._include_usage:
            chunks.append(self._head | {"choices": [], "usage": usage})
        return chunks

    def _whole_item(self, place: int, path: str) -> list[Object]:
        """Show what a whole item says and was not shown yet."""
        item = self._items.at[place]
        if item.kind in CALL_KINDS:
            self._write(item, string(item.given, CALLS[CALL_KINDS[item.kind]].text, path), path)
            return self._show_call(place, path)
        chunks: list[Object] = []
        if item.kind == "message" and item.given.get("role", "assistant") != "assistant":
            return chunks
        for field, kinds in _PARTS.get(item.kind, {}).items():
            for index, (at, part) in enumerate(objects(item.given.get(field) or [], f"{path}.{field}")):
                named = kinds.get(str(part.get("type")), kinds.get(""))
                if named is not None:
                    chunks += self._rest(place, (named[0], index), string(part, named[1], at), path)
        return chunks

    def _rest(self, place: int, key: TextKey, whole: str, path: str) -> list[Object]:
        item = self._items.at[place]
        if not item.rest(key, whole):
            name = _NAMES[item.kind][key[0]]
            self._note(f"{path}.{name}[{key[1]}]", "its final text is not the one that was streamed, which stays")
        return self._show(place, key)

    def _show(self, place: int, key: TextKey, logprobs: list[object] | None = None) -> list[Object]:
        item = self._items.at[place]
        delta = item.unshown(key)
        if not delta and not logprobs:
            return []
        if item.kind == "reasoning":
            if self._reasoning_part not in (None, (place, key)):
                delta = REASONING_BREAK + delta
            self._reasoning_part = (place, key)
        name = {"text": "content", "refusal": "refusal"}.get(_NAMES[item.kind][key[0]], "reasoning_content")
        return [*self._opening(), self._chunk({name: delta}, logprobs)]

    def _write(self, item: Item, whole: str, path: str) -> None:
        if not item.rest((TEXT, 0), whole):
            self._note(path, "its final arguments are not those that were streamed, which stay")

    def _show_call(self, place: int, path: str = "") -> list[Object]:
        item = self._items.at[place]
        kind = CALL_KINDS.get(item.kind)
        if kind is None or not is_named(item):
            return []
        given, known = item.given, self._calls.get(place)
        new = item.unshown((TEXT, 0))
        if known is not None:
            if path and (known.id, known.name) != (given["call_id"], given["name"]):
                self._note(path, "its id or name is not the one that was sent, which stays")
            entry: Object = {"index": known.number, kind: {CALLS[kind].text: new}}
            return [self._chunk({"tool_calls": [entry]})] if new else []
        known = self._calls[place] = _Call(len(self._calls), given["call_id"], given["name"])
        extras = {extra: given[extra] for extra in CALL_EXTRAS if given.get(extra) is not None}
        tool = {"name": known.name, CALLS[kind].text: new}
        entry = {"index": known.number, "id": known.id, "type": kind, kind: tool} | extras
        return [*self._opening(), self._chunk({"tool_calls": [entry]})]

    def _opening(self, known: Object | None = None) -> list[Object]:
        if self._started:
            return []
        self._started = True
        return [self._chunk({"role": "assistant"}) | {k: v for k, v in (known or {}).items() if k not in self._head}]

    def _chunk(self, delta: Object, logprobs: list[object] | None = None, finish_reason: object = None) -> Object:
        tokens = {"content": logprobs, "refusal": None} if logprobs else None
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": tokens}
        return self._head | {"choices": [choice]}

    def _read_head(self, response: Mapping[str, object]) -> None:
        created = response.get("created_at")
        for name, value in (("id", response.get("id")), ("model", response.get("model"))):
            if isinstance(value, str):
                self._head[name] = value
        if isinstance(created, (int, float)):
            self._head["created"] = int(created)


_PARTS: Mapping[str, Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "message": {"content": {"output_text": (TEXT, "text"), "refusal": (REFUSAL, "refusal")}},
    "reasoning": {"summary": {"": (TEXT, "text")}, "content": {"": (CONTENT, "text")}},
}
"""Type of an item -> its lists -> type of a part, or any -> the key and the field of its text."""

_NAMES: Mapping[str, Mapping[int, str]] = {
    "message": {TEXT: "text", REFUSAL: "refusal"},
    "reasoning": {TEXT: "summary", CONTENT: "content"},
}
_STREAMED = frozenset({"role", "content", "refusal", "tool_calls", "reasoning_content"})
