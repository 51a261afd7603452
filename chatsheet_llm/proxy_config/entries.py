"""Choose what the proxy is told of each model: provider, deployment, URL, variables.  Writes no text and no secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from chatsheet_llm.endpoint_settings import fold
from chatsheet_llm.endpoints.anthropic import AnthropicFoundry
from chatsheet_llm.endpoints.azure import RESPONSES_SINCE, Azure
from chatsheet_llm.endpoints.base import Endpoint, build
from chatsheet_llm.formats.responses_messages_sampling import is_claude
from chatsheet_llm.known import Known, known_at
from chatsheet_llm.models import ModelSpec
from chatsheet_llm.proxy_config.naming import Asked, asked_of, hops_of
from chatsheet_llm.proxy_config.routing import API_VERSION, Need, is_routed_by_name, need_of
from chatsheet_llm.route import MODES, Mode
from chatsheet_llm.settings import Settings
from chatsheet_llm.variables import variable_of

_REFERENCE: Final = "os.environ/"
_MOVED: Final[Mapping[Need, str]] = {"only": "all chat calls", "tools": "chat calls with function tools"}
"""What LiteLLM moves by a name, the most first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ``model_list``.  ``params`` are its ``litellm_params``, ``info`` its ``model_info``.

    For whoever reads the file there are ``notes`` on the endpoint, and ``remarks`` on this entry.
    """

    asked: Asked
    params: Mapping[str, object]
    info: Mapping[str, str]
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def by_token(self) -> bool:
        """Whether it travels by a bearer token."""
        return "azure_ad_token" in self.params

    @property
    def variables(self) -> list[str]:
        """The variables that it refers to."""
        values = list(self.params.values())
        values += [inner for value in values if isinstance(value, Mapping) for inner in value.values()]
        texts = [value for value in values if isinstance(value, str)]
        return [text.removeprefix(_REFERENCE) for text in texts if text.startswith(_REFERENCE)]


@dataclass(frozen=True, slots=True)
class Omission:
    """A model that the file cannot have, and why."""

    alias: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Placed:
    """A model at an endpoint of its chain, asked for there in ``modes``."""

    endpoint: Endpoint
    known: Known
    modes: frozenset[Mode]

    @property
    def name(self) -> str:
        return self.known.deployment or ""

    @property
    def need(self) -> Need | None:
        """Why chat calls belong on Responses."""
        return need_of(self.known.base_model, self.known.capability)

    @property
    def stays_on_chat(self) -> bool:
        """Whether it could go either way, and entry, chain or endpoint say Chat."""
        return self.need == "tools" and self.modes == {"chat"}

    def path(self, provider: str) -> str:
        """The provider's name, with ``responses/`` where chat calls have to end on Responses."""
        need = self.need
        if self.stays_on_chat or (need == "tools" and is_routed_by_name(provider, self.name, need)):
            need = None
        return f"{provider}/responses/{self.name}" if need or self.modes == {"responses"} else f"{provider}/{self.name}"

    def remarks(self, provider: str) -> tuple[str, ...]:
        """What LiteLLM does against the model string, for the name alone."""
        if self.modes != {"chat"}:
            return ()
        return tuple(
            f"Chat is asked for, but LiteLLM moves {calls} to Responses by the name {self.name!r}; a deployment under "
            f"another name stays"
            for need, calls in _MOVED.items()
            if is_routed_by_name(provider, self.name, need)
        )[:1]

    @property
    def is_kin(self) -> bool:
        """Whether the model is of the family that the endpoint has, or of nobody knows which."""
        base = self.known.base_model
        return base is None or is_claude(base) == (self.endpoint.modes == ("messages",))

    def base_model(self, prefix: str = "") -> str | None:
        """The key of the cost map; none for a deployment that stands in for a model of another family."""
        return f"{prefix}{self.known.base_model}" if self.known.base_model is not None and self.is_kin else None

    def reference(self, name: str) -> str:
        return f"{_REFERENCE}{variable_of(self.endpoint.name, name)}"


@dataclass(frozen=True, slots=True)
class _Target:
    """What one provider of LiteLLM's needs."""

    params: Mapping[str, object]
    base_model: str | None
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def entry_of(spec: ModelSpec, settings: Settings) -> Entry | Omission:
    """Return the entry of a model: at the first endpoint of its chain that LiteLLM can ask and that has it."""
    asked = _asked(spec, settings)
    endpoints, missing = settings.resolved_endpoints(), settings.unconfigured()
    targets: list[tuple[_Placed, _Target]] = []
    reasons = []
    for name, modes in asked.items():
        if name not in endpoints:
            if fold(name) != "litellm":
                reasons.append(missing.get(name, f"there is no endpoint {name!r}"))
            continue
        if endpoints[name].kind not in _PROVIDERS:
            if endpoints[name].kind != "litellm":
                reasons.append(f"LiteLLM has nothing for endpoint {name!r} of kind {endpoints[name].kind!r}")
            continue
        endpoint = build(name, endpoints[name])
        allowed = frozenset(endpoint.modes) & (frozenset({spec.mode}) if spec.mode is not None else modes)
        placed = _Placed(endpoint, known_at(endpoint, spec, spec.alias, None), allowed)
        target = _unfit(placed, spec) or _PROVIDERS[endpoint.kind](placed)
        if isinstance(target, str):
            reasons.append(target)
        else:
            targets.append((placed, target))
    if not targets:
        why = "; ".join(reasons) or f"its chain has only the proxy itself ({', '.join(asked)})"
        return Omission(spec.alias, why)
    (placed, target), *others = targets
    remarks = target.remarks
    if others:
        names = ", ".join(other.endpoint.name for other, _ in others)
        remarks += (f"left out: {names}; LiteLLM shares the load between entries of one name, which is no fallback",)
    headers = _headers(placed)
    params = {**target.params, **({"extra_headers": headers} if headers else {})}
    info = {"base_model": target.base_model} if target.base_model is not None else {}
    if placed.stays_on_chat:
        info["mode"] = "chat"
    return Entry(asked_of(spec, settings), params, info, (*target.notes, *_beside(placed.endpoint)), remarks)


def _asked(spec: ModelSpec, settings: Settings) -> dict[str, frozenset[Mode]]:
    """The endpoints of a model's chain in order, each with the modes that its hops name: all where one names none."""
    found: dict[str, frozenset[Mode]] = {}
    for name, told in hops_of(spec.chain or settings.chain, settings):
        modes = frozenset(mode for mode in MODES if told in ("", mode))
        found[name] = found.get(name, frozenset()) | modes
    return found


def _unfit(placed: _Placed, spec: ModelSpec) -> str | None:
    """Return why an endpoint does not have the model, or None.  A deployment named in the entry is always there."""
    endpoint, known = placed.endpoint, placed.known
    told = any(fold(name) == fold(endpoint.name) for name in spec.deployments)
    if not placed.is_kin and not told:
        return f"endpoint {endpoint.name!r} does not have {known.base_model}"
    if not placed.modes:
        return f"endpoint {endpoint.name!r} may not be asked in the mode of the model or its hop"
    for mode in placed.modes if len(placed.modes) == 1 else ():
        if not _speaks(placed, mode):
            return f"endpoint {endpoint.name!r} may be asked only in {mode}, which {known.name} does not speak"
    return None


def _speaks(placed: _Placed, mode: Mode) -> bool:
    """Whether nothing that is known of the model excludes a mode there, as dispatch has it."""
    row = placed.known.capability
    if mode == "chat":
        return placed.need != "only"
    if row is None or mode == "messages" or (row.apis == {"messages"} and placed.endpoint.kind != "azure"):
        return True
    return mode in row.apis


def _azure(placed: _Placed) -> _Target | str:
    endpoint, known = placed.endpoint, placed.known
    assert isinstance(endpoint, Azure)
    chat_only = known.capability is not None and "responses" not in known.capability.apis
    notes = []
    version = endpoint.dated
    if version is None:
        version = API_VERSION
        notes.append(
            f"api_version: {endpoint.name} is on the v1 surface, where LiteLLM sends api-version=v1 with Responses and "
            f"Azure refuses it; {version} has both APIs"
        )
    elif not chat_only and version[:10] < RESPONSES_SINCE:
        notes.append(
            f"api_version: {endpoint.name} has {version}, which is older than Responses ({RESPONSES_SINCE}-preview)"
        )
        version = API_VERSION
    credential, more = _credential(placed)
    params = {"model": placed.path("azure"), "api_base": endpoint.resource, "api_version": version, **credential}
    return _Target(params, placed.base_model("azure/"), (*notes, *more), placed.remarks("azure"))


def _credential(placed: _Placed) -> tuple[dict[str, str], tuple[str, ...]]:
    settings = placed.endpoint.settings
    if settings.ad_token is None and settings.key_header != "bearer":
        return {"api_key": placed.reference("api_key")}, ()
    name = variable_of(placed.endpoint.name, "ad_token" if settings.ad_token is not None else "api_key")
    note = f"{name} travels as bearer token only while AZURE_OPENAI_API_KEY and AZURE_API_KEY are not set there"
    if settings.ad_token is not None:
        note += "; a token of Entra ID ends after about an hour, and LiteLLM reads it once"
    return {"azure_ad_token": f"{_REFERENCE}{name}"}, (note,)


def _openai(placed: _Placed) -> _Target | str:
    base = {"api_base": placed.endpoint.url} if placed.endpoint.settings.base_url else {}
    params = {"model": placed.path("openai"), **base, "api_key": placed.reference("api_key")}
    return _Target(params, placed.base_model(), remarks=placed.remarks("openai"))


def _anthropic(placed: _Placed) -> _Target | str:
    base = {"api_base": placed.endpoint.url} if placed.endpoint.settings.base_url else {}
    key = variable_of(placed.endpoint.name, "api_key")
    bearer = placed.endpoint.settings.key_header == "bearer"
    return _Target(
        {"model": f"anthropic/{placed.name}", **base, "api_key": f"{_REFERENCE}{key}"},
        placed.base_model(),
        (f"LiteLLM sends {key} as x-api-key, not as the bearer token that {placed.endpoint.name} asks for",)
        if bearer
        else (),
    )


def _foundry(placed: _Placed) -> _Target | str:
    """LiteLLM knows Claude on Foundry by ``claude`` in the deployment's name, and adds ``/anthropic`` to the URL."""
    endpoint = placed.endpoint
    assert isinstance(endpoint, AnthropicFoundry)
    base = {"api_base": endpoint.url}
    if "claude" in placed.name.lower() and endpoint.url.endswith("/anthropic"):
        credential, notes = _credential(placed)
        model = f"azure_ai/{placed.name}"
        return _Target({"model": model, **base, **credential}, placed.base_model("azure_ai/"), notes)
    if endpoint.settings.ad_token is not None or endpoint.settings.key_header == "bearer":
        return (
            f"endpoint {endpoint.name!r} takes a bearer token, which LiteLLM sends there only for a deployment with "
            f"'claude' in its name and a URL that ends with /anthropic"
        )
    note = "anthropic/, as LiteLLM's azure_ai/ takes a deployment for Claude only with 'claude' in its name"
    if "claude" in placed.name.lower():
        note = "anthropic/, as LiteLLM's azure_ai/ would add /anthropic to this URL"
    params = {"model": f"anthropic/{placed.name}", **base, "api_key": placed.reference("api_key")}
    return _Target(params, placed.base_model(), (note,))


_PROVIDERS: Final[Mapping[str, Callable[[_Placed], _Target | str]]] = {
    "azure": _azure,
    "openai": _openai,
    "anthropic": _anthropic,
    "anthropic_foundry": _foundry,
}
"""Kind of endpoint to what LiteLLM needs for it, or why it cannot ask it."""


def _headers(placed: _Placed) -> dict[str, str]:
    """The configured headers, each by the variable that sets it: a value may be a secret."""
    variable = variable_of(placed.endpoint.name, "headers")
    return {
        name: f"{_REFERENCE}{variable}__{re.sub('[^A-Za-z0-9]', '_', name).upper()}"
        for name in placed.endpoint.settings.headers
    }


def _beside(endpoint: Endpoint) -> list[str]:
    """What an endpoint has that the file cannot say."""
    settings = endpoint.settings
    parts = {"ca_bundle": ("ca_bundle", "SSL_CERT_FILE"), "proxy": ("network proxy", "HTTPS_PROXY")}
    return [
        f"{endpoint.name} has a {what}, which LiteLLM takes from its own environment ({variable})"
        for field_name, (what, variable) in parts.items()
        if getattr(settings, field_name) is not None
    ]
