"""Responses tools, choices and formats -> Chat's nested ones, their strictness spelt out.  Drops none unlisted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chatsheet_llm.formats.errors import mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object

_LOOSENED = "absent means strict wherever the schema allows it; this one does not as it stands, so it is not strict"
_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "allowed_callers": (["direct"],),
    "async": (False,),
    "defer_loading": (False,),
}
_STRICT_KEYWORDS = frozenset(
    {
        *("$defs", "$ref", "additionalProperties", "anyOf", "const", "definitions", "description", "enum"),
        *("exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum"),
        *("multipleOf", "pattern", "properties", "required", "strict", "title", "type"),
    }
)


def tools_to_chat(value: object, ledger: Ledger) -> list[Object]:
    """Return the tools that Chat has, each nested under its type.  Raises FormatError."""
    tools: list[Object] = []
    for path, tool in objects(value, "tools"):
        kind = tool.get("type")
        convert = _TOOLS.get(kind) if isinstance(kind, str) else None
        if convert is None:
            ledger.lose(path, f"Chat has no tool {named(kind)}")
            continue
        tools.append({"type": kind, str(kind): convert(ledger, tool, path)})
        for name, neutral in _NEUTRAL.items():
            if tool.get(name) is not None and tool[name] not in neutral:
                ledger.lose(f"{path}.{name}", f"Chat has no {name!r} on a tool")
    return tools


def tool_choice_to_chat(value: object, ledger: Ledger) -> object:
    """Return the choice as Chat has it, None where it has none.  Raises FormatError."""
    if not isinstance(value, Mapping):
        return value
    if value.get("type") != "allowed_tools":
        return _tool_name(ledger, value, "tool_choice")
    path = "tool_choice.tools"
    names = [_tool_name(ledger, tool, at) for at, tool in objects(value.get("tools"), path)]
    ledger.rest(value, {"type", "mode", "tools"}, "tool_choice")
    allowed = {"mode": string(value, "mode", "tool_choice"), "tools": [name for name in names if name is not None]}
    return {"type": "allowed_tools", "allowed_tools": allowed}


def format_to_chat(value: object, ledger: Ledger) -> Object | None:
    """Return ``text.format`` as a ``response_format``, None where Chat has none.  Raises FormatError."""
    given, path = mapping(value, "text.format"), "text.format"
    kind = given.get("type")
    if kind in ("text", "json_object"):
        ledger.rest(given, {"type"}, path)
        return {"type": kind}
    if kind != "json_schema":
        ledger.lose(path, f"Chat has no format {named(kind)}")
        return None
    carried = ("name", "description", "schema", "strict")
    nested: Object = {name: given[name] for name in carried if given.get(name) is not None}
    _settle_strict(ledger, nested, "schema", path)
    ledger.rest(given, {"type", *carried}, path)
    return {"type": kind, "json_schema": nested}


def _function(ledger: Ledger, tool: Mapping[str, object], path: str) -> Object:
    carried = ("description", "parameters", "strict")
    nested: Object = {"name": string(tool, "name", path)}
    nested |= {name: tool[name] for name in carried if tool.get(name) is not None}
    _settle_strict(ledger, nested, "parameters", path)
    ledger.rest(tool, {"type", "name", *carried, *_NEUTRAL}, path)
    return nested


def _custom(ledger: Ledger, tool: Mapping[str, object], path: str) -> Object:
    nested: Object = {"name": string(tool, "name", path)}
    if tool.get("description") is not None:
        nested["description"] = tool["description"]
    if tool.get("format") is not None:
        given = mapping(tool["format"], f"{path}.format")
        if given.get("type") == "grammar":
            grammar = {name: value for name, value in given.items() if name != "type"}
            nested["format"] = {"type": "grammar", "grammar": grammar}
        else:
            nested["format"] = dict(given)
    ledger.rest(tool, {"type", "name", "description", "format", *_NEUTRAL}, path)
    return nested


def _settle_strict(ledger: Ledger, nested: Object, schema: str, path: str) -> None:
    """Say what an absent ``strict`` means to Responses; to Chat it means no.

    Responses makes the schema strict if it can (it closes objects), and takes it as it is if it cannot.  A schema with
    optional properties stays as it is as well: Responses would require them, against what the caller wrote.
    """
    if nested.get("strict") is not None:
        return
    closed = _closed(nested.get(schema)) if nested.get(schema) is not None else None
    nested["strict"] = closed is not None
    if closed is not None:
        nested[schema] = closed
    elif nested.get(schema) is not None:
        ledger.lose(f"{path}.strict", _LOOSENED, minor=True)


def _closed(schema: object) -> object | None:
    """The schema with every object closed, as strict mode wants it; None if it takes more than that."""
    if not isinstance(schema, Mapping) or not _STRICT_KEYWORDS.issuperset(schema):
        return None
    closed: Object = dict(schema)
    kinds = schema.get("type")
    if "properties" in schema or kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            return None
        if not properties.keys() <= {name for name in required if isinstance(name, str)}:
            return None
        if schema.get("additionalProperties", False) is not False:
            return None
        closed["additionalProperties"] = False
    for name in ("properties", "$defs", "definitions"):
        if isinstance(given := schema.get(name), Mapping):
            parts = {key: _closed(part) for key, part in given.items()}
            if None in parts.values():
                return None
            closed[name] = parts
    if isinstance(choices := schema.get("anyOf"), list):
        options = [_closed(choice) for choice in choices]
        if None in options:
            return None
        closed["anyOf"] = options
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
        if closed["items"] is None:
            return None
    return closed


def _tool_name(ledger: Ledger, choice: Mapping[str, object], path: str) -> Object | None:
    """One named tool, nested under its type; None and a loss for a tool that Chat has not."""
    kind = choice.get("type")
    if not isinstance(kind, str) or kind not in _TOOLS:
        ledger.lose(path, f"Chat has no tool {named(kind)}")
        return None
    ledger.rest(choice, {"type", "name"}, path)
    return {"type": kind, kind: {"name": string(choice, "name", path)}}


_TOOLS: Mapping[str, Callable[[Ledger, Mapping[str, object], str], Object]] = {
    "function": _function,
    "custom": _custom,
}
