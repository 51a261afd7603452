"""What the tests of frameworks share: a chain whose first hop is down, and what its calls came to.

The second hop answers: once Azure, whose formats are the callers' own, once Claude, to which everything is translated.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from chatsheet_llm import Settings
from chatsheet_llm.sandbox import Sandbox

SECOND = ("azure", "anthropic")
"""The endpoints that answer in place of the one that is down."""
FAILED_OVER = ["down", "up"]
"""What one call comes to: the endpoint that is down, then the one that answers."""
NOT_HERE = "not installed here; `make frameworks` runs this file in an environment of its own"


def module(name: str) -> Any:
    """Return a framework's module, or None where the framework is not installed: mypy and `make test` run there."""
    return importlib.import_module(name) if find_spec(name.partition(".")[0]) else None


def break_first(box: Sandbox) -> Sandbox:
    """Return the sandbox with an empty log and LiteLLM down, so that every answer is the second hop's."""
    box.clear()
    box.forget()
    box.inject("litellm", "503")
    return box


def settings(box: Sandbox, second: str) -> Settings:
    """Return settings whose chain is LiteLLM, then the second endpoint."""
    return Settings(
        _env_file=None,
        chain=f"litellm,{second}",
        litellm_base_url=box.litellm_url,
        litellm_api_key=box.api_key,
        azure_openai_endpoint=box.azure_url,
        azure_openai_api_key=box.api_key,
        anthropic_base_url=box.anthropic_url,
        anthropic_api_key=box.api_key,
    )


def tried(box: Sandbox) -> list[str]:
    """Return what requests came to, in order: the endpoint that is down, or one that is up."""
    return ["down" if request.role == "litellm" else "up" for request in box.requests]
