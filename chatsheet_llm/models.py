"""Say which models there are, as values: aliases, deployments, chains.  Reads no file and chooses no hop."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from chatsheet_llm.capabilities import Override
from chatsheet_llm.endpoint_settings import EndpointSettings, fold
from chatsheet_llm.route import Mode

ANY_NAME = "*"
"""The alias of the entry for every name that no other entry has."""
MOST_NAMES = 30
"""Models that a message lists before it only counts."""
LONGEST_NAME = 80
"""Characters of a name that nobody knows which a message repeats."""


KNOWN_VALUES: Mapping[str, tuple[str, ...]] = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "summary_level": ("auto", "concise", "detailed"),
    "verbosity_level": ("low", "medium", "high"),
    "truncation_strategy": ("auto", "disabled"),
}
"""Default of an entry to the values that OpenAI's SDK knows for it.  Vendors add some before the SDK does."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One entry of models.yaml: what callers say (``alias``), what it is (``base_model``), what each endpoint calls it.

    ``deployments`` maps endpoint name to deployment name.  ``api_model`` is the name for endpoints not listed there.
    ``mode`` and ``chain`` win over every rule; None leaves them to dispatch.  ``max_tokens`` counts output tokens.
    ``capabilities`` is what the entry knows better than the table.  ``source`` is file and line (``models.yaml:12``).
    """

    alias: str
    base_model: str | None = None
    deployments: Mapping[str, str] = field(default_factory=dict, hash=False)
    api_model: str | None = None
    mode: Mode | None = None
    chain: tuple[str, ...] | None = None
    reasoning_effort: str | None = None
    summary_level: str | None = None
    verbosity_level: str | None = None
    truncation_strategy: str | None = None
    max_tokens: int | None = None
    capabilities: Override | None = None
    source: str = ""

    @property
    def has_defaults(self) -> bool:
        """Whether the entry has anything to lay under a request."""
        return not (
            self.reasoning_effort is None
            and self.summary_level is None
            and self.verbosity_level is None
            and self.truncation_strategy is None
            and self.max_tokens is None
        )

    def deployment_for(self, endpoint_name: str, default: str | None = None) -> str:
        """Return what this endpoint calls the model: its deployment, else ``api_model``, ``default`` or the alias."""
        for name, deployment in self.deployments.items():
            if fold(name) == fold(endpoint_name):
                return deployment
        return self.api_model or default or self.alias


@dataclass(frozen=True)
class Registry:
    """What models.yaml says.  Iterating yields its `ModelSpec`s in the order of the file.

    ``doubts`` are sentences on what it says and nobody knows, each with file, line and field.
    """

    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointSettings] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: Path | None = None
    doubts: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def empty(cls) -> Registry:
        """Return the registry of a project without models.yaml."""
        return cls()

    def get(self, name: str) -> ModelSpec | None:
        """Return the entry with this alias, else the entry ``*`` under this name, or None."""
        found = self.models.get(name)
        if found is None and ANY_NAME in self.models:
            return replace(self.models[ANY_NAME], alias=name)
        return found

    @property
    def name(self) -> str:
        """The name of the file, for people."""
        return self.path.name if self.path is not None else "models.yaml"

    @property
    def closed(self) -> bool:
        """Whether only the models that it names may be asked for: it names some, and none is ``*``."""
        return bool(self.models) and ANY_NAME not in self.models

    def closest(self, name: str) -> str | None:
        """Return the alias most like this name, or None when none is like it."""
        folded = {alias.casefold(): alias for alias in self.models}
        found = difflib.get_close_matches(name[: 2 * LONGEST_NAME].casefold(), list(folded), 1)
        return folded[found[0]] if found else None

    def unknown(self, name: str) -> str:
        """Say that no entry has this name: the closest that one has, and what there is."""
        close = self.closest(name)
        names = [alias for alias in self.models if alias != ANY_NAME]
        left = len(names) - MOST_NAMES
        shown = ", ".join(names[:MOST_NAMES]) + (f" and {left} more" if left > 0 else "")
        hint = f"did you mean {close!r}? It" if close is not None else "it"
        told = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
        return f"{self.name} names no model {told!r}; {hint} has {shown}; an entry '*' would let every name pass"

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.models.values())

    def __len__(self) -> int:
        return len(self.models)

    def __contains__(self, name: object) -> bool:
        return name in self.models
