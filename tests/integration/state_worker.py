"""A process with one client, told on standard input what to do, a JSON object a line; answers likewise.  For tests."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from client_cases import way

from chatsheet_llm import ChatClient, Settings, route_of
from chatsheet_llm.errors import CallError

HELLO = [{"role": "user", "content": "hello there"}]


class Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[list[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append([record.levelname, record.getMessage()])


def worked(client: ChatClient, records: Records) -> Mapping[str, Callable[..., Any]]:
    """What can be asked for, by name."""

    def health(endpoint: str) -> Any:
        told = [each for each in client.health() if each.endpoint == endpoint and each.mode is None]
        return told[0].as_json() if told else None

    def call(n: int = 1, pause: float = 0.0, model: str = "gpt-5") -> list[list[Any]]:
        """Each call's route or error, and the seconds it took."""
        made = []
        for _ in range(n):
            begun = time.monotonic()
            try:
                said = way(route_of(client.chat.completions.create(model=model, messages=HELLO)))
            except CallError as error:
                said = type(error).__name__
            made.append([said, time.monotonic() - begun])
            time.sleep(pause)
        return made

    def until(endpoint: str, limit: float = 8.0, **wanted: object) -> Any:
        """When the endpoint's health was first so (monotonic, one clock for the whole machine), or None."""
        ends = time.monotonic() + limit
        while time.monotonic() < ends:
            told = health(endpoint)
            if told is not None and all(told[name] == value for name, value in wanted.items()):
                return time.monotonic()
            time.sleep(0.0005)
        return None

    def joined(limit: float = 8.0) -> bool:
        """Whether both threads have reached the store in that time."""
        threads = client._core.sharing.threads
        threads.start()
        ends = time.monotonic() + limit
        while not threads.joined and time.monotonic() < ends:
            time.sleep(0.005)
        return threads.joined

    def lessons(limit: float = 0.0) -> list[str]:
        ends = time.monotonic() + limit
        while not client.learned() and time.monotonic() < ends:
            time.sleep(0.0005)
        return [str(lesson) for lesson in client.learned()]

    def forget() -> int:
        return len(client.forget())

    def halfopen(endpoint: str) -> None:
        """End the time for which the endpoint is closed, as if it had passed."""
        core = client._core
        core.domains.breaker(core.origins_by_endpoint()[endpoint]).opened_until = 0.0

    marked: list[float] = []
    if client._core.sharing is not None:
        mark = client._core.sharing.opened

        def opened(key: str) -> None:
            marked.append(time.monotonic())
            mark(key)

        client._core.sharing.opened = opened  # type: ignore[method-assign]

    return {
        "opened_at": lambda: marked[0],
        "health": health,
        "call": call,
        "until": until,
        "joined": joined,
        "lessons": lessons,
        "forget": forget,
        "halfopen": halfopen,
        "now": time.monotonic,
        "said": lambda: records.said,
    }


def main() -> None:
    records = Records()
    log = logging.getLogger("chatsheet_llm.state")
    log.setLevel(logging.INFO)
    log.addHandler(records)
    with ChatClient(Settings(_env_file=None), chain=sys.argv[1:] or None) as client:
        does = worked(client, records)
        for line in sys.stdin:
            told = json.loads(line)
            print(json.dumps(does[told.pop("do")](**told)), flush=True)


if __name__ == "__main__":
    main()
