"""One request and its reply as values, with the headers and keys of each role.  Does no I/O."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatsheet_llm.sandbox.bodies import ErrorBody, RoleName, error_body
from chatsheet_llm.sandbox.rules import DATED
from chatsheet_llm.sandbox.shapes import Event, Json, dumps, new_id, obj, text

Headers = tuple[tuple[str, str], ...]

LITELLM_VERSION = "1.106.2"
"""The proxy whose behaviour is imitated."""

_LIMITS: Headers = (
    ("x-ratelimit-limit-requests", "250"),
    ("x-ratelimit-limit-tokens", "250000"),
    ("x-ratelimit-remaining-requests", "249"),
    ("x-ratelimit-remaining-tokens", "249000"),
)
_KEY_HEADERS: dict[RoleName, tuple[str, ...]] = {
    "litellm": ("api-key", "x-api-key", "x-litellm-api-key"),
    "azure": ("api-key", "x-api-key"),
    "openai": (),
    "anthropic": ("x-api-key",),
}
"""Where a role looks for a key besides ``Authorization: Bearer``."""
_FRONT_END = frozenset({401, 403, 404, 405, 408})
"""Statuses that come from in front of the model."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request that reached the sandbox.

    ``hop`` is the hop label (``"azure/chat"``), ``path`` is as it was sent, ``headers`` have lower-case names, ``json``
    is the body if that is a JSON object, ``at`` is in seconds of the monotonic clock.
    """

    hop: str
    role: RoleName
    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    json: Json | None
    at: float

    @property
    def api(self) -> str:
        """The part of the hop label after the role: ``chat``, ``responses``, ``models``, ..."""
        return self.hop.partition("/")[2]

    @property
    def speaker(self) -> RoleName:
        """The role whose words the model behind it speaks: Claude on Azure's Foundry speaks Anthropic's."""
        return "anthropic" if self.role == "azure" and self.api in ("messages", "count_tokens") else self.role

    def speaker_of(self, status: int) -> RoleName:
        """Return the role in whose words an error comes: Azure's front end answers for itself."""
        return self.role if status in _FRONT_END else self.speaker

    @property
    def model(self) -> str:
        """The model that the body names, or an empty string."""
        return text(obj(self.json).get("model"))

    @property
    def keys(self) -> list[str]:
        """The keys that came with the request, in each of the places where its role looks."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        found = [token.strip()] if scheme.lower() == "bearer" else []
        named = (self.headers.get(name, "").removeprefix("Bearer ") for name in _KEY_HEADERS[self.role])
        return found + [key for key in named if key]

    @property
    def key_words(self) -> dict[str, str]:
        """What providers repeat of a key in their errors: its last characters, and its hash."""
        first = next(iter(self.keys), "")
        shown = f"sk-...{first[-4:]}" if first else "None"
        return {"key": shown, "hash": hashlib.sha256(first.encode()).hexdigest()}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it goes on the wire: a body, or the events of a stream."""

    status: int
    headers: Headers
    body: bytes = b""
    events: tuple[Event, ...] | None = None


def reply(request: Received, body: object, *, model: str = "", base: str = "") -> Reply:
    """Return a 200 with a JSON body."""
    headers = reply_headers(request, model=model, base=base)
    return Reply(200, (("content-type", "application/json"), *headers), dumps(body).encode())


def stream(request: Received, events: tuple[Event, ...], *, model: str = "", base: str = "") -> Reply:
    """Return a 200 with a stream of events."""
    headers = reply_headers(request, model=model, base=base)
    return Reply(200, (("content-type", "text/event-stream; charset=utf-8"), *headers), events=events)


def refusal(request: Received, error: ErrorBody) -> Reply:
    """Return an error answer."""
    plain = isinstance(error.body, str)
    body = error.body if isinstance(error.body, str) else dumps(error.body)
    kind = "text/plain; charset=utf-8" if plain else "application/json"
    headers = reply_headers(request, failed=True)
    return Reply(error.status, (("content-type", kind), *headers, *error.headers), body.encode())


def unauthorised(request: Received, api_key: str) -> Reply | None:
    """Return the role's 401 for a request without the right key, or None."""
    open_to_all = request.role == "litellm" and request.api == "health" and request.path != "/health"
    if open_to_all or api_key in request.keys:
        return None
    code = "no-key" if request.role == "litellm" and not request.keys else None
    return refusal(request, error_body(request.role, 401, code, **request.key_words))


def reply_headers(request: Received, *, model: str = "", base: str = "", failed: bool = False) -> Headers:
    """Return the headers that the role puts on a reply: ids, limits and, on Azure, the base model that served it."""
    identity = str(uuid.uuid4())
    if request.role == "azure":
        served = (("x-ms-served-model", DATED.get(base, base)),) if base else ()
        region = (("x-ms-region", "Sandbox Central"), ("x-content-type-options", "nosniff"))
        own = (("request-id", new_id("req_")),) if request.speaker == "anthropic" else ()
        return (("apim-request-id", identity), ("x-request-id", str(uuid.uuid4())), *own, *region, *served, *_LIMITS)
    if request.role == "anthropic":
        return (("request-id", new_id("req_")), ("anthropic-organization-id", "sandbox"))
    if request.role == "openai":
        return (("x-request-id", new_id("req_")), ("openai-version", "2020-10-01"), *_LIMITS)
    headers: Headers = (("x-litellm-call-id", identity), ("x-litellm-version", LITELLM_VERSION))
    if failed:
        return (*headers, ("x-litellm-timeout", request.headers.get("x-litellm-timeout", "6000.0")))
    if not model:
        return headers
    return (
        *headers,
        ("x-litellm-model-id", hashlib.sha256(model.encode()).hexdigest()),
        ("x-litellm-model-name", f"azure/{model}"),
        ("x-litellm-model-group", model),
        ("x-litellm-response-cost", "0.0001"),
        ("x-litellm-key-spend", "0.0"),
        ("x-litellm-attempted-retries", "0"),
        ("x-litellm-attempted-fallbacks", "0"),
        *_LIMITS,
        ("llm_provider-apim-request-id", identity),
        ("llm_provider-x-ms-region", "Sandbox Central"),
    )
