"""Turn a host's name into its addresses, within a time.  Keeps no answer, and opens no connection.

The system's resolver knows no timeout, so it is asked in a thread that may be left alone with it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Overdue
from functools import partial
from itertools import chain, zip_longest

import httpcore2

from chatsheet_llm.aside import begin


class ResolverTimeout(httpcore2.ConnectTimeout):
    """No name server answered in time."""


class ResolverFailed(httpcore2.ConnectError):
    """The name servers could not say whether there is such a name."""


_Answer = tuple[tuple[str, ...], type[Exception], str]
"""The addresses; where there is none, what to raise, with which words.  No exception: many calls may raise it."""


def addresses(host: str, port: int, timeout: float | None) -> tuple[str, ...]:
    """Return the host's addresses, its two families in turns, as the system would have them tried.

    Raises ResolverTimeout, ResolverFailed or, for a name that does not exist, plain ConnectError.
    """
    literal = _literal(host)
    if literal is not None:
        return (literal,)
    try:
        return _told(_lookup(host, port).result(timeout))
    except Overdue:
        raise _late(host) from None


async def addresses_async(host: str, port: int, timeout: float | None) -> tuple[str, ...]:
    """Return the same without blocking the event loop."""
    literal = _literal(host)
    if literal is not None:
        return (literal,)
    try:
        return _told(await asyncio.wait_for(asyncio.wrap_future(_lookup(host, port)), timeout))
    except asyncio.TimeoutError:
        raise _late(host) from None


def _told(answer: _Answer) -> tuple[str, ...]:
    found, error, words = answer
    if not found:
        raise error(words)
    return found


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _late(host: str) -> ResolverTimeout:
    return ResolverTimeout(f"the name {host} did not resolve in time")


def _lookup(host: str, port: int) -> Future[_Answer]:
    """Return a lookup of the name: one that is under way, or a new one."""
    return begin(("resolve", host, port), partial(_resolve, host, port))


def _resolve(host: str, port: int) -> _Answer:
    error: type[Exception] = httpcore2.ConnectError
    try:
        return _asked(host, port), error, f"the name {host} did not resolve: it has no address"
    except Exception as failed:  # noqa: BLE001  a label too long is a UnicodeError; whatever it is, somebody waits
        if isinstance(failed, socket.gaierror) and failed.errno == socket.EAI_AGAIN:
            error = ResolverFailed
        return (), error, f"the name {host} did not resolve: {failed}"


def _asked(host: str, port: int) -> tuple[str, ...]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families = [[str(info[4][0]) for info in infos if info[0] == family] for family in _families(infos)]
    mixed = chain.from_iterable(zip_longest(*families))
    return tuple(dict.fromkeys(address for address in mixed if address))


def _families(infos: Iterable[tuple[object, ...]]) -> list[object]:
    return list(dict.fromkeys(info[0] for info in infos))
