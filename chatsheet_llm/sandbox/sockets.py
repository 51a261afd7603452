"""The loopback ports of the roles: bound, not yet listened on.  Serves nothing."""

from __future__ import annotations

import errno
import ipaddress
import socket

from chatsheet_llm.sandbox.board import ROLES
from chatsheet_llm.sandbox.bodies import RoleName


def loopback(host: str) -> str:
    """Return the address of a loopback host; any other raises ValueError."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        allowed = ipaddress.ip_address(address).is_loopback
    except ValueError:
        allowed = False
    if not allowed:
        raise ValueError(f"the sandbox serves loopback addresses only, not {host!r}; use 127.0.0.1 or ::1")
    return address


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that holds a port without listening: connections to it are refused until it listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, port))
    except OSError:
        held.close()
        raise
    return held


def bind_all(host: str, port: int) -> dict[RoleName, socket.socket]:
    """Return a bound socket for each role, on ports in a row from ``port``, or on free ones for 0.  Raises OSError."""
    made: dict[RoleName, socket.socket] = {}
    for offset, role in enumerate(ROLES):
        wanted = port + offset if port else 0
        try:
            made[role] = bind(host, wanted)
        except (OSError, OverflowError) as error:
            for held in made.values():
                held.close()
            number = getattr(error, "errno", None)
            why = "is in use" if number == errno.EADDRINUSE else f"cannot be bound ({error})"
            raise OSError(number, f"port {wanted} of {host} (role {role}) {why}; choose another port, or 0") from error
    return made
