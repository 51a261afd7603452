"""Read the types of the SDKs, and make up bodies from them: every field, every member of a union, every literal."""

from __future__ import annotations

import base64
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import NotRequired, Required, get_type_hints, is_typeddict

Json = dict[str, Any]

_PLAIN = {str: "text", int: "number", float: "number", object: "text", bool: "flag", Any: "text"}


# --- what the types say ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """One field of a TypedDict or model, by its name on the wire."""

    name: str
    kind: Any
    required: bool


def is_object(kind: Any) -> bool:
    """Whether a type is one of the SDK's own objects."""
    return is_typeddict(kind) or (inspect.isclass(kind) and issubclass(kind, BaseModel))


@cache
def fields_of(kind: Any) -> tuple[Field, ...]:
    """The fields of a TypedDict or model."""
    if not is_typeddict(kind):
        return tuple(
            Field(field.alias or name, field.annotation, field.is_required())
            for name, field in kind.model_fields.items()
        )
    found = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        # Annotations that are strings hide `Required` from `__required_keys__`.
        required = name in kind.__required_keys__ or get_origin(hint) is Required
        while get_origin(hint) in (Required, NotRequired):
            (hint,) = get_args(hint)
        aliases = [getattr(extra, "alias", None) or name for extra in getattr(hint, "__metadata__", ())]
        # An alias with a hyphen is a header.
        found.append(
            Field(next((alias for alias in aliases if alias != name and "-" not in alias), name), hint, required)
        )
    return tuple(found)


def fields(*kinds: Any) -> set[str]:
    """The names of the fields of TypedDicts and models."""
    return {field.name for kind in kinds for member in members(kind) for field in fields_of(member)}


def hint(kind: Any, name: str) -> Any:
    """The type of one field."""
    return next(field.kind for field in fields_of(kind) if field.name == name)


def options(kind: Any) -> Iterator[Any]:
    """The types that a type stands for, without None, however unions and aliases are nested."""
    kind = getattr(kind, "__value__", kind)
    if get_origin(kind) in (Annotated, Required, NotRequired):
        yield from options(get_args(kind)[0])
    elif get_origin(kind) in (Union, types.UnionType):
        for member in get_args(kind):
            yield from options(member)
    elif kind is not type(None):
        yield kind


def members(kind: Any) -> list[Any]:
    """The SDK's own objects in a union, lists looked into."""
    found = [
        inner
        for option in options(kind)
        for inner in ([option] if is_object(option) else members(get_args(option)[0]) if _is_list(option) else [])
    ]
    return list(dict.fromkeys(found))


def literals(kind: Any) -> set[Any]:
    """Every literal that a type allows."""
    return {value for option in options(kind) if get_origin(option) is Literal for value in get_args(option)}


def names(*unions: Any, by: str = "type") -> set[str]:
    """The literal ``type`` of every member of unions."""
    return {
        value
        for union in unions
        for member in members(union)
        for field in fields_of(member)
        if field.name == by
        for value in literals(field.kind)
    }


def _is_list(kind: Any) -> bool:
    origin = get_origin(kind)
    return bool(get_args(kind)) and inspect.isclass(origin) and issubclass(origin, Iterable) and not _is_map(kind)


def _is_map(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return inspect.isclass(origin) and issubclass(origin, Mapping)


# --- what they allow -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mark:
    """Where a value of its own goes."""

    name: str
    kind: str


Shape = Any
"""JSON with a mark for each value that can be told from all others."""


def shapes(kind: Any, name: str = "", within: tuple[Any, ...] = ()) -> list[Shape]:
    """Examples of a type: every member of a union, every literal, every field alone and all at once."""
    found: list[Shape] = []
    for option in options(kind):
        if get_origin(option) is Literal:
            found += get_args(option) if name != "model" else []
        elif option in _PLAIN:
            found += [True, False] if option is bool else [Mark(name, _PLAIN[option])]
        elif is_object(option):
            found += _object_shapes(option, within)
        elif _is_map(option):
            found += [{"any": inner} for inner in shapes((get_args(option) or (str, str))[1], name, within)[-1:]]
        elif _is_list(option):
            found += [[inner] for inner in shapes(get_args(option)[0], name, within)]
    return found


def _object_shapes(kind: Any, within: tuple[Any, ...]) -> list[Shape]:
    if within.count(kind):
        return []
    ordered = sorted(fields_of(kind), key=lambda field: field.name)
    known = {field.name: (field, shapes(field.kind, field.name, (*within, kind))) for field in ordered}
    known = {name: (field, found) for name, (field, found) in known.items() if found}
    least = {name: found[0] for name, (field, found) in known.items() if field.required}
    alone = [least | {name: shape} for name, (_, found) in known.items() for shape in found if shape != least.get(name)]
    return [least, *alone, {name: found[-1] for name, (_, found) in known.items()}]


FIRST = 1000
"""Of the numbers that can be told apart, and within every text that can."""

_VALUES: Mapping[str, str] = {
    "arguments": '{{"any":"{mark}"}}',
    "data": "{packed}",
    "file_data": "data:application/pdf;base64,{packed}",
    "image_url": "https://example.com/{mark}.png",
    "url": "https://example.com/{mark}.png",
}
"""Field -> a value of the kind that stands there, where a bridge reads it."""


def filled(shape: Shape) -> Any:
    """An example with a value of its own at every mark."""
    count = iter(range(FIRST, 10**6))

    def fill(node: Shape) -> Any:
        if isinstance(node, Mark):
            number = next(count)
            mark = f"mark{number}"
            packed = base64.b64encode(mark.encode()).decode()
            return (
                number if node.kind == "number" else _VALUES.get(node.name, "{mark}").format(mark=mark, packed=packed)
            )
        if isinstance(node, dict):
            return {name: fill(value) for name, value in node.items()}
        return [fill(value) for value in node] if isinstance(node, list) else node

    return fill(shape)


def examples(kind: Any) -> list[Json]:
    """Bodies of a type, no two alike, each with values that can be told apart."""
    return [filled(shape) for shape in shapes(kind)]
