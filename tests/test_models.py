"""models.yaml: what it means, and how each mistake in it is reported."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

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


def test_a_second_url_of_a_backend_is_an_endpoint_without_the_first_ones_key(load: Load) -> None:
    registry = load(
        "a: {backend: azure, api_model: m, base_url: https://one.example.com}\n"
        "b c: {backend: azure, api_model: m, deployment_name: d, base_url: https://two.example.com}\n"
    )

    assert registry.endpoints["azure-a"] == EndpointSettings(kind="azure", base_url="https://one.example.com")
    assert registry.endpoints["azure-b-c"] == EndpointSettings(kind="azure", base_url="https://two.example.com")
    assert the(registry, "b c").deployments == {"azure-b-c": "d"}
    assert the(registry, "b c").chain == ("azure-b-c/responses", "azure-b-c/chat")
    assert "azure" not in registry.endpoints


def test_an_entry_with_its_own_chain_keeps_it_beside_a_backend(load: Load) -> None:
    assert the(load("a: {backend: anthropic, chain: litellm}\n"), "a").chain == ("litellm",)


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
                "allowed: ad_token, api_key, api_version, base_url, boundary, ca_bundle, deployment, headers, "
                "key_header, kind, label, modes, proxy"
            )
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
