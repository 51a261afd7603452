"""Choose the hops for one request: which endpoint, which API of it, and by which rule.  Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal, Protocol

from chatsheet_llm.capabilities import Capability, capability_of
from chatsheet_llm.defaults import with_defaults
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.formats import BRIDGES, FormatError, without_attached
from chatsheet_llm.formats.responses_messages_sampling import is_claude
from chatsheet_llm.formats.state import without
from chatsheet_llm.homes import Homes
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.origins import Origins
from chatsheet_llm.route import MODES, Loss, Mode, Skip

OnLoss = Literal["error", "drop"]

PATHS: Mapping[str, Mode] = {"/chat/completions": "chat", "/responses": "responses"}
"""The OpenAI paths whose requests may be answered by another API; every other path goes out as it is."""
MESSAGES_LIMIT = 8192
"""Tokens of an answer through Messages, which must have a limit, where nobody sets one.  A model refuses more than it
can write, so this is little; an answer that needs more ends with ``length``."""
RESTARTABLE = frozenset({"/chat/completions", "/responses", "/embeddings", "/models", "/moderations"})
"""The paths where another hop may answer after one failed: they change nothing that only the first hop knows of."""


CAPABILITY = "capability"
"""The rule of a hop that was left out because of the capability table."""
STATE = "state"
"""The rule of a hop that was left out because the request goes on from what another endpoint keeps."""
LOSS = "loss"
"""The rule of a hop that was left out because its API has no place for something that the caller set."""
BODY = "body"
"""The rule of a hop that was left out because the request is not of its own wire format: the caller's fault."""


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
    def refuses(self, path: str, mode: Mode | None) -> str | None:
        """Return why this endpoint cannot serve the path, or None."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the caller made it, and what was said about it.

    ``format`` is None for a path that is not bridged.  ``body`` is the JSON body with ``extra_body`` merged and the
    ``chatsheet`` block taken out.  ``chain``, ``mode`` and ``on_loss`` come from that block, or from the client.
    """

    method: str
    path: str
    format: Mode | None
    body: Mapping[str, object] | None
    stream: bool
    chain: tuple[str, ...] | None = None
    mode: Mode | None = None
    on_loss: OnLoss = "error"

    @property
    def model(self) -> str | None:
        """The model the caller asked for."""
        model = self.body.get("model") if self.body is not None else None
        return model if isinstance(model, str) else None

    @property
    def side_effects(self) -> bool:
        """Whether sending it twice could do something twice: hosted tools, background work, a stored conversation."""
        body = self.body or {}
        tools = body.get("tools")
        hosted = isinstance(tools, Sequence) and any(
            isinstance(tool, Mapping)
            and tool.get("type") in ("mcp", "code_interpreter", "shell", "computer_use_preview")
            for tool in tools
        )
        return hosted or bool(body.get("background")) or bool(body.get("conversation")) or self.path not in RESTARTABLE


@dataclass(frozen=True, slots=True)
class Hop:
    """One stop of the chain for one request: where, in which API, with which body, and why.

    ``body`` is the JSON to send (None for a request without one); ``losses`` what the mode's format could not hold.
    ``only_after`` names the fault of the hop before it without which this one is not tried: the same hop, without the
    state that it was taken to know.
    """

    name: str
    endpoint: str
    mode: Mode | None
    model: str | None
    rule: str
    origin: str
    surface: str
    max_attempts: int = 2
    body: Mapping[str, object] | None = None
    losses: tuple[Loss, ...] = ()
    only_after: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The hops in order, and those left out with the rule that left them out."""

    hops: tuple[Hop, ...]
    skipped: tuple[Skip, ...] = ()
    losses: tuple[Loss, ...] = field(default=())
    """What kept hops from being eligible."""


def dispatch(
    call: Call,
    *,
    endpoints: Mapping[str, Reachable],
    registry: Registry,
    chain: Sequence[str],
    known: Iterable[str] = (),
    origins: Origins | None = None,
) -> Dispatch:
    """Return the hops that can serve this request, in the chain's order.

    ``chain`` is the client's; the call's own and the model's come first.  ``known`` names endpoints that may stand in a
    chain although they are not configured: those hops are left out.  ``origins`` tells who made the state that an
    earlier reply left in the request; what nobody remembers is taken for the work of the first hop that could have
    made it.  State goes home or is taken out; where the request needs it, other hops are left out.

    Raises SettingsError for a hop nobody knows.
    """
    spec = registry.get(call.model) if call.model is not None else None
    entries = call.chain or (spec.chain if spec is not None else None) or tuple(chain)
    hops: list[Hop]
    skipped: list[Skip]
    lost: list[Loss]
    # The table is a hint: where heeding it leaves no hop, the hops it would leave out are tried after all.
    for heed in (True, False):
        hops, skipped, lost = [], [], []
        homes = Homes.of(call.format, call.path, call.body, origins, endpoints)
        for entry in _expanded(entries, registry):
            name, wanted = parse_hop(entry, endpoints, known)
            if name not in endpoints:
                skipped.append(Skip(entry, "not configured", f"endpoint {name!r} is not configured"))
                continue
            made = _hop(call, entry, endpoints[name], wanted, spec, homes, heed=heed)
            if isinstance(made, Hop):
                if all(made.surface != hop.surface for hop in hops):
                    hops.append(made)
                    if homes.guessed:
                        other = _hop(call, entry, endpoints[name], wanted, spec, homes, heed=heed, bare=True)
                        hops.extend(_bare(made, other))
                continue
            skip, losses = made
            skipped.append(skip)
            lost.extend(losses)
        rules = {skip.rule for skip in skipped}
        if hops or lost or BODY in rules or CAPABILITY not in rules:
            break
    if call.path not in RESTARTABLE:
        hops = hops[:1]
    return Dispatch(tuple(hops), tuple(skipped), tuple(dict.fromkeys(lost)))


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


def _hop(
    call: Call, entry: str, endpoint: Reachable, wanted: Mode | None, spec: ModelSpec | None, homes: Homes, *,
    heed: bool, bare: bool = False,
) -> Hop | tuple[Skip, tuple[Loss, ...]]:  # fmt: skip
    if call.format is None:
        reason = endpoint.refuses(call.path, None)
        if reason is not None:
            return Skip(entry, "path", reason), ()
        for seal in homes.foreign(None, endpoint.origin):
            return Skip(entry, STATE, f"{seal.path or seal.token!r}: {_told(homes.maker(seal))}"), ()
        model = _deployment(call, endpoint, spec)
        named = {**call.body, "model": model} if call.body is not None and model is not None else call.body
        return _made(endpoint, None, model, "path is passed through", named, (), call.path.split("/")[1])
    base = (spec.base_model or spec.api_model if spec is not None else None) or call.model
    capability = capability_of(base)
    mode, rule = _mode(call, wanted, spec, capability, endpoint)
    reason = _ineligible(call, mode, rule, wanted, endpoint)
    if reason is not None:
        return Skip(f"{endpoint.name}/{mode}", rule, reason), ()
    doubt = None if call.mode or (spec is not None and spec.mode) else _doubt(call, mode, capability)
    if doubt is not None and heed:
        return Skip(f"{endpoint.name}/{mode}", CAPABILITY, doubt), ()
    if doubt is not None:
        rule = f"{rule}, although {doubt}"
    bridge = BRIDGES.get((call.format, mode))
    if mode != call.format and bridge is None:
        return Skip(f"{endpoint.name}/{mode}", "bridge", f"no bridge from {call.format} to {mode} requests"), ()
    foreign = homes.foreign(mode, endpoint.origin, guess=not bare)
    own = mode == call.format
    if mode != "responses":
        # Only Responses knows ids of items; elsewhere they name nothing.
        foreign = [seal for seal in foreign if seal.at[-1:] != ("id",)]
    if own and mode == "chat":
        # What a bridge attached is taken out as a whole, below.
        foreign = [seal for seal in foreign if seal.home in (None, "chat")]
    needed = tuple(Loss(mode, seal.path, _told(homes.maker(seal))) for seal in foreign if seal.holds)
    if needed:
        return Skip(f"{endpoint.name}/{mode}", STATE, "; ".join(map(str, needed))), needed
    told, found = without(call.body or {}, foreign, mode)
    losses: tuple[Loss, ...] = tuple(found)
    if own and mode == "chat":
        told, found = without_attached(told)
        losses += tuple(found)
    model = _deployment(call, endpoint, spec)
    # Bridges and defaults go by what the model is; what the endpoint calls it goes out.
    real = spec.base_model if spec is not None and is_claude(spec.base_model) else model
    body: dict[str, object] = dict(told) if real is None else {**told, "model": real}
    if bridge is not None and not own:
        try:
            body, found = bridge(body)
        except FormatError as error:
            return Skip(f"{endpoint.name}/{mode}", BODY, str(error)), ()
        losses += tuple(found)
    refused = tuple(loss for loss in losses if not loss.minor)
    if refused and call.on_loss == "error":
        listed = "; ".join(str(loss) for loss in refused)
        return Skip(f"{endpoint.name}/{mode}", LOSS, f"{mode} cannot carry {listed}"), refused
    if spec is not None:
        body, placeless = with_defaults(body, mode, spec)
        losses += tuple(placeless)
    if model is not None:
        body["model"] = model
    if mode == "messages" and body.get("max_tokens") is None and not own:
        body["max_tokens"] = MESSAGES_LIMIT
        name = "max_output_tokens" if call.format == "responses" else "max_completion_tokens"
        reason = f"Messages must have a limit; {MESSAGES_LIMIT} tokens were set, as neither the call nor the model did"
        losses += (Loss("messages", name, reason, minor=True),)
    return _made(endpoint, mode, model, rule, body, losses)


def _bare(hop: Hop, bare: Hop | tuple[Skip, tuple[Loss, ...]]) -> Iterable[Hop]:
    """Yield the hop without state whose maker nobody remembers, for where it was not this one after all."""
    if isinstance(bare, Hop) and bare.body != hop.body:
        yield replace(bare, rule=f"{hop.rule}, if it does not know the state of an earlier reply", only_after="state")


def _told(maker: str | None) -> str:
    return f"only endpoint {maker!r}, which made it, knows it" if maker else "only the endpoint that made it knows it"


def _made(
    endpoint: Reachable, mode: Mode | None, model: str | None, rule: str, body: Mapping[str, object] | None,
    losses: tuple[Loss, ...], resource: str = "",
) -> Hop:  # fmt: skip
    name = f"{endpoint.name}/{mode}" if mode is not None else endpoint.name
    surface = f"{endpoint.origin} {mode or f'/{resource}'} {model or '*'}"
    return Hop(name, endpoint.name, mode, model, rule, endpoint.origin, surface, endpoint.max_attempts, body, losses)


def _deployment(call: Call, endpoint: Reachable, spec: ModelSpec | None) -> str | None:
    if spec is not None:
        return spec.deployment_for(endpoint.name, endpoint.default_deployment)
    return endpoint.default_deployment or call.model if call.model is not None else None


def _mode(
    call: Call, wanted: Mode | None, spec: ModelSpec | None, capability: Capability | None, endpoint: Reachable
) -> tuple[Mode, str]:
    """Choose the API.  Explicit first (call, model entry, hop), then what the model speaks, then the caller's own."""
    own: Mode = call.format or "chat"
    if call.mode is not None:
        return call.mode, "the call sets the mode"
    if spec is not None and spec.mode is not None:
        return spec.mode, "the model entry sets the mode"
    if wanted is not None:
        return wanted, "the hop names the mode"
    speaks = [mode for mode in endpoint.modes if capability is None or mode in capability.apis or mode == "messages"]
    if own in speaks and not (own == "chat" and _tools_with_effort(call, capability)):
        return own, "the caller's own format"
    if _tools_with_effort(call, capability) and "responses" in speaks:
        return "responses", f"{call.model} takes tools with reasoning only on Responses"
    if speaks:
        known = capability is not None and speaks[0] in capability.apis
        return speaks[0], f"{call.model if known else endpoint.name} speaks {speaks[0]}"
    return endpoint.modes[0], "the endpoint's default"


def _ineligible(call: Call, mode: Mode, rule: str, wanted: Mode | None, endpoint: Reachable) -> str | None:
    if mode not in endpoint.modes:
        return f"endpoint {endpoint.name!r} does not speak {mode}"
    if wanted is not None and wanted != mode:
        return f"{rule} to {mode}"
    return endpoint.refuses(call.path, mode)


def _doubt(call: Call, mode: Mode, capability: Capability | None) -> str | None:
    """Return why the capability table says that this API will not serve the request, or None."""
    if capability is None:
        return None
    if mode not in capability.apis and mode != "messages":
        return f"{call.model} speaks {' and '.join(sorted(capability.apis))}, not {mode}"
    if mode == "chat" and _tools_with_effort(call, capability):
        return f"{call.model} takes tools with reasoning only on Responses"
    return None


def _tools_with_effort(call: Call, capability: Capability | None) -> bool:
    body = call.body or {}
    if capability is None or call.format != "chat" or not body.get("tools"):
        return False
    effort = body.get("reasoning_effort")
    if effort is None:
        return not capability.tools_without_effort_on_chat
    return effort != "none" and not capability.tools_with_effort_on_chat
