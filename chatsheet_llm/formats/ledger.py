"""The loss ledger of one translation: what its target has no place for.  Decides nothing; bridges say what is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from chatsheet_llm.route import Loss, Mode

Object = dict[str, object]

TITLES: Mapping[Mode, str] = MappingProxyType({"chat": "Chat", "responses": "Responses", "messages": "Messages"})
"""What a reason calls each format."""


class Ledger:
    """Collects losses towards one format, in the order in which they were found."""

    def __init__(self, target: Mode) -> None:
        self.target: Mode = target
        self.losses: list[Loss] = []

    def lose(self, path: str, reason: str, *, minor: bool = False) -> None:
        """List one loss.  ``minor`` as in :class:`chatsheet_llm.route.Loss`."""
        self.losses.append(Loss(self.target, path, reason, minor))

    def rest(self, given: Mapping[str, object], carried: Collection[str], path: str) -> None:
        """List every field of an object that says something and is not among those that were carried."""
        self.losses += lost_fields(given, carried, path, self.target)


def is_nothing(value: object) -> bool:
    """Whether a field says as much as its absence."""
    return value is None or value == [] or value == {}


def lost_fields(given: Mapping[str, object], carried: Collection[str], path: str, target: Mode) -> list[Loss]:
    """The losses of an object of which only ``carried`` has a place in the target; ``path`` may be empty."""
    return [
        Loss(target, f"{path}.{name}" if path else name, f"{TITLES[target]} has no place for {name!r} here")
        for name, value in given.items()
        if name not in carried and not is_nothing(value)
    ]
