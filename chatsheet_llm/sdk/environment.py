"""Take back what an SDK's client read from the environment by itself.  Reads none of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai


def forget_environment(client: Any, headers: Mapping[str, str], *, azure_ad_token: str | None = None) -> None:
    """Undo what an SDK read from the environment by itself; the arguments are what its client was given.

    An organization is OpenAI's business alone, and ``OPENAI_CUSTOM_HEADERS`` may hold a credential for one server.
    """
    client._custom_headers = dict(headers)
    if hasattr(client, "webhook_key"):
        # ANTHROPIC_WEBHOOK_SIGNING_KEY; the OpenAI SDK calls it otherwise.
        client.webhook_key = None
    if isinstance(client, (openai.AzureOpenAI, openai.AsyncAzureOpenAI)):
        # SDKs before 3.2 read AZURE_OPENAI_AD_TOKEN even where a key was given, and the token won.
        client._azure_ad_token = azure_ad_token
    if isinstance(client, (openai.OpenAI, openai.AsyncOpenAI)):
        client.organization = None
        client.project = None
