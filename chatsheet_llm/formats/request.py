"""Walk the parameters of a request by the rows of a table.  What a row converts, a function of the bridge writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chatsheet_llm.formats.ledger import Ledger, is_nothing
from chatsheet_llm.formats.shapes import place
from chatsheet_llm.formats.tables import Rule


@dataclass(frozen=True, slots=True)
class Request:
    """One request on its way: what it holds, what was made of it, and what was lost.

    ``places`` is there in pivot use, and takes where each thing stood (path in the result -> path in the body).
    """

    body: Mapping[str, object]
    ledger: Ledger
    places: dict[str, str] | None = None
    result: dict[str, object] = field(default_factory=dict)

    def place(self, target: str, value: object, source: str) -> None:
        """Put a value where it belongs, and remember where it stood."""
        place(self.result, target, value)
        if self.places is not None:
            self.places[target] = source

    def walk(
        self, rules: Mapping[str, Rule], converters: Mapping[str, Converter], *, api: str, required: str = ""
    ) -> None:
        """Place, convert or lose every parameter that says something, in the order of the body.

        ``api`` is what the source calls itself; ``required`` names the parameter whose converter judges it even where
        it is null.
        """
        for name, value in self.body.items():
            rule = rules.get(name)
            if name != required and (value is None or (rule is not None and value in rule.neutral)):
                continue
            if rule is None:
                self.ledger.lose(name, f"{name!r} is not a {api} parameter, its meaning is unknown")
            elif rule.pivot and self.places is not None:
                self.place(rule.pivot, value, name)
            elif rule.how == "convert":
                converters[name](self, value)
            else:
                self.settle(rule, name, value)

    def settle(self, rule: Rule, path: str, value: object) -> None:
        """Place or lose one value that needs no converter."""
        if rule.how == "place":
            self.place(rule.target, value, path)
        elif rule.empty or not is_nothing(value):
            self.ledger.lose(path, rule.reason, minor=rule.minor)


Converter = Callable[[Request, object], None]
"""Writes what one parameter becomes."""
