"""Read one HTTP/1.1 reply out of bytes, as they come.  Does no I/O, and takes nothing that comes after the reply."""

from __future__ import annotations

import httptools
import httpx2

HEAD_BYTES = 100 * 1024
"""The longest head of a reply, and the longest stretch without any content after it."""
_VERSIONS = {"1.0": b"HTTP/1.0", "1.1": b"HTTP/1.1"}
_FRAMES = {b"content-length", b"transfer-encoding"}


class Reply:
    """A reply that is being read.  Those methods that begin with ``on_`` are the parser's."""

    __slots__ = (
        "_chunks", "_informal", "_keep", "_parser", "_quiet", "_wordless", "begun", "complete", "headers", "held",
        "reason", "status", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        parser = httptools.HttpResponseParser(self)
        # Servers in the wild give a length beside chunks, and end lines without a carriage return.
        parser.set_dangerous_leniencies(lenient_chunked_length=True, lenient_optional_cr_before_lf=True)
        self._parser: httptools.HttpResponseParser | None = parser
        self._chunks: list[bytes] = []
        self._quiet = 0
        self._informal = self._keep = self._wordless = False
        self.headers: list[tuple[bytes, bytes]] = []
        self.status, self.version, self.reason = 0, b"", b""
        self.begun = False
        """Whether the head is here."""
        self.complete = False
        self.held = 0
        """Bytes of content that nobody has taken yet."""

    @property
    def keeps(self) -> bool:
        """Whether the connection may serve another request: the reply is over, and nothing came after it."""
        return self.complete and self._keep

    def has_no_body(self) -> None:
        """Hear that the head is all there will be: the request was HEAD."""
        self._wordless = True

    def feed(self, data: bytes) -> None:
        """Take bytes.  Raises RemoteProtocolError for what is no reply; what came before stays to be taken."""
        if self._parser is None:
            self._keep = False
            return
        self._quiet += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end()
        except httptools.HttpParserError as error:
            self._keep = False
            if not self.complete:
                raise httpx2.RemoteProtocolError(f"the reply is no HTTP/1.1: {error}") from error
        if self.status == 101:
            raise httpx2.RemoteProtocolError("the server goes over to another protocol, which nobody proposed")
        if self.complete:
            self.drop()
        elif self._quiet > HEAD_BYTES:
            raise httpx2.RemoteProtocolError("the head of the reply, or what frames its body, is too long")

    def end(self) -> None:
        """Take the end of the connection.  Raises RemoteProtocolError where it cuts the reply short."""
        if self.complete:
            return
        if not self.begun:
            raise httpx2.RemoteProtocolError("the server disconnected without sending a reply")
        if not _FRAMES.isdisjoint(name.lower() for name, _ in self.headers):
            raise httpx2.RemoteProtocolError("the server disconnected before its reply was complete")
        self._end()

    def taken(self) -> bytes:
        """Return the content that has come since the last time."""
        chunks, self._chunks, self.held = self._chunks, [], 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def drop(self) -> None:
        """Let go of the parser, which holds on to the reply."""
        self._parser = None

    def on_message_begin(self) -> None:
        """Begin a reply; where one is over already, nobody asked for another."""
        if self.complete:
            self._keep = False

    def on_status(self, reason: bytes) -> None:
        """Take the words beside the status, or a part of them."""
        if not self.begun:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; of those that come after the body, none."""
        if not self.begun:
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Judge the head."""
        if self._parser is None or self.complete:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self.status, self._informal = status, True
            return
        # What was fed may hold a part of the body, too.
        if self._quiet > HEAD_BYTES and self._length() > HEAD_BYTES:
            return
        version = self._parser.get_http_version()
        self.version = _VERSIONS.get(version) or b"HTTP/" + version.encode("ascii")
        self.status, self.begun, self._quiet = status, True, 0
        if self._wordless:
            self._end()

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.complete:
            self._keep = False
            return
        self._chunks.append(data)
        self.held += len(data)
        self._quiet = 0

    def on_message_complete(self) -> None:
        """End the reply; what was but information leads to another one."""
        if self._informal:
            self._informal, self.headers, self.reason = False, [], b""
        elif self._parser is not None and not self.complete:
            self._end()

    def _length(self) -> int:
        return len(self.reason) + sum(len(name) + len(value) for name, value in self.headers)

    def _end(self) -> None:
        self.complete = True
        # Where a length stands beside chunks, what follows may be meant for somebody else.
        self._keep = (
            self._parser is not None
            and self._parser.should_keep_alive()
            and self.version == b"HTTP/1.1"
            and not _FRAMES.issubset(name.lower() for name, _ in self.headers)
        )
