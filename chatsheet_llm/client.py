"""``ChatClient`` and ``AsyncChatClient``: the SDK's own clients, with `request()` sent through the chain."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import httpx2
import openai
from openai import NOT_GIVEN, NotGiven
from tenacity import stop_after_attempt
from typing_extensions import Self, override

from chatsheet_llm import delivery, drive, report, sdk
from chatsheet_llm.answer import Answer
from chatsheet_llm.choices import BLOCK, Choices, read_block
from chatsheet_llm.connections import running_loop
from chatsheet_llm.core import Core, Setup
from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.errors import BadRequestError, CallError, LocalResourceError, SettingsError, UnsupportedPathError
from chatsheet_llm.exchange import Exchange
from chatsheet_llm.hops import PATHS, Call, Dispatch, Hop, OnLoss, Recovery
from chatsheet_llm.latency import HedgeAfter, latency_key
from chatsheet_llm.misfit import misfit
from chatsheet_llm.models import ANY_NAME, Registry
from chatsheet_llm.plan import plan
from chatsheet_llm.redact import Private
from chatsheet_llm.route import Route
from chatsheet_llm.settings import Settings
from chatsheet_llm.state import StateStore
from chatsheet_llm.steps import GaveUp, Policy, Send
from chatsheet_llm.streams import HopFault
from chatsheet_llm.trail import Trail

if TYPE_CHECKING:
    from tenacity.stop import stop_base
    from tenacity.wait import wait_base

    from chatsheet_llm.health import DomainHealth
    from chatsheet_llm.inventory import ModelView
    from chatsheet_llm.learned import Lesson
    from chatsheet_llm.recovery import Restarts
    from chatsheet_llm.resources_chat import AsyncChat, Chat
    from chatsheet_llm.resources_responses import AsyncResponses, Responses

_V = TypeVar("_V")
_Http = TypeVar("_Http", httpx2.Client, httpx2.AsyncClient)

_CREDENTIALS = frozenset(
    (
        "authorization",
        "api-key",
        "x-api-key",
        "x-litellm-api-key",
        "ocp-apim-subscription-key",
        "cookie",
        "proxy-authorization",
        "x-functions-key",
        "x-goog-api-key",
        "x-auth-token",
    )
)
_BESIDE_THE_BODY = ("extra_headers", "extra_query", "timeout")
"""Arguments of the SDK's methods that are no part of the request's body."""
_PLACEHOLDER = "chatsheet"
"""Stands where the SDK wants a key: the keys belong to the endpoints."""


_NOT_JSON = (TypeError, ValueError, RecursionError)
"""What json raises of a value that it has no form for."""


@dataclass(slots=True, repr=False)
class _Run:
    """One call, ready to be driven.  Its repr is constant: the rest of it is the caller's own."""

    exchange: Exchange
    steps: drive.Steps
    options: sdk.FinalRequestOptions
    setup: Setup

    def restarts(self) -> Restarts | None:
        """Return what answers a stream anew that breaks; None where none shall."""
        exchange = self.exchange
        if not exchange.restarts:
            return None
        from chatsheet_llm.recovery import Restarts

        return Restarts(self.steps, exchange.trail, exchange.call.format or "chat")

    def refused(self, step: Send, error: Exception) -> Exception:
        """Return the error for a request that could not be made into JSON; any other exception as it is."""
        call = self.exchange.call
        found = misfit(step.hop.body if step.hop.body is not None else call.body)
        if found is None:
            return error
        where, what = found
        told = (
            f"the request to {call.path} cannot be sent as JSON: {where or 'its body'} holds {what}; convert it first"
        )
        return BadRequestError(told, route=self.exchange.trail.route(), code="invalid_request", param=where)

    def stopped(self, error: BaseException) -> None:
        """Note on what the caller threw into the call (a cancellation, an interrupt) what had been tried by then."""
        if not isinstance(error, Exception) and hasattr(error, "add_note"):
            error.add_note(f"so far: {self.exchange.trail.route()}")

    def ended(self, end: GaveUp) -> CallError:
        """Return the error of a plan that gave up."""
        trail = self.exchange.trail
        trail.gave_up(end)
        return report.ended(end, trail.route())


class _Facade(Generic[_Http]):
    """All that is not I/O, for both clients."""

    _HTTP: type[_Http]
    _core: Core
    _choices: Choices
    # Of the SDK's client, which stands next in the method resolution order.
    timeout: float | httpx2.Timeout | None
    max_retries: int
    webhook_secret: str | None
    _no_timeout: httpx2.Timeout
    """Stands as ``timeout`` where the caller set none."""
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
        stream_recovery: Recovery | None = None,
        hedge_after: HedgeAfter | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: _Http | None = None,
        wait: wait_base | None = None,
        stop: stop_base | None = None,
        state: StateStore | None = None,
    ) -> None:
        told: Settings = _with_named(
            Settings() if settings is None else settings, api_key, base_url, organization, project
        )
        core = Core(told, self._HTTP, http_client, state)
        first = told.max_retries if max_retries is None else max_retries
        policy = Policy(max_retries=first, stop=stop or stop_after_attempt(max(told.max_sends, first + 1)))
        choices = Choices(
            chain=told.chain if api_key is None and base_url is None else ("openai", *told.chain),
            deadline=told.deadline,
            on_loss=told.on_loss,
            policy=replace(policy, wait=wait) if wait is not None else policy,
            max_sends=told.max_sends,
            own_stop=stop is not None,
            stream_recovery=told.stream_recovery,
            hedge_after=told.hedge_after,
        )
        choices = choices.changed(chain, deadline, on_loss, stream_recovery, hedge_after)
        if max_retries is not None:
            choices = replace(choices, policy=choices.persistent(max_retries))
        self._start(core, choices, timeout, default_headers, default_query, webhook_secret)

    def _start(
        self,
        core: Core,
        choices: Choices,
        timeout: float | httpx2.Timeout | NotGiven | None,
        default_headers: Mapping[str, str] | None,
        default_query: Mapping[str, object] | None,
        webhook_secret: str | None,
    ) -> None:
        setup = core.setup
        setup.check(choices.chain)
        setup.load_sdks(choices.chain)
        first = setup.first(choices.chain)
        self._core, self._choices = core, choices
        self._no_timeout = httpx2.Timeout(choices.deadline, connect=setup.settings.connect_timeout)
        headers = _without_credentials(default_headers or {})
        # The SDK's own constructor, of OpenAI or AsyncOpenAI.
        cast("Any", super()).__init__(
            api_key=_PLACEHOLDER,
            base_url=first.url,
            webhook_secret=webhook_secret,
            timeout=self._no_timeout if isinstance(timeout, NotGiven) else timeout,
            max_retries=choices.policy.max_retries,
            default_headers=headers,
            default_query=default_query,
            http_client=core.connections.http(first.network),
        )
        sdk.forget_environment(self, headers)

    def copy(
        self,
        *,
        chain: Sequence[str] | str | None = None,
        deadline: float | None = None,
        on_loss: OnLoss | None = None,
        timeout: float | httpx2.Timeout | NotGiven | None = NOT_GIVEN,
        max_retries: int | NotGiven = NOT_GIVEN,
        stream_recovery: Recovery | None = None,
        hedge_after: HedgeAfter | None = None,
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
        unset = (type(None), NotGiven)
        refused = [name for name, value in belongs_to_an_endpoint.items() if not isinstance(value, unset)]
        if refused:
            raise SettingsError(
                f"copy() cannot change {', '.join(refused)}: that belongs to an endpoint; make a new client for it"
            )
        if default_headers is not None and set_default_headers is not None:
            raise ValueError("give default_headers or set_default_headers, not both")
        if default_query is not None and set_default_query is not None:
            raise ValueError("give default_query or set_default_query, not both")
        choices = self._choices.changed(chain, deadline, on_loss, stream_recovery, hedge_after)
        if not isinstance(max_retries, NotGiven):
            choices = replace(choices, policy=choices.persistent(max_retries))
        headers = {**self._custom_headers, **(default_headers or {})}
        query = {**self._custom_query, **(default_query or {})}
        made = self.__class__.__new__(self.__class__)
        made._start(  # noqa: SLF001  our own
            self._core,
            choices,
            NOT_GIVEN
            if isinstance(timeout, NotGiven) and self.timeout is self._no_timeout
            else self.timeout
            if isinstance(timeout, NotGiven)
            else timeout,
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

    def is_closed(self) -> bool:
        """Return whether this client or a copy of it was closed."""
        return self._core.connections.closed

    def _ready(self) -> None:
        """Make sure that a call can be made.  Raises LocalResourceError."""
        self._core.own_process()
        self._core.connections.must_be_open()

    def _begin(self, options: sdk.FinalRequestOptions, stream: bool) -> _Run:
        """Read a request, choose its hops, make its plan.  Raises what needs no network to be known."""
        core, choices = self._core, self._choices
        asked = self._asked(options)
        seconds = math.inf if asked is None else sdk.seconds_of(asked)
        call, deadline = self._call(options, stream, seconds)
        setup = core.setup
        found = self._dispatched(call, setup)
        headers = _without_credentials({**self._custom_headers, **sdk.headers_of(options)})
        said = (call.body, list(headers.values()), options.params, self._custom_query)
        trail = Trail(found.skipped, Private(partial(_credentials, setup), said))
        trail.late = lambda hop: core.latencies.cut(latency_key(hop.surface, stream=call.stream))
        if not found.hops:
            raise report.no_hop(call, found, trail.route(), setup.unconfigured, setup.registry)
        settings = setup.settings
        retries = sdk.retries_of(options, self.max_retries)
        exchange = Exchange(
            call=call,
            options=options,
            headers=headers,
            endpoints=setup.endpoints,
            domains=core.domains,
            origins=core.origins,
            learned=core.learned,
            latencies=core.latencies,
            trail=trail,
            asked=asked,
            idle=settings.idle_timeout,
            first=settings.first_token_timeout,
            connect=settings.connect_timeout,
            closed=lambda: core.connections.closed,
            marker=sdk.raw_marker(options),
        )
        steps = plan(
            found.hops,
            core.domains,
            policy=choices.policy if retries == choices.policy.max_retries else choices.persistent(retries),
            deadline_at=time.monotonic() + deadline,
            attempt=seconds,
            side_effects=call.side_effects,
            amend=found.amend,
            hedge=self._hedge(call),
        )
        own = sdk.copied(options)
        if self._custom_query or BLOCK in options.params:
            exchange.options = sdk.copied(options)
            query = {**self._custom_query, **options.params}
            exchange.options.params = {name: value for name, value in query.items() if name != BLOCK}
        sdk.with_route(own, trail.route)
        return _Run(exchange, steps, own, setup)

    def _hedge(self, call: Call) -> Callable[[Hop], float | None]:
        """Return what says after how many seconds of silence another hop is asked beside one."""
        after, latencies = call.hedge_after, self._core.latencies
        return lambda hop: latencies.late(after, latency_key(hop.surface, stream=call.stream))

    def _dispatched(self, call: Call, setup: Setup) -> Dispatch:
        core = self._core
        return dispatch(
            call,
            endpoints=setup.endpoints,
            registry=setup.registry,
            chain=self._choices.chain,
            known=setup.unconfigured,
            origins=core.origins,
            learned=core.learned,
            outlooks=setup.outlooks,
        )

    def _asked(self, options: sdk.FinalRequestOptions) -> float | httpx2.Timeout | None:
        """Return the timeout that the caller set, for this request or for the client; None where none was set."""
        asked = sdk.timeout_of(options)
        if not isinstance(asked, NotGiven):
            return asked
        return None if self.timeout is self._no_timeout else self.timeout

    def _call(self, options: sdk.FinalRequestOptions, stream: bool, timeout: float) -> tuple[Call, float]:
        """Return the call and its deadline in seconds."""
        choices = self._choices
        body = sdk.body_of(options)
        block: Mapping[str, object] = {}
        if isinstance(body, Mapping):
            body = dict(body)
            block = read_block(body.pop(BLOCK, None))
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
            recovery=cast("Recovery", block.get("stream_recovery", choices.stream_recovery)),
            hedge_after=cast("HedgeAfter | None", block.get("hedge_after", choices.hedge_after)),
        )
        if deadline is not None:
            return call, cast("float", deadline)
        # A caller who gives one attempt longer than the deadline means to wait that long.
        return call, max(choices.deadline, timeout if math.isfinite(timeout) else 0.0)

    def health(self) -> tuple[DomainHealth, ...]:
        """Return the state of every failure domain asked about so far: endpoints, and APIs of deployments there."""
        names: dict[str, str] = {}
        for name, origin in self._core.origins_by_endpoint().items():
            names[origin] = f"{names[origin]}, {name}" if origin in names else name
        return self._core.domains.health(names)

    def models_known(self) -> tuple[ModelView, ...]:
        """Return every model of ``models.yaml`` with all that is known of it and where each fact comes from.

        ``client.models.list()`` gives the same as OpenAI's list of models.  Uses no network.
        """
        return self._views()

    def _views(self, only: Iterable[str] | None = None) -> tuple[ModelView, ...]:
        from chatsheet_llm.inventory import inventory

        core = self._core
        setup = core.setup
        return inventory(setup.registry, setup.endpoints, self._choices.chain, setup.unconfigured, core.learned, only)

    def _own_answer(self, options: sdk.FinalRequestOptions) -> tuple[sdk.FinalRequestOptions, httpx2.Response] | None:
        """Answer for the models that the registry names; None for every other request, which goes to an endpoint.

        So does one whose query says ``chatsheet=remote``, which never leaves the process.
        """
        asked = options.url.strip("/")
        if options.method.lower() != "get" or asked.partition("/")[0] != "models":
            return None
        where = options.params.get(BLOCK)
        if where not in (None, "remote"):
            raise SettingsError(f"extra_query[{BLOCK!r}] takes 'remote', to ask the endpoints; got {str(where)[:40]!r}")
        registry = self._core.setup.registry
        if where is not None or not len(registry):
            return None
        name = unquote(asked.partition("/")[2])
        if name and (name == ANY_NAME or name not in registry):
            if not registry.closed:
                return None
            raise report.unknown_model(name, registry, Route())
        from chatsheet_llm.inventory import as_list, as_model

        told = as_model(self._views([name])[0]) if name else as_list(self.models_known())
        own = sdk.copied(options)
        sdk.with_route(own, Route)
        made = sdk.response_for(
            status=200,
            headers={"content-type": "application/json"},
            body=json.dumps(told).encode(),
            url="https://chatsheet.invalid/models",
            marker=sdk.raw_marker(options),
            route=Route,
            seconds=0.0,
        )
        return own, made

    def plan(
        self,
        body: Mapping[str, object] | None = None,
        /,
        *,
        path: str = "/chat/completions",
        stream: bool = False,
        **fields: object,
    ) -> Dispatch:
        """Return the hops that a request would take, and the rule of each, without any network.

        ``body`` is the request's JSON body, a ``chatsheet`` block included; ``fields`` are further fields, so that
        ``client.plan(model=..., messages=...)`` reads like the call.
        """
        whole = {**(body or {}), **fields}
        extra = whole.pop("extra_body", None)
        whole |= extra if isinstance(extra, Mapping) else {}
        for name in _BESIDE_THE_BODY:
            whole.pop(name, None)
        stream = stream or whole.get("stream") is True
        if path not in PATHS and f"/{path.strip('/').removeprefix('v1/')}" in PATHS:
            path = f"/{path.strip('/').removeprefix('v1/')}"
        options = sdk.FinalRequestOptions.construct(method="post", url=path, json_data=cast("Any", whole))
        call, _ = self._call(options, stream, math.inf)
        return self._dispatched(call, self._core.setup)

    def reload(self) -> Registry:
        """Read ``models.yaml`` again and put it in force for calls that begin from now on, also of copies.

        Returns the registry now in force.  Running calls end as they began; an endpoint that did not change keeps its
        connections, and what was learned stays.  Settings from elsewhere are not read again, but for the variables that
        the file refers to.  Raises SettingsError for a file that is wrong; then the one read before stays in force.
        """
        try:
            return self._core.reload(self._choices.chain).registry
        except SettingsError as error:
            raise SettingsError(f"{error}\nnothing was reloaded: what was read before stays in force") from None

    def learned(self) -> tuple[Lesson, ...]:
        """Return what endpoints have shown of their deployments: APIs that they refuse, models behind their names."""
        return self._core.learned.lessons()

    def forget(self, endpoint: str | None = None, deployment: str | None = None) -> tuple[Lesson, ...]:
        """Forget what was learned, of everything or of one endpoint or deployment, and return it.

        What was closed because of it is open again; so in the processes that share state with this one.
        """
        gone = self._core.learned.forget(endpoint, deployment, everywhere=True)
        for each in self._core.setup.endpoints.values():
            if endpoint in (None, each.name):
                self._core.domains.reopen(each.origin, deployment)
        return gone


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
        stream_recovery: what becomes of a stream that breaks behind its first content.  ``"off"`` raises
            StreamInterrupted; ``"buffer"`` hands on whole answers only, and the deadline then bounds the whole answer;
            ``"restart"`` answers anew from the next hop, behind a notice that :func:`restart_of` reads.
        hedge_after: seconds of silence, or ``"p95"`` (of the last answers of that deployment), after which the next
            origin is asked too; the first answer counts, the other is cut off.  Never for what may act twice.
        wait, stop: tenacity strategies for the waits after transient faults and for giving up.
        http_client: replaces our own, for all endpoints; its own trust, proxy and timeouts then apply, and the
            deadline is kept only between reads, and an answer may be packed and as large as it likes.
        state: a store through which processes share what they know of outages; default from the settings.

    Raises:
        SettingsError: a setting is wrong; the message names it.
        NoEndpointError: no hop of the chain is configured; the message lists the variables to set.

    Every method of the SDK raises :class:`~chatsheet_llm.errors.CallError` when the call fails.
    """

    _HTTP = httpx2.Client

    @cached_property
    def chat(self) -> Chat:
        """The SDK's resource, whose ``create`` does not walk what is plain JSON."""
        from chatsheet_llm.resources_chat import Chat

        return Chat(self)

    @cached_property
    def responses(self) -> Responses:
        """The SDK's resource, with a ``stream`` that is never restarted."""
        from chatsheet_llm.resources_responses import Responses

        return Responses(self)

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
        self._ready()
        cast_to = sdk.cast_of(self, cast_to, options)
        own = self._own_answer(options)
        if own is not None:
            return sdk.finish(self, cast_to, *own, stream=stream, stream_cls=stream_cls)
        run = self._begin(options, stream)
        restarts = run.restarts()
        resume = partial(
            drive.run,
            send=partial(self._send, run),
            trail=run.exchange.trail,
            close=Answer.close,
        )
        try:
            answer = resume(run.steps if restarts is None else restarts.steps())
            if restarts is not None:
                from chatsheet_llm.recovery import SyncRestarts

                answer.body = SyncRestarts(answer.stream, restarts, resume)
        except GaveUp as gave_up:
            error = run.ended(gave_up)
            del options
        except BaseException as stopped:
            run.stopped(stopped)
            # The request is the caller's; a traceback that shows locals shall not have it from us too.
            del options
            raise
        else:
            return delivery.given(self, cast_to, run.options, answer, stream=stream, stream_cls=stream_cls)
        raise error from None

    def _send(self, run: _Run, step: Send, trail: Trail) -> Answer:
        try:
            return run.exchange.beside(trail).send(step, self._core.sdk(run.setup, step.hop.endpoint))
        except _NOT_JSON as error:
            raise run.refused(step, error) from None
        except (HopFault, RuntimeError):
            # What broke because we closed it is nobody's fault.
            self._core.connections.must_be_open()
            raise

    @override
    def close(self) -> None:
        """Close every connection, of this client and its copies."""
        self._core.end_sharing()
        self._core.connections.close()


class AsyncChatClient(_Facade[httpx2.AsyncClient], openai.AsyncOpenAI):
    """An ``openai.AsyncOpenAI`` whose requests walk the chain; arguments and errors as for :class:`ChatClient`.

    It may be used in several event loops, one after the other or at once: each has connections of its own, which end
    with it.  Runs on asyncio (and anyio there); elsewhere every call raises LocalResourceError.
    """

    _HTTP = httpx2.AsyncClient

    @cached_property
    def chat(self) -> AsyncChat:
        """The SDK's resource, whose ``create`` does not walk what is plain JSON."""
        from chatsheet_llm.resources_chat import AsyncChat

        return AsyncChat(self)

    @cached_property
    def responses(self) -> AsyncResponses:
        """The SDK's resource, with a ``stream`` that is never restarted."""
        from chatsheet_llm.resources_responses import AsyncResponses

        return AsyncResponses(self)

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
        self._ready()
        if running_loop() is None:
            raise LocalResourceError("AsyncChatClient runs on asyncio; elsewhere use ChatClient in a worker thread")
        cast_to = sdk.cast_of(self, cast_to, options)
        own = self._own_answer(options)
        if own is not None:
            return await sdk.finish(self, cast_to, *own, stream=stream, stream_cls=stream_cls)
        run = self._begin(options, stream)
        restarts = run.restarts()
        resume = partial(
            drive.arun,
            send=partial(self._send, run),
            trail=run.exchange.trail,
            close=Answer.aclose,
            sleep=asyncio.sleep,
        )
        try:
            answer = await resume(run.steps if restarts is None else restarts.steps())
            if restarts is not None:
                from chatsheet_llm.recovery import AsyncRestarts

                answer.body = AsyncRestarts(answer.body, restarts, resume)
        except GaveUp as gave_up:
            error = run.ended(gave_up)
            del options
        except BaseException as stopped:
            run.stopped(stopped)
            del options
            raise
        else:
            return await delivery.agiven(self, cast_to, run.options, answer, stream=stream, stream_cls=stream_cls)
        raise error from None

    async def _send(self, run: _Run, step: Send, trail: Trail) -> Answer:
        try:
            return await run.exchange.beside(trail).asend(step, self._core.sdk(run.setup, step.hop.endpoint))
        except _NOT_JSON as error:
            raise run.refused(step, error) from None
        except (HopFault, RuntimeError):
            self._core.connections.must_be_open()
            raise

    @override
    async def close(self) -> None:
        """Close every connection, of this client and its copies."""
        self._core.end_sharing()
        await self._core.connections.aclose()


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
        # Not the URL itself: somebody may have put a password into it.
        raise SettingsError("base_url is given without a key; give api_key, or set OPENAI_API_KEY")
    url = settings.openai_base_url if base_url is None else str(base_url)
    headers = {name: value for name, value in told if value is not None}
    return settings.with_endpoint("openai", {"kind": "openai", "base_url": url, "api_key": key, "headers": headers})


def _credentials(setup: Setup) -> Collection[str]:
    """Every configured credential, which a server may echo in its error."""
    proxies = (*(endpoint.network.proxy for endpoint in setup.endpoints.values()), *getproxies().values())
    found = {secret for endpoint in setup.endpoints.values() for secret in endpoint.secrets}
    return found.union(*(_secrets_of_url(proxy) for proxy in proxies if proxy is not None))


def _secrets_of_url(url: str) -> frozenset[str]:
    """Return the password of a URL as it stands there, as it is, and as it travels in a header."""
    user, _, password = urlsplit(url).netloc.rpartition("@")[0].partition(":")
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return frozenset((password, unquote(password), basic)) if password else frozenset()


def _without_credentials(headers: Mapping[str, _V]) -> Mapping[str, _V]:
    """Return the headers; raise SettingsError for one that would carry a credential to every hop."""
    found = [name for name in headers if name.lower() in _CREDENTIALS and isinstance(headers[name], str)]
    if found:
        raise SettingsError(
            f"header {', '.join(found)} would go to every endpoint of the chain; "
            "set it for one, as CHATSHEET_ENDPOINTS__NAME__HEADERS__HEADER_NAME"
        )
    return headers
