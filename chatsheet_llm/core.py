"""What a client and its copies share: settings, endpoints, connections, what was learned.  Plans and sends nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2

from chatsheet_llm.dispatch import parse_hop
from chatsheet_llm.domains import Domains
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.errors import NoEndpointError
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import Registry
from chatsheet_llm.network import Network
from chatsheet_llm.origins import Origins
from chatsheet_llm.settings import Settings


class Setup:
    """What one reading of the configuration says, with the endpoints and SDK clients made of it.

    A call keeps the one that it began with, so that a new reading changes nothing under its feet.
    """

    def __init__(self, settings: Settings, before: Setup | None = None) -> None:
        self.settings = settings
        self.registry: Registry = settings.registry
        self.endpoints: Mapping[str, Endpoint] = {
            name: build(name, endpoint) for name, endpoint in settings.resolved_endpoints().items()
        }
        self.unconfigured = settings.unconfigured()
        self.sdks: dict[str, Any] = {}
        if before is not None:
            same = [name for name, endpoint in self.endpoints.items() if before.endpoints.get(name) == endpoint]
            self.sdks = {name: before.sdks[name] for name in same if name in before.sdks}

    def check(self, chain: Sequence[str]) -> None:
        """Raise SettingsError for a hop nobody knows, NoEndpointError where no hop is configured."""
        names = list(self._names(chain))
        if any(name in self.endpoints for name in names):
            return
        wanted = "; ".join(dict.fromkeys(self.unconfigured.get(name, f"configure endpoint {name!r}") for name in names))
        beside = sorted(self.endpoints)
        hint = (
            f".  {' and '.join(beside)} {'is' if len(beside) == 1 else 'are'} configured but not in the chain: "
            f"set CHATSHEET_CHAIN={','.join(beside)} to use {'it' if len(beside) == 1 else 'them'}"
            if beside
            else ""
        )
        raise NoEndpointError(f"no hop of the chain ({', '.join(chain)}) is configured: {wanted}{hint}")

    def first(self, chain: Sequence[str]) -> Endpoint:
        """Return the first configured endpoint of the chain, or of a model's: the client shows it as its own."""
        return next(self.endpoints[name] for name in self._names(chain) if name in self.endpoints)

    def _names(self, chain: Sequence[str]) -> Iterator[str]:
        """Yield the endpoints of a chain, then those of the chains that models bring with them."""
        for entries in (chain, *(spec.chain or () for spec in self.registry)):
            for named in entries:
                for entry in self.registry.chains.get(named, (named,)):
                    yield parse_hop(entry, self.endpoints, self.unconfigured)[0]


class Core:
    """The setup in force, the connections, and what was learned of the endpoints.  Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        http: type[httpx2.Client | httpx2.AsyncClient],
        http_client: httpx2.Client | httpx2.AsyncClient | None,
    ) -> None:
        self.setup = Setup(settings)
        self.learned = Learned(settings.learned_expiry)
        self._http = http
        self._given = http_client
        self._inherited: list[object] = []
        self._begin()

    def _begin(self) -> None:
        self.domains = Domains()
        self.origins = Origins()
        self._clients: dict[Network, Any] = {}
        self._lock = threading.RLock()
        self._process = os.getpid()

    def own_process(self) -> None:
        """Start anew in a child after a fork: two processes on one connection read each other's answers.

        The parent's connections are kept, unused: to close them here could end them there.  An ``http_client`` that the
        caller gave is the caller's to renew.
        """
        if os.getpid() != self._process:
            self._inherited.append((self._clients, self.setup))
            self.learned = self.learned.copy()
            self.setup = Setup(self.setup.settings)
            self._begin()

    def reload(self, chain: Sequence[str]) -> Setup:
        """Read the model registry again and put it in force, for calls that begin from now on.

        Raises SettingsError where the file is wrong, or a hop of ``chain`` is not known any more; NoEndpointError where
        none is configured.  Then everything stays as it was.
        """
        with self._lock:
            made = Setup(self.setup.settings.reloaded(), self.setup)
            made.check(chain)
            for name, endpoint in self.setup.endpoints.items():
                if name not in made.endpoints or made.endpoints[name].origin != endpoint.origin:
                    # What was learned of the deployments of another resource.
                    self.learned.forget(name)
            self.setup = made
            return made

    def http(self, network: Network) -> Any:
        """Return the HTTP client for a network policy, made when first asked for."""
        if self._given is not None:
            return self._given
        with self._lock:
            made = self._clients.get(network)
            if made is None:
                made = network.client() if self._http is httpx2.Client else network.async_client()
                self._clients[network] = made
            return made

    def sdk(self, setup: Setup, name: str) -> Any:
        """Return the SDK client of an endpoint, made when first asked for."""
        found = setup.sdks.get(name)
        if found is None:
            with self._lock:
                endpoint = setup.endpoints[name]
                http = self.http(endpoint.network)
                found = endpoint.client(http) if isinstance(http, httpx2.Client) else endpoint.async_client(http)
                setup.sdks[name] = found
        return found

    def others(self, first: object) -> list[Any]:
        """Return the HTTP clients beside the one that the SDK's own ``close()`` closes."""
        with self._lock:
            return [client for client in self._clients.values() if client is not first]
