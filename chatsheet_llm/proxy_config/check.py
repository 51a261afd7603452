"""Find in a LiteLLM proxy's configuration what will not do what its author thinks.  Changes nothing, asks nobody.

A rule speaks only where the file itself proves it; a value from the environment is taken to be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chatsheet_llm.capabilities import is_named
from chatsheet_llm.proxy_config.reading import ProxyFile, Served, Value, read
from chatsheet_llm.proxy_config.routing import API_VERSION, is_routed_by_name, model_of, need_of

_Found = tuple[Value, str, str]
"""Where, why, and what to do."""

_DATED: Final = r"gpt-3\.?5-turbo-instruct(?:-\d{4})?|(?:text-|code-)?(?:ada|babbage|curie|davinci)-\d{3}"
_LEGACY: Final = re.compile(rf"{_DATED}|ada|babbage|curie|davinci", re.IGNORECASE)
"""Whole names of the models that the legacy completions API has."""
_LEGACY_WITHIN: Final = re.compile(rf"(?:^|[-_.])(?:{_DATED}|instruct)(?:[-_.]|$)", re.IGNORECASE)
"""What says so within the name of a deployment."""
_OTHER_WITHIN: Final = re.compile(r"gpt-?[4-9]|codex|claude|(?:^|[-_.])o[1-9](?:[-_.]|$)", re.IGNORECASE)
"""What says within a name that it is of another model, whatever else stands there."""
_V1_PATH: Final = re.compile(r"/openai/v1(/|\?|$)", re.IGNORECASE)
_BRIDGED: Final = ("azure", "openai")
"""The providers whose chat calls LiteLLM can move to Responses."""
_PUBLIC_KEYS: Final = frozenset({"sk-1234"})
"""Master keys that LiteLLM's documentation prints."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that will not do what its author thinks: where it stands, why, and what to write."""

    rule: str
    line: int
    where: str
    reason: str
    fix: str


def check(path: Path) -> tuple[Finding, ...]:
    """Return the findings in a file, by line; none where all is well.

    The same words about the same line are one finding, however many entries share it.  Raises SettingsError for a file
    that cannot be read, is not YAML, or is no configuration of a proxy.
    """
    file = read(path)
    found: dict[tuple[str, int, str], Finding] = {}
    for name, rule in RULES.items():
        for value, reason, fix in rule(file):
            found.setdefault((name, value.line, reason), Finding(name, value.line, value.where, reason, fix))
    return tuple(sorted(found.values(), key=lambda finding: (finding.line, finding.rule)))


def _azure_text(file: ProxyFile) -> Iterator[_Found]:
    for served in file.served:
        if served.provider == "azure_text" and served.model is not None and not _is_legacy(served):
            reason = (
                f"azure_text/ is the legacy completions API, for chat and Responses calls alike: "
                f"{served.deployment!r} is asked with a bare prompt at /completions"
            )
            yield served.model, reason, _instead_of_text(served)


def _is_legacy(served: Served) -> bool:
    if served.mode is not None and served.mode.text == "completion":
        return True
    base = _base(served)
    if base is not None:
        return _LEGACY.fullmatch(base) is not None
    deployment = served.deployment.replace("*", "").strip("-_.")
    if is_named(deployment) or _OTHER_WITHIN.search(deployment):
        return False
    return any((_LEGACY.fullmatch(deployment), _LEGACY_WITHIN.search(deployment), _LEGACY.fullmatch(served.alias)))


def _instead_of_text(served: Served) -> str:
    chat, responses = f"azure/{served.deployment}", f"azure/responses/{served.deployment}"
    if "*" in served.deployment:
        return f"write model: {chat}, and for models that have only Responses an entry each, azure/responses/DEPLOYMENT"
    model = _base(served) or served.deployment
    need = need_of(model)
    if need == "only" or (need == "tools" and not is_routed_by_name("azure", served.deployment, need)):
        return f"write model: {responses}"
    if need is not None or is_named(model):
        return f"write model: {chat}"
    return (
        f"write model: {chat}, or {responses} where the model has only Responses; if it truly is a completions model, "
        f"say so with model_info.mode: completion"
    )


def _base_model(file: ProxyFile) -> Iterator[_Found]:
    moved = {served.key for served in file.served if _says_responses(served)}
    for served in file.served:
        base, value = _base(served), served.base_model
        if base is None or value is None or not _is_on_chat(served) or served.key in moved:
            continue
        need = need_of(base)
        if need is None or is_routed_by_name(served.provider, served.deployment, need):
            continue
        if need == "tools" and served.mode is not None and served.mode.text == "chat":
            continue
        if need == "only":
            reason = (
                f"base_model is read for costs, not for the route: chat calls of {served.alias!r} go to "
                f"/chat/completions, which {base} does not have"
            )
        else:
            reason = (
                f"LiteLLM moves chat calls with function tools to Responses by the deployment's name, and "
                f"{served.deployment!r} does not say that it is {base}: they stay on /chat/completions, which refuses "
                f"tools while the model reasons"
            )
        yield value, reason, f"write model: {served.provider}/responses/{served.deployment} (base_model may stay)"


def _mode(file: ProxyFile) -> Iterator[_Found]:
    for source in file.served:
        if source.mode is None or not _says_responses(source):
            continue
        others = [
            other
            for other in file.served
            if other.key == source.key
            and other.alias != source.alias
            and _is_on_chat(other)
            and not _says_responses(other)
            and need_of(_base(other) or other.deployment) != "only"
        ]
        if others:
            told = ", ".join(f"{other.alias!r} (line {_line(other)})" for other in others)
            model = f"{source.provider}/{source.deployment}"
            reason = (
                f"LiteLLM keeps mode for {model} as a whole, not for {source.alias!r}: chat calls of {told} go to "
                f"Responses too"
            )
            fix = f"write model: {source.provider}/responses/{source.deployment} and leave mode out"
            yield source.mode, reason, fix


def _api_base(file: ProxyFile) -> Iterator[_Found]:
    for served in file.served:
        value = served.api_base
        if served.provider in ("azure", "azure_text") and value is not None and _V1_PATH.search(value.text or ""):
            reason = (
                "LiteLLM adds the whole path to api_base for azure models, whatever the api_version: calls go to "
                "/openai/v1/openai/..., which does not exist"
            )
            yield value, reason, f"end api_base before /openai/v1, and set a dated api_version such as {API_VERSION}"


def _model_name(file: ProxyFile) -> Iterator[_Found]:
    for served in file.served:
        name = served.name
        # With a star the slash belongs to LiteLLM's own wildcard routing (openai/*), and there is no other spelling.
        if name is not None and name.text is not None and "/" in name.text and "*" not in name.text:
            reason = (
                f"GET /v1/models/{name.text} is 404, even with the slash as %2F, so clients that look the model up "
                f"do not find it"
            )
            yield name, reason, f"write model_name: {_without_slash(name.text)}"
    for name in file.aliases:
        if name.text is not None and "/" in name.text and "*" not in name.text:
            reason = f"GET /v1/models/{name.text} is 404, so clients that look the model up do not find it"
            fix = (
                f"write an entry of model_list with model_name: {_without_slash(name.text)}; of the names of "
                f"model_group_alias the proxy finds none, with or without a slash"
            )
            yield name, reason, fix


def _store_model_in_db(file: ProxyFile) -> Iterator[_Found]:
    told, variable = file.general.get("store_model_in_db"), file.variables.get("STORE_MODEL_IN_DB")
    url = file.general.get("database_url") or file.variables.get("DATABASE_URL")
    if file.includes or (url is not None and url.text != ""):
        return
    for value in (told, variable):
        if value is not None and (value.is_true or (value is variable and (value.text or "").lower() == "true")):
            if url is None:
                reason = (
                    "models are to be stored in a database, and the file has no URL of one: without it the proxy "
                    "starts, and /model/new and /model/delete answer 500"
                )
            else:
                reason = (
                    f"models are to be stored in a database, and its URL is empty ({url.where}, line {url.line}): the "
                    f"proxy does not start, or answers 500 to /model/new and /model/delete"
                )
            fix = "write general_settings.database_url: os.environ/DATABASE_URL, or leave store_model_in_db out"
            yield value, reason, fix
            return


def _master_key(file: ProxyFile) -> Iterator[_Found]:
    for value in (file.general.get("master_key"), file.variables.get("LITELLM_MASTER_KEY")):
        if value is not None and value.text in _PUBLIC_KEYS:
            reason = (
                f"{value.text} is the key of LiteLLM's documentation: whoever reaches the proxy may do everything, and "
                f"newer versions refuse to start with it"
            )
            yield value, reason, "write master_key: os.environ/LITELLM_MASTER_KEY, and set that to a random key"


RULES: Final[Mapping[str, Callable[[ProxyFile], Iterator[_Found]]]] = {
    "azure_text": _azure_text,
    "base_model": _base_model,
    "mode": _mode,
    "api_base": _api_base,
    "model_name": _model_name,
    "store_model_in_db": _store_model_in_db,
    "master_key": _master_key,
}
"""Name to rule."""


def _base(served: Served) -> str | None:
    """The model that an entry says it is."""
    text = served.base_model.text if served.base_model is not None else None
    return model_of(text) if text else None


def _says_responses(served: Served) -> bool:
    return served.provider in _BRIDGED and served.mode is not None and served.mode.text == "responses"


def _is_on_chat(served: Served) -> bool:
    """Whether nothing but the deployment's name could move its chat calls; a mode from the environment might."""
    known = served.mode is None or served.mode.text is not None
    return served.provider in _BRIDGED and not served.to_responses and "*" not in served.deployment and known


def _without_slash(name: str) -> str:
    return name.rpartition("/")[2] or "a name without a slash"


def _line(served: Served) -> int:
    value = served.name or served.model
    return value.line if value is not None else 0
