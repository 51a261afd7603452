"""What a deadline that holds costs a synchronous call, in two designs: both and the bare SDK, in turns, in one process.

``python benchmarks/deadline.py [ROUNDS]``.  *Clipped* is what ``ChatClient`` does: the call runs in the caller's thread
and every socket operation is clipped to what is left of its time.  *Loop thread* would be the other way: the
asynchronous client runs on an event loop in a thread of its own, and a synchronous call waits for its answer from
there, so that it can be cancelled anywhere.  Times belong to the machine; the ratios to the bare SDK, taken within one
run, travel.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import openai

from chatsheet_llm import AsyncChatClient, ChatClient, Settings

CALLS = 40
MESSAGES = [{"role": "system", "content": "Be brief. " * 20}, {"role": "user", "content": "Why is the sky blue? " * 20}]
Batch = Callable[[], None]


def designs(port: int, loop: asyncio.AbstractEventLoop) -> dict[str, Batch]:
    """Return design to a batch of CALLS plain calls."""
    url = f"http://127.0.0.1:{port}"
    settings = Settings(_env_file=None, litellm_base_url=url, litellm_api_key="key")
    bare = openai.OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0)
    clipped, behind = ChatClient(settings, chain="litellm"), AsyncChatClient(settings, chain="litellm")

    def synchronous(client: openai.OpenAI) -> Batch:
        def batch() -> None:
            for _ in range(CALLS):
                client.chat.completions.create(model="gpt-5", messages=MESSAGES)  # type: ignore[arg-type]

        return batch

    def in_the_loop() -> None:
        for _ in range(CALLS):
            call = behind.chat.completions.create(model="gpt-5", messages=MESSAGES)  # type: ignore[arg-type]
            asyncio.run_coroutine_threadsafe(call, loop).result()

    return {"bare SDK": synchronous(bare), "clipped": synchronous(clipped), "loop thread": in_the_loop}


def measured(batch: Batch) -> tuple[float, float]:
    """Return the CPU and the wall-clock seconds of one batch."""
    cpu, wall = time.process_time(), time.perf_counter()
    batch()
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    provider = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("provider.py"))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert provider.stdout is not None
        made = designs(int(provider.stdout.readline()), loop)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
        for batch in made.values():
            batch()
        for number in range(rounds):
            order = list(made)
            for name in order[number % 3 :] + order[: number % 3]:
                taken[name].append(measured(made[name]))
    finally:
        provider.kill()
        provider.wait()
        loop.call_soon_threadsafe(loop.stop)
    columns = f"{'ratio':>6} {'spread':>7}"
    print(f"{'one synchronous call':22} {'CPU us':>8} {columns} {'wall us':>8} {columns}")
    for name, pairs in taken.items():
        cells = []
        for index in (0, 1):
            ratios = sorted(mine[index] / bare[index] for mine, bare in zip(pairs, taken["bare SDK"], strict=True))
            quarter = max(1, len(ratios) // 4)
            per_call = statistics.median(pair[index] for pair in pairs) / CALLS * 1e6
            cells.append(
                f"{per_call:8.0f} {statistics.median(ratios):6.2f} {ratios[-quarter] - ratios[quarter - 1]:7.2f}"
            )
        print(f"{name:22} {' '.join(cells)}")


if __name__ == "__main__":
    main()
