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

    def deployment_for(self, endpoint_name: str, default: str | None = None) -> str:
        """Return what this endpoint calls the model: its deployment, else ``api_model``, ``default`` or the alias."""
        for name, deployment in self.deployments.items():
            if fold(name) == fold(endpoint_name):
                return deployment
        return self.api_model or default or self.alias


@dataclass(frozen=True)
class Registry:
    """What models.yaml says.  Iterating yields its `ModelSpec`s in the order of the file."""

    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointSettings] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: Path | None = None

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
        return next(iter(difflib.get_close_matches(name, list(self.models), 1)), None)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.models.values())

    def __len__(self) -> int:
        return len(self.models)

    def __contains__(self, name: object) -> bool:
        return name in self.models
