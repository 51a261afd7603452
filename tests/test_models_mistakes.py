"""models.yaml: how each mistake in it is reported, whose value is not shown, and what is only doubted."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from models_loading import Load, loader, problems, the
from openai.types.responses import Response, ResponseTextConfig
from openai.types.shared import Reasoning, ReasoningEffort

from chatsheet_llm.endpoint_settings import KINDS
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models_file import load_models


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return loader(tmp_path / "models.yaml")


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
