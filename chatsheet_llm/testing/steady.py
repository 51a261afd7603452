"""Make the same recording come out the same: ids, dates and padding of a run become fixed.  Pure; scrubs no secret.

Works on the entries of a cassette file, all at once: an id that a reply gave and a later request names is one id.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

Entry = Mapping[str, Mapping[str, object]]
"""``{"request": {...}, "response": {...}}``, as in the file."""

MOMENT = 1767225600
"""2026-01-01T00:00:00Z, in every field that holds a time of the run."""

_ID_KEYS = frozenset({"id", "item_id", "call_id", "response_id", "request_id", "container_id"})
_ID = re.compile(
    r"(?P<prefix>(?:batch|call|chatcmpl|ci|cmp|cmpl|cntr|conv|ctc|cu|fc|file|fs|ig|item|mcp|mcpl|mcpr|msg|req|resp|rs"
    r"|run|srvtoolu|step|thread|toolu|vs|ws)[-_]).{6,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_SEALED = re.compile(r"(?P<prefix>sealed-)[0-9a-f]{12}")
_TIMES = re.compile(r"created|.+_at")
_EARLIEST = 1_000_000_000
_PADDING = "obfuscation"
_REQUEST_ID = "x-request-id"


def steadied(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with the run's own ids numbered in order of appearance, and its dates and padding fixed.

    Only what a reply brings in is renamed: an id that the caller made up stays.
    """
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    asked: list[str] = []
    made: list[Entry] = []
    for number, entry in enumerate(entries, start=1):
        request, response = entry["request"], dict(entry["response"])
        asked.append(json.dumps(request))
        headers = response.get("headers")
        if isinstance(headers, Mapping) and _REQUEST_ID in headers:
            names[str(headers[_REQUEST_ID])] = f"request-{number}"
        for found in _ids(response):
            match = _ID.fullmatch(found) or _SEALED.fullmatch(found)
            if match is None or found in names or any(found in text for text in asked):
                continue
            prefix = match["prefix"] or "id-"
            counts[prefix] += 1
            names[found] = f"{prefix}{counts[prefix]}"
        renamed = _renaming(names)
        fixed = {key: _fixed_events(value) if key == "events" else _fixed(value) for key, value in response.items()}
        made.append({"request": _texts(request, renamed), "response": _texts(fixed, renamed)})
    return made


def _renaming(names: Mapping[str, str]) -> Callable[[str], str]:
    if not names:
        return lambda text: text
    pattern = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda match: names[match[0]], text)


def _ids(response: Mapping[str, object]) -> Iterator[str]:
    events = response.get("events")
    if isinstance(events, str):
        for line in events.split("\n"):
            yield from _ids_in(_data(line))
    yield from _ids_in(response.get("json"))


def _ids_in(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _ids_in(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str) and (key in _ID_KEYS or item.startswith("sealed-")):
                yield item
            else:
                yield from _ids_in(item)


def _data(line: str) -> object:
    name, _, rest = line.partition(":")
    if name != "data":
        return None
    try:
        return json.loads(rest)
    except ValueError:
        return None


def _fixed_events(text: object) -> object:
    if not isinstance(text, str):
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        data = _data(line)
        fixed = _fixed(data)
        end = "\r" if line.endswith("\r") else ""
        compact = json.dumps(fixed, separators=(",", ":"), ensure_ascii=False)
        lines.append(line if fixed == data else f"data: {compact}{end}")
    return "\n".join(lines)


def _fixed(value: object) -> object:
    if isinstance(value, list):
        return [_fixed(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _fixed_field(str(key), item) for key, item in value.items()}
    return value


def _fixed_field(key: str, value: object) -> object:
    if key == _PADDING and isinstance(value, str):
        return ""
    if _TIMES.fullmatch(key) and isinstance(value, (int, float)) and value > _EARLIEST:
        return type(value)(MOMENT)
    return _fixed(value)


def _texts(value: Mapping[str, object], change: Callable[[str], str]) -> Mapping[str, object]:
    return {key: _text(item, change) for key, item in value.items()}


def _text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_text(item, change) for item in value]
    if isinstance(value, Mapping):
        return _texts(value, change)
    return value
