"""Hops are made when they are asked for, and are what they would have been: counted, never timed.  No network."""

from __future__ import annotations

import copy
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning import Clock, fresh
from pydantic import SecretStr
from wild_bodies import bodies

from chatsheet_llm import ChatClient, Settings, hop_maker
from chatsheet_llm.capabilities import CAPABILITIES, Capability
from chatsheet_llm.classify import Failure
from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.formats import BRIDGES, FormatError, without_attached
from chatsheet_llm.formats.plain import plain
from chatsheet_llm.formats.state import seals
from chatsheet_llm.hop_maker import HopMaker
from chatsheet_llm.hops import Call, Dispatch, Hop, Hops
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.origins import Origins
from chatsheet_llm.outlook import MOST, Outlooks
from chatsheet_llm.parameters import refused, renamed, telling_of
from chatsheet_llm.plan import plan
from chatsheet_llm.portable import CARRIED
from chatsheet_llm.route import Mode
from chatsheet_llm.steps import Failed, Policy, Send

MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
PATHS: Mapping[Mode, str] = {"chat": "/chat/completions", "responses": "/responses"}


def endpoint(name: str, **fields: object) -> Endpoint:
    return build(
        name, EndpointSettings.model_validate({"base_url": f"https://{name}.example", "api_key": "key", **fields})
    )


ENDPOINTS: Mapping[str, Endpoint] = {
    **{name: endpoint(name) for name in ("litellm", "azure", "openai", "anthropic")},
    "eu": endpoint("eu", kind="azure", boundary="eu"),
    "us": endpoint("us", kind="openai", boundary="us"),
    **{f"place{number}": endpoint(f"place{number}", kind="openai") for number in range(20)},
}
CHAINS = (
    ("litellm", "azure/responses", "azure/chat"),
    ("azure/responses", "azure", "litellm", "openai/chat"),
    ("anthropic", "litellm/responses", "nowhere", "azure"),
    ("eu", "us", "azure", "eu/chat", "litellm"),
    ("azure/chat", "anthropic"),
)
MODELS = (
    ModelSpec("fast", base_model="gpt-4.1", deployments={"azure": "prod-7"}, max_tokens=100),
    ModelSpec("coder", base_model="gpt-5-codex", reasoning_effort="low"),
    ModelSpec("thinker", base_model="gpt-5.4", reasoning_effort="high", verbosity_level="low"),
    ModelSpec("own", mode="responses", chain=("azure", "openai/chat")),
    ModelSpec("*", api_model="claude-sonnet-4-5"),
)
REGISTRIES = (Registry(), Registry({spec.alias: spec for spec in MODELS}, chains={"azure": ("eu", "azure")}))
BODIES: tuple[tuple[Mode, Mapping[str, object]], ...] = (
    ("chat", {"messages": MESSAGES}),
    ("chat", {"messages": [], "temperature": 0.2}),
    ("chat", {"messages": MESSAGES, "temperature": 0.5, "reasoning_effort": "minimal", "max_tokens": 50}),
    ("chat", {"messages": MESSAGES, "tools": TOOLS, "reasoning_effort": "low"}),
    ("chat", {"messages": MESSAGES, "n": 2, "logit_bias": {"5": 1}}),
    ("chat", {"messages": [{"role": "alien", "content": "hi"}]}),
    ("chat", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
    ("chat", {"messages": [*MESSAGES, {"role": "assistant", "content": "yes", "phase": "final"}, *MESSAGES]}),
    (
        "chat",
        {
            "messages": [
                *MESSAGES,
                {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "thinking", "signature": "sig"}]},
                *MESSAGES,
            ]
        },
    ),
    ("responses", {"input": "hi", "max_output_tokens": 200}),
    ("responses", {"input": "hi", "previous_response_id": "resp_1"}),
    ("responses", {"input": "hi", "background": True, "store": True}),
    ("responses", {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}, *MESSAGES]}),
)
LESSONS: tuple[tuple[tuple[str, str, Mode, str], ...], ...] = (
    (),
    (("azure", "prod-7", "chat", "capability"), ("litellm", "gpt-5", "chat", "deployment")),
    (("azure", "gpt-5", "chat", "streaming"), ("azure", "gpt-5", "responses", "tools_on_chat")),
    tuple((name, "gpt-5", "chat", "deployment") for name in ENDPOINTS),
)


class World:
    """Everything that a dispatch is made from, with outlooks that are kept from call to call."""

    def __init__(self, registry: Registry = REGISTRIES[0], endpoints: Mapping[str, Endpoint] = ENDPOINTS) -> None:
        self.clock = Clock()
        self.endpoints, self.registry = endpoints, registry
        self.learned, self.origins = Learned(clock=self.clock), Origins()
        self.known = ("nowhere",)
        self.outlooks = Outlooks(endpoints, registry, self.known)

    def asked(
        self, caller: Mode, body: Mapping[str, object], chain: Sequence[str], *, kept: bool = True, **call: object
    ) -> Dispatch:
        fields: dict[str, object] = {"stream": False, **call}
        return dispatch(
            Call("post", PATHS[caller], caller, body, **fields),  # type: ignore[arg-type]
            endpoints=self.endpoints,
            registry=self.registry,
            chain=chain,
            known=self.known,
            origins=self.origins,
            learned=self.learned,
            outlooks=self.outlooks if kept else None,
        )


def listed(found: Dispatch) -> tuple[object, ...]:
    """All of it, read at once."""
    return tuple(found.hops), tuple(found.skipped), tuple(found.losses)


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


# --- what a glance tells


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.family)
@pytest.mark.parametrize("mode", PATHS)
def test_a_parameter_that_a_model_refuses_or_names_otherwise_is_looked_at(row: Capability, mode: Mode) -> None:
    names = {*row.refused, *row.refused_on_chat, *row.renamed_on_chat, "reasoning_effort", "reasoning", "stop", "n"}
    bodies_of = [{name: {"effort": "odd"} if name == "reasoning" else "odd"} for name in sorted(names)]
    noticed = {
        name
        for body in bodies_of
        for name in body
        if renamed(body, mode, row) != body or refused(body, mode, row, "the model", mode)
    }

    assert noticed <= telling_of(row, mode)


@pytest.mark.parametrize("caller", PATHS)
@given(st.data())
def test_a_request_that_looks_plain_holds_nothing_of_an_earlier_reply(caller: Mode, data: st.DataObject) -> None:
    body = data.draw(bodies(caller, comes_back=True))
    if plain(caller, body):
        assert seals(caller, body) == []
        assert caller != "chat" or without_attached(body)[1] == []


@pytest.mark.parametrize(("caller", "body"), BODIES[:6])
def test_ordinary_requests_look_plain(caller: Mode, body: Mapping[str, object]) -> None:
    assert plain(caller, body)


@pytest.mark.parametrize(
    ("caller", "field", "value"),
    [
        ("chat", "messages", [{"role": "assistant", "content": "a", "reasoning_items": [{"encrypted_content": "x"}]}]),
        ("chat", "messages", [{"role": "assistant", "audio": {"id": "audio_1"}}]),
        ("chat", "messages", [{"role": "assistant", "content": "a", "phase": "final"}]),
        ("chat", "messages", [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]),
        ("chat", "messages", [{"role": "assistant", "tool_calls": [{"id": "c", "namespace": "n"}]}]),
        ("responses", "input", [{"type": "message", "role": "assistant", "content": "a", "id": "msg_1"}]),
        ("responses", "input", [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]),
        ("responses", "input", [{"type": "x_output", "call_id": "c", "output": [{"file_id": "file-1"}]}]),
        ("responses", "conversation", "conv_1"),
        ("responses", "tools", [{"type": "file_search", "vector_store_ids": ["vs_1"]}]),
    ],
)
def test_what_an_earlier_reply_left_is_seen_at_a_glance(caller: Mode, field: str, value: object) -> None:
    body = {"messages": MESSAGES, "input": "hi", field: value}

    assert seals(caller, body) != [] or without_attached(body)[1] != []
    assert not plain(caller, body)


ROLES = st.sampled_from(("system", "developer", "user", "assistant"))
WORDS = st.lists(st.fixed_dictionaries({"role": ROLES, "content": st.text(max_size=3)}), max_size=5)
VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "messages": WORDS,
    "input": st.one_of(st.text(min_size=1), WORDS),
    "instructions": st.text(min_size=1),
    "model": st.sampled_from(("gpt-5", "claude-sonnet-4-5", "claude-opus-4-7", "prod")),
    "stream": st.booleans(),
    "max_tokens": st.integers(0, 10**6),
    "max_completion_tokens": st.integers(0, 10**6),
    "max_output_tokens": st.integers(0, 10**6),
    "temperature": st.one_of(st.integers(-1, 3), st.floats(allow_nan=False)),
    "top_p": st.floats(allow_nan=False),
}


@pytest.mark.parametrize("pair", CARRIED, ids=str)
@given(st.data())
def test_what_is_told_to_be_carried_always_is(pair: tuple[Mode, Mode], data: st.DataObject) -> None:
    judges = CARRIED[pair]
    needed = "messages" if pair[0] == "chat" else "input"
    names = {needed, *data.draw(st.sets(st.sampled_from(sorted(judges))))}
    body = {name: data.draw(VALUES[name], name) for name in names}
    body = {name: value for name, value in body.items() if judges[name](value)}
    if needed not in body or {"max_tokens", "max_completion_tokens"} <= body.keys():
        return
    try:
        _, losses = BRIDGES[pair](copy.deepcopy(body))
    except FormatError as error:
        raise AssertionError(f"{body} is no request: {error}") from error

    assert [loss for loss in losses if not loss.minor] == []
    assert set(VALUES) >= set(judges)
