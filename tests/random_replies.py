"""Random replies of a server, byte by byte: most are well-formed, the others have one or two things wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Sent:
    """What a server sends as answer to a request, in which pieces, and whether it closes then."""

    method: str
    pieces: tuple[bytes, ...]
    closes: bool


LINES = (b"HTTP/1.1 200 OK",) * 12 + (
    b"HTTP/1.1 201 Created", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 404 Not Found",
    b"HTTP/1.1 429 ", b"HTTP/1.1 500", b"HTTP/1.1 999 Odd", b"HTTP/1.0 200 OK", b"HTTP/1.1 200 caf\xc3\xa9",
)  # fmt: skip
WRONG_LINES = (
    b"HTTP/1.1 099 OK", b"HTTP/1.1 000", b"HTTP/1.1 1000 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 OK", b"HTTP/1.1  200 OK",
    b"HTTP/1.1 200 a\0b", b"HTTP/1.1 200 a\vb", b"HTTP/1.1 101 Other", b"RTSP/1.0 200 OK", b"ICE/1.0 200 OK",
    b"http/1.1 200 OK", b"HTTP/1 200 OK", b"\r\nHTTP/1.1 200 OK", b"\nHTTP/1.1 200 OK", b" HTTP/1.1 200 OK",
    b"HTTP/1.1\t200 OK", b"HTTP/1.2 200 OK", b"HTTP/3.0 200 OK", b"HTTP/1.1 200OK",
)  # fmt: skip
EARLY = (
    b"HTTP/1.1 100 Continue", b"HTTP/1.1 102 Processing", b"HTTP/1.1 103 Early Hints\r\nLink: </x>", b"HTTP/1.0 100",
    b"HTTP/1.1 103 Early Hints\r\nContent-Length: 3", b"HTTP/1.1 100 Continue\r\nConnection: close",
    b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked", b"HTTP/1.1 199 Odd",
)  # fmt: skip
WRONG_EARLY = (
    b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: gzip", b"HTTP/1.1 100 Continue\r\nContent-Length: x",
    b"HTTP/1.1 101 Other\r\nUpgrade: h2c\r\nConnection: upgrade", b"HTTP/1.1 199 Odd\r\nContent-Length: 3",
)  # fmt: skip
HEADERS = (
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT", b"X-A: one  two", b"X-A: ", b"X-A:", b"x_b!:\t1 ", b"Connection: close",
    b"Connection: keep-alive", b"X-D: 1", b"X-D: 2", b"Upgrade: h2c", b"X-C: caf\xc3\xa9",
    b"X-Content-Length: 1", b"X-Long: " + b"a" * 3000, b"Content-Type: application/json",
)  # fmt: skip
WRONG_HEADERS = (
    b"X-A", b"X A: 1", b"X-A : 1", b": 1", b" X-A: 1", b"X-A: a\0b", b"X-A: a\rb", b"X-A: a\vb", b"X-A: a\x01b",
    b"X-\xc3\xa9: 1", b"Content-Length : 3", b"X-A: one\r\n two",
)  # fmt: skip
CODINGS = (
    b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"", b"xchunked", b"chunkedx",
    b"chunked;q=1", b"chunked\t", b"chun ked", b"chunked,", b"\"chunked\"", b"chunked\r\nTransfer-Encoding: chunked",
)  # fmt: skip
LENGTHS = (
    b"+%d", b"-%d", b"%d,%d", b"%d, 1%d", b"", b"0x%d", b"%d.0", b"1 %d", b"1%d", b"9999999999999999999999", b"%d;",
    b"0" * 30 + b"%d", b"%d\r\nContent-Length: %d", b"%d\r\nContent-Length: 9%d",
)  # fmt: skip
SIZES = (
    b"0x%x", b"+%x", b"-%x", b" %x", b"", b"g", b"1%x", b"f" * 17, b"%x_", b"%x\n", b"%x;a\n", b"%x;a=\"b\r\n\"",
    b"%x; a=b",
)  # fmt: skip
TRAILERS = (b"Transfer-Encoding: gzip", b"Content-Length: x", b"X-A", b"X-A : 1", b"X-A: \0", b"Content-Length: 9")


def _filled(form: bytes, number: int) -> bytes:
    return form % ((number,) * form.count(b"%"))


def _chunks(chance: random.Random, body: bytes, wrong: str) -> bytes:
    told, at = [], 0
    while at < len(body):
        size = chance.randint(1, len(body) - at)
        form = chance.choice((b"%x", b"%x", b"%X", b"0%x", b"%x;a=b", b"%x;a", b"%x  "))
        told.append([_filled(form, size) + b"\r\n", body[at : at + size], b"\r\n"])
        at += size
    if told and wrong == "size":
        piece = chance.choice(told)
        piece[0] = _filled(chance.choice(SIZES), len(piece[1])) + b"\r\n"
    if told and wrong == "foot":
        chance.choice(told)[2] = chance.choice((b"\n", b"", b"\r", b"x\r\n", b"\n\r"))
    trailer = chance.choice((b"", b"", b"", b"X-After: 1\r\n"))
    if wrong == "trailer":
        trailer = chance.choice(TRAILERS) + b"\r\n"
    return (
        b"".join(b"".join(piece) for piece in told)
        + chance.choice((b"0", b"00", b"0;a=b"))
        + b"\r\n"
        + trailer
        + b"\r\n"
    )


def _bytes(chance: random.Random) -> bytes:
    body = bytes(chance.choice(b"abc\r\n0:H{") for _ in range(chance.choice((0, 1, 3, 10, 40, 300))))
    wrong = chance.choice(
        ("", "", "", "line", "early", "header", "frame", "frame", "size", "foot", "trailer", "byte", "cut")
    )
    framed = chance.choice(("length", "chunks", "chunks", "both", "end"))
    if wrong in ("size", "foot", "trailer"):
        framed = "chunks"
    headers = [chance.choice(HEADERS) for _ in range(chance.randint(0, 4))]
    if framed in ("length", "both"):
        form = chance.choice(LENGTHS) if wrong == "frame" else chance.choice((b"%d", b"0%d", b"%d "))
        headers.append(chance.choice((b"Content-Length: ", b"content-length:")) + _filled(form, len(body)))
    if framed in ("chunks", "both"):
        coding = chance.choice(CODINGS) if wrong == "frame" else chance.choice((b"chunked", b"Chunked", b"chunked  "))
        headers.append(chance.choice((b"Transfer-Encoding: ", b"TRANSFER-ENCODING:")) + coding)
    if wrong == "header":
        headers.append(chance.choice(WRONG_HEADERS))
    chance.shuffle(headers)
    early = [chance.choice(EARLY) for _ in range(chance.choice((0, 0, 0, 1, 2)))]
    if wrong == "line":
        # Behind what is but information, our parser passes over blank lines and takes what is written alike.
        early.clear()
    if wrong == "early":
        early.append(chance.choice(WRONG_EARLY))
    line = chance.choice(WRONG_LINES if wrong == "line" else LINES)
    end = chance.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))
    head = b"".join(each + b"\r\n\r\n" for each in early) + end.join((line, *headers, b"", b""))
    told = bytearray(head + (_chunks(chance, body, wrong) if framed in ("chunks", "both") else body))
    if wrong == "cut":
        del told[chance.randint(0, len(told)) :]
    if wrong == "byte":
        # Not into what is but information: what then follows may be a second reply, or none.
        at = chance.randrange(len(told) - len(head), len(told))
        told[at : at + chance.randint(0, 1)] = bytes([chance.choice(b"\0\t\n :;,09az\x7f\xff")])
    return bytes(told)


def sent(seed: int) -> Sent:
    """A reply, the same for the same seed."""
    chance = random.Random(seed)
    told = _bytes(chance)
    cuts = [chance.randint(0, len(told)) for _ in range(chance.choice((0, 0, 1, 3, 9)))]
    if len(told) < 500 and chance.random() < 0.1:
        cuts = list(range(len(told)))
    at = sorted({0, *cuts, len(told)})
    pieces = tuple(told[start:end] for start, end in pairwise(at))
    return Sent(chance.choice(("GET", "POST", "POST", "HEAD")), pieces, chance.random() < 0.5)
