"""Responses stream events -> Chat Completions chunks.  Folding the chunks gives what ``responses_to_chat`` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from chatsheet_llm.formats.chat_responses_reply import REASONING_BREAK, chat_logprob, responses_to_chat
from chatsheet_llm.formats.errors import FormatError, elements, mapping, objects, string
from chatsheet_llm.formats.tables import CALL_EXTRAS, CALL_KINDS, CALLS, STREAM_EVENTS
from chatsheet_llm.route import Loss

Object = dict[str, object]

PartKey = tuple[int, str, int]
"""Place of a streamed text: output index, kind of text, index of the part."""


@dataclass(slots=True)
class _Call:
    """A tool call under way.  ``index`` is its place among the calls, once the caller knows of it."""

    written: str = ""
    shown: int = 0
    index: int | None = None


class ResponsesToChatStream:
    """Turns the events of one Responses stream, in order, into chunks of a Chat Completions stream.

    The first chunk carries the role; text, refusal, reasoning and tool calls follow as they come; what Chat has no
    delta for (annotations, attached items) comes whole in one chunk before the one with the finish reason, and with
    ``include_usage`` a last chunk without choices carries the usage.  Text that only a ``done`` event or the final
    reply brings is sent then.  ``losses`` grows as events come by.
    """

    def __init__(self, *, include_usage: bool) -> None:
        self.losses: list[Loss] = []
        self._include_usage = include_usage
        self._head: Object = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
        self._started = self._ended = False
        self._shown: dict[PartKey, list[str]] = {}
        self._calls: dict[int, _Call] = {}
        self._announced = 0
        self._reasoning_part: PartKey | None = None
        self._logprobs = 0
        self._places: dict[str, int] = {}
        self._items: dict[int, Mapping[str, object]] = {}
        self._done: set[int] = set()
        self._noted: set[str] = set()

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        """Take one event and return the chunks it makes, none for most.

        Raises FormatError for an event of a failed stream, which is to be handled before it gets here, and for one
        that is not a Responses event.
        """
        kind = string(event, "type", "")
        meaning = STREAM_EVENTS.get(kind)
        if meaning == "fault":
            raise FormatError("type", f"{kind!r} ends a failed stream and has no chunk in Chat")
        if self._ended:
            self._note(kind, "came after the end of the answer")
            return []
        if meaning is None or meaning == "lost":
            self._note(kind, "Chat has no chunk for it" if meaning else "this event is not known, its meaning is lost")
            return []
        feed = self._FEEDS.get(meaning)
        return feed(self, kind, event) if feed is not None else []

    def end(self) -> list[dict[str, object]]:
        """Hear that the stream is over: everything was said with its last event."""
        return []

    def _start(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        del kind
        self._read_head(mapping(event.get("response"), "response"))
        return self._opening()

    def _text(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        key: PartKey = (self._place(event), "text", _index(event, "content_index"))
        if kind.endswith(".done"):
            return self._rest(key, string(event, "text", ""))
        logprobs = event.get("logprobs")
        tokens = [chat_logprob(entry) for entry in logprobs] if isinstance(logprobs, list) else []
        self._logprobs += len(tokens)
        return self._show(key, string(event, "delta", ""), tokens)

    def _refusal(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        key: PartKey = (self._place(event), "refusal", _index(event, "content_index"))
        if kind.endswith(".done"):
            return self._rest(key, string(event, "refusal", ""))
        return self._show(key, string(event, "delta", ""))

    def _reasoning(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        field, index = ("summary", "summary_index") if "summary" in kind else ("content", "content_index")
        key: PartKey = (self._place(event), field, _index(event, index))
        if kind.endswith(".done"):
            return self._rest(key, string(event, "text", ""))
        return self._show(key, string(event, "delta", ""))

    def _call(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        place = self._place(event)
        call = self._calls.setdefault(place, _Call())
        if kind.endswith(".delta"):
            call.written += string(event, "delta", "")
        else:
            whole = string(event, "input" if "custom" in kind else "arguments", "")
            self._write(place, call, whole)
        return self._show_call(place, call)

    def _item(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        item = mapping(event.get("item"), "item")
        known = self._places.get(str(item.get("id")), len(self._items))
        place = _index(event, "output_index") if event.get("output_index") is not None else known
        if isinstance(item.get("id"), str):
            self._places[str(item["id"])] = place
        self._items[place] = item
        if kind.endswith(".done"):
            self._done.add(place)
        return self._whole_item(place, item, final=place in self._done)

    def _end(self, kind: str, event: Mapping[str, object]) -> list[Object]:
        response = dict(mapping(event.get("response"), "response"))
        response.setdefault("status", kind.rpartition(".")[2])
        if not response.get("output"):
            # Some servers leave the output out of the last event, as they have sent it.
            response["output"] = self._arrived()
        completion, losses = responses_to_chat(response)
        self._read_head(response)
        chunks = self._opening()
        for index, (_, item) in enumerate(objects(response["output"], "response.output")):
            chunks += self._whole_item(self._places.get(str(item.get("id")), index), item, final=True)
        self.losses += losses
        self._ended = True
        return chunks + self._closing(completion)

    def _arrived(self) -> list[Mapping[str, object]]:
        """The items that came whole, and the calls as far as they came."""
        items: list[Mapping[str, object]] = []
        for place, item in sorted(self._items.items()):
            kind = CALL_KINDS.get(str(item.get("type")))
            if place in self._done:
                items.append(item)
            elif kind is not None and self._calls[place].index is not None:
                items.append({**item, CALLS[kind].text: self._calls[place].written})
        return items

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

    def _whole_item(self, place: int, item: Mapping[str, object], *, final: bool) -> list[Object]:
        """Show what an item says and was not shown yet.  One that has only begun is not trusted to be whole."""
        kind, path = item.get("type"), f"output[{place}]"
        if isinstance(kind, str) and kind in CALL_KINDS:
            call = self._calls.setdefault(place, _Call())
            if final:
                self._write(place, call, string(item, CALLS[CALL_KINDS[kind]].text, path))
            self._items[place] = item
            return self._show_call(place, call)
        chunks: list[Object] = []
        fields = _PARTS.get(kind, ()) if isinstance(kind, str) and final else ()
        if kind == "message" and item.get("role", "assistant") != "assistant":
            fields = ()
        for field in fields:
            for index, (at, part) in enumerate(objects(item.get(field) or [], f"{path}.{field}")):
                named = _TEXTS.get(str(part.get("type")), None) if kind == "message" else (field, "text")
                if named is not None:
                    chunks += self._rest((place, named[0], index), string(part, named[1], at))
        return chunks

    def _rest(self, key: PartKey, whole: str) -> list[Object]:
        shown = "".join(self._shown.get(key, ()))
        if not whole.startswith(shown):
            path = f"output[{key[0]}].{key[1]}[{key[2]}]"
            self._note(path, "its final text is not the one that was streamed, which stays")
            return []
        return self._show(key, whole[len(shown) :])

    def _show(self, key: PartKey, delta: str, logprobs: list[object] | None = None) -> list[Object]:
        if not delta and not logprobs:
            return []
        self._shown.setdefault(key, []).append(delta)
        name = _DELTAS[key[1]]
        if name == "reasoning_content":
            if self._reasoning_part not in (None, key):
                delta = REASONING_BREAK + delta
            self._reasoning_part = key
        return [*self._opening(), self._chunk({name: delta}, logprobs)]

    def _write(self, place: int, call: _Call, whole: str) -> None:
        if whole.startswith(call.written):
            call.written = whole
        else:
            self._note(f"output[{place}]", "its final arguments are not those that were streamed, which stay")

    def _show_call(self, place: int, call: _Call) -> list[Object]:
        item = self._items.get(place, {})
        kind = CALL_KINDS.get(str(item.get("type")))
        new = call.written[call.shown :]
        if kind is None or not (item.get("call_id") and item.get("name")) or (call.index is not None and not new):
            return []
        entry: Object = {kind: {CALLS[kind].text: new}}
        if call.index is None:
            call.index, self._announced = self._announced, self._announced + 1
            extras = {extra: item[extra] for extra in CALL_EXTRAS if item.get(extra) is not None}
            entry = {"id": item["call_id"], "type": kind, kind: {"name": item["name"], CALLS[kind].text: new}} | extras
        call.shown = len(call.written)
        return [*self._opening(), self._chunk({"tool_calls": [{"index": call.index} | entry]})]

    def _opening(self) -> list[Object]:
        if self._started:
            return []
        self._started = True
        return [self._chunk({"role": "assistant"})]

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

    def _place(self, event: Mapping[str, object]) -> int:
        # Gateways that rename item ids do so per event, so the index is the better name of an item.
        if isinstance(event.get("output_index"), int):
            return _index(event, "output_index")
        return self._places.get(str(event.get("item_id")), 0)

    def _note(self, path: str, reason: str) -> None:
        if path not in self._noted:
            self._noted.add(path)
            self.losses.append(Loss("chat", path, reason))

    _FEEDS: ClassVar[
        Mapping[str, Callable[[ResponsesToChatStream, str, Mapping[str, object]], list[dict[str, object]]]]
    ] = {
        "start": _start,
        "text": _text,
        "refusal": _refusal,
        "reasoning": _reasoning,
        "call": _call,
        "item": _item,
        "end": _end,
    }


_DELTAS: Mapping[str, str] = {
    "text": "content",
    "refusal": "refusal",
    "summary": "reasoning_content",
    "content": "reasoning_content",
}
_PARTS: Mapping[str, tuple[str, ...]] = {"message": ("content",), "reasoning": ("summary", "content")}
_TEXTS: Mapping[str, tuple[str, str]] = {"output_text": ("text", "text"), "refusal": ("refusal", "refusal")}
_STREAMED = frozenset({"role", "content", "refusal", "tool_calls", "reasoning_content"})


def _index(event: Mapping[str, object], name: str) -> int:
    value = event.get(name, 0)
    if not isinstance(value, int):
        raise FormatError(name, "must be an integer")
    return value
