"""Say what a kind of call would ask at each place of its chain, by the rules that read no body.  Pure; makes no hop.

Calls of one kind are many, so the answers are remembered: for as long as the setup that they were made from lasts, and
nothing new is learned of the endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chatsheet_llm.capabilities import parse_name
from chatsheet_llm.defaults import with_defaults
from chatsheet_llm.formats.responses_messages_sampling import is_claude
from chatsheet_llm.hops import (
    MODE,
    PATH,
    RESTARTABLE,
    UNCONFIGURED,
    Call,
    Hop,
    Left,
    Reachable,
    surface_of,
)
from chatsheet_llm.known import Known, deployment_of, known_at
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.modes import DOUBTS, Choice, Question, barrier, choose, conflict, doubt
from chatsheet_llm.parameters import PARAMETER, refused, renamed, telling_of
from chatsheet_llm.places import Place, lacking, parse_hop
from chatsheet_llm.portable import Judge, carried
from chatsheet_llm.route import Mode, Skip

HEEDED = ((DOUBTS | {PARAMETER}, True), (DOUBTS, True), (DOUBTS, False), (frozenset[str](), False))
"""Which hints of the table and of earlier answers are heeded, and whether weak lessons are; each time fewer, where
heeding them leaves no hop."""

MOST = 1000
"""Kinds of calls to remember; beyond, all are forgotten: model names may come from users."""
LONGEST_NAME = 200
"""Characters of a name that is remembered."""

_SLOW = frozenset({"pro", "deep-research"})
"""Variants of models that think for long whatever the effort."""


class Kind(NamedTuple):
    """All of a call that these rules read; ``chain`` is the call's own, or else the client's in ``chain_of_client``."""

    format: Mode | None
    path: str
    model: str | None
    mode: Mode | None
    tools: bool
    effort: str | None
    stream: bool
    chain: tuple[str, ...] | None
    chain_of_client: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What calls of one kind would ask at one place: a hop without a body, or why it is left out.

    ``against`` is what speaks against that API and is not heeded, ``why`` ends the reason of a hop that is left out for
    its body: why this API, where it is not the one that the caller would expect.  ``whole`` is why a caller who wants a
    stream is answered whole.
    """

    place: Place
    left: Left | None = None
    hop: Hop | None = None
    known: Known | None = None
    against: str = ""
    why: str = ""
    whole: str | None = None
    real: str | None = None
    """The name by which bridges and defaults know the model."""
    telling: frozenset[str] = frozenset()
    """Parameters that the model may refuse, or knows by another name; a request without them fits as it is."""
    carried: Mapping[str, Judge] = field(default_factory=dict)
    """What a bridge to the hop and its model are certain to take."""
    defaults: ModelSpec | None = None
    """The entry of the model, where it has anything to lay under a request."""
    filled: bool = False
    """Whether the defaults of the entry have to be looked at too: there are some that the model may refuse."""


@dataclass(frozen=True, slots=True)
class Way:
    """The places of a chain for one kind of call, with what is to be asked there.

    ``refused`` is why no hop can serve such a call at all.
    """

    kind: Kind
    spec: ModelSpec | None
    places: tuple[Place, ...]
    learned: Learned | None
    version: int
    refused: str = ""
    _rounds: dict[int, tuple[Outlook, ...]] = field(default_factory=dict)

    def looks(self, number: int) -> tuple[Outlook, ...]:
        """Return what is to be asked, heeding the hints of that line of `HEEDED`."""
        found = self._rounds.get(number)
        if found is None:
            found = tuple(self.look(place, *HEEDED[number]) for place in self.places)
            self._rounds[number] = found
        return found

    def look(self, place: Place, heeded: frozenset[str], credulous: bool) -> Outlook:
        """Return what is to be asked at one place, by what has been learned by now."""
        return outlook(self.kind, place, self.spec, self.learned, heeded, credulous)


class Outlooks:
    """The ways of every kind of call through one setup, remembered.  Thread-safe.

    ``endpoints``, ``registry`` and ``known`` are those of the setup, and do not change.
    """

    def __init__(self, endpoints: Mapping[str, Reachable], registry: Registry, known: Iterable[str] = ()) -> None:
        self.endpoints, self.registry, self.known = endpoints, registry, known
        self._ways: dict[tuple[object, ...], Way] = {}
        self._places: dict[str, Place] = {}

    def are_of(self, endpoints: Mapping[str, Reachable], registry: Registry, known: Iterable[str]) -> bool:
        """Whether these are the outlooks of a setup."""
        return self.endpoints is endpoints and self.registry is registry and self.known is known

    def way(self, call: Call, chain: Sequence[str], learned: Learned | None) -> Way:
        """Return the way of a call.  Raises SettingsError for a hop nobody knows."""
        model, effort = call.model, call.effort
        # Equal to the kind, and quicker to make.
        key = (
            call.format, call.path, model, call.mode, call.tools, effort, call.stream, call.chain, tuple(chain)
        )  # fmt: skip
        version = 0 if learned is None else learned.version
        found = self._ways.get(key)
        if found is not None and found.version == version and found.learned is learned:
            return found
        made = self._made(Kind(*key), learned, version)
        # Other paths name what they are about.
        if call.path in RESTARTABLE and max(len(model or ""), len(effort or "")) <= LONGEST_NAME:
            if len(self._ways) >= MOST:
                self._ways.clear()
            self._ways[key] = made
        return made

    def _made(self, kind: Kind, learned: Learned | None, version: int) -> Way:
        registry, model = self.registry, kind.model
        spec = registry.get(model) if model is not None else None
        entries = kind.chain or (spec.chain if spec is not None else None) or kind.chain_of_client
        places = tuple(self._place(entry) for named in entries for entry in registry.chains.get(named, (named,)))
        unknown = spec is None and model is not None and kind.format is not None and registry.closed
        refused = registry.unknown(model) if unknown and model is not None else ""
        return Way(kind, spec, places, learned, version, refused)

    def _place(self, entry: str) -> Place:
        found = self._places.get(entry)
        if found is None:
            name, wanted = parse_hop(entry, self.endpoints, self.known)
            endpoint = self.endpoints.get(name)
            found = Place(entry, endpoint, wanted, "" if endpoint is not None else lacking(name, self.known))
            if len(self._places) >= MOST:
                self._places.clear()
            self._places[entry] = found
        return found


def outlook(
    kind: Kind, place: Place, spec: ModelSpec | None, learned: Learned | None, heeded: frozenset[str], credulous: bool
) -> Outlook:
    """Return what calls of a kind would ask at a place, heeding these hints; ``credulous`` heeds weak lessons too."""
    endpoint, wanted = place.endpoint, place.wanted
    if endpoint is None:
        return _left(place, place.entry, UNCONFIGURED, place.lacking)
    if kind.format is None:
        reason = endpoint.refuses(kind.path, None)
        if reason is not None:
            return _left(place, place.entry, PATH, reason)
        model = deployment_of(endpoint, spec, kind.model)
        return Outlook(
            place, hop=_hop(place, endpoint, None, model, PATH, "the path is passed through", kind.path.split("/")[1])
        )
    known = known_at(endpoint, spec, kind.model, learned)
    asked = _question(kind, kind.format, endpoint, wanted, known, spec, learned, credulous)
    choice = choose(asked)
    name = f"{endpoint.name}/{wanted or choice.mode}"
    excluded = _excluded(asked, choice, endpoint, kind.path)
    if excluded is not None:
        return _left(place, name, *excluded)
    against = doubt(asked, choice.mode) if asked.explicit is None else None
    if against is not None and against.rule in heeded:
        return _left(place, name, against.rule, against.reason)
    if against is not None and wanted is not None and barrier(asked, wanted) is not None:
        return _left(place, name, MODE, f"{against.reason}, and {choice.reason}")
    thinks = _thinks(kind, known, spec)
    telling = telling_of(known.capability, choice.mode)
    return Outlook(
        place,
        hop=_hop(place, endpoint, choice.mode, known.deployment, choice.rule, choice.reason, thinks=thinks),
        known=known,
        against=against.reason if against is not None else "",
        why=f"; {choice.reason}" if choice.rule in DOUBTS else "",
        whole=_whole(endpoint, choice.mode, known, learned) if kind.stream else None,
        real=known.base_model if is_claude(known.base_model) else known.deployment,
        telling=telling,
        carried=carried(kind.format, choice.mode, known.capability) if choice.mode != kind.format else {},
        defaults=spec if spec is not None and spec.has_defaults else None,
        filled=spec is not None and bool(telling) and _doubted(spec, choice.mode, known, kind.format),
    )


def _doubted(spec: ModelSpec, mode: Mode, known: Known, own: Mode) -> bool:
    """Whether the model refuses a default of its entry, or knows it by another name."""
    filled, _ = with_defaults({}, mode, spec)
    row = known.capability
    return renamed(filled, mode, row) != filled or bool(refused(filled, mode, row, known.name, own))


def _left(place: Place, name: str, rule: str, reason: str) -> Outlook:
    return Outlook(place, left=(Skip(name, rule, reason), ()))


def _question(
    kind: Kind, own: Mode, endpoint: Reachable, wanted: Mode | None, known: Known, spec: ModelSpec | None,
    learned: Learned | None, credulous: bool,
) -> Question:  # fmt: skip
    return Question(
        own=own,
        endpoint=endpoint.name,
        kind=endpoint.kind,
        speaks=endpoint.modes,
        name=known.name,
        deployment=known.deployment or "*",
        call_mode=kind.mode,
        entry_mode=spec.mode if spec is not None else None,
        hop_mode=wanted,
        capability=known.capability,
        tools=kind.tools,
        effort=kind.effort or (spec.reasoning_effort if spec is not None else None),
        learned=learned,
        credulous=credulous,
        unserved={mode: reason for mode in endpoint.modes if (reason := endpoint.refuses(kind.path, mode)) is not None},
    )


def _excluded(asked: Question, choice: Choice, endpoint: Reachable, path: str) -> tuple[str, str] | None:
    """Return why the mode that was chosen cannot be had here at all, with its rule."""
    if choice.mode not in endpoint.modes:
        return MODE, f"endpoint {endpoint.name!r} does not speak {choice.mode}, and {choice.reason}"
    if asked.hop_mode not in (None, choice.mode):
        told = f"{choice.reason} to {choice.mode}, and the chain names this hop for {asked.hop_mode} alone"
        return choice.rule, f"{told}; set no mode, or name {endpoint.name!r} without one"
    against = conflict(asked, choice)
    if against is not None:
        return MODE, against
    reason = endpoint.refuses(path, choice.mode)
    return (PATH, reason) if reason is not None else None


def _thinks(kind: Kind, known: Known, spec: ModelSpec | None) -> bool:
    """Whether the model may think for minutes before its first word: one made for it, or told to by the effort."""
    name, row = parse_name(known.base_model or ""), known.capability
    if name is not None and name.variant in _SLOW:
        return True
    effort = kind.effort or (spec.reasoning_effort if spec is not None else None)
    return row is not None and row.reasoning and (effort or row.default_effort) in ("high", "xhigh")


def _whole(endpoint: Reachable, mode: Mode, known: Known, learned: Learned | None) -> str | None:
    """Return why a caller who wants a stream is to be answered whole: the model gives none."""
    row, said = known.capability, None
    if row is not None and not row.streaming:
        said = f"{known.name} gives no stream ({row.told('streaming')})"
    if learned is not None and known.deployment is not None:
        shown = learned.why_not_streamed(endpoint.name, known.deployment)
        said = shown.reason if shown is not None else said
    return said if mode in ("chat", "responses") else None


def _hop(
    place: Place, endpoint: Reachable, mode: Mode | None, model: str | None, rule: str, reason: str,
    resource: str = "", *, thinks: bool = False,
) -> Hop:  # fmt: skip
    return Hop(
        name=f"{endpoint.name}/{mode}" if mode is not None else endpoint.name,
        endpoint=endpoint.name,
        mode=mode,
        model=model,
        rule=rule,
        origin=endpoint.origin,
        surface=surface_of(endpoint.origin, mode, model, resource),
        max_attempts=endpoint.max_attempts,
        reason=reason,
        entry=place.entry,
        proxy=endpoint.proxy_domain or "",
        boundary=endpoint.boundary,
        answers_after=endpoint.answers_after,
        thinks=thinks,
    )
