"""``proxy-config``: what is written for each model, by which rule, and what is left out and why."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_writing import Written, comments, writer

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.proxy_config import check

ENDPOINTS: dict[str, dict[str, object]] = {
    "azure": {"base_url": "https://one.openai.azure.com/openai/v1/", "api_key": "canary-1"},
    "azure-eu": {"kind": "azure", "base_url": "https://eu.openai.azure.com", "api_key": "canary-2"},
    "openai": {"api_key": "canary-3"},
    "anthropic": {"api_key": "canary-4"},
    "anthropic_foundry": {"base_url": "https://res.services.ai.azure.com/anthropic", "api_key": "canary-5"},
    "litellm": {"base_url": "https://litellm.example.com"},
}


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return writer(tmp_path / "models.yaml", ENDPOINTS)


def entries(text: str) -> dict[str, dict[str, Any]]:
    return {entry["model_name"]: entry for entry in yaml.safe_load(text)["model_list"] or ()}


def params(text: str) -> dict[str, Any]:
    """The ``litellm_params`` of the only entry."""
    (entry,) = entries(text).values()
    return dict(entry["litellm_params"])


ALL = """
    models:
      - {alias: gpt-5-codex, base_model: gpt-5-codex, deployments: {azure: codex-prod}}
      - {alias: gpt-5, base_model: gpt-5}
      - {alias: coder, base_model: gpt-5.4, deployments: {azure-eu: coder-eu}, chain: [azure-eu, azure]}
      - {alias: claude, base_model: claude-sonnet-4-5, chain: [anthropic_foundry, anthropic]}
      - {alias: sonnet, base_model: claude-sonnet-4-5, chain: [anthropic]}
      - {alias: pro, api_model: o1-pro, chain: [openai]}
      - {alias: smart, base_model: gpt-5.4, mode: chat}
      - {alias: nowhere, chain: [litellm]}
      - {alias: "*"}
    """


def test_the_whole_file_is_as_written_down_here(written: Written) -> None:
    text = written("models: [{alias: gpt-5-codex, base_model: gpt-5-codex, deployments: {azure: codex-prod}}]")

    assert text == textwrap.dedent(
        """\
        # Written by `chatsheet-llm proxy-config` from models.yaml. Do not change it here; write it anew:
        #   chatsheet-llm proxy-config --output proxy_config.yaml --force
        # It holds no secret. The proxy reads these variables from its environment:
        #   LITELLM_MASTER_KEY
        #   AZURE_OPENAI_API_KEY

        model_list:
          # api_version: azure is on the v1 surface, where LiteLLM sends api-version=v1 with Responses and Azure
          #   refuses it; 2025-04-01-preview has both APIs
          - model_name: gpt-5-codex
            litellm_params:
              model: azure/responses/codex-prod
              api_base: https://one.openai.azure.com
              api_version: 2025-04-01-preview
              api_key: os.environ/AZURE_OPENAI_API_KEY
            model_info:
              base_model: azure/gpt-5-codex

        # No retries of its own: the caller walks a chain, and two layers of retries multiply the sends.
        router_settings:
          num_retries: 0

        general_settings:
          master_key: os.environ/LITELLM_MASTER_KEY
        """
    )


def test_the_checker_finds_nothing_in_what_is_written(written: Written, tmp_path: Path) -> None:
    path = tmp_path / "proxy_config.yaml"
    path.write_text(written(ALL), encoding="utf-8")

    assert len(entries(path.read_text(encoding="utf-8"))) == 7
    assert check(path) == ()


def test_models_keep_the_order_of_the_file_and_two_runs_write_the_same(written: Written) -> None:
    text = written(ALL)

    assert list(entries(text)) == ["gpt-5-codex", "gpt-5", "coder", "claude", "sonnet", "o1-pro", "smart"]
    assert written(ALL) == text


def test_no_secret_is_written_and_every_variable_is_listed_on_top(written: Written) -> None:
    text = written(ALL, **{"azure-eu": {"headers": {"X-Team": "canary-6"}}})
    header = text.partition("model_list:")[0]

    assert "canary" not in text
    listed = [line.removeprefix("#   ") for line in header.splitlines() if line.startswith("#   ")][1:]
    used = {part.split()[0] for part in text.split("os.environ/")[1:]}
    assert set(listed) == used
    assert "CHATSHEET_ENDPOINTS__AZURE_EU__API_KEY" in listed


@pytest.mark.parametrize(
    ("model", "string"),
    [
        ("{alias: m, base_model: gpt-5-codex}", "azure/responses/m"),
        ("{alias: m, base_model: gpt-5-pro, deployments: {azure: pro-prod}}", "azure/responses/pro-prod"),
        ("{alias: gpt-5.1-codex}", "azure/responses/gpt-5.1-codex"),
        ("{alias: m, base_model: gpt-5}", "azure/m"),
        ("{alias: m}", "azure/m"),
        ("{alias: m, base_model: gpt-5.4}", "azure/responses/m"),
        ("{alias: gpt-5.4}", "azure/gpt-5.4"),
        ("{alias: m, base_model: gpt-5.4, deployments: {azure: gpt-5.4-prod}}", "azure/gpt-5.4-prod"),
        ("{alias: m, base_model: gpt-5, mode: responses}", "azure/responses/m"),
        ("{alias: m, base_model: gpt-5, chain: [litellm, azure/responses]}", "azure/responses/m"),
        ("{alias: m, base_model: gpt-5, chain: [azure/responses, azure/chat]}", "azure/m"),
        ("{alias: m, base_model: gpt-5, chain: [azure/responses, azure]}", "azure/m"),
        ("{alias: m, base_model: gpt-5, chain: [azure/chat, azure/responses]}", "azure/m"),
        ("{alias: m, base_model: gpt-5, mode: chat, chain: [azure/responses, azure/chat]}", "azure/m"),
        ("{alias: m, base_model: gpt-5.4, mode: chat}", "azure/m"),
        ("{alias: m, base_model: gpt-5.6, mode: chat}", "azure/m"),
        ("{alias: m, base_model: gpt-5.4, mode: chat, chain: [openai]}", "openai/m"),
        ("{alias: m, base_model: gpt-5.4, chain: [litellm/chat, azure/chat]}", "azure/m"),
        ("{alias: m, base_model: gpt-5.4, chain: [litellm/chat, azure/responses, azure/chat]}", "azure/responses/m"),
        ("{alias: m, base_model: gpt-5.4, chain: [litellm/chat, azure]}", "azure/responses/m"),
        ("{alias: m, base_model: gpt-5.4, mode: chat, deployments: {azure: gpt-5.4-prod}}", "azure/gpt-5.4-prod"),
        ("{alias: m, base_model: gpt-5, chain: [openai]}", "openai/m"),
        ("{alias: m, base_model: o1-pro, chain: [openai]}", "openai/responses/m"),
        ("{alias: m, base_model: claude-sonnet-4-5, chain: [anthropic]}", "anthropic/m"),
        ("{alias: claude-m, base_model: claude-sonnet-4-5, chain: [anthropic_foundry]}", "azure_ai/claude-m"),
        ("{alias: m, base_model: claude-sonnet-4-5, chain: [anthropic_foundry]}", "anthropic/m"),
    ],
)
def test_the_model_string_reaches_the_api_that_the_model_has(model: str, string: str, written: Written) -> None:
    assert params(written(f"models: [{model}]"))["model"] == string


def test_mode_is_written_for_nobody_but_who_stays_on_chat_against_the_rule(written: Written) -> None:
    """Only ``mode: responses`` leaks, and ``--check`` takes ``mode: chat`` for the author's word."""
    text = written(
        """
        models:
          - {alias: one, base_model: gpt-5.4, mode: chat}
          - {alias: two, base_model: gpt-5.4, chain: [azure/chat]}
          - {alias: three, base_model: gpt-5.4}
          - {alias: four, base_model: gpt-5, mode: chat}
          - {alias: five, base_model: gpt-5, mode: responses}
          - {alias: six, base_model: gpt-5-codex, mode: responses}
        """
    )
    modes = {name: entry["model_info"].get("mode") for name, entry in entries(text).items()}

    assert modes == {"one": "chat", "two": "chat", "three": None, "four": None, "five": None, "six": None}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt-5.4", "moves chat calls with function tools to Responses by the name 'gpt-5.4'"),
        ("gpt-5.4-prod", "moves chat calls with function tools to Responses by the name 'gpt-5.4-prod'"),
        ("gpt-5-codex", "moves all chat calls to Responses by the name 'gpt-5-codex'"),
        ("prod54", ""),
    ],
)
@pytest.mark.parametrize("endpoint", ["azure", "openai"])
def test_a_name_that_litellm_moves_although_chat_is_asked_for_has_a_remark(
    endpoint: str, name: str, says: str, written: Written
) -> None:
    entry = f"alias: m, base_model: gpt-5.4, deployments: {{{endpoint}: {name}}}"
    opted = written(f"models: [{{{entry}, chain: [litellm, {endpoint}/chat]}}]")
    left = written(f"models: [{{{entry}, chain: [litellm, {endpoint}]}}]")

    assert comments(opted).count("Chat is asked for, but LiteLLM moves") == bool(says)
    assert says in comments(opted)
    assert "Chat is asked for" not in comments(left)


@pytest.mark.parametrize(
    ("model", "base_model"),
    [
        ("{alias: m, base_model: gpt-5}", "azure/gpt-5"),
        ("{alias: gpt-5-mini}", "azure/gpt-5-mini"),
        ("{alias: m}", None),
        ("{alias: m, base_model: gpt-5, chain: [openai]}", "gpt-5"),
        ("{alias: m, base_model: claude-sonnet-4-5, chain: [anthropic]}", "claude-sonnet-4-5"),
        ("{alias: claude, base_model: claude-opus-4-5, chain: [anthropic_foundry]}", "azure_ai/claude-opus-4-5"),
        (
            "{alias: m, base_model: gpt-5, deployments: {anthropic: claude-sonnet-4-5}, chain: [anthropic]}",
            "claude-sonnet-4-5",
        ),
        ("{alias: m, base_model: gpt-5, deployments: {anthropic: sonnet-prod}, chain: [anthropic]}", None),
    ],
)
def test_base_model_is_the_key_of_the_cost_map(model: str, base_model: str | None, written: Written) -> None:
    (entry,) = entries(written(f"models: [{model}]")).values()

    assert entry.get("model_info", {}).get("base_model") == base_model


@pytest.mark.parametrize(
    ("version", "model", "expected", "says"),
    [
        (None, "gpt-5", "2025-04-01-preview", "azure is on the v1 surface"),
        ("v1", "gpt-5", "2025-04-01-preview", "azure is on the v1 surface"),
        ("2025-03-01-preview", "gpt-5", "2025-03-01-preview", ""),
        ("2026-01-01", "gpt-5", "2026-01-01", ""),
        ("2024-10-21", "gpt-5", "2025-04-01-preview", "azure has 2024-10-21, which is older than Responses"),
        ("2024-10-21", "house-model", "2025-04-01-preview", "which is older than Responses"),
        ("2024-10-21", "gpt-4", "2024-10-21", ""),
    ],
)
def test_the_api_version_has_what_the_model_needs(
    version: str | None, model: str, expected: str, says: str, written: Written
) -> None:
    text = written(f"models: [{{alias: m, base_model: {model}}}]", azure={"api_version": version})

    assert params(text)["api_version"] == expected
    assert ("api_version:" in comments(text)) is bool(says)
    assert says in comments(text)


def test_a_note_on_an_endpoint_stands_once(written: Written) -> None:
    text = written("models: [{alias: gpt-5}, {alias: gpt-5-mini}]")

    assert comments(text).count("azure is on the v1 surface") == 1


def test_the_first_endpoint_of_the_chain_has_the_entry_and_the_others_are_named(written: Written) -> None:
    text = written(
        """
        chains: {all: [litellm, azure-eu/responses, azure-eu/chat, azure, openai]}
        models: [{alias: gpt-5, chain: [all]}]
        """
    )

    assert params(text)["api_base"] == "https://eu.openai.azure.com"
    assert "left out: azure, openai; LiteLLM shares the load between entries of one name" in comments(text)


def test_an_endpoint_of_another_family_does_not_have_the_model_unless_the_entry_says_so(written: Written) -> None:
    chain = "chain: [azure, anthropic]"
    claude = written(f"models: [{{alias: m, base_model: claude-sonnet-4-5, {chain}}}]")
    named = written(
        "models: [{alias: m, base_model: gpt-5, deployments: {anthropic: claude-opus-4-5}, chain: [anthropic, azure]}]"
    )

    assert params(claude)["model"] == "anthropic/m"
    assert "left out" not in comments(claude)
    assert params(named)["model"] == "anthropic/claude-opus-4-5"


def test_the_deployment_of_an_endpoint_and_the_name_for_all_others_are_used(written: Written) -> None:
    named = written("models: [{alias: m, api_model: gpt-5, chain: [openai]}]")
    default = written("models: [{alias: m}]", azure={"deployment": "house"})

    assert params(named)["model"] == "openai/gpt-5"
    assert params(default)["model"] == "azure/house"


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        ("[litellm]", "'m' is left out: its chain has only the proxy itself (litellm)"),
        ("[proxy-two/chat]", "'m' is left out: its chain has only the proxy itself (proxy-two)"),
        ("[azure], mode: messages", "endpoint 'azure' may not be asked in the mode of the model or its hop"),
        ("[azure-us]", "'m' is left out: endpoint 'azure-us' is half configured (it has base_url); set CHATSHEET_"),
        ("[anthropic]", "'m' is left out: endpoint 'anthropic' does not have gpt-5-codex"),
        ("[chat-only]", "'m' is left out: endpoint 'chat-only' may be asked only in chat, which gpt-5-codex does not"),
        (
            "[azure], mode: chat",
            "'m' is left out: endpoint 'azure' may be asked only in chat, which gpt-5-codex does not",
        ),
    ],
)
def test_a_model_that_no_direct_endpoint_has_is_a_comment_with_the_reason(
    chain: str, says: str, written: Written
) -> None:
    text = written(
        f"models: [{{alias: m, base_model: gpt-5-codex, chain: {chain}}}, {{alias: gpt-5}}]",
        **{
            "azure-us": {"kind": "azure", "base_url": "https://us.openai.azure.com"},
            "proxy-two": {"kind": "litellm", "base_url": "https://two.example.com"},
            "chat-only": {**ENDPOINTS["azure-eu"], "modes": ["chat"]},
        },
    )

    assert list(entries(text)) == ["gpt-5"]
    assert says in comments(text)


@pytest.mark.parametrize(
    "told",
    [
        "base_model: gpt-4, mode: responses",
        "base_model: gpt-4, chain: [litellm, azure/responses]",
        "base_model: gpt-5, mode: responses, capabilities: {apis: [chat]}",
        "base_model: claude-sonnet-4-5, mode: responses, deployments: {azure: claude-x}",
    ],
)
def test_a_model_without_responses_that_is_asked_for_it_is_a_comment_with_the_reason(
    told: str, written: Written
) -> None:
    text = written(f"models: [{{alias: m, {told}}}, {{alias: gpt-5}}]")

    assert list(entries(text)) == ["gpt-5"]
    assert "'m' is left out: endpoint 'azure' may be asked only in responses, which " in comments(text)


@pytest.mark.parametrize(
    ("model", "string"),
    [
        ("{alias: m, base_model: gpt-4}", "azure/m"),
        ("{alias: m, base_model: gpt-4, chain: [azure/responses, azure/chat]}", "azure/m"),
        ("{alias: m, mode: responses}", "azure/responses/m"),
        (
            "{alias: m, base_model: gpt-4, mode: responses, capabilities: {apis: [chat, responses]}}",
            "azure/responses/m",
        ),
    ],
)
def test_a_model_that_may_have_responses_is_written(model: str, string: str, written: Written) -> None:
    assert params(written(f"models: [{model}]"))["model"] == string


def test_a_proxy_that_is_not_configured_yet_is_no_reason(written: Written) -> None:
    text = written("models: [{alias: m, chain: [litellm]}, {alias: gpt-5}]", litellm={"base_url": None})

    assert "'m' is left out: its chain has only the proxy itself (litellm)" in comments(text)


def test_the_entry_for_every_other_name_is_a_comment(written: Written) -> None:
    text = written("models: [{alias: gpt-5}, {alias: '*'}]")

    assert list(entries(text)) == ["gpt-5"]
    assert "model '*' is left out" in comments(text)


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ("models: []", "models.yaml names no model, so there is nothing to write"),
        ("models: [{alias: m, chain: [litellm]}]", "model 'm' cannot be written: its chain has only the proxy itself"),
        ("models: [{alias: openai/gpt-5}]", r"models.yaml:1: model 'openai/gpt-5' has a '/' in its alias: .*404"),
        ("models: [{alias: 'gpt-*'}]", r"model 'gpt-\*' has a '\*' in its alias: .* wildcard"),
        (
            "models: [{alias: m, api_model: openai/gpt-5}]",
            r":1: model 'm' is 'openai/gpt-5' at 'litellm', with a '/': .*404.*\(deployments: {litellm: NAME}\)",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(models: str, says: str, written: Written) -> None:
    with pytest.raises(SettingsError, match=says):
        written(models)


def test_every_alias_that_cannot_be_served_is_listed_at_once(written: Written) -> None:
    with pytest.raises(SettingsError) as caught:
        written("models: [{alias: a/b}, {alias: gpt-5}, {alias: c/d}]")

    assert len(str(caught.value).splitlines()) == 2


HOSTILE = [
    "yes",
    "1.0",
    "null",
    "a: b",
    "# c",
    "- d",
    "'e'",
    '"f"',
    "é",
    "模型",
    "g\\h",
    "{i}",
    "&j",
    "!k",
    "2025-01-01",
    "<<",
    " l",
]


def test_aliases_and_deployments_of_any_spelling_come_back_as_they_were(written: Written, tmp_path: Path) -> None:
    given = [{"alias": name, "deployments": {"azure": f"{name}-x"}} for name in HOSTILE]
    text = written(yaml.safe_dump({"models": given}))

    assert {name: entry["litellm_params"]["model"] for name, entry in entries(text).items()} == {
        name.strip(): f"azure/{name.strip()}-x" for name in HOSTILE
    }


def test_a_token_travels_as_azure_ad_token_with_a_word_about_its_life(written: Written) -> None:
    text = written("models: [{alias: gpt-5}]", azure={"ad_token": "canary-token"})

    assert "api_key" not in params(text)
    assert params(text)["azure_ad_token"] == "os.environ/AZURE_OPENAI_AD_TOKEN"
    assert "ends after about an hour" in comments(text)


def test_a_key_as_bearer_token_travels_as_azure_ad_token(written: Written) -> None:
    text = written("models: [{alias: gpt-5, chain: [azure-eu]}]", **{"azure-eu": {"key_header": "bearer"}})

    assert params(text)["azure_ad_token"] == "os.environ/CHATSHEET_ENDPOINTS__AZURE_EU__API_KEY"
    assert "api_key" not in params(text)


def test_a_token_is_left_out_where_litellm_would_send_another_resource_s_key_in_its_place(written: Written) -> None:
    text = written(
        "models: [{alias: gpt-5}, {alias: gpt-5-mini, chain: [azure-eu]}]", **{"azure-eu": {"ad_token": "canary"}}
    )

    assert list(entries(text)) == ["gpt-5"]
    assert "LiteLLM would send AZURE_OPENAI_API_KEY in its place" in comments(text)


def test_headers_are_references_to_the_variables_that_set_them(written: Written) -> None:
    text = written("models: [{alias: gpt-5}]", azure={"headers": {"Ocp-Apim-Key": "canary"}})

    assert params(text)["extra_headers"] == {
        "Ocp-Apim-Key": "os.environ/CHATSHEET_ENDPOINTS__AZURE__HEADERS__OCP_APIM_KEY"
    }


def test_what_the_file_cannot_say_of_an_endpoint_is_a_comment(written: Written) -> None:
    text = written(
        "models: [{alias: gpt-5}]", azure={"ca_bundle": "/etc/ca.pem", "proxy": "http://canary@p.example.com"}
    )

    assert "azure has a ca_bundle, which LiteLLM takes from its own environment (SSL_CERT_FILE)" in comments(text)
    assert "azure has a network proxy" in comments(text)
    assert "canary" not in text


@pytest.mark.parametrize(
    ("endpoint", "fields", "base"),
    [
        ("openai", {}, None),
        ("openai", {"base_url": "https://o.example.com/v1"}, "https://o.example.com/v1"),
        ("anthropic", {}, None),
        ("anthropic", {"base_url": "https://a.example.com/v1/messages"}, "https://a.example.com"),
        (
            "anthropic_foundry",
            {"base_url": "https://res.services.ai.azure.com"},
            "https://res.services.ai.azure.com/anthropic",
        ),
    ],
)
def test_the_url_is_the_one_that_litellm_adds_its_path_to(
    endpoint: str, fields: dict[str, object], base: str | None, written: Written
) -> None:
    text = written(f"models: [{{alias: claude, chain: [{endpoint}]}}]".replace("claude", "m"), **{endpoint: fields})

    assert params(text).get("api_base") == base


def test_claude_behind_a_gateway_s_path_is_asked_by_the_anthropic_provider(written: Written) -> None:
    text = written(
        "models: [{alias: claude-x, chain: [anthropic_foundry]}]",
        anthropic_foundry={"base_url": "https://gateway.example.com/claude"},
    )

    assert params(text)["model"] == "anthropic/claude-x"
    assert params(text)["api_base"] == "https://gateway.example.com/claude"
    assert "azure_ai/ would add /anthropic" in comments(text)


def test_claude_by_token_under_a_name_that_litellm_does_not_know_is_left_out(written: Written) -> None:
    text = written(
        "models: [{alias: gpt-5, chain: [openai]}, {alias: prod, chain: [anthropic_foundry]}]",
        anthropic_foundry={"ad_token": "canary"},
    )

    assert list(entries(text)) == ["gpt-5"]
    assert "takes a bearer token, which LiteLLM sends there only for a deployment with 'claude'" in comments(text)


def test_a_bearer_key_of_anthropic_s_own_api_comes_with_a_warning(written: Written) -> None:
    text = written("models: [{alias: m, chain: [anthropic]}]", anthropic={"key_header": "bearer"})

    assert "LiteLLM sends ANTHROPIC_API_KEY as x-api-key" in comments(text)
