"""Two processes that change one thing in a real Redis at once: nothing of either is lost, and nothing is left half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_server import RedisServer

from chatsheet_llm.budget import CAPACITY, REFILL_PER_SECOND

TESTS = Path(__file__).resolve().parents[1]
RACER = Path(__file__).with_name("state_racer.py")
TIMES = 400
SECONDS = 20.0
"""Longer than any of these races takes; a bucket refills meanwhile."""
KEY, INDEX = "chatsheet:{default}:domain:d1", "chatsheet:{default}:index"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as made:
        made.flushall()
        yield made


def raced(
    server: RedisServer, *does: str, times: int = TIMES, meanwhile: Callable[[], None] = lambda: None
) -> list[Any]:
    """What came of these, each done by a process of its own, all begun at once."""
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(RACER), server.url, each, f"p{number}", str(times)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, each in enumerate(does)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        while any(process.poll() is None for process in processes):
            meanwhile()
        return [json.loads(process.communicate(timeout=SECONDS)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_no_token_that_two_processes_spend_is_spent_for_nothing(server: RedisServer, client: redis.Redis) -> None:
    each = 60
    levels = raced(server, "spends", "spends", times=each)
    left = float(client.hget("chatsheet:{default}:tokens:d1", "tokens"))

    assert CAPACITY - 2 * each <= left <= CAPACITY - 2 * each + REFILL_PER_SECOND * SECONDS
    assert all(made == sorted(made, reverse=True) for made in levels)
    # Side by side, not one after the other: each saw what the other took.
    assert min(map(min, levels)) < CAPACITY - each - 1
    assert max(levels[0][0], levels[1][0]) - min(levels[0][-1], levels[1][-1]) > each


def test_of_times_that_two_processes_tell_the_latest_is_kept(server: RedisServer, client: redis.Redis) -> None:
    one, other = raced(server, "opens", "opens")
    latest = {domain: max(one[domain], other[domain]) for domain in one}
    kept = {domain: json.loads(client.get(f"chatsheet:{{default}}:domain:{domain}"))["until"] for domain in one}

    assert len(latest) == 10
    assert kept == pytest.approx(latest)
    assert {client.zscore(INDEX, f"chatsheet:{{default}}:domain:{domain}") for domain in one} == set(kept.values())


def test_what_one_process_keeps_while_another_drops_it_is_there_as_a_whole_or_not_at_all(
    server: RedisServer, client: redis.Redis
) -> None:
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        with client.pipeline(transaction=True) as both:
            both.exists(KEY)
            both.zscore(INDEX, KEY)
            there, listed = both.execute()
        seen.append((bool(there), listed is not None))

    raced(server, "opens", "closes", times=3 * TIMES, meanwhile=look)
    look()

    assert {there for there, _ in seen} == {True, False}
    assert [pair for pair in seen if pair[0] != pair[1]] == []
