"""Every way in which a stream goes wrong, over real sockets, in all three formats: before the first content and behind.

Before it the next hop answers; behind it the caller gets what was said and the reason.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from golden_streams import ARGUMENTS, EVENTS, GOLDEN, TEXT, Json, chunk, sse
from raw_server import Ending, Raw, chained, serving

from chatsheet_llm import AsyncChatClient, ChatClient, StreamInterrupted, errors, route_of
from chatsheet_llm.route import Mode

MODES: tuple[Mode, ...] = ("chat", "responses", "messages")
SECOND = sse(chunk({"content": "second"}), chunk({}, "stop"), "[DONE]")


def named(*events: Json | str) -> bytes:
    return sse(*events, named=True)


def opening(mode: Mode) -> bytes:
    """What stands before the first content."""
    count = {"chat": 1, "responses": 1, "messages": 2}[mode]
    return sse(*EVENTS[mode][:count], named=mode != "chat")


def said(mode: Mode) -> bytes:
    """A stream up to its first piece of text, that included."""
    place = {"chat": 3, "responses": 9, "messages": 8}[mode]
    return sse(*EVENTS[mode][:place], named=mode != "chat")


PARTIAL = "Grüße 😀,"


@dataclass(frozen=True)
class Row:
    """What comes behind the part that was well, and how it ends; the fault it is, and that with content before it."""

    name: str
    modes: tuple[Mode, ...]
    rest: Mapping[Mode, bytes] | bytes
    fault: str
    ending: Ending = "end"
    headers: tuple[tuple[str, str], ...] = ()

    def bytes_of(self, mode: Mode) -> bytes:
        return self.rest if isinstance(self.rest, bytes) else self.rest[mode]


ERROR = {"message": "gone", "type": "server_error", "code": "server_error"}
LIMIT = {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
FAILED: Json = {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "error": None}}
ROWS: tuple[Row, ...] = (
    Row("39 cut within an event", MODES, b'data: {"type"', "truncated"),
    Row("41 no terminal event", MODES, b"", "truncated"),
    Row("41 the marker alone", MODES, b"data: [DONE]\n\n", "truncated"),
    Row(
        "42 no blank line behind the last event",
        MODES,
        {
            "chat": sse(EVENTS["chat"][7])[:-1],
            "responses": named(EVENTS["responses"][-1])[:-1],
            "messages": named(*EVENTS["messages"][-2:])[:-1],
        },
        "truncated",
    ),
    Row("43 reset", MODES, b"", "reset", "reset"),
    Row("43 closed", MODES, b"", "reset", "close"),
    Row("43 silence", MODES, b"", "read_timeout", "linger"),
    Row("44 no JSON", MODES, b"data: {broken\n\n", "bad_event"),
    Row("44 no UTF-8", MODES, b'data: {"a": "\xff\xfe"}\n\n', "bad_event"),
    Row("44 null", MODES, b"data: null\n\n", "bad_event"),
    Row("45 an error in its wrapper", ("chat",), sse({"error": ERROR}), "server_error"),
    Row("45 an error in its wrapper", ("messages",), named({"type": "error", "error": ERROR}), "server_error"),
    Row("46 a flat error", ("responses",), named({**ERROR, "type": "error"}), "server_error"),
    Row(
        "47 a failure that says why",
        ("responses",),
        named({"type": "response.failed", "response": {"error": ERROR}}),
        "server_error",
    ),
    Row("48 a failure, then why", ("responses",), named(FAILED, {"type": "error", "error": LIMIT}), "rate"),
    Row("48 a failure that never says why", ("responses",), named(FAILED), "stream_error"),
    Row("48 a failure, with a hint", ("responses",), named(FAILED), "rate", headers=(("retry-after", "7"),)),
    Row("48 a failure, and nobody hangs up", ("responses",), named(FAILED), "stream_error", "linger"),
    Row("50 a limit within a 200", ("chat",), sse({"error": LIMIT}), "rate"),
    Row("50 a limit within a 200", ("messages",), named({"type": "error", "error": LIMIT}), "rate"),
    Row(
        "50 overload within a 200",
        ("messages",),
        named({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
        "overload",
    ),
    Row(
        "53 a number is missing",
        ("responses",),
        named({"type": "response.output_text.delta", "delta": "!", "sequence_number": 77}),
        "sequence",
    ),
    Row("55 an unknown event, and no end", MODES, named({"type": "news"}), "truncated"),
)
CASES = [
    pytest.param(row, mode, content, id=f"{row.name}, {mode}, {'behind' if content else 'before'}")
    for row in ROWS
    for mode in row.modes
    for content in (False, True)
]


def hello(client: Any, **more: object) -> Any:
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True, **more)


def text_of(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices or [])


def limits(row: Row) -> dict[str, float]:
    """How long a stream may be silent: for a moment, where that is what goes wrong."""
    return {"idle_timeout": 0.3, "first_token_timeout": 0.4} if row.fault == "read_timeout" else {}


def check(error: StreamInterrupted | None, given: list[Any], route: Any, row: Row, content: bool) -> None:
    first = route.attempts[0]

    assert first.outcome == row.fault
    if not content:
        assert error is None
        assert text_of(given) == "second"
        assert [attempt.hop for attempt in route.attempts[1:]] == ["second/chat"]
        return
    assert isinstance(error, StreamInterrupted)
    assert isinstance(error, errors.StreamTruncated) == (row.fault == "truncated")
    assert error.partial == text_of(given) == PARTIAL
    assert (first.send_state, len(route.attempts)) == ("committed", 1)


@pytest.mark.parametrize(("row", "mode", "content"), CASES)
def test_a_stream_that_goes_wrong(row: Row, mode: Mode, content: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatsheet_llm.streams.LINGER", 0.3)
    body = (said(mode) if content else opening(mode)) + row.bytes_of(mode)
    raw = Raw(body, headers=row.headers, ending=row.ending)
    with serving(raw) as first, serving(Raw(SECOND)) as second:
        given: list[Any] = []
        error = None
        arguments = chained(first.url, mode, second.url, max_retries=0, **limits(row))
        with ChatClient(**arguments) as client:
            stream = hello(client)
            try:
                given.extend(stream)
            except StreamInterrupted as caught:
                error = caught
        check(error, given, error.route if error else route_of(stream), row, content)


ASYNC = [case for case in CASES if case.values[0].name[:2] in ("39", "43", "44", "48", "53")]


@pytest.mark.parametrize(("row", "mode", "content"), ASYNC)
async def test_a_stream_that_goes_wrong_asynchronously(
    row: Row, mode: Mode, content: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatsheet_llm.streams.LINGER", 0.3)
    raw = Raw((said(mode) if content else opening(mode)) + row.bytes_of(mode), headers=row.headers, ending=row.ending)
    with serving(raw) as first, serving(Raw(SECOND)) as second:
        given: list[Any] = []
        error = None
        arguments = chained(first.url, mode, second.url, max_retries=0, **limits(row))
        async with AsyncChatClient(**arguments) as client:
            stream = await hello(client)
            try:
                async for part in stream:
                    given.append(part)
            except StreamInterrupted as caught:
                error = caught
        check(error, given, error.route if error else route_of(stream), row, content)


# --- what is none, or is mended


def answer_of(mode: Mode, *raws: Raw, caller: Mode = "chat", **more: object) -> tuple[list[Any], Any]:
    """All that a caller is given by a hop that answers so, with another behind it; and the route."""
    with (
        serving(*raws) as first,
        serving(Raw(SECOND)) as second,
        ChatClient(**chained(first.url, mode, second.url, max_retries=0)) as client,
    ):
        if caller == "chat":
            stream = hello(client, **more)
        else:
            stream = client.responses.create(model="m", input="x", stream=True, **more)
        return list(stream), route_of(stream)


def test_40_a_stream_without_its_marker_is_whole() -> None:
    given, route = answer_of("chat", Raw(GOLDEN["chat"].replace(b"data: [DONE]\n\n", b"")))

    assert (text_of(given), route.hop) == (TEXT, "first/chat")


def test_49_an_answer_that_was_cut_for_its_length_is_an_answer() -> None:
    end = {"type": "response.incomplete", "sequence_number": 10, "response": {
        "id": "r", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [],
    }}  # fmt: skip
    head = sse(*EVENTS["responses"][:10], named=True)
    given, route = answer_of("responses", Raw(head + named(end)))

    assert given[-1].choices[0].finish_reason == "length"
    assert route.hop == "first/responses"


@pytest.mark.parametrize("mode", ["chat", "responses"])
def test_51_a_refusal_of_the_filter_as_a_single_event_goes_to_nobody_else(mode: Mode) -> None:
    error = {"message": "The response was filtered", "type": "invalid_request_error", "code": "content_filter"}
    event = {"error": error} if mode == "chat" else {**error, "type": "error"}
    with pytest.raises(errors.ContentFilteredError) as caught:
        answer_of(mode, Raw(sse(event)))

    assert len(caught.value.route.attempts) == 1


@pytest.mark.parametrize("caller", ["chat", "responses"])
def test_52_an_event_that_comes_twice_is_handed_on_once_and_counted(
    caller: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    events = EVENTS["responses"]
    twice = [event for event in events[:-1] for _ in range(2)] + [events[-1]]
    with caplog.at_level(logging.INFO, "chatsheet_llm"):
        given, route = answer_of("responses", Raw(named(*twice)), caller=caller)

    assert route.hop == "first/responses"
    if caller == "responses":
        assert [event.sequence_number for event in given] == list(range(len(events)))
    else:
        assert text_of(given) == TEXT
    assert f"a stream held {len(events) - 1} events twice" in caplog.text


def test_54_what_azure_says_beside_the_answer_is_handed_on() -> None:
    notes = (
        {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []},
        chunk({"content": "Hi"}),
        chunk({}, "stop"),
        {"id": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]},
        "[DONE]",
    )
    with serving(Raw(sse(*notes))) as first, ChatClient(**chained(first.url, "chat")) as client:
        given = list(hello(client))

    assert len(given) == len(notes) - 1


@pytest.mark.parametrize(("mode", "caller"), [("responses", "responses"), ("responses", "chat"), ("messages", "chat")])
def test_55_an_event_that_nobody_knows_is_counted_and_harms_nothing(
    mode: Mode, caller: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    first, *rest = EVENTS[mode]
    with caplog.at_level(logging.INFO, "chatsheet_llm"):
        given, route = answer_of(mode, Raw(named(first, {"type": "news"}, *rest)), caller=caller)

    assert route.hop == f"first/{mode}"
    assert given
    assert "and 1 of unknown types" in caplog.text


WHOLE: Mapping[Mode, Json] = {
    "chat": {
        "id": "c", "object": "chat.completion", "created": 1, "model": "served",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5},
    },
    "responses": EVENTS["responses"][-1]["response"],  # type: ignore[index]
    "messages": {
        "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": TEXT}],
        "usage": {"input_tokens": 1, "output_tokens": 4},
    },
}  # fmt: skip
JSON = "application/json"


@pytest.mark.parametrize("kind", [JSON, "text/event-stream", ""])
@pytest.mark.parametrize("mode", MODES)
def test_56_a_whole_answer_that_comes_instead_of_a_stream_is_handed_on_as_one(mode: Mode, kind: str) -> None:
    given, route = answer_of(mode, Raw(json.dumps(WHOLE[mode]).encode(), kind))

    assert (text_of(given), route.hop) == (TEXT, f"first/{mode}")
    assert [choice.finish_reason for part in given for choice in part.choices if choice.finish_reason]


def test_56_so_it_is_for_a_caller_of_responses_and_asynchronously() -> None:
    async def call(url: str) -> list[Any]:
        async with AsyncChatClient(**chained(url, "chat")) as client:
            return [event async for event in await client.responses.create(model="m", input="x", stream=True)]

    # In pieces that cut it anywhere, white space before it.
    body = b" \r\n" + json.dumps(WHOLE["chat"]).encode()
    with serving(Raw([body[at : at + 9] for at in range(0, len(body), 9)], JSON)) as server:
        events = asyncio.run(call(server.url))

    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == TEXT


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"error": LIMIT}, "rate"),
        ({"error": {"message": "x", "code": "server_error"}}, "server_error"),
        ({"id": "x"}, "schema"),
        ([1], "schema"),
        (b'{"id": "x", "choices": [{"ind', "garbage"),
    ],
    ids=str,
)
def test_56_json_that_is_no_answer_is_a_fault_by_what_it_says(body: object, fault: str) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given, route = answer_of("chat", Raw(raw, JSON))

    assert route.attempts[0].outcome == fault
    assert (text_of(given), route.hop) == ("second", "second/chat")


def test_56_a_page_is_no_stream() -> None:
    given, route = answer_of("chat", Raw(b"<!doctype html><p>Sign in", "text/html"))

    assert (text_of(given), route.attempts[0].outcome) == ("second", "html")


CUT = '{"city": "Kö'
HALF_CALLS: Mapping[Mode, bytes] = {
    mode: GOLDEN[mode].replace(
        {
            "chat": '"arguments":"\\"Köln\\"}"',
            "responses": '"delta":"\\"Köln\\"}"',
            "messages": '"partial_json":"\\"Köln\\"}"',
        }[mode].encode(),
        {"chat": '"arguments":"\\"Kö"', "responses": '"delta":"\\"Kö"', "messages": '"partial_json":"\\"Kö"'}[
            mode
        ].encode(),
    )
    .replace(json.dumps(ARGUMENTS, ensure_ascii=False).encode(), json.dumps(CUT, ensure_ascii=False).encode())
    for mode in MODES
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_57_half_a_call_that_is_told_as_whole_never_ends_as_an_answer(mode: Mode) -> None:
    assert HALF_CALLS[mode] != GOLDEN[mode]
    given: list[Any] = []
    with (
        serving(Raw(HALF_CALLS[mode])) as first,
        ChatClient(**chained(first.url, mode)) as client,
        pytest.raises(StreamInterrupted) as caught,
    ):
        given.extend(hello(client))

    assert caught.value.route.attempts[0].outcome == "tool_arguments"
    assert caught.value.partial == TEXT
    assert not [choice.finish_reason for part in given for choice in part.choices if choice.finish_reason]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", ["chat", "responses"])
def test_57_half_a_call_that_nothing_was_told_of_yet_goes_to_the_next_hop(mode: Mode, stream: bool) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": CUT}}
    reply: Json = {**WHOLE[mode]}
    if mode == "chat":
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        reply["choices"] = [{"index": 0, "finish_reason": "tool_calls", "message": message}]
        events = sse(chunk({"tool_calls": [{"index": 0, **call}]}, "tool_calls"), "[DONE]")
    else:
        reply["output"] = [{**reply["output"][2], "arguments": CUT}]
        events = named({"type": "response.completed", "response": reply})
    raw = Raw(events) if stream else Raw(json.dumps(reply).encode(), JSON)
    second = Raw(SECOND) if stream else Raw(json.dumps(WHOLE["chat"]).encode(), JSON)
    asked = [{"role": "user", "content": "x"}]
    with (
        serving(raw) as first,
        serving(second) as other,
        ChatClient(**chained(first.url, mode, other.url)) as client,
    ):
        made = client.chat.completions.create(model="m", messages=asked, stream=stream)
        route = route_of(made)
        if stream:
            made.close()

    assert [attempt.outcome for attempt in route.attempts] == ["tool_arguments", "ok"]
