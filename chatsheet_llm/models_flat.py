"""Turn what the flat form of models.yaml says of an entry into endpoints, deployments and a chain.  Reads no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from chatsheet_llm.endpoint_settings import MODES_OF, EndpointSettings, modes_of, names_by_resource
from chatsheet_llm.models import ModelSpec
from chatsheet_llm.values import RepeatedError, resource_of

_BACKENDS: Final = ("azure", "anthropic")
"""What ``backend`` may be: kinds of endpoint, and the names of endpoints that may be set up elsewhere."""


@dataclass(frozen=True)
class Entry:
    """A model entry before the ``base_url``s of all entries are known."""

    spec: ModelSpec
    backend: str | None
    base_url: str | None
    deployment: str | None


def at_home(
    entries: Iterable[Entry], endpoints: dict[str, EndpointSettings], known: Mapping[str, EndpointSettings]
) -> dict[str, Mapping[str, str]]:
    """Return the endpoint of every resource that an entry names, by backend; adds those that nobody knows yet.

    ``endpoints`` are the file's own, ``known`` those and what is known from elsewhere.
    """
    homes: dict[str, Mapping[str, str]] = {}
    for backend in _BACKENDS:
        urls = [entry.base_url for entry in entries if entry.backend == backend]
        homes[backend] = names_by_resource(backend, urls, known)
        for url in urls:
            name = homes[backend][resource_of(url)] if url is not None else ""
            if name and (name not in known or known[name].base_url is None):
                told = {"base_url": url, **(endpoints[name].told() if name in endpoints else {})}
                endpoints[name] = EndpointSettings.model_validate({**told, "kind": backend})
    return homes


def placed(entry: Entry, homes: Mapping[str, Mapping[str, str]], known: Mapping[str, EndpointSettings]) -> ModelSpec:
    """Return the entry's spec on the endpoint that its ``backend`` and ``base_url`` mean."""
    spec, backend = entry.spec, entry.backend
    if backend is None:
        return spec
    name = homes[backend][resource_of(entry.base_url)] if entry.base_url is not None else backend
    deployments = dict(spec.deployments)
    if entry.deployment is not None:
        deployments.setdefault(name, entry.deployment)
    chain = spec.chain
    if chain is None and (name != backend or backend != "azure"):
        modes = modes_of(known[name]) if name in known else MODES_OF[backend]
        chain = tuple(f"{name}/{mode}" for mode in modes)
    return replace(spec, deployments=deployments, chain=chain)


def parse_backend(text: str) -> str:
    """Return a backend.  Raises ValueError for any other text."""
    if text not in _BACKENDS:
        raise RepeatedError(f"{text!r} is not a backend; use {' or '.join(_BACKENDS)} (or an endpoint and a chain)")
    return text
