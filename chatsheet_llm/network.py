"""One HTTP client per network policy: TLS trust, proxy, time limits.  Never follows a redirect; knows no provider.

Its connections keep to the limit of the attempt that uses them (:mod:`chatsheet_llm.wire`; for an event loop and
without a proxy :mod:`chatsheet_llm.lean`), and what cannot be an answer is refused before it is read
(:mod:`chatsheet_llm.bounds`).  Where a proxy is not reached, the error says which, and what set it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.request import getproxies

import httpcore2
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

_SCHEMES = ("http", "https", "all")
"""What a proxy of the environment may be for: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, in either case."""
_OWN = "CHATSHEET_PROXY or the endpoint's own proxy"
_PORTS: Mapping[str, int] = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""The ports of kinds of proxy."""


class ProxyUnreachable(httpcore2.ConnectError):
    """There was no connection to the proxy itself."""


class ProxyTimeout(httpcore2.ConnectTimeout):
    """Connecting to the proxy itself took too long."""


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
        named = self._named_proxies()
        trust = trust or self.trust()
        with self._judged():
            client = httpx2.Client(**self._options(trust), event_hooks={"response": [bound]})
        for pool in sdk.pools(client):
            inner = sdk.backend(pool)
            sdk.set_backend(pool, _ProxyBackend(inner, named) if _is_proxy(pool) else Backend(inner))
        return client

    def async_client(self, trust: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
        """Return an asynchronous client, for one event loop.  What needs no proxy has a transport of our own."""
        named = self._named_proxies()
        trust = trust or self.trust()
        with self._judged():
            client = httpx2.AsyncClient(**self._options(trust), event_hooks={"response": [bound_async]})
        for pool in sdk.pools(client):
            inner = sdk.backend(pool)
            sdk.set_backend(pool, _AsyncProxyBackend(inner, named) if _is_proxy(pool) else AsyncBackend(inner))
        if self.proxy is None:
            sdk.set_direct(client, LeanTransport(trust, LIMITS, sdk.direct(client)))
        return client

    def _options(self, trust: ssl.SSLContext) -> dict[str, Any]:
        timeout = httpx2.Timeout(60.0)
        return {
            "verify": trust, "proxy": self.proxy, "limits": LIMITS, "follow_redirects": False, "timeout": timeout,
        }  # fmt: skip

    def proxy_to(self, url: str) -> str | None:
        """Return the HTTP proxy that stands before a URL, as ``scheme://host:port``, or None."""
        proxy = self.proxy or sdk.proxy_for(url)
        if proxy is None:
            return None
        scheme, _, rest = proxy.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].partition('/')[0]}"

    def _named_proxies(self) -> Mapping[tuple[str, int], str]:
        """Return host and port of the proxies that may be used, each with what set it."""
        found: dict[tuple[str, int], str] = {}
        for name, url in self._proxies():
            place = _place(url)
            if place is not None:
                found[place] = f"{found[place]} and {name}" if place in found else name
        return found

    def _proxies(self) -> Iterator[tuple[str, str]]:
        """Yield what sets each proxy, and its URL; the HTTP library asks Python for those of the environment too."""
        if self.proxy is not None:
            yield _OWN, self.proxy
            return
        for scheme, url in getproxies().items():
            if scheme in _SCHEMES and url:
                name = next((each for each in os.environ if each.lower() == f"{scheme}_proxy" and os.environ[each]), "")
                yield name or "the system's settings", url if "://" in url else f"http://{url}"

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        """Raise SettingsError that names what set a proxy where the HTTP library can make nothing of it.

        The library's own error may hold a password.
        """
        try:
            yield
        except (ImportError, ValueError, httpx2.InvalidURL):
            wrong = [each for each in self._proxies() if not _usable(each[1])]
            if not wrong:
                raise
        else:
            return
        name, url = wrong[0]
        if url.startswith("socks5"):
            raise SettingsError(
                f"{name}: a SOCKS proxy needs the package socksio; "
                "install it with pip, or name a proxy that starts with http:// or https://"
            )
        raise SettingsError(f"{name}: must be the URL of a proxy, as in http://host:3128")


def _usable(url: str) -> bool:
    """Whether the HTTP library can make something of a proxy's URL."""
    try:
        httpx2.HTTPTransport(proxy=httpx2.Proxy(url), verify=False).close()
    except (ImportError, ValueError, httpx2.InvalidURL):
        return False
    return True


def _place(url: str) -> tuple[str, int] | None:
    """Return host and port of a proxy; None for a URL that has none."""
    try:
        told = httpx2.URL(url)
    except httpx2.InvalidURL:
        return None
    return (told.host, told.port or _PORTS.get(told.scheme, 0)) if told.host else None


def _is_proxy(pool: object) -> bool:
    """Whether every connection of a pool goes to a proxy."""
    return isinstance(
        pool, (httpcore2.HTTPProxy, httpcore2.AsyncHTTPProxy, httpcore2.SOCKSProxy, httpcore2.AsyncSOCKSProxy)
    )


def _unreached(
    named: Mapping[tuple[str, int], str], host: str, port: int, error: httpcore2.ConnectError | httpcore2.ConnectTimeout
) -> NoReturn:
    """Raise ProxyUnreachable or ProxyTimeout, which say which proxy that was, and what set it."""
    variable = named.get((host.strip("[]").lower(), port), "the system's settings")
    place = f"{host}:{port}, set by {variable}"
    if isinstance(error, httpcore2.ConnectTimeout):
        raise ProxyTimeout(f"{place}: {error}" if str(error) else place) from None
    raise ProxyUnreachable(f"{place}: {error}") from None


class _ProxyBackend(Backend):
    """Makes connections to proxies for a synchronous client."""

    def __init__(self, inner: httpcore2.NetworkBackend, named: Mapping[tuple[str, int], str]) -> None:
        super().__init__(inner)
        self._named = named

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the proxy.  Raises ProxyUnreachable, ProxyTimeout."""
        try:
            return super().connect_tcp(host, port, timeout, local_address, socket_options)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            _unreached(self._named, host, port, error)


class _AsyncProxyBackend(AsyncBackend):
    """Makes connections to proxies for an asynchronous client."""

    def __init__(self, inner: httpcore2.AsyncNetworkBackend, named: Mapping[tuple[str, int], str]) -> None:
        super().__init__(inner)
        self._named = named

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the proxy.  Raises ProxyUnreachable, ProxyTimeout."""
        try:
            return await super().connect_tcp(host, port, timeout, local_address, socket_options)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            _unreached(self._named, host, port, error)


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
