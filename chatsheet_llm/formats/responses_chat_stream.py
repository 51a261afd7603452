"""Chat chunks -> Responses stream events.  Folding the events gives what ``chat_to_responses_reply`` gives."""

from __future__ import annotations

from collections.abc import Mapping

from chatsheet_llm.formats.errors import FormatError, elements, mapping, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object
from chatsheet_llm.formats.responses_chat_calls import is_complete
from chatsheet_llm.formats.responses_chat_events import EventWriter, Item, PartKind
from chatsheet_llm.formats.responses_chat_fold import ChatFold
from chatsheet_llm.formats.responses_chat_items import (
    call_ids,
    call_item,
    call_kind,
    empty_response,
    flat_annotation,
    message_item,
    reasoning_item,
    response_logprob,
)
from chatsheet_llm.formats.responses_chat_pieces import told
from chatsheet_llm.formats.responses_chat_reply import chat_to_responses_reply
from chatsheet_llm.formats.tables import CALLS
from chatsheet_llm.route import Loss


class ChatToResponsesStream:
    """Turns the chunks of one Chat stream, in order, into the events of a Responses stream.

    Items follow one another: what begins closes what was under way; :meth:`end` closes the last and tells the whole
    Response.  An item keeps the place at which it came, so text behind a call stays behind it, and what goes on after
    something else is an item of its own; a whole completion can tell neither.  Calls that come interleaved are told one
    after the other, so each event stream has one call under way.  What Chat tells in no delta (other choices, filter
    results, attached items) comes at the end.

    ``losses`` is filled by :meth:`end`, as is ``places``: path in the Response -> path in the completion.
    """

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self.places: dict[str, str] = {}
        self._fold = ChatFold()
        self._writer = EventWriter()
        self._id: object = None
        self._said: Item | None = None
        self._calls: dict[int, Item] = {}
        self._heard = 0
        self._logprobs: list[object] = []
        self._parts = 0
        self._ended = False

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        """Take one chunk and return the events it makes.

        Raises FormatError for an error, which is to be handled before it gets here, and for what is no chunk.
        """
        if self._ended:
            late = Loss("responses", "choices", "a chunk came after the end of the answer")
            self.losses += [] if late in self.losses else [late]
            return []
        if event.get("error"):
            raise FormatError("error", "ends a failed stream and has no event in Responses")
        deltas = self._fold.add(event)
        # Some servers name the answer in a later chunk only, and every event of the response has the same id.
        if self._fold.completion["id"]:
            self._open()
        for delta, logprobs in deltas:
            self._delta(delta, logprobs)
        return self._writer.take()

    def end(self) -> list[dict[str, object]]:
        """Hear that the stream was whole and is over, and return what is still to come.

        Raises FormatError when there was no answer in it.
        """
        if self._ended:
            return []
        self._ended = True
        self._open()
        whole, losses = chat_to_responses_reply(self._fold.whole() | {"id": self._id}, self.places)
        self._pump()
        self._tell_rest()
        known = {_identity(item.item) for item in self._writer.items}
        made = [dict(mapping(item, "output")) for item in elements(whole["output"], "output")]
        late = [item for item in made if _identity(item) not in known]
        cut = whole["status"] == "incomplete"
        for item in self._writer.items:
            self._close(item, cut=cut and not late and item is self._writer.items[-1])
        for new in late:
            status = "incomplete" if cut and new is late[-1] else "completed"
            self._writer.add_whole(new | ({"status": status} if "status" in new else {}))
        self._catch_up()
        self._retrace(made)
        whole["output"] = [item.item for item in self._writer.items]
        self.losses += losses
        self._writer.event(f"response.{whole['status']}", response=whole)
        return self._writer.take()

    def _open(self) -> None:
        if self._id is None:
            self._id = self._fold.completion["id"]
            for stage in ("created", "in_progress"):
                self._writer.event(f"response.{stage}", response=empty_response(self._fold.completion))

    def _delta(self, delta: Mapping[str, object], logprobs: object) -> None:
        if isinstance(logprobs, Mapping):
            self._logprobs += [response_logprob(entry) for entry in elements(logprobs.get("content") or [], "logprobs")]
        # A server that sends both sends one text twice.
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            self._writer.say(self._speaker("reasoning"), "summary", thought, [])
        texts: tuple[tuple[str, PartKind], ...] = (("content", "text"), ("refusal", "refusal"))
        for name, kind in texts:
            if delta.get(name):
                self._speak(kind, string(delta, name, "choices[0].delta"))
        for _, annotation in objects(delta.get("annotations") or [], "choices[0].delta.annotations"):
            if (flat := flat_annotation(annotation)) is not None:
                self._writer.annotate(self._speaker("message"), flat)
        for _, kept in objects(delta.get("provider_annotations") or [], "choices[0].delta.provider_annotations"):
            if kept.get("annotation") is not None:
                self._writer.annotate(self._speaker("message"), kept["annotation"])
        if delta.get("tool_calls"):
            self._pump()
            self._heard = len(self._fold.choice().calls)

    def _speak(self, kind: PartKind, text: str) -> None:
        tokens: list[object] = []
        if kind == "text":
            tokens, self._logprobs = self._logprobs, []
        self._writer.say(self._speaker("message"), kind, text, tokens)

    def _speaker(self, kind: str) -> Item:
        """The item that reasons or speaks: the one under way, or a new one behind what was."""
        self._open()
        if len(self._calls) < self._heard:
            self._pump(self._heard)
        if self._said is None or self._said.item["type"] != kind:
            self._end_said()
            for call, item in self._calls.items():
                if self._is_whole(call):
                    self._close(item)
            before = sum(item.item.get("type") == kind for item in self._writer.items)
            number = before + 1 if before else None
            blank = reasoning_item(self._id, "", number) | {"summary": []}
            self._said = self._writer.begin(blank if kind == "reasoning" else message_item(self._id, [], None, number))
        return self._said

    def _end_said(self) -> None:
        if self._said is not None:
            self._close(self._said)
            self._said = None

    def _pump(self, named: int | None = None) -> None:
        """Tell what has come of the calls, each once the one before it is whole.

        The name of a call may come in pieces.  It is whole with the first of the input, or when something else begins:
        ``named`` calls are, or all but the last one.
        """
        calls = self._fold.choice().calls
        for number, call in enumerate(calls[:named]):
            kind = call_kind(call)
            tool = call.get(kind)
            if not isinstance(tool, Mapping) or not (tool.get("name") and call.get("id") and kind in CALLS):
                # Of another kind, or not named yet: what never is comes whole at the end.
                continue
            text = tool.get(CALLS[kind].text)
            if number not in self._calls:
                waits = any(item.open and not self._is_whole(known) for known, item in self._calls.items())
                begun = named is not None or number < len(calls) - 1 or (isinstance(text, list) and any(text))
                if not self._ended and (waits or not begun):
                    return
                self._begin_call(number, kind)
            self._write(self._calls[number], text)

    def _begin_call(self, number: int, kind: str) -> None:
        self._open()
        self._end_said()
        for item in self._calls.values():
            self._close(item)
        self._calls[number] = self._writer.begin(self._call(number) | {CALLS[kind].text: ""})

    def _write(self, item: Item, pieces: object) -> None:
        if item.open and isinstance(pieces, list):
            self._writer.write(item, "".join(pieces[item.written :]))
            item.written = len(pieces)

    def _is_whole(self, number: int) -> bool:
        """Whether nothing more can come of a call.  Custom input has no end of its own, so it ends with the turn."""
        call = self._fold.choice().calls[number]
        return call_kind(call) != "function" or is_complete(mapping(call["function"], "choices[0].delta.tool_calls"))

    def _call(self, number: int) -> Object:
        calls = self._fold.choice().calls
        call, call_id = mapping(told(calls[number]), "choices[0].delta.tool_calls"), call_ids(calls, self._id)[number]
        # What is attached to a call is listed with the whole reply.
        return call_item(call, call_id, self._id, number, "choices[0].message.tool_calls", Ledger("responses"))

    def _close(self, item: Item, *, cut: bool = False) -> None:
        if not item.open:
            return
        status = {"status": "incomplete"} if cut and "status" in item.item else {}
        for number, known in self._calls.items():
            if known is item:
                self._writer.end(item, self._call(number) | status)
                return
        if item.item.get("type") == "message":
            for part in self._other_parts():
                self._writer.add_part(item, part)
                self._parts += 1
            phase = self._fold.choice().message.get("phase")
            item.item |= status | ({} if phase is None else {"phase": phase})
        self._writer.end(item)

    def _other_parts(self) -> list[object]:
        """The parts of the message that are no text and were not told yet."""
        choice = self._fold.choice()
        kept = choice.message.get("provider_parts") or []
        return [*choice.parts, *elements(kept, "choices[0].delta.provider_parts")][self._parts :]

    def _tell_rest(self) -> None:
        """Say what came behind the text that it belongs to."""
        spoken = any(item.item.get("type") == "message" for item in self._writer.items)
        if spoken and self._logprobs:
            self._speak("text", "")
        elif spoken and self._other_parts():
            self._speaker("message")

    def _catch_up(self) -> None:
        """Put into the whole response what came for an item after it was closed."""
        for number, item in self._calls.items():
            made = self._call(number) | ({"status": item.item["status"]} if "status" in item.item else {})
            if made != item.item:
                item.item = made
                path = f"choices[0].message.tool_calls[{number}]"
                self.losses.append(
                    Loss("responses", path, "it went on after it was told; the whole response has it all")
                )
        phase = self._fold.choice().message.get("phase")
        for item in self._writer.items:
            if phase is not None and item.item.get("type") == "message":
                item.item = item.item | {"phase": phase}

    def _retrace(self, made: list[Object]) -> None:
        """Turn the places of a whole reply's items into those at which they came."""
        came = {_identity(item.item): f"output[{item.place}]" for item in reversed(self._writer.items)}
        moved = {f"output[{index}]": came[_identity(item)] for index, item in enumerate(made)}
        before = list(self.places.items())
        self.places.clear()
        for path, origin in before:
            head, closing, rest = path.partition("]")
            self.places[moved.get(head + closing, head + closing) + rest] = origin


def _identity(item: Mapping[str, object]) -> tuple[str, str]:
    """What tells an output item from others; an item that was attached as it came may have any id."""
    return str(item.get("type")), str(item.get("id"))
