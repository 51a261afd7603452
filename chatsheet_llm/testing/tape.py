"""The cassette file: YAML that a person can read and review.  Keeps JSON as JSON, streams as lines; scrubs nothing.

version: 1
exchanges:
  - request: {method, url, headers, json | text | base64}
    response: {status, headers, json | events | text | base64}
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from vcr.request import Request  # type: ignore[import-untyped]

from chatsheet_llm.testing.steady import Entry

VERSION = 1
_HEAD = "# Recorded by chatsheet_llm.testing.  To change it, record it again: pytest --record-mode=rewrite\n"


class TapeError(ValueError):
    """The file is no cassette of ours."""


# --- between vcrpy's values and the entries of the file ------------------------------------------------------------


def entry_of(request: Any, response: Mapping[str, Any]) -> Entry:
    """Return one exchange as it stands in the file, from vcrpy's request and response."""
    asked = {"method": request.method, "url": request.uri, "headers": dict(request.headers)}
    status, headers = response["status"], {name: _joined(values) for name, values in response["headers"].items()}
    content = response["body"]["string"] or b""
    kind = headers.get("content-type", "")
    return {
        "request": {**asked, **_body_entry(request.body or b"", request.headers.get("content-type", ""))},
        "response": {"status": status["code"], "headers": headers, **_body_entry(content, kind)},
    }


def values_of(entry: Entry) -> tuple[Request, dict[str, Any]]:
    """Return vcrpy's request and response of one exchange."""
    asked, answered = entry["request"], entry["response"]
    headers: Any = answered["headers"]
    return (
        Request(asked["method"], asked["url"], _body_bytes(asked), asked["headers"]),
        {
            "status": {"code": answered["status"], "message": ""},
            "headers": {name: [value] for name, value in headers.items()},
            "body": {"string": _body_bytes(answered)},
        },
    )


def _joined(values: str | Sequence[str]) -> str:
    return values if isinstance(values, str) else ", ".join(values)


def _body_entry(content: bytes, content_type: str) -> dict[str, object]:
    if not content:
        return {}
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
    if "event-stream" in content_type:
        return {"events": text}
    try:
        parsed = json.loads(text, object_pairs_hook=_unique)
        json.dumps(parsed, ensure_ascii=False).encode()
    except ValueError:  # half a surrogate pair included: YAML has no place for it, its escape in JSON has
        return {"text": text}
    return {"json": parsed}


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name comes twice in an object; such a body is kept as text")
    return made


def _body_bytes(part: Mapping[str, object]) -> bytes:
    if "base64" in part:
        return base64.b64decode(str(part["base64"]))
    if "json" in part:
        return json.dumps(part["json"], separators=(",", ":")).encode()
    return str(part.get("events", part.get("text", ""))).encode()


# --- text ------------------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Keeps the order, repeats instead of referring, and writes text of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text_node)


def dumped(entries: Sequence[Entry]) -> str:
    """Return the text of a cassette.  Raises TapeError where it would not be read back the same."""
    whole = {"version": VERSION, "exchanges": list(entries)}
    text = _HEAD + yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    if loaded(text) != list(entries):
        raise TapeError("an exchange cannot be written so that it is read back the same; keep it out of the cassette")
    return text


def loaded(text: str) -> list[Entry]:
    """Return the exchanges in the text of a cassette.  Raises TapeError."""
    try:
        whole = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
    except yaml.YAMLError as error:
        raise TapeError(f"it is no YAML: {error}") from None
    if not isinstance(whole, dict) or whole.get("version") != VERSION or not isinstance(whole.get("exchanges"), list):
        raise TapeError(f"it is no cassette of version {VERSION}")
    found: list[Entry] = whole["exchanges"]
    for number, entry in enumerate(found, start=1):
        for part, names in (("request", ("method", "url", "headers")), ("response", ("status", "headers"))):
            said = entry.get(part) if isinstance(entry, dict) else None
            if not isinstance(said, dict) or any(name not in said for name in names):
                raise TapeError(f"the {part} of exchange {number} has no {', '.join(names)}")
    return found


def write(path: Path, text: str) -> None:
    """Replace the file at once, so that a run that is stopped leaves the old cassette or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(text.encode())
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
