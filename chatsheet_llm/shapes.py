"""Make validators of pydantic's core that give what the SDK's own ``construct`` gives, or refuse; they never guess.

The SDK builds a value in one of two ways, and a schema of each is made here from the schema of the type itself:

- *constructed*: the fields of a model one by one, checking nothing; what is missing or null is its default.
- *checked*: whatever stands where a union or an ``Optional`` is declared is validated first, leniently; only where that
  fails is it constructed too.

So a constructed field is a validator that takes anything, a declared union is pydantic's own lenient validator, and
where that refuses, the SDK's function builds this one field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import openai
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from chatsheet_llm import sdk

_Schema = dict[str, Any]

_ANY: _Schema = {"type": "any"}
_LARGEST = 2.0**53
"""Below it a whole number has a float of the same value; from there on the SDK compares, and so does its function."""
_FLOAT: _Schema = {"type": "float", "strict": True, "gt": -_LARGEST, "lt": _LARGEST}
_NULL_TOO = core_schema.nullable_schema


class _Unknown(Exception):
    """Nothing is known of how the SDK would construct this."""


def constructing(cls: type[openai.BaseModel]) -> SchemaValidator | None:
    """Return a validator that builds what ``construct`` builds of an object, or None for a class it cannot do that for.

    It raises for what is not an object.
    """
    maker = _Maker(cls)
    try:
        made = maker.model(maker.top)
    except _Unknown:
        return None
    return maker.validator(made)


def checking(annotation: object) -> SchemaValidator:
    """Return a validator that gives what lenient validation of a type gives, only faster.  It raises where that would.

    A union whose members are told apart by a name that each of them requires is not tried member by member.
    """
    maker = _Maker(annotation)
    return maker.validator(maker.checked(maker.top))


class _Maker:
    """Makes schemas for one type, out of the one that pydantic has made for it."""

    def __init__(self, annotation: object) -> None:
        schema = cast("_Schema", TypeAdapter(cast("type[object]", annotation)).core_schema)
        self._given: Mapping[str, _Schema] = {}
        if schema["type"] == "definitions":
            self._given = {entry["ref"]: entry for entry in schema["definitions"]}
            schema = schema["schema"]
        self.top = schema
        self._checked: dict[str, _Schema] = {}
        self._within: list[type[object]] = []

    def validator(self, schema: _Schema) -> SchemaValidator:
        if self._checked:
            schema = {"type": "definitions", "schema": schema, "definitions": list(self._checked.values())}
        return sdk.validator(cast("CoreSchema", schema))

    # --- as `construct` builds it

    def model(self, schema: _Schema) -> _Schema:
        """Return the schema of a model that is constructed: no field is required, and none is checked."""
        schema = self._resolved(schema)
        if schema["type"] != "model" or not _ordinary(schema):
            raise _Unknown
        cls, fields = schema["cls"], schema["schema"]
        if not sdk.constructs(cls) or fields["type"] != "model-fields" or "extras_schema" in fields:
            raise _Unknown
        if cls in self._within:
            raise _Unknown
        self._within.append(cls)
        try:
            made = {name: self._field(cls.model_fields[name], field) for name, field in fields["fields"].items()}
        finally:
            self._within.pop()
        inner = {"type": "model-fields", "fields": made, "model_name": fields.get("model_name", cls.__name__)}
        return {"type": "model", "cls": cls, "schema": inner, "config": schema["config"]}

    def _field(self, info: FieldInfo, field: _Schema) -> _Schema:
        # The SDK keeps the value of an alias twice, and puts a default in the place of null.
        if "validation_alias" in field or info.default_factory is not None:
            raise _Unknown
        if not info.is_required() and info.default is not None:
            raise _Unknown
        made: Any
        try:
            made = self._constructed(field["schema"])
            if made is not _ANY:
                made = _in_turn(made, _by_the_sdk(info))
        except _Unknown:
            made = _by_the_sdk(info)
        return {"type": "model-field", "schema": {"type": "default", "schema": made, "default": None}}

    def _constructed(self, schema: _Schema) -> Any:
        schema = self._resolved(schema)
        kind = schema["type"]
        if kind == "default":
            return self._constructed(schema["schema"])
        if kind in ("any", "str", "int", "bool", "literal") or self._as_it_is(schema):
            return _ANY
        if kind in ("nullable", "union"):
            return self.checked(schema)
        if kind == "float":
            return _NULL_TOO(cast("CoreSchema", _FLOAT))
        if kind in ("list", "dict"):
            name = "items_schema" if kind == "list" else "values_schema"
            inner = self._constructed(schema.get(name, _ANY))
            if inner is _ANY:
                return _ANY
            return _NULL_TOO(cast("CoreSchema", {"type": kind, name: inner, "strict": True}))
        return _NULL_TOO(cast("CoreSchema", self.model(schema)))

    def _as_it_is(self, schema: _Schema) -> bool:
        """Whether a value of this declared type stays what it is, valid or not."""
        schema = self._resolved(schema)
        kind = schema["type"]
        if kind == "literal":
            return all(isinstance(value, str) for value in schema["expected"])
        if kind == "nullable":
            return self._as_it_is(schema["schema"])
        if kind == "union":
            members = [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
            return all(member["type"] in ("str", "literal") and self._as_it_is(member) for member in members)
        if kind == "list":
            return self._as_it_is(schema.get("items_schema", _ANY))
        return kind in ("any", "str")

    # --- as lenient validation builds it

    def checked(self, schema: _Schema) -> _Schema:
        """Return a schema that takes and gives the same, with its unions told apart by name where that is sure."""
        kind = schema["type"]
        if kind in ("any", "str", "int", "bool", "literal"):
            return schema
        if kind == "float":
            # Of a whole number beyond these, pydantic makes another float out of JSON than out of Python's value.
            return _in_turn(_FLOAT, self._as_pydantic_does(schema))
        if kind in ("nullable", "default"):
            return {**schema, "schema": self.checked(schema["schema"])}
        if kind in ("list", "dict"):
            names = [name for name in ("items_schema", "keys_schema", "values_schema") if name in schema]
            return {**schema, **{name: self.checked(schema[name]) for name in names}}
        if kind == "model" and _ordinary(schema):
            return {**_unnamed(schema), "schema": self.checked(schema["schema"])}
        if kind == "model-fields" and "extras_schema" not in schema:
            fields = {
                name: {**field, "schema": self.checked(field["schema"])} for name, field in schema["fields"].items()
            }
            return {**schema, "fields": fields}
        if kind == "definition-ref":
            return self._referred(schema)
        if kind == "union" and (told := self._told_apart(schema)) is not None:
            return told
        return self._as_pydantic_does(schema)

    def _referred(self, schema: _Schema) -> _Schema:
        name = schema["schema_ref"]
        if name not in self._checked:
            # The place is taken before the work begins: a type may hold itself.
            self._checked[name] = {}
            self._checked[name].update({**self.checked(self._given[name]), "ref": name})
        return schema

    def _told_apart(self, union: _Schema) -> _Schema | None:
        """Return the union with its models under their tags, or None where two members could take the same value."""
        if union.get("mode", "smart") != "smart" or set(union) - {"type", "choices", "mode", "ref", "metadata"}:
            return None
        members = [choice[0] if isinstance(choice, tuple) else choice for choice in union["choices"]]
        kinds = [self._resolved(member)["type"] for member in members]
        if not set(kinds) <= {"str", "literal", "list", "model"} or kinds.count("list") > 1:
            return None
        if any(kind == "literal" and not self._as_it_is(one) for kind, one in zip(kinds, members, strict=True)):
            return None
        models = [member for kind, member in zip(kinds, members, strict=True) if kind == "model"]
        others = [self.checked(member) for kind, member in zip(kinds, members, strict=True) if kind != "model"]
        if len(models) < 2:
            return {"type": "union", "choices": [*others, *map(self.checked, models)]}
        found = self._tagged(models)
        if found is None:
            return None
        return {"type": "union", "choices": [*others, found]} if others else found

    def _tagged(self, models: Sequence[_Schema]) -> _Schema | None:
        tags = [_required_words(self._resolved(model)) for model in models]
        for name in tags[0]:
            words = [word for told in tags for word in told.get(name, ())]
            if all(name in told for told in tags) and len(words) == len(set(words)):
                choices = {}
                for model, told in zip(models, tags, strict=True):
                    choices.update(dict.fromkeys(told[name], self.checked(model)))
                return {"type": "tagged-union", "discriminator": name, "choices": choices}
        return None

    def _as_pydantic_does(self, schema: _Schema) -> _Schema:
        """Return a schema by which pydantic's own validator of the value, as Python has it, decides."""
        made: list[SchemaValidator] = []

        def validated(value: object) -> object:
            if not made:
                whole = {"type": "definitions", "schema": schema, "definitions": list(self._given.values())}
                made.append(sdk.validator(cast("CoreSchema", whole)))
            return made[0].validate_python(value)

        return {"type": "function-plain", "function": {"type": "no-info", "function": validated}}

    def _resolved(self, schema: _Schema) -> _Schema:
        while schema["type"] == "definition-ref":
            schema = self._given[schema["schema_ref"]]
        return schema


def _in_turn(first: _Schema, second: _Schema) -> _Schema:
    return {"type": "union", "mode": "left_to_right", "choices": [first, second]}


def _by_the_sdk(info: FieldInfo) -> _Schema:
    """Return a schema by which the SDK's own function builds the value of a field."""

    def built(value: object) -> object:
        return None if value is None else sdk.constructed(value, info.annotation, info.metadata)

    return {"type": "function-plain", "function": {"type": "no-info", "function": built}}


def _ordinary(model: _Schema) -> bool:
    """Whether a model is nothing but its fields and whatever else is given."""
    special = ("custom_init", "root_model", "post_init", "strict", "frozen", "revalidate_instances")
    config = {key: value for key, value in model.get("config", {}).items() if key != "title"}
    return not any(map(model.get, special)) and config == {"extra_fields_behavior": "allow"}


def _required_words(model: _Schema) -> Mapping[str, Sequence[str]]:
    """The fields that a model requires to be one of a few words, by the name that they have in JSON."""
    inner = model["schema"]
    if inner["type"] != "model-fields" or not _ordinary(model):
        return {}
    found = {}
    for name, field in inner["fields"].items():
        schema = field["schema"]
        if schema["type"] == "literal" and all(isinstance(word, str) for word in schema["expected"]):
            told = field.get("validation_alias", name)
            if isinstance(told, str):
                found[told] = schema["expected"]
    return found


def _unnamed(schema: _Schema) -> _Schema:
    """The schema without the name by which others refer to it: it may stand in several places."""
    return {key: value for key, value in schema.items() if key != "ref"}
