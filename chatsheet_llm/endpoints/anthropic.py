"""Anthropic, through its own SDK.  Speaks only Messages; what other formats need is the bridges' business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import httpx2

from chatsheet_llm import sdk
from chatsheet_llm.endpoints.base import Endpoint, Outgoing, register
from chatsheet_llm.route import Mode

if TYPE_CHECKING:
    import anthropic


@register
class Anthropic(Endpoint):
    """``https://api.anthropic.com`` unless ``base_url`` says otherwise."""

    KIND: ClassVar[str] = "anthropic"
    SPEAKS: ClassVar[tuple[Mode, ...]] = ("messages",)
    PATHS = {"messages": "/v1/messages"}  # noqa: RUF012  as in the base class
    NEEDS: ClassVar[str] = "set ANTHROPIC_API_KEY"

    @property
    def url(self) -> str:
        """The base URL."""
        return self.settings.base_url or "https://api.anthropic.com"

    def refuses(self, path: str, mode: Mode | None) -> str | None:
        """Refuse every OpenAI path that is not bridged to Messages."""
        return None if mode == "messages" else f"Anthropic has no {path}"

    def client(self, http: httpx2.Client) -> anthropic.Anthropic:
        """Return an ``anthropic.Anthropic``."""
        import anthropic

        arguments = self._arguments()
        client = anthropic.Anthropic(**arguments, http_client=http)
        sdk.forget_environment(client, arguments["default_headers"])
        return client

    def async_client(self, http: httpx2.AsyncClient) -> anthropic.AsyncAnthropic:
        """Return an ``anthropic.AsyncAnthropic``."""
        import anthropic

        arguments = self._arguments()
        client = anthropic.AsyncAnthropic(**arguments, http_client=http)
        sdk.forget_environment(client, arguments["default_headers"])
        return client

    def options(self, out: Outgoing) -> Any:
        """Return options of the Anthropic SDK."""
        return sdk.anthropic_outgoing(
            method=out.method, url=out.path, body=out.body, headers=out.headers, timeout=out.timeout
        )

    def _arguments(self) -> dict[str, Any]:
        return {
            "api_key": self.secret(self.settings.api_key),
            "base_url": self.url,
            "max_retries": 0,
            "default_headers": self.headers,
        }
