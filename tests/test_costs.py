"""What calls and streams cost, counted: a limit for each that the machine does not move.  ``tests/costs.py`` counts.

Where one fails for a good reason, run that file on the lowest Python and set the limit a tenth above what it tells.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from costs import CASES, KINDS, Case, Cost, costs_of, decided
from either import Kind

from chatsheet_llm import delivery, typed

pytestmark = pytest.mark.usefixtures("no_certificates")

# A tenth above what Python 3.10 to 3.13 take, which are within 8 % of each other, with the newest dependencies.
CALLS: Mapping[str, int] = {
    # A whole call: what the chain, the HTTP library and the event loop do, once each.
    "sync chat": 2760,
    "sync responses": 2790,
    "async chat": 1790,
    "async responses": 1830,
    # Three more for each message, where the SDK would walk all of it.
    "sync chat, 100 messages": 3080,
    "async chat, 100 messages": 2120,
    # A value that no other call has is put into what is kept of the request, which the SDK does not build anew.
    "sync chat, a header of its own": 2830,
    "async chat, a header of its own": 1840,
    # With a request and a reply that are made into another format.
    "sync chat from responses": 3170,
    "sync responses from chat": 3310,
    "async chat from responses": 2210,
    "async responses from chat": 2350,
    # About 160 an event, the wait for it among them; 250 where it is made into another format.
    "sync chat, 200 deltas": 38100,
    "sync responses, 200 deltas": 40700,
    "async chat, 200 deltas": 32900,
    "async responses, 200 deltas": 35600,
    "sync chat from responses, 200 deltas": 55800,
    "async chat from responses, 200 deltas": 50700,
    # Through a client of the caller's, each piece comes by itself through its layers; 210 an event are theirs.
    "sync chat, on httpx2": 2720,
    "async chat, on httpx2": 3690,
    "sync chat, 200 deltas, on httpx2": 37100,
    "sync responses, 200 deltas, on httpx2": 36900,
    "async chat, 200 deltas, on httpx2": 86000,
    "async responses, 200 deltas, on httpx2": 85800,
}
"""How many functions each case may call."""
WHOLE = {"read": 2, "validated": 1, "written": 1, "constructed": 0, "walked": 0}
"""An answer is read once to be judged, once to be built by pydantic's core; the request is written once.  The SDK's
ways, which build each value and walk each argument, are not taken."""
BRIDGED = {**WHOLE, "written": 2}
"""The answer in the caller's format is written too."""
# A union of the output's items is tried by their type first.
RESPONSES = {**WHOLE, "validated": 2}
DECISIONS: Mapping[str, int] = {"the caller's API": 156, "mixed": 162}
"""How many functions may be called to choose a call's hop, to ask breakers and budget, and to hear of the answer."""
BYTES = 1024
"""What a call may leave behind."""


def told(cost: Cost) -> dict[str, int]:
    return dict(cost.work)


def allowed(case: Case, cost: Cost) -> dict[str, int]:
    """The most work for a case."""
    if not case.deltas:
        return BRIDGED if case.api != case.hop else RESPONSES if case.api == "responses" else WHOLE
    # As much for each event; those that begin and end a stream of Responses hold unions too.
    sent = cost.items if case.api == case.hop else cost.items + 6
    written = 1 if case.api == case.hop else 1 + cost.items
    return {**WHOLE, "read": 2 * sent + 2, "validated": cost.items + 3, "written": written}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_call_costs_no_more_than_its_limit(case: Case) -> None:
    with costs_of(case) as costs:
        cost = costs.cost()
        again = costs.cost()

    assert min(cost.calls, again.calls) <= CALLS[case.name]
    assert {name: spent for name, spent in told(cost).items() if spent > allowed(case, cost)[name]} == {}


@pytest.mark.parametrize("case", [case for case in CASES if not case.deltas], ids=lambda case: case.name)
def test_a_finished_call_keeps_nearly_nothing(case: Case) -> None:
    with costs_of(case) as costs:
        kept = costs.kept(100)

    assert kept <= BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_conversation_costs_three_functions_a_message(kind: Kind) -> None:
    cost = []
    for messages in (2, 102):
        with costs_of(Case(kind, "chat", "chat", messages)) as costs:
            cost.append(costs.cost().calls)

    assert cost[1] - cost[0] <= 100 * 3


CHAINS: Mapping[str, tuple[str, ...]] = {
    "the caller's API": ("place0/chat", "place1/chat", "place2/chat"),
    "mixed": ("place0/chat", "azure/responses", "azure/chat"),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_to_decide_costs_the_same_however_many_hops_and_models_there_are(chain: str) -> None:
    counted = {(hops, models): decided(CHAINS[chain], hops, models) for hops in (3, 20) for models in (1, 1000)}

    assert max(counted.values()) <= DECISIONS[chain]
    assert len(set(counted.values())) == 1


# --- what the counts see ---------------------------------------------------------------------------------------------

PLAIN = Case("sync", "chat", "chat")


def test_an_answer_that_is_read_once_more_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(cast_to: type[Any], answer: bytes) -> Any:
        json.loads(answer)
        return typed.whole(cast_to, answer)

    monkeypatch.setattr(delivery, "typed", type("Twice", (), {"whole": staticmethod(twice)}))
    with costs_of(PLAIN) as costs:
        work = told(costs.cost())

    assert work == {**WHOLE, "read": 3}


def test_an_answer_that_the_sdk_has_to_build_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "_taken", lambda *_: None)
    with costs_of(PLAIN) as costs:
        work = told(costs.cost())

    assert work["constructed"] > 10


def test_arguments_that_the_sdk_has_to_walk_are_seen() -> None:
    with costs_of(PLAIN) as costs:
        costs.asked["messages"] = tuple(costs.asked["messages"])
        work = told(costs.cost())

    assert work["walked"] > 2


# --- what is kept ----------------------------------------------------------------------------------------------------


def objects() -> Counter[str]:
    gc.collect()
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("api", "deltas", "rounds"), [("chat", 0, 2500), ("chat", 3, 500), ("responses", 3, 500)])
def test_objects_do_not_grow_in_number_with_the_calls(kind: Kind, api: Any, deltas: int, rounds: int) -> None:
    with costs_of(Case(kind, api, api, deltas=deltas), steps=False) as costs:
        for _ in range(100):
            costs.call()
        before = objects()
        for _ in range(rounds):
            costs.call()
        grown = objects() - before

    assert {name: count for name, count in grown.items() if count > rounds // 50} == {}
