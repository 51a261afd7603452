"""Make one hop of one call: its API, its body in that API's format, or why it is left out.  Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chatsheet_llm.defaults import with_defaults
from chatsheet_llm.formats import BRIDGES, FormatError, without_attached
from chatsheet_llm.formats.state import Seal, without
from chatsheet_llm.homes import Homes
from chatsheet_llm.hops import BODY, LOSS, STATE, Call, Hop, Left
from chatsheet_llm.known import Known
from chatsheet_llm.learned import LESSONS
from chatsheet_llm.outlook import Outlook, Way
from chatsheet_llm.parameters import PARAMETER, refused, renamed, without_refused
from chatsheet_llm.places import Place
from chatsheet_llm.route import Loss, Mode, Skip

MESSAGES_LIMIT = 8192
"""Tokens of an answer through Messages, which must have a limit, where nobody sets one.  A model refuses more than it
can write, so this is little; an answer that needs more ends with ``length``."""


_OTHER_API = LESSONS.keys() - {"streaming"}
"""Faults that ask for another API."""


@dataclass(slots=True)
class HopMaker:
    """Makes the hops of one call, of its ``body``.

    ``heeded`` names the hints that leave a hop out: what the table says, and what endpoints have shown.  ``credulous``
    heeds the weak lessons too.
    """

    call: Call
    body: Mapping[str, object] | None = field(repr=False)
    way: Way
    homes: Homes
    heeded: frozenset[str]
    credulous: bool = True

    def make(self, look: Outlook, *, bare: bool = False) -> Hop | Left:
        """Return the hop, or why it is left out.  ``bare`` takes out the state whose maker nobody remembers."""
        if look.left is not None:
            return look.left
        hop = look.hop
        assert hop is not None
        if look.known is None or hop.mode is None:
            return self._passed_through(hop)
        made = self._body(look, hop, bare=bare)
        if isinstance(made[0], Skip):
            skip, lost = made
            return replace(skip, reason=f"{skip.reason}{look.why}"), lost
        body, losses = made
        if losses and self.call.on_loss == "error":
            refusing = tuple(loss for loss in losses if not loss.minor)
            if refusing:
                listed = "; ".join(map(str, refusing))
                return Skip(hop.name, LOSS, f"{hop.mode} cannot carry {listed}{look.why}"), refusing
        although: list[str] = []
        if look.filled or not look.telling.isdisjoint(body):
            fitted = self._fitted(body, hop.mode, look.known)
            if isinstance(fitted, Skip):
                return replace(fitted, hop=hop.name), ()
            body, found, although = fitted
            losses += found
        elif look.defaults is not None:
            body, placeless = with_defaults(body, hop.mode, look.defaults)
            losses += tuple(placeless)
        body, losses = self._named(body, losses, hop.mode, look.known)
        reason = hop.reason
        if look.against or although:
            reason = f"{reason}, although {' and '.join([*([look.against] if look.against else []), *although])}"
        if look.whole is not None:
            body = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
            losses += (Loss(hop.mode, "stream", f"answered whole and handed on as a stream: {look.whole}", minor=True),)
        return _with_body(hop, body, losses, reason, whole=look.whole is not None)

    def _fitted(
        self, body: dict[str, object], mode: Mode, known: Known
    ) -> tuple[dict[str, object], tuple[Loss, ...], list[str]] | Skip:
        """Return the body with the entry's defaults, as its model takes it, what that left out, and what it ignores.

        What the caller set and the model refuses keeps the hop from serving the call; a default is left out.
        """
        own, row, spec = self.call.format or mode, known.capability, self.way.spec
        default = spec.reasoning_effort if spec is not None else None
        told, found = body, list[Loss]()
        losses: tuple[Loss, ...] = ()
        although: list[str] = []
        if row is not None:
            if row.renamed_on_chat:
                told = renamed(told, mode, row)
            found = refused(told, mode, row, known.name, own, default)
            if found and self.call.on_loss == "drop":
                told = without_refused(told, mode, found)
                losses = tuple(found)
            elif found and PARAMETER in self.heeded:
                return Skip("", PARAMETER, "; ".join(loss.reason for loss in found))
            else:
                although = [loss.reason for loss in found]
        if spec is None or not spec.has_defaults:
            return told, losses, although
        filled, placeless = with_defaults(told, mode, spec)
        if row is not None:
            if row.renamed_on_chat:
                filled = renamed(filled, mode, row)
            kept = {loss.path for loss in found}
            vain = [loss for loss in refused(filled, mode, row, known.name, own) if loss.path not in kept]
            filled = without_refused(filled, mode, vain) if vain else filled
            placeless += [replace(loss, path=f"{spec.alias}.{loss.path}", minor=True) for loss in vain]
        return filled, (*losses, *placeless), although

    def amended(self, hop: Hop, fault: str, place: Place) -> Hop | Left | None:
        """Return the hop in the form that a fault asks for, why it has none, or None where the fault asks for none.

        Each fault is heard once, and one of those that ask for another API.
        """
        heard = (*hop.after, fault)
        if fault in hop.after or self.call.format is None:
            return None
        bare = "state" in heard
        if fault == "state":
            made = self.make(self._look(place), bare=True) if self.homes.guessed else None
            if isinstance(made, Hop) and made.surface == hop.surface and made.body != hop.body:
                reason = f"{hop.reason}, without the state of an earlier reply that it does not know"
                return replace(made, reason=reason, after=heard)
        elif fault in LESSONS and (fault == "streaming" or _OTHER_API.isdisjoint(hop.after)):
            # The lesson has been learned by now: the same rules come to another API, if they may.
            made = self.make(self._look(place), bare=bare)
            if not isinstance(made, Hop):
                return made if made[0].hop != hop.name else None
            if (made.mode, made.whole) != (hop.mode, hop.whole):
                return replace(made, after=heard)
        return None

    def _look(self, place: Place) -> Outlook:
        return self.way.look(place, self.heeded, self.credulous)

    def _foreign(self, mode: Mode, origin: str, *, bare: bool) -> list[Seal]:
        """Return the state that may not go to this hop."""
        foreign = self.homes.foreign(mode, origin, guess=not bare)
        if mode != "responses":
            # Only Responses knows ids of items; elsewhere they name nothing.
            foreign = [seal for seal in foreign if seal.at[-1:] != ("id",)]
        if mode == self.call.format == "chat":
            # What a bridge attached is taken out as a whole.
            foreign = [seal for seal in foreign if seal.home in (None, "chat")]
        return foreign

    def _body(self, look: Outlook, hop: Hop, *, bare: bool) -> tuple[dict[str, object], tuple[Loss, ...]] | Left:
        """Return the caller's body in the format of the hop and what that format could not hold, or why it has none."""
        call, mode, name = self.call, hop.mode, hop.name
        assert mode is not None
        told: Mapping[str, object] = self.body or {}
        bridge = BRIDGES.get((call.format or mode, mode)) if mode != call.format else None
        if mode != call.format and bridge is None:
            return Skip(name, "bridge", f"no bridge from {call.format} to {mode} requests"), ()
        losses: tuple[Loss, ...] = ()
        if not self.homes.plain:
            foreign = self._foreign(mode, hop.origin, bare=bare)
            needed = tuple(Loss(mode, seal.path, _told(self.homes.maker(seal))) for seal in foreign if seal.holds)
            if needed:
                return Skip(name, STATE, "; ".join(map(str, needed))), needed
            told, found = without(told, foreign, mode)
            losses = tuple(found)
            if mode == call.format == "chat":
                told, found = without_attached(told)
                losses += tuple(found)
        # Bridges and defaults go by what the model is; what the endpoint calls it goes out.
        real = look.real
        body: dict[str, object] = dict(told) if real is None else {**told, "model": real}
        if bridge is not None:
            try:
                body, found = bridge(body)
            except FormatError as error:
                return Skip(name, BODY, str(error)), ()
            losses += tuple(found)
        return body, losses

    def _named(
        self, body: dict[str, object], losses: tuple[Loss, ...], mode: Mode, known: Known
    ) -> tuple[dict[str, object], tuple[Loss, ...]]:
        """Return the body with the endpoint's name of the model, and with the limit that Messages must have."""
        if known.deployment is not None:
            body["model"] = known.deployment
        if mode == "messages" and body.get("max_tokens") is None and mode != self.call.format:
            body["max_tokens"] = MESSAGES_LIMIT
            name = "max_output_tokens" if self.call.format == "responses" else "max_completion_tokens"
            reason = f"Messages must have a limit; neither call nor model set one, so it is {MESSAGES_LIMIT} tokens"
            losses += (Loss("messages", name, reason, minor=True),)
        return body, losses

    def _passed_through(self, hop: Hop) -> Hop | Left:
        body = self.body
        for seal in self.homes.foreign(None, hop.origin):
            return Skip(hop.entry, STATE, f"{seal.path or seal.token!r}: {_told(self.homes.maker(seal))}"), ()
        named = {**body, "model": hop.model} if body is not None and hop.model is not None else body
        return _with_body(hop, named, (), hop.reason)


def _told(maker: str | None) -> str:
    return f"only endpoint {maker!r}, which made it, knows it" if maker else "only the endpoint that made it knows it"


def _with_body(
    hop: Hop, body: Mapping[str, object] | None, losses: tuple[Loss, ...], reason: str, *, whole: bool = False
) -> Hop:
    """Return the hop of an outlook with what is to be sent.  Written out: this is done for every call."""
    return Hop(
        hop.name, hop.endpoint, hop.mode, hop.model, hop.rule, hop.origin, hop.surface, hop.max_attempts, body, losses,
        reason, whole, (), hop.entry, hop.proxy, hop.boundary, hop.answers_after, hop.thinks,
    )  # fmt: skip
