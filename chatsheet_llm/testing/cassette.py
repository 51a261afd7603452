"""Record and replay the exchanges of the SDKs, through vcrpy.  Decides when to record; what is kept, scrub.py does.

vcrpy stands in for ``handle_request`` of httpx2's transports, above the connection pool: a replay never gets as far as
our network backend, and a recording goes through it as ever.  While replaying, every other way out is shut.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx2
import vcr  # type: ignore[import-untyped]
from vcr.errors import CannotOverwriteExistingCassetteException  # type: ignore[import-untyped]

from chatsheet_llm.testing.misses import CassetteError, CassetteMiss
from chatsheet_llm.testing.shelf import Shelf
from chatsheet_llm.testing.tripwire import no_sockets

Mode = Literal["none", "once", "rewrite"]
"""``none`` replays; ``once`` records what has no cassette yet and replays the rest; ``rewrite`` records anew."""

MATCH_ON = ("method", "host", "path", "query_without_version", "body")
"""The host is the endpoint's name; the API version is kept to be read, but a new one does not make a new request."""


@dataclass(slots=True)
class Cassette:
    """An open cassette.

    ``recording`` tells whether real servers are asked.  ``requests`` are ``"METHOD url"`` of the exchanges replayed or
    recorded so far, in order.
    """

    path: Path
    recording: bool
    requests: list[str] = field(default_factory=list)
    discarded: bool = False

    def discard(self) -> None:
        """Forget what is recorded, and do not ask at the end whether all was played: the test failed anyway."""
        self.discarded = True


@contextlib.contextmanager
def use_cassette(
    path: str | Path,
    mode: Mode = "none",
    *,
    hosts: Mapping[str, str] | None = None,
    sockets: bool = False,
    unplayed: bool = False,
) -> Iterator[Cassette]:
    """Replay the cassette at ``path``, or record it.

    ``hosts`` maps ``host`` or ``host:port`` to the endpoint's name in the cassette, where it is not to be guessed from
    the request.  ``sockets`` allows other connections during a replay.  ``unplayed`` allows that exchanges are left.
    What an exception ends is not written.

    Raises:
        CassetteError: there is no such cassette, or it cannot be read; on leaving: an exchange was not asked for, or
            one that should be recorded had no reply.
        CassetteMiss: a request is not in the cassette (no ``Exception``).
        SocketRefused: something tried to connect during a replay (no ``Exception``).
    """
    path = Path(path)
    if mode not in ("none", "once", "rewrite"):
        raise CassetteError(f"there is no record mode {mode!r}; allowed are none, once and rewrite")
    recording = mode == "rewrite" or (mode == "once" and not path.exists())
    opened = Cassette(path, recording)
    shelf = Shelf(path, hosts or {}, recording=recording)
    plain = _transports()
    with contextlib.ExitStack() as stack:
        tape = stack.enter_context(_vcr(shelf, recording).use_cassette(str(path)))
        shelf.loaded()
        _check_intercepted(plain)
        stack.enter_context(_watched(opened, shelf))
        if not recording and not sockets:
            stack.enter_context(no_sockets(path.name))
        yield opened
    if opened.discarded:
        return
    if recording:
        shelf.save()
    elif not unplayed:
        _check_played(path, tape)


def _vcr(shelf: Shelf, recording: bool) -> Any:
    made = vcr.VCR(
        record_mode="all" if recording else "none",
        match_on=MATCH_ON,
        before_record_request=shelf.request,
        before_record_response=shelf.response,
        decode_compressed_response=True,
    )
    made.register_matcher("query_without_version", query_without_version)
    made.register_persister(shelf)
    return made


def query_without_version(asked: Any, recorded: Any) -> None:
    """Compare two of vcrpy's requests.  Raises AssertionError, as its matchers do."""
    first, second = ([pair for pair in it.query if pair[0] != "api-version"] for it in (asked, recorded))
    if first != second:
        raise AssertionError(f"{first} != {second}")


def _transports() -> tuple[Any, Any]:
    return vars(httpx2.HTTPTransport)["handle_request"], vars(httpx2.AsyncHTTPTransport)["handle_async_request"]


def _set_transports(methods: tuple[Any, Any]) -> None:
    sync, asynchronous = methods
    setattr(httpx2.HTTPTransport, "handle_request", sync)  # noqa: B010  mypy allows no plain assignment
    setattr(httpx2.AsyncHTTPTransport, "handle_async_request", asynchronous)  # noqa: B010


def _check_intercepted(plain: tuple[Any, Any]) -> None:
    if any(now is then for now, then in zip(_transports(), plain, strict=True)):
        version = importlib.metadata.version("vcrpy")
        raise CassetteError(f"vcrpy {version} does not intercept httpx2, so requests would leave; install vcrpy>=8.5")


@contextlib.contextmanager
def _watched(cassette: Cassette, shelf: Shelf) -> Iterator[None]:
    """Note every exchange at the transports, and raise a miss as what no SDK mistakes for a network failure."""
    intercepted = _transports()
    sync, asynchronous = intercepted

    def failed(request: httpx2.Request, error: Exception) -> None:
        if isinstance(error, CannotOverwriteExistingCassetteException):
            raise CassetteMiss(_miss(cassette, shelf.name_of(request), error)) from None
        why = str(error) if isinstance(error, CassetteError) else type(error).__name__
        shelf.unanswered.append(f"{shelf.name_of(request)} had no reply that can be kept ({why})")

    @functools.wraps(sync)
    def handle_request(transport: object, request: httpx2.Request) -> Any:
        with shelf.exchange():
            try:
                response = sync(transport, request)
            except Exception as error:
                failed(request, error)
                raise
        cassette.requests.append(shelf.name_of(request))
        return response

    @functools.wraps(asynchronous)
    async def handle_async_request(transport: object, request: httpx2.Request) -> Any:
        with shelf.exchange():
            try:
                response = await asynchronous(transport, request)
            except Exception as error:
                failed(request, error)
                raise
        cassette.requests.append(shelf.name_of(request))
        return response

    _set_transports((handle_request, handle_async_request))
    try:
        yield
    finally:
        _set_transports(intercepted)


def _miss(cassette: Cassette, asked: str, error: Any) -> str:
    lines = [f"cassette {str(cassette.path)!r} has no reply for {asked} (after {len(cassette.requests)} replayed)"]
    similar = error.cassette.find_requests_with_most_matches(error.failed_request)
    if similar:
        recorded, _, differs = similar[0]
        lines.append(f"the nearest recorded request is {recorded.method} {recorded.uri}")
        lines += [f"  its {name} differs: {str(message or '').strip()}" for name, message in differs]
        if not differs:
            lines.append("  which has been replayed already")
    lines.append("if the request changed on purpose, record it again: pytest --record-mode=rewrite")
    return "\n".join(lines)


def _check_played(path: Path, tape: Any) -> None:
    left = [f"{it.method} {it.uri}" for index, it in enumerate(tape.requests) if not tape.play_counts[index]]
    if left:
        raise CassetteError(
            f"cassette {str(path)!r} holds {len(left)} exchange(s) that were not asked for: {'; '.join(left)}.  "
            "Record it again (--record-mode=rewrite), or say cassette(..., unplayed=True)"
        )
