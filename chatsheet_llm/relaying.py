"""Which relay a hop's stream goes through: the formats, the bridge between them, who judges.  Reads no event itself."""

from __future__ import annotations

from functools import partial

import httpx2

from chatsheet_llm import teaching
from chatsheet_llm.formats import STREAMS
from chatsheet_llm.formats.watch import ResponsesWatch
from chatsheet_llm.judging import instead
from chatsheet_llm.relay import Relay
from chatsheet_llm.route import Mode
from chatsheet_llm.steps import Send
from chatsheet_llm.terms import Terms


def relay_for(terms: Terms, step: Send, response: httpx2.Response) -> Relay:
    """Return the relay for the stream that a hop has begun."""
    caller = terms.call.format
    if caller is None:
        watch = terms.passed()
        stored = isinstance(watch, ResponsesWatch)
        mode: Mode = "responses" if stored else "chat"
        learn = partial(teaching.told, terms, step.hop.origin, mode) if stored else None
        return Relay(mode, mode, response.headers, None, learn, watch=watch)
    mode = step.hop.mode or "chat"
    learn = partial(teaching.told, terms, step.hop.origin, mode)
    held = terms.call.recovery == "buffer"
    reply = partial(instead, terms, step, response)
    if mode == caller:
        return Relay(mode, caller, response.headers, None, learn, choices=terms.choices, reply=reply, held=held)
    bridge = STREAMS[mode, caller](terms.usage)
    terms.trail.losses.append(bridge.losses)
    learn_made = partial(teaching.bridged, terms)
    return Relay(mode, caller, response.headers, bridge, learn, learn_made, reply=reply, held=held)
