"""``ChatClient`` and ``AsyncChatClient``: the SDK's own clients, with `request()` sent through the chain."""

from __future__ import annotations

import asyncio
import math
import time
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import httpx2
import openai
from typing_extensions import override

from chatsheet_llm import delivery, drive, sdk
from chatsheet_llm.answer import Answer
from chatsheet_llm.asking import call_of, exchange_of, hops_of
from chatsheet_llm.connections import running_loop
from chatsheet_llm.construction import Construction, Http, by_its_name
from chatsheet_llm.errors import LocalResourceError
from chatsheet_llm.inspection import Inspection
from chatsheet_llm.latency import latency_key
from chatsheet_llm.plan import plan
from chatsheet_llm.running import NOT_JSON, Run
from chatsheet_llm.steps import GaveUp, Send
from chatsheet_llm.streams import HopFault
from chatsheet_llm.trail import Trail

if TYPE_CHECKING:
    from chatsheet_llm.resources_chat import AsyncChat, Chat
    from chatsheet_llm.resources_responses import AsyncResponses, Responses


class _Facade(Construction[Http], Inspection):
    """All that is not I/O, for both clients."""

    def _ready(self) -> None:
        """Make sure that a call can be made.  Raises LocalResourceError."""
        self._core.own_process()
        self._core.connections.must_be_open()

    def _begin(self, options: sdk.FinalRequestOptions, stream: bool) -> Run:
        """Read a request, choose its hops, make its plan.  Raises what needs no network to be known."""
        core, choices = self._core, self._choices
        asked = self._asked(options)
        seconds = math.inf if asked is None else sdk.seconds_of(asked)
        call, deadline = call_of(options, choices, stream, seconds)
        setup = core.setup
        found = hops_of(call, core, setup, choices.chain)
        exchange = exchange_of(call, options, found, core, setup, asked, self._custom_headers, self._custom_query)
        retries = sdk.retries_of(options, self.max_retries)
        after, latencies = call.hedge_after, core.latencies
        steps = plan(
            found.hops,
            core.domains,
            policy=choices.policy if retries == choices.policy.max_retries else choices.persistent(retries),
            deadline_at=time.monotonic() + deadline,
            attempt=seconds,
            side_effects=call.side_effects,
            amend=found.amend,
            hedge=lambda hop: latencies.late(after, latency_key(hop.surface, stream=call.stream)),
        )
        own = sdk.copied(options)
        sdk.with_route(own, exchange.trail.route)
        return Run(exchange, steps, own, setup)


@by_its_name
class ChatClient(_Facade[httpx2.Client], openai.OpenAI):
    """An ``openai.OpenAI`` whose requests walk the chain of the settings.

    Args:
        settings: read from environment, ``.env`` and ``models.yaml`` where left out.
        api_key, base_url, organization, project: as on ``openai.OpenAI`` (``api_key`` may be a function that gives a
            token for each request); where one of the first two is given it makes an endpoint of kind openai that comes
            first in the chain, so that code which names its server keeps it.
        chain: hops in order, ``"endpoint"`` or ``"endpoint/mode"``; default from the settings.
        deadline: seconds for a whole call, all hops and waits included; for a stream, until its first content.
        on_loss: ``"error"`` leaves a hop out that cannot carry something the caller set, ``"drop"`` sends without it
            and lists it in ``Route.losses``.
        timeout: seconds for one attempt (of an ``httpx2.Timeout``, or a tuple of connect and read, the read timeout
            counts); of a stream, the longest silence before its first content and within it, in place of both timeouts
            of the settings.  One longer than the deadline lengthens it.  May be set later too, like ``max_retries``.
        max_retries: re-sends on one hop.
        stream_recovery: what becomes of a stream that breaks after its first content.  ``"off"`` raises
            StreamInterrupted; ``"buffer"`` hands on whole answers only, and the deadline then bounds the whole answer;
            ``"restart"`` answers anew from the next hop, after a notice that :func:`restart_of` reads.
        hedge_after: seconds of silence, or ``"p95"`` (of the last answers of that deployment), after which the next
            origin is asked too; the first answer counts, the other is cut off.  Never for what may act twice.
        wait, stop: tenacity strategies for the waits after transient faults and for giving up.
        http_client: replaces our own, for all endpoints; its own trust, proxy and timeouts then apply, the deadline is
            kept only between reads, and an answer may be compressed, and of any size.
        state: a store through which processes share what they know of outages; default from the settings.

    Raises:
        SettingsError: a setting is wrong; the message names it.
        NoEndpointError: no hop of the chain is configured; the message lists the variables to set.

    Every method of the SDK raises :class:`~chatsheet_llm.errors.CallError` when the call fails.
    """

    _HTTP = httpx2.Client

    @cached_property
    def chat(self) -> Chat:
        """The SDK's resource, whose ``create`` does not walk what is plain JSON."""
        from chatsheet_llm.resources_chat import Chat

        return Chat(self)

    @cached_property
    def responses(self) -> Responses:
        """The SDK's resource, with a ``stream`` that is never restarted."""
        from chatsheet_llm.resources_responses import Responses

        return Responses(self)

    @override
    def request(
        self,
        cast_to: type[Any],
        options: sdk.FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: type[Any] | None = None,
    ) -> Any:
        """Send one request of any resource through the chain.  Raises CallError, SettingsError."""
        self._ready()
        cast_to = sdk.cast_of(self, cast_to, options)
        own = self._own_answer(options)
        if own is not None:
            return sdk.finish(self, cast_to, *own, stream=stream, stream_cls=stream_cls)
        run = self._begin(options, stream)
        restarts = run.restarts()
        resume = partial(
            drive.run,
            send=partial(self._send, run),
            trail=run.exchange.trail,
            close=Answer.close,
        )
        try:
            answer = resume(run.steps if restarts is None else restarts.steps())
            if restarts is not None:
                from chatsheet_llm.recovery import SyncRestarts

                answer.body = SyncRestarts(answer.stream, restarts, resume)
        except GaveUp as gave_up:
            error = run.ended(gave_up)
            del options
        except BaseException as stopped:
            run.stopped(stopped)
            # The request is the caller's; a traceback that shows locals shall not have it from us too.
            del options
            raise
        else:
            return delivery.given(self, cast_to, run.options, answer, stream=stream, stream_cls=stream_cls)
        raise error from None

    def _send(self, run: Run, step: Send, trail: Trail) -> Answer:
        try:
            return run.exchange.beside(trail).send(step, self._core.sdk(run.setup, step.hop.endpoint))
        except NOT_JSON as error:
            raise run.refused(step, error) from None
        except (HopFault, RuntimeError):
            # What broke because we closed it is nobody's fault.
            self._core.connections.must_be_open()
            raise

    @override
    def close(self) -> None:
        """Close every connection, of this client and its copies."""
        self._core.end_sharing()
        self._core.connections.close()


@by_its_name
class AsyncChatClient(_Facade[httpx2.AsyncClient], openai.AsyncOpenAI):
    """An ``openai.AsyncOpenAI`` whose requests walk the chain; arguments and errors as for :class:`ChatClient`.

    It may be used in several event loops, one after the other or at once: each has connections of its own, which end
    with it.  Runs on asyncio (and anyio there); elsewhere every call raises LocalResourceError.
    """

    _HTTP = httpx2.AsyncClient

    @cached_property
    def chat(self) -> AsyncChat:
        """The SDK's resource, whose ``create`` does not walk what is plain JSON."""
        from chatsheet_llm.resources_chat import AsyncChat

        return AsyncChat(self)

    @cached_property
    def responses(self) -> AsyncResponses:
        """The SDK's resource, with a ``stream`` that is never restarted."""
        from chatsheet_llm.resources_responses import AsyncResponses

        return AsyncResponses(self)

    @override
    async def request(
        self,
        cast_to: type[Any],
        options: sdk.FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: type[Any] | None = None,
    ) -> Any:
        """Send one request of any resource through the chain.  Raises CallError, SettingsError."""
        self._ready()
        if running_loop() is None:
            raise LocalResourceError("AsyncChatClient runs on asyncio; elsewhere use ChatClient in a worker thread")
        cast_to = sdk.cast_of(self, cast_to, options)
        own = self._own_answer(options)
        if own is not None:
            return await sdk.finish(self, cast_to, *own, stream=stream, stream_cls=stream_cls)
        run = self._begin(options, stream)
        restarts = run.restarts()
        resume = partial(
            drive.arun,
            send=partial(self._send, run),
            trail=run.exchange.trail,
            close=Answer.aclose,
            sleep=asyncio.sleep,
        )
        try:
            answer = await resume(run.steps if restarts is None else restarts.steps())
            if restarts is not None:
                from chatsheet_llm.recovery import AsyncRestarts

                answer.body = AsyncRestarts(answer.stream, restarts, resume)
        except GaveUp as gave_up:
            error = run.ended(gave_up)
            del options
        except BaseException as stopped:
            run.stopped(stopped)
            del options
            raise
        else:
            return await delivery.agiven(self, cast_to, run.options, answer, stream=stream, stream_cls=stream_cls)
        raise error from None

    async def _send(self, run: Run, step: Send, trail: Trail) -> Answer:
        try:
            return await run.exchange.beside(trail).asend(step, self._core.sdk(run.setup, step.hop.endpoint))
        except NOT_JSON as error:
            raise run.refused(step, error) from None
        except (HopFault, RuntimeError):
            self._core.connections.must_be_open()
            raise

    @override
    async def close(self) -> None:
        """Close every connection, of this client and its copies."""
        self._core.end_sharing()
        await self._core.connections.aclose()
