"""Read the configuration once: arguments, environment, .env, models.yaml.  Builds no client and opens no connection."""

from __future__ import annotations

import difflib
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models import (
    KINDS,
    EndpointSettings,
    Registry,
    clean_ascii,
    clean_headers,
    clean_names,
    clean_path,
    clean_proxy,
    clean_secret,
    clean_text,
    clean_url,
    fold,
    kind_of,
    load_models,
    parse_hop,
    problem_in,
    unknown_name,
)

__all__ = ["VARIABLES", "EndpointSettings", "Settings"]

VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "litellm_base_url": ("LITELLM_BASE_URL", "LITELLM_PROXY_API_BASE"),
    "litellm_api_key": ("LITELLM_API_KEY", "LITELLM_PROXY_API_KEY"),
    "azure_openai_endpoint": ("AZURE_OPENAI_ENDPOINT", "AZURE_BASE_URL"),
    "azure_openai_api_key": ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    "azure_openai_ad_token": ("AZURE_OPENAI_AD_TOKEN",),
    "azure_openai_deployment": ("AZURE_OPENAI_DEPLOYMENT", "AZURE_DEPLOYMENT"),
    "openai_api_version": ("OPENAI_API_VERSION", "AZURE_API_VERSION"),
    "openai_api_key": ("OPENAI_API_KEY",),
    "openai_base_url": ("OPENAI_BASE_URL",),
    "anthropic_api_key": ("ANTHROPIC_API_KEY",),
    "anthropic_base_url": ("ANTHROPIC_BASE_URL",),
    "chain": ("CHATSHEET_CHAIN",),
    "models_file": ("CHATSHEET_MODELS_FILE", "MODEL_CONFIG_PATH"),
    "deadline": ("CHATSHEET_DEADLINE",),
    "connect_timeout": ("CHATSHEET_CONNECT_TIMEOUT",),
    "idle_timeout": ("CHATSHEET_IDLE_TIMEOUT",),
    "max_sends": ("CHATSHEET_MAX_SENDS",),
    "max_retries": ("CHATSHEET_MAX_RETRIES",),
    "on_loss": ("CHATSHEET_ON_LOSS",),
    "ca_bundle": ("CHATSHEET_CA_BUNDLE",),
    "proxy": ("CHATSHEET_PROXY",),
}
"""Field to the variables that set it; the first that is set wins.  A name set in the environment beats one in .env."""

_FLAT: Final[Mapping[str, Mapping[str, str]]] = {
    "litellm": {"base_url": "litellm_base_url", "api_key": "litellm_api_key"},
    "azure": {
        "base_url": "azure_openai_endpoint",
        "api_key": "azure_openai_api_key",
        "ad_token": "azure_openai_ad_token",
        "api_version": "openai_api_version",
        "deployment": "azure_openai_deployment",
    },
    "openai": {"base_url": "openai_base_url", "api_key": "openai_api_key"},
    "anthropic": {"base_url": "anthropic_base_url", "api_key": "anthropic_api_key"},
}
"""Well-known endpoint to its fields that have a variable of their own."""

_NEEDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "litellm": (("base_url",),),
    "azure": (("base_url",), ("api_key", "ad_token")),
    "openai": (("api_key",),),
    "anthropic": (("api_key",),),
}
"""Kind to what it cannot work without: one field of each group."""

_PREFIX, _NESTED = "CHATSHEET_", "CHATSHEET_ENDPOINTS"
_ENV_FILE: Final = Path(".env")
_MODELS_FILE: Final = Path("models.yaml")
_SHAPE = f"write {_NESTED}__NAME__FIELD (or {_NESTED}__NAME__HEADERS__HEADER_NAME), with two underscores between"

EnvFile = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def _shown(value: object) -> str:
    text = value.strip() if isinstance(value, str) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _seconds(value: object) -> float:
    try:
        number = float(cast("Any", value)) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"must be a number of seconds greater than 0 (got {_shown(value)})")
    return number


def _count(least: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        try:
            number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else least - 1
        except ValueError:
            number = least - 1
        if number < least:
            raise ValueError(f"must be a whole number of at least {least} (got {_shown(value)})")
        return number

    return check


def _on_loss(value: object) -> str:
    text = clean_text(value)
    if text not in ("error", "drop"):
        raise ValueError(f"must be error or drop (got {_shown(value)})")
    return text


def _chain(value: object) -> tuple[str, ...]:
    names = clean_names(value)
    if names is None:
        raise ValueError("names no hop; list at least one, as in litellm,azure/responses,azure/chat")
    return tuple(map(parse_hop, names))


class Settings(BaseSettings):
    """Everything that can be set, from arguments, else the environment, else ``.env`` in the working directory.

    `VARIABLES` lists the names.  ``_env_file`` reads another file, or several (later ones win), or none (None).  An
    empty value counts as not set, wherever it stands.  Times are seconds.  ``chain`` lists hops (``endpoint`` or
    ``endpoint/mode``) in the order of trying; ``max_sends`` bounds the requests of one call, ``max_retries`` the
    re-sends on one hop; ``idle_timeout`` is the longest silence within a stream.  ``endpoints``
    (``CHATSHEET_ENDPOINTS__NAME__FIELD``) adds endpoints and overrides single fields of those known from elsewhere.

    Raises one `SettingsError` that lists every problem by the name the caller set.  Keys are secrets in repr and dump;
    a pickle holds them, since it could not serve otherwise.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    litellm_base_url: Annotated[str | None, BeforeValidator(clean_url)] = None
    litellm_api_key: Annotated[SecretStr | None, BeforeValidator(clean_secret)] = None
    azure_openai_endpoint: Annotated[str | None, BeforeValidator(clean_url)] = None
    azure_openai_api_key: Annotated[SecretStr | None, BeforeValidator(clean_secret)] = None
    azure_openai_ad_token: Annotated[SecretStr | None, BeforeValidator(clean_secret)] = None
    azure_openai_deployment: Annotated[str | None, BeforeValidator(clean_text)] = None
    openai_api_version: Annotated[str | None, BeforeValidator(clean_ascii)] = None
    openai_api_key: Annotated[SecretStr | None, BeforeValidator(clean_secret)] = None
    openai_base_url: Annotated[str | None, BeforeValidator(clean_url)] = None
    anthropic_api_key: Annotated[SecretStr | None, BeforeValidator(clean_secret)] = None
    anthropic_base_url: Annotated[str | None, BeforeValidator(clean_url)] = None
    chain: Annotated[tuple[str, ...], BeforeValidator(_chain)] = ("litellm", "azure/responses", "azure/chat")
    models_file: Annotated[Path | None, BeforeValidator(clean_path)] = None
    deadline: Annotated[float, BeforeValidator(_seconds)] = 120.0
    connect_timeout: Annotated[float, BeforeValidator(_seconds)] = 5.0
    idle_timeout: Annotated[float, BeforeValidator(_seconds)] = 60.0
    max_sends: Annotated[int, BeforeValidator(_count(1))] = 4
    max_retries: Annotated[int, BeforeValidator(_count(0))] = 1
    on_loss: Annotated[Literal["error", "drop"], BeforeValidator(_on_loss)] = "error"
    ca_bundle: Annotated[Path | None, BeforeValidator(clean_path)] = None
    proxy: Annotated[SecretStr | None, BeforeValidator(clean_proxy)] = None
    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)

    _registry: Registry = PrivateAttr(default_factory=Registry.empty)
    _replaced: dict[str, EndpointSettings] = PrivateAttr(default_factory=dict)

    def __init__(self, *, _env_file: EnvFile | None = _ENV_FILE, **values: object) -> None:
        problems = self._fill(_env_file, values)
        # Raised here, after every frame and exception that held the values is gone: a traceback may show locals.
        values.clear()
        if problems:
            raise SettingsError("\n".join(dict.fromkeys(problems)))

    def _fill(self, env_file: EnvFile | None, values: Mapping[str, object]) -> list[str]:
        """Validate everything into this object; return what is wrong."""
        try:
            variables = _Variables(os.environ, _read_env_files(env_file))
        except SettingsError as error:
            return [str(error)]
        given = {name: value for name, value in values.items() if not (isinstance(value, str) and not value.strip())}
        variables.forget(given)
        merged = {**variables.values, **given, "endpoints": _laid_over(variables.endpoints, given.get("endpoints"))}
        try:
            super().__init__(_env_file=None, **cast("Any", merged))
        except ValidationError as error:
            return variables.problems + [variables.problem(item) for item in error.errors()]
        if variables.problems:
            return variables.problems
        try:
            self._registry = self._load_registry(variables)
            names = {fold(name): name for name in self._merged()}
        except SettingsError as error:
            return [str(error)]
        for spec in self._registry:
            for name in spec.deployments:
                if fold(name) not in names:
                    close = difflib.get_close_matches(name, names.values(), 1)
                    hint = f"; did you mean {close[0]!r}?" if close else ""
                    text = (
                        f"{spec.source}: model {spec.alias!r} has a deployment on endpoint {name!r}, which is not known"
                    )
                    warnings.warn(text + hint, stacklevel=3)
        return []

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``__init__`` hands over: it has read the variables, to be able to name the one that is wrong."""
        return (init_settings,)

    @property
    def registry(self) -> Registry:
        """What models.yaml says; empty where there is none."""
        return self._registry

    def with_endpoint(self, name: str, endpoint: EndpointSettings | Mapping[str, object]) -> Settings:
        """A copy in which this endpoint is what is given and nothing else: no layer adds a key, header or URL to it.

        Raises `SettingsError` that names the field.
        """
        problems = []
        try:
            given = EndpointSettings.model_validate(endpoint)
            kind_of(name, given.kind)
        except ValidationError as error:
            allowed = EndpointSettings.model_fields
            problems = [
                f"{item['loc'][0] if item['loc'] else name}: {problem_in(item, allowed)}" for item in error.errors()
            ]
        except ValueError as problem:
            problems = [f"kind: {problem}"]
        if problems:
            raise SettingsError("\n".join(problems))
        copied = self.model_copy()
        copied._replaced = {**self._replaced, name: given}  # noqa: SLF001  our own copy
        return copied

    def resolved_endpoints(self) -> dict[str, EndpointSettings]:
        """Every endpoint that is configured, by name.

        Variables of the well-known endpoints, then models.yaml, then ``endpoints`` are laid over each other field by
        field; `with_endpoint` stands alone.  ``ca_bundle`` and ``proxy`` fill in where an endpoint has none.
        `unconfigured` tells what was left out.
        """
        return {name: endpoint for name, endpoint in self._merged().items() if not _lacking(name, endpoint)}

    def unconfigured(self) -> dict[str, str]:
        """The endpoints that cannot be used, by name, each with the sentence that says what to set."""
        return {
            name: _sentence(name, endpoint) for name, endpoint in self._merged().items() if _lacking(name, endpoint)
        }

    def _merged(self) -> dict[str, EndpointSettings]:
        names = {name: name for name in KINDS}
        told: dict[str, dict[str, object]] = {
            kind: {name: value for name, source in flat.items() if (value := getattr(self, source)) is not None}
            for kind, flat in _FLAT.items()
        }
        for layer in (self._registry.endpoints, self.endpoints):
            for name, endpoint in layer.items():
                known = names.setdefault(fold(name), name)
                told[known] = _over(told.get(known, {}), endpoint.told())
        for name, endpoint in self._replaced.items():
            told[names.setdefault(fold(name), name)] = endpoint.told()
        general = {"ca_bundle": self.ca_bundle, "proxy": self.proxy}
        merged = {}
        for name, fields in told.items():
            try:
                kind = kind_of(name, str(fields.get("kind", "")))
            except ValueError as problem:
                raise SettingsError(f"{_variable(name, 'kind')}: {problem}") from None
            defaults = {field: value for field, value in general.items() if value is not None}
            merged[name] = EndpointSettings.model_validate({**defaults, **fields, "kind": kind})
        return merged

    def _load_registry(self, variables: _Variables) -> Registry:
        if self.models_file is None:
            return load_models(_MODELS_FILE, variables.environ) if _MODELS_FILE.is_file() else Registry.empty()
        if not self.models_file.is_file():
            label = variables.label(("models_file",))
            raise SettingsError(f"{label}: there is no file {str(self.models_file)!r}; correct the path or unset it")
        return load_models(self.models_file, variables.environ)


class _Variables:
    """The variables of the environment and .env that are ours, and the name under which each was set."""

    def __init__(self, environment: Mapping[str, str], env_file: Mapping[str, str]) -> None:
        self.environ = {
            **env_file,
            **{name: text for name, text in environment.items() if text or name not in env_file},
        }
        self.values: dict[str, object] = {}
        self.endpoints: dict[str, dict[str, object]] = {}
        self.problems: list[str] = []
        self._names: dict[tuple[str, ...], str] = {}
        scopes = [_by_upper_name(scope) for scope in (environment, env_file)]
        for field, names in VARIABLES.items():
            found = next((scope[name] for scope in scopes for name in names if name in scope), None)
            if found is not None:
                self._names[(field,)], self.values[field] = found
        for scope in reversed(scopes):
            for key, (name, value) in scope.items():
                if key.startswith(_NESTED):
                    self._take(key, name, value)
                elif key.startswith(_PREFIX):
                    _warn_if_misspelled(key, name)

    def _take(self, key: str, name: str, value: str) -> None:
        """One ``CHATSHEET_ENDPOINTS__NAME__FIELD``, over what was taken before."""
        path = key[len(_NESTED) :].split("__")
        header = path[3].replace("_", "-") if len(path) == 4 and path[2] == "HEADERS" else None
        if path[0] or not all(path[1:]) or (len(path) != 3 and header is None):
            self.problems.append(f"{name}: is no setting; {_SHAPE}")
            return
        endpoint, field = path[1].lower(), path[2].lower()
        if field not in EndpointSettings.model_fields:
            self.problems.append(f"{name}: {unknown_name(field, EndpointSettings.model_fields)}")
            return
        try:
            told = value if field != "headers" else clean_headers(value if header is None else {header: value})
        except ValueError as problem:
            self.problems.append(f"{name}: {problem}")
            return
        self.endpoints[endpoint] = _over(self.endpoints.get(endpoint, {}), {field: told})
        self._names[("endpoints", endpoint, field)] = name

    def forget(self, given: Mapping[str, object]) -> None:
        """Arguments win, so a problem with one must not be blamed on the variable."""
        endpoints = given.get("endpoints")
        overridden = {(field,) for field in given} | {
            ("endpoints", fold(str(name)), field)
            for name, endpoint in (endpoints.items() if isinstance(endpoints, Mapping) else ())
            for field in (endpoint if isinstance(endpoint, Mapping) else EndpointSettings.model_fields)
        }
        self._names = {path: name for path, name in self._names.items() if path not in overridden}

    def label(self, path: tuple[str, ...]) -> str:
        """What the caller set: the variable, else the argument."""
        if path[0] != "endpoints" or len(path) == 1:
            return self._names.get(path[:1], f"Settings({path[0]}=...)")
        name = self._names.get(("endpoints", fold(path[1]), *path[2:3]))
        return name or f"Settings(endpoints[{path[1]!r}]{''.join(f'.{field}' for field in path[2:3])})"

    def problem(self, item: Mapping[str, Any]) -> str:
        """One pydantic error as ``VARIABLE: what is wrong``."""
        path = tuple(map(str, item["loc"]))
        allowed = Settings.model_fields if len(path) == 1 else EndpointSettings.model_fields
        return f"{self.label(path)}: {problem_in(item, allowed)}"


def _by_upper_name(scope: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Upper-case name to (name, value) of what is set; where only case differs, the upper-case name wins."""
    ordered = sorted(scope.items(), key=lambda item: item[0].isupper())
    return {name.upper(): (name, value) for name, value in ordered if value.strip()}


def _warn_if_misspelled(key: str, name: str) -> None:
    """A variable of another program may start as ours do, so only a near miss is worth a word."""
    known = [variable for names in VARIABLES.values() for variable in names] + [_NESTED]
    close = difflib.get_close_matches(key.partition("__")[0], known, 1, 0.93)
    if close and key not in known:
        warnings.warn(f"{name} is no setting and has no effect; did you mean {close[0]}?", stacklevel=5)


def _read_env_files(env_file: EnvFile | None) -> dict[str, str]:
    """Name to value of .env files, later ones over earlier ones; one that was asked for must exist."""
    if env_file is None:
        return {}
    found: dict[str, str] = {}
    for file in [env_file] if isinstance(env_file, (str, os.PathLike)) else env_file:
        path = Path(file).expanduser()
        if not path.exists() or path.is_dir():
            if file is _ENV_FILE:
                continue
            raise SettingsError(f"Settings(_env_file=...): there is no file {str(path)!r}; correct the path")
        try:
            read = DotEnvSettingsSource(Settings, env_file=path, env_file_encoding="utf-8-sig", case_sensitive=True)
        except UnicodeDecodeError:
            raise SettingsError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
        found.update({name: value for name, value in read.env_vars.items() if value is not None})
    return found


def _over(lower: Mapping[str, object], upper: Mapping[str, object]) -> dict[str, object]:
    """Lay fields over fields; headers are laid over each other one by one, whatever their case."""
    merged = {**lower, **upper}
    below, above = lower.get("headers"), upper.get("headers")
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        told = {str(name).lower() for name in above}
        merged["headers"] = {**{name: value for name, value in below.items() if name.lower() not in told}, **above}
    return merged


def _laid_over(variables: Mapping[str, Mapping[str, object]], given: object) -> object:
    """The argument ``endpoints`` over those of the variables; pydantic judges what has the wrong shape."""
    if not isinstance(given, Mapping):
        return variables if given is None else given
    merged: dict[object, object] = {name: fields for name, fields in variables.items()}  # noqa: C416  keys of any type
    for name, endpoint in given.items():
        fields = endpoint.told() if isinstance(endpoint, EndpointSettings) else endpoint
        below = merged.pop(fold(name), {}) if isinstance(name, str) else {}
        merged[name] = _over(cast("Mapping[str, object]", below), fields) if isinstance(fields, Mapping) else fields
    return merged


def _variable(name: str, field: str) -> str:
    """The variable that sets one field of an endpoint."""
    flat = _FLAT.get(name, {})
    return VARIABLES[flat[field]][0] if field in flat else f"{_NESTED}__{fold(name).upper()}__{field.upper()}"


def _lacking(name: str, endpoint: EndpointSettings) -> list[str]:
    """What this endpoint cannot work without and does not have, as variables to set."""
    return [
        " or ".join(_variable(name, field) for field in group)
        for group in _NEEDS.get(endpoint.kind, ())
        if all(getattr(endpoint, field) is None for field in group)
    ]


def _sentence(name: str, endpoint: EndpointSettings) -> str:
    has = sorted(set(endpoint.told()) - {"kind", "ca_bundle", "proxy"})
    state = f"is half configured (it has {', '.join(has)})" if has else "is not configured"
    return f"endpoint {name!r} {state}; set {', and '.join(_lacking(name, endpoint))}"
