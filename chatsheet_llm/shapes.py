"""Make validators of pydantic's core that give what the SDK's own ``construct`` gives, or refuse; they never guess.

The SDK builds a value in one of two ways, and a schema of each is made here from the schema of the type itself:

- *constructed*: the fields of a model one by one, checking nothing; what is missing or null is its default.
- *checked*: whatever stands where a union or an ``Optional`` is declared is validated first, leniently; only where that
  fails is it constructed too.

So a constructed field is a validator that takes anything, a declared union is pydantic's own lenient validator, and
where that refuses, the class that the SDK would take is constructed in turn.  What fits none of this, one field or all,
is left to the SDK's function.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Annotated, Any, get_args, get_origin

import openai
from pydantic.fields import FieldInfo
from pydantic_core import SchemaValidator, from_json

from chatsheet_llm import sdk, unions
from chatsheet_llm.unions import ANY, FLOAT, Schema, Types, function, in_turn, ordinary

_Place = tuple[str, type[object], Any]
_Inner = tuple[_Place, ...]
"""The fields of a constructed model that hold constructed models, one or a list: the name, the class, and theirs."""

_TAKEN = frozenset({"_fields_set", "_BaseModel__cls"})
"""Names that ``construct`` takes for its own arguments: what it does with such a field, only the SDK can tell."""


class _Unknown(Exception):
    """Nothing is known of how the SDK would construct this."""


class Shape:
    """Builds objects of one type.  Both ways raise whatever pydantic raises where it refuses."""

    __slots__ = ("_inner", "_validator")

    def __init__(self, validator: SchemaValidator, inner: _Inner | None = None) -> None:
        self._validator = validator
        self._inner = inner

    def of_json(self, told: bytes) -> object:
        if not unions.keeps_schemas():
            # A class's own validator may see other numbers in JSON than the SDK has it see in values.
            return self.of_values(from_json(told))
        made = self._validator.validate_json(told)
        if self._inner is not None:
            _tidy(made, self._inner)
        return made

    def of_values(self, told: object) -> object:
        made = self._validator.validate_python(told)
        if self._inner is not None:
            _tidy(made, self._inner)
        return made


def _tidy(made: Any, inner: _Inner) -> None:
    """Take unknown fields from those that are set: the SDK counts them where it validates, not where it constructs."""
    if extra := made.__pydantic_extra__:
        if not _TAKEN.isdisjoint(extra):
            raise ValueError("a field is called like an argument of the SDK's own function")
        made.__pydantic_fields_set__.difference_update(extra)
    for name, cls, deeper in inner:
        value = made.__dict__[name]
        for one in value if type(value) is list else (value,):
            if type(one) is cls:
                _tidy(one, deeper)


def _assembled(cls: type[openai.BaseModel], parts: tuple[dict[str, object], dict[str, object], set[str]]) -> object:
    """Return an object of its parts, as ``construct`` puts it together."""
    made = cls.__new__(cls)
    names = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")
    for name, part in zip(names, (*parts, None), strict=True):
        object.__setattr__(made, name, part)
    return made


@lru_cache(maxsize=256)
def constructing(cls: type[openai.BaseModel]) -> Shape:
    """Return what builds what ``construct`` builds of an object.  It refuses what is not an object."""
    maker = _Maker(cls)
    try:
        made, inner = maker.model(maker.types.top)
    except _Unknown:
        return Shape(maker.types.validator(function(partial(_by_the_sdk, cls, ()))))
    return Shape(maker.types.validator(made), inner)


class _Maker:
    """Makes the schemas of what is constructed, for one class and those within it."""

    def __init__(self, cls: type[openai.BaseModel]) -> None:
        self.types = Types(cls)
        self._within: list[type[object]] = []

    def model(self, schema: Schema) -> tuple[Schema, _Inner]:
        """Return the schema of a model that is constructed, where no field is required or checked, and those within."""
        schema = self.types.resolved(schema)
        if schema["type"] != "model" or not ordinary(schema):
            raise _Unknown
        cls, fields = schema["cls"], schema["schema"]
        if not sdk.constructs(cls) or fields["type"] != "model-fields" or "extras_schema" in fields:
            raise _Unknown
        if cls in self._within:
            raise _Unknown
        self._within.append(cls)
        inner: list[_Place] = []
        made = {}
        try:
            for name, field in fields["fields"].items():
                built = self._field(name, cls.model_fields[name], field, inner)
                made[name] = {"type": "model-field", "schema": {"type": "default", "schema": built, "default": None}}
        finally:
            self._within.pop()
        plain = {"type": "model-fields", "fields": made, "extra_behavior": "allow"}
        if unions.keeps_schemas():
            return {"type": "model", "cls": cls, "schema": plain, "config": schema["config"]}, tuple(inner)
        assembled = {"type": "no-info", "function": partial(_assembled, cls)}
        return {"type": "function-after", "schema": plain, "function": assembled}, tuple(inner)

    def _field(self, name: str, info: FieldInfo, field: Schema, inner: list[_Place]) -> Schema:
        # The SDK keeps the value of an alias twice, and puts a default in the place of null.
        if "validation_alias" in field or info.default_factory is not None:
            raise _Unknown
        if not info.is_required() and info.default is not None:
            raise _Unknown
        otherwise = partial(_by_the_sdk, info.annotation, info.metadata)
        schema = self.types.plain(field["schema"])
        item = self.types.plain(schema.get("items_schema", ANY)) if schema["type"] == "list" else schema
        try:
            if item["type"] != "model":
                return self._constructed(schema, info.annotation, info.metadata)
            made, deeper = self.model(item)
        except _Unknown:
            return function(otherwise)
        inner.append((name, item["cls"], deeper))
        if item is not schema:
            made = {"type": "list", "items_schema": _null_too(made), "strict": True}
        return _null_too(in_turn(made, function(otherwise)))

    def _constructed(self, schema: Schema, annotation: object, metadata: Sequence[object]) -> Schema:
        schema = self.types.plain(schema)
        kind = schema["type"]
        if kind in ("any", "str", "int", "bool", "literal") or self.types.as_it_is(schema):
            return ANY
        otherwise = partial(_by_the_sdk, annotation, metadata)
        if kind in ("nullable", "union"):
            made = self.types.checked(schema["schema"] if kind == "nullable" else schema)
            otherwise = partial(_unchecked, annotation, metadata)
        elif kind == "float":
            made = FLOAT
        elif kind in ("list", "dict"):
            name = "items_schema" if kind == "list" else "values_schema"
            inner = self._constructed(schema.get(name, ANY), *_bare((get_args(annotation) or (object,))[-1]))
            if inner is ANY:
                return ANY
            made = {"type": kind, name: inner, "strict": True}
        else:
            raise _Unknown
        # Null stays null whatever the type, and mostly null is what there is.
        return _null_too(in_turn(made, function(otherwise)))


def _null_too(schema: Schema) -> Schema:
    return {"type": "nullable", "schema": schema}


def _by_the_sdk(annotation: object, metadata: Sequence[object], value: object) -> object:
    return None if value is None else sdk.constructed(value, annotation, metadata)


def _unchecked(annotation: object, metadata: Sequence[object], value: object) -> object:
    """Return what the SDK makes of a value that a union has refused: the member that it takes is constructed."""
    cls = sdk.member(annotation, metadata, value)
    return constructing(cls).of_values(value) if cls else sdk.constructed(value, annotation, metadata)


def _bare(annotation: object) -> tuple[object, Sequence[object]]:
    """A type without what it is annotated with, and that."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return inner, metadata
    return annotation, ()
