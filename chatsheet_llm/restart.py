"""The notice in a stream that an answer begins anew: how it is written, and how it is read.  Restarts nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from chatsheet_llm.formats.sse import Event, encode
from chatsheet_llm.route import Mode

_FIELD = "chatsheet_restart"
"""The field of a chunk of chat that holds the notice."""
_TYPE = "chatsheet.restart"
"""The type of the event that is the notice, where events have types."""


@dataclass(frozen=True, slots=True)
class Restart:
    """An answer begins anew: ``hop`` answers from the beginning, because the stream of ``broke`` broke.

    ``discarded`` is the text that had been delivered and does not count any more, ``reason`` says what happened.
    """

    broke: str
    hop: str
    discarded: str
    reason: str


def restart_of(chunk: object) -> Restart | None:
    """Return the notice that a chunk or event is, None for every other one.

    Takes chunks of Chat Completions and events of Responses, as the SDK's objects or as mappings.  Everything that came
    before the notice belongs to an answer that was given up.
    """
    told = _field(chunk, _FIELD)
    if told is None and _field(chunk, "type") == _TYPE:
        told = chunk
    if told is None:
        return None
    fields = {name: _field(told, name) for name in Restart.__slots__}
    return Restart(**{name: value if isinstance(value, str) else "" for name, value in fields.items()})


def notice(caller: Mode, restart: Restart) -> bytes:
    """Return the bytes that tell a caller of a restart, in the words of his format."""
    if caller == "chat":
        chunk = {"id": "", "object": "chat.completion.chunk", "created": int(time.time()), "model": "", "choices": []}
        return encode(Event(None, _json({**chunk, _FIELD: asdict(restart)})))
    return encode(Event(_TYPE, _json({"type": _TYPE, **asdict(restart)})))


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _field(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
