"""Answers as values: equal to the SDK's own of the same bytes, the same to look at, and each copy knows its route."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import openai
import pydantic
import pytest
from client_cases import Said, ask, hello, settings_for, way
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from parrot import Parrot, Saying

from chatsheet_llm import AsyncChatClient, ChatClient, route_of
from chatsheet_llm.sandbox import Sandbox

Json = dict[str, Any]
Call = Callable[[Any], Any]

USAGE: Json = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
SAID = '{"answer":"Hi","by":"m"}'
MESSAGE: Json = {"role": "assistant", "content": SAID, "more": {"than": "the SDK knows"}}
CHAT: Json = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE, "filter": [{"hate": "safe"}],
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": MESSAGE}],
}  # fmt: skip
PART: Json = {"type": "output_text", "text": SAID, "annotations": []}
RESPONSE: Json = {
    "id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed", "tools": [],
    "parallel_tool_calls": True, "tool_choice": "auto", "usage": None, "content_filters": [],
    "output": [{"id": "o", "type": "message", "role": "assistant", "status": "completed", "content": [PART]}],
}  # fmt: skip
VECTORS: Json = {
    "object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1},
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
}  # fmt: skip
MODEL: Json = {"id": "m", "object": "model", "created": 1, "owned_by": "me"}
IMAGES: Json = {"created": 1, "data": [{"b64_json": "aGk="}]}
FLAGS: Json = {"id": "f", "model": "m", "results": []}

PLAIN: Mapping[str, tuple[Call, Json]] = {
    "chat": (hello, CHAT),
    "responses": (ask, RESPONSE),
    "embeddings": (lambda c: c.embeddings.create(model="m", input="x"), VECTORS),
    "images": (lambda c: c.images.generate(model="m", prompt="x"), IMAGES),
    "moderations": (lambda c: c.moderations.create(input="x"), FLAGS),
    "a model": (lambda c: c.models.retrieve("m"), MODEL),
    "a raw response": (lambda c: c.chat.completions.with_raw_response.create(model="m", messages=[]).parse(), CHAT),
}
"""A call, and what comes back."""
PARSED: Mapping[str, tuple[Call, Json]] = {
    "chat parsed": (lambda c: c.chat.completions.parse(model="m", messages=[], response_format=Said), CHAT),
    "responses parsed": (lambda c: c.responses.parse(model="m", input="x", text_format=Said), RESPONSE),
}
ALL = {**PLAIN, **PARSED}

COPIES: Mapping[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda x: x.model_copy(),
    "a deep model_copy": lambda x: x.model_copy(deep=True),
    "a model_copy with nothing new": lambda x: x.model_copy(update={}),
}
PICKLES: Mapping[str, Callable[[Any], Any]] = {
    "a pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "the oldest pickle": lambda x: pickle.loads(pickle.dumps(x, 0)),
    "a copy of a pickle of a copy": lambda x: copy.copy(pickle.loads(pickle.dumps(copy.deepcopy(x)))),
}
TRIPS: Mapping[str, Callable[[Any], Any]] = {
    "values": lambda x: type(x).model_validate(x.model_dump()),
    "JSON": lambda x: type(x).model_validate_json(x.model_dump_json()),
    "what came": lambda x: type(x)(**x.to_dict()),
    "JSON that came": lambda x: type(x).model_validate_json(x.to_json()),
    "the SDK's own way": lambda x: type(x).construct(**x.to_dict()),
}


class Kept(pydantic.BaseModel):
    """What a program may make of answers."""

    answer: Response | CreateEmbeddingResponse | ChatCompletion
    others: list[Any]


LOOKS: Mapping[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "variables": lambda x: list(vars(x).items()),
    "variables as JSON": lambda x: json.dumps(x, default=vars),
    "items": lambda x: list(x),
    "values": lambda x: x.model_dump(),
    "JSON": lambda x: x.model_dump_json(),
    "what came": lambda x: x.to_dict(mode="json"),
    "fields": lambda x: sorted(eval(repr(x.model_fields_set))),
    "others": lambda x: x.model_extra,
    "private": lambda x: x.__pydantic_private__,
    "the server's id": lambda x: x._request_id,
    "state": lambda x: {name: part for name, part in x.__getstate__().items() if name != "__pydantic_fields_set__"},
    "a field of another's model": lambda x: Kept.model_construct(answer=x, others=[x]).model_dump_json(),
}


@pytest.fixture
def ours(parrot: Parrot) -> Iterator[ChatClient]:
    with ChatClient(api_key="k", base_url=f"{parrot.url}/v1", chain=["openai"]) as client:
        yield client


@pytest.fixture
def bare(parrot: Parrot) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=f"{parrot.url}/v1", max_retries=0) as client:
        yield client


def say(parrot: Parrot, body: Json) -> None:
    parrot.saying = Saying(200, body=json.dumps(body).encode())


@pytest.mark.parametrize("name", ALL)
def test_an_answer_equals_the_sdk_s_own_of_the_same_bytes(
    name: str, parrot: Parrot, ours: ChatClient, bare: openai.OpenAI
) -> None:
    call, body = ALL[name]
    say(parrot, body)
    mine, theirs = call(ours), call(bare)

    assert type(mine) is type(theirs)
    assert mine == theirs
    assert theirs == mine
    assert str(route_of(mine)).startswith("openai")


@pytest.mark.parametrize("name", ALL)
def test_an_answer_shows_nothing_that_the_sdk_s_own_does_not(
    name: str, parrot: Parrot, ours: ChatClient, bare: openai.OpenAI
) -> None:
    call, body = ALL[name]
    say(parrot, body)
    mine, theirs = call(ours), call(bare)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        expected = {look: show(theirs) for look, show in LOOKS.items()}
        as_often = len(warned)
        shown = {look: show(mine) for look, show in LOOKS.items()}

    assert shown == expected
    assert len(warned) == 2 * as_often


@pytest.mark.parametrize("name", PLAIN)
def test_an_answer_equals_itself_made_anew(name: str, parrot: Parrot, ours: ChatClient) -> None:
    call, body = PLAIN[name]
    say(parrot, body)
    made = call(ours)

    assert [trip for trip, again in TRIPS.items() if not (again(made) == made == again(made))] == []


@pytest.mark.parametrize("name", ALL)
def test_two_answers_that_say_the_same_are_equal_whatever_way_they_came(
    name: str, parrot: Parrot, ours: ChatClient
) -> None:
    call, body = ALL[name]
    say(parrot, body)
    one, other = call(ours), call(ours)

    assert route_of(one) != route_of(other)
    assert one == other


@pytest.mark.parametrize("name", ALL)
def test_a_copy_is_equal_and_knows_its_route(name: str, parrot: Parrot, ours: ChatClient) -> None:
    call, body = ALL[name]
    say(parrot, body)
    made = call(ours)
    # The SDK's own that are parsed cannot be pickled: their classes are made as they are needed.
    ways = {**COPIES, **(PICKLES if name in PLAIN else {})}
    copies = {how: make(made) for how, make in ways.items()}

    assert {how: route_of(twin) for how, twin in copies.items()} == dict.fromkeys(ways, route_of(made))
    assert [how for how, twin in copies.items() if not (twin == made == twin)] == []


def test_a_changed_copy_knows_its_route_too(parrot: Parrot, ours: ChatClient) -> None:
    say(parrot, CHAT)
    made = hello(ours)
    changed = [made.model_copy(update={"id": "other"}), made.model_copy(update={"own": 1}, deep=True)]
    made.id = "other"

    assert [route_of(one) for one in changed] == [route_of(made)] * 2
    assert changed[0] == made != changed[1]
    assert "own" in changed[1].model_fields_set


def test_what_is_set_is_a_set_of_names(parrot: Parrot, ours: ChatClient, bare: openai.OpenAI) -> None:
    say(parrot, CHAT)
    mine, theirs = hello(ours).model_fields_set, hello(bare).model_fields_set

    assert mine == theirs
    assert isinstance(mine, set)
    assert type(mine | {"x"}) is type(mine.copy()) is set


def test_a_page_holds_what_the_sdk_s_own_holds(parrot: Parrot, ours: ChatClient, bare: openai.OpenAI) -> None:
    say(parrot, {"object": "list", "data": [MODEL]})
    mine, theirs = ours.models.list(), bare.models.list()

    # The SDK's own are never equal: each holds the client and the options of its call.
    assert mine.data == theirs.data
    assert (mine.model_dump(), repr(mine), list(vars(mine))) == (theirs.model_dump(), repr(theirs), list(vars(theirs)))
    assert set(mine.__pydantic_private__ or ()) == set(theirs.__pydantic_private__ or ())
    assert way(route_of(mine)) == way(route_of(copy.copy(mine))) == "openai 200"
    assert [model.id for model in mine] == ["m"]


def test_a_raw_response_and_each_that_is_parsed_from_it_tell_one_route(parrot: Parrot, ours: ChatClient) -> None:
    say(parrot, CHAT)
    raw = ours.chat.completions.with_raw_response.create(model="m", messages=[])
    parsed = raw.parse()

    assert parsed == ChatCompletion.model_validate(CHAT)
    assert route_of(raw) == route_of(parsed) == route_of(copy.copy(parsed))


async def test_an_asynchronous_answer_equals_the_sdk_s_own_too(parrot: Parrot, bare: openai.OpenAI) -> None:
    say(parrot, CHAT)
    async with AsyncChatClient(api_key="k", base_url=f"{parrot.url}/v1", chain=["openai"]) as client:
        mine = await hello(client)
        parsed = await PARSED["chat parsed"][0](client)

    assert mine == hello(bare)
    assert parsed == PARSED["chat parsed"][0](bare)
    assert way(route_of(mine)) == way(route_of(copy.deepcopy(parsed))) == "openai/chat 200"


@pytest.mark.parametrize(
    ("call", "chain"),
    [(hello, "litellm/chat"), (hello, "azure/responses"), (hello, "anthropic"), (ask, "azure/responses"),
     (ask, "azure/chat"), (ask, "anthropic")],
)  # fmt: skip
def test_an_answer_of_any_hop_equals_itself_made_anew(box: Sandbox, call: Call, chain: Any) -> None:
    anthropic = {"anthropic_base_url": box.anthropic_url, "anthropic_api_key": box.api_key}
    with ChatClient(settings_for(box, **anthropic)) as client:
        made = call(client.with_chain(chain))

    assert [trip for trip, again in TRIPS.items() if not (again(made) == made == again(made))] == []
