"""A pool without a free connection: our own trouble, told as such.  Over real sockets, with both clients."""

from __future__ import annotations

from contextlib import ExitStack

import httpx2
import pytest
from either import KINDS, Either, Kind, settings_at
from golden_streams import chunk, sse
from raw_server import Raw, serving

from chatsheet_llm import errors, network

pytestmark = pytest.mark.usefixtures("no_certificates")

HELD = Raw([sse(chunk({"content": "Well"})), 30.0], ending="linger")
WHOLE = Raw(sse(chunk({"content": "Well"}), chunk({}, "stop"), "[DONE]"))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_pool_is_our_own_trouble_and_asks_no_other_hop(
    kind: Kind, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "LIMITS", httpx2.Limits(max_connections=1, max_keepalive_connections=1))
    with ExitStack() as stack:
        one, two = stack.enter_context(serving(HELD)), stack.enter_context(serving(WHOLE))
        made = stack.enter_context(Either(kind, settings_at(one.url, two.url)))
        held = made.hello(stream=True)
        made.next_of(held)
        with pytest.raises(errors.LocalResourceError) as caught:
            made.hello(stream=stream, timeout=httpx2.Timeout(2, pool=0.1))
        closed = [row for row in made.client.health() if row.state != "closed"]
        made.wait(held.close())

    attempts = [(attempt.hop, attempt.outcome, attempt.send_state) for attempt in caught.value.route.attempts]
    assert attempts == [("one/chat", "pool", "not_sent")]
    assert [len(one.asked), len(two.asked)] == [1, 0]
    assert closed == []
