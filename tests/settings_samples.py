"""A sample and the default of each setting, and what a test needs to set them.  Decides nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.settings import Settings
from chatsheet_llm.variables import VARIABLES

AZURE = "https://my-resource.openai.azure.com"
LITELLM = "https://litellm.example.com"
SECONDS = "must be a number of seconds greater than 0"
ONE_LINE = "holds a line break or another control character; remove it"
HTTP = "must be a URL with a host that starts with http:// or https://"
"""How the complaints about a number of seconds, a text of two lines and a URL begin or end."""

SAMPLES: dict[str, tuple[str, object]] = {
    "litellm_base_url": (LITELLM, LITELLM),
    "litellm_api_key": ("sk-1", SecretStr("sk-1")),
    "azure_openai_endpoint": (AZURE, AZURE),
    "azure_openai_api_key": ("key", SecretStr("key")),
    "azure_openai_ad_token": ("token", SecretStr("token")),
    "azure_openai_deployment": ("codex-prod", "codex-prod"),
    "openai_api_version": ("2025-04-01-preview", "2025-04-01-preview"),
    "openai_api_key": ("sk-2", SecretStr("sk-2")),
    "openai_base_url": ("https://openai.example.com/v1", "https://openai.example.com/v1"),
    "anthropic_api_key": ("sk-3", SecretStr("sk-3")),
    "anthropic_base_url": ("https://anthropic.example.com", "https://anthropic.example.com"),
    "anthropic_foundry_resource": ("https://foundry.example.com/anthropic", "https://foundry.example.com/anthropic"),
    "anthropic_foundry_api_key": ("key-4", SecretStr("key-4")),
    "chain": ("azure/chat, openai", ("azure/chat", "openai")),
    "models_file": ("my.yaml", Path("my.yaml")),
    "deadline": ("30.5", 30.5),
    "connect_timeout": ("2", 2.0),
    "first_token_timeout": ("8", 8.0),
    "idle_timeout": ("9", 9.0),
    "learned_expiry": ("9", 9.0),
    "max_sends": ("7", 7),
    "max_retries": ("0", 0),
    "on_loss": ("drop", "drop"),
    "stream_recovery": ("buffer", "buffer"),
    "hedge_after": ("1.5", 1.5),
    "ca_bundle": ("/etc/ca.pem", Path("/etc/ca.pem")),
    "proxy": ("http://u:p@proxy:3128", SecretStr("http://u:p@proxy:3128")),
    "state_url": ("rediss://u:p@host:1/2?namespace=x", SecretStr("rediss://u:p@host:1/2?namespace=x")),
}
"""By field: what stands in a variable, and the value that is made of it."""

DEFAULTS = {
    "chain": ("litellm", "azure/responses", "azure/chat"),
    "deadline": 120.0,
    "connect_timeout": 5.0,
    "first_token_timeout": 60.0,
    "idle_timeout": 60.0,
    "learned_expiry": 3600.0,
    "max_sends": 4,
    "max_retries": 1,
    "on_loss": "error",
    "stream_recovery": "off",
}


def nothing_set(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Go to an empty working directory, and unset all of our variables."""
    monkeypatch.chdir(directory)
    for name in list(os.environ):
        if name.upper().startswith("CHATSHEET_") or any(name.upper() in names for names in VARIABLES.values()):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Set these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def problems(**arguments: object) -> list[str]:
    """What is wrong with the settings, one line each."""
    with pytest.raises(SettingsError) as caught:
        Settings(**arguments)  # type: ignore[arg-type]
    return str(caught.value).splitlines()
