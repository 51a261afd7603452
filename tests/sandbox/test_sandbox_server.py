"""The server itself: its life, its ports, what it records, and how it bears bad clients."""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest

from chatsheet_llm.sandbox import API_KEY, ROLES, Fault, Sandbox, parse_fault

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
BODY: dict[str, Any] = {"model": "gpt-5", "messages": HELLO}


def post(box: Sandbox, role: Any = "litellm", **headers: str) -> httpx2.Response:
    path = "/openai/v1/chat/completions" if role == "azure" else "/v1/chat/completions"
    keys = {"authorization": f"Bearer {box.api_key}", **headers}
    return httpx2.post(box.url(role) + path, json=BODY, headers=keys)


# Life


def test_each_role_has_its_own_origin_and_close_frees_them() -> None:
    with Sandbox() as box:
        origins = [box.litellm_url, box.azure_url, box.openai_url, box.anthropic_url]
        ports = [int(origin.rpartition(":")[2]) for origin in origins]

        assert len(set(ports)) == 4
        assert all(origin.startswith("http://127.0.0.1:") for origin in origins)
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


def test_start_and_close_may_be_repeated_and_a_closed_sandbox_started_again() -> None:
    box = Sandbox()
    box.close()
    assert box.start() is box.start()
    assert post(box).status_code == 200
    box.close()
    box.close()
    with box:
        assert post(box).status_code == 200


def test_no_thread_or_socket_is_left_behind() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system has no /proc to count open files in")
    with Sandbox() as box:
        post(box)
    files, threads = open_files(), threading.active_count()
    for _ in range(3):
        with Sandbox() as box:
            box.inject("azure", "refuse")
            post(box)
    assert open_files() == files
    assert threading.active_count() == threads


def test_a_sandbox_that_is_not_running_says_so() -> None:
    box = Sandbox()

    for use in (lambda: box.litellm_url, box.env, lambda: box.stop("azure"), lambda: box.start_role("azure")):
        with pytest.raises(RuntimeError, match="not running; call start"):
            use()
    assert "closed" in repr(box)


def test_close_ends_requests_that_are_under_way() -> None:
    box = Sandbox(faults={"litellm": "stall"}).start()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post, box)
        while not box.hits("litellm"):
            time.sleep(0.005)
        box.close()

        with pytest.raises(httpx2.TransportError):
            waiting.result(timeout=5)


# Ports and hosts


def free_row() -> int:
    """A port with three free ones behind it, as far as can be known."""
    for port in range(20000 + os.getpid() % 20000, 60000, 7):
        held = [socket.socket() for _ in range(4)]
        try:
            for offset, one in enumerate(held):
                one.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        else:
            return port
        finally:
            for one in held:
                one.close()
    pytest.skip("no four free ports in a row")


def test_a_given_port_is_followed_by_those_of_the_other_roles() -> None:
    port = free_row()
    with Sandbox(port=port) as box:
        assert [box.url(role) for role in ROLES] == [f"http://127.0.0.1:{port + offset}" for offset in range(4)]


def test_a_port_in_use_is_named_with_its_role() -> None:
    port = free_row()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()
        with pytest.raises(OSError, match=rf"port {port + 1} of 127.0.0.1 \(role azure\) is in use; choose another"):
            Sandbox(port=port).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])
def test_only_loopback_addresses_are_served(host: str) -> None:
    with pytest.raises(ValueError, match="loopback addresses only"):
        Sandbox(host=host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "::1"])
def test_every_loopback_address_is_served(host: str) -> None:
    try:
        with Sandbox(host=host) as box:
            assert post(box).status_code == 200
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")


def test_the_environment_points_clients_at_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(api_key="another") as box:
        env = box.env()
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        completion = openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-5", messages=HELLO)

    assert "openai/chat" in (completion.choices[0].message.content or "")
    assert env["AZURE_OPENAI_API_KEY"] == "another"
    assert set(env) == {
        f"{name}_{part}"
        for name, url in [
            ("LITELLM", "BASE_URL"),
            ("AZURE_OPENAI", "ENDPOINT"),
            ("OPENAI", "BASE_URL"),
            ("ANTHROPIC", "BASE_URL"),
        ]
        for part in (url, "API_KEY")
    }


# What is recorded


def test_requests_are_recorded_in_order_with_what_they_carried() -> None:
    with Sandbox() as box:
        post(box, **{"X-LiteLLM-Num-Retries": "0", "x-litellm-timeout": "9.5"})
        httpx2.get(f"{box.azure_url}/openai/v1/models?limit=2", headers={"api-key": API_KEY})

        first, second = box.requests
    assert (first.hop, first.role, first.api, first.method, first.path) == (
        "litellm/chat",
        "litellm",
        "chat",
        "POST",
        "/v1/chat/completions",
    )
    assert first.headers["x-litellm-num-retries"] == "0"
    assert first.headers["x-litellm-timeout"] == "9.5"
    assert first.json == BODY
    assert (second.hop, second.query, second.json) == ("azure/models", "limit=2", None)
    assert first.at <= second.at


def test_a_recorded_request_does_not_show_its_key() -> None:
    with Sandbox() as box:
        post(box)

        assert box.api_key not in repr(box.requests[0])


def test_hits_count_hops_and_roles_until_forgotten() -> None:
    with Sandbox() as box:
        post(box)
        post(box)
        post(box, "azure")

        assert (box.hits("litellm/chat"), box.hits("litellm"), box.hits("azure/chat")) == (2, 2, 1)
        assert box.hits("azure/responses") == 0
        box.forget()
        assert box.hits("litellm") == 0
        with pytest.raises(ValueError, match="no hop 'azure/chatt'"):
            box.hits("azure/chatt")


def test_requests_is_a_copy() -> None:
    with Sandbox() as box:
        box.requests.append(None)  # type: ignore[arg-type]

        assert box.requests == []


# Faults as they are set


def test_a_fault_hits_its_hop_and_no_other() -> None:
    with Sandbox(faults={"azure/responses": "503"}) as box:
        assert post(box, "azure").status_code == 200
        assert post(box).status_code == 200
        client = openai.OpenAI(base_url=f"{box.azure_url}/openai/v1", api_key=box.api_key, max_retries=0)
        with pytest.raises(openai.InternalServerError):
            client.responses.create(model="gpt-5", input="x")


def test_faults_of_a_hop_are_used_up_in_order() -> None:
    with Sandbox() as box:
        box.inject("litellm/chat", parse_fault("429"), times=2)
        box.inject("litellm", Fault("status", status=503), times=1)
        box.inject("litellm", "500;times=1")

        assert [post(box).status_code for _ in range(5)] == [429, 429, 503, 500, 200]


def test_clear_takes_a_hop_a_role_or_everything() -> None:
    with Sandbox(faults={"litellm/chat": "503", "litellm": "500", "azure": "502"}) as box:
        box.clear("litellm/chat")
        assert post(box).status_code == 500
        box.clear("litellm")
        assert (post(box).status_code, post(box, "azure").status_code) == (200, 502)
        box.clear()
        assert post(box, "azure").status_code == 200


def test_clearing_a_role_takes_the_faults_of_its_hops_too() -> None:
    with Sandbox(faults={"litellm/chat": "503"}) as box:
        box.clear("litellm")

        assert post(box).status_code == 200


@pytest.mark.parametrize(
    ("label", "fault", "times", "words"),
    [
        ("litelm", "503", None, "no hop 'litelm'"),
        ("azure/", "503", None, "no hop 'azure/'"),
        ("azure/completions", "503", None, "no hop 'azure/completions'"),
        ("azure", "boom", None, "fault 'boom' is not known"),
        ("azure", "503", 0, "times is 0"),
        ("azure/chat", "refuse", None, "whole role"),
        ("azure", "refuse", 1, "whole role"),
    ],
)
def test_what_cannot_be_set_is_refused(label: str, fault: str, times: int | None, words: str) -> None:
    with Sandbox() as box, pytest.raises(ValueError, match=words):
        box.inject(label, fault, times=times)


def test_a_bad_fault_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ValueError, match="no hop 'nowhere'"):
        Sandbox(faults={"nowhere": "503"})


def test_a_role_can_refuse_from_the_start() -> None:
    with Sandbox(faults={"litellm": "refuse"}) as box:
        with pytest.raises(httpx2.ConnectError):
            post(box)
        box.clear("litellm")

        assert post(box).status_code == 200


def test_refusing_twice_is_cleared_once() -> None:
    with Sandbox() as box:
        box.inject("litellm", "refuse")
        box.inject("litellm", "refuse")
        box.clear()

        assert post(box).status_code == 200


# HTTP


def test_a_connection_serves_many_requests() -> None:
    with Sandbox() as box:
        port = int(box.litellm_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as held, held.makefile("rwb") as wire:
            for _ in range(3):
                wire.write(b"GET /health/liveliness HTTP/1.1\r\nhost: x\r\n\r\n")
                wire.flush()
                head = b"".join(iter(wire.readline, b"\r\n"))
                length = next(
                    int(line.split(b":")[1]) for line in head.splitlines() if b"content-length" in line.lower()
                )
                assert head.startswith(b"HTTP/1.1 200")
                assert wire.read(length) == b'"I\'m alive!"'

        assert box.hits("litellm/health") == 3


def test_replies_are_not_held_back_by_the_kernel() -> None:
    with Sandbox() as box, httpx2.Client(headers={"authorization": f"Bearer {box.api_key}"}) as client:
        started = time.monotonic()
        for _ in range(20):
            client.post(f"{box.litellm_url}/v1/chat/completions", json=BODY)

        assert time.monotonic() - started < 20 * 0.02


def test_http_1_0_and_close_end_the_connection() -> None:
    with Sandbox() as box:
        port = int(box.litellm_url.rpartition(":")[2])
        for head in (
            b"GET /health/liveliness HTTP/1.0\r\n\r\n",
            b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port)) as held:
                held.sendall(head)
                held.settimeout(5)
                assert b"".join(iter(lambda held=held: held.recv(4096), b"")).startswith(b"HTTP/1.1 ")  # type: ignore[misc]


def test_a_client_that_asks_whether_to_continue_is_told_to() -> None:
    with Sandbox() as box:
        port = int(box.litellm_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as held:
            held.sendall(b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
            held.settimeout(5)
            assert held.recv(4096).startswith(b"HTTP/1.1 100")
            held.sendall(b"{}")
            assert held.recv(4096).startswith(b"HTTP/1.1 401")


def test_many_requests_are_served_at_once() -> None:
    with Sandbox(faults={"litellm": "slow:0.1"}) as box, ThreadPoolExecutor(12) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda _: post(box).status_code, range(12)))

        assert answers == [200] * 12
        assert time.monotonic() - started < 12 * 0.1


def test_pace_spaces_the_events_of_a_stream() -> None:
    with Sandbox(pace=0.01) as box:
        started = time.monotonic()
        with httpx2.stream(
            "POST",
            f"{box.litellm_url}/v1/chat/completions",
            json={**BODY, "stream": True},
            headers={"authorization": f"Bearer {box.api_key}"},
        ) as reply:
            events = [line for line in reply.iter_lines() if line]

        assert time.monotonic() - started >= 0.01 * (len(events) - 1)


def test_a_client_that_hangs_up_breaks_nothing_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with Sandbox(pace=0.005) as box:
        port = int(box.litellm_url.rpartition(":")[2])
        for _ in range(5):
            with httpx2.stream(
                "POST",
                f"{box.litellm_url}/v1/chat/completions",
                json={**BODY, "stream": True},
                headers={"authorization": f"Bearer {box.api_key}"},
            ) as reply:
                next(reply.iter_lines())
        for raw in (
            b"",
            b"GET",
            b"not http at all\r\n\r\n",
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
        ):
            with socket.create_connection(("127.0.0.1", port)) as held:
                held.sendall(raw)
        time.sleep(0.05)

        assert post(box).status_code == 200
    assert capfd.readouterr() == ("", "")


def test_the_log_has_one_line_for_each_request_and_no_content() -> None:
    lines: list[str] = []
    with Sandbox(log=lines.append, faults={"litellm": "429;retry-after=2"}) as box:
        post(box)
        post(box, "azure")

    assert lines[0] == "litellm/chat POST /v1/chat/completions [429;retry-after=2]"
    assert "azure/chat POST /openai/v1/chat/completions" in lines
    assert not any("Hello" in line or API_KEY in line for line in lines)
