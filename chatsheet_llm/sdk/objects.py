"""The SDK's typed objects: which class it takes for JSON values, and how it builds one.  Validates nothing itself."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

import openai
import pydantic_core
from openai._models import _build_discriminated_union_meta, construct_type


def constructed(value: object, annotation: object, metadata: Sequence[object] = ()) -> object:
    """Return what the SDK makes of JSON values for a type; of a field it is told the metadata too."""
    return construct_type(value=value, type_=annotation, metadata=list(metadata))


def member(annotation: object, metadata: Sequence[object], value: object) -> type[openai.BaseModel] | None:
    """Return the model of a union that the SDK constructs of an object that is not valid, or None if that is none."""
    union = cast("Any", annotation)
    if get_origin(union) not in (Union, UnionType) or not isinstance(value, dict):
        return None
    told = _build_discriminated_union_meta(union=union, meta_annotations=tuple(metadata))
    word = told and value.get(told.field_alias_from or told.field_name)
    named = told.mapping.get(word) if told and word and isinstance(word, str) else None
    first = named or get_args(union)[0]
    return first if isinstance(first, type) and issubclass(first, openai.BaseModel) else None


def constructs(cls: object) -> bool:
    """Whether a class is a model of the SDK that its own ``construct`` builds, with no ways of its own."""
    if not isinstance(cls, type) or not issubclass(cls, openai.BaseModel):
        return False
    own, plain = inspect.getattr_static(cls, "construct"), inspect.getattr_static(openai.BaseModel, "construct")
    return own is plain and not cls.model_config.get("populate_by_name")


def validator(schema: pydantic_core.CoreSchema) -> pydantic_core.SchemaValidator:
    """Return a validator of this very schema, where pydantic would take one that a class in it has already."""
    try:
        return cast("type[Any]", pydantic_core.SchemaValidator)(schema, _use_prebuilt=False)  # type: ignore[no-any-return]
    except TypeError:
        # Versions from before there was a choice.
        return pydantic_core.SchemaValidator(schema)
