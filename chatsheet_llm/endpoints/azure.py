"""Azure OpenAI through the official SDK: the v1 surface with plain ``OpenAI``, dated versions with ``AzureOpenAI``.

``AzureOpenAI`` is never used for v1: it adds ``api-version``, which v1 refuses, and puts the deployment into the path.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar

import httpx2
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

_SUFFIX = re.compile(r"(/openai(/v1|/deployments/.*)?|/v1)?/*$", re.IGNORECASE)


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

    @property
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

    def client(self, http: httpx2.Client) -> openai.OpenAI:
        """Return ``openai.AzureOpenAI`` for a dated version, else plain ``openai.OpenAI`` on the v1 surface."""
        arguments = self._arguments()
        kind = openai.OpenAI if self.dated is None else openai.AzureOpenAI
        made = kind(**arguments, http_client=http)
        sdk.forget_environment(made, arguments["default_headers"], azure_ad_token=self._bearer())
        return made

    def async_client(self, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        """Return the asynchronous client, chosen as :meth:`client` does."""
        arguments = self._arguments()
        kind = openai.AsyncOpenAI if self.dated is None else openai.AsyncAzureOpenAI
        made = kind(**arguments, http_client=http)
        sdk.forget_environment(made, arguments["default_headers"], azure_ad_token=self._bearer())
        return made

    def options(self, out: Outgoing) -> Any:
        """Leave the bearer header out where the key travels as ``api-key``: a gateway may refuse a call with both."""
        if self.dated is None and self._bearer() is None:
            out = replace(out, headers={"Authorization": sdk.Omit(), **out.headers})
        return super().options(out)

    def _bearer(self) -> str | None:
        if self.settings.ad_token is not None:
            return self.settings.ad_token.get_secret_value()
        return self.secret(self.settings.api_key) if self.settings.key_header == "bearer" else None

    def _arguments(self) -> dict[str, Any]:
        return self._v1_arguments() if self.dated is None else self._dated_arguments(self.dated)

    def _dated_arguments(self, version: str) -> dict[str, Any]:
        bearer = self._bearer()
        credential = {"azure_ad_token": bearer} if bearer else {"api_key": self.secret(self.settings.api_key)}
        return {
            **credential,
            "azure_endpoint": self.resource,
            "api_version": version,
            "max_retries": 0,
            "default_headers": self.headers,
        }

    def _v1_arguments(self) -> dict[str, Any]:
        bearer = self._bearer()
        headers = self.headers
        if bearer is None:
            headers = {"api-key": self.secret(self.settings.api_key), **headers}
        return {
            "api_key": bearer or self.secret(self.settings.api_key),
            "base_url": self.url,
            "max_retries": 0,
            "default_headers": headers,
        }
