"""Build the SDK's typed objects with pydantic's core; where that refuses, the SDK does it, so the result is always its.

It knows nothing of streams, errors or headers, and attaches nothing to what it builds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import openai

from chatsheet_llm import sdk, shapes
from chatsheet_llm.shapes import Shape
from chatsheet_llm.unions import checking

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent

_Model = TypeVar("_Model", bound=openai.BaseModel)


def whole(cast_to: type[_Model], answer: bytes | Mapping[str, object]) -> _Model:
    """Return a whole answer as the SDK gives it: of JSON, or of the same in Python's values.

    What the SDK does not make an object of (a list, a text) comes back as the SDK hands it on, and bytes that are no
    JSON raise what ``json.loads`` raises.
    """
    made: _Model | None = _taken(shapes.constructing(cast_to), answer)
    return _by_the_sdk(cast_to, answer) if made is None else made


def chunk(told: bytes | Mapping[str, object]) -> ChatCompletionChunk:
    """Return a chunk of a chat stream as the SDK gives it, from the JSON of one event."""
    cls, shape = _chunks()
    made: ChatCompletionChunk | None = _taken(shape, told)
    return _by_the_sdk(cls, told) if made is None else made


def event(told: bytes | Mapping[str, object]) -> ResponseStreamEvent:
    """Return an event of a Responses stream as the SDK gives it, from the JSON of one event.

    A type that the SDK does not know gives whatever the SDK makes of it.
    """
    union, shape, variants = _events()
    made: ResponseStreamEvent | None = _taken(shape, told)
    if made is not None:
        return made
    # Not valid by its type: the SDK then builds the class of that name and checks nothing.
    value = json.loads(told) if isinstance(told, bytes) else told
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind in variants:
        made = _taken(shapes.constructing(variants[kind]), value)
    return _by_the_sdk(union, value) if made is None else made


@cache
def _chunks() -> tuple[type[ChatCompletionChunk], Shape]:
    from openai.types.chat import ChatCompletionChunk

    return ChatCompletionChunk, shapes.constructing(ChatCompletionChunk)


@cache
def _events() -> tuple[object, Shape, Mapping[str, type[openai.BaseModel]]]:
    """The union of all events, what checks it, and its classes by the ``type`` that they are for."""
    from openai.types.responses import ResponseStreamEvent

    union = get_args(ResponseStreamEvent)[0]
    variants = {word: cls for cls in get_args(union) for word in get_args(cls.model_fields["type"].annotation)}
    return ResponseStreamEvent, Shape(checking(union)), variants


def _taken(shape: Shape, told: bytes | Mapping[str, object]) -> Any:
    """Return what a shape makes of it, or None where it refuses, for whatever reason: the SDK will say its own."""
    try:
        return shape.of_json(told) if isinstance(told, bytes) else shape.of_values(told)
    except Exception:  # noqa: BLE001
        return None


def _by_the_sdk(annotation: object, told: bytes | Mapping[str, object]) -> Any:
    return sdk.constructed(json.loads(told) if isinstance(told, bytes) else told, annotation)
