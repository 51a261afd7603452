"""What every test gets: an environment without the developer's keys, and integration tests only when asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_cases import quick_sandbox
from fault_server import Certificates
from parrot import Parrot

from chatsheet_llm.sandbox import Sandbox

INTEGRATION = Path(__file__).resolve().parent / "integration"

# A developer's own keys, endpoints and HTTP proxies: with them a test could pass, fail or cost money by accident.
FOREIGN = ("ANTHROPIC_", "AZURE_", "CHATSHEET_", "LITELLM_", "MODEL_CONFIG_", "OPENAI_")
PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
KEPT = ("CHATSHEET_SHARED",)


@pytest.fixture(scope="session")
def empty_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch, empty_directory: Path) -> None:
    """Remove provider variables, and leave the checkout: its `.env` and `models.yaml` would be read otherwise."""
    for name in os.environ:
        upper = name.upper()
        if (upper.startswith(FOREIGN) or upper in PROXIES) and upper not in KEPT:
            monkeypatch.delenv(name)
    monkeypatch.chdir(empty_directory)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """One sandbox for the tests of a file."""
    with quick_sandbox() as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Iterator[Sandbox]:
    """The sandbox without faults and without a past."""
    running.clear()
    running.forget()
    yield running
    running.clear()


@pytest.fixture
def parrot(box: Sandbox) -> Iterator[Parrot]:
    """Needs the box's surroundings: without certificates a client is made in no time."""
    with Parrot() as made:
        yield made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl program; install OpenSSL to run the tests with TLS")
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def no_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # To load the system's takes longer than a call.
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


@pytest.hookimpl(tryfirst=True)  # before -m is applied
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies in tests/integration, and deselect it unless the command names it (by path or with -m)."""
    inside = [item for item in items if INTEGRATION in item.path.parents]
    for item in inside:
        item.add_marker(pytest.mark.integration)
    paths = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    named = any(path == INTEGRATION or INTEGRATION in path.parents for path in paths)
    if inside and not named and "integration" not in config.option.markexpr:
        config.hook.pytest_deselected(items=inside)
        items[:] = [item for item in items if item not in set(inside)]
