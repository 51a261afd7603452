"""A text or a header that no request can carry is the caller's fault, told by its place and never by its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from client_cases import settings_for
from either import KINDS, Either, Kind, settings_at

from chatsheet_llm import errors
from chatsheet_llm.classify_unsendable import unsendable
from chatsheet_llm.endpoints.headers import unfit_header
from chatsheet_llm.sandbox import Sandbox

LONE = "canary\ud800"
SAID = [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": LONE}]}]


def raised(text: str) -> UnicodeEncodeError:
    """What Python raises of a text."""
    with pytest.raises(UnicodeEncodeError) as caught:
        text.encode()
    return caught.value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"messages":[{"content":"a"},{"content":"\ud800"}]}', "messages[1].content"),
        ('{"metadata":{"\udcff":"a"}}', "a key of metadata"),
        ('{"\udcff":"a"}', "a key of the body"),
        ('{"n":1,"x":[null,["\ud83d\ude00"]]}', "x[1][0]"),
        ("no JSON \ud800", None),
        ("[" * 100_000 + "\ud800", None),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_the_place_of_such_a_text_is_found(text: str, place: str | None) -> None:
    found, said = unsendable(raised(text))

    assert found == place
    assert said == f"{place or 'a text beside its body'} holds a lone surrogate"


@pytest.mark.parametrize(
    ("chain", "more", "place"),
    [
        ("litellm/chat", {"messages": SAID}, r"messages\[0\].content\[1\].text"),
        ("azure/chat", {"metadata": {"who": LONE}}, "metadata.who"),
        ("azure/responses", {"user": LONE}, "user"),
        ("litellm/chat", {"extra_query": {"who": LONE}}, "a text beside its body"),
    ],
    ids=["a message", "metadata", "bridged", "query"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_that_utf_8_has_no_form_for_is_told_by_its_place(
    kind: Kind, chain: str, more: Mapping[str, object], place: str, box: Sandbox
) -> None:
    with Either(kind, settings_for(box), chain=f"{chain},litellm/responses") as made:
        with pytest.raises(errors.BadRequestError, match=f"cannot be sent: {place} holds a lone surrogate") as caught:
            made.hello(**more)

        assert "canary" not in f"{caught.value} {caught.value!r}"
        assert [attempt.send_state for attempt in caught.value.route.attempts] == ["not_sent"]
        assert caught.value.code == "invalid_request"
        assert {row.state for row in made.client.health()} == {"closed"}
    assert not box.requests


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X-A": "canary\nb"}, "header 'X-A' holds a line break"),
        ({"X-A": "canary\r"}, "header 'X-A' holds a line break"),
        ({"X-A": "canary\0"}, "header 'X-A' holds a control character"),
        ({"X-A": "canary\u00e9"}, "header 'X-A' holds a character that is not ASCII"),
        ({"X-A": "canary "}, "header 'X-A' holds a space at its beginning or end"),
        ({"X-Good": "a", "X A": "canary"}, "header 'X A' holds a character in its name"),
    ],
    ids=lambda value: ascii(value)[:40],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_no_request_can_carry_is_told_by_its_name(
    kind: Kind, headers: Mapping[str, str], said: str, box: Sandbox
) -> None:
    with Either(kind, settings_for(box)) as made:
        with pytest.raises(errors.BadRequestError, match=f"cannot be sent: {said}") as caught:
            made.hello(extra_headers=headers)

        assert "canary" not in f"{caught.value} {caught.value!r}"
        assert caught.value.route.attempts == ()
        assert {row.state for row in made.client.health()} == {"closed"}
    assert not box.requests


def test_what_any_request_can_carry_is_let_through() -> None:
    assert unfit_header({"X-A": "a b\tc", "x_b": "", "Authorization": object(), "X-C": "~!\x7f"}) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_no_header_can_carry_is_the_provider_s_fault(kind: Kind, box: Sandbox) -> None:
    azure = {"azure": {"ad_token": lambda: "canary-token\n"}}
    settings = settings_for(box, endpoints=azure)
    with (
        Either(kind, settings, chain="azure/chat") as made,
        pytest.raises(errors.AuthenticationError, match="gave a token that holds a line break") as caught,
    ):
        made.hello()

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_url_is_shown_where_nothing_was_sent(kind: Kind) -> None:
    with Either(kind, settings_at("http://127.0.0.1:9")) as made, pytest.raises(errors.BadRequestError) as caught:
        made.hello(user=LONE)

    assert str(caught.value.request.url) == "https://chatsheet.invalid/"


def test_a_header_s_name_may_be_bytes() -> None:
    assert unfit_header(cast("Any", {b"X-A": "q"})) is None
    assert unfit_header(cast("Any", {b"X A": "q"})) == ("X A", "a character in its name that no name may have")
