"""Put a client's plan on a clock of ours, and write down what it does.  Judges nothing and opens no socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from unittest.mock import patch

import openai
from tenacity import wait_fixed
from vectors.schema import ANSWERED, KINDS, Attempt, Case, Given

from chatsheet_llm import Settings, client, errors, route_of
from chatsheet_llm.classify import Failure
from chatsheet_llm.domains import Domains
from chatsheet_llm.hops import Hop
from chatsheet_llm.located import domains_of
from chatsheet_llm.plan import plan
from chatsheet_llm.steps import Failed, Send, Wait

BACKOFF, THROTTLED = 0.05, 1.0
"""Seconds of the waits whose length is else drawn by lot."""
CONNECT = 0.15
"""Seconds that connecting may take."""
IDLE = 0.25
"""Seconds of silence within a stream."""


@dataclass(slots=True)
class Fake:
    """Monotonic seconds that move only when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds


@dataclass(slots=True)
class Skewed:
    """The true clock, in which a wait takes no time at all but is over."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.ahead += seconds


@dataclass(slots=True)
class Stage:
    """What one case did.

    ``attempt`` is what comes of the send that is under way, None where all is well; ``sending`` hears of every send
    before it goes out.
    """

    case: Case
    attempts: Sequence[Attempt]
    clock: Fake | Skewed
    attempt: Attempt | None = None
    sending: Callable[[Send], None] = lambda step: None
    warm: bool = False
    """Whether all is well, whatever the attempts say."""
    domains: Domains = field(init=False)
    hops: list[Hop] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    came: list[Failure | None] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    _at: int = 0

    def __post_init__(self) -> None:
        self.domains = Domains(self.clock, lambda: 0.0)

    @property
    def given(self) -> Given:
        """What the case gives."""
        return self.case.given

    def _next(self) -> Attempt | None:
        if self.warm:
            return None
        self._at += 1
        if self._at <= len(self.attempts):
            return self.attempts[self._at - 1]
        return self.attempts[-1] if self.case.then == "same" else None

    def planned(self, hops: Sequence[Hop], domains: Domains, **arguments: object) -> Generator[Send, None, None]:
        """Plan as the client wants to, on our clock; waits are over at once."""
        policy = replace(arguments["policy"], wait=wait_fixed(BACKOFF), wait_throttled=wait_fixed(THROTTLED))  # type: ignore[type-var]
        mine = {"policy": policy, "clock": self.clock, "deadline_at": self.clock() + self.given.budget.deadline}
        self.hops = [*hops]
        steps = plan(hops, self.domains, **{**arguments, **mine})  # type: ignore[arg-type]
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    self.waits.append(step.seconds)
                    self.clock.pass_(step.seconds)
                    step = next(steps)
                    continue
                self.sends.append(step)
                self.came.append(None)
                self.attempt = self._next()
                self.sending(step)
                try:
                    yield step
                except Failed as failed:
                    self.came[-1] = failed.failure
                    step = steps.throw(failed)
                else:
                    step = next(steps)
        except StopIteration:
            return
        finally:
            steps.close()

    @contextmanager
    def set(self, of: client.ChatClient | client.AsyncChatClient) -> Iterator[None]:
        """Within this context the client's calls are on this stage."""
        of._core.domains = self.domains
        with patch.object(client, "plan", self.planned):
            yield

    def begin(self) -> None:
        """Forget the call before."""
        self.attempt = None
        self.sends, self.came, self.waits = [], [], []

    # --- what was seen

    def said(self, error: errors.ChatsheetError | None) -> list[str]:
        """The sends, as vectors write them."""
        seen = [
            f"{send.hop.name} ok" if failure is None else f"{send.hop.name} {failure.fault} {failure.send_state}"
            for send, failure in zip(self.sends, self.came, strict=True)
        ]
        if isinstance(error, errors.StreamInterrupted):
            last = route_of(error).attempts[-1]
            seen[-1] = f"{last.hop} {last.outcome} {last.send_state}"
        return seen

    def closed(self) -> dict[str, float]:
        """The domains that take no traffic, and for how many seconds."""
        found: dict[str, float] = {}
        for hop in self.hops:
            api = hop.mode or hop.surface.split(" ")[1].strip("/")
            labels = {"proxy": f"proxy of {hop.endpoint}", "origin": hop.endpoint, "surface": f"{hop.endpoint}/{api}"}
            for reach, key in domains_of(hop):
                label = labels[reach]
                breaker = self.domains.breaker(key)
                if breaker.state != "closed":
                    found[label] = breaker.opened_until - self.clock()
        return found

    def tokens(self) -> dict[str, float]:
        """The tokens that are left, by endpoint."""
        return {hop.endpoint: self.domains.bucket(hop.origin).tokens for hop in self.hops}

    def spend(self) -> None:
        """Leave no more tokens than the case gives."""
        for hop in self.hops:
            left = self.given.budget.tokens.get(hop.endpoint)
            if left is not None:
                self.domains.bucket(hop.origin).tokens = left


def settings_of(given: Given, urls: dict[str, str], proxies: dict[str, str] | None = None, **more: object) -> Settings:
    """Settings in which these endpoints are all there is."""
    names = list(dict.fromkeys(entry.partition("/")[0] for entry in given.chain))
    endpoints: dict[str, dict[str, object]] = {}
    for name in names:
        endpoints[name] = {"kind": KINDS[name], "base_url": urls[name], "api_key": f"key-of-{name}"}
        if name in given.proxies:
            endpoints[name]["proxy"] = (proxies or {}).get(given.proxies[name], f"http://{given.proxies[name]}.test")
        if name in given.allows:
            endpoints[name]["answers_after"] = given.allows[name]
        if name in given.boundaries:
            endpoints[name]["boundary"] = given.boundaries[name]
    told = {"chain": list(given.chain), "endpoints": endpoints, "connect_timeout": CONNECT, "idle_timeout": IDLE}
    return Settings(_env_file=None, **told, **more)


def url_of(name: str, origin: str) -> str:
    """The base URL of an endpoint of this kind."""
    return f"{origin}/v1" if KINDS[name] == "openai" else origin


HELLO = [{"role": "user", "content": "Hello"}]
_LARGE = "Hello " * 2_000_000
_TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def request_of(given: Given) -> tuple[str, dict[str, object]]:
    """The method of a client, as a path of attributes, and its arguments."""
    more: dict[str, object] = {"stream": True} if given.stream else {}
    if given.budget.attempt is not None:
        more["timeout"] = given.budget.attempt
    if given.call == "embeddings":
        return "embeddings.create", {"model": "gpt-5", "input": "Hello", "encoding_format": "float", **more}
    if given.call == "responses":
        if given.side_effects:
            more["tools"] = [{"type": "code_interpreter", "container": {"type": "auto"}}]
        return "responses.create", {"model": "gpt-5", "input": "Hello", **more}
    if given.tools:
        more["tools"] = [_TOOL]
    if given.large:
        more["messages"] = [{"role": "user", "content": _LARGE}]
    return "chat.completions.create", {"model": "gpt-5", "messages": HELLO, **more}


def method_of(of: object, path: str) -> Callable[..., object]:
    """The method at the end of a path of attributes."""
    for name in path.split("."):
        of = getattr(of, name)
    return of  # type: ignore[return-value]


def text_of(answer: object) -> str:
    """The text of an answer, or of the pieces of a stream."""
    if isinstance(answer, list):
        parts = []
        for piece in answer:
            if hasattr(piece, "choices"):
                parts += [(choice.delta.content or "") if choice.delta else "" for choice in piece.choices]
            elif getattr(piece, "type", "") == "response.output_text.delta":
                parts.append(piece.delta)
        return "".join(parts)
    if hasattr(answer, "choices"):
        return answer.choices[0].message.content or ""
    return str(getattr(answer, "output_text", ""))


def truncated(answer: object) -> bool:
    """Whether an answer says that it ends at a limit of tokens."""
    if hasattr(answer, "choices"):
        return bool(answer.choices[0].finish_reason == "length")
    details = getattr(answer, "incomplete_details", None)
    return details is not None and details.reason == "max_output_tokens"


def wrongs(stage: Stage, error: BaseException | None, answer: object, kind: str | None, slack: float) -> list[str]:
    """What is not as the case expects it, in words; empty where all is.  ``slack`` is what a true clock may add."""
    case, seen = stage.case, []
    expect = case.expect

    def compare(what: str, expected: object, got: object) -> None:
        if expected != got:
            seen.append(f"{what}: expected {expected}, got {got}")

    if error is not None and not isinstance(error, errors.ChatsheetError):
        return [f"outcome: expected {expect.outcome}, got {error!r}"]
    compare("outcome", expect.outcome, ANSWERED if error is None else type(error).__name__)
    if expect.sends is not None:
        compare("sends", expect.sends, stage.said(error))
    if expect.waits is not None:
        near = len(expect.waits) == len(stage.waits) and all(
            -0.02 - slack <= got - expected <= 0.02 + slack + 0.11 * expected
            for expected, got in zip(expect.waits, stage.waits, strict=True)
        )
        if not near:
            seen.append(f"waits: expected {expect.waits}, got {[round(wait, 3) for wait in stage.waits]}")
    closed = stage.closed()
    if set(closed) != set(expect.breaker) or any(
        seconds != "open" and abs(seconds - closed[name]) > 1.0 + slack + 0.11 * seconds
        for name, seconds in expect.breaker.items()
        if name in closed
    ):
        seen.append(f"breaker: expected {expect.breaker}, got { {k: round(v, 2) for k, v in closed.items()} }")
    if expect.tokens is not None or case.given.calls == 1:
        left = {**dict.fromkeys(stage.tokens(), 140.0), **case.given.budget.tokens, **(expect.tokens or {})}
        for name, tokens in stage.tokens().items():
            if abs(tokens - left[name]) > 0.5 + slack + 1.0 * (name in case.given.budget.tokens):
                seen.append(f"tokens of {name}: expected {left[name]}, got {tokens:.2f}")
    if expect.retry_in is not None:
        at = route_of(error).retry_at if error is not None else None
        got = None if at is None else (at - datetime.now(timezone.utc)).total_seconds()
        if got is None or abs(got - expect.retry_in) > 1.5 + slack:
            seen.append(f"retry_in: expected {expect.retry_in}, got {got}")
    if expect.partial is not None:
        compare("partial", expect.partial, getattr(error, "partial", None))
    if expect.text is not None:
        compare("text", expect.text, text_of(answer))
    if expect.truncated is not None:
        compare("truncated", expect.truncated, truncated(answer))
    first = next((failure for failure in stage.came if failure is not None), None)
    if kind is not None and first is not None:
        compare("class", kind, first.row.kind)
    if isinstance(error, openai.APIError):
        compare("route", [send.hop.name for send in stage.sends], [made.hop for made in route_of(error).attempts])
    return seen
