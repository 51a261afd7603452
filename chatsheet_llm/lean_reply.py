"""Read one HTTP/1.1 reply out of bytes, as they come.  Does no I/O, and takes nothing that comes after the reply."""

from __future__ import annotations

import httptools
import httpx2

HEAD_BYTES = 100 * 1024
"""The longest head of a reply, with what is but information before it; after it, what may come without content."""
_VERSIONS = {"1.0": b"HTTP/1.0", "1.1": b"HTTP/1.1"}
_FRAMES = {b"content-length", b"transfer-encoding"}
_UNSAID = b"\0\r\v\f"
"""What may not stand beside the status."""
_DIGITS = 20
"""The most that a Content-Length may have, as the HTTP library has it."""


class Reply:
    """A reply that is being read.  Those methods that begin with ``on_`` are the parser's."""

    __slots__ = (
        "_chunks", "_frames", "_informal", "_keep", "_parser", "_quiet", "_wordless", "_wrong", "begun", "complete",
        "headers", "held", "reason", "status", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        parser = httptools.HttpResponseParser(self)
        # Servers in the wild give a length beside chunks, end lines of the head without a carriage return, close with
        # what is but information, and write spaces after the size of a chunk.
        parser.set_dangerous_leniencies(
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_keep_alive=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._parser: httptools.HttpResponseParser | None = parser
        self._chunks: list[bytes] = []
        self._quiet = 0
        self._informal = self._keep = self._wordless = False
        self._frames: set[bytes] = set()
        self._wrong: str | None = None
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
        if not self._quiet and not self.begun and not data.startswith(b"H"):
            # The parser would pass over blank lines, and take protocols that are written alike; as it still does behind
            # what is but information.
            raise httpx2.RemoteProtocolError("the reply is no HTTP/1.1: it does not begin with HTTP/")
        room = HEAD_BYTES - self._quiet
        if not self.begun and len(data) > room:
            # No further than a head may reach: what is refused does not hang on how the bytes were cut.
            self._parse(self._parser, data[:room])
            if not self.begun:
                raise httpx2.RemoteProtocolError("the head of the reply is too long")
            data = data[room:]
        self._parse(self._parser, data)
        if self.complete:
            self.drop()
        elif self._quiet > HEAD_BYTES:
            raise httpx2.RemoteProtocolError("what frames the body of the reply is too long")

    def end(self) -> None:
        """Take the end of the connection.  Raises RemoteProtocolError where it cuts the reply short."""
        if self.complete:
            return
        if not self.begun:
            raise httpx2.RemoteProtocolError("the server disconnected without sending a reply")
        if self._frames:
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
            self.headers.append((name, value))
        elif not self.complete and name.lower() in _FRAMES:
            self._refuse("a header that frames the body comes after it")

    def on_headers_complete(self) -> None:
        """Judge the head."""
        if self._parser is None or self.complete:
            return
        status = self._parser.get_status_code()
        framed = [(name.lower(), value) for name, value in self.headers if name.lower() in _FRAMES]
        wrong = _wrong(status, self.reason, framed)
        if wrong is not None:
            self._refuse(wrong)
        if status < 200:
            self._informal = True
            return
        self.headers = [(name, value.rstrip(b" \t")) for name, value in self.headers]
        self._frames = {name for name, _ in framed}
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=False)
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

    def _parse(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        self._quiet += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._keep = False
            if not self.complete:
                raise httpx2.RemoteProtocolError(f"the reply is no HTTP/1.1: {self._wrong or error}") from error

    def _refuse(self, why: str) -> None:
        # What a callback raises, the parser does not hand on.
        self._wrong = why
        raise ValueError(why)

    def _end(self) -> None:
        self.complete = True
        # Where a length stands beside chunks, what follows may be meant for somebody else.
        self._keep = (
            self._parser is not None
            and self._parser.should_keep_alive()
            and self.version == b"HTTP/1.1"
            and self._frames != _FRAMES
        )


def _wrong(status: int, reason: bytes, framed: list[tuple[bytes, bytes]]) -> str | None:
    """Return what makes a head that of no reply, or None."""
    if status < 100:
        return f"there is no status {status:03}"
    if status == 101:
        return "the server goes over to another protocol, which nobody proposed"
    if 103 < status < 200 and framed:
        # Of those it does not know, the parser would take a body for that of the reply.
        return f"what is but information has a body: {status}"
    if len(reason.translate(None, _UNSAID)) != len(reason):
        return "a control character stands beside the status"
    # With a tab after it, the parser would not know it.
    codings = [value.rstrip(b" ").lower() for name, value in framed if name == b"transfer-encoding"]
    if codings not in ([], [b"chunked"]):
        return "the only Transfer-Encoding is chunked"
    if any(len(value.strip()) > _DIGITS for name, value in framed if name == b"content-length"):
        return "the Content-Length is too long"
    return None
