"""Content blocks of Messages -> content parts of Responses, one by one.  Fetches nothing and judges no media type."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from chatsheet_llm.formats.errors import mapping, named, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.messages_responses_tables import FIELDS, REASONS, SUFFIXES

CACHE_MARK: Mapping[str, object] = {"mode": "explicit"}


def lose_rest(ledger: Ledger, given: Mapping[str, object], kind: str, path: str) -> None:
    """List every field of an object that says something and that its row in the table does not know as carried."""
    fields = FIELDS[kind]
    for name, value in given.items():
        if name in fields.carried or is_nothing(value) or value == fields.neutral.get(name):
            continue
        reason = REASONS.get(name, f"Responses has no place for {name!r} here")
        ledger.lose(f"{path}.{name}" if path else name, reason, minor=name in fields.free)


def input_part(block: Mapping[str, object], path: str, ledger: Ledger) -> Object | None:
    """Return the part for a block of a user, a tool or a system prompt; None when the block was lost.

    ``block`` is of one of the types in :data:`PARTS`.
    """
    kind = string(block, "type", path)
    part = PARTS[kind](ledger, block, path)
    if part is None:
        return None
    lose_rest(ledger, block, kind, path)
    return part | _cache_mark(ledger, block, path)


def output_part(block: Mapping[str, object], path: str, ledger: Ledger) -> Object:
    """Return the part for a text block of an assistant."""
    lose_rest(ledger, block, "output_text", path)
    return {"type": "output_text", "text": string(block, "text", path), "annotations": [], "logprobs": []}


def _cache_mark(ledger: Ledger, block: Mapping[str, object], at: str) -> Object:
    if block.get("cache_control") is None:
        return {}
    path = f"{at}.cache_control"
    given = mapping(block["cache_control"], path)
    if given.get("type") != "ephemeral":
        ledger.lose(path, f"Responses has no cache breakpoint {named(given.get('type'))}", minor=True)
        return {}
    lose_rest(ledger, given, "cache_control", path)
    return {"prompt_cache_breakpoint": dict(CACHE_MARK)}


def _text(ledger: Ledger, block: Mapping[str, object], at: str) -> Object:
    del ledger
    return {"type": "input_text", "text": string(block, "text", at)}


def _image(ledger: Ledger, block: Mapping[str, object], at: str) -> Object | None:
    source = mapping(block.get("source"), f"{at}.source")
    kind = source.get("type")
    part: Object = {"type": "input_image", "detail": "auto"}
    if kind == "base64":
        part["image_url"] = _data_url(source, f"{at}.source")
    elif kind == "url":
        part["image_url"] = string(source, "url", f"{at}.source")
    elif kind == "file":
        part["file_id"] = string(source, "file_id", f"{at}.source")
    else:
        ledger.lose(at, f"{named(kind)} is not a source of an image, its meaning is unknown")
        return None
    lose_rest(ledger, source, str(kind), f"{at}.source")
    return part


def _document(ledger: Ledger, block: Mapping[str, object], at: str) -> Object | None:
    source = mapping(block.get("source"), f"{at}.source")
    kind = source.get("type")
    convert = _DOCUMENTS.get(kind) if isinstance(kind, str) else None
    if kind == "content":
        ledger.lose(at, "Responses takes a document as a file, not as blocks")
        return None
    if convert is None:
        ledger.lose(at, f"{named(kind)} is not a source of a document, its meaning is unknown")
        return None
    part: Object = {"type": "input_file"} | convert(source, f"{at}.source")
    lose_rest(ledger, source, "plain" if kind == "text" else str(kind), f"{at}.source")
    if "file_data" in part:
        part["filename"] = _filename(ledger, block, at, str(source.get("media_type", "text/plain")))
    elif not is_nothing(block.get("title")):
        # The API refuses a filename beside a file_url or file_id as "mutually exclusive".
        ledger.lose(f"{at}.title", "Responses takes the name of a file only with the file itself", minor=True)
    return part


def _filename(ledger: Ledger, block: Mapping[str, object], at: str, media_type: str) -> str:
    """The name that Responses requires of a file in the request itself, and by whose end it knows what it is."""
    suffixes = SUFFIXES.get(media_type, ("",))
    if block.get("title") in (None, ""):
        return f"document{suffixes[0]}"
    title = string(block, "title", at)
    if title.lower().endswith(suffixes):
        return title
    ledger.lose(
        f"{at}.title", f"Responses knows a file by the end of its name, so {suffixes[0]!r} is added", minor=True
    )
    return f"{title}{suffixes[0]}"


def _data_url(source: Mapping[str, object], at: str) -> str:
    return f"data:{string(source, 'media_type', at)};base64,{string(source, 'data', at)}"


def _plain(source: Mapping[str, object], at: str) -> Object:
    packed = base64.b64encode(string(source, "data", at).encode()).decode()
    return {"file_data": f"data:text/plain;base64,{packed}"}


_DOCUMENTS: Mapping[str, Callable[[Mapping[str, object], str], Object]] = {
    "base64": lambda source, at: {"file_data": _data_url(source, at)},
    "file": lambda source, at: {"file_id": string(source, "file_id", at)},
    "text": _plain,
    "url": lambda source, at: {"file_url": string(source, "url", at)},
}

PARTS: Mapping[str, Callable[[Ledger, Mapping[str, object], str], Object | None]] = {
    "document": _document,
    "image": _image,
    "text": _text,
}
"""Type of a block that can be a part -> how it becomes one."""
