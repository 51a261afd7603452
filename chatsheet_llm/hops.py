"""What a call asks, and the hops it may take, as values.  Decides nothing and sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar, overload

from chatsheet_llm.latency import HedgeAfter
from chatsheet_llm.route import Loss, Mode, Skip

OnLoss = Literal["error", "drop"]
Recovery = Literal["off", "buffer", "restart"]
"""What becomes of a stream that breaks behind its first content: an error, an answer that was held back until it is
whole, or another answer from the beginning, announced as such."""

PATHS: Mapping[str, Mode] = {"/chat/completions": "chat", "/responses": "responses"}
"""The OpenAI paths whose requests may be answered by another API; every other path goes out as it is."""
RESTARTABLE = frozenset({"/chat/completions", "/responses", "/embeddings", "/models", "/moderations"})
"""The paths where another hop may answer after one failed: they change nothing that only the first hop knows of."""
_ACTING = frozenset({"mcp", "code_interpreter", "shell", "computer_use_preview"})
"""Hosted tools that may do something elsewhere."""


STATE = "state"
"""The rule of a hop that was left out because the request goes on from what another endpoint keeps."""
LOSS = "loss"
"""The rule of a hop that was left out because its API has no place for something that the caller set."""
BODY = "body"
"""The rule of a hop that was left out because the request is not of its own wire format: the caller's fault."""
MODE = "mode"
"""The rule of a hop that was left out because the mode that was set for the call cannot be had there."""
MODEL = "model"
"""The rule of a hop that was left out because the registry does not name the model."""
UNCONFIGURED = "not configured"
"""The rule of a hop whose endpoint lacks a setting."""
SAME = "same"
"""The rule of a hop that would ask what an earlier hop of the chain asks."""
BOUNDARY = "boundary"
"""The rule of a hop that lies in another data boundary than the first one."""
PATH = "path"
"""The rule of a hop whose endpoint does not serve the path, and of one that is sent a path as it is."""


class Reachable(Protocol):
    """What dispatch needs to know of an endpoint."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def modes(self) -> tuple[Mode, ...]: ...
    @property
    def origin(self) -> str: ...
    @property
    def default_deployment(self) -> str | None: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def proxy_domain(self) -> str | None: ...
    @property
    def boundary(self) -> str: ...
    @property
    def answers_after(self) -> tuple[str, ...]: ...
    def refuses(self, path: str, mode: Mode | None) -> str | None:
        """Return why this endpoint cannot serve the path, or None."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the caller made it, and what was said about it.

    ``format`` is None for a path that is not bridged.  ``body`` is the JSON body with ``extra_body`` merged and the
    ``chatsheet`` block taken out.  ``chain``, ``mode``, ``on_loss`` and ``recovery`` come from that block, or from the
    client.
    """

    method: str
    path: str
    format: Mode | None
    body: Mapping[str, object] | None = field(repr=False)
    stream: bool
    chain: tuple[str, ...] | None = None
    mode: Mode | None = None
    on_loss: OnLoss = "error"
    recovery: Recovery = "off"
    hedge_after: HedgeAfter | None = None

    @property
    def model(self) -> str | None:
        """The model the caller asked for."""
        model = self.body.get("model") if self.body is not None else None
        return model if isinstance(model, str) else None

    @property
    def tools(self) -> bool:
        """Whether the model may call tools."""
        body = self.body or {}
        return bool(body.get("tools")) or bool(body.get("functions"))

    @property
    def effort(self) -> str | None:
        """The reasoning effort the caller asked for."""
        body = self.body or {}
        effort = body.get("reasoning_effort")
        if self.format == "responses":
            reasoning = body.get("reasoning")
            effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
        return effort if isinstance(effort, str) else None

    @property
    def side_effects(self) -> bool:
        """Whether sending it twice could do something twice: hosted tools, background work, a stored conversation."""
        body = self.body or {}
        tools = body.get("tools")
        hosted = isinstance(tools, Sequence) and any(
            isinstance(tool, Mapping) and tool.get("type") in _ACTING for tool in tools
        )
        return (
            hosted
            or bool(body.get("background"))
            or bool(body.get("conversation"))
            or bool(body.get("prompt"))
            or self.path not in RESTARTABLE
        )


@dataclass(frozen=True, slots=True)
class Hop:
    """One stop of the chain for one request: where, in which API, with which body, and why.

    ``rule`` names the rule that chose the API, ``reason`` says it in a sentence.  ``body`` is the JSON to send (None
    for a request without one); ``losses`` what the mode's format could not hold.  ``whole`` asks for a whole reply
    where the caller wants a stream.  ``after`` lists the faults that led to this form of the hop, ``entry`` is the
    chain's word for it.  ``proxy`` is the HTTP proxy before it; ``boundary`` and ``answers_after`` are its
    endpoint's.
    ``thinks`` says that the model may be silent for minutes before it says a word.
    """

    name: str
    endpoint: str
    mode: Mode | None
    model: str | None
    rule: str
    origin: str
    surface: str
    max_attempts: int = 2
    body: Mapping[str, object] | None = field(default=None, repr=False)
    losses: tuple[Loss, ...] = ()
    reason: str = ""
    whole: bool = False
    after: tuple[str, ...] = ()
    entry: str = ""
    proxy: str = ""
    boundary: str = ""
    answers_after: tuple[str, ...] = ()
    thinks: bool = False


Left = tuple[Skip, tuple[Loss, ...]]
"""A hop that is left out, and the losses that are why."""

Amend = Callable[[Hop, str], "Hop | Left | None"]
"""Given a hop and the fault it met: the same hop in the form that this fault asks for, why that cannot be had, or None
where it asks for none."""


def unamended(hop: Hop, fault: str) -> Hop | Left | None:
    """Know no other form of any hop."""
    del hop, fault
    return None


_T = TypeVar("_T")


class OnDemand(Sequence[_T]):
    """Things that are made in order and as they are asked for, and kept.

    ``made`` holds what there is, and ``more`` makes something more, which need not be one of these; False where nothing
    is left to be made.
    """

    __slots__ = ("_made", "_more")

    def __init__(self, made: list[_T], more: Callable[[], bool]) -> None:
        self._made, self._more = made, more

    def __iter__(self) -> Iterator[_T]:
        at = 0
        while self._reaches(at):
            yield self._made[at]
            at += 1

    def __bool__(self) -> bool:
        return self._reaches(0)

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | Sequence[_T]:
        if isinstance(index, int) and index >= 0 and self._reaches(index):
            return self._made[index]
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        return [*self] == [*other] if isinstance(other, (OnDemand, tuple, list)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))

    def so_far(self) -> tuple[_T, ...]:
        """Return what was made by now."""
        return tuple(self._made)

    def _reaches(self, at: int) -> bool:
        while len(self._made) <= at:
            if not self._more():
                return len(self._made) > at
        return True

    def _all(self) -> tuple[_T, ...]:
        while self._more():
            pass
        return tuple(self._made)


class Hops(OnDemand[Hop]):
    """The hops of one call, of which most calls need only the first."""

    __slots__ = ("_ahead",)

    def __init__(self, made: list[Hop], more: Callable[[], bool], ahead: Callable[[], Iterator[Hop]]) -> None:
        super().__init__(made, more)
        self._ahead = ahead

    def ahead(self) -> Iterator[Hop]:
        """Yield where the hops lie: those that are made, and of the others what is certain before they are made.

        To be looked at and never to be sent: one of the others has no body.
        """
        return self._ahead()


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The hops in order, and those left out with the rule that left them out; made as they are asked for.

    What they are was settled when the call began: by what was known then of endpoints, models and state.  Of the
    request itself, a hop that is made later reads what it says then.

    ``losses`` are what kept hops from being eligible.  ``amend`` gives a hop another form after it has refused this
    one for what it is, and not for what the request says: without state that it does not know, in its other API.
    """

    hops: Sequence[Hop]
    skipped: Sequence[Skip] = ()
    losses: Sequence[Loss] = ()
    amend: Amend = field(default=unamended, compare=False, repr=False)


def surface_of(origin: str, mode: Mode | None, model: str | None, resource: str = "") -> str:
    """Name one API of one deployment of an origin: the smaller of a hop's two failure domains."""
    return f"{origin} {mode or f'/{resource}'} {model or '*'}"
