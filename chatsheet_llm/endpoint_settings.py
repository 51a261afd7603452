"""Say how one endpoint is reached, and of which kind it is.  Lays layers over each other; builds no client."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_core import ErrorDetails

from chatsheet_llm.route import Mode
from chatsheet_llm.values import (
    Ascii,
    LocalPath,
    Proxy,
    Secret,
    Text,
    Url,
    clean_ascii,
    clean_headers,
    clean_modes,
    clean_text,
    unknown_name,
)

KINDS: Final = ("litellm", "azure", "openai", "anthropic", "anthropic_foundry")
"""The kinds of endpoint that ship with the library; an endpoint of the same name is of that kind."""


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
    where a layer does not say.  ``key_header`` is how the key travels (None: as the kind does by default; ``api-key``
    is ``x-api-key`` for Anthropic).  ``modes`` are the APIs it may be asked for (None: all
    that its kind has).  ``headers`` are sent with every request.  ``ca_bundle`` and ``proxy`` replace the general ones.
    ``boundary`` names the data boundary it lies in, ``label`` is for people.  Keys, tokens, header values and the
    proxy are secrets in every repr and dump.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    kind: Annotated[str, BeforeValidator(clean_kind)] = ""
    base_url: Url = None
    api_key: Secret = None
    ad_token: Secret = None
    api_version: Ascii = None
    deployment: Text = None
    key_header: Annotated[Literal["api-key", "bearer"] | None, BeforeValidator(clean_text)] = None
    modes: Annotated[tuple[Mode, ...] | None, BeforeValidator(clean_modes)] = None
    headers: Annotated[dict[str, SecretStr], BeforeValidator(clean_headers)] = {}
    ca_bundle: LocalPath = None
    proxy: Proxy = None
    boundary: Text = None
    label: Text = None

    def told(self) -> dict[str, object]:
        """Return the fields that were given a value, by name."""
        return {
            name: value
            for name in sorted(self.model_fields_set)
            if (value := getattr(self, name)) not in (None, "", {})
        }


def kind_of(name: str, kind: str) -> str:
    """Return the kind of an endpoint: what was told, else its name where that is a known kind.

    Raises ValueError where neither says, or where they contradict each other.
    """
    if fold(name) in KINDS:
        if kind not in ("", fold(name)):
            raise ValueError(
                f"an endpoint called {name!r} is of that kind and cannot be {kind!r}; give it another name"
            )
        return fold(name)
    if not kind:
        raise ValueError(f"endpoint {name!r} has no kind; say which: {', '.join(KINDS)}")
    return kind


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
