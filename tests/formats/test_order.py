"""The order of a stream's events: what comes again, what is missing, and a server that does not count."""

from __future__ import annotations

import json

import pytest

from chatsheet_llm.formats.order import Order


def places(*events: tuple[object, str]) -> list[str]:
    """The places of events, each a number and what it says."""
    order, made = Order(), []
    for number, said in events:
        event = {"type": f"response.{said}", **({} if number is None else {"sequence_number": number})}
        made.append(order.place(event, json.dumps(event)))
    return made


ROWS: list[tuple[str, list[tuple[object, str]], list[str]]] = [
    ("in order", [(0, "a"), (1, "b"), (2, "c")], ["next"] * 3),
    ("taken up in its middle", [(40, "a"), (41, "b")], ["next"] * 2),
    ("one comes again", [(0, "a"), (1, "b"), (1, "b"), (2, "c")], ["next", "next", "again", "next"]),
    ("two come again", [(0, "a"), (1, "b"), (0, "a"), (1, "b"), (2, "c")], ["next", "next", "again", "again", "next"]),
    ("the first comes again", [(0, "created"), (0, "created"), (1, "b")], ["next", "again", "next"]),
    ("one is missing", [(0, "a"), (2, "c")], ["next", "wrong"]),
    ("two change places", [(0, "a"), (1, "b"), (3, "d"), (2, "c")], ["next", "next", "wrong", "next"]),
    ("another word under an old number", [(0, "a"), (1, "b"), (1, "x")], ["next", "next", "wrong"]),
    ("nobody counts", [(0, "a"), (0, "b"), (0, "b"), (7, "c")], ["next"] * 4),
    ("nobody counts, and a word comes twice", [(0, "x.delta"), (0, "x.delta"), (0, "x.delta")], ["next"] * 3),
    ("some have no number", [(0, "a"), (None, "keepalive"), (1, "b")], ["next"] * 3),
    ("odd numbers are none", [("0", "a"), (True, "b"), (None, "c"), (1.5, "d")], ["next"] * 4),
]


@pytest.mark.parametrize(("events", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_event_has_its_place(events: list[tuple[object, str]], expected: list[str]) -> None:
    assert places(*events) == expected


def test_what_came_long_ago_is_out_of_order_when_it_comes_again() -> None:
    events: list[tuple[object, str]] = [(number, "a") for number in range(300)]

    assert places(*events, (299, "a"), (0, "a"))[-2:] == ["again", "wrong"]
