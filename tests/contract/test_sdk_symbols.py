"""Every private symbol of the SDKs and their HTTP library that `sdk/` touches has its contract test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import chatsheet_llm

PACKAGE = Path(chatsheet_llm.__file__).parent
TOUCHING = sorted((PACKAGE / "sdk").rglob("*.py"))
"""The files that may touch private symbols."""
TESTS = sorted(Path(__file__).parent.glob("test_*.py"))
"""Read rather than run: all of them count, also where only some are collected."""
VENDORS = ("openai", "anthropic", "httpx2", "httpcore2", "pydantic")


def private_imports(file: Path) -> set[str]:
    """The names that a file imports from a vendor's private modules, or private names from its public ones."""
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in VENDORS
        for alias in node.names
        if any(part.startswith("_") for part in (*node.module.split("."), alias.name))
    }


def private_attributes(file: Path) -> set[str]:
    """The private attributes that a file takes from other objects than its own, by dot or by name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+", node.value):
            found.add(node.value)
    # Not those of the language itself, such as `__name__`.
    return {name for name in found if name.startswith("_") and not hasattr(type, name)}


def contracts(file: Path) -> set[str]:
    """The symbols that the tests of a file stand for, by their decorators."""
    return {
        ast.literal_eval(symbol)
        for test in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(test, (ast.FunctionDef, ast.AsyncFunctionDef)) and test.name.startswith("test_")
        for decorator in test.decorator_list
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "contract"
        for symbol in decorator.args
    }


def test_every_private_symbol_that_is_touched_has_its_contract_test() -> None:
    touched = set().union(*(private_imports(file) | private_attributes(file) for file in TOUCHING))
    shown = set().union(*(contracts(file) for file in TESTS))

    assert touched == shown


def test_no_other_module_imports_a_private_name() -> None:
    others = {file: private_imports(file) for file in PACKAGE.rglob("*.py") if file not in TOUCHING}

    assert {str(file): found for file, found in others.items() if found} == {}
