"""A request that JSON has no form for is the caller's fault, told by where it is; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import pytest
from client_cases import settings_for
from either import KINDS, Either, Kind

from chatsheet_llm import errors
from chatsheet_llm.misfit import misfit
from chatsheet_llm.sandbox import Sandbox

ROUND: list[object] = []
ROUND.append(ROUND)
DEEP: list[object] = []
for _ in range(500):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"messages": [{"role": "user", "content": {"a", "b"}}]}, ("messages[0].content", "type set")),
        ({"metadata": {"a": b"bytes"}}, ("metadata.a", "type bytes")),
        ({"temperature": float("nan")}, ("temperature", "the number nan")),
        ({"x": {("a", 1): 2}}, ("x", "a key of type tuple")),
        ({"x": ROUND}, ("x[0]", "what holds it")),
        ({"x": [1, (2, object())]}, ("x[1][1]", "type object")),
        ({"x": [None, True, 1, 1.5, "text", {1: 2}], "when": datetime.now(timezone.utc)}, None),
        ({"same": [[1]] * 2}, None),
        (None, None),
    ],
    ids=str,
)
def test_what_has_no_form_in_json_is_found_where_it_stands(body: object, found: tuple[str, str] | None) -> None:
    assert misfit(body) == found


def test_what_is_nested_beyond_reason_is_not_followed() -> None:
    found = misfit({"x": DEEP})

    assert found is not None
    assert found[1] == "more than 200 levels of nesting"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"metadata": {"who": {"a set"}}}, "metadata.who holds type set"),
        ({"temperature": float("inf")}, "temperature holds the number inf"),
        ({"extra_body": {"x": ROUND}}, r"x\[0\] holds what holds it"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_such_a_request_is_refused_in_one_line_and_nothing_is_sent(
    kind: Kind, more: Mapping[str, object], says: str, box: Sandbox
) -> None:
    with Either(kind, settings_for(box)) as made:
        with pytest.raises(errors.BadRequestError, match=f"cannot be sent as JSON: {says}; convert") as caught:
            made.hello(**more)

        assert "\n" not in str(caught.value)
        assert caught.value.route.attempts == ()
        assert {row.state for row in made.client.health()} == {"closed"}
    assert not box.requests
