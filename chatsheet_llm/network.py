"""One HTTP client per network policy: TLS trust, proxy, time limits.  Never follows a redirect; knows no provider.

Its connections keep to the limit of the attempt that uses them (:mod:`chatsheet_llm.wire`; for an event loop and
without a proxy :mod:`chatsheet_llm.lean`), and what cannot be an answer is refused before it is read
(:mod:`chatsheet_llm.bounds`).
"""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from chatsheet_llm import sdk
from chatsheet_llm.bounds import bound, bound_async
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.lean import LeanTransport, Pool
from chatsheet_llm.limits import limit as limit
from chatsheet_llm.wire import Backend
from chatsheet_llm.wire_async import AsyncBackend

LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000, keepalive_expiry=120.0)
"""Connections that stay open between calls a minute apart save a TCP and TLS handshake each."""
POOL_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Network:
    """What an endpoint's connections need: a CA bundle (path), a proxy (URL, may hold a password)."""

    ca_bundle: str | None = None
    proxy: str | None = field(default=None, repr=False)

    def trust(self) -> ssl.SSLContext:
        """Return what certificates are judged by.  Raises SettingsError for a CA bundle that cannot be loaded."""
        if self.ca_bundle is None:
            return httpx2.create_ssl_context()
        try:
            return ssl.create_default_context(cafile=self.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"the CA bundle {self.ca_bundle!r} cannot be loaded: {error}; give a PEM file"
            ) from None

    def client(self, trust: ssl.SSLContext | None = None) -> httpx2.Client:
        """Return a synchronous client, with the ``trust`` of an earlier one where it is given."""
        client = httpx2.Client(
            verify=trust or self.trust(),
            proxy=self.proxy,
            limits=LIMITS,
            follow_redirects=False,
            timeout=httpx2.Timeout(60.0),
            event_hooks={"response": [bound]},
        )
        for pool in sdk.pools(client):
            sdk.set_backend(pool, Backend(sdk.backend(pool)))
        return client

    def async_client(self, trust: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
        """Return an asynchronous client, for one event loop.  What needs no proxy has a transport of our own."""
        trust = trust or self.trust()
        client = httpx2.AsyncClient(
            verify=trust,
            proxy=self.proxy,
            limits=LIMITS,
            follow_redirects=False,
            timeout=httpx2.Timeout(60.0),
            event_hooks={"response": [bound_async]},
        )
        for pool in sdk.pools(client):
            sdk.set_backend(pool, AsyncBackend(sdk.backend(pool)))
        if self.proxy is None:
            sdk.set_direct(client, LeanTransport(trust, LIMITS, sdk.direct(client)))
        return client

    def proxy_to(self, url: str) -> str | None:
        """Return the HTTP proxy that stands before a URL, as ``scheme://host:port``, or None."""
        proxy = self.proxy or sdk.proxy_for(url)
        if proxy is None:
            return None
        parts = urlsplit(proxy)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def hang_up(client: httpx2.AsyncClient) -> None:
    """End the connections of a client whose event loop cannot close them any more."""
    for pool in sdk.pools(client):
        ends = pool if isinstance(pool, Pool) else sdk.backend(pool)
        if isinstance(ends, (Pool, AsyncBackend)):
            with contextlib.suppress(Exception):
                ends.hang_up()


def timeouts(
    seconds: float, connect: float, idle: float = 0.0, asked: float | httpx2.Timeout | None = None
) -> httpx2.Timeout:
    """Return the timeouts of one attempt that has ``seconds`` in all.

    ``idle`` is the silence a stream may keep once it has begun; until then the :func:`limit` holds.  What the caller
    ``asked`` for connecting, writing and the pool replaces the defaults.
    """
    own = asked if isinstance(asked, httpx2.Timeout) else httpx2.Timeout(None)
    first = (own.connect or connect, own.write or seconds, own.pool or POOL_TIMEOUT)
    connecting, write, pool = (min(value, seconds) for value in first)
    return httpx2.Timeout(connect=connecting, write=write, pool=pool, read=max(seconds, idle))
