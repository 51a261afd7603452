"""Content parts of Chat -> content parts of Responses, one by one.  Fetches nothing and checks no address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from chatsheet_llm.formats.errors import mapping, named, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.tables import HINTS

_NESTED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "file": {name: name for name in ("file_data", "file_id", "filename")},
        "image_url": {"detail": "detail", "image_url": "url"},
    }
)
"""Type of a Chat part that holds an object of that name -> field of the part that it becomes, and where it stood."""


def input_part(part: Mapping[str, object], at: str, ledger: Ledger, *, pivot: bool) -> Object:
    """Return the part for one whose type is in :data:`PARTS`.

    ``pivot`` says that it is on its way to Messages, whose marks for the cache may go along.
    """
    kind = string(part, "type", at)
    lose_rest(ledger, part, {"type", kind, *_MARKS}, at)
    return PARTS[kind](ledger, part, at) | _mark(ledger, part, at, pivot=pivot)


def output_part(part: Mapping[str, object], at: str, ledger: Ledger, *, pivot: bool) -> Object:
    """Return the part for a text of an assistant.  Responses takes no mark on one, so it has one in a pivot alone."""
    lose_rest(ledger, part, {"type", "text", *(_MARKS if pivot else ())}, at)
    return output_text(string(part, "text", at)) | (_mark(ledger, part, at, pivot=True) if pivot else {})


def output_text(text: str) -> Object:
    """Return the part that holds a text of the model's."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def origins(part: Mapping[str, object], at: str) -> dict[str, str]:
    """Return where those fields of the made part stood that Chat calls otherwise."""
    kind = str(part.get("type"))
    # OpenAI also takes the bare address of an image.
    nested = _NESTED.get(kind, {}) if isinstance(part.get(kind), Mapping) else {}
    found = {name: f"{at}.{kind}.{inner}" for name, inner in nested.items()}
    return found | ({} if part.get("cache_control") is None else {"prompt_cache_breakpoint": f"{at}.cache_control"})


def lose_rest(ledger: Ledger, given: Mapping[str, object], carried: Collection[str], path: str) -> None:
    """List every field that says something and was not carried; one that only hints at costs is a minor loss."""
    for name, reason in HINTS.items():
        if name not in carried and not is_nothing(given.get(name)):
            ledger.lose(f"{path}.{name}", reason, minor=True)
    ledger.rest(given, {*carried, *HINTS}, path)


def _mark(ledger: Ledger, part: Mapping[str, object], at: str, *, pivot: bool) -> Object:
    """The mark of the end of what is to be cached: OpenAI's own, or that of Messages for Messages."""
    own, given, path = part.get("prompt_cache_breakpoint"), part.get("cache_control"), f"{at}.cache_control"
    if own is None and given is not None and pivot:
        mark = mapping(given, path)
        if mark.get("type") == "ephemeral":
            for name, value in mark.items():
                if name != "type" and not is_nothing(value) and (name, value) != ("ttl", "5m"):
                    ledger.lose(f"{path}.{name}", "a cache breakpoint travels as one of the usual kind", minor=True)
            return {"prompt_cache_breakpoint": {"mode": "explicit"}}
        ledger.lose(path, f"there is no cache breakpoint {named(mark.get('type'))}", minor=True)
    elif not is_nothing(given):
        ledger.lose(path, HINTS["cache_control"] if own is None else "it has a prompt_cache_breakpoint too", minor=True)
    return {} if own is None else {"prompt_cache_breakpoint": own}


def _text(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    del ledger
    return {"type": "input_text", "text": string(part, "text", at)}


def _image(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    given = part.get("image_url")
    # OpenAI also takes the bare address, as recorded, though no type says so.
    image = {"url": given} if isinstance(given, str) else mapping(given, f"{at}.image_url")
    lose_rest(ledger, image, {"url", "detail"}, f"{at}.image_url")
    detail = image.get("detail") if image.get("detail") is not None else "auto"
    return {"type": "input_image", "image_url": string(image, "url", f"{at}.image_url"), "detail": detail}


def _file(ledger: Ledger, part: Mapping[str, object], at: str) -> Object:
    file, names = mapping(part.get("file"), f"{at}.file"), ("file_id", "file_data", "filename")
    lose_rest(ledger, file, names, f"{at}.file")
    return {"type": "input_file"} | {name: file[name] for name in names if file.get(name) is not None}


_MARKS = ("prompt_cache_breakpoint", "cache_control")

PARTS: Mapping[str, Callable[[Ledger, Mapping[str, object], str], Object]] = MappingProxyType(
    {"file": _file, "image_url": _image, "text": _text}
)
"""Type of a Chat part that is an input of Responses as well -> what makes it that."""
