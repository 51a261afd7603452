"""Keys and prompts in nothing that is left of a call with a race in it, or of a stream that was held back or restarted.

Two providers that repeat all they were told, over real sockets; the first is slow, so that both are asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import remains
from loopback import Told
from parrot import Parrot, Saying
from secret_calls import _BEGUN, _CONTENT, INTERRUPTED, KEYS, WORDS, ask, chat, made, settings_at
from secret_checks import OURS, check, failed, nothing_of

from chatsheet_llm import ChatClient, errors, route_of
from chatsheet_llm.route import Route

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])
APIS = pytest.mark.parametrize("call", [chat, ask], ids=["chat", "responses"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
HEDGE = 0.1
SLOW = 0.3
"""Seconds within which the second is asked while the first has said nothing."""

BROKE = Saying(503, {"type": "x"})
REFUSED = Saying(400, {"code": "invalid_value"})
ANSWERED = (
    b'{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": '
    b'"stop", "message": {"role": "assistant", "content": "Well met"}}]}'
)
# An answer has the headers of its reply, whatever these say.
WELL = Saying(200, headers={"x-request-id": "r1", "x-ratelimit-limit-requests": "9"}, body=ANSWERED)
END = _CONTENT % '{"index": 0, "delta": {}, "finish_reason": "stop"}' + "data: [DONE]\n\n"
SAID = Saying(200, headers={"content-type": "text/event-stream"}, body=(_BEGUN + END).encode())


class Slow(Parrot):
    """A parrot that takes its time."""

    seconds = 0.0

    def _answer(self, asked: BaseHTTPRequestHandler, body: bytes) -> Told:
        told = super()._answer(asked, body)
        time.sleep(self.seconds)
        return told


@pytest.fixture
def parrots(no_certificates: None) -> Iterator[tuple[Slow, Slow]]:
    with ExitStack() as stack:
        yield stack.enter_context(Slow()), stack.enter_context(Slow())


def client_of(kind: str, parrots: tuple[Slow, Slow], **more: Any) -> Any:
    """A client whose chain is a proxy and then OpenAI, each played by a parrot."""
    urls: Mapping[str, str] = {"litellm": parrots[0].url, "openai": parrots[1].url}
    settings = settings_at(lambda role: urls.get(role, parrots[1].url), **more)
    return made(kind, settings.model_copy(update={"chain": ("litellm/chat", "openai/chat")}))


def answered(client: Any, *, stream: bool) -> tuple[list[Any], Route]:
    """Call once; what came, in parts, and the route at its end."""
    if isinstance(client, ChatClient):
        answer = chat(client, stream=stream)
        return (list(answer) if stream else [answer]), route_of(answer)

    async def whole() -> tuple[list[Any], Route]:
        async with client:
            answer = await chat(client, stream=stream)
            return ([part async for part in answer] if stream else [answer]), route_of(answer)

    return asyncio.run(whole())


def heard_secrets(parrot: Parrot) -> bool:
    """Whether a parrot had something to repeat."""
    return bool(KEYS.found_in(parrot.heard[0].everything)) and bool(WORDS.found_in(parrot.heard[0].body))


def outcomes(route: Route) -> list[str]:
    return [attempt.outcome for attempt in route.attempts]


def nothing_kept(client: Any, parts: list[Any], route: Route, heap: remains.Heap) -> None:
    """What holds of an answer: no key in anything, no prompt but in what the model said."""
    kept = "\n".join([str(route), *remains.shown(route), remains.of_client(client), heap.of(*OURS)])
    assert nothing_of(KEYS, kept + "".join(map(remains.of_answer, parts)))
    assert nothing_of(WORDS, kept)


# --- hedged


@KINDS
@APIS
@STREAMS
@pytest.mark.parametrize("saying", [BROKE, REFUSED], ids=["broke", "refused"])
def test_where_both_hops_of_a_race_repeat_everything_nothing_gets_into_the_error(
    kind: str, call: Any, stream: bool, saying: Saying, parrots: tuple[Slow, Slow]
) -> None:
    first, second = parrots
    first.seconds, second.seconds = SLOW, SLOW
    first.saying = second.saying = saying
    client = client_of(kind, parrots, hedge_after=HEDGE, deadline=1.0)
    with remains.listening() as heap:
        error = failed(client, lambda it: call(it, stream=stream))

    assert isinstance(error, errors.CallError)
    assert len(first.heard) == len(second.heard) == 1
    assert heard_secrets(first)
    assert heard_secrets(second)
    check(error, client, heap)


@KINDS
@STREAMS
def test_what_the_loser_of_a_race_repeated_is_in_nothing_that_the_winner_brings(
    kind: str, stream: bool, parrots: tuple[Slow, Slow]
) -> None:
    first, second = parrots
    first.seconds, second.seconds = 2 * SLOW, 0.0
    first.saying, second.saying = SAID if stream else WELL, BROKE
    client = client_of(kind, parrots, hedge_after=HEDGE)
    with remains.listening() as heap:
        parts, route = answered(client, stream=stream)

    assert heard_secrets(second)
    assert outcomes(route) == ["overload", "ok"]
    nothing_kept(client, parts, route, heap)


# --- held back, and restarted


@KINDS
@pytest.mark.parametrize("recovery", ["buffer", "restart"])
def test_a_stream_that_breaks_and_is_asked_for_anew_leaves_nothing_in_the_error(
    kind: str, recovery: str, parrots: tuple[Slow, Slow]
) -> None:
    first, second = parrots
    first.saying, second.saying = INTERRUPTED.saying, BROKE
    client = client_of(kind, parrots, stream_recovery=recovery, deadline=1.0)
    with remains.listening() as heap:
        error = failed(client, lambda it: chat(it, stream=True))

    assert heard_secrets(first)
    assert heard_secrets(second)
    assert outcomes(error.route)[:2] == ["server_error", "overload"]
    check(error, client, heap)


@KINDS
@pytest.mark.parametrize("recovery", ["buffer", "restart"])
def test_nor_in_the_answer_that_another_hop_gives(kind: str, recovery: str, parrots: tuple[Slow, Slow]) -> None:
    first, second = parrots
    first.saying, second.saying = INTERRUPTED.saying, SAID
    client = client_of(kind, parrots, stream_recovery=recovery)
    with remains.listening() as heap:
        parts, route = answered(client, stream=True)

    assert heard_secrets(first)
    assert outcomes(route) == ["server_error", "ok"]
    nothing_kept(client, parts, route, heap)
