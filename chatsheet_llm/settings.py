"""Read the configuration once: arguments, environment, .env, models.yaml.  Builds no client and opens no connection."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chatsheet_llm.capabilities import capability_of, is_named
from chatsheet_llm.endpoint_settings import KINDS, EndpointSettings, fold, kind_of, lay_over, problem_in
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models import KNOWN_VALUES, ModelSpec, Registry
from chatsheet_llm.settings_warnings import warn
from chatsheet_llm.values import (
    Ascii,
    FoundryResource,
    LocalPath,
    Proxy,
    Seconds,
    Secret,
    StateUrl,
    Text,
    Url,
    at_least,
    clean_chain,
    clean_hedge_after,
    clean_on_loss,
    clean_stream_recovery,
)
from chatsheet_llm.variables import ENV_FILE, FLAT, EnvFile, Variables, read_env_files, variable_of

_NEEDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "litellm": (("base_url",),),
    "azure": (("base_url",), ("api_key", "ad_token")),
    "openai": (("api_key",),),
    "anthropic": (("api_key",),),
    "anthropic_foundry": (("base_url",), ("api_key", "ad_token")),
}
"""Kind to what it cannot work without: one field of each group."""

_MODELS_FILE: Final = Path("models.yaml")


@dataclass(frozen=True)
class _Read:
    """Where settings were read, which is no part of what they say: all are equal."""

    env_files: EnvFile | None = field(compare=False)


class Settings(BaseSettings):
    """Everything that can be set, from arguments, else the environment, else ``.env`` in the working directory.

    `chatsheet_llm.variables.VARIABLES` lists the names.  ``_env_file`` reads another file, or several (later ones win),
    or none (None).  An empty value counts as not set, wherever it stands.  Times are seconds.  ``chain`` lists hops
    (``endpoint`` or ``endpoint/mode``) in the order of trying; ``max_sends`` bounds the requests of one call,
    ``max_retries`` the re-sends on one hop.  ``first_token_timeout`` is the longest silence before a stream's first
    content while another origin could still answer, ``idle_timeout`` the longest within it; ``stream_recovery`` says
    what becomes of one that breaks.
    ``anthropic_foundry_resource`` is the name of an Azure Foundry resource with Claude, or its URL.  ``endpoints``
    (``CHATSHEET_ENDPOINTS__NAME__FIELD``) adds endpoints and overrides single fields of those known from elsewhere.

    Raises one `SettingsError` that lists every problem by the name the caller set.  Keys are secrets in repr and dump;
    a pickle holds them, since it could not serve otherwise.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    litellm_base_url: Url = None
    litellm_api_key: Secret = None
    azure_openai_endpoint: Url = None
    azure_openai_api_key: Secret = None
    azure_openai_ad_token: Secret = None
    azure_openai_deployment: Text = None
    openai_api_version: Ascii = None
    openai_api_key: Secret = None
    openai_base_url: Url = None
    anthropic_api_key: Secret = None
    anthropic_base_url: Url = None
    anthropic_foundry_resource: FoundryResource = None
    anthropic_foundry_api_key: Secret = None
    chain: Annotated[tuple[str, ...], BeforeValidator(clean_chain)] = ("litellm", "azure/responses", "azure/chat")
    models_file: LocalPath = None
    deadline: Seconds = 120.0
    connect_timeout: Seconds = 5.0
    first_token_timeout: Seconds = 60.0
    idle_timeout: Seconds = 60.0
    max_sends: Annotated[int, BeforeValidator(at_least(1))] = 4
    max_retries: Annotated[int, BeforeValidator(at_least(0))] = 1
    learned_expiry: Seconds = 3600.0
    on_loss: Annotated[Literal["error", "drop"], BeforeValidator(clean_on_loss)] = "error"
    hedge_after: Annotated[float | Literal["p95"] | None, BeforeValidator(clean_hedge_after)] = None
    stream_recovery: Annotated[Literal["off", "buffer", "restart"], BeforeValidator(clean_stream_recovery)] = "off"
    ca_bundle: LocalPath = None
    proxy: Proxy = None
    state_url: StateUrl = None
    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)

    _registry: Registry = PrivateAttr(default_factory=Registry.empty)
    _replaced: dict[str, EndpointSettings] = PrivateAttr(default_factory=dict)
    _read: _Read = PrivateAttr(default_factory=lambda: _Read(None))

    def __init__(self, *, _env_file: EnvFile | None = ENV_FILE, **values: object) -> None:
        problems = self._fill(_env_file, values)
        # Raised here, after every frame and exception that held the values is gone: a traceback may show locals.
        values.clear()
        if problems:
            raise SettingsError("\n".join(dict.fromkeys(problems)))

    def _fill(self, env_file: EnvFile | None, values: Mapping[str, object]) -> list[str]:
        """Validate everything into this object; return what is wrong."""
        try:
            variables = Variables(os.environ, *read_env_files(env_file))
        except SettingsError as error:
            return [str(error)]
        try:
            super().__init__(_env_file=None, **cast("Any", variables.under(values)))
        except ValidationError as error:
            return variables.problems + [variables.problem(item) for item in error.errors()]
        if variables.problems:
            return variables.problems
        self._read = _Read(env_file)
        try:
            self._registry = self._load_registry(variables)
            self._warn()
        except SettingsError as error:
            return [str(error)]
        return []

    def reloaded(self) -> Settings:
        """Return a copy that has read ``models.yaml`` again, with the variables it refers to as they are now.

        Everything else is as it was read first.  Raises SettingsError for a file that is wrong or gone.
        """
        variables = Variables(os.environ, *read_env_files(self._read.env_files), telling=False)
        made = self.model_copy()
        if made._registry.path is not None and self.models_file is None and not made._registry.path.is_file():  # noqa: SLF001
            raise SettingsError(f"there is no file {str(made._registry.path)!r} any more")  # noqa: SLF001
        made._registry = made._load_registry(variables)  # noqa: SLF001  our own copy
        made._warn()  # noqa: SLF001
        return made

    def _warn(self) -> None:
        """Warn of what models.yaml says in vain.  Raises SettingsError where it contradicts other settings."""
        names = {fold(name): name for name in self._merged()}
        for doubt in self._registry.doubts:
            warn(doubt)
        for spec in self._registry:
            for name in spec.deployments:
                if fold(name) not in names:
                    close = difflib.get_close_matches(name, names.values(), 1)
                    hint = f"; did you mean {close[0]!r}?" if close else ""
                    text = (
                        f"{spec.source}: model {spec.alias!r} has a deployment on endpoint {name!r}, which is not known"
                    )
                    warn(text + hint)
            base, effort = _base_of(spec), spec.reasoning_effort
            row = capability_of(base)
            if spec.capabilities is not None:
                row = spec.capabilities.over(row, spec.source)
            # An effort that nobody knows is among the doubts already.
            if effort in KNOWN_VALUES["reasoning_effort"] and row is not None and effort not in (row.efforts or effort):
                takes = ", ".join(row.efforts or ())
                model = base if is_named(base) else "it"
                text = f"{spec.source}: model {spec.alias!r} has reasoning_effort {effort!r}, but {model} takes "
                warn(f"{text}{takes} ({row.told('efforts')})")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return nothing but what ``__init__`` hands over: it has read the variables, and can name the wrong one."""
        return (init_settings,)

    @property
    def registry(self) -> Registry:
        """What models.yaml says; empty where there is none."""
        return self._registry

    def with_endpoint(self, name: str, endpoint: EndpointSettings | Mapping[str, object]) -> Settings:
        """Return a copy in which this endpoint is what is given and nothing else.

        No layer adds a key, header or URL to it.  Raises `SettingsError` that names the field.
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
        """Return every endpoint that is configured, by name.

        Variables of the well-known endpoints, then models.yaml, then ``endpoints`` are laid over each other field by
        field; `with_endpoint` stands alone.  ``ca_bundle`` and ``proxy`` fill in where an endpoint has none.
        `unconfigured` tells what was left out.
        """
        return {name: endpoint for name, endpoint in self._merged().items() if not _lacking(name, endpoint)}

    def unconfigured(self) -> dict[str, str]:
        """Return the endpoints that cannot be used, by name, each with the sentence that says what to set."""
        return {
            name: _sentence(name, endpoint) for name, endpoint in self._merged().items() if _lacking(name, endpoint)
        }

    def _merged(self) -> dict[str, EndpointSettings]:
        merged = self._known(self._registry.endpoints)
        for name, endpoint in merged.items():
            try:
                kind_of(name, endpoint.kind)
            except ValueError as problem:
                raise SettingsError(f"{variable_of(name, 'kind')}: {problem}") from None
        return merged

    def _known(self, of_file: Mapping[str, EndpointSettings]) -> dict[str, EndpointSettings]:
        """Return every endpoint, those of models.yaml among them; ``kind`` is empty where no layer says it."""
        names = {name: name for name in KINDS}
        told: dict[str, dict[str, object]] = {
            kind: {name: value for name, source in flat.items() if (value := getattr(self, source)) is not None}
            for kind, flat in FLAT.items()
        }
        for layer in (of_file, self.endpoints):
            for name, endpoint in layer.items():
                known = names.setdefault(fold(name), name)
                told[known] = lay_over(told.get(known, {}), endpoint.told())
        for name, endpoint in self._replaced.items():
            told[names.setdefault(fold(name), name)] = endpoint.told()
        general = {"ca_bundle": self.ca_bundle, "proxy": self.proxy}
        defaults = {field: value for field, value in general.items() if value is not None}
        return {
            name: EndpointSettings.model_validate(
                {**defaults, **({"kind": fold(name)} if fold(name) in KINDS else {}), **fields}
            )
            for name, fields in told.items()
        }

    def _load_registry(self, variables: Variables) -> Registry:
        path = _MODELS_FILE if self.models_file is None else self.models_file
        if not path.is_file():
            if self.models_file is None:
                return Registry.empty()
            label = variables.label(("models_file",))
            raise SettingsError(f"{label}: there is no file {str(path)!r}; correct the path or unset it")
        # YAML is read by those who write it.
        from chatsheet_llm.models_file import load_models

        return load_models(path, variables.environ, self._known)


def _base_of(spec: ModelSpec) -> str | None:
    """The model's own name, as far as the entry alone tells it."""
    return spec.base_model or next((name for name in (spec.api_model, spec.alias) if is_named(name)), None)


def _lacking(name: str, endpoint: EndpointSettings) -> list[str]:
    """What this endpoint cannot work without and does not have, as variables to set."""
    has = {field for field in EndpointSettings.model_fields if getattr(endpoint, field) is not None}
    if endpoint.kind == "openai" and "ad_token" in has:
        # As a server of its kind may take in the place of a key: Azure's v1 surface, say.
        has.add("api_key")
    return [
        " or ".join(variable_of(name, field) for field in group)
        for group in _NEEDS.get(endpoint.kind, ())
        if has.isdisjoint(group)
    ]


def _sentence(name: str, endpoint: EndpointSettings) -> str:
    has = sorted(set(endpoint.told()) - {"kind", "ca_bundle", "proxy"})
    state = f"is half configured (it has {', '.join(has)})" if has else "is not configured"
    return f"endpoint {name!r} {state}; set {', and '.join(_lacking(name, endpoint))}"
