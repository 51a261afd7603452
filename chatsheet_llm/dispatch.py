"""Choose the hops for one request: which endpoint, which API of it, and by which rule.  Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chatsheet_llm.hops import MODEL, Call, Dispatch, Reachable
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import Registry
from chatsheet_llm.origins import Origins
from chatsheet_llm.outlook import Outlooks
from chatsheet_llm.places import parse_hop as parse_hop
from chatsheet_llm.route import Skip
from chatsheet_llm.walk import Walk


def dispatch(
    call: Call,
    *,
    endpoints: Mapping[str, Reachable],
    registry: Registry,
    chain: Sequence[str],
    known: Iterable[str] = (),
    origins: Origins | None = None,
    learned: Learned | None = None,
    outlooks: Outlooks | None = None,
) -> Dispatch:
    """Return the hops that can serve this request, in the chain's order.  The first is made, the others when asked for.

    ``chain`` is the client's; the call's own and the model's come first.  ``known`` names endpoints that may stand in a
    chain although they are not configured: those hops are left out.  ``origins`` tells who made the state that an
    earlier reply left in the request; what nobody remembers is taken for the work of the first hop that could have
    made it.  State goes home or is taken out; where the request needs it, other hops are left out.  ``learned`` tells
    what endpoints have shown of their deployments.  Where ``known`` is a mapping, its values say what to set.
    ``outlooks`` remembers what the rules say of each kind of call; one of another setup is not asked.

    Raises SettingsError for a hop nobody knows.
    """
    if outlooks is None or not outlooks.are_of(endpoints, registry, known):
        outlooks = Outlooks(endpoints, registry, known)
    way = outlooks.way(call, chain, learned)
    if way.refused:
        return Dispatch((), tuple(Skip(place.entry, MODEL, way.refused) for place in way.places))
    return Walk(call, way, endpoints, origins).found()
