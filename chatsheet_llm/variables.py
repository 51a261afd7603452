"""Find our variables in the environment and .env, and by which name each was set.  Builds no settings of them."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from chatsheet_llm.endpoint_settings import EndpointSettings, fold, lay_over, problem_in
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.settings_warnings import warn
from chatsheet_llm.values import clean_headers, unknown_name

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
    "anthropic_foundry_resource": ("ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL"),
    "anthropic_foundry_api_key": ("ANTHROPIC_FOUNDRY_API_KEY",),
    "chain": ("CHATSHEET_CHAIN",),
    "models_file": ("CHATSHEET_MODELS_FILE", "MODEL_CONFIG_PATH"),
    "deadline": ("CHATSHEET_DEADLINE",),
    "connect_timeout": ("CHATSHEET_CONNECT_TIMEOUT",),
    "first_token_timeout": ("CHATSHEET_FIRST_TOKEN_TIMEOUT",),
    "idle_timeout": ("CHATSHEET_IDLE_TIMEOUT",),
    "max_sends": ("CHATSHEET_MAX_SENDS",),
    "max_retries": ("CHATSHEET_MAX_RETRIES",),
    "learned_expiry": ("CHATSHEET_LEARNED_EXPIRY",),
    "on_loss": ("CHATSHEET_ON_LOSS",),
    "stream_recovery": ("CHATSHEET_STREAM_RECOVERY",),
    "hedge_after": ("CHATSHEET_HEDGE_AFTER",),
    "ca_bundle": ("CHATSHEET_CA_BUNDLE",),
    "proxy": ("CHATSHEET_PROXY",),
    "state_url": ("CHATSHEET_STATE_URL",),
}
"""Field to the variables that set it; the first that is set wins.  A name set in the environment beats one in .env."""

FLAT: Final[Mapping[str, Mapping[str, str]]] = {
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
    "anthropic_foundry": {"base_url": "anthropic_foundry_resource", "api_key": "anthropic_foundry_api_key"},
}
"""Well-known endpoint to its fields that have a variable of their own."""

ENV_FILE: Final = Path(".env")
"""What is read where nothing is said; the one file that may be missing."""

log = logging.getLogger("chatsheet_llm")

EnvFile = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""One .env file, or several."""

_PREFIX, _NESTED = "CHATSHEET_", "CHATSHEET_ENDPOINTS"
_KNOWN = frozenset(name for names in VARIABLES.values() for name in names) | {"CHATSHEET_RECORD_MODE"}
"""What is read: here, and by the pytest plugin."""
_TIMES = "CHATSHEET_DEADLINE bounds a whole call; CHATSHEET_CONNECT_TIMEOUT, CHATSHEET_FIRST_TOKEN_TIMEOUT and "
_TIMES += (
    "CHATSHEET_IDLE_TIMEOUT bound parts of it; the timeout of one attempt is an argument of the client or the call"
)
_SHAPE = f"write {_NESTED}__NAME__FIELD (or {_NESTED}__NAME__HEADERS__HEADER_NAME), with two underscores between"


def variable_of(endpoint: str, field: str) -> str:
    """Return the variable that sets one field of an endpoint."""
    flat = FLAT.get(endpoint, {})
    return VARIABLES[flat[field]][0] if field in flat else f"{_NESTED}__{fold(endpoint).upper()}__{field.upper()}"


def read_env_files(env_file: EnvFile | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return name to value of .env files, later ones over earlier ones, and name to the file; nothing for None.

    Raises SettingsError for a file that was asked for and does not exist, and for one that cannot be read.
    """
    found: dict[str, str] = {}
    files: dict[str, str] = {}
    if env_file is None:
        return found, files
    for file in [env_file] if isinstance(env_file, (str, os.PathLike)) else env_file:
        path = Path(file).expanduser()
        if not path.exists() or path.is_dir():
            if file is ENV_FILE:
                continue
            raise SettingsError(f"Settings(_env_file=...): there is no file {str(path)!r}; correct the path")
        try:
            read = DotEnvSettingsSource(BaseSettings, env_file=path, env_file_encoding="utf-8-sig", case_sensitive=True)
        except UnicodeDecodeError:
            raise SettingsError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
        told = {name: value for name, value in read.env_vars.items() if value is not None}
        found.update(told)
        files.update(dict.fromkeys(told, str(path)))
    return found, files


class Variables:
    """The variables of the environment and .env that are ours, and the name under which each was set.

    ``values`` is field to text, ``endpoints`` endpoint to its fields, ``problems`` what cannot be either.
    ``environ`` is everything that is set, ours or not, for references to it.  ``files`` tells in which file a name of
    ``env_file`` stands.  Warns of names that could only be ours and are not, where it is ``telling``.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        env_file: Mapping[str, str],
        files: Mapping[str, str],
        *,
        telling: bool = True,
    ) -> None:
        self.environ = {
            **env_file,
            **{name: text for name, text in environment.items() if text or name not in env_file},
        }
        self.values: dict[str, object] = {}
        self.endpoints: dict[str, dict[str, object]] = {}
        self.problems: list[str] = []
        self._names: dict[tuple[str, ...], str] = {}
        scopes = [_by_upper_name(environment, {}), _by_upper_name(env_file, files)]
        for field, names in VARIABLES.items():
            found = next((scope[name] for scope in scopes for name in names if name in scope), None)
            if found is not None:
                self._names[(field,)], self.values[field] = found
        unknown: dict[str, str] = {}
        for scope in reversed(scopes):
            for key, (name, value) in scope.items():
                if key.startswith(_NESTED):
                    self._take(key, name, value)
                elif key.startswith(_PREFIX) and key not in _KNOWN:
                    unknown[key] = name
        if telling:
            _warn_of(unknown)

    def under(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return the values with the arguments over them; what an argument replaces is not blamed on its variable."""
        given = {name: value for name, value in given.items() if not (isinstance(value, str) and not value.strip())}
        self._forget(given)
        return {**self.values, **given, "endpoints": _laid_over(self.endpoints, given.get("endpoints"))}

    def label(self, path: tuple[str, ...]) -> str:
        """Return what the caller set: the variable, else the argument.

        ``path`` is a field, or ``endpoints`` with the endpoint's name and its field.
        """
        if path[0] != "endpoints" or len(path) == 1:
            return self._names.get(path[:1], f"Settings({path[0]}=...)")
        name = self._names.get(("endpoints", fold(path[1]), *path[2:3]))
        return name or f"Settings(endpoints[{path[1]!r}]{''.join(f'.{field}' for field in path[2:3])})"

    def problem(self, error: ErrorDetails) -> str:
        """Return one pydantic error as ``VARIABLE: what is wrong``."""
        path = tuple(map(str, error["loc"]))
        allowed = (*VARIABLES, "endpoints") if len(path) == 1 else EndpointSettings.model_fields
        return f"{self.label(path)}: {problem_in(error, allowed)}"

    def _take(self, key: str, name: str, value: str) -> None:
        """Take one ``CHATSHEET_ENDPOINTS__NAME__FIELD``, over what was taken before."""
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
        self.endpoints[endpoint] = lay_over(self.endpoints.get(endpoint, {}), {field: told})
        self._names[("endpoints", endpoint, field)] = name

    def _forget(self, given: Mapping[str, object]) -> None:
        endpoints = given.get("endpoints")
        overridden = {(field,) for field in given} | {
            ("endpoints", fold(str(name)), field)
            for name, endpoint in (endpoints.items() if isinstance(endpoints, Mapping) else ())
            for field in (endpoint if isinstance(endpoint, Mapping) else EndpointSettings.model_fields)
        }
        self._names = {path: name for path, name in self._names.items() if path not in overridden}


def _by_upper_name(scope: Mapping[str, str], files: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Upper-case name to (name and its file, value) of what is set; of names that differ in case, that one wins."""
    ordered = sorted(scope.items(), key=lambda item: item[0].isupper())
    told = {name: f"{name} (in {file})" for name, file in files.items()}
    return {name.upper(): (told.get(name, name), value) for name, value in ordered if value.strip()}


def _warn_of(unknown: Mapping[str, str]) -> None:
    """Say of names (upper-case, and as they were written) that they set nothing, and which might have been meant."""
    known = [name for names in VARIABLES.values() for name in names if name.startswith(_PREFIX)]
    # Without what they all begin with, or everything would be near.
    words = {variable.removeprefix(_PREFIX): variable for variable in (*known, _NESTED)}
    strange = []
    for key, name in unknown.items():
        close = difflib.get_close_matches(key.partition("__")[0].removeprefix(_PREFIX), words, 1, 0.8)
        if close:
            warn(f"{name} is no setting and has no effect; did you mean {words[close[0]]}?")
        elif "TIME" in key:
            warn(f"{name} is no setting and has no effect; {_TIMES}")
        else:
            strange.append(name)
    if strange:
        # No warning: another program may call all of its variables so.
        log.info("%s: no setting of chatsheet_llm is called so", ", ".join(strange))


def _laid_over(variables: Mapping[str, Mapping[str, object]], given: object) -> object:
    """The argument ``endpoints`` over those of the variables; pydantic judges what has the wrong shape."""
    if not isinstance(given, Mapping):
        return variables if given is None else given
    merged: dict[object, object] = {name: fields for name, fields in variables.items()}  # noqa: C416  keys of any type
    for name, endpoint in given.items():
        fields = endpoint.told() if isinstance(endpoint, EndpointSettings) else endpoint
        below = merged.pop(fold(name), {}) if isinstance(name, str) else {}
        merged[name] = lay_over(cast("Mapping[str, object]", below), fields) if isinstance(fields, Mapping) else fields
    return merged
