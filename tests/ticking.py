"""Whether an event loop runs on while something else is awaited.  Asserts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Ticks:
    """How often the loop came by."""

    count: int = 0

    async def run(self) -> None:
        """Count for ever, every 10 ms."""
        while True:
            await asyncio.sleep(0.01)
            self.count += 1


@contextmanager
def ticking() -> Iterator[Ticks]:
    """Count within this context, which must be one of a running loop."""
    ticks = Ticks()
    beside = asyncio.create_task(ticks.run())
    try:
        yield ticks
    finally:
        beside.cancel()
