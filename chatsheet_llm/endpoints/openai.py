"""OpenAI itself, or any server that speaks its API, through the OpenAI SDK."""

from __future__ import annotations

from typing import Any, ClassVar

import openai

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

    def classes(self) -> tuple[type[Any], type[Any]]:
        """Return the OpenAI SDK's clients."""
        return openai.OpenAI, openai.AsyncOpenAI

    def arguments(self) -> dict[str, Any]:
        """Return them with a token in the place of the key, where there is one: Azure's v1 surface takes that too."""
        if self.settings.ad_token is None:
            return super().arguments()
        return {"api_key": self.token or "", "base_url": self.url, "default_headers": self.headers}
