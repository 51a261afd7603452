"""The sandbox: its sockets, its thread, and what can be asked of it from outside.  Decides no answer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TypeVar

from typing_extensions import Self

from chatsheet_llm.sandbox.board import ROLES, Board, check_label, made_fault, role_of
from chatsheet_llm.sandbox.bodies import RoleName
from chatsheet_llm.sandbox.exchange import Received
from chatsheet_llm.sandbox.faults import Fault
from chatsheet_llm.sandbox.listener import Listener
from chatsheet_llm.sandbox.roles import DEPLOYMENTS
from chatsheet_llm.sandbox.routes import route
from chatsheet_llm.sandbox.serve import NO_FAULT, perform
from chatsheet_llm.sandbox.shapes import Json
from chatsheet_llm.sandbox.sockets import bind_all, loopback
from chatsheet_llm.sandbox.stock import World
from chatsheet_llm.sandbox.wire import Wire

API_KEY = "sandbox-key"
"""The key that every role accepts unless told otherwise."""

_T = TypeVar("_T")


class Sandbox:
    """A loopback HTTP server that speaks LiteLLM, Azure OpenAI, OpenAI and Anthropic, and fails on demand.

    ``port`` 0 takes four free ports; any other takes four in a row: litellm, azure, openai, anthropic.  ``faults`` maps
    hop labels (``"litellm"``, ``"azure/chat"``) to faults or their text.  ``pace`` is the time between the events of a
    stream in seconds.  ``deployments`` are Azure's (names, or name -> base model), ``models`` those of the other roles
    (None: any name is served).  ``quirks=False`` leaves out what only Azure adds to a reply.  ``log`` gets one line for
    each request, without its content; nothing is printed.

    Raises ValueError for a host that is not loopback, a label or a fault that does not exist; `start` raises OSError
    for a port in use.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        faults: Mapping[str, Fault | str] | None = None,
        pace: float = 0.0,
        api_key: str = API_KEY,
        deployments: Mapping[str, str] | Iterable[str] | None = None,
        models: Iterable[str] | None = None,
        quirks: bool = True,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.api_key = api_key
        self.pace = pace
        self._host = loopback(host)
        self._port = port
        self._log = log
        known: Mapping[str, str] = DEPLOYMENTS
        if deployments is not None:
            known = deployments if isinstance(deployments, Mapping) else {name: name for name in deployments}
        self._world = World(api_key, known, None if models is None else frozenset(models), quirks)
        self._first = [(label, made_fault(label, fault)) for label, fault in (faults or {}).items()]
        self._board = Board()
        self._requests: list[Received] = []
        self._lock = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._listeners: dict[RoleName, Listener] = {}

    def __repr__(self) -> str:
        ports = ", ".join(f"{role}={listener.port}" for role, listener in self._listeners.items())
        return f"<Sandbox {self._host} {ports if self._running else 'closed'}>"

    # Life

    def start(self) -> Self:
        """Open the sockets and serve from a background thread; a second call does nothing."""
        if self._running is not None:
            return self
        self._listeners = {
            role: Listener(held, partial(self._connection, role), self._say)
            for role, held in bind_all(self._host, self._port).items()
        }
        loop = asyncio.SelectorEventLoop()  # on Windows too: listeners wait for sockets to be readable
        loop.set_exception_handler(lambda _loop, context: self._say(f"sandbox: {context}"))
        thread = threading.Thread(target=loop.run_forever, name="chatsheet-sandbox", daemon=True)
        thread.start()
        self._running = (loop, thread)
        for role in ROLES:
            self.start_role(role)
        for label, fault in self._first:
            self.inject(label, fault)
        return self

    def close(self) -> None:
        """Reset open connections, close the sockets and end the thread; a second call does nothing."""
        if self._running is None:
            return
        loop, thread = self._running
        for listener in self._listeners.values():
            self._call(listener.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._running = None
        self._board.clear(None)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Addresses

    def url(self, role: RoleName) -> str:
        """Return the origin of a role, ``http://127.0.0.1:PORT``.  Raises RuntimeError before `start`."""
        self._loop()
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._listeners[role].port}"

    @property
    def litellm_url(self) -> str:
        """The LiteLLM proxy; an SDK's ``base_url`` is this plus ``/v1``."""
        return self.url("litellm")

    @property
    def azure_url(self) -> str:
        """The Azure resource endpoint: dated paths under ``/openai``, the v1 API under ``/openai/v1``.

        Claude on Foundry is under ``/anthropic``.
        """
        return self.url("azure")

    @property
    def openai_url(self) -> str:
        """OpenAI; an SDK's ``base_url`` is this plus ``/v1``."""
        return self.url("openai")

    @property
    def anthropic_url(self) -> str:
        """Anthropic; an SDK's ``base_url`` is this."""
        return self.url("anthropic")

    def env(self) -> dict[str, str]:
        """Return the environment variables that point a client at this sandbox."""
        addresses = {
            "LITELLM_BASE_URL": self.litellm_url,
            "AZURE_OPENAI_ENDPOINT": self.azure_url,
            "OPENAI_BASE_URL": f"{self.openai_url}/v1",
            "ANTHROPIC_BASE_URL": self.anthropic_url,
        }
        keys = ("LITELLM_API_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY")
        return {**addresses, **dict.fromkeys(keys, self.api_key)}

    # Faults

    def inject(self, label: str, fault: Fault | str, *, times: int | None = None) -> None:
        """Set a fault for a hop (``"azure/chat"``) or a role (``"azure"``), for so many requests or until cleared.

        Faults of one hop are used up in the order in which they were set, so one without ``times`` hides those behind
        it.  ``refuse`` needs a whole role and has no ``times``.  Raises ValueError for a label or fault unknown.
        """
        made = made_fault(label, fault, times)
        if made.name == "refuse":
            self.stop(role_of(label))
        self._board.add(label, made)

    def clear(self, label: str | None = None) -> None:
        """Drop every fault, or those of a hop or role; a role that refused connections listens again on its port."""
        if label is not None:
            check_label(label)
        for role in self._board.clear(label):
            self.start_role(role)

    def stop(self, role: RoleName) -> None:
        """Close the role's listening socket and reset its connections; new ones are refused from here on."""
        self._loop()
        self._call(self._listeners[role].refuse())

    def start_role(self, role: RoleName) -> None:
        """Listen again on the port that the role had before `stop`."""
        self._loop()
        self._call(self._listeners[role].listen())

    # What arrived

    @property
    def requests(self) -> list[Received]:
        """What has arrived so far, in order; a copy."""
        with self._lock:
            return list(self._requests)

    def hits(self, label: str) -> int:
        """Return how many requests reached a hop (``"azure/chat"``) or a role (``"azure"``)."""
        check_label(label)
        return sum(label in (request.hop, request.role) for request in self.requests)

    def forget(self) -> None:
        """Empty `requests`, and with it every count of `hits`."""
        with self._lock:
            self._requests.clear()

    # Inside the thread

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._running is None:
            raise RuntimeError("the sandbox is not running; call start() or use it in a with statement")
        return self._running[0]

    def _call(self, work: Coroutine[object, object, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop()).result()

    def _say(self, line: str) -> None:
        if self._log is not None:
            self._log(line)

    async def _connection(self, role: RoleName, wire: Wire) -> None:
        while await self._exchange(role, wire):
            pass

    async def _exchange(self, role: RoleName, wire: Wire) -> bool:
        """Read one request and answer it; return whether the connection can carry another."""
        got = await wire.request()
        if got is None:
            return False
        head, content = got
        path, _, query = head.target.decode("ascii", "replace").partition("?")
        api, argument = route(role, path)
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        method = head.method.decode("ascii")
        request = Received(f"{role}/{api}", role, method, path, query, headers, _parsed(content), time.monotonic())
        with self._lock:
            self._requests.append(request)
        fault = self._board.take(request.hop) or NO_FAULT
        self._say(f"{request.hop} {method} {path}{'' if fault is NO_FAULT else f' [{fault}]'}")
        elsewhere = self.url(ROLES[(ROLES.index(role) + 1) % len(ROLES)])
        await perform(
            wire, request, argument, fault, world=self._world, pace=self.pace, elsewhere=elsewhere, say=self._say
        )
        return wire.reusable()


def _parsed(content: bytes) -> Json | None:
    try:
        value = json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
