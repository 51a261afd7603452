"""Read models.yaml: endpoints, aliases, chains.  Checks spelling and shape; refuses to decide where a call goes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import ValidationError

from chatsheet_llm.capabilities import OVERRIDES, Override, override_of
from chatsheet_llm.endpoint_settings import KINDS, EndpointSettings, clean_kind, fold, kind_of, problem_in
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.route import Mode
from chatsheet_llm.values import NAME, check_hop, clean_url, parse_mode, unknown_name
from chatsheet_llm.yaml_file import Pairs, YamlFile

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
_BACKENDS: Final[Mapping[str, tuple[str, ...]]] = {"azure": ("responses", "chat"), "anthropic": ("messages",)}
"""What ``backend`` may be, and the modes that a chain of its own has."""

_T = TypeVar("_T")


def load_models(path: Path, environ: Mapping[str, str] | None = None) -> Registry:
    """Return what models.yaml says; ``${NAME}`` and ``${NAME:-default}`` in values come from ``environ``.

    ``environ`` is the process's by default.  Takes the sections ``endpoints``, ``models`` (list of entries, or alias to
    entry) and ``chains``, or the flat form (alias to entry at the top).  ``backend: azure`` leaves the chain to
    dispatch; ``backend: anthropic`` means that only Anthropic has the model.  A top-level key that starts with ``x-``
    is left alone, for YAML anchors.  Raises `SettingsError` that lists every problem with file, line and field.
    """
    file = _ModelsFile(path, os.environ if environ is None else environ)
    registry = file.registry()
    if file.problems:
        raise SettingsError("\n".join(dict.fromkeys(file.problems)))
    return registry


@dataclass(frozen=True)
class _Entry:
    """A model entry before the ``base_url``s of all entries are known."""

    spec: ModelSpec
    backend: str | None
    base_url: str | None
    deployment: str | None


class _ModelsFile(YamlFile):
    """models.yaml, section by section.  A chain may be named where it stands above."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        super().__init__(path, environ)
        self.chains: dict[str, tuple[str, ...]] = {}

    def registry(self) -> Registry:
        top = self.top()
        ours = {name: pair for name, pair in top.items() if not name.startswith("x-")}
        if not any(name in _SECTIONS for name in top):
            return self.placed(self.mapped(ours, ""), {})
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
        return endpoints

    def endpoint(self, name: str, key: yaml.Node, node: yaml.Node, where: str) -> EndpointSettings | None:
        before = len(self.problems)
        found = self.fields(node, where, EndpointSettings.model_fields)
        values: dict[str, object] = {}
        for field, (_, value) in found.items():
            place = f"{where}.{field}"
            if field == "headers":
                values[field] = self.texts(value, place)
            elif field == "modes":
                values[field] = [text for _, text in self.names(value, place)]
            else:
                values[field] = self.text(value, place)
        try:
            values["kind"] = kind_of(name, clean_kind(values.get("kind")))
        except ValueError as problem:
            self.fail(found["kind"][1] if "kind" in found else key, where, problem)
        if len(self.problems) > before:
            return None
        try:
            return EndpointSettings.model_validate(values)
        except ValidationError as error:
            for item in error.errors():
                field = str(item["loc"][0])
                self.fail(found[field][1], f"{where}.{field}", problem_in(item, ()))
            return None

    def read_chains(self, section: yaml.Node) -> None:
        for name, (key, node) in self.mapping(section, "chains").items():
            where = f"chains.{name}"
            if not NAME.fullmatch(name):
                self.fail(key, where, "a chain's name is made of letters, digits, '.', '_' and '-'")
            hops = self.chain(node, where)
            if hops is not None:
                self.chains[name] = hops

    def chain(self, node: yaml.Node, where: str) -> tuple[str, ...] | None:
        """Return a list of hops, or the chain of the file that is named."""
        items = self.names(node, where)
        if isinstance(node, yaml.ScalarNode) and len(items) == 1 and items[0][1] in self.chains:
            return self.chains[items[0][1]]
        if isinstance(node, yaml.SequenceNode) and not items:
            self.fail(node, where, "names no hop; list at least one, or leave it out")
        hops = []
        for index, (item, text) in enumerate(items):
            try:
                hops.append(check_hop(text))
            except ValueError as problem:
                self.fail(item, f"{where}[{index}]", problem)
        return tuple(hops) or None

    def mapped(self, found: Pairs, prefix: str) -> list[_Entry]:
        return [self.entry(node, f"{prefix}{alias}", key, alias) for alias, (key, node) in found.items()]

    def listed(self, section: yaml.SequenceNode) -> list[_Entry]:
        entries: list[_Entry] = []
        seen: dict[str, str] = {}
        for index, node in enumerate(section.value):
            where = f"models[{index}]"
            entry = self.entry(node, where, node, None)
            alias = entry.spec.alias
            if alias in seen:
                self.fail(node, f"{where}.alias", f"{alias!r} is given twice; first at {seen[alias]}")
            elif alias:
                seen[alias] = entry.spec.source
                entries.append(entry)
        return entries

    def entry(self, node: yaml.Node, where: str, key: yaml.Node, alias: str | None) -> _Entry:
        found = {name: value for name, (_, value) in self.fields(node, where, _ENTRY).items()}

        def text(name: str, check: Callable[[str], _T]) -> _T | None:
            return self.checked(found[name], f"{where}.{name}", check) if name in found else None

        told = text("alias", str)
        if alias is None and told is None:
            self.fail(node, where, "has no alias; say what callers pass as model")
        elif alias is not None and told not in (None, alias):
            self.fail(found["alias"], f"{where}.alias", f"{told!r} is not the name of its entry; leave it out")
        deployments = self.texts(found["deployments"], f"{where}.deployments") if "deployments" in found else {}
        spec = ModelSpec(
            alias=alias or told or "",
            base_model=text("base_model", _base_model),
            deployments={name: deployment for name, deployment in deployments.items() if deployment is not None},
            api_model=text("api_model", str),
            mode=text("mode", parse_mode),
            chain=self.chain(found["chain"], f"{where}.chain") if "chain" in found else None,
            reasoning_effort=text("reasoning_effort", str),
            summary_level=text("summary_level", str),
            verbosity_level=text("verbosity_level", str),
            truncation_strategy=text("truncation_strategy", str),
            max_tokens=text("max_tokens", _whole_number),
            capabilities=self.capabilities(found["capabilities"], f"{where}.capabilities")
            if "capabilities" in found
            else None,
            source=f"{self.path.name}:{key.start_mark.line + 1}",
        )
        backend = text("backend", _backend)
        for name in ("deployment_name", "base_url"):
            if name in found and "backend" not in found:
                self.fail(found[name], f"{where}.{name}", "needs a backend beside it (azure or anthropic)")
        return _Entry(spec, backend, text("base_url", clean_url), text("deployment_name", str))

    def capabilities(self, node: yaml.Node, where: str) -> Override | None:
        """Return what an entry says of its model in place of the table."""
        told: dict[str, object] = {}
        for name, (_, value) in self.fields(node, where, OVERRIDES).items():
            place = f"{where}.{name}"
            kind = OVERRIDES[name]
            if kind == "names":
                told[name] = [text for _, text in self.names(value, place)]
            elif kind == "renames":
                told[name] = {old: new for old, new in self.texts(value, place).items() if new is not None}
            elif kind == "modes":
                told[name] = frozenset(
                    mode
                    for item, text in self.names(value, place)
                    if (mode := self.mode(item, place, text)) is not None
                )
            else:
                told[name] = self.checked(value, place, _CHECKS[kind])
        return override_of(told) if told else None

    def mode(self, node: yaml.Node, where: str, text: str) -> Mode | None:
        try:
            return parse_mode(text)
        except ValueError as problem:
            self.fail(node, where, problem)
            return None

    def placed(self, entries: list[_Entry], endpoints: dict[str, EndpointSettings]) -> Registry:
        """Return the registry, with ``backend``, ``base_url`` and ``deployment_name`` turned into what they mean."""
        models = {entry.spec.alias: _placed(entry, entries, endpoints) for entry in entries}
        return Registry(models=models, endpoints=endpoints, chains=self.chains, path=self.path)


def _placed(entry: _Entry, entries: list[_Entry], endpoints: dict[str, EndpointSettings]) -> ModelSpec:
    """Return the entry's spec on the endpoint that its ``backend`` and ``base_url`` mean; adds that endpoint.

    One URL for all entries of a backend is that backend's endpoint.  Where they differ, each is an endpoint of its own
    (``azure-ALIAS``) that needs its own key: a credential never travels to a second host by itself.
    """
    spec, backend = entry.spec, entry.backend
    if backend is None:
        return spec
    name = backend
    urls = {other.base_url for other in entries if other.backend == backend}
    if entry.base_url is not None:
        if len(urls) > 1 or (backend in endpoints and endpoints[backend].base_url not in (None, entry.base_url)):
            name = f"{backend}-{re.sub('[^A-Za-z0-9._-]', '-', spec.alias)}"
        told = endpoints[name].told() if name in endpoints else {}
        endpoints[name] = EndpointSettings.model_validate({**told, "kind": backend, "base_url": entry.base_url})
    deployments = dict(spec.deployments)
    if entry.deployment is not None:
        deployments.setdefault(name, entry.deployment)
    chain = spec.chain
    if chain is None and (name != backend or backend != "azure"):
        chain = tuple(f"{name}/{mode}" for mode in _BACKENDS[backend])
    return replace(spec, deployments=deployments, chain=chain)


def _backend(text: str) -> str:
    if text not in _BACKENDS:
        raise ValueError(f"{text!r} is not a backend; use {' or '.join(_BACKENDS)} (or an endpoint and a chain)")
    return text


def _base_model(text: str) -> str:
    prefix, slash, rest = text.partition("/")
    if slash and prefix.lower() in KINDS:
        raise ValueError(f"{text!r} holds a gateway's prefix; write the model's own name: {rest.rpartition('/')[2]}")
    return text


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"must be true or false (got {text!r})")
    return text.lower() == "true"


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError(f"must be a whole number of at least 1 (got {text!r})")
    return int(text)


_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {"flag": _yes_or_no, "number": _whole_number, "text": str}
