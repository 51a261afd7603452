"""One call's exchange with one hop: what goes out, what comes back, and whether that is an answer.  Plans nothing."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx2

from chatsheet_llm import sdk
from chatsheet_llm.classify import Failure, classify_event, classify_exception, classify_reply, request_id
from chatsheet_llm.dispatch import RESTARTABLE, Call
from chatsheet_llm.domains import Domains
from chatsheet_llm.drive import Trail
from chatsheet_llm.endpoints import Endpoint, Outgoing
from chatsheet_llm.formats import REPLIES, STREAMS
from chatsheet_llm.formats.state import seals, tells, tokens
from chatsheet_llm.formats.watch import is_answer, reply_error
from chatsheet_llm.network import limit, timeouts
from chatsheet_llm.origins import NOBODY, Origins
from chatsheet_llm.plan import Send
from chatsheet_llm.report import interrupted
from chatsheet_llm.route import Mode
from chatsheet_llm.streams import MALFORMED, AsyncBody, HopFault, Relay, SyncBody

_TIMEOUTS = frozenset({"connect_timeout", "read_timeout", "write_timeout"})
_NOT_OURS = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "set-cookie", "trailer"}
)
"""Headers of the hop's reply that are not true of the bytes we hand on."""


@dataclass(slots=True)
class Exchange:
    """Everything about one call that does not change from hop to hop.

    ``asked`` is the timeout that the caller set, if any; ``idle`` bounds the silence within a stream.
    """

    call: Call
    options: sdk.FinalRequestOptions
    headers: Mapping[str, str | sdk.Omit]
    endpoints: Mapping[str, Endpoint]
    domains: Domains
    origins: Origins
    trail: Trail
    asked: float | httpx2.Timeout | None
    idle: float
    connect: float
    marker: str | None = None
    _usage: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        wanted = (self.call.body or {}).get("stream_options")
        self._usage = isinstance(wanted, Mapping) and bool(wanted.get("include_usage"))

    @property
    def streamed(self) -> bool:
        """Whether the body is to be read piece by piece."""
        # What another hop could answer too is judged whole before it is handed on.
        return self.call.stream or (self.marker == "stream" and self.call.path not in RESTARTABLE)

    def send(self, step: Send, client: Any) -> httpx2.Response:
        """Send once, synchronously, through the hop's SDK.  Raises HopFault."""
        endpoint, out, until = self._outgoing(step)
        try:
            with limit(until):
                response = client.request(httpx2.Response, endpoint.options(out), stream=self.streamed)
        except Exception as error:
            failure = self._failure_of(error, step)
            if failure is None:
                raise
            raise HopFault(failure) from error
        if not self._relayed:
            return self._whole(step, response)
        try:
            self._must_stream(response)
        except HopFault:
            response.close()
            raise
        relay = self._relay(step, response)
        body = SyncBody(response, relay, self.idle, partial(self._broken, step))
        body.prime(until)
        return self._streaming(step, response, body)

    async def asend(self, step: Send, client: Any) -> httpx2.Response:
        """Send once, asynchronously, through the hop's SDK.  Raises HopFault."""
        endpoint, out, until = self._outgoing(step)
        try:
            with limit(until):
                response = await client.request(httpx2.Response, endpoint.options(out), stream=self.streamed)
        except Exception as error:
            failure = self._failure_of(error, step)
            if failure is None:
                raise
            raise HopFault(failure) from error
        if not self._relayed:
            return self._whole(step, response)
        try:
            self._must_stream(response)
        except HopFault:
            await response.aclose()
            raise
        relay = self._relay(step, response)
        body = AsyncBody(response, relay, self.idle, partial(self._broken, step))
        await body.prime(until)
        return self._streaming(step, response, body)

    @property
    def _relayed(self) -> bool:
        return self.call.stream and self.call.format is not None

    def _outgoing(self, step: Send) -> tuple[Endpoint, Outgoing, float]:
        endpoint, hop = self.endpoints[step.hop.endpoint], step.hop
        seconds = step.timeout
        out = Outgoing(
            options=self.options,
            method=self.call.method,
            path=endpoint.path_of(hop.mode) if hop.mode is not None else self.call.path,
            mode=hop.mode,
            body=hop.body,
            headers=self.headers,
            timeout=timeouts(seconds, self.connect, self.idle if self._relayed else 0.0, self.asked),
            seconds=seconds,
        )
        return endpoint, out, time.monotonic() + seconds

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

    def _whole(self, step: Send, response: httpx2.Response) -> httpx2.Response:
        mode, caller = step.hop.mode, self.call.format
        if mode is None or caller is None:
            if self.call.path in RESTARTABLE:
                self._json(response)
            elif not self.streamed:
                self._made(step, response)
            self._answered(step, response)
            sdk.mark(response, marker=self.marker, route=self.trail.route)
            return response
        body = self._json(response)
        hidden = reply_error(mode, body)
        if hidden is not None:
            raise HopFault(classify_event(hidden, response.headers, content_seen=False))
        if not is_answer(mode, body):
            raise HopFault(_protocol("schema", response))
        self.origins.remember(tokens(mode, body), step.hop.origin)
        content = response.content
        if mode != caller:
            try:
                bridged, losses = REPLIES[mode, caller](body)
            except MALFORMED:
                raise HopFault(_protocol("schema", response)) from None
            self.trail.losses.append(losses)
            self._learn_made(bridged)
            content = json.dumps(bridged, separators=(",", ":")).encode()
        self._answered(step, response)
        return self._handed_on(response, content, "application/json")

    def _made(self, step: Send, response: httpx2.Response) -> None:
        """Remember who keeps what a request that is not bridged made or read: a file, a response, its items."""
        if "json" in response.headers.get("content-type", "") and not self.call.path.startswith("/models"):
            with contextlib.suppress(HopFault):
                self.origins.remember(tokens("responses", self._json(response)), step.hop.origin)

    def _json(self, response: httpx2.Response) -> Mapping[str, object]:
        content = response.content
        if not content.strip():
            raise HopFault(_protocol("empty", response))
        try:
            body = json.loads(content)
        except (RecursionError, ValueError):
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

    def _relay(self, step: Send, response: httpx2.Response) -> Relay:
        mode: Mode = step.hop.mode or "chat"
        caller: Mode = self.call.format or "chat"
        learn = partial(self._learn, step.hop.origin, mode)
        if mode == caller:
            answers = (self.call.body or {}).get("n")
            choices = answers if isinstance(answers, int) else 1
            return Relay(mode, caller, response.headers, None, learn, choices=choices)
        bridge = STREAMS[mode, caller](self._usage)
        self.trail.losses.append(bridge.losses)
        return Relay(mode, caller, response.headers, bridge, learn, self._learn_made)

    def _learn_made(self, made: Mapping[str, object]) -> None:
        """Remember the ids of a bridged reply, or of an event of one, which no endpoint will know again."""
        if self.call.format == "responses" and (tells("responses", made) or "type" not in made):
            self.origins.remember(tokens("responses", made), NOBODY)

    def _learn(self, origin: str, mode: Mode, event: Mapping[str, object]) -> None:
        if tells(mode, event):
            self.origins.remember(tokens(mode, event), origin)

    def _streaming(self, step: Send, response: httpx2.Response, body: SyncBody | AsyncBody) -> httpx2.Response:
        self._answered(step, response)
        return self._handed_on(response, body, "text/event-stream")

    def _broken(self, step: Send, failure: Failure, said: str) -> Exception:
        self.trail.broke(failure)
        self.domains.failed(step.hop, failure)
        return interrupted(replace(failure, mode=step.hop.mode), self.trail.route(), said)

    # --- both

    def _answered(self, step: Send, response: httpx2.Response) -> None:
        if step.hop.only_after is not None and self.call.format is not None:
            # The hop took the request only without them, so the next turn does not ask again.
            state = seals(self.call.format, self.call.body or {})
            unknown = [seal.token for seal in state if not seal.holds and self.origins.of(seal.token) is None]
            self.origins.remember(unknown, NOBODY)
        self.trail.losses.insert(0, step.hop.losses)
        self.trail.answered(step, response.status_code, request_id(response.headers))

    def _handed_on(self, response: httpx2.Response, body: bytes | SyncBody | AsyncBody, kind: str) -> httpx2.Response:
        headers = {name: value for name, value in response.headers.items() if name.lower() not in _NOT_OURS}
        return sdk.response_for(
            status=response.status_code,
            headers={**headers, "content-type": kind},
            body=body,
            url=str(response.request.url),
            marker=self.marker,
            route=self.trail.route,
            seconds=self.trail.route().seconds,
        )


def _protocol(fault: str, response: httpx2.Response) -> Failure:
    return Failure(fault, "ambiguous", response.status_code, request_id=request_id(response.headers))
