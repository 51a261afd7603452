"""One call's exchange with one hop: what goes out, what comes back, and whether that is an answer.  Plans nothing."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx2

from chatsheet_llm import sdk
from chatsheet_llm.answer import EVENTS, JSON, Answer
from chatsheet_llm.capabilities import capability_of
from chatsheet_llm.classify import Failure, classify_event, classify_exception, classify_reply, request_id
from chatsheet_llm.domains import Domains
from chatsheet_llm.endpoints import Endpoint, Outgoing
from chatsheet_llm.formats import REPLIES, STREAMS
from chatsheet_llm.formats.parse import loads
from chatsheet_llm.formats.sse import Event, encoded
from chatsheet_llm.formats.state import seals, tells, tokens
from chatsheet_llm.formats.watch import CompletionsWatch, ResponsesWatch, Watch, fault_in, reply_error
from chatsheet_llm.hops import RESTARTABLE, Call
from chatsheet_llm.latency import Latencies, latency_key
from chatsheet_llm.learned import LESSONS, Learned
from chatsheet_llm.network import limit, timeouts
from chatsheet_llm.origins import NOBODY, Origins
from chatsheet_llm.parameters import effort_in
from chatsheet_llm.relay import MALFORMED, HopFault, Relay, log_malformed
from chatsheet_llm.report import interrupted
from chatsheet_llm.route import Mode
from chatsheet_llm.steps import Send
from chatsheet_llm.streams import AsyncBody, SyncBody
from chatsheet_llm.trail import Trail

_TIMEOUTS = frozenset({"connect_timeout", "read_timeout", "write_timeout"})
HELPER = "x-stainless-helper-method"
"""The header that names the method of the SDK that made the request."""
_FOLDING = ("chat.completions.stream", "responses.stream")
"""Methods of the SDK that put all that a stream brings together into one answer."""
_SERVED = ("x-ms-served-model", "llm_provider-x-ms-served-model")
"""Headers that name the model behind a deployment: Azure's own, and as the LiteLLM proxy passes it on."""
_NAMES_MODELS = frozenset({"azure", "anthropic_foundry"})
"""Kinds of endpoint whose answers name the model behind a deployment; elsewhere they may repeat what was asked for."""
_NAMES_BY_API = frozenset({"azure", "litellm"})
"""Kinds of endpoint where one API may know a deployment that another does not."""


@dataclass(slots=True)
class Exchange:
    """Everything about one call that does not change from hop to hop.

    ``asked`` is the timeout that the caller set, if any; ``idle`` bounds the silence within a stream, ``first`` the
    time until its first content while another origin could still answer.  Seconds.  ``closed`` says whether our client
    is closed.
    """

    call: Call
    options: sdk.FinalRequestOptions
    headers: Mapping[str, str | sdk.Omit]
    endpoints: Mapping[str, Endpoint]
    domains: Domains
    origins: Origins
    learned: Learned
    latencies: Latencies
    trail: Trail
    asked: float | httpx2.Timeout | None
    idle: float
    connect: float
    closed: Callable[[], bool]
    first: float = math.inf
    marker: str | None = None
    _usage: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        wanted = (self.call.body or {}).get("stream_options")
        self._usage = isinstance(wanted, Mapping) and bool(wanted.get("include_usage"))

    def beside(self, trail: Trail) -> Exchange:
        """Return the exchange of one side of a race, which writes a trail of its own."""
        return self if trail is self.trail else replace(self, trail=trail)

    def send(self, step: Send, client: Any) -> Answer:
        """Send once, synchronously, through the hop's SDK.  Raises HopFault."""
        try:
            return self._send(step, client)
        except HopFault as fault:
            fault.failure = self._heeded(step, fault.failure)
            raise

    async def asend(self, step: Send, client: Any) -> Answer:
        """Send once, asynchronously, through the hop's SDK.  Raises HopFault."""
        try:
            return await self._asend(step, client)
        except HopFault as fault:
            fault.failure = self._heeded(step, fault.failure)
            raise

    def _send(self, step: Send, client: Any) -> Answer:
        endpoint, out, until = self._outgoing(step)
        try:
            with limit(until):
                response = client.request(httpx2.Response, endpoint.options(out), stream=self._in_pieces(step))
        except Exception as error:
            failure = self._failure_of(error, step)
            if failure is None:
                raise
            raise HopFault(failure) from error
        if not self._relayed(step):
            return self._whole(step, response)
        try:
            self._must_stream(response)
        except HopFault:
            response.close()
            raise
        relay = self._relay(step, response)
        body = SyncBody(response, relay, self._idle(step), partial(self._broken, step), self._over(step))
        body.prime(until)
        return self._streaming(step, response, body, relay)

    async def _asend(self, step: Send, client: Any) -> Answer:
        endpoint, out, until = self._outgoing(step)
        try:
            with limit(until):
                response = await client.request(httpx2.Response, endpoint.options(out), stream=self._in_pieces(step))
        except Exception as error:
            failure = self._failure_of(error, step)
            if failure is None:
                raise
            raise HopFault(failure) from error
        if not self._relayed(step):
            return self._whole(step, response)
        try:
            self._must_stream(response)
        except HopFault:
            await response.aclose()
            raise
        relay = self._relay(step, response)
        body = AsyncBody(response, relay, self._idle(step), partial(self._broken, step), self._over(step))
        await body.prime(until)
        return self._streaming(step, response, body, relay)

    def _relayed(self, step: Send) -> bool:
        """Whether the hop's stream is judged on its way to the caller."""
        known = self.call.format is not None or self._passed() is not None
        return self.call.stream and known and not step.hop.whole

    def _in_pieces(self, step: Send) -> bool:
        """Whether the body is to be read piece by piece."""
        # What another hop could answer too is judged whole before it is handed on.
        return (self.call.stream and not step.hop.whole) or (
            self.marker == "stream" and self.call.path not in RESTARTABLE
        )

    def _outgoing(self, step: Send) -> tuple[Endpoint, Outgoing, float]:
        endpoint, hop = self.endpoints[step.hop.endpoint], step.hop
        seconds = self._seconds(step)
        out = Outgoing(
            options=self.options,
            method=self.call.method,
            path=endpoint.path_of(hop.mode) if hop.mode is not None else self.call.path,
            mode=hop.mode,
            body=hop.body,
            headers=self.headers,
            timeout=timeouts(seconds, self.connect, self._idle(step) if self._relayed(step) else 0.0, self.asked),
            seconds=seconds,
        )
        return endpoint, out, time.monotonic() + seconds

    def _seconds(self, step: Send) -> float:
        """How long the hop may take until its answer, or the first content of it.

        What the caller set counts before all.  A model that thinks for minutes is not cut short for another hop; any
        other must begin to speak in time, while another origin could still answer.
        """
        if self.asked is not None:
            return step.timeout
        if step.hop.thinks:
            return step.left or step.timeout
        return min(step.timeout, self.first) if step.contested and self._relayed(step) else step.timeout

    def _idle(self, step: Send) -> float:
        """How long a stream may be silent once it has begun; a caller who gives an attempt longer means that too."""
        asked = 0.0 if self.asked is None else sdk.seconds_of(self.asked)
        # A response that is read again may still be at work, and says nothing meanwhile.
        return max(self.idle, asked if math.isfinite(asked) else 0.0, 0.0 if self.call.format else step.timeout)

    def _over(self, step: Send) -> float:
        """When a stream that is held back must be whole: the deadline, in monotonic seconds."""
        held = self.call.recovery == "buffer"
        return time.monotonic() + (step.left or step.timeout) if held else math.inf

    def _failure_of(self, error: Exception, step: Send) -> Failure | None:
        """Name the fault behind what a hop's SDK raised; None where no hop is to blame."""
        response = getattr(error, "response", None)
        if not isinstance(response, httpx2.Response):
            found = classify_exception(error)
            impatient = found is not None and found.fault in _TIMEOUTS and not step.patient
            return replace(found, blames=False) if found is not None and impatient else found
        failure = classify_reply(response.status_code, response.headers, response.content)
        if failure.fault == "deployment" and self.call.model is None and self.call.path.count("/") > 1:
            # Where the path names a file, a batch or a response, that is what does not exist.
            return replace(failure, fault="not_found")
        return failure.without(self._secrets)

    @property
    def _secrets(self) -> frozenset[str]:
        """The configured credentials, which a server may echo in its error."""
        return frozenset(secret for endpoint in self.endpoints.values() for secret in endpoint.secrets)

    # --- whole replies

    def _whole(self, step: Send, response: httpx2.Response) -> Answer:
        mode, caller = step.hop.mode, self.call.format
        if mode is None or caller is None:
            if self.call.path in RESTARTABLE:
                self._json(response)
            elif not self._in_pieces(step):
                self._made(step, response)
            self._answered(step, response)
            return Answer(response, self.trail, self.marker)
        content = response.content
        body = self._parsed(content, response)
        made = self._judged(step, response, body)
        if mode != caller:
            content = json.dumps(made, separators=(",", ":")).encode()
        kind = JSON
        if step.hop.whole:
            content, kind = encoded(self._as_stream(caller, made, response)), EVENTS
        self._answered(step, response, body.get("model"))
        return Answer(response, self.trail, self.marker, content, kind)

    def _judged(self, step: Send, response: httpx2.Response, body: Mapping[str, object]) -> Mapping[str, object]:
        """Return a whole reply in the caller's format.  Raises HopFault for one that is no answer."""
        mode, caller = step.hop.mode or "chat", self.call.format or "chat"
        hidden = reply_error(mode, body)
        if hidden is not None:
            raise HopFault(classify_event(hidden, response.headers, content_seen=False))
        background = bool((self.call.body or {}).get("background"))
        fault = fault_in(mode, body, background=background)
        if fault is not None:
            raise HopFault(_protocol(fault, response))
        self.origins.remember(tokens(mode, body), step.hop.origin)
        if mode == caller:
            return body
        try:
            made, losses = REPLIES[mode, caller](body)
        except MALFORMED as error:
            log_malformed(error)
            raise HopFault(_protocol("schema", response)) from None
        self.trail.losses.append(losses)
        self._learn_made(made)
        return made

    def _as_stream(self, caller: Mode, made: Mapping[str, object], response: httpx2.Response) -> list[Event]:
        """Return a whole reply as the stream that the caller wanted."""
        from chatsheet_llm.formats.whole_stream import chat_chunks, responses_events, whole_events

        try:
            pieces = chat_chunks(made, include_usage=self._usage) if caller == "chat" else responses_events(made)
        except MALFORMED as error:
            log_malformed(error)
            raise HopFault(_protocol("schema", response)) from None
        return whole_events(caller, pieces)

    def _instead(self, step: Send, response: httpx2.Response, content: bytes) -> tuple[list[Event], str]:
        """Return the stream of a whole reply that came instead of one, and the model that it names."""
        body = self._parsed(content, response)
        made = self._judged(step, response, body)
        model = body.get("model")
        return self._as_stream(self.call.format or "chat", made, response), model if isinstance(model, str) else ""

    def _made(self, step: Send, response: httpx2.Response) -> None:
        """Remember who keeps what a request that is not bridged made or read: a file, a response, its items."""
        if "json" in response.headers.get("content-type", "") and not self.call.path.startswith("/models"):
            with contextlib.suppress(HopFault):
                self.origins.remember(tokens("responses", self._json(response)), step.hop.origin)

    def _json(self, response: httpx2.Response) -> Mapping[str, object]:
        return self._parsed(response.content, response)

    def _parsed(self, content: bytes, response: httpx2.Response) -> Mapping[str, object]:
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

    # --- streams

    def _must_stream(self, response: httpx2.Response) -> None:
        # A gateway may leave the type out or name a wrong one, so the events decide; but a page never holds any.
        if "html" in response.headers.get("content-type", ""):
            raise HopFault(_protocol("html", response))

    def _passed(self) -> Watch | None:
        """What judges the stream of a request that is passed through; None where nothing here knows such streams."""
        path = self.call.path
        if path == "/completions":
            return CompletionsWatch(self._choices)
        stored = path.startswith("/responses/") and path.count("/") == 2 and self.call.method.lower() == "get"
        return ResponsesWatch(stored=True) if stored else None

    @property
    def _choices(self) -> int:
        answers = (self.call.body or {}).get("n")
        return answers if isinstance(answers, int) else 1

    def _relay(self, step: Send, response: httpx2.Response) -> Relay:
        caller = self.call.format
        if caller is None:
            watch = self._passed()
            stored = isinstance(watch, ResponsesWatch)
            mode: Mode = "responses" if stored else "chat"
            learn = partial(self._learn, step.hop.origin, mode) if stored else None
            return Relay(mode, mode, response.headers, None, learn, watch=watch)
        mode = step.hop.mode or "chat"
        learn = partial(self._learn, step.hop.origin, mode)
        held = self.call.recovery == "buffer"
        reply = partial(self._instead, step, response)
        if mode == caller:
            return Relay(mode, caller, response.headers, None, learn, choices=self._choices, reply=reply, held=held)
        bridge = STREAMS[mode, caller](self._usage)
        self.trail.losses.append(bridge.losses)
        return Relay(mode, caller, response.headers, bridge, learn, self._learn_made, reply=reply, held=held)

    def _learn_made(self, made: Mapping[str, object]) -> None:
        """Remember the ids of a bridged reply, or of an event of one, which no endpoint will know again."""
        if self.call.format == "responses" and (tells("responses", made) or "type" not in made):
            self.origins.remember(tokens("responses", made), NOBODY)

    def _learn(self, origin: str, mode: Mode, event: Mapping[str, object]) -> None:
        if tells(mode, event):
            self.origins.remember(tokens(mode, event), origin)

    def _streaming(self, step: Send, response: httpx2.Response, body: SyncBody | AsyncBody, relay: Relay) -> Answer:
        self._answered(step, response, relay.served)
        return Answer(response, self.trail, self.marker, body, EVENTS)

    @property
    def restarts(self) -> bool:
        """Whether a stream that breaks is answered anew, where the plan allows it: never what could be done twice.

        The SDK's own helpers would put both answers together, so there it is not.
        """
        call = self.call
        folded = any(name.lower() == HELPER and str(value).endswith(_FOLDING) for name, value in self.headers.items())
        wanted = call.recovery == "restart" and call.stream and call.format is not None
        return wanted and not folded

    def _broken(self, step: Send, failure: Failure, said: str) -> Exception:
        # An error event may repeat the request.
        failure = self.trail.discreet(failure)
        closed = self.closed()
        if closed:
            # What broke because we closed it is nobody's fault, and nobody is left to answer it anew.
            failure = Failure("reset", "committed", failure.status, message="this client was closed", blames=False)
        if self.restarts and not closed:
            from chatsheet_llm.recovery import Broke

            return Broke(replace(failure, mode=step.hop.mode), said)
        self.trail.broke(failure)
        self.domains.failed(step.hop, failure)
        return interrupted(replace(failure, mode=step.hop.mode), self.trail.route(), said)

    # --- both

    def _heeded(self, step: Send, failure: Failure) -> Failure:
        """Learn from a refusal what the deployment is not; return the failure, marked where it taught that."""
        hop = step.hop
        if failure.send_state != "rejected" or hop.mode is None or hop.model is None or failure.fault not in LESSONS:
            return failure
        named = failure.code or failure.type
        if failure.fault == "deployment" and named and self.endpoints[hop.endpoint].kind not in _NAMES_BY_API:
            # It is the model that such an endpoint does not know; where it names nothing, it may be the path.
            return failure
        # Not the provider's message, which may quote.
        reason = f"{failure.status} {failure.code or failure.row.sentence}"
        effort = effort_in(hop.body or {}, hop.mode) is not None
        taught = self.learned.refused(hop.endpoint, hop.model, hop.mode, failure.fault, reason, effort=effort)
        return replace(failure, taught=taught)

    def _learn_model(self, step: Send, response: httpx2.Response, named: object) -> None:
        """Learn from an answer what the deployment is: Azure names the model behind it."""
        hop = step.hop
        if hop.mode is None or hop.model is None:
            return
        self.learned.answered(hop.endpoint, hop.model, hop.mode, stream=self._relayed(step))
        served = next((response.headers[name] for name in _SERVED if name in response.headers), None)
        if served is None and self.endpoints[hop.endpoint].kind in _NAMES_MODELS and isinstance(named, str):
            served = named
        row = capability_of(served) if served != hop.model else None
        if served is not None and row is not None:
            self.learned.serves(hop.endpoint, hop.model, served, row.family)

    def _answered(self, step: Send, response: httpx2.Response, named: object = None) -> None:
        self._learn_model(step, response, named)
        if "state" in step.hop.after and self.call.format is not None:
            # The hop took the request only without them, so the next turn does not ask again.
            state = seals(self.call.format, self.call.body or {})
            unknown = [seal.token for seal in state if not seal.holds and self.origins.of(seal.token) is None]
            self.origins.remember(unknown, NOBODY)
        self.trail.losses.insert(0, step.hop.losses)
        seconds = self.trail.answered(step, response.status_code, request_id(response.headers))
        self.latencies.took(latency_key(step.hop.surface, stream=self.call.stream), seconds)


def _protocol(fault: str, response: httpx2.Response) -> Failure:
    return Failure(fault, "ambiguous", response.status_code, request_id=request_id(response.headers))
