"""Find what a bridge lost without a word: values of the source that are neither in the result nor declared lost."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chatsheet_llm.formats.seals import open_reasoning
from chatsheet_llm.route import Loss

Json = dict[str, Any]


def leaves(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no list or object, with its path; JSON within a string counts as what it holds."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, f"{path}[{index}]")
    elif isinstance(node, str) and isinstance(inner := open_reasoning(node) or _json(node), (dict, list)):
        yield from leaves(inner, path)
    else:
        yield path, node


def _json(text: str) -> object:
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))


NAMES = frozenset({"type", "role", "object", "status", "mode"})
"""Last steps of a path whose values only name the shape, which the other format names otherwise."""


def vanished(source: Json, made: Json, losses: Iterable[Loss], neutral: Callable[[str, object], bool]) -> list[str]:
    """The paths of values that are neither in the result, nor declared lost, nor what both sides do anyway."""
    kept = {value for _, value in leaves(made) if isinstance(value, (str, int, float))}
    texts = [text for value in kept if isinstance(value, str) for text in (value, _decoded(value))]
    joined = "\0".join(texts)
    lost = [loss.path for loss in losses]
    missing = []
    for path, value in leaves(source):
        if value in (None, "", False) or path.rpartition(".")[2] in NAMES or neutral(path, value):
            continue
        found = value in kept or (isinstance(value, str) and (value in joined or _data(value) in joined))
        if not found and not any(under(path, prefix) for prefix in lost):
            missing.append(path)
    return missing


def _decoded(value: str) -> str:
    """The text in a data URL that holds text."""
    return base64.b64decode(_data(value)).decode() if value.startswith("data:text/") else ""


def _data(text: str) -> str:
    """What a data URL holds."""
    return text.partition(";base64,")[2] if text.startswith("data:") else text
