"""Every private symbol of the SDKs and of their HTTP library that we touch, and nothing else.

Each has a contract test (``tests/contract``) that runs against the lowest and the newest version that
``pyproject.toml`` allows.
No other module imports a name that starts with an underscore from a package that is not ours.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import UnionType, new_class
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin

import httpcore2
import httpx2
import openai
import pydantic
import pydantic_core
from httpcore2._backends.sync import SyncStream
from httpx2._utils import URLPattern, get_environment_proxies
from openai._constants import OVERRIDE_CAST_TO_HEADER, RAW_RESPONSE_HEADER
from openai._models import FinalRequestOptions as FinalRequestOptions
from openai._models import _build_discriminated_union_meta, add_request_id, construct_type
from openai._types import NOT_GIVEN, NotGiven
from openai._types import Omit as Omit
from openai._utils._json import openapi_dumps

from chatsheet_llm.errors import ChatsheetError
from chatsheet_llm.route import Route

if TYPE_CHECKING:
    import socket

_T = TypeVar("_T")
_ROUTE = "chatsheet_route"
_INTERNAL_HEADERS = frozenset({RAW_RESPONSE_HEADER.lower(), OVERRIDE_CAST_TO_HEADER.lower()})
_OPENAI_S_OWN = ("openai-", "x-stainless-")
"""Beginnings of headers that mean something to OpenAI alone, or describe its SDK."""


# --- a request, as the resources hand it to `request()` ------------------------------------------------------------


def cast_of(client: openai.OpenAI | openai.AsyncOpenAI, cast_to: type[_T], options: FinalRequestOptions) -> type[_T]:
    """Return the type the caller wants, and take the SDK's private override out of the options' headers."""
    return client._maybe_override_cast_to(cast_to, options)


def copied(options: FinalRequestOptions) -> FinalRequestOptions:
    """Return a shallow copy, so that the caller's options stay as they are."""
    return options.model_copy()


def headers_of(options: FinalRequestOptions) -> dict[str, str | Omit]:
    """Return the headers of this one request, without the SDK's own markers."""
    if isinstance(options.headers, NotGiven):
        return {}
    return {name: value for name, value in options.headers.items() if name.lower() not in _INTERNAL_HEADERS}


def raw_marker(options: FinalRequestOptions) -> str | None:
    """Return ``"true"`` for ``with_raw_response``, ``"stream"`` for ``with_streaming_response``, else None."""
    if isinstance(options.headers, NotGiven):
        return None
    value = next((v for k, v in options.headers.items() if k.lower() == RAW_RESPONSE_HEADER.lower()), None)
    return value if isinstance(value, str) else None


def body_of(options: FinalRequestOptions) -> object:
    """Return the JSON body with ``extra_body`` merged in as the SDK would."""
    body, extra = options.json_data, options.extra_json
    if extra is None:
        return body
    if body is None:
        return dict(extra)
    if not isinstance(body, Mapping):
        raise TypeError(f"extra_body cannot be merged into a body of type {type(body).__name__}")
    return {**body, **extra}


def timeout_of(options: FinalRequestOptions) -> float | httpx2.Timeout | NotGiven | None:
    """Return the timeout that the caller set for this one request, if any."""
    return options.timeout


def seconds_of(timeout: object) -> float:
    """Return a timeout of any of the SDK's kinds in seconds: its read timeout where it has parts, infinity for None."""
    if isinstance(timeout, httpx2.Timeout) or hasattr(timeout, "read"):
        timeout = cast("httpx2.Timeout", timeout).read
    return float("inf") if timeout is None else float(cast("float", timeout))


def retries_of(options: FinalRequestOptions, default: int) -> int:
    """Return how many re-sends the caller allows for this request."""
    return options.get_max_retries(default)


def overheard(resource: type[Any], arguments: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    """Return the path and the arguments with which a resource's ``create`` asks its client to post; nobody sends it."""
    heard: list[tuple[str, dict[str, Any]]] = []

    async def nothing() -> None:
        pass

    def post(path: str, **told: Any) -> Any:
        heard.append((path, told))
        return nothing()

    asking = cast("Any", object.__new__(resource))
    asking._post = post
    made = asking.create(**arguments)
    # Nothing is awaited, so that one step is all there is.
    with contextlib.suppress(StopIteration):
        made.send(None)
    return heard[0]


def asked(
    template: FinalRequestOptions, body: object, *, extra_headers: Any = None, extra_query: Any = None,
    extra_body: Any = None, timeout: Any = NOT_GIVEN,
) -> FinalRequestOptions:  # fmt: skip
    """Return the options of one request, as the SDK makes them of a method's arguments."""
    made = template.model_copy()
    made.json_data = cast("Any", body)
    if extra_headers is not None:
        made.headers = extra_headers
    if extra_query is not None:
        made.params = extra_query
    if extra_body is not None:
        made.extra_json = extra_body
    if not isinstance(timeout, NotGiven):
        made.timeout = timeout
    return made


def outgoing(
    options: FinalRequestOptions | None, *, method: str, url: str, body: object, headers: Mapping[str, str | Omit],
    timeout: httpx2.Timeout,
) -> FinalRequestOptions:  # fmt: skip
    """Return options for a hop's SDK: one send, no redirect, the given body as it is."""
    made = FinalRequestOptions.construct(method=method, url=url) if options is None else options.model_copy()
    made.method, made.url = method, url
    made.json_data = cast("Any", body)
    made.extra_json = None
    made.headers = _unencoded(headers)
    made.timeout = timeout
    made.max_retries = 0
    made.follow_redirects = False
    made.post_parser = NotGiven()
    # Set past pydantic: its own way knows fields only.
    object.__setattr__(made, "__class__", _Unlogged)
    return made


class _Unlogged(FinalRequestOptions):  # type: ignore[misc]  # final, but some versions log all of it
    """Options whose dump, which the SDK writes into its log, tells neither headers nor the body."""

    def model_dump(self, **_: object) -> dict[str, Any]:
        return {"method": self.method, "url": self.url}


@cache
def _anthropic_options() -> type[Any]:
    """Return the same of the Anthropic SDK, which is loaded here and not before."""
    from anthropic._models import FinalRequestOptions as AnthropicOptions

    class Unlogged(AnthropicOptions):  # type: ignore[misc]  # as above
        def model_dump(self, **_: object) -> dict[str, Any]:
            return {"method": self.method, "url": self.url}

    return Unlogged


def _unencoded(headers: Mapping[str, str | Omit]) -> dict[str, str | Omit]:
    """Return the headers with no encoding but ``identity`` for the answer: what is packed may be a bomb."""
    kept = {name: value for name, value in headers.items() if name.lower() != "accept-encoding"}
    return {**kept, "Accept-Encoding": "identity"}


OMIT = Omit()
"""Takes a header out that the SDK would send."""
_MOST_KEPT = 256
"""Requests whose parts one client keeps."""
_OF_ONE_REQUEST = frozenset((b"content-length", b"x-stainless-read-timeout", b"cookie"))
"""Headers that each request has anew."""


def hasten(client: object) -> None:
    """Have a client of OpenAI's SDK keep the URL and the headers of its requests: nearly all are the same in each.

    The SDK makes them anew each time, which takes longer than to send the request.  All that they depend on is looked
    at; of requests with a query, a file or raw content nothing is kept.
    """
    if not isinstance(client, (openai.OpenAI, openai.AsyncOpenAI)):
        return
    original = client._build_request
    kept: dict[object, httpx2.Request] = {}

    def build(options: FinalRequestOptions, *, retries_taken: int = 0) -> httpx2.Request:
        body, timeout, headers = options.json_data, options.timeout, options.headers
        unlike = options.params or options.files or options.content or options.extra_json or retries_taken
        if unlike or type(body) is not dict or type(timeout) is not httpx2.Timeout or type(headers) is not dict:
            return original(options, retries_taken=retries_taken)
        # Azure's dated paths name the deployment, and its tokens come with the options.
        key = (options.method, options.url, str(body.get("model")), client.api_key, tuple(headers.items()))
        try:
            like = kept.get(key)
        except TypeError:
            return original(options, retries_taken=retries_taken)
        if like is None:
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            made = original(options, retries_taken=retries_taken)
            like = httpx2.Request(made.method, made.url, headers=made.headers, extensions=made.extensions)
            like.headers = httpx2.Headers([each for each in made.headers.raw if each[0].lower() not in _OF_ONE_REQUEST])
            kept[key] = like
            return made
        content = openapi_dumps(body)
        own = [(b"Content-Length", b"%d" % len(content))]
        if timeout.read is not None:
            own.insert(0, (b"x-stainless-read-timeout", str(timeout.read).encode()))
        made = httpx2.Request(
            like.method,
            like.url,
            headers=[*like.headers.raw, *own],
            content=content,
            extensions={**like.extensions, "timeout": timeout.as_dict()},
        )
        if cookies := client._client.cookies:
            cookies.set_cookie_header(made)
        return made

    cast("Any", client)._build_request = build


def anthropic_outgoing(
    options: FinalRequestOptions | None, *, method: str, url: str, body: object, headers: Mapping[str, str | Omit],
    timeout: httpx2.Timeout,
) -> Any:  # fmt: skip
    """Return the same for the Anthropic SDK; headers that are OpenAI's or its SDK's own stay behind."""
    from anthropic import Omit as AnthropicOmit

    told = {name: value for name, value in _unencoded(headers).items() if not name.lower().startswith(_OPENAI_S_OWN)}
    return _anthropic_options().construct(
        method=method,
        url=url,
        params=dict(options.params) if options is not None else {},
        json_data=cast("Any", body),
        headers={name: AnthropicOmit() if isinstance(value, Omit) else value for name, value in told.items()},
        idempotency_key=cast("Any", options.idempotency_key if options is not None else None),
        timeout=timeout,
        max_retries=0,
        follow_redirects=False,
    )


def _foundry_key(api_key: str | None) -> dict[str, str]:
    """Return the headers in which Foundry takes a key."""
    return {} if api_key is None else {"x-api-key": api_key, "api-key": api_key}


@cache
def foundry_classes() -> tuple[type[Any], type[Any]]:
    """Return the Anthropic SDK's clients for Foundry, made of their arguments alone.

    The SDK's own, in some versions, take ``ANTHROPIC_FOUNDRY_RESOURCE`` from the environment beside a ``base_url`` and
    refuse to have both; and where they are given a token, all of them hold the environment's ``ANTHROPIC_API_KEY``.
    """
    import anthropic

    class AnthropicFoundry(anthropic.AnthropicFoundry):
        def __init__(
            self, *, api_key: str | None = None, azure_ad_token_provider: Any = None, **arguments: Any
        ) -> None:
            anthropic.Anthropic.__init__(self, api_key=api_key, **arguments)
            self.api_key, self.auth_token = api_key, None
            self._azure_ad_token_provider = azure_ad_token_provider

        @property
        def auth_headers(self) -> dict[str, str]:
            return _foundry_key(self.api_key)

        def _prepare_options(self, options: Any) -> Any:
            # The SDK's own puts the credential into the options, which it logs.
            return options

        def _prepare_request(self, request: httpx2.Request) -> None:
            token = self._get_azure_ad_token()
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token}"

    class AsyncAnthropicFoundry(anthropic.AsyncAnthropicFoundry):
        def __init__(
            self, *, api_key: str | None = None, azure_ad_token_provider: Any = None, **arguments: Any
        ) -> None:
            anthropic.AsyncAnthropic.__init__(self, api_key=api_key, **arguments)
            self.api_key, self.auth_token = api_key, None
            self._azure_ad_token_provider = azure_ad_token_provider

        @property
        def auth_headers(self) -> dict[str, str]:
            return _foundry_key(self.api_key)

        async def _prepare_options(self, options: Any) -> Any:
            # The SDK's own puts the credential into the options, which it logs.
            return options

        async def _prepare_request(self, request: httpx2.Request) -> None:
            token = await self._get_azure_ad_token()
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token}"

    return AnthropicFoundry, AsyncAnthropicFoundry


# --- an answer, as the resources expect it from `request()` ---------------------------------------------------------


def finish(
    client: openai.OpenAI | openai.AsyncOpenAI,
    cast_to: type[_T],
    options: FinalRequestOptions,
    response: httpx2.Response,
    *,
    stream: bool,
    stream_cls: type[Any] | None,
) -> Any:
    """Let the SDK build what the caller asked for: its own type, a stream, a raw or a streaming response.

    A coroutine for an asynchronous client.
    """
    return client._process_response(
        cast_to=cast_to,
        options=options,
        response=response,
        stream=stream,
        stream_cls=_forgettable(cast("Any", stream_cls)),
        retries_taken=0,
    )


@cache
def _forgettable(stream_cls: Any) -> Any:
    """Return a stream of the SDK's so that one which nobody holds is freed at once, with its connection.

    The SDK's own holds the generator that it reads from, which holds it: only the garbage collector frees the two.
    """
    sdk_s = get_origin(stream_cls)
    if sdk_s not in (openai.Stream, openai.AsyncStream):
        return stream_cls

    def begin(self: Any, **told: Any) -> None:
        sdk_s.__init__(self, **told)
        reader = object.__new__(type(self))
        reader.__dict__.update(self.__dict__)
        del reader._iterator
        self._iterator = reader.__stream__()

    return new_class(sdk_s.__name__, (stream_cls,), exec_body=lambda names: names.update(__init__=begin))


def response_for(
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes | httpx2.SyncByteStream | httpx2.AsyncByteStream,
    url: str,
    marker: str | None,
    route: Callable[[], Route],
    seconds: float,
) -> httpx2.Response:
    """Return a response that holds our bytes.  Its request has no credential and no body, only the SDK's marker."""
    request = httpx2.Request("POST", url, headers={RAW_RESPONSE_HEADER: marker} if marker else {})
    made = httpx2.Response(
        status,
        headers=dict(headers),
        content=body if isinstance(body, bytes) else None,
        stream=None if isinstance(body, bytes) else body,
        request=request,
        extensions={_ROUTE: route},
    )
    made.elapsed = dt.timedelta(seconds=seconds)
    return made


def mark(response: httpx2.Response, *, marker: str | None, route: Callable[[], Route]) -> None:
    """Put the SDK's marker and the route on a hop's own response that is handed to the caller as it is."""
    response.extensions[_ROUTE] = route
    # Its own request holds the credential and whatever headers the endpoint was configured with.
    sent = response.request
    response.request = httpx2.Request(
        sent.method, sent.url, headers={RAW_RESPONSE_HEADER: marker} if marker else {}, extensions=sent.extensions
    )


def with_route(options: FinalRequestOptions, route: Callable[[], Route]) -> None:
    """Have every object that is parsed with these options carry the route, however late it is parsed."""
    inner = options.post_parser

    def parser(parsed: Any) -> Any:
        attach(parsed, route())
        if isinstance(inner, NotGiven):
            return parsed
        try:
            made = inner(parsed)
        except Exception as error:
            # The SDK's own, of a reply that is cut or filtered, and pydantic's.
            error.__dict__[_ROUTE] = route()
            raise
        attach(made, route())
        return made

    options.post_parser = parser


def identify(value: object, request_id: str | None) -> None:
    """Put the server's id of the request on an SDK object, as the SDK does."""
    if isinstance(value, openai.BaseModel):
        add_request_id(value, request_id)


def attach(value: object, route: Route) -> None:
    """Put the route on an SDK object, where pydantic keeps private attributes: copied and pickled, never serialised."""
    if isinstance(value, pydantic.BaseModel):
        private = value.__pydantic_private__
        if private is None:
            private = {}
            object.__setattr__(value, "__pydantic_private__", private)
        private[_ROUTE] = route


def route_of(value: object) -> Route:
    """Return how the call behind ``value`` went.

    Takes a completion, a response, a list page, a stream, a raw or streaming response, or an error of ours.  A stream's
    route tells what happened up to its first content.  Raises TypeError for anything else.
    """
    if isinstance(value, ChatsheetError):
        return value.route
    if isinstance(value, BaseException) and isinstance(route := value.__dict__.get(_ROUTE), Route):
        return route
    if isinstance(value, pydantic.BaseModel):
        route = (value.__pydantic_private__ or {}).get(_ROUTE)
        if isinstance(route, Route):
            return route
    for name in ("extensions", "response", "http_response", "_response", "_raw_stream"):
        inner = getattr(value, name, None)
        if name == "extensions" and isinstance(inner, Mapping) and _ROUTE in inner:
            return cast("Callable[[], Route]", inner[_ROUTE])()
        if name != "extensions" and inner is not None and inner is not value:
            try:
                return route_of(inner)
            except TypeError:
                continue
    what = type(value).__name__
    raise TypeError(
        f"no route is known of a {what}; give a completion, response, stream or error of this client"
        " (of what a stream helper put together, ask the stream)"
    )


# --- the HTTP library ------------------------------------------------------------------------------------------------


def pools(client: httpx2.Client | httpx2.AsyncClient) -> Iterator[Any]:
    """Yield the connection pools of a client: the direct one and those of its proxies."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            yield pool


def direct(client: httpx2.AsyncClient) -> httpx2.AsyncBaseTransport:
    """Return the transport of what goes through no proxy."""
    return client._transport


def set_direct(client: httpx2.AsyncClient, transport: httpx2.AsyncBaseTransport) -> None:
    """Have what goes through no proxy go through another transport.

    One that is given to the constructor would have the client forget the environment's proxies.
    """
    client._transport = transport


def backend(pool: Any) -> Any:
    """Return the network backend of a pool."""
    return pool._network_backend


def set_backend(pool: Any, backend: httpcore2.NetworkBackend | httpcore2.AsyncNetworkBackend) -> None:
    """Have a pool make its connections through another backend."""
    pool._network_backend = backend


def stream_over(connected: socket.socket) -> httpcore2.NetworkStream:
    """Return the HTTP library's stream over a socket that is connected already."""
    return SyncStream(connected)


def proxy_for(url: str) -> str | None:
    """Return the proxy that a client without one of its own takes for a URL: the environment's, or None."""
    where = httpx2.URL(url)
    rules = sorted((URLPattern(pattern), proxy) for pattern, proxy in get_environment_proxies().items())
    return next((proxy for pattern, proxy in rules if pattern.matches(where)), None)


def forget_environment(client: Any, headers: Mapping[str, str], *, azure_ad_token: str | None = None) -> None:
    """Undo what an SDK read from the environment by itself; the arguments are what its client was given.

    An organization is OpenAI's business alone, and ``OPENAI_CUSTOM_HEADERS`` may hold a credential for one server.
    """
    client._custom_headers = dict(headers)
    if hasattr(client, "webhook_key"):
        # ANTHROPIC_WEBHOOK_SIGNING_KEY; the OpenAI SDK calls it otherwise.
        client.webhook_key = None
    if isinstance(client, (openai.AzureOpenAI, openai.AsyncAzureOpenAI)):
        # SDKs before 3.2 read AZURE_OPENAI_AD_TOKEN even where a key was given, and the token won.
        client._azure_ad_token = azure_ad_token
    if isinstance(client, (openai.OpenAI, openai.AsyncOpenAI)):
        client.organization = None
        client.project = None


# --- typed objects ---------------------------------------------------------------------------------------------------


def constructed(value: object, annotation: object, metadata: Sequence[object] = ()) -> object:
    """Return what the SDK makes of JSON values for a type; of a field it is told the metadata too."""
    return construct_type(value=value, type_=annotation, metadata=list(metadata))


def member(annotation: object, metadata: Sequence[object], value: object) -> type[openai.BaseModel] | None:
    """Return the model of a union that the SDK constructs of an object that is not valid, or None if that is none."""
    union = cast("Any", annotation)
    if get_origin(union) not in (Union, UnionType) or not isinstance(value, dict):
        return None
    told = _build_discriminated_union_meta(union=union, meta_annotations=tuple(metadata))
    word = told and value.get(told.field_alias_from or told.field_name)
    named = told.mapping.get(word) if told and word and isinstance(word, str) else None
    first = named or get_args(union)[0]
    return first if isinstance(first, type) and issubclass(first, openai.BaseModel) else None


def constructs(cls: object) -> bool:
    """Whether a class is a model of the SDK that its own ``construct`` builds, with no ways of its own."""
    if not isinstance(cls, type) or not issubclass(cls, openai.BaseModel):
        return False
    own, plain = inspect.getattr_static(cls, "construct"), inspect.getattr_static(openai.BaseModel, "construct")
    return own is plain and not cls.model_config.get("populate_by_name")


def validator(schema: pydantic_core.CoreSchema) -> pydantic_core.SchemaValidator:
    """Return a validator of this very schema, where pydantic would take one that a class in it has already."""
    try:
        return cast("type[Any]", pydantic_core.SchemaValidator)(schema, _use_prebuilt=False)  # type: ignore[no-any-return]
    except TypeError:
        # Versions from before there was a choice.
        return pydantic_core.SchemaValidator(schema)
