"""Processes that share state through a real Redis: what one learns the others know, and no call ever waits for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis_server import RedisServer, relay

from chatsheet_llm.sandbox import Sandbox

TESTS = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).with_name("state_worker.py")
AZURE = "azure/chat 200"
LITELLM = "litellm/chat 200"
BOUND = 0.5
"""Seconds that no call may take: an answer of the sandbox takes some milliseconds, a wait for Redis a second."""


class Worker:
    """One process with a client; methods are those of ``state_worker``."""

    def __init__(self, box: Sandbox, url: str, chain: Sequence[str]) -> None:
        given = {
            "LITELLM_BASE_URL": box.litellm_url,
            "LITELLM_API_KEY": box.api_key,
            "AZURE_OPENAI_ENDPOINT": box.azure_url,
            "AZURE_OPENAI_API_KEY": box.api_key,
            "CHATSHEET_STATE_URL": url,
            "CHATSHEET_DEADLINE": "5",
            "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), *chain],
            env={**os.environ, **given},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, do: str, **told: object) -> None:
        """Ask for something without waiting for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **told}) + "\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        """What came of it."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def __getattr__(self, do: str) -> Callable[..., Any]:
        def ask(**told: object) -> Any:
            self.begin(do, **told)
            return self.end()

        return ask

    def routes(self, n: int = 1, **told: object) -> list[str]:
        """The routes of some calls, none of which took long."""
        made = self.call(n=n, **told)

        assert max(seconds for _, seconds in made) < BOUND, made
        return [route for route, _ in made]

    def warnings(self) -> list[str]:
        return [message for level, message in self.said() if level == "WARNING"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as made:
        yield made


Start = Callable[..., list[Worker]]


@pytest.fixture
def start(box: Sandbox) -> Iterator[Start]:
    """Start some workers that have joined the server; without calls of theirs."""
    with contextlib.ExitStack() as stack:

        def started(url: str, n: int = 2, *, chain: Sequence[str] = ("litellm", "azure/chat"), join: bool = True):
            made = [Worker(box, url, chain) for _ in range(n)]
            for worker in made:
                stack.callback(worker.close)
            assert not join or all(worker.joined() for worker in made)
            return made

        yield started


def break_litellm(box: Sandbox, worker: Worker, fault: str = "reset") -> None:
    """Five failures of one process: its breaker opens for five seconds; with ``401`` at once and for thirty."""
    box.inject("litellm", fault)
    worker.routes(5)
    assert worker.health(endpoint="litellm")["state"] == "open"


def half_open_all(workers: Sequence[Worker]) -> None:
    """Let every worker hear that LiteLLM is closed, and then think that it may be probed."""
    for worker in workers:
        worker.routes(1)
        assert worker.until(endpoint="litellm", state="open") is not None
        worker.halfopen(endpoint="litellm")


def test_what_one_process_learns_the_other_skips_at_once(box: Sandbox, server: RedisServer, start: Start) -> None:
    one, other = start(server.url)
    other.routes(1)
    other.begin("until", endpoint="litellm", state="open")
    break_litellm(box, one)
    opened, seen = one.opened_at(), other.end()
    hits = box.hits("litellm")
    routes = other.routes(3)

    assert seen is not None
    print(f"the other process knew {1000 * (seen - opened):.1f} ms after the breaker had opened")
    assert 0 < seen - opened < 0.25
    assert routes == [AZURE] * 3
    assert box.hits("litellm") == hits
    told = other.health(endpoint="litellm")
    assert told["why"] == "the connection broke"
    assert told["retry_at"] is not None


def test_a_process_that_starts_later_learns_it_too(box: Sandbox, server: RedisServer, start: Start) -> None:
    (one,) = start(server.url, 1)
    break_litellm(box, one)
    (late,) = start(server.url, 1)
    hits = box.hits("litellm")

    assert late.routes(2) == [AZURE] * 2
    assert box.hits("litellm") == hits


def test_a_time_that_the_server_named_holds_for_all(box: Sandbox, server: RedisServer, start: Start) -> None:
    one, other = start(server.url)
    box.inject("litellm", "429;retry-after=30")
    first = one.routes(1)
    seen = other.until(endpoint="litellm", limit=1) or other.routes(1)
    mine, its = one.health(endpoint="litellm"), other.health(endpoint="litellm")

    assert first == ["litellm/chat 429 -> azure/chat 200"]
    assert seen
    assert its["throttled"]
    assert abs(_seconds(mine["retry_at"]) - _seconds(its["retry_at"])) < 0.1
    assert box.hits("litellm") == 1


def test_a_lesson_is_shared_and_forgotten_together(box: Sandbox, server: RedisServer, start: Start) -> None:
    one, other = start(server.url, chain=("azure/chat", "azure"))
    box.inject("azure", "400:OperationNotSupported", times=1)
    one.routes(1)
    learned, heard = one.lessons(), other.lessons(limit=2)
    forgotten = other.forget()
    ends = time.monotonic() + 2
    while one.lessons() and time.monotonic() < ends:
        time.sleep(0.01)

    assert [line.partition(" (")[0] for line in heard] == [line.partition(" (")[0] for line in learned]
    assert "azure: gpt-5 refuses chat (another process was told so)" in heard
    assert forgotten == len(heard)
    assert one.lessons() == []


def test_of_four_processes_one_probes(box: Sandbox, server: RedisServer, start: Start) -> None:
    workers = start(server.url, 4)
    break_litellm(box, workers[0])
    half_open_all(workers)
    box.clear()
    box.inject("litellm", "slow:1.5", times=1)
    for worker in workers:
        worker.begin("call", n=8, pause=0.02)
    made = [[route for route, _ in worker.end()] for worker in workers]
    probing = [routes for routes in made if LITELLM in routes]

    assert len(probing) == 1, made
    assert sum(route == AZURE for routes in made for route in routes) >= 25


def test_a_probe_that_fails_closes_for_all_and_costs_one_send(box: Sandbox, server: RedisServer, start: Start) -> None:
    workers = start(server.url, 4)
    break_litellm(box, workers[0])
    half_open_all(workers)
    hits = box.hits("litellm")
    for worker in workers:
        worker.begin("call", n=20, pause=0.01)
    made = [route for worker in workers for route, _ in worker.end()]

    assert box.hits("litellm") - hits == 1
    assert sum(route != AZURE for route in made) == 1
    assert len(made) == 80


def test_an_answered_probe_opens_the_way_for_all(box: Sandbox, server: RedisServer, start: Start) -> None:
    one, other = start(server.url)
    break_litellm(box, one)
    other.routes(1)
    box.clear()
    one.halfopen(endpoint="litellm")
    routes = one.routes(5, pause=0.05)
    seen = other.until(endpoint="litellm", state="closed", limit=1)

    assert routes[0] == AZURE
    assert routes[-1] == LITELLM
    assert seen is not None
    assert other.routes(1) == [LITELLM]


def test_the_budget_is_shared(box: Sandbox, server: RedisServer, start: Start) -> None:
    one, other = start(server.url, chain=("azure/chat",))
    one.routes(1)
    other.routes(1)
    box.inject("azure", "500")
    for _ in range(2):
        one.call(n=1)
    spent = one.health(endpoint="azure")["tokens"]
    ends = time.monotonic() + 2
    while (left := other.health(endpoint="azure")["tokens"]) > spent + 1 and time.monotonic() < ends:
        time.sleep(0.01)

    assert spent < 120
    assert left == pytest.approx(spent, abs=1)


def test_when_redis_dies_nothing_is_lost_nothing_waits_and_one_line_says_so(
    box: Sandbox, server: RedisServer, start: Start
) -> None:
    one, other = start(server.url)
    break_litellm(box, one, "403")
    other.routes(2)
    server.kill()
    for worker in (one, other):
        worker.begin("call", n=100, pause=0.01)
    made = [each for worker in (one, other) for each in worker.end()]
    hits = box.hits("litellm")

    assert {route for route, _ in made} == {AZURE}
    assert max(seconds for _, seconds in made) < BOUND
    assert hits == 1
    assert [len(worker.warnings()) for worker in (one, other)] == [1, 1]

    server.start()
    assert one.joined()
    assert other.joined()
    (late,) = start(server.url, 1)

    assert late.routes(1) == [AZURE], "what was known is told again to an empty server"
    assert box.hits("litellm") == hits
    assert [one.said()[-1], other.said()[-1]] == [["INFO", "the state store is back"]] * 2
    assert one.warnings() == one.warnings()[:1]


def test_when_redis_is_killed_in_mid_run_no_call_is_lost_and_none_waits(
    box: Sandbox, server: RedisServer, start: Start
) -> None:
    workers = start(server.url)
    break_litellm(box, workers[0], "403")
    workers[1].routes(2)
    box.inject("azure", "slow:0.03")
    before, calls = box.hits("azure"), 60
    for worker in workers:
        worker.begin("call", n=calls)
    ends = time.monotonic() + 10
    while box.hits("azure") - before < calls and time.monotonic() < ends:
        time.sleep(0.002)
    server.kill()
    begun = box.hits("azure") - before
    made = [each for worker in workers for each in worker.end()]

    # Each call takes 30 ms and the next begins at once: of those that had begun, some were answered, one or two not.
    assert calls <= begun < 2 * calls - 10
    assert [route for route, _ in made] == [AZURE] * 2 * calls
    assert max(seconds for _, seconds in made) < BOUND
    assert box.hits("azure") - before == 2 * calls, "no call was sent twice"
    assert box.hits("litellm") == 1
    assert [len(worker.warnings()) for worker in workers] == [1, 1]


def test_without_redis_from_the_start_the_local_rules_hold(box: Sandbox, start: Start) -> None:
    (one,) = start("redis://127.0.0.1:9", 1, join=False)
    break_litellm(box, one)
    box.clear()
    one.halfopen(endpoint="litellm")

    assert one.routes(2) == [LITELLM] * 2
    assert len(one.warnings()) == 1


def test_a_redis_that_falls_silent_costs_no_call_anything(box: Sandbox, server: RedisServer, start: Start) -> None:
    with relay(server) as before:
        one, other = start(before.url)
        one.routes(2)
        other.routes(2)
        before.silent = True
        break_litellm(box, one, "403")
        one.begin("call", n=300, pause=0.01)
        made = one.end()

        assert {route for route, _ in made} == {AZURE}
        assert max(seconds for _, seconds in made) < BOUND
        assert len(one.warnings()) == 1
        print(f"slowest of {len(made)} calls beside a silent Redis: {1000 * max(s for _, s in made):.1f} ms")

        box.clear()
        one.halfopen(endpoint="litellm")

        assert one.routes(2) == [LITELLM] * 2, "the local rules hold"


def test_a_flushed_redis_is_filled_again(box: Sandbox, server: RedisServer, start: Start) -> None:
    (one,) = start(server.url, 1)
    box.inject("litellm", "429;retry-after=60")
    one.routes(1)
    server.say("FLUSHALL")
    time.sleep(6)
    (late,) = start(server.url, 1)

    assert late.routes(1) == [AZURE]
    assert one.warnings() == []


def test_redis_shows_no_host_key_or_digest_of_one_and_everything_there_ends(
    box: Sandbox, server: RedisServer, start: Start
) -> None:
    (one,) = start(server.url, 1, chain=("litellm", "azure/chat"))
    box.inject("azure", "429;retry-after=9")
    box.inject("litellm", "400:OperationNotSupported", times=1)
    one.call(n=3)
    time.sleep(0.3)
    import redis

    client = redis.Redis.from_url(server.url)
    names = sorted(client.scan_iter())
    texts = [repr(client.get(name)) for name in names if client.type(name) == b"string"]

    assert len(names) >= 4
    assert all(name.startswith(b"chatsheet:{default}:") for name in names)
    assert all(0 < client.pttl(name) <= 7 * 86400 * 1000 for name in names)
    for text in [*map(repr, names), *texts]:
        assert "127.0.0.1" not in text
        assert "#" not in text
        assert box.api_key not in text


GARBAGE = ("", "{", "[]", "null", '{"v":1}', '{"v":2,"kind":"closed","domain":"x","by":"x","number":1}', "\x00\xff" * 9)


def test_garbage_in_redis_is_left_aside(box: Sandbox, server: RedisServer, start: Start) -> None:
    (one,) = start(server.url, 1)
    for each in GARBAGE:
        server.say("PUBLISH", "chatsheet:{default}:news", each)
    for number, each in enumerate(GARBAGE):
        server.say("SET", f"chatsheet:{{default}}:domain:{number}", each)
        server.say("ZADD", "chatsheet:{default}:index", "9e12", f"chatsheet:{{default}}:domain:{number}")
    other = start(server.url, 1)[0]
    break_litellm(box, one)

    assert other.routes(1) == [AZURE]
    assert one.warnings() == other.warnings() == []


def test_namespaces_are_apart(box: Sandbox, server: RedisServer, start: Start) -> None:
    (one,) = start(f"{server.url}?namespace=one", 1)
    (other,) = start(f"{server.url}?namespace=other", 1)
    break_litellm(box, one)
    box.clear()
    time.sleep(0.2)

    assert other.routes(1) == [LITELLM]


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
