"""Do what may block for ever in a daemon thread that can be left alone with it.  Keeps no result.

Neither a call, nor the end of an event loop, nor that of the interpreter waits for such a thread.
"""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

SHARED_FOR = 5.0
"""Seconds for which callers join what is under way for the same key: what hangs costs a thread for each, no more."""

_T = TypeVar("_T")
_running: dict[Hashable, tuple[float, Future[Any]]] = {}

if hasattr(os, "register_at_fork"):
    # The threads that would end them are the parent's.
    os.register_at_fork(after_in_child=_running.clear)


def begin(key: Hashable, work: Callable[[], _T]) -> Future[_T]:
    """Return the work that is under way for this key, or begin it.  It may not raise."""
    now = time.monotonic()
    begun, known = _running.get(key, (0.0, None))
    if known is not None and now - begun < SHARED_FOR:
        return known
    made: Future[_T] = Future()
    # Running, it is cancelled by none of those who wait for it.
    made.set_running_or_notify_cancel()
    _running[key] = now, made
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_do, key, work, made), name=f"beside {key}", daemon=True).start()
    return made


def _do(key: Hashable, work: Callable[[], _T], made: Future[_T]) -> None:
    result = work()
    if _running.get(key, (0.0, None))[1] is made:
        _running.pop(key, None)
    made.set_result(result)
