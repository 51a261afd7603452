"""``sandbox``: the server as a command, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from chatsheet_llm.sandbox import FAULTS

Invoke = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


def exports(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """Read what the sandbox announces, up to its last variable."""
    assert process.stdout is not None
    told: dict[str, str] = {}
    while "ANTHROPIC_API_KEY" not in told:
        line = process.stdout.readline().decode()
        assert line, "the sandbox ended before it was ready"
        found = re.fullmatch(r"export (\w+)=(\S+)\n", line)
        if found:
            told[found[1]] = found[2]
    return told


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_with_its_faults_logs_each_request_and_ends_cleanly(start: Start, end: signal.Signals) -> None:
    process = start("sandbox", "--port", "0", "--fault", "azure=429;retry-after=2", "--fault", "litellm/chat=503")
    env = exports(process)
    with httpx2.Client(trust_env=False) as client:
        throttled = client.get(f"{env['AZURE_OPENAI_ENDPOINT']}/openai/v1/models")
        models = client.get(
            f"{env['LITELLM_BASE_URL']}/v1/models", headers={"authorization": f"Bearer {env['LITELLM_API_KEY']}"}
        )
    process.send_signal(end)
    _, err = process.communicate(timeout=10)

    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "2")
    assert models.status_code == 200
    assert process.returncode == 0
    assert err.decode().splitlines() == [
        "azure/models GET /openai/v1/models [429;retry-after=2]",
        "litellm/models GET /v1/models",
        "The sandbox ends after 2 requests.",
    ]


def test_the_http_proxy_of_the_environment_is_told_to_keep_out(start: Start) -> None:
    process = start("sandbox", "--port", "0", env={"http_proxy": "http://127.0.0.1:9", "no_proxy": "example.com"})
    assert process.stdout is not None
    exports(process)

    assert process.stdout.readline() == b"export NO_PROXY=127.0.0.1,example.com\n"


def test_a_port_in_use_is_said_in_words(invoke: Invoke) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]

        result = invoke("sandbox", "--port", str(port))

    assert result.exit_code == 2
    assert f"error: --port {port}: port {port} of 127.0.0.1 (role litellm) is in use" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--fault", "litellm"), "--fault 'litellm' is not of the form HOP=FAULT"),
        (("--fault", "litellm=explode"), "fault 'explode' is not known; allowed are:"),
        (("--fault", "gateway=503"), "the sandbox has no hop 'gateway'"),
        (("--fault", "azure=503", "--fault", "azure=429"), "--fault names 'azure' twice"),
        (("--port", "-1"), "--port must be 0 (any) to 65532"),
        (("--port", "65533"), "--port must be 0 (any) to 65532"),
        (("--pace", "-1"), "--pace must be a number of seconds"),
        (("--pace", "nan"), "--pace must be a number of seconds"),
    ],
)
def test_wrong_options_are_named(invoke: Invoke, arguments: tuple[str, ...], says: str) -> None:
    result = invoke("sandbox", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


@pytest.mark.parametrize("option", ["--help", "--list-faults"])
def test_the_table_of_faults_is_complete(invoke: Invoke, option: str) -> None:
    result = invoke("sandbox", option)

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert [row.form for row in FAULTS if not any(line.startswith(row.form + " ") for line in lines)] == []
