"""Read models.yaml: endpoints, aliases, chains.  Checks spelling and shape; refuses to decide where a call goes."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import ValidationError

from chatsheet_llm.capabilities import OVERRIDES, Override, override_of
from chatsheet_llm.endpoint_settings import (
    KINDS,
    EndpointSettings,
    check_known,
    clean_kind,
    fold,
    kind_of,
    problem_in,
)
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models import KNOWN_VALUES, ModelSpec, Registry
from chatsheet_llm.models_flat import Entry, at_home, parse_backend, placed
from chatsheet_llm.values import (
    NAME,
    RepeatedError,
    check_hop,
    clean_url,
    parse_count,
    parse_flag,
    parse_mode,
    unknown_name,
)
from chatsheet_llm.yaml_file import Pairs, YamlFile, is_unset, keys_of, sources_of

_SECTIONS: Final = ("endpoints", "models", "chains")
_ENTRY: Final = (
    "alias",
    "base_model",
    "deployments",
    "api_model",
    "mode",
    "chain",
    "reasoning_effort",
    "summary_level",
    "verbosity_level",
    "truncation_strategy",
    "max_tokens",
    "capabilities",
    "backend",
    "deployment_name",
    "base_url",
)
Around = Callable[[Mapping[str, EndpointSettings]], Mapping[str, EndpointSettings]]
"""From the endpoints of a file to those and all that are known from elsewhere, laid over each other."""

_FILLED: Final = ("apis", "efforts")
"""Lists of capabilities that mean nothing when they are empty: no call could be made."""

_T = TypeVar("_T")


def load_models(path: Path, environ: Mapping[str, str] | None = None, around: Around | None = None) -> Registry:
    """Return what models.yaml says; ``${NAME}`` and ``${NAME:-default}`` in values come from ``environ``.

    ``environ`` is the process's by default.  Takes the sections ``endpoints``, ``models`` (list of entries, or alias to
    entry) and ``chains``, or the flat form (alias to entry at the top).  ``backend: azure`` leaves the chain to
    dispatch; ``backend: anthropic`` means that only Anthropic has the model.  A top-level key that starts with ``x-``
    is left alone, for YAML anchors, unless it is an entry with ``backend`` that no other merges.  Without ``around``
    nothing is known beyond the file, and whether the endpoint of a hop exists is not asked.  Raises `SettingsError`
    that lists every problem with file, line and field.
    """
    file = _ModelsFile(path, os.environ if environ is None else environ, around)
    registry = file.registry()
    if file.problems:
        raise SettingsError("\n".join(file.by_line()))
    return registry


@dataclass(frozen=True)
class _Hop:
    """A hop as it is written; ``within`` is whether it stands in a chain that has a name."""

    node: yaml.Node
    where: str
    text: str
    within: bool


class _ModelsFile(YamlFile):
    """models.yaml, section by section.  A chain may be named where it stands above."""

    def __init__(self, path: Path, environ: Mapping[str, str], around: Around | None) -> None:
        super().__init__(path, environ)
        self.around = around
        self.chains: dict[str, tuple[str, ...]] = {}
        self.named: dict[str, yaml.Node] = {}
        self.hops: list[_Hop] = []
        self.unread: set[str] = set()
        self.doubts: list[str] = []

    def registry(self) -> Registry:
        top = self.top()
        ours = {name: pair for name, pair in top.items() if not name.startswith("x-")}
        if not any(name in _SECTIONS for name in top):
            merged = {id(node) for _, value in top.values() for node in sources_of(value)}
            flat = {name: pair for name, pair in top.items() if name in ours or _is_entry(pair[1], merged)}
            return self.placed(self.mapped(self.without_sections(flat), ""), {})
        for name, (key, _) in ours.items():
            if name not in _SECTIONS:
                self.fail(key, "", unknown_name(name, _SECTIONS, "section"))
        endpoints = self.endpoints(top["endpoints"][1]) if "endpoints" in top else {}
        if "chains" in top:
            self.read_chains(top["chains"][1])
        entries = []
        if "models" in top:
            models = top["models"][1]
            if isinstance(models, yaml.SequenceNode):
                entries = self.listed(models)
            else:
                entries = self.mapped(self.mapping(models, "models"), "models.")
        return self.placed(entries, endpoints)

    def without_sections(self, flat: Pairs) -> Pairs:
        """Return the entries of the flat form without what is a section by its shape, and misspelled."""
        found = {}
        for name, (key, node) in flat.items():
            if _is_section(node) and difflib.get_close_matches(name, _SECTIONS, 1):
                self.fail(key, "", unknown_name(name, _SECTIONS, "section"))
            else:
                found[name] = (key, node)
        return found

    def endpoints(self, section: yaml.Node) -> dict[str, EndpointSettings]:
        endpoints: dict[str, EndpointSettings] = {}
        for name, (key, node) in self.mapping(section, "endpoints").items():
            where = f"endpoints.{name}"
            if not NAME.fullmatch(name):
                self.fail(key, where, "an endpoint's name is made of letters, digits, '.', '_' and '-'")
            twin = next((other for other in endpoints if fold(other) == fold(name)), None)
            if twin is not None:
                self.fail(key, where, f"cannot be told from {twin!r} in an environment variable; rename one")
            endpoint = self.endpoint(name, key, node, where)
            if endpoint is not None:
                endpoints[name] = endpoint
            else:
                self.unread.add(name)
        return endpoints

    def endpoint(self, name: str, key: yaml.Node, node: yaml.Node, where: str) -> EndpointSettings | None:
        before = len(self.problems)
        found = self.fields(node, where, EndpointSettings.model_fields)
        values: dict[str, object] = {}
        for field, (_, value) in found.items():
            place = f"{where}.{field}"
            if field == "headers":
                values[field] = self.texts(value, place)
            elif field in ("modes", "answers_after"):
                values[field] = self.tried_each(value, place, parse_mode)
            else:
                values[field] = self.text(value, place)
        kind = found["kind"][1] if "kind" in found else key
        values["kind"] = self.tried(kind, where, str(values.get("kind") or ""), lambda t: kind_of(name, clean_kind(t)))
        made = None
        try:
            made = EndpointSettings.model_validate(values)
        except ValidationError as error:
            for item in error.errors():
                field = str(item["loc"][0])
                self.fail(found[field][1], f"{where}.{field}", problem_in(item, ()))
        return made if len(self.problems) == before else None

    def read_chains(self, section: yaml.Node) -> None:
        found = self.mapping(section, "chains")
        self.named = {name: key for name, (key, _) in found.items()}
        for name, (key, node) in found.items():
            where = f"chains.{name}"
            if not NAME.fullmatch(name):
                self.fail(key, where, "a chain's name is made of letters, digits, '.', '_' and '-'")
            hops = self.chain(node, where, within=True)
            if hops is not None:
                self.chains[name] = hops

    def chain(self, node: yaml.Node, where: str, *, within: bool = False) -> tuple[str, ...] | None:
        """Return a list of hops, or the chain of the file that is named."""
        items = self.names(node, where)
        if isinstance(node, yaml.ScalarNode) and len(items) == 1 and items[0][1] in self.chains:
            return self.chains[items[0][1]]
        if isinstance(node, yaml.SequenceNode) and not items:
            self.fail(node, where, "names no hop; list at least one, or leave it out")
        hops = [
            _Hop(item, f"{where}[{index}]", text, within)
            for index, (item, text) in enumerate(items)
            if self.tried(item, f"{where}[{index}]", text, check_hop) is not None
        ]
        self.hops.extend(hops)
        return tuple(hop.text for hop in hops) or None

    def mapped(self, found: Pairs, prefix: str) -> list[Entry]:
        entries = []
        for alias, (key, node) in found.items():
            if alias.strip() and alias.isprintable():
                entries.append(self.entry(node, f"{prefix}{alias}", key, alias))
            else:
                self.fail(
                    key, prefix.rstrip("."), "an alias is not empty, and holds no line break or control character"
                )
        return entries

    def listed(self, section: yaml.SequenceNode) -> list[Entry]:
        entries: list[Entry] = []
        seen: dict[str, str] = {}
        for index, node in enumerate(section.value):
            where = f"models[{index}]"
            entry = self.entry(node, where, node, None)
            alias = entry.spec.alias
            if alias in seen:
                told = self.shown(self.mapping(node, where)["alias"][1], alias)
                self.fail(node, f"{where}.alias", f"{told!r} is given twice; first at {seen[alias]}")
            elif alias:
                seen[alias] = entry.spec.source
                entries.append(entry)
        return entries

    def entry(self, node: yaml.Node, where: str, key: yaml.Node, alias: str | None) -> Entry:
        found = {name: value for name, (_, value) in self.fields(node, where, _ENTRY).items()}

        def text(name: str, check: Callable[[str], _T]) -> _T | None:
            return self.checked(found[name], f"{where}.{name}", check) if name in found else None

        def default(name: str) -> str | None:
            value = text(name, str)
            allowed = (*KNOWN_VALUES[name], *((told and told.efforts) or () if name == "reasoning_effort" else ()))
            if value is not None and value not in allowed:
                self.doubt(found[name], f"{where}.{name}", value, allowed)
            return value

        own = text("alias", str)
        if alias is None and own is None:
            if isinstance(node, yaml.MappingNode) or is_unset(node):
                self.fail(node, where, "has no alias; say what callers pass as model")
        elif alias is not None and own not in (None, alias):
            shown = self.shown(found["alias"], own or "")
            self.fail(found["alias"], f"{where}.alias", f"{shown!r} is not the name of its entry; leave it out")
        told = self.capabilities(found["capabilities"], f"{where}.capabilities") if "capabilities" in found else None
        spec = ModelSpec(
            alias=alias or own or "",
            base_model=text("base_model", _base_model),
            deployments=self.deployments(found["deployments"], f"{where}.deployments")
            if "deployments" in found
            else {},
            api_model=text("api_model", str),
            mode=text("mode", parse_mode),
            chain=self.chain(found["chain"], f"{where}.chain") if "chain" in found else None,
            reasoning_effort=default("reasoning_effort"),
            summary_level=default("summary_level"),
            verbosity_level=default("verbosity_level"),
            truncation_strategy=default("truncation_strategy"),
            max_tokens=text("max_tokens", parse_count),
            capabilities=told,
            source=f"{self.path.name}:{key.start_mark.line + 1}",
        )
        backend = text("backend", parse_backend)
        for name in ("deployment_name", "base_url"):
            if name in found and "backend" not in found:
                self.fail(found[name], f"{where}.{name}", "needs a backend beside it (azure or anthropic)")
        return Entry(spec, backend, text("base_url", clean_url), text("deployment_name", str))

    def doubt(self, node: yaml.Node, where: str, value: str, known: Sequence[str]) -> None:
        """Keep a sentence on a value that nobody knows.  No problem: vendors add values."""
        shown = self.shown(node, value)
        close = difflib.get_close_matches(shown, known, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        place = f"{self.path}:{node.start_mark.line + 1}: {where}"
        self.doubts.append(f"{place}: {shown!r} is sent as it is, but not known; {hint}known: {', '.join(known)}")

    def deployments(self, node: yaml.Node, where: str) -> dict[str, str]:
        """Return endpoint to deployment."""
        seen: dict[str, str] = {}
        for name, (key, _) in self.mapping(node, where).items():
            if fold(name) in seen:
                self.fail(key, f"{where}.{name}", f"is the same endpoint as {seen[fold(name)]!r}; leave one out")
            seen.setdefault(fold(name), name)
        return {name: text for name, text in self.texts(node, where).items() if text is not None}

    def capabilities(self, node: yaml.Node, where: str) -> Override | None:
        """Return what an entry says of its model in place of the table."""
        told: dict[str, object] = {}
        found = {name: value for name, (_, value) in self.fields(node, where, OVERRIDES).items()}
        for name, value in found.items():
            place, before = f"{where}.{name}", len(self.problems)
            kind = OVERRIDES[name]
            if is_unset(value):
                continue
            if kind == "renames":
                told[name] = {old: new for old, new in self.texts(value, place).items() if new is not None}
            elif kind not in ("names", "modes"):
                told[name] = self.checked(value, place, _CHECKS[kind])
            elif isinstance(value, yaml.SequenceNode) or self.text(value, place) is not None:
                told[name] = self.tried_each(value, place, parse_mode if kind == "modes" else str)
                if not told[name] and name in _FILLED and len(self.problems) == before:
                    self.fail(value, place, "lists nothing; name at least one, or leave it out")
        efforts, effort = told.get("efforts"), told.get("default_effort")
        if isinstance(efforts, list) and efforts and isinstance(effort, str) and effort not in efforts:
            shown = self.shown(found["default_effort"], effort)
            takes = ", ".join(self.shown(item, text) for item, text in self.names(found["efforts"], ""))
            self.fail(found["default_effort"], f"{where}.default_effort", f"{shown!r} is none of efforts ({takes})")
        return override_of(told) if found else None

    def placed(self, entries: list[Entry], endpoints: dict[str, EndpointSettings]) -> Registry:
        """Return the registry, with ``backend``, ``base_url`` and ``deployment_name`` turned into what they mean."""
        around = self.around or dict
        homes = at_home(entries, endpoints, around(endpoints))
        known = around(endpoints)
        models = {entry.spec.alias: placed(entry, homes, known) for entry in entries}
        self.check_chains(known)
        return Registry(models, endpoints, self.chains, self.path, tuple(dict.fromkeys(self.doubts)))

    def check_chains(self, known: Mapping[str, EndpointSettings]) -> None:
        """Add the problems of chains called like an endpoint, and of hops to where nothing is, if that is known."""
        names = {fold(name): name for name in (*KINDS, *known)}
        for name, key in self.named.items():
            if fold(name) in names:
                told = f"cannot be told from endpoint {names[fold(name)]!r}; give it another name"
                self.fail(key, f"chains.{name}", told)
        if self.around is None:
            return
        for hop in self.hops:
            if hop.text.partition("/")[0] not in self.unread:
                check = partial(check_known, endpoints=known, chains=self.named, within=hop.within)
                self.tried(hop.node, hop.where, hop.text, check)


def _is_entry(node: yaml.Node, merged: set[int]) -> bool:
    """Whether what stands under ``x-`` is an entry of the flat form, and no defaults for others to merge."""
    return id(node) not in merged and "backend" in keys_of(node)


def _is_section(node: yaml.Node) -> bool:
    """Whether this has the shape of a section: a list, or a mapping of nothing but lists and mappings."""
    values = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else []
    nested = bool(values) and all(isinstance(value, yaml.CollectionNode) for value in values)
    return isinstance(node, yaml.SequenceNode) or (nested and keys_of(node).isdisjoint(_ENTRY))


def _base_model(text: str) -> str:
    prefix, slash, rest = text.partition("/")
    if slash and prefix.lower() in KINDS:
        raise RepeatedError(f"{text!r} holds a gateway's prefix; write the model's own name: {rest.rpartition('/')[2]}")
    return text


_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {"flag": parse_flag, "number": parse_count, "text": str}
