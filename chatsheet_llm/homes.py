"""Say which hops may see the state that earlier replies left in a request.  Pure; takes nothing out itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import Self

from chatsheet_llm.formats.state import Seal, seals
from chatsheet_llm.origins import Origins
from chatsheet_llm.route import Mode


class Homes:
    """The state in one request, and where each piece is at home.

    What nobody remembers the maker of is taken for the work of the first hop of the chain that speaks its format.
    """

    def __init__(self, state: Sequence[Seal], origins: Origins | None) -> None:
        self._state = [(seal, origins.of(seal.token) if origins is not None else None) for seal in state]
        self._first: dict[Mode | None, str] = {}

    @classmethod
    def of(cls, caller: Mode | None, path: str, body: Mapping[str, object] | None, origins: Origins | None) -> Self:
        """Return them for a request: from its body, or from an id in a path that is passed through."""
        if caller is not None:
            return cls(seals(caller, body or {}), origins)
        named = path.strip("/").split("/")[1:2]
        # An id that nobody remembers goes where the chain begins, as any other path.
        known = [name for name in named if origins is not None and origins.of(name) is not None]
        return cls([Seal((), name, None, holds=True) for name in known], origins)

    def foreign(self, mode: Mode | None, origin: str) -> list[Seal]:
        """Return the state that may not go to this hop.  To be asked in the order of the chain."""
        for known in (mode, None):
            self._first.setdefault(known, origin)
        return [seal for seal, made_by in self._state if not self._at_home(seal, made_by, mode, origin)]

    def _at_home(self, seal: Seal, made_by: str | None, mode: Mode | None, origin: str) -> bool:
        return seal.home in (None, mode) and (made_by or self._first.get(seal.home)) == origin
