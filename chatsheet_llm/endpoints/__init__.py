"""The endpoints that ship with the library, one file each, loaded when a kind is wanted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from chatsheet_llm.endpoints.base import Endpoint as Endpoint
from chatsheet_llm.endpoints.base import Outgoing as Outgoing
from chatsheet_llm.endpoints.base import build as build
from chatsheet_llm.endpoints.base import kinds as kinds
from chatsheet_llm.endpoints.base import register as register

if TYPE_CHECKING:
    from chatsheet_llm.endpoints.anthropic import Anthropic as Anthropic
    from chatsheet_llm.endpoints.anthropic import AnthropicFoundry as AnthropicFoundry
    from chatsheet_llm.endpoints.azure import Azure as Azure
    from chatsheet_llm.endpoints.litellm import LiteLLM as LiteLLM
    from chatsheet_llm.endpoints.openai import OpenAI as OpenAI

_HOME = {
    "Anthropic": "anthropic",
    "AnthropicFoundry": "anthropic",
    "Azure": "azure",
    "LiteLLM": "litellm",
    "OpenAI": "openai",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
