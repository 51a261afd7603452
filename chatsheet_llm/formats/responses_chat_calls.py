"""Tool-call deltas of Chat -> the calls that they belong to.  Trusts no single field, as servers break every one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chatsheet_llm.formats.errors import FormatError, mapping, named
from chatsheet_llm.formats.ledger import Object
from chatsheet_llm.formats.responses_chat_items import call_kind
from chatsheet_llm.formats.responses_chat_pieces import Pieces, join, renew
from chatsheet_llm.formats.tables import CALLS

_TEXTS = tuple(row.text for row in CALLS.values())


class CallFold:
    """The tool calls so far, in the order in which they began, with what the model wrote in pieces.

    An id finds its call wherever it stands; else the index does; else it is the call before.  There are servers that
    number no call, that number each of them zero, that repeat an id, and that give every chunk a new one.  So under a
    known id or index only an entry with a name begins another call, see :func:`_is_another`.
    """

    def __init__(self) -> None:
        self.calls: list[Object] = []
        self._by_index: dict[int, Object] = {}

    def add(self, entry: Mapping[str, object], path: str) -> None:
        """Take one entry of ``delta.tool_calls``.  Raises FormatError."""
        given = entry.get("index")
        index = given if isinstance(given, int) else None
        tools = {kind: mapping(entry[kind], f"{path}.{kind}") for kind in CALLS if entry.get(kind) is not None}
        known = self._known(index, entry.get("id"), has_name=any(tool.get("name") for tool in tools.values()))
        if known is None or _is_another(known, entry, tools, moved=self._is_elsewhere(known, index)):
            known = {}
            self.calls.append(known)
        if index is not None:
            self._by_index[index] = known
        for kind, tool in tools.items():
            whole = known.setdefault(kind, {})
            assert isinstance(whole, dict)
            if not _is_repeated(known, entry, whole, tool):
                join_tool(whole, tool, f"{path}.{kind}")
        for name, value in entry.items():
            if name in ("id", "type"):
                if value not in (None, ""):
                    known.setdefault(name, value)
            elif name == known.get("type") and name not in CALLS:
                join(known, {name: value})
            elif name != "index" and name not in CALLS:
                renew(known, name, value)

    def _known(self, index: int | None, call_id: object, *, has_name: bool) -> Object | None:
        """The call that an entry goes on with, as far as its id and index tell, None for one that begins here."""
        last = self.calls[-1] if self.calls else None
        here = last if index is None else self._by_index.get(index)
        same = [call for call in self.calls if call_id and call.get("id") == call_id]
        if same and not any(call is here for call in same):
            return same[-1]
        # Without a name or an id it is no beginning, whatever its number.
        return here if here is not None or has_name or call_id else last

    def _is_elsewhere(self, call: Object, index: int | None) -> bool:
        """Whether an index is new, and the call has another."""
        begun = self._by_index
        return index is not None and index not in begun and any(call is known for known in begun.values())


def join_tool(tool: Object, delta: Mapping[str, object], path: str) -> None:
    """Add to a tool's name and its input.  Some servers repeat the name; before the input it may come in pieces.

    Raises FormatError for an input that is no text.
    """
    begun = any(_written(tool))
    for name, value in delta.items():
        known = tool.get(name)
        if name in _TEXTS and value is not None:
            if not isinstance(value, str):
                raise FormatError(f"{path}.{name}", f"must be a string, not {named(value)}")
            join(tool, {name: value})
        elif name == "name" and isinstance(known, str) and isinstance(value, str):
            tool[name] = known if begun or value == known else known + value
        elif value != "":
            renew(tool, name, value)


def _is_another(
    known: Object, entry: Mapping[str, object], tools: Mapping[str, Mapping[str, object]], *, moved: bool
) -> bool:
    """Whether an entry that would go on with a call begins another one.

    It needs a name for that, and another id or kind of call.  Or another name, unless nothing was written yet, when it
    may be the rest of the name.  Or the same name and more to write, where the call is complete.
    """
    call_id, kind = entry.get("id"), call_kind(entry)
    renamed = bool(call_id) and known.get("id") not in (None, call_id)
    tool, before = tools.get(kind, {}), known.get(kind)
    if kind not in CALLS or not tool.get("name"):
        return renamed and kind not in CALLS
    if renamed or not isinstance(before, Mapping):
        return renamed or any(other in known for other in CALLS)
    if before.get("name") not in (None, tool["name"]):
        return moved or any(_written(before))
    more = moved or any(text.strip() for text in _written(tool))
    return more and is_complete(before) and (moved or not _is_repeated(known, entry, before, tool))


def _is_repeated(
    known: Object, entry: Mapping[str, object], before: Mapping[str, object], tool: Mapping[str, object]
) -> bool:
    """Whether a complete call is told again as a whole, under its own id."""
    return (
        bool(entry.get("id"))
        and (known.get("id"), before.get("name")) == (entry.get("id"), tool.get("name"))
        and is_complete(before)
        and "".join(_written(before)) == "".join(_written(tool))
    )


def _written(tool: Mapping[str, object]) -> list[str]:
    """What the model wrote for a call, in pieces."""
    for text in map(tool.get, _TEXTS):
        if isinstance(text, (Pieces, str)):
            return text if isinstance(text, Pieces) else [text]
    return []


def is_complete(tool: Mapping[str, object]) -> bool:
    """Whether what was written for a call, in pieces, is a JSON object, as arguments are."""
    pieces = _written(tool)
    last = next((piece for piece in reversed(pieces) if piece.strip()), "")
    if not last.rstrip().endswith("}"):
        # Most are not complete, and are not read again for each piece.
        return False
    try:
        return isinstance(json.loads("".join(pieces)), dict)
    except ValueError:
        return False
