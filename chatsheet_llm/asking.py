"""What a request asks for: the call that it is, the hops that can serve it, its exchange.  Plans and sends nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import httpx2

from chatsheet_llm import report, sdk
from chatsheet_llm.choices import BLOCK, Choices, read_block
from chatsheet_llm.core import Core, Setup
from chatsheet_llm.credentials import credentials, without_credentials
from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.exchange import Exchange
from chatsheet_llm.hops import PATHS, Call, Dispatch, OnLoss, Recovery
from chatsheet_llm.latency import HedgeAfter, latency_key
from chatsheet_llm.redact import Private
from chatsheet_llm.trail import Trail


def call_of(options: sdk.FinalRequestOptions, choices: Choices, stream: bool, timeout: float) -> tuple[Call, float]:
    """Return the call that a request is, and its deadline in seconds.  ``timeout`` is what one attempt may take."""
    body = sdk.body_of(options)
    block: Mapping[str, object] = {}
    if isinstance(body, Mapping):
        body = dict(body)
        block = read_block(body.pop(BLOCK, None))
    chain, mode, deadline = block.get("chain"), block.get("mode"), block.get("deadline")
    path = "/" + options.url.lstrip("/")
    call = Call(
        method=options.method,
        path=path,
        format=PATHS.get(path) if options.method.lower() == "post" else None,
        body=body if isinstance(body, Mapping) else None,
        stream=stream,
        chain=cast("tuple[str, ...] | None", chain),
        mode=cast("Any", mode),
        on_loss=cast("OnLoss", block.get("on_loss", choices.on_loss)),
        recovery=cast("Recovery", block.get("stream_recovery", choices.stream_recovery)),
        hedge_after=cast("HedgeAfter | None", block.get("hedge_after", choices.hedge_after)),
    )
    if deadline is not None:
        return call, cast("float", deadline)
    # A caller who gives one attempt longer than the deadline means to wait that long.
    return call, max(choices.deadline, timeout if math.isfinite(timeout) else 0.0)


def hops_of(call: Call, core: Core, setup: Setup, chain: Sequence[str]) -> Dispatch:
    """Return the hops that can serve a call, and why the others cannot."""
    return dispatch(
        call,
        endpoints=setup.endpoints,
        registry=setup.registry,
        chain=chain,
        known=setup.unconfigured,
        origins=core.origins,
        learned=core.learned,
        outlooks=setup.outlooks,
    )


def exchange_of(
    call: Call,
    options: sdk.FinalRequestOptions,
    found: Dispatch,
    core: Core,
    setup: Setup,
    asked: float | httpx2.Timeout | None,
    headers: Mapping[str, str],
    query: Mapping[str, object],
) -> Exchange:
    """Return the exchange of a call; ``headers`` and ``query`` are the client's own.  Raises what no hop can serve."""
    sent = without_credentials({**headers, **sdk.headers_of(options)})
    said = Private(partial(credentials, setup), (call.body, list(sent.values()), options.params, query))
    trail = Trail(found.skipped, said)
    trail.late = lambda hop: core.latencies.cut(latency_key(hop.surface, stream=call.stream))
    if not found.hops:
        raise report.no_hop(call, found, trail.route(), setup.unconfigured, setup.registry)
    if query or BLOCK in options.params:
        options = sdk.copied(options)
        options.params = {name: value for name, value in {**query, **options.params}.items() if name != BLOCK}
    settings = setup.settings
    return Exchange(
        call=call,
        options=options,
        headers=sent,
        endpoints=setup.endpoints,
        domains=core.domains,
        origins=core.origins,
        learned=core.learned,
        latencies=core.latencies,
        trail=trail,
        asked=asked,
        idle=settings.idle_timeout,
        first=settings.first_token_timeout,
        connect=settings.connect_timeout,
        closed=lambda: core.connections.closed,
        marker=sdk.raw_marker(options),
    )
