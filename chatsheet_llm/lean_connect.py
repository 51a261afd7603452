"""Open a connection: look the host up, try its addresses side by side, shake hands.  Speaks no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections import deque
from time import monotonic

import httpcore2
import httpx2

from chatsheet_llm.lean_http import Connection
from chatsheet_llm.limits import left
from chatsheet_llm.resolve import addresses_async
from chatsheet_llm.wire import STAGGER


async def connect(made: Connection, host: str, port: int, timeout: float | None) -> None:
    """Connect to the first of the host's addresses that answers.  Raises ConnectTimeout, ConnectError."""
    until = None if timeout is None else monotonic() + timeout
    try:
        found = await addresses_async(host, port, left(timeout, httpx2.ConnectTimeout))
    except httpcore2.ConnectTimeout as error:
        raise httpx2.ConnectTimeout(str(error)) from error
    except httpcore2.ConnectError as error:
        raise httpx2.ConnectError(str(error)) from error
    remaining = left(None if until is None else until - monotonic(), httpx2.ConnectTimeout)
    made.socket = await _reached(found, port, float("inf") if remaining is None else monotonic() + remaining)


async def begin(made: Connection, trust: ssl.SSLContext | None, host: str, timeout: float | None) -> None:
    """Begin to read and write, within TLS where there is a ``trust``.  Raises ConnectTimeout, ConnectError."""
    try:
        remaining = left(timeout, httpx2.ConnectTimeout)
    except httpx2.ConnectTimeout:
        if made.socket is not None:
            made.socket.close()
        raise
    until = float("inf") if remaining is None else monotonic() + remaining
    loop = asyncio.get_running_loop()
    try:
        if trust is None:
            await loop.create_connection(lambda: made, sock=made.socket)
        else:
            await loop.create_connection(
                lambda: made, sock=made.socket, ssl=trust, server_hostname=host, ssl_handshake_timeout=remaining
            )
    except OSError as error:
        made.hang_up()
        if monotonic() >= until:
            raise httpx2.ConnectTimeout("the TLS handshake was not over in time") from error
        raise httpx2.ConnectError(str(error)) from error
    except BaseException:
        # Python 3.10 lets a handshake that is cancelled run on.
        made.hang_up()
        raise


async def _reached(found: tuple[str, ...], port: int, until: float) -> socket.socket:
    """Return a socket of the first address that answers, each tried a little after the one before (RFC 8305)."""
    if len(found) == 1 and until == float("inf"):
        return await _one(found[0], port)
    waiting = deque(found)
    running: set[asyncio.Task[socket.socket]] = set()
    failed: BaseException = httpx2.ConnectError("no address could be connected to")
    try:
        while waiting or running:
            remaining = until - monotonic()
            if remaining <= 0:
                raise httpx2.ConnectTimeout("no address answered in time")
            if waiting:
                running.add(asyncio.create_task(_one(waiting.popleft(), port)))
            pause = min(remaining, STAGGER) if waiting else None if remaining == float("inf") else remaining
            done, _ = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                lost = task.exception()
                if lost is None:
                    return task.result()
                failed = lost
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_discard)
    raise failed


async def _one(address: str, port: int) -> socket.socket:
    try:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise httpx2.ConnectError(str(error)) from error
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except OSError as error:
        made.close()
        why = str(error) if error.errno is None else f"[Errno {error.errno}] {os.strerror(error.errno)}"
        raise httpx2.ConnectError(why) from error
    except BaseException:
        made.close()
        raise
    return made


def _discard(lost: asyncio.Task[socket.socket]) -> None:
    if not lost.cancelled() and lost.exception() is None:
        with contextlib.suppress(OSError):
            lost.result().close()
