"""Which hops a request takes, in which API and by which rule; and why the others are left out.  No network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from chatsheet_llm.capabilities import Override
from chatsheet_llm.defaults import with_defaults
from chatsheet_llm.dispatch import dispatch, parse_hop
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.hops import RESTARTABLE, Call, Dispatch, OnLoss
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.modes import RULES
from chatsheet_llm.route import Mode

KEY = "planted-key"
MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
CHAIN = ("litellm", "azure/responses", "azure/chat")


def endpoint(name: str, **fields: object) -> Endpoint:
    return build(
        name, EndpointSettings.model_validate({"base_url": f"https://{name}.example", "api_key": KEY, **fields})
    )


ENDPOINTS = {name: endpoint(name) for name in ("litellm", "azure", "openai", "anthropic")}


def chat(model: str | None = "gpt-5", **body: object) -> dict[str, object]:
    return {"model": model, "messages": MESSAGES, **body}


def asked(
    body: Mapping[str, object] | None,
    chain: Sequence[str] = CHAIN,
    *,
    path: str = "/chat/completions",
    method: str = "post",
    endpoints: Mapping[str, Endpoint] = ENDPOINTS,
    models: Sequence[ModelSpec] = (),
    chains: Mapping[str, tuple[str, ...]] | None = None,
    known: Sequence[str] = (),
    mode: Mode | None = None,
    own_chain: tuple[str, ...] | None = None,
    on_loss: OnLoss = "error",
    stream: bool = False,
    learned: Learned | None = None,
) -> Dispatch:
    formats: dict[str, Mode] = {"/chat/completions": "chat", "/responses": "responses"}
    call = Call(method, path, formats.get(path), body, stream, own_chain, mode, on_loss)
    registry = Registry({spec.alias: spec for spec in models}, chains=chains or {})
    return dispatch(call, endpoints=endpoints, registry=registry, chain=chain, known=known, learned=learned)


def names(found: Dispatch) -> list[str]:
    return [hop.name for hop in found.hops]


# --- the API of a hop


@pytest.mark.parametrize(
    ("body", "hops"),
    [
        # both APIs: the caller's own where the hop does not say
        (chat("gpt-5"), ["litellm/chat", "azure/responses", "azure/chat"]),
        (chat("gpt-4.1"), ["litellm/chat", "azure/responses", "azure/chat"]),
        # Responses only
        (chat("gpt-5-codex"), ["litellm/responses", "azure/responses"]),
        (chat("gpt-5-codex-2025-09-15"), ["litellm/responses", "azure/responses"]),
        (chat("gpt-5.1-codex-max"), ["litellm/responses", "azure/responses"]),
        (chat("gpt-5-pro"), ["litellm/responses", "azure/responses"]),
        (chat("o3-pro"), ["litellm/responses", "azure/responses"]),
        # chat only
        (chat("gpt-4"), ["litellm/chat", "azure/chat"]),
        # tools with reasoning
        (chat("gpt-5.4", tools=TOOLS, reasoning_effort="low"), ["litellm/responses", "azure/responses"]),
        (chat("gpt-5.4", tools=TOOLS), ["litellm/chat", "azure/responses", "azure/chat"]),
        (chat("gpt-5.4", tools=TOOLS, reasoning_effort="none"), ["litellm/chat", "azure/responses", "azure/chat"]),
        (chat("gpt-5.4", reasoning_effort="low"), ["litellm/chat", "azure/responses", "azure/chat"]),
        (chat("gpt-5.4", tools=[], reasoning_effort="low"), ["litellm/chat", "azure/responses", "azure/chat"]),
        (chat("gpt-5.6", tools=TOOLS), ["litellm/responses", "azure/responses"]),
        (chat("gpt-5.6", tools=TOOLS, reasoning_effort="none"), ["litellm/chat", "azure/responses", "azure/chat"]),
        (chat("gpt-5", tools=TOOLS, reasoning_effort="low"), ["litellm/chat", "azure/responses", "azure/chat"]),
        # a name of which nothing is known says nothing
        (chat("my-gpt-5-codex-prod"), ["litellm/chat", "azure/responses", "azure/chat"]),
        (chat("mistral-large"), ["litellm/chat", "azure/responses", "azure/chat"]),
    ],
    ids=lambda value: str(value)[:70],
)
def test_the_model_and_the_request_choose_the_api(body: dict[str, object], hops: list[str]) -> None:
    assert names(asked(body)) == hops


def test_a_responses_request_goes_out_as_responses_where_the_hop_does_not_say_otherwise() -> None:
    found = asked({"model": "gpt-5", "input": "hi"}, path="/responses")

    assert names(found) == ["litellm/responses", "azure/responses", "azure/chat"]
    assert found.skipped == ()


def test_a_responses_request_that_chat_cannot_carry_leaves_that_hop_out() -> None:
    found = asked({"model": "gpt-5", "input": "hi", "background": True}, path="/responses")

    assert names(found) == ["litellm/responses", "azure/responses"]
    assert [(skip.hop, skip.rule) for skip in found.skipped] == [("azure/chat", "loss")]


def test_an_explicit_mode_wins_over_every_rule() -> None:
    found = asked(chat("gpt-5"), mode="chat")

    assert names(found) == ["litellm/chat", "azure/chat"]
    assert {hop.rule for hop in found.hops} == {"call mode"}
    assert [skip.rule for skip in found.skipped] == ["call mode"]


@pytest.mark.parametrize(
    ("body", "mode", "said"),
    [
        (chat("gpt-5-codex"), "chat", "gpt-5-codex is served through /v1/responses, not /v1/chat/completions"),
        (chat("gpt-4"), "responses", "gpt-4 is served through /v1/chat/completions, not /v1/responses"),
        (chat("gpt-5.4", tools=TOOLS, reasoning_effort="low"), "chat", "through /v1/responses alone"),
        (chat("gpt-5.6", tools=TOOLS), "chat", "takes tools without an effort through /v1/responses alone"),
    ],
)
def test_a_mode_that_the_model_does_not_speak_is_an_error_and_never_sent(
    body: dict[str, object], mode: Mode, said: str
) -> None:
    found = asked(body, mode=mode)

    assert names(found) == []
    assert {skip.rule for skip in found.skipped} <= {"mode", "call mode"}
    assert {said in skip.reason for skip in found.skipped if skip.rule == "mode"} == {True}


def test_a_model_entry_that_knows_better_than_the_table_is_believed() -> None:
    knows_better = Override(apis=frozenset({"chat", "responses"}))
    opted_out = ModelSpec("codex", base_model="gpt-5-codex", mode="chat", capabilities=knows_better)

    assert names(asked(chat("codex"), models=[opted_out])) == ["litellm/chat", "azure/chat"]


def test_the_mode_of_a_model_entry_leaves_out_hops_that_name_another() -> None:
    spec = ModelSpec("codex", base_model="gpt-5-codex", mode="responses")
    found = asked(chat("codex"), models=[spec])

    assert names(found) == ["litellm/responses", "azure/responses"]
    assert found.skipped[0].rule == "model mode"


def test_the_mode_of_a_call_wins_over_that_of_the_model_entry() -> None:
    spec = ModelSpec("fast", base_model="gpt-5", mode="chat")

    assert names(asked(chat("fast"), models=[spec], mode="responses")) == ["litellm/responses", "azure/responses"]


def test_rules_read_the_base_model_and_not_the_name_of_the_deployment() -> None:
    hidden = ModelSpec("prod", base_model="gpt-5-codex", deployments={"azure": "prod-7"})
    misnamed = ModelSpec("old", base_model="gpt-4.1", deployments={"azure": "gpt-5-codex-old"})

    assert names(asked(chat("prod"), models=[hidden])) == ["litellm/responses", "azure/responses"]
    assert names(asked(chat("old"), models=[misnamed])) == ["litellm/chat", "azure/responses", "azure/chat"]


def test_an_endpoint_is_asked_only_for_what_its_settings_allow() -> None:
    chat_only = {**ENDPOINTS, "litellm": endpoint("litellm", modes=["chat"])}

    found = asked(chat("gpt-5-codex"), endpoints=chat_only)

    assert names(found) == ["azure/responses"]
    assert found.skipped[0].hop == "litellm/chat"


def test_an_old_api_version_has_no_responses() -> None:
    old = {**ENDPOINTS, "azure": endpoint("azure", api_version="2024-10-21")}

    found = asked(chat("gpt-5"), endpoints=old)

    assert names(found) == ["litellm/chat", "azure/chat"]
    assert "2024-10-21" in found.skipped[0].reason


def test_every_hop_says_the_rule_that_chose_it() -> None:
    assert [hop.rule for hop in asked(chat("gpt-5-codex")).hops] == [
        "capability",
        "hop mode",
    ]
    assert {hop.rule for hop in asked(chat("gpt-5-codex")).hops} <= set(RULES)


# --- names and bodies


def test_each_endpoint_gets_its_own_name_of_the_model() -> None:
    spec = ModelSpec("fast", base_model="gpt-5-mini", deployments={"azure": "mini-prod"}, api_model="gpt-5-mini")
    found = asked(chat("fast"), models=[spec])

    assert [(hop.name, hop.model, (hop.body or {})["model"]) for hop in found.hops] == [
        ("litellm/chat", "gpt-5-mini", "gpt-5-mini"),
        ("azure/responses", "mini-prod", "mini-prod"),
        ("azure/chat", "mini-prod", "mini-prod"),
    ]


def test_a_default_deployment_serves_models_that_nobody_placed() -> None:
    pinned = {**ENDPOINTS, "azure": endpoint("azure", deployment="the-only-one")}

    assert [hop.model for hop in asked(chat("gpt-5"), endpoints=pinned).hops] == [
        "gpt-5",
        "the-only-one",
        "the-only-one",
    ]


def test_a_body_in_the_caller_s_own_format_is_not_touched() -> None:
    body = chat("gpt-5", unheard_of={"a": 1}, temperature=0.3)

    assert asked(body, ["azure/chat"]).hops[0].body == body


def test_the_caller_s_body_is_left_as_it_is() -> None:
    spec = ModelSpec("fast", base_model="gpt-5", api_model="gpt-5", reasoning_effort="low", max_tokens=5)
    body = chat("fast")
    before = dict(body)
    asked(body, models=[spec])

    assert body == before


def test_a_bridged_body_is_in_the_words_of_the_hop() -> None:
    body = asked(chat("gpt-5", max_completion_tokens=90), ["azure/responses"]).hops[0].body

    assert body is not None
    assert "messages" not in body
    assert body["max_output_tokens"] == 90


DEFAULTS = ModelSpec(
    "m",
    reasoning_effort="low",
    summary_level="auto",
    verbosity_level="high",
    truncation_strategy="auto",
    max_tokens=100,
)


def test_defaults_of_the_model_entry_fill_in_what_the_caller_left_out() -> None:
    assert with_defaults({}, "chat", DEFAULTS)[0] == {
        "reasoning_effort": "low",
        "verbosity": "high",
        "max_completion_tokens": 100,
    }
    assert with_defaults({}, "responses", DEFAULTS)[0] == {
        "max_output_tokens": 100,
        "truncation": "auto",
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "high"},
    }
    assert with_defaults({}, "messages", DEFAULTS)[0] == {
        "max_tokens": 100,
        "output_config": {"effort": "low"},
        "thinking": {"display": "summarized", "type": "adaptive"},
    }


@pytest.mark.parametrize(
    ("entry", "body", "placeless"),
    [
        ({"verbosity_level": "low", "truncation_strategy": "auto"}, {}, ["verbosity_level", "truncation_strategy"]),
        ({"verbosity_level": "medium", "truncation_strategy": "disabled"}, {}, []),
        ({"reasoning_effort": "minimal"}, {}, ["reasoning_effort"]),
        ({"reasoning_effort": "high"}, {"model": "claude-sonnet-4-5"}, ["reasoning_effort"]),
        ({"reasoning_effort": "high"}, {"model": "claude-opus-4-6", "tool_choice": {"type": "any"}}, []),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "disabled"}}, []),
        ({"summary_level": "auto"}, {}, ["summary_level"]),
    ],
)
def test_a_default_that_messages_has_no_place_for_is_listed(
    entry: dict[str, str], body: dict[str, object], placeless: list[str]
) -> None:
    filled, losses = with_defaults(body, "messages", ModelSpec("m", **entry))  # type: ignore[arg-type]

    assert [(loss.path, loss.minor) for loss in losses] == [(f"m.{name}", True) for name in placeless]
    assert ("thinking" in filled) == (
        bool(body.get("thinking")) or (entry == {"reasoning_effort": "high"} and not losses)
    )


@pytest.mark.parametrize(
    ("mode", "body"),
    [
        ("chat", {"reasoning_effort": "high", "verbosity": "low", "max_completion_tokens": 5}),
        ("chat", {"max_tokens": 5}),
        ("responses", {"reasoning": {"effort": "high"}, "text": {"verbosity": "low"}, "max_output_tokens": 5}),
        ("messages", {"max_tokens": 5}),
    ],
)
def test_defaults_never_replace_what_the_caller_set(mode: Mode, body: dict[str, object]) -> None:
    filled, _ = with_defaults(body, mode, DEFAULTS)

    for name, value in body.items():
        kept = filled[name]
        assert {**kept, **value} == kept if isinstance(value, dict) and isinstance(kept, dict) else kept == value
    assert not ("max_tokens" in body and "max_completion_tokens" in filled)


# --- losses


def test_a_hop_that_cannot_carry_something_is_left_for_one_that_can() -> None:
    found = asked(chat("gpt-4.1", stop=["x"]), ["azure/responses", "azure/chat"])

    assert names(found) == ["azure/chat"]
    assert found.skipped[0].rule == "loss"
    assert "stop" in found.skipped[0].reason
    assert [loss.path for loss in found.losses] == ["stop"]


def test_with_no_hop_left_the_losses_say_why() -> None:
    found = asked(chat("gpt-5-codex", stop=["x"], n=2))

    assert names(found) == []
    assert {loss.path for loss in found.losses} == {"stop", "n"}


def test_dropping_is_the_caller_s_choice_and_is_listed() -> None:
    found = asked(chat("gpt-5-codex", stop=["x"]), on_loss="drop")

    assert names(found) == ["litellm/responses", "azure/responses"]
    assert [[loss.path for loss in hop.losses] for hop in found.hops] == [["stop"], ["stop"]]
    assert all(hop.body is not None and "stop" not in hop.body for hop in found.hops)


def test_a_body_that_is_not_of_its_format_makes_no_hop_in_another() -> None:
    found = asked({"model": "gpt-5", "messages": 7}, ["azure/responses", "azure/chat"])

    assert names(found) == ["azure/chat"]
    assert found.skipped[0].rule == "body"
    assert "messages" in found.skipped[0].reason


def test_a_body_that_is_not_of_its_format_sends_no_model_where_it_does_not_belong() -> None:
    found = asked(chat("gpt-5-codex", messages=[{"role": "user", "content": 7}]))

    assert names(found) == []
    assert {skip.rule for skip in found.skipped} == {"body", "capability"}


def test_what_the_table_says_is_a_hint_where_no_other_hop_is_left() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    found = asked(chat("gpt-5.4", tools=[tool], reasoning_effort="low"), ["azure/chat"])

    assert names(found) == ["azure/chat"]
    assert "although gpt-5.4 takes tools with reasoning_effort 'low' through /v1/responses" in found.hops[0].reason


def test_an_api_that_the_table_excludes_is_not_asked_though_the_chain_names_no_other() -> None:
    found = asked(chat("gpt-5-codex"), ["azure/chat"])

    assert names(found) == []
    assert [skip.rule for skip in found.skipped] == ["mode"]
    assert "served through /v1/responses, not /v1/chat/completions" in found.skipped[0].reason


# --- chains


def test_the_chain_of_a_call_wins_over_that_of_the_model_and_of_the_client() -> None:
    spec = ModelSpec("fast", base_model="gpt-5", chain=("azure/chat",))

    assert names(asked(chat("fast"), models=[spec])) == ["azure/chat"]
    assert names(asked(chat("fast"), models=[spec], own_chain=("litellm",))) == ["litellm/chat"]


def test_a_named_chain_is_expanded_in_its_place() -> None:
    found = asked(chat(), ["careful", "litellm"], chains={"careful": ("azure/chat", "openai/chat")})

    assert names(found) == ["azure/chat", "openai/chat", "litellm/chat"]


def test_the_same_hop_twice_is_one() -> None:
    assert names(asked(chat(), ["azure/chat", "azure/chat", "azure/responses", "azure/chat"])) == [
        "azure/chat",
        "azure/responses",
    ]


def test_a_hop_that_is_not_configured_is_left_out_and_named() -> None:
    here = {"azure": ENDPOINTS["azure"]}
    found = asked(chat(), endpoints=here, known=["litellm", "openai"])

    assert names(found) == ["azure/responses", "azure/chat"]
    assert [(skip.hop, skip.rule) for skip in found.skipped] == [("litellm", "not configured")]


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("azur/chat", "did you mean 'azure/chat'"),
        ("nope", "no endpoint 'nope'"),
        ("azure/caht", "not 'caht'"),
        ("azure/", "not ''"),
    ],
)
def test_a_hop_nobody_knows_is_an_error_that_helps(entry: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=hint):
        asked(chat(), [entry])


@pytest.mark.parametrize(
    ("entry", "parsed"),
    [("azure", ("azure", None)), ("azure/chat", ("azure", "chat")), (" azure/chat ", ("azure", "chat"))],
)
def test_a_hop_is_an_endpoint_and_perhaps_a_mode(entry: str, parsed: tuple[str, Mode | None]) -> None:
    assert parse_hop(entry, ENDPOINTS) == parsed


def test_no_key_is_in_a_hop_or_in_what_is_said_of_it() -> None:
    found = asked(chat("gpt-5-codex", stop=["x"]), [*CHAIN, "openai", "anthropic"], on_loss="drop")

    assert KEY not in repr(found)


# --- paths that are not bridged


@pytest.mark.parametrize(
    ("path", "hops"),
    [
        ("/embeddings", ["litellm", "azure", "openai"]),
        ("/models", ["litellm", "azure", "openai"]),
        ("/moderations", ["litellm", "openai"]),
        ("/files", ["litellm"]),
        ("/organization/projects", ["openai"]),
    ],
)
def test_other_paths_go_where_they_are_served_as_they_are(path: str, hops: list[str]) -> None:
    found = asked(
        {"model": "gpt-5"} if path == "/embeddings" else None, ["litellm", "azure", "openai", "anthropic"], path=path
    )

    assert names(found) == hops
    assert all(hop.mode is None for hop in found.hops)


def test_what_changes_something_there_is_never_offered_to_a_second_hop() -> None:
    for path in ("/files", "/batches", "/responses/resp_1", "/fine_tuning/jobs", "/images/generations"):
        assert path not in RESTARTABLE
        assert len(asked({}, ["azure", "openai", "litellm"], path=path).hops) == 1


def test_both_modes_of_an_endpoint_are_one_hop_for_a_path_that_has_none() -> None:
    assert names(asked(None, path="/models", method="get")) == ["litellm", "azure"]


def test_a_missing_path_says_nothing_of_the_others() -> None:
    files = asked(None, ["litellm"], path="/files", method="get").hops[0]
    models = asked(None, ["litellm"], path="/models", method="get").hops[0]

    assert files.surface != models.surface


# --- side effects


@pytest.mark.parametrize(
    ("body", "effects"),
    [
        (chat(), False),
        (chat(tools=TOOLS), False),
        ({"input": "hi", "tools": [{"type": "mcp", "server_url": "https://x"}]}, True),
        ({"input": "hi", "tools": [{"type": "code_interpreter"}]}, True),
        ({"input": "hi", "background": True}, True),
        ({"input": "hi", "conversation": "conv_1"}, True),
        ({"input": "hi", "tools": "odd"}, False),
        (None, False),
    ],
    ids=str,
)
def test_requests_that_do_something_elsewhere_are_known(body: Mapping[str, object] | None, effects: bool) -> None:
    assert Call("post", "/responses", "responses", body, False).side_effects is effects


@pytest.mark.parametrize(
    ("base", "deployment", "kept"),
    [("claude-sonnet-4-5", "sonnet-prod", True), ("claude-opus-5", "claude-sonnet-4-5", False), (None, "mine", False)],
)
def test_what_a_model_takes_is_told_by_its_base_model(base: str | None, deployment: str, kept: bool) -> None:
    spec = ModelSpec("fast", base_model=base, deployments={"anthropic": deployment})
    found = asked(chat("fast", temperature=0.2), ["anthropic"], models=[spec], on_loss="drop")

    assert found.hops[0].body is not None
    assert found.hops[0].body["model"] == deployment
    assert ("temperature" in found.hops[0].body) == kept


# --- data boundaries


def test_a_call_that_may_go_to_a_hop_in_one_boundary_goes_to_none_in_another() -> None:
    eu, us = (
        build(name, EndpointSettings(kind="openai", base_url=f"https://{name}.example", api_key="k", boundary=name))
        for name in ("eu", "us")
    )
    found = dispatch(
        Call("post", "/chat/completions", "chat", chat(), False),
        endpoints={**ENDPOINTS, "eu": eu, "us": us},
        registry=Registry.empty(),
        chain=["litellm", "eu/chat", "us/chat", "azure/chat"],
    )

    assert names(found) == ["litellm/chat", "eu/chat", "azure/chat"]
    assert [(skip.hop, skip.rule) for skip in found.skipped] == [("us/chat", "boundary")]
    assert "lies in data boundary 'us', and eu/chat in 'eu'" in found.skipped[0].reason
