"""What answers and refusals teach: what a deployment is, who keeps which state, how fast a hop is.  Judges none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import httpx2

from chatsheet_llm.capabilities import capability_of
from chatsheet_llm.classify import Failure, request_id
from chatsheet_llm.formats.state import seals, tells, tokens
from chatsheet_llm.latency import latency_key
from chatsheet_llm.learned import LESSONS
from chatsheet_llm.origins import NOBODY
from chatsheet_llm.parameters import effort_in
from chatsheet_llm.route import Mode
from chatsheet_llm.steps import Send
from chatsheet_llm.terms import Terms

_SERVED = ("x-ms-served-model", "llm_provider-x-ms-served-model")
"""Headers that name the model behind a deployment: Azure's own, and as the LiteLLM proxy passes it on."""
_NAMES_MODELS = frozenset({"azure", "anthropic_foundry"})
"""Kinds of endpoint whose answers name the model behind a deployment; elsewhere they may repeat what was asked for."""
_NAMES_BY_API = frozenset({"azure", "litellm"})
"""Kinds of endpoint where one API may know a deployment that another does not."""


def refused(terms: Terms, step: Send, failure: Failure) -> Failure:
    """Learn from a refusal what the deployment is not; return the failure, marked where it taught that."""
    hop = step.hop
    if failure.send_state != "rejected" or hop.mode is None or hop.model is None or failure.fault not in LESSONS:
        return failure
    named = failure.code or failure.type
    if failure.fault == "deployment" and named and terms.endpoints[hop.endpoint].kind not in _NAMES_BY_API:
        # It is the model that such an endpoint does not know; where it names nothing, it may be the path.
        return failure
    # Not the provider's message, which may quote.
    reason = f"{failure.status} {failure.code or failure.row.sentence}"
    effort = effort_in(hop.body or {}, hop.mode) is not None
    taught = terms.learned.refused(hop.endpoint, hop.model, hop.mode, failure.fault, reason, effort=effort)
    return replace(failure, taught=taught)


def answered(terms: Terms, step: Send, response: httpx2.Response, named: object = None) -> None:
    """Note that a hop has answered, as the model ``named``, and learn what that says of it."""
    _model(terms, step, response, named)
    if "state" in step.hop.after and terms.call.format is not None:
        # The hop took the request only without them, so the next turn does not ask again.
        state = seals(terms.call.format, terms.call.body or {})
        unknown = [seal.token for seal in state if not seal.holds and terms.origins.of(seal.token) is None]
        terms.origins.remember(unknown, NOBODY)
    terms.trail.losses.insert(0, step.hop.losses)
    seconds = terms.trail.answered(step, response.status_code, request_id(response.headers))
    terms.latencies.took(latency_key(step.hop.surface, stream=terms.call.stream), seconds)


def _model(terms: Terms, step: Send, response: httpx2.Response, named: object) -> None:
    """Learn from an answer what the deployment is: Azure names the model behind it."""
    hop = step.hop
    if hop.mode is None or hop.model is None:
        return
    terms.learned.answered(hop.endpoint, hop.model, hop.mode, stream=terms.relayed(step))
    served = next((response.headers[name] for name in _SERVED if name in response.headers), None)
    if served is None and terms.endpoints[hop.endpoint].kind in _NAMES_MODELS and isinstance(named, str):
        served = named
    row = capability_of(served) if served != hop.model else None
    if served is not None and row is not None:
        terms.learned.serves(hop.endpoint, hop.model, served, row.family)


def told(terms: Terms, origin: str, mode: Mode, event: Mapping[str, object]) -> None:
    """Remember which origin keeps what an event of its stream names."""
    if tells(mode, event):
        terms.origins.remember(tokens(mode, event), origin)


def bridged(terms: Terms, made: Mapping[str, object]) -> None:
    """Remember the ids of a bridged reply, or of an event of one, which no endpoint will know again."""
    if terms.call.format == "responses" and (tells("responses", made) or "type" not in made):
        terms.origins.remember(tokens("responses", made), NOBODY)
