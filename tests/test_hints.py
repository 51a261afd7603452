"""Retry-After in every form that servers send it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsheet_llm.hints import hint_in_text, retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=timezone.utc)


def at(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


FORMS: list[tuple[dict[str, str], float | None]] = [
    ({"retry-after": "5"}, 5.0),
    ({"retry-after": "1.5"}, 1.5),
    ({"retry-after": " 7 "}, 7.0),
    ({"retry-after": "0"}, 0.0),
    ({"Retry-After": "5"}, 5.0),
    ({"retry-after-ms": "500"}, 0.5),
    ({"Retry-After-Ms": "1"}, 0.001),
    ({"retry-after": at(30)}, 30.0),
    ({"retry-after": at(-30)}, 0.0),
    ({"retry-after": at(90).replace("GMT", "-0000")}, 90.0),
    ({"llm_provider-retry-after": "37"}, 37.0),
    ({"llm_provider-retry-after-ms": "1500"}, 1.5),
    ({"retry-after": "86400"}, 86400.0),
    ({}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "-1"}, None),
    ({"retry-after-ms": "-1"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "-inf"}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "5s"}, None),
    ({"retry-after": "-0"}, None),
    ({"retry-after": "1_0"}, None),
    ({"retry-after": "1e1"}, None),
    ({"retry-after": "\u0665"}, None),
    ({"retry-after": "9" * 400}, None),
    ({"retry-after": "Wed, 99 Foo 2026 99:99:99 GMT"}, None),
    # each on its own: a bad one never hides a good one
    ({"retry-after-ms": "-1", "retry-after": "5"}, 5.0),
    ({"retry-after-ms": "nan", "retry-after": "5"}, 5.0),
    ({"retry-after-ms": "soon", "retry-after": "5"}, 5.0),
    ({"retry-after-ms": "soon", "retry-after": at(5)}, 5.0),
    ({"retry-after": "soon", "retry-after-ms": "250"}, 0.25),
    ({"retry-after": "-1", "llm_provider-retry-after": "9"}, 9.0),
    # of several the longest
    ({"retry-after-ms": "500", "retry-after": "5"}, 5.0),
    ({"retry-after": "1", "llm_provider-retry-after": "9"}, 9.0),
    # a header sent twice arrives as one
    ({"retry-after": "2, 5"}, 5.0),
    ({"retry-after": "5, 2"}, 5.0),
    ({"retry-after": "nan, 5"}, 5.0),
    ({"retry-after": "soon, 5"}, 5.0),
    ({"retry-after": "5, -1"}, 5.0),
    ({"retry-after": f"{at(30)}, {at(90)}"}, 90.0),
    ({"retry-after": f"{at(90)}, {at(30)}"}, 90.0),
    ({"retry-after": f"soon, {at(30)}"}, 30.0),
    ({"retry-after": f"5, {at(30)}"}, 30.0),
    ({"retry-after": f"{at(30)}, 60"}, 60.0),
    # dates of older kinds
    ({"retry-after": "Friday, 20-Nov-26 12:00:30 GMT"}, 30.0),
    ({"retry-after": "Fri Nov 20 12:00:30 2026"}, 30.0),
    # numbers that no calendar holds
    ({"retry-after": "Thu, 99999999999999999999 Jan 2026 00:00:00 GMT"}, None),
    ({"retry-after": "Thu, 01 Jan 2026 00:00:00 +99999999999999999999"}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), FORMS, ids=str)
def test_a_hint_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    hint = retry_after(headers, NOW)

    assert hint == (None if seconds is None else pytest.approx(seconds))


def test_a_date_is_read_against_the_clock_of_the_server() -> None:
    wrong = NOW + timedelta(hours=3)

    assert retry_after({"retry-after": at(20), "date": at(0)}, wrong) == 20.0


def test_a_date_header_that_is_none_falls_back_to_our_clock() -> None:
    for date in ("today", "", "Thu, 99999999999999999999 Jan 2026 00:00:00 GMT"):
        assert retry_after({"retry-after": at(20), "date": date}, NOW) == 20.0


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_header_can_raise_or_give_a_wait_that_is_none(value: str, ms: str, date: str) -> None:
    hint = retry_after({"retry-after": value, "retry-after-ms": ms, "date": date}, NOW)

    assert hint is None or 0 <= hint < float("inf")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Requests have exceeded call rate limit. Please retry after 17 seconds.", 17.0),
        ("Please retry after 86400 seconds.", 86400.0),
        ("Rate limit is exceeded. Try again in 2 seconds.", 2.0),
        ("Rate limit reached. Please try again in 250ms.", 0.25),
        ("Please try again in 1.5s.", 1.5),
        ("No deployments available for selected model, Try again in 5 seconds.", 5.0),
        ("Please retry later.", None),
        ("", None),
        (None, None),
    ],
)
def test_a_message_is_the_last_resort(text: str | None, seconds: float | None) -> None:
    assert hint_in_text(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 1h12m30.5s.", 4350.5),
        ("retry after 2 minutes", 120.0),
        ("Please retry after 1 day.", 86400.0),
        ("Please retry in 30s", 30.0),
        ("try again in 500ms", 0.5),
        ("try again in 3 bananas", None),
    ],
)
def test_a_time_in_words_is_read_with_its_units(text: str, seconds: float | None) -> None:
    assert hint_in_text(text) == seconds
