"""Make one hop of one call: its API, its body in that API's format, or why it is left out.  Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chatsheet_llm.capabilities import parse_name
from chatsheet_llm.defaults import with_defaults
from chatsheet_llm.formats import BRIDGES, FormatError, without_attached
from chatsheet_llm.formats.responses_messages_sampling import is_claude
from chatsheet_llm.formats.state import Seal, without
from chatsheet_llm.homes import Homes
from chatsheet_llm.hops import BODY, LOSS, MODE, PATH, STATE, Call, Hop, Left, Reachable, surface_of
from chatsheet_llm.known import Known, deployment_of, known_at
from chatsheet_llm.learned import LESSONS, Learned
from chatsheet_llm.models import ModelSpec
from chatsheet_llm.modes import DOUBTS, Choice, Question, barrier, choose, conflict, doubt
from chatsheet_llm.parameters import PARAMETER, refused, renamed, without_refused
from chatsheet_llm.route import Loss, Mode, Skip

MESSAGES_LIMIT = 8192
"""Tokens of an answer through Messages, which must have a limit, where nobody sets one.  A model refuses more than it
can write, so this is little; an answer that needs more ends with ``length``."""


_SLOW = frozenset({"pro", "deep-research"})
"""Variants of models that think for long whatever the effort."""
_OTHER_API = LESSONS.keys() - {"streaming"}
"""Faults that ask for another API."""


@dataclass(frozen=True, slots=True)
class HopMaker:
    """Makes the hops of one call.

    ``heeded`` names the hints that leave a hop out: what the table says, and what endpoints have shown.  ``credulous``
    heeds the weak lessons too.
    """

    call: Call
    spec: ModelSpec | None
    homes: Homes
    learned: Learned | None
    heeded: frozenset[str]
    credulous: bool = True

    def make(self, entry: str, endpoint: Reachable, wanted: Mode | None, *, bare: bool = False) -> Hop | Left:
        """Return the hop, or why it is left out.  ``bare`` takes out the state whose maker nobody remembers."""
        if self.call.format is None:
            return self._passed_through(entry, endpoint)
        known = known_at(endpoint, self.spec, self.call.model, self.learned)
        asked = self._question(endpoint, wanted, known)
        choice = choose(asked)
        name = f"{endpoint.name}/{wanted or choice.mode}"
        left = self._excluded(asked, choice, endpoint)
        if left is not None:
            return Skip(name, *left), ()
        against = doubt(asked, choice.mode) if asked.explicit is None else None
        if against is not None and against.rule in self.heeded:
            return Skip(name, against.rule, against.reason), ()
        if against is not None and wanted is not None and barrier(asked, wanted) is not None:
            return Skip(name, MODE, f"{against.reason}, and {choice.reason}"), ()
        # Why this API, where it is not the one that the caller would expect.
        why = f"; {choice.reason}" if choice.rule in DOUBTS else ""
        made = self._body(choice.mode, endpoint, known, bare=bare)
        if isinstance(made[0], Skip):
            skip, lost = made
            return replace(skip, reason=f"{skip.reason}{why}"), lost
        body, losses = made
        refusing = tuple(loss for loss in losses if not loss.minor)
        if refusing and self.call.on_loss == "error":
            listed = "; ".join(map(str, refusing))
            return Skip(name, LOSS, f"{choice.mode} cannot carry {listed}{why}"), refusing
        fitted = self._fitted(body, choice.mode, known)
        if isinstance(fitted, Skip):
            return replace(fitted, hop=name), ()
        body, found, although = fitted
        losses += found
        body, losses = self._named(body, losses, choice.mode, known)
        although = [*([against.reason] if against is not None else []), *although]
        reason = f"{choice.reason}, although {' and '.join(although)}" if although else choice.reason
        hop = _hop(entry, endpoint, choice.mode, known.deployment, choice.rule, reason, body, losses)
        hop = replace(hop, thinks=self._thinks(known))
        return self._whole(hop, known) if self.call.stream else hop

    def _fitted(
        self, body: dict[str, object], mode: Mode, known: Known
    ) -> tuple[dict[str, object], tuple[Loss, ...], list[str]] | Skip:
        """Return the body with the entry's defaults, as its model takes it, what that left out, and what it ignores.

        What the caller set and the model refuses keeps the hop from serving the call; a default is left out.
        """
        own, row = self.call.format or mode, known.capability
        default = self.spec.reasoning_effort if self.spec is not None else None
        told = renamed(body, mode, row)
        found = refused(told, mode, row, known.name, own, default)
        losses: tuple[Loss, ...] = ()
        although: list[str] = []
        if found and self.call.on_loss == "drop":
            told = without_refused(told, mode, found)
            losses = tuple(found)
        elif found and PARAMETER in self.heeded:
            return Skip("", PARAMETER, "; ".join(loss.reason for loss in found))
        else:
            although = [loss.reason for loss in found]
        if self.spec is None:
            return told, losses, although
        filled, placeless = with_defaults(told, mode, self.spec)
        filled = renamed(filled, mode, row)
        kept = {loss.path for loss in found}
        vain = [loss for loss in refused(filled, mode, row, known.name, own) if loss.path not in kept]
        filled = without_refused(filled, mode, vain)
        listed = [replace(loss, path=f"{self.spec.alias}.{loss.path}", minor=True) for loss in vain]
        return filled, (*losses, *placeless, *listed), although

    def amended(self, hop: Hop, fault: str, endpoint: Reachable, wanted: Mode | None) -> Hop | Left | None:
        """Return the hop in the form that a fault asks for, why it has none, or None where the fault asks for none.

        Each fault is heard once, and one of those that ask for another API.
        """
        heard = (*hop.after, fault)
        if fault in hop.after or self.call.format is None:
            return None
        bare = "state" in heard
        if fault == "state":
            made = self.make(hop.entry, endpoint, wanted, bare=True) if self.homes.guessed else None
            if isinstance(made, Hop) and made.surface == hop.surface and made.body != hop.body:
                reason = f"{hop.reason}, without the state of an earlier reply that it does not know"
                return replace(made, reason=reason, after=heard)
        elif fault in LESSONS and (fault == "streaming" or _OTHER_API.isdisjoint(hop.after)):
            # The lesson has been learned by now: the same rules come to another API, if they may.
            made = self.make(hop.entry, endpoint, wanted, bare=bare)
            if not isinstance(made, Hop):
                return made if made[0].hop != hop.name else None
            if (made.mode, made.whole) != (hop.mode, hop.whole):
                return replace(made, after=heard)
        return None

    def _thinks(self, known: Known) -> bool:
        """Whether the model may think for minutes before its first word: one made for it, or told to by the effort."""
        name, row = parse_name(known.base_model or ""), known.capability
        if name is not None and name.variant in _SLOW:
            return True
        effort = self.call.effort or (self.spec.reasoning_effort if self.spec is not None else None)
        return row is not None and row.reasoning and (effort or row.default_effort) in ("high", "xhigh")

    def _question(self, endpoint: Reachable, wanted: Mode | None, known: Known) -> Question:
        spec = self.spec
        return Question(
            own=self.call.format or "chat",
            endpoint=endpoint.name,
            kind=endpoint.kind,
            speaks=endpoint.modes,
            name=known.name,
            deployment=known.deployment or "*",
            call_mode=self.call.mode,
            entry_mode=spec.mode if spec is not None else None,
            hop_mode=wanted,
            capability=known.capability,
            tools=self.call.tools,
            effort=self.call.effort or (spec.reasoning_effort if spec is not None else None),
            learned=self.learned,
            credulous=self.credulous,
            unserved={
                mode: reason
                for mode in endpoint.modes
                if (reason := endpoint.refuses(self.call.path, mode)) is not None
            },
        )

    def _excluded(self, asked: Question, choice: Choice, endpoint: Reachable) -> tuple[str, str] | None:
        """Return why the mode that was chosen cannot be had here at all, with its rule."""
        if choice.mode not in endpoint.modes:
            return MODE, f"endpoint {endpoint.name!r} does not speak {choice.mode}, and {choice.reason}"
        if asked.hop_mode not in (None, choice.mode):
            return choice.rule, f"{choice.reason} to {choice.mode}"
        against = conflict(asked, choice)
        if against is not None:
            return MODE, against
        reason = endpoint.refuses(self.call.path, choice.mode)
        return (PATH, reason) if reason is not None else None

    def _foreign(self, mode: Mode, endpoint: Reachable, *, bare: bool) -> list[Seal]:
        """Return the state that may not go to this hop."""
        foreign = self.homes.foreign(mode, endpoint.origin, guess=not bare)
        if mode != "responses":
            # Only Responses knows ids of items; elsewhere they name nothing.
            foreign = [seal for seal in foreign if seal.at[-1:] != ("id",)]
        if mode == self.call.format == "chat":
            # What a bridge attached is taken out as a whole.
            foreign = [seal for seal in foreign if seal.home in (None, "chat")]
        return foreign

    def _body(
        self, mode: Mode, endpoint: Reachable, known: Known, *, bare: bool
    ) -> tuple[dict[str, object], tuple[Loss, ...]] | Left:
        """Return the caller's body in the format of the hop and what that format could not hold, or why it has none."""
        call, name = self.call, f"{endpoint.name}/{mode}"
        bridge = BRIDGES.get((call.format or mode, mode)) if mode != call.format else None
        if mode != call.format and bridge is None:
            return Skip(name, "bridge", f"no bridge from {call.format} to {mode} requests"), ()
        foreign = self._foreign(mode, endpoint, bare=bare)
        needed = tuple(Loss(mode, seal.path, _told(self.homes.maker(seal))) for seal in foreign if seal.holds)
        if needed:
            return Skip(name, STATE, "; ".join(map(str, needed))), needed
        told, found = without(call.body or {}, foreign, mode)
        losses: tuple[Loss, ...] = tuple(found)
        if mode == call.format == "chat":
            told, found = without_attached(told)
            losses += tuple(found)
        # Bridges and defaults go by what the model is; what the endpoint calls it goes out.
        real = known.base_model if is_claude(known.base_model) else known.deployment
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

    def _whole(self, hop: Hop, known: Known) -> Hop:
        """Return the hop for a caller who wants a stream: asked for a whole reply, where its model gives none."""
        row, said = known.capability, None
        if row is not None and not row.streaming:
            said = f"{known.name} gives no stream ({row.told('streaming')})"
        if self.learned is not None and hop.model is not None:
            shown = self.learned.why_not_streamed(hop.endpoint, hop.model)
            said = shown.reason if shown is not None else said
        if said is None or hop.mode not in ("chat", "responses"):
            return hop
        body = {name: value for name, value in (hop.body or {}).items() if name not in ("stream", "stream_options")}
        listed = Loss(hop.mode, "stream", f"answered whole and handed on as a stream: {said}", minor=True)
        return replace(hop, whole=True, body=body, losses=(*hop.losses, listed))

    def _passed_through(self, entry: str, endpoint: Reachable) -> Hop | Left:
        call = self.call
        reason = endpoint.refuses(call.path, None)
        if reason is not None:
            return Skip(entry, PATH, reason), ()
        for seal in self.homes.foreign(None, endpoint.origin):
            return Skip(entry, STATE, f"{seal.path or seal.token!r}: {_told(self.homes.maker(seal))}"), ()
        model = deployment_of(endpoint, self.spec, call.model)
        named = {**call.body, "model": model} if call.body is not None and model is not None else call.body
        return _hop(
            entry, endpoint, None, model, PATH, "the path is passed through", named, (), call.path.split("/")[1]
        )


def _told(maker: str | None) -> str:
    return f"only endpoint {maker!r}, which made it, knows it" if maker else "only the endpoint that made it knows it"


def _hop(
    entry: str, endpoint: Reachable, mode: Mode | None, model: str | None, rule: str, reason: str,
    body: Mapping[str, object] | None, losses: tuple[Loss, ...], resource: str = "",
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
        body=body,
        losses=losses,
        reason=reason,
        entry=entry,
        proxy=endpoint.proxy_domain or "",
        boundary=endpoint.boundary,
        answers_after=endpoint.answers_after,
    )
