"""HTTP/1.1 over one connection: h11 keeps the rules, asyncio moves the bytes.  Knows no role and no fault."""

from __future__ import annotations

import asyncio

import h11

from chatsheet_llm.sandbox.exchange import Reply

_CHUNK = 64 * 1024
_MAX_HEADERS = 256 * 1024


class Cut(Exception):
    """The connection ends here; ``reset`` says whether by a TCP reset or by a FIN."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("reset" if reset else "closed")
        self.reset = reset


class Wire:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEADERS)

    async def request(self) -> tuple[h11.Request, bytes] | None:
        """Return the next request and its body, or None when the client has no more."""
        head: h11.Request | None = None
        content: list[bytes] = []
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                self._http.receive_data(await self._reader.read(_CHUNK))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                content.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return head, b"".join(content)
            else:
                return None

    async def head(self, reply: Reply) -> None:
        """Send the status and headers; a stream is chunked, a body has its length."""
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in reply.headers]
        if reply.events is None:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        await self._send(h11.Response(status_code=reply.status, headers=headers))

    async def data(self, content: bytes) -> None:
        """Send a part of the body."""
        if content:
            await self._send(h11.Data(data=content))

    async def end(self) -> None:
        """Send the end of the body."""
        await self._send(h11.EndOfMessage())

    def reusable(self) -> bool:
        """Return whether the connection can carry another request, and make it ready for that."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        return False

    async def hangup(self) -> None:
        """Return when the client has gone."""
        while await self._reader.read(_CHUNK):
            pass

    async def _send(self, event: h11.Event) -> None:
        raw = self._http.send(event)
        if raw:
            self._writer.write(raw)
            await self._writer.drain()
