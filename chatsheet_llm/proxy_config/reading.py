"""Read a LiteLLM proxy's configuration into values that know their lines.  Judges nothing, asks no environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.yaml_file import Pairs, YamlFile

_REFERENCE: Final = "os.environ/"
_TAG: Final = "tag:yaml.org,2002:"
_SECTIONS: Final = (
    "model_list",
    "general_settings",
    "router_settings",
    "litellm_settings",
    "environment_variables",
    "include",
)
"""One of these makes a file the configuration of a proxy."""


@dataclass(frozen=True, slots=True)
class Value:
    """One scalar of the file.  ``text`` is None where it comes from an environment that the file does not set.

    A reference to a variable that the file sets is read as that variable: what is wrong stands there.
    """

    text: str | None
    line: int
    where: str
    is_true: bool = False
    """Whether it is YAML's own true: LiteLLM does not take a quoted one."""


@dataclass(frozen=True, slots=True)
class Served:
    """One entry of ``model_list``.  ``provider`` and ``deployment`` are what ``model`` says, empty where it is unknown.

    ``to_responses`` is whether it says ``responses/`` between them.
    """

    name: Value | None
    model: Value | None
    provider: str
    deployment: str
    to_responses: bool
    api_base: Value | None = None
    base_model: Value | None = None
    mode: Value | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What LiteLLM keeps ``mode`` under: it knows no alias there."""
        return self.provider, self.deployment

    @property
    def alias(self) -> str:
        """What callers say, for people."""
        return (self.name.text if self.name is not None else None) or "?"


@dataclass(frozen=True, slots=True)
class ProxyFile:
    """The parts of a configuration that the rules look at.  What its ``include`` brings in is not read."""

    served: tuple[Served, ...] = ()
    general: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, Value] = field(default_factory=dict)
    includes: bool = False
    aliases: tuple[Value, ...] = ()
    """The names of the router's ``model_group_alias``, without those that it hides."""


def read(path: Path) -> ProxyFile:
    """Return what a file says.

    Raises SettingsError with file and line for one that cannot be read, is not YAML, or has not the shape of a proxy's
    configuration.
    """
    file = _Reader(path, {})
    top = file.top()
    if not file.problems and not any(name in top for name in _SECTIONS):
        raise SettingsError(f"{path}: is no configuration of a LiteLLM proxy; it has none of {', '.join(_SECTIONS)}")
    found = file.read(top)
    if file.problems:
        raise SettingsError("\n".join(dict.fromkeys(file.problems)))
    return found


class _Reader(YamlFile):
    """The file, section by section.  LiteLLM's references are not ours: ``${NAME}`` is plain text here."""

    def read(self, top: Pairs) -> ProxyFile:
        self.variables: dict[str, Value] = {}
        self.variables = self.scalars(top, "environment_variables")
        general = self.scalars(top, "general_settings")
        served = []
        if "model_list" in top:
            node = top["model_list"][1]
            if isinstance(node, yaml.SequenceNode):
                served = [self.entry(item, f"model_list[{index}]") for index, item in enumerate(node.value)]
            elif node.tag != f"{_TAG}null":
                self.fail(node, "model_list", "must be a list of models")
        return ProxyFile(tuple(served), general, self.variables, "include" in top, tuple(self.aliases(top)))

    def aliases(self, top: Pairs) -> Iterator[Value]:
        where = "router_settings"
        for part in (where, "model_group_alias"):
            if part not in top or not isinstance(top[part][1], yaml.MappingNode):
                return
            where = part if part == where else f"{where}.{part}"
            top = self.mapping(top[part][1], where)
        for name, (key, value) in top.items():
            hidden = self.mapping(value, where).get("hidden") if isinstance(value, yaml.MappingNode) else None
            told = self.scalar(hidden[1], where) if hidden is not None else None
            if told is None or not told.is_true:
                yield Value(name, key.start_mark.line + 1, f"{where}.{name}")

    def entry(self, node: yaml.Node, where: str) -> Served:
        pairs = self.mapping(node, where)
        params = self.scalars(pairs, "litellm_params", f"{where}.")
        info = self.scalars(pairs, "model_info", f"{where}.")
        model = params.get("model")
        provider, deployment, to_responses = _parts(
            (model.text if model is not None else None) or "", params.get("custom_llm_provider")
        )
        return Served(
            name=self.scalar(pairs["model_name"][1], f"{where}.model_name") if "model_name" in pairs else None,
            model=model,
            provider=provider,
            deployment=deployment,
            to_responses=to_responses,
            api_base=params.get("api_base"),
            base_model=info.get("base_model") or params.get("base_model"),
            mode=info.get("mode"),
        )

    def scalars(self, pairs: Pairs, name: str, prefix: str = "") -> dict[str, Value]:
        """Return the scalars of one mapping of a mapping, by key; what is not one, or null, is left out."""
        if name not in pairs:
            return {}
        where = f"{prefix}{name}"
        found = {
            key: self.scalar(node, f"{where}.{key}") for key, (_, node) in self.mapping(pairs[name][1], where).items()
        }
        return {key: value for key, value in found.items() if value is not None}

    def scalar(self, node: yaml.Node, where: str) -> Value | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag == f"{_TAG}null":
            return None
        text, line = str(node.value).strip(), node.start_mark.line + 1
        if text.startswith(_REFERENCE):
            known = self.variables.get(text.removeprefix(_REFERENCE))
            return known or Value(None, line, where)
        true = node.tag == f"{_TAG}bool" and text.lower() in ("true", "yes", "on")
        return Value(text, line, where, true)


def _parts(model: str, custom: Value | None) -> tuple[str, str, bool]:
    """Provider, deployment, and whether ``responses/`` stands between them."""
    if custom is not None:
        provider = custom.text or ""
        rest = model.removeprefix(f"{provider}/")
    else:
        provider, slash, rest = model.partition("/")
        if not slash:
            return "", model, False
    return provider, rest.removeprefix("responses/"), rest.startswith("responses/")
