"""instructor patches our client as it patches the SDK's, and its calls survive a first hop that is down."""

from __future__ import annotations

from typing import Any

import pytest
from frameworks import FAILED_OVER, NOT_HERE, SECOND, break_first, module, settings, tried
from pydantic import BaseModel

from chatsheet_llm import AsyncChatClient, ChatClient, route_of
from chatsheet_llm.sandbox import Sandbox

instructor = module("instructor")
pytestmark = pytest.mark.skipif(instructor is None, reason=f"instructor {NOT_HERE}")

ASK: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "Who lives in Ghent?"}]}
every_mode = pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA", "RESPONSES_TOOLS"])


class Person(BaseModel):
    """What structured output shall be."""

    name: str
    age: int


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    return break_first(sandbox)


@pytest.fixture(params=SECOND)
def second(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@every_mode
def test_instructor_gets_structured_output(box: Sandbox, second: str, mode: str) -> None:
    with ChatClient(settings(box, second)) as client:
        patched = instructor.from_openai(client, mode=instructor.Mode[mode])
        person, reply = patched.create_with_completion(**ASK, response_model=Person)

    assert isinstance(person, Person)
    assert [attempt.endpoint for attempt in route_of(reply).attempts] == ["litellm", second]
    assert tried(box) == FAILED_OVER


@every_mode
async def test_instructor_gets_structured_output_asynchronously(box: Sandbox, second: str, mode: str) -> None:
    async with AsyncChatClient(settings(box, second)) as client:
        patched = instructor.from_openai(client, mode=instructor.Mode[mode])
        person, reply = await patched.create_with_completion(**ASK, response_model=Person)

    assert isinstance(person, Person)
    assert [attempt.endpoint for attempt in route_of(reply).attempts] == ["litellm", second]
    assert tried(box) == FAILED_OVER


def test_instructor_streams_a_growing_object(box: Sandbox, second: str) -> None:
    with ChatClient(settings(box, second)) as client:
        patched = instructor.from_openai(client, mode=instructor.Mode.TOOLS)
        grown = list(patched.create_partial(**ASK, response_model=Person))

    assert len(grown) > 1
    assert grown[-1].name
    assert tried(box) == FAILED_OVER
