"""One port: listening or refusing, and the connections that came through it.  Reads no request."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11

from chatsheet_llm.sandbox.sockets import bind
from chatsheet_llm.sandbox.wire import Cut, Wire


class Listener:
    """A bound port, whose connections are handed to ``serve``.  All but the constructor runs in the event loop."""

    def __init__(
        self, held: socket.socket, serve: Callable[[Wire], Awaitable[None]], say: Callable[[str], None]
    ) -> None:
        self.host, self.port = held.getsockname()[:2]
        self._held = held
        self._serve = serve
        self._say = say
        self._listening = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Accept connections; a second call does nothing."""
        if not self._listening:
            self._held.setblocking(False)
            self._held.listen(128)
            asyncio.get_running_loop().add_reader(self._held, self._accept)
            self._listening = True

    async def refuse(self) -> None:
        """Reset the connections and refuse new ones; the port stays ours."""
        if self._listening:
            await self.close()
            # bound but not listening: a connection to it is refused, and nobody else can have it
            self._held = bind(self.host, self.port)

    async def close(self) -> None:
        """Reset the connections and let go of the port."""
        asyncio.get_running_loop().remove_reader(self._held)
        self._listening = False
        self._held.close()
        await asyncio.sleep(0)  # what was just accepted gets to its first await, so that it can be cancelled
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self) -> None:
        try:
            accepted, _ = self._held.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it went away again
        except OSError as error:
            self._say(f"sandbox: port {self.port} cannot accept a connection: {error!r}")
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each reply would take 40 ms longer without
        task = asyncio.get_running_loop().create_task(self._connection(accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, accepted: socket.socket) -> None:
        """Serve one connection until either side ends it."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._serve(Wire(reader, writer))
        except Cut as cut:
            if cut.reset:
                reset(writer)
        except asyncio.CancelledError:
            reset(writer)
            raise
        except (OSError, h11.ProtocolError) as gone:
            self._say(f"sandbox: port {self.port}: the client hung up or does not speak HTTP: {gone!r}")
        finally:
            writer.close()
        with suppress(OSError):  # a reset by the client, which is one way to close
            await self._drained(writer)

    async def _drained(self, writer: asyncio.StreamWriter) -> None:
        """Wait until the last bytes have gone; when the sandbox closes meanwhile, they need not."""
        try:
            await writer.wait_closed()
        except asyncio.CancelledError:
            reset(writer)
            raise


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a TCP reset instead of a FIN."""
    held = writer.get_extra_info("socket")
    if held is not None and held.fileno() >= 0:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
