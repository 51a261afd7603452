"""Read the entries of a chain: which endpoint each names, and which API of it.  Chooses neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.hops import Reachable
from chatsheet_llm.route import MODES, Mode


class Place(NamedTuple):
    """One entry of a chain: its endpoint (None and why, where it is not configured), and the API that it names."""

    entry: str
    endpoint: Reachable | None
    wanted: Mode | None
    lacking: str = ""


def lacking(name: str, known: Iterable[str]) -> str:
    """Say what an endpoint lacks that is not configured."""
    said = known.get(name) if isinstance(known, Mapping) else None
    return str(said) if said else f"endpoint {name!r} is not configured"


def parse_hop(entry: str, endpoints: Mapping[str, Reachable], known: Iterable[str] = ()) -> tuple[str, Mode | None]:
    """Split ``"azure/responses"`` into endpoint and mode; the mode is None where the entry leaves it to the rules.

    Raises SettingsError for an endpoint nobody knows, or a mode the endpoint does not speak.
    """
    name, slash, mode = entry.strip().partition("/")
    names = sorted({*endpoints, *known})
    if name not in names:
        # Nearer than by default, which finds 'openai' in 'nope'.
        close = get_close_matches(name, names, n=1, cutoff=0.7)
        hint = f"; did you mean {close[0] + slash + mode!r}?" if close else ""
        raise SettingsError(
            f"the chain names hop {entry!r}, but there is no endpoint {name!r} (known: {', '.join(names)}){hint}"
        )
    if not slash:
        return name, None
    speaks = endpoints[name].modes if name in endpoints else MODES
    for candidate in speaks:
        if candidate == mode:
            return name, candidate
    raise SettingsError(
        f"the chain names hop {entry!r}, but endpoint {name!r} speaks {', '.join(speaks)}, not {mode!r}"
    )
