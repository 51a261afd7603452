"""What every endpoint is: settings, APIs, and how its official SDK is built and asked.  Decides no retry."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, SecretStr

from chatsheet_llm import sdk
from chatsheet_llm.endpoint_settings import EndpointSettings, kind_of
from chatsheet_llm.endpoints.headers import unfit_header
from chatsheet_llm.endpoints.tokens import TokenSource
from chatsheet_llm.errors import BadRequestError, SettingsError
from chatsheet_llm.network import Network
from chatsheet_llm.route import Mode
from chatsheet_llm.variables import variable_of

GROUP = "chatsheet_llm.endpoints"
"""Entry point group: a third party's endpoint class, under the name of its kind."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to one hop, before its SDK gets it.

    ``options`` are the caller's own (query, files, content), or None.  ``body`` is the JSON body in the hop's format;
    ``headers`` the caller's; ``timeout`` that of this attempt, ``seconds`` its whole time.  Raises BadRequestError for
    a header that no request can carry.
    """

    options: sdk.FinalRequestOptions | None
    method: str
    path: str
    mode: Mode | None
    body: Mapping[str, object] | None
    headers: Mapping[str, str | sdk.Omit]
    timeout: httpx2.Timeout
    seconds: float

    def __post_init__(self) -> None:
        found = unfit_header(self.headers) if self.headers else None
        if found is not None:
            name, what = found
            told = f"the request to {self.path} cannot be sent: header {name!r} holds {what}; take it out"
            raise BadRequestError(told, code="invalid_request", param=name)


class Endpoint(BaseModel, ABC):
    """A provider's resource, or a gateway.  One subclass a kind, registered with :func:`register`.

    ``modes`` are the APIs it may be asked for, in order of preference.  ``max_attempts`` bounds the sends of one call
    to one hop here.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)

    KIND: ClassVar[str]
    SPEAKS: ClassVar[tuple[Mode, ...]]
    PATHS: ClassVar[Mapping[Mode, str]] = {"chat": "/chat/completions", "responses": "/responses"}
    NEEDS: ClassVar[str]
    """What to set, in words, where it is not configured."""

    name: str
    settings: EndpointSettings
    max_attempts: int = 2

    @property
    def kind(self) -> str:
        """The kind, as settings name it."""
        return self.KIND

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The APIs that this endpoint may be asked for."""
        return self.settings.modes or self.SPEAKS

    @property
    def default_deployment(self) -> str | None:
        """The deployment for models that the registry does not place."""
        return self.settings.deployment

    @property
    def boundary(self) -> str:
        """The data boundary it lies in, or nothing."""
        return self.settings.boundary or ""

    @property
    def answers_after(self) -> tuple[str, ...]:
        """Refusals of other hops after which this one may be asked."""
        return self.settings.answers_after

    @cached_property
    def origin(self) -> str:
        """Name of the failure domain: host, port and credential (a digest of it)."""
        parts = urlsplit(self.url)
        credential = self.settings.api_key or self.settings.ad_token
        # Tokens of one function change, and stand for one identity.
        secret = credential.get_secret_value() if isinstance(credential, SecretStr) else "function"
        digest = hashlib.sha256(secret.encode()).hexdigest()[:6] if credential else "none"
        return f"{parts.scheme}://{parts.netloc}#{digest}"

    @property
    def url(self) -> str:
        """The base URL that requests go to."""
        return self.settings.base_url or ""

    @property
    def network(self) -> Network:
        """What its connections need beyond the defaults."""
        bundle, proxy = self.settings.ca_bundle, self.settings.proxy
        return Network(str(bundle) if bundle else None, proxy.get_secret_value() if proxy else None)

    @property
    def headers(self) -> dict[str, str]:
        """The configured headers, in clear."""
        return {name: value.get_secret_value() for name, value in self.settings.headers.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every configured credential and header value, in clear, to be taken out of what a server says."""
        settings = self.settings
        values = (settings.api_key, settings.ad_token, *settings.headers.values())
        last = (self.tokens.last,) if self.tokens is not None and self.tokens.last else ()
        return (*(value.get_secret_value() for value in values if isinstance(value, SecretStr)), *last)

    @property
    def unset(self) -> str | None:
        """What to set, in words, where it has no credential at all and is asked without one; else None."""
        settings = self.settings
        if settings.api_key is not None or settings.ad_token is not None or settings.headers:
            return None
        return f"no credential is set for endpoint {self.name!r}: set {variable_of(self.name, 'api_key')}"

    @cached_property
    def tokens(self) -> TokenSource | None:
        """Where its tokens come from, if a function gives them."""
        provider = self.settings.ad_token
        return None if provider is None or isinstance(provider, SecretStr) else TokenSource(self.name, provider)

    @property
    def token(self) -> str | None:
        """Its token of Entra ID in clear, where it is a fixed one."""
        token = self.settings.ad_token
        return token.get_secret_value() if isinstance(token, SecretStr) else None

    @cached_property
    def proxy_domain(self) -> str | None:
        """The HTTP proxy before it, as ``scheme://host:port``, or None: a failure domain of every hop behind it."""
        return self.network.proxy_to(self.url)

    def path_of(self, mode: Mode) -> str:
        """The path of an API here."""
        return self.PATHS[mode]

    def refuses(self, path: str, mode: Mode | None) -> str | None:
        """Return why this endpoint cannot serve the path, or None."""
        del path, mode
        return None

    @abstractmethod
    def classes(self) -> tuple[type[Any], type[Any]]:
        """Return the vendor's SDK client classes, synchronous and asynchronous."""

    def arguments(self) -> dict[str, Any]:
        """Return what the SDK client is made of.  Raises SettingsError where the credential is missing."""
        return {"api_key": self.secret(self.settings.api_key), "base_url": self.url, "default_headers": self.headers}

    def client(self, http: httpx2.Client) -> Any:
        """Return the SDK client: no retries, nothing from the environment, the given HTTP client."""
        return self._built(self.classes()[0], http, None if self.tokens is None else self.tokens.get)

    def async_client(self, http: httpx2.AsyncClient) -> Any:
        """Return the asynchronous SDK client, as :meth:`client` does."""
        return self._built(self.classes()[1], http, None if self.tokens is None else self.tokens.aget)

    @property
    def token_argument(self) -> str | None:
        """What the SDK client calls the function that gives tokens; None where it takes none."""
        return "api_key"

    def _built(
        self, cls: type[Any], http: httpx2.Client | httpx2.AsyncClient, tokens: Callable[[], object] | None
    ) -> Any:
        arguments = self.arguments()
        if tokens is not None and self.token_argument is not None:
            arguments[self.token_argument] = tokens
        made = cls(**arguments, max_retries=0, http_client=http)
        sdk.forget_environment(made, arguments["default_headers"], azure_ad_token=arguments.get("azure_ad_token"))
        sdk.hasten(made)
        return made

    def options(self, out: Outgoing) -> Any:
        """Return what the SDK client's ``request()`` takes for this request."""
        return sdk.outgoing(
            out.options, method=out.method, url=out.path, body=out.body, headers=out.headers, timeout=out.timeout
        )

    def secret(self, value: SecretStr | None) -> str:
        """Return a credential in clear; raises SettingsError where there is none."""
        if value is None:
            raise SettingsError(f"endpoint {self.name!r} has no API key; {self.NEEDS}")
        return value.get_secret_value()


_E = TypeVar("_E", bound="type[Endpoint]")
_KINDS: dict[str, type[Endpoint]] = {}
_HOMES: Mapping[str, str] = {
    "litellm": "litellm",
    "azure": "azure",
    "openai": "openai",
    "anthropic": "anthropic",
    "anthropic_foundry": "anthropic",
}
"""Kind to the module here that registers it, once it is wanted."""


def register(cls: _E) -> _E:
    """Make an endpoint class known under its ``KIND``."""
    _KINDS[cls.KIND] = cls
    return cls


def kinds() -> dict[str, type[Endpoint]]:
    """Return every known endpoint class by kind, third parties' entry points included."""
    found = {kind: _class_of(kind) for kind in {**_HOMES, **_KINDS}}
    for entry in entry_points(group=GROUP):
        if entry.name not in found:
            cls = entry.load()
            if not (isinstance(cls, type) and issubclass(cls, Endpoint)):
                raise SettingsError(f"entry point {entry.name!r} in {GROUP} is not a subclass of Endpoint")
            found[entry.name] = cls
    return found


def _class_of(kind: str) -> type[Endpoint]:
    if kind not in _KINDS:
        import_module(f"chatsheet_llm.endpoints.{_HOMES[kind]}")
    return _KINDS[kind]


def build(name: str, settings: EndpointSettings) -> Endpoint:
    """Return the endpoint that these settings describe.  Raises SettingsError for an unknown kind."""
    try:
        kind = kind_of(name, settings.kind)
    except ValueError as error:
        raise SettingsError(f"CHATSHEET_ENDPOINTS__{name.upper()}__KIND: {error}") from None
    if kind in _KINDS or kind in _HOMES:
        return _class_of(kind)(name=name, settings=settings)
    # Only for a kind of others: every installed distribution is looked at.
    known = kinds()
    if kind not in known:
        raise SettingsError(
            f"endpoint {name!r} is of kind {kind!r}, which nobody provides; known: {', '.join(sorted(known))}"
        )
    return known[kind](name=name, settings=settings)
