"""The LiteLLM proxy, through the OpenAI SDK.  Tells it to neither retry nor fall back: that is the chain's business."""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

import openai

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

    def classes(self) -> tuple[type[Any], type[Any]]:
        """Return the OpenAI SDK's clients."""
        return openai.OpenAI, openai.AsyncOpenAI

    def arguments(self) -> dict[str, Any]:
        """Return them with a stand-in for the key where there is none: a proxy may run without, the SDK wants one."""
        key = self.settings.api_key.get_secret_value() if self.settings.api_key is not None else "none"
        return {"api_key": key, "base_url": self.url, "default_headers": self.headers}

    def options(self, out: Outgoing) -> Any:
        """Add the proxy's own time limit, and forbid its fallbacks."""
        made = super().options(out)
        # Last, so that no header of the caller's turns its retries on again.
        ours = {"x-litellm-num-retries": "0", "x-litellm-timeout": f"{out.seconds * GIVES_UP_EARLIER:.3f}"}
        made.headers = {**{name: value for name, value in made.headers.items() if name.lower() not in ours}, **ours}
        if isinstance(made.json_data, dict) and "model" in made.json_data and not made.files:
            made.json_data = {**made.json_data, "disable_fallbacks": True}
        return made
