"""The pytest plugin: a marker, a fixture, ``--record-mode``.  Decides which cassette a test has; records nothing.

``@pytest.mark.cassette("name.yaml")`` or, without a name, ``<module>/<test>.yaml``; both below the ini option
``cassette_dir``.  Loads vcrpy and the SDKs only for a test that has a cassette.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from chatsheet_llm.testing.cassette import Cassette, Mode

__all__ = [
    "_cassette_of_the_marker",
    "cassette",
    "cassette_hosts",
    "cassette_mode",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_makereport",
]

MODES: tuple[Mode, ...] = ("none", "once", "rewrite")
VARIABLE = "CHATSHEET_RECORD_MODE"

_MARKER = (
    "cassette(name, *, sockets=False, unplayed=False): replay this cassette for the test, or record it "
    "(--record-mode); sockets allows other connections, unplayed that exchanges are left over"
)
_NO_SETTINGS = (
    "a cassette replaces the network, not the settings: set an endpoint for the test, as with "
    'monkeypatch.setenv("LITELLM_BASE_URL", "http://litellm.test"); for a replay any URL and key will do'
)
_told = pytest.StashKey[str]()
_failed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--record-mode`` and ``cassette_dir``."""
    parser.addini(
        "cassette_dir", "where cassettes lie, from the root directory (default: cassettes)", default="cassettes"
    )
    if importlib.util.find_spec("pytest_recording") is not None:
        return  # It has the same option with the same meaning, and pytest refuses a second one.
    group = parser.getgroup("chatsheet_llm", "cassettes of chatsheet_llm")
    try:
        group.addoption(
            "--record-mode",
            choices=MODES,
            default=None,
            help=f"none: replay (default); once: record what has no cassette; rewrite: record anew; also {VARIABLE}",
        )
    except ValueError:  # this plugin is loaded twice: as an entry point, and by a conftest
        return


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker; settle the record mode before any test can change the environment."""
    config.addinivalue_line("markers", _MARKER)
    told = str(config.getoption("record_mode", default=None) or os.environ.get(VARIABLE) or "none")
    config.stash[_told] = told
    # With pytest-recording the option is also its own, with more values; then it is looked at where it is used.
    if importlib.util.find_spec("pytest_recording") is None:
        _mode_of(told)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed, so that its cassette is not written, and say what a replay lacks."""
    report = yield
    if not report.passed:
        item.stash[_failed] = True
        # Not imported here: the errors load the SDK, and this is a plugin of every run.
        errors = sys.modules.get("chatsheet_llm.errors")
        raised = call.excinfo.value if call.excinfo is not None else None
        if errors is not None and isinstance(raised, errors.NoEndpointError) and _has_cassette(item):
            report.sections.append(("cassette", _NO_SETTINGS))
    return report


def _has_cassette(item: pytest.Item) -> bool:
    return item.get_closest_marker("cassette") is not None or "cassette" in getattr(item, "fixturenames", ())


@pytest.fixture
def cassette_mode(pytestconfig: pytest.Config) -> Mode:
    """The record mode; override it for tests that can be recorded only at times."""
    return _mode_of(pytestconfig.stash[_told])


def _mode_of(told: str) -> Mode:
    for mode in MODES:
        if mode == told:
            return mode
    raise pytest.UsageError(f"{VARIABLE} or --record-mode is {told!r}; allowed are {', '.join(MODES)}")


@pytest.fixture
def cassette_hosts() -> Mapping[str, str]:
    """Names of endpoints in cassettes, by ``host`` or ``host:port``; override it for servers of the same kind."""
    return {}


@pytest.fixture
def cassette(
    request: pytest.FixtureRequest, cassette_mode: Mode, cassette_hosts: Mapping[str, str]
) -> Iterator[Cassette]:
    """The test's open cassette: ``recording``, ``path``, ``requests``."""
    try:
        from chatsheet_llm.testing.cassette import use_cassette
    except ModuleNotFoundError as error:
        raise pytest.UsageError(f"cassettes need {error.name!r}; install chatsheet_llm[testing]") from None
    marker = request.node.get_closest_marker("cassette")
    names, allowed = (marker.args, marker.kwargs) if marker is not None else ((), {})
    if len(names) > 1 or not all(isinstance(name, str) for name in names) or allowed.keys() - {"sockets", "unplayed"}:
        raise pytest.UsageError(f"{request.node.nodeid}: it is {_MARKER}")
    directory = request.config.rootpath / str(request.config.getini("cassette_dir"))
    path = directory / (_with_suffix(names[0]) if names else _default_name(request.node))
    with use_cassette(path, cassette_mode, hosts=cassette_hosts, **allowed) as opened:
        yield opened
        if request.node.stash.get(_failed, False):
            opened.discard()


@pytest.fixture(autouse=True)
def _cassette_of_the_marker(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("cassette") is not None:
        request.getfixturevalue("cassette")


def _with_suffix(name: str) -> str:
    return name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"


def _default_name(item: pytest.Item) -> Path:
    return Path(item.path.stem) / (re.sub(r"[^\w.-]+", "-", item.name).strip("-") + ".yaml")
