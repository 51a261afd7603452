"""Count what calls and streams cost, in what does not depend on the machine.  Judges nothing; run it for a table.

Counted are calls of functions, of Python and C, in the caller's thread, the event loop's own among them; and how often
JSON is read and written, objects validated, and the SDK's own slow ways taken.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal

import httpx2
from dispatch_world import ENDPOINTS
from either import Either, Kind
from lockstep import Lockstep

from chatsheet_llm import Settings
from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.domains import Domains
from chatsheet_llm.hops import Call
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.origins import Origins
from chatsheet_llm.outlook import Outlooks
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import Policy

Api = Literal["chat", "responses"]

C_WORK: Mapping[str, tuple[str, ...]] = {
    "from_json": ("read",),
    "validate_json": ("read", "validated"),
    "validate_python": ("validated",),
    "to_json": ("written",),
}
"""What a function of pydantic's core counts as."""
PYTHON_WORK: Mapping[tuple[str, str, str], str] = {
    ("json", "decoder.py", "decode"): "read",
    ("json", "encoder.py", "encode"): "written",
    ("openai", "_models.py", "construct"): "constructed",
    ("openai", "_models.py", "construct_type"): "constructed",
    ("_utils", "_transform.py", "_transform_recursive"): "walked",
    ("_utils", "_transform.py", "_async_transform_recursive"): "walked",
}
"""What a function counts as, by its directory, file and name."""
WORK = ("read", "validated", "written", "constructed", "walked")


@dataclass(frozen=True, slots=True)
class Case:
    """A call: through which client and API, to a hop of which API, with how many messages, streamed in how many deltas.

    A chain of three hops, of which the first is well.  ``header`` gives each call a header with a value of its own,
    ``given`` the client an ``http_client`` of the caller's.
    """

    kind: Kind
    api: Api
    hop: Api
    messages: int = 2
    deltas: int = 0
    header: bool = False
    given: bool = False

    @property
    def name(self) -> str:
        bridged = "" if self.api == self.hop else f" from {self.hop}"
        said = f", {self.messages} messages" if self.messages != 2 else ""
        own = ", a header of its own" if self.header else ""
        through = ", on httpx2" if self.given else ""
        return f"{self.kind} {self.api}{bridged}{f', {self.deltas} deltas' if self.deltas else said}{own}{through}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call took: calls of functions, and of these what :data:`WORK` names; how many events it brought."""

    calls: int
    work: tuple[tuple[str, int], ...]
    items: int


_BRINGS: Mapping[Api, Callable[[Any], object]] = {
    "chat": lambda told: told.choices[0].delta.content,
    "responses": lambda told: told.type == "response.output_text.delta",
}
"""What tells whether a piece of text came with an event."""


class _Count:
    """Hears of every function that is called in this thread."""

    def __init__(self) -> None:
        self.calls = 0
        self.work: Counter[str] = Counter()
        self._known: dict[CodeType, str | None] = {}

    def hear(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.calls += 1
            code = frame.f_code
            if code not in self._known:
                file = Path(code.co_filename)
                self._known[code] = PYTHON_WORK.get((file.parent.name, file.name, code.co_name))
            if found := self._known[code]:
                self.work[found] += 1
        elif event == "c_call":
            self.calls += 1
            self.work.update(C_WORK.get(argument.__name__, ()))


@contextmanager
def _counting() -> Iterator[_Count]:
    counted = _Count()
    gc.collect()
    gc.disable()
    try:
        yield counted
    finally:
        sys.setprofile(None)
        gc.enable()


class Costs:
    """A client and a server for a case, warm."""

    def __init__(self, case: Case, server: Lockstep, made: Either) -> None:
        self.case, self._server, self._made = case, server, made
        create = made.client.chat.completions if case.api == "chat" else made.client.responses
        said = [{"role": ("user", "assistant")[at % 2], "content": f"Message {at}."} for at in range(case.messages)]
        self._create = create.create
        self.asked: dict[str, Any] = {"model": "gpt-5", "messages" if case.api == "chat" else "input": said}
        if case.deltas:
            self.asked["stream"] = True
        self._ids = count()

    def call(self, counted: _Count | None = None) -> int:
        """Make the call, counted; return how many events it brought."""
        server, create, asked = self._server, self._create, self.asked
        hear, brings = None if counted is None else counted.hear, _BRINGS[self.case.api]
        if self.case.header:
            asked = {**asked, "extra_headers": {"x-request-id": str(next(self._ids))}}

        def run() -> int:
            sys.setprofile(hear)
            made, items = create(**asked), 0
            if "stream" in asked:
                for item in made:
                    items += 1
                    if brings(item):
                        server.next()
            sys.setprofile(None)
            return items

        async def arun() -> int:
            sys.setprofile(hear)
            made, items = await create(**asked), 0
            if "stream" in asked:
                async for item in made:
                    items += 1
                    if brings(item):
                        server.next()
            sys.setprofile(None)
            return items

        items: int = run() if self.case.kind == "sync" else self._made.wait(arun())
        return items

    def cost(self) -> Cost:
        """Count one call."""
        with _counting() as counted:
            items = self.call(counted)
        return Cost(counted.calls, tuple((name, counted.work[name]) for name in WORK), items)

    def kept(self, calls: int) -> float:
        """Return the bytes that each of so many calls left behind."""
        tracemalloc.start()
        try:
            for _ in range(10):
                self.call()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(calls):
                self.call()
            gc.collect()
            return (tracemalloc.get_traced_memory()[0] - before) / calls
        finally:
            tracemalloc.stop()


@contextmanager
def costs_of(case: Case, *, steps: bool = True) -> Iterator[Costs]:
    """Set a case up and warm it."""
    with Lockstep(case.deltas, steps=steps) as server:
        urls = (server.url, "http://127.0.0.1:9", "http://127.0.0.1:10")
        endpoints = {
            name: {"kind": "openai", "base_url": f"{url}/v1", "api_key": "k", "modes": [case.hop]}
            for name, url in zip(("one", "two", "three"), urls, strict=True)
        }
        settings = Settings(_env_file=None, endpoints=endpoints, chain="one,two,three", deadline=60.0)
        given: dict[str, Any] = {}
        if case.given:
            given["http_client"] = httpx2.Client() if case.kind == "sync" else httpx2.AsyncClient()
        with Either(case.kind, settings, **given) as made:
            costs = Costs(case, server, made)
            for _ in range(5):
                costs.call()
            yield costs


def decided(chain: Sequence[str], hops: int, models: int) -> int:
    """Count the functions that the decisions of an answered call take; the chain goes on to so many hops."""
    specs = [ModelSpec(f"model-{number}", base_model="gpt-5", max_tokens=1000) for number in range(models)]
    registry = Registry({spec.alias: spec for spec in specs})
    entries = (*chain, *(f"place{number}" for number in range(len(chain), hops)))
    outlooks, learned, origins, domains = Outlooks(ENDPOINTS, registry), Learned(), Origins(), Domains()
    body = {"model": f"model-{models // 2}", "messages": [{"role": "user", "content": "hi"}]}

    def decide() -> None:
        call = Call("post", "/chat/completions", "chat", body, stream=False)
        found = dispatch(
            call,
            endpoints=ENDPOINTS,
            registry=registry,
            chain=entries,
            origins=origins,
            learned=learned,
            outlooks=outlooks,
        )
        steps = plan(found.hops, domains, policy=POLICY, deadline_at=time.monotonic() + 60.0, amend=found.amend)
        next(steps)
        next(steps, None)

    for _ in range(5):
        decide()
    with _counting() as counted:
        sys.setprofile(counted.hear)
        decide()
        sys.setprofile(None)
    return counted.calls


POLICY = Policy()
KINDS: tuple[Kind, ...] = ("sync", "async")
CASES: tuple[Case, ...] = tuple(
    case
    for kind in KINDS
    for case in (
        Case(kind, "chat", "chat"),
        Case(kind, "chat", "chat", messages=100),
        Case(kind, "chat", "chat", header=True),
        Case(kind, "responses", "responses"),
        Case(kind, "chat", "responses"),
        Case(kind, "responses", "chat"),
        Case(kind, "chat", "chat", deltas=200),
        Case(kind, "responses", "responses", deltas=200),
        Case(kind, "chat", "responses", deltas=200),
        Case(kind, "chat", "chat", given=True),
        Case(kind, "chat", "chat", deltas=200, given=True),
        Case(kind, "responses", "responses", deltas=200, given=True),
    )
)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        # To load the system's certificates takes long, and loopback needs none.
        os.environ["SSL_CERT_DIR"] = empty
        print(f"Python {sys.version.split()[0]}: calls, {', '.join(WORK)}, events, bytes kept")
        for case in CASES:
            with costs_of(case) as costs:
                first, second, kept = costs.cost(), costs.cost(), costs.kept(100)
            spread = f" ({second.calls - first.calls:+})" if second.calls != first.calls else ""
            print(
                f"{case.name:45} {first.calls:7}{spread} {tuple(dict(first.work).values())} {first.items} {kept:.1f}",
                flush=True,
            )
