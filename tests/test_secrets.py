"""Keys and prompts in nothing that a program could store of a call: objects, errors, logs, pickles, tracebacks.

A provider that repeats all it was told, over real sockets, is the one who brings most of the faults about.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_args

import httpx2
import pytest
import remains
from parrot import Parrot, Saying
from secret_calls import (
    CALLS,
    CLAUDE,
    ENDPOINTS,
    INTERRUPTED,
    KEYS,
    MODEL,
    OTHERS,
    REPLIES,
    WORDS,
    chat,
    done,
    made,
    open_sandbox,
    settings_at,
)
from secret_checks import check, failed, nothing_of

from chatsheet_llm import errors
from chatsheet_llm.faults import FAULTS, Kind
from chatsheet_llm.sandbox import Sandbox

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with open_sandbox() as box:
        yield box


# --- the search itself


def test_the_search_finds_what_it_looks_for_in_an_error_and_its_frames() -> None:
    def fail(headers: dict[str, str], request: httpx2.Request) -> None:
        raise ValueError(KEYS.places["openai key"])

    try:
        fail(
            {"a": KEYS.places["litellm key"]}, httpx2.Request("GET", "http://x", headers={"k": KEYS.places["APIM key"]})
        )
    except ValueError as error:
        caught = error

    assert KEYS.found_in(remains.of_error(caught)) == ["openai key"]
    assert KEYS.found_in("\n".join(remains.shown([{"a": (KEYS.places["azure key"],)}]))) == ["azure key"]
    assert KEYS.found_in("\n".join(remains.shown(httpx2.Headers({"k": KEYS.places["azure key"]})))) == ["azure key"]


# --- calls that are answered


def _called(call: Callable[[Any, str], Any], model: str, client: Any) -> Any:
    return call(client, model)


@KINDS
@pytest.mark.parametrize("name", list(ENDPOINTS))
def test_an_answered_call_leaves_no_key_anywhere_and_no_prompt_but_in_the_answer(
    kind: str, name: str, box: Sandbox
) -> None:
    client = made(kind, settings_at(box.url, name))
    with remains.listening() as heap:
        answers = done(client, *(partial(_called, call, MODEL[name]) for call in CALLS.values()))
        plan = client.plan(model=MODEL[name], messages=[{"role": "user", "content": WORDS.places["prompt"]}])
    kept = [
        *map(remains.of_route, answers),
        remains.of_client(client),
        str(plan),
        repr(plan),
        heap.of("chatsheet_llm", "warnings"),
    ]

    assert len(box.requests) == len(CALLS)
    assert KEYS.found_in(str([request.headers for request in box.requests])) != []
    assert nothing_of(KEYS, "\n".join([*map(remains.of_answer, answers), *kept]))
    assert nothing_of(WORDS, "\n".join(kept))


@KINDS
@pytest.mark.parametrize("call", list(OTHERS))
def test_other_requests_leave_nothing_either(kind: str, call: str, box: Sandbox) -> None:
    client = made(kind, settings_at(box.url, "openai"))
    with remains.listening() as heap, contextlib.suppress(errors.CallError):
        (answer,) = done(client, lambda it: OTHERS[call](it, "gpt-4.1"))
        assert nothing_of(KEYS, remains.of_answer(answer) + remains.of_route(answer))

    assert len(box.requests) == 1
    assert nothing_of(KEYS, heap.of() + remains.of_client(client))
    assert nothing_of(WORDS, heap.of() + remains.of_client(client))


SDKS = ("openai", "anthropic", "httpx2", "httpcore2")


@KINDS
@pytest.mark.parametrize("name", list(ENDPOINTS))
def test_at_level_debug_the_sdks_log_the_calls_but_no_key_and_no_prompt(kind: str, name: str, box: Sandbox) -> None:
    with remains.listening() as heap:
        client = made(kind, settings_at(box.url, name))
        done(client, *(partial(_called, call, MODEL[name]) for call in CALLS.values()))

    assert {"anthropic" if name in CLAUDE else "openai", "httpx2"} <= {
        logger.partition(".")[0] for logger, _ in heap.said
    }
    assert "/messages" in heap.of("anthropic") or name not in CLAUDE
    assert nothing_of(WORDS, heap.of(*SDKS))
    assert nothing_of(KEYS, heap.of(*SDKS))


# --- calls that fail


@KINDS
@pytest.mark.parametrize("fault", list(REPLIES))
def test_a_server_that_repeats_everything_gets_nothing_into_an_error(kind: str, fault: str, parrot: Parrot) -> None:
    parrot.saying = REPLIES[fault].saying
    client = made(kind, settings_at(lambda role: parrot.url, "litellm"))
    with remains.listening() as heap:
        error = failed(client, lambda it: chat(it, stream=REPLIES[fault].stream))

    assert isinstance(error, errors.CallError)
    assert FAULTS[error.route.attempts[0].outcome].kind == FAULTS[fault].kind
    # What comes whole where a stream was asked for is no answer of its format either, and that is found first.
    assert error.route.attempts[0].outcome == ("schema" if fault == "no_stream" else fault)
    assert set(KEYS.found_in(parrot.heard[0].everything)) >= {"litellm key", "configured header"}
    check(error, client, heap)


def test_those_faults_are_of_every_kind_that_a_reply_can_be_of() -> None:
    assert {FAULTS[fault].kind for fault in REPLIES} == set(get_args(Kind)) - {"local", "deadline"}


@KINDS
@pytest.mark.parametrize("name", list(ENDPOINTS))
@pytest.mark.parametrize("call", ["chat", "responses", "responses stream"])
def test_so_it_is_with_every_kind_of_endpoint_and_api(kind: str, name: str, call: str, parrot: Parrot) -> None:
    parrot.saying = Saying(400, {"code": "invalid_value"})
    client = made(kind, settings_at(lambda role: parrot.url, name))
    with remains.listening() as heap:
        error = failed(client, lambda it: CALLS[call](it, MODEL[name]))

    assert KEYS.found_in(parrot.heard[0].everything) != []
    assert WORDS.found_in(parrot.heard[0].body) != []
    check(error, client, heap)


@KINDS
@pytest.mark.parametrize(
    "fault", ["cut:1", "rst:1", "stall:1", "event-error:server_error@1", "reset", "reset-after-headers", "stall"]
)
def test_a_stream_or_a_connection_that_breaks_leaves_nothing(kind: str, fault: str, box: Sandbox) -> None:
    box.inject("litellm", fault)
    client = made(kind, settings_at(box.url, "litellm", deadline=0.5, idle_timeout=0.2))
    with remains.listening() as heap:
        error = failed(client, lambda it: chat(it, stream=True))

    assert len(box.requests) == 1
    check(error, client, heap)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_behind_a_closed_breaker_does_not_tell_what_another_call_said(stream: bool, parrot: Parrot) -> None:
    parrot.saying = Saying(429, {"type": "requests"}, headers={"retry-after": "60"})
    with made("sync", settings_at(lambda role: parrot.url, "litellm")) as client:
        failed(client, lambda it: chat(it, stream=stream))
        later = failed(client, lambda it: it.embeddings.create(model="gpt-4.1", input="Hi"))

    assert len(parrot.heard) == 1
    assert nothing_of(WORDS, remains.of_error(later))


@KINDS
def test_an_error_event_that_repeats_everything_behind_content_gets_nothing_into_the_error(
    kind: str, parrot: Parrot
) -> None:
    parrot.saying = INTERRUPTED.saying
    client = made(kind, settings_at(lambda role: parrot.url, "litellm"))
    with remains.listening() as heap:
        error = failed(client, lambda it: chat(it, stream=True))

    assert isinstance(error, errors.StreamInterrupted)
    assert error.partial == "Once upon"
    check(error, client, heap)
