"""Run a case over real sockets, against fault servers, with either client.  Only waits are over at once."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from fault_server import FAULTS, Certificates, Fault, FaultServer, Reply
from vectors.playing import aplay, play, undisturbed
from vectors.replies import told, well
from vectors.schema import AT_PROXY, Attempt, Case
from vectors.stage import Skewed, Stage, settings_of, url_of, wrongs

from chatsheet_llm import AsyncChatClient, ChatClient, Settings
from chatsheet_llm.steps import Send

SLACK = 0.6
"""Seconds that a true clock may add."""
_DRIP = 0.02
_UNRESOLVED = {
    "dns": (socket.EAI_NONAME, "Name or service not known"),
    "dns_busy": (socket.EAI_AGAIN, "Temporary failure in name resolution"),
}


class Theatre:
    """The fault servers of one case: one for each endpoint of its chain, and one for each proxy."""

    def __init__(self, case: Case, attempts: Sequence[Attempt], certificates: Certificates, stack: ExitStack) -> None:
        given = case.given
        stages = {FAULTS[made.fault].stage for made in attempts if made.fault is not None and made.fault in FAULTS}
        self._given = given
        self._secure = certificates if stages & {"tls", "connect"} else None
        self.ca = certificates.ca if self._secure else None
        names = dict.fromkeys(entry.partition("/")[0] for entry in given.chain)
        proxies = dict.fromkeys(given.proxies.values())
        self._servers = {name: stack.enter_context(self._server(self._secure, name)) for name in names}
        self._proxies = {name: stack.enter_context(self._server(None, name)) for name in proxies}
        self.stage = Stage(case, attempts, Skewed(), sending=self._sending)

    def _server(self, certificates: Certificates | None, name: str) -> FaultServer:
        return FaultServer(answer=_answer, certificates=certificates, name=name)

    @property
    def urls(self) -> dict[str, str]:
        """The base URLs of the endpoints."""
        scheme = "https" if self._secure else "http"
        return {name: url_of(name, f"{scheme}://{name}.test:{server.port}") for name, server in self._servers.items()}

    @property
    def proxies(self) -> dict[str, str]:
        """The URLs of the proxies."""
        return {name: server.url for name, server in self._proxies.items()}

    def _sending(self, step: Send) -> None:
        """Set up the server that will hear of this send, and let all others be well."""
        name, attempt = step.hop.endpoint, self.stage.attempt
        to = self._proxies[self._given.proxies[name]] if name in self._given.proxies else self._servers[name]
        for server in (*self._servers.values(), *self._proxies.values()):
            server.set(_fault_of(attempt, step.timeout) if server is to else None)

    def resolve(self, host: str, port: int, *rest: object, **more: object) -> list[object]:
        """Resolve the names of endpoints to this machine, unless that is what shall go wrong."""
        attempt = self.stage.attempt
        if attempt is not None and attempt.fault in _UNRESOLVED:
            raise socket.gaierror(*_UNRESOLVED[attempt.fault])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def _answer(path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    return well(path, json.loads(body))


def _fault_of(attempt: Attempt | None, timeout: float) -> Fault | Reply | None:
    if attempt is None or attempt.fault in _UNRESOLVED:
        return None
    if attempt.fault is None:
        return told(attempt)
    seconds = _DRIP if attempt.fault == "drip" else attempt.seconds
    rate = 20_000.0 if attempt.fault == "bandwidth" else 1024.0
    return Fault(AT_PROXY.get(attempt.fault, attempt.fault), after=attempt.after, seconds=seconds, rate=rate)


@contextmanager
def _surroundings(theatre: Theatre) -> Iterator[None]:
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: object, **more: object) -> object:
        if str(host).endswith(".test"):
            return theatre.resolve(host, port, *rest, **more)
        return real(host, port, *rest, **more)  # type: ignore[arg-type]

    with undisturbed(), patch.object(socket, "getaddrinfo", resolve):
        yield


def run(
    case: Case, attempts: Sequence[Attempt], kind: str | None, *, asynchronous: bool, certificates: Certificates
) -> list[str]:
    """Run a case; return what was not as expected."""
    with ExitStack() as stack:
        theatre = Theatre(case, attempts, certificates, stack)
        more = {"ca_bundle": str(theatre.ca)} if theatre.ca else {}
        settings = settings_of(case.given, theatre.urls, theatre.proxies, **more)
        stack.enter_context(_surroundings(theatre))
        error, answer = asyncio.run(_arun(theatre, settings)) if asynchronous else _run(theatre, settings)
    return wrongs(theatre.stage, error, answer, kind, SLACK)


def _run(theatre: Theatre, settings: Settings) -> tuple[BaseException | None, object]:
    with ChatClient(settings, max_retries=theatre.stage.given.budget.retries) as client:
        return play(theatre.stage, client)


async def _arun(theatre: Theatre, settings: Settings) -> tuple[BaseException | None, object]:
    async with AsyncChatClient(settings, max_retries=theatre.stage.given.budget.retries) as client:
        return await aplay(theatre.stage, client)
