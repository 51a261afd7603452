"""Whether a hop's whole reply is an answer, and that answer in the caller's format.  Sends nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace

import httpx2

from chatsheet_llm import teaching
from chatsheet_llm.answer import EVENTS, JSON, Answer
from chatsheet_llm.classify import Failure, bare_url, classify_event, request_id
from chatsheet_llm.formats import REPLIES
from chatsheet_llm.formats.parse import loads
from chatsheet_llm.formats.sse import Event, encoded
from chatsheet_llm.formats.state import tokens
from chatsheet_llm.formats.watch import fault_in, reply_error
from chatsheet_llm.hops import RESTARTABLE
from chatsheet_llm.relay import MALFORMED, HopFault, log_malformed
from chatsheet_llm.route import Mode
from chatsheet_llm.steps import Send
from chatsheet_llm.terms import Terms


def whole(terms: Terms, step: Send, response: httpx2.Response) -> Answer:
    """Return the answer that a whole reply is.  Raises HopFault for one that is none."""
    mode, caller = step.hop.mode, terms.call.format
    if mode is None or caller is None:
        if terms.call.path in RESTARTABLE:
            _parsed(response.content, response)
        elif not terms.in_pieces(step):
            _made(terms, step, response)
        teaching.answered(terms, step, response)
        return Answer(response, terms.trail, terms.marker)
    content = response.content
    body = _parsed(content, response)
    made = _judged(terms, step, response, body)
    if mode != caller:
        content = json.dumps(made, separators=(",", ":")).encode()
    kind = JSON
    if step.hop.whole:
        content, kind = encoded(_as_stream(terms, caller, made, response)), EVENTS
    teaching.answered(terms, step, response, body.get("model"))
    return Answer(response, terms.trail, terms.marker, content, kind)


def instead(terms: Terms, step: Send, response: httpx2.Response, content: bytes) -> tuple[list[Event], str]:
    """Return the stream of a whole reply that came instead of one, and the model that it names.  Raises HopFault."""
    body = _parsed(content, response)
    made = _judged(terms, step, response, body)
    model = body.get("model")
    return _as_stream(terms, terms.call.format or "chat", made, response), model if isinstance(model, str) else ""


def must_stream(response: httpx2.Response) -> None:
    """Raise HopFault for a reply that can be no stream."""
    # A gateway may leave the type out or name a wrong one, so the events decide; but a page never holds any.
    if "html" in response.headers.get("content-type", ""):
        raise HopFault(_protocol("html", response))


def _holds_state(completion: Mapping[str, object]) -> bool:
    """Whether a completion holds what only its maker can read; its id means nothing unless it is stored."""
    choices = completion.get("choices")
    messages = (
        [choice.get("message") for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    return any(isinstance(each, dict) and (each.get("thinking_blocks") or each.get("audio")) for each in messages)


def _judged(terms: Terms, step: Send, response: httpx2.Response, body: Mapping[str, object]) -> Mapping[str, object]:
    """Return a whole reply in the caller's format.  Raises HopFault for one that is no answer."""
    mode, caller = step.hop.mode or "chat", terms.call.format or "chat"
    hidden = reply_error(mode, body)
    if hidden is not None:
        failure = classify_event(hidden, response.headers, content_seen=False)
        raise HopFault(replace(failure, url=bare_url(response.request.url)))
    background = bool((terms.call.body or {}).get("background"))
    fault = fault_in(mode, body, background=background)
    if fault is not None:
        raise HopFault(_protocol(fault, response))
    if mode != "chat" or (terms.call.body or {}).get("store") or _holds_state(body):
        terms.origins.remember(tokens(mode, body), step.hop.origin)
    if mode == caller:
        return body
    try:
        made, losses = REPLIES[mode, caller](body)
    except MALFORMED as error:
        log_malformed(error)
        raise HopFault(_protocol("schema", response)) from None
    terms.trail.losses.append(losses)
    teaching.bridged(terms, made)
    return made


def _as_stream(terms: Terms, caller: Mode, made: Mapping[str, object], response: httpx2.Response) -> list[Event]:
    """Return a whole reply as the stream that the caller wanted."""
    from chatsheet_llm.formats.whole_stream import chat_chunks, responses_events, whole_events

    try:
        pieces = chat_chunks(made, include_usage=terms.usage) if caller == "chat" else responses_events(made)
    except MALFORMED as error:
        log_malformed(error)
        raise HopFault(_protocol("schema", response)) from None
    return whole_events(caller, pieces)


def _made(terms: Terms, step: Send, response: httpx2.Response) -> None:
    """Remember who keeps what a request that is not bridged made or read: a file, a response, its items."""
    if "json" in response.headers.get("content-type", "") and not terms.call.path.startswith("/models"):
        with contextlib.suppress(HopFault):
            terms.origins.remember(tokens("responses", _parsed(response.content, response)), step.hop.origin)


def _parsed(content: bytes, response: httpx2.Response) -> Mapping[str, object]:
    if not content.strip():
        raise HopFault(_protocol("empty", response))
    try:
        body = loads(content)
    except ValueError:
        html = "html" in response.headers.get("content-type", "") or content.lstrip()[:1] == b"<"
        raise HopFault(_protocol("html" if html else "garbage", response)) from None
    if not isinstance(body, Mapping):
        raise HopFault(_protocol("schema", response))
    return body


def _protocol(fault: str, response: httpx2.Response) -> Failure:
    url = bare_url(response.request.url)
    return Failure(fault, "ambiguous", response.status_code, request_id=request_id(response.headers), url=url)
