"""Dispatch corrects itself by what endpoints say, in the same call, and remembers it: over real sockets.

What Azure and the LiteLLM proxy say is built from their documentation, public reports and the proxy as measured.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from client_cases import WEATHER, ask, hello, quick_sandbox, settings_for, text_of, way

from chatsheet_llm import AsyncChatClient, CapabilityError, ChatClient, route_of
from chatsheet_llm.classify import classify_reply
from chatsheet_llm.errors import DeploymentNotFoundError, UnsupportedParameterError
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
def running() -> Iterator[Sandbox]:
    with quick_sandbox(DEPLOYMENTS) as made:
        yield made


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
    whole = hasattr(answer, "model_dump")
    route, parts = way(route_of(answer)), [answer] if whole else list(answer)
    assert _said(answer if whole else parts)
    return route


async def _away(made: Awaitable[Any]) -> str:
    answer = await made
    whole = hasattr(answer, "model_dump")
    route, parts = way(route_of(answer)), [answer] if whole else [part async for part in answer]
    assert _said(answer if whole else parts)
    return route


def _said(answer: Any) -> bool:
    """Whether an answer says what the sandbox says, or calls the tool that it was given."""
    return "hello there" in text_of(answer) or "get_weather" in str(answer)


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
            {"litellm/responses": "400:model_not_found"}, ["litellm"], ask, {"model": "coder"},
            "litellm/responses 400 -> litellm/chat 200", "litellm/chat 200",
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
    assert {(lesson.mode, lesson.base_model) for lesson in gone} == {
        ("chat", None),
        (None, "gpt-5-codex-2025-09-15"),
    }
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


@pytest.mark.parametrize("how", ["call", "hop"])
def test_an_explicit_mode_that_the_endpoint_has_refused_is_not_sent_again(box: Sandbox, how: str) -> None:
    chain = ["azure/chat"] if how == "hop" else ["azure"]
    extra = {"extra_body": {"chatsheet": {"mode": "chat"}}} if how == "call" else {}
    with ChatClient(settings_for(box), chain=chain) as client:
        with pytest.raises(CapabilityError):
            hello(client, model="codex-prod", **extra)
        with pytest.raises(CapabilityError) as caught:
            hello(client, model="codex-prod", **extra)

    error = caught.value
    assert box.hits("azure") == 1
    assert (error.status_code, error.code, error.param) == (400, "OperationNotSupported", "mode")
    assert error.body == error.response.json()["error"]
    assert "refused chat for 'codex-prod': 400 OperationNotSupported" in str(error)


def test_a_deployment_that_no_api_knows_teaches_nothing_and_is_left_alone_for_a_while(box: Sandbox) -> None:
    routes, lessons = [], []
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        for _ in range(3):
            with pytest.raises(DeploymentNotFoundError, match="no such deployment") as caught:
                hello(client, model="not-there")
            routes.append(way(caught.value.route))
            lessons.append(client.learned())
        client.forget()
        with pytest.raises(DeploymentNotFoundError) as caught:
            hello(client, model="not-there")

    assert routes == ["azure/chat 404 -> azure/responses 404", "azure/chat 404", "azure/chat 404"]
    assert lessons == [(), (), ()]
    assert way(caught.value.route).startswith("azure/chat 404")


@pytest.mark.parametrize("first", ["stream", "api"])
def test_a_model_of_unknown_name_that_has_neither_chat_nor_streams_answers_a_stream_of_chat(
    box: Sandbox, first: str
) -> None:
    # Which of the two an endpoint names first is its own affair.
    if first == "api":
        box.inject("azure/chat", "400:OperationNotSupported")
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        routes = [_way(hello(client, model="pro-prod", stream=True)) for _ in range(2)]

    way_there = {
        "stream": "azure/chat 400 -> azure/chat 400 -> azure/responses 200",
        "api": "azure/chat 400 -> azure/responses 400 -> azure/responses 200",
    }
    assert routes == [way_there[first], "azure/responses 200"]


def test_what_the_other_api_cannot_carry_is_named_and_not_the_providers_sentence(box: Sandbox) -> None:
    told = []
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        for _ in range(2):
            with pytest.raises(UnsupportedParameterError) as caught:
                hello(client, model="codex-prod", n=2)
            told.append(caught.value)

    assert [(error.param, error.code, error.status_code) for error in told] == [("n", "unsupported_parameter", 400)] * 2
    assert [len(error.route.attempts) for error in told] == [1, 0]
    assert all("azure/responses" in str(error) and "400 OperationNotSupported" in str(error) for error in told)
    assert not any("does not work with the specified model" in str(error) for error in told)


def test_a_chat_only_model_says_why_chat_was_asked_for_what_chat_cannot_carry(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client, pytest.raises(UnsupportedParameterError) as caught:
        ask(client, model="gpt-4", background=True)

    assert box.requests == []
    assert caught.value.param == "background"
    assert "gpt-4 is served through /v1/chat/completions, not /v1/responses" in str(caught.value)


def test_calls_that_were_on_their_way_are_corrected_though_another_learned_it_meanwhile(box: Sandbox) -> None:
    box.inject("azure/chat", "400:OperationNotSupported")
    routes: list[str] = []
    gate = threading.Barrier(12)

    with ChatClient(settings_for(box), chain=["litellm", "azure"]) as client:
        box.inject("litellm", "stall")

        def call() -> None:
            gate.wait()
            try:
                routes.append(way(route_of(hello(client, model="codex-prod", timeout=0.4))))
            except Exception as error:
                routes.append(repr(error))

        threads = [threading.Thread(target=call) for _ in range(12)]
        for thread in threads:
            thread.start()
        other = way(route_of(hello(client.with_chain("azure"), model="codex-prod")))
        for thread in threads:
            thread.join()

    assert other == "azure/chat 400 -> azure/responses 200"
    assert {route.rpartition(" -> ")[2] for route in routes} == {"azure/responses 200"}


def test_a_deployment_that_was_not_found_once_does_not_forbid_what_only_its_api_can_do(box: Sandbox) -> None:
    box.inject("azure/responses", "404:DeploymentNotFound", times=1)
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        first = way(route_of(ask(client, model="mini")))
        second = way(route_of(ask(client, model="mini", background=True, store=True)))

    assert first == "azure/responses 404 -> azure/chat 200"
    assert second == "azure/responses 200"


def test_tools_refused_beside_an_effort_are_still_asked_of_chat_without_one(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        first = way(route_of(hello(client, model="prod-54", tools=[WEATHER], reasoning_effort="low")))
        client.forget(deployment="nothing of that name")
        second = way(route_of(hello(client, model="prod-54", tools=[WEATHER], seed=4)))

    assert (first, second) == ("azure/chat 400 -> azure/responses 200", "azure/chat 200")


def test_what_litellm_does_not_know_is_told_as_that_and_shuts_only_that_model(box: Sandbox) -> None:
    box.inject("litellm/chat", "404:DeploymentNotFound", times=1)
    box.inject("litellm/responses", "429:cooldown", times=1)
    with ChatClient(settings_for(box), chain=["litellm"]) as client:
        with pytest.raises(DeploymentNotFoundError) as caught:
            hello(client, model="not-there")
        other = way(route_of(hello(client, model="gpt-5")))

    assert way(caught.value.route) == "litellm/chat 404 -> litellm/responses 429"
    assert caught.value.status_code == 404
    assert other == "litellm/chat 200"


@pytest.mark.parametrize(("param", "corrected"), [(None, True), ("model", True), ("tools", False), ("messages", False)])
def test_only_what_is_said_of_the_model_teaches_that_it_has_no_such_api(
    box: Sandbox, param: str | None, corrected: bool
) -> None:
    body = {"error": {"message": "web_search is not supported with the Responses API", "param": param, "code": None}}
    failure = classify_reply(400, {}, body)

    assert (failure.fault == "capability") is corrected
    assert failure.fault in ("capability", "invalid_request")


def test_a_code_that_is_a_sentence_stays_in_the_body(box: Sandbox) -> None:
    said = "the prompt was: tell nobody"
    failure = classify_reply(400, {}, {"error": {"message": "no", "code": said, "type": said, "param": "input[0].a"}})

    assert (failure.code, failure.type, failure.param) == (None, None, "input[0].a")
    assert isinstance(failure.body, dict)
    assert failure.body["code"] == said


def test_the_lessons_of_a_resource_end_with_it(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("endpoints: {azure: {base_url: '${WHERE}'}}\nmodels: {codex-prod: {chain: [azure]}}\n")
    monkeypatch.setenv("WHERE", box.azure_url)
    with quick_sandbox(DEPLOYMENTS) as other, ChatClient(settings_for(box, models_file=path)) as client:
        first = way(route_of(hello(client, model="codex-prod")))
        client.reload()
        kept = len(client.learned())
        monkeypatch.setenv("WHERE", other.azure_url)
        client.reload()
        left = client.learned()

    assert first == "azure/chat 400 -> azure/responses 200"
    assert kept == 2
    assert left == ()


def test_a_second_correction_in_one_call_is_not_tried(box: Sandbox) -> None:
    box.inject("azure/responses", "400:OperationNotSupported")
    with ChatClient(settings_for(box), chain=["azure"]) as client, pytest.raises(CapabilityError) as caught:
        hello(client, model="codex-prod")

    assert way(caught.value.route) == "azure/chat 400 -> azure/responses 400"


def test_plan_takes_the_arguments_of_the_call(box: Sandbox) -> None:
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], "extra_headers": {"x-a": "b"}}
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        plain = client.plan({**body, "model": "gpt-5-pro"}, timeout=3, stream=True)
        wished = client.plan(body, extra_body={"chatsheet": {"mode": "responses"}}, path="/v1/chat/completions")

    assert [(hop.name, hop.whole) for hop in plain.hops] == [("azure/responses", True)]
    assert [(hop.name, hop.rule) for hop in wished.hops] == [("azure/responses", "call mode")]


def test_plan_shows_what_was_learned_without_a_request(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain=["azure"]) as client:
        before = [hop.name for hop in client.plan(model="codex-prod", messages=[]).hops]
        hello(client, model="codex-prod")
        box.forget()
        after = client.plan(model="codex-prod", messages=[]).hops

    assert before == ["azure/chat"]
    assert [(hop.name, hop.rule) for hop in after] == [("azure/responses", "learned")]
    assert box.requests == []
