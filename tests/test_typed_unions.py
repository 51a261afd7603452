"""A union whose members are told apart takes what pydantic takes of it, and makes the same of it."""

# ruff: noqa: UP007, UP045, PYI051  the SDK declares its types so
from __future__ import annotations

import json
from typing import Any, Literal, Optional, Union

import openai
import pytest
from openai._models import construct_type
from pydantic import TypeAdapter, ValidationError
from typed_cases import differences

from chatsheet_llm import typed, unions


class A(openai.BaseModel):
    type: Literal["a"]
    x: Optional[int] = None


class B(openai.BaseModel):
    type: Literal["b", "c"]
    y: float


class AlsoA(openai.BaseModel):
    type: Literal["a", "d"]
    y: Optional[int] = None
    z: Optional[int] = None


class Perhaps(openai.BaseModel):
    type: Optional[Literal["a"]] = None
    y: int


class One(openai.BaseModel):
    number: Literal[1]


class Yes(openai.BaseModel):
    number: Literal[True]


class Nest(openai.BaseModel):
    type: Literal["nest"]
    within: list[Union[A, B, Nest]]


Nest.model_rebuild()
UNIONS: dict[str, Any] = {
    "named": Union[A, B],
    "named_alike": Union[A, AlsoA],
    "named_alike_turned": Union[AlsoA, A],
    "perhaps_named": Union[A, Perhaps],
    "named_by_numbers": Union[One, Yes],
    "or_any": Union[A, Any],
    "or_object_of_numbers": Union[A, dict[str, int]],
    "or_text": Union[str, A, B],
    "or_word": Union[Literal["a"], str, A],
    "or_list": Union[A, list[A]],
    "lists": Union[list[int], list[str]],
    "scalars": Union[str, float, bool],
    "numbers": Union[int, float],
    "perhaps": Optional[Union[A, B]],
    "itself": Union[A, Nest],
}
VALUES: tuple[Any, ...] = (
    None, True, 1, 0, 1.0, 1.5, 2**60, 10**400, "a", "b", "1", "true", "", [], {}, [1], ["1"], ["a"], [True, "1"],
    {"type": "a"}, {"type": "a", "x": "1"}, {"type": "a", "x": "one"}, {"type": "a", "y": 1},
    {"type": "a", "y": 1, "z": 2},
    {"type": "a", "x": 1, "y": 2, "z": 3}, {"type": "b", "y": 1}, {"type": "c", "y": "1.5"},
    {"type": "c", "y": 10**400},
    {"type": "d"}, {"type": None, "y": 1}, {"y": 1}, {"x": 1}, {"number": 1}, {"number": True}, {"number": 1.0},
    {"number": "1"}, [{"type": "a"}], [{"type": "b", "y": 0}], {"type": ["a"]}, {"type": 5}, {"more": 2},
    {"type": "nest", "within": [{"type": "a"}, {"type": "nest", "within": [{"type": "b", "y": 1}]}]},
    {"type": "nest", "within": [{"type": "e"}]},
)  # fmt: skip


@pytest.mark.parametrize("name", UNIONS)
def test_what_a_union_takes_and_makes_of_it_is_what_pydantic_does(name: str) -> None:
    ours, pydantic_s = unions.checking(UNIONS[name]), TypeAdapter(UNIONS[name])

    def outcome(validate: Any, value: object) -> object:
        try:
            return validate(value)
        except ValidationError:
            return "refused"

    for value in VALUES:
        expected = outcome(pydantic_s.validate_python, value)

        assert differences(outcome(ours.validate_python, value), expected) == []
        if unions.keeps_schemas():
            assert differences(outcome(ours.validate_json, json.dumps(value)), expected) == []


class Holder(openai.BaseModel):
    number: Optional[Literal[1, 2]] = None
    flag: Optional[bool] = None
    mixed: Optional[Literal[1, "a"]] = None
    named: Union[A, B]
    alike: Union[A, AlsoA]
    listed: list[Union[A, B]]
    lists: list[list[A]]
    table: dict[str, A]
    scores: dict[str, float]
    within: Optional[Holder] = None
    children: list[Holder]


Holder.model_rebuild()


@pytest.mark.parametrize("name", Holder.model_fields)
def test_a_field_of_any_kind_is_built_as_the_sdk_builds_it(name: str) -> None:
    values = [*VALUES, *([value] for value in VALUES), *({"k": value} for value in VALUES), {"children": [{}]}]
    for value in values:
        document = json.dumps({name: value})
        try:
            expected = construct_type(value=json.loads(document), type_=Holder)
        except OverflowError:
            with pytest.raises(OverflowError):
                typed.whole(Holder, document.encode())
            continue

        assert differences(typed.whole(Holder, document.encode()), expected) == []


class Defaults(openai.BaseModel):
    word: str = "given"
    words: Optional[list[str]] = None


class Holding(openai.BaseModel):
    inner: Defaults


@pytest.mark.parametrize("cls", [Defaults, Holding])
@pytest.mark.parametrize("told", [{}, {"word": None}, {"word": 1}, {"inner": {}}, {"inner": {"word": None, "b": 1}}])
def test_a_default_of_its_own_stands_for_null_and_for_nothing(cls: type[openai.BaseModel], told: Any) -> None:
    assert differences(typed.whole(cls, told), construct_type(value=told, type_=cls)) == []
