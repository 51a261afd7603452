"""The tables of docs say what the code does: errors, arguments, URLs, proxies, certificates, limits, times."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import openai
import pytest

import chatsheet_llm
from chatsheet_llm import Settings
from chatsheet_llm.bounds import ANSWER_BYTES, ERROR_BYTES, OTHER_BYTES
from chatsheet_llm.ceiling import FLOOR, SHARE
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import Azure
from chatsheet_llm.errors import ChatsheetError
from chatsheet_llm.faults import BY_CODE, FAULTS
from chatsheet_llm.network import LIMITS, POOL_TIMEOUT, Network
from chatsheet_llm.route import Attempt, Loss, Route, Skip
from chatsheet_llm.sandbox import fault_help, parse_fault

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = {path.name: path.read_text() for path in DOCS.glob("*.md")}


def _code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def _rows(page: str, heading: str) -> list[list[str]]:
    """The cells of every row of the first table below a heading."""
    table = TEXT[page].partition(f"\n{heading}\n")[2]
    found = re.search(r"^\|.*?(?=\n\n)", table, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{page} has no table below {heading!r}"
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[0].splitlines()[2:]]


def test_the_attributes_of_a_route_are_those_it_has():
    table = TEXT["errors.md"].partition("| of a route | |")[2].partition("\n\n")[0]
    rows = {cells[0]: cells[1:] for line in table.splitlines()[2:] if (cells := re.findall(r"`(\w+)`", line))}

    assert set(rows) == {"hop", "attempts", "skipped", "losses", "sends", "seconds"}
    assert all(hasattr(Route, name) for name in rows)
    for name, cls in (("attempts", Attempt), ("skipped", Skip), ("losses", Loss)):
        assert rows[name]
        assert [each for each in rows[name] if not hasattr(cls, each)] == []


def test_the_tree_of_errors_is_the_one_that_is_raised():
    shown: dict[str, tuple[str, tuple[str, ...]]] = {}
    above: list[str] = []
    table = TEXT["errors.md"].partition("## The tree")[2].partition("\n\nWhere")[0]
    for line in re.findall(r"^\| .*`\w+`.*$", table, re.MULTILINE):
        _, name, also, _ = (cell.strip() for cell in line.split("|")[:4])
        depth, own = name.count("·"), re.findall(r"`(\w+)`", name)[0]
        above[depth:] = [own]
        shown[own] = (above[depth - 1] if depth else "", tuple(re.findall(r"`([\w.]+)`", also)))

    found = {name for name in chatsheet_llm.__all__ if name in vars(importlib.import_module("chatsheet_llm.errors"))}
    assert set(shown) == {name for name in found if issubclass(getattr(chatsheet_llm, name), ChatsheetError)}
    for name, (parent, also) in shown.items():
        bases = [base.__name__ for base in getattr(chatsheet_llm, name).__bases__]
        assert bases == ([parent] if parent else []) + [base.removeprefix("openai.") for base in also], name
        assert all(hasattr(openai, base.removeprefix("openai.")) for base in also if base.startswith("openai."))


def test_the_outcomes_worth_an_alarm_are_faults():
    row = next(line for line in TEXT["operations.md"].splitlines() if line.startswith("| attempts with the outcome"))

    assert set(re.findall(r"`(\w+)`", row)) <= FAULTS.keys()


def test_the_faults_of_the_sandbox_are_all_told_and_can_be_parsed():
    page = TEXT["testing.md"].partition("### Faults")[2].partition("## Cassettes")[0]
    spans = [span for line in page.splitlines() if line.startswith("| `") for span in _code(line.split("|")[1])]
    options = _code(page.partition("Options follow")[2].partition("\n")[0])

    told = {parse_fault(span).name for span in [*spans, *options[1:]]}
    assert told == {re.split(r"[\s:\[]", line)[0].replace("STATUS", "status") for line in fault_help().splitlines()}


def test_every_argument_of_the_sdk_s_client_is_in_the_table():
    rows = TEXT["upgrading.md"].partition("## Arguments of `openai.OpenAI`")[2].partition("## Arguments of")[0]
    told = {name for span in _code(rows) for name in re.findall(r"^\w+", span)}
    ours = set(inspect.signature(chatsheet_llm.ChatClient.__init__).parameters)
    theirs = {name for name in inspect.signature(openai.OpenAI.__init__).parameters if not name.startswith("_")}
    refused = next(line for line in rows.splitlines() if "`TypeError`" in line)

    assert theirs - {"self"} <= told
    assert {name for name in _code(refused) if name != "TypeError"} == theirs - ours


def test_every_argument_of_the_azure_client_is_in_the_table():
    rows = TEXT["upgrading.md"].partition("## Arguments of `openai.AzureOpenAI`")[2].partition("```")[0]
    table = [line.split("|")[1:4] for line in rows.splitlines() if line.startswith("| `")]
    only = {name for name in inspect.signature(openai.AzureOpenAI.__init__).parameters if "azure" in name}

    assert {_code(first)[0] for first, _, _ in table} == only | {"api_key", "api_version"}
    assert {_code(field)[0] for _, _, field in table} <= set(EndpointSettings.model_fields)


# --- Azure -----------------------------------------------------------------------------------------------------------

_V1 = "/openai/v1/"


@pytest.mark.parametrize("form", [_code(row[0])[0] for row in _rows("azure.md", "## The URL")])
@pytest.mark.parametrize("end", ["", "/", "/openai", "/openai/v1/", "/openai/deployments/NAME/chat/completions"])
def test_every_form_of_the_url_gives_the_same_resource(form, end):
    made = Azure(name="azure", settings=EndpointSettings(base_url=form + end, api_key="k"))

    assert made.url == form + _V1


def test_versions_choose_the_surface_as_told():
    rows = [_code(first) for first, _ in _rows("azure.md", "## API versions")]
    undated, dated, old = rows

    def endpoint(version):
        return Azure(name="azure", settings=EndpointSettings(base_url="https://x.y", api_key="k", api_version=version))

    assert {endpoint(version).url for version in undated} == {f"https://x.y{_V1}"}
    assert endpoint(dated[0]).url == "https://x.y/openai"
    assert endpoint(dated[0]).refuses("/responses", "responses") is None
    assert endpoint(f"{old[0]}-preview").refuses("/responses", "responses") is None
    assert endpoint("2025-02-28").refuses("/responses", "responses")


def test_the_refusals_have_the_classes_and_the_times_that_are_told():
    told = {}
    for status, error, *_, shut in _rows("azure.md", "## What a refusal means"):
        seconds = float(found[0]) if (found := re.match(r"\d+", shut)) else 0.0
        told.setdefault(status[:3], set()).add((_code(error)[0], seconds))

    def policy(*faults):
        return {(FAULTS[fault].error, FAULTS[fault].quarantine) for fault in faults}

    assert told == {
        "401": policy("auth"),
        "403": policy("forbidden", "gateway_policy"),
        "404": policy("deployment"),
        "400": policy("capability", "content_filter"),
        "429": policy("rate", "quota"),
    }
    assert BY_CODE["operationnotsupported"] == "capability"
    assert BY_CODE["authenticationtypedisabled"] == "forbidden"


# --- network ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("entry", "past", "through"),
    [
        ("example.com", ["example.com", "a.example.com"], ["badexample.com"]),
        (".example.com", ["a.example.com"], ["example.com"]),
        ("10.0.0.5", ["10.0.0.5"], ["10.1.2.3"]),
        ("10.0.0.0/8", ["10.0.0.5", "10.1.2.3"], ["example.com"]),
        ("*", ["example.com", "10.0.0.5"], []),
    ],
)
@pytest.mark.usefixtures("no_proxies")
def test_no_proxy_lists_what_the_table_says(entry, past, through, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", entry)
    listed = [name for row in _rows("network.md", "`NO_PROXY` is a list with commas:") for name in _code(row[0])]

    assert entry in listed
    assert [host for host in past if Network().proxy_to(f"https://{host}/")] == []
    assert [host for host in through if not Network().proxy_to(f"https://{host}/")] == []


@pytest.mark.usefixtures("no_proxies")
def test_the_rows_of_proxies_win_in_their_order(monkeypatch):
    order = [_code(row[0])[0] for row in _rows("network.md", "## Proxies")]
    assert order == ["CHATSHEET_ENDPOINTS__NAME__PROXY", "CHATSHEET_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    won = []
    for name in reversed(order):
        monkeypatch.setenv(name.replace("__NAME__", "__AZURE__"), f"http://{name.lower().replace('_', '')}:80")
        made = Settings(_env_file=None, endpoints={"azure": {"base_url": "https://x.y", "api_key": "k"}})
        won.append(Azure(name="azure", settings=made.resolved_endpoints()["azure"]).proxy_domain)
    monkeypatch.setenv("NO_PROXY", "*")
    beside = Azure(name="azure", settings=made.resolved_endpoints()["azure"]).proxy_domain

    assert won == [f"http://{name.lower().replace('_', '')}:80" for name in reversed(order)]
    assert beside == won[-1]


def test_a_bundle_replaces_what_is_trusted(certificates, monkeypatch):
    bundle = str(certificates.ca)
    alone = Network(bundle).trust().get_ca_certs()
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    of_the_environment = Network().trust().get_ca_certs()

    assert [len(alone), len(of_the_environment)] == [1, 1]
    assert alone == of_the_environment


# --- limits ----------------------------------------------------------------------------------------------------------


def test_the_limits_are_those_of_the_code():
    limits = dict(_rows("operations.md", "## Limits"))
    defaults = {name: field.default for name, field in Settings.model_fields.items()}

    def numbers(row):
        return [float(each) for each in re.findall(r"\d+", re.sub(r"`[^`]*`", "", limits[row]))]

    assert numbers("sends of one call") == [defaults["max_sends"], 1 + defaults["max_retries"]]
    assert numbers("a whole call") == [defaults["deadline"]]
    assert numbers("connections") == [LIMITS.max_connections, LIMITS.keepalive_expiry]
    assert numbers("waiting for a free connection") == [POOL_TIMEOUT]
    assert numbers("a whole answer of a model") == [ANSWER_BYTES / 2**20, OTHER_BYTES / 2**20]
    assert numbers("body of an error") == [ERROR_BYTES / 2**20]
    assert numbers("re-sends to one origin at once") == [FLOOR]
    assert "a fifth" in limits["re-sends to one origin at once"]
    assert SHARE == 1 / 5


def test_the_loggers_are_those_that_are_written_to():
    package = Path(chatsheet_llm.__file__).parent
    used = {name for path in package.rglob("*.py") for name in re.findall(r'getLogger\("(.+?)"\)', path.read_text())}

    assert {name for row in _rows("operations.md", "## Logs") for name in _code(row[0])} == used
