"""Compare what came back with what was sent: only what is declared lost may differ.  Knows no bridge."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any, cast

from alike import LOST, Json, same


def marked(body: Json, paths: Iterable[str]) -> Json:
    """The body with each thing at one of the paths marked as lost, so that it is known wherever a row puts it."""
    made: Json = {"body": copy.deepcopy(body)}
    for path in paths:
        steps = re.findall(r"[^.\[\]]+", f"body.{path}")
        node: Any = made
        for at, step in enumerate(steps):
            key: Any = int(step) if isinstance(node, list) else step
            if at == len(steps) - 1 and isinstance(node, dict):
                node.setdefault(LOST, []).append(key)
            elif at == len(steps) - 1 and isinstance(node, list):
                node[key] = {**(node[key] if isinstance(node[key], dict) else {"was": node[key]}), LOST: [""]}
            elif isinstance(node, (dict, list)) and (isinstance(node, list) or key in node):
                node = node[key]
            else:
                break
    return cast("Json", made["body"])


def differences(given: Any, back: Any, path: str = "") -> list[str]:
    """Where two bodies differ, but for what is marked as lost: that may be gone, or be something else."""
    if isinstance(given, dict) and isinstance(back, dict):
        lost = given.get(LOST, [])
        if "" in lost:
            return []
        found = [f"{path}.{name} came from nowhere" for name in back.keys() - given.keys() - set(lost)]
        for name in given.keys() - {LOST, *lost}:
            if name in back:
                found += differences(given[name], back[name], f"{path}.{name}")
            elif not is_lost(given[name]):
                found.append(f"{path}.{name} is gone: {given[name]!r}")
        return found
    if isinstance(given, list) and isinstance(back, list):
        return _aligned(given, back, path)
    if isinstance(given, list) and back == "" and given and is_lost(given):
        # A result must have some content.
        return []
    return [] if same(given, back) else [f"{path}: {given!r} is {back!r}"]


def _aligned(given: list[Any], back: list[Any], path: str) -> list[str]:
    """The differences of two lists, from the first of which lost elements may be gone."""
    if not given:
        return [f"{path}: {element!r} came from nowhere" for element in back]
    found = differences(given[0], back[0], f"{path}[]") if back else [f"{path}[] is gone: {given[0]!r}"]
    found = found or _aligned(given[1:], back[1:], path)
    return _aligned(given[1:], back, path) if found and is_lost(given[0]) else found


def is_lost(node: Any) -> bool:
    """Whether nothing is left of it that was not declared lost."""
    if isinstance(node, dict):
        known = {LOST, "role", "type", "id", "status", *node.get(LOST, [])}
        return "" in known or all(is_lost(value) for name, value in node.items() if name not in known)
    return all(map(is_lost, node)) if isinstance(node, list) else node in (None, "")
