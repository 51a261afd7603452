"""What is asked of whom, as values that travel between processes: ports, jobs, prompts.  Measures nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from bench.bodies import deltas_of, text_of

Api = Literal["chat", "responses"]
CLIENT_CPU, PROVIDER_CPU = 0, 1


@dataclass(frozen=True, slots=True)
class Port:
    """How the provider behaves on one of its ports.  ``interval`` 0 sends a stream in one write.  Seconds."""

    answer: int = 600
    """Characters of a whole answer."""
    chunks: int = 200
    interval: float = 0.0
    does: Literal["answer", "hang", "refuse"] = "answer"
    numbered: bool = False
    """Whether every answer has ids of its own."""

    def characters(self, *, stream: bool) -> int:
        """Return how long the text is that a caller must get."""
        return len("".join(deltas_of(self.chunks))) if stream else self.answer


@dataclass(frozen=True, slots=True)
class Job:
    """One batch: ``count`` calls, ``at_once`` of them in flight; ``size`` characters in ``messages`` messages."""

    api: Api = "chat"
    stream: bool = False
    port: str = "ok"
    count: int = 100
    at_once: int = 1
    messages: int = 2
    size: int = 1024
    hops: int = 3
    models: int = 0
    """Models in ``models.yaml``; 0: no such file."""


Message = dict[str, str]


def prompt(messages: int, size: int) -> list[Message]:
    """Return a conversation: a system message, then user and assistant by turns."""
    each = text_of(max(1, size // messages))
    roles = ["system", *("user" if turn % 2 == 0 else "assistant" for turn in range(messages - 1))]
    return [{"role": role, "content": each} for role in roles]


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Keep what is started here on one CPU, and be where one was afterwards."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(cpu)
    try:
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)


def pin(cpu: int) -> None:
    """Keep this process on one CPU, where the system allows it and there are two."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {cpu})
