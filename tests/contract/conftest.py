"""What the contract tests share: a client that only listens, and one of the SDK's own at the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from sdk_contracts import Listener

from chatsheet_llm.sandbox import Sandbox


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(api_key="unused", base_url="http://127.0.0.1:9/v1") as client:
        yield client


@pytest.fixture
def hop(box: Sandbox) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=box.api_key, base_url=f"{box.openai_url}/v1", max_retries=5) as client:
        yield client
