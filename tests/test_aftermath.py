"""What a call does after a hop has asked for another form of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning import POLICY, Clock, failure, fresh, hop

from chatsheet_llm.hops import Hop
from chatsheet_llm.learned import WEAK
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import Failed, GaveUp, Send

ASKED = hop("azure/chat")
OTHER = replace(ASKED, name="azure/responses", surface=f"{ASKED.origin} responses gpt-5")


def ended(refused: str, then: str) -> tuple[list[str], str]:
    """Which hops were asked where the first has another form, and with which fault the call ended."""

    def amend(asked: Hop, fault: str) -> Hop | None:
        return OTHER if asked is ASKED and fault == refused else None

    clock, names = Clock(), []
    steps = plan([ASKED], fresh(clock), policy=POLICY, deadline_at=clock.now + 60.0, amend=amend, clock=clock)
    step, faults = next(steps), [refused]
    try:
        while isinstance(step, Send):
            names.append(step.hop.name)
            step = steps.throw(Failed(failure(faults.pop() if faults else then)))
    except GaveUp as gave_up:
        return names, gave_up.failure.fault
    raise AssertionError(f"the call waits: {step}")


def test_what_a_hop_has_refused_is_no_trouble_of_the_call_once_its_other_form_was_asked() -> None:
    names, fault = ended("tools_on_chat", "gateway_timeout")

    assert names == ["azure/chat", "azure/responses"]
    assert fault == "gateway_timeout"


@pytest.mark.parametrize("refused", sorted(WEAK))
def test_a_refusal_that_may_be_the_whole_trouble_is_told(refused: str) -> None:
    assert ended(refused, "gateway_timeout")[1] == refused
