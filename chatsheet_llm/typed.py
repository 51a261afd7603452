"""Build the SDK's typed objects with pydantic's core; where that refuses, the SDK does it, so the result is always its.

It knows nothing of streams, errors or headers, and attaches nothing to what it builds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeVar, cast, get_args

import openai
from pydantic_core import SchemaValidator

from chatsheet_llm import sdk, shapes

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent

_Model = TypeVar("_Model", bound=openai.BaseModel)

_TAKEN = ("_fields_set", "_BaseModel__cls")
"""Names that the SDK's ``construct`` takes for arguments of its own: what it does with such a field only it can tell."""
_MARKS = tuple(name.encode() for name in _TAKEN)
_WRITTEN_OTHERWISE = re.compile(rb"\\u00(?:4[1-9A-Fa-f]|5[0-9AFaf]|6[1-9A-Fa-f]|7[0-9Aa])")
"""A letter or an underscore by its number: any name may hide behind it, and nobody writes so by habit."""


def whole(cast_to: type[_Model], answer: bytes | Mapping[str, object]) -> _Model:
    """Return a whole answer as the SDK gives it: JSON bytes, or the same in Python's values.

    What the SDK does not make an object of (a list, a text) comes back as the SDK hands it on, and bytes that are no
    JSON raise what ``json.loads`` raises.
    """
    return cast("_Model", _built(_constructing(cast_to), cast_to, answer))


def chunk(told: bytes | Mapping[str, object]) -> ChatCompletionChunk:
    """Return a chunk of a chat stream as the SDK gives it, from the JSON of one event."""
    cls, validator = _chunks()
    return cast("ChatCompletionChunk", _built(validator, cls, told))


def event(told: bytes | Mapping[str, object]) -> ResponseStreamEvent:
    """Return an event of a Responses stream as the SDK gives it, from the JSON of one event.

    A type that the SDK does not know gives whatever the SDK makes of it.
    """
    union, validator, variants = _events()
    if (made := _taken(validator, told)) is not None:
        return cast("ResponseStreamEvent", made)
    # Not valid by its type: the SDK then builds the class of that name without a check.
    value = json.loads(told) if isinstance(told, bytes) else told
    kind = value.get("type") if isinstance(value, dict) else None
    cls = variants.get(kind) if isinstance(kind, str) else None
    return cast("ResponseStreamEvent", _built(_constructing(cls) if cls else None, union, value))


@lru_cache(maxsize=256)
def _constructing(cls: type[openai.BaseModel]) -> SchemaValidator | None:
    return shapes.constructing(cls)


@cache
def _chunks() -> tuple[type[ChatCompletionChunk], SchemaValidator | None]:
    from openai.types.chat import ChatCompletionChunk

    return ChatCompletionChunk, _constructing(ChatCompletionChunk)


@cache
def _events() -> tuple[object, SchemaValidator, Mapping[str, type[openai.BaseModel]]]:
    """The union of all events, what validates it, and its classes by the ``type`` that they are for."""
    from openai.types.responses import ResponseStreamEvent

    union = get_args(ResponseStreamEvent)[0]
    variants = {word: cls for cls in get_args(union) for word in get_args(cls.model_fields["type"].annotation)}
    return ResponseStreamEvent, shapes.checking(union), variants


def _built(validator: SchemaValidator | None, annotation: object, told: object) -> object:
    made = None if validator is None else _taken(validator, told)
    if made is not None:
        return made
    return sdk.constructed(json.loads(told) if isinstance(told, bytes) else told, annotation)


def _taken(validator: SchemaValidator, told: object) -> object | None:
    """Return what a validator makes of it, or None where it refuses, for whatever reason: the SDK will say its own."""
    try:
        if not isinstance(told, bytes):
            return None if _TAKEN[0] in told or _TAKEN[1] in told else validator.validate_python(told)
        if _MARKS[0] in told or _MARKS[1] in told or (b"\\u00" in told and _WRITTEN_OTHERWISE.search(told)):
            return None
        return validator.validate_json(told)
    except Exception:  # noqa: BLE001
        return None
