"""Which model strings a LiteLLM proxy sends to Responses by itself, as data.  Knows no file and no endpoint.

Read from LiteLLM 1.106.2 and measured in front of the sandbox; the integration tests hold it against what is installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from chatsheet_llm.capabilities import Capability, capability_of

API_VERSION: Final = "2025-04-01-preview"
"""The dated version for Azure endpoints that have none, or too old a one: it has both APIs."""

Need = Literal["only", "tools"]
"""Why chat calls belong on Responses: the model has nothing else, or takes tools while reasoning only there."""

_ALIKE: Final = frozenset(
    {
        "gpt-5-codex",
        "gpt-5-pro",
        "gpt-5.1-codex",
        "gpt-5.1-codex-max",
        "gpt-5.1-codex-mini",
        "gpt-5.2-codex",
        "gpt-5.2-pro",
        "gpt-5.3-codex",
        "gpt-5.4-pro",
        "gpt-5.5-pro",
        "o3-deep-research",
        "o3-pro",
    }
)
ROUTED_BY_NAME: Final[Mapping[str, frozenset[str]]] = {
    "azure": _ALIKE | {"codex-mini"},
    "openai": _ALIKE | {"o1-pro", "o4-mini-deep-research"},
}
"""Provider to the names that its cost map calls Responses models; with or without a date, in any case."""

_DATE: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_VERSION: Final = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?:[.-].*)?")
_TOOLS_SINCE: Final = (5, 4)
"""From this version on, LiteLLM moves chat calls with function tools by itself, where the name begins with it."""
_LABELS: Final = re.compile(r"^(?:azure|openai)/(?:(?:eu|us|global)/)?")


def model_of(base_model: str) -> str:
    """Return the model's own name, without the provider and the region of a key of LiteLLM's cost map."""
    return _LABELS.sub("", base_model.strip(), count=1)


def need_of(model: str | None, capability: Capability | None = None) -> Need | None:
    """Return why chat calls of this model belong on Responses, None where they do not, or nothing is known.

    ``capability`` is what is known beyond the table.
    """
    row = capability or capability_of(model)
    if row is None:
        return None
    if not {"chat", "messages"} & row.apis:
        return "only"
    return None if row.tools_with_effort_on_chat and row.tools_without_effort_on_chat else "tools"


def is_routed_by_name(provider: str, deployment: str, need: Need) -> bool:
    """Whether the proxy sends such calls to Responses for the deployment's name alone."""
    if _undated(deployment) in ROUTED_BY_NAME.get(provider, ()):
        return True
    found = _VERSION.fullmatch(deployment)
    return need == "tools" and found is not None and (int(found[1]), int(found[2] or 0)) >= _TOOLS_SINCE


def _undated(name: str) -> str:
    return _DATE.sub("", name.strip().lower())
