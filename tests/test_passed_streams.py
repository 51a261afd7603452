"""Streams of requests that are passed through: legacy completions, and a response that is read again."""

from __future__ import annotations

import time
from typing import Any

import pytest
from golden_streams import GOLDEN, RESPONSES, TEXT, Json, sse
from raw_server import Raw, chained, serving

from chatsheet_llm import AsyncChatClient, ChatClient, errors, route_of
from chatsheet_llm.formats.watch import CompletionsWatch, ResponsesWatch


def piece(text: str = "", finish: object = None, index: int = 0) -> Json:
    choice = {"index": index, "text": text, "finish_reason": finish, "logprobs": None}
    return {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}


SAID = (piece("Hello"), piece(" there"))
WHOLE = (*SAID, piece("", "stop"), {**piece(), "choices": [], "usage": None}, "[DONE]")


def complete(client: Any, **more: object) -> Any:
    return client.completions.create(model="m", prompt="x", stream=True, **more)


def retrieve(client: Any) -> Any:
    return client.responses.retrieve("resp_1", stream=True)


def read(raw: Raw, call: Any, **more: object) -> tuple[list[Any], Any]:
    """All that a caller is given, and the route."""
    with serving(raw) as server, ChatClient(**chained(server.url, "chat", **more)) as client:
        client = client.with_chain("first")
        stream = call(client)
        return list(stream), route_of(stream)


def text_of(given: list[Any]) -> str:
    return "".join(choice.text for part in given for choice in part.choices)


# --- legacy completions


def test_a_whole_stream_of_completions_is_handed_on_as_it_is() -> None:
    given, route = read(Raw(sse(*WHOLE)), complete)

    assert [part.to_dict() for part in given] == list(WHOLE[:-1])
    assert (route.hop, route.attempts[0].outcome) == ("first", "ok")


CUTS = [(sse(*SAID), "cut"), (sse(*SAID, "[DONE]"), "the marker alone"), (sse(*SAID, piece("", 1)), "an odd reason")]


@pytest.mark.parametrize("stream", [cut for cut, _ in CUTS], ids=[name for _, name in CUTS])
def test_one_that_is_cut_is_no_success(stream: bytes) -> None:
    given: list[Any] = []
    with serving(Raw(stream)) as server, ChatClient(**chained(server.url, "chat")) as client:
        stream = complete(client.with_chain("first"))
        with pytest.raises(errors.StreamTruncated) as caught:
            given.extend(stream)

    assert caught.value.partial == text_of(given) == "Hello there"


def test_one_that_is_cut_before_it_says_anything_fails_at_once() -> None:
    with pytest.raises(errors.InvalidAnswerError) as caught:
        read(Raw(sse(piece())), complete)

    assert [attempt.outcome for attempt in caught.value.route.attempts] == ["truncated"]


def test_an_error_within_it_is_raised_as_what_it_says() -> None:
    with pytest.raises(errors.RateLimitedError):
        read(Raw(sse({"error": {"message": "slow", "code": "rate_limit_exceeded"}})), complete)


def test_every_answer_must_have_ended() -> None:
    watch = CompletionsWatch(2)
    for event in (piece("a"), piece("b", index=1), piece("", "stop")):
        watch.see(event)
    half = watch.whole
    watch.done()
    after = watch.whole
    watch.see(piece("", "length", 1))

    assert (half, after, watch.whole) == (False, False, True)
    assert watch.text == ["a"]


@pytest.mark.parametrize("event", [{}, {"choices": None}, {"choices": [None, 3]}, {"choices": "odd"}], ids=str)
def test_odd_shapes_say_nothing(event: Json) -> None:
    watch = CompletionsWatch()

    assert (watch.see(event), watch.whole) == ("preamble", False)


# --- a response that is read again


def test_a_stored_response_is_streamed_as_it_is() -> None:
    given, route = read(Raw(GOLDEN["responses"]), retrieve)

    assert [event.to_dict() for event in given] == list(RESPONSES)
    assert route.hop == "first"


def test_one_that_is_taken_up_in_its_middle_too() -> None:
    given, _ = read(Raw(sse(*RESPONSES[10:], named=True)), retrieve)

    assert [event.sequence_number for event in given] == list(range(10, len(RESPONSES)))


@pytest.mark.parametrize("at", [1, 9, len(RESPONSES) - 1])
def test_one_that_is_cut_says_so(at: int) -> None:
    given: list[Any] = []
    raw = Raw(sse(*RESPONSES[:at], named=True))
    with serving(raw) as server, ChatClient(**chained(server.url, "chat")) as client:
        stream = retrieve(client.with_chain("first"))
        with pytest.raises(errors.StreamTruncated) as caught:
            given.extend(stream)

    assert len(given) == at
    assert TEXT.startswith(caught.value.partial)


async def test_one_that_is_cut_says_so_asynchronously() -> None:
    with serving(Raw(sse(*RESPONSES[:9], named=True))) as server:
        async with AsyncChatClient(**chained(server.url, "chat")) as client:
            stream = await retrieve(client.with_chain("first"))
            with pytest.raises(errors.StreamTruncated):
                _ = [event async for event in stream]


def test_a_response_that_failed_is_what_was_asked_for() -> None:
    failed: Json = {
        "type": "response.failed",
        "sequence_number": 1,
        "response": {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "x"}},
    }
    given, route = read(Raw(sse(RESPONSES[0], failed, named=True)), retrieve)

    assert [event.type for event in given] == ["response.created", "response.failed"]
    assert route.hop == "first"


def test_a_response_that_is_still_at_work_may_be_silent_for_longer_than_a_stream() -> None:
    words = [sse(RESPONSES[0], named=True), 0.6, sse(*RESPONSES[1:], named=True)]
    began = time.monotonic()
    given, _ = read(Raw(words), retrieve, idle_timeout=0.2)

    assert len(given) == len(RESPONSES)
    assert time.monotonic() - began >= 0.6


def test_its_first_event_is_handed_on_at_once() -> None:
    watch = ResponsesWatch(stored=True)

    assert watch.see(RESPONSES[0]) == "content"
    assert watch.see({"type": "error", "code": "x"}) == "error"
    assert not watch.whole
