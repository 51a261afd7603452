"""One call's exchange with one hop: it is sent, and what comes back is an answer or a fault.  Plans nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import httpx2

from chatsheet_llm import judging, teaching
from chatsheet_llm.answer import EVENTS, Answer
from chatsheet_llm.classify import Failure, classify_exception, classify_reply
from chatsheet_llm.network import limit
from chatsheet_llm.relay import HopFault, Relay
from chatsheet_llm.relaying import relay_for
from chatsheet_llm.report import interrupted
from chatsheet_llm.steps import Send
from chatsheet_llm.streams import AsyncBody, SyncBody
from chatsheet_llm.terms import Terms
from chatsheet_llm.trail import Trail

_TIMEOUTS = frozenset({"connect_timeout", "proxy_timeout", "read_timeout", "write_timeout"})
HELPER = "x-stainless-helper-method"
"""The header that names the method of the SDK that made the request."""
_FOLDING = ("chat.completions.stream", "responses.stream")
"""Methods of the SDK that put all that a stream brings together into one answer."""


class Exchange(Terms):
    """A call on its terms, which is sent to one hop after another."""

    __slots__ = ()

    def beside(self, trail: Trail) -> Exchange:
        """Return the exchange of one side of a race, which writes a trail of its own."""
        return self if trail is self.trail else replace(self, trail=trail)

    def send(self, step: Send, client: Any) -> Answer:
        """Send once, synchronously, through the hop's SDK.  Raises HopFault."""
        try:
            return self._send(step, client)
        except HopFault as fault:
            fault.failure = teaching.refused(self, step, _fair(step, fault.failure))
            raise

    async def asend(self, step: Send, client: Any) -> Answer:
        """Send once, asynchronously, through the hop's SDK.  Raises HopFault."""
        try:
            return await self._asend(step, client)
        except HopFault as fault:
            fault.failure = teaching.refused(self, step, _fair(step, fault.failure))
            raise

    def _send(self, step: Send, client: Any) -> Answer:
        endpoint, out, until = self.outgoing(step)
        try:
            with limit(until):
                response = client.request(httpx2.Response, endpoint.options(out), stream=self.in_pieces(step))
        except Exception as error:
            failure = self._failure_of(error)
            if failure is None:
                raise
            raise HopFault(failure) from error
        if not self.relayed(step):
            return judging.whole(self, step, response)
        try:
            judging.must_stream(response)
        except HopFault:
            response.close()
            raise
        relay = relay_for(self, step, response)
        body = SyncBody(response, relay, self.silence(step), partial(self._broken, step), self.over(step))
        body.prime(until)
        return self._streaming(step, response, body, relay)

    async def _asend(self, step: Send, client: Any) -> Answer:
        endpoint, out, until = self.outgoing(step)
        try:
            with limit(until):
                response = await client.request(httpx2.Response, endpoint.options(out), stream=self.in_pieces(step))
        except Exception as error:
            failure = self._failure_of(error)
            if failure is None:
                raise
            raise HopFault(failure) from error
        if not self.relayed(step):
            return judging.whole(self, step, response)
        try:
            judging.must_stream(response)
        except HopFault:
            await response.aclose()
            raise
        relay = relay_for(self, step, response)
        body = AsyncBody(response, relay, self.silence(step), partial(self._broken, step), self.over(step))
        await body.prime(until)
        return self._streaming(step, response, body, relay)

    def _streaming(self, step: Send, response: httpx2.Response, body: SyncBody | AsyncBody, relay: Relay) -> Answer:
        teaching.answered(self, step, response, relay.served)
        return Answer(response, self.trail, self.marker, body, EVENTS)

    # --- where it goes wrong

    def _failure_of(self, error: Exception) -> Failure | None:
        """Name the fault behind what a hop's SDK raised; None where no hop is to blame."""
        response = getattr(error, "response", None)
        if not isinstance(response, httpx2.Response):
            return classify_exception(error)
        url = response.request.url
        failure = classify_reply(response.status_code, response.headers, response.content, url=url)
        if failure.fault == "deployment" and self.call.model is None and self.call.path.count("/") > 1:
            # Where the path names a file, a batch or a response, that is what does not exist.
            return replace(failure, fault="not_found")
        return failure.without(self._secrets)

    @property
    def _secrets(self) -> frozenset[str]:
        """The configured credentials, which a server may echo in its error."""
        return frozenset(secret for endpoint in self.endpoints.values() for secret in endpoint.secrets)

    @property
    def restarts(self) -> bool:
        """Whether a stream that breaks is answered anew, where the plan allows it: never what could be done twice.

        The SDK's own helpers would put both answers together, so there it is not.
        """
        call = self.call
        folded = any(name.lower() == HELPER and str(value).endswith(_FOLDING) for name, value in self.headers.items())
        wanted = call.recovery == "restart" and call.stream and call.format is not None
        return wanted and not folded

    def _broken(self, step: Send, failure: Failure, said: str, closed: str) -> Exception:
        # An error event may repeat the request.
        failure = _fair(step, self.trail.discreet(failure))
        closed = "this client was closed" if self.closed() else closed
        if closed:
            # What broke because it was closed is nobody's fault, and nobody is left to answer it anew.
            failure = Failure("reset", "committed", failure.status, message=closed, blames=False)
        if self.restarts and not closed:
            from chatsheet_llm.recovery import Broke

            return Broke(replace(failure, mode=step.hop.mode), said)
        self.trail.broke(failure)
        self.domains.failed(step.hop, failure)
        return interrupted(replace(failure, mode=step.hop.mode), self.trail.route(), said)


def _fair(step: Send, failure: Failure) -> Failure:
    """Return the failure, without blame where a hop was given too little time to tell anything by."""
    return replace(failure, blames=False) if failure.fault in _TIMEOUTS and not step.patient else failure
