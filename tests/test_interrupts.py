"""What the caller throws into a call: interrupts, timeouts and cancellations pass, tell, and leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time

import pytest
from client_cases import settings_for
from either import Either, settings_at, well
from fault_server import Certificates, FaultServer, parse
from prompts import asked, connections

from chatsheet_llm import AsyncChatClient, LocalResourceError, route_of
from chatsheet_llm.sandbox import Sandbox


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_interrupt_from_the_keyboard_passes_and_blames_nobody(stream: bool, box: Sandbox) -> None:
    box.inject("litellm", "stall")
    with Either("sync", settings_for(box)) as made:
        made.client.health()
        for _ in range(6):
            timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT])
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                made.hello(stream=stream)
            timer.join()

        assert {row.state for row in made.client.health()} == {"closed"}
        assert made.busy() == 0
    assert box.hits("azure") == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions take notes since Python 3.11")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("hedge_after", [None, 0.05], ids=["alone", "side by side"])
def test_an_interrupt_tells_of_what_was_under_way(stream: bool, hedge_after: float | None, box: Sandbox) -> None:
    box.inject("litellm", "stall")
    box.inject("azure", "stall")
    with Either("sync", settings_for(box), hedge_after=hedge_after) as made:
        timer = threading.Timer(0.15, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            made.hello(stream=stream)
        timer.join()
    told = next(note for note in caught.value.__notes__ if note.startswith("so far: litellm/chat cancelled"))

    assert ("azure/responses cancelled" in told) is (hedge_after is not None)


def test_an_interrupted_probe_leaves_the_way_free(box: Sandbox) -> None:
    box.inject("litellm", "reset")
    with Either("sync", settings_for(box)) as made:
        for _ in range(5):
            made.hello()
        box.clear()
        box.inject("litellm", "stall", times=1)
        core = made.client._core
        core.domains.breaker(core.setup.endpoints["litellm"].origin).opened_until = 0.0
        timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            made.hello()
        timer.join()
        after = route_of(made.hello())

    assert [attempt.hop for attempt in after.attempts] == ["litellm/chat"]


async def test_a_caller_s_own_timeout_passes_as_it_is_and_tells_what_was_tried(box: Sandbox) -> None:
    box.inject("litellm", "503")
    box.inject("azure", "stall")
    async with AsyncChatClient(settings_for(box)) as client:
        begun = time.monotonic()
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(client.chat.completions.create(**asked("Hello")), 0.2)
        took = time.monotonic() - begun

        assert not isinstance(caught.value, LocalResourceError)
        assert took < 0.45
        assert all(connection.is_available() for connection in connections(client))
        if hasattr(caught.value, "add_note"):
            cancelled = caught.value.__cause__
            assert "litellm/chat 503 -> azure/responses cancelled" in str(getattr(cancelled, "__notes__", ""))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are not listed here")
async def test_a_cancelled_handshake_leaves_no_connection_behind(certificates: Certificates) -> None:
    with FaultServer(answer=well, certificates=certificates) as server:
        server.set(parse("tls_stall"))
        async with AsyncChatClient(settings_at(server.url, ca_bundle=certificates.ca)) as client:
            before = descriptors()
            for _ in range(5):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.chat.completions.create(**asked("Hello")), 0.05)
            await asyncio.sleep(0.2)

            assert connections(client) == []
            assert descriptors() <= before + 1


def descriptors() -> int:
    """How many sockets this process holds open as a client of loopback."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as held:
            count += held.type == socket.SOCK_STREAM and held.family == socket.AF_INET
    return count
