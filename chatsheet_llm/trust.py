"""What certificates are judged by, read when the first one comes.  Decides nothing about what is trusted."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

from typing_extensions import Self


class LateTrust(ssl.SSLContext):
    """Stands for another context, which is made for the first handshake: to read a system's certificates takes 20 ms.

    For clients of which nothing configured asks for TLS, and which must know how if something does all the same.
    """

    def __new__(cls, make: Callable[[], ssl.SSLContext]) -> Self:  # noqa: ARG004  SSLContext takes its protocol there
        """Return a context that trusts nobody itself."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        self._make = make
        self._made: ssl.SSLContext | None = None
        self._protocols: list[str] = []
        self._lock = threading.Lock()

    def made(self) -> ssl.SSLContext:
        """Return the context that this one stands for."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
                if self._protocols:
                    self._made.set_alpn_protocols(self._protocols)
            return self._made

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Offer these protocols."""
        with self._lock:
            self._protocols = list(alpn_protocols)
            if self._made is not None:
                self._made.set_alpn_protocols(self._protocols)

    def wrap_socket(self, *given: Any, **named: Any) -> ssl.SSLSocket:
        """Return a socket within TLS."""
        return self.made().wrap_socket(*given, **named)

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        """Return TLS over memory."""
        return self.made().wrap_bio(*given, **named)
