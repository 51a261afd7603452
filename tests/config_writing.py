"""What ``proxy-config`` writes for a models.yaml of a test, and the words beside it.  Asserts nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from chatsheet_llm.proxy_config import proxy_config
from chatsheet_llm.settings import Settings

Written = Callable[..., str]


def writer(path: Path, known: Mapping[str, Mapping[str, object]]) -> Written:
    """Write the configuration of a models.yaml at this path; ``endpoints`` lays fields over those that are known."""

    def write(models: str, chain: str = "litellm,azure", **endpoints: dict[str, object]) -> str:
        path.write_text(textwrap.dedent(models), encoding="utf-8")
        told = {name: {**known.get(name, {}), **endpoints.get(name, {})} for name in {**known, **endpoints}}
        return proxy_config(Settings(_env_file=None, models_file=path, chain=chain, endpoints=told))

    return write


def comments(text: str) -> str:
    """The comments as running text."""
    lines = [line.strip().removeprefix("#").strip() for line in text.splitlines() if line.strip().startswith("#")]
    return " ".join(lines)
