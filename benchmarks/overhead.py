"""What the chain costs over the bare SDK: both clients in one process, in turns, against one loopback provider.

``python benchmarks/overhead.py [ROUNDS]`` prints CPU time per call and the median ratio of the rounds, with its spread.
Times belong to the machine; the ratios, taken within one run, travel.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import openai

from chatsheet_llm import AsyncChatClient, ChatClient, Settings

CALLS = 40
MESSAGES = [{"role": "system", "content": "Be brief. " * 20}, {"role": "user", "content": "Why is the sky blue? " * 20}]


def cases(port: int, loop: asyncio.AbstractEventLoop) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """Return case name to (bare SDK, chain), each a batch of CALLS calls."""
    url = f"http://127.0.0.1:{port}"
    settings = Settings(
        _env_file=None,
        litellm_base_url=url,
        litellm_api_key="key",
        azure_openai_endpoint=url,
        azure_openai_api_key="key",
    )
    bare, chain = openai.OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0), ChatClient(settings)
    abare, achain = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0), AsyncChatClient(settings)

    def plain(client: openai.OpenAI) -> Callable[[], None]:
        def run() -> None:
            for _ in range(CALLS):
                client.chat.completions.create(model="gpt-5", messages=MESSAGES)  # type: ignore[arg-type]

        return run

    def streamed(client: openai.OpenAI) -> Callable[[], None]:
        def run() -> None:
            for _ in range(CALLS // 8):
                for _chunk in client.chat.completions.create(model="gpt-5", messages=MESSAGES, stream=True):  # type: ignore[arg-type]
                    pass

        return run

    def aplain(client: openai.AsyncOpenAI) -> Callable[[], None]:
        async def batch() -> None:
            for _ in range(CALLS):
                await client.chat.completions.create(model="gpt-5", messages=MESSAGES)  # type: ignore[arg-type]

        return lambda: loop.run_until_complete(batch())

    def astreamed(client: openai.AsyncOpenAI) -> Callable[[], None]:
        async def batch() -> None:
            for _ in range(CALLS // 8):
                stream = await client.chat.completions.create(model="gpt-5", messages=MESSAGES, stream=True)  # type: ignore[arg-type]
                async for _chunk in stream:
                    pass

        return lambda: loop.run_until_complete(batch())

    return {
        "sync call": (plain(bare), plain(chain)),
        "async call": (aplain(abare), aplain(achain)),
        "sync stream, 200 deltas": (streamed(bare), streamed(chain)),
        "async stream, 200 deltas": (astreamed(abare), astreamed(achain)),
    }


def cpu(batch: Callable[[], None]) -> float:
    """Return the CPU seconds of one batch."""
    begun = time.process_time()
    batch()
    return time.process_time() - begun


def main() -> None:
    loop = asyncio.new_event_loop()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    provider = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("provider.py"))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert provider.stdout is not None
        port = int(provider.stdout.readline())
        print(f"{'case':28} {'bare us':>9} {'chain us':>9} {'ratio':>7} {'spread':>7}")
        for name, (bare, chain) in cases(port, loop).items():
            bare(), chain()
            pairs = [(cpu(bare), cpu(chain)) if i % 2 else (cpu(chain), cpu(bare))[::-1] for i in range(rounds)]
            ratios = sorted(second / first for first, second in pairs)
            per = CALLS if "call" in name else CALLS // 8
            quarter = max(1, len(ratios) // 4)
            print(
                f"{name:28} {statistics.median(p[0] for p in pairs) / per * 1e6:9.0f} "
                f"{statistics.median(p[1] for p in pairs) / per * 1e6:9.0f} {statistics.median(ratios):7.2f} "
                f"{ratios[-quarter] - ratios[quarter - 1]:7.2f}"
            )
    finally:
        provider.kill()
        provider.wait()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


if __name__ == "__main__":
    main()
