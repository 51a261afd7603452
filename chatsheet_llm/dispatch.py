"""Choose the hops for one request: which endpoint, which API of it, and by which rule.  Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.homes import Homes
from chatsheet_llm.hop_maker import HopMaker
from chatsheet_llm.hops import (
    BODY,
    BOUNDARY,
    MODEL,
    RESTARTABLE,
    SAME,
    UNCONFIGURED,
    Call,
    Dispatch,
    Hop,
    Left,
    Reachable,
)
from chatsheet_llm.known import deployment_of
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.modes import DOUBTS
from chatsheet_llm.origins import Origins
from chatsheet_llm.parameters import PARAMETER
from chatsheet_llm.route import MODES, Loss, Mode, Skip

_HEEDED = ((DOUBTS | {PARAMETER}, True), (DOUBTS, True), (DOUBTS, False), (frozenset[str](), False))
"""Which hints of the table and of earlier answers are heeded, and whether weak lessons are; each time fewer, where
heeding them leaves no hop."""


def dispatch(
    call: Call,
    *,
    endpoints: Mapping[str, Reachable],
    registry: Registry,
    chain: Sequence[str],
    known: Iterable[str] = (),
    origins: Origins | None = None,
    learned: Learned | None = None,
) -> Dispatch:
    """Return the hops that can serve this request, in the chain's order.

    ``chain`` is the client's; the call's own and the model's come first.  ``known`` names endpoints that may stand in a
    chain although they are not configured: those hops are left out.  ``origins`` tells who made the state that an
    earlier reply left in the request; what nobody remembers is taken for the work of the first hop that could have
    made it.  State goes home or is taken out; where the request needs it, other hops are left out.  ``learned`` tells
    what endpoints have shown of their deployments.  Where ``known`` is a mapping, its values say what to set.

    Raises SettingsError for a hop nobody knows.
    """
    spec = registry.get(call.model) if call.model is not None else None
    entries = tuple(_expanded(call.chain or (spec.chain if spec is not None else None) or tuple(chain), registry))
    places = [(entry, *parse_hop(entry, endpoints, known)) for entry in entries]
    if spec is None and call.model is not None and call.format is not None and registry.closed:
        reason = registry.unknown(call.model)
        return Dispatch((), tuple(Skip(entry, MODEL, reason) for entry, _, _ in places))
    hops: list[Hop]
    skipped: list[Skip]
    lost: list[Loss]
    for heeded, credulous in _HEEDED:
        hops, skipped, lost = [], [], []
        homes = Homes.of(call.format, call.path, call.body, origins, endpoints)
        maker = HopMaker(call, spec, homes, learned, heeded, credulous)
        for entry, name, wanted in places:
            if name not in endpoints:
                skipped.append(Skip(entry, UNCONFIGURED, _lacking(name, known)))
                continue
            made = maker.make(entry, endpoints[name], wanted)
            if isinstance(made, Hop):
                twin = next((hop for hop in hops if made.surface == hop.surface), None)
                if twin is None:
                    hops.append(made)
                elif made.entry != twin.entry:
                    skipped.append(Skip(entry, SAME, f"asks what {twin.entry!r} asks"))
                continue
            skip, losses = made
            skipped.append(skip)
            lost.extend(losses)
        if hops or not _hinted(skipped, lost, heeded, credulous and _doubtful(places, endpoints, spec, call, learned)):
            break
    hops, abroad = _within(hops)
    skipped += abroad
    if call.path not in RESTARTABLE:
        hops = hops[:1]

    def amend(hop: Hop, fault: str) -> Hop | Left | None:
        found = next(((name, wanted) for entry, name, wanted in places if entry == hop.entry), None)
        return maker.amended(hop, fault, endpoints[found[0]], found[1]) if found is not None else None

    return Dispatch(tuple(hops), tuple(skipped), tuple(dict.fromkeys(lost)), amend)


def _within(hops: Sequence[Hop]) -> tuple[list[Hop], list[Skip]]:
    """Return the hops in the data boundary of the first that lies in one, and those that lie in another."""
    home = next((hop for hop in hops if hop.boundary), None)
    if home is None:
        return list(hops), []
    abroad = [hop for hop in hops if hop.boundary not in ("", home.boundary)]
    reason = f"lies in data boundary {{!r}}, and {home.name} in {home.boundary!r}"
    skips = [Skip(hop.name, BOUNDARY, reason.format(hop.boundary)) for hop in abroad]
    return [hop for hop in hops if hop not in abroad], skips


def _hinted(skipped: Sequence[Skip], lost: Sequence[Loss], heeded: frozenset[str], doubtful: bool) -> bool:
    """Whether it may be for a hint that no hop is left."""
    rules = {skip.rule for skip in skipped}
    if BODY in rules:
        return False
    return doubtful or bool(rules & heeded and (not lost or PARAMETER in rules))


def _doubtful(
    places: Iterable[tuple[str, str, Mode | None]],
    endpoints: Mapping[str, Reachable],
    spec: ModelSpec | None,
    call: Call,
    learned: Learned | None,
) -> bool:
    """Whether weak lessons are known of what these hops would ask."""
    return learned is not None and any(
        learned.doubtful(name, deployment_of(endpoints[name], spec, call.model) or "*")
        for _, name, _ in places
        if name in endpoints
    )


def _lacking(name: str, known: Iterable[str]) -> str:
    said = known.get(name) if isinstance(known, Mapping) else None
    return str(said) if said else f"endpoint {name!r} is not configured"


def parse_hop(entry: str, endpoints: Mapping[str, Reachable], known: Iterable[str] = ()) -> tuple[str, Mode | None]:
    """Split ``"azure/responses"`` into endpoint and mode; the mode is None where the entry leaves it to the rules.

    Raises SettingsError for an endpoint nobody knows, or a mode the endpoint does not speak.
    """
    name, slash, mode = entry.strip().partition("/")
    names = sorted({*endpoints, *known})
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0] + slash + mode!r}?" if close else ""
        raise SettingsError(
            f"the chain names hop {entry!r}, but there is no endpoint {name!r} (known: {', '.join(names)}){hint}"
        )
    if not slash:
        return name, None
    speaks = endpoints[name].modes if name in endpoints else MODES
    for candidate in speaks:
        if candidate == mode:
            return name, candidate
    raise SettingsError(
        f"the chain names hop {entry!r}, but endpoint {name!r} speaks {', '.join(speaks)}, not {mode!r}"
    )


def _expanded(entries: Iterable[str], registry: Registry) -> Iterable[str]:
    for entry in entries:
        yield from registry.chains.get(entry, (entry,))
