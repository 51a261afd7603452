"""Say what is known of the model behind a hop, and where that was read.  Pure; the file's word stands above all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chatsheet_llm.capabilities import Capability, capability_of, is_named
from chatsheet_llm.formats.responses_messages_sampling import is_claude
from chatsheet_llm.hops import Reachable
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec

Source = Literal["file", "learned", "name"]
"""Where a base model was read: models.yaml, the deployment's own answers, or a name that is a model's whole name."""


@dataclass(frozen=True, slots=True)
class Known:
    """The model behind a hop.

    ``deployment`` is what the endpoint calls it.  ``where`` is file and line, or what the name stands for.
    ``capability`` is the row of the table with the entry's own words over it, or None where nothing is known.
    """

    deployment: str | None
    base_model: str | None
    source: Source | None
    where: str
    capability: Capability | None

    @property
    def name(self) -> str:
        """What to call the model."""
        return self.base_model or self.deployment or "the model"


def known_at(endpoint: Reachable, spec: ModelSpec | None, model: str | None, learned: Learned | None) -> Known:
    """Return what is known of the model that a call names, at one endpoint.

    ``spec`` is its entry, ``model`` the caller's word.  In order: the entry's ``base_model``, unless the deployment is
    named after a Claude and that is none; what the deployment's answers name; ``api_model``; the deployment's name and
    the caller's, where one is the whole name of a model.
    """
    deployment = deployment_of(endpoint, spec, model)
    base, source, where = _base(endpoint, spec, model, deployment, learned)
    row = capability_of(base)
    if spec is not None and spec.capabilities is not None:
        row = spec.capabilities.over(row, spec.source or "models.yaml")
    return Known(deployment, base, source, where, row)


def deployment_of(endpoint: Reachable, spec: ModelSpec | None, model: str | None) -> str | None:
    """Return what the endpoint calls the model."""
    if spec is not None:
        return spec.deployment_for(endpoint.name, endpoint.default_deployment)
    return endpoint.default_deployment or model if model is not None else None


def _base(
    endpoint: Reachable, spec: ModelSpec | None, model: str | None, deployment: str | None, learned: Learned | None
) -> tuple[str | None, Source | None, str]:
    if spec is not None and spec.base_model is not None:
        if is_claude(deployment) and not is_claude(spec.base_model):
            # The stand-in from another maker, which one alias may have on one endpoint.
            return deployment, "name", f"deployment of {endpoint.name}"
        return spec.base_model, "file", spec.source
    if learned is not None and deployment is not None:
        told = learned.base_model(endpoint.name, deployment)
        if told is not None:
            return told, "learned", f"named in the answers of {endpoint.name}"
    if spec is not None and is_named(spec.api_model):
        return spec.api_model, "file", spec.source
    for name, where in ((deployment, f"deployment of {endpoint.name}"), (model, "the name that was asked for")):
        if is_named(name):
            return name, "name", where
    return None, None, ""
