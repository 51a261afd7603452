"""What holds for a call at every hop: its request, what is known of hops, how long each may take.  Sends nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx2

from chatsheet_llm import sdk
from chatsheet_llm.domains import Domains
from chatsheet_llm.endpoints import Endpoint, Outgoing
from chatsheet_llm.formats.watch import CompletionsWatch, ResponsesWatch, Watch
from chatsheet_llm.hops import RESTARTABLE, Call
from chatsheet_llm.latency import Latencies
from chatsheet_llm.learned import Learned
from chatsheet_llm.network import timeouts
from chatsheet_llm.origins import Origins
from chatsheet_llm.steps import Send
from chatsheet_llm.trail import Trail


@dataclass(slots=True)
class Terms:
    """Everything about one call that does not change from hop to hop.

    ``asked`` is the timeout that the caller set, if any; ``idle`` bounds the silence within a stream, ``first`` the
    time until its first content while another origin could still answer.  Seconds.  ``closed`` says whether our client
    is closed.  ``usage`` says whether the caller wants the usage of a stream.
    """

    call: Call
    options: sdk.FinalRequestOptions
    headers: Mapping[str, str | sdk.Omit]
    endpoints: Mapping[str, Endpoint]
    domains: Domains
    origins: Origins
    learned: Learned
    latencies: Latencies
    trail: Trail
    asked: float | httpx2.Timeout | None
    idle: float
    connect: float
    closed: Callable[[], bool]
    first: float = math.inf
    marker: str | None = None
    usage: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        wanted = (self.call.body or {}).get("stream_options")
        self.usage = isinstance(wanted, Mapping) and bool(wanted.get("include_usage"))

    @property
    def choices(self) -> int:
        """How many answers the caller wants."""
        answers = (self.call.body or {}).get("n")
        return answers if isinstance(answers, int) else 1

    def passed(self) -> Watch | None:
        """What judges the stream of a request that is passed through; None where nothing here knows such streams."""
        path = self.call.path
        if path == "/completions":
            return CompletionsWatch(self.choices)
        stored = path.startswith("/responses/") and path.count("/") == 2 and self.call.method.lower() == "get"
        return ResponsesWatch(stored=True) if stored else None

    def relayed(self, step: Send) -> bool:
        """Whether the hop's stream is judged on its way to the caller."""
        known = self.call.format is not None or self.passed() is not None
        return self.call.stream and known and not step.hop.whole

    def in_pieces(self, step: Send) -> bool:
        """Whether the body is to be read piece by piece."""
        # What another hop could answer too is judged whole before it is handed on.
        return (self.call.stream and not step.hop.whole) or (
            self.marker == "stream" and self.call.path not in RESTARTABLE
        )

    def outgoing(self, step: Send) -> tuple[Endpoint, Outgoing, float]:
        """Return the endpoint, what it is sent, and until when it may answer, in monotonic seconds."""
        endpoint, hop = self.endpoints[step.hop.endpoint], step.hop
        seconds = self._seconds(step)
        out = Outgoing(
            options=self.options,
            method=self.call.method,
            path=endpoint.path_of(hop.mode) if hop.mode is not None else self.call.path,
            mode=hop.mode,
            body=hop.body,
            headers=self.headers,
            timeout=timeouts(seconds, self.connect, self.silence(step) if self.relayed(step) else 0.0, self.asked),
            seconds=seconds,
        )
        return endpoint, out, time.monotonic() + seconds

    def _seconds(self, step: Send) -> float:
        """How long the hop may take until its answer, or the first content of it.

        What the caller set counts before all.  A model that thinks for minutes is not cut short for another hop; any
        other must begin to speak in time, while another origin could still answer.
        """
        if self.asked is not None:
            return step.timeout
        if step.hop.thinks:
            return step.left or step.timeout
        return min(step.timeout, self.first) if step.contested and self.relayed(step) else step.timeout

    def silence(self, step: Send) -> float:
        """How long a stream may be silent once it has begun: as long as the caller says, who may mean any time."""
        asked = math.inf if self.asked is None else sdk.seconds_of(self.asked)
        silent = asked if math.isfinite(asked) else self.idle
        if self.call.format is None:
            # A response that is read again may still be at work, and says nothing meanwhile.
            return max(silent, step.timeout)
        # Of what is held back, another origin could still bring all.
        contested = step.contested and self._holds and not step.hop.thinks
        return min(silent, step.timeout) if contested else silent

    def over(self, step: Send) -> float:
        """When a stream that is held back must be whole: the deadline, in monotonic seconds."""
        return time.monotonic() + (step.left or step.timeout) if self._holds else math.inf

    @property
    def _holds(self) -> bool:
        return self.call.recovery == "buffer"
