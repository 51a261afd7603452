"""Say how long a network operation may take: until the limit of the attempt that runs it.  Does no I/O.

A call runs in its caller's thread, and every operation is clipped to what is left of its time.  The other design, an
event loop in a thread of its own from which any call can be cancelled, keeps the same deadline and costs a synchronous
call more: 1.8 times the CPU time of the bare SDK where this one costs 1.3 times (``benchmarks/deadline.py``).
"""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterator

_limit: contextvars.ContextVar[float | None] = contextvars.ContextVar("chatsheet_limit", default=None)


class Cut:
    """Ends from another thread what one thread waits for on the network.  Knows connections by how to end them."""

    def __init__(self) -> None:
        self.over = False
        self._ends: dict[int, Callable[[], None]] = {}

    def holds(self, connection: object, end: Callable[[], None]) -> None:
        """Hear that the thread uses this connection, and how it is ended."""
        self._ends[id(connection)] = end
        if self.over:
            end()

    def cut(self) -> None:
        """End every connection that the thread has used, and each that it will use."""
        self.over = True
        for end in list(self._ends.values()):
            end()


_cut: contextvars.ContextVar[Cut | None] = contextvars.ContextVar("chatsheet_cut", default=None)


@contextlib.contextmanager
def cuttable(cut: Cut) -> Iterator[None]:
    """Within this context, ``cut`` ends network operations."""
    token = _cut.set(cut)
    try:
        yield
    finally:
        _cut.reset(token)


def uses(connection: object, end: Callable[[], None]) -> None:
    """Tell whoever may cut this context off that it uses a connection."""
    cut = _cut.get()
    if cut is not None:
        cut.holds(connection, end)


class _Limit:
    # A class and no generator: every piece of a stream is read within one.
    __slots__ = ("_at", "_token")

    def __init__(self, at: float | None) -> None:
        self._at = at

    def __enter__(self) -> None:
        self._token = _limit.set(self._at)

    def __exit__(self, *_: object) -> None:
        _limit.reset(self._token)


def limit(at: float | None) -> contextlib.AbstractContextManager[None]:
    """Within this context, no network operation lasts beyond ``at`` (monotonic seconds)."""
    return _Limit(at)


def left(timeout: float | None, late: type[Exception]) -> float | None:
    """Return the seconds that an operation with this timeout may still take; None for as long as it likes.

    Raises ``late`` where the limit has passed.
    """
    at = _limit.get()
    if at is None:
        return timeout
    remaining = at - time.monotonic()
    if remaining <= 0:
        raise late("the time of this attempt is over")
    return remaining if timeout is None else min(timeout, remaining)
