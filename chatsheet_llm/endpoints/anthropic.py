"""Anthropic's own API and Claude on Azure Foundry, through Anthropic's SDK.  Both speak only Messages.

What other formats need is the bridges' business.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from chatsheet_llm import sdk
from chatsheet_llm.endpoints.base import Endpoint, Outgoing, register
from chatsheet_llm.route import Mode

_PASTED = re.compile(r"(/v1(/messages)?)?/*$", re.IGNORECASE)
"""What the SDK adds by itself: a base URL that has it already would have it twice."""
_BESIDE = re.compile(r"/(openai(/v1)?|models|api/projects/[^/]+)/*$", re.IGNORECASE)
"""The other surfaces of a Foundry resource, whose URLs its portal shows too."""


@register
class Anthropic(Endpoint):
    """``https://api.anthropic.com`` unless ``base_url`` says otherwise.

    The key travels as the SDK has it (newer ones as bearer token, older ones as ``x-api-key``) unless ``key_header``
    says which: a gateway may take only one of them.
    """

    KIND: ClassVar[str] = "anthropic"
    SPEAKS: ClassVar[tuple[Mode, ...]] = ("messages",)
    PATHS = {"messages": "/v1/messages"}  # noqa: RUF012  as in the base class
    NEEDS: ClassVar[str] = "set ANTHROPIC_API_KEY"

    @property
    def url(self) -> str:
        """The base URL, without the API's own path."""
        return _PASTED.sub("", self.settings.base_url or "https://api.anthropic.com", count=1)

    def refuses(self, path: str, mode: Mode | None) -> str | None:
        """Refuse every call that is not translated to Messages: Anthropic's other paths are not OpenAI's."""
        return None if mode == "messages" else f"only calls that are translated to Messages go there, and {path} is not"

    def classes(self) -> tuple[type[Any], type[Any]]:
        """Return the Anthropic SDK's clients; the SDK is loaded here and not before."""
        import anthropic

        return anthropic.Anthropic, anthropic.AsyncAnthropic

    def arguments(self) -> dict[str, Any]:
        """Return them with the key where ``key_header`` wants it."""
        bearer = self._bearer()
        if bearer is not None:
            return {"auth_token": bearer, "base_url": self.url, "default_headers": self.headers}
        key = self.secret(self.settings.api_key)
        headers = {"x-api-key": key, **self.headers} if self.settings.key_header else self.headers
        return {"api_key": key, "base_url": self.url, "default_headers": headers}

    @property
    def token_argument(self) -> str | None:
        """Take none: Anthropic's own API has no such tokens."""
        return None

    def options(self, out: Outgoing) -> Any:
        """Return options of the Anthropic SDK, without the bearer header where the key has to travel as ``x-api-key``.

        A gateway may refuse a call with both.
        """
        if self.settings.key_header == "api-key" and self._bearer() is None:
            out = replace(out, headers={"Authorization": sdk.OMIT, **out.headers})
        return sdk.anthropic_outgoing(
            out.options, method=out.method, url=out.path, body=out.body, headers=out.headers, timeout=out.timeout
        )

    def _bearer(self) -> str | None:
        return self.secret(self.settings.api_key) if self.settings.key_header == "bearer" else None


@register
class AnthropicFoundry(Anthropic):
    """Claude on an Azure Foundry resource; the deployment is the body's ``model``.

    A resource's URL may be given with or without ``/anthropic``.  The key travels as ``x-api-key`` and ``api-key``
    unless ``key_header`` is ``bearer``; an ``ad_token`` always as bearer token, and it wins over the key.
    """

    KIND: ClassVar[str] = "anthropic_foundry"
    NEEDS: ClassVar[str] = "set ANTHROPIC_FOUNDRY_RESOURCE and ANTHROPIC_FOUNDRY_API_KEY"

    @property
    def url(self) -> str:
        """The base URL, with ``/anthropic`` where no path of a gateway stands in its place."""
        base = _BESIDE.sub("", _PASTED.sub("", self.settings.base_url or "", count=1))
        return base if urlsplit(base).path else f"{base}/anthropic"

    @property
    def origin(self) -> str:
        """Name of the failure domain: Claude's service on a resource is not Azure OpenAI's, nor are its files."""
        return f"{super().origin} claude"

    def classes(self) -> tuple[type[Any], type[Any]]:
        """Return the Anthropic SDK's clients for Foundry, loaded here and not before."""
        return sdk.foundry_classes()

    def arguments(self) -> dict[str, Any]:
        """Return them with a token or the key."""
        told = {"base_url": self.url, "default_headers": self.headers}
        if self.tokens is not None:
            return told
        bearer = self._bearer()
        if bearer is not None:
            return {"azure_ad_token_provider": lambda: bearer, **told}
        return {"api_key": self.secret(self.settings.api_key), **told}

    @property
    def token_argument(self) -> str:
        """Name it as the SDK does."""
        return "azure_ad_token_provider"

    def _bearer(self) -> str | None:
        return super()._bearer() if self.settings.ad_token is None else self.token
