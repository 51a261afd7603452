"""A golden stream of each format, cut at every byte: a success only where the terminal event is whole.  Counts them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from golden_streams import ARGUMENTS, GOLDEN, TEXT, THOUGHT, whole_at
from raw_server import Raw, chained, serving

from chatsheet_llm import AsyncChatClient, ChatClient, InvalidAnswerError, StreamInterrupted
from chatsheet_llm.domains import Domains
from chatsheet_llm.formats import STREAMS
from chatsheet_llm.formats.sse import DONE, Decoder, encoded
from chatsheet_llm.relay import HopFault, Relay
from chatsheet_llm.route import Mode

MODES: tuple[Mode, ...] = ("chat", "responses", "messages")
CALLERS: tuple[Mode, ...] = ("chat", "responses")
EACH = pytest.mark.parametrize(("mode", "caller"), [(mode, caller) for mode in MODES for caller in CALLERS])
HEADERS = {"content-type": "text/event-stream"}
STEP = 7
"""Every so many bytes a cut over real sockets."""


@dataclass
class Told:
    """What a caller was given."""

    thought: str = ""
    text: str = ""
    arguments: str = ""
    ended: bool = False

    @property
    def is_a_beginning(self) -> bool:
        parts = ((self.thought, THOUGHT), (self.text, TEXT), (self.arguments, ARGUMENTS))
        return all(whole.startswith(part) for part, whole in parts)

    @property
    def is_all(self) -> bool:
        return (self.thought, self.text, self.arguments, self.ended) == (THOUGHT, TEXT, ARGUMENTS, True)


def told(caller: Mode, events: list[dict[str, Any]]) -> Told:
    """What these events say."""
    made = Told()
    for event in events:
        if caller == "responses":
            said = event.get("delta", "")
            made.thought += said if "reasoning" in event["type"] and isinstance(said, str) else ""
            made.text += said if event["type"] == "response.output_text.delta" else ""
            made.arguments += said if event["type"] == "response.function_call_arguments.delta" else ""
            made.ended |= event["type"] == "response.completed"
            continue
        for choice in event["choices"]:
            delta = choice.get("delta") or {}
            made.thought += delta.get("reasoning_content") or ""
            made.text += delta.get("content") or ""
            for call in delta.get("tool_calls") or []:
                made.arguments += call["function"].get("arguments") or ""
            made.ended |= choice.get("finish_reason") is not None
    return made


def decoded(given: bytes) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in Decoder().feed(given) if event.data != DONE]


def cut(mode: Mode, caller: Mode, at: int, size: int) -> tuple[bytes, str | None, bool]:
    """What a caller is given of a stream that ends there and comes in such pieces, the fault, and the commit."""
    relay = Relay(mode, caller, HEADERS, None if mode == caller else STREAMS[mode, caller](True))
    raw, given = GOLDEN[mode][:at], b""
    try:
        for begin in range(0, at, size):
            given += encoded(relay.feed(raw[begin : min(begin + size, at)]))
            relay.settle()
        given += encoded(relay.end())
    except HopFault as fault:
        return given, fault.failure.fault, relay.committed
    return given, None, relay.committed


@pytest.mark.parametrize(
    ("mode", "caller", "size"),
    [
        *((mode, caller, 1 << 20) for mode in MODES for caller in CALLERS),
        *((mode, mode, 97) for mode in CALLERS),
        ("messages", "chat", 97),
    ],
)
def test_a_cut_at_every_byte_is_a_success_only_behind_the_terminal_event(
    mode: Mode, caller: Mode, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, wrong, successes = whole_at(mode), [], 0
    for at in range(len(GOLDEN[mode]) + 1):
        given, fault, committed = cut(mode, caller, at, size)
        said = told(caller, decoded(given))
        as_it_should = (
            said.is_all and given.endswith(b"[DONE]\n\n") == (caller == "chat")
            if at >= whole
            else fault == "truncated"
            and said.is_a_beginning
            and not said.ended
            and DONE.encode() not in given
            and committed >= bool(said.text)
        )
        if (fault is None) != (at >= whole) or not as_it_should:
            wrong.append(at)
        successes += fault is None
    with capsys.disabled():
        print(f" [{mode} to {caller}: {len(GOLDEN[mode]) + 1} cuts, {successes} successes]", end="")

    assert wrong == []
    assert 0 < successes < len(GOLDEN[mode]) - whole + 2


def outcomes(mode: Mode, caller: Mode, offsets: range, ask: Callable[[Any], Iterator[object]]) -> list[int]:
    """The cuts over real sockets that did not end as they must."""
    wrong = []
    with serving(answer=lambda number: Raw(GOLDEN[mode][: offsets[number]])) as server:
        client = ChatClient(**chained(server.url, mode))
        for at in offsets:
            client._core.domains = Domains()
            given: list[Any] = []
            error: Exception | None = None
            try:
                given.extend(ask(client))
            except (StreamInterrupted, InvalidAnswerError) as caught:
                error = caught
            if not as_promised(mode, caller, at, given, error):
                wrong.append(at)
        client.close()
    return wrong


def as_promised(mode: Mode, caller: Mode, at: int, given: list[Any], error: Exception | None) -> bool:
    said = told(caller, [event.model_dump(mode="json", warnings=False) for event in given])
    if at >= whole_at(mode):
        return error is None and said.is_all
    partial = error.partial if isinstance(error, StreamInterrupted) else ""
    return error is not None and said.is_a_beginning and not said.ended and partial == said.text


def chat(client: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True)


def responses(client: Any) -> Any:
    return client.responses.create(model="m", input="x", stream=True)


ASK: dict[Mode, Callable[[Any], Any]] = {"chat": chat, "responses": responses}


@EACH
def test_so_it_is_over_real_sockets(mode: Mode, caller: Mode, capsys: pytest.CaptureFixture[str]) -> None:
    offsets = range(0, len(GOLDEN[mode]) + 1, STEP if caller == "chat" else 3 * STEP)
    wrong = outcomes(mode, caller, offsets, ASK[caller])
    with capsys.disabled():
        print(f" [{mode} to {caller}: {len(offsets)} cuts over sockets]", end="")

    assert wrong == []


@pytest.mark.parametrize("mode", MODES)
def test_so_it_is_for_the_asynchronous_client(mode: Mode) -> None:
    offsets = range(0, len(GOLDEN[mode]) + 1, STEP * 3)

    async def calls(url: str) -> list[int]:
        wrong = []
        async with AsyncChatClient(**chained(url, mode)) as client:
            for at in offsets:
                client._core.domains = Domains()
                given: list[Any] = []
                error: Exception | None = None
                try:
                    given += [event async for event in await chat(client)]
                except StreamInterrupted as caught:
                    # What came before it is in the error.
                    error = caught
                except InvalidAnswerError as caught:
                    error = caught
                fits = (error is None) == (at >= whole_at(mode)) and (not given or told_of(given).is_all)
                if not fits or (isinstance(error, StreamInterrupted) and not TEXT.startswith(error.partial)):
                    wrong.append(at)
        return wrong

    def told_of(given: list[Any]) -> Told:
        return told("chat", [event.model_dump(mode="json", warnings=False) for event in given])

    with serving(answer=lambda number: Raw(GOLDEN[mode][: offsets[number]])) as server:
        assert asyncio.run(calls(server.url)) == []
