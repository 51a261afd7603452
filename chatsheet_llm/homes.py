"""Say which hops may see the state that earlier replies left in a request.  Pure; takes nothing out itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol
from urllib.parse import unquote

from chatsheet_llm.formats.plain import plain
from chatsheet_llm.formats.state import Seal, seals
from chatsheet_llm.origins import NOBODY, Origins
from chatsheet_llm.route import Mode

_LABELS = frozenset({"metadata", "attributes", "litellm_metadata"})
"""Fields in which an id is the caller's own note."""
_KEEPS_NOTHING = ("/embeddings", "/moderations", "/models")
"""Paths that go on from nothing: what is named there is a model, or only looks like an id."""
READ_AS_RESPONSES = ("/responses/compact", "/responses/input_tokens")
"""Paths that are passed through and whose bodies hold what a Responses request holds."""


class Placed(Protocol):
    """What is asked of an endpoint here."""

    @property
    def name(self) -> str: ...
    @property
    def modes(self) -> tuple[Mode, ...]: ...
    @property
    def origin(self) -> str: ...


class Homes:
    """The state in one request, and where each piece is at home.

    What nobody remembers the maker of is taken for the work of the first hop of the chain that speaks its format; a
    file, for the work of the first that keeps files for OpenAI's client, where there is one.
    """

    __slots__ = ("_endpoints", "_first", "_state", "plain")

    def __init__(
        self,
        state: Sequence[Seal],
        origins: Origins | None,
        endpoints: Mapping[str, Placed] | None = None,
        *,
        plain: bool = False,
    ) -> None:
        self._state = [(seal, origins.of(seal.token) if origins is not None else None) for seal in state]
        self._first: dict[Mode | None, str] = {}
        self._endpoints = endpoints or {}
        self.plain = plain
        """Whether the request holds nothing at all that an earlier reply left, so that nobody need look again."""

    @property
    def empty(self) -> bool:
        """Whether there is no state, so that the request may go anywhere."""
        return not self._state

    @property
    def guessed(self) -> bool:
        """Whether there is state whose maker nobody remembers and that can be taken out."""
        return any(made_by is None and not seal.holds for seal, made_by in self._state)

    @classmethod
    def of(
        cls,
        caller: Mode | None,
        path: str,
        body: Mapping[str, object] | None,
        origins: Origins | None,
        endpoints: Mapping[str, Placed] | None = None,
    ) -> Homes:
        """Return them for a request: from its body, or, where it is passed through, from every id that is known."""
        if caller is not None:
            if plain(caller, body or {}):
                return _PLAIN
            return cls(seals(caller, body or {}), origins, endpoints)
        if origins is None or path.startswith(_KEEPS_NOTHING):
            return cls((), origins, endpoints)
        found = list(_named(body or {}, ()))
        if path.startswith(READ_AS_RESPONSES):
            found += seals("responses", body or {})
        known = [seal for seal in found if origins.of(seal.token) not in (None, NOBODY)]
        named = [Seal((), unquote(name), None, holds=True) for name in path.strip("/").split("/")[1:]]
        known += [seal for seal in named if origins.of(seal.token) is not None]
        return cls([Seal(seal.at, seal.token, None, holds=True) for seal in known], origins, endpoints)

    def foreign(self, mode: Mode | None, origin: str, *, guess: bool = True) -> list[Seal]:
        """Return the state that may not go to this hop.  To be asked in the order of the chain.

        Without ``guess``, state whose maker nobody remembers is foreign too, unless the request needs it.
        """
        if not self._state:
            return []
        self._first.setdefault(mode, origin)
        if mode != "messages" or all(endpoint.modes == ("messages",) for endpoint in self._endpoints.values()):
            self._first.setdefault(None, origin)
        return [seal for seal, made_by in self._state if not self._at_home(seal, made_by, mode, origin, guess)]

    def maker(self, seal: Seal) -> str | None:
        """Return the name of the endpoint that made it, where that is remembered and configured."""
        made_by = next((made_by for known, made_by in self._state if known is seal), None)
        names = {endpoint.origin: endpoint.name for endpoint in self._endpoints.values()}
        return names.get(made_by) if made_by is not None else None

    def _at_home(self, seal: Seal, made_by: str | None, mode: Mode | None, origin: str, guess: bool) -> bool:
        if made_by is None and not guess and not seal.holds:
            return False
        return seal.home in (None, mode) and (made_by or self._first.get(seal.home)) == origin


_PLAIN = Homes((), None, plain=True)
"""Those of every request without state: there is nothing that they could remember."""


def _named(node: object, at: tuple[str | int, ...]) -> Iterator[Seal]:
    """Every text of a body that stands where an id stands."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name not in _LABELS:
                yield from _named(value, (*at, str(name)))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _named(value, (*at, index))
    elif isinstance(node, str) and any(str(step).endswith(("id", "ids")) for step in at[-2:]):
        yield Seal(at, node, None, holds=True)
