"""models.yaml: what it means, and how each mistake in it is reported."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import pytest
from openai.types.responses import Response, ResponseTextConfig
from openai.types.shared import Reasoning, ReasoningEffort
from pydantic import SecretStr, ValidationError

from chatsheet_llm.capabilities import OVERRIDES, Override
from chatsheet_llm.endpoint_settings import KINDS, EndpointSettings
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.models_file import load_models

Load = Callable[..., Registry]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, environ: Mapping[str, str] | None = None) -> Registry:
        path = tmp_path / "models.yaml"
        path.write_text(text, encoding="utf-8")
        return load_models(path, {} if environ is None else environ)

    return load


def problems(load: Load, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(text, environ)
    return [line[line.index("models.yaml") :] for line in str(caught.value).splitlines()]


def the(registry: Registry, alias: str) -> ModelSpec:
    spec = registry.get(alias)
    assert spec is not None
    return spec


FULL = """\
endpoints:
  azure:
    deployment: fallback
  azure-eu:
    kind: azure
    base_url: https://eu.openai.azure.com
    api_key: ${EU_KEY}
    api_version: 2025-04-01
    modes: [responses, chat]
    key_header: bearer
    headers: {Ocp-Apim-Subscription-Key: "${APIM_KEY}"}
    boundary: eu
chains:
  careful: [azure-eu/responses, azure/chat]
models:
  - alias: codex
    base_model: gpt-5-codex
    deployments: {azure: codex-prod, azure-eu: codex-eu}
    mode: responses
    chain: careful
    reasoning_effort: high
    summary_level: detailed
    verbosity_level: low
    truncation_strategy: auto
    max_tokens: 4096
  - alias: "4.1"
    api_model: gpt-4.1
    chain: litellm, azure/chat
"""


def test_every_section_is_read(load: Load) -> None:
    registry = load(FULL, {"EU_KEY": "key-1", "APIM_KEY": "key-2"})

    assert the(registry, "codex") == ModelSpec(
        alias="codex",
        base_model="gpt-5-codex",
        deployments={"azure": "codex-prod", "azure-eu": "codex-eu"},
        mode="responses",
        chain=("azure-eu/responses", "azure/chat"),
        reasoning_effort="high",
        summary_level="detailed",
        verbosity_level="low",
        truncation_strategy="auto",
        max_tokens=4096,
        source="models.yaml:16",
    )
    assert the(registry, "4.1") == ModelSpec(
        alias="4.1", api_model="gpt-4.1", chain=("litellm", "azure/chat"), source="models.yaml:26"
    )
    assert registry.chains == {"careful": ("azure-eu/responses", "azure/chat")}
    assert registry.endpoints["azure"] == EndpointSettings(kind="azure", deployment="fallback")
    assert registry.endpoints["azure-eu"] == EndpointSettings(
        kind="azure",
        base_url="https://eu.openai.azure.com",
        api_key=SecretStr("key-1"),
        api_version="2025-04-01",
        modes=("responses", "chat"),
        key_header="bearer",
        headers={"Ocp-Apim-Subscription-Key": SecretStr("key-2")},
        boundary="eu",
    )
    assert [spec.alias for spec in registry] == ["codex", "4.1"]
    assert len(registry) == 2
    assert "codex" in registry


def test_the_list_and_the_mapping_form_say_the_same(load: Load) -> None:
    listed = load("models:\n  - alias: a\n    api_model: x\n")
    mapped = load("models:\n  a:\n    api_model: x\n")

    assert list(listed) == list(mapped)


def test_values_keep_the_text_that_was_written(load: Load) -> None:
    registry = load("models:\n  3.50: {api_model: 1.10, reasoning_effort: none, verbosity_level: off}\n")

    spec = the(registry, "3.50")
    assert (spec.api_model, spec.reasoning_effort, spec.verbosity_level) == ("1.10", "none", "off")


@pytest.mark.parametrize("text", ["", "# nothing\n", "~\n", "models:\n", "models: []\n", "models: {}\n"])
def test_a_file_that_says_nothing_is_an_empty_registry(load: Load, text: str) -> None:
    registry = load(text)

    assert (list(registry), dict(registry.endpoints), dict(registry.chains)) == ([], {}, {})
    assert list(Registry.empty()) == []


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_bytes(b"\xef\xbb\xbfmodels:\r\n  a: {api_model: x}\r\n")

    assert the(load_models(path, {}), "a").api_model == "x"


# --- the flat form of other routers

FLAT = """\
gpt-high:
  backend: azure
  api_model: gpt-5.2
  deployment_name: prod-gpt
  reasoning_effort: high
  summary_level: detailed
  verbosity_level: medium
  truncation_strategy: disabled
claude:
  backend: anthropic
  api_model: claude-sonnet-4-5
  base_url: https://foundry.example.com/anthropic
  max_tokens: 8192
"""


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_flat_form_of_other_routers_loads_unchanged(load: Load, wrapped: bool) -> None:
    text = "models:\n" + "".join(f"  {line}\n" for line in FLAT.splitlines()) if wrapped else FLAT
    registry = load(text)

    gpt, claude = the(registry, "gpt-high"), the(registry, "claude")
    assert gpt == ModelSpec(
        alias="gpt-high",
        api_model="gpt-5.2",
        deployments={"azure": "prod-gpt"},
        reasoning_effort="high",
        summary_level="detailed",
        verbosity_level="medium",
        truncation_strategy="disabled",
        source=f"models.yaml:{1 + wrapped}",
    )
    assert (claude.chain, claude.max_tokens) == (("anthropic/messages",), 8192)
    assert registry.endpoints == {
        "anthropic": EndpointSettings(kind="anthropic", base_url="https://foundry.example.com/anthropic")
    }


def test_the_flat_form_has_references(load: Load) -> None:
    text = (
        "gpt: {backend: '${KIND:-azure}', api_model: '${MODEL}', deployment_name: 'prod-${MODEL}', "
        "base_url: '${URL:-https://one.example.com}', max_tokens: '${MOST:-900}'}\n"
    )
    registry = load(text, {"MODEL": "gpt-5"})
    gpt = the(registry, "gpt")

    assert (gpt.api_model, gpt.deployments, gpt.max_tokens) == ("gpt-5", {"azure": "prod-gpt-5"}, 900)
    assert registry.endpoints["azure"].base_url == "https://one.example.com"
    assert problems(load, text) == [
        f"models.yaml:1: gpt.{field}: the variable MODEL is not set; set it, or write ${{MODEL:-}} to go without"
        for field in ("api_model", "deployment_name")
    ]


def test_a_second_url_of_a_backend_is_an_endpoint_without_the_first_ones_key(load: Load) -> None:
    registry = load(
        "a: {backend: azure, api_model: m, base_url: https://one.example.com}\n"
        "b c: {backend: azure, api_model: m, deployment_name: d, base_url: https://two.example.com}\n"
    )

    assert registry.endpoints["azure-one"] == EndpointSettings(kind="azure", base_url="https://one.example.com")
    assert registry.endpoints["azure-two"] == EndpointSettings(kind="azure", base_url="https://two.example.com")
    assert the(registry, "b c").deployments == {"azure-two": "d"}
    assert the(registry, "b c").chain == ("azure-two/responses", "azure-two/chat")
    assert "azure" not in registry.endpoints


def test_an_entry_with_its_own_chain_keeps_it_beside_a_backend(load: Load) -> None:
    assert the(load("a: {backend: anthropic, chain: litellm}\n"), "a").chain == ("litellm",)


ONE_RESOURCE = [
    "https://one.openai.azure.com/",
    "HTTPS://One.OpenAI.Azure.com",
    "https://one.openai.azure.com:443/openai/v1/",
    "https://one.openai.azure.com/openai",
    "https://one.openai.azure.com/v1",
    "https://one.openai.azure.com/OpenAI/Deployments/x/chat/completions",
]


@pytest.mark.parametrize("url", ONE_RESOURCE)
def test_one_resource_spelled_in_two_ways_is_one_endpoint(load: Load, url: str) -> None:
    registry = load(
        "a: {backend: azure, base_url: https://one.openai.azure.com}\n"
        f"b: {{backend: azure, deployment_name: d, base_url: '{url}'}}\n"
    )

    assert registry.endpoints == {"azure": EndpointSettings(kind="azure", base_url="https://one.openai.azure.com")}
    assert (the(registry, "b").deployments, the(registry, "b").chain) == ({"azure": "d"}, None)


@pytest.mark.parametrize(
    "url",
    [
        "http://one.openai.azure.com",
        "https://one.openai.azure.com:8443",
        "https://one.openai.azure.com/gateway",
        "https://one.openai.azure.com.example.com",
    ],
)
def test_what_is_another_server_or_path_is_another_endpoint(load: Load, url: str) -> None:
    registry = load(
        "a: {backend: azure, base_url: https://one.openai.azure.com}\n" + f"b: {{backend: azure, base_url: '{url}'}}\n"
    )

    assert sorted(str(endpoint.base_url) for endpoint in registry.endpoints.values()) == sorted(
        ["https://one.openai.azure.com", url]
    )


def test_an_entry_without_a_url_is_no_second_url(load: Load) -> None:
    registry = load(
        "a: {backend: azure, deployment_name: five, base_url: https://z.example.com}\n"
        "b: {backend: azure, deployment_name: mini}\n"
    )

    assert list(registry.endpoints) == ["azure"]
    assert [(spec.deployments, spec.chain) for spec in registry] == [
        ({"azure": "five"}, None),
        ({"azure": "mini"}, None),
    ]


def test_an_entry_without_a_url_stays_with_anthropic_s_own_server(load: Load) -> None:
    registry = load(
        "a: {backend: anthropic}\nb: {backend: anthropic, base_url: https://foundry.example.com/anthropic}\n"
        "c: {backend: anthropic, base_url: https://api.anthropic.com/v1/}\n"
    )

    a, b, c = registry
    assert (a.chain, b.chain) == (("anthropic/messages",), ("anthropic-foundry/messages",))
    assert c.chain == a.chain
    assert registry.endpoints["anthropic-foundry"].base_url == "https://foundry.example.com/anthropic"


def test_entries_of_one_resource_share_its_endpoint(load: Load) -> None:
    registry = load(
        "endpoints: {azure: {base_url: https://home.example.com}}\nmodels:\n"
        "  a: {backend: azure, base_url: https://home.example.com/openai/v1}\n"
        "  b: {backend: azure, base_url: https://one.example.com}\n"
        "  c: {backend: azure, base_url: https://one.example.com/}\n"
    )

    assert sorted(registry.endpoints) == ["azure", "azure-one"]
    assert [spec.chain for spec in registry] == [None, *[("azure-one/responses", "azure-one/chat")] * 2]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_names_of_resources_depend_on_no_order(load: Load, swapped: bool) -> None:
    """A key that is set by such a name must not go to another host because lines have moved."""
    urls = [
        "https://one.a.example.com",
        "https://one.b.example.com",
        "http://10.0.0.7:8000",
        "https://two.example.com",
        "http://one.a.example.com",
    ]
    lines = [f"m{at}: {{backend: azure, base_url: '{url}'}}\n" for at, url in enumerate(urls)]
    registry = load("".join(reversed(lines) if swapped else lines))

    assert {name: endpoint.base_url for name, endpoint in registry.endpoints.items()} == {
        "azure-one.a.example.com": urls[0],
        "azure-one.b.example.com": urls[1],
        "azure-10.0.0.7": urls[2],
        "azure-two": urls[3],
        "azure-http-one.a.example.com": urls[4],
    }


def test_two_resources_whose_whole_names_are_one_are_told_apart_by_number(load: Load) -> None:
    registry = load("".join(f"{x}: {{backend: azure, base_url: 'https://h/a{x}b'}}\n" for x in "~+"))

    assert sorted(registry.endpoints) == ["azure-h-a-b", "azure-h-a-b-2"]


def test_a_name_that_another_endpoint_has_is_not_taken_for_a_resource(load: Load) -> None:
    registry = load(
        "endpoints:\n  azure-one: {kind: azure, base_url: https://other.example.com, api_key: k}\nmodels:\n"
        "  a: {backend: azure, base_url: https://one.example.com}\n"
        "  b: {backend: azure, base_url: https://two.example.com}\n"
    )

    assert registry.endpoints["azure-one"].base_url == "https://other.example.com"
    assert the(registry, "a").chain == ("azure-one.example.com/responses", "azure-one.example.com/chat")
    assert registry.endpoints["azure-one.example.com"].api_key is None


def test_an_endpoint_of_the_file_with_the_url_of_an_entry_serves_it_as_it_is_set_up(load: Load) -> None:
    registry = load(
        "endpoints:\n  eu: {kind: azure, base_url: https://eu.example.com, api_key: k, modes: [chat]}\nmodels:\n"
        "  a: {backend: azure, deployment_name: d, base_url: https://eu.example.com/openai/v1}\n"
    )

    assert list(registry.endpoints) == ["eu"]
    assert (the(registry, "a").deployments, the(registry, "a").chain) == ({"eu": "d"}, ("eu/chat",))


def test_an_entry_of_the_flat_form_may_be_called_x_something(load: Load) -> None:
    registry = load(
        "x-defaults: &d {backend: azure, max_tokens: 9}\n"
        "x-notes: {anything: goes}\nx-list: [1]\n"
        "x-large: {backend: azure, api_model: gpt-5}\nmini: {<<: *d, api_model: gpt-5-mini}\n"
    )

    assert [(spec.alias, spec.max_tokens) for spec in registry] == [("x-large", None), ("mini", 9)]


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("model:\n  - alias: a\n", "models"),
        ("modles:\n  a: {mode: chat}\n", "models"),
        ("endpoint:\n  azure: {label: x}\n", "endpoints"),
        ("chain:\n  europe: [azure]\n", "chains"),
    ],
)
def test_a_misspelled_section_alone_in_the_file_is_recognised_by_its_shape(load: Load, text: str, section: str) -> None:
    name = text.partition(":")[0]

    assert problems(load, text) == [
        f"models.yaml:1: unknown section {name!r}; did you mean {section!r}? allowed: chains, endpoints, models"
    ]


@pytest.mark.parametrize("entry", ["{mode: chat}", "{capabilities: {apis: [chat]}}", "{chain: [azure]}", "{}"])
def test_an_alias_that_is_spelled_almost_like_a_section_is_an_alias(load: Load, entry: str) -> None:
    assert [spec.alias for spec in load(f"model: {entry}\n")] == ["model"]


# --- anchors

ANCHORS = """\
x-defaults: &defaults
  reasoning_effort: low
  max_tokens: 100
models:
  a:
    <<: *defaults
    reasoning_effort: high
  b:
    <<: [*defaults]
"""


def test_merged_defaults_give_way_to_what_the_entry_says(load: Load) -> None:
    registry = load(ANCHORS)

    assert [(spec.reasoning_effort, spec.max_tokens) for spec in registry] == [("high", 100), ("low", 100)]


def test_a_merge_that_never_ends_is_reported(load: Load) -> None:
    assert problems(load, "models:\n  a: &a\n    <<: &b {<<: *a}\n") == ["models.yaml:3: models.a: merges itself"]


# --- references


@pytest.mark.parametrize(
    ("written", "environ", "value"),
    [
        ("${NAME}", {"NAME": "v"}, "v"),
        ("a-${NAME}-${OTHER}", {"NAME": "v", "OTHER": "w"}, "a-v-w"),
        ("${NAME:-d}", {}, "d"),
        ("${NAME:-d}", {"NAME": ""}, "d"),
        ("${NAME:-d}", {"NAME": "v"}, "v"),
        ("${NAME:-}", {}, None),
        ("$${NAME}", {}, "${NAME}"),
        ("$NAME", {"NAME": "v"}, "$NAME"),
        ("${NAME}", {"NAME": "${OTHER}"}, "${OTHER}"),
    ],
)
def test_a_reference_is_filled_in_once(load: Load, written: str, environ: dict[str, str], value: str | None) -> None:
    assert the(load(f"models: {{a: {{api_model: '{written}'}}}}\n", environ), "a").api_model == value


def test_references_come_from_the_environment_of_the_process_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("models: {a: {api_model: '${THE_MODEL}'}}\n")
    monkeypatch.setenv("THE_MODEL", "m")

    assert the(load_models(path), "a").api_model == "m"


# --- mistakes: the text, and the problems it must lead to

MISTAKES = {
    "mode": (
        "models:\n  - alias: a\n    mode: chat\n  - alias: b\n    api_model: x\n    max_tokens: 1\n    mode: chatt\n",
        ["models.yaml:7: models[1].mode: 'chatt' is not a mode; use chat, responses or messages"],
    ),
    "unknown field": (
        "models:\n  a:\n    api_modle: x\n",
        [
            (
                "models.yaml:3: models.a: unknown field 'api_modle'; did you mean 'api_model'? "
                "allowed: alias, api_model, backend, base_model, base_url, capabilities, chain, deployment_name, "
                "deployments, max_tokens, mode, reasoning_effort, summary_level, truncation_strategy, verbosity_level"
            )
        ],
    ),
    "unknown section": (
        "models: {}\nendpoint: {}\n",
        [
            "models.yaml:2: unknown section 'endpoint'; did you mean 'endpoints'? allowed: chains, endpoints, models",
        ],
    ),
    "duplicate alias in a list": (
        "models:\n  - alias: a\n  - alias: a\n",
        ["models.yaml:3: models[1].alias: 'a' is given twice; first at models.yaml:2"],
    ),
    "duplicate alias in a mapping": (
        "models:\n  a: {}\n  a: {}\n",
        ["models.yaml:3: models.a: is given twice; first on line 2"],
    ),
    "duplicate field": (
        "a:\n  mode: chat\n  mode: responses\n",
        ["models.yaml:3: a.mode: is given twice; first on line 2"],
    ),
    "no alias": (
        "models:\n  - api_model: x\n",
        ["models.yaml:2: models[0]: has no alias; say what callers pass as model"],
    ),
    "another alias": (
        "models:\n  a: {alias: b}\n",
        ["models.yaml:2: models.a.alias: 'b' is not the name of its entry; leave it out"],
    ),
    "missing variable": (
        "endpoints:\n  azure:\n    api_key: ${EU_KEY}\n",
        [
            (
                "models.yaml:3: endpoints.azure.api_key: the variable EU_KEY is not set; set it, or write ${EU_KEY:-} "
                "to go without"
            )
        ],
    ),
    "unfinished reference": (
        "models:\n  a: {api_model: '${A B}'}\n",
        [
            (
                "models.yaml:2: models.a.api_model: holds an unfinished reference; write ${NAME} or ${NAME:-default} "
                "($${ for a plain ${)"
            )
        ],
    ),
    "hop": (
        "chains:\n  c: [azure/chat, azure/chatt, /x]\n",
        [
            "models.yaml:2: chains.c[1]: hop 'azure/chatt': 'chatt' is not a mode; use chat, responses or messages",
            "models.yaml:2: chains.c[2]: '/x' is not a hop; write endpoint or endpoint/mode, as in azure/responses",
        ],
    ),
    "empty chain": (
        "chains:\n  c: []\n",
        ["models.yaml:2: chains.c: names no hop; list at least one, or leave it out"],
    ),
    "chain name": (
        "chains:\n  a/b: [azure]\n",
        ["models.yaml:2: chains.a/b: a chain's name is made of letters, digits, '.', '_' and '-'"],
    ),
    "max_tokens": (
        "a: {max_tokens: 0}\n",
        ["models.yaml:1: a.max_tokens: must be a whole number of at least 1 (got '0')"],
    ),
    "max_tokens in words": (
        "a: {max_tokens: 8k}\n",
        ["models.yaml:1: a.max_tokens: must be a whole number of at least 1 (got '8k')"],
    ),
    "gateway prefix": (
        "a: {base_model: azure/responses/gpt-5-codex}\n",
        [
            (
                "models.yaml:1: a.base_model: 'azure/responses/gpt-5-codex' holds a gateway's prefix; write the "
                "model's own name: gpt-5-codex"
            )
        ],
    ),
    "backend": (
        "a: {backend: kimi}\n",
        ["models.yaml:1: a.backend: 'kimi' is not a backend; use azure or anthropic (or an endpoint and a chain)"],
    ),
    "no backend": (
        "a: {deployment_name: d}\n",
        ["models.yaml:1: a.deployment_name: needs a backend beside it (azure or anthropic)"],
    ),
    "deployments as text": (
        "a: {deployments: codex-prod}\n",
        ["models.yaml:1: a.deployments: must be a mapping (name: value)"],
    ),
    "list in place of text": (
        "a:\n  api_model:\n    - x\n",
        ["models.yaml:3: a.api_model: must be a single value"],
    ),
    "text in place of an entry": ("a: b\n", ["models.yaml:1: a: must be a mapping (name: value)"]),
    "text in place of a file": ("just text\n", ["models.yaml:1: must be a mapping (name: value)"]),
    "list in place of a file": ("- a\n- b\n", ["models.yaml:1: must be a mapping (name: value)"]),
    "no kind": (
        "endpoints:\n  eu: {base_url: https://x.example.com}\n",
        [f"models.yaml:2: endpoints.eu: endpoint 'eu' has no kind; say which: {', '.join(KINDS)}"],
    ),
    "kind against the name": (
        "endpoints:\n  azure: {kind: openai}\n",
        [
            (
                "models.yaml:2: endpoints.azure: an endpoint called 'azure' is of that kind and cannot be 'openai'; "
                "give it another name"
            )
        ],
    ),
    "names that one variable would mean": (
        "endpoints:\n  eu-1: {kind: azure}\n  EU_1: {kind: azure}\n",
        ["models.yaml:3: endpoints.EU_1: cannot be told from 'eu-1' in an environment variable; rename one"],
    ),
    "endpoint name": (
        "endpoints:\n  a b: {kind: azure}\n",
        ["models.yaml:2: endpoints.a b: an endpoint's name is made of letters, digits, '.', '_' and '-'"],
    ),
    "endpoint values": (
        (
            "endpoints:\n  azure:\n    base_url: ftp://x\n    key_header: x-key\n    modes: [chat, voice]\n"
            "    headers: {'a b': c}\n"
        ),
        [
            "models.yaml:3: endpoints.azure.base_url: must be a URL with a host that starts with http:// or https://",
            "models.yaml:4: endpoints.azure.key_header: must be 'api-key' or 'bearer'",
            "models.yaml:5: endpoints.azure.modes: 'voice' is not a mode; use chat, responses or messages",
            "models.yaml:6: endpoints.azure.headers: holds a header name that HTTP does not allow",
        ],
    ),
    "unknown endpoint field": (
        "endpoints:\n  azure: {base_urll: x}\n",
        [
            (
                "models.yaml:2: endpoints.azure: unknown field 'base_urll'; did you mean 'base_url'? "
                "allowed: ad_token, answers_after, api_key, api_version, base_url, boundary, ca_bundle, deployment, "
                "headers, key_header, kind, label, modes, proxy"
            )
        ],
    ),
    "deployments of one endpoint": (
        "a:\n  deployments:\n    azure-eu: x\n    AZURE_EU: y\n",
        ["models.yaml:4: a.deployments.AZURE_EU: is the same endpoint as 'azure-eu'; leave one out"],
    ),
    "chain called like a known endpoint": (
        "chains:\n  azure: [litellm]\n",
        ["models.yaml:2: chains.azure: cannot be told from endpoint 'azure'; give it another name"],
    ),
    "chain called like an endpoint of the file": (
        "endpoints:\n  eu: {kind: azure}\nchains:\n  EU: [litellm]\n",
        ["models.yaml:4: chains.EU: cannot be told from endpoint 'eu'; give it another name"],
    ),
    "names in place of entries": (
        "models: [gpt-5, gpt-4]\n",
        [
            "models.yaml:1: models[0]: must be a mapping (name: value)",
            "models.yaml:1: models[1]: must be a mapping (name: value)",
        ],
    ),
    "in the order of the lines": (
        "models:\n  a: {mode: x}\nendpoints:\n  azure: {base_url: x}\n",
        [
            "models.yaml:2: models.a.mode: 'x' is not a mode; use chat, responses or messages",
            "models.yaml:4: endpoints.azure.base_url: must be a URL with a host that starts with http:// or https://",
        ],
    ),
    "tab": (
        "models:\n\ta: b\n",
        ["models.yaml:2:1: is not valid YAML: found character '\\t' that cannot start any token"],
    ),
    "colon": ("models:\n  a: b: c\n", ["models.yaml:2:7: is not valid YAML: mapping values are not allowed here"]),
    "two documents": ("a: {}\n---\nb: {}\n", ["models.yaml:2:1: is not valid YAML: but found another document"]),
    "control character": ("a: \x01\n", ["models.yaml: holds a character that YAML does not allow"]),
    "several": (
        "a: {mode: x, max_tokens: y}\nb: {backend: z}\n",
        [
            "models.yaml:1: a.mode: 'x' is not a mode; use chat, responses or messages",
            "models.yaml:1: a.max_tokens: must be a whole number of at least 1 (got 'y')",
            "models.yaml:2: b.backend: 'z' is not a backend; use azure or anthropic (or an endpoint and a chain)",
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_reported_with_file_line_and_field(load: Load, text: str, expected: list[str]) -> None:
    assert problems(load, text) == expected


def test_no_problem_repeats_a_secret(load: Load) -> None:
    text = "endpoints:\n  azure:\n    api_key: ${KEY}\n    base_url: https://u:${KEY}@h\n    headers: {h: '${KEY}'}\n"
    found = problems(load, text, {"KEY": "se\u00e9cret"})

    assert len(found) == 3
    assert "cret" not in "".join(found)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"models\.yaml: there is no such file"):
        load_models(tmp_path / "models.yaml")


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_bytes(b"a: \xff\n")

    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load_models(tmp_path / "models.yaml")


@pytest.mark.parametrize("written", ["''", '"a\\e[31m"', '"a\\nb"'])
def test_a_name_that_no_list_would_take_for_an_alias_is_no_name_of_an_entry(load: Load, written: str) -> None:
    for text in (f"models:\n  - alias: {written}\n", f"models:\n  {written}: {{}}\n"):
        assert {line.partition(": ")[0] for line in problems(load, text)} == {"models.yaml:2"}


# --- what an entry knows better than the table

CAPABILITIES = """\
models:
  - alias: a
    capabilities:
      apis: [responses, chat]
      streaming: false
      reasoning: TRUE
      tools_with_effort_on_chat: "true"
      tools_without_effort_on_chat: ${TOOLS:-false}
      refused_on_chat: [temperature, top_p, temperature]
      refused: []
      taken_at_none: top_p, logprobs
      renamed_on_chat: {max_tokens: max_completion_tokens, user: ~}
      efforts: [none, low, high]
      default_effort: none
      input_window: 272000
      output_window: "128000"
"""


def test_every_capability_of_an_entry_is_read(load: Load) -> None:
    found = the(load(CAPABILITIES), "a").capabilities

    assert found == Override(
        apis=frozenset({"responses", "chat"}),
        streaming=False,
        reasoning=True,
        tools_with_effort_on_chat=True,
        tools_without_effort_on_chat=False,
        refused_on_chat=frozenset({"temperature", "top_p"}),
        refused=frozenset(),
        taken_at_none=frozenset({"top_p", "logprobs"}),
        renamed_on_chat={"max_tokens": "max_completion_tokens"},
        efforts=("none", "low", "high"),
        default_effort="none",
        input_window=272_000,
        output_window=128_000,
    )
    assert found is not None
    assert found.told.keys() == OVERRIDES.keys()


@pytest.mark.parametrize("written", ["", "~", "{}"])
def test_capabilities_that_say_nothing_are_none(load: Load, written: str) -> None:
    assert the(load(f"a:\n  capabilities: {written}\n"), "a").capabilities is None


def test_a_capability_without_a_value_leaves_the_table_s(load: Load) -> None:
    found = the(load("a: {capabilities: {streaming: , input_window: ~, default_effort: '${NONE:-}'}}\n"), "a")

    assert found.capabilities == Override()


@pytest.mark.parametrize("name", ["apis", "refused", "refused_on_chat", "taken_at_none", "efforts", "renamed_on_chat"])
def test_a_list_of_capabilities_without_a_value_leaves_the_table_s(load: Load, name: str) -> None:
    assert the(load(f"a:\n  capabilities:\n    streaming: true\n    {name}:\n"), "a").capabilities == Override(
        streaming=True
    )


def test_capabilities_stand_in_the_flat_form_as_in_any_other(load: Load) -> None:
    registry = load(FLAT + "  capabilities: {apis: [messages], streaming: false}\n")

    assert the(registry, "claude").capabilities == Override(apis=frozenset({"messages"}), streaming=False)
    assert the(registry, "gpt-high").capabilities is None


def test_merged_capabilities_give_way_as_a_whole_to_those_of_the_entry(load: Load) -> None:
    registry = load(
        "x-d: &d {capabilities: {apis: [chat], streaming: false}}\n"
        "models:\n  a: {<<: *d}\n  b: {<<: *d, capabilities: {apis: [responses]}}\n"
    )

    assert [spec.capabilities for spec in registry] == [
        Override(apis=frozenset({"chat"}), streaming=False),
        Override(apis=frozenset({"responses"})),
    ]


FLAGS = [name for name, kind in OVERRIDES.items() if kind == "flag"]
NUMBERS = [name for name, kind in OVERRIDES.items() if kind == "number"]
LISTS = [name for name, kind in OVERRIDES.items() if kind in ("names", "modes")]
"""Fields by what they hold; one that is new is tried without a line here."""
ALLOWED = f"allowed: {', '.join(sorted(OVERRIDES))}"


def in_entry(line: str) -> str:
    """A file whose fifth line is this one, among the capabilities of the model ``a``."""
    return f"models:\n  - alias: a\n    capabilities:\n      default_effort: low\n      {line}\n"


WRONG = {
    **{
        f"{name} {value}": (f"{name}: {value}", f".{name}: must be true or false (got {value!r})")
        for name in FLAGS
        for value in ("yes", "1", "on")
    },
    **{
        f"{name} {value}": (f"{name}: {value}", f".{name}: must be a whole number of at least 1 (got {value!r})")
        for name in NUMBERS
        for value in ("0", "-1", "272k", "272_000", "1.5", "1" * 10)
    },
    **{f"{name} as a mapping": (f"{name}: {{x: y}}", f".{name}: must be a single value") for name in LISTS},
    **{f"a list in {name}": (f"{name}: [[x]]", f".{name}[0]: must be a single value") for name in LISTS},
    **{f"{name} as a list": (f"{name}: [true]", f".{name}: must be a single value") for name in (*FLAGS, *NUMBERS)},
    "no mode": ("apis: [chat, talk]", ".apis: 'talk' is not a mode; use chat, responses or messages"),
    "no mode in text": ("apis: chat, Chat", ".apis: 'Chat' is not a mode; use chat, responses or messages"),
    "renames as a list": ("renamed_on_chat: [max_tokens]", ".renamed_on_chat: must be a mapping (name: value)"),
    "rename to a list": ("renamed_on_chat: {a: [b]}", ".renamed_on_chat.a: must be a single value"),
    "field": ("stremaing: true", f": unknown field 'stremaing'; did you mean 'streaming'? {ALLOWED}"),
    "field of the table": ("family: gpt-5", f": unknown field 'family'; {ALLOWED}"),
    "twice": ("default_effort: high", ".default_effort: is given twice; first on line 4"),
    "variable": (
        "efforts: [low, '${EFFORT}']",
        ".efforts[1]: the variable EFFORT is not set; set it, or write ${EFFORT:-} to go without",
    ),
}


@pytest.mark.parametrize(("line", "says"), WRONG.values(), ids=WRONG)
def test_a_mistake_in_capabilities_is_reported_with_line_and_field(load: Load, line: str, says: str) -> None:
    assert problems(load, in_entry(line)) == [f"models.yaml:5: models[0].capabilities{says}"]


@pytest.mark.parametrize("written", ["text", "[apis]", "true"])
def test_capabilities_that_are_no_mapping_are_reported(load: Load, written: str) -> None:
    assert problems(load, f"a:\n  capabilities: {written}\n") == [
        "models.yaml:2: a.capabilities: must be a mapping (name: value)"
    ]


@pytest.mark.parametrize("written", ["[]", "[~]"])
def test_a_model_without_any_api_is_reported(load: Load, written: str) -> None:
    assert [line.partition(": ")[0] for line in problems(load, in_entry(f"apis: {written}"))] == ["models.yaml:5"]


def test_each_item_of_a_list_is_reported_on_its_own_line(load: Load) -> None:
    text = "a:\n  capabilities:\n    apis:\n      - chat\n      - talk\n    efforts:\n      - low\n      - [high]\n"

    assert [line.partition(": ")[0] for line in problems(load, text)] == ["models.yaml:5", "models.yaml:8"]


def test_mistakes_of_several_entries_and_fields_are_reported_at_once(load: Load) -> None:
    text = "a: {capabilities: {apis: [x], streaming: y}, mode: z}\nb:\n  capabilities: {input_window: w}\n"
    found = sorted(line.split(": ")[0] + " " + line.split(": ")[1] for line in problems(load, text))

    assert found == [
        "models.yaml:1 a.capabilities.apis",
        "models.yaml:1 a.capabilities.streaming",
        "models.yaml:1 a.mode",
        "models.yaml:3 b.capabilities.input_window",
    ]


# --- looking things up


def test_the_closest_alias_is_offered_for_a_typo(load: Load) -> None:
    registry = load("models: {gpt-5-codex: {}, o3: {}}\n")

    assert registry.closest("gpt5-codex") == "gpt-5-codex"
    assert registry.closest("llama") is None
    assert registry.get("gpt5-codex") is None


@pytest.mark.parametrize(
    ("spec", "endpoint", "default", "deployment"),
    [
        (ModelSpec("a", deployments={"azure": "d"}, api_model="m"), "azure", "x", "d"),
        (ModelSpec("a", deployments={"azure-eu": "d"}, api_model="m"), "azure_eu", "x", "d"),
        (ModelSpec("a", deployments={"azure": "d"}, api_model="m"), "litellm", "x", "m"),
        (ModelSpec("a", deployments={"azure": "d"}), "litellm", "x", "x"),
        (ModelSpec("a"), "litellm", None, "a"),
    ],
)
def test_the_deployment_is_the_endpoints_own_then_the_api_model_then_the_default_then_the_alias(
    spec: ModelSpec, endpoint: str, default: str | None, deployment: str
) -> None:
    assert spec.deployment_for(endpoint, default) == deployment


def test_a_registry_survives_pickle_and_copy(load: Load) -> None:
    registry = load(FULL, {"EU_KEY": "key-1", "APIM_KEY": "key-2"})

    assert pickle.loads(pickle.dumps(registry)) == registry
    assert copy.deepcopy(registry) == registry
    assert "key-" not in repr(registry)


def test_a_spec_is_frozen_and_hashable() -> None:
    spec = ModelSpec("a", deployments={"azure": "d"})

    assert len({spec, ModelSpec("a", deployments={"azure": "d"})}) == 1
    with pytest.raises(AttributeError):
        spec.alias = "b"  # type: ignore[misc]


# --- endpoints by themselves


def test_an_unknown_endpoint_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="base_urll"):
        EndpointSettings.model_validate({"kind": "azure", "base_urll": "x"})


def test_an_endpoint_shows_no_secret() -> None:
    endpoint = EndpointSettings.model_validate(
        {"kind": "azure", "api_key": "hush", "ad_token": "hush", "proxy": "http://u:hush@h", "headers": {"h": "hush"}}
    )

    assert "hush" not in f"{endpoint!r} {endpoint} {endpoint.model_dump()} {endpoint.model_dump_json()}"
    with pytest.raises(ValidationError) as caught:
        EndpointSettings.model_validate({"api_key": "hush\x00hush"})
    assert "hush" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "url",
    [
        "https://my-resource.openai.azure.com",
        "http://localhost:4000/v1/",
        "https://[::1]:8443/openai/v1/",
        "https://xn--bcher-kva.example",
    ],
)
def test_a_url_with_a_host_is_taken_as_it_is(url: str) -> None:
    assert EndpointSettings(base_url=f"  {url}\n").base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "my-resource.openai.azure.com",
        "localhost:4000",
        "https://",
        "https:///path",
        "https://:443",
        "ftp://example.com",
        "https://host:port",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
        "https://user@host",
        "https://user:pass@host",
        "https://<your-resource>.openai.azure.com",
        "https://{resource}.openai.azure.com",
        "https://host/a b",
        "https://host\\@evil.example",
        "https://b\u00fccher.example",
        "https://host/\u200b",
        "https://host/openai/v1?api-version=preview",
        "https://host/#fragment",
        '"https://host"',
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        EndpointSettings(base_url=url)


@pytest.mark.parametrize("key", ['"abc"', "'abc'", "Bearer abc", "a\nb", "a\tb", "a\x7fb", "k\u00e9y", "a\u200bb"])
def test_a_key_that_would_not_survive_a_header_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        EndpointSettings(api_key=SecretStr(key))


# --- values of variables

VALUE = "zq"
"""What a variable holds that no sentence may repeat; no word of ours has it."""

REFERENCES = {
    "mode": ("a: {mode: '${V}'}\n", "'${V}' is not a mode; use chat, responses or messages"),
    "backend": ("a: {backend: '${V}'}\n", "'${V}' is not a backend; use azure or anthropic"),
    "max_tokens": ("a: {max_tokens: '1${V}'}\n", "must be a whole number of at least 1 (got '1${V}')"),
    "chain": ("a: {chain: ['${V} x']}\n", "'${V} x' is not a hop; write endpoint or endpoint/mode"),
    "mode of a hop": ("a: {chain: ['azure/${V}']}\n", "hop 'azure/${V}': '${V}' is not a mode"),
    "text of hops": ("a: {chain: 'azure, azure/${V}'}\n", "'azure, azure/${V}' is not a hop"),
    "base model": ("a: {base_model: 'azure/${V}'}\n", "'azure/${V}' holds a gateway's prefix; write the model's own"),
    "whole base model": ("a: {base_model: '${G}'}\n", "'${G}' stands for a value that does not fit here"),
    "flag": ("a: {capabilities: {streaming: '${V}'}}\n", "must be true or false (got '${V}')"),
    "API": ("a: {capabilities: {apis: [chat, '${V}']}}\n", "'${V}' is not a mode"),
    "default effort": (
        "a: {capabilities: {efforts: [low, '${G}'], default_effort: '${V}'}}\n",
        "'${V}' is none of efforts (low, ${G})",
    ),
    "alias": ("models: {a: {alias: '${V}'}}\n", "'${V}' is not the name of its entry; leave it out"),
    "two aliases": ("models: [{alias: '${V}'}, {alias: '${V}'}]\n", "'${V}' is given twice"),
    "modes": ("endpoints: {azure: {modes: [chat, '${V}']}}\n", "'${V}' is not a mode"),
    "kind": ("endpoints: {azure: {kind: '${V}'}}\n", "is of that kind and cannot be '${V}'"),
    "default": ("a: {mode: '${UNSET:-chatt}'}\n", "'${UNSET:-chatt}' is not a mode"),
}


@pytest.mark.parametrize(("text", "says"), REFERENCES.values(), ids=REFERENCES)
def test_a_problem_shows_the_reference_and_not_the_value_of_the_variable(load: Load, text: str, says: str) -> None:
    found = problems(load, text, {"V": f"{VALUE}-{VALUE}", "G": f"azure/{VALUE}"})

    assert len(found) == 1
    assert says in found[0]
    assert VALUE not in found[0]


def test_a_problem_of_a_url_from_a_variable_is_told_as_any_other(load: Load) -> None:
    assert problems(load, "a: {backend: azure, base_url: '${URL}'}\n", {"URL": "ftp://x"}) == [
        "models.yaml:1: a.base_url: must be a URL with a host that starts with http:// or https://"
    ]


# --- capabilities that contradict themselves


@pytest.mark.parametrize("written", ["[]", "[~]", "','"])
@pytest.mark.parametrize("name", ["apis", "efforts"])
def test_a_list_that_would_leave_no_call_is_refused(load: Load, name: str, written: str) -> None:
    assert problems(load, f"a:\n  capabilities:\n    {name}: {written}\n") == [
        f"models.yaml:3: a.capabilities.{name}: lists nothing; name at least one, or leave it out"
    ]


@pytest.mark.parametrize("name", ["refused", "refused_on_chat", "taken_at_none"])
def test_a_list_of_no_parameters_is_a_word_of_its_own(load: Load, name: str) -> None:
    found = the(load(f"a: {{capabilities: {{{name}: []}}}}\n"), "a").capabilities

    assert found is not None
    assert found.told == {name: frozenset()}


def test_a_default_effort_that_is_none_of_the_efforts_is_refused(load: Load) -> None:
    assert problems(load, "a:\n  capabilities:\n    default_effort: high\n    efforts: [none, low]\n") == [
        "models.yaml:3: a.capabilities.default_effort: 'high' is none of efforts (none, low)"
    ]


# --- values that nobody knows


@pytest.mark.parametrize(
    ("field", "annotation"),
    [
        ("reasoning_effort", ReasoningEffort),
        ("summary_level", Reasoning.model_fields["summary"].annotation),
        ("verbosity_level", ResponseTextConfig.model_fields["verbosity"].annotation),
        ("truncation_strategy", Response.model_fields["truncation"].annotation),
    ],
)
def test_no_value_that_the_sdk_knows_is_doubted(load: Load, field: str, annotation: object) -> None:
    known = [value for part in get_args(annotation) for value in get_args(part)]

    assert known
    assert load("".join(f"m-{value}: {{{field}: {value}}}\n" for value in known)).doubts == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "reasoning_effort: hihg",
            "'hihg' is sent as it is, but not known; did you mean 'high'? known: none, minimal, ",
        ),
        ("summary_level: verbose", "'verbose' is sent as it is, but not known; known: auto, concise, detailed"),
        (
            "verbosity_level: meduim",
            "'meduim' is sent as it is, but not known; did you mean 'medium'? known: low, medi",
        ),
        ("truncation_strategy: '${V}'", "'${V}' is sent as it is, but not known; known: auto, disabled"),
    ],
)
def test_a_default_that_nobody_knows_is_doubted_and_kept(load: Load, line: str, says: str) -> None:
    registry = load(f"models:\n  - alias: a\n    {line}\n", {"V": VALUE})
    field = line.partition(":")[0]
    (doubt,) = registry.doubts

    assert doubt[doubt.index("models.yaml") :].startswith(f"models.yaml:3: models[0].{field}: {says}")
    assert getattr(the(registry, "a"), field) == (VALUE if "V" in line else line.partition(": ")[2])
    assert VALUE not in doubt


def test_an_effort_that_the_entry_says_the_model_takes_is_not_doubted(load: Load) -> None:
    assert load("a: {reasoning_effort: turbo, capabilities: {efforts: [low, turbo]}}\n").doubts == ()
