"""The endpoints that ship with the library, one file each; importing this package registers them."""

from __future__ import annotations

from chatsheet_llm.endpoints.anthropic import Anthropic as Anthropic
from chatsheet_llm.endpoints.anthropic import AnthropicFoundry as AnthropicFoundry
from chatsheet_llm.endpoints.azure import Azure as Azure
from chatsheet_llm.endpoints.base import Endpoint as Endpoint
from chatsheet_llm.endpoints.base import Outgoing as Outgoing
from chatsheet_llm.endpoints.base import build as build
from chatsheet_llm.endpoints.base import kinds as kinds
from chatsheet_llm.endpoints.base import register as register
from chatsheet_llm.endpoints.litellm import LiteLLM as LiteLLM
from chatsheet_llm.endpoints.openai import OpenAI as OpenAI
