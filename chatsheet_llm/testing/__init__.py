"""Cassettes: record a chain's replies once, replay them without a network.  A pytest plugin, and the same as a context.

``@pytest.mark.cassette("chat.yaml")`` on a test, or ``with use_cassette(path):`` anywhere.  Nothing is loaded until a
name is asked for: the plugin is imported by every pytest run of an environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatsheet_llm.testing.cassette import Cassette as Cassette
    from chatsheet_llm.testing.cassette import Mode as Mode
    from chatsheet_llm.testing.cassette import use_cassette as use_cassette
    from chatsheet_llm.testing.misses import CassetteError as CassetteError
    from chatsheet_llm.testing.misses import CassetteMiss as CassetteMiss
    from chatsheet_llm.testing.misses import SocketRefused as SocketRefused

_HOME: dict[str, str] = {
    "Cassette": "cassette",
    "Mode": "cassette",
    "use_cassette": "cassette",
    "CassetteError": "misses",
    "CassetteMiss": "misses",
    "SocketRefused": "misses",
}

__all__ = ["Cassette", "CassetteError", "CassetteMiss", "Mode", "SocketRefused", "use_cassette"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
