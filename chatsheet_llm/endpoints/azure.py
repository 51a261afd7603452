"""Azure OpenAI through the official SDK: the v1 surface with plain ``OpenAI``, dated versions with ``AzureOpenAI``.

``AzureOpenAI`` is never used for v1: it adds ``api-version``, which v1 refuses, and puts the deployment into the path.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import openai

from chatsheet_llm import sdk
from chatsheet_llm.endpoints.base import Endpoint, Outgoing, register
from chatsheet_llm.route import Mode

UNDATED = frozenset({"v1", "preview", "latest"})
"""Values of ``api_version`` that mean the v1 surface, which takes no version at all."""
RESPONSES_SINCE = "2025-03-01"
"""The first dated version with Responses."""
SERVES: tuple[str, ...] = (
    "/chat/completions", "/completions", "/responses", "/embeddings", "/models", "/files", "/batches", "/fine_tuning",
    "/images", "/audio", "/evals", "/vector_stores", "/containers", "/uploads", "/videos", "/threads", "/assistants",
)  # fmt: skip
"""Path prefixes that Azure documents; the others are OpenAI's alone."""

_API = r"/responses|/chat/completions|/completions|/embeddings"
_SUFFIX = re.compile(rf"(/openai(/deployments/.*|(/v1)?({_API})?)|/v1({_API})?)?/*$", re.IGNORECASE)
"""What people paste behind the resource's own URL."""


@register
class Azure(Endpoint):
    """One Azure OpenAI or Foundry resource.

    With an ``api_version`` requests go to the dated paths, else to ``/openai/v1/``.  The key travels as ``api-key``
    header unless ``key_header`` is ``bearer``; an ``ad_token`` always as bearer token, and it wins over the key.
    """

    KIND: ClassVar[str] = "azure"
    SPEAKS: ClassVar[tuple[Mode, ...]] = ("responses", "chat")
    NEEDS: ClassVar[str] = "set AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY (or AZURE_OPENAI_AD_TOKEN)"

    @property
    def resource(self) -> str:
        """The resource's URL without any path of the API."""
        return _SUFFIX.sub("", self.settings.base_url or "")

    @property
    def url(self) -> str:
        """The base URL that requests go to."""
        return f"{self.resource}/openai" if self.dated else f"{self.resource}/openai/v1/"

    @cached_property
    def dated(self) -> str | None:
        """The dated API version, or None for the v1 surface."""
        version = self.settings.api_version
        return None if version is None or version.lower() in UNDATED else version

    def refuses(self, path: str, mode: Mode | None) -> str | None:
        """Refuse what Azure does not document, and Responses on a version that is too old for it."""
        if mode == "responses" and self.dated is not None and self.dated[:10] < RESPONSES_SINCE:
            return f"api version {self.dated} has no Responses API; it came with {RESPONSES_SINCE}-preview"
        if not path.startswith(SERVES):
            return f"Azure OpenAI does not serve {path}"
        return None

    def classes(self) -> tuple[type[Any], type[Any]]:
        """Return ``AzureOpenAI`` for a dated version, else plain ``OpenAI`` for the v1 surface."""
        if self.dated is not None:
            return openai.AzureOpenAI, openai.AsyncAzureOpenAI
        return openai.OpenAI, openai.AsyncOpenAI

    def arguments(self) -> dict[str, Any]:
        """Return them with the credential where each surface takes it."""
        bearer = self._bearer()
        key = None if bearer or self.tokens else self.secret(self.settings.api_key)
        if self.dated is not None:
            where = {"azure_endpoint": self.resource, "api_version": self.dated, "default_headers": self.headers}
            return {**where, **({"azure_ad_token": bearer} if bearer else {"api_key": key})}
        headers = {**({"api-key": key} if key else {}), **self.headers}
        return {"api_key": bearer or key, "base_url": self.url, "default_headers": headers}

    @property
    def token_argument(self) -> str:
        """Name it as the surface's SDK does."""
        return "api_key" if self.dated is None else "azure_ad_token_provider"

    def options(self, out: Outgoing) -> Any:
        """Leave the bearer header out where the key travels as ``api-key``: a gateway may refuse a call with both."""
        if self.dated is None and self._bearer() is None and self.tokens is None:
            out = replace(out, headers={"Authorization": sdk.OMIT, **out.headers})
        return super().options(out)

    def _bearer(self) -> str | None:
        if self.settings.ad_token is not None:
            return self.token
        return self.secret(self.settings.api_key) if self.settings.key_header == "bearer" else None
