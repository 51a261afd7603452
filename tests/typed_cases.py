"""JSON values made by chance for the SDK's types, spoiled ones too, and in what two objects are not the same."""

from __future__ import annotations

import random
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import openai

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.0, 1.5, 10**20, 2**53 + 1, "", "1", "1.0", "true", "😀", "message", [], [None], [1],
    ["a"], {}, {"type": "text"}, {"type": "message"}, {"a": None}, [{}], [[]], [{"type": "output_text", "text": 1}],
)  # fmt: skip
"""What a provider may put where something else belongs."""


def differences(one: object, other: object, at: str = "") -> list[str]:
    """Where two objects are not the same to the last class, value, order, and knowledge of what was given."""
    if type(one) is not type(other):
        return [f"{at}: {type(one).__name__} {one!r:.60} is no {type(other).__name__} {other!r:.60}"]
    if isinstance(one, openai.BaseModel) and isinstance(other, openai.BaseModel):
        found = []
        if one.model_fields_set != other.model_fields_set:
            found.append(f"{at}: set are {one.model_fields_set ^ other.model_fields_set} in one of them")
        if one.__pydantic_private__ != other.__pydantic_private__:
            found.append(f"{at}: other private attributes")
        found += differences(one.__dict__, other.__dict__, at)
        return found + differences(one.model_extra, other.model_extra, f"{at}+")
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return [f"{at}: {list(one)} for {list(other)}"]
        return [found for key in one for found in differences(one[key], other[key], f"{at}.{key}")]
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return [f"{at}: {len(one)} for {len(other)}"]
        pairs = enumerate(zip(one, other, strict=True))
        return [found for index, (a, b) in pairs for found in differences(a, b, f"{at}[{index}]")]
    # By their texts: a NaN is not itself, and zero is minus zero.
    return [] if repr(one) == repr(other) else [f"{at}: {one!r} for {other!r}"]


def made_for(annotation: Any, chance: random.Random, depth: int = 0) -> Any:
    """A value that is valid for a type, where the type can be filled at all."""
    if isinstance(annotation, type(Union)) or annotation in (Any, object):
        return chance.choice(ODD)
    if hasattr(annotation, "__value__"):
        return made_for(annotation.__value__, chance, depth)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return made_for(arguments[0], chance, depth)
    if origin is Literal:
        return chance.choice(arguments)
    if origin in (Union, types.UnionType):
        return made_for(chance.choice(arguments), chance, depth)
    if origin is list:
        return [made_for(arguments[0], chance, depth + 1) for _ in range(0 if depth > 5 else chance.choice((0, 1, 2)))]
    if origin is dict:
        return {name: made_for(arguments[1], chance, depth + 1) for name in chance.choice(((), ("a",), ("a", "ä")))}
    if isinstance(annotation, type) and issubclass(annotation, openai.BaseModel):
        return _object(annotation, chance, depth + 1)
    return {str: "text", int: 7, float: 0.5, bool: True}.get(annotation)


def _object(cls: type[openai.BaseModel], chance: random.Random, depth: int) -> dict[str, Any]:
    made = {}
    for name, field in cls.model_fields.items():
        if field.is_required() or (depth < 6 and chance.random() < 0.5):
            made[field.alias or name] = made_for(field.annotation, chance, depth)
    if chance.random() < 0.2:
        made["not_known_yet"] = chance.choice(ODD)
    return made


def spoiled(value: Any, chance: random.Random) -> Any:
    """The value with one thing in it changed for something odd, taken away, or put beside the rest."""
    if isinstance(value, Mapping) and value and chance.random() < 0.9:
        made, name = dict(value), chance.choice(list(value))
        way = chance.random()
        if way < 0.15:
            del made[name]
        elif way < 0.25:
            made[chance.choice(("more", "type", "id", f"{name}_", "_fields_set"))] = chance.choice(ODD)
        else:
            made[name] = spoiled(made[name], chance)
        return made
    if isinstance(value, list) and value and chance.random() < 0.9:
        index = chance.randrange(len(value))
        return [*value[:index], spoiled(value[index], chance), *value[index + 1 :]]
    return chance.choice(ODD)
