"""Read models.yaml: endpoints, aliases, chains.  Checks spelling and shape; refuses to decide where a call goes."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.route import Mode

KINDS: Final = ("litellm", "azure", "openai", "anthropic")
"""The kinds of endpoint that ship with the library; an endpoint of the same name is of that kind."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
_MODES_IN_WORDS = "chat, responses or messages"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

_T = TypeVar("_T")


# --- single values: each function returns the clean value, None for "not set", or raises ValueError with a sentence.


def clean_text(value: object) -> str | None:
    """Strip white space; an empty string counts as not set.  Control characters are refused."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004  pydantic turns ValueError, not TypeError, into a problem
    value = value.strip()
    if not value.isprintable():
        raise ValueError("holds a line break or another control character; remove it")
    return value or None


def clean_ascii(value: object) -> str | None:
    """As `clean_text`, for what travels in a URL or header: non-ASCII characters are refused too."""
    text = clean_text(value)
    if text is not None and not text.isascii():
        raise ValueError("holds a character that is not ASCII; copy the value again")
    return text


def clean_secret(value: object) -> SecretStr | None:
    """As `clean_ascii`, for a key or token; one that still wears its quotes or ``Bearer`` is refused."""
    text = clean_ascii(value.get_secret_value() if isinstance(value, SecretStr) else value)
    if text is None:
        return None
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ValueError("is wrapped in quotes, which would be sent as a part of it; remove them")
    if text.lower().startswith("bearer "):
        raise ValueError("starts with 'Bearer'; give the key alone")
    return SecretStr(text)


def clean_url(value: object) -> str | None:
    """An http(s) URL with a host and without user, password, query or fragment."""
    text = clean_ascii(value)
    if text is not None:
        _check_url(text, ("http", "https"))
        if "@" in urlsplit(text).netloc:
            raise ValueError("holds a user name or password; remove them and set the API key instead")
        if "?" in text or "#" in text:
            raise ValueError("holds a query or fragment ('?' or '#'); give the URL without it (the API version apart)")
    return text


def clean_proxy(value: object) -> SecretStr | None:
    """The URL of a network proxy; it may hold a user and password, so it is a secret."""
    text = clean_ascii(value.get_secret_value() if isinstance(value, SecretStr) else value)
    if text is None:
        return None
    _check_url(text, ("http", "https", "socks5", "socks5h"))
    return SecretStr(text)


def _check_url(text: str, schemes: tuple[str, ...]) -> None:
    if re.search(r"[\s\\<>{}\"^`|]", text):
        raise ValueError("is not a URL: it holds a blank, bracket or backslash; replace the placeholder or quote")
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError("is not a URL: its host or port is malformed") from None
    if url.scheme not in schemes or not host or port == 0:
        raise ValueError(f"must be a URL with a host that starts with {schemes[0]}:// or {schemes[1]}://")


def clean_path(value: object) -> Path | None:
    """A path of the file system; ``~`` is the home directory."""
    text = clean_text(os.fspath(value) if isinstance(value, os.PathLike) else value)
    return None if text is None else Path(text).expanduser()


def clean_names(value: object) -> tuple[str, ...] | None:
    """A list: Python's, JSON's, or names with commas between them."""
    if isinstance(value, str):
        text = value.strip()
        value = parse_json(text) if text.startswith("[") else text.split(",")
    if value is None:
        return None
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list, or names with commas between them")  # noqa: TRY004  see clean_text
    return tuple(name for name in map(clean_text, value) if name) or None


def clean_modes(value: object) -> tuple[Mode, ...] | None:
    """The modes of an endpoint, as `clean_names`."""
    names = clean_names(value)
    return None if names is None else tuple(map(parse_mode, names))


def clean_kind(value: object) -> str:
    """The kind of an endpoint; the library's own kinds are known in any case."""
    kind = clean_ascii(value) or ""
    return kind.lower() if kind.lower() in KINDS else kind


def clean_headers(value: object) -> dict[str, SecretStr]:
    """Header name to value; values are secrets.  A header with an empty value is left out."""
    if isinstance(value, str):
        value = parse_json(value) if value.strip() else None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError('must map header names to values, as in {"Ocp-Apim-Subscription-Key": "..."}')  # noqa: TRY004
    headers = {}
    for name, content in value.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError("holds a header name that HTTP does not allow")
        try:
            text = clean_ascii(content.get_secret_value() if isinstance(content, SecretStr) else content)
        except ValueError as problem:
            raise ValueError(f"header {name!r} {problem}") from None
        if text is not None:
            headers[name] = SecretStr(text)
    return headers


def parse_json(text: str) -> object:
    """Parse JSON; the error does not repeat the text, which may hold a secret."""
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("is not valid JSON") from None


def parse_mode(text: str) -> Mode:
    """One mode by its name."""
    for mode in MODES:
        if text == mode:
            return mode
    raise ValueError(f"{text!r} is not a mode; use {_MODES_IN_WORDS}")


def parse_hop(text: str) -> str:
    """Check a hop, ``endpoint`` or ``endpoint/mode``, and return it."""
    endpoint, slash, mode = text.partition("/")
    if not _NAME.fullmatch(endpoint):
        raise ValueError(f"{text!r} is not a hop; write endpoint or endpoint/mode, as in azure/responses")
    if slash:
        try:
            parse_mode(mode)
        except ValueError as problem:
            raise ValueError(f"hop {text!r}: {problem}") from None
    return text


def fold(name: str) -> str:
    """The form in which endpoint names are compared: an environment variable can spell neither ``-`` nor case."""
    return re.sub(r"[.-]", "_", name).lower()


def unknown_name(name: str, allowed: Iterable[str]) -> str:
    """The sentence for a name that does not exist: the closest one, and all that do."""
    allowed = sorted(allowed)
    close = difflib.get_close_matches(name, allowed, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown field {name!r}; {hint}allowed: {', '.join(allowed)}"


# --- endpoints


class EndpointSettings(BaseModel):
    """How to reach one endpoint.  Every field may be left out, so that layers of settings can be laid over each other.

    ``kind`` is litellm, azure, openai, anthropic or a third party's; empty where a layer does not say.  ``key_header``
    is how the key travels (None: as the kind does by default).  ``modes`` are the APIs it may be asked for (None: all
    that its kind has).  ``headers`` are sent with every request.  ``ca_bundle`` and ``proxy`` replace the general ones.
    ``boundary`` names the data boundary it lies in, ``label`` is for people.  Keys, tokens, header values and the
    proxy are secrets in every repr and dump.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    kind: Annotated[str, BeforeValidator(clean_kind)] = ""
    base_url: Annotated[str | None, BeforeValidator(clean_url)] = None
    api_key: Annotated[SecretStr | None, BeforeValidator(clean_secret)] = None
    ad_token: Annotated[SecretStr | None, BeforeValidator(clean_secret)] = None
    api_version: Annotated[str | None, BeforeValidator(clean_ascii)] = None
    deployment: Annotated[str | None, BeforeValidator(clean_text)] = None
    key_header: Annotated[Literal["api-key", "bearer"] | None, BeforeValidator(clean_text)] = None
    modes: Annotated[tuple[Mode, ...] | None, BeforeValidator(clean_modes)] = None
    headers: Annotated[dict[str, SecretStr], BeforeValidator(clean_headers)] = {}
    ca_bundle: Annotated[Path | None, BeforeValidator(clean_path)] = None
    proxy: Annotated[SecretStr | None, BeforeValidator(clean_proxy)] = None
    boundary: Annotated[str | None, BeforeValidator(clean_text)] = None
    label: Annotated[str | None, BeforeValidator(clean_text)] = None

    def told(self) -> dict[str, object]:
        """The fields that were given a value, by name."""
        return {
            name: value
            for name in sorted(self.model_fields_set)
            if (value := getattr(self, name)) not in (None, "", {})
        }


def kind_of(name: str, kind: str) -> str:
    """The kind of an endpoint: what was told, else its name where that is a known kind; ValueError where neither is."""
    if fold(name) in KINDS:
        if kind not in ("", fold(name)):
            raise ValueError(
                f"an endpoint called {name!r} is of that kind and cannot be {kind!r}; give it another name"
            )
        return fold(name)
    if not kind:
        raise ValueError(f"endpoint {name!r} has no kind; say which: {', '.join(KINDS)}")
    return kind


def problem_in(error: Mapping[str, object], allowed: Iterable[str]) -> str:
    """One pydantic error (an item of ``ValidationError.errors()``) as a sentence without pydantic's words or values."""
    context = error.get("ctx")
    if error["type"] == "value_error" and isinstance(context, Mapping):
        return str(context["error"])
    if error["type"] == "extra_forbidden":
        place = error["loc"]
        return unknown_name(str(place[-1]) if isinstance(place, tuple) else "", allowed)
    if error["type"] == "literal_error" and isinstance(context, Mapping):
        return f"must be {context['expected']}"
    if error["type"] in ("dict_type", "model_type"):
        return "must be a mapping of fields, or EndpointSettings"
    return str(error["msg"])


# --- models


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One entry of models.yaml: what callers say (``alias``), what it is (``base_model``), what each endpoint calls it.

    ``deployments`` maps endpoint name to deployment name.  ``api_model`` is the name for endpoints not listed there.
    ``mode`` and ``chain`` win over every rule; None leaves them to dispatch.  ``max_tokens`` counts output tokens.
    ``source`` is file and line (``models.yaml:12``).
    """

    alias: str
    base_model: str | None = None
    deployments: Mapping[str, str] = field(default_factory=dict, hash=False)
    api_model: str | None = None
    mode: Mode | None = None
    chain: tuple[str, ...] | None = None
    reasoning_effort: str | None = None
    summary_level: str | None = None
    verbosity_level: str | None = None
    truncation_strategy: str | None = None
    max_tokens: int | None = None
    source: str = ""

    def deployment_for(self, endpoint_name: str, default: str | None = None) -> str:
        """What this endpoint calls the model: its deployment, else ``api_model``, else ``default``, else the alias."""
        for name, deployment in self.deployments.items():
            if fold(name) == fold(endpoint_name):
                return deployment
        return self.api_model or default or self.alias


@dataclass(frozen=True)
class Registry:
    """What models.yaml says.  Iterating yields its `ModelSpec`s in the order of the file."""

    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointSettings] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def empty(cls) -> Registry:
        """The registry of a project without models.yaml."""
        return cls()

    def get(self, name: str) -> ModelSpec | None:
        """The entry with this alias, or None."""
        return self.models.get(name)

    def closest(self, name: str) -> str | None:
        """The alias most like this name, or None when none is like it."""
        return next(iter(difflib.get_close_matches(name, list(self.models), 1)), None)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.models.values())

    def __len__(self) -> int:
        return len(self.models)

    def __contains__(self, name: object) -> bool:
        return name in self.models


# --- the file

_SECTIONS = ("endpoints", "models", "chains")
_TEXTS = ("base_model", "api_model", "reasoning_effort", "summary_level", "verbosity_level", "truncation_strategy")
_ENTRY = (*_TEXTS, "alias", "deployments", "mode", "chain", "max_tokens", "backend", "deployment_name", "base_url")
_BACKENDS: Mapping[str, tuple[str, ...]] = {"azure": ("responses", "chat"), "anthropic": ("messages",)}
_REFERENCE = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{")
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"


def load_models(path: Path, environ: Mapping[str, str] | None = None) -> Registry:
    """Parse models.yaml; ``${NAME}`` and ``${NAME:-default}`` in values come from ``environ`` (default: the process's).

    Takes the sections ``endpoints``, ``models`` (list of entries, or alias to entry) and ``chains``, or the flat form
    (alias to entry at the top).  ``backend: azure`` leaves the chain to dispatch; ``backend: anthropic`` means that
    only Anthropic has the model.  A top-level key that starts with ``x-`` is left alone, for YAML anchors.
    Raises `SettingsError` that lists every problem with file, line and field.
    """
    reader = _Reader(path, os.environ if environ is None else environ)
    registry = reader.registry()
    if reader.problems:
        raise SettingsError("\n".join(dict.fromkeys(reader.problems)))
    return registry


@dataclass(frozen=True)
class _Entry:
    """A model entry before the ``base_url``s of all entries are known."""

    spec: ModelSpec
    backend: str | None
    base_url: str | None
    deployment: str | None


class _Reader:
    """Walks the YAML nodes, which know their lines, and collects what is wrong."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = Path(path)
        self.environ = environ
        self.problems: list[str] = []
        self.chains: dict[str, tuple[str, ...]] = {}

    def fail(self, node: yaml.Node, where: str, what: object) -> None:
        place = f"{where}: " if where else ""
        self.problems.append(f"{self.path}:{node.start_mark.line + 1}: {place}{what}")

    def compose(self) -> yaml.Node | None:
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except FileNotFoundError:
            problem = f"{self.path}: there is no such file"
        except OSError as error:
            problem = f"{self.path}: cannot be read ({error.strerror})"
        except UnicodeDecodeError:
            problem = f"{self.path}: is not UTF-8 text; save it as UTF-8"
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{self.path}:{mark.line + 1}:{mark.column + 1}" if mark else str(self.path)
            problem = f"{place}: is not valid YAML: {error.problem or error.context}"
        except yaml.YAMLError:
            problem = f"{self.path}: holds a character that YAML does not allow"
        raise SettingsError(problem)

    def registry(self) -> Registry:
        root = self.compose()
        if root is None or root.tag == _NULL:
            return Registry(path=self.path)
        top = self.mapping(root, "")
        if not any(name in _SECTIONS for name in top):
            entries = self.entries({name: pair for name, pair in top.items() if not name.startswith("x-")}, "")
            return self.assemble(entries, {})
        for name, (key, _) in top.items():
            if name not in _SECTIONS and not name.startswith("x-"):
                self.fail(key, "", unknown_name(name, _SECTIONS).replace("field", "section", 1))
        endpoints = self.endpoints(top["endpoints"][1]) if "endpoints" in top else {}
        if "chains" in top:
            for name, (key, node) in self.mapping(top["chains"][1], "chains").items():
                if not _NAME.fullmatch(name):
                    self.fail(key, f"chains.{name}", "a chain's name is made of letters, digits, '.', '_' and '-'")
                hops = self.chain(node, f"chains.{name}")
                if hops is not None:
                    self.chains[name] = hops
        entries = []
        if "models" in top:
            models = top["models"][1]
            if isinstance(models, yaml.SequenceNode):
                entries = self.listed(models)
            else:
                entries = self.entries(self.mapping(models, "models"), "models.")
        return self.assemble(entries, endpoints)

    # single nodes

    def mapping(
        self, node: yaml.Node, where: str, within: tuple[yaml.Node, ...] = ()
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key to (key node, value node); ``<<`` merges fill in what the mapping itself does not say."""
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if node.tag == _NULL:
            return found
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, where, "must be a mapping (name: value)")
            return found
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
            elif not isinstance(key, yaml.ScalarNode):
                self.fail(key, where, "a name must be plain text")
            elif key.value in found:
                first = found[key.value][0].start_mark.line + 1
                self.fail(key, f"{where}.{key.value}" if where else key.value, f"is given twice; first on line {first}")
            else:
                found[key.value] = (key, value)
        for source in merged:
            if source in (*within, node):
                self.fail(node, where, "merges itself")
                continue
            for name, pair in self.mapping(source, where, (*within, node)).items():
                found.setdefault(name, pair)
        return found

    def text(self, node: yaml.Node, where: str) -> str | None:
        """A scalar as it is written (so ``2025-04-01`` and ``4.1`` stay text), with its references filled in."""
        if not isinstance(node, yaml.ScalarNode):
            self.fail(node, where, "must be a single value")
            return None
        if node.tag == _NULL:
            return None
        try:
            return clean_text(self.expand(node.value))
        except ValueError as problem:
            self.fail(node, where, problem)
            return None

    def expand(self, text: str) -> str:
        def value_of(found: re.Match[str]) -> str:
            if found["escaped"]:
                return "${"
            name, default = found["name"], found["default"]
            if not name:
                raise ValueError(
                    "holds an unfinished reference; write ${NAME} or ${NAME:-default} ($${ for a plain ${)"
                )
            value = self.environ.get(name) or default
            if value is None:
                raise ValueError(f"the variable {name} is not set; set it, or write ${{{name}:-}} to go without")
            return value

        return _REFERENCE.sub(value_of, text)

    def checked(self, node: yaml.Node, where: str, check: Callable[[str], _T]) -> _T | None:
        """The text of a node after a check that raises ValueError; None where it is not set or wrong."""
        text = self.text(node, where)
        if text is None:
            return None
        try:
            return check(text)
        except ValueError as problem:
            self.fail(node, where, problem)
            return None

    def names(self, node: yaml.Node, where: str) -> list[tuple[yaml.Node, str]]:
        """The items of a list, or of one text with commas, each with its node."""
        if isinstance(node, yaml.SequenceNode):
            items = [(item, self.text(item, f"{where}[{index}]")) for index, item in enumerate(node.value)]
        else:
            items = [(node, part.strip()) for part in (self.text(node, where) or "").split(",")]
        return [(item, text) for item, text in items if text]

    def chain(self, node: yaml.Node, where: str) -> tuple[str, ...] | None:
        """A list of hops, or the name of a chain of the file."""
        items = self.names(node, where)
        if isinstance(node, yaml.ScalarNode) and len(items) == 1 and items[0][1] in self.chains:
            return self.chains[items[0][1]]
        if isinstance(node, yaml.SequenceNode) and not items:
            self.fail(node, where, "names no hop; list at least one, or leave it out")
        hops = []
        for index, (item, text) in enumerate(items):
            try:
                hops.append(parse_hop(text))
            except ValueError as problem:
                self.fail(item, f"{where}[{index}]", problem)
        return tuple(hops) or None

    def fields(self, node: yaml.Node, where: str, allowed: Iterable[str]) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """A mapping whose keys are all known."""
        found = self.mapping(node, where)
        allowed = tuple(allowed)
        for name, (key, _) in found.items():
            if name not in allowed:
                self.fail(key, where, unknown_name(name, allowed))
        return {name: pair for name, pair in found.items() if name in allowed}

    # sections

    def endpoints(self, section: yaml.Node) -> dict[str, EndpointSettings]:
        endpoints: dict[str, EndpointSettings] = {}
        for name, (key, node) in self.mapping(section, "endpoints").items():
            where = f"endpoints.{name}"
            if not _NAME.fullmatch(name):
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
        for field_name, (_, value) in found.items():
            place = f"{where}.{field_name}"
            if field_name == "headers":
                headers = self.mapping(value, place).items()
                values[field_name] = {header: self.text(item, f"{place}.{header}") for header, (_, item) in headers}
            elif field_name == "modes":
                values[field_name] = [text for _, text in self.names(value, place)]
            else:
                values[field_name] = self.text(value, place)
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
                field_name = str(item["loc"][0])
                self.fail(found[field_name][1], f"{where}.{field_name}", problem_in(item, ()))
            return None

    def entries(self, found: Mapping[str, tuple[yaml.Node, yaml.Node]], prefix: str) -> list[_Entry]:
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
        deployments = {}
        if "deployments" in found:
            for name, (_, value) in self.mapping(found["deployments"], f"{where}.deployments").items():
                deployment = self.text(value, f"{where}.deployments.{name}")
                if deployment is not None:
                    deployments[name] = deployment
        spec = ModelSpec(
            alias=alias or told or "",
            base_model=text("base_model", _base_model),
            deployments=deployments,
            api_model=text("api_model", str),
            mode=text("mode", parse_mode),
            chain=self.chain(found["chain"], f"{where}.chain") if "chain" in found else None,
            reasoning_effort=text("reasoning_effort", str),
            summary_level=text("summary_level", str),
            verbosity_level=text("verbosity_level", str),
            truncation_strategy=text("truncation_strategy", str),
            max_tokens=text("max_tokens", _whole_number),
            source=f"{self.path.name}:{key.start_mark.line + 1}",
        )
        backend = text("backend", _backend)
        for name in ("deployment_name", "base_url"):
            if name in found and "backend" not in found:
                self.fail(found[name], f"{where}.{name}", "needs a backend beside it (azure or anthropic)")
        return _Entry(spec, backend, text("base_url", clean_url), text("deployment_name", str))

    def assemble(self, entries: list[_Entry], endpoints: dict[str, EndpointSettings]) -> Registry:
        """Turn ``backend``, ``base_url`` and ``deployment_name`` into endpoints, deployments and chains."""
        models = {entry.spec.alias: _placed(entry, entries, endpoints) for entry in entries}
        return Registry(models=models, endpoints=endpoints, chains=self.chains, path=self.path)


def _placed(entry: _Entry, entries: list[_Entry], endpoints: dict[str, EndpointSettings]) -> ModelSpec:
    """The entry's spec on the endpoint that its ``backend`` and ``base_url`` mean; adds that endpoint.

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


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError(f"must be a whole number of at least 1 (got {text!r})")
    return int(text)
