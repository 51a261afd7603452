"""The LiteLLM proxy, through the OpenAI SDK.  Tells it to neither retry nor fall back: that is the chain's business."""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx2
import openai

from chatsheet_llm import sdk
from chatsheet_llm.endpoints.base import Endpoint, Outgoing, register
from chatsheet_llm.route import Mode

_PASTED = re.compile(r"/(chat/completions|responses|models)$", re.IGNORECASE)
GIVES_UP_EARLIER = 0.9
"""Share of our time after which the proxy shall give up, so that its answer to a timeout still reaches us."""


@register
class LiteLLM(Endpoint):
    """A LiteLLM proxy.  Responses requests go to its ``/v1/responses``, which is native for Azure there.

    One attempt a call: a gateway in trouble is left, not asked again.
    """

    KIND: ClassVar[str] = "litellm"
    SPEAKS: ClassVar[tuple[Mode, ...]] = ("chat", "responses")
    NEEDS: ClassVar[str] = "set LITELLM_BASE_URL and LITELLM_API_KEY"

    max_attempts: int = 1

    @property
    def url(self) -> str:
        """The base URL with ``/v1``."""
        base = _PASTED.sub("", (self.settings.base_url or "").rstrip("/"))
        return base if urlsplit(base).path.strip("/") else f"{base}/v1"

    def refuses(self, path: str, mode: Mode | None) -> str | None:
        """Refuse only what administers an OpenAI organisation."""
        del mode
        return "a proxy does not administer an OpenAI organization" if path.startswith("/organization") else None

    def client(self, http: httpx2.Client) -> openai.OpenAI:
        """Return an ``openai.OpenAI`` for the proxy."""
        arguments = self._arguments()
        client = openai.OpenAI(**arguments, http_client=http)
        sdk.forget_environment(client, arguments["default_headers"])
        return client

    def async_client(self, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        """Return an ``openai.AsyncOpenAI`` for the proxy."""
        arguments = self._arguments()
        client = openai.AsyncOpenAI(**arguments, http_client=http)
        sdk.forget_environment(client, arguments["default_headers"])
        return client

    def _arguments(self) -> dict[str, Any]:
        key = self.settings.api_key
        return {
            # A proxy may run without keys; the SDK wants one all the same.
            "api_key": key.get_secret_value() if key is not None else "none",
            "base_url": self.url,
            "max_retries": 0,
            "default_headers": self.headers,
        }

    def options(self, out: Outgoing) -> Any:
        """Add the proxy's own time limit, and forbid its fallbacks."""
        made = super().options(out)
        # Last, so that no header of the caller's turns its retries on again.
        ours = {"x-litellm-num-retries": "0", "x-litellm-timeout": f"{out.seconds * GIVES_UP_EARLIER:.3f}"}
        made.headers = {**{name: value for name, value in made.headers.items() if name.lower() not in ours}, **ours}
        if isinstance(made.json_data, dict) and "model" in made.json_data and not made.files:
            made.json_data = {**made.json_data, "disable_fallbacks": True}
        return made
