"""Which item an event of a Responses stream is about, and whether it was heard before.  Makes no event of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chatsheet_llm.formats.errors import mapping, objects
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.responses_items import CONTENT, Item, index_at, is_named, text_at
from chatsheet_llm.formats.tables import CALL_KINDS

DROPPED = "the last event does not hold it; what was sent of it stays, the rest is dropped"


class Items:
    """The items of one stream, each at a place of its own: its output index, or one behind all if that is taken.

    Servers give all items one index, count those of the last event anew, or name an item otherwise in each event.  So
    an item is known by its id first, a call by its call id next, then by its index and type.
    """

    def __init__(self) -> None:
        self.at: dict[int, Item] = {}
        self._ids: dict[tuple[str, str], list[int]] = {}
        self._calls: dict[tuple[str, str], list[int]] = {}
        self._lanes: dict[tuple[int | None, str], int] = {}
        self._begun: Object = {}

    def begin(self, response: Mapping[str, object]) -> None:
        """Hear what the first events say of the whole reply."""
        self._begun |= {name: response[name] for name in _HEAD if response.get(name) is not None}

    def speaking(self, event: Mapping[str, object], kind: str) -> tuple[int, Item]:
        """Return the item of that type which an event is about.  One that nobody announced begins with it."""
        index, name = _output_index(event), event.get("item_id")
        more = str(event.get("type")).endswith(".delta")
        lane = self._lanes.get((index, kind))
        known = self._ids.get((kind, name), []) if isinstance(name, str) else []
        if more and index is not None:
            # More of a whole item, at another index, is another one of the same name.
            known = [place for place in known if not self.at[place].done or self.at[place].index in (None, index)]
        place = lane if lane in known else known[-1] if known else lane
        if place is None or (not known and self.at[place].done):
            opened = self._under_way(index, kind)
            # A last word may come again, but more after it is of another item.
            place = opened if opened is not None or more else place
        if place is None:
            place = self._new(index, kind)
            _add(self._ids, kind, name, place)
        self._lanes[index, kind] = self._lanes[None, kind] = place
        return place, self.at[place]

    def take_part(self, event: Mapping[str, object]) -> None:
        """Take an annotation or a whole part, which may stand nowhere else."""
        index, number = index_at(event, "content_index"), event.get("annotation_index")
        part = mapping(event.get("part") or {}, "part")
        if note := mapping(event.get("annotation") or {}, "annotation"):
            notes = self.speaking(event, "message")[1].notes.setdefault(index, {})
            notes[number if isinstance(number, int) else len(notes)] = note
        elif part.get("type") in ("output_text", "refusal"):
            self.speaking(event, "message")[1].parts[index] = part
        elif part.get("type") == "reasoning_text":
            self.speaking(event, "reasoning")[1].rest((CONTENT, index), text_at(part, "text"))

    def announce(self, event: Mapping[str, object]) -> tuple[int, Item]:
        """Take the item of an event that announces or closes it, and return what is known of it."""
        given, index = mapping(event.get("item"), "item"), _output_index(event)
        done = str(event.get("type")).endswith(".done")
        kind = str(given.get("type"))
        place = self._announced(given, kind, index, done=done)
        if place is None:
            place = self._new(index, kind)
        _add(self._ids, kind, given.get("id"), place)
        _add(self._calls, kind, given.get("call_id"), place)
        item = self.at[place]
        self._lanes[index, kind] = self._lanes[None, kind] = place
        item.index = item.index if index is None else index
        if not item.done:
            item.given, item.done = given, done
        return place, item

    def settle(self, event: Mapping[str, object]) -> tuple[Object, list[int]]:
        """Return the whole reply that the last event ends, and the place of each item of its output.

        Some servers leave the output or the whole reply out of it, as they have sent everything.
        """
        response = self._begun | dict(mapping(event.get("response") or {}, "response"))
        if response.get("status") is None:
            response["status"] = str(event.get("type")).rpartition(".")[2]
        if response.get("output"):
            output = [item for _, item in objects(response["output"], "output")]
            found = self._match(output)
        else:
            found = [place for place, item in sorted(self.at.items()) if item.kind not in CALL_KINDS or is_named(item)]
            output = [self.at[place].arrived() for place in found]
        for place, given in zip(found, output, strict=True):
            item = self.at[place]
            item.given, item.done = item.whole(given), True
        return response | {"output": [self.at[place].given for place in found]}, found

    def left(self, found: Iterable[int]) -> list[int]:
        """The places of items that said something and are not among those found."""
        return [place for place in sorted(set(self.at) - set(found)) if not self.at[place].says_nothing()]

    def after(self) -> int:
        return max(self.at, default=-1) + 1

    def _announced(self, given: Mapping[str, object], kind: str, index: int | None, *, done: bool) -> int | None:
        lane = self._lanes.get((index, kind))
        for names, name in ((self._ids, given.get("id")), (self._calls, given.get("call_id"))):
            known = names.get((kind, name), []) if isinstance(name, str) else []
            known = [place for place in known if not _other_call(self.at[place], given)]
            if lane in known:
                return lane
            # Announced at another index, it is another one of the same name.
            if known and (done or index is None or self.at[known[-1]].index in (None, index)):
                return known[-1]
        if lane is not None and not self.at[lane].done and not _other_call(self.at[lane], given):
            begun = self.at[lane].given
            if done or not begun or not (begun.get("id") and given.get("id")):
                return lane
        return self._under_way(index, kind, given) if done else None

    def _under_way(self, index: int | None, kind: str, given: Mapping[str, object] | None = None) -> int | None:
        """The last open item of a type, for an event whose index belongs to an item of another type or is missing."""
        if index is not None and index not in self.at:
            return None
        same = [place for place, item in self.at.items() if item.kind == kind and not item.done]
        return next((place for place in reversed(same) if not _other_call(self.at[place], given or {})), None)

    def _new(self, index: int | None, kind: str) -> int:
        place = index if index is not None and index not in self.at else self.after()
        self.at[place] = Item(kind)
        return place

    def _match(self, output: list[Mapping[str, object]]) -> list[int]:
        found: dict[int, int] = {}
        free = sorted(self.at)
        # The surest sign first.
        for is_same in (self._has_id, self._has_call_id, self._has_begun, self._is_of_type):
            for index, given in enumerate(output):
                if index in found:
                    continue
                for place in free:
                    if self.at[place].kind == str(given.get("type")) and is_same(place, given):
                        found[index] = place
                        free.remove(place)
                        break
        for index, given in enumerate(output):
            if index not in found:
                found[index] = self._new(index, str(given.get("type")))
        return [found[index] for index in range(len(output))]

    def _has_id(self, place: int, given: Mapping[str, object]) -> bool:
        return self._is_named(self._ids, given.get("id"), place) and not _other_call(self.at[place], given)

    def _has_call_id(self, place: int, given: Mapping[str, object]) -> bool:
        return self._is_named(self._calls, given.get("call_id"), place)

    def _has_begun(self, place: int, given: Mapping[str, object]) -> bool:
        return self._is_of_type(place, given) and self.at[place].begins(given)

    def _is_of_type(self, place: int, given: Mapping[str, object]) -> bool:
        return self.at[place].given.get("name") in (None, given.get("name"))

    def _is_named(self, names: Mapping[tuple[str, str], list[int]], name: object, place: int) -> bool:
        return isinstance(name, str) and place in names.get((self.at[place].kind, name), ())


_HEAD = ("id", "model", "created_at", "metadata", "service_tier")


class Counter:
    """Tells an event that came twice by its number.  Trusts the numbers of a server that counts with them."""

    def __init__(self) -> None:
        self._last: Mapping[str, object] = {}
        self._counts: bool | None = None

    def heard(self, event: Mapping[str, object]) -> bool:
        """Whether the event before was this very one."""
        number, before = event.get("sequence_number"), self._last.get("sequence_number")
        if not isinstance(number, int):
            return False
        if event == self._last:
            return bool(self._counts)
        if isinstance(before, int) and self._counts is not False:
            # Under one number for all, the same word twice is what the model said.
            self._counts = number > before
        self._last = event
        return False


def _output_index(event: Mapping[str, object]) -> int | None:
    return None if event.get("output_index") is None else index_at(event, "output_index")


def _other_call(item: Item, given: Mapping[str, object]) -> bool:
    known, new = item.given.get("call_id"), given.get("call_id")
    return isinstance(known, str) and isinstance(new, str) and known != new


def _add(names: dict[tuple[str, str], list[int]], kind: str, name: object, place: int) -> None:
    if isinstance(name, str) and name and place not in (known := names.setdefault((kind, name), [])):
        known.append(place)
