"""What can go wrong on purpose: the table of faults and their grammar.  Does nothing to any socket."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Literal

FaultName = Literal[
    "none",
    "status",
    "refuse",
    "reset",
    "reset-after-headers",
    "stall",
    "cut",
    "cut-bytes",
    "rst",
    "slow",
    "drip",
    "empty",
    "html",
    "garbage",
    "event-error",
    "failed",
    "content-filter",
    "redirect",
]


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One row of the table: how the fault is written, what its argument is, and what the client gets."""

    name: FaultName
    form: str
    argument: Literal["none", "events", "events?", "seconds", "code", "code?"]
    meaning: str


FAULTS: tuple[FaultRow, ...] = (
    FaultRow("status", "STATUS[:CODE]", "code?", "the HTTP status with the body that the role documents for the code"),
    FaultRow("refuse", "refuse", "none", "connection refused, and open connections reset, until cleared"),
    FaultRow("reset", "reset", "none", "TCP reset after the request was read, before any byte of an answer"),
    FaultRow("reset-after-headers", "reset-after-headers", "none", "200 and headers, then a TCP reset"),
    FaultRow(
        "stall", "stall[:N]", "events?", "no answer at all; with N, silence after N content events or half a body"
    ),
    FaultRow("cut", "cut:N", "events", "a clean end after N content events with no terminal event; half a JSON body"),
    FaultRow("cut-bytes", "cut-bytes:N", "events", "a clean end after N bytes of the body, wherever that is"),
    FaultRow("rst", "rst:N", "events", "a TCP reset after N content events, or after half a JSON body"),
    FaultRow("slow", "slow:SECONDS", "seconds", "that long before the first content event, or before a JSON answer"),
    FaultRow("drip", "drip:SECONDS", "seconds", "the body comes one byte every SECONDS"),
    FaultRow("empty", "empty", "none", "200 with an empty body"),
    FaultRow("html", "html", "none", "200 with the HTML of a login page"),
    FaultRow("garbage", "garbage", "none", "200 with a body, or a first event, that is not JSON"),
    FaultRow("event-error", "event-error:CODE[@N]", "code", "an error event in the stream, after N content events (0)"),
    FaultRow("failed", "failed:CODE[@N]", "code", "Responses: response.failed with the code; elsewhere as event-error"),
    FaultRow("content-filter", "content-filter", "none", "the answer is cut by the content filter after some text"),
    FaultRow("redirect", "redirect", "none", "307 to the same path on another origin (the next role of the sandbox)"),
)
"""Every fault the sandbox knows.  What is not streamed gets the status of the code instead of an error event."""

_HEADERS = re.compile(r"(retry-after|retry-after-ms|x-[a-z0-9-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    ``after`` counts content events (bytes for ``cut-bytes``), ``seconds`` is in seconds, ``times`` is how many requests
    it hits (None: until cleared), ``headers`` go on the answer.
    """

    name: FaultName
    status: int | None = None
    code: str | None = None
    after: int | None = None
    seconds: float | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())
    times: int | None = None

    def __str__(self) -> str:
        head = str(self.status) if self.name == "status" else self.name
        argument = self.code if self.code is not None else self.seconds if self.seconds is not None else self.after
        written = head if argument is None else f"{head}:{argument}"
        if self.code is not None and self.after:
            written += f"@{self.after}"
        options = [*self.headers, *([("times", str(self.times))] if self.times is not None else [])]
        return ";".join([written, *(f"{name}={value}" for name, value in options)])


def fault_help() -> str:
    """Return the table of faults as text, one line each."""
    width = max(len(row.form) for row in FAULTS)
    return "\n".join(f"{row.form:<{width}}  {row.meaning}" for row in FAULTS)


def parse_fault(spec: str) -> Fault:
    """Return the fault that a text such as ``429;retry-after=2``, ``cut:3`` or ``400:content_filter`` names.

    Options follow after ``;``: ``retry-after=S``, ``retry-after-ms=MS``, ``x-ANY-HEADER=VALUE`` (response headers) and
    ``times=N``.  Raises ValueError, with the forms that are allowed, for anything else.
    """
    head, *options = (part.strip() for part in spec.split(";"))
    fault = _parse_head(head, spec)
    headers: list[tuple[str, str]] = []
    for option in options:
        name, equals, value = (part.strip() for part in option.partition("="))
        if name == "times" and value.isdecimal() and int(value) > 0:
            fault = replace(fault, times=int(value))
        elif equals and _HEADERS.fullmatch(name) and value.isprintable() and value.isascii():
            headers.append((name.lower(), value))
        else:
            raise ValueError(
                f"fault {spec!r} has the option {option!r}; allowed are retry-after=SECONDS, retry-after-ms=MS, "
                "x-HEADER=VALUE and times=N (1 or more)"
            )
    return replace(fault, headers=tuple(headers))


def _parse_head(head: str, spec: str) -> Fault:
    name, colon, argument = head.partition(":")
    if name.isdecimal():
        if not 200 <= int(name) <= 599 or (colon and not argument):
            raise ValueError(f"fault {spec!r}: a status is 200 to 599, and a CODE may follow it (400:content_filter)")
        return Fault("status", status=int(name), code=argument or None)
    row = next((row for row in FAULTS if row.name == name), None)
    if row is None or row.name == "status":
        raise ValueError(f"fault {spec!r} is not known; allowed are:\n{fault_help()}")
    wrong = ValueError(f"fault {spec!r} is not of the form {row.form!r}: {row.meaning}")
    kind = row.argument
    if not argument:
        if colon or kind not in ("none", "events?"):
            raise wrong
        return Fault(row.name)
    if kind == "none":
        raise wrong
    if kind in ("events", "events?"):
        if not argument.isdecimal():
            raise wrong
        return Fault(row.name, after=int(argument))
    if kind == "seconds":
        return Fault(row.name, seconds=_seconds(argument, wrong))
    code, at, count = argument.partition("@")
    if not code or (at and not count.isdecimal()):
        raise wrong
    return Fault(row.name, code=code, after=int(count) if at else 0)


def _seconds(argument: str, wrong: ValueError) -> float:
    try:
        seconds = float(argument)
    except ValueError:
        raise wrong from None
    if not math.isfinite(seconds) or seconds < 0:
        raise wrong
    return seconds
