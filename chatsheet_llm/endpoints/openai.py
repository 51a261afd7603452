"""OpenAI itself, or any server that speaks its API, through the OpenAI SDK."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx2
import openai

from chatsheet_llm import sdk
from chatsheet_llm.endpoints.base import Endpoint, register
from chatsheet_llm.route import Mode


@register
class OpenAI(Endpoint):
    """``https://api.openai.com/v1`` unless ``base_url`` says otherwise."""

    KIND: ClassVar[str] = "openai"
    SPEAKS: ClassVar[tuple[Mode, ...]] = ("responses", "chat")
    NEEDS: ClassVar[str] = "set OPENAI_API_KEY"

    @property
    def url(self) -> str:
        """The base URL."""
        return self.settings.base_url or "https://api.openai.com/v1"

    def client(self, http: httpx2.Client) -> openai.OpenAI:
        """Return an ``openai.OpenAI``."""
        arguments = self._arguments()
        client = openai.OpenAI(**arguments, http_client=http)
        sdk.forget_environment(client, arguments["default_headers"])
        return client

    def async_client(self, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        """Return an ``openai.AsyncOpenAI``."""
        arguments = self._arguments()
        client = openai.AsyncOpenAI(**arguments, http_client=http)
        sdk.forget_environment(client, arguments["default_headers"])
        return client

    def _arguments(self) -> dict[str, Any]:
        return {
            "api_key": self.secret(self.settings.api_key),
            "base_url": self.url,
            "max_retries": 0,
            "default_headers": self.headers,
        }
