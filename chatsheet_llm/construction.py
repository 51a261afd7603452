"""How a client is made and copied: which of settings, arguments and earlier choices count.  Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import httpx2
from openai import NOT_GIVEN, NotGiven
from tenacity import stop_after_attempt
from typing_extensions import Self

from chatsheet_llm import sdk
from chatsheet_llm.choices import Choices, retries_from, timeout_from
from chatsheet_llm.core import Core
from chatsheet_llm.credentials import without_credentials
from chatsheet_llm.errors import SettingsError, UnsupportedPathError
from chatsheet_llm.hops import OnLoss, Recovery
from chatsheet_llm.latency import HedgeAfter
from chatsheet_llm.settings import Settings
from chatsheet_llm.state import StateStore
from chatsheet_llm.steps import Policy

if TYPE_CHECKING:
    from tenacity.stop import stop_base
    from tenacity.wait import wait_base

Http = TypeVar("Http", httpx2.Client, httpx2.AsyncClient)

_C = TypeVar("_C")

_PLACEHOLDER = "chatsheet"
"""Stands where the SDK wants a key: the keys belong to the endpoints."""
_NO_ATTRIBUTES = frozenset(
    (
        *("api_key", "admin_api_key", "workload_identity", "organization", "project"),
        *("base_url", "websocket_base_url"),
    )
)
"""Attributes of the SDK's client of which nothing is read here."""
_OF_AN_ENDPOINT = _NO_ATTRIBUTES | {
    *("provider", "data_residency", "http_client", "_enforce_credentials", "_extra_kwargs")
}
"""What the SDK's ``copy`` takes beside our own arguments."""


class Construction(Generic[Http]):
    """What both clients are made of, and copied with."""

    _HTTP: type[Http]
    _core: Core
    _choices: Choices
    _made = False
    """Whether the SDK's constructor has set what it sets."""
    # Of the SDK's client, which stands behind in the method resolution order.
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
        api_key: str | Callable[[], object] | None = None,
        base_url: str | httpx2.URL | None = None,
        organization: str | None = None,
        project: str | None = None,
        webhook_secret: str | None = None,
        chain: Sequence[str] | str | None = None,
        deadline: float | None = None,
        on_loss: OnLoss | None = None,
        timeout: float | httpx2.Timeout | tuple[float | None, ...] | NotGiven | None = NOT_GIVEN,
        max_retries: int | None = None,
        stream_recovery: Recovery | None = None,
        hedge_after: HedgeAfter | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: Http | None = None,
        wait: wait_base | None = None,
        stop: stop_base | None = None,
        state: StateStore | None = None,
    ) -> None:
        where = type(self).__name__
        if not isinstance(settings, (Settings, type(None))):
            raise TypeError(
                f"{where}: settings must be a Settings, as in {where}(Settings(...)); got a {type(settings).__name__} "
                "(the URL of a server is base_url)"
            )
        limit = timeout if isinstance(timeout, NotGiven) else timeout_from(timeout, where)
        asked = None if max_retries is None else retries_from(max_retries, where)
        told: Settings = _named(Settings() if settings is None else settings, api_key, base_url, organization, project)
        core = Core(told, self._HTTP, http_client, state)
        first = told.max_retries if asked is None else asked
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
        choices = choices.changed(chain, deadline, on_loss, stream_recovery, hedge_after, where=where)
        if asked is not None:
            choices = replace(choices, policy=choices.persistent(asked))
        self._start(core, choices, limit, default_headers, default_query, webhook_secret)

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
        headers = without_credentials(default_headers or {})
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
        self._made = True

    if not TYPE_CHECKING:  # with it, any name at all could be set

        def __setattr__(self, name: str, value: object) -> None:
            """Set what the SDK's client lets be set later and what counts; refuse what would do nothing."""
            if self._made and name in _NO_ATTRIBUTES and value != getattr(self, name, None):
                # It may be a key, and a traceback may show locals.
                del value
                raise SettingsError(_refusal(f"{type(self).__name__}: cannot set", [name]))
            if self._made and name in _CHOSEN:
                raise SettingsError(f"{type(self).__name__}: cannot set {name}; use copy({name}=...)")
            if self._made and name == "timeout" and isinstance(value, NotGiven):
                value = self._no_timeout
            elif self._made and name in _CHECKS:
                value = _CHECKS[name](value, type(self).__name__)
            super().__setattr__(name, value)

    def copy(
        self,
        *,
        chain: Sequence[str] | str | None = None,
        deadline: float | None = None,
        on_loss: OnLoss | None = None,
        timeout: float | httpx2.Timeout | tuple[float | None, ...] | NotGiven | None = NOT_GIVEN,
        max_retries: int | NotGiven = NOT_GIVEN,
        webhook_secret: str | None = None,
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
        where = f"{type(self).__name__}.copy()"
        for name in belongs_to_an_endpoint.keys() - _OF_AN_ENDPOINT:
            close = get_close_matches(name, Construction.copy.__kwdefaults__ or (), 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{where} got an unexpected keyword argument {name!r}{hint}")
        unset = (type(None), NotGiven)
        refused = [name for name, value in belongs_to_an_endpoint.items() if not isinstance(value, unset)]
        if refused:
            raise SettingsError(_refusal("copy() cannot change", refused))
        if default_headers is not None and set_default_headers is not None:
            raise ValueError("give default_headers or set_default_headers, not both")
        if default_query is not None and set_default_query is not None:
            raise ValueError("give default_query or set_default_query, not both")
        choices = self._choices.changed(chain, deadline, on_loss, stream_recovery, hedge_after, where=where)
        limit: float | httpx2.Timeout | NotGiven | None = NOT_GIVEN
        if not isinstance(timeout, NotGiven):
            limit = timeout_from(timeout, where)
        elif self.timeout is not self._no_timeout:
            limit = self.timeout
        # This, too, may have been set on the client itself.
        retries = self.max_retries if isinstance(max_retries, NotGiven) else retries_from(max_retries, where)
        if retries != choices.policy.max_retries or not isinstance(max_retries, NotGiven):
            choices = replace(choices, policy=choices.persistent(retries))
        headers = {**self._custom_headers, **(default_headers or {})}
        query = {**self._custom_query, **(default_query or {})}
        made = self.__class__.__new__(self.__class__)
        made._start(  # noqa: SLF001  our own
            self._core,
            choices,
            limit,
            headers if set_default_headers is None else set_default_headers,
            query if set_default_query is None else set_default_query,
            self.webhook_secret if webhook_secret is None else webhook_secret,
        )
        return made

    with_options = copy

    def with_chain(self, *chain: str | Sequence[str]) -> Self:
        """Return a client that shares everything with this one but walks these hops, given one by one or as a list."""
        return self.copy(chain=cast("Sequence[str]", chain) if len(chain) != 1 else chain[0])

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

    def _asked(self, options: sdk.FinalRequestOptions) -> float | httpx2.Timeout | None:
        """Return the timeout that the caller set, for this request or for the client; None where none was set."""
        asked = sdk.timeout_of(options)
        if not isinstance(asked, NotGiven):
            return timeout_from(asked, options.url)
        return None if self.timeout is self._no_timeout else self.timeout


_CHOSEN = frozenset(("chain", "deadline", "on_loss", "stream_recovery", "hedge_after"))
"""What belongs to a client and its copies, and is no attribute."""
_CHECKS = {"timeout": timeout_from, "max_retries": retries_from}
"""What may be set on a client after it was made."""


def _refusal(who: str, names: Sequence[str]) -> str:
    return f"{who} {', '.join(names)}: that belongs to an endpoint; make a new client for it"


def by_its_name(cls: type[_C]) -> type[_C]:
    """Give a client a constructor of its own name, for what Python says of an argument that it does not have."""
    shared = Construction.__init__
    own = FunctionType(shared.__code__, shared.__globals__, shared.__name__, shared.__defaults__, shared.__closure__)
    own.__kwdefaults__, own.__annotations__ = shared.__kwdefaults__, shared.__annotations__
    own.__qualname__ = f"{cls.__name__}.{shared.__name__}"
    type.__setattr__(cls, shared.__name__, own)
    return cls


def _named(
    settings: Settings,
    api_key: str | Callable[[], object] | None,
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
    # A function gives tokens, as azure-identity's do, and is asked for each request.
    credential = {"ad_token": key} if callable(key) else {"api_key": key}
    return settings.with_endpoint("openai", {"kind": "openai", "base_url": url, "headers": headers, **credential})
