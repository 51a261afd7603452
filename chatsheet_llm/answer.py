"""A hop's answer on its way to the caller: its bytes or its events, and the response that the SDK makes of them.

Judges nothing: what stands here has been found to be an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx2

from chatsheet_llm import sdk
from chatsheet_llm.streams import AsyncBody, SyncBody
from chatsheet_llm.trail import Trail

JSON = "application/json"
EVENTS = "text/event-stream"
_NOT_OURS = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "set-cookie", "trailer"}
)
"""Headers of the hop's reply that are not true of the bytes we hand on."""


@dataclass(slots=True)
class Answer:
    """What a hop has answered, in the caller's format.

    ``hop`` is its own response; ``body`` what the caller gets instead of its bytes, of the media type ``kind``, or None
    where they are handed on as they are.  ``marker`` is the SDK's for a raw or streaming response.
    """

    hop: httpx2.Response
    trail: Trail
    marker: str | None
    body: bytes | httpx2.SyncByteStream | httpx2.AsyncByteStream | None = None
    kind: str = JSON
    _made: httpx2.Response | None = field(init=False, default=None)
    _closed: bool = field(init=False, default=False)

    @property
    def events(self) -> SyncBody | AsyncBody | None:
        """The stream, where it can be read event by event."""
        return self.body if isinstance(self.body, (SyncBody, AsyncBody)) else None

    @property
    def stream(self) -> httpx2.SyncByteStream | httpx2.AsyncByteStream:
        """The bytes that the caller gets, as a stream."""
        body = self.body
        return httpx2.ByteStream(body) if isinstance(body, bytes) else self.hop.stream if body is None else body

    @property
    def request_id(self) -> str | None:
        """The id that the SDK puts on its objects."""
        return self.hop.headers.get("x-request-id")

    @property
    def response(self) -> httpx2.Response:
        """The response that the SDK reads; always the same."""
        made = self._made
        if made is None:
            if self.body is None:
                sdk.mark(self.hop, marker=self.marker, route=self.trail.route)
                made = self.hop
            else:
                headers = {name: value for name, value in self.hop.headers.items() if name.lower() not in _NOT_OURS}
                made = sdk.response_for(
                    status=self.hop.status_code,
                    headers={**headers, "content-type": self.kind},
                    body=self.body,
                    url=str(self.hop.request.url),
                    marker=self.marker,
                    route=self.trail.route,
                    seconds=self.trail.route().seconds,
                )
            self._made = made
        events = self.events
        if events is not None:
            # As the SDK's own, which is read through.
            made.is_stream_consumed |= events.begun
            made.is_closed |= self._closed
        return made

    def close(self) -> None:
        """Give the connection back, where it is read or nobody wants it any more."""
        self._closed = True
        (self.body if isinstance(self.body, httpx2.SyncByteStream) else self.hop).close()
        if self._made is not None:
            self._made.close()

    async def aclose(self) -> None:
        """Give the connection back, as an asynchronous client does."""
        self._closed = True
        await (self.body if isinstance(self.body, httpx2.AsyncByteStream) else self.hop).aclose()
        if self._made is not None:
            await self._made.aclose()
