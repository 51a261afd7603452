"""Anthropic, through its own SDK.  Speaks only Messages; what other formats need is the bridges' business."""

from __future__ import annotations

from typing import Any, ClassVar

from chatsheet_llm import sdk
from chatsheet_llm.endpoints.base import Endpoint, Outgoing, register
from chatsheet_llm.route import Mode


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

    def classes(self) -> tuple[type[Any], type[Any]]:
        """Return the Anthropic SDK's clients; the SDK is loaded here and not before."""
        import anthropic

        return anthropic.Anthropic, anthropic.AsyncAnthropic

    def options(self, out: Outgoing) -> Any:
        """Return options of the Anthropic SDK."""
        return sdk.anthropic_outgoing(
            method=out.method, url=out.path, body=out.body, headers=out.headers, timeout=out.timeout
        )
