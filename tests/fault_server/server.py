"""The server: its port, its connections, and the faults that strike them.  One thread a connection; tests only."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType

from typing_extensions import Self

from fault_server.bytes_of import Ending, instead, refused_tunnel, slices, written
from fault_server.certificates import Certificates
from fault_server.faults import Fault, Reply
from fault_server.wire import PIECE, forward, read_request, reset

Answer = Callable[[str, Mapping[str, str], bytes], Reply]
"""Given the path, the headers (lower case) and the body of a request: what to answer when all is well."""

GRACE = 0.02
"""Seconds between the last byte and a reset, which must not overtake it in the client's kernel."""


class FaultServer:
    """A server on a loopback port.

    ``upstream`` (host, port) gets every byte; without one, ``answer`` answers requests.  With ``certificates`` it
    speaks TLS.  CONNECT makes it an HTTP proxy, for hosts of its own machine.
    """

    def __init__(
        self,
        upstream: tuple[str, int] | None = None,
        *,
        answer: Answer | None = None,
        certificates: Certificates | None = None,
        name: str = "fault server",
    ) -> None:
        if (upstream is None) == (answer is None):
            raise ValueError("a fault server has an upstream, or answers itself")
        self._upstream, self._answer, self._certificates, self.name = upstream, answer, certificates, name
        self.requests: list[tuple[str, str]] = []
        """Method and target of every request that was read (not those that go to an upstream)."""
        self.connections = 0
        """How many connections were accepted."""
        self._fault: Fault | Reply | None = None
        self._over = threading.Event()
        self._held: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = self._bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._open()

    @property
    def url(self) -> str:
        """The origin, by address."""
        return f"http{'s' if self._certificates else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the port and reset every connection."""
        self._over.set()
        self._shut()
        self._drop()

    def set(self, fault: Fault | Reply | None) -> None:
        """Say what goes wrong from now on; None for nothing."""
        before, self._fault = self._fault, fault
        if _at_the_door(fault):
            # What is kept open would go round the fault.
            self._drop()
        if _port_of(before) != _port_of(fault):
            self._shut()
            self._listener = self._bound(self.port)
            if _port_of(fault) == "blackhole":
                self._fill()
            elif _port_of(fault) != "down":
                self._open()

    # --- the port

    def _bound(self, port: int) -> socket.socket:
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until = time.monotonic() + 2.0
        while True:
            try:
                held.bind(("127.0.0.1", port))
            except OSError:
                # The kernel keeps the port for as long as a thread is on its way out of accept().
                if time.monotonic() > until:
                    raise
                time.sleep(0.002)
            else:
                return held

    def _open(self) -> None:
        self._listener.listen(128)
        self._listener.settimeout(0.01)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True, name=self.name).start()

    def _shut(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        self._listener.close()

    def _fill(self) -> None:
        """Fill the queue of connections that nobody accepts, so that the kernel drops every further one."""
        self._listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._fillers.append(filler)
        time.sleep(0.01)

    def _accept(self, listener: socket.socket) -> None:
        while not self._over.is_set():
            try:
                accepted, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            accepted.settimeout(None)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._connection, args=(accepted,), daemon=True, name=self.name).start()

    def _drop(self) -> None:
        with self._lock:
            held, self._held = self._held, set()
        for each in held:
            reset(each)

    # --- a connection

    def _connection(self, raw: socket.socket) -> None:
        with self._lock:
            self._held.add(raw)
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            secured = self._handshake(raw)
            if secured is not None:
                with self._lock:
                    self._held.discard(raw)
                    self._held.add(secured)
                raw = secured
                self._served(raw)
        with self._lock:
            self._held.discard(raw)
        with contextlib.suppress(OSError):
            raw.close()

    def _handshake(self, raw: socket.socket) -> socket.socket | None:
        fault = self._fault.name if isinstance(self._fault, Fault) else None
        if fault in ("tls_stall", "tls_reset"):
            raw.recv(PIECE)
            self._end(raw, "silence" if fault == "tls_stall" else "reset")
            return None
        if self._certificates is None:
            return raw
        return self._certificates.context(fault).wrap_socket(raw, server_side=True)

    def _served(self, client: socket.socket) -> None:
        if self._upstream is not None:
            self._piped(client, self._upstream)
            return
        while True:
            early = isinstance(self._fault, Fault) and self._fault.name == "early_413"
            asked = read_request(client, whole=not early)
            if asked is None:
                return
            method, target, headers, body = asked
            self.requests.append((method, target))
            fault = self._fault
            if method == "CONNECT":
                self._tunnel(client, target, fault)
                return
            raw, ending = self._said(target, headers, body, fault)
            if not self._struck(client, iter([raw] if raw else []), fault if isinstance(fault, Fault) else None):
                return
            if early:
                # A close that leaves something unread is a reset, which overtakes the answer.
                client.shutdown(socket.SHUT_WR)
                while client.recv(PIECE):
                    pass
                return
            if ending != "keep":
                self._end(client, ending)
                return

    def _said(
        self, target: str, headers: Mapping[str, str], body: bytes, fault: Fault | Reply | None
    ) -> tuple[bytes, Ending]:
        if isinstance(fault, Reply):
            return written(fault)
        if fault is not None and fault.name == "early_413":
            return instead(fault, Reply(200))
        assert self._answer is not None
        path = target.partition("://")[2].partition("/")[2] if "://" in target else target
        well = self._answer("/" + path.lstrip("/"), headers, body)
        return written(well) if fault is None else instead(fault, well)

    def _tunnel(self, client: socket.socket, target: str, fault: Fault | Reply | None) -> None:
        if isinstance(fault, Fault) and fault.stage == "connect":
            client.sendall(refused_tunnel(fault.name))
            return
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self._piped(client, ("127.0.0.1", int(target.rpartition(":")[2])))

    # --- bytes

    def _piped(self, client: socket.socket, upstream: tuple[str, int]) -> None:
        """Pass bytes on in both directions; the fault strikes those of the answer."""
        with socket.create_connection(upstream) as far:
            threading.Thread(target=forward, args=(client, far), daemon=True, name=self.name).start()
            fault = self._fault
            struck = fault if isinstance(fault, Fault) and fault.stage == "bytes" else None
            if self._struck(client, iter(lambda: far.recv(PIECE), b""), struck):
                self._end(client, "close")

    def _struck(self, client: socket.socket, pieces: Iterator[bytes], fault: Fault | None) -> bool:
        """Send the pieces as the fault lets them; return whether the connection is still good."""
        name = fault.name if fault is not None and fault.stage == "bytes" else None
        if fault is None or name is None:
            for piece in pieces:
                client.sendall(piece)
            return True
        if name == "timeout":
            if not self._over.wait(fault.seconds or None):
                self._end(client, "close")
            return False
        if name == "reset_peer":
            next(pieces, None)
            self._over.wait(fault.seconds)
            self._end(client, "reset")
            return False
        sent = 0
        for piece in pieces:
            if name == "limit_data":
                client.sendall(piece[: max(0, fault.after - sent)])
                sent += len(piece)
                if sent >= fault.after:
                    self._end(client, "close")
                    return False
                continue
            size = {"slicer": fault.size, "drip": 1, "bandwidth": max(1, int(fault.rate / 50))}.get(name, len(piece))
            pause = {"bandwidth": size / fault.rate, "slow_close": 0.0}.get(name, fault.seconds)
            for part in slices(piece, size):
                self._over.wait(pause + (random.uniform(0, fault.jitter) if name == "latency" else 0.0))
                client.sendall(part)
        if name == "slow_close":
            self._over.wait(fault.seconds)
            self._end(client, "close")
            return False
        return True

    def _end(self, client: socket.socket, ending: Ending) -> None:
        if ending == "silence":
            # Until the client goes away, or the server does.
            client.settimeout(0.02)
            while not self._over.is_set():
                try:
                    if not client.recv(PIECE):
                        return
                except TimeoutError:
                    continue
        elif ending == "reset":
            time.sleep(GRACE)
            reset(client)
        else:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()


def _at_the_door(fault: Fault | Reply | None) -> bool:
    return isinstance(fault, Fault) and fault.stage in ("port", "tls", "connect")


def _port_of(fault: Fault | Reply | None) -> str | None:
    return fault.name if isinstance(fault, Fault) and fault.stage == "port" else None
