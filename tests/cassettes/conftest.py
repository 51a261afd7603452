"""Clients for cassettes: of the sandbox while recording, of a port that nobody listens on while replaying."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from cassette_origin import Origin

from chatsheet_llm import AsyncChatClient, ChatClient, Settings
from chatsheet_llm.sandbox import Sandbox, parse_fault
from chatsheet_llm.testing import Cassette

# Two, and both closed: endpoints at one address would be one failure domain, and a failover skips that.
NO_LITELLM = "http://127.0.0.1:9"
NO_AZURE = "http://127.0.0.1:10"

_notes = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def notes(pytestconfig: pytest.Config) -> list[str]:
    """Lines for the end of the run."""
    return pytestconfig.stash.setdefault(_notes, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for note in dict.fromkeys(config.stash.get(_notes, [])):
        terminalreporter.write_line(note)


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def box(cassette: Cassette, request: pytest.FixtureRequest) -> Iterator[Sandbox | None]:
    """The sandbox while the test's cassette is recorded, else None: it does not even start."""
    if not cassette.recording:
        yield None
        return
    sandbox: Sandbox = request.getfixturevalue("_sandbox")
    sandbox.clear()
    yield sandbox
    sandbox.clear()


@pytest.fixture
def inject(box: Sandbox | None) -> Callable[[str, str], None]:
    """Set a fault for one request to a hop; a replay has its replies already."""

    def once(hop: str, fault: str) -> None:
        if box is not None:
            box.inject(hop, parse_fault(fault), times=1)

    return once


@pytest.fixture
def settings(box: Sandbox | None) -> Settings:
    return Settings(
        _env_file=None,
        litellm_base_url=NO_LITELLM if box is None else box.litellm_url,
        litellm_api_key="nobody-knows" if box is None else box.api_key,
        azure_openai_endpoint=NO_AZURE if box is None else box.azure_url,
        azure_openai_api_key="nobody-knows" if box is None else box.api_key,
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[ChatClient]:
    with ChatClient(settings) as made:
        yield made


@pytest.fixture
async def aclient(settings: Settings) -> AsyncIterator[AsyncChatClient]:
    async with AsyncChatClient(settings) as made:
        yield made


@pytest.fixture
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.close()
