"""What each role answers to a request: its checks in order, then its format.  No I/O; keeps stored responses only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatsheet_llm.sandbox import chat, claude, messages, responses
from chatsheet_llm.sandbox.answers import Answer, Ask, answer, filtered
from chatsheet_llm.sandbox.bodies import STATUS_OF, ErrorBody, RoleName, error_body
from chatsheet_llm.sandbox.breaks import break_at, last_words
from chatsheet_llm.sandbox.chat import Dialect, Style
from chatsheet_llm.sandbox.exchange import Received, Reply, refusal, reply, reply_headers, stream, unauthorised
from chatsheet_llm.sandbox.faults import Fault
from chatsheet_llm.sandbox.routes import READ_ONLY
from chatsheet_llm.sandbox.rules import DATED, Breach, azure_breach, model_breach
from chatsheet_llm.sandbox.shapes import Event, Json, Malformed, new_id
from chatsheet_llm.sandbox.stock import World, embeddings, final_response, health_reply, models_reply, stored_reply

DEPLOYMENTS: dict[str, str] = {name: name for name in DATED}
"""Azure deployments that exist unless told otherwise: each is named like the model it serves."""

_READERS: dict[str, Callable[[Json], Ask]] = {"chat": chat.read, "responses": responses.read, "messages": messages.read}
_WHOLE: dict[str, Callable[[Answer, Ask, Json, Style], Json]] = {
    "chat": chat.whole_reply,
    "responses": responses.whole_reply,
    "messages": messages.whole_reply,
}
_EVENTS: dict[str, Callable[[Answer, Ask, Json, Style], list[Event]]] = {
    "chat": chat.events,
    "responses": responses.events,
    "messages": messages.events,
}
_DIALECTS: dict[RoleName, Dialect] = {"litellm": "litellm", "azure": "azure", "openai": "openai", "anthropic": "openai"}
_NO_MODEL: dict[RoleName, tuple[int, str]] = {
    "litellm": (400, "model"),
    "openai": (404, "model_not_found"),
    "anthropic": (404, "model"),
}
_OPERATIONS = {"chat": "chatCompletion"}


def respond(world: World, request: Received, argument: str, fault: Fault | None = None) -> Reply:
    """Return what the role answers.  ``argument`` comes from the path; a fault may change what is in the answer."""
    refused = unauthorised(request, world.api_key)
    if refused is not None:
        return refused
    try:
        return _dispatch(world, request, argument, fault)
    except Malformed as wrong:
        return refusal(request, _malformed(request.speaker, wrong))
    except Breach as breach:
        words = {"api": request.api, **breach.words}
        return refusal(request, error_body(request.speaker_of(breach.status), breach.status, breach.code, **words))


def status_reply(request: Received, fault: Fault) -> Reply:
    """Return the answer of a ``STATUS[:CODE]`` fault: the role's documented body, and the headers of the fault."""
    status = fault.status or 500
    if status < 400:
        return Reply(status, (*reply_headers(request), *fault.headers))
    words = {
        "model": request.model or "None",
        "operation": _OPERATIONS.get(request.api, request.api),
        "param": "temperature",
        "retry": dict(fault.headers).get("retry-after", "1"),
        "api": request.api,
        **request.key_words,
    }
    if fault.code == "model":
        words["operation"] = request.path.removeprefix("/v1")
    made = error_body(request.speaker_of(status), status, fault.code, **words)
    headers = fault.headers
    if request.role == "litellm" and fault.code != "all_deployments_in_cooldown":
        # the proxy passes a provider's wait hint on, but under another name
        headers = tuple((f"llm_provider-{n}" if n.startswith("retry-after") else n, v) for n, v in headers)
    return refusal(request, replace(made, headers=(*made.headers, *headers)))


def _malformed(role: RoleName, wrong: Malformed) -> ErrorBody:
    error: Json = {"message": wrong.message, "type": "invalid_request_error", "param": wrong.param, "code": wrong.code}
    if role == "anthropic":
        error = {"type": "invalid_request_error", "message": wrong.message}
        return ErrorBody(400, {"type": "error", "error": error, "request_id": new_id("req_")})
    return ErrorBody(400, {"error": {**error, "code": "400"} if role == "litellm" else error})


def _dispatch(world: World, request: Received, argument: str, fault: Fault | None) -> Reply:
    """Check path, api-version and method, in that order, and hand on to the API."""
    role, api = request.role, request.api
    breach = azure_breach(request.path, request.query, api) if role == "azure" else None
    if breach is not None:
        raise breach
    if api == "other":
        passed = role == "litellm" and request.path == "/openai/responses"
        raise Breach(500, "text") if passed else Breach(404, None, operation=f"{request.method} {request.path}")
    if api == "stored":
        return stored_reply(world, request, argument)
    if request.method != ("GET" if api in READ_ONLY else "POST"):
        raise Breach(405, None)
    if api == "health":
        return health_reply(request)
    if api in READ_ONLY:
        return models_reply(world, request, argument)
    if request.json is None:
        raise Malformed("We could not parse the JSON body of your request.", param="request_body")
    body: Json = {**request.json, "model": argument} if argument else request.json
    model, base = _model(world, request, body)
    if api == "embeddings":
        return reply(request, embeddings(body, model), model=model, base=base)
    if api == "count_tokens":
        return reply(request, {"input_tokens": messages.read({"max_tokens": 1, **body}).prompt_words})
    return _generate(world, request, body, model, base, fault)


def _model(world: World, request: Received, body: Json) -> tuple[str, str]:
    """Return the model that the request names, and the base model behind it."""
    model, role = body.get("model"), request.role
    if not isinstance(model, str) or not model:
        if role == "litellm":
            raise Breach(400, "model", operation=request.path.removeprefix("/v1"))
        message = "model: Field required" if request.speaker == "anthropic" else "you must provide a model parameter"
        raise Malformed(message, param="model", code="missing_required_parameter")
    if role == "azure":
        if request.path.startswith("/anthropic/"):
            return model, model
        if model not in world.deployments:
            raise Breach(404, "DeploymentNotFound")
        return model, world.deployments[model]
    if world.models is not None and model not in world.models:
        status, code = _NO_MODEL[role]
        raise Breach(status, code, model=model, operation=request.path.removeprefix("/v1"))
    return model, model


def _generate(world: World, request: Received, body: Json, model: str, base: str, fault: Fault | None) -> Reply:
    """Answer with text, tool calls or a refusal, whole or as a stream."""
    role, api = request.role, request.api
    ask = _READERS[api](body)
    _obey(world, request, ask, body, base)
    # Azure names the dated base model in chat replies, and the deployment in Responses
    named = DATED.get(base, base) if role == "azure" and api == "chat" else model
    style = Style(_DIALECTS[role], named, world.quirks)
    given = answer(ask, hop=request.hop)
    if fault is not None and fault.name == "content-filter":
        given = filtered(given)
    if fault is not None and fault.name in ("event-error", "failed"):
        return _broken(request, ask, given, body, style, fault)
    keep = api == "responses" and body.get("store") is not False
    if body.get("stream") is True:
        events = tuple(_EVENTS[api](given, ask, body, style))
        final = final_response(events) if keep else None
        if final is not None:
            world.store(role, final)
        return stream(request, events, model=model, base=base)
    made = _WHOLE[api](given, ask, body, style)
    if keep:
        world.store(role, made)
        if body.get("background") is True:  # fetched later, it has run
            made = responses.queued_reply(made)
    return reply(request, made, model=model, base=base)


def _obey(world: World, request: Received, ask: Ask, body: Json, base: str) -> None:
    """Raise Breach where the role refuses what this model cannot do, or state that is not its own."""
    breach = model_breach(request.api, ask, body, base) if request.role == "azure" else None
    if breach is not None:
        raise breach
    if request.api == "messages" and request.speaker == "anthropic":
        claude.check(body, beta="anthropic-beta" in request.headers)
    if request.api != "responses":
        return
    if responses.foreign_seal(body, request.role) is not None:
        raise Breach(400, "invalid_encrypted_content")
    previous = body.get("previous_response_id")
    if isinstance(previous, str) and world.stored(request.role, previous) is None:
        raise Breach(400, "previous_response_not_found", param=previous)


def _broken(request: Received, ask: Ask, given: Answer, body: Json, style: Style, fault: Fault) -> Reply:
    """An answer that ends in an error of the provider: an event in a stream, a failed response, or a status."""
    role, api = request.role, request.api
    code = fault.code or "server_error"
    message = f"The sandbox was told to fail with {code}."
    failed = api == "responses" and fault.name == "failed"
    if body.get("stream") is not True:
        if not failed:
            return status_reply(request, replace(fault, name="status", status=STATUS_OF.get(code, 500)))
        made = responses.failed_reply(ask, body, style, code=code, message=message)
        return _with_headers(reply(request, made, model=ask.model), fault)
    events = _EVENTS[api](given, ask, body, style)
    kept = events[: break_at(events, fault.after or 0)]
    kept += last_words(role, api, kept, code=code, message=message, failed=failed)
    if role == "azure" and api == "responses" and STATUS_OF.get(code) == 429 and not fault.headers:
        fault = replace(fault, headers=(("retry-after", "1"),))
    return _with_headers(stream(request, tuple(kept), model=ask.model), fault)


def _with_headers(made: Reply, fault: Fault) -> Reply:
    return replace(made, headers=(*made.headers, *fault.headers))
