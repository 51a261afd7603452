"""Refuse every new connection for a while, whichever library asks for it.  Lets nothing through and reads nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from chatsheet_llm.testing.misses import SocketRefused

_WATCHED = ("connect", "connect_ex")


@contextlib.contextmanager
def no_sockets(name: str) -> Iterator[None]:
    """Within this context, in every thread, connecting a socket or resolving a host raises SocketRefused.

    ``name`` is that of the cassette, for the message.
    """
    own = threading.local()
    pair, resolve = socket.socketpair, socket.getaddrinfo
    connects = {method: getattr(socket.socket, method) for method in _WATCHED}
    inherited = [method for method in _WATCHED if method not in vars(socket.socket)]

    def refuse(target: object) -> NoReturn:
        raise SocketRefused(
            f"cassette {name!r} is being replayed, and something tried to connect to {target!r}: a transport that "
            "vcrpy does not intercept, or another server; give the client the SDK's own transport, or mark the test "
            "with cassette(..., sockets=True)"
        )

    def guarded(method: str) -> Any:
        def connect(self: socket.socket, address: object) -> object:
            # On Windows a socket pair, of which every event loop has one, is two sockets that connect.
            return connects[method](self, address) if getattr(own, "pairing", False) else refuse(address)

        return connect

    def socketpair(*args: Any, **kwargs: Any) -> tuple[socket.socket, socket.socket]:
        own.pairing = True
        try:
            return pair(*args, **kwargs)
        finally:
            own.pairing = False

    def getaddrinfo(host: object, *args: object, **kwargs: object) -> NoReturn:
        del args, kwargs
        refuse(host)

    replaced: dict[str, Any] = {"socketpair": socketpair, "getaddrinfo": getaddrinfo}
    try:
        for method in _WATCHED:
            setattr(socket.socket, method, guarded(method))
        for function, stand_in in replaced.items():
            setattr(socket, function, stand_in)
        yield
    finally:
        socket.socketpair, socket.getaddrinfo = pair, resolve
        for method, original in connects.items():
            if method in inherited:
                delattr(socket.socket, method)
            else:
                setattr(socket.socket, method, original)
