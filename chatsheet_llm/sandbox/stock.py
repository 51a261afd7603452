"""The smaller APIs of the roles: models, health, embeddings, and responses that were stored.  Decides no access."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatsheet_llm.sandbox.bodies import ErrorBody, RoleName
from chatsheet_llm.sandbox.exchange import Received, Reply, refusal, reply
from chatsheet_llm.sandbox.rules import Breach
from chatsheet_llm.sandbox.shapes import Event, Json, Malformed, dumps, obj, pieces, text, whole

_KEPT = 1000
"""How many responses are stored before the oldest goes."""
_CREATED = 1767225600
_MOST_DIMENSIONS = 4096
_CLAUDES = ("claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-5-5")
_OWNERS: dict[RoleName, str] = {"litellm": "openai", "azure": "openai", "openai": "system", "anthropic": "anthropic"}
_UNKNOWN: dict[RoleName, str] = {"openai": "model_not_found", "anthropic": "model"}


@dataclass(slots=True)
class World:
    """What the roles know: the key they accept, Azure's deployments (name -> base model), the models of the others."""

    api_key: str
    deployments: Mapping[str, str]
    models: frozenset[str] | None = None
    quirks: bool = True
    _stored: dict[tuple[RoleName, str], Json] = field(default_factory=dict)

    def store(self, role: RoleName, response: Json) -> None:
        """Keep a response, so that it can be fetched or continued."""
        self._stored[role, text(response["id"])] = response
        if len(self._stored) > _KEPT:
            del self._stored[next(iter(self._stored))]

    def stored(self, role: RoleName, identity: str) -> Json | None:
        """Return a response that the role stored, or None."""
        return self._stored.get((role, identity))

    def drop(self, role: RoleName, identity: str) -> None:
        """Forget a response."""
        self._stored.pop((role, identity), None)

    def names(self, role: RoleName) -> list[str]:
        """Return the models that a role lists."""
        if role == "azure":
            return sorted(self.deployments)
        if self.models is not None:
            return sorted(self.models)
        return list(_CLAUDES) if role == "anthropic" else sorted(self.deployments)


def final_response(events: tuple[Event, ...]) -> Json | None:
    """Return the finished response that a stream of events carries, or None."""
    found = [obj(obj(event.data).get("response")) for event in events]
    return next((response for response in found if response.get("status") in ("completed", "incomplete")), None)


def stored_reply(world: World, request: Received, argument: str) -> Reply:
    """Answer GET and DELETE of ``/responses/ID``."""
    identity, _, more = argument.partition("/")
    kept = world.stored(request.role, identity)
    if kept is None:
        message = f"Response with id '{identity}' not found."
        error: Json = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return refusal(request, ErrorBody(404, {"error": error}))
    if more or request.method not in ("GET", "DELETE"):
        raise Breach(404, None, operation=f"{request.method} {request.path}")
    if request.method == "DELETE":
        world.drop(request.role, identity)
        return reply(request, {"id": identity, "object": "response", "deleted": True})
    return reply(request, kept, model=text(kept["model"]))


def health_reply(request: Received) -> Reply:
    """Answer LiteLLM's health checks."""
    if request.path == "/health/readiness":
        return reply(request, {"status": "healthy", "db": "Not connected"})
    if request.path == "/health":
        return reply(request, {"healthy_endpoints": [], "unhealthy_endpoints": [], "healthy_count": 0})
    return reply(request, "I'm alive!")


def models_reply(world: World, request: Received, argument: str) -> Reply:
    """Answer a list of models, one model, or LiteLLM's ``/model/info``."""
    role = request.role
    names = world.names(role)
    if request.api == "model_info":
        return reply(request, {"data": [_info(name) for name in names]})
    listed = [_row(role, name) for name in names]
    if argument:
        found = next((row for row in listed if row["id"] == argument), None)
        if found is None:
            raise Breach(404, _UNKNOWN.get(role), model=argument)
        return reply(request, found)
    if role == "anthropic":
        ends: Json = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return reply(request, {"data": listed, "has_more": False, **ends})
    return reply(request, {"object": "list", "data": listed})


def _mode(name: str) -> str:
    if "embedding" in name:
        return "embedding"
    return "responses" if "codex" in name or name.endswith("-pro") else "chat"


def _info(name: str) -> Json:
    info: Json = {"id": name, "base_model": f"azure/{name}", "mode": _mode(name)}
    return {"model_name": name, "litellm_params": {"model": f"azure/{name}"}, "model_info": info}


def _row(role: RoleName, name: str) -> Json:
    if role == "anthropic":
        known: Json = {"created_at": "2026-01-01T00:00:00Z", "lifecycle": "active"}
        return {"type": "model", "id": name, "display_name": name, **known}
    row: Json = {"id": name, "object": "model", "created": _CREATED, "owned_by": _OWNERS[role]}
    if role == "litellm":
        row |= {"mode": _mode(name), "max_input_tokens": 272000, "max_output_tokens": 128000}
    return row


def embeddings(body: Json, model: str) -> Json:
    """Return vectors for texts or token lists, as floats or in base64, the same for the same input."""
    given = body.get("input")
    if not given:
        raise Malformed("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    inputs: list[object] = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    size = whole(body.get("dimensions")) or 1536
    if not 0 < size <= _MOST_DIMENSIONS:
        raise Malformed(f"Invalid value for 'dimensions': {size}.", param="dimensions", code="invalid_value")
    rows: list[Json] = []
    words = 0
    for index, item in enumerate(inputs):
        vector = vector_of(item if isinstance(item, str) else dumps(item), size)
        coded: object = vector
        if body.get("encoding_format") == "base64":
            coded = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        rows.append({"object": "embedding", "index": index, "embedding": coded})
        words += len(item) if isinstance(item, list) else len(pieces(text(item)))
    return {"object": "list", "data": rows, "model": model, "usage": {"prompt_tokens": words, "total_tokens": words}}


def vector_of(words: str, size: int) -> list[float]:
    """Return the embedding of a text: the same for the same text, of length 1."""
    raw = hashlib.shake_256(words.encode()).digest(2 * size)
    numbers = [value / 32768 for value in struct.unpack(f"<{size}h", raw)]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [number / length for number in numbers]
