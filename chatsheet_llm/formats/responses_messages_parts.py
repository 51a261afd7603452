"""Content parts of Responses -> content blocks of Messages, one by one.  Fetches nothing and judges no media type."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.responses_messages_tables import CITATIONS, FIELDS, MEDIA_TYPES, REASONS, SUFFIXES

_PDF = "JVBERi"
"""How every PDF begins, in base64."""


def content_of(content: object, path: str, ledger: Ledger, *, only_text: bool) -> str | list[Object]:
    """Return the content of a message or a tool's output as Messages takes it: a string stays one.

    The list is empty when no part says anything in Messages.  ``only_text`` holds for all but users and tools.
    """
    if isinstance(content, str):
        return content
    blocks: list[Object] = []
    for at, part in objects(content, path):
        kind = string(part, "type", at)
        convert = _PARTS.get(kind)
        if convert is None:
            known = "Messages takes no audio input" if kind == "input_audio" else None
            ledger.lose(at, known or f"{named(kind)} is not a part of Responses, its meaning is unknown")
        elif only_text and kind not in _TEXTS:
            ledger.lose(at, f"Messages takes {named(kind)} only from users and tools")
        elif (block := convert(ledger, part, at)) is not None:
            lose_rest(ledger, part, kind, at)
            marked = block | _cache_control(ledger, part, at)
            # Messages refuses empty texts, which say nothing, but may have been marked.
            if block["type"] != "text" or block["text"]:
                blocks.append(marked)
            elif marked != block:
                ledger.lose(f"{at}.prompt_cache_breakpoint", "Messages marks no empty text", minor=True)
    return blocks


def lose_rest(ledger: Ledger, given: Mapping[str, object], kind: str, path: str) -> None:
    """List every field of an object that says something and that its row in the table does not know as carried."""
    fields = FIELDS[kind]
    for name, value in given.items():
        if name in fields.carried or is_nothing(value) or value == fields.neutral.get(name):
            continue
        reason = REASONS.get(name, f"Messages has no place for {name!r} here")
        ledger.lose(f"{path}.{name}", reason, minor=fields.left or name in fields.state)


def _cache_control(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    if part.get("prompt_cache_breakpoint") is None:
        return {}
    path = f"{at}.prompt_cache_breakpoint"
    lose_rest(ledger, mapping(part["prompt_cache_breakpoint"], path), "prompt_cache_breakpoint", path)
    return {"cache_control": {"type": "ephemeral"}}


def _text(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    block: Object = {"type": "text", "text": string(part, "text", at)}
    citations: list[Object] = []
    for where, annotation in objects(part.get("annotations") or [], f"{at}.annotations"):
        citation = _citation(annotation)
        if citation is None:
            ledger.lose(where, "Messages has no such citation of an earlier reply", minor=True)
        else:
            citations.append(citation)
    return block | ({"citations": citations} if citations else {})


def _citation(annotation: Mapping[str, object]) -> Object | None:
    """The citation of a Messages reply that an annotation holds whole, if it does."""
    kind = annotation.get("type")
    if isinstance(kind, str) and kind in CITATIONS:
        return dict(annotation)
    if kind == "url_citation" and "encrypted_index" in annotation:
        carried = {name: value for name, value in annotation.items() if name not in _POSITIONS}
        return carried | {"type": "web_search_result_location", "title": annotation.get("title") or None}
    return None


def _refusal(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    ledger.lose(at, "Messages has no refusals in a conversation, so it returns as plain text", minor=True)
    return {"type": "text", "text": string(part, "refusal", at)}


def _image(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    name = _source(ledger, part, at, ("image_url", "file_id"))
    given = string(part, name, at)
    if name == "file_id":
        return {"type": "image", "source": {"type": "file", "file_id": given}}
    inline = _inline(given, f"{at}.image_url")
    if inline is None:
        return {"type": "image", "source": {"type": "url", "url": given}}
    return {"type": "image", "source": {"type": "base64", "media_type": inline[0], "data": inline[1]}}


def _file(ledger: Ledger, part: Mapping[str, object], at: str) -> Object | None:
    name = _source(ledger, part, at, ("file_data", "file_id", "file_url"))
    given = string(part, name, at)
    source: Object | None = {"type": "url", "url": given} if name == "file_url" else {"type": "file", name: given}
    if name == "file_data":
        source = _document(ledger, part, given, at)
    if source is None:
        return None
    title = part.get("filename")
    return {"type": "document", "source": source} | ({} if title is None else {"title": title})


def _document(ledger: Ledger, part: Mapping[str, object], given: str, at: str) -> Object | None:
    """The source of a document in the request itself: a PDF, or words."""
    media_type, packed = _inline(given, f"{at}.file_data") or (_media_type(given, part.get("filename")), given)
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": packed}
    words = _words(packed) if media_type.startswith("text/") else None
    if words is None:
        what = named(media_type) if media_type else "a file of a kind that neither its name nor its beginning tells"
        ledger.lose(at, f"Messages takes PDF files and plain text, not {what}")
        return None
    if media_type != "text/plain":
        ledger.lose(f"{at}.file_data", f"Messages calls every text plain, not {named(media_type)}", minor=True)
    return {"type": "text", "media_type": "text/plain", "data": words}


def _source(ledger: Ledger, part: Mapping[str, object], at: str, names: tuple[str, ...]) -> str:
    """The name of the field that says where a file is, of which Messages has one."""
    given = [name for name in names if part.get(name) is not None]
    if not given:
        raise FormatError(at, f"needs one of {', '.join(names)}")
    for name in given[1:]:
        ledger.lose(f"{at}.{name}", f"{given[0]} is set as well, and Messages takes one source")
    return given[0]


def _inline(url: str, path: str) -> tuple[str, str] | None:
    """The media type and the base64 text of a ``data:`` URL; None for any other address."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise FormatError(path, "is a data: URL without a comma")
    media_type, *options = (word.strip().lower() for word in head.split(";"))
    if "base64" not in options:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    media_type = media_type or "text/plain"
    return MEDIA_TYPES.get(media_type, media_type), data


def _media_type(data: str, filename: object) -> str:
    """What bare base64 holds, by its beginning or its file's name; empty when neither tells."""
    if data.startswith(_PDF):
        return "application/pdf"
    _, dot, suffix = filename.rpartition(".") if isinstance(filename, str) else ("", "", "")
    return SUFFIXES.get(dot + suffix.lower(), "")


def _words(packed: str) -> str | None:
    try:
        return base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


_POSITIONS = frozenset({"start_index", "end_index"})
"""Where a citation stands in its text; in Messages it stands for all of it."""
_TEXTS = frozenset({"input_text", "output_text", "refusal"})
_PARTS: Mapping[str, Callable[[Ledger, Mapping[str, object], str], Object | None]] = {
    "input_file": _file,
    "input_image": _image,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
}
