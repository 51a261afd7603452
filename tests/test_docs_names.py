"""Whatever the pages of docs name exists: variables, classes, attributes, commands and their options."""

from __future__ import annotations

import builtins
import importlib
import re
from pathlib import Path

import openai
import pytest
import typer.main

import chatsheet_llm
from chatsheet_llm import ChatClient, testing
from chatsheet_llm.cli.app import app
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.faults import BY_CODE
from chatsheet_llm.health import DomainHealth
from chatsheet_llm.route import Attempt, Route
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.variables import VARIABLES

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = ("README.md", "azure.md", "network.md", "upgrading.md", "errors.md", "testing.md", "operations.md")
TEXT = {page: (DOCS / page).read_text() for page in PAGES}

FLAT = {name for names in VARIABLES.values() for name in names} | {"CHATSHEET_RECORD_MODE"}
OURS = set(chatsheet_llm.__all__) | set(testing.__all__) | {"Sandbox"}
KNOWN_ELSEWHERE = {
    "APITimeoutError", "APIConnectionError", "AzureOpenAI", "DefaultAzureCredential", "PermissionDenied",
}  # fmt: skip
"""Classes and codes of others that a page names without their module."""
VALUES = {
    "route": Route(), "error": chatsheet_llm.StreamInterrupted("said"), "Attempt": Attempt, "Route": Route,
    "client": openai.OpenAI(api_key="none"), "box": Sandbox, "row": DomainHealth,
}  # fmt: skip
"""Name in the text to what shows which attributes may follow it; a client of ours has some more."""


def _code(text: str) -> list[str]:
    """Every span in backticks outside the fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def _is_variable(name: str) -> bool:
    if not name.startswith("CHATSHEET_ENDPOINTS__"):
        return name in FLAT
    _, endpoint, field, *header = name.split("__")
    return bool(endpoint) and (field in ("FIELD", "HEADERS") or field.lower() in EndpointSettings.model_fields) and (
        len(header) == (field == "HEADERS")
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_exists(page):
    told = set(re.findall(r"\b(?:CHATSHEET|AZURE|LITELLM|OPENAI|ANTHROPIC)_[A-Z][A-Z_]*[A-Z]\b", TEXT[page]))

    assert {name for name in told if not _is_variable(name)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_class_exists(page):
    told = {name for name in _code(TEXT[page]) if re.fullmatch(r"[A-Z]\w*[a-z]\w*", name)}
    classes = {name for name in told if re.search(r"[a-z][A-Z]|(Error|Interrupted|Truncated)$", name)}

    assert {
        name for name in classes - OURS - KNOWN_ELSEWHERE if not hasattr(builtins, name) and name.lower() not in BY_CODE
    } == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_name_with_a_module_exists(page):
    told = {
        name
        for span in _code(TEXT[page])
        for name in re.findall(r"(?<![\w./])(?:openai|chatsheet_llm)(?:\.\w+)+", span)
    }

    assert {name for name in told if not _exists(name)} == set()


def _exists(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name) or bool(importlib.import_module(dotted))
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("page", PAGES)
def test_every_attribute_of_what_we_make_exists(page):
    told = {
        (value, name)
        for span in _code(TEXT[page])
        for value, name in re.findall(rf"(?<![\w.])({'|'.join(VALUES)})\.(\w+)", span)
    }

    assert {
        f"{value}.{name}"
        for value, name in told
        if not hasattr(VALUES[value], name) and not (value == "client" and hasattr(ChatClient, name))
    } == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_exists(page):
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    told = re.findall(r"chatsheet-llm ([a-z-]+)([^`\n]*)", TEXT[page])

    assert [name for name, _ in told if name not in commands] == []
    for name, rest in told:
        has = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)) <= has, name
