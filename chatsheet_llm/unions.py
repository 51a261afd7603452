"""Tell the members of a union apart by name, so that pydantic's core takes one and does not try them all.

Only where that is sure: what a union takes, and what it makes of it, stays what pydantic does by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, SchemaValidator

from chatsheet_llm import sdk

Schema = dict[str, Any]

ANY: Schema = {"type": "any"}
_LARGEST = 2.0**53
FLOAT: Schema = {"type": "float", "strict": True, "gt": -_LARGEST, "lt": _LARGEST}
"""A number that is the same float whoever makes it: beyond these, whole ones are not."""


@cache
def keeps_schemas() -> bool:
    """Whether our schema of a class is what validates it; pydantic 2.11 and 2.12 take the class's own validator."""

    class Known(BaseModel):
        required: str

    model = {"type": "model", "cls": Known, "schema": {"type": "model-fields", "fields": {}}}
    try:
        sdk.validator(cast("CoreSchema", {"type": "list", "items_schema": model})).validate_python([{}])
    except ValidationError:
        return False
    return True


def checking(annotation: object) -> SchemaValidator:
    """Return a validator that gives what lenient validation of a type gives, only faster, and raises where that does.

    JSON gives what its values in Python would give.
    """
    types = Types(annotation)
    return types.validator(types.checked(types.top))


class Types:
    """The schema that pydantic has made for a type, and those of its parts."""

    def __init__(self, annotation: object) -> None:
        schema = cast("Schema", TypeAdapter(cast("type[object]", annotation)).core_schema)
        self._given: Mapping[str, Schema] = {}
        if schema["type"] == "definitions":
            self._given = {entry["ref"]: entry for entry in schema["definitions"]}
            schema = schema["schema"]
        self.top = schema
        self._checked: dict[str, Schema] = {}

    def validator(self, schema: Schema) -> SchemaValidator:
        if self._checked:
            schema = {"type": "definitions", "schema": schema, "definitions": list(self._checked.values())}
        return sdk.validator(cast("CoreSchema", schema))

    def plain(self, schema: Schema) -> Schema:
        """Return a schema itself, for a name or for one with a default."""
        schema = self.resolved(schema)
        return self.plain(schema["schema"]) if schema["type"] == "default" else schema

    def resolved(self, schema: Schema) -> Schema:
        while schema["type"] == "definition-ref":
            schema = self._given[schema["schema_ref"]]
        return schema

    def as_it_is(self, schema: Schema) -> bool:
        """Whether a value of this declared type stays what it is, valid or not."""
        schema = self.resolved(schema)
        kind = schema["type"]
        if kind == "literal":
            return all(isinstance(value, str) for value in schema["expected"])
        if kind == "nullable":
            return self.as_it_is(schema["schema"])
        if kind == "union":
            members = [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
            return all(member["type"] in ("str", "literal") and self.as_it_is(member) for member in members)
        if kind == "list":
            return self.as_it_is(schema.get("items_schema", ANY))
        return kind in ("any", "str")

    def checked(self, schema: Schema) -> Schema:
        """Return a schema that takes and gives the same, with its unions told apart by name where that is sure."""
        kind = schema["type"]
        if kind in ("any", "str", "int", "bool", "literal"):
            return schema
        if kind == "float":
            # Of a whole number beyond these, pydantic makes another float out of JSON than out of Python's value.
            return in_turn(FLOAT, self._as_pydantic_does(schema))
        if kind in ("nullable", "default"):
            return {**schema, "schema": self.checked(schema["schema"])}
        if kind in ("list", "dict"):
            names = [name for name in ("items_schema", "keys_schema", "values_schema") if name in schema]
            return {**schema, **{name: self.checked(schema[name]) for name in names}}
        if kind == "model" and ordinary(schema):
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

    def _referred(self, schema: Schema) -> Schema:
        name = schema["schema_ref"]
        if name not in self._checked:
            # The place is taken before the work begins: a type may hold itself.
            self._checked[name] = {}
            self._checked[name].update({**self.checked(self._given[name]), "ref": name})
        return schema

    def _told_apart(self, union: Schema) -> Schema | None:
        """Return the union with its models under their tags, or None where two members could take the same value."""
        if union.get("mode", "smart") != "smart" or set(union) - {"type", "choices", "mode", "ref", "metadata"}:
            return None
        members = [choice[0] if isinstance(choice, tuple) else choice for choice in union["choices"]]
        kinds = [self.resolved(member)["type"] for member in members]
        if not set(kinds) <= {"str", "literal", "list", "model"} or kinds.count("list") > 1:
            return None
        if any(kind == "literal" and not self.as_it_is(one) for kind, one in zip(kinds, members, strict=True)):
            return None
        models = [member for kind, member in zip(kinds, members, strict=True) if kind == "model"]
        others = [self.checked(member) for kind, member in zip(kinds, members, strict=True) if kind != "model"]
        if len(models) < 2:
            return {"type": "union", "choices": [*others, *map(self.checked, models)]}
        found = self._tagged(models)
        if found is None:
            return None
        return {"type": "union", "choices": [*others, found]} if others else found

    def _tagged(self, models: Sequence[Schema]) -> Schema | None:
        tags = [_required_words(self.resolved(model)) for model in models]
        for name in tags[0]:
            words = [word for told in tags for word in told.get(name, ())]
            if all(name in told for told in tags) and len(words) == len(set(words)):
                choices = {}
                for model, told in zip(models, tags, strict=True):
                    choices.update(dict.fromkeys(told[name], self.checked(model)))
                return {"type": "tagged-union", "discriminator": name, "choices": choices}
        return None

    def _as_pydantic_does(self, schema: Schema) -> Schema:
        """Return a schema by which pydantic's own validator of the value, as Python has it, decides."""
        made: list[SchemaValidator] = []

        def validated(value: object) -> object:
            if not made:
                whole = {"type": "definitions", "schema": schema, "definitions": list(self._given.values())}
                made.append(sdk.validator(cast("CoreSchema", whole)))
            return made[0].validate_python(value)

        return function(validated)


def in_turn(first: Schema, second: Schema) -> Schema:
    return {"type": "union", "mode": "left_to_right", "choices": [first, second]}


def function(built: Callable[[object], object]) -> Schema:
    return {"type": "function-plain", "function": {"type": "no-info", "function": built}}


def ordinary(model: Schema) -> bool:
    """Whether a model is nothing but its fields and whatever else is given."""
    special = ("custom_init", "root_model", "post_init", "strict", "frozen", "revalidate_instances")
    config = {key: value for key, value in model.get("config", {}).items() if key != "title"}
    return not any(map(model.get, special)) and config == {"extra_fields_behavior": "allow"}


def _required_words(model: Schema) -> Mapping[str, Sequence[str]]:
    """The fields that a model requires to be one of a few words, by the name that they have in JSON."""
    inner = model["schema"]
    if inner["type"] != "model-fields" or not ordinary(model):
        return {}
    found = {}
    for name, field in inner["fields"].items():
        schema = field["schema"]
        if schema["type"] == "literal" and all(isinstance(word, str) for word in schema["expected"]):
            told = field.get("validation_alias", name)
            if isinstance(told, str):
                found[told] = schema["expected"]
    return found


def _unnamed(schema: Schema) -> Schema:
    """The schema without the name by which others refer to it: it may stand in several places."""
    return {key: value for key, value in schema.items() if key != "ref"}
