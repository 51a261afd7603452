"""Refuse what cannot be an answer before it is read: by its status, its encoding, its size.  Reads no body itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

import httpx2

ANSWER_BYTES = 16 * 2**20
"""The largest whole answer of a model.  A stream has its own limits, an event at a time."""
OTHER_BYTES = 256 * 2**20
"""The largest whole reply to anything else: images and embeddings come as long JSON."""
ERROR_BYTES = 2**20
"""How much of an error's body is read; the rest is left."""

_ANSWERS = ("/chat/completions", "/completions", "/responses", "/messages")
"""How the paths end whose replies are a model's answer."""
_DOWNLOADS = ("/content", "/speech")
"""How the paths end whose replies may be as large as they like: the caller's own files."""


class EncodedAnswer(httpx2.DecodingError):
    """A reply in another encoding than ``identity``, the only one that is asked for."""


class AnswerTooLarge(httpx2.ReadError):
    """A whole reply beyond its limit."""


class NoAnswer(httpx2.RemoteProtocolError):
    """A status that says success, and is not 200, to a request that wants an answer."""


class _Bounded(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that ends, or fails, at its limit."""

    def __init__(self, inner: object, most: int, *, fails: bool) -> None:
        self._inner, self._left, self._fails = inner, most, fails
        self._most = most

    def _taken(self, chunk: bytes) -> bytes:
        taken, self._left = chunk[: max(self._left, 0)], self._left - len(chunk)
        if self._left < 0 and self._fails:
            raise AnswerTooLarge(f"the reply is longer than {self._most // 2**20} MiB")
        return taken

    def __iter__(self) -> Iterator[bytes]:
        for chunk in cast("httpx2.SyncByteStream", self._inner):
            yield self._taken(chunk)
            if self._left < 0:
                return

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in cast("httpx2.AsyncByteStream", self._inner):
            yield self._taken(chunk)
            if self._left < 0:
                return

    def close(self) -> None:
        cast("httpx2.SyncByteStream", self._inner).close()

    async def aclose(self) -> None:
        await cast("httpx2.AsyncByteStream", self._inner).aclose()


def bound(response: httpx2.Response) -> None:
    """Put a reply's body within its limits.  Raises EncodedAnswer, NoAnswer; its body raises AnswerTooLarge."""
    status, path = response.status_code, response.request.url.path
    wanted = response.request.method == "POST" and path.endswith(_ANSWERS)
    coding = response.headers.get("content-encoding", "").strip().lower()
    if status >= 300:
        most = ERROR_BYTES
        if coding not in ("", "identity"):
            # The status alone tells enough, and whatever the body unpacks to is not worth the risk.
            del response.headers["content-encoding"]
            most = 0
        response.stream = _Bounded(response.stream, most, fails=False)
        return
    if wanted and status != 200:
        raise NoAnswer(f"HTTP {status}")
    if coding not in ("", "identity"):
        raise EncodedAnswer(f"content-encoding {coding[:20]!r}")
    if "event-stream" not in response.headers.get("content-type", "") and not path.endswith(_DOWNLOADS):
        response.stream = _Bounded(response.stream, ANSWER_BYTES if wanted else OTHER_BYTES, fails=True)


async def bound_async(response: httpx2.Response) -> None:
    """Do the same, as an asynchronous client asks for it."""
    bound(response)
