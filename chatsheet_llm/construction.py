"""How a client is made and copied: which of settings, arguments and earlier choices count.  Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import httpx2
from openai import NOT_GIVEN, NotGiven
from tenacity import stop_after_attempt
from typing_extensions import Self

from chatsheet_llm import sdk
from chatsheet_llm.choices import Choices
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

_PLACEHOLDER = "chatsheet"
"""Stands where the SDK wants a key: the keys belong to the endpoints."""


class Construction(Generic[Http]):
    """What both clients are made of, and copied with."""

    _HTTP: type[Http]
    _core: Core
    _choices: Choices
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
        http_client: Http | None = None,
        wait: wait_base | None = None,
        stop: stop_base | None = None,
        state: StateStore | None = None,
    ) -> None:
        told: Settings = _named(Settings() if settings is None else settings, api_key, base_url, organization, project)
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

    def _asked(self, options: sdk.FinalRequestOptions) -> float | httpx2.Timeout | None:
        """Return the timeout that the caller set, for this request or for the client; None where none was set."""
        asked = sdk.timeout_of(options)
        if not isinstance(asked, NotGiven):
            return asked
        return None if self.timeout is self._no_timeout else self.timeout


def _named(
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
