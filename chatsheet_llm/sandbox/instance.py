"""Makes a small value that satisfies a JSON schema.  Validates nothing and follows no reference outside the schema."""

from __future__ import annotations

import math
import re

from chatsheet_llm.sandbox.shapes import Json, obj, whole

_DEPTH = 5
"""From here on only what is required is made, so that recursive schemas end."""
_LIMIT = 30
"""A schema that demands endless nesting is given up on here."""
_MOST = 1000
"""Items, properties or characters that are made at most, whatever the schema demands."""

_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "6f1c2a52-3c1b-4f7e-9a34-5d0f5f8f4a10",
}
_SPECIMENS = ("a", "A", "ab", "abc", "ABC", "1", "12", "123", "1234", "12345", "A1", "AB12", "a-b", "a_b", "2026-01-31")
"""Tried in order against a ``pattern``; a pattern that none of them matches gets the plain text."""


def instance(schema: Json, words: str = "sample text") -> object:
    """Return a value of the schema.  Strings are taken from ``words``.

    Knows ``type``, ``properties``, ``required``, ``enum``, ``const``, ``items``, ``prefixItems``, ``anyOf``,
    ``oneOf``, ``allOf``, local ``$ref``, lengths, ranges, ``multipleOf`` and the common formats.  Optional properties
    are made only where the schema names none as required.  Other keywords are not looked at, so the value may miss
    them.
    """
    return _make(schema, words.strip() or "sample text", schema, 0)


def _make(schema: Json, words: str, root: Json, depth: int) -> object:
    schema = _resolve(schema, root)
    if depth > _LIMIT:
        return None
    if "const" in schema:
        return schema["const"]
    values = schema.get("enum")
    if isinstance(values, list) and values:
        return values[0]
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            rest = {name: value for name, value in schema.items() if name != key}
            return _make(_merge(rest, _pick([obj(item) for item in choices], root, depth)), words, root, depth + 1)
    kind = _kind(schema, depth)
    if kind == "object":
        return _object(schema, words, root, depth)
    if kind == "array":
        return _array(schema, words, root, depth)
    if kind in ("integer", "number"):
        return _number(schema, whole_only=kind == "integer")
    if kind == "boolean":
        return True
    return None if kind == "null" else _string(schema, words)


def _resolve(schema: Json, root: Json) -> Json:
    """Follow a local ``$ref`` and fold ``allOf`` into the schema itself."""
    for _ in range(_LIMIT):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            break
        target: object = root
        for step in reference.lstrip("#").split("/")[1:]:
            target = obj(target).get(step.replace("~1", "/").replace("~0", "~"))
        schema = _merge(obj(target), {name: value for name, value in schema.items() if name != "$ref"})
    parts = schema.get("allOf")
    if isinstance(parts, list):
        schema = {name: value for name, value in schema.items() if name != "allOf"}
        for part in parts:
            schema = _merge(schema, _resolve(obj(part), root))
    return schema


def _merge(first: Json, second: Json) -> Json:
    required = [*_names(first), *(name for name in _names(second) if name not in _names(first))]
    merged: Json = {**first, **second, "properties": {**obj(first.get("properties")), **obj(second.get("properties"))}}
    if required:
        merged["required"] = required
    if not merged["properties"]:
        del merged["properties"]
    return merged


def _names(schema: Json) -> list[str]:
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _pick(choices: list[Json], root: Json, depth: int) -> Json:
    """Take the first choice with something in it; deep down the first one that needs no further nesting."""
    kinds = [_kind(_resolve(choice, root), depth) for choice in choices]
    unwanted = ("null",) if depth < _DEPTH else ("object", "array")
    return next((choice for choice, kind in zip(choices, kinds, strict=True) if kind not in unwanted), choices[0])


def _kind(schema: Json, depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kinds = [item for item in kind if isinstance(item, str)]
        if depth >= _DEPTH and "null" in kinds:
            return "null"
        kind = next((item for item in kinds if item != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _object(schema: Json, words: str, root: Json, depth: int) -> Json:
    properties = obj(schema.get("properties"))
    names = _names(schema)
    if "required" not in schema and depth < _DEPTH:
        names = list(properties)
    extra = schema.get("additionalProperties")
    made = {name: _make(obj(properties.get(name, extra)), words, root, depth + 1) for name in names}
    for number in range(len(made), min(whole(schema.get("minProperties")) or 0, _MOST)):
        made[f"key_{number + 1}"] = _make(obj(extra), words, root, depth + 1)
    return made


def _array(schema: Json, words: str, root: Json, depth: int) -> list[object]:
    first = schema.get("prefixItems")
    made = [_make(obj(item), words, root, depth + 1) for item in first] if isinstance(first, list) else []
    least = whole(schema.get("minItems"))
    most = whole(schema.get("maxItems"))
    wanted = least if least is not None else int(not made and "items" in schema and depth < _DEPTH)
    wanted = min(wanted, _MOST) if most is None else min(wanted, most, _MOST)
    items = _resolve(obj(schema.get("items")), root)
    for number in range(len(made), wanted):
        made.append(_nth(items, number, words, root, depth + 1))
    return made


def _nth(items: Json, number: int, words: str, root: Json, depth: int) -> object:
    """The item at a place of an array; no two are alike where that is cheap, for ``uniqueItems``."""
    values = items.get("enum")
    if isinstance(values, list) and number < len(values):
        return values[number]
    item = _make(items, words if number == 0 else f"{number + 1} {words}", root, depth)
    step = whole(items.get("multipleOf")) or 1
    return item + number * step if isinstance(item, (int, float)) and not isinstance(item, bool) else item


def _number(schema: Json, *, whole_only: bool) -> int | float:
    def bound(name: str) -> float | None:
        value = schema.get(name)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    step = bound("multipleOf") or (1.0 if whole_only else 0.5)
    low, above, high, below = (bound(n) for n in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"))
    start = max((value for value in (low, above) if value is not None), default=None)
    if start is None:
        top = min((value for value in (high, below) if value is not None), default=1.0)
        value = min(1.0, top) if step in (1.0, 0.5) else step
        value = math.floor(value / step) * step
        value -= step if below is not None and value >= below else 0
    else:
        value = math.ceil(start / step) * step
        value += step if above is not None and value <= above else 0
        if (high is not None and value > high) or (below is not None and value >= below):
            value = (start + min(edge for edge in (high, below) if edge is not None)) / 2
    return round(value) if whole_only else value


def _string(schema: Json, words: str) -> str:
    shape = schema.get("format")
    if isinstance(shape, str) and shape in _FORMATS:
        return _FORMATS[shape]
    least = min(whole(schema.get("minLength")) or 0, _MOST)
    most = whole(schema.get("maxLength"))
    made = words if len(words) >= least else words + "." * (least - len(words))
    made = made if most is None else made[:most]
    pattern = schema.get("pattern")
    if not isinstance(pattern, str):
        return made
    try:
        return next((specimen for specimen in (made, *_SPECIMENS) if re.search(pattern, specimen)), made)
    except re.error:
        return made  # an ECMA pattern that Python cannot read
