"""Find what a bridge lost without a word: values of the source that are neither in the result nor declared lost."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chatsheet_llm.formats.seals import open_reasoning
from chatsheet_llm.formats.tables import REQUEST_ECHO
from chatsheet_llm.route import Loss, Mode

Json = dict[str, Any]


def leaves(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value that holds no other, with its path; JSON within a string counts as what it holds."""
    if isinstance(node, (Mapping, list)) and not node:
        yield path, node
    elif isinstance(node, Mapping):
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
    losses = list(losses)
    found = list(leaves(made))
    kept = {_typed(value) for _, value in found if isinstance(value, (str, int, float))}
    texts = [text for _, value in found if isinstance(value, str) for text in (value, _decoded(value))]
    joined = "\0".join(texts)
    lost = [loss.path for loss in losses]
    missing = []
    for path, value in leaves(source):
        if value is None or _is_empty(value) or _last(path) in NAMES or neutral(path, value):
            continue
        there = _typed(value) in kept or (isinstance(value, str) and (value in joined or _data(value) in joined))
        if not there and not any(under(path, prefix) for prefix in lost):
            missing.append(path)
    return missing + emptied(source, made, losses, neutral)


def emptied(source: Json, made: Json, losses: Iterable[Loss], neutral: Callable[[str, object], bool]) -> list[str]:
    """The paths of zeros, false and emptiness that are gone.

    They are everywhere, so one counts as there only under its own name, or under one that another format has for it.
    """
    empty = {(_last(path), _typed(value)) for path, value in leaves(made) if value is not None}
    lost = [loss.path for loss in losses]
    missing = []
    for path, value in leaves(source):
        if not _is_empty(value) or _last(path) in NAMES or says_nothing(path, value) or neutral(path, value):
            continue
        names = [(name, _typed(value)) for name in (_last(path), *OTHER_NAMES.get(_last(path), ()))]
        if path == "parallel_tool_calls":
            if not source.get("tools") or source.get("tool_choice") == "none":
                # There is nothing to call side by side.
                continue
            names.append(("disable_parallel_tool_use", _typed(not value)))
        if empty.isdisjoint(names) and not any(under(path, prefix) for prefix in lost):
            missing.append(path)
    return missing


def says_nothing(path: str, value: object) -> bool:
    """Whether a row tells that this value means what its absence means."""
    plain = re.sub(r"\[\d+\]", "[]", path)
    return any(plain == row.path and _typed(value) == _typed(row.value) for row in NOTHING)


def _last(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0]


def _is_empty(value: object) -> bool:
    return value is not None and value in (0, "", [], {})


def _typed(value: object) -> tuple[str, object]:
    """Apart what Python takes for the same: 1 and true, 0 and false."""
    if isinstance(value, (list, Mapping)):
        return type(value).__name__, str(value)
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__, value


OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "arguments": ("input",),
    "input": ("arguments",),
    "output": ("content",),
    "content": ("output",),
    "cached_tokens": ("cache_read_input_tokens",),
    "cache_read_input_tokens": ("cached_tokens",),
    "cache_write_tokens": ("cache_creation_input_tokens",),
    "cache_creation_input_tokens": ("cache_write_tokens",),
    "prompt_tokens": ("input_tokens",),
    "completion_tokens": ("output_tokens",),
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
    "reasoning_tokens": ("thinking_tokens",),
    "thinking_tokens": ("reasoning_tokens",),
}
"""Last step of a path -> what the other formats call that."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A value at a path that means what its absence means, and why."""

    path: str
    value: object
    reason: str


NOTHING = (
    Nothing("stop", [], "stops at nothing"),
    Nothing("frequency_penalty", 0, "no penalty"),
    Nothing("presence_penalty", 0, "no penalty"),
    Nothing("tools[].function.strict", False, "no schema is strict unasked in Chat"),
    Nothing("response_format.json_schema.strict", False, "Messages keeps to every schema, which is more"),
    Nothing("tools[].strict", False, "no schema is strict unasked in Messages"),
    Nothing("messages[].annotations", [], "no notes"),
    Nothing("messages[].content", "", "an empty text beside calls says nothing"),
    Nothing("store", False, "another product in each API, and nothing is stored unasked by a bridge"),
    Nothing("stream_options.include_usage", False, "settled at the caller's end"),
    Nothing("messages[].reasoning_items[].summary", [], "redacted reasoning has no words"),
    Nothing("input[].summary", [], "redacted reasoning has no words"),
    Nothing("stream_options", {}, "sets nothing"),
    Nothing("stream_options.include_obfuscation", False, "only Responses and Chat pad their streams"),
    Nothing("reasoning", {}, "sets nothing"),
    Nothing("text", {}, "sets nothing"),
    Nothing("metadata", {}, "no labels"),
    Nothing("top_logprobs", 0, "none come unasked"),
    Nothing("background", False, "the call waits unasked"),
    Nothing("include", [], "nothing more"),
    Nothing("instructions", "", "no instructions"),
    Nothing("tools", [], "no tools"),
    Nothing("input[].content[].annotations", [], "no notes"),
    Nothing("input[].content[].logprobs", [], "no probabilities"),
    Nothing("tool_choice.disable_parallel_tool_use", False, "calls come side by side unasked"),
    Nothing("messages[].content[].is_error", False, "a result is no error unasked"),
    Nothing("messages[].content[].thinking", "", "the seal says it"),
    Nothing("choices[].message.annotations", [], "no notes"),
    Nothing("choices[].message.content", "", "an empty text says nothing"),
    Nothing("choices[].content_filter_results", {}, "no results"),
    Nothing("output[].content[].annotations", [], "no notes"),
    Nothing("output[].content[].logprobs", [], "no probabilities"),
    Nothing("output[].content[].text", "", "an empty text says nothing"),
    Nothing("content[].thinking", "", "the seal says it"),
    Nothing("output", [], "nothing is said"),
    Nothing("content", [], "nothing is said"),
)
"""Emptiness that may vanish.  Any other has to arrive or to be declared lost."""


def _decoded(value: str) -> str:
    """The text in a data URL that holds text."""
    return base64.b64decode(_data(value)).decode() if value.startswith("data:text/") else ""


def _data(text: str) -> str:
    """What a data URL holds."""
    return text.partition(";base64,")[2] if text.startswith("data:") else text


def is_neutral(path: str, value: object) -> bool:
    last = path.rpartition(".")[2].partition("[")[0]
    if last in CALLS and isinstance(value, str) and not re.fullmatch("[a-zA-Z0-9_-]+", value):
        return True
    if isinstance(value, (list, Mapping)):
        return False
    return (path, value) in NEUTRAL or (last, value) in RENAMED or last in UNSAID


NEUTRAL = frozenset({("n", 1), ("temperature", 1), ("top_p", 1), ("parallel_tool_calls", True), ("store", True)})
"""What both sides do anyway."""
RENAMED = frozenset(
    {
        ("detail", "auto"),
        ("display", "summarized"),
        ("include", "message.output_text.logprobs"),
        ("include", "reasoning.encrypted_content"),
        ("logprobs", True),
        ("service_tier", "default"),
        ("service_tier", "standard_only"),
        ("strict", True),
        ("summary", "auto"),
        ("tool_choice", "auto"),
        ("tool_choice", "required"),
        ("truncation", "disabled"),
        ("disable_parallel_tool_use", True),
    }
)
"""Last step of a path, value: what is another word, or goes without saying, on the other side."""
CALLS = frozenset({"call_id", "tool_call_id"})
"""Last steps of paths to what pairs a call with its result; Messages takes fewer characters there."""
UNSAID = frozenset({"include_usage", "id"})
"""Last steps of paths to what a bridge always asks for, and to the names of items."""


def is_echo(hop: Mode, path: str, value: object) -> bool:
    """What a reply repeats of its request, names its parts by, or says in a word that both formats have."""
    last = path.rpartition(".")[2]
    if last in ("id", "index", "finish_reason") or path in _COUNTS:
        return True
    if isinstance(value, str) and (last, value) in _WORDS:
        return True
    return hop == "responses" and path.partition(".")[0].partition("[")[0] in REQUEST_ECHO


_COUNTS = frozenset(f"usage.{name}_tokens" for name in ("prompt", "input", "completion", "output", "total"))
"""Compared as numbers, since Messages counts what it read from a cache apart."""
_WORDS = frozenset(
    {
        *(("stop_reason", word) for word in ("end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal")),
        *(("service_tier", word) for word in ("default", "auto", "standard")),
        *(("reason", word) for word in ("max_output_tokens", "content_filter")),
    }
)
