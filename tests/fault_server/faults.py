"""The faults by name, as a table, and how they are written.  Does nothing to any socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

Stage = Literal["port", "tls", "connect", "request", "answer", "bytes"]
"""Where it strikes: the listening port, the TLS handshake, a CONNECT, in place of an answer, within one, its bytes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where the fault strikes, the fields of `Fault` that it takes, and what the client meets."""

    stage: Stage
    takes: Sequence[str]
    meaning: str


FAULTS: Mapping[str, Row] = {
    # toxiproxy's
    "down": Row("port", (), "connections are refused"),
    "latency": Row("bytes", ("seconds", "jitter"), "every piece of the answer comes later"),
    "bandwidth": Row("bytes", ("rate",), "no more than so many bytes a second"),
    "slow_close": Row("bytes", ("seconds",), "the connection is closed later"),
    "timeout": Row("bytes", ("seconds",), "no byte comes; closed after that time, 0 for never"),
    "reset_peer": Row("bytes", ("seconds",), "a TCP reset in place of an answer, after that time"),
    "slicer": Row("bytes", ("size", "seconds"), "the answer comes in pieces of that size, with pauses"),
    "limit_data": Row("bytes", ("after",), "closed after so many bytes"),
    # toxiproxy lacks
    "blackhole": Row("port", (), "connections are never answered"),
    "tls_expired": Row("tls", (), "the certificate has expired"),
    "tls_unknown_ca": Row("tls", (), "the certificate is of an unknown authority"),
    "tls_wrong_host": Row("tls", (), "the certificate is for another host"),
    "tls_stall": Row("tls", (), "the handshake is never answered"),
    "tls_reset": Row("tls", (), "the handshake is answered with a TCP reset"),
    "connect_407": Row("connect", (), "a proxy wants other credentials"),
    "connect_403": Row("connect", (), "a proxy forbids it"),
    "connect_502": Row("connect", (), "a proxy cannot connect"),
    "connect_504": Row("connect", (), "a proxy gets no connection in time"),
    "early_413": Row("request", (), "413 while the request is still being sent"),
    "close": Row("request", (), "the connection is closed in place of an answer"),
    "keepalive_race": Row("request", (), "a connection that was used before is reset as the next request comes"),
    "non_http": Row("request", (), "bytes that are no HTTP"),
    "html_200": Row("request", (), "200 with the page of a login"),
    "empty_200": Row("answer", (), "200 with an empty body"),
    "no_content": Row("request", (), "204"),
    "redirect": Row("request", ("location",), "307 to that URL"),
    "headers_then_timeout": Row("answer", (), "headers, and then nothing"),
    "headers_then_reset": Row("answer", (), "headers, and then a TCP reset"),
    "short_length": Row("answer", ("after",), "a body shorter than its Content-Length"),
    "bad_chunk": Row("answer", ("after",), "a chunk of no length"),
    "oversized": Row("answer", (), "a body of 17 MiB"),
    "large_event": Row("answer", (), "a stream with an event of 2 MiB"),
    "gzip_bad": Row("answer", (), "gzip that is none"),
    "gzip_truncated": Row("answer", (), "gzip without its end"),
    "gzip_bomb": Row("answer", (), "a small gzip of 40 MiB"),
    "drip": Row("bytes", ("seconds",), "one byte at a time, with pauses"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.  ``after`` and ``size`` are bytes, ``rate`` bytes a second.  Raises ValueError for one not known."""

    name: str
    after: int = 0
    seconds: float = 0.0
    jitter: float = 0.0
    size: int = 1
    rate: float = 1024.0
    location: str = "http://elsewhere.test/"

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(f"no fault {self.name!r}; there are {', '.join(FAULTS)}")

    @property
    def stage(self) -> Stage:
        """Where it strikes."""
        return FAULTS[self.name].stage


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, given in place of the upstream's.  ``ending``: of a body in chunks, as streams are sent."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ending: Literal["whole", "end", "close", "reset", "silence"] = "whole"


def parse(text: str) -> Fault:
    """Return the fault that a text such as ``limit_data after=20`` names.  Raises ValueError for anything else."""
    name, *options = text.split()
    made = Fault(name)
    given: dict[str, object] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or key not in FAULTS[name].takes:
            takes = ", ".join(FAULTS[name].takes) or "nothing"
            raise ValueError(f"fault {name!r} takes {takes}, not {option!r}")
        kind = next(item.type for item in fields(made) if item.name == key)
        given[key] = {"int": int, "float": float}.get(str(kind), str)(value)
    return Fault(name, **given)  # type: ignore[arg-type]
