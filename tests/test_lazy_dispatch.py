"""Hops are made when they are asked for, and are what they would have been.  No network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import pytest
from dispatch_world import BODIES, CHAINS, ENDPOINTS, LESSONS, MESSAGES, REGISTRIES, World, listed
from planning import Clock, fresh

from chatsheet_llm import hop_maker
from chatsheet_llm.classify import Failure
from chatsheet_llm.formats import BRIDGES
from chatsheet_llm.hop_maker import HopMaker
from chatsheet_llm.hops import Dispatch, Hop, Hops
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.plan import plan
from chatsheet_llm.route import Mode
from chatsheet_llm.steps import Failed, Policy, Send


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The entries of the hops that are made, as they are."""
    found: list[str] = []
    make = HopMaker.make

    def counted(self: HopMaker, look: object, **how: object) -> object:
        found.append(look.place.entry)  # type: ignore[attr-defined]
        return make(self, look, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(HopMaker, "make", counted)
    return found


@pytest.fixture
def bridged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Mode, Mode]]:
    """The bridges that are crossed, as they are."""
    found: list[tuple[Mode, Mode]] = []

    def watched(pair: tuple[Mode, Mode]) -> Callable[[Mapping[str, object]], object]:
        def cross(body: Mapping[str, object]) -> object:
            found.append(pair)
            return BRIDGES[pair](body)

        return cross

    monkeypatch.setattr(hop_maker, "BRIDGES", {pair: watched(pair) for pair in BRIDGES})
    return found


def steps_of(found: Dispatch, deadline: float = 120.0):  # type: ignore[no-untyped-def]
    clock = Clock()
    return plan(
        found.hops, fresh(clock), policy=Policy(), deadline_at=clock.now + deadline, amend=found.amend, clock=clock
    )


# --- what is made


def test_a_first_hop_that_answers_in_the_caller_s_format_is_the_only_one_made_and_nothing_is_bridged(
    made: list[str], bridged: list[tuple[Mode, Mode]]
) -> None:
    found = World().asked("chat", {"model": "gpt-5", "messages": MESSAGES}, CHAINS[0])
    steps = steps_of(found)
    sent = next(steps)
    with pytest.raises(StopIteration):
        next(steps)

    assert isinstance(sent, Send)
    assert (sent.hop.name, sent.contested, sent.timeout) == ("litellm/chat", True, 60.0)
    assert made == ["litellm"]
    assert bridged == []


def test_a_failure_makes_the_second_hop_and_not_the_third(made: list[str]) -> None:
    found = World().asked("chat", {"model": "gpt-5", "messages": MESSAGES}, ("place0", "place1", "place2"))
    steps = steps_of(found)
    next(steps)
    sent = steps.throw(Failed(Failure("auth", "rejected", 401)))

    assert isinstance(sent, Send)
    assert sent.hop.endpoint == "place1"
    assert made == ["place0", "place1"]


def test_whoever_reads_what_was_left_out_makes_the_rest_once(made: list[str]) -> None:
    found = World().asked("chat", {"model": "gpt-5", "messages": MESSAGES, "n": 2}, CHAINS[0])
    before = list(made)
    names = [[skip.hop for skip in found.skipped] for _ in range(2)]

    assert before == ["litellm"]
    assert names == [["azure/responses"]] * 2
    assert made == ["litellm", "azure/responses", "azure/chat"]


def test_to_know_whether_another_origin_could_answer_a_hop_is_made_where_the_request_leaves_that_open(
    made: list[str],
) -> None:
    chain = ("litellm", "azure/responses")
    plainly = next(steps_of(World().asked("chat", {"model": "gpt-5", "messages": MESSAGES}, chain)))
    first = list(made)
    odd = next(steps_of(World().asked("chat", {"model": "gpt-5", "messages": MESSAGES, "n": 2}, chain)))

    assert isinstance(plainly, Send)
    assert isinstance(odd, Send)
    assert (plainly.contested, odd.contested) == (True, False)
    assert first == ["litellm"]
    assert made == ["litellm", "litellm", "azure/responses"]


def test_a_message_that_is_added_after_the_call_began_goes_to_no_later_hop() -> None:
    said = [*MESSAGES]
    found = World().asked("chat", {"model": "gpt-5", "messages": said}, ("place0", "place1"))
    said.append({"role": "user", "content": "and"})

    assert [hop.body["messages"] for hop in found.hops if hop.body is not None] == [MESSAGES, MESSAGES]


def test_the_body_of_a_hop_in_the_caller_s_format_holds_his_messages_themselves() -> None:
    said = [{"role": "user", "content": "hi"} for _ in range(100)]
    found = World().asked("chat", {"model": "gpt-5", "messages": said}, CHAINS[0])
    body = found.hops[0].body

    assert body is not None
    assert all(ours is his for ours, his in zip(body["messages"], said, strict=True))  # type: ignore[call-overload]


# --- it makes no difference when


GRID = [
    (registry, lessons, caller, body, model, chain, how)
    for registry, lessons, (caller, body), model, chain in itertools.product(
        REGISTRIES, LESSONS, BODIES, ("gpt-5", "coder", "fast", "thinker", "own"), CHAINS
    )
    for how in ({}, {"stream": True, "on_loss": "drop"})
]


def worlds(number: int) -> World:
    registry, lessons, *_ = GRID[number]
    world = World(registry)
    for name, deployment, mode, fault in lessons:
        world.learned.refused(name, deployment, mode, fault, "it said so")
    world.origins.remember(["sig", "rs_1"], ENDPOINTS["azure"].origin)
    return world


@pytest.mark.parametrize("part", range(8))
def test_hops_that_are_asked_for_one_by_one_are_those_that_are_listed_at_once(part: int) -> None:
    for number in range(part, len(GRID), 8):
        _, _, caller, body, model, chain, how = GRID[number]
        world, asked = worlds(number), {"model": model, **body}
        at_once = listed(world.asked(caller, asked, chain, kept=False, **how))
        found = world.asked(caller, asked, chain, **how)
        # In another order: looked ahead, the first two, what was lost, what was left out, the rest.
        ahead = [*found.hops.ahead()] if isinstance(found.hops, Hops) else []
        some = list(itertools.islice(found.hops, 2))
        now = (tuple(found.losses), tuple(found.skipped), tuple(found.hops))

        assert (now[2], now[1], now[0]) == at_once
        assert some == list(now[2][:2])
        assert [(hop.name, hop.surface) for hop in ahead] == [(hop.name, hop.surface) for hop in now[2]]
        assert listed(world.asked(caller, asked, chain, **how)) == at_once


@pytest.mark.parametrize("part", range(4))
def test_a_hop_is_amended_alike_whether_the_others_were_made_or_not(part: int) -> None:
    for number in range(part, len(GRID), 28):
        _, _, caller, body, model, chain, how = GRID[number]
        world, asked = worlds(number), {"model": model, **body}
        eager, lazy = (world.asked(caller, asked, chain, **how) for _ in range(2))
        listed(eager)
        if not eager.hops:
            continue
        for fault in ("state", "capability", "tools_on_chat", "streaming"):
            hop = eager.hops[0]
            world.learned.refused(hop.endpoint, hop.model or "*", hop.mode or "chat", fault, "it said so")
            told = [each.amend(each.hops[0], fault) for each in (lazy, eager)]

            assert told[0] == told[1]


def test_whose_state_it_is_goes_by_the_chain_and_not_by_the_hop_that_is_amended_first() -> None:
    sealed = [{"type": "reasoning", "id": "rs_7", "encrypted_content": "of nobody knows whom", "summary": []}]
    said = [*MESSAGES, {"role": "assistant", "content": "yes", "reasoning_items": sealed}, *MESSAGES]
    world = World()
    found = world.asked("chat", {"model": "gpt-5", "messages": said}, ("azure", "litellm/responses"))
    world.learned.refused("azure", "gpt-5", "chat", "capability", "not here")
    amended = found.amend(found.hops[0], "capability")

    assert isinstance(amended, Hop)
    assert amended.name == "azure/responses"
    assert "of nobody knows whom" not in str(amended.body)
    assert "of nobody knows whom" in str(found.hops[1].body)


def test_a_default_that_the_model_refuses_is_left_out_where_the_caller_sets_nothing_of_the_kind() -> None:
    refusing = Registry({"fast": ModelSpec("fast", base_model="gpt-5", reasoning_effort="xhigh")})
    hop = World(refusing).asked("chat", {"model": "fast", "messages": MESSAGES}, ("azure",)).hops[0]

    assert hop.body == {"model": "fast", "messages": MESSAGES}
    assert [(loss.path, loss.minor) for loss in hop.losses] == [("fast.reasoning_effort", True)]
