"""Read the recorded traffic and the wire schemas beside the checkout; skip, and say why, where they are absent."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest


def shared(*parts: str) -> Path:
    """The path of a shared file or folder."""
    roots = [os.environ.get("CHATSHEET_SHARED"), *(parent / "shared" for parent in Path(__file__).resolve().parents)]
    for root in filter(None, roots):
        if (path := Path(root, *parts)).exists():
            return path
    pytest.skip(f"recorded traffic is absent: no shared/{'/'.join(parts)} beside the checkout, CHATSHEET_SHARED unset")


@functools.cache
def recordings() -> list[dict[str, Any]]:
    """Every recorded exchange.  Not to be changed."""
    with shared("traffic", "recordings.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def sse_events(body: str) -> Iterator[dict[str, Any]]:
    """The JSON events of a recorded event stream, without ``[DONE]``."""
    for block in body.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            yield json.loads(data)


@functools.cache
def _schemas() -> Mapping[str, Any]:
    document = json.loads(shared("wire", "openai-api-subset.json").read_text(encoding="utf-8"))

    def loosen(node: Any) -> Any:
        # OpenAPI's oneOf names a discriminator here; without it a user message is two kinds of item at once.
        if isinstance(node, dict):
            return {("anyOf" if key == "oneOf" else key): loosen(value) for key, value in node.items()}
        return [loosen(value) for value in node] if isinstance(node, list) else node

    return {"components": loosen(document["components"])}


@functools.cache
def schema(name: str) -> Callable[[object], list[str]]:
    """A function that tells what is wrong with a body by the wire schema of this name."""
    validator = jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **_schemas()})
    return lambda body: [error.message[:200] for error in validator.iter_errors(body)]
