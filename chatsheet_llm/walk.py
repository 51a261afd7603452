"""Walk the places of a chain for one call and make its hops, each when it is asked for.  Pure; sends nothing.

Most calls are answered by their first hop.  The others are made in their order and with the answers that the rules gave
when the call began, so that it makes no difference when.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from chatsheet_llm.homes import Homes
from chatsheet_llm.hop_maker import HopMaker
from chatsheet_llm.hops import BODY, BOUNDARY, RESTARTABLE, SAME, Call, Dispatch, Hop, Hops, Left, OnDemand, Reachable
from chatsheet_llm.known import deployment_of
from chatsheet_llm.origins import Origins
from chatsheet_llm.outlook import HEEDED, Outlook, Way
from chatsheet_llm.parameters import PARAMETER
from chatsheet_llm.portable import portable
from chatsheet_llm.route import Loss, Skip


class Walk:
    """The hops of one call and what was left out, as far as it has been walked."""

    __slots__ = (
        *("_abroad", "_at", "_body", "_call", "_home", "_homes", "_lock", "_looks", "_maker", "_way"),
        *("hops", "losses", "made", "skipped"),
    )

    def __init__(self, call: Call, way: Way, endpoints: Mapping[str, Reachable], origins: Origins | None) -> None:
        self._call, self._way = call, way
        self._lock = threading.Lock()
        self._body = _kept(call.body) if len(way.places) > 1 else call.body
        self._begin(endpoints, origins)

    def _begin(self, endpoints: Mapping[str, Reachable], origins: Origins | None) -> None:
        """Make the first hop, heeding fewer hints where that leaves none."""
        call = self._call
        for number, (heeded, credulous) in enumerate(HEEDED):
            self._homes = Homes.of(call.format, call.path, call.body, origins, endpoints)
            self._maker = HopMaker(call, self._body, self._way, self._homes, heeded, credulous)
            self._looks, self._at = self._way.looks(number), 0
            self._home: Hop | None = None
            self.made: list[Hop] = []
            """All that were made, also those in another data boundary."""
            self.hops: list[Hop] = []
            self.skipped: list[Skip] = []
            self.losses: list[Loss] = []
            self._abroad: list[Skip] = []
            while not self.hops and self._more():
                pass
            if self.hops or not self._hinted(heeded, credulous):
                return

    def found(self) -> Dispatch:
        """Return what was found, which is walked on as it is read."""
        if not self.hops:
            return Dispatch((), tuple(self.skipped), tuple(self.losses), self.amend)
        if self._call.path in RESTARTABLE:
            hops: Sequence[Hop] = Hops(self.hops, self.more, self.ahead)
        else:
            hops = (self.hops[0],)
        return Dispatch(hops, OnDemand(self.skipped, self.more), OnDemand(self.losses, self.more), self.amend)

    def more(self) -> bool:
        """Walk one place further; False at the end of the chain."""
        with self._lock:
            return self._more()

    def _more(self) -> bool:
        if self._at >= len(self._looks):
            if not self._abroad:
                return False
            self.skipped += self._abroad
            self._abroad = []
            return True
        look = self._looks[self._at]
        made = self._maker.make(look)
        if isinstance(made, Hop):
            self._keep(look, made)
        else:
            self.skipped.append(made[0])
            self.losses += [loss for loss in dict.fromkeys(made[1]) if loss not in self.losses]
        self._at += 1
        return True

    def _keep(self, look: Outlook, hop: Hop) -> None:
        """Keep a hop, unless an earlier one asks the same, or the first with a data boundary lies in another."""
        made = self.made
        twin = next((other for other in made if other.surface == hop.surface), None) if made else None
        if twin is not None:
            if hop.entry != twin.entry:
                self.skipped.append(Skip(look.place.entry, SAME, f"asks what {twin.entry!r} asks"))
            return
        made.append(hop)
        home = self._home
        if hop.boundary and home is None:
            self._home = hop
        elif home is not None and hop.boundary not in ("", home.boundary):
            reason = f"lies in data boundary {hop.boundary!r}, and {home.name} in {home.boundary!r}"
            self._abroad.append(Skip(hop.name, BOUNDARY, reason))
            return
        self.hops.append(hop)

    def ahead(self) -> Iterator[Hop]:
        """Yield the hops that were made, then where the others will lie; what is not certain of one is found out."""
        yield from self.hops.copy()
        known, home = {hop.surface for hop in self.made}, self._home
        for number in range(self._at, len(self._looks)):
            look = self._looks[number]
            hop = look.hop
            if hop is None or hop.surface in known:
                continue
            if not self._certain(look):
                # All up to this one, as each may make a difference to the next.
                while self._at <= number and self.more():
                    pass
                yield from [made for made in self.hops if made.surface not in known]
                known, home = {made.surface for made in self.made}, self._home
                continue
            known.add(hop.surface)
            home = home or (hop if hop.boundary else None)
            if home is None or hop.boundary in ("", home.boundary):
                yield hop

    def _certain(self, look: Outlook) -> bool:
        """Whether a hop will be made of what the rules say, whatever else the request says."""
        own, body, hop = self._call.format, self._call.body, look.hop
        if own is None or not self._homes.empty:
            return self._homes.empty
        if body is None or hop is None:
            return False
        # In the caller's format it goes as it is; only its model may refuse some of it.
        return look.telling.isdisjoint(body) if hop.mode == own else portable(body, look.carried)

    def amend(self, hop: Hop, fault: str) -> Hop | Left | None:
        """Return the hop in the form that a fault asks for: see :data:`~chatsheet_llm.hops.Amend`."""
        place = next((place for place in self._way.places if place.entry == hop.entry), None)
        if place is None:
            return None
        if not self._homes.empty:
            # Whose state it is was settled by the order of the chain.
            while self.more():
                pass
        return self._maker.amended(hop, fault, place)

    def _hinted(self, heeded: frozenset[str], credulous: bool) -> bool:
        """Whether it may be for a hint that no hop is left."""
        rules = {skip.rule for skip in self.skipped}
        if BODY in rules:
            return False
        return bool(rules & heeded and (not self.losses or PARAMETER in rules)) or (credulous and self._doubtful())

    def _doubtful(self) -> bool:
        """Whether weak lessons are known of what these hops would ask."""
        way, learned = self._way, self._way.learned
        return learned is not None and any(
            learned.doubtful(place.endpoint.name, deployment_of(place.endpoint, way.spec, way.kind.model) or "*")
            for place in way.places
            if place.endpoint is not None
        )


def _kept(body: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """Return a body that no later message is added to: a hop may be made of it when the first has failed."""
    for name in ("messages", "input"):
        said = body.get(name) if body is not None else None
        if body is not None and type(said) is list:
            return {**body, name: said.copy()}
    return body
