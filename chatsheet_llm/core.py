"""What a client and its copies share: settings, endpoints, connections, what was learned.  Plans and sends nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import httpx2

from chatsheet_llm.connections import Connections
from chatsheet_llm.dispatch import parse_hop
from chatsheet_llm.domains import Domains
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.errors import NoEndpointError
from chatsheet_llm.latency import Latencies
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import Registry
from chatsheet_llm.origins import Origins
from chatsheet_llm.outlook import Outlooks
from chatsheet_llm.settings import Settings
from chatsheet_llm.state import StateStore

if TYPE_CHECKING:
    from chatsheet_llm.sharing import Sharing


class Setup:
    """What one reading of the configuration says, with the endpoints and SDK clients made of it.

    A call keeps the one that it began with, so that a new reading changes nothing under its feet.
    """

    def __init__(self, settings: Settings, before: Setup | None = None) -> None:
        self.settings = settings
        self.registry: Registry = settings.registry
        known = {} if before is None else before.endpoints
        made = {name: build(name, endpoint) for name, endpoint in settings.resolved_endpoints().items()}
        # One that did not change stays the same object, which its SDK client is known by.
        self.endpoints: Mapping[str, Endpoint] = {
            name: known[name] if known.get(name) == endpoint else endpoint for name, endpoint in made.items()
        }
        self.unconfigured = settings.unconfigured()
        self.outlooks = Outlooks(self.endpoints, self.registry, self.unconfigured)

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

    def load_sdks(self, chain: Sequence[str]) -> None:
        """Import the SDKs of the chain's endpoints: that takes a second, and no call shall pay for it."""
        for name in self._names(chain):
            if name in self.endpoints:
                self.endpoints[name].classes()

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
        state: StateStore | None = None,
    ) -> None:
        self.setup = Setup(settings)
        self._store = _store_of(settings) if state is None else state
        self.learned = Learned(settings.learned_expiry)
        tls = any(not endpoint.url.startswith("http:") for endpoint in self.setup.endpoints.values())
        self.connections = Connections(http, http_client, tls=tls)
        self._begin()

    def _begin(self) -> None:
        self.domains = Domains()
        self.origins = Origins()
        self.latencies = Latencies()
        self.sharing = None if self._store is None else self._shared(self._store)
        self._process = os.getpid()

    def _shared(self, store: StateStore) -> Sharing:
        from chatsheet_llm.sharing import share

        return share(self, store)

    def own_process(self) -> None:
        """Start anew in a child after a fork, with what was known before it."""
        if os.getpid() != self._process:
            with self.connections.lock:
                if os.getpid() != self._process:
                    self.connections.own_process()
                    self.learned = self.learned.copy()
                    self.setup = Setup(self.setup.settings)
                    self._store = None if self._store is None else self._store.renewed()
                    self._begin()
        if self.sharing is not None:
            self.sharing.threads.start()

    def origins_by_endpoint(self) -> dict[str, str]:
        """Return the origin of each endpoint, by the endpoint's name."""
        return {name: endpoint.origin for name, endpoint in self.setup.endpoints.items()}

    def end_sharing(self) -> None:
        """Tell other processes nothing more, soon."""
        if self.sharing is not None:
            self.sharing.threads.close()

    def reload(self, chain: Sequence[str]) -> Setup:
        """Read the model registry again and put it in force, for calls that begin from now on.

        Raises SettingsError where the file is wrong, or a hop of ``chain`` is not known any more; NoEndpointError where
        none is configured.  Then everything stays as it was.
        """
        with self.connections.lock:
            made = Setup(self.setup.settings.reloaded(), self.setup)
            made.check(chain)
            for name, endpoint in self.setup.endpoints.items():
                if name not in made.endpoints or made.endpoints[name].origin != endpoint.origin:
                    # What was learned of the deployments of another resource.
                    self.learned.forget(name)
            self.setup = made
            return made

    def sdk(self, setup: Setup, name: str) -> Any:
        """Return the SDK client of an endpoint, made when first asked for.  Raises LocalResourceError once closed."""
        return self.connections.sdk(setup.endpoints[name])


def _store_of(settings: Settings) -> StateStore | None:
    if settings.state_url is None:
        return None
    from chatsheet_llm.redis_state import RedisState

    bundle = settings.ca_bundle
    return RedisState(settings.state_url, ca_bundle=str(bundle) if bundle else None)
