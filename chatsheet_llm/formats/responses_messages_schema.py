"""JSON Schema as Messages can enforce it: what it cannot is told to the model in words, and listed.  Validates nothing.

Messages refuses a schema with any other keyword, and an open object; its maker's SDK rewrites schemas much like this
one before it sends them (``anthropic.transform_schema``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from chatsheet_llm.formats.ledger import Ledger, Object

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"},
)
_WORDS = frozenset({"description", "title"})
_ANYWHERE = frozenset({"$defs", "definitions"}) | _WORDS
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_INFERRED: Mapping[str, str] = MappingProxyType({"properties": "object", "items": "array"})
"""Keyword -> the type that is meant where none is given."""

_UNTYPED = "Messages enforces a schema only where each value has a type"
_MOVED = "Messages cannot enforce it, so it stands in the description"
_NAMELESS = "Messages closes every object, and this one has no properties with a name"
_CLOSED = "Messages closes every object, so it has the properties with a name alone"


def enforceable(given: Mapping[str, object], path: str, ledger: Ledger) -> Object:
    """Return the schema with each object closed and each keyword that Messages lacks moved into a description.

    A moved keyword is a minor loss at its path, and so is an object that was open beside its properties.  A value
    without a type, and an object that has no properties but those that nobody named, are losses that are not.
    """
    kept = _kept(given)
    if not kept:
        inferred = next((kind for name, kind in _INFERRED.items() if name in given), None)
        if inferred is None or "type" in given:
            ledger.lose(path, _UNTYPED)
            return dict(given)
        given = {"type": inferred, **given}
        kept = _kept(given)
    made: Object = {}
    moved: Object = {}
    for name, value in given.items():
        if name in kept or name in _ANYWHERE:
            made[name] = _converted(name, value, f"{path}.{name}", ledger)
        else:
            moved[name] = value
            ledger.lose(f"{path}.{name}", _MOVED, minor=True)
    if "additionalProperties" in kept:
        _list_open(given, path, ledger)
        made["additionalProperties"] = False
    return _described(_renamed(made, alone=not moved), moved)


def _kept(given: Mapping[str, object]) -> frozenset[str]:
    """The keywords that say what a value is and that Messages enforces together; none where it is not said."""
    if isinstance(given.get("$ref"), str):
        return frozenset({"$ref"})
    for name in _ALTERNATIVES:
        members = given.get(name)
        if isinstance(members, (list, tuple)) and members and all(map(_says_what, members)):
            return frozenset({name})
    kind, values = given.get("type"), given.get("enum")
    types = [kind] if isinstance(kind, str) else kind if isinstance(kind, (list, tuple)) else []
    kept = {"type"} if types and all(isinstance(name, str) and name in _TYPES for name in types) else set()
    if isinstance(values, (list, tuple)) and values and all(map(_is_plain, values)):
        kept.add("enum")
    if "const" in given and _is_plain(given["const"]):
        kept.add("const")
    if "type" in kept and "object" in types:
        kept |= {"properties", "required", "additionalProperties"}
    if "type" in kept and "array" in types:
        kept |= {"items"} | ({"minItems"} if given.get("minItems") in (0, 1) else set())
    if "type" in kept and "string" in types and isinstance(given.get("format"), str) and given["format"] in _FORMATS:
        kept.add("format")
    return frozenset(kept)


def _says_what(given: object) -> bool:
    return isinstance(given, Mapping) and bool(_kept(given))


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _converted(name: str, value: object, path: str, ledger: Ledger) -> object:
    """The value of one keyword with the schemas in it converted."""
    if name in ("$defs", "definitions", "properties") and isinstance(value, Mapping):
        return {key: _schema(schema, f"{path}.{key}", ledger) for key, schema in value.items()}
    if name in _ALTERNATIVES and isinstance(value, (list, tuple)):
        return [_schema(schema, f"{path}[{index}]", ledger) for index, schema in enumerate(value)]
    return _schema(value, path, ledger) if name == "items" else value


def _schema(given: object, path: str, ledger: Ledger) -> object:
    if isinstance(given, Mapping):
        return enforceable(given, path, ledger)
    # JSON Schema has true and false as well.
    ledger.lose(path, _UNTYPED)
    return given


def _list_open(given: Mapping[str, object], path: str, ledger: Ledger) -> None:
    """List what closing an object takes."""
    more = given.get("additionalProperties")
    at = path if more is None else f"{path}.additionalProperties"
    if more is False:
        return
    if "properties" not in given:
        ledger.lose(at, _NAMELESS)
    elif more is not None:
        ledger.lose(at, _CLOSED, minor=more in (True, {}))


def _renamed(made: Object, *, alone: bool) -> Object:
    """The same in words of Messages: without ``oneOf``, and no reference in ``allOf`` or beside words."""
    members = made.get("allOf")
    single = isinstance(members, list) and len(members) == 1
    for name, changes in (("oneOf", True), ("allOf", single), ("$ref", not alone or not _WORDS.isdisjoint(made))):
        if name in made and changes:
            within = [{"$ref": made[name]}] if name == "$ref" else made[name]
            made = {"anyOf" if key == name else key: within if key == name else value for key, value in made.items()}
    return made


def _described(made: Object, moved: Mapping[str, object]) -> Object:
    """The schema with the moved keywords behind its description."""
    if not moved:
        return made
    words = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in moved.items())
    before = f"{made['description']}\n\n" if made.get("description") else ""
    return {**made, "description": f"{before}{{{words}}}"}
