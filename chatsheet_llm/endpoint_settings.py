"""Say how one endpoint is reached, and of which kind it is.  Lays layers over each other; builds no client."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import count
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_core import ErrorDetails

from chatsheet_llm.route import MODES, Mode
from chatsheet_llm.values import (
    Ascii,
    LocalPath,
    Proxy,
    RepeatedError,
    Secret,
    Text,
    Token,
    Url,
    clean_answers_after,
    clean_ascii,
    clean_headers,
    clean_modes,
    clean_text,
    resource_of,
    unknown_name,
)

KINDS: Final = ("litellm", "azure", "openai", "anthropic", "anthropic_foundry")
"""The kinds of endpoint that ship with the library; an endpoint of the same name is of that kind."""

MODES_OF: Final[Mapping[str, tuple[Mode, ...]]] = {
    "litellm": ("chat", "responses"),
    "azure": ("responses", "chat"),
    "openai": ("responses", "chat"),
    "anthropic": ("messages",),
    "anthropic_foundry": ("messages",),
}
"""Kind to the APIs that its endpoints speak, in order of preference; of a third party's kind none is excluded here."""
_DEFAULT_URLS: Final[Mapping[str, str]] = {"anthropic": "https://api.anthropic.com"}
"""Kind to the server that is meant where nothing names one."""


def fold(name: str) -> str:
    """Return the form in which endpoint names are compared: a variable's name can spell neither ``-`` nor case."""
    return re.sub(r"[.-]", "_", name).lower()


def clean_kind(value: object) -> str:
    """Return the kind of an endpoint, ``""`` where it is not set; the library's own kinds are known in any case.

    Raises ValueError with the rest of a sentence, as every check in `chatsheet_llm.values`.
    """
    kind = clean_ascii(value) or ""
    return kind.lower() if kind.lower() in KINDS else kind


class EndpointSettings(BaseModel):
    """How to reach one endpoint.  Every field may be left out, so that layers of settings can be laid over each other.

    ``kind`` is litellm, azure, openai, anthropic, anthropic_foundry (Claude on Azure Foundry) or a third party's; empty
    where a layer does not say.  ``ad_token`` is a token of Entra ID, or (in Python) a function that gives one: it is
    asked for every request, so it should have a cache, as azure-identity's ``get_bearer_token_provider`` does.
    ``key_header`` is how the key travels (None: as the kind does by default; ``api-key``
    is ``x-api-key`` for Anthropic).  ``modes`` are the APIs it may be asked for (None: all
    that its kind has).  ``headers`` are sent with every request.  ``ca_bundle`` and ``proxy`` replace the general ones.
    ``boundary`` names the data boundary it lies in: a call that may go to a hop in one goes to none in another.
    ``answers_after`` lists refusals of other hops after which this one may be asked all the same: ``context_length``
    (it has a larger window), ``content_filter``, ``gateway_policy``.  ``label`` is for people.  Keys, tokens, header
    values and the proxy are secrets in every repr and dump.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    kind: Annotated[str, BeforeValidator(clean_kind)] = ""
    base_url: Url = None
    api_key: Secret = None
    ad_token: Token = None
    api_version: Ascii = None
    deployment: Text = None
    key_header: Annotated[Literal["api-key", "bearer"] | None, BeforeValidator(clean_text)] = None
    modes: Annotated[tuple[Mode, ...] | None, BeforeValidator(clean_modes)] = None
    headers: Annotated[dict[str, SecretStr], BeforeValidator(clean_headers)] = {}
    ca_bundle: LocalPath = None
    proxy: Proxy = None
    boundary: Text = None
    answers_after: Annotated[tuple[str, ...], BeforeValidator(clean_answers_after)] = ()
    label: Text = None

    def told(self) -> dict[str, object]:
        """Return the fields that were given a value, by name."""
        return {
            name: value
            for name in sorted(self.model_fields_set)
            if (value := getattr(self, name)) not in (None, "", {}, ())
        }


def kind_of(name: str, kind: str) -> str:
    """Return the kind of an endpoint: what was told, else its name where that is a known kind.

    Raises ValueError where neither says, or where they contradict each other.
    """
    if fold(name) in KINDS:
        if kind not in ("", fold(name)):
            raise RepeatedError(
                f"an endpoint called {name!r} is of that kind and cannot be {kind!r}; give it another name"
            )
        return fold(name)
    if not kind:
        raise ValueError(f"endpoint {name!r} has no kind; say which: {', '.join(KINDS)}")
    return kind


def modes_of(endpoint: EndpointSettings) -> tuple[Mode, ...]:
    """Return the APIs that this endpoint may be asked for, in order of preference."""
    return endpoint.modes or MODES_OF.get(endpoint.kind, MODES)


def check_known(hop: str, endpoints: Mapping[str, EndpointSettings], chains: Collection[str], within: bool) -> str:
    """Return the hop as it is, if its endpoint exists and speaks its mode; ``within`` a chain, no other chain is a hop.

    Raises ValueError as every check in `chatsheet_llm.values`.
    """
    name, slash, mode = hop.partition("/")
    if name in endpoints:
        speaks = modes_of(endpoints[name])
        if slash and mode not in speaks:
            raise RepeatedError(f"hop {hop!r}: endpoint {name!r} speaks {', '.join(speaks)}, not {mode!r}")
        return hop
    if name in chains and (slash or within):
        why = "a hop of another chain" if within else "followed by a mode"
        raise RepeatedError(f"hop {hop!r}: there is no endpoint {name!r}, and a chain is never {why}")
    if name in chains:
        return hop
    close = difflib.get_close_matches(name, [*endpoints, *(() if within else chains)], 1)
    hint = f"did you mean {close[0] + (slash + mode if close[0] in endpoints else '')!r}? " if close else ""
    known = f"endpoints: {', '.join(sorted(endpoints))}"
    if chains and not within:
        known += f"; chains: {', '.join(sorted(chains))}"
    raise RepeatedError(f"hop {hop!r}: there is no endpoint {name!r}; {hint}{known}")


def names_by_resource(kind: str, urls: Iterable[str | None], known: Mapping[str, EndpointSettings]) -> dict[str, str]:
    """Return the endpoint of each resource that the entries of a backend name by URL; None: an entry names none.

    The resource of a known endpoint of this kind is that endpoint's, first of all of the one that is named like the
    kind.  Where that one has no URL, it takes the only resource there is.  Every other resource is an endpoint of its
    own, named after its host and so by no order: a credential never travels to a second host by itself.
    """
    default = _DEFAULT_URLS.get(kind)
    wanted = list(dict.fromkeys(resource_of(url) for each in urls if (url := each or default)))
    names: dict[str, str] = {}
    for name in sorted(known, key=lambda name: name != kind):
        url = known[name].base_url
        if known[name].kind == kind and url is not None:
            names.setdefault(resource_of(url), name)
    if kind not in names.values():
        if len(wanted) == 1:
            names.setdefault(wanted[0], kind)
        elif default is not None:
            names.setdefault(default, kind)
    others = [resource for resource in wanted if resource not in names]
    taken = {fold(name) for name, endpoint in known.items() if endpoint.base_url is not None} | {fold(kind)}
    short = [f"{kind}-{_label(resource)}" for resource in others]
    for resource, name in zip(others, short, strict=True):
        if short.count(name) > 1 or fold(name) in taken:
            whole = f"{kind}-{_plain(resource.removeprefix('https://'))}"
            names[resource] = next(
                each for n in count(1) if fold(each := whole if n == 1 else f"{whole}-{n}") not in taken
            )
        else:
            names[resource] = name
        taken.add(fold(names[resource]))
    return names


def _label(resource: str) -> str:
    """The first label of a host, which is what Azure calls a resource; an address is whole."""
    host = urlsplit(resource).hostname or ""
    first = host.partition(".")[0]
    return _plain(host if first.isdigit() else first)


def _plain(text: str) -> str:
    return re.sub("[^A-Za-z0-9._]+", "-", text).strip("-")


def lay_over(lower: Mapping[str, object], upper: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of both layers, the upper ones first; headers are laid over one by one, whatever their case."""
    merged = {**lower, **upper}
    below, above = lower.get("headers"), upper.get("headers")
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        told = {str(name).lower() for name in above}
        merged["headers"] = {**{name: value for name, value in below.items() if name.lower() not in told}, **above}
    return merged


def problem_in(error: ErrorDetails, allowed: Iterable[str]) -> str:
    """Return one item of ``ValidationError.errors()`` as a sentence without pydantic's words or values.

    ``allowed`` are the names to choose from where the error is an unknown one.
    """
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "extra_forbidden":
        return unknown_name(str(error["loc"][-1]), allowed)
    if error["type"] == "literal_error":
        return f"must be {context['expected']}"
    if error["type"] in ("dict_type", "model_type"):
        return "must be a mapping of fields, or EndpointSettings"
    return error["msg"]
