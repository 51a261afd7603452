"""The cases that are no ratio of two batches: imports, pauses, outages, decisions, memory.  Each gives its figures."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from bench.cases import CHAT, CHAT_STREAM, RESPONSES, RESPONSES_STREAM, Effort, most, scaled
from bench.clients import KEY
from bench.figures import Figure, ratios, slope
from bench.jobs import CLIENT_CPU, Job, pinned
from bench.lanes import Lane, Track, environment, in_turn

_KEPT: Mapping[str, Job] = {
    "chat": CHAT,
    "Responses": RESPONSES,
    "streamed chat": CHAT_STREAM,
    "streamed Responses": RESPONSES_STREAM,
}
PAUSE = 6.0
"""Seconds: the SDK's connections live for five."""

_BARE = "pass"
_IMPORT = "import chatsheet_llm"
_SDK_READY = f"import openai; openai.AsyncOpenAI(base_url='http://127.0.0.1:9/v1', api_key='{KEY}').chat.completions"
_OURS_READY = """
from chatsheet_llm import AsyncChatClient, Settings
url, key = "http://127.0.0.1:9", "bench-key"
keys = dict(litellm_base_url=url, litellm_api_key=key, azure_openai_endpoint=url, azure_openai_api_key=key)
AsyncChatClient(Settings(_env_file=None, **keys)).chat.completions
"""
_ANSWERED = """
import asyncio, json, os
from bench.clients import client_class
from bench.jobs import Job
async def main():
    client = client_class({client!r})(Job(), *json.loads({urls!r}))
    await client.whole(Job())
asyncio.run(main())
os._exit(0)
"""
_LOADED = """
import sys
sockets = []
sys.addaudithook(lambda name, args: sockets.append(name) if name.startswith("socket.") else None)
import chatsheet_llm
sdks = {"openai", "anthropic", "httpx", "httpx2", "aiohttp"} & {name.partition(".")[0] for name in sys.modules}
print(len(sockets) + len(sdks))
"""


def _ran(code: str) -> tuple[float, float]:
    """Run code in a fresh interpreter; return its seconds and CPU seconds."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], env=environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, code
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def compared(of: str, to: str, rounds: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Run both in turns, each in fresh interpreters; the first of each, which may compile, does not count."""
    found: dict[str, list[tuple[float, float]]] = {of: [], to: []}
    with pinned(CLIENT_CPU):
        for number in range(rounds + 1):
            for code in in_turn([of, to], number):
                found[code].append(_ran(code))
    return found[of][1:], found[to][1:]


def imports(track: Track, effort: Effort) -> list[Figure]:
    """What an import costs, and what it takes until a client can make its first call, and until that is answered."""
    ours, bare = compared(_IMPORT, _BARE, effort.rounds)
    over = [[(one[at] - other[at]) * 1e3 for one, other in zip(ours, bare, strict=True)] for at in (0, 1)]
    command = [sys.executable, "-c", _LOADED]
    loaded = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout
    made = [
        Figure("import over the bare interpreter", "ms", tuple(over[0]), most(40)),
        Figure("import over the bare interpreter", "CPU, ms", tuple(over[1])),
        Figure("import: SDKs loaded and sockets touched", "count", (float(loaded),), most(0)),
    ]
    urls = track.provider.urls
    told = json.dumps([urls["ok"], [urls["second"], urls["third"]]])
    of, to = (_ANSWERED.format(client=client, urls=told) for client in ("ours", "sdk"))
    for case, codes, bar in (
        ("client ready for its first call", (_OURS_READY, _SDK_READY), most(1.05)),
        ("first call of a new process answered", (of, to), None),
    ):
        ours, sdk = compared(*codes, effort.rounds if effort.whole else 3)
        for at, quantity in enumerate(("time", "CPU")):
            both = [[took[at] * 1e3 for took in each] for each in (ours, sdk)]
            shown = " / ".join(f"{statistics.median(each):.0f} ms" for each in both)
            made.append(Figure(case, f"{quantity}, ours / sdk", tuple(ratios(*both)), bar, shown, ratio=True))
    return made


def idle(track: Track, effort: Effort) -> list[Figure]:
    """One call every six seconds: how often each client connects again."""
    clients = {"ours": "idle ours", "sdk": "idle sdk"}
    lanes = {client: lane for client in clients if (lane := track.lane(client)) is not None}
    for number in range(effort.gaps + 1):
        for client, lane in lanes.items():
            lane.run(Job(port=clients[client], count=1))
        if number < effort.gaps:
            time.sleep(PAUSE)
    again = {client: float(track.provider.counts(clients[client])[0] - 1) for client in lanes}
    case = f"one call every {PAUSE:.0f} s, {effort.gaps} times"
    return [
        Figure(case, "reconnects, ours", (again["ours"],), most(0)),
        Figure(case, "reconnects, sdk", (again["sdk"],)),
    ]


def outages(track: Track, effort: Effort) -> list[Figure]:
    """What a first hop costs that refuses connections, and one that never answers."""
    lane = _ours(track)
    told = [lane.ask("outage", turns=effort.rounds, count=max(10, round(40 * effort.share))) for _ in range(effort.few)]
    later = tuple(seconds * 1e6 for each in told for seconds in each["later"])
    # A caller who gives an attempt less than a second blames nobody when it runs out.
    calls, timeout = 50, 1.0
    before = track.provider.counts("hang")[1]
    beyond = lane.ask("silence", calls=calls, timeout=timeout)["beyond"]
    asked = track.provider.counts("hang")[1] - before
    return [
        Figure("first hop refused", "added by the first call, ms", tuple(each["once"] * 1e3 for each in told), most(2)),
        Figure("first hop refused", "calls that asked it", tuple(float(each["asked"]) for each in told), most(1)),
        Figure("first hop refused", "added once its breaker is open, CPU µs a call", later, most(50)),
        Figure(f"first hop silent, {calls} calls", "timeouts waited for", (beyond / timeout,), most(1.2)),
        Figure(f"first hop silent, {calls} calls", "calls that asked it", (float(asked),), most(1)),
    ]


def decisions(track: Track, effort: Effort) -> list[Figure]:
    """Dispatch, plan, breakers and the judging of an answer, without any I/O; and by itself that of a refusal."""
    lane, made = _ours(track), []
    count = round(2000 * effort.share)
    for models, hops in ((1, 1), (1, 3), (1, 20), (1000, 3), (1000, 20)):
        told = [lane.ask("decisions", models=models, hops=hops, count=count) for _ in range(effort.few)]
        parts = ", ".join(f"{name} {statistics.median(each[name] for each in told):.1f}" for name in told[0])
        values = tuple(sum(each.values()) - each["a refusal"] for each in told)
        made.append(Figure(f"decisions, {models} models, {hops} hops", "CPU µs a call", values, most(20), parts))
    made.append(Figure("a refusal is classified", "CPU µs", tuple(each["a refusal"] for each in told)))
    return made


def memory(track: Track, effort: Effort) -> list[Figure]:
    """Whether resident memory rises with the number of calls, and what Python keeps for a call that is over."""
    made = []
    asked = (
        ("calls", replace(CHAT, port="numbered"), effort.calls, 20, 1),
        ("streams", replace(CHAT_STREAM, port="numbered"), effort.streams, 10, 4),
    )
    for what, job, total, steps, before in asked:
        # A process of its own: what others left behind is no slope of this one.
        lane = Lane("ours", track.provider)
        try:
            each = replace(job, count=total // steps)
            resident = [float(lane.run(each)["resident"]) for _ in range((before + 1) * steps)]
        finally:
            lane.close()
        # Those before fill what is kept up to a bound, and the allocator's arenas.
        rising = slope(resident[before * steps :]) / each.count
        detail = f"{resident[0] / 2**20:.1f}, {resident[before * steps] / 2**20:.1f}, {resident[-1] / 2**20:.1f} MiB"
        bar = most(16 if what == "calls" else 64)
        case = f"{total:,} {what}, after {before * total:,}"
        made.append(Figure(case, "slope, bytes each", (rising,), bar, detail, judged=effort.whole))
    lane = Lane("ours", track.provider)
    try:
        for name, job in _KEPT.items():
            few = scaled(replace(job, port="numbered", count=100 if job.stream else 400), effort.share)
            kept = [float(lane.run(few, "kept")["bytes"]) for _ in range(effort.few if effort.whole else 1)]
            made.append(Figure(f"a finished call, {name}", "bytes kept", tuple(kept), most(1024)))
    finally:
        lane.close()
    return made


def _ours(track: Track) -> Lane:
    lane = track.lane("ours")
    assert lane is not None
    return lane


ALONE: tuple[Callable[[Track, Effort], list[Figure]], ...] = (idle, decisions, outages, imports, memory)
