"""Behind the last word of a stream: what breaks or lingers there costs a connection and nothing else."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from client_cases import hello, text_of
from test_streams import CHAT, MESSAGES, RESPONSES, TEXT, Json, chunk, sse

from chatsheet_llm import AsyncChatClient, ChatClient, Settings, errors, route_of, streams
from chatsheet_llm.formats import STREAMS as BRIDGES
from chatsheet_llm.formats.sse import Decoder, encoded
from chatsheet_llm.route import Loss, Mode

STREAMS: dict[Mode, bytes] = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
WITHOUT_DONE = CHAT.replace(b"data: [DONE]\n\n", b"")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LINGERS = 20.0


@contextmanager
def server(stream: bytes, ending: str) -> Iterator[str]:
    """Answer one request with a stream, then reset the connection or leave it open."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(65536)
            connection.sendall(HEAD + b"%x\r\n%s\r\n" % (len(stream), stream))
            if ending == "reset":
                # So that the bytes are read before the reset comes.
                time.sleep(0.1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                over.wait(LINGERS)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join(5)
        listener.close()


def chain_for(mode: str, url: str) -> tuple[Settings, str]:
    """Settings and the hop for a server that speaks one API."""
    if mode == "messages":
        return Settings(_env_file=None, anthropic_base_url=url, anthropic_api_key="k"), "anthropic"
    return Settings(_env_file=None, openai_base_url=f"{url}/v1", openai_api_key="k"), f"openai/{mode}"


CASES = [*STREAMS.items(), ("chat", WITHOUT_DONE)]
endings = pytest.mark.parametrize("ending", ["reset", "linger"])
every_case = pytest.mark.parametrize(("mode", "stream"), CASES, ids=[*STREAMS, "chat without DONE"])


@endings
@every_case
def test_a_whole_answer_is_a_success_whatever_comes_of_its_connection(
    mode: str, stream: bytes, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LINGER", 0.3)
    with server(stream, ending) as url:
        settings, hop = chain_for(mode, url)
        with ChatClient(settings, chain=[hop]) as client:
            given = hello(client, model="m", stream=True)
            began = time.monotonic()
            chunks = list(given)
            took = time.monotonic() - began
            again = client.health()

    assert text_of(chunks) == TEXT
    assert chunks[-1].choices == [] or chunks[-1].choices[0].finish_reason == "stop"
    assert route_of(given).hop is not None
    assert took < LINGERS / 4
    assert {each.state for each in again} == {"closed"}


@endings
def test_the_asynchronous_client_does_the_same(ending: str) -> None:
    async def call(url: str) -> str:
        settings, hop = chain_for("chat", url)
        async with AsyncChatClient(settings, chain=[hop]) as client:
            return text_of([chunk async for chunk in await hello(client, model="m", stream=True)])

    with server(CHAT, ending) as url:
        assert asyncio.run(call(url)) == TEXT


def test_a_reset_before_the_last_word_is_an_interruption() -> None:
    half = CHAT[: CHAT.index(b'"stop"')]
    with server(half[: half.rindex(b"\n\n") + 2], "reset") as url:
        settings, hop = chain_for("chat", url)
        with ChatClient(settings, chain=[hop]) as client, pytest.raises(errors.StreamInterrupted):
            list(hello(client, model="m", stream=True))


def test_what_comes_behind_the_last_word_is_not_read() -> None:
    made = streams.Relay("chat", "chat", {}, None)
    given = made.feed(CHAT + b"data: {broken\n\n")
    made.settle()

    assert made.finished
    assert encoded(given + made.end()).count(b"[DONE]") == 1


def test_a_choice_that_has_only_begun_keeps_a_stream_open() -> None:
    begun = b"".join(
        b'data: {"choices": [{"index": %d, "delta": {"role": "assistant"}}]}\n\n' % index for index in (0, 1)
    )
    made = streams.Relay("chat", "chat", {}, None)
    made.feed(begun + b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n')

    with pytest.raises(streams.HopFault):
        made.end()


ODD: list[tuple[Mode, Json, str]] = [
    ("chat", {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": ["stop"]}]}, "truncated"),
    ("chat", {"choices": [{"index": [1], "delta": {"content": "x"}}]}, "truncated"),
    ("chat", {"type": ["x"]}, "truncated"),
    ("responses", {"type": "response.output_text.delta", "output_index": [1], "delta": "x"}, "bad_event"),
    ("responses", {"type": ["x"]}, "truncated"),
    ("messages", {"type": ["x"]}, "bad_event"),
    ("messages", {"type": "content_block_delta", "index": {"a": 1}, "delta": {"type": ["text"]}}, "bad_event"),
]
CALLED = [(mode, caller, odd, fault) for mode, odd, fault in ODD for caller in STREAMS if caller != mode]


def read(made: streams.Relay, *events: Json) -> None:
    made.feed(sse(*events))
    made.settle()
    made.end()


def fault_of(made: streams.Relay, *events: Json) -> str:
    """The fault that a stream of these events ends with."""
    with pytest.raises(streams.HopFault) as raised:
        read(made, *events)
    return raised.value.failure.fault


@pytest.mark.parametrize(("mode", "caller", "odd", "fault"), CALLED, ids=str)
def test_a_shape_that_nobody_foresaw_is_the_hop_s_fault(mode: Mode, caller: Mode, odd: Json, fault: str) -> None:
    assert fault_of(streams.Relay(mode, caller, {}, BRIDGES[mode, caller](True)), odd) == fault


@pytest.mark.parametrize("caller", STREAMS)
def test_the_last_word_of_a_message_that_never_began_is_no_answer(caller: Mode) -> None:
    bridge = None if caller == "messages" else BRIDGES["messages", caller](True)
    made = streams.Relay("messages", caller, {}, bridge)

    assert fault_of(made, {"type": "message_stop"}) == "truncated"
    assert not made.committed


class Gap:
    """A bridge that did not foresee something: stands for the one that nobody has found yet."""

    def __init__(self, error: Exception, at: str = "feed") -> None:
        self.losses: list[Loss] = []
        self._error, self._at = error, at

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        if self._at == "feed":
            raise self._error
        return []

    def end(self) -> list[dict[str, object]]:
        raise self._error


@pytest.mark.parametrize("at", ["feed", "end"])
@pytest.mark.parametrize("error", [TypeError("secret words"), KeyError("secret words")], ids=repr)
def test_what_no_bridge_foresaw_is_the_hop_s_fault_and_logged_once_without_content(
    error: Exception, at: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "chatsheet_llm"):
        fault = fault_of(streams.Relay("chat", "responses", {}, Gap(error, at)), chunk({"content": "x"}, "stop"))

    assert fault == "bad_event"
    [record] = caplog.records
    assert (record.name, record.levelno, record.exc_info) == ("chatsheet_llm", logging.ERROR, None)
    assert re.search(rf"{type(error).__name__} raised at chatsheet_llm/relay\.py:\d+$", record.getMessage())
    assert "secret" not in caplog.text


def test_a_shape_that_a_bridge_refuses_is_logged_where_it_was_but_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "chatsheet_llm"):
        fault_of(streams.Relay("messages", "chat", {}, BRIDGES["messages", "chat"](True)), {"type": ["secret"]})

    [record] = caplog.records
    assert record.levelno < logging.INFO
    assert re.search(r"FormatError raised at chatsheet_llm/formats/errors\.py:\d+$", record.getMessage())
    assert "secret" not in caplog.text


class Unwritable(Gap):
    """A bridge that makes what no JSON is."""

    def feed(self, event: Mapping[str, object]) -> list[dict[str, object]]:
        return [{"type": "x", "odd": {"secret"}}]


def test_the_place_of_an_error_is_a_line_of_ours_even_where_the_standard_library_raised_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "chatsheet_llm"):
        fault_of(streams.Relay("chat", "responses", {}, Unwritable(KeyError())), chunk({"content": "x"}, "stop"))

    [record] = caplog.records
    assert re.search(r"TypeError raised at chatsheet_llm/formats/sse\.py:\d+$", record.getMessage())


def test_the_pieces_of_a_long_event_are_joined_once() -> None:
    decoder = Decoder()
    for _ in range(100):
        decoder.feed(b"data: x"[:7])

    assert len(decoder._pieces) == 100
    assert [event.data for event in decoder.feed(b"\n\n")] == ["x" + "data: x" * 99]
    assert not decoder.half


def test_a_stream_of_several_answers_is_whole_when_all_have_ended() -> None:
    first = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'
    made = streams.Relay("chat", "chat", {}, None, choices=2)
    made.feed(first)

    assert not made.whole
    made.feed(first.replace(b'"index": 0', b'"index": 1'))
    assert made.whole
