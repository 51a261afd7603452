"""Silence within a stream: it has a limit of its own, shorter than what an attempt may take.  Both clients, sockets."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import pytest
from client_cases import text_of
from either import KINDS, Either, Kind, settings_at
from golden_streams import chunk, sse
from raw_server import Raw, serving

from chatsheet_llm import StreamInterrupted, route_of

pytestmark = pytest.mark.usefixtures("no_certificates")

IDLE = 0.3
FIRST, LAST = sse(chunk({"content": "a"})), sse(chunk({"content": "b"}), chunk({}, "stop"), "[DONE]")
PING = b": still here\n\n"


def read(kind: Kind, pieces: Sequence[bytes | float], **more: object) -> tuple[str, list[str], float]:
    """The text of a stream of these pieces and pauses, what came of the attempt, and the seconds it took."""
    settings = {"deadline": 5.0, "first_token_timeout": 5.0, "idle_timeout": IDLE, **more}
    with serving(Raw(pieces)) as server, Either(kind, settings_at(server.url, **settings)) as made:
        begun, parts = time.monotonic(), []
        stream = made.hello(stream=True)
        try:
            with contextlib.suppress(StopIteration, StopAsyncIteration):
                while True:
                    parts.append(made.next_of(stream))
        except StreamInterrupted as error:
            return error.partial, [attempt.outcome for attempt in error.route.attempts], time.monotonic() - begun
        return text_of(parts), [attempt.outcome for attempt in route_of(stream).attempts], time.monotonic() - begun


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_falls_silent_is_cut_long_before_the_attempt_would_be(kind: Kind) -> None:
    text, outcomes, seconds = read(kind, [FIRST, 2.5, LAST])

    assert (text, outcomes) == ("a", ["read_timeout"])
    assert IDLE <= seconds < 2


@pytest.mark.parametrize("kind", KINDS)
def test_silence_before_the_first_content_is_not_what_it_bounds(kind: Kind) -> None:
    text, outcomes, _ = read(kind, [sse(chunk({"role": "assistant"})), 3 * IDLE, FIRST, LAST])

    assert (text, outcomes) == ("ab", ["ok"])


@pytest.mark.parametrize("kind", KINDS)
def test_who_says_no_more_than_that_it_is_there_is_not_silent(kind: Kind) -> None:
    text, outcomes, seconds = read(kind, [FIRST, *[IDLE / 3, PING] * 6, LAST])

    assert (text, outcomes) == ("ab", ["ok"])
    assert seconds > 1.5 * IDLE
