"""Measure what the decisions of a call cost, without any I/O: dispatch, plan, breakers, budget.  Judges nothing.

    python benchmarks/decisions.py

Prints microseconds of CPU a call, the median of many batches, by hops in the chain, models in the registry, messages.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.domains import Domains
from chatsheet_llm.endpoint_settings import EndpointSettings
from chatsheet_llm.endpoints import build
from chatsheet_llm.hops import Call
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.origins import Origins
from chatsheet_llm.outlook import Outlooks
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import Policy

HOPS = (1, 3, 20)
MODELS = (1, 1000)
MESSAGES = (2, 20, 100)


def decisions(hops: int, models: int, messages: int = 2) -> Callable[[], None]:
    """Return a call that is answered by its first hop, from its body to the end of its plan."""
    settings = {"kind": "openai", "api_key": "key"}
    endpoints = {
        name: build(name, EndpointSettings.model_validate({**settings, "base_url": f"https://{name}.example/v1"}))
        for name in (f"place{number}" for number in range(hops))
    }
    specs = [
        ModelSpec(f"model-{number}", base_model="gpt-5", api_model=f"prod-{number}", max_tokens=1000)
        for number in range(models)
    ]
    registry = Registry({spec.alias: spec for spec in specs})
    outlooks, learned, origins, domains = Outlooks(endpoints, registry), Learned(), Origins(), Domains()
    said = [{"role": "user" if at % 2 else "system", "content": f"Say {at}."} for at in range(messages)]
    body = {"model": f"model-{models // 2}", "messages": said}
    chain, policy = tuple(endpoints), Policy()

    def run() -> None:
        call = Call("post", "/chat/completions", "chat", body, stream=False)
        found = dispatch(
            call,
            endpoints=endpoints,
            registry=registry,
            chain=chain,
            origins=origins,
            learned=learned,
            outlooks=outlooks,
        )
        steps = plan(found.hops, domains, policy=policy, deadline_at=time.monotonic() + 120.0, amend=found.amend)
        next(steps)
        next(steps, None)

    return run


def microseconds(run: Callable[[], None], batches: int = 60, calls: int = 200) -> float:
    """Return the median over the batches of the CPU time of a call."""
    for _ in range(calls):
        run()
    found = []
    for _ in range(batches):
        begun = time.process_time()
        for _ in range(calls):
            run()
        found.append((time.process_time() - begun) / calls)
    return statistics.median(found) * 1e6


def grid() -> Iterator[tuple[int, int, int]]:
    """Yield hops, models and messages of each case."""
    yield from ((hops, models, 2) for models in MODELS for hops in HOPS)
    yield from ((3, 1, messages) for messages in MESSAGES[1:])


if __name__ == "__main__":
    for hops, models, messages in grid():
        took = microseconds(decisions(hops, models, messages))
        print(f"{hops:3} hops  {models:5} models  {messages:4} messages  {took:7.1f} µs")
