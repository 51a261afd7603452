"""The Anthropic SDK's requests and its clients for Foundry; loads that SDK when one is asked for, not before."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import httpx2

from chatsheet_llm.sdk.requests import FinalRequestOptions, Omit, unencoded

_OPENAI_S_OWN = ("openai-", "x-stainless-")
"""Beginnings of headers that mean something to OpenAI alone, or describe its SDK."""


def anthropic_outgoing(
    options: FinalRequestOptions | None, *, method: str, url: str, body: object, headers: Mapping[str, str | Omit],
    timeout: httpx2.Timeout,
) -> Any:  # fmt: skip
    """Return options for a hop's Anthropic SDK, as :func:`~chatsheet_llm.sdk.requests.outgoing` does for OpenAI's.

    Headers that are OpenAI's or its SDK's own stay behind.
    """
    from anthropic import Omit as AnthropicOmit

    told = {name: value for name, value in unencoded(headers).items() if not name.lower().startswith(_OPENAI_S_OWN)}
    return _anthropic_options().construct(
        method=method,
        url=url,
        params=dict(options.params) if options is not None else {},
        json_data=cast("Any", body),
        headers={name: AnthropicOmit() if isinstance(value, Omit) else value for name, value in told.items()},
        idempotency_key=cast("Any", options.idempotency_key if options is not None else None),
        timeout=timeout,
        max_retries=0,
        follow_redirects=False,
    )


@cache
def _anthropic_options() -> type[Any]:
    """Return the SDK's options, whose dump, which it writes into its log, tells neither headers nor the body."""
    from anthropic._models import FinalRequestOptions as AnthropicOptions

    class Unlogged(AnthropicOptions):  # type: ignore[misc]  # final, but some versions log all of it
        def model_dump(self, **_: object) -> dict[str, Any]:
            return {"method": self.method, "url": self.url}

    return Unlogged


def _foundry_key(api_key: str | None) -> dict[str, str]:
    """Return the headers in which Foundry takes a key."""
    return {} if api_key is None else {"x-api-key": api_key, "api-key": api_key}


@cache
def foundry_classes() -> tuple[type[Any], type[Any]]:
    """Return the Anthropic SDK's clients for Foundry, made of their arguments alone.

    The SDK's own, in some versions, take ``ANTHROPIC_FOUNDRY_RESOURCE`` from the environment beside a ``base_url`` and
    refuse to have both; and where they are given a token, all of them hold the environment's ``ANTHROPIC_API_KEY``.
    """
    import anthropic

    class AnthropicFoundry(anthropic.AnthropicFoundry):
        def __init__(
            self, *, api_key: str | None = None, azure_ad_token_provider: Any = None, **arguments: Any
        ) -> None:
            anthropic.Anthropic.__init__(self, api_key=api_key, **arguments)
            self.api_key, self.auth_token = api_key, None
            self._azure_ad_token_provider = azure_ad_token_provider

        @property
        def auth_headers(self) -> dict[str, str]:
            return _foundry_key(self.api_key)

        def _prepare_options(self, options: Any) -> Any:
            # The SDK's own puts the credential into the options, which it logs.
            return options

        def _prepare_request(self, request: httpx2.Request) -> None:
            token = self._get_azure_ad_token()
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token}"

    class AsyncAnthropicFoundry(anthropic.AsyncAnthropicFoundry):
        def __init__(
            self, *, api_key: str | None = None, azure_ad_token_provider: Any = None, **arguments: Any
        ) -> None:
            anthropic.AsyncAnthropic.__init__(self, api_key=api_key, **arguments)
            self.api_key, self.auth_token = api_key, None
            self._azure_ad_token_provider = azure_ad_token_provider

        @property
        def auth_headers(self) -> dict[str, str]:
            return _foundry_key(self.api_key)

        async def _prepare_options(self, options: Any) -> Any:
            # The SDK's own puts the credential into the options, which it logs.
            return options

        async def _prepare_request(self, request: httpx2.Request) -> None:
            token = await self._get_azure_ad_token()
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token}"

    return AnthropicFoundry, AsyncAnthropicFoundry
