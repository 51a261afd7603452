"""Settings beside models.yaml: which file is read, whose key goes where, and which of its hops lead nowhere."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from pydantic import SecretStr
from settings_samples import AZURE, nothing_set, problems, set_all

from chatsheet_llm import ChatClient, NoEndpointError
from chatsheet_llm.endpoint_settings import KINDS, MODES_OF, EndpointSettings
from chatsheet_llm.endpoints import kinds
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


# --- models.yaml


def test_models_yaml_of_the_working_directory_is_read_where_present() -> None:
    Path("models.yaml").write_text("models: {a: {api_model: x}}\n")

    settings = Settings()

    assert [spec.alias for spec in settings.registry] == ["a"]
    assert settings.models_file is None


def test_a_models_file_that_was_named_is_read_instead() -> None:
    Path("models.yaml").write_text("models: {a: {}}\n")
    Path("other.yaml").write_text("models: {b: {}}\n")

    assert [spec.alias for spec in Settings(models_file="other.yaml").registry] == ["b"]


def test_a_mistake_in_models_yaml_keeps_its_line() -> None:
    Path("models.yaml").write_text("models:\n  a: {mode: chatt}\n")

    assert problems() == ["models.yaml:2: models.a.mode: 'chatt' is not a mode; use chat, responses or messages"]


def test_a_deployment_on_an_endpoint_that_nobody_knows_is_pointed_out() -> None:
    Path("models.yaml").write_text("models:\n  a: {deployments: {azur: d, azure: d, openai: d}}\n")

    with pytest.warns(UserWarning, match="azur") as caught:
        Settings()
    assert [str(warning.message) for warning in caught] == [
        "models.yaml:2: model 'a' has a deployment on endpoint 'azur', which is not known; did you mean 'azure'?"
    ]


FLAT = """\
gpt-5: {backend: azure, api_model: gpt-5, deployment_name: five, base_url: "${AZURE_OPENAI_ENDPOINT}"}
gpt-5-mini: {backend: azure, api_model: gpt-5-mini, deployment_name: mini}
far: {backend: azure, deployment_name: far, base_url: https://one.openai.azure.com/openai/v1/}
"""


def test_the_flat_form_serves_from_the_resource_of_the_environment_with_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("models.yaml").write_text(FLAT)
    set_all(monkeypatch, AZURE_OPENAI_ENDPOINT=AZURE, AZURE_OPENAI_API_KEY="k")

    settings = Settings()

    assert [spec.chain for spec in settings.registry] == [None, None, ("azure-one/responses", "azure-one/chat")]
    assert [dict(spec.deployments) for spec in settings.registry][:2] == [{"azure": "five"}, {"azure": "mini"}]
    assert settings.resolved_endpoints() == {
        "azure": EndpointSettings(kind="azure", base_url=AZURE, api_key=SecretStr("k"))
    }


def test_the_resource_of_the_environment_may_be_spelled_otherwise_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models.yaml").write_text("a: {backend: azure, base_url: https://MY-resource.openai.azure.com/openai/v1/}\n")
    set_all(monkeypatch, AZURE_OPENAI_ENDPOINT=AZURE, AZURE_OPENAI_API_KEY="k")

    assert list(Settings().resolved_endpoints()) == ["azure"]
    assert Settings().resolved_endpoints()["azure"].base_url == AZURE


def test_a_key_of_the_environment_stays_with_its_resource_and_the_other_one_says_which_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("models.yaml").write_text("a: {backend: azure, base_url: https://one.openai.azure.com}\n")
    set_all(monkeypatch, AZURE_OPENAI_ENDPOINT=AZURE, AZURE_OPENAI_API_KEY="k")

    assert Settings().resolved_endpoints()["azure"].base_url == AZURE
    assert Settings().unconfigured()["azure-one"] == (
        "endpoint 'azure-one' is half configured (it has base_url); set CHATSHEET_ENDPOINTS__AZURE_ONE__API_KEY or "
        "CHATSHEET_ENDPOINTS__AZURE_ONE__AD_TOKEN"
    )

    monkeypatch.setenv("CHATSHEET_ENDPOINTS__AZURE_ONE__API_KEY", "one")
    assert Settings().resolved_endpoints()["azure-one"] == EndpointSettings(
        kind="azure", base_url="https://one.openai.azure.com", api_key=SecretStr("one")
    )


def test_a_key_that_is_set_for_another_url_is_not_sent_to_a_resource_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("models.yaml").write_text("a: {backend: azure, base_url: https://one.openai.azure.com}\n")
    set_all(
        monkeypatch,
        AZURE_OPENAI_ENDPOINT=AZURE,
        CHATSHEET_ENDPOINTS__AZURE_ONE__KIND="azure",
        CHATSHEET_ENDPOINTS__AZURE_ONE__BASE_URL="https://one.example.com",
        CHATSHEET_ENDPOINTS__AZURE_ONE__API_KEY="k",
    )

    settings = Settings()

    assert [name for name, found in settings.resolved_endpoints().items() if found.api_key] == ["azure_one"]
    assert [spec.chain for spec in settings.registry] == [
        ("azure-one.openai.azure.com/responses", "azure-one.openai.azure.com/chat")
    ]


# --- hops that lead nowhere

ENDPOINTS = "endpoints: anthropic, anthropic_foundry, azure, eu, litellm, openai"
HOPS = {
    "typo of a chain": (
        "chains: {europe: [eu]}\nmodels:\n  - {alias: a, chain: [litellm, eurpoe]}\n",
        [
            (
                "models.yaml:3: models[0].chain[1]: hop 'eurpoe': there is no endpoint 'eurpoe'; did you mean "
                f"'europe'? {ENDPOINTS}; chains: europe"
            )
        ],
    ),
    "typo of an endpoint": (
        "models:\n  a:\n    chain:\n      - eu\n      - azur/chat\n",
        [
            (
                "models.yaml:5: models.a.chain[1]: hop 'azur/chat': there is no endpoint 'azur'; did you mean "
                f"'azure/chat'? {ENDPOINTS}"
            )
        ],
    ),
    "mode": (
        "models:\n  a: {chain: 'eu, azure/messages'}\n",
        [
            (
                "models.yaml:2: models.a.chain[1]: hop 'azure/messages': endpoint 'azure' speaks responses, chat, not "
                "'messages'"
            )
        ],
    ),
    "mode that was taken from an endpoint": (
        "endpoints:\n  azure: {modes: [chat]}\nmodels: {a: {chain: azure/responses}}\n",
        ["models.yaml:3: models.a.chain[0]: hop 'azure/responses': endpoint 'azure' speaks chat, not 'responses'"],
    ),
    "chain that no model uses": (
        "chains:\n  europe: [eu/chat,\n    nowhere]\n",
        [f"models.yaml:3: chains.europe[1]: hop 'nowhere': there is no endpoint 'nowhere'; {ENDPOINTS}"],
    ),
    "chain in a chain": (
        "chains:\n  one: [eu]\n  two: [one, azure]\n",
        [
            (
                "models.yaml:3: chains.two[0]: hop 'one': there is no endpoint 'one', and a chain is never a hop of "
                "another chain"
            )
        ],
    ),
    "chain with a mode": (
        "chains:\n  one: [eu]\nmodels: {a: {chain: [one/chat]}}\n",
        [
            (
                "models.yaml:3: models.a.chain[0]: hop 'one/chat': there is no endpoint 'one', and a chain is never "
                "followed by a mode"
            )
        ],
    ),
    "reference": (
        "models:\n  a: {chain: ['${WHERE:-nowhere}']}\n",
        [
            "models.yaml:2: models.a.chain[0]: hop '${WHERE:-nowhere}': there is no endpoint '${WHERE:-nowhere}'; "
            + ENDPOINTS
        ],
    ),
    "a wrong value beside it": (
        "chains:\n  one: [nowhere]\nmodels:\n  a: {mode: chatt, chain: one}\n",
        [
            f"models.yaml:2: chains.one[0]: hop 'nowhere': there is no endpoint 'nowhere'; {ENDPOINTS}",
            "models.yaml:4: models.a.mode: 'chatt' is not a mode; use chat, responses or messages",
        ],
    ),
    "the endpoint is what is wrong": (
        "endpoints:\n  us: {kind: azure, base_url: us}\nmodels: {a: {chain: us/chat}}\n",
        ["models.yaml:2: endpoints.us.base_url: must be a URL with a host that starts with http:// or https://"],
    ),
    "the chain is what is wrong": (
        "chains:\n  one: [eu/chatt]\nmodels:\n  a: {chain: [one]}\n  b: {chain: one}\n",
        ["models.yaml:2: chains.one[0]: hop 'eu/chatt': 'chatt' is not a mode; use chat, responses or messages"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), HOPS.values(), ids=HOPS)
def test_a_hop_to_nowhere_is_reported_with_file_line_and_field(text: str, expected: list[str]) -> None:
    Path("models.yaml").write_text(text)

    assert problems(endpoints={"eu": {"kind": "azure"}}) == expected


def test_every_endpoint_that_a_hop_may_name_is_known_configured_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models.yaml").write_text(
        "endpoints: {of-file: {kind: azure}}\nchains: {one: [of-file, of_environment/chat, of_argument, azure/chat]}\n"
        "models:\n  a: {chain: [one, anthropic/messages, anthropic_foundry, openai, litellm/chat, theirs/messages]}\n"
    )
    monkeypatch.setenv("CHATSHEET_ENDPOINTS__OF_ENVIRONMENT__KIND", "azure")

    settings = Settings(endpoints={"of_argument": {"kind": "openai"}, "theirs": {"kind": "third-party"}})

    assert len(settings.registry.chains["one"]) == 4


def test_an_endpoint_that_was_given_in_code_is_known_when_the_file_is_read_again() -> None:
    Path("models.yaml").write_text("models: {a: {}}\n")
    settings = Settings().with_endpoint("eu", {"kind": "openai", "api_key": "k"})
    Path("models.yaml").write_text("models: {a: {chain: [eu/chat]}}\n")

    assert [spec.chain for spec in settings.reloaded().registry] == [("eu/chat",)]
    with pytest.raises(
        SettingsError, match=r"models\.yaml:1: models\.a\.chain\[0\]: hop 'eu/chat': there is no endpoint"
    ):
        Settings()


def test_the_modes_of_a_kind_are_those_of_its_endpoints() -> None:
    assert {kind: endpoint.SPEAKS for kind, endpoint in kinds().items() if kind in MODES_OF} == MODES_OF
    assert set(MODES_OF) == set(KINDS)


# --- values that models.yaml holds in vain


def told(text: str) -> list[str]:
    """The warnings of a models.yaml."""
    Path("models.yaml").write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Settings()
    assert {warning.filename for warning in caught} <= {__file__}
    return [str(warning.message) for warning in caught]


def test_a_default_that_nobody_knows_is_pointed_out_and_no_error() -> None:
    assert told("models:\n  a:\n    base_model: gpt-5\n    reasoning_effort: hihg\n    summary_level: long\n") == [
        (
            "models.yaml:4: models.a.reasoning_effort: 'hihg' is sent as it is, but not known; did you mean 'high'? "
            "known: none, minimal, low, medium, high, xhigh, max"
        ),
        "models.yaml:5: models.a.summary_level: 'long' is sent as it is, but not known; known: auto, concise, detailed",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "a: {base_model: gpt-5-codex, reasoning_effort: minimal}",
        "a: {backend: azure, api_model: gpt-5-codex, deployment_name: d, reasoning_effort: minimal}",
        "gpt-5-codex: {reasoning_effort: minimal}",
        "gpt-5: {base_model: gpt-5-codex, api_model: gpt-5, reasoning_effort: minimal}",
    ],
)
def test_an_effort_that_the_model_has_not_is_pointed_out_however_the_model_is_named(entry: str) -> None:
    (found,) = told(f"{entry}\n")

    assert found.startswith(f"models.yaml:1: model {entry.partition(':')[0]!r} has reasoning_effort 'minimal', but ")
    assert "but gpt-5-codex takes low, medium, high (" in found


@pytest.mark.parametrize(
    "entry",
    [
        "a: {base_model: gpt-5, reasoning_effort: minimal}",
        "my-gpt-5-codex: {api_model: my-gpt-5-codex, reasoning_effort: minimal}",
        "gpt-5-codex: {base_model: mine, reasoning_effort: minimal}",
        "gpt-5-codex: {reasoning_effort: minimal, capabilities: {efforts: [minimal]}}",
    ],
)
def test_an_effort_of_which_nothing_is_known_to_be_wrong_is_not_pointed_out(entry: str) -> None:
    assert told(f"{entry}\n") == []


def test_a_client_whose_models_bring_their_own_chains_needs_no_hop_of_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(
        "endpoints:\n"
        '  azure-eu: {kind: azure, base_url: "https://eu.test", api_key: "key"}\n'
        "chains:\n  europe: [azure-eu/responses, azure-eu/chat]\n"
        "models:\n  - {alias: coder, base_model: gpt-5-codex, deployments: {azure-eu: codex-prod}, chain: [europe]}\n"
    )
    with ChatClient(Settings(_env_file=None, models_file=tmp_path / "models.yaml")) as client:
        found = client.plan(model="coder", messages=[])

        assert [(hop.name, hop.model) for hop in found.hops] == [("azure-eu/responses", "codex-prod")]
        with pytest.raises(NoEndpointError, match="LITELLM_BASE_URL"):
            client.chat.completions.create(model="coder", messages=[], extra_body={"chatsheet": {"chain": ["litellm"]}})
