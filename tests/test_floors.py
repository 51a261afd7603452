"""Imports only point down: the floors of the house, read from the source of every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import chatsheet_llm

ROOT = Path(chatsheet_llm.__file__).parent
CONTRIBUTING = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("_version", "loading", "errors", "route"),
    ("formats", "faults", "hints", "redact", "classify", "budget", "breaker", "ceiling", "health", "state", "leases",
     "located", "troubles", "guards", "checkup", "domains", "origins", "learned", "latency", "classify_unsendable"),
    (
        "values", "variables", "yaml_file", "endpoint_settings", "models", "models_flat", "models_file", "settings",
        "settings_warnings",
        "capabilities",
    ),
    ("hops", "misfit", "known", "modes", "parameters", "defaults", "homes", "places", "portable", "outlook",
     "hop_maker", "walk", "dispatch", "inventory",
     "steps", "account", "openings", "shares", "hedging", "aftermath", "plan"),
    ("sdk", "limits", "aside", "resolve", "wire", "wire_async", "lean_request", "lean_reply", "lean_wait",
     "lean_http", "lean_connect", "lean", "bounds", "trust", "network", "endpoints",
     "shared_clock", "state_threads", "sharing", "redis_state"),
    ("unions", "shapes", "typed", "relay", "streams", "trail", "answer", "restart", "recovery",
     "race", "drive", "terms", "teaching", "judging", "relaying", "exchange", "report", "delivery"),
    ("choices", "connections", "core", "credentials", "asking", "running", "construction", "inspection",
     "templates", "resources", "resources_chat", "resources_responses", "client"),
    ("cli", "proxy_config", "sandbox", "testing"),
)  # fmt: skip
"""Module or package to floor, bottom first.  Within a floor anything goes but a circle."""

SDKS = ("openai", "anthropic", "httpx", "httpx2", "httpcore2")


def modules() -> Iterator[Path]:
    return (path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py")


def unit(path: Path) -> str:
    """The module or package that a file belongs to, as the table names it."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, str | None]]:
    """Each import of a file, wherever it stands: the module, and the name taken from it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} imports relatively; imports are absolute here"
            yield from ((node.module or "", alias.name) for alias in node.names)


def units_of(path: Path) -> Iterator[str]:
    """The units of our own that a file imports."""
    for module, name in imported(path):
        package, _, rest = module.partition(".")
        if package == "chatsheet_llm":
            found = rest.split(".")[0] or name or ""
            yield found


LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
FILES = pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(ROOT)))


def test_every_module_has_a_floor() -> None:
    units = {unit(path) for path in modules()}

    assert units <= set(LEVEL), f"put {sorted(units - set(LEVEL))} on a floor"
    assert {name for name in LEVEL if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()} <= {"testing"}


@FILES
def test_imports_only_point_down(path: Path) -> None:
    own = unit(path)
    up = [name for name in units_of(path) if name in LEVEL and LEVEL[name] > LEVEL[own]]
    unknown = [name for name in units_of(path) if name not in LEVEL and not hasattr(chatsheet_llm, name)]

    assert up == []
    assert unknown == []


@FILES
def test_nothing_below_the_leaves_imports_a_leaf_and_no_leaf_another_s_privates(path: Path) -> None:
    own = unit(path)
    leaves = set(FLOORS[-1]) - {own}
    if own in FLOORS[-1]:
        private = [(module, name) for module, name in imported(path) if name and name.startswith("_")]

        assert [pair for pair in private if pair[0].startswith("chatsheet_llm")] in (
            [],
            [("chatsheet_llm._version", "__version__")],
        )
    else:
        assert leaves.isdisjoint(units_of(path))


def test_no_circle_within_a_floor() -> None:
    graph: dict[str, set[str]] = {}
    for path in modules():
        graph.setdefault(unit(path), set()).update(set(units_of(path)) & set(LEVEL) - {unit(path)})

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle of imports: {' -> '.join((*way, name))}"
        for below in graph.get(name, ()):
            walk(below, (*way, name))

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("path", list((ROOT / "formats").glob("*.py")), ids=lambda path: path.name)
def test_the_bridges_know_no_sdk(path: Path) -> None:
    assert [module for module, _ in imported(path) if module.split(".")[0] in SDKS] == []


@pytest.mark.parametrize(
    "name",
    [
        "route",
        "faults",
        "hints",
        "redact",
        "classify",
        "budget",
        "breaker",
        "located",
        "troubles",
        "guards",
        "checkup",
        "domains",
        "learned",
        "hops",
        "known",
        "modes",
        "parameters",
        "places",
        "portable",
        "outlook",
        "hop_maker",
        "walk",
        "dispatch",
        "inventory",
        "account",
        "openings",
        "shares",
        "hedging",
        "aftermath",
        "plan",
    ],
)
def test_decisions_know_no_sdk_and_do_no_io(name: str) -> None:
    io = (*SDKS, "socket", "ssl", "asyncio", "os", "pathlib", "subprocess", "urllib")

    assert [module for module, _ in imported(ROOT / f"{name}.py") if module.split(".")[0] in io] == []


@pytest.mark.parametrize("path", [path for path in modules() if unit(path) != "sdk"], ids=lambda path: path.name)
def test_private_names_of_other_packages_are_touched_in_one_package(path: Path) -> None:
    private = [
        (module, name)
        for module, name in imported(path)
        if not module.startswith(("chatsheet_llm", "__future__"))
        and (any(part.startswith("_") for part in module.split(".")) or (name or "").startswith("_"))
    ]

    assert private == []


def told_floors() -> list[set[str]]:
    """The modules of each floor, as the table of CONTRIBUTING.md has them."""
    rows = re.findall(r"^\| (\d) \| ([^|]+)", CONTRIBUTING.read_text(encoding="utf-8"), re.MULTILINE)

    assert [int(number) for number, _ in rows] == list(range(len(rows)))
    return [set(re.findall(r"`(\w+/?)`", names)) for _, names in rows]


def test_contributing_has_the_same_floors() -> None:
    named = [{name if (ROOT / f"{name}.py").exists() else f"{name}/" for name in names} for names in FLOORS]

    assert told_floors() == named


def test_contributing_names_what_the_plan_is_made_of() -> None:
    told = re.search(r"`plan` and what it is made of \(([^)]+)\)", CONTRIBUTING.read_text(encoding="utf-8"))
    imports = {rest for rest in units_of(ROOT / "plan.py") if LEVEL[rest] == LEVEL["plan"]}

    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == imports - {"hops"}


def test_the_package_itself_loads_its_names_only_when_asked() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    at_once = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]

    assert at_once == ["__future__", "chatsheet_llm._version"]
