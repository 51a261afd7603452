"""The shapes of the sandbox's replies beside recorded ones: no invented field, none missing that is always there."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatsheet_llm.sandbox import Sandbox

SHARED = Path(os.environ.get("CHATSHEET_SHARED") or Path(__file__).resolve().parents[3] / "shared")
RECORDINGS = SHARED / "traffic" / "recordings.jsonl"

DOCUMENTED = {("azure-chat", "<>"): {"prompt_filter_results"}}
"""Differences that documents ask for: the late annotation of Azure's filter, of which there is no recording."""
PROMPT = "Use get_weather for Oslo"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT: dict[str, Any] = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello"}]}
RESPONSES: dict[str, Any] = {"model": "gpt-5-mini", "input": "Hello", "reasoning": {"effort": "low", "summary": "auto"}}
MESSAGES: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 2000,
    "messages": [{"role": "user", "content": "Hello"}],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
}
CHAT_TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
RESPONSES_TOOL = {"type": "function", "name": "get_weather", "parameters": SCHEMA}
CALLS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "azure-chat": (
        "azure",
        "/openai/v1/chat/completions",
        [CHAT, {**CHAT, "messages": [{"role": "user", "content": PROMPT}], "tools": [CHAT_TOOL]}],
    ),
    "openai-chat": (
        "openai",
        "/v1/chat/completions",
        [CHAT, {**CHAT, "messages": [{"role": "user", "content": PROMPT}], "tools": [CHAT_TOOL]}],
    ),
    "azure-responses": (
        "azure",
        "/openai/v1/responses",
        [RESPONSES, {**RESPONSES, "input": PROMPT, "tools": [RESPONSES_TOOL]}],
    ),
    "openai-responses": (
        "openai",
        "/v1/responses",
        [RESPONSES, {**RESPONSES, "input": PROMPT, "tools": [RESPONSES_TOOL]}],
    ),
    "anthropic-messages": (
        "anthropic",
        "/v1/messages",
        [
            MESSAGES,
            {
                **MESSAGES,
                "messages": [{"role": "user", "content": PROMPT}],
                "tools": [{"name": "get_weather", "input_schema": SCHEMA}],
            },
        ],
    ),
}

Shapes = dict[str, list[set[str]]]


def objects(reply: str, *, sse: bool) -> Iterator[dict[str, Any]]:
    """The JSON objects of a reply: its body, or the data of its events."""
    for line in reply.splitlines() if sse else [f"data: {reply}"]:
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data.startswith("{"):
            yield json.loads(data)


def shapes(found: Iterable[dict[str, Any]]) -> Shapes:
    """Path -> the sets of keys seen there; objects with a type or an object name are told apart by it."""
    seen: Shapes = defaultdict(list)

    def walk(path: str, value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(f"{path}[]", item)
        elif isinstance(value, dict):
            kind = value.get("type") if isinstance(value.get("type"), str) else value.get("object")
            here = f"{path}<{kind}>" if isinstance(kind, str) else path
            seen[here].append(set(value))
            for name, item in value.items():
                if name not in ("metadata", "input", "parameters", "schema", "tools", "text", "reasoning", "usage"):
                    walk(f"{here}.{name}", item)

    for item in found:
        walk("", item)
    return seen


def union(keys: list[set[str]]) -> set[str]:
    return set().union(*keys)


def common(keys: list[set[str]]) -> set[str]:
    return keys[0].intersection(*keys)


@pytest.fixture(scope="module")
def recorded() -> dict[tuple[str, bool], Shapes]:
    if not RECORDINGS.exists():
        pytest.skip(f"no recordings at {RECORDINGS}; set CHATSHEET_SHARED to the directory that has them")
    found: dict[tuple[str, bool], list[dict[str, Any]]] = defaultdict(list)
    with RECORDINGS.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["response"]["status"] == 200 and row["kind"] in CALLS:
                try:
                    found[row["kind"], row["sse"]].extend(objects(row["response"]["body"], sse=row["sse"]))
                except json.JSONDecodeError:
                    continue  # a reply that was cut in the recording
    return {key: shapes(items) for key, items in found.items()}


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, bool], Shapes]:
    found: dict[tuple[str, bool], Shapes] = {}
    with Sandbox() as box, httpx2.Client(headers={"authorization": f"Bearer {box.api_key}"}) as client:
        for kind, (role, path, bodies) in CALLS.items():
            for sse in (False, True):
                replies = [
                    client.post(box.url(role) + path, json={**body, "stream": sse}).text  # type: ignore[arg-type]
                    for body in bodies
                ]
                found[kind, sse] = shapes(item for reply in replies for item in objects(reply, sse=sse))
    return found


@pytest.mark.parametrize("sse", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", CALLS)
def test_replies_have_the_fields_of_recorded_ones(
    kind: str, sse: bool, recorded: dict[tuple[str, bool], Shapes], made: dict[tuple[str, bool], Shapes]
) -> None:
    theirs, ours = recorded[kind, sse], made[kind, sse]

    invented: dict[str, set[str]] = {}
    missing: dict[str, set[str]] = {}
    for path in set(ours) & set(theirs):
        excused = DOCUMENTED.get((kind, path.partition(".")[0]), set())
        invented[path] = union(ours[path]) - union(theirs[path])
        missing[path] = common(theirs[path]) - common(ours[path]) - excused
    assert {path: keys for path, keys in invented.items() if keys} == {}
    assert {path: keys for path, keys in missing.items() if keys} == {}
    known = set(theirs) | set(recorded[kind.replace("azure", "openai"), sse])
    late = {path for path in ours if kind == "azure-chat" and path.startswith("<>.choices")}  # as in DOCUMENTED
    assert set(ours) - late <= known
