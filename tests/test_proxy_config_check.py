"""``proxy-config --check``: each defect is found where it stands and nothing beside it; what works is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chatsheet_llm.capabilities import capability_of, parse_name
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.proxy_config import RULES, check
from chatsheet_llm.proxy_config.routing import ROUTED_BY_NAME, is_routed_by_name, model_of, need_of

FILES = sorted((Path(__file__).parent / "proxy_configs").glob("*.yaml"))
CLEAN = [path for path in FILES if path.stem.startswith("clean_")]
DEFECTS = [path for path in FILES if path not in CLEAN]

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "proxy_config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def expected(path: Path) -> list[tuple[int, str]]:
    """What a file says of itself: ``# found: RULE`` at the end of the line that is wrong."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return [(number, found[1]) for number, line in lines if (found := re.search(r"# found: (\w+)$", line))]


def entry(model: str, **params: str) -> str:
    more = "".join(f", {name}: {value}" for name, value in params.items())
    return f"model_list:\n  - {{model_name: alias, litellm_params: {{model: {model}{more}}}}}\n"


@pytest.mark.parametrize("path", DEFECTS, ids=lambda path: path.stem)
def test_a_defect_is_found_on_its_line_and_nothing_else_is(path: Path) -> None:
    assert len(expected(path)) == 1, "one defect a file"
    assert [(finding.line, finding.rule) for finding in check(path)] == expected(path)


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: path.stem)
def test_nothing_is_found_in_a_file_that_does_what_it_says(path: Path) -> None:
    assert check(path) == ()


def test_every_rule_has_a_file_with_its_defect() -> None:
    assert {rule for path in DEFECTS for _, rule in expected(path)} == set(RULES)


@pytest.mark.parametrize("path", DEFECTS, ids=lambda path: path.stem)
def test_a_finding_says_where_why_and_what_to_do(path: Path) -> None:
    (finding,) = check(path)

    assert re.match(r"(model_list\[\d+\]|(general|router)_settings|environment_variables)\.\w+", finding.where)
    assert len(finding.reason) > 40
    assert finding.fix.startswith(("write ", "end "))


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("azure_text_for_a_responses_model", "azure/responses/gpt-5-codex"),
        ("azure_text_for_a_chat_model", "azure/gpt-4o-mini"),
        ("azure_text_for_a_named_base_model", "azure/responses/codex-prod"),
        ("azure_text_for_every_deployment", "azure/*"),
        ("base_model_alone", "azure/responses/codex-prod"),
        ("base_model_alone_of_an_openai_server", "openai/responses/codex-prod"),
        ("mode_leaks_from_the_prefix", "azure/responses/smart-prod"),
    ],
)
def test_the_fix_of_a_wrong_route_is_a_model_string_that_has_no_finding(name: str, fix: str, written: Written) -> None:
    path = next(path for path in DEFECTS if path.stem == name)
    (finding,) = check(path)
    text = path.read_text(encoding="utf-8")
    mended = re.sub(r"model: \"?(azure_text|azure|openai)/\S*.*", f'model: "{fix}"', text, count=1)
    mended = re.sub(r"\n +mode: responses.*", "", mended)

    assert re.match(rf"write model: {re.escape(fix)}([ ,]|$)", finding.fix)
    assert "responses/*" not in finding.fix
    assert check(written(mended)) == ()


@pytest.mark.parametrize(
    ("alias", "deployment"),
    [
        ("curie-project", "gpt-5-codex-prod"),
        ("ada-team-bot", "prod"),
        ("instruct-gpt5", "gpt5"),
        ("our-instruct", "prod"),
        ("nada", "my-ada"),
        ("ada", "gpt-5-codex-prod"),
        ("curie", "codex"),
        ("davinci", "gpt-4o-instruct-like"),
        ("text-ada-001", "o3-prod"),
        ("text-davinci-003", "claude-prod"),
        ("davinci-002-team", "prod"),
        ("m", "ada-team"),
    ],
)
def test_a_name_that_only_resembles_a_legacy_model_excuses_no_azure_text(
    alias: str, deployment: str, written: Written
) -> None:
    found = check(written(entry(f"azure_text/{deployment}").replace("alias", alias)))

    assert [finding.rule for finding in found] == ["azure_text"]


@pytest.mark.parametrize(
    ("alias", "deployment"),
    [
        ("text-ada-001", "prod"),
        ("ada", "prod"),
        ("Curie", "prod"),
        ("gpt-3.5-turbo-instruct", "prod"),
        ("gpt-35-turbo-instruct-0914", "prod-7"),
        ("m", "davinci-002"),
        ("m", "davinci"),
        ("m", "davinci-*"),
        ("m", "eu-davinci-002"),
        ("m", "gpt-35-turbo-instruct-prod"),
        ("m", "our-instruct"),
    ],
)
def test_the_whole_name_of_a_legacy_model_excuses_azure_text(alias: str, deployment: str, written: Written) -> None:
    assert check(written(entry(f"azure_text/{deployment}").replace("alias", alias))) == ()


@pytest.mark.parametrize("base_model", ["azure/gpt-5-codex", "azure/curie-codex"])
def test_the_base_model_beats_every_other_name_of_an_azure_text_entry(base_model: str, written: Written) -> None:
    found = check(written(entry("azure_text/davinci-002", base_model=base_model)))

    assert [finding.rule for finding in found] == ["azure_text"]


@pytest.mark.parametrize(
    ("name", "place"), [("url", "general_settings.database_url, line 12"), ("variable", "line 13")]
)
def test_an_empty_url_of_a_database_is_told_with_its_line(name: str, place: str) -> None:
    path = next(path for path in DEFECTS if path.stem == f"store_model_in_db_with_an_empty_{name}")
    (finding,) = check(path)

    assert place in finding.reason


def test_the_two_reasons_of_base_model_are_told_apart() -> None:
    reasons = {path.stem: finding.reason for path in DEFECTS for finding in check(path) if finding.rule == "base_model"}

    assert "which gpt-5-codex does not have" in reasons["base_model_alone"]
    assert "function tools" in reasons["base_model_alone_takes_tools_on_responses"]


def test_a_leak_names_the_aliases_that_it_reaches_with_their_lines() -> None:
    path = next(path for path in DEFECTS if path.stem == "mode_leaks_forwards")
    (finding,) = check(path)

    assert "'quick' (line 10)" in finding.reason


def test_findings_are_in_the_order_of_the_lines(written: Written) -> None:
    path = written(
        "general_settings: {master_key: sk-1234}\n"
        "model_list:\n"
        "  - {model_name: a/b, litellm_params: {model: azure_text/gpt-5}}\n"
        "  - {model_name: c, litellm_params: {model: azure/x, base_model: gpt-5-pro}}\n"
    )

    assert [(finding.line, finding.rule) for finding in check(path)] == [
        (1, "master_key"),
        (3, "azure_text"),
        (3, "model_name"),
        (4, "base_model"),
    ]


def test_a_key_in_the_file_is_in_no_finding(written: Written) -> None:
    path = written(
        entry("azure/gpt-5", api_key="canary-key", api_base="https://user:canary@host.example.com/openai/v1")
    )

    (finding,) = check(path)
    assert finding.rule == "api_base"
    assert "canary" not in repr(finding)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model_list: [\n  - {\n", r"proxy_config.yaml:2:\d+: is not valid YAML"),
        ("models:\n  - alias: gpt-5\n", "is no configuration of a LiteLLM proxy; it has none of model_list"),
        ("", "is no configuration of a LiteLLM proxy"),
        ("- model_list\n", "proxy_config.yaml:1: must be a mapping"),
        ("model_list: gpt-5\n", "proxy_config.yaml:1: model_list: must be a list of models"),
        ("model_list:\n  - gpt-5\n", r"proxy_config.yaml:2: model_list\[0\]: must be a mapping"),
        (
            "general_settings:\n  master_key: a\n  master_key: b\n",
            "proxy_config.yaml:3: general_settings.master_key: is given twice; first on line 2",
        ),
    ],
)
def test_what_is_no_proxy_configuration_is_told_with_file_and_line(text: str, says: str, written: Written) -> None:
    with pytest.raises(SettingsError, match=says):
        check(written(text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent.yaml: there is no such file"):
        check(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "model_list: &a\n  - &b {model_name: x, litellm_params: *b, model_info: *b}\n",
        "general_settings: &a {master_key: *a}\n",
        "model_list: [{}, {litellm_params: null}, {model_name: [1], litellm_params: {model: {a: b}}}]\n",
        "model_list: [{model_name: x, litellm_params: {model: azure/, base_model: ''}}]\n",
        "environment_variables: {A: os.environ/A}\nmodel_list: [{model_name: os.environ/A}]\n",
    ],
)
def test_an_odd_file_has_no_finding(text: str, written: Written) -> None:
    assert check(written(text)) == ()


def test_a_mapping_that_merges_itself_is_told_with_its_line(written: Written) -> None:
    with pytest.raises(SettingsError, match=r"proxy_config.yaml:2: model_list\[0\]: merges itself"):
        check(written("model_list:\n  - &m {<<: *m, model_name: x}\n"))


@pytest.mark.parametrize(
    ("model", "need"),
    [
        ("gpt-5-codex", "only"),
        ("gpt-5-pro-2025-10-06", "only"),
        ("gpt-5.2-pro", "only"),
        ("gpt-5.4", "tools"),
        ("gpt-5.6", "tools"),
        ("gpt-5", None),
        ("gpt-4", None),
        ("claude-sonnet-4-5", None),
        ("house-model", None),
        (None, None),
    ],
)
def test_the_need_of_a_model(model: str | None, need: str | None) -> None:
    assert need_of(model) == need


@pytest.mark.parametrize(
    "name", sorted(name for name in frozenset().union(*ROUTED_BY_NAME.values()) if parse_name(name))
)
def test_a_name_that_litellm_takes_for_a_responses_model_is_one_in_our_table_too(name: str) -> None:
    """Or the checker calls one thing wrong and dispatch does another."""
    row = capability_of(name)

    assert row is not None
    assert row.apis == {"responses"}


@pytest.mark.parametrize(
    ("provider", "deployment", "need", "routed"),
    [
        ("azure", "gpt-5-codex", "only", True),
        ("azure", "GPT-5-Codex-2025-09-15", "only", True),
        ("azure", "codex-prod", "only", False),
        ("azure", "codex-mini", "only", True),
        ("openai", "codex-mini", "only", False),
        ("azure", "gpt-5.4", "tools", True),
        ("azure", "gpt-5.4-prod", "tools", True),
        ("azure", "gpt-6", "tools", True),
        ("azure", "gpt-5.10", "tools", True),
        ("azure", "gpt-5", "tools", False),
        ("azure", "my-gpt-5.4", "tools", False),
        ("azure", "gpt-5.4prod", "tools", False),
        ("azure", "gpt-5.4", "only", False),
    ],
)
def test_which_names_litellm_routes_by_itself(provider: str, deployment: str, need: str, routed: bool) -> None:
    assert is_routed_by_name(provider, deployment, need) is routed  # type: ignore[arg-type]


@pytest.mark.parametrize("written_as", ["gpt-5", "azure/gpt-5", "azure/eu/gpt-5", "openai/gpt-5", " azure/gpt-5 "])
def test_a_key_of_the_cost_map_is_read_as_the_model(written_as: str) -> None:
    assert model_of(written_as) == "gpt-5"
