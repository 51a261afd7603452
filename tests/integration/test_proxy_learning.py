"""Dispatch corrects itself by what the real LiteLLM proxy says of deployments whose names tell nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litellm_proxy import LiteLLMProxy

from chatsheet_llm import ChatClient, Route, Settings, route_of
from chatsheet_llm.sandbox import Sandbox

DEPLOYMENTS = {"codex-prod": "gpt-5-codex", "prod-56": "gpt-5.6", "mini": "gpt-5-mini"}
MODELS = {"coder": "azure/codex-prod", "smart": "azure/prod-56", "mini": "azure/mini", "gone": "azure/not-there"}
"""Alias to the deployment, without the mode that would make the proxy route it."""
HELLO: Any = [{"role": "user", "content": "Hello"}]
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def azure() -> Iterator[Sandbox]:
    with Sandbox(deployments=DEPLOYMENTS) as box:
        yield box


@pytest.fixture(scope="module")
def proxy(azure: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLLMProxy]:
    directory = tmp_path_factory.mktemp("litellm")
    with LiteLLMProxy(
        azure_url=azure.azure_url, azure_key=azure.api_key, directory=directory, models=MODELS
    ) as running:
        yield running


def settings(proxy: LiteLLMProxy, azure: Sandbox, deployment: str | None = None) -> Settings:
    return Settings(
        _env_file=None,
        litellm_base_url=proxy.url,
        litellm_api_key=proxy.key,
        azure_openai_endpoint=azure.azure_url,
        azure_openai_api_key=azure.api_key,
        azure_openai_deployment=deployment,
    )


@pytest.fixture
def client(proxy: LiteLLMProxy, azure: Sandbox) -> Iterator[ChatClient]:
    azure.forget()
    with ChatClient(settings(proxy, azure), chain=["litellm"]) as made:
        yield made


def way(route: Route) -> list[str]:
    return [str(attempt) for attempt in route.attempts]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_two_calls_of_a_responses_only_model_show_one_correction(
    client: ChatClient, azure: Sandbox, stream: bool
) -> None:
    def call() -> list[str]:
        answer = client.chat.completions.create(model="coder", messages=HELLO, stream=stream)
        route = way(route_of(answer))
        if stream:
            list(answer)
        return route

    first, second = call(), call()

    assert first == ["litellm/chat 400", "litellm/responses 200"]
    assert second == ["litellm/responses 200"]
    assert [request.path for request in azure.requests] == [
        "/openai/deployments/codex-prod/chat/completions",
        "/openai/responses",
        "/openai/responses",
    ]


def test_tools_beside_reasoning_are_corrected_once_too(client: ChatClient, azure: Sandbox) -> None:
    asked: dict[str, Any] = {"model": "smart", "messages": HELLO, "tools": [TOOL]}
    first, second = (way(route_of(client.chat.completions.create(**asked))) for _ in range(2))
    learned = [(lesson.deployment, lesson.mode, lesson.when) for lesson in client.learned() if lesson.mode]

    assert first == ["litellm/chat 400", "litellm/responses 200"]
    assert second == ["litellm/responses 200"]
    assert learned == [("smart", "chat", "tools")]


def test_the_answers_of_the_proxy_tell_the_model_behind_an_alias(client: ChatClient, azure: Sandbox) -> None:
    client.chat.completions.create(model="mini", messages=HELLO)

    assert [(lesson.deployment, lesson.base_model) for lesson in client.learned()] == [
        ("mini", "gpt-5-mini-2025-08-07")
    ]


def test_a_deployment_that_does_not_exist_is_left_for_the_next_hop(proxy: LiteLLMProxy, azure: Sandbox) -> None:
    """The proxy parks a deployment after its 404, so its other API has no answer either, and Azure is not asked."""
    azure.forget()
    with ChatClient(settings(proxy, azure, deployment="mini"), chain=["litellm", "azure/chat"]) as chained:
        answer = chained.chat.completions.create(model="gone", messages=HELLO)

    assert way(route_of(answer)) == ["litellm/chat 404", "litellm/responses 429", "azure/chat 200"]
    assert [request.path for request in azure.requests] == [
        "/openai/deployments/not-there/chat/completions",
        "/openai/v1/chat/completions",
    ]
