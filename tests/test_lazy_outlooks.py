"""What is remembered of a dispatch and for how long, and how much is done: counted, never timed.  No network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from dispatch_world import MESSAGES, REGISTRIES, World
from planning import Clock, fresh
from pydantic import SecretStr

from chatsheet_llm import ChatClient, Settings
from chatsheet_llm.hops import Dispatch
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.outlook import MOST
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import Policy

# --- what is remembered, and for how long


def names(found: Dispatch) -> list[str]:
    return [hop.name for hop in found.hops]


def test_a_lesson_changes_the_next_call_and_none_that_has_begun() -> None:
    world = World()
    body = {"model": "gpt-5", "messages": MESSAGES}
    before = world.asked("chat", body, ("litellm", "azure"))
    world.learned.refused("azure", "gpt-5", "chat", "capability", "not here")
    after = world.asked("chat", body, ("litellm", "azure"))

    assert names(before) == ["litellm/chat", "azure/chat"]
    assert names(after) == ["litellm/chat", "azure/responses"]


@pytest.mark.parametrize("way", ["expiry", "forgotten", "answered", "elsewhere"])
def test_a_lesson_that_does_not_hold_any_more_is_not_remembered(way: str) -> None:
    world = World()
    body = {"model": "gpt-5", "messages": MESSAGES}
    world.learned.refused("azure", "gpt-5", "chat", "capability", "not here")
    before = names(world.asked("chat", body, ("azure",)))
    if way == "expiry":
        world.clock.now += world.learned.expiry + 1
    elif way == "forgotten":
        world.learned.forget("azure")
    elif way == "answered":
        world.learned.answered("azure", "gpt-5", "chat", stream=False)
    else:
        world.learned.hear("azure", "gpt-5", "chat", "always", None)

    assert before == ["azure/responses"]
    assert names(world.asked("chat", body, ("azure",))) == ["azure/chat"]


def test_what_a_deployment_names_itself_changes_the_next_call() -> None:
    world = World()
    body = {"model": "prod", "messages": MESSAGES}
    before = names(world.asked("chat", body, ("azure",)))
    world.learned.serves("azure", "prod", "gpt-5-codex", "gpt-5-codex")

    assert before == ["azure/chat"]
    assert names(world.asked("chat", body, ("azure",))) == ["azure/responses"]


def test_outlooks_of_another_registry_or_other_endpoints_are_not_asked() -> None:
    world = World()
    body = {"model": "fast", "messages": MESSAGES}
    before = world.asked("chat", body, ("azure",)).hops[0]
    world.registry = REGISTRIES[1]
    after = world.asked("chat", body, ("azure/chat",)).hops[0]

    assert (before.model, after.model) == ("fast", "prod-7")


def test_a_client_remembers_what_it_decided_and_forgets_it_when_it_reads_its_models_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("models:\n  fast: {deployments: {openai: mini-1}}\n", encoding="utf-8")
    settings = Settings(_env_file=None, chain=("openai",), models_file=models, openai_api_key=SecretStr("key"))
    body: dict[str, object] = {"model": "fast", "messages": MESSAGES}
    with ChatClient(settings) as client:
        planned = [client.plan(body).hops[0].model for _ in range(2)]
        remembered = client._core.setup.outlooks
        models.write_text("models:\n  fast: {deployments: {openai: mini-2}}\n", encoding="utf-8")
        client.reload()
        after = client.plan(body).hops[0].model

    assert planned == ["mini-1", "mini-1"]
    assert len(remembered._ways) == 1
    assert after == "mini-2"


def test_only_so_many_kinds_of_calls_are_remembered() -> None:
    world = World()
    for number in range(MOST + 10):
        world.asked("chat", {"model": f"model-{number}", "messages": MESSAGES}, ("azure",))

    assert len(world.outlooks._ways) == 10


def test_a_name_without_end_is_not_remembered() -> None:
    world = World()
    world.asked("chat", {"model": "m" * 10_000, "messages": MESSAGES}, ("azure",))

    assert len(world.outlooks._ways) == 0


# --- how much is done


def calls_in(run: Callable[[], object]) -> int:
    """How many functions are called while it runs."""
    count = 0

    def heard(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(heard)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


def decided(hops: int, models: int, messages: int = 2) -> int:
    """How many functions a call takes that its first hop answers, once its kind is known."""
    registry = Registry({f"model-{at}": ModelSpec(f"model-{at}", base_model="gpt-5") for at in range(models)})
    world = World(registry)
    body = {"model": "model-0", "messages": MESSAGES * messages}
    chain = tuple(f"place{number}" for number in range(hops))
    clock = Clock()
    domains = fresh(clock)

    def run() -> None:
        found = world.asked("chat", body, chain)
        steps = plan(found.hops, domains, policy=Policy(), deadline_at=1120.0, amend=found.amend, clock=clock)
        next(steps)
        next(steps, None)

    run()
    return calls_in(run)


def test_a_call_takes_as_many_steps_with_twenty_hops_and_a_thousand_models_as_with_three_and_one() -> None:
    few = decided(3, 1)

    assert decided(20, 1000) == few
    assert few <= 160


def test_a_conversation_of_a_hundred_messages_is_not_taken_apart() -> None:
    assert decided(3, 1, messages=100) == decided(3, 1, messages=1)
