"""The HTTP library: the pools, transports and backends of a client, and its choice of a proxy.  Opens nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2
from httpcore2._backends.sync import SyncStream
from httpx2._utils import URLPattern, get_environment_proxies

if TYPE_CHECKING:
    import socket


def pools(client: httpx2.Client | httpx2.AsyncClient) -> Iterator[Any]:
    """Yield the connection pools of a client: the direct one and those of its proxies."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            yield pool


def direct(client: httpx2.AsyncClient) -> httpx2.AsyncBaseTransport:
    """Return the transport of what goes through no proxy."""
    return client._transport


def set_direct(client: httpx2.AsyncClient, transport: httpx2.AsyncBaseTransport) -> None:
    """Have what goes through no proxy go through another transport.

    One that is given to the constructor would have the client forget the environment's proxies.
    """
    client._transport = transport


def backend(pool: Any) -> Any:
    """Return the network backend of a pool."""
    return pool._network_backend


def set_backend(pool: Any, backend: httpcore2.NetworkBackend | httpcore2.AsyncNetworkBackend) -> None:
    """Have a pool make its connections through another backend."""
    pool._network_backend = backend


def stream_over(connected: socket.socket) -> httpcore2.NetworkStream:
    """Return the HTTP library's stream over a socket that is connected already."""
    return SyncStream(connected)


def proxy_for(url: str) -> str | None:
    """Return the proxy that a client without one of its own takes for a URL: the environment's, or None."""
    where = httpx2.URL(url)
    rules = sorted((URLPattern(pattern), proxy) for pattern, proxy in get_environment_proxies().items())
    return next((proxy for pattern, proxy in rules if pattern.matches(where)), None)
