"""Messages stream events -> Responses stream events.  Folding them gives what ``messages_to_responses_reply`` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from chatsheet_llm.formats.errors import FormatError, elements, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Object, is_nothing
from chatsheet_llm.formats.responses_messages_items import Block, ItemEvents
from chatsheet_llm.formats.responses_messages_reply import ITEM_KINDS, messages_to_responses_reply, opening
from chatsheet_llm.route import Loss


class MessagesToResponsesStream:
    """Turns the events of one Messages stream, in order, into the events of a Responses stream.

    Text, thinking and arguments go on as they come, and arguments stay the text that was streamed; ``message_stop``
    makes the final event with the whole Response.  Blocks keep the order in which they began, whatever their index.
    A thinking block that was made of a reasoning item stays sealed here, as its seal comes after its text.

    ``losses`` grows as events come by; ``places`` is filled with the last event.
    """

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self.places: dict[str, str] = {}
        self._out = ItemEvents(self._note)
        self._begun: Mapping[str, object] | None = None
        self._message: Object = {}
        self._id = ""
        self._opened = self._ended = False
        self._by_index: dict[object, Block] = {}
        self._noted: set[str] = set()

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        """Take one event and return the events it makes, none for some.

        Raises FormatError for an error event, which is to be handled before it gets here, and for one that is not a
        Messages event.
        """
        kind = string(event, "type", "")
        if kind == "error":
            raise FormatError("type", f"{kind!r} ends a failed stream and has no event in Responses")
        take = self._FEEDS.get(kind)
        if take is None:
            self._note(kind, "this event is not known, its meaning is lost")
        elif not self._ended:
            take(self, event)
        elif kind not in ("ping", "message_stop"):
            self._note(kind, "came after the end of the answer")
        return self._out.taken()

    def end(self) -> list[dict[str, object]]:
        """Return what must still come: the final event, where ``message_stop`` did not bring it."""
        if self._opened and not self._ended:
            self._finish({})
        return self._out.taken()

    def _start(self, event: Mapping[str, object]) -> None:
        message = mapping(event.get("message"), "message")
        if self._opened:
            if message != self._begun:
                self._note("message_start", "came after the answer had begun, what it says is lost")
            return
        self._begun = message
        self._open(message)
        for number, (_, block) in enumerate(objects(message.get("content") or [], "message.content")):
            self._begin(("message_start", number), block)

    def _start_block(self, event: Mapping[str, object]) -> None:
        given = mapping(event.get("content_block"), "content_block")
        index = _index(event)
        known = self._by_index.get(index)
        if known is not None and known.open:
            if known.started == given:
                return
            self._out.stop(known)
        self._begin(index, given)

    def _delta(self, event: Mapping[str, object]) -> None:
        delta = mapping(event.get("delta"), "delta")
        kind = string(delta, "type", "delta")
        row, block = _DELTAS.get(kind), self._by_index.get(_index(event))
        if row is None:
            if block is None or not block.open:
                self._note(kind, "this delta is not known, its meaning is lost")
                return
            # Attached to its block, where the end of the stream lists it.
            block.content["deltas"] = [*elements(block.content.get("deltas") or [], "deltas"), dict(delta)]
            return
        if block is None or not block.open:
            if row.begins is None:
                self._note(kind, "belongs to no block that has begun and not ended, it is lost")
                return
            block = self._begin(_index(event), row.begins)
        if not row.fits(string(block.content, "type", block.path)):
            self._note(kind, "is not for a block of this type, it is lost")
            return
        if all(delta.get(field) is None for field in row.fields):
            return
        self._GROWS[kind](self, block, delta)
        for name, value in delta.items():
            if name not in ("type", *row.fields) and not is_nothing(value):
                self._note(f"{kind}.{name}", f"Responses has no place for {name!r} here")

    def _stop_block(self, event: Mapping[str, object]) -> None:
        block = self._by_index.get(_index(event))
        if block is not None and block.open:
            self._out.stop(block)

    def _change(self, event: Mapping[str, object]) -> None:
        """Take the top-level changes of a ``message_delta``: a field replaces the one before, null replaces nothing."""
        self._open({})
        for part in (event, mapping(event.get("delta") or {}, "delta")):
            self._message |= {
                name: value for name, value in part.items() if value is not None and name not in _ENVELOPE
            }
        # The SDK's MessageDeltaUsage: these counts are cumulative; one that is left out stands as it was.
        counts = mapping(event.get("usage") or {}, "usage")
        if said := {name: value for name, value in counts.items() if value is not None}:
            self._message["usage"] = {**mapping(self._message.get("usage") or {}, "message.usage"), **said}

    def _finish(self, event: Mapping[str, object]) -> None:
        self._open({})
        # Bedrock puts its metrics here.
        self._message |= {name: value for name, value in event.items() if name != "type"}
        for block in self._out.blocks:
            if block.open:
                self._out.stop(block)
        content = [block.content for block in self._out.blocks]
        response, losses = messages_to_responses_reply({**self._message, "content": content}, self.places)
        for item, (_, whole) in zip(self._out.items, objects(response["output"], "output"), strict=True):
            self._out.close(item, str(whole.get("status")))
        response["output"] = [item.done for item in self._out.items]
        self.losses += losses
        self._ended = True
        self._out.emit(f"response.{response['status']}", response=response)

    def _open(self, message: Mapping[str, object]) -> None:
        if not self._opened:
            self._opened = True
            self._message = dict(message)
            self._id = str(opening(message)["id"])
            self._out.emit("response.created", response=opening(message))
            self._out.emit("response.in_progress", response=opening(message))

    def _begin(self, index: object, given: Mapping[str, object]) -> Block:
        self._open({})
        block = self._by_index[index] = self._out.begin(given, self._id)
        served = given.get("to") if given.get("type") == "fallback" else None
        if isinstance(served, Mapping) and isinstance(served.get("model"), str):
            # The message names the model that served it, which is another one from here on.
            self._message["model"] = served["model"]
        return block

    def _say(self, block: Block, delta: Mapping[str, object]) -> None:
        self._out.say(block, delta.get("text"))

    def _think(self, block: Block, delta: Mapping[str, object]) -> None:
        self._out.think(block, delta.get("thinking"))

    def _sign(self, block: Block, delta: Mapping[str, object]) -> None:
        # It comes whole, just before the block ends; the SDK takes the last one too.
        block.content["signature"] = string(delta, "signature", "delta")

    def _cite(self, block: Block, delta: Mapping[str, object]) -> None:
        cited = elements(block.content.get("citations") or [], f"{block.path}.citations")
        block.content["citations"] = [*cited, mapping(delta.get("citation"), "delta.citation")]

    def _write(self, block: Block, delta: Mapping[str, object]) -> None:
        self._out.write(block, delta.get("partial_json"))

    def _compact(self, block: Block, delta: Mapping[str, object]) -> None:
        block.content |= {name: value for name, value in delta.items() if name != "type"}

    def _ping(self, event: Mapping[str, object]) -> None:
        """Keeps the connection alive and says nothing."""

    def _note(self, path: str, reason: str) -> None:
        if path not in self._noted:
            self._noted.add(path)
            self.losses.append(Loss("responses", path, reason))

    _FEEDS: ClassVar[Mapping[str, Callable[[MessagesToResponsesStream, Mapping[str, object]], None]]] = {
        "ping": _ping,
        "message_start": _start,
        "content_block_start": _start_block,
        "content_block_delta": _delta,
        "content_block_stop": _stop_block,
        "message_delta": _change,
        "message_stop": _finish,
    }
    _GROWS: ClassVar[Mapping[str, Callable[[MessagesToResponsesStream, Block, Mapping[str, object]], None]]] = {
        "text_delta": _say,
        "thinking_delta": _think,
        "signature_delta": _sign,
        "citations_delta": _cite,
        "input_json_delta": _write,
        "compaction_delta": _compact,
    }


def _index(event: Mapping[str, object]) -> int | None:
    index = event.get("index")
    if index is not None and not isinstance(index, int):
        raise FormatError("index", f"must be an integer, not {named(index)}")
    return index


class _Row(NamedTuple):
    """A delta: the block it is for, the fields that are carried, and the block it begins where the start is missing.

    An input is for any block that has no other form of its own, so its row names none.
    """

    block: str | None
    fields: tuple[str, ...]
    begins: Mapping[str, object] | None = None

    def fits(self, block: str) -> bool:
        return self.block == block if self.block else ITEM_KINDS.get(block) in (None, "function_call")


_DELTAS: Mapping[str, _Row] = {
    "text_delta": _Row("text", ("text",), {"type": "text", "text": ""}),
    "thinking_delta": _Row("thinking", ("thinking",), {"type": "thinking", "thinking": "", "signature": ""}),
    "signature_delta": _Row("thinking", ("signature",)),
    "citations_delta": _Row("text", ("citation",)),
    "input_json_delta": _Row(None, ("partial_json",)),
    "compaction_delta": _Row("compaction", ("content", "encrypted_content")),
}
_ENVELOPE = frozenset({"type", "delta", "usage"})
