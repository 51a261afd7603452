"""Performs one exchange on the wire: a reply, or the fault that stands in its way.  Chooses no words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from chatsheet_llm.sandbox.breaks import break_at
from chatsheet_llm.sandbox.exchange import Received, Reply
from chatsheet_llm.sandbox.faults import Fault
from chatsheet_llm.sandbox.roles import respond, status_reply
from chatsheet_llm.sandbox.shapes import Event
from chatsheet_llm.sandbox.stock import World
from chatsheet_llm.sandbox.wire import Cut, Wire

_GRACE = 0.02
"""Seconds between the last byte and a reset: the reset must not overtake the bytes in the client's kernel."""
_LOGIN = b"<!doctype html><html><head><title>Sign in</title></head><body><form>Sign in to continue</form></body></html>"
_BROKEN = '{"id": "sandbox", "choices": [{"ind'
_BREAKS = ("cut", "rst", "stall")
NO_FAULT = Fault("none")


async def perform(
    wire: Wire,
    request: Received,
    argument: str,
    fault: Fault,
    *,
    world: World,
    pace: float,
    elsewhere: str,
    say: Callable[[str], None],
) -> None:
    """Answer a request, in the way the fault wants it.  Raises Cut where the connection must end.

    ``pace`` is the time between events in seconds, ``elsewhere`` the origin that a redirect leads to.
    """
    if fault.name == "reset":
        raise Cut(reset=True)
    if fault.name == "stall" and fault.after is None:
        await wire.hangup()
        raise Cut(reset=False)
    try:
        reply = _reply(request, argument, fault, world, elsewhere)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client must hear that it was the sandbox
        say(f"sandbox: {request.hop} could not be answered: {error!r}")
        reply = Reply(500, (("content-type", "text/plain"),), f"the sandbox itself failed: {error!r}".encode())
    if fault.name == "reset-after-headers":
        await wire.head(reply)
        await _break(wire, fault)
    if reply.events is None:
        await _send_body(wire, reply, fault)
    else:
        await _send_events(wire, reply, reply.events, fault, pace)


def _reply(request: Received, argument: str, fault: Fault, world: World, elsewhere: str) -> Reply:
    if fault.name == "status":
        return status_reply(request, fault)
    if fault.name == "redirect":
        query = f"?{request.query}" if request.query else ""
        return Reply(307, (("location", f"{elsewhere}{request.path}{query}"),))
    if fault.name == "html":
        return Reply(200, (("content-type", "text/html; charset=utf-8"),), _LOGIN)
    reply = respond(world, request, argument, fault)
    if fault.name == "empty":
        return replace(reply, body=b"", events=None)
    if fault.name == "garbage" and reply.status == 200:
        return replace(reply, body=_BROKEN.encode(), events=None if reply.events is None else (Event(_BROKEN),))
    return reply


async def _send_body(wire: Wire, reply: Reply, fault: Fault) -> None:
    body = reply.body
    if fault.name == "slow":
        await asyncio.sleep(fault.seconds or 0.0)
    await wire.head(reply)
    if fault.name == "drip":
        await _drip(wire, body, fault)
    elif fault.name in (*_BREAKS, "cut-bytes") and reply.status == 200:
        kept = len(body) // 2 if fault.name != "cut-bytes" else min(fault.after or 0, len(body))
        await wire.data(body[:kept])
        if kept < len(body):
            await _break(wire, fault)
    else:
        await wire.data(body)
    await wire.end()


async def _send_events(wire: Wire, reply: Reply, events: tuple[Event, ...], fault: Fault, pace: float) -> None:
    await wire.head(reply)
    first = break_at(events, 0)
    last = break_at(events, fault.after or 0) if fault.name in _BREAKS else len(events)
    left = fault.after or 0 if fault.name == "cut-bytes" else None
    for number, event in enumerate(events[:last]):
        if number and pace:
            await asyncio.sleep(pace)
        if number == first and fault.name == "slow":
            await asyncio.sleep(fault.seconds or 0.0)
        raw = event.encode()
        if fault.name == "drip":
            await _drip(wire, raw, fault)
            continue
        await wire.data(raw[:left])
        if left is not None:
            left -= len(raw[:left])
            if not left:
                break
    if fault.name in ("rst", "stall"):
        await _break(wire, fault)
    await wire.end()


async def _drip(wire: Wire, content: bytes, fault: Fault) -> None:
    for at in range(len(content)):
        await wire.data(content[at : at + 1])
        await asyncio.sleep(fault.seconds or 0.0)


async def _break(wire: Wire, fault: Fault) -> None:
    """End, or never end, an answer that has begun."""
    if fault.name == "stall":
        await wire.hangup()
        raise Cut(reset=False)
    await asyncio.sleep(_GRACE)
    raise Cut(reset=fault.name in ("rst", "reset-after-headers"))
