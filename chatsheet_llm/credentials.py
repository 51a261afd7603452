"""Which credentials are configured, in every form they travel in, and which headers may carry one.  Keeps none."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from chatsheet_llm.core import Setup
from chatsheet_llm.errors import SettingsError

_V = TypeVar("_V")

_CREDENTIALS = frozenset(
    (
        "authorization",
        "api-key",
        "x-api-key",
        "x-litellm-api-key",
        "ocp-apim-subscription-key",
        "cookie",
        "proxy-authorization",
        "x-functions-key",
        "x-goog-api-key",
        "x-auth-token",
    )
)
"""Headers that carry one."""


def credentials(setup: Setup) -> Collection[str]:
    """Return every configured credential, which a server may echo in its error."""
    proxies = (*(endpoint.network.proxy for endpoint in setup.endpoints.values()), *getproxies().values())
    found = {secret for endpoint in setup.endpoints.values() for secret in endpoint.secrets}
    return found.union(*(secrets_of_url(proxy) for proxy in proxies if proxy is not None))


def secrets_of_url(url: str) -> frozenset[str]:
    """Return the password of a URL as it stands there, as it is, and as it travels in a header."""
    user, _, password = urlsplit(url).netloc.rpartition("@")[0].partition(":")
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return frozenset((password, unquote(password), basic)) if password else frozenset()


def without_credentials(headers: Mapping[str, _V]) -> Mapping[str, _V]:
    """Return the headers; raise SettingsError for one that would carry a credential to every hop."""
    found = [name for name in headers if name.lower() in _CREDENTIALS and isinstance(headers[name], str)]
    if found:
        raise SettingsError(
            f"header {', '.join(found)} would go to every endpoint of the chain; "
            "set it for one, as CHATSHEET_ENDPOINTS__NAME__HEADERS__HEADER_NAME"
        )
    return headers
