"""Find the row of a model by its parsed name.  Decides no call."""

from __future__ import annotations

from functools import lru_cache

from chatsheet_llm.capabilities.names import ModelName, parse_name
from chatsheet_llm.capabilities.row import Capability
from chatsheet_llm.capabilities.table import CAPABILITIES, CLAUDE
from chatsheet_llm.formats.responses_messages_sampling import is_claude


def _parsed(row: Capability) -> ModelName:
    name = parse_name(row.family)
    if name is None:
        raise ValueError(f"capability family {row.family!r} is not a model name")
    return name


_ROWS: tuple[tuple[ModelName, Capability], ...] = tuple((_parsed(row), row) for row in CAPABILITIES)


@lru_cache(maxsize=4096)
def capability_of(base_model: str | None) -> Capability | None:
    """Return what is known of a model, or None where nothing is.

    ``base_model`` is the model's own name, with or without its snapshot date (``gpt-5-codex-2025-09-15``).  Families
    match by series, version and variant, never by substring.  A provider prefix (``azure/gpt-5``) is a gateway's
    routing string, not a model's name: it is not stripped, and nothing is known of it.
    """
    if not base_model:
        return None
    if "/" not in base_model and is_claude(base_model.strip().lower()):
        return CLAUDE
    name = parse_name(base_model)
    if name is None:
        return None
    rows = [
        (family.version, row)
        for family, row in _ROWS
        if (family.series, family.variant) == (name.series, name.variant)
        and (family.version == name.version or (row.and_later and family.version < name.version))
    ]
    return max(rows, key=lambda found: found[0])[1] if rows else None


def is_named(name: str | None) -> bool:
    """Whether a name is that of a model that the table knows, and so more than the name of a deployment."""
    return capability_of(name) is not None
