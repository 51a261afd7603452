"""What the real LiteLLM proxy answered, replayed: both models, both APIs, whole and streamed.

Recorded from the proxy in front of the sandbox's Azure, where the integration tests have installed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import litellm_proxy
import pytest
from openai.types.chat import ChatCompletionMessageParam

from chatsheet_llm import ChatClient, Route, Settings, route_of
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.testing import Cassette, Mode

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to Ada, please."}]
NO_LITELLM = "http://127.0.0.1:9"
INSTALLED = litellm_proxy.VENV / ".ready"
LEFT = "cassettes/litellm are left as they are: the LiteLLM proxy is not installed here (`make integration` does that)"

MODELS = """
models:
  gpt-5: {}
  # The proxy itself translates chat for it, with the losses of its bridge.
  gpt-5-codex: {capabilities: {apis: [chat, responses]}}
"""


def every_call(kind: str) -> list[object]:
    """Every model through every API, each with its cassette."""
    return [
        pytest.param(
            model, api, marks=pytest.mark.cassette(f"litellm/{model}-{api}-{kind}"), id=f"{model}-through-{api}"
        )
        for model in ("gpt-5-codex", "gpt-5")
        for api in ("responses", "chat")
    ]


@pytest.fixture
def cassette_mode(cassette_mode: Mode, notes: list[str]) -> Mode:
    if cassette_mode == "none" or INSTALLED.exists():
        return cassette_mode
    notes.append(LEFT)
    return "none"


@pytest.fixture(scope="module")
def _proxy(_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[litellm_proxy.LiteLLMProxy]:
    directory = tmp_path_factory.mktemp("litellm")
    with litellm_proxy.LiteLLMProxy(
        azure_url=_sandbox.azure_url, azure_key=_sandbox.api_key, directory=directory
    ) as proxy:
        yield proxy


@pytest.fixture
def settings(cassette: Cassette, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """The proxy while the test's cassette is recorded, else a port that nobody listens on."""
    url, key = NO_LITELLM, "nobody-knows"
    if cassette.recording:
        proxy: litellm_proxy.LiteLLMProxy = request.getfixturevalue("_proxy")
        url, key = proxy.url, proxy.key
    models = tmp_path / "models.yaml"
    models.write_text(MODELS)
    return Settings(_env_file=None, litellm_base_url=url, litellm_api_key=key, chain=["litellm"], models_file=models)


def through(api: str) -> dict[str, object]:
    """The API is said twice: a model that speaks only Responses goes through chat only when told that it can."""
    return {"chatsheet": {"chain": [f"litellm/{api}"], "mode": api}}


def hops(route: Route) -> list[str]:
    return [str(attempt) for attempt in route.attempts]


@pytest.mark.parametrize(("model", "api"), every_call("plain"))
def test_a_call_through_the_proxy_is_answered_from_the_cassette(client: ChatClient, model: str, api: str) -> None:
    completion = client.chat.completions.create(model=model, messages=HELLO, extra_body=through(api))

    assert (completion.choices[0].message.content or "").startswith("You said: Say hello to Ada, please.\nAnswered by")
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0
    assert hops(route_of(completion)) == [f"litellm/{api} 200"]


@pytest.mark.parametrize(("model", "api"), every_call("stream"))
def test_a_stream_through_the_proxy_is_replayed(client: ChatClient, model: str, api: str) -> None:
    stream = client.chat.completions.create(
        model=model,
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
        extra_body=through(api),
    )
    chunks = list(stream)

    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices if choice.delta)
    assert text.startswith("You said: Say hello to Ada, please.\nAnswered by")
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [chunk.usage.total_tokens > 0 for chunk in chunks if chunk.usage is not None] == [True]
    assert hops(route_of(stream)) == [f"litellm/{api} 200"]
