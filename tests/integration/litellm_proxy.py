"""Start and stop the real LiteLLM proxy in front of an Azure look-alike; installs it once, into a venv of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

import yaml
from loopback import free_port
from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-litellm"
REQUIREMENT = "litellm[proxy]==1.106.2"
API_VERSION = "2025-04-01-preview"
START_SECONDS = 120.0

# Alias -> what the proxy's operator writes; only `azure/responses/` reaches /openai/responses whatever the name.
MODELS: Mapping[str, str] = {
    "gpt-5-codex": "azure/responses/gpt-5-codex",
    "gpt-5": "azure/gpt-5",
    "gpt-5-mini": "azure/gpt-5-mini",
    "gpt-5-nano": "azure/gpt-5-nano",
    "gpt-5-chat": "azure/gpt-5-chat",
    "gpt-5-pro": "azure/responses/gpt-5-pro",
}

# What the proxy may inherit. The developer's own keys, database or HTTP proxy would change the test.
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class ProxyError(RuntimeError):
    """The proxy could not be installed or did not come up; the message ends with what it said."""


def install() -> Path:
    """Return the proxy's launcher, installing ``REQUIREMENT`` first when this checkout has not done so yet.

    Raises ProxyError with pip's output when that fails.  Two runs at once install one after the other.
    """
    launcher = VENV / "bin" / "litellm"
    stamp = VENV / ".ready"
    VENV.mkdir(exist_ok=True)
    with _locked(VENV / ".lock"):
        if stamp.exists() and stamp.read_text(encoding="utf-8") == REQUIREMENT and launcher.exists():
            return launcher
        stamp.unlink(missing_ok=True)
        python = str(VENV / "bin" / "python")
        for command in (
            [sys.executable, "-m", "venv", str(VENV)],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT],
        ):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode:
                raise ProxyError(f"cannot install {REQUIREMENT!r} into {VENV.name}; pip said:\n{done.stdout}")
        stamp.write_text(REQUIREMENT, encoding="utf-8")
    return launcher


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl  # here, not above: the rest of this file can be imported on Windows

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class LiteLLMProxy:
    """A LiteLLM proxy on loopback, one port and one master key for its whole life; a context manager.

    ``directory`` receives the configuration and the log.  ``router`` becomes ``router_settings`` of the configuration
    (such as ``{"fallbacks": [{"gpt-5": ["gpt-5-mini"]}]}``).  ``config`` is the whole file in place of one made of
    ``models`` and ``router``; ``environment`` are variables that it refers to.  A start takes 10 to 25 seconds and
    320 MB.
    """

    def __init__(
        self,
        *,
        azure_url: str,
        azure_key: str,
        directory: Path,
        models: Mapping[str, str] = MODELS,
        router: Mapping[str, object] | None = None,
        config: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.key = f"sk-{secrets.token_urlsafe(24)}"  # a well-known one such as sk-1234 is refused at boot
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.models = tuple(models)
        self.log = directory / "litellm.log"
        self._azure_key = azure_key
        self._config = directory / "proxy_config.yaml"
        text = yaml.safe_dump(configuration(models, azure_url, router or {})) if config is None else config
        self._config.write_text(text, encoding="utf-8")
        self._told = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and return when it answers its health check; does nothing when it runs already.

        Raises ProxyError with the end of the log when it exits or is not up after ``START_SECONDS``.
        """
        if self.running:
            return
        launcher = install()
        command = [str(launcher), "--config", str(self._config), "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--telemetry", "False"],
                env=self._environment(),
                cwd=self._config.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._alive():
            code = self._process.poll()
            late = time.monotonic() > deadline
            if code is not None or late:
                self.stop()
                what = f"is not up after {START_SECONDS:.0f} s" if late else f"ended with {code} instead of starting"
                raise ProxyError(f"the LiteLLM proxy {what}; the end of its log:\n{self.log_tail()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End it and return when the port is closed; does nothing when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the log, of all starts together; empty before the first."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "LITELLM_MASTER_KEY": self.key,
            "UPSTREAM_KEY": self._azure_key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_PROXY": "*",
            "PYTHONUNBUFFERED": "1",
            **self._told,
        }

    def _alive(self) -> bool:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.url}/health/liveliness", timeout=2) as answer:
                return bool(json.load(answer) == "I'm alive!")
        except (OSError, ValueError):  # refused, reset, timed out, or another program's answer
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def configuration(models: Mapping[str, str], azure_url: str, router: Mapping[str, object]) -> dict[str, object]:
    """Return proxy_config.yaml as a mapping.  It holds no key: both are read from the proxy's environment."""
    return {
        "model_list": [
            {
                "model_name": alias,
                "litellm_params": {
                    "model": model,
                    "api_base": azure_url,
                    "api_key": "os.environ/UPSTREAM_KEY",
                    "api_version": API_VERSION,
                },
            }
            for alias, model in models.items()
        ],
        "router_settings": dict(router),
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
