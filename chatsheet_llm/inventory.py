"""Say of every model of the registry what is known, where it was read, and which way a call would go.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from chatsheet_llm.capabilities import Capability, capability_of, is_named
from chatsheet_llm.dispatch import dispatch
from chatsheet_llm.hops import Call, Reachable
from chatsheet_llm.known import known_at
from chatsheet_llm.learned import Learned
from chatsheet_llm.models import ANY_NAME, ModelSpec, Registry
from chatsheet_llm.route import Skip

Source = Literal["file", "table", "learned", "name", "chain", "rule"]
"""Where a fact comes from: models.yaml, the capability table, an endpoint's own answers, a name that is a model's
whole name, the chain, or none of these: the rules where nothing is known."""

_SOURCES: Mapping[str, Source] = {
    "call mode": "rule",
    "model mode": "file",
    "hop mode": "chain",
    "own format": "rule",
    "learned": "learned",
    "capability": "table",
    "tools": "table",
    "endpoint": "rule",
}
"""Rule to where what it goes by comes from."""

_TOOLS = ("tools_with_effort_on_chat", "tools_without_effort_on_chat")
DECIDING = frozenset({"apis", *_TOOLS})
"""Fields of a row that decide the API of a hop."""

DEFAULTS = ("reasoning_effort", "summary_level", "verbosity_level", "truncation_strategy", "max_tokens")
"""Fields of a model entry that fill in what a request leaves out."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A value and where it comes from: which kind of source, and where there."""

    value: object
    source: Source
    where: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.source}{f': {self.where}' if self.where else ''})"


@dataclass(frozen=True, slots=True)
class HopView:
    """One hop that a plain chat request for the model would take."""

    name: str
    endpoint: str
    mode: Fact
    deployment: str | None
    base_model: Fact | None
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model: what it is, what it can do, what it is asked for, and where it is found.

    ``mode`` is what the entry sets, or None where the rules choose.  ``capabilities`` are the fields of its row of the
    table, those that the entry sets in place of it from the file; none where nothing is known.
    """

    alias: str
    source: str
    base_model: Fact | None
    mode: Fact | None
    capabilities: Mapping[str, Fact]
    defaults: Mapping[str, Fact]
    hops: tuple[HopView, ...]
    skipped: tuple[Skip, ...]


def inventory(
    registry: Registry,
    endpoints: Mapping[str, Reachable],
    chain: Sequence[str],
    known: Iterable[str] = (),
    learned: Learned | None = None,
    only: Iterable[str] | None = None,
) -> tuple[ModelView, ...]:
    """Return every model of the registry, in its order, or ``only`` these.  Other arguments are those of `dispatch`."""
    wanted = [*registry] if only is None else [spec for alias in only if (spec := registry.models.get(alias))]
    return tuple(_view(spec, registry, endpoints, chain, known, learned) for spec in wanted)


def as_json(view: ModelView) -> dict[str, object]:
    """Return a model as JSON values: a fact is an object with ``value``, ``source`` and ``where``."""
    return {
        "alias": view.alias,
        "source": view.source,
        "base_model": _json(view.base_model),
        "mode": _json(view.mode),
        "hops": [
            {
                "hop": hop.name,
                "endpoint": hop.endpoint,
                "mode": _json(hop.mode),
                "deployment": hop.deployment,
                "base_model": _json(hop.base_model),
                "rule": hop.rule,
                "reason": hop.reason,
            }
            for hop in view.hops
        ],
        "skipped": [{"hop": skip.hop, "rule": skip.rule, "reason": skip.reason} for skip in view.skipped],
        "capabilities": {name: _json(fact) for name, fact in view.capabilities.items()},
        "defaults": {name: _json(fact) for name, fact in view.defaults.items()},
    }


def _view(
    spec: ModelSpec, registry: Registry, endpoints: Mapping[str, Reachable], chain: Sequence[str],
    known: Iterable[str], learned: Learned | None,
) -> ModelView:  # fmt: skip
    name = spec.alias
    body = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
    call = Call("post", "/chat/completions", "chat", body, stream=False)
    found = dispatch(call, endpoints=endpoints, registry=registry, chain=chain, known=known, learned=learned)
    hops = []
    row: Capability | None = None
    for hop in found.hops:
        here = known_at(endpoints[hop.endpoint], spec, name, learned)
        row = row or here.capability
        base = Fact(here.base_model, here.source, here.where) if here.base_model and here.source else None
        source = _SOURCES.get(hop.rule, "rule")
        if hop.rule in ("capability", "tools") and here.capability is not None and here.capability.said & DECIDING:
            source = "file"
        read = _TOOLS if hop.rule == "tools" else ("apis",)
        where = here.capability.told(*read) if source == "table" and here.capability is not None else ""
        mode = Fact(hop.mode, source, where or {"file": spec.source, "chain": hop.entry}.get(source, ""))
        hops.append(HopView(hop.name, hop.endpoint, mode, hop.model, base, hop.rule, hop.reason))
    base_model = next((hop.base_model for hop in hops if hop.base_model is not None), _base_model(spec))
    if spec.base_model is not None:
        base_model = Fact(spec.base_model, "file", spec.source)
    return ModelView(
        alias=name,
        source=spec.source,
        base_model=base_model,
        mode=Fact(spec.mode, "file", spec.source) if spec.mode is not None else None,
        capabilities=_capabilities(row or _row_of(spec, base_model)),
        defaults={
            each: Fact(value, "file", spec.source) for each in DEFAULTS if (value := getattr(spec, each)) is not None
        },
        hops=tuple(hops),
        skipped=tuple(found.skipped),
    )


def _base_model(spec: ModelSpec) -> Fact | None:
    """What the entry says of its model, wherever it may be asked."""
    if is_named(spec.api_model):
        return Fact(spec.api_model, "file", spec.source)
    return Fact(spec.alias, "name", "the name that was asked for") if is_named(spec.alias) else None


def _row_of(spec: ModelSpec, base_model: Fact | None) -> Capability | None:
    row = capability_of(str(base_model.value)) if base_model is not None else None
    return spec.capabilities.over(row, spec.source) if spec.capabilities is not None else row


_NO_FACTS = frozenset({"family", "source", "date", "and_later", "note", "said", "said_in", "sources"})
_OF_CHAT = frozenset(
    {"refused_on_chat", "renamed_on_chat", "tools_with_effort_on_chat", "tools_without_effort_on_chat"}
)


def _capabilities(row: Capability | None) -> dict[str, Fact]:
    """The fields of a row that tell something; of a row that is all the entry's, what the entry says."""
    if row is None:
        return {}
    facts = {}
    for each in fields(Capability):
        value, said = getattr(row, each.name), each.name in row.said
        if each.name in _NO_FACTS or value is None or value in (frozenset(), {}):
            continue
        if not said and (not row.source or (each.name in _OF_CHAT and "chat" not in row.apis)):
            continue
        facts[each.name] = Fact(_plain(value), "file" if said else "table", row.told(each.name))
    return facts


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _json(fact: Fact | None) -> dict[str, object] | None:
    return None if fact is None else {"value": fact.value, "source": fact.source, "where": fact.where}


def as_model(view: ModelView) -> dict[str, object]:
    """Return a model as an object of OpenAI's list of models, with all that is known beside its own fields."""
    told = {name: value for name, value in as_json(view).items() if name != "alias"}
    return {"id": view.alias, "object": "model", "created": 0, "owned_by": "chatsheet_llm", **told}


def as_list(views: Iterable[ModelView]) -> dict[str, object]:
    """Return OpenAI's list of models: those that can be asked for by a name of their own, so not ``*``."""
    return {"object": "list", "data": [as_model(view) for view in views if view.alias != ANY_NAME]}
