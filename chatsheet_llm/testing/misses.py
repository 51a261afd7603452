"""What cassettes raise.  A miss is no ``Exception``, an unusable cassette is one."""

from __future__ import annotations


class CassetteError(Exception):
    """A cassette cannot be opened, recorded or trusted; the message names it and says what to do."""


class CassetteMiss(BaseException):
    """A replay was asked for something that the cassette does not hold; the message names both.

    No ``Exception``: the SDKs would take it for a failure of the network, and the chain would go on to the next hop.
    """


class SocketRefused(BaseException):
    """Something tried to reach a server while a cassette was replayed.  No ``Exception``, for the same reason."""
