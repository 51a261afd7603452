"""Load a models.yaml of a test, and read off what became of it.  Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.models import ModelSpec, Registry
from chatsheet_llm.models_file import load_models

Load = Callable[..., Registry]


def loader(path: Path) -> Load:
    """Write a text to this path and load it; the environment is empty unless one is given."""

    def load(text: str, environ: Mapping[str, str] | None = None) -> Registry:
        path.write_text(text, encoding="utf-8")
        return load_models(path, {} if environ is None else environ)

    return load


def problems(load: Load, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a text, one line each, from the file's name on."""
    with pytest.raises(SettingsError) as caught:
        load(text, environ)
    return [line[line.index("models.yaml") :] for line in str(caught.value).splitlines()]


def the(registry: Registry, alias: str) -> ModelSpec:
    """The entry of an alias, which is there."""
    spec = registry.get(alias)
    assert spec is not None
    return spec
