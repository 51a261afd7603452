"""Server-sent events: any chunking gives the same events, whatever line ends, comments and split data there are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsheet_llm.formats.sse import NOT_TEXT, Decoder, Event, encode


def decoded(*chunks: bytes) -> list[Event]:
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


STREAMS: list[tuple[bytes, list[Event]]] = [
    (b"data: a\n\n", [Event(None, "a")]),
    (b"data:a\n\n", [Event(None, "a")]),
    (b"data:  a\n\n", [Event(None, " a")]),
    (b"event: e\ndata: a\n\n", [Event("e", "a")]),
    (b"data: a\nevent: e\n\n", [Event("e", "a")]),
    (b"data: a\ndata: b\n\n", [Event(None, "a\nb")]),
    (b"data: a\n\ndata: b\n\n", [Event(None, "a"), Event(None, "b")]),
    (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event(None, "a"), Event(None, "b")]),
    (b"data: a\r\rdata: b\r\r", [Event(None, "a"), Event(None, "b")]),
    (b"data: a\r\n\ndata: b\n\r\n", [Event(None, "a"), Event(None, "b")]),
    (b": ping\n\n", []),
    (b": ping\n\ndata: a\n\n", [Event(None, "a")]),
    (b"event: e\n\n", []),
    (b"id: 1\nretry: 5\ndata: a\n\n", [Event(None, "a")]),
    (b"data\n\n", [Event(None, "")]),
    (b"data:\n\n", [Event(None, "")]),
    (b"\n\n\n\ndata: a\n\n\n\n", [Event(None, "a")]),
    (b"\xef\xbb\xbfdata: a\n\n", [Event(None, "a")]),
    (b"data: a", []),
    (b"data: a\n", []),
    (b"data: a\n\ndata: b", [Event(None, "a")]),
    ("data: äöü 😀 \u2028 x\n\n".encode(), [Event(None, "äöü 😀 \u2028 x")]),
    (b"data: a:b: c\n\n", [Event(None, "a:b: c")]),
]


@pytest.mark.parametrize(("raw", "events"), STREAMS, ids=lambda value: repr(value)[:40])
def test_bytes_become_events(raw: bytes, events: list[Event]) -> None:
    assert decoded(raw) == events


@pytest.mark.parametrize(("raw", "events"), STREAMS, ids=lambda value: repr(value)[:40])
def test_events_do_not_hang_on_where_the_bytes_are_cut(raw: bytes, events: list[Event]) -> None:
    for at in range(len(raw) + 1):
        assert decoded(raw[:at], raw[at:]) == events

    assert decoded(*(raw[at : at + 1] for at in range(len(raw)))) == events


LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)
EVENTS = st.builds(
    Event,
    st.none() | LINES.filter(lambda name: bool(name) and not name.startswith((" ", "\ufeff"))),
    st.lists(LINES, min_size=1, max_size=3).map("\n".join),
)


@given(st.lists(EVENTS, max_size=5), st.lists(st.integers(min_value=0, max_value=400), max_size=8))
def test_what_is_encoded_is_decoded_in_any_chunking(events: list[Event], cuts: list[int]) -> None:
    raw = b"".join(encode(event) for event in events)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]

    assert decoded(*(raw[a:b] for a, b in pairwise(edges))) == events


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(raw: bytes) -> None:
    decoded(raw, b"\n\n")


def test_bytes_that_are_no_text_say_so_and_spoil_no_event_beside_them() -> None:
    events = decoded(b"data: a\n\ndata: \xff\xfe\n\ndata: b\n\n")

    assert events == [Event(None, "a"), Event(None, NOT_TEXT), Event(None, "b")]


def test_the_bytes_of_an_unfinished_event_are_counted() -> None:
    decoder = Decoder()
    sizes = []
    for chunk in (b"data: a\n\n", b"data: ", b"bcd", b"\n\ndata"):
        decoder.feed(chunk)
        sizes.append(decoder.held)

    assert sizes == [0, 6, 9, 4]


def test_a_rest_is_known() -> None:
    decoder = Decoder()
    decoder.feed(b"data: a\n\ndata: b")
    half = decoder.half
    decoder.feed(b"\n\n")

    assert half
    assert not decoder.half
