"""Values made from JSON schemas, judged by an independent validator."""

from __future__ import annotations

import jsonschema
import pytest

from chatsheet_llm.sandbox.instance import instance
from chatsheet_llm.sandbox.shapes import Json, dumps

NODE: Json = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["name", "next", "children"],
            "additionalProperties": False,
        }
    },
}
SCHEMAS: dict[str, Json] = {
    "string": {"type": "string"},
    "long string": {"type": "string", "minLength": 40},
    "short string": {"type": "string", "maxLength": 3},
    "pattern": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "date": {"type": "string", "format": "date"},
    "integer": {"type": "integer"},
    "integer range": {"type": "integer", "minimum": 7, "maximum": 9},
    "integer above": {"type": "integer", "exclusiveMinimum": 7},
    "integer below": {"type": "integer", "exclusiveMaximum": -3},
    "multiple": {"type": "integer", "minimum": 5, "multipleOf": 4},
    "negative": {"type": "number", "maximum": -2.5},
    "narrow": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.25},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "nullable": {"type": ["null", "integer"]},
    "enum": {"enum": ["a", "b"]},
    "const": {"const": {"kind": 1}},
    "object": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]},
    "object with no required": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "untyped object": {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "array": {"type": "array", "items": {"type": "string"}},
    "array of three": {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    "unique numbers": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
    "unique members": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
    "empty array": {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
    "anyOf": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"const": 1}}, "required": ["x"]}]},
    "oneOf": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    "allOf": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    "anyOf beside properties": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "anyOf": [{"properties": {"b": {"type": "string"}}, "required": ["b"]}],
    },
    "recursive": NODE,
    "anything": {},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_the_value_satisfies_its_schema(schema: Json) -> None:
    made = instance(schema, "six words of a user prompt")

    jsonschema.validate(made, schema, format_checker=jsonschema.FormatChecker())


def test_strings_come_from_the_prompt() -> None:
    schema: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    assert instance(schema, "Paris in spring") == {"city": "Paris in spring"}


def test_optional_properties_are_left_out_where_some_are_required() -> None:
    assert instance(SCHEMAS["object"], "x") == {"a": 1}


def test_a_schema_that_can_never_end_is_given_up_on() -> None:
    endless: Json = {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]}

    assert len(dumps(instance(endless))) < 1000


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/nowhere"}, {"type": 7}, {"enum": []}, {"anyOf": "x"}])
def test_a_broken_schema_raises_nothing(schema: Json) -> None:
    dumps(instance(schema))
