"""``ChatClient`` and ``AsyncChatClient``: the SDK's own clients, with `request()` sent through the chain."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import httpx2
import openai
from openai import NOT_GIVEN, NotGiven
from tenacity import stop_after_attempt
from typing_extensions import Self, override

from chatsheet_llm import drive, report, sdk
from chatsheet_llm.dispatch import MODES, PATHS, Call, Dispatch, OnLoss, dispatch, parse_hop
from chatsheet_llm.domains import Domains
from chatsheet_llm.endpoints import Endpoint, build
from chatsheet_llm.errors import NoEndpointError, SettingsError, UnsupportedPathError
from chatsheet_llm.exchange import Exchange
from chatsheet_llm.network import Network
from chatsheet_llm.plan import GaveUp, Policy, plan
from chatsheet_llm.settings import Settings

if TYPE_CHECKING:
    from tenacity.stop import stop_base
    from tenacity.wait import wait_base

_V = TypeVar("_V")
_Http = TypeVar("_Http", httpx2.Client, httpx2.AsyncClient)

BLOCK = "chatsheet"
"""The key in ``extra_body`` under which a call says how it wants to be treated; it never leaves the process."""
_BLOCK_KEYS = ("chain", "mode", "deadline", "on_loss")
_CREDENTIALS = frozenset(
    ("authorization", "api-key", "x-api-key", "x-litellm-api-key", "ocp-apim-subscription-key", "proxy-authorization")
)
_PLACEHOLDER = "chatsheet"
"""Stands where the SDK wants a key: the keys belong to the endpoints."""


@dataclass(frozen=True, slots=True)
class _Choices:
    """What a client and its copies may differ in."""

    chain: tuple[str, ...]
    deadline: float
    on_loss: OnLoss
    policy: Policy
    max_sends: int
    own_stop: bool
    timeout: float = math.inf
    """Seconds for one attempt, where the caller set a timeout; else infinity."""

    def changed(
        self,
        chain: Sequence[str] | str | None,
        deadline: float | None,
        on_loss: OnLoss | None,
        timeout: float | httpx2.Timeout | NotGiven | None,
    ) -> _Choices:
        """Return the choices with those changed that were given.  Raises SettingsError."""
        made = self
        if chain is not None:
            made = replace(made, chain=_chain(chain, "chain"))
        if deadline is not None:
            made = replace(made, deadline=_deadline(deadline, "deadline"))
        if on_loss is not None:
            if on_loss not in ("error", "drop"):
                raise SettingsError(f"on_loss must be 'error' or 'drop'; got {on_loss!r}")
            made = replace(made, on_loss=on_loss)
        if not isinstance(timeout, NotGiven):
            made = replace(made, timeout=sdk.seconds_of(timeout))
        return made


class _Core:
    """What a client and its copies share: settings, endpoints, connections, and what was learned of the domains."""

    def __init__(
        self,
        settings: Settings,
        http: type[httpx2.Client | httpx2.AsyncClient],
        http_client: httpx2.Client | httpx2.AsyncClient | None,
    ) -> None:
        self.settings = settings
        self.registry = settings.registry
        self.endpoints: dict[str, Endpoint] = {
            name: build(name, endpoint) for name, endpoint in settings.resolved_endpoints().items()
        }
        self.unconfigured = settings.unconfigured()
        self.domains = Domains()
        self._http = http
        self._given = http_client
        self._clients: dict[Network, Any] = {}
        self._sdks: dict[str, Any] = {}
        self._lock = threading.RLock()

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

    def sdk(self, name: str) -> Any:
        """Return the SDK client of an endpoint, made when first asked for."""
        found = self._sdks.get(name)
        if found is None:
            with self._lock:
                endpoint = self.endpoints[name]
                http = self.http(endpoint.network)
                found = endpoint.client(http) if isinstance(http, httpx2.Client) else endpoint.async_client(http)
                self._sdks[name] = found
        return found

    def others(self, first: object) -> list[Any]:
        """Return the HTTP clients beside the one that the SDK's own ``close()`` closes."""
        with self._lock:
            return [client for client in self._clients.values() if client is not first]

    def first(self, chain: Sequence[str]) -> Endpoint:
        """Return the first endpoint of the chain that is configured: the one the client shows as its own."""
        entries = (hop for entry in chain for hop in self.registry.chains.get(entry, (entry,)))
        return next(self.endpoints[name] for entry in entries if (name := entry.partition("/")[0]) in self.endpoints)

    def check(self, chain: Sequence[str]) -> None:
        """Raise SettingsError for a hop nobody knows, NoEndpointError where no hop is configured."""
        names = [
            parse_hop(entry, self.endpoints, self.unconfigured)[0]
            for named in chain
            for entry in self.registry.chains.get(named, (named,))
        ]
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


@dataclass(slots=True)
class _Run:
    """One call, ready to be driven."""

    exchange: Exchange
    steps: drive.Steps
    options: sdk.FinalRequestOptions
    stream: bool


class _Facade(Generic[_Http]):
    """All that is not I/O, for both clients."""

    _HTTP: type[_Http]
    _core: _Core
    _choices: _Choices
    # Of the SDK's client, which stands next in the method resolution order.
    timeout: float | httpx2.Timeout | None
    max_retries: int
    webhook_secret: str | None
    _custom_headers: Mapping[str, str]
    _custom_query: Mapping[str, object]

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        api_key: str | None = None,
        base_url: str | httpx2.URL | None = None,
        organization: str | None = None,
        project: str | None = None,
        webhook_secret: str | None = None,
        chain: Sequence[str] | str | None = None,
        deadline: float | None = None,
        on_loss: OnLoss | None = None,
        timeout: float | httpx2.Timeout | NotGiven | None = NOT_GIVEN,
        max_retries: int | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: _Http | None = None,
        wait: wait_base | None = None,
        stop: stop_base | None = None,
    ) -> None:
        told: Settings = _with_named(
            Settings() if settings is None else settings, api_key, base_url, organization, project
        )
        core = _Core(told, self._HTTP, http_client)
        first = told.max_retries if max_retries is None else max_retries
        policy = Policy(max_retries=first, stop=stop or stop_after_attempt(max(told.max_sends, first + 1)))
        choices = _Choices(
            chain=told.chain if api_key is None and base_url is None else ("openai", *told.chain),
            deadline=told.deadline,
            on_loss=told.on_loss,
            policy=replace(policy, wait=wait) if wait is not None else policy,
            max_sends=told.max_sends,
            own_stop=stop is not None,
        )
        choices = choices.changed(chain, deadline, on_loss, timeout)
        self._start(core, choices, timeout, default_headers, default_query, webhook_secret)

    def _start(
        self,
        core: _Core,
        choices: _Choices,
        timeout: float | httpx2.Timeout | NotGiven | None,
        default_headers: Mapping[str, str] | None,
        default_query: Mapping[str, object] | None,
        webhook_secret: str | None,
    ) -> None:
        core.check(choices.chain)
        first = core.first(choices.chain)
        self._core, self._choices = core, choices
        if isinstance(timeout, NotGiven):
            timeout = httpx2.Timeout(choices.deadline, connect=core.settings.connect_timeout)
        # The SDK's own constructor, of OpenAI or AsyncOpenAI.
        cast("Any", super()).__init__(
            api_key=_PLACEHOLDER,
            base_url=first.url,
            webhook_secret=webhook_secret,
            timeout=timeout,
            max_retries=choices.policy.max_retries,
            default_headers=_without_credentials(default_headers or {}),
            default_query=default_query,
            http_client=core.http(first.network),
        )
        sdk.forget_environment(cast("openai.OpenAI", self))

    def copy(
        self,
        *,
        chain: Sequence[str] | str | None = None,
        deadline: float | None = None,
        on_loss: OnLoss | None = None,
        timeout: float | httpx2.Timeout | NotGiven | None = NOT_GIVEN,
        max_retries: int | NotGiven = NOT_GIVEN,
        default_headers: Mapping[str, str] | None = None,
        set_default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        **belongs_to_an_endpoint: object,
    ) -> Self:
        """Return a client with other options that shares connections and what was learned of the endpoints.

        Takes what the SDK's ``copy`` takes but for what belongs to an endpoint (key, URL, HTTP client): those raise
        SettingsError.  Closing one closes both, as with the SDK.
        """
        refused = [name for name, value in belongs_to_an_endpoint.items() if value is not None]
        if refused:
            raise SettingsError(
                f"copy() cannot change {', '.join(refused)}: that belongs to an endpoint; make a new client for it"
            )
        if default_headers is not None and set_default_headers is not None:
            raise ValueError("give default_headers or set_default_headers, not both")
        if default_query is not None and set_default_query is not None:
            raise ValueError("give default_query or set_default_query, not both")
        choices = self._choices.changed(chain, deadline, on_loss, timeout)
        if not isinstance(max_retries, NotGiven):
            choices = replace(choices, policy=_persistent(choices, max_retries))
        headers = {**self._custom_headers, **(default_headers or {})}
        query = {**self._custom_query, **(default_query or {})}
        made = self.__class__.__new__(self.__class__)
        made._start(  # noqa: SLF001  our own
            self._core,
            choices,
            self.timeout if isinstance(timeout, NotGiven) else timeout,
            headers if set_default_headers is None else set_default_headers,
            query if set_default_query is None else set_default_query,
            self.webhook_secret,
        )
        return made

    with_options = copy

    def with_chain(self, *chain: str) -> Self:
        """Return a client that shares everything with this one but walks these hops."""
        return self.copy(chain=chain)

    @property
    def auth_headers(self) -> dict[str, str]:
        """Refuse: only WebSocket connections ask for it, and they would bypass the chain."""
        raise UnsupportedPathError(
            "WebSocket connections do not go through the chain; connect with the SDK's client of one endpoint instead"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(chain={','.join(self._choices.chain)!r})"

    def _begin(self, options: sdk.FinalRequestOptions, stream: bool) -> _Run:
        """Read a request, choose its hops, make its plan.  Raises what needs no network to be known."""
        core, choices = self._core, self._choices
        timeout = sdk.timeout_of(options)
        call, deadline = self._call(options, stream, choices.timeout if timeout is None else timeout)
        found = dispatch(
            call, endpoints=core.endpoints, registry=core.registry, chain=choices.chain, known=core.unconfigured
        )
        trail = drive.Trail(found.skipped)
        if not found.hops:
            raise report.no_hop(call, found, trail.route(), core.unconfigured)
        settings = core.settings
        exchange = Exchange(
            call=call,
            options=options,
            headers=_without_credentials({**self._custom_headers, **sdk.headers_of(options)}),
            endpoints=core.endpoints,
            domains=core.domains,
            trail=trail,
            seconds=choices.timeout if timeout is None else timeout,
            idle=settings.idle_timeout,
            connect=settings.connect_timeout,
            marker=sdk.raw_marker(options),
        )
        steps = plan(
            found.hops,
            core.domains,
            policy=_persistent(choices, sdk.retries_of(options, self.max_retries)),
            deadline_at=time.monotonic() + deadline,
            side_effects=call.side_effects,
        )
        own = sdk.copied(options)
        if self._custom_query:
            exchange.options = sdk.copied(options)
            exchange.options.params = {**self._custom_query, **options.params}
        sdk.with_route(own, trail.route)
        return _Run(exchange, steps, own, stream)

    def _call(self, options: sdk.FinalRequestOptions, stream: bool, timeout: float) -> tuple[Call, float]:
        """Return the call and its deadline in seconds."""
        choices = self._choices
        body = sdk.body_of(options)
        block: Mapping[str, object] = {}
        if isinstance(body, Mapping):
            body = dict(body)
            block = _block(body.pop(BLOCK, None))
        chain, mode, deadline = block.get("chain"), block.get("mode"), block.get("deadline")
        path = "/" + options.url.lstrip("/")
        call = Call(
            method=options.method,
            path=path,
            format=PATHS.get(path) if options.method.lower() == "post" else None,
            body=body if isinstance(body, Mapping) else None,
            stream=stream,
            chain=cast("tuple[str, ...] | None", chain),
            mode=cast("Any", mode),
            on_loss=cast("OnLoss", block.get("on_loss", choices.on_loss)),
        )
        if deadline is not None:
            return call, cast("float", deadline)
        # A caller who gives one attempt longer than the deadline means to wait that long.
        return call, max(choices.deadline, timeout if math.isfinite(timeout) else 0.0)

    def health(self) -> dict[str, str]:
        """Return the state of every failure domain asked about so far: closed, open or half_open, by domain."""
        return self._core.domains.snapshot()

    def dispatch(self, path: str = "/chat/completions", *, stream: bool = False, **body: object) -> Dispatch:
        """Return the hops that a request would take, and the rule of each, without any network.

        ``body`` is the request's JSON body, ``extra_body`` of the SDK included under its own keys.
        """
        options = sdk.FinalRequestOptions.construct(method="post", url=path, json_data=cast("Any", body))
        call, _ = self._call(options, stream, math.inf)
        core = self._core
        return dispatch(
            call, endpoints=core.endpoints, registry=core.registry, chain=self._choices.chain, known=core.unconfigured
        )


class ChatClient(_Facade[httpx2.Client], openai.OpenAI):
    """An ``openai.OpenAI`` whose requests walk the chain of the settings.

    Args:
        settings: read from environment, ``.env`` and ``models.yaml`` where left out.
        api_key, base_url, organization, project: as on ``openai.OpenAI``; where one of the first two is given it makes
            an endpoint of kind openai that comes first in the chain, so that code which names its server keeps it.
        chain: hops in order, ``"endpoint"`` or ``"endpoint/mode"``; default from the settings.
        deadline: seconds for a whole call, all hops and waits included; for a stream, until its first content.
        on_loss: ``"error"`` leaves a hop out that cannot carry something the caller set, ``"drop"`` sends without it
            and lists it in ``Route.losses``.
        timeout: seconds for one attempt (an ``httpx2.Timeout``'s read timeout counts); longer than the deadline, it
            also raises that.
        max_retries: re-sends on one hop.
        wait, stop: tenacity strategies for the waits after transient faults and for giving up.
        http_client: replaces our own, for all endpoints; its own trust, proxy and timeouts then apply, and the
            deadline is kept only between reads.

    Raises:
        SettingsError: a setting is wrong; the message names it.
        NoEndpointError: no hop of the chain is configured; the message lists the variables to set.

    Every method of the SDK raises :class:`~chatsheet_llm.errors.CallError` when the call fails.
    """

    _HTTP = httpx2.Client

    @override
    def request(
        self,
        cast_to: type[Any],
        options: sdk.FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: type[Any] | None = None,
    ) -> Any:
        """Send one request of any resource through the chain.  Raises CallError, SettingsError."""
        cast_to = sdk.cast_of(self, cast_to, options)
        run = self._begin(options, stream)
        exchange = run.exchange
        try:
            response = drive.run(
                run.steps, lambda step: exchange.send(step, self._core.sdk(step.hop.endpoint)), exchange.trail
            )
        except GaveUp as gave_up:
            # The cause holds the request with its credential; all that matters is in the route.
            exchange.trail.closed(gave_up.closed)
            error = report.error_for(gave_up.failure, exchange.trail.route())
        else:
            return sdk.finish(self, cast_to, run.options, response, stream=stream, stream_cls=stream_cls)
        raise error from None

    @override
    def close(self) -> None:
        """Close every connection, of this client and its copies."""
        super().close()
        for client in self._core.others(self._client):
            client.close()


class AsyncChatClient(_Facade[httpx2.AsyncClient], openai.AsyncOpenAI):
    """An ``openai.AsyncOpenAI`` whose requests walk the chain; arguments and errors as for :class:`ChatClient`."""

    _HTTP = httpx2.AsyncClient

    @override
    async def request(
        self,
        cast_to: type[Any],
        options: sdk.FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: type[Any] | None = None,
    ) -> Any:
        """Send one request of any resource through the chain.  Raises CallError, SettingsError."""
        cast_to = sdk.cast_of(self, cast_to, options)
        run = self._begin(options, stream)
        exchange = run.exchange
        try:
            response = await drive.arun(
                run.steps,
                lambda step: exchange.asend(step, self._core.sdk(step.hop.endpoint)),
                exchange.trail,
                asyncio.sleep,
            )
        except GaveUp as gave_up:
            exchange.trail.closed(gave_up.closed)
            error = report.error_for(gave_up.failure, exchange.trail.route())
        else:
            return await sdk.finish(self, cast_to, run.options, response, stream=stream, stream_cls=stream_cls)
        raise error from None

    @override
    async def close(self) -> None:
        """Close every connection, of this client and its copies."""
        await super().close()
        for client in self._core.others(self._client):
            await client.aclose()


def _persistent(choices: _Choices, retries: int) -> Policy:
    """Return the policy with this many re-sends on one hop; asking for many also raises the number of sends."""
    if retries == choices.policy.max_retries:
        return choices.policy
    stop = choices.policy.stop if choices.own_stop else stop_after_attempt(max(choices.max_sends, retries + 1))
    return replace(choices.policy, max_retries=retries, stop=stop)


def _with_named(
    settings: Settings,
    api_key: str | None,
    base_url: str | httpx2.URL | None,
    organization: str | None,
    project: str | None,
) -> Settings:
    """Return the settings with the endpoint that the constructor's arguments describe, as on ``openai.OpenAI``."""
    if api_key is None and base_url is None:
        if organization is not None or project is not None:
            raise SettingsError("organization and project are OpenAI's: give api_key too, or headers of an endpoint")
        return settings
    told = (("OpenAI-Organization", organization), ("OpenAI-Project", project))
    key = settings.openai_api_key if api_key is None else api_key
    if key is None:
        raise SettingsError(f"base_url={str(base_url)!r} is given without a key; give api_key, or set OPENAI_API_KEY")
    url = settings.openai_base_url if base_url is None else str(base_url)
    headers = {name: value for name, value in told if value is not None}
    return settings.with_endpoint("openai", {"kind": "openai", "base_url": url, "api_key": key, "headers": headers})


def _block(value: object) -> Mapping[str, object]:
    """Return the ``chatsheet`` block of ``extra_body``, checked.  Raises SettingsError."""
    where = f"extra_body[{BLOCK!r}]"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} must be a mapping with {', '.join(_BLOCK_KEYS)}; got a {type(value).__name__}")
    unknown = [str(key) for key in value if key not in _BLOCK_KEYS]
    if unknown:
        raise SettingsError(f"{where} has no {', '.join(map(repr, unknown))}; it takes {', '.join(_BLOCK_KEYS)}")
    block = {key: item for key, item in value.items() if item is not None}
    if "chain" in block:
        block["chain"] = _chain(block["chain"], where)
    if "mode" in block and block["mode"] not in MODES:
        raise SettingsError(f"{where}: mode must be one of {', '.join(MODES)}; got {block['mode']!r}")
    if "deadline" in block:
        block["deadline"] = _deadline(block["deadline"], where)
    if "on_loss" in block and block["on_loss"] not in ("error", "drop"):
        raise SettingsError(f"{where}: on_loss must be 'error' or 'drop'; got {block['on_loss']!r}")
    return block


def _chain(value: object, where: str) -> tuple[str, ...]:
    hops = value.split(",") if isinstance(value, str) else value
    if not isinstance(hops, Sequence) or not hops or not all(isinstance(hop, str) and hop.strip() for hop in hops):
        raise SettingsError(f"{where}: chain must list hops such as 'litellm' or 'azure/responses'; got {value!r}")
    return tuple(hop.strip() for hop in hops)


def _deadline(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise SettingsError(f"{where}: deadline must be a number of seconds greater than 0; got {value!r}")
    return float(value)


def _without_credentials(headers: Mapping[str, _V]) -> Mapping[str, _V]:
    """Return the headers; raise SettingsError for one that would carry a credential to every hop."""
    found = [name for name in headers if name.lower() in _CREDENTIALS and isinstance(headers[name], str)]
    if found:
        raise SettingsError(
            f"header {', '.join(found)} would go to every endpoint of the chain; "
            "set it for one, as CHATSHEET_ENDPOINTS__NAME__HEADERS__HEADER_NAME"
        )
    return headers
