"""The relay: success only after the terminal event, wherever the bytes are cut and however they are chunked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsheet_llm.formats import STREAMS
from chatsheet_llm.formats.sse import Decoder, Event, encoded
from chatsheet_llm.formats.watch import ResponsesWatch
from chatsheet_llm.relay import HopFault, Relay
from chatsheet_llm.route import Mode

Json = Mapping[str, object]


def sse(*events: Json | str, names: bool = False) -> bytes:
    out = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        name = f"event: {event['type']}\n" if names and not isinstance(event, str) else ""
        out.append(f"{name}data: {data}\n\n")
    return "".join(out).encode()


def chunk(delta: Json | None = None, finish: str | None = None, **more: object) -> Json:
    choice: dict[str, object] = {"index": 0, "finish_reason": finish, **({} if delta is None else {"delta": delta})}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


TEXT = "Grüße 😀, all well"
FILTER_NOTE = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
CHAT = sse(
    FILTER_NOTE,
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Grüße 😀,"}),
    chunk({"content": " all"}),
    chunk({"content": " well"}),
    chunk({}, "stop"),
    {"id": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]},
    {**chunk(), "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}},
    "[DONE]",
)
CHAT_CRLF = b": ping\r\n\r\n" + CHAT.replace(b"\n", b"\r\n")

_OPENING = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": []}
_PART = {"type": "output_text", "text": TEXT, "annotations": []}
_ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_PART]}
_USAGE = {
    "input_tokens": 1, "output_tokens": 4, "total_tokens": 5,
    "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip
_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_DONE_RESPONSE = {**_OPENING, "status": "completed", "output": [_ITEM], "usage": _USAGE}
_RESPONSES: tuple[dict[str, object], ...] = (
    {"type": "response.created", "response": _OPENING},
    {"type": "response.in_progress", "response": _OPENING},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**_ITEM, "status": "in_progress", "content": []},
    },
    {"type": "response.content_part.added", **_PLACE, "part": {**_PART, "text": ""}},
    {"type": "response.output_text.delta", **_PLACE, "delta": "Grüße 😀,"},
    {"type": "response.output_text.delta", **_PLACE, "delta": " all"},
    {"type": "response.output_text.delta", **_PLACE, "delta": " well"},
    {"type": "response.output_text.done", **_PLACE, "text": TEXT},
    {"type": "response.content_part.done", **_PLACE, "part": _PART},
    {"type": "response.output_item.done", "output_index": 0, "item": _ITEM},
    {"type": "response.completed", "response": _DONE_RESPONSE},
)
RESPONSES = sse(*({**event, "sequence_number": at} for at, event in enumerate(_RESPONSES)), names=True)
RESPONSES_BARE = sse(*({**event, "sequence_number": at} for at, event in enumerate(_RESPONSES)), "[DONE]")

MESSAGES = sse(
    {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": []}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße 😀,"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " all well"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
    names=True,
)

GOLDEN: dict[str, tuple[Mode, Mode, bytes]] = {
    "chat": ("chat", "chat", CHAT),
    "chat with CRLF and a comment": ("chat", "chat", CHAT_CRLF),
    "responses": ("responses", "responses", RESPONSES),
    "responses behind a gateway": ("responses", "responses", RESPONSES_BARE),
    "responses to a chat caller": ("responses", "chat", RESPONSES),
    "messages": ("messages", "messages", MESSAGES),
}
EACH = pytest.mark.parametrize("name", GOLDEN)


def relay(mode: Mode, caller: Mode, headers: Mapping[str, str] | None = None) -> Relay:
    bridge = None if mode == caller else STREAMS[mode, caller](True)
    return Relay(mode, caller, headers or {"content-type": "text/event-stream"}, bridge)


def passed(made: Relay, chunks: Sequence[bytes]) -> tuple[bytes, str | None]:
    """What the caller was given, and the fault that ended it; None where it ended well."""
    given = b""
    try:
        for part in chunks:
            given += encoded(made.feed(part))
            made.settle()
        given += encoded(made.end())
    except HopFault as fault:
        return given, fault.failure.fault
    return given, None


def text_of(caller: Mode, given: bytes) -> str:
    """The text in what a caller was given."""
    said = []
    for event in Decoder().feed(given):
        if event.data == "[DONE]":
            continue
        body = json.loads(event.data)
        if caller == "chat":
            said += [choice.get("delta", {}).get("content") or "" for choice in body["choices"]]
        elif caller == "responses":
            said.append(body["delta"] if body["type"] == "response.output_text.delta" else "")
        elif body["type"] == "content_block_delta":
            said.append(body["delta"]["text"])
    return "".join(said)


@EACH
def test_a_whole_stream_is_a_success_with_all_of_its_text(name: str) -> None:
    mode, caller, raw = GOLDEN[name]
    made = relay(mode, caller)
    given, fault = passed(made, [raw])

    assert fault is None
    assert text_of(caller, given) == made.partial == TEXT
    assert given.endswith(b"data: [DONE]\n\n") == (caller == "chat")
    assert given.count(b"[DONE]") == (caller == "chat")


@pytest.mark.parametrize("name", [name for name, (mode, caller, _) in GOLDEN.items() if mode == caller])
def test_a_stream_in_the_caller_s_own_format_is_passed_on_as_it_is(name: str) -> None:
    mode, caller, raw = GOLDEN[name]
    given, _ = passed(relay(mode, caller), [raw])

    sent = [event.data for event in Decoder().feed(raw) if event.data != "[DONE]"]
    got = [event.data for event in Decoder().feed(given) if event.data != "[DONE]"]
    assert got == sent


@EACH
def test_a_cut_at_any_byte_is_a_success_only_behind_the_terminal_event(name: str) -> None:
    mode, caller, raw = GOLDEN[name]
    for at in range(len(raw)):
        made = relay(mode, caller)
        given, fault = passed(made, [raw[:at]])

        assert fault == (None if made.whole else "truncated")
        assert TEXT.startswith(text_of(caller, given))
        # What never reached the caller is not said to have.
        assert made.partial == text_of(caller, given)
        if fault is None:
            assert text_of(caller, given) == TEXT


@EACH
def test_a_cut_before_the_first_content_leaves_the_way_to_another_hop(name: str) -> None:
    mode, caller, raw = GOLDEN[name]
    first = raw.index("Grüße".encode()) if b"Gr\\u" not in raw else raw.index(b"Gr\\u")
    made = relay(mode, caller)
    _, fault = passed(made, [raw[:first]])

    assert fault == "truncated"
    assert not made.committed


@EACH
@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(min_value=0, max_value=4000), max_size=12))
def test_any_chunking_gives_the_same_bytes(name: str, cuts: list[int]) -> None:
    mode, caller, raw = GOLDEN[name]
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    chunks = [raw[a:b] for a, b in pairwise(edges)]

    assert stable(passed(relay(mode, caller), chunks)) == stable(passed(relay(mode, caller), [raw]))


@EACH
def test_byte_by_byte_gives_the_same_too(name: str) -> None:
    mode, caller, raw = GOLDEN[name]
    single = [raw[at : at + 1] for at in range(len(raw))]

    assert stable(passed(relay(mode, caller), single)) == stable(passed(relay(mode, caller), [raw]))


def stable(outcome: tuple[bytes, str | None]) -> tuple[list[object], str | None]:
    """The outcome without the time of the day, which a bridge writes where the provider gave none."""
    events: list[object] = []
    for event in Decoder().feed(outcome[0]):
        body = event.data if event.data == "[DONE]" else json.loads(event.data)
        events.append({**body, "created": 0} if isinstance(body, dict) else body)
    return events, outcome[1]


# --- faults within

ERROR = {"error": {"message": "gone", "type": "server_error", "code": None}}
BEFORE = {
    "chat": sse(chunk({"role": "assistant"})),
    "responses": sse({"type": "response.created", "response": _OPENING}),
    "messages": sse({"type": "message_start", "message": {}}),
}
CONTENT = {
    "chat": sse(chunk({"content": "Hello"})),
    "responses": sse({"type": "response.output_text.delta", "delta": "Hello"}),
    "messages": sse({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}}),
}
BROKEN: list[tuple[Mode, bytes, str]] = [
    ("chat", sse(ERROR), "server_error"),
    ("chat", sse({"error": {"message": "slow", "code": "429"}}), "rate"),
    ("chat", b"data: {broken\n\n", "bad_event"),
    ("chat", b"data: null\n\n", "bad_event"),
    ("chat", b"data: [1]\n\n", "bad_event"),
    ("chat", b"data: \xff\xfe\n\n", "bad_event"),
    ("chat", sse("[DONE]"), "truncated"),
    ("chat", b"", "truncated"),
    ("responses", sse({"type": "error", "code": "rate_limit_exceeded", "message": "x"}), "rate"),
    ("responses", sse({"type": "response.failed", "response": {"error": {"code": "server_error"}}}), "server_error"),
    ("responses", sse("[DONE]"), "truncated"),
    ("responses", sse({"type": "response.x", "sequence_number": 1}, {"type": "y", "sequence_number": 3}), "sequence"),
    ("messages", sse({"type": "error", "error": {"type": "overloaded_error"}}), "overload"),
]


@pytest.mark.parametrize(("mode", "end", "fault"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_fault_before_content_commits_nothing(mode: Mode, end: bytes, fault: str) -> None:
    made = relay(mode, mode)
    given, came = passed(made, [BEFORE[mode], end])

    assert came == fault
    assert not made.committed
    assert text_of(mode, given) == made.partial == ""


@pytest.mark.parametrize("together", [True, False], ids=["in one", "in two"])
@pytest.mark.parametrize(("mode", "end", "fault"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_fault_behind_content_is_told_after_the_content(mode: Mode, end: bytes, fault: str, together: bool) -> None:
    made = relay(mode, mode)
    before = BEFORE[mode] + CONTENT[mode]
    given, came = passed(made, [before + end] if together else [before, end])

    assert came == fault
    assert made.committed
    assert text_of(mode, given) == made.partial == "Hello"


def test_a_fault_behind_content_says_that_content_was_delivered() -> None:
    made = relay("chat", "chat")
    made.feed(CONTENT["chat"] + sse(ERROR))

    with pytest.raises(HopFault) as caught:
        made.settle()
    assert caught.value.failure.send_state == "committed"


def test_a_failure_that_says_nothing_waits_for_the_event_that_does() -> None:
    silent = {"type": "response.failed", "response": {**_OPENING, "status": "failed", "error": None}}
    reason = {"type": "error", "error": {"type": "too_many_requests", "code": "rate_limit_exceeded", "message": "x"}}

    assert passed(relay("responses", "responses"), [sse(silent, reason)])[1] == "rate"
    assert passed(relay("responses", "responses"), [sse(silent)])[1] == "stream_error"
    assert passed(relay("responses", "responses", {"retry-after": "3"}), [sse(silent)])[1] == "rate"
    assert passed(relay("responses", "responses", {"retry-after": "soon"}), [sse(silent)])[1] == "stream_error"


def test_a_limit_that_only_the_headers_name_says_when_to_come_back() -> None:
    silent = {"type": "response.failed", "response": {**_OPENING, "status": "failed", "error": None}}
    made = relay("responses", "responses", {"retry-after": "3"})
    made.feed(sse(silent))

    assert made.closing
    with pytest.raises(HopFault) as caught:
        made.end()
    assert (caught.value.failure.retry_after, caught.value.failure.send_state) == (3.0, "rejected")


def test_done_is_no_proof_of_anything() -> None:
    made = relay("chat", "chat")
    given, fault = passed(made, [CONTENT["chat"], sse("[DONE]")])

    assert fault == "truncated"
    assert b"[DONE]" not in given


def test_a_stream_without_done_is_whole_once_it_has_stopped() -> None:
    given, fault = passed(relay("chat", "chat"), [CONTENT["chat"], sse(chunk({}, "stop"))])

    assert fault is None
    assert given.endswith(b"data: [DONE]\n\n")


def test_json_nested_beyond_reason_is_a_bad_event() -> None:
    deep = b"data: " + b"[" * 200_000 + b"\n\n"

    assert passed(relay("chat", "chat"), [deep])[1] == "bad_event"


def test_a_page_that_is_no_stream_is_not_called_truncated() -> None:
    made = relay("chat", "chat", {"content-type": "application/json"})

    assert passed(made, [b'{"id": "x"}'])[1] == "no_stream"
    assert passed(relay("chat", "chat", {"content-type": "application/json"}), [])[1] == "empty"


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_whole_reply_that_comes_instead_is_read_to_its_end_and_made_a_stream(size: int) -> None:
    body = b'\xef\xbb\xbf \r\n {"choices": []}'
    heard: list[bytes] = []
    made = Relay("chat", "chat", {}, None, reply=lambda given: (heard.append(given) or [Event(None, "made")], "served"))
    given, fault = passed(made, [body[at : at + size] for at in range(0, len(body), size)])

    assert (given, fault) == (b"data: made\n\n", None)
    assert b"".join(heard).strip(b"\xef\xbb\xbf \r\n") == b'{"choices": []}'
    assert (made.whole, made.committed, made.served) == (True, True, "served")


def test_a_stream_whose_data_is_json_is_no_whole_reply() -> None:
    made = Relay("chat", "chat", {}, None, reply=lambda given: ([Event(None, "made")], ""))

    assert passed(made, [CHAT[at : at + 1] for at in range(len(CHAT))])[1] is None


@pytest.mark.parametrize(("mode", "end", "fault"), BROKEN, ids=lambda value: str(value)[:40])
def test_what_is_held_back_was_never_delivered(mode: Mode, end: bytes, fault: str) -> None:
    made = Relay(mode, mode, {"content-type": "text/event-stream"}, None, held=True)
    made.feed(BEFORE[mode] + CONTENT[mode])

    with pytest.raises(HopFault) as caught:
        made.end() if made.feed(end) == [] else None
    assert made.committed
    assert (caught.value.failure.fault, caught.value.failure.send_state) == (fault, "ambiguous")


# --- what is told to be remembered

ITEM = {"type": "response.output_item.done", "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}}


@pytest.mark.parametrize("stored", [False, True], ids=["an answer", "read again"])
def test_what_may_have_something_to_remember_is_told_and_no_piece_of_text(stored: bool) -> None:
    heard: list[str] = []
    watch = ResponsesWatch(stored=True) if stored else None
    made = Relay("responses", "responses", {}, None, lambda event: heard.append(str(event["type"])), watch=watch)
    said = {"type": "response.output_text.delta", "delta": "Hello"}
    made.feed(sse({"type": "response.created", "response": {"id": "resp_1"}}, said, ITEM))

    assert [kind for kind in heard if not kind.endswith(".delta")] == ["response.created", "response.output_item.done"]
    assert any(kind.endswith(".delta") for kind in heard) is stored
