"""Routes, attempts and losses as values: what they say, and that they can be copied, compared and stored."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from datetime import datetime, timezone

import pytest

from chatsheet_llm.route import Attempt, Loss, Route, SendState, Skip


def attempt(hop: str = "litellm/chat", outcome: str = "ok", state: SendState = "answered", **more: object) -> Attempt:
    return Attempt(hop, hop.partition("/")[0], "chat", "gpt-5", "rule", outcome, state, **more)  # type: ignore[arg-type]


FAILED = attempt("litellm/responses", "overload", "rejected", status=503)
ANSWERED = attempt("azure/responses", status=200)


def test_a_route_reads_as_the_way_the_call_went() -> None:
    assert str(Route((FAILED, ANSWERED), seconds=0.412)) == "litellm/responses 503 -> azure/responses 200, 412 ms"


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (attempt(status=200), "litellm/chat 200"),
        (attempt(outcome="refused", state="not_sent"), "litellm/chat refused"),
        (attempt(outcome="truncated", state="ambiguous", status=200), "litellm/chat truncated"),
        (attempt(outcome="redirect", state="rejected", status=307), "litellm/chat redirect"),
        (attempt(outcome="rate", state="rejected", status=429), "litellm/chat 429"),
    ],
)
def test_an_attempt_reads_as_its_status_unless_that_would_mislead(tried: Attempt, said: str) -> None:
    assert str(tried) == said


def test_the_answering_hop_is_the_last_one_if_it_answered() -> None:
    assert Route((FAILED, ANSWERED)).hop == "azure/responses"
    assert Route((FAILED,)).hop is None
    assert Route().hop is None


def test_what_never_left_is_no_send() -> None:
    refused = attempt(outcome="refused", state="not_sent")

    assert Route((refused, FAILED, ANSWERED)).sends == 2


@pytest.mark.parametrize(
    ("state", "billed"),
    [("not_sent", False), ("rejected", False), ("ambiguous", True), ("committed", True), ("answered", False)],
)
def test_only_an_unknown_outcome_may_have_been_billed(state: SendState, billed: bool) -> None:
    assert attempt(state=state).maybe_billed is billed


def test_a_call_that_tried_nothing_says_why() -> None:
    skipped = (Skip("azure/chat", "loss", "chat cannot carry x"), Skip("openai", "not configured", "no key"))

    assert str(Route(skipped=skipped)) == "azure/chat skipped (chat cannot carry x); openai skipped (no key)"
    assert str(Route()) == "no attempt"


def test_a_loss_names_the_place_and_the_reason() -> None:
    assert str(Loss("responses", "stop", "Responses has no stop sequences")) == "stop: Responses has no stop sequences"


def test_a_route_survives_pickle_and_copy() -> None:
    route = Route(
        (FAILED, ANSWERED), (Skip("a", "b", "c"),), (Loss("chat", "x", "y"),), 1.0, datetime.now(timezone.utc)
    )

    for twin in (pickle.loads(pickle.dumps(route)), copy.deepcopy(route)):
        assert twin == route
        assert twin.retry_at == route.retry_at


def test_nothing_in_a_route_can_be_changed() -> None:
    for value, name in ((Route(), "attempts"), (ANSWERED, "hop"), (Loss("chat", "x", "y"), "path")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)
