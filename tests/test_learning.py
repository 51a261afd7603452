"""Dispatch corrects itself by what endpoints say, in the same call, and remembers it: over real sockets.

What Azure and the LiteLLM proxy say is built from their documentation, public reports and the proxy as measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from client_cases import WEATHER, ask, hello, quick_sandbox, settings_for, text_of, way

from chatsheet_llm import AsyncChatClient, CapabilityError, ChatClient, route_of
from chatsheet_llm.sandbox import Sandbox

DEPLOYMENTS = {
    "codex-prod": "gpt-5-codex",
    "prod-54": "gpt-5.4",
    "pro-prod": "gpt-5-pro",
    "mini": "gpt-5-mini",
    "gpt-5": "gpt-5",
}
"""Azure deployments whose names say nothing of the model behind them."""

Way = tuple[str, str]
"""How two calls went."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with quick_sandbox(DEPLOYMENTS) as made:
        yield made


@pytest.fixture
def box(shared: Sandbox) -> Iterator[Sandbox]:
    shared.forget()
    yield shared
    shared.clear()


def twice(box: Sandbox, call: Callable[..., Any], chain: Sequence[str], **body: object) -> list[Way]:
    """Make a call twice, with each kind of client: whole and streamed."""
    found = []
    for stream in (False, True):
        asked = {**body, "stream": True} if stream else body
        with ChatClient(settings_for(box), chain=chain) as client:
            found.append((_way(call(client, **asked)), _way(call(client, **asked))))

        async def both(asked: dict[str, object]) -> Way:
            async with AsyncChatClient(settings_for(box), chain=chain) as client:
                return (await _away(call(client, **asked)), await _away(call(client, **asked)))

        found.append(asyncio.run(both(dict(asked))))
    return found


def _way(answer: Any) -> str:
    route = way(route_of(answer))
    said = text_of(list(answer)) if not hasattr(answer, "model_dump") else text_of(answer)
    assert "hello there" in said or "get_weather" in str(answer) or not said
    return route


async def _away(made: Awaitable[Any]) -> str:
    answer = await made
    if not hasattr(answer, "model_dump"):
        route = way(route_of(answer))
        async for _ in answer:
            pass
        return route
    return way(route_of(answer))


@pytest.mark.parametrize(
    ("faults", "chain", "call", "body", "first", "second"),
    [
        # a custom deployment of a model that speaks only Responses
        ({}, ["azure"], hello, {"model": "codex-prod"}, "azure/chat 400 -> azure/responses 200", "azure/responses 200"),
        # tools with an effort, which gpt-5.4 takes on Responses alone
        (
            {}, ["azure"], hello, {"model": "prod-54", "tools": [WEATHER], "reasoning_effort": "low"},
            "azure/chat 400 -> azure/responses 200", "azure/responses 200",
        ),
        # an API that this resource does not have
        (
            {"azure/responses": "400:old-version"}, ["azure"], ask, {"model": "mini"},
            "azure/responses 400 -> azure/chat 200", "azure/chat 200",
        ),
        (
            {"azure/responses": "400:model_not_found"}, ["azure"], ask, {"model": "mini"},
            "azure/responses 400 -> azure/chat 200", "azure/chat 200",
        ),
        (
            {"azure/chat": "404:DeploymentNotFound"}, ["azure"], hello, {"model": "mini"},
            "azure/chat 404 -> azure/responses 200", "azure/responses 200",
        ),
        # the same as the LiteLLM proxy words it
        (
            {"litellm/chat": "400:OperationNotSupported"}, ["litellm"], hello, {"model": "coder"},
            "litellm/chat 400 -> litellm/responses 200", "litellm/responses 200",
        ),
        (
            {"litellm/responses": "400:OperationNotSupported"}, ["litellm"], ask, {"model": "coder"},
            "litellm/responses 400 -> litellm/chat 200", "litellm/chat 200",
        ),
        (
            {"litellm/chat": "404:DeploymentNotFound"}, ["litellm"], hello, {"model": "coder"},
            "litellm/chat 404 -> litellm/responses 200", "litellm/responses 200",
        ),
        (
            {"litellm/responses": "400:old-version"}, ["litellm"], ask, {"model": "coder"},
            "litellm/responses 400 -> litellm/chat 200", "litellm/chat 200",
        ),
        # where the chain names both APIs, the next hop is the correction
        (
            {}, ["azure/chat", "azure/responses"], hello, {"model": "codex-prod"},
            "azure/chat 400 -> azure/responses 200", "azure/responses 200",
        ),
    ],
)  # fmt: skip
def test_two_calls_show_one_correction(
    box: Sandbox, faults: dict[str, str], chain: list[str], call: Callable[..., Any], body: dict[str, object],
    first: str, second: str,
) -> None:  # fmt: skip
    for hop, fault in faults.items():
        box.inject(hop, fault)

    assert twice(box, call, chain, **body) == [(first, second)] * 4


def test_a_model_that_gives_no_stream_is_asked_for_the_whole_and_streamed_to_the_caller(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure/responses"]) as client:
        first, second = (hello(client, model="pro-prod", stream=True) for _ in range(2))
        routes = [way(route_of(first)), way(route_of(second))]
        texts = [text_of(list(first)), text_of(list(second))]

    assert routes == ["azure/responses 400 -> azure/responses 200", "azure/responses 200"]
    assert ["hello there" in text for text in texts] == [True, True]
    assert [loss.path for loss in route_of(second).losses if loss.minor and loss.path == "stream"] == ["stream"]


def test_tools_are_the_only_reason_to_leave_chat(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        hello(client, model="prod-54", tools=[WEATHER], reasoning_effort="low")
        client.forget(deployment="nothing of that name")
        plain = way(route_of(hello(client, model="prod-54")))
        without_effort = way(route_of(hello(client, model="prod-54", tools=[WEATHER], reasoning_effort="none")))

    assert (plain, without_effort) == ("azure/chat 200", "azure/chat 200")


def test_an_answer_tells_the_model_behind_a_deployment_and_no_correction_is_needed(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        plain = way(route_of(hello(client, model="prod-54")))
        tools = hello(client, model="prod-54", tools=[WEATHER], reasoning_effort="low")
        learned = [(lesson.deployment, lesson.base_model, lesson.mode) for lesson in client.learned()]

    assert plain == "azure/chat 200"
    assert way(route_of(tools)) == "azure/responses 200"
    assert route_of(tools).attempts[0].rule == "tools"
    assert learned == [("prod-54", "gpt-5.4-2026-03-05", None)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("chain", "call"), [(["azure/chat"], hello), (["azure/responses"], hello), (["azure/responses"], ask)]
)
def test_every_api_of_azure_tells_the_model(
    box: Sandbox, chain: list[str], call: Callable[..., Any], stream: bool
) -> None:
    with ChatClient(settings_for(box), chain=chain) as client:
        answer = call(client, model="mini", **({"stream": True} if stream else {}))
        if stream:
            list(answer)
        learned = [(lesson.endpoint, lesson.deployment, lesson.base_model) for lesson in client.learned()]

    assert learned == [("azure", "mini", "gpt-5-mini-2025-08-07")]


def test_the_correction_is_told_and_can_be_taken_back(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        first = hello(client, model="codex-prod")
        lessons = [lesson for lesson in client.learned() if lesson.mode is not None]
        gone = client.forget("azure", "codex-prod")
        again = way(route_of(hello(client, model="codex-prod")))

    assert [attempt.rule for attempt in route_of(first).attempts] == ["own format", "learned"]
    assert "400 OperationNotSupported" in route_of(first).attempts[1].because
    assert [(lesson.endpoint, lesson.deployment, lesson.mode, lesson.when) for lesson in lessons] == [
        ("azure", "codex-prod", "chat", "always")
    ]
    assert set(lessons) <= {lesson for lesson in gone if lesson.mode} or len(gone) == len(lessons) + 1
    assert again == "azure/chat 400 -> azure/responses 200"


def test_what_was_learned_is_believed_for_its_time_only(box: Sandbox) -> None:
    with ChatClient(settings_for(box, learned_expiry=0.3), chain=["azure"]) as client:
        first = way(route_of(hello(client, model="codex-prod")))
        time.sleep(0.35)
        learned = client.learned()
        second = way(route_of(hello(client, model="codex-prod")))

    assert learned == ()
    assert (first, second) == ("azure/chat 400 -> azure/responses 200", "azure/chat 400 -> azure/responses 200")


def test_copies_of_a_client_know_what_one_of_them_learned(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        hello(client, model="codex-prod")

        assert way(route_of(hello(client.copy(deadline=3), model="codex-prod"))) == "azure/responses 200"


@pytest.mark.parametrize("how", ["call", "hop"])
def test_an_explicit_mode_is_never_corrected(box: Sandbox, how: str) -> None:
    chain = ["azure/chat"] if how == "hop" else ["azure"]
    extra = {"extra_body": {"chatsheet": {"mode": "chat"}}} if how == "call" else {}
    with ChatClient(settings_for(box), chain=chain) as client, pytest.raises(CapabilityError) as caught:
        hello(client, model="codex-prod", **extra)

    assert way(caught.value.route) == "azure/chat 400"
    assert caught.value.status_code == 400
    assert "/v1/responses" in str(caught.value)


def test_a_deployment_that_no_api_knows_teaches_nothing(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        with pytest.raises(Exception, match="no such deployment") as caught:
            hello(client, model="not-there")
        learned = client.learned()

    assert way(caught.value.route) == "azure/chat 404 -> azure/responses 404"  # type: ignore[attr-defined]
    assert learned == ()


def test_a_second_correction_in_one_call_is_not_tried(box: Sandbox) -> None:
    box.inject("azure/responses", "400:OperationNotSupported")
    with ChatClient(settings_for(box), chain=["azure"]) as client, pytest.raises(CapabilityError) as caught:
        hello(client, model="codex-prod")

    assert way(caught.value.route) == "azure/chat 400 -> azure/responses 400"


def test_plan_shows_what_was_learned_without_a_request(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        before = [hop.name for hop in client.plan(model="codex-prod", messages=[]).hops]
        hello(client, model="codex-prod")
        box.forget()
        after = client.plan(model="codex-prod", messages=[]).hops

    assert before == ["azure/chat"]
    assert [(hop.name, hop.rule) for hop in after] == [("azure/responses", "learned")]
    assert box.requests == []
