"""A process that does one thing to a Redis store many times, as fast as it can, once it is told to.  For tests."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping

from chatsheet_llm.redis_state import RedisState
from chatsheet_llm.state import Closed, Level, News, Opened

DOMAINS = [f"d{number}" for number in range(10)]


def spends(store: RedisState, me: str, times: int) -> object:
    """Take a token each time; the levels that it was told."""
    return [store.spend("d1", 1, 140, News(Level("d1", 0), me, number)) for number in range(times)]


def opens(store: RedisState, me: str, times: int) -> object:
    """Close the domains in turns, until some time each time; the latest of those by domain."""
    now, draw = store.now(), random.Random(me)
    latest: dict[str, float] = {}
    for number in range(times):
        domain, until = DOMAINS[number % len(DOMAINS)], now + draw.uniform(100, 200)
        latest[domain] = max(until, latest.get(domain, 0))
        store.tell(News(Opened(domain, until, True, "rate", 5.0), me, number))
    return latest


def closes(store: RedisState, me: str, times: int) -> object:
    """Open them again in turns."""
    for number in range(times):
        store.tell(News(Closed(DOMAINS[number % len(DOMAINS)]), me, number))
    return None


DOES: Mapping[str, Callable[[RedisState, str, int], object]] = {"spends": spends, "opens": opens, "closes": closes}


def main(url: str, does: str, me: str, times: str) -> None:
    store = RedisState(url)
    store.now()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(DOES[does](store, me, int(times))), flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
