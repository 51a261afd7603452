"""The cases that are no ratio of two batches: imports, pauses, outages, decisions, memory.  Each gives its figures."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from bench.cases import CHAT, CHAT_STREAM, FULL, RESPONSES, RESPONSES_STREAM, Effort, most, scaled
from bench.clients import KEY
from bench.figures import Figure, ratios, slope
from bench.jobs import CLIENT_CPU, Job, pinned
from bench.lanes import Lane, LaneError, Track, environment, in_turn

_KEPT: Mapping[str, Job] = {
    "chat": CHAT,
    "Responses": RESPONSES,
    "streamed chat": CHAT_STREAM,
    "streamed Responses": RESPONSES_STREAM,
}
PAUSE = 6.0
"""Seconds: the SDK's connections live for five."""

READY = most(1.05)
DECIDED = most(20)
_OF_AN_ANSWER = ("dispatch", "plan", "judge")
RISING: Mapping[str, tuple[int, float]] = {"calls": (1, 16), "streams": (4, 64)}
"""How many times as many go before those that are measured, and the most bytes by which each may raise the memory."""


def _warmed(what: str, measured: int) -> str:
    before, limit = RISING[what]
    return f"{before * measured:,} {what} before the {measured:,} that are measured and may add {limit:g} bytes each"


NOTES = (
    f"""`decisions`: its bar ({DECIDED} µs) counts what an answered call takes: dispatch, plan, breakers and the judging
  of the answer; each part in the quickest of 20 batches. To name the fault behind a refusal is a row of its own,
  without a bar.""",
    f"""`client ready`: import and construction, up to where the first call could be made; the bar ({READY}) is the same
  over `http` and `https`. Without TLS our client reads no certificates, the SDK always does.""",
    f"""`slope`: resident memory rises while what is kept up to a bound fills, so that a warm-up goes before:
  {_warmed("calls", FULL.calls)}, {_warmed("streams", FULL.streams)}.""",
)
"""What a reader of these rows must know."""

_BARE = "pass"
_IMPORT = "import chatsheet_llm"
_SCHEMES = ("http", "https")
"""Where nothing is asked by TLS, our client reads no certificates; the SDK reads them always."""
_SDK_READY = """
import openai
openai.AsyncOpenAI(base_url="{scheme}://127.0.0.1:9/v1", api_key="{key}").chat.completions
"""
_OURS_READY = """
from chatsheet_llm import AsyncChatClient, Settings
url, key = "{scheme}://127.0.0.1:9", "{key}"
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


def ready(scheme: str) -> tuple[str, str]:
    """Return the code that makes our client ready for its first call by that scheme, and the bare SDK's."""
    return _OURS_READY.format(scheme=scheme, key=KEY), _SDK_READY.format(scheme=scheme, key=KEY)


def _ran(code: str) -> tuple[float, float]:
    """Run code in a fresh interpreter; return its seconds and CPU seconds.  Raises LaneError where it fails."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], env=environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise LaneError("a new process", f"ended with {process.returncode} after this code:\n{code.strip()}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def compared(of: str, to: str, rounds: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Run both in turns, each in fresh interpreters; the first of each, which may compile, does not count."""
    found: dict[str, list[tuple[float, float]]] = {of: [], to: []}
    with pinned(CLIENT_CPU):
        for number in range(rounds + 1):
            for code in in_turn([of, to], number):
                found[code].append(_ran(code))
    return found[of][1:], found[to][1:]


def imports(track: Track, effort: Effort) -> Iterator[Figure]:
    """What an import costs, and what it takes until a client can make its first call, and until that is answered."""
    ours, bare = compared(_IMPORT, _BARE, effort.rounds)
    over = [[(one[at] - other[at]) * 1e3 for one, other in zip(ours, bare, strict=True)] for at in (0, 1)]
    command = [sys.executable, "-c", _LOADED]
    loaded = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout
    yield Figure("import over the bare interpreter", "ms", tuple(over[0]), most(40))
    yield Figure("import over the bare interpreter", "CPU, ms", tuple(over[1]))
    yield Figure("import: SDKs loaded and sockets touched", "count", (float(loaded),), most(0))
    urls = track.provider.urls
    told = json.dumps([urls["ok"], [urls["second"], urls["third"]]])
    answered = _ANSWERED.format(client="ours", urls=told), _ANSWERED.format(client="sdk", urls=told)
    for case, (of, to), bar in (
        *((f"client ready, {scheme}", ready(scheme), READY) for scheme in _SCHEMES),
        ("first call of a new process answered", answered, None),
    ):
        ours, sdk = compared(of, to, effort.rounds if effort.whole else 2)
        for at, quantity in enumerate(("time", "CPU")):
            both = [[took[at] * 1e3 for took in each] for each in (ours, sdk)]
            shown = " / ".join(f"{statistics.median(each):.0f} ms" for each in both)
            yield Figure(case, f"{quantity}, ours / sdk", tuple(ratios(*both)), bar, shown, ratio=True)


def idle(track: Track, effort: Effort) -> Iterator[Figure]:
    """One call every six seconds: how often each client connects again."""
    clients = {"ours": "idle ours", "sdk": "idle sdk"}
    lanes = {client: track.must(client) for client in clients}
    for number in range(effort.gaps + 1):
        for client, lane in lanes.items():
            lane.run(Job(port=clients[client], count=1))
        if number < effort.gaps:
            time.sleep(PAUSE)
    again = {client: float(track.provider.counts(clients[client])[0] - 1) for client in lanes}
    case = f"one call every {PAUSE:.0f} s, {effort.gaps} times"
    yield Figure(case, "reconnects, ours", (again["ours"],), most(0))
    yield Figure(case, "reconnects, sdk", (again["sdk"],))


def outages(track: Track, effort: Effort) -> Iterator[Figure]:
    """What a first hop costs that refuses connections, and one that never answers."""
    lane = track.must("ours")
    told = [lane.ask("outage", turns=effort.rounds, count=max(10, round(40 * effort.share))) for _ in range(effort.few)]
    later = tuple(seconds * 1e6 for each in told for seconds in each["later"])
    case = "first hop refused"
    yield Figure(case, "added by the first call, ms", tuple(each["once"] * 1e3 for each in told), most(2))
    yield Figure(case, "calls that asked it", tuple(float(each["asked"]) for each in told), most(1))
    yield Figure(case, "added once its breaker is open, CPU µs a call", later, most(50))
    # A caller who gives an attempt less than a second blames nobody when it runs out.
    calls, timeout = 50, 1.0
    before = track.provider.counts("hang")[1]
    beyond = lane.ask("silence", calls=calls, timeout=timeout)["beyond"]
    asked = track.provider.counts("hang")[1] - before
    yield Figure(f"first hop silent, {calls} calls", "timeouts waited for", (beyond / timeout,), most(1.2))
    yield Figure(f"first hop silent, {calls} calls", "calls that asked it", (float(asked),), most(1))


def decisions(track: Track, effort: Effort) -> Iterator[Figure]:
    """Dispatch, plan, breakers and the judging of an answer, without any I/O; and by itself that of a refusal."""
    lane = track.must("ours")
    count = round(2000 * effort.share)
    for models, hops in ((1, 1), (1, 3), (1, 20), (1000, 3), (1000, 20)):
        told = [lane.ask("decisions", models=models, hops=hops, count=count) for _ in range(effort.few)]
        parts = ", ".join(f"{name} {statistics.median(each[name] for each in told):.1f}" for name in _OF_AN_ANSWER)
        values = tuple(sum(each[name] for name in _OF_AN_ANSWER) for each in told)
        yield Figure(f"decisions, {models} models, {hops} hops", "CPU µs a call", values, DECIDED, parts)
    yield Figure("a refusal is classified", "CPU µs", tuple(each["a refusal"] for each in told))


def memory(track: Track, effort: Effort) -> Iterator[Figure]:
    """Whether resident memory rises with the number of calls, and what Python keeps for a call that is over."""
    asked = (
        ("calls", replace(CHAT, port="numbered"), effort.calls, 20),
        ("streams", replace(CHAT_STREAM, port="numbered"), effort.streams, 10),
    )
    for what, job, total, steps in asked:
        before, bar = RISING[what]
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
        case = f"{total:,} {what}, after {before * total:,}"
        yield Figure(case, "slope, bytes each", (rising,), most(bar), detail, judged=effort.whole)
    lane = Lane("ours", track.provider)
    try:
        for name, job in _KEPT.items():
            few = scaled(replace(job, port="numbered", count=100 if job.stream else 400), effort.share)
            kept = [float(lane.run(few, "kept")["bytes"]) for _ in range(effort.few if effort.whole else 1)]
            yield Figure(f"a finished call, {name}", "bytes kept", tuple(kept), most(1024))
    finally:
        lane.close()


ALONE: tuple[Callable[[Track, Effort], Iterator[Figure]], ...] = (idle, decisions, outages, imports, memory)
