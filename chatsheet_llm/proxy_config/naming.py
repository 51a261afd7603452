"""Say under which name our own client asks the proxy for each model.  Chooses no endpoint behind the proxy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chatsheet_llm.endpoint_settings import fold
from chatsheet_llm.models import ModelSpec
from chatsheet_llm.settings import Settings

_PROXY: Final = "litellm"
_UNNAMEABLE: Final[Mapping[str, str]] = {
    "/": "the proxy answers 404 to GET /v1/models/NAME for a name with a slash",
    "*": "the proxy takes a star for a wildcard",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The ``name`` that endpoint ``proxy`` is asked for where callers say ``alias``; ``source`` is file and line."""

    alias: str
    name: str
    proxy: str
    source: str

    @property
    def problems(self) -> Iterator[str]:
        """Sentences on why a proxy cannot serve this name."""
        for character, why in _UNNAMEABLE.items():
            if character not in self.name:
                continue
            if self.name == self.alias:
                yield f"{self.source}: model {self.alias!r} has a {character!r} in its alias: {why}; rename it"
            else:
                yield (
                    f"{self.source}: model {self.alias!r} is {self.name!r} at {self.proxy!r}, with a {character!r}: "
                    f"{why}; {self.remedy}"
                )

    @property
    def remedy(self) -> str:
        """How to give it another name."""
        return f"give it a name of its own there (deployments: {{{self.proxy}: NAME}})"


def asked_of(spec: ModelSpec, settings: Settings) -> Asked:
    """Return what the proxy is asked for.

    The proxy is the first one in the model's chain, else in that of the settings, else the first configured one; where
    there is none yet it is ``litellm``.
    """
    proxies, chains = _proxies(settings), (spec.chain or (), settings.chain)
    names = [*(name for chain in chains for name, _ in hops_of(chain, settings)), *settings.resolved_endpoints()]
    proxy = next((name for name in names if fold(name) in proxies), _PROXY)
    return Asked(spec.alias, spec.deployment_for(proxy, proxies[fold(proxy)]), proxy, spec.source)


def hops_of(chain: Iterable[str], settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the hops of a chain: the endpoint's name, and the mode or ``""``."""
    chains = settings.registry.chains
    for hop in (hop for entry in chain for hop in chains.get(entry, (entry,))):
        name, _, mode = hop.partition("/")
        yield name, mode


def _proxies(settings: Settings) -> dict[str, str | None]:
    """Every proxy, configured or not, by its folded name, with its deployment for models that it is told no other of.

    The file is written before there is a proxy, so the URL may be missing.
    """
    found: dict[str, str | None] = {_PROXY: None}
    for layer in (settings.registry.endpoints, settings.endpoints, settings.resolved_endpoints()):
        for name, endpoint in layer.items():
            if fold(name) in found or endpoint.kind == _PROXY:
                found[fold(name)] = endpoint.deployment or found.get(fold(name))
    return found
