"""The real LiteLLM proxy in front of the sandbox's Azure, started once for all integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from litellm_proxy import LiteLLMProxy

from chatsheet_llm.sandbox import Sandbox


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def sandbox(_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox behind the proxy, without faults.  Its request log holds those of earlier tests too."""
    _sandbox.clear()
    yield _sandbox
    _sandbox.clear()


@pytest.fixture(scope="session")
def _litellm_proxy(_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLLMProxy]:
    proxy = LiteLLMProxy(
        azure_url=_sandbox.azure_url,
        azure_key=_sandbox.api_key,
        directory=tmp_path_factory.mktemp("litellm"),
        # As operators do: a client that forgets `disable_fallbacks` is caught by an answer from the wrong model.
        router={"fallbacks": [{"gpt-5-nano": ["gpt-5-mini"]}, {"gpt-5-codex": ["gpt-5-pro"]}]},
    )
    with proxy:
        yield proxy


@pytest.fixture
def litellm_proxy(_litellm_proxy: LiteLLMProxy) -> LiteLLMProxy:
    """A running proxy (`url`, `key`, `models`, `stop()`, `start()`): one for all tests, up again after a `stop()`."""
    _litellm_proxy.start()
    return _litellm_proxy
